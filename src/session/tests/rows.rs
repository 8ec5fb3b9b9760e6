//! What is written, and what rows that do not belong together are good for (SES-21, SES-65, SES-66).

use super::*;
use crate::base::limits::{KEM_INTERVAL, KEM_INTERVAL_MESSAGES, MAX_JUMP, MAX_UNTAKEN, SKIPPED_KEY_LIFE};

/// The IDs of rows that an operation would write, and whether the chain that sends is among them.
fn written(set: &SessionSet) -> (Vec<SessionId>, bool) {
    (set.changed().map(Session::id).collect(), set.has_sealed() && set.sending_row().is_some())
}

impl World {
    /// One side's rows go through the disk, without or with other ones in their place.
    fn reloads(&mut self, who: Who, change: impl FnOnce(&mut Disk)) {
        self.reload = true;
        self.load(who);
        self.reload = false;
        let peer = self.party(who.other()).keys.peer_id();
        let party = self.party(who);
        change(&mut party.disk);
        party.set = party.disk.load(party.keys.peer_id(), peer);
    }

    /// A letter of somebody whose set was just loaded, and what it would write.
    fn sends_and_writes(&mut self, from: Who, text: &str) -> (Letter, (Vec<SessionId>, bool)) {
        self.reloads(from, |_| {});
        let letter = self.send(from, text);
        (letter, written(self.set(from)))
    }
}

/// SES-65: a turn writes the row of the session alone; the next commit of the chain both, since the key moves; from then on
/// a message writes one small row, and an offer that of the session, too.
#[test]
fn a_message_writes_the_chain_that_sends_and_no_session() {
    let mut world = World::confirmed(50, false);
    let id = world.sends_with(Alice);
    for what in [(vec![id], false), (vec![id], true)] {
        let (letter, written) = world.sends_and_writes(Alice, "a turn, and what follows");
        assert_eq!(written, what);
        world.arrives(&letter);
    }
    for n in 5..KEM_INTERVAL_MESSAGES + 8 {
        let (letter, what) = world.sends_and_writes(Alice, "on");
        // SES-40: counted in the small row, and nowhere else.
        assert_eq!(
            what,
            (if letter.has_offer() && n == KEM_INTERVAL_MESSAGES { vec![id] } else { vec![] }, true),
            "{n}"
        );
        assert_eq!(letter.has_offer(), n >= KEM_INTERVAL_MESSAGES, "{n}");
        world.arrives(&letter);
    }
    let len = postcard::to_allocvec(&world.set(Alice).sending_row()).unwrap().len();
    assert!(len < 80, "{len} bytes");
    let (letter, what) = world.sends_and_writes(Bob, "an answer");
    assert!(letter.has_answer() && what == (vec![id], false));
    // Who opens writes his session, and not what he sends with.
    world.reloads(Alice, |_| {});
    world.arrives(&letter);
    assert_eq!(written(world.set(Alice)), (vec![id], false));
}

/// SES-34, SES-65: what grew too old is dropped from the disk, too: by a message that else writes the small row alone, and by
/// the sweep.
#[test]
fn what_is_dropped_for_its_age_is_written() {
    for sweeps in [false, true] {
        let mut world = World::confirmed(58, false);
        let id = world.sends_with(Bob);
        world.says(Alice, "turn");
        world.send(Alice, "lost");
        world.says(Alice, "one key is skipped");
        (0..2).for_each(|_| drop(world.sends_and_writes(Bob, "so that the key is in the small row")));
        world.reloads(Bob, |_| {});
        assert_eq!(world.set(Bob).sending().unwrap().sizes().1, 1);
        world.wait(SKIPPED_KEY_LIFE);
        if sweeps {
            let now = world.now;
            assert!(world.set(Bob).prune(now));
            assert_eq!(written(world.set(Bob)), (vec![id], false));
        } else {
            assert_eq!(world.sends_and_writes(Bob, "on").1, (vec![id], true));
            assert_eq!(world.sends_and_writes(Bob, "on").1, (vec![], true));
        }
        assert_eq!(world.set(Bob).sending().unwrap().sizes().1, 0);
    }
}

/// SES-34, SES-54: the sweep tells of what it dropped, and has it written, also when that is of two chains or two sessions.
#[test]
fn what_is_dropped_in_two_places_at_once_is_written() {
    let skips = |world: &mut World| {
        world.send(Alice, "lost");
        world.says(Alice, "one key is skipped");
    };
    let mut world = World::confirmed(59, false);
    let id = world.sends_with(Bob);
    skips(&mut world);
    world.says(Bob, "turn");
    world.says(Alice, "turn");
    skips(&mut world);
    let two_chains = world.point();
    world.begin(Alice);
    world.says(Alice, "anew");
    world.says(Bob, "and answered");
    skips(&mut world);
    let grow_old = |world: &mut World, sessions: &[SessionId], dropped: &[SessionId]| {
        world.reloads(Bob, |_| {});
        world.wait(SKIPPED_KEY_LIFE);
        let now = world.now;
        assert!(world.set(Bob).prune(now));
        assert_eq!((&written(world.set(Bob)).0[..], world.set(Bob).dropped()), (sessions, dropped));
        assert!(world.set(Bob).rows().all(|session| session.sizes().1 == 0));
    };
    let new = world.sends_with(Bob);
    grow_old(&mut world, &[new], &[id]);
    world.back_to(two_chains);
    grow_old(&mut world, &[id], &[]);
}

/// SES-40, SES-65: what changes the session is in its row, when the key moves with the same commit, too: a message that came
/// before in it, an offer that is due.
#[test]
fn what_comes_with_the_message_that_moves_the_key_is_written() {
    let mut world = World::confirmed(60, false);
    let id = world.sends_with(Alice);
    let late = world.send(Bob, "late");
    world.says(Alice, "turn");
    let point = world.point();
    world.reloads(Alice, |_| {});
    world.arrives(&late);
    world.send(Alice, "moved");
    assert_eq!(written(world.set(Alice)), (vec![id], true));
    world.back_to(point);
    world.wait(KEM_INTERVAL);
    let (letter, what) = world.sends_and_writes(Alice, "moved, with an offer");
    assert!(letter.has_offer());
    assert_eq!(what, (vec![id], true));
    world.reloads(Alice, |_| {});
    assert!(world.says(Alice, "on").has_offer());
    assert!(world.says(Bob, "turn").has_answer());
    world.says(Alice, "turn");
}

/// SES-62, SES-65: the key of the chain that sends is in one row at a time, so that what was sealed before is not opened by
/// what lies on the disk now; and when the session retires, it is in none.
#[test]
fn one_row_holds_the_chain_key() {
    let mut world = World::confirmed(51, false);
    let mut keys: Vec<Vec<u8>> = Vec::new();
    // Which of the keys so far the row of the session holds, and which the small one.
    let mut seen = |world: &mut World, key: Option<Vec<u8>>| {
        keys.extend(key);
        world.reloads(Alice, |_| {});
        let disk = &world.alice.disk;
        let own: Vec<_> = disk.sending.iter().filter(|_| world.alice.set.sending_row().is_some()).collect();
        [disk.sessions.values().collect(), own].map(|rows| {
            let holds = |key: &&Vec<u8>| rows.iter().any(|row| row.windows(32).any(|bytes| bytes == key.as_slice()));
            keys.iter().position(|key| holds(&key)).map(|first| (first, keys.iter().filter(holds).count()))
        })
    };
    let key = |world: &World| world.alice.set.sending().unwrap().chain_key().map(<[u8]>::to_vec);
    for turn in 0..2 {
        let late = world.send(Bob, "late");
        world.says(Alice, "turn");
        let now = key(&world);
        assert_eq!(seen(&mut world, now), [Some((turn * 3, 1)), None]);
        // What comes under a known key leaves it there.
        world.arrives(&late);
        assert_eq!(seen(&mut world, None), [Some((turn * 3, 1)), None]);
        let crossing = world.send(Bob, "turn");
        for n in 1..3 {
            world.says(Alice, "on");
            let now = key(&world);
            assert_eq!(seen(&mut world, now), [None, Some((turn * 3 + n, 1))]);
        }
        world.arrives(&crossing);
        assert_eq!(seen(&mut world, None), [None, None]);
    }
    world.says(Alice, "turn");
    let now = key(&world);
    assert_eq!(seen(&mut world, now), [Some((6, 1)), None]);
    world.begin(Alice);
    assert_eq!(seen(&mut world, None), [None, None]);
    assert_eq!(world.alice.disk.sessions.len(), 2);
}

/// SES-65: without its row, or with that of another chain or session, a chain seals nothing more. What is sent goes in a
/// new session, or after an answer; then `PN` says the most, because it is not known how many there were.
#[test]
fn a_chain_without_its_row_seals_nothing() {
    let mut world = World::confirmed(52, false);
    let moved = |world: &mut World| {
        world.says(Alice, "turn");
        world.reloads(Alice, |_| {});
        world.says(Alice, "on");
        let mut row = None;
        world.reloads(Alice, |disk| row = disk.sending.clone());
        assert!(row.is_some());
        world.says(Bob, "turn");
        row
    };
    let other_chain = moved(&mut world);
    let letters = [world.send(Alice, "0"), world.send(Alice, "1")];
    world.arrives(&letters[0]);
    world.begin(Alice);
    let other_session = moved(&mut world);
    let first = world.send(Alice, "0");
    world.reloads(Alice, |_| {});
    let letters = [first, world.send(Alice, "1"), world.send(Alice, "2")];
    world.arrives(&letters[1]);
    for row in [None, other_chain, other_session] {
        let start = world.point();
        world.reloads(Alice, |disk| disk.sending = row.clone());
        assert!(!world.set(Alice).can_send());
        assert_eq!(world.try_send(Alice, "?").unwrap_err(), SessionError::Exhausted);
        assert_eq!(world.set(Alice).sending_row().map(|_| ()), None);
        // It still receives, and then goes on: nothing that was under way is lost by it.
        let point = world.point();
        let reply = world.says(Bob, "an answer");
        let next = world.send(Alice, "a new chain");
        assert_eq!(next.message().header.previous, u32::MAX);
        world.arrives(&next);
        world.arrives(&letters[0]);
        world.refused(&letters[1], SessionError::Duplicate);
        world.arrives(&letters[2]);
        world.refused(&reply, SessionError::Duplicate);
        // Or in a new session, at once.
        world.back_to(point);
        let old = world.sends_with(Alice);
        assert_ne!(world.begin(Alice), old);
        world.says(Alice, "anew");
        world.says(Bob, "and answered");
        assert_ne!(world.sends_with(Bob), old);
        world.back_to(start);
    }
}

/// SES-24, SES-65: whichever of the two rows falls back, no key and nonce is used twice: an older chain that fits is
/// sealed with under fresh salts, one that does not fit not at all.
#[test]
fn a_row_that_falls_back_alone_repeats_no_nonce() {
    let mut world = World::confirmed(53, false);
    world.says(Alice, "turn");
    let mut first = Disk::default();
    world.reloads(Alice, |disk| first = disk.clone());
    let again = |one: &Letter, two: &Letter| {
        let headers = [one.message().header, two.message().header];
        assert_eq!((headers[0].ratchet_key, headers[0].number), (headers[1].ratchet_key, headers[1].number));
        assert_ne!(headers[0].salt, headers[1].salt);
        assert_ne!(one.message().body[..13], two.message().body[..13]);
    };
    let one = world.send(Alice, "the same text");
    // The session falls back to before its key moved: it goes on from there.
    world.reloads(Alice, |disk| disk.sessions.clone_from(&first.sessions));
    let two = world.send(Alice, "the same text");
    again(&one, &two);
    world.arrives(&two);
    // The small row falls back.
    let mut before = Disk::default();
    world.reloads(Alice, |disk| before = disk.clone());
    let one = world.send(Alice, "the same text");
    world.reloads(Alice, |disk| disk.sending.clone_from(&before.sending));
    let two = world.send(Alice, "the same text");
    again(&one, &two);
    // To before there was one: what the session says is that its key is elsewhere.
    let point = world.point();
    world.reloads(Alice, |disk| disk.sending.clone_from(&first.sending));
    assert_eq!(world.try_send(Alice, "?").unwrap_err(), SessionError::Exhausted);
    world.back_to(point);
    // The session falls back behind its turn: what the small row says is of a chain that it does not know.
    world.arrives(&two);
    world.says(Bob, "turn");
    world.says(Alice, "turn");
    world.reloads(Alice, |disk| disk.sessions.clone_from(&before.sessions));
    assert_eq!(world.try_send(Alice, "?").unwrap_err(), SessionError::Exhausted);
}

/// SES-66: 500 beyond the lowest that was not taken is where it ends; what is taken moves that, over restarts too, and what
/// is of another chain does not.
#[test]
fn what_is_not_taken_is_bounded() {
    let mut world = World::confirmed(54, false);
    let old = world.send(Alice, "turn");
    world.arrives(&old);
    world.says(Bob, "turn");
    let letters: Vec<Letter> = (0..MAX_UNTAKEN).map(|n| world.send(Alice, n.to_string())).collect();
    assert!(world.set(Alice).is_stretched());
    let taken = |world: &mut World, letter: &Letter| {
        world.set(Alice).taken(letter.sealed.session, letter.sealed.number);
        world.set(Alice).is_stretched()
    };
    // Later ones, one of another chain, one of another session.
    assert!(letters[2..9].iter().all(|letter| taken(&mut world, letter)));
    assert!(taken(&mut world, &old));
    world.set(Alice).taken(SessionId::new([9; 16]), letters[0].sealed.number);
    // One that was not sealed yet: whoever names it has not got it.
    let last = letters.last().unwrap();
    world.set(Alice).taken(last.sealed.session, last.sealed.number + 1);
    assert!(world.set(Alice).is_stretched());
    assert_eq!(world.set(Alice).taken_above().count(), 7);
    // The lowest: there is room for one, then for those behind it that were taken as well.
    assert!(!taken(&mut world, &letters[0]));
    // Once more: it is known.
    assert!(!taken(&mut world, &letters[0]));
    assert_eq!(world.set(Alice).taken_above().count(), 7);
    world.send(Alice, "one more");
    assert!(world.set(Alice).is_stretched());
    // A restart forgets what was taken above the lowest, and that one is known.
    let mut after = world.set(Alice).clone();
    world.reloads(Alice, |_| {});
    assert!(world.set(Alice).is_stretched() && world.set(Alice).taken_above().count() == 0);
    assert!(!taken(&mut world, &letters[1]));
    std::mem::swap(world.set(Alice), &mut after);
    assert!(!taken(&mut world, &letters[1]));
    (0..8).for_each(|_| drop(world.send(Alice, "on")));
    assert!(world.set(Alice).is_stretched() && world.set(Alice).taken_above().count() == 0);
    // So the last of them still opens, whatever was lost before.
    let last = world.send(Alice, "the last");
    assert!(last.message().header.number < MAX_JUMP);
    world.arrives(&last);
    // An answer begins at 0.
    world.says(Bob, "turn");
    world.send(Alice, "turn");
    assert!(!world.set(Alice).is_stretched());
}

/// SES-51, SES-66: a session that cannot go on is not chosen again for its lower ID, though the two cross.
#[test]
fn a_new_session_takes_the_place_of_a_stretched_one() {
    for lost in [true, false] {
        let mut lower = 0;
        for seed in 0..12 {
            let mut world = World::new(60 + seed, false);
            world.begin(Alice);
            world.says(Alice, "hello");
            // Unconfirmed, and begun by the other.
            let old = world.sends_with(Bob);
            (0..MAX_UNTAKEN).for_each(|_| drop(world.send(Bob, "?")));
            if lost {
                // Its key moves to a row of its own, and is lost with that.
                world.reloads(Bob, |_| {});
                world.send(Bob, "?");
                world.reloads(Bob, |disk| disk.sending = None);
                assert!(!world.set(Bob).is_stretched() && !world.set(Bob).can_send());
            }
            let new = world.begin(Bob);
            lower += usize::from(old < new);
            assert_eq!(world.sends_with(Bob), new);
            world.says(Bob, "anew");
        }
        assert!((2..=10).contains(&lower), "both orders were to be tried");
    }
}

/// SES-21: the turn that was made ahead is the one that is made, once; nothing is drawn for it then.
#[test]
fn a_turn_made_ahead_is_taken() {
    let mut world = World::confirmed(55, false);
    assert_eq!(world.set(Alice).next_turn(), Some(false));
    let mut rng = world.rng.clone();
    let ahead = world.alice.set.turn_ahead(&mut rng).unwrap();
    let same = world.alice.set.turn_ahead(&mut world.rng.clone()).unwrap();
    assert_eq!(ahead.public(), same.public());
    // Without it, the same key would be drawn now.
    world.set(Alice).take_ahead(ahead);
    assert_eq!(world.set(Alice).next_turn(), Some(true));
    let before = world.rng.clone();
    let letter = world.send(Alice, "turn");
    assert_eq!(letter.message().header.ratchet_key, same.public());
    let mut salt = [0; 16];
    rand_chacha::rand_core::Rng::fill_bytes(&mut before.clone(), &mut salt);
    assert_eq!(letter.message().header.salt, salt, "a ratchet key was drawn");
    assert_eq!(world.set(Alice).next_turn(), None);
    world.arrives(&letter);
    world.says(Bob, "turn");
    // It fits no other turn.
    world.set(Alice).take_ahead(same);
    assert_eq!(world.set(Alice).next_turn(), Some(false));
    world.says(Alice, "turn");
    world.says(Bob, "turn");
}

/// SES-21, SES-43: what was made before the peer offered a key of ML-KEM, or in another session, is not taken.
#[test]
fn a_turn_made_ahead_must_fit() {
    let mut world = World::confirmed(56, false);
    world.says(Alice, "turn");
    let before = world.bob.set.turn_ahead(&mut world.rng.clone()).unwrap();
    while !world.says(Alice, "on").has_offer() {}
    world.set(Bob).take_ahead(before);
    assert_eq!(world.set(Bob).next_turn(), Some(false));
    assert!(world.send(Bob, "with an answer").has_answer());

    let mut world = World::confirmed(57, false);
    let before = world.alice.set.turn_ahead(&mut world.rng.clone()).unwrap();
    world.begin(Alice);
    world.set(Alice).take_ahead(before);
    assert_eq!(world.set(Alice).next_turn(), Some(false));
    world.says(Alice, "anew");
    world.says(Bob, "and answered");
}
