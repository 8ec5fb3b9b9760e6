//! Random conversations against a naive model, which knows no keys: it keeps every message that ever was, in
//! plain maps, and says of each arrival what must come of it.

mod ops;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use ops::{Op, op};

use super::*;
use crate::base::limits::{
    ARCHIVED_SESSION_LIFE, MAX_ARCHIVED_SESSIONS, MAX_JUMP, MAX_LATE_CHAINS, MAX_RECEIVING_CHAINS,
    MAX_RETIRED_SKIPPED_KEYS, MAX_SKIPPED_KEYS, MAX_USED_CHAIN_MARKS, SKIPPED_KEY_LIFE,
};
use crate::crypto::kem::{CT_LEN, EK_LEN};
use crate::session::ratchet::HEADER_LEN;

/// What must come of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Opens,
    Error(SessionError),
    /// It cannot be told apart from a forgery.
    Fails,
}

/// A ratchet key of the peer's, and what became of the messages under it.
#[derive(Clone, Debug)]
struct Chain {
    key: [u8; 32],
    /// All below were opened, skipped or forgotten.
    next: u32,
    end: Option<(u32, WallTime)>,
    opened: BTreeSet<u32>,
    skipped: BTreeMap<u32, WallTime>,
    forgotten_below: u32,
    has_key: bool,
    /// Out of the state; the number says as the how manieth that was used up, if it was.
    gone: Option<Option<usize>>,
}

/// One session as one side sees it.
#[derive(Clone, Debug, Default)]
struct Seen {
    ours: bool,
    confirmed: bool,
    /// Oldest first.
    chains: Vec<Chain>,
    used_up: usize,
}

/// One side.
#[derive(Clone, Debug, Default)]
struct Model {
    sessions: BTreeMap<SessionId, Seen>,
    sending: Option<SessionId>,
    /// Last retired first.
    retired: Vec<(SessionId, WallTime)>,
    /// Sessions whose handshake was used.
    marks: BTreeSet<SessionId>,
}

impl Model {
    fn knows(&self, id: SessionId, now: WallTime) -> bool {
        let retired = |(session, at): &(SessionId, WallTime)| *session == id && now.since(*at) < ARCHIVED_SESSION_LIFE;
        self.sending == Some(id) || self.retired.iter().any(retired)
    }

    fn expects(&self, letter: &Letter, now: WallTime) -> Expected {
        let header = letter.message().header;
        if !self.knows(header.session, now) {
            // Too old, and not dropped yet.
            if self.retired.iter().any(|(session, _)| *session == header.session) {
                return Expected::Error(SessionError::UnknownSession);
            }
            return match letter.sealed.kind {
                SealedKind::Session => Expected::Error(SessionError::UnknownSession),
                SealedKind::First if self.marks.contains(&header.session) => Expected::Error(SessionError::Duplicate),
                SealedKind::First if header.number > MAX_JUMP => Expected::Error(SessionError::TooFarAhead),
                SealedKind::First => Expected::Opens,
            };
        }
        self.sessions[&header.session].expects(header.ratchet_key.0, header.number, now)
    }

    fn begun(&mut self, id: SessionId, ours: bool, now: WallTime) {
        self.sessions.insert(id, Seen { ours, ..Seen::default() });
        let Some(current) = self.sending else {
            self.sending = Some(id);
            return;
        };
        let old = &self.sessions[&current];
        let keeps = !old.confirmed && old.ours != ours && current < id;
        let loser = if keeps { id } else { current };
        self.sending = Some(if keeps { current } else { id });
        self.retire(loser, now);
    }

    fn retire(&mut self, id: SessionId, now: WallTime) {
        self.retired.insert(0, (id, now));
        self.sessions.get_mut(&id).unwrap().keep_skipped(MAX_RETIRED_SKIPPED_KEYS);
    }

    fn opened(&mut self, letter: &Letter, now: WallTime) {
        let header = letter.message().header;
        let id = header.session;
        if !self.knows(id, now) {
            self.marks.insert(id);
            self.begun(id, false, now);
        }
        let seen = self.sessions.get_mut(&id).unwrap();
        let was_confirmed = seen.confirmed;
        seen.opened(header.ratchet_key.0, header.previous, header.number, now);
        let place = self.retired.iter().position(|(retired, _)| *retired == id);
        if place.is_some() {
            seen.keep_skipped(MAX_RETIRED_SKIPPED_KEYS);
        }
        if let (true, false, true, Some(place)) = (seen.confirmed, was_confirmed, seen.ours, place) {
            self.retired.remove(place);
            let before = self.sending.replace(id).unwrap();
            self.retire(before, now);
        }
        self.forget(now);
    }

    fn forget(&mut self, now: WallTime) {
        self.retired.retain(|(_, at)| now.since(*at) < ARCHIVED_SESSION_LIFE);
        self.retired.truncate(MAX_ARCHIVED_SESSIONS);
    }
}

impl Seen {
    fn expects(&self, key: [u8; 32], number: u32, now: WallTime) -> Expected {
        let Some(chain) = self.chains.iter().find(|chain| chain.key == key) else {
            let jump = number > MAX_JUMP;
            return if jump { Expected::Error(SessionError::TooFarAhead) } else { Expected::Opens };
        };
        match chain.gone {
            Some(Some(place)) if self.used_up - place <= MAX_USED_CHAIN_MARKS => {
                return Expected::Error(SessionError::Duplicate);
            }
            Some(_) => return Expected::Fails,
            None => {}
        }
        let old = |since: &WallTime| now.since(*since) >= SKIPPED_KEY_LIFE;
        if number < chain.next {
            return match chain.skipped.get(&number) {
                Some(since) if !old(since) => Expected::Opens,
                Some(_) => Expected::Error(SessionError::Forgotten),
                None if number < chain.forgotten_below => Expected::Error(SessionError::Forgotten),
                None => {
                    assert!(chain.opened.contains(&number), "what is no longer there was opened or forgotten");
                    Expected::Error(SessionError::Duplicate)
                }
            };
        }
        if !chain.has_key || chain.end.is_some_and(|(_, since)| old(&since)) {
            Expected::Error(SessionError::Forgotten)
        } else if number - chain.next > MAX_JUMP {
            Expected::Error(SessionError::TooFarAhead)
        } else {
            Expected::Opens
        }
    }

    fn opened(&mut self, key: [u8; 32], previous: u32, number: u32, now: WallTime) {
        if !self.chains.iter().any(|chain| chain.key == key) {
            // A turn. The first one of the peer's who began confirms nothing yet.
            self.confirmed |= self.ours || !self.chains.is_empty();
            if let Some(before) = self.chains.last_mut() {
                before.end = Some((previous, now));
                before.has_key &= before.next < previous;
            }
            let (opened, skipped) = (BTreeSet::new(), BTreeMap::new());
            self.chains.push(Chain {
                key,
                next: 0,
                end: None,
                opened,
                skipped,
                forgotten_below: 0,
                has_key: true,
                gone: None,
            });
        }
        let chain = self.chains.iter_mut().find(|chain| chain.key == key).unwrap();
        for passed in chain.next..number {
            chain.skipped.insert(passed, now);
        }
        chain.next = chain.next.max(number + 1);
        chain.skipped.remove(&number);
        assert!(chain.opened.insert(number), "opened twice");
        chain.has_key &= chain.end.is_none_or(|(end, _)| chain.next < end);
        self.forget(now);
    }

    /// Everything that grows old or too much, in the plainest way.
    fn forget(&mut self, now: WallTime) {
        let old = |since: WallTime| now.since(since) >= SKIPPED_KEY_LIFE;
        let live = self.chains.iter().filter(|chain| chain.gone.is_none()).count();
        let mut age = live;
        for chain in self.chains.iter_mut().filter(|chain| chain.gone.is_none()) {
            age -= 1;
            chain.has_key &= chain.end.is_none_or(|(_, since)| !old(since));
            while let Some((number, _)) = chain.skipped.first_key_value().filter(|(_, since)| old(**since)) {
                chain.forgotten_below = number + 1;
                chain.skipped.pop_first();
            }
            if age >= MAX_RECEIVING_CHAINS && chain.has_key {
                let until = chain.end.unwrap().0.min(chain.next + MAX_JUMP);
                chain.skipped.extend((chain.next..until).map(|number| (number, now)));
                (chain.next, chain.has_key) = (until, false);
            }
        }
        self.keep_skipped(MAX_SKIPPED_KEYS);
    }

    fn keep_skipped(&mut self, max: usize) {
        while self.chains.iter().map(|chain| chain.skipped.len()).sum::<usize>() > max {
            let with_keys = self.chains.iter_mut().filter(|chain| !chain.skipped.is_empty());
            let oldest = with_keys.min_by_key(|chain| *chain.skipped.first_key_value().unwrap().1).unwrap();
            oldest.forgotten_below = oldest.skipped.pop_first().unwrap().0 + 1;
        }
        let mut late = 0;
        let mut newest_first: Vec<_> = self.chains.iter_mut().rev().filter(|chain| chain.gone.is_none()).collect();
        for chain in newest_first.iter_mut().skip(MAX_RECEIVING_CHAINS) {
            late += usize::from(!chain.skipped.is_empty());
            if chain.skipped.is_empty() {
                let all = chain.end.is_some_and(|(end, _)| chain.opened.len() == end as usize);
                chain.gone = Some(all.then_some(self.used_up));
                self.used_up += usize::from(all);
            } else if late > MAX_LATE_CHAINS {
                chain.gone = Some(None);
                chain.skipped.clear();
            }
        }
    }
}

struct Run {
    world: World,
    models: BTreeMap<Who, Model>,
    on_the_way: Vec<Letter>,
    arrived: Vec<Letter>,
    /// Ratchet key and number of each message that left: no key seals two.
    sealed: BTreeSet<([u8; 32], u32)>,
    outcomes: BTreeSet<String>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let models = [(Alice, Model::default()), (Bob, Model::default())].into();
        let (on_the_way, arrived, sealed, outcomes) = Default::default();
        Self { world: World::new(seed, false), models, on_the_way, arrived, sealed, outcomes }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Send(who, count) => {
                // Large rows, and very many of them.
                let reload = self.world.reload;
                self.world.reload &= count < 4;
                (0..count).for_each(|_| self.send(who));
                self.world.reload = reload;
            }
            Op::Die(who) => {
                self.world.load(who);
                let (now, mut rng) = (self.world.now, self.world.rng.clone());
                let before = self.world.set(who).clone();
                if before.can_send() {
                    self.world.set(who).encrypt(b"lost", &mut rng, now).unwrap();
                }
                *self.world.set(who) = before;
                self.world.rng = rng;
                self.world.store(who);
            }
            Op::Deliver(pick) => {
                if let Some(letter) = self.pick(pick) {
                    self.arrives(letter);
                }
            }
            Op::Copy(pick) => {
                // A second copy of something on its way, or of something that arrived before.
                let all = self.on_the_way.iter().chain(&self.arrived);
                if let Some(letter) = all.clone().nth(pick % all.count().max(1)).cloned() {
                    self.arrives(letter);
                }
            }
            Op::Lose(pick) => drop(self.pick(pick)),
            Op::Tamper(pick, place) => {
                if let Some(letter) = self.on_the_way.get(pick % self.on_the_way.len().max(1)) {
                    let mut payload = letter.sealed.payload.clone();
                    let place = place % payload.len();
                    payload[place] ^= 1;
                    let letter = letter.with_payload(payload);
                    assert!(self.world.deliver(&letter).is_err(), "byte {place} was changed");
                }
            }
            Op::Patch(pick, field, value) => {
                let Some(letter) = self.any(pick) else { return };
                let Some(place) = field.place(&letter) else { return };
                let mut payload = letter.sealed.payload.clone();
                payload[place].copy_from_slice(&field.value(value));
                if payload != letter.sealed.payload {
                    self.forged(&letter, payload);
                }
            }
            Op::Strip(pick, flags) => {
                let Some(letter) = self.any(pick) else { return };
                let (mut payload, flag) = (letter.sealed.payload.clone(), letter.start() + HEADER_LEN - 1);
                let part = flag + 1..letter.start() + letter.message().header_bytes.len();
                let put = [0, 4 + EK_LEN, 4 + CT_LEN][usize::from(flags % 3)];
                if put != part.len() {
                    payload[flag] = flags % 3;
                    payload.splice(part, vec![flags; put]);
                    self.forged(&letter, payload);
                }
            }
            Op::Reflect(pick) => {
                let Some(letter) = self.any(pick) else { return };
                assert!(self.world.deliver_to(letter.from, &letter).is_err(), "one's own letter opened");
            }
            Op::DeliverAll => {
                let reload = self.world.reload;
                for (n, letter) in std::mem::take(&mut self.on_the_way).into_iter().enumerate() {
                    self.world.compare = n.is_multiple_of(16);
                    self.world.reload = reload && self.world.compare;
                    self.arrives(letter);
                }
                (self.world.compare, self.world.reload) = (true, reload);
            }
            Op::Begin(who) => self.begin(who),
            Op::Wait(hours) => self.world.wait(Millis::from_hours(hours)),
            Op::Reload => {
                // From now on through rows, or no longer.
                self.world.reload = !self.world.reload;
            }
        }
    }

    fn pick(&mut self, pick: usize) -> Option<Letter> {
        let len = self.on_the_way.len();
        (len > 0).then(|| self.on_the_way.swap_remove(pick % len))
    }

    /// Any letter, on its way or arrived.
    fn any(&self, pick: usize) -> Option<Letter> {
        let all = self.on_the_way.iter().chain(&self.arrived);
        all.clone().nth(pick % all.count().max(1)).cloned()
    }

    /// What the attacker has made of a letter is refused, and changes nothing.
    fn forged(&mut self, letter: &Letter, payload: Vec<u8>) {
        let forged = letter.with_payload(payload);
        assert!(self.world.deliver(&forged).is_err(), "a forged letter opened");
    }

    fn begin(&mut self, who: Who) {
        let id = self.world.begin(who);
        let model = self.models.get_mut(&who).unwrap();
        model.begun(id, true, self.world.now);
        model.forget(self.world.now);
    }

    fn send(&mut self, who: Who) {
        if !self.world.set(who).can_send() {
            self.begin(who);
        }
        self.world.load(who);
        let text = self.world.now.0.to_be_bytes().repeat(who as usize + 1);
        let (now, mut rng) = (self.world.now, self.world.rng.clone());
        let sealed = self.world.set(who).encrypt(&text, &mut rng, now).unwrap();
        self.world.rng = rng;
        // A mailbox has it at once, whatever becomes of it: no session is too long for SES-66.
        self.world.set(who).taken(sealed.session, sealed.number);
        self.world.store(who);
        let model = self.models.get_mut(&who).unwrap();
        assert_eq!(Some(sealed.session), model.sending);
        let seen = model.sessions.get_mut(&sealed.session).unwrap();
        assert_eq!(sealed.kind == SealedKind::First, seen.ours && !seen.confirmed, "SES-16");
        let letter = Letter { from: who, sealed, text };
        let header = letter.message().header;
        assert!(self.sealed.insert((header.ratchet_key.0, header.number)), "a key sealed twice");
        seen.forget(now);
        model.forget(now);
        self.on_the_way.push(letter);
    }

    fn arrives(&mut self, letter: Letter) {
        let now = self.world.now;
        let model = self.models.get_mut(&letter.from.other()).unwrap();
        let expected = model.expects(&letter, now);
        self.outcomes.insert(format!("{expected:?}"));
        // Refusals are checked to change nothing by `deliver`.
        let result = self.world.deliver(&letter);
        match expected {
            Expected::Opens => {
                assert_eq!(result.as_ref().map(|opened| &*opened.plaintext), Ok(&letter.text));
                model.opened(&letter, now);
            }
            Expected::Error(error) => assert_eq!(result, Err(error)),
            Expected::Fails => {
                let error = result.unwrap_err();
                assert!(matches!(error, SessionError::Authentication | SessionError::TooFarAhead), "{error:?}");
            }
        }
        self.arrived.push(letter);
        for who in [Alice, Bob] {
            let (set, model) = (self.world.set(who), &self.models[&who]);
            assert_eq!(set.sending().map(|session| session.id()), model.sending);
            assert_eq!(set.is_confirmed(), model.sending.is_some_and(|id| model.sessions[&id].confirmed));
        }
    }
}

/// A fixed seed; `ROHRPOST_TEST_SCALE` multiplies the number of conversations.
fn runner(cases: u32) -> TestRunner {
    let scale = std::env::var("ROHRPOST_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    let config = Config { cases: cases * scale, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, b"rohrpost/session/model/tests/v1\0"))
}

#[test]
fn conversations_go_as_the_model_says() {
    let ops = (any::<u64>(), prop::collection::vec(op(), 1..120));
    let outcomes = std::cell::RefCell::new(BTreeSet::new());
    runner(32)
        .run(&ops, |(seed, ops)| {
            let mut run = Run::new(seed);
            ops.iter().for_each(|op| run.apply(op));
            run.apply(&Op::DeliverAll);
            outcomes.borrow_mut().append(&mut run.outcomes);
            Ok(())
        })
        .unwrap();
    // The conversations were wild enough to see everything.
    use SessionError::{Duplicate, Forgotten, TooFarAhead, UnknownSession};
    let errors = [Duplicate, Forgotten, TooFarAhead, UnknownSession].map(Expected::Error);
    for outcome in [Expected::Opens].into_iter().chain(errors) {
        assert!(outcomes.borrow().contains(&format!("{outcome:?}")), "never seen: {outcome:?}");
    }
}
