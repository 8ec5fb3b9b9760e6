//! The three lanes into the messenger, drained fairly.

use std::collections::VecDeque;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::clock::Clock;
use super::core::Asked;
use crate::base::limits::{CLOCK_STEP, INPUT_WORK, MAX_COMMIT_WORK, MAX_GROUP_COMMIT};
use crate::base::{Millis, MonoTime};
use crate::messenger::{Event, io};

/// How often the clocks are looked at, if nothing else happens.
const CLOCK_LOOK: Millis = Millis::from_secs(5);
/// How many one round of [`Inlets::fill`] takes at most.
const LANES: usize = 4;

/// Something that waited for the messenger.
pub(super) enum Waiting {
    User(Asked),
    Net(Event),
    /// What the network said at once, instead of by an event.
    Feedback(Event),
    Timer,
}

impl Waiting {
    fn work(&self) -> u64 {
        match self {
            Self::Net(event) | Self::Feedback(event) => io::work(event),
            Self::User(_) | Self::Timer => INPUT_WORK,
        }
    }
}

/// The receiving ends.
pub(super) struct Inlets {
    pub(super) user: mpsc::Receiver<Asked>,
    pub(super) contacts: mpsc::Receiver<Event>,
    pub(super) strangers: mpsc::Receiver<Event>,
    /// Turns true (or loses its sender) when the node ends.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) feedback: VecDeque<Event>,
    pub(super) wake: Option<MonoTime>,
    /// When there is upkeep to do, which is no input: [`Inlets::next`] then returns, if with nothing.
    pub(super) upkeep: Option<MonoTime>,
    /// How far apart the wall clock and the monotonic one were, modulo 2⁶⁴.
    pub(super) apart: Option<u64>,
}

impl Inlets {
    pub(super) const fn new(
        user: mpsc::Receiver<Asked>,
        contacts: mpsc::Receiver<Event>,
        strangers: mpsc::Receiver<Event>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { user, contacts, strangers, stop, feedback: VecDeque::new(), wake: None, upkeep: None, apart: None }
    }

    /// Waits until there is something, then takes what waits beside it, up to one group commit. Nothing when the node
    /// ends, or upkeep is due.
    pub(super) async fn next(&mut self, clock: &Clock) -> Vec<Waiting> {
        let mut batch = Vec::new();
        if self.feedback.is_empty() {
            // Nothing tells that the wall clock is set, or that the machine has slept.
            let look = clock.now().mono + CLOCK_LOOK;
            let first = self.wake.into_iter().chain(self.upkeep).chain([look]).min();
            let wake = first.and_then(|at| clock.instant(at)).map(tokio::time::Instant::from_std);
            let timer = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return batch,
                Some(asked) = self.user.recv() => batch.push(Waiting::User(asked)),
                Some(event) = self.contacts.recv() => batch.push(Waiting::Net(event)),
                Some(event) = self.strangers.recv() => batch.push(Waiting::Net(event)),
                () = timer => {}
            }
        }
        self.fill(&mut batch, clock);
        batch
    }

    /// Whether the wall clock is another than at the last look.
    fn clock_was_set(&mut self, clock: &Clock) -> bool {
        let now = clock.now();
        let apart = now.wall.0.wrapping_sub(now.mono.0);
        self.apart.replace(apart).is_some_and(|before| before.abs_diff(apart) > CLOCK_STEP.0)
    }

    /// Whether nothing waits.
    pub(super) fn is_idle(&self, clock: &Clock) -> bool {
        let lanes = [self.contacts.is_empty(), self.strangers.is_empty(), self.user.is_empty()];
        let rings = self.wake.is_some_and(|at| at <= clock.now().mono);
        self.feedback.is_empty() && lanes.iter().all(|is_empty| *is_empty) && !rings
    }

    /// What waits now, without waiting.
    pub(super) fn rest(&mut self, clock: &Clock) -> Vec<Waiting> {
        let mut batch = Vec::new();
        self.fill(&mut batch, clock);
        batch
    }

    /// One of each lane in turn, so that a full lane cannot hold up another one; as much as one commit is to take, in number
    /// and in work. The rest stays where it is, and in the next the user's lane comes before it.
    fn fill(&mut self, batch: &mut Vec<Waiting>, clock: &Clock) {
        let was_set = self.clock_was_set(clock);
        if self.wake.is_some_and(|at| was_set || at <= clock.now().mono) {
            self.wake = None;
            batch.push(Waiting::Timer);
        }
        let mut work: u64 = batch.iter().map(Waiting::work).sum();
        while batch.len() + LANES < MAX_GROUP_COMMIT && work < MAX_COMMIT_WORK {
            let before = batch.len();
            batch.extend(self.feedback.pop_front().map(Waiting::Feedback));
            batch.extend(self.user.try_recv().ok().map(Waiting::User));
            batch.extend(self.contacts.try_recv().ok().map(Waiting::Net));
            batch.extend(self.strangers.try_recv().ok().map(Waiting::Net));
            if batch.len() == before {
                break;
            }
            work += batch.iter().skip(before).map(Waiting::work).sum::<u64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::base::{Millis, PeerId};
    use crate::messenger::Command;
    use crate::messenger::io::FrameToken;

    struct Outlets {
        user: mpsc::Sender<Asked>,
        contacts: mpsc::Sender<Event>,
        strangers: mpsc::Sender<Event>,
        stop: watch::Sender<bool>,
    }

    fn lanes() -> (Outlets, Inlets) {
        let (user, user_in) = mpsc::channel(1000);
        let (contacts, contacts_in) = mpsc::channel(1000);
        let (strangers, strangers_in) = mpsc::channel(1000);
        let (stop, stop_in) = watch::channel(false);
        let inlets = Inlets::new(user_in, contacts_in, strangers_in, stop_in);
        (Outlets { user, contacts, strangers, stop }, inlets)
    }

    const fn event(n: u8) -> Event {
        Event::Connected(PeerId::from_key_bytes([n; 32]))
    }

    #[tokio::test]
    async fn strangers_cannot_hold_up_the_others() {
        let (out, mut inlets) = lanes();
        for _ in 0..1000 {
            out.strangers.try_send(event(9)).unwrap();
        }
        for n in 0..5 {
            out.contacts.try_send(event(n)).unwrap();
            out.user.try_send((Command::RotateToken, oneshot::channel().0)).unwrap();
        }
        let batch = inlets.next(&Clock::new()).await;
        let users = batch.iter().filter(|w| matches!(w, Waiting::User(_))).count();
        let contacts = batch.iter().filter(|w| matches!(w, Waiting::Net(e) if *e != event(9))).count();
        assert_eq!((users, contacts), (5, 5));
        assert!(batch.len() <= MAX_GROUP_COMMIT);
    }

    /// Review H5: what is dear ends a commit early, and does not keep the user waiting.
    #[tokio::test]
    async fn dear_inputs_end_a_commit_and_nothing_is_lost_or_overtaken() {
        let (out, mut inlets) = lanes();
        let peer = PeerId::from_key_bytes([7; 32]);
        // A page of small envelopes, or a report of 512 messages.
        let dear = |n: u64| match n % 2 {
            0 => Event::MailAnswered { mailbox: peer, ticket: n, answer: vec![0; 20 * 1024] },
            _ => {
                let token = FrameToken { stream: 0, frame: n };
                Event::Envelope { from: peer, origin: None, token, bytes: vec![0; 17 * 1024] }
            }
        };
        (0..100).for_each(|n| out.strangers.try_send(dear(n)).unwrap());
        let clock = Clock::new();
        let first = inlets.next(&clock).await;
        assert!((2..=4).contains(&first.len()), "{}", first.len());
        out.user.try_send((Command::RotateToken, oneshot::channel().0)).unwrap();
        let mut tickets = Vec::new();
        let mut commands = 0;
        let mut batch = first;
        for round in 0.. {
            for (place, waiting) in batch.iter().enumerate() {
                match waiting {
                    Waiting::Net(Event::MailAnswered { ticket, .. }) => tickets.push(*ticket),
                    Waiting::Net(Event::Envelope { token, .. }) => tickets.push(token.frame),
                    Waiting::User(_) => {
                        assert!(round == 1 && place <= 1);
                        commands += 1;
                    }
                    _ => panic!("something else"),
                }
            }
            assert!(batch.len() <= 5, "{}", batch.len());
            if inlets.is_idle(&clock) {
                break;
            }
            batch = inlets.next(&clock).await;
        }
        assert_eq!((tickets, commands), ((0..100).collect::<Vec<u64>>(), 1));
    }

    #[tokio::test]
    async fn whatever_waits_is_waiting() {
        let (out, mut inlets) = lanes();
        let clock = Clock::new();
        assert!(inlets.is_idle(&clock));
        inlets.wake = Some(clock.now().mono);
        assert!(!inlets.is_idle(&clock));
        inlets.wake = Some(clock.now().mono + Millis::from_hours(1));
        out.user.try_send((Command::RotateToken, oneshot::channel().0)).unwrap();
        assert!(!inlets.is_idle(&clock));
        inlets.next(&clock).await;
        out.contacts.try_send(event(1)).unwrap();
        assert!(!inlets.is_idle(&clock));
        inlets.next(&clock).await;
        out.strangers.try_send(event(1)).unwrap();
        assert!(!inlets.is_idle(&clock));
        inlets.next(&clock).await;
        assert!(inlets.is_idle(&clock));
        inlets.feedback.push_back(event(1));
        assert!(!inlets.is_idle(&clock));
    }

    #[tokio::test]
    async fn the_timer_rings_even_when_the_lanes_are_full() {
        let (out, mut inlets) = lanes();
        let clock = Clock::new();
        inlets.wake = Some(clock.now().mono);
        out.strangers.try_send(event(9)).unwrap();
        let batch = inlets.next(&clock).await;
        assert_eq!(batch.iter().filter(|w| matches!(w, Waiting::Timer)).count(), 1);
        assert_eq!(inlets.wake, None);
    }

    #[tokio::test]
    async fn it_waits_for_the_timer_and_not_longer() {
        let (_out, mut inlets) = lanes();
        let clock = Clock::new();
        inlets.wake = Some(clock.now().mono + Millis(20));
        let batch = inlets.next(&clock).await;
        assert!(matches!(batch[..], [Waiting::Timer]) || batch.is_empty());
    }

    #[tokio::test]
    async fn upkeep_ends_the_wait_and_is_no_input() {
        let (_out, mut inlets) = lanes();
        let clock = Clock::new();
        inlets.upkeep = Some(clock.now().mono);
        inlets.wake = Some(clock.now().mono + Millis::from_hours(1));
        assert!(inlets.next(&clock).await.is_empty());
    }

    #[tokio::test]
    async fn the_end_of_the_node_ends_the_wait() {
        let (out, mut inlets) = lanes();
        out.stop.send_replace(true);
        assert!(inlets.next(&Clock::new()).await.is_empty());
        drop(out);
        assert!(inlets.next(&Clock::new()).await.is_empty());
    }
}
