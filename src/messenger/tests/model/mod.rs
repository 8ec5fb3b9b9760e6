//! A naive model of one outgoing envelope, and death between any two steps.
//!
//! Alice's messenger is driven through its inputs and outputs alone: its user writes, the network brings what it likes, time
//! passes, and at any step the commit fails, or the process dies before or after what follows from it was carried out.
//! Beside it stand facts that know neither rows nor sessions (`facts`); what leaves is looked into by Bob, who is a
//! real messenger. After each step the promises of the outbox are checked, and in the end, when all ways are open, that
//! everything has arrived, once.
//!
//! `ROHRPOST_TEST_SCALE` multiplies the number of runs, `PROPTEST_RNG_SEED` is the first seed; a failure names its
//! own. `ROHRPOST_TRACE` shows what happens.

mod facts;
mod house;
mod peek;
mod story;
mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::base::{MessageId, Millis, PeerId, limits};
use crate::content::{Item, StatusReport};
use crate::envelope::mailbox::Answer as MailAnswer;
use crate::identity::IdentityKeypair;
use crate::messenger::command::{Command, SendCommand};
use crate::messenger::io::{Event, Input, RefuseReason};
use story::{Act, Crash, Mail, Story, Way, story};
use world::World;

fn tell(story: &Story) {
    let mut world = World::new(story.seed, story.mailboxes);
    if story.friends {
        world.befriend();
    }
    for (act, crash) in &story.acts {
        world.note(&("---", act, crash));
        world.act(act, *crash);
    }
    world.finish();
}

impl World {
    fn befriend(&mut self) {
        self.act(&Act::Say { len: 5, life: None }, Crash::No);
        self.connect(Crash::No);
        self.settle();
        assert!(self.bob_does(Command::AcceptRequest(self.alice.id)));
        self.settle();
        assert!(self.facts.accepted);
    }

    fn act(&mut self, act: &Act, crash: Crash) {
        let peer = self.bob.id;
        match act.clone() {
            Act::Say { len, life } => self.say(1, len, life.map(Millis::from_secs), crash),
            Act::Burst { count, len } => self.say(count, len, None, crash),
            Act::SayNothing => {
                let command = Command::Send(self.letter(0, None));
                self.asks_for(command, crash, |_| panic!("nothing was said, and taken"));
            }
            Act::Connect => self.connect(crash),
            Act::Disconnect => self.disconnect(crash),
            Act::Unreachable if self.facts.dialled => {
                self.hears(Event::Unreachable(peer), crash, |world| {
                    world.facts.dialled = false;
                    world.facts.pause(world.now);
                });
            }
            Act::Envelope(pick, way) => {
                if let Some(ticket) = nth(self.facts.flying.keys(), pick) {
                    self.outcome(ticket, way, crash);
                }
            }
            Act::Envelopes(count) => {
                for _ in 0..count {
                    let Some(ticket) = nth(self.facts.flying.keys(), 0) else { break };
                    self.outcome(ticket, Way::Arrives, Crash::No);
                }
            }
            Act::Stale(pick, what) => self.stale(pick, what, crash),
            Act::Bundle(is_good) => self.answer_bundle(is_good, crash),
            Act::Search(is_good) => self.answer_search(is_good, crash),
            Act::Mailbox(pick, mail) => self.mailbox(pick, mail, crash),
            Act::LateMail(pick) => {
                if let Some((ticket, mailbox)) = nth(&self.late, pick) {
                    let answer = MailAnswer::Stored.encode().unwrap();
                    self.hears(Event::MailAnswered { mailbox, ticket, answer }, crash, |_| ());
                }
            }
            Act::Bob(count) => (0..count).for_each(|_| {
                if self.facts.connected {
                    self.hear_bob(crash);
                }
            }),
            Act::Pass(span) => self.pass(span, crash),
            Act::Block => {
                self.asks_for(Command::Block(peer), crash, |world| {
                    world.facts.blocked = true;
                    world.facts.doubt_flights();
                });
            }
            Act::Unblock => {
                self.asks_for(Command::Unblock(peer), crash, |world| {
                    (world.facts.blocked, world.facts.paused) = (false, None);
                });
            }
            Act::Delete => {
                self.asks_for(Command::DeleteConversation(peer), crash, |world| world.facts.deleted());
            }
            Act::Unreachable => {}
            _ => self.bob_acts(act, crash),
        }
    }

    fn bob_acts(&mut self, act: &Act, crash: Crash) {
        let peer = self.alice.id;
        match act.clone() {
            Act::BobLost => {
                if let Some((ticket, _)) = self.from_bob.pop_front() {
                    self.bob_hears(Event::Lost { peer, ticket });
                }
            }
            Act::BobReads => {
                self.bob_does(Command::Read { peer, upto: None });
            }
            Act::BobAccepts => {
                self.bob_does(Command::AcceptRequest(peer));
            }
            Act::BobAgain(pick) => {
                if let Some(bytes) = nth(&self.given, pick) {
                    self.give_bob(bytes).unwrap();
                }
            }
            Act::BobSays { first, count, read } => self.bob_says(first, count, read, crash),
            Act::BobSaysOthers => self.bob_says_others(crash),
            Act::BobHeals(pick) => {
                let bytes: Option<Vec<u8>> = nth(&self.given, pick);
                if let Some(mut bytes) = bytes.filter(|bytes| bytes[1] == 1) {
                    // Behind the header of the message.
                    bytes[200] ^= 1;
                    let _ = self.give_bob(bytes);
                }
            }
            _ => unreachable!("{act:?} is not Bob's"),
        }
    }

    fn letter(&self, len: usize, expires: Option<Millis>) -> SendCommand {
        let mut letter = SendCommand::text(self.bob.id, "x".repeat(len));
        letter.draft.expires = expires;
        letter
    }

    /// Alice writes so many messages in one commit; to whom is blocked, or has not accepted, not all of them can go.
    fn say(&mut self, count: usize, len: usize, expires: Option<Millis>, crash: Crash) {
        if self.facts.blocked || (!self.facts.accepted && len > limits::MAX_REQUEST_TEXT) {
            return;
        }
        let letters = (0..count as u64).map(|at| Input::Command(at, Command::Send(self.letter(len, expires))));
        let (inputs, before) = (letters.collect(), self.facts.all.len());
        self.hand_in(inputs, crash, |world| {
            world.facts.paused = None;
            assert_eq!(world.facts.all.len(), before + count, "not all that was sent is there");
        });
    }

    /// Nothing that is said of a ticket without an envelope changes anything.
    fn stale(&mut self, pick: usize, what: usize, crash: Crash) {
        let (peer, ticket) = (self.bob.id, nth(&self.gone, pick).unwrap_or(1_000_000));
        let input = match what {
            0 => Event::Acked { peer, ticket },
            1 => Event::Refused { peer, ticket, reason: RefuseReason::SessionUnknown },
            _ => Event::Lost { peer, ticket },
        };
        self.hears(input, crash, |_| ());
    }

    fn mailbox(&mut self, pick: usize, mail: Mail, crash: Crash) {
        let Some(ticket) = nth(self.facts.asked.keys(), pick) else { return };
        let is_deposit = self.facts.asked[&ticket].says.is_some();
        match mail {
            Mail::Honest => {
                let answer = self.honest(ticket);
                self.answer_mail(ticket, Some(&answer), false, crash);
            }
            Mail::Unheard => {
                self.honest(ticket);
                self.answer_mail(ticket, None, false, crash);
            }
            Mail::Lies if is_deposit => self.answer_mail(ticket, Some(&MailAnswer::Stored), true, crash),
            Mail::Says(answer) => self.answer_mail(ticket, Some(&answer), false, crash),
            Mail::Lies | Mail::Silent => self.answer_mail(ticket, None, false, crash),
        }
    }

    fn bob_says(&mut self, first: usize, count: usize, read: bool, crash: Crash) {
        let all = &mut self.facts.all;
        let first = first % all.len().max(1);
        let mut ids = Vec::new();
        for fact in all.iter_mut().skip(first).take(count) {
            // Of what he was never given it is a lie.
            fact.is_lie = true;
            ids.push(fact.id);
        }
        let report = match read {
            true => StatusReport { delivered: Vec::new(), read: ids },
            false => StatusReport { delivered: ids, read: Vec::new() },
        };
        self.bob_writes(report, crash);
    }

    fn bob_says_others(&mut self, crash: Crash) {
        let id = MessageId::new([7; 32]);
        self.bob_writes(StatusReport { delivered: vec![id], read: Vec::new() }, crash);
        // Carol has a message of Alice's, of which Bob knows nothing but the ID.
        let carol = carol();
        let letter = SendCommand { to: carol, ..self.letter(3, None) };
        self.asks_for(Command::Send(letter), Crash::No, |_| ());
        let Some(id) = self.alice.history(carol).last().map(|view| view.message_id) else { return };
        self.bob_writes(StatusReport { delivered: vec![id], read: vec![id] }, crash);
        let state = self.alice.shown(&id).map(|view| view.state);
        assert_eq!(state, Some(crate::base::words::State::Queued), "Bob says what became of Carol's");
    }

    fn bob_writes(&mut self, report: StatusReport, crash: Crash) {
        if self.facts.connected
            && self.facts.accepted
            && let Some(bytes) = self.bob.write(self.alice.id, vec![Item::Status(report)], self.now)
        {
            self.from_bob.push_front((u64::MAX, bytes));
            self.hear_bob(crash);
        }
    }

    // ---- The end --------------------------------------------------------------------------------------

    /// Everything that is on its way arrives, everybody answers, and so on.
    fn settle(&mut self) {
        for _ in 0..5_000 {
            if let Some(ticket) = nth(self.facts.flying.keys(), 0) {
                self.outcome(ticket, Way::Arrives, Crash::No);
            } else if self.facts.bundle.is_some() {
                self.answer_bundle(true, Crash::No);
            } else if let Some(ticket) = nth(self.facts.asked.keys(), 0) {
                self.mailbox_is_honest(ticket);
            } else if self.has_search() {
                self.answer_search(true, Crash::No);
            } else if self.facts.connected && !self.from_bob.is_empty() {
                self.hear_bob(Crash::No);
            } else {
                return;
            }
        }
        panic!("it goes on and on");
    }

    fn mailbox_is_honest(&mut self, ticket: u64) {
        let answer = self.honest(ticket);
        self.answer_mail(ticket, Some(&answer), false, Crash::No);
    }

    /// All ways open, and everything arrives: first by mailboxes alone, then with a connection.
    fn finish(&mut self) {
        if self.facts.blocked {
            self.act(&Act::Unblock, Crash::No);
        }
        if self.facts.accepted && self.has_mailboxes() {
            self.disconnect(Crash::No);
            for _ in 0..32 {
                self.settle();
                self.pass(Millis::from_hours(1), Crash::No);
                self.act(&Act::Unreachable, Crash::No);
            }
            self.settle();
            self.pass(Millis::from_secs(60), Crash::No);
            self.has_arrived(|fact| fact.is_big || fact.is_mislaid || fact.is_lie);
        }
        for round in 0..8 {
            self.connect(Crash::No);
            self.settle();
            self.bob_does(Command::AcceptRequest(self.alice.id));
            self.settle();
            self.pass(Millis::from_secs(if round % 2 == 0 { 60 } else { 3_600 }), Crash::No);
            self.settle();
        }
        let owed = self.facts.owed().next();
        assert!(owed.is_none(), "all ways were open, and it was not delivered: {owed:?}");
        self.has_arrived(|fact| fact.is_lie);
    }

    /// Bob has what was not given up, once.
    fn has_arrived(&mut self, may_miss: impl Fn(&facts::Fact) -> bool) {
        let mut ids: Vec<MessageId> = self.bob.all(self.alice.id);
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "Bob has something twice");
        let missing = self.facts.all.iter().find(|fact| {
            let is_there = ids.binary_search(&fact.id).is_ok();
            !is_there && !may_miss(fact) && !fact.need_not_arrive()
        });
        assert!(missing.is_none(), "Bob does not have {missing:?}");
    }
}

/// Somebody who is never there.
fn carol() -> PeerId {
    IdentityKeypair::generate(&mut <rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(99))
        .peer_id()
}

fn nth<T: Clone>(all: impl IntoIterator<Item: std::borrow::Borrow<T>, IntoIter: Clone>, pick: usize) -> Option<T> {
    use std::borrow::Borrow;
    let mut all = all.into_iter();
    let count = all.clone().count();
    all.nth(pick.checked_rem(count)?).map(|found| found.borrow().clone())
}

/// A number out of the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

#[test]
fn an_envelope_goes_as_the_model_says_whenever_the_process_dies() {
    let (first, scale) = (number("PROPTEST_RNG_SEED").unwrap_or(1), number("ROHRPOST_TEST_SCALE").unwrap_or(1));
    for seed in first..first + 16 * scale {
        let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
        let mut bytes = [0x4f; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let result = runner.run(&story(), |story| {
            tell(&story);
            Ok(())
        });
        if let Err(error) = result {
            panic!("PROPTEST_RNG_SEED={seed}: {error}");
        }
    }
}
