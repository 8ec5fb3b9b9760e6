//! What works.

use super::*;
use crate::base::limits::{KEM_INTERVAL, KEM_INTERVAL_MESSAGES};
use crate::session::MAX_CAPSULE;

#[test]
fn first_contact_and_reply() {
    both_ways(|world| {
        assert!(!world.set(Alice).can_send());
        assert_eq!(world.try_send(Alice, "too early").unwrap_err(), SessionError::NoSession);
        let id = world.begin(Alice);
        assert!(world.set(Alice).can_send() && !world.set(Alice).is_confirmed());
        assert_eq!(world.set(Alice).unanswered_since(), Some(world.now));

        // SES-16: the header is repeated until a reply opens.
        let letters: Vec<_> = ["one", "two", "three"].map(|text| world.send(Alice, text)).into();
        for letter in &letters {
            assert_eq!((letter.sealed.kind, letter.sealed.session), (SealedKind::First, id));
            assert!(letter.sealed.payload.starts_with(&letters[0].sealed.payload[..letter.start()]));
        }
        // Any of them may be the first to come.
        for (letter, is_new) in [(&letters[1], true), (&letters[2], false), (&letters[0], false)] {
            let opened = world.deliver(letter).unwrap();
            assert_eq!(
                (opened.plaintext.to_vec(), opened.session, opened.is_new_session),
                (letter.text.clone(), id, is_new)
            );
            assert!(opened.is_first_contact);
        }
        assert!(world.set(Bob).can_send() && !world.set(Bob).is_confirmed());
        assert_eq!(world.set(Bob).unanswered_since(), None);

        // SES-50: the reply confirms the session for the initiator, his answer to it for the responder.
        let reply = world.send(Bob, "reply");
        assert_eq!(reply.sealed.kind, SealedKind::Session);
        let opened = world.deliver(&reply).unwrap();
        assert!(!opened.is_new_session && !opened.is_first_contact);
        assert!(world.set(Alice).is_confirmed() && !world.set(Bob).is_confirmed());
        assert_eq!(world.set(Alice).unanswered_since(), None);
        assert_eq!(world.says(Alice, "four").sealed.kind, SealedKind::Session);
        assert!(world.set(Bob).is_confirmed());
    });
}

#[test]
fn first_contact_with_a_one_time_pair() {
    both_ways(|world| {
        world.begin_one_time(Alice);
        let first = world.says(Alice, "hello");
        let parsed = FirstContactIn::parse(&first.sealed.payload).unwrap();
        assert_eq!(parsed.one_time_id(), Some(parsed.header.kem_id));
        assert_eq!(parsed.header.initiator, world.alice.keys.peer_id());
        // The keys are gone, and a repetition needs none (SES-17).
        assert!(world.bob.one_time.is_empty());
        world.says(Alice, "again");
        world.says(Bob, "reply");
        world.says(Alice, "done");
    });
}

#[test]
fn a_first_contact_needs_the_keys_that_it_names() {
    both_ways(|world| {
        world.begin_one_time(Alice);
        let first = world.send(Alice, "hello");
        let parsed = FirstContactIn::parse(&first.sealed.payload).unwrap();
        let (alice, mut rng, now) = (*world.alice.keys.public(), world.rng.clone(), world.now);
        let bob = &mut world.bob;
        // None, or not the one-time secret.
        let half = ResponderKeys { prekey: &bob.card.prekey, kem: &bob.card.kem, one_time: None };
        for keys in [None, Some(half)] {
            let result = bob.set.open_first(&bob.keys, &alice, &parsed, keys, now);
            assert_eq!(result.unwrap_err(), SessionError::NeedsKeys);
        }
        // The wrong ones.
        let wrong = CardKeys::generate(&mut rng);
        let wrong = ResponderKeys { prekey: &wrong.prekey, kem: &wrong.kem, one_time: Some(&wrong.seal) };
        let result = bob.set.open_first(&bob.keys, &alice, &parsed, Some(wrong), now);
        assert_eq!(result.unwrap_err(), SessionError::Authentication);
        assert!(!bob.set.can_send());
        world.arrives(&first);
    });
}

#[test]
fn messages_cross_and_come_out_of_order() {
    both_ways(|world| {
        *world = World::confirmed(2, world.reload);
        for round in 0..4 {
            let alices: Vec<_> = (0..5).map(|n| world.send(Alice, format!("a{round}.{n}"))).collect();
            let bobs: Vec<_> = (0..5).map(|n| world.send(Bob, format!("b{round}.{n}"))).collect();
            for (a, b) in alices.iter().rev().zip([&bobs[2], &bobs[0], &bobs[4], &bobs[1], &bobs[3]]) {
                world.arrives(a);
                world.arrives(b);
            }
        }
    });
}

#[test]
fn a_late_message_opens_after_turns() {
    both_ways(|world| {
        *world = World::confirmed(3, world.reload);
        let late = [world.send(Alice, "late 0"), world.send(Alice, "late 1")];
        world.says(Alice, "on time");
        for turn in 0..20 {
            world.says(Bob, format!("b{turn}"));
            world.says(Alice, format!("a{turn}"));
        }
        world.arrives(&late[1]);
        world.arrives(&late[0]);
        world.refused(&late[0], SessionError::Duplicate);
    });
}

#[test]
fn every_length_up_to_the_longest() {
    both_ways(|world| {
        world.begin(Alice);
        let too_long = vec![0; MAX_CAPSULE + 1];
        let error = SessionError::TooLarge { len: MAX_CAPSULE + 1, max: MAX_CAPSULE };
        // SES-30: in every state, with the first-contact header, an offer, an answer, or none of them.
        let mut forms = BTreeSet::new();
        for turn in 0..60 {
            for who in [Alice, Bob] {
                let lengths = if (2..=50).contains(&turn) { vec![20] } else { vec![0, 1, 200, MAX_CAPSULE] };
                for len in lengths {
                    let letter = world.says(who, vec![turn; len]);
                    if len == MAX_CAPSULE {
                        // A key on offer beside the longest capsule fills the payload exactly.
                        assert_eq!(letter.has_offer(), letter.sealed.payload.len() == MAX_PAYLOAD);
                        forms.insert((
                            letter.sealed.kind == SealedKind::First,
                            letter.has_offer(),
                            letter.has_answer(),
                        ));
                    }
                }
                assert_eq!(world.try_send(who, &too_long).unwrap_err(), error);
            }
        }
        assert_eq!(forms.len(), 4, "{forms:?}");
        assert!(forms.contains(&(false, true, false)));
        assert_eq!(MAX_CAPSULE, 64_259);
    });
}

/// SES-40 to SES-44.
#[test]
fn ml_kem_turns_sparsely() {
    both_ways(|world| {
        *world = World::confirmed(4, world.reload);
        // "hello" and its reply count, and the message that carries the offer.
        for n in 3..KEM_INTERVAL_MESSAGES {
            assert!(!world.says(Alice, "…").has_offer(), "{n}");
        }
        let offers = [world.send(Alice, "offer"), world.send(Alice, "offer, again")];
        assert!(offers.iter().all(Letter::has_offer));
        // Bob's chain began before the offer came: no answer in it.
        let crossing = world.send(Bob, "crossing");
        world.arrives(&offers[1]);
        world.arrives(&offers[0]);
        let same_chain = world.send(Bob, "same chain");
        assert!(!crossing.has_answer() && !same_chain.has_answer());
        world.arrives(&crossing);
        assert!(world.says(Alice, "still on offer").has_offer());
        // His next turn answers, in every header of exactly that chain.
        let answers = [world.send(Bob, "answer"), world.send(Bob, "answer, again")];
        assert!(answers.iter().all(Letter::has_answer));
        world.arrives(&answers[1]);
        let settled = world.says(Alice, "settled");
        assert!(!settled.has_offer());
        world.arrives(&answers[0]);
        world.arrives(&same_chain);
        assert!(!world.says(Bob, "next chain").has_answer());
        world.says(Alice, "and on");
    });
}

#[test]
fn a_key_is_offered_after_a_day() {
    both_ways(|world| {
        *world = World::confirmed(5, world.reload);
        world.wait(Millis(KEM_INTERVAL.0 - 1));
        assert!(!world.says(Alice, "…").has_offer());
        world.wait(Millis(1));
        assert!(world.says(Alice, "offer").has_offer());
        assert!(world.says(Bob, "answer").has_answer());
        assert!(!world.says(Alice, "settled").has_offer());
        world.wait(KEM_INTERVAL);
        assert!(world.says(Alice, "next").has_offer());
    });
}

/// No offer rides beside the first-contact header: the handshake's own ML-KEM serves until a reply (SES-40).
#[test]
fn nothing_is_offered_before_a_reply() {
    both_ways(|world| {
        world.begin(Alice);
        for _ in 0..2 * KEM_INTERVAL_MESSAGES {
            assert!(!world.says(Alice, "…").has_offer());
        }
        world.says(Bob, "reply");
        assert!(world.says(Alice, "…").has_offer());
    });
}

#[test]
fn a_long_conversation_stays_small() {
    both_ways(|world| {
        *world = World::confirmed(6, world.reload);
        for n in 0..400u32 {
            world.says(if n % 3 == 0 { Alice } else { Bob }, n.to_be_bytes());
        }
        assert!(world.alice.row().len() < 4096 && world.bob.row().len() < 4096);
    });
}

#[test]
fn debug_shows_no_secret() {
    let mut world = World::confirmed(7, false);
    let letter = world.send(Alice, "a secret text");
    let opened = world.deliver(&letter).unwrap();
    let shown = format!("{opened:?} {:?} {:?}", world.alice.set, world.bob.card);
    assert!(!shown.contains("secret text"));
    assert!(shown.contains("redacted"));
    // No run of bytes of the row that is not public: the ratchet keys and the peer IDs are.
    let seed = world.alice.keys.seed();
    assert!(!shown.contains(&format!("{:?}", seed.expose())));
    assert!(!shown.contains(&format!("{:?}", &opened.plaintext)));
}
