//! What a peer who holds the keys, but does not keep to the protocol, can send; and counters at their end.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::Secret;
use crate::base::limits::KEM_INTERVAL;
use crate::crypto::kem::{CT_LEN, EK_LEN, KemCiphertext, KemSecret};
use crate::identity::PrekeyId;
use crate::session::ratchet::KemPart;

const NOW: WallTime = WallTime(1_750_000_000_000);

struct Two {
    alice: Session,
    bob: Session,
    a_to_b: Pair,
    b_to_a: Pair,
    rng: ChaCha20Rng,
    now: WallTime,
}

impl Two {
    /// After a first message of Alice's and `turns` turns.
    fn new(turns: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(40);
        let (a, b) = (PeerId::from_key_bytes([0xa; 32]), PeerId::from_key_bytes([0xb; 32]));
        let (a_to_b, b_to_a) = (Pair { me: a, peer: b }, Pair { me: b, peer: a });
        let agreed = || Agreed { id: SessionId::new([7; 16]), root: RootKey(Secret::new([8; 32])) };
        let prekey = DhSecret::generate(&mut rng);
        let first = FirstContact {
            initiator: a,
            ephemeral: DhPublic([9; 32]),
            prekey_id: PrekeyId(1),
            one_time: false,
            kem_id: PrekeyId(2),
            ct: KemCiphertext(Box::new([0; CT_LEN])),
        };
        let mut alice = Session::begin(agreed(), prekey.public(), first, NOW.into());
        let mut sealed = Vec::new();
        alice.seal(&a_to_b, b"first", &mut sealed, None, &mut rng, NOW.into()).unwrap();
        let message = MessageIn::parse(&sealed).unwrap();
        let (bob, plaintext) = Session::respond(agreed(), &prekey, [0; 32], (&b_to_a, &message), NOW.into()).unwrap();
        assert_eq!(plaintext, b"first");
        let mut two = Self { alice, bob, a_to_b, b_to_a, rng, now: NOW };
        for _ in 0..turns {
            two.turn();
        }
        two
    }

    fn turn(&mut self) {
        let sealed = self.bob_seals();
        self.alice_opens(&sealed).unwrap();
        let sealed = self.alice_seals();
        self.bob_opens(&sealed).unwrap();
        assert_eq!(self.alice.root, self.bob.root);
    }

    fn alice_seals(&mut self) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.alice.seal(&self.a_to_b, b"from Alice", &mut sealed, None, &mut self.rng, self.now.into()).unwrap();
        sealed
    }

    fn bob_seals(&mut self) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.bob.seal(&self.b_to_a, b"from Bob", &mut sealed, None, &mut self.rng, self.now.into()).unwrap();
        sealed
    }

    fn alice_opens(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SessionError> {
        unchanged_on_error(&mut self.alice, |alice| {
            alice.open(&self.a_to_b, &MessageIn::parse(sealed)?, self.now.into())
        })
    }

    fn bob_opens(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SessionError> {
        unchanged_on_error(&mut self.bob, |bob| bob.open(&self.b_to_a, &MessageIn::parse(sealed)?, self.now.into()))
    }
}

fn unchanged_on_error<T>(
    session: &mut Session,
    operation: impl FnOnce(&mut Session) -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    let row = |session: &Session| postcard::to_allocvec(&(session, session.sending_row())).unwrap();
    let before = row(session);
    let result = operation(session);
    if result.is_err() {
        assert_eq!(row(session), before, "SES-61: an error changed the state");
    }
    result
}

/// Seals with the keys of an honest sender a header that he would not make. He must have sent in this turn.
fn forge<'k>(sender: &mut Session, pair: &Pair, edit: impl FnOnce(&mut Header<'k>)) -> Vec<u8> {
    let Turn::Ours(sending) = &mut sender.turn else { panic!("the forger has to send first") };
    let (number, key, _) = sending.advance().unwrap();
    let mut header = Header {
        session: sender.id,
        ratchet_key: sending.public,
        previous: sending.previous,
        number,
        salt: [1; SALT_LEN],
        kem: KemPart::Nothing,
    };
    edit(&mut header);
    let mut out = Vec::new();
    header.write(&mut out);
    let body = key.seal(&header.salt, b"forged", &associated(&sender.side, pair, &out));
    out.extend_from_slice(&body);
    out
}

/// SES-15: an initiator who puts another ID into a message that else authenticates.
#[test]
fn another_id_in_a_first_message_is_refused() {
    let mut two = Two::new(0);
    let agreed = || Agreed { id: SessionId::new([7; 16]), root: RootKey(Secret::new([8; 32])) };
    let prekey = DhSecret::generate(&mut two.rng);
    let Side::Initiator { first_contact: Some(first), .. } = &two.alice.side else { panic!("Alice began") };
    let mut mallory = Session::begin(agreed(), prekey.public(), (**first).clone(), NOW.into());
    mallory.seal(&two.a_to_b, b"lost", &mut Vec::new(), None, &mut two.rng, NOW.into()).unwrap();
    for (id, expected) in [([7; 16], Ok(())), ([6; 16], Err(SessionError::Authentication))] {
        let sealed = forge(&mut mallory.clone(), &two.a_to_b, |h| h.session = SessionId::new(id));
        let message = MessageIn::parse(&sealed).unwrap();
        let result = Session::respond(agreed(), &prekey, [0; 32], (&two.b_to_a, &message), NOW.into());
        assert_eq!(result.map(|_| ()), expected);
    }
}

/// SES-42, in the first message of a session, though an honest initiator offers nothing before a reply.
#[test]
fn an_offer_in_a_first_message_is_answered_and_an_answer_refused() {
    let mut two = Two::new(0);
    let agreed = || Agreed { id: SessionId::new([7; 16]), root: RootKey(Secret::new([8; 32])) };
    let (prekey, ek) = (DhSecret::generate(&mut two.rng), KemSecret::generate(&mut two.rng).public());
    let Side::Initiator { first_contact: Some(first), .. } = &two.alice.side else { panic!("Alice began") };
    let mut mallory = Session::begin(agreed(), prekey.public(), (**first).clone(), NOW.into());
    mallory.seal(&two.a_to_b, b"lost", &mut Vec::new(), None, &mut two.rng, NOW.into()).unwrap();
    let respond = |kem| {
        let sealed = forge(&mut mallory.clone(), &two.a_to_b, |h| h.kem = kem);
        let message = MessageIn::parse(&sealed).unwrap();
        Session::respond(agreed(), &prekey, [0; 32], (&two.b_to_a, &message), NOW.into()).map(|(session, _)| session)
    };
    assert_eq!(respond(KemPart::Answer { id: 1, ct: &[0; CT_LEN] }).unwrap_err(), SessionError::Malformed);
    let mut bob = respond(KemPart::Offer { id: 1, ek: ek.as_bytes() }).unwrap();
    let mut reply = Vec::new();
    bob.seal(&two.b_to_a, b"reply", &mut reply, None, &mut two.rng, NOW.into()).unwrap();
    assert!(matches!(MessageIn::parse(&reply).unwrap().header.kem, KemPart::Answer { id: 1, .. }));
}

#[test]
fn a_forged_but_honest_message_opens() {
    let mut two = Two::new(1);
    two.alice_seals();
    let sealed = forge(&mut two.alice, &two.a_to_b, |_| {});
    assert_eq!(two.bob_opens(&sealed).unwrap(), b"forged");
}

/// SES-42: only the initiator offers, only the responder answers.
#[test]
fn kem_parts_of_the_wrong_side_are_refused() {
    let mut two = Two::new(1);
    let ek = KemSecret::generate(&mut two.rng).public();
    two.alice_seals();
    let sealed = forge(&mut two.alice, &two.a_to_b, |h| h.kem = KemPart::Answer { id: 1, ct: &[0; CT_LEN] });
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::Malformed));
    two.bob_seals();
    let sealed = forge(&mut two.bob, &two.b_to_a, |h| h.kem = KemPart::Offer { id: 1, ek: ek.as_bytes() });
    assert_eq!(two.alice_opens(&sealed), Err(SessionError::Malformed));
}

/// SES-4: an authenticated key that fails the modulus check of FIPS 203, in a known chain and with a new key.
#[test]
fn an_unsound_offer_is_refused() {
    let bad = [0xff; EK_LEN];
    let mut two = Two::new(1);
    let lost = two.alice_seals();
    let sealed = forge(&mut two.alice, &two.a_to_b, |h| h.kem = KemPart::Offer { id: 1, ek: &bad });
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::InvalidKey));
    two.bob_opens(&lost).unwrap();
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::InvalidKey));

    let sealed = two.bob_seals();
    two.alice_opens(&sealed).unwrap();
    two.alice_seals();
    let sealed = forge(&mut two.alice, &two.a_to_b, |h| h.kem = KemPart::Offer { id: 1, ek: &bad });
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::InvalidKey));
}

/// SES-42: a used ID, or an older one, is ignored; a newer one replaces what was not used.
#[test]
fn a_used_offer_is_ignored() {
    let mut two = Two::new(1);
    let eks = [0, 1, 2].map(|_| KemSecret::generate(&mut two.rng).public());
    let offer = |two: &mut Two, id, which: usize| {
        two.alice_seals();
        let sealed = forge(&mut two.alice, &two.a_to_b, |h| h.kem = KemPart::Offer { id, ek: eks[which].as_bytes() });
        two.bob_opens(&sealed).unwrap();
    };
    let offered = |two: &Two| match &two.bob.side {
        Side::Responder { offered, .. } => offered.clone(),
        Side::Initiator { .. } => None,
    };
    offer(&mut two, 0, 0);
    assert_eq!(offered(&two), None);
    offer(&mut two, 5, 0);
    assert_eq!(offered(&two).as_ref(), Some(&eks[0]));
    offer(&mut two, 5, 1);
    offer(&mut two, 4, 1);
    assert_eq!(offered(&two).as_ref(), Some(&eks[0]));
    offer(&mut two, 6, 2);
    assert_eq!(offered(&two).as_ref(), Some(&eks[2]));
    // Bob's next step uses it; offered again, it is ignored.
    let Turn::Theirs(_) = two.bob.turn else { panic!("Bob has opened a new key") };
    let answer = two.bob_seals();
    assert!(matches!(MessageIn::parse(&answer).unwrap().header.kem, KemPart::Answer { id: 6, .. }));
    assert_eq!(offered(&two), None);
    offer(&mut two, 6, 2);
    assert_eq!(offered(&two), None);
}

/// SES-44: an answer to what is not on offer.
#[test]
fn an_answer_to_nothing_is_refused() {
    let mut two = Two::new(1);
    let (ct, _) = KemSecret::generate(&mut two.rng).public().encapsulate(&mut two.rng);
    two.bob_seals();
    let sealed = forge(&mut two.bob, &two.b_to_a, |h| h.kem = KemPart::Answer { id: 1, ct: ct.as_bytes() });
    assert_eq!(two.alice_opens(&sealed), Err(SessionError::Authentication));
    // In a chain that is known it changes nothing.
    let sealed = two.bob_seals();
    two.alice_opens(&sealed).unwrap();
    let sealed = forge(&mut two.bob, &two.b_to_a, |h| h.kem = KemPart::Answer { id: 1, ct: ct.as_bytes() });
    let root = two.alice.root.clone();
    two.alice_opens(&sealed).unwrap();
    assert_eq!(two.alice.root, root);
}

/// SES-44: the right ciphertext under another ID.
#[test]
fn an_answer_under_another_id_is_refused() {
    let mut two = Two::new(1);
    two.now = two.now + KEM_INTERVAL;
    let offer = two.alice_seals();
    two.bob_opens(&offer).unwrap();
    let answer = two.bob_seals();
    let KemPart::Answer { id: 1, ct } = MessageIn::parse(&answer).unwrap().header.kem else { panic!("an answer") };
    for id in [0, 2] {
        let sealed = forge(&mut two.bob.clone(), &two.b_to_a, |h| h.kem = KemPart::Answer { id, ct });
        assert_eq!(two.alice_opens(&sealed), Err(SessionError::Authentication));
    }
    two.alice_opens(&answer).unwrap();
}

/// SES-22, SES-44: dk is erased by the opened answer, and both roots hold the shared secret.
#[test]
fn an_answer_turns_both_roots() {
    let mut two = Two::new(1);
    two.now = two.now + KEM_INTERVAL;
    let offer = two.alice_seals();
    two.bob_opens(&offer).unwrap();
    assert!(matches!(two.alice.side.part(None), KemPart::Offer { id: 1, .. }));
    let sealed = two.bob_seals();
    two.alice_opens(&sealed).unwrap();
    assert_eq!(two.alice.root, two.bob.root);
    assert_eq!(two.alice.side.part(None), KemPart::Nothing);
    let (Turn::Theirs(theirs), Turn::Ours(bobs)) = (&two.alice.turn, &two.bob.turn) else { panic!("Bob's turn") };
    assert_eq!(*theirs, bobs.public);
    two.turn();
}

/// SES-34: `PN` below what was received, and before the first chain.
#[test]
fn an_impossible_previous_count_is_refused() {
    let mut two = Two::new(1);
    for _ in 0..3 {
        let sealed = two.alice_seals();
        two.bob_opens(&sealed).unwrap();
    }
    let sealed = two.bob_seals();
    two.alice_opens(&sealed).unwrap();
    two.alice_seals();
    // The chain before has four; three would contradict what Bob has received.
    let sealed = forge(&mut two.alice, &two.a_to_b, |h| h.previous = 3);
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::Authentication));
    let sealed = two.alice_seals();
    assert_eq!(MessageIn::parse(&sealed).unwrap().header.previous, 4);
    two.bob_opens(&sealed).unwrap();

    let mut two = Two::new(0);
    two.bob_seals();
    let sealed = forge(&mut two.bob, &two.b_to_a, |h| h.previous = 1);
    assert_eq!(two.alice_opens(&sealed), Err(SessionError::Authentication));
}

/// SES-34: a chain that has ended has no more messages than its successor said.
#[test]
fn nothing_follows_the_end_of_a_chain() {
    let mut two = Two::new(1);
    let (opened, late) = (two.alice_seals(), two.alice_seals());
    two.bob_opens(&opened).unwrap();
    let mut cheat = two.alice.clone();
    two.turn();
    let sealed = forge(&mut cheat, &two.a_to_b, |_| {});
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::Authentication));
    assert_eq!(two.bob_opens(&late).unwrap(), b"from Alice");
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::Authentication));
}

/// SES-37: a peer who turns without having been answered.
#[test]
fn a_second_turn_in_a_row_is_refused() {
    let mut two = Two::new(1);
    let Turn::Ours(sending) = &two.alice.turn else { panic!("Alice spoke last") };
    let (dh, secret) = (sending.public, DhSecret::generate(&mut two.rng));
    let (_, chain) = two.alice.root.step(&secret.exchange(&dh).unwrap(), None);
    two.alice.turn = Turn::Ours(SendingChain::new(secret, chain, 0, None));
    let sealed = two.alice_seals();
    assert_eq!(two.bob_opens(&sealed), Err(SessionError::Authentication));
}

/// SES-32: the counters up to the last that is used, and `PN` after it.
#[test]
fn counters_end_before_the_last() {
    let mut two = Two::new(1);
    let Turn::Ours(sending) = &mut two.alice.turn else { panic!("Alice spoke last") };
    sending.set_next(u32::MAX - 2);
    two.bob.receiving.current_mut().unwrap().set_next(u32::MAX - 2);
    let letters = [two.alice_seals(), two.alice_seals()];
    assert_eq!(MessageIn::parse(&letters[1]).unwrap().header.number, u32::MAX - 1);
    let result = unchanged_on_error(&mut two.alice, |alice| {
        alice.seal(&two.a_to_b, b"one too many", &mut Vec::new(), None, &mut two.rng, two.now.into())
    });
    assert_eq!(result.err(), Some(SessionError::Exhausted));
    assert!(!two.alice.can_seal());
    two.bob_opens(&letters[1]).unwrap();
    two.bob_opens(&letters[0]).unwrap();
    for letter in &letters {
        assert_eq!(two.bob_opens(letter), Err(SessionError::Duplicate));
    }
    let before = two.bob.receiving.sizes();
    // An answer goes on; the chain's length is the largest PN.
    let sealed = two.bob_seals();
    two.alice_opens(&sealed).unwrap();
    let sealed = two.alice_seals();
    assert_eq!(MessageIn::parse(&sealed).unwrap().header.previous, u32::MAX);
    two.bob_opens(&sealed).unwrap();
    assert_eq!(two.bob.receiving.sizes().0, before.0 + 1);
    assert_eq!(two.bob_opens(&letters[0]), Err(SessionError::Duplicate));
}

/// SES-34: an authenticated `PN` far beyond what was received costs no more than a jump.
#[test]
fn a_huge_previous_count_is_bounded() {
    let mut two = Two::new(1);
    let sealed = two.bob_seals();
    two.alice_opens(&sealed).unwrap();
    two.alice_seals();
    let sealed = forge(&mut two.alice, &two.a_to_b, |h| (h.previous, h.number) = (u32::MAX, h.number));
    two.bob_opens(&sealed).unwrap();
    for _ in 0..8 {
        two.turn();
    }
    let (_, skipped, _) = two.bob.receiving.sizes();
    // The thousand of the ended chain, and the one before the forged message.
    assert_eq!(skipped, crate::base::limits::MAX_JUMP as usize + 1);
}
