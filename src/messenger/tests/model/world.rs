//! The world around Alice's messenger: Bob, who is a real one, naive mailboxes, and a network that does what a step says.

use std::collections::{BTreeMap, VecDeque};

use super::facts::{Asked, Facts, Flight};
use super::house::House;
use super::peek::{Says, Side};
use super::story::{Crash, Way};
use crate::base::{Millis, MonoTime, Now, PeerId, WallTime, limits};
use crate::envelope::envelope_id;
use crate::envelope::mailbox::{Answer as MailAnswer, Question};
use crate::messenger::command::Command;
use crate::messenger::io::{Event, FrameToken, Input, Order, Output, RefuseReason};

pub(super) struct World {
    pub(super) now: Now,
    pub(super) alice: Side,
    pub(super) bob: Side,
    pub(super) facts: Facts,
    /// Tickets of envelopes that have an outcome, and of deposits whose time was over.
    pub(super) gone: Vec<u64>,
    pub(super) late: Vec<(u64, PeerId)>,
    /// Alice's searches in the hash table.
    searches: Vec<(u64, MonoTime)>,
    /// What Bob has sent and Alice has not heard.
    pub(super) from_bob: VecDeque<(u64, Vec<u8>)>,
    /// What Bob was given.
    pub(super) given: Vec<Vec<u8>>,
    houses: BTreeMap<PeerId, House>,
    /// Bob's card in the hash table.
    table: Option<Vec<u8>>,
    /// What was answered last to an envelope, and to a question for a card.
    verdict: Option<Result<(), RefuseReason>>,
    bundle: Option<(Vec<u8>, Option<Vec<u8>>)>,
    trace: bool,
}

impl World {
    pub(super) fn new(seed: u64, houses: usize) -> Self {
        let (alice, bob) = (Side::new(seed.wrapping_mul(2)), Side::new(seed.wrapping_mul(2).wrapping_add(1)));
        let now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(0) };
        let houses = (0..houses as u64).map(|house| (Side::new(1_000_000 + house).id, House::default())).collect();
        let mut world = Self {
            now,
            alice,
            bob,
            facts: Facts::default(),
            gone: Vec::new(),
            late: Vec::new(),
            searches: Vec::new(),
            from_bob: VecDeque::new(),
            given: Vec::new(),
            houses,
            table: None,
            verdict: None,
            bundle: None,
            trace: std::env::var_os("ROHRPOST_TRACE").is_some(),
        };
        let outputs = world.bob.open(now);
        world.bobs(outputs);
        for peer in world.houses.keys().copied().collect::<Vec<_>>() {
            world.bob_does(Command::UseMailbox { peer, addrs: Vec::new() });
        }
        world.open();
        let here = Event::Listening(vec!["/ip4/203.0.113.7/tcp/4001".to_owned()]);
        world.hears(here, Crash::No, |_| ());
        world
    }

    // ---- Alice --------------------------------------------------------------------------------------

    /// Alice's messenger is opened, also in place of one that died.
    fn open(&mut self) {
        self.note(&"Alice's messenger begins");
        self.facts.restarted();
        (self.gone, self.late, self.searches) = (Vec::new(), Vec::new(), Vec::new());
        self.hang_up();
        let outputs = self.alice.open(self.now);
        self.facts.learn(&self.alice, self.bob.id, self.now);
        self.facts.look_at_all();
        self.carry_out(outputs);
        self.facts.check(&self.alice, self.now);
    }

    /// Hands inputs to Alice in one commit. If that is durable, what it means for the facts is noted before
    /// what follows from it is carried out.
    pub(super) fn hand_in(&mut self, inputs: Vec<Input>, crash: Crash, effect: impl FnOnce(&mut Self)) {
        if crash == Crash::Commit {
            self.alice.break_store();
            let outputs = self.alice.handle(inputs, self.now);
            let fails = |output: &Output| matches!(output, Output::Reply(_, Err(_)) | Output::Net(Order::Refuse(..)));
            assert!(outputs.iter().all(fails), "something leaves though the commit failed: {outputs:?}");
            return self.open();
        }
        let outputs = self.alice.handle(inputs, self.now);
        self.facts.learn(&self.alice, self.bob.id, self.now);
        if !outputs.iter().any(|output| matches!(output, Output::Reply(_, Err(_)))) {
            effect(self);
        }
        if crash == Crash::Committed {
            return self.open();
        }
        self.carry_out(outputs);
        self.facts.check(&self.alice, self.now);
        if crash == Crash::Done {
            self.open();
        }
    }

    pub(super) fn hears(&mut self, input: Event, crash: Crash, effect: impl FnOnce(&mut Self)) {
        self.hand_in(vec![Input::Net(input)], crash, effect);
    }

    /// Alice's user asks for something that can be had.
    pub(super) fn asks_for(&mut self, command: Command, crash: Crash, effect: impl FnOnce(&mut Self)) {
        self.hand_in(vec![Input::Command(1, command)], crash, effect);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            self.note(&output);
            match output {
                Output::Net(Order::Connect { peer, .. }) if peer == self.bob.id => {
                    assert!(!self.facts.connected && !self.facts.blocked, "who is there, or blocked, is dialled");
                    self.facts.dialled = true;
                }
                Output::Net(Order::Send { peer, ticket, bytes }) => {
                    assert_eq!(peer, self.bob.id);
                    let seen = self.bob.peek(self.alice.id, &bytes, self.now);
                    let says = self.known(&bytes, seen);
                    let flight = Flight { bytes: bytes.to_vec(), says, is_doubtful: false };
                    self.facts.flies(&self.alice, ticket, flight, self.now);
                }
                Output::Net(Order::FetchBundle { ticket, .. }) => self.facts.bundle = Some(ticket),
                Output::Net(Order::Acknowledge(_)) => self.verdict = Some(Ok(())),
                Output::Net(Order::Refuse(_, reason)) => self.verdict = Some(Err(reason)),
                Output::Net(Order::AnswerBundle { card, prekey, .. }) => self.bundle = Some((card, prekey)),
                Output::Net(Order::AskMailbox { ticket, mailbox, question, anonymous, .. }) => {
                    assert!(anonymous, "a mailbox learns who asks");
                    let (mut says, mut sealed) = (None, Vec::new());
                    if let Ok(Question::Deposit(deposit)) = Question::decode(&question) {
                        sealed = deposit.sealed.to_vec();
                        if let Some((envelope, seen)) = self.bob.peek_sealed(&sealed, self.now) {
                            says = self.known(&envelope, seen);
                        }
                    }
                    let at = self.now.mono;
                    let asked = Asked { mailbox, at, question, says, is_doubtful: false };
                    self.facts.asks(&self.alice, ticket, asked, &sealed, self.now);
                }
                Output::Net(Order::FindCard { ticket, .. }) => self.searches.push((ticket, self.now.mono)),
                Output::WakeAt(at) => self.alice.wake = at,
                _ => {}
            }
        }
    }

    /// What an envelope says: Bob sees it, or it was seen when it left for the first time.
    fn known(&mut self, envelope: &[u8], seen: Option<Says>) -> Option<Says> {
        let id = envelope_id(envelope);
        match seen {
            Some(says) => Some(self.facts.seen.entry(id).or_insert(says).clone()),
            None => self.facts.seen.get(&id).cloned(),
        }
    }

    // ---- The way between them -------------------------------------------------------------------------

    pub(super) fn connect(&mut self, crash: Crash) {
        if self.facts.connected {
            return;
        }
        let peer = self.bob.id;
        self.hears(Event::Connected(peer), crash, |world| {
            (world.facts.connected, world.facts.dialled, world.facts.paused) = (true, false, None);
        });
        if self.facts.connected {
            let peer = self.alice.id;
            self.bob_hears(Event::Connected(peer));
        }
    }

    pub(super) fn disconnect(&mut self, crash: Crash) {
        if !self.facts.connected {
            return;
        }
        self.hang_up();
        let peer = self.bob.id;
        self.hears(Event::Disconnected(peer), crash, |world| {
            world.gone.extend(world.facts.flying.keys());
            if !world.facts.flying.is_empty() {
                world.facts.pace(world.now);
            }
            world.facts.disconnected();
            world.facts.pause(world.now);
        });
        self.facts.connected = false;
    }

    /// Bob sees the connection end.
    fn hang_up(&mut self) {
        self.from_bob.clear();
        let peer = self.alice.id;
        self.bob_hears(Event::Disconnected(peer));
    }

    /// Bob is given an envelope of Alice's; what he says to it.
    pub(super) fn give_bob(&mut self, bytes: Vec<u8>) -> Result<(), RefuseReason> {
        self.given.push(bytes.clone());
        let token = FrameToken { stream: 1, frame: 1 };
        let from = self.alice.id;
        self.verdict = None;
        self.bob_hears(Event::Envelope { from, origin: None, token, bytes });
        self.verdict.take().expect("Bob answers")
    }

    /// The envelope with this ticket has this outcome for Alice.
    pub(super) fn outcome(&mut self, ticket: u64, way: Way, crash: Crash) {
        let flight = self.facts.flying[&ticket].clone();
        let mut way = way;
        if matches!(way, Way::Arrives | Way::ArrivesUnsaid) {
            let verdict = self.give_bob(flight.bytes.clone());
            match verdict {
                Err(reason) => way = Way::Refused(reason),
                Ok(()) if way == Way::ArrivesUnsaid => way = Way::Lost,
                Ok(()) => {}
            }
        }
        let peer = self.bob.id;
        let input = match way {
            Way::Arrives | Way::ArrivesUnsaid => Event::Acked { peer, ticket },
            Way::Lost => Event::Lost { peer, ticket },
            Way::Refused(reason) => Event::Refused { peer, ticket, reason },
        };
        self.hears(input, crash, |world| {
            let facts = &mut world.facts;
            facts.flying.remove(&ticket);
            world.gone.push(ticket);
            if !matches!(way, Way::Arrives | Way::ArrivesUnsaid) {
                facts.pace(world.now);
            }
            match way {
                Way::Arrives | Way::ArrivesUnsaid => facts.acked(&flight),
                Way::Lost | Way::Refused(RefuseReason::TooMany | RefuseReason::Unavailable) => {}
                Way::Refused(RefuseReason::PrekeyUnknown | RefuseReason::SessionUnknown) => {
                    facts.session_doubted = true;
                    facts.renewed();
                }
                Way::Refused(RefuseReason::Unsupported | RefuseReason::Malformed) => facts.refused_for_good(&flight),
            }
        });
    }

    /// Alice's question for the card is answered.
    pub(super) fn answer_bundle(&mut self, is_good: bool, crash: Crash) {
        let Some(ticket) = self.facts.bundle else { return };
        let peer = self.bob.id;
        let input = if is_good {
            let from = self.alice.id;
            self.bob_hears(Event::BundleRequested { from, request: 1, want_prekey: true });
            let (card, prekey) = self.bundle.take().expect("Bob hands out his card");
            Event::Bundle { peer, ticket, card, prekey }
        } else {
            Event::BundleFailed { peer, ticket }
        };
        self.hears(input, crash, |world| {
            world.facts.bundle = None;
            world.facts.card_came();
            if !is_good {
                world.facts.pace(world.now);
            }
        });
    }

    /// The hash table answers.
    pub(super) fn answer_search(&mut self, is_good: bool, crash: Crash) {
        let Some((ticket, _)) = self.searches.pop() else { return };
        let peer = self.bob.id;
        let input = match self.table.clone().filter(|_| is_good) {
            Some(card) => Event::CardFound { peer, ticket, card },
            None => Event::CardNotFound { peer, ticket, asked: 3 },
        };
        self.hears(input, crash, |world| world.facts.card_came());
    }

    pub(super) const fn has_search(&self) -> bool {
        !self.searches.is_empty()
    }

    pub(super) fn has_mailboxes(&self) -> bool {
        !self.houses.is_empty()
    }

    /// A mailbox answers Alice, perhaps otherwise than it should, or does not.
    pub(super) fn answer_mail(&mut self, ticket: u64, answer: Option<&MailAnswer>, is_lie: bool, crash: Crash) {
        let asked = self.facts.asked[&ticket].clone();
        let mailbox = asked.mailbox;
        let input = match answer {
            Some(answer) => Event::MailAnswered { mailbox, ticket, answer: answer.encode().unwrap() },
            None => Event::MailFailed { mailbox, ticket },
        };
        self.hears(input, crash, |world| {
            world.facts.asked.remove(&ticket);
            match answer {
                Some(MailAnswer::Stored) => world.facts.stored(&asked, world.now, !is_lie),
                Some(MailAnswer::Card { .. }) => {}
                Some(MailAnswer::TooLarge) => world.facts.too_large(&asked),
                Some(MailAnswer::NoBox | MailAnswer::Full { .. }) => world.facts.not_stored(&asked, false),
                _ => world.facts.not_stored(&asked, true),
            }
            // A search that ends begins a session with the card that there is.
            if asked.says.is_none() {
                world.facts.card_came();
            }
        });
    }

    /// What the mailbox says that does what it should.
    pub(super) fn honest(&mut self, ticket: u64) -> MailAnswer {
        let asked = self.facts.asked[&ticket].clone();
        self.house(asked.mailbox, &asked.question).unwrap_or(MailAnswer::Done)
    }

    /// Something of Bob's comes to Alice.
    pub(super) fn hear_bob(&mut self, crash: Crash) {
        let Some((ticket, bytes)) = self.from_bob.pop_front() else { return };
        let says = self.alice.peek(self.bob.id, &bytes, self.now).unwrap_or_default();
        self.verdict = None;
        // A letter that begins a session may say that his was lost.
        let is_first = bytes.get(1) == Some(&2);
        let token = FrameToken { stream: 2, frame: ticket };
        let from = self.bob.id;
        self.hears(Event::Envelope { from, origin: None, token, bytes }, crash, |world| {
            if is_first {
                world.facts.session_doubted = true;
                world.facts.renewed();
            }
            if !world.facts.blocked {
                world.facts.receipts(&says);
            }
        });
        let peer = self.alice.id;
        match self.verdict.take().filter(|_| self.facts.connected) {
            Some(Ok(())) => self.bob_hears(Event::Acked { peer, ticket }),
            Some(Err(reason)) => self.bob_hears(Event::Refused { peer, ticket, reason }),
            None => self.bob_hears(Event::Lost { peer, ticket }),
        }
    }

    // ---- Bob and the mailboxes --------------------------------------------------------------------------

    pub(super) fn bob_does(&mut self, command: Command) -> bool {
        let outputs = self.bob.handle(vec![Input::Command(1, command)], self.now);
        let is_done = outputs.iter().any(|output| matches!(output, Output::Reply(_, Ok(_))));
        self.bobs(outputs);
        is_done
    }

    pub(super) fn bob_hears(&mut self, input: Event) {
        let outputs = self.bob.handle(vec![Input::Net(input)], self.now);
        self.bobs(outputs);
    }

    fn bobs(&mut self, outputs: Vec<Output>) {
        let mut inputs = Vec::new();
        for output in outputs {
            match output {
                Output::Net(Order::Send { ticket, bytes, .. }) => self.from_bob.push_back((ticket, bytes.to_vec())),
                Output::Net(Order::Acknowledge(_)) => self.verdict = Some(Ok(())),
                Output::Net(Order::Refuse(_, reason)) => self.verdict = Some(Err(reason)),
                Output::Net(Order::AnswerBundle { card, prekey, .. }) => self.bundle = Some((card, prekey)),
                Output::Net(Order::Connect { peer, .. }) => inputs.push(Event::Unreachable(peer)),
                Output::Net(Order::FetchBundle { ticket, .. }) => {
                    let (from, peer) = (self.bob.id, self.alice.id);
                    let request = Event::BundleRequested { from, request: 1, want_prekey: true };
                    self.hears(request, Crash::No, |_| ());
                    let (card, prekey) = self.bundle.take().expect("Alice hands out her card");
                    inputs.push(Event::Bundle { peer, ticket, card, prekey });
                }
                Output::Net(Order::AskMailbox { ticket, mailbox, question, .. }) => {
                    let answer = self.house(mailbox, &question);
                    match answer {
                        Some(answer) => {
                            let answer = answer.encode().unwrap();
                            inputs.push(Event::MailAnswered { mailbox, ticket, answer });
                        }
                        None => self.houses.get_mut(&mailbox).unwrap().held = Some(ticket),
                    }
                }
                Output::Net(Order::FindCard { peer, ticket }) => {
                    inputs.push(Event::CardNotFound { peer, ticket, asked: 3 });
                }
                Output::Net(Order::PublishCard { card, .. }) => self.table = Some(card),
                Output::WakeAt(at) => self.bob.wake = at,
                _ => {}
            }
        }
        inputs.into_iter().for_each(|input| self.bob_hears(input));
    }

    /// What a mailbox does that does what it should; `None`: it holds the question.
    fn house(&mut self, mailbox: PeerId, question: &[u8]) -> Option<MailAnswer> {
        let house = self.houses.get_mut(&mailbox).unwrap();
        let answer = house.answer(question);
        if matches!(answer, Some(MailAnswer::Stored))
            && let Some(ticket) = house.held.take()
        {
            let answer = MailAnswer::Waited { came: true }.encode().unwrap();
            self.bob_hears(Event::MailAnswered { mailbox, ticket, answer });
        }
        answer
    }

    // ---- Time -----------------------------------------------------------------------------------------

    /// Time passes: a short while with every timer on its moment, a long one as on a machine that sleeps now and then.
    pub(super) fn pass(&mut self, span: Millis, crash: Crash) {
        let end = self.now.mono + span;
        if span <= Millis::from_secs(60) {
            for _ in 0..60 {
                let next = self.alice.wake.min(self.bob.wake);
                if next >= end {
                    break;
                }
                self.forward(next.since(self.now.mono));
                self.ring(Crash::No);
            }
            self.forward(end.since(self.now.mono));
        } else {
            for _ in 0..5 {
                self.forward(Millis(span.0 / 5));
                self.ring(Crash::No);
            }
        }
        self.hand_in(vec![Input::Timer], crash, Self::time_is_over);
    }

    fn forward(&mut self, span: Millis) {
        self.now = Now { wall: self.now.wall + span, mono: self.now.mono + span };
    }

    fn ring(&mut self, crash: Crash) {
        for _ in 0..8 {
            if self.bob.wake <= self.now.mono {
                let outputs = self.bob.handle(vec![Input::Timer], self.now);
                self.bobs(outputs);
            }
            if self.alice.wake <= self.now.mono {
                self.hand_in(vec![Input::Timer], crash, Self::time_is_over);
            }
        }
    }

    /// Questions that nobody answered are given up; a session that nobody answers is begun anew after three days.
    fn time_is_over(&mut self) {
        self.facts.look_at_all();
        let now = self.now.mono;
        let is_late = |at: MonoTime| at + limits::ASK_TIMEOUT <= now;
        let asked = &self.facts.asked;
        let late: Vec<u64> = asked.iter().filter(|(_, asked)| is_late(asked.at)).map(|(ticket, _)| *ticket).collect();
        let mut searches = self.searches.len();
        self.searches.retain(|(_, at)| !is_late(*at));
        searches -= self.searches.len();
        for ticket in late {
            let asked = self.facts.asked.remove(&ticket).unwrap();
            self.facts.not_stored(&asked, true);
            self.late.push((ticket, asked.mailbox));
            searches += usize::from(asked.says.is_none());
        }
        // A search that ends begins a session with the card that there is.
        if searches > 0 {
            self.facts.card_came();
        }
    }

    pub(super) fn note(&self, what: &dyn std::fmt::Debug) {
        if self.trace {
            let what = format!("{what:?}");
            eprintln!("        {}", what.get(..200).unwrap_or(&what));
        }
    }
}
