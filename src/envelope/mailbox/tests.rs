use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::limits::*;
use crate::base::{Millis, PeerId, Secret, WallTime};
use crate::crypto::dh::DhSecret;
use crate::crypto::hash::sha256;
use crate::envelope::WireError;
use crate::envelope::seal::{OVERHEAD, seal};
use crate::envelope::{EnvelopeKind, encode};
use crate::identity::{CardContent, CardKeys, IdentityKeypair, OneTimeKeys, PrekeyId, RecordError, RequestToken};

const NOW: WallTime = WallTime(1_700_000_000_000);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

fn owner(seed: u8) -> IdentityKeypair {
    IdentityKeypair::from_seed(&Secret::new([seed; 32]))
}

fn card(owner: &IdentityKeypair) -> Vec<u8> {
    let keys = CardKeys::generate(&mut rng());
    CardContent::new(&keys, 7, NOW, [4; 16]).sign(owner)
}

fn prekeys(owner: &IdentityKeypair, count: usize) -> Vec<Vec<u8>> {
    let mut rng = rng();
    (0..count).map(|_| OneTimeKeys::generate(&mut rng, NOW).sign(owner)).collect()
}

fn sealed(payload: &[u8]) -> Vec<u8> {
    let plain = encode(EnvelopeKind::Session, payload).unwrap();
    let key = DhSecret::from_bytes(Secret::new([7; 32])).public();
    seal(&[4; 16], PrekeyId(1), &key, PeerId::from_key_bytes([9; 32]), &plain, &mut rng()).unwrap()
}

fn any_queue() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>()
}

fn any_offer() -> impl Strategy<Value = (u64, Vec<u8>, Vec<Vec<u8>>)> {
    use proptest::collection::vec;
    (any::<u64>(), vec(any::<u8>(), 1..200), vec(vec(any::<u8>(), 1..60), 0..6))
}

fn any_proof() -> impl Strategy<Value = Proof> {
    prop_oneof![
        Just(Proof::None),
        (any::<u32>(), any::<u64>()).prop_map(|(day, nonce)| Proof::Work { day, nonce }),
        (any::<u32>(), any::<[u8; 32]>()).prop_map(|(day, mac)| Proof::Invitation { day, mac: Secret::new(mac) }),
    ]
}

/// The parts of any question; the borrowed ones are put together by [`Parts::question`].
#[derive(Clone, Debug)]
enum Parts {
    Register([u8; 32], [u8; 32], (u64, Vec<u8>, Vec<Vec<u8>>)),
    Renew([u8; 32], Vec<Tag>, (u64, Vec<u8>, Vec<Vec<u8>>)),
    Owned(Question<'static>),
    Deposit([u8; 32], Option<([u8; 32], Tag)>, Proof, Vec<u8>),
}

fn offer((batch, card, prekeys): &(u64, Vec<u8>, Vec<Vec<u8>>)) -> OfferIn<'_> {
    OfferIn { batch: *batch, card, prekeys: prekeys.iter().map(Vec::as_slice).collect() }
}

impl Parts {
    fn question(&self) -> Question<'_> {
        match self {
            Self::Register(key, invitation, parts) => Question::Register {
                key: QueueKey::from_bytes(*key),
                invitation: InvitationKey::from_bytes(*invitation),
                offer: offer(parts),
            },
            Self::Renew(invitation, revoked, parts) => Question::Renew {
                invitation: InvitationKey::from_bytes(*invitation),
                revoked: revoked.clone(),
                offer: offer(parts),
            },
            Self::Owned(question) => question.clone(),
            Self::Deposit(recipient, token, proof, payload) => Question::Deposit(Deposit {
                recipient: PeerId::from_key_bytes(*recipient),
                token: token.map(|(key, tag)| TokenIn::of(&QueueKey::from_bytes(key), tag)),
                proof: proof.clone(),
                sealed: payload,
            }),
        }
    }
}

fn any_parts() -> impl Strategy<Value = Parts> {
    use proptest::collection::{btree_set, vec};
    prop_oneof![
        (any::<[u8; 32]>(), any::<[u8; 32]>(), any_offer())
            .prop_map(|(key, invitation, offer)| Parts::Register(key, invitation, offer)),
        (any::<[u8; 32]>(), vec(any::<Tag>(), 0..5), any_offer())
            .prop_map(|(key, tags, offer)| Parts::Renew(key, tags, offer)),
        (any_queue(), any::<u64>()).prop_map(|(queue, after)| Parts::Owned(Question::Fetch { queue, after })),
        (any_queue(), any::<u64>(), 1..=300u16).prop_map(|(queue, after, seconds)| Parts::Owned(Question::Wait {
            queue,
            after,
            seconds
        })),
        (any_queue(), any::<u64>())
            .prop_map(|(queue, upto)| Parts::Owned(Question::Delete { queue, what: Delete::UpTo(upto) })),
        (any_queue(), btree_set(any::<u64>(), 1..9)).prop_map(|(queue, numbers)| {
            Parts::Owned(Question::Delete { queue, what: Delete::These(numbers.into_iter().collect()) })
        }),
        any_queue().prop_map(|queue| Parts::Owned(Question::Drop { queue })),
        (any::<[u8; 32]>(), any::<bool>()).prop_map(|(owner, want_prekey)| {
            Parts::Owned(Question::Card { owner: PeerId::from_key_bytes(owner), want_prekey })
        }),
        (any::<[u8; 32]>(), proptest::option::of(any::<([u8; 32], Tag)>()), any_proof(), vec(any::<u8>(), 0..400))
            .prop_map(|(to, token, proof, payload)| Parts::Deposit(to, token, proof, sealed(&payload))),
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    use proptest::collection::{btree_set, vec};
    let prekeys = 0..=u16::try_from(ONE_TIME_BATCH).unwrap();
    let items = btree_set(any::<u64>(), 0..4).prop_map(|numbers| {
        numbers.into_iter().map(|number| PageItem { number, sealed: sealed(&number.to_be_bytes()) }).collect()
    });
    prop_oneof![
        Just(Answer::Done),
        prekeys.clone().prop_map(|prekeys| Answer::Kept { prekeys }),
        (any::<bool>(), prekeys, items).prop_map(|(more, prekeys, items)| Answer::Page { more, prekeys, items }),
        Just(Answer::Stored),
        (vec(any::<u8>(), 1..200), proptest::option::of(vec(any::<u8>(), 1..200)))
            .prop_map(|(card, prekey)| Answer::Card { card, prekey }),
        any::<bool>().prop_map(|came| Answer::Waited { came }),
        Just(Answer::NoBox),
        any::<u32>().prop_map(|retry_after| Answer::Full { retry_after }),
        Just(Answer::TooLarge),
        Just(Answer::Refused),
        (1..=MAX_WORK).prop_map(|level| Answer::Work { level }),
        Just(Answer::Unavailable),
        Just(Answer::Malformed),
    ]
}

/// With this length in its head.
fn with_length(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes[2..HEAD_LEN].copy_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// MBX-3: what is encoded comes back; cut short, made longer, or with a wrong length it is refused.
    #[test]
    fn questions_come_back_and_not_one_byte_less_or_more(parts in any_parts(), cut in any::<prop::sample::Index>()) {
        let question = parts.question();
        let bytes = question.encode().unwrap();
        prop_assert_eq!(Question::decode(&bytes), Ok(question));
        prop_assert_eq!(Question::body_len(bytes.first_chunk().unwrap()), Ok(bytes.len() - HEAD_LEN));
        let cut = cut.index(bytes.len());
        prop_assert!(Question::decode(&bytes[..cut]).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Question::decode(&longer).is_err());
        // With its length mended a deposit is another deposit, whose seal does not open; nothing else has such an end.
        if !matches!(parts, Parts::Deposit(..)) {
            prop_assert!(Question::decode(&with_length(longer, bytes.len() - HEAD_LEN + 1)).is_err());
            if cut >= HEAD_LEN {
                prop_assert!(Question::decode(&with_length(bytes[..cut].to_vec(), cut - HEAD_LEN)).is_err());
            }
        }
    }

    /// MBX-3.
    #[test]
    fn answers_come_back_and_not_one_byte_less_or_more(answer in any_answer(), cut in any::<prop::sample::Index>()) {
        let bytes = answer.encode().unwrap();
        prop_assert_eq!(Answer::decode(&bytes), Ok(answer));
        prop_assert_eq!(Answer::body_len(bytes.first_chunk().unwrap()), Ok(bytes.len() - HEAD_LEN));
        let cut = cut.index(bytes.len());
        prop_assert!(Answer::decode(&bytes[..cut]).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Answer::decode(&longer).is_err());
        prop_assert!(Answer::decode(&with_length(longer, bytes.len() - HEAD_LEN + 1)).is_err());
        if cut >= HEAD_LEN {
            prop_assert!(Answer::decode(&with_length(bytes[..cut].to_vec(), cut - HEAD_LEN)).is_err());
        }
    }

    /// MBX-3: with one byte changed it is something else, or nothing; but no second form of the same.
    #[test]
    fn a_changed_byte_makes_another_question_or_none(
        parts in any_parts(),
        answer in any_answer(),
        place in any::<prop::sample::Index>(),
        bits in 1..=u8::MAX,
    ) {
        let mut bytes = parts.question().encode().unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= bits;
        if let Ok(question) = Question::decode(&bytes) {
            prop_assert_eq!(&question.encode().unwrap(), &bytes);
        }
        let mut bytes = answer.encode().unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= bits;
        if let Ok(answer) = Answer::decode(&bytes) {
            prop_assert_eq!(&answer.encode().unwrap(), &bytes);
        }
    }

    /// No panic, and one encoding only.
    #[test]
    fn garbage_is_refused_or_encodes_back(
        kind in prop_oneof![0..8u8, 15..19u8, 31..40u8],
        body in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..80),
    ) {
        let mut bytes = vec![1, kind, 0, 0, 0, 0];
        bytes.extend_from_slice(&body);
        let bytes = with_length(bytes, body.len());
        if let Ok(question) = Question::decode(&bytes) {
            prop_assert_eq!(&question.encode().unwrap(), &bytes);
        }
        if let Ok(answer) = Answer::decode(&bytes) {
            prop_assert_eq!(&answer.encode().unwrap(), &bytes);
        }
    }
}

/// MBX-3: the layout of docs/protocol/mailbox.md.
#[test]
fn the_layout_is_the_documented_one() {
    let fetch = Question::Fetch { queue: [4; 16], after: 258 };
    let mut expected = vec![1, 3, 0, 0, 0, 24];
    expected.extend([4; 16]);
    expected.extend([0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(fetch.encode().unwrap(), expected);
    let wait = Question::Wait { queue: [4; 16], after: 258, seconds: 300 }.encode().unwrap();
    assert_eq!(wait, [&[1, 6, 0, 0, 0, 26][..], &expected[HEAD_LEN..], &[1, 44]].concat());
    assert_eq!(Answer::Waited { came: true }.encode().unwrap(), [1, 6, 0, 0, 0, 1, 1]);
    assert_eq!(Answer::Full { retry_after: 3600 }.encode().unwrap(), [1, 33, 0, 0, 0, 4, 0, 0, 14, 16]);
    assert_eq!(Answer::Work { level: 16 }.encode().unwrap(), [1, 36, 0, 0, 0, 1, 16]);
    assert_eq!(Answer::NoBox.encode().unwrap(), [1, 32, 0, 0, 0, 0]);
    let card = Answer::Card { card: b"card".to_vec(), prekey: Some(b"key".to_vec()) };
    assert_eq!(card.encode().unwrap(), b"\x01\x05\0\0\0\x0b\0\x04card\0\x03key");
    // A deposit: recipient, token, work, sealed.
    let envelope = sealed(b"hello");
    let token = TokenIn::of(&QueueKey::from_bytes([8; 32]), [2; 16]);
    let mac = QueueKey::from_bytes([8; 32]).mac(&[2; 16]);
    let proof = Proof::Work { day: 3, nonce: 4 };
    let deposit = Deposit { recipient: PeerId::from_key_bytes([6; 32]), token: Some(token), proof, sealed: &envelope };
    let bytes = Question::Deposit(deposit).encode().unwrap();
    let body = [&[6; 32][..], &[1], &[2; 16], mac.expose(), &[1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4], &envelope];
    assert_eq!(bytes[HEAD_LEN..], body.concat());
    assert_eq!(bytes[..2], [1, 16]);
}

/// MBX-2, MBX-3: version, kind and length are looked at in the head, before there is a body.
#[test]
fn a_head_says_what_may_be_allocated() {
    let question = |head: [u8; 6]| Question::body_len(&head);
    assert_eq!(question([1, 5, 0, 0, 0, 16]), Ok(16));
    assert_eq!(question([2, 5, 0, 0, 0, 16]), Err(WireError::UnknownVersion(2)));
    assert_eq!(question([1, 7, 0, 0, 0, 16]), Err(WireError::UnknownKind(7)));
    assert_eq!(question([1, 5, 0, 0, 0, 15]), Err(WireError::Malformed));
    assert_eq!(question([1, 5, 0, 0, 0, 17]), Err(WireError::TooLarge));
    assert_eq!(question([1, 16, 0xff, 0xff, 0xff, 0xff]), Err(WireError::TooLarge));
    assert_eq!(Answer::body_len(&[1, 3, 0, 0x20, 0, 0]), Err(WireError::TooLarge));
    assert_eq!(Answer::body_len(&[2, 3, 0, 0, 0, 5]), Err(WireError::UnknownVersion(2)));
    assert_eq!(Answer::body_len(&[1, 7, 0, 0, 0, 5]), Err(WireError::UnknownKind(7)));
    assert_eq!(Question::decode(&[1, 5, 0, 0]), Err(WireError::Malformed));
}

#[test]
fn what_is_out_of_bounds_does_not_go_out() {
    let key = || (QueueKey::from_bytes([0; 32]), InvitationKey::from_bytes([0; 32]));
    let register = |card: &[u8], prekeys: Vec<&[u8]>| {
        let (key, invitation) = key();
        Question::Register { key, invitation, offer: OfferIn { batch: 1, card, prekeys } }.encode()
    };
    let largest = vec![1; MAX_ONE_TIME_PREKEY];
    let full = register(&[1; MAX_CARD], vec![&largest; ONE_TIME_BATCH]).unwrap();
    assert!(Question::decode(&full).is_ok());
    assert_eq!(register(&[1; MAX_CARD + 1], vec![]), Err(WireError::TooLarge));
    assert_eq!(register(&[], vec![]), Err(WireError::Malformed));
    assert_eq!(register(&[1], vec![&largest; ONE_TIME_BATCH + 1]), Err(WireError::TooLarge));
    let renew = |tags| {
        let offer = OfferIn { batch: 1, card: &[1; MAX_CARD], prekeys: vec![&largest[..]; ONE_TIME_BATCH] };
        Question::Renew { invitation: key().1, revoked: vec![[1; TAG_LEN]; tags], offer }.encode()
    };
    assert!(Question::decode(&renew(MAX_REVOKED_AT_ONCE).unwrap()).is_ok());
    assert_eq!(renew(MAX_REVOKED_AT_ONCE + 1), Err(WireError::TooLarge));
    let delete = |numbers: Vec<u64>| Question::Delete { queue: [0; 16], what: Delete::These(numbers) }.encode();
    assert!(Question::decode(&delete((0..256).collect()).unwrap()).is_ok());
    assert_eq!(delete((0..257).collect()), Err(WireError::TooLarge));
    for numbers in [vec![], vec![2, 1], vec![1, 1]] {
        assert_eq!(delete(numbers), Err(WireError::Malformed));
    }
    let page = |sizes: &[usize]| {
        let items = (1..).zip(sizes).map(|(number, size)| PageItem { number, sealed: vec![1; *size] }).collect();
        Answer::Page { more: false, prekeys: 0, items }.encode()
    };
    assert!(Answer::decode(&page(&[MAX_ENVELOPE; MAX_BOX_PAGE_BYTES / MAX_ENVELOPE]).unwrap()).is_ok());
    assert!(Answer::decode(&page(&[MIN_ENVELOPE + OVERHEAD; MAX_BOX_PAGE]).unwrap()).is_ok());
    assert_eq!(page(&[MAX_ENVELOPE; MAX_BOX_PAGE_BYTES / MAX_ENVELOPE + 1]), Err(WireError::TooLarge));
    assert_eq!(page(&[MIN_ENVELOPE + OVERHEAD; MAX_BOX_PAGE + 1]), Err(WireError::TooLarge));
    assert_eq!(page(&[MIN_ENVELOPE + OVERHEAD - 1]), Err(WireError::TooLarge));
    let pages = [[2, 1], [1, 1]].map(|numbers| {
        let items = numbers.map(|number| PageItem { number, sealed: vec![1; MIN_ENVELOPE + OVERHEAD] }).to_vec();
        Answer::Page { more: false, prekeys: 0, items }.encode()
    });
    assert_eq!(pages, [const { Err(WireError::TooLarge) }; 2], "numbers ascend");
}

#[test]
fn flags_and_small_numbers_have_their_bounds() {
    let mut card = Question::Card { owner: owner(1).peer_id(), want_prekey: true }.encode().unwrap();
    *card.last_mut().unwrap() = 2;
    assert_eq!(Question::decode(&card), Err(WireError::Malformed));
    let these = Delete::These(vec![1, 2]);
    let mut backwards = Question::Delete { queue: [0; 16], what: these }.encode().unwrap();
    backwards[HEAD_LEN + 26] = 3;
    assert_eq!(Question::decode(&backwards), Err(WireError::Malformed));
    let mut page = Answer::Page { more: false, prekeys: 0, items: Vec::new() }.encode().unwrap();
    page[HEAD_LEN] = 2;
    assert_eq!(Answer::decode(&page), Err(WireError::Malformed));
    assert_eq!(Answer::Work { level: 0 }.encode(), Err(WireError::Malformed));
    assert_eq!(Answer::Work { level: MAX_WORK + 1 }.encode(), Err(WireError::Malformed));
    assert_eq!(Answer::Kept { prekeys: 101 }.encode(), Err(WireError::Malformed));
    for sealed in [&b""[..], &[1; 300], &[2; 500]] {
        let deposit = Deposit { recipient: owner(1).peer_id(), token: None, proof: Proof::None, sealed };
        assert_eq!(Question::Deposit(deposit).encode(), Err(WireError::Malformed));
    }
}

/// MBX-80: nobody waits for no time, or for longer than a mailbox may be held up.
#[test]
fn a_wait_is_bounded() {
    let wait = |seconds| Question::Wait { queue: [4; 16], after: 0, seconds }.encode();
    let longest = u16::try_from(MAX_MAIL_WAIT.0 / 1000).unwrap();
    for seconds in [0, longest + 1, u16::MAX] {
        assert_eq!(wait(seconds), Err(WireError::Malformed));
        let mut bytes = wait(1).unwrap();
        bytes.truncate(HEAD_LEN + 24);
        bytes.extend(seconds.to_be_bytes());
        assert_eq!(Question::decode(&bytes), Err(WireError::Malformed));
    }
    assert_eq!(Question::patience(&wait(longest).unwrap()), Some(MAX_MAIL_WAIT));
    assert_eq!(Question::patience(&Question::Fetch { queue: [4; 16], after: 0 }.encode().unwrap()), None);
    assert_eq!(Question::patience(&[1, 6, 0]), None);
    let mut waited = Answer::Waited { came: true }.encode().unwrap();
    waited[HEAD_LEN] = 2;
    assert_eq!(Answer::decode(&waited), Err(WireError::Malformed));
}

/// MBX-11.
#[test]
fn an_offer_is_taken_only_if_all_of_it_is_signed_by_who_asks() {
    let (alice, bob) = (owner(1), owner(2));
    let (card_a, keys_a, keys_b) = (card(&alice), prekeys(&alice, 3), prekeys(&bob, 1));
    let offer = |prekeys: Vec<&[u8]>| OfferIn { batch: 3, card: &card_a, prekeys }.verify(alice.peer_id());
    let all: Vec<&[u8]> = keys_a.iter().map(Vec::as_slice).collect();
    let taken = offer(all.clone()).unwrap();
    assert_eq!((taken.batch, taken.card.sequence, taken.prekeys.len()), (3, 7, 3));
    assert_eq!(taken.prekeys[0], (NOW + ONE_TIME_LIFE, keys_a[0].clone()));
    let wrong = |error| OfferError::Prekey(error);
    assert_eq!(offer(vec![&keys_b[0]]).unwrap_err(), wrong(RecordError::WrongOwner));
    assert_eq!(offer(vec![all[0], all[1], all[0]]).unwrap_err(), OfferError::Twice);
    let mut forged = keys_a[0].clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(offer(vec![&forged]).unwrap_err(), wrong(RecordError::Signature));
    let others = OfferIn { batch: 3, card: &card_a, prekeys: vec![] }.verify(bob.peer_id());
    assert_eq!(others.unwrap_err(), OfferError::Card(RecordError::WrongOwner));
    let unsound = OfferIn { batch: 3, card: &card_a, prekeys: vec![] }.verify(PeerId::from_key_bytes([0; 32]));
    assert!(matches!(unsound.unwrap_err(), OfferError::Owner(_)));
}

/// MBX-20: a token is the owner's word for one tag, and for one queue.
#[test]
fn a_token_is_made_with_the_key_of_the_queue() {
    let (key, other) = (QueueKey::from_bytes([1; 32]), QueueKey::from_bytes([2; 32]));
    let token = TokenIn::of(&key, [3; 16]);
    assert_eq!(token.verify(&key), Some([3; 16]));
    assert_eq!(token.verify(&other), None);
    assert_eq!(TokenIn { tag: [4; 16], ..token }.verify(&key), None);
    // HMAC-SHA-256(0x01 × 32, "rohrpost/mailbox/token/v1" ‖ 0x03 × 16), by Python's hmac.
    let mac: String = key.mac(&[3; 16]).expose().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(mac, "cdb8b4fbec8e7ea2024960274238c83e1035b46eaa53428b0629cb44f6d7997b");
}

/// MBX-30 to MBX-32: work is for one envelope, one recipient and one day.
#[test]
fn work_counts_for_what_it_was_done_for() {
    let (to, key, day) = (owner(1).peer_id(), InvitationKey::from_bytes([0; 32]), 19_675);
    let hash = sha256(&[&sealed(b"one")]);
    let nonce = search(&to, day, &hash, 8, 0, 10_000).unwrap();
    let work = Proof::Work { day, nonce };
    for today in [day - 1, day, day + 1] {
        assert!(work.is_enough(8, &to, today, &hash, &key));
    }
    assert!(!work.is_enough(8, &to, day - 2, &hash, &key) && !work.is_enough(8, &to, day + 2, &hash, &key));
    assert!(!work.is_enough(24, &to, day, &hash, &key), "of 10,000 tries one in 16 million");
    assert!(!Proof::Work { day: day + 1, nonce }.is_enough(8, &to, day, &hash, &key));
    assert!(!work.is_enough(8, &owner(2).peer_id(), day, &hash, &key));
    assert!(!work.is_enough(8, &to, day, &sha256(&[&sealed(b"two")]), &key));
    assert!(!Proof::None.is_enough(1, &to, day, &hash, &key) && Proof::None.is_enough(0, &to, day, &hash, &key));
    // No nonce before that one was enough, and the search goes on where it stopped.
    assert_eq!(search(&to, day, &hash, 8, 0, nonce), None);
    assert_eq!(search(&to, day, &hash, 8, nonce, 1), Some(nonce));
}

/// MBX-33: the link's token, by way of a key that does not give it away, stands for the work.
#[test]
fn an_invitation_replaces_the_work() {
    let (to, day) = (owner(1).peer_id(), 19_675);
    let hash = sha256(&[&sealed(b"one")]);
    let (key, other) =
        (InvitationKey::of(&RequestToken::from_bytes([1; 16])), InvitationKey::of(&RequestToken::from_bytes([2; 16])));
    let shown = Proof::invitation(&key, &to, day, &hash);
    assert!(shown.is_enough(MAX_WORK, &to, day + 1, &hash, &key));
    assert!(!shown.is_enough(MAX_WORK, &to, day + 2, &hash, &key));
    assert!(!shown.is_enough(1, &to, day, &hash, &other));
    assert!(!shown.is_enough(1, &owner(2).peer_id(), day, &hash, &key));
    assert!(!shown.is_enough(1, &to, day, &[0; 32], &key));
    assert!(!format!("{key:?} {shown:?}").contains(&format!("{:?}", &key.expose()[..4])));
}

/// MBX-31.
#[test]
fn the_level_rises_as_the_slot_fills() {
    assert_eq!([0, 7, 8, 11, 12, 16].map(|waiting| needed_work(0, waiting)), [0, 0, 16, 16, 20, 20]);
    assert_eq!([0, 8, 12].map(|waiting| needed_work(18, waiting)), [18, 18, 20]);
    assert_eq!(needed_work(200, 0), MAX_WORK);
    let day = Millis::from_days(1).0;
    assert_eq!([0, day - 1, day, u64::MAX].map(|ms| day_of(WallTime(ms))), [0, 0, 1, u32::MAX]);
}
