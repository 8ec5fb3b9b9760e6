//! Which session sends: simultaneous start, newest first contact, retirement (SES-50 to SES-54).

use rand_chacha::rand_core::Rng;

use super::*;
use crate::base::limits::{ARCHIVED_SESSION_LIFE, MAX_ARCHIVED_SESSIONS};

/// Runs a scenario with worlds in which Alice's session has the lower ID, and with such where Bob's has.
fn crossing(scenario: impl Fn(&mut World, Who, SessionId)) {
    let mut seen = BTreeSet::new();
    for seed in 0..6 {
        for reload in [false, true] {
            let mut world = World::new(seed, reload);
            let (alices, bobs) = (world.begin(Alice), world.begin(Bob));
            let (winner, lower) = if alices < bobs { (Alice, alices) } else { (Bob, bobs) };
            seen.insert(winner);
            scenario(&mut world, winner, lower);
        }
    }
    assert_eq!(seen.len(), 2, "both orders were to be seen");
}

/// SES-51: both sides choose the lower ID, whichever first contact comes first.
#[test]
fn both_start_at_once() {
    crossing(|world, winner, lower| {
        let a = world.send(Alice, "from Alice");
        let b = world.send(Bob, "from Bob");
        assert_eq!([a.sealed.kind, b.sealed.kind], [SealedKind::First; 2]);
        world.arrives(&a);
        world.arrives(&b);
        assert_eq!((world.sends_with(Alice), world.sends_with(Bob)), (lower, lower));
        for turn in 0..4 {
            for who in [winner, winner.other()] {
                let letter = world.says(who, format!("turn {turn}"));
                assert_eq!(letter.sealed.session, lower);
                // The winner repeats his header until a reply opens; the loser answers as responder.
                assert_eq!(letter.sealed.kind == SealedKind::First, turn == 0 && who == winner);
            }
        }
        assert!(world.set(Alice).is_confirmed() && world.set(Bob).is_confirmed());
    });
}

/// SES-53: a first contact is overtaken by the reply to the crossing one.
#[test]
fn a_first_contact_comes_after_the_reply_to_the_crossing_one() {
    crossing(|world, winner, lower| {
        let loser = winner.other();
        let overtaken = world.send(loser, "overtaken");
        world.says(winner, "in the lower session");
        let reply = world.says(loser, "reply");
        assert_eq!((reply.sealed.session, world.sends_with(winner)), (lower, lower));
        let late = world.send(winner, "late, in the lower session");
        // For the winner the lower session is confirmed: the newest first contact sends (SES-52).
        world.arrives(&overtaken);
        let higher = world.sends_with(winner);
        assert_ne!(higher, lower);
        // The other side sees it by the first reply, and still opens what was under way in the lower one.
        assert_eq!(world.sends_with(loser), lower);
        world.says(winner, "in the higher session");
        assert_eq!(world.sends_with(loser), higher);
        world.arrives(&late);
        assert_eq!(world.sends_with(loser), higher);
        for _ in 0..3 {
            assert_eq!(world.says(loser, "on").sealed.session, higher);
            assert_eq!(world.says(winner, "and on").sealed.session, higher);
        }
    });
}

/// Two that begin only while they have no session end in one, whatever the network does: a walk through random
/// schedules of sending and delivering, then everything arrives.
#[test]
fn every_simultaneous_start_ends_in_one_session() {
    for seed in 0..150 {
        let mut world = World::new(seed, seed % 8 == 0);
        let mut on_the_way: Vec<Letter> = Vec::new();
        let (mut to_send, mut steps) = (BTreeMap::from([(Alice, 3), (Bob, 3)]), 0);
        while to_send.values().any(|left| *left > 0) || !on_the_way.is_empty() {
            let pick = world.rng.next_u32() as usize;
            let who = if pick.is_multiple_of(2) { Alice } else { Bob };
            if !pick.is_multiple_of(3) && to_send[&who] > 0 {
                if !world.set(who).can_send() {
                    world.begin(who);
                }
                on_the_way.push(world.send(who, pick.to_be_bytes()));
                *to_send.entry(who).or_default() -= 1;
            } else if !on_the_way.is_empty() {
                let letter = on_the_way.swap_remove(pick / 6 % on_the_way.len());
                // A session message may overtake the first contact of its session; it is sent again.
                match world.deliver(&letter) {
                    Err(SessionError::UnknownSession) => on_the_way.push(letter),
                    result => assert_eq!(*result.unwrap().plaintext, letter.text),
                }
            }
            steps += 1;
            assert!(steps < 10_000, "seed {seed}");
        }
        for _ in 0..3 {
            world.says(Alice, "a");
            world.says(Bob, "b");
        }
        assert_eq!(world.sends_with(Alice), world.sends_with(Bob), "seed {seed}");
    }
}

/// Only one of the two first contacts ever arrives: that session is used.
#[test]
fn one_of_the_crossing_first_contacts_is_lost() {
    crossing(|world, _, lower| {
        let a = world.send(Alice, "from Alice");
        let _lost = world.send(Bob, "from Bob");
        world.arrives(&a);
        let reply = world.send(Bob, "reply");
        assert_eq!(reply.sealed.session, lower);
        world.arrives(&reply);
        world.says(Alice, "on");
        assert_eq!((world.sends_with(Alice), world.sends_with(Bob)), (lower, lower));
    });
}

/// SES-51 holds when a session is begun, too: a side that already got the other's first contact, and begins
/// before it knows that its answer came.
#[test]
fn a_session_begun_beside_an_unconfirmed_one() {
    let mut seen = BTreeSet::new();
    for seed in 0..8 {
        let mut world = World::new(seed, false);
        let first = world.begin(Alice);
        world.says(Alice, "hello");
        let second = world.begin(Bob);
        let expected = first.min(second);
        seen.insert(expected == first);
        assert_eq!(world.sends_with(Bob), expected);
        // What Bob says next reaches Alice in the session that both then use.
        world.says(Bob, "in either");
        assert_eq!((world.sends_with(Alice), world.sends_with(Bob)), (expected, expected));
        world.says(Alice, "on");
    }
    assert_eq!(seen.len(), 2);
}

/// SES-52: when the session in use is confirmed, or both were begun by one side, the newest first contact sends.
#[test]
fn otherwise_the_newest_first_contact_sends() {
    for seed in 0..8 {
        let mut world = World::confirmed(seed, seed % 2 == 0);
        world.says(Alice, "confirmed for Bob too");
        let old = world.sends_with(Alice);
        let late = world.send(Alice, "late, in the old session");
        // Healing: Bob begins anew.
        let healed = world.begin(Bob);
        assert_eq!(world.sends_with(Bob), healed);
        world.says(Bob, "reset");
        assert_eq!((world.sends_with(Alice), world.sends_with(Bob)), (healed, healed));
        world.says(Alice, "in the new one");
        // SES-54: the old one goes on receiving, and does not send again.
        world.arrives(&late);
        assert_ne!(old, healed);
        assert_eq!((world.sends_with(Alice), world.sends_with(Bob)), (healed, healed));

        // The same side begins twice without an answer: the newer, whichever ID is lower.
        let mut world = World::new(seed, seed % 2 == 0);
        let first = world.begin(Alice);
        world.says(Alice, "first");
        let second = world.begin(Alice);
        assert_ne!(first, second);
        world.says(Alice, "second");
        assert_eq!((world.sends_with(Alice), world.sends_with(Bob)), (second, second));
    }
}

/// A repeated header of a session that is known decides nothing.
#[test]
fn a_repeated_first_contact_does_not_change_what_sends() {
    both_ways(|world| {
        world.begin(Alice);
        let old = [world.send(Alice, "one"), world.send(Alice, "two")];
        world.arrives(&old[0]);
        let newer = world.begin(Alice);
        world.says(Alice, "three");
        assert_eq!(world.sends_with(Bob), newer);
        world.arrives(&old[1]);
        assert_eq!(world.sends_with(Bob), newer);
        world.refused(&old[1], SessionError::Duplicate);
    });
}

/// SES-54.
#[test]
fn retired_sessions_receive_for_thirty_days() {
    both_ways(|world| {
        *world = World::confirmed(9, world.reload);
        let early = world.send(Alice, "early");
        let late = world.send(Alice, "late");
        world.begin(Alice);
        world.says(Alice, "new session");
        world.wait(Millis(ARCHIVED_SESSION_LIFE.0 - 1));
        world.arrives(&early);
        world.wait(Millis(1));
        world.refused(&late, SessionError::UnknownSession);
        // The next change erases it, sealing and opening; so does the daily sweep.
        let mut swept = world.bob.set.clone();
        assert!(swept.prune(world.now) && !swept.prune(world.now));
        let before = world.bob.row().len();
        assert!(world.alice.set.knows_session(&late.sealed.session));
        world.says(Bob, "erases");
        assert!(world.bob.row().len() < before);
        assert!(!world.alice.set.knows_session(&late.sealed.session));
        assert!(!world.bob.set.knows_session(&late.sealed.session));
        assert!(!swept.knows_session(&late.sealed.session));
    });
}

/// SES-53 is for initiators only: a late message in a session that the peer has replaced does not bring it back,
/// even when it is the one that confirms it.
#[test]
fn a_late_message_does_not_bring_a_replaced_session_back() {
    both_ways(|world| {
        *world = World::confirmed(12, world.reload);
        let late = world.send(Alice, "late, and confirming");
        let newer = world.begin(Alice);
        world.says(Alice, "reset");
        world.arrives(&late);
        assert_eq!(world.sends_with(Bob), newer);
        world.says(Bob, "in the new one");
        assert_eq!(world.sends_with(Alice), newer);
    });
}

/// SES-55: a session that was given up does not send again because its ID is lower; it still receives.
#[test]
fn a_session_that_was_given_up_does_not_send_again() {
    for seed in 0..8 {
        let mut world = World::new(seed, seed % 2 == 0);
        let broken = world.begin(Alice);
        world.says(Alice, "hello");
        let late = world.send(Alice, "late");
        let now = world.now;
        world.set(Bob).give_up(now);
        assert!(!world.set(Bob).can_send());
        let newer = world.begin(Bob);
        assert_eq!(world.sends_with(Bob), newer);
        assert!(world.set(Bob).knows_session(&broken));
        world.arrives(&late);
        assert_eq!(world.sends_with(Bob), newer);
    }
}

/// SES-53: nor does one that was confirmed before, to its initiator.
#[test]
fn a_late_message_does_not_bring_a_confirmed_session_back() {
    both_ways(|world| {
        *world = World::confirmed(13, world.reload);
        let late = [world.send(Bob, "late"), world.send(Bob, "later")];
        world.arrives(&late[0]);
        let newer = world.begin(Alice);
        world.arrives(&late[1]);
        assert_eq!(world.sends_with(Alice), newer);
        world.says(Alice, "in the new one");
        assert_eq!(world.sends_with(Bob), newer);
    });
}

/// The session that sends never grows too old, a clock that went backwards harms nothing.
#[test]
fn time_does_not_stop_the_session_that_sends() {
    both_ways(|world| {
        *world = World::confirmed(10, world.reload);
        world.wait(Millis::from_days(4000));
        world.says(Alice, "after years");
        world.says(Bob, "indeed");
        world.now = WallTime(5);
        world.says(Alice, "backwards");
        world.says(Bob, "indeed");
        assert!(!world.alice.set.prune(WallTime(0)));
    });
}

/// SES-54: a first contact of a session whose time is over does not begin it again, dropped or not.
#[test]
fn a_replayed_first_contact_of_long_ago() {
    both_ways(|world| {
        world.begin(Alice);
        let first = world.says(Alice, "first");
        world.says(Bob, "reply");
        world.says(Alice, "on");
        world.begin(Bob);
        world.says(Bob, "new session");
        world.wait(ARCHIVED_SESSION_LIFE);
        assert!(world.bob.set.knows_session(&first.sealed.session));
        world.refused(&first, SessionError::UnknownSession);
        world.says(Bob, "drops it");
        assert!(!world.bob.set.knows_session(&first.sealed.session));
        // From here on it is the mark of the card's prekey that tells (SES-18).
        world.refused(&first, SessionError::Duplicate);
    });
}

/// SES-54: at most ten, the longest retired goes first.
#[test]
fn ten_retired_sessions() {
    both_ways(|world| {
        let mut letters = Vec::new();
        for n in 0..MAX_ARCHIVED_SESSIONS + 2 {
            world.begin(Alice);
            world.says(Alice, format!("{n}"));
            letters.push(world.send(Alice, format!("late {n}")));
            world.wait(Millis(1));
        }
        // Twelve began: one sends, ten are retired, the first is gone.
        assert!(!world.bob.set.knows_session(&letters[0].sealed.session));
        for letter in &letters[1..] {
            world.arrives(letter);
        }
        // The one that sends is given up: again one too many.
        let now = world.now;
        assert!(world.bob.set.knows_session(&letters[1].sealed.session));
        world.set(Bob).give_up(now);
        assert!(!world.bob.set.knows_session(&letters[1].sealed.session));
        assert!(world.bob.set.knows_session(&letters[2].sealed.session));
    });
}

#[test]
fn a_set_belongs_to_one_pair() {
    both_ways(|world| {
        *world = World::confirmed(11, world.reload);
        let letter = world.send(Alice, "for Bob");
        let carol = Party::new(&mut world.rng);
        let (alice, bob) = (world.alice.keys.peer_id(), world.bob.keys.peer_id());
        let before = world.bob.row();
        // SES-14: another sender, another recipient, the two exchanged.
        for (me, peer) in [(bob, carol.keys.peer_id()), (carol.keys.peer_id(), alice), (alice, bob)] {
            let result = world.bob.set.open_session(me, peer, &letter.sealed.payload, world.now);
            assert_eq!(result, Err(SessionError::WrongPeer));
        }
        let result = world.begin_with(Alice, &carol.bundle(None));
        assert_eq!(result, Err(SessionError::WrongPeer));
        let own = world.alice.bundle(None);
        assert_eq!(world.begin_with(Alice, &own), Err(SessionError::Reflected));
        assert_eq!(world.bob.row(), before);
        world.arrives(&letter);
    });
}
