//! What must be refused, with the state unchanged: `World::deliver` compares the rows around every refusal.

use super::*;
use crate::base::limits::KEM_INTERVAL_MESSAGES;
use crate::crypto::dh::DhPublic;
use crate::crypto::kem::KemSecret;
use crate::session::handshake::FIRST_CONTACT_LEN;
use crate::session::ratchet::HEADER_LEN;

/// Points of low order, and other encodings of them (Curve25519; the last bit is ignored by X25519).
pub(super) const LOW_ORDER: [&str; 9] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
];

pub(super) fn low_order() -> impl Iterator<Item = [u8; 32]> {
    LOW_ORDER.iter().map(|hex| {
        let mut point = [0; 32];
        for (byte, pair) in point.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        point
    })
}

/// A message of every form, each as the next thing that its recipient would open.
fn every_form(reload: bool) -> Vec<(&'static str, World, Letter)> {
    let confirmed = || World::confirmed(30, reload);
    let mut forms = Vec::new();

    let mut world = World::new(30, reload);
    world.begin(Alice);
    let letter = world.send(Alice, "first contact");
    forms.push(("first contact", world, letter));

    let mut world = World::new(30, reload);
    world.begin_one_time(Alice);
    let letter = world.send(Alice, "first contact");
    forms.push(("first contact with a one-time pair", world, letter));

    let mut world = World::new(30, reload);
    world.begin(Alice);
    world.says(Alice, "one");
    let letter = world.send(Alice, "two");
    forms.push(("repeated first contact", world, letter));

    let mut world = confirmed();
    let letter = world.send(Alice, "turn");
    forms.push(("new ratchet key", world, letter));

    let mut world = confirmed();
    world.says(Alice, "turn");
    let letter = world.send(Alice, "same chain");
    forms.push(("same ratchet key", world, letter));

    let mut world = confirmed();
    let letter = world.send(Alice, "late");
    world.says(Alice, "on time");
    forms.push(("skipped key", world, letter));

    let mut world = confirmed();
    for _ in 0..KEM_INTERVAL_MESSAGES {
        world.says(Alice, "…");
    }
    let letter = world.send(Alice, "offer");
    assert!(letter.has_offer());
    forms.push(("offer", world, letter));

    let mut world = confirmed();
    for _ in 0..KEM_INTERVAL_MESSAGES {
        world.says(Alice, "…");
    }
    let letter = world.send(Bob, "answer");
    assert!(letter.has_answer());
    forms.push(("answer", world, letter));
    forms
}

fn every_form_both_ways() -> impl Iterator<Item = (&'static str, World, Letter)> {
    [false, true].into_iter().flat_map(every_form)
}

/// SES-36: every byte of header and body.
#[test]
fn every_changed_byte_is_refused() {
    for (form, mut world, letter) in every_form_both_ways() {
        let reload = world.reload;
        for place in 0..letter.sealed.payload.len() {
            let mut payload = letter.sealed.payload.clone();
            // Another bit in every byte; in the short fields of the header all of them.
            let start = letter.start();
            let bits = if (start..start + HEADER_LEN).contains(&place) { 0..8 } else { place % 8..place % 8 + 1 };
            for bit in bits {
                payload[place] ^= 1 << bit;
                // Reloaded around every step would be the same again; once in a while is enough.
                world.reload = reload && place.is_multiple_of(16);
                let result = world.deliver(&letter.with_payload(payload.clone()));
                assert!(result.is_err(), "{form}: byte {place}, bit {bit}");
                payload[place] ^= 1 << bit;
            }
        }
        world.arrives(&letter);
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    for (form, mut world, letter) in every_form_both_ways() {
        for len in 0..letter.sealed.payload.len() {
            let result = world.deliver(&letter.with_payload(letter.sealed.payload[..len].to_vec()));
            assert!(result.is_err(), "{form}: {len} bytes");
        }
        let longer = [&letter.sealed.payload[..], &[0]].concat();
        assert!(world.deliver(&letter.with_payload(longer)).is_err(), "{form}: longer");
        world.arrives(&letter);
    }
}

/// SES-35: a second copy is a duplicate, at once and after turns; SES-62: the key that opened it is gone.
#[test]
fn a_replay_is_a_duplicate() {
    for (_, mut world, letter) in every_form_both_ways() {
        world.arrives(&letter);
        world.refused(&letter, SessionError::Duplicate);
        for _ in 0..7 {
            world.says(Bob, "turn");
            world.says(Alice, "turn");
            world.refused(&letter, SessionError::Duplicate);
        }
    }
}

/// SES-14, SES-37: our own messages come back.
#[test]
fn a_reflection_is_refused() {
    for (form, mut world, letter) in every_form_both_ways() {
        let error = world.deliver_to(letter.from, &letter).unwrap_err();
        // What only the other side may send has no form here.
        let no_form = letter.has_offer() || letter.has_answer();
        assert_eq!(error, if no_form { SessionError::Malformed } else { SessionError::Reflected }, "{form}");
        world.arrives(&letter);
        // After the turn our key is no longer kept: the message is just one that does not open.
        world.says(letter.from.other(), "turn");
        let error = world.deliver_to(letter.from, &letter).unwrap_err();
        assert!(!matches!(error, SessionError::Duplicate), "{form}: {error}");
    }
}

/// One session's message does not open in another, of the same pair or with somebody else.
#[test]
fn sessions_do_not_mix() {
    both_ways(|world| {
        *world = World::confirmed(31, world.reload);
        let old = world.send(Alice, "in the old session");
        world.begin(Alice);
        world.says(Alice, "in the new session");
        let newer = world.send(Alice, "in the new session, next");
        // The old one's message under the new one's ID, and the other way round.
        let mut payload = old.sealed.payload.clone();
        payload[..16].copy_from_slice(newer.message().header.session.as_bytes());
        world.refused(&old.with_payload(payload), SessionError::Authentication);
        let mut payload = newer.sealed.payload[newer.start()..].to_vec();
        payload[..16].copy_from_slice(old.message().header.session.as_bytes());
        let mixed =
            Letter { sealed: Sealed { kind: SealedKind::Session, payload, ..newer.sealed.clone() }, ..old.clone() };
        world.refused(&mixed, SessionError::Authentication);
        // A first-contact header before the message of another session.
        let mut payload = newer.sealed.payload[..newer.start()].to_vec();
        payload.extend_from_slice(&old.sealed.payload);
        world.refused(&newer.with_payload(payload), SessionError::Authentication);
        world.arrives(&old);
        world.arrives(&newer);

        // Another world: other people, with the same IDs of sessions unknown.
        let mut other = World::confirmed(32, world.reload);
        other.refused(&old, SessionError::UnknownSession);
    });
}

/// SES-17: the header of a session that is known must be the one that it began with.
#[test]
fn another_header_before_a_known_session_is_refused() {
    both_ways(|world| {
        world.begin(Alice);
        let one = world.says(Alice, "one");
        let two = world.send(Alice, "two");
        world.begin(Alice);
        let other = world.send(Alice, "other");
        let payload = [&other.sealed.payload[..FIRST_CONTACT_LEN], &two.sealed.payload[two.start()..]].concat();
        world.refused(&two.with_payload(payload), SessionError::Authentication);
        // A message of one's own session dressed as the other's first contact.
        world.says(Bob, "reply");
        let own = world.send(Bob, "own");
        let payload = [&one.sealed.payload[..FIRST_CONTACT_LEN], &own.sealed.payload[..]].concat();
        let sealed = Sealed { kind: SealedKind::First, payload, session: own.sealed.session, number: 0 };
        let dressed = Letter { sealed, ..own.clone() };
        world.refused(&dressed, SessionError::Reflected);
        world.arrives(&two);
        world.arrives(&own);
    });
}

/// A payload in the other kind of envelope.
#[test]
fn kinds_do_not_mix() {
    for (form, mut world, letter) in every_form_both_ways() {
        let kind = match letter.sealed.kind {
            SealedKind::First => SealedKind::Session,
            SealedKind::Session => SealedKind::First,
        };
        let sealed = Sealed { kind, ..letter.sealed.clone() };
        assert!(world.deliver(&Letter { sealed, ..letter.clone() }).is_err(), "{form}");
        world.arrives(&letter);
    }
    // The session message inside a first contact that is known is a session message.
    let mut world = World::new(33, false);
    world.begin(Alice);
    world.says(Alice, "one");
    let two = world.send(Alice, "two");
    let payload = two.sealed.payload[two.start()..].to_vec();
    let sealed = Sealed { kind: SealedKind::Session, payload, session: two.sealed.session, number: 0 };
    world.arrives(&Letter { sealed, ..two });
}

/// SES-3: as ratchet key in every form, and as ephemeral key.
#[test]
fn low_order_keys_are_refused() {
    for (form, mut world, letter) in every_form_both_ways() {
        for point in low_order() {
            let mut payload = letter.sealed.payload.clone();
            let key = letter.start() + 16;
            payload[key..key + 32].copy_from_slice(&point);
            let error = world.deliver(&letter.with_payload(payload)).unwrap_err();
            // Where a new ratchet key could be the peer's turn, it is tried; the handshake fails before that
            // for a known session, and while the turn is ours nobody has another key to send.
            let expected = match form {
                "skipped key" | "same ratchet key" | "offer" => SessionError::Authentication,
                "repeated first contact" => SessionError::Authentication,
                _ => SessionError::NonContributory,
            };
            assert_eq!(error, expected, "{form}");

            if letter.sealed.kind == SealedKind::First {
                let mut payload = letter.sealed.payload.clone();
                payload[34..66].copy_from_slice(&point);
                let error = world.deliver(&letter.with_payload(payload)).unwrap_err();
                let known = form == "repeated first contact";
                assert_eq!(error, if known { SessionError::Authentication } else { SessionError::NonContributory });
            }
        }
        world.arrives(&letter);
    }
}

/// SES-3: in a bundle. Cards are signed, but by the peer.
#[test]
fn low_order_keys_in_a_bundle_are_refused() {
    both_ways(|world| {
        let one_time = OneTimeKeys::generate(&mut world.rng, world.now);
        for point in low_order() {
            let mut bundle = world.bob.bundle(None);
            bundle.prekey = DhPublic(point);
            assert_eq!(world.begin_with(Alice, &bundle), Err(SessionError::NonContributory));
            let bundle = world.bob.bundle(Some(OneTimePrekey {
                id: one_time.id,
                dh: DhPublic(point),
                kem: one_time.kem.public(),
                expires: one_time.expires,
            }));
            assert_eq!(world.begin_with(Alice, &bundle), Err(SessionError::NonContributory));
        }
        assert!(!world.alice.set.can_send());
    });
}

/// SES-12: the transcript binds what the responder does not look up by.
#[test]
fn ids_and_flags_of_the_handshake_are_bound() {
    let mut world = World::new(34, false);
    world.begin(Alice);
    let card = world.send(Alice, "card");
    world.begin_one_time(Alice);
    let pair = world.send(Alice, "pair");
    let (alice, now) = (*world.alice.keys.public(), world.now);
    let bob = &mut world.bob;
    let one_time = bob.one_time.values().next().unwrap();
    let card_keys = ResponderKeys { prekey: &bob.card.prekey, kem: &bob.card.kem, one_time: None };
    let pair_keys = ResponderKeys { prekey: &bob.card.prekey, kem: &one_time.kem, one_time: Some(&one_time.dh) };
    let mut try_open = |payload: &[u8], keys| {
        let first = FirstContactIn::parse(payload).unwrap();
        bob.set.open_first(&bob.keys, &alice, &first, Some(keys), now).map(|opened| opened.plaintext.to_vec())
    };
    for (letter, right) in [(&card, card_keys), (&pair, pair_keys)] {
        // Prekey id and kem id, though the keys that the caller gives are the right ones.
        for place in 66..82 {
            let mut payload = letter.sealed.payload.clone();
            payload[place] ^= 1;
            assert_eq!(try_open(&payload, right), Err(SessionError::Authentication), "byte {place}");
        }
        // The flag of the one-time pair, with keys to match.
        let mut payload = letter.sealed.payload.clone();
        payload[1] ^= 1;
        let wrong = ResponderKeys { one_time: right.one_time.xor(Some(&one_time.dh)), ..right };
        assert_eq!(try_open(&payload, wrong), Err(SessionError::Authentication));
        assert_eq!(try_open(&payload, right), Err(SessionError::NeedsKeys));
    }
    assert_eq!(try_open(&card.sealed.payload, card_keys), Ok(card.text));
    assert_eq!(try_open(&pair.sealed.payload, pair_keys), Ok(pair.text));
}

/// SES-11.
#[test]
fn first_contacts_without_a_form_are_refused() {
    let mut world = World::new(35, false);
    world.begin(Alice);
    let payload = world.send(Alice, "hello").sealed.payload;
    for version in (0..=u8::MAX).filter(|version| *version != 1) {
        let mut changed = payload.clone();
        changed[0] = version;
        assert_eq!(FirstContactIn::parse(&changed).unwrap_err(), SessionError::UnknownVersion(version));
    }
    for flags in 2..=u8::MAX {
        let mut changed = payload.clone();
        changed[1] = flags;
        assert_eq!(FirstContactIn::parse(&changed).unwrap_err(), SessionError::Malformed);
    }
    let mut longest = payload;
    longest.resize(MAX_PAYLOAD, 0);
    assert!(FirstContactIn::parse(&longest).is_ok());
    assert!(matches!(
        FirstContactIn::parse(&vec![1; MAX_PAYLOAD + 1]),
        Err(SessionError::TooLarge { len, max: MAX_PAYLOAD }) if len == MAX_PAYLOAD + 1
    ));
}

/// SES-14: the initiator that the header names must be the authenticated sender.
#[test]
fn a_first_contact_in_anothers_name_is_refused() {
    both_ways(|world| {
        world.begin(Alice);
        let letter = world.send(Alice, "hello");
        let first = FirstContactIn::parse(&letter.sealed.payload).unwrap();
        let mallory = *IdentityKeypair::generate(&mut world.rng).public();
        let now = world.now;
        let bob = &mut world.bob;
        let keys = ResponderKeys { prekey: &bob.card.prekey, kem: &bob.card.kem, one_time: None };
        let result = bob.set.open_first(&bob.keys, &mallory, &first, Some(keys), now);
        assert_eq!(result, Err(SessionError::WrongPeer));
        assert!(!bob.set.can_send());
        world.arrives(&letter);
    });
}

/// SES-22, SES-36: the ML-KEM part cut out, or exchanged for another sound one.
#[test]
fn kem_parts_cannot_be_stripped_or_swapped() {
    for (form, mut world, letter) in every_form_both_ways() {
        let kem_part = letter.message().header_bytes.len() - HEADER_LEN;
        if kem_part == 0 {
            continue;
        }
        let payload = &letter.sealed.payload;
        let (start, end) = (HEADER_LEN, HEADER_LEN + kem_part);

        let mut stripped = [&payload[..start], &payload[end..]].concat();
        stripped[start - 1] = 0;
        world.refused(&letter.with_payload(stripped), SessionError::Authentication);

        let other = KemSecret::generate(&mut world.rng).public();
        let (other_ct, _) = other.encapsulate(&mut world.rng);
        let other = if form == "offer" { other.as_bytes().to_vec() } else { other_ct.as_bytes().to_vec() };
        let swapped = [&payload[..start + 4], &other, &payload[end..]].concat();
        world.refused(&letter.with_payload(swapped), SessionError::Authentication);

        for id in [0, 2, u32::MAX] {
            let renamed = [&payload[..start], &u32::to_be_bytes(id), &payload[start + 4..]].concat();
            world.refused(&letter.with_payload(renamed), SessionError::Authentication);
        }
        world.arrives(&letter);
    }
}

/// SES-24: a state that was rolled back uses a message key twice, and yet no key and nonce of a body.
#[test]
fn a_rolled_back_state_repeats_no_nonce() {
    let mut world = World::confirmed(36, false);
    world.says(Alice, "turn");
    let snapshot = world.alice.set.clone();
    let one = world.send(Alice, "the same text");
    world.alice.set = snapshot;
    let two = world.send(Alice, "the same text");
    let (one, two) = (one.message(), two.message());
    assert_eq!((one.header.ratchet_key, one.header.number), (two.header.ratchet_key, two.header.number));
    assert_ne!(one.header.salt, two.header.salt);
    // Not only the tags: under one key and nonce the ciphertexts would be the same.
    assert_ne!(one.body[..13], two.body[..13]);
}

/// An old copy of the state is started beside the new one. Whose message of a number comes first is opened, whose turn
/// comes first is followed; the other one is refused, changes nothing, and goes on in a new session.
#[test]
fn an_old_copy_beside_the_new_state() {
    both_ways(|world| {
        *world = World::confirmed(38, world.reload);
        world.says(Alice, "turn");
        let mut other = world.alice.set.clone();
        let new = [world.send(Alice, "new 1"), world.send(Alice, "new 2")];
        std::mem::swap(&mut world.alice.set, &mut other);
        let old = [world.send(Alice, "old 1"), world.send(Alice, "old 2")];
        world.arrives(&new[0]);
        world.refused(&old[0], SessionError::Duplicate);
        world.arrives(&old[1]);
        world.refused(&new[1], SessionError::Duplicate);

        // Both copies see Bob's turn, and both answer it.
        let reply = world.says(Bob, "reply");
        let old = world.send(Alice, "old turn");
        std::mem::swap(&mut world.alice.set, &mut other);
        world.arrives(&reply);
        world.says(Alice, "new turn");
        world.refused(&old, SessionError::Authentication);
        let reply = world.says(Bob, "to the new one");
        std::mem::swap(&mut world.alice.set, &mut other);
        world.refused(&reply, SessionError::Authentication);

        world.begin(Alice);
        world.says(Alice, "begins anew");
        world.says(Bob, "welcome back");
    });
}
