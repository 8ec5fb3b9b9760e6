//! The questions of others to our mailbox that are open: each has a place at the gate, and waits for our node's answer or, when
//! there is nothing yet, until something comes.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Mutex;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::super::budget::Who;
use super::super::{lock, span};
use super::gate::{Gate, Shut};
use crate::base::PeerId;
use crate::base::limits::{MAIL_PLACE_WAIT, MAX_MAIL_WAIT};
use crate::envelope::mailbox::Answer;

/// What is open at our mailbox.
#[derive(Debug, Default)]
pub(in crate::net) struct Desk {
    gate: Mutex<Gate>,
    /// A place is free.
    room: Notify,
    /// Questions that our node was asked, by their places.
    waiting: Mutex<HashMap<u64, Asked>>,
    /// Questions of owners who wait for mail: one of each.
    held: Mutex<HashMap<PeerId, Held>>,
    /// How many places they have taken.
    #[cfg(test)]
    taken: tokio::sync::watch::Sender<usize>,
}

/// A question that our node was asked.
#[derive(Debug)]
struct Asked {
    from: PeerId,
    /// Whether it may be held.
    waits: bool,
    reply: oneshot::Sender<Said>,
}

/// What our node says to a question.
#[derive(Debug)]
pub(super) enum Said {
    Answer(Vec<u8>),
    /// Nothing yet: it is held until this rings. Dropped when a newer one takes its place.
    Hold(oneshot::Receiver<()>),
}

/// A question that is held.
#[derive(Debug)]
struct Held {
    place: u64,
    ring: oneshot::Sender<()>,
}

impl Desk {
    /// The node's answer; ignored when nobody waits for it any more.
    pub(in crate::net) fn answer(&self, request: u64, answer: Vec<u8>) {
        if let Some(asked) = lock(&self.waiting).remove(&request) {
            let _ = asked.reply.send(Said::Answer(answer));
        }
    }

    /// The owner waits for mail: one question of each is held, the newest, if there is a place for it (MBX-82). It is held when
    /// this returns: nothing that is stored from here on is missed.
    pub(in crate::net) fn hold(&self, request: u64) {
        let Some(asked) = lock(&self.waiting).remove(&request) else { return };
        if let Some(older) = lock(&self.held).remove(&asked.from) {
            lock(&self.gate).leave(older.place);
        }
        if !asked.waits || !lock(&self.gate).hold(request) {
            let _ = asked.reply.send(Said::Answer(answer(&Answer::Full { retry_after: retry_after() })));
            return;
        }
        let (ring, rung) = oneshot::channel();
        lock(&self.held).insert(asked.from, Held { place: request, ring });
        #[cfg(test)]
        self.tell_taken();
        self.room.notify_waiters();
        if asked.reply.send(Said::Hold(rung)).is_err() {
            // Its task has just ended.
            self.release(asked.from, request);
        }
    }

    /// Something was stored for this owner.
    pub(in crate::net) fn ring(&self, owner: &PeerId) {
        if let Some(held) = lock(&self.held).remove(owner) {
            let _ = held.ring.send(());
        }
    }

    /// How many questions are held.
    #[cfg(test)]
    pub(in crate::net) fn held(&self) -> usize {
        lock(&self.held).len()
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        lock(&self.gate).count() + lock(&self.waiting).len() + lock(&self.held).len()
    }

    #[cfg(test)]
    fn tell_taken(&self) {
        self.taken.send_replace(lock(&self.gate).held());
    }

    /// How many places are taken by them, as it changes.
    #[cfg(test)]
    pub(in crate::net) fn freed(&self) -> tokio::sync::watch::Receiver<usize> {
        self.taken.subscribe()
    }

    /// Lets a question in, or not.
    pub(super) fn enter(&self, who: Who) -> Result<u64, Shut> {
        lock(&self.gate).enter(who, Instant::now())
    }

    /// Lets a question wait for a place, if it may: its number, with which it waits.
    pub(super) fn queue(&self, who: Who) -> Option<u64> {
        lock(&self.gate).wait(who)
    }

    /// Waits for a place, not for long.
    pub(super) async fn wait(&self, who: Who, number: u64) -> Option<u64> {
        let place = async {
            loop {
                let mut room = pin!(self.room.notified());
                // So that none is missed that comes free from here on.
                room.as_mut().enable();
                match self.enter(who) {
                    Ok(id) => return Some(id),
                    Err(Shut::TooMany) => return None,
                    Err(Shut::Full) => room.await,
                }
            }
        };
        let place = timeout(span(MAIL_PLACE_WAIT), place).await;
        lock(&self.gate).leave(number);
        place.ok().flatten()
    }

    /// A question is over, however: its place is free, and nobody waits for an answer any more.
    pub(super) fn leave(&self, from: PeerId, place: u64) {
        lock(&self.gate).leave(place);
        self.release(from, place);
        self.room.notify_waiters();
        #[cfg(test)]
        self.tell_taken();
        lock(&self.waiting).remove(&place);
    }

    fn release(&self, owner: PeerId, place: u64) {
        let mut held = lock(&self.held);
        if held.get(&owner).is_some_and(|held| held.place == place) {
            held.remove(&owner);
        }
    }

    /// A question goes to our node, with the number of its place: what is said to it.
    pub(super) fn register(&self, from: PeerId, place: u64, waits: bool) -> oneshot::Receiver<Said> {
        let (reply, said) = oneshot::channel();
        lock(&self.waiting).insert(place, Asked { from, waits, reply });
        said
    }
}

/// When to come again because no more questions are held: one of those that are has ended by then.
#[allow(clippy::cast_possible_truncation)] // Some minutes.
const fn retry_after() -> u32 {
    (MAX_MAIL_WAIT.0 / 1000) as u32
}

/// It has no field that could be out of bounds.
pub(super) fn answer(answer: &Answer) -> Vec<u8> {
    answer.encode().unwrap_or_default()
}
