//! Seeds of the mailbox protocol.

use super::{Seeds, card, seed};
use crate::base::{PeerId, Secret, WallTime};
use crate::crypto::dh::DhSecret;
use crate::envelope::mailbox::{
    Answer, Delete, Deposit, InvitationKey, OfferIn, PageItem, Proof, Question, QueueKey, TokenIn,
};
use crate::envelope::seal::seal;
use crate::envelope::{EnvelopeKind, encode};
use crate::fuzzing::identity::owner;
use crate::fuzzing::rng;
use crate::identity::{OneTimeKeys, PrekeyId, RequestToken};

pub(super) fn mailbox() -> Seeds {
    let (me, queue) = (owner(), [3; 16]);
    let (key, invitation) = (|| QueueKey::from_bytes([1; 32]), || InvitationKey::from_bytes([2; 32]));
    let (card, prekey) = (card(0).sign(&me), OneTimeKeys::generate(&mut rng(), WallTime(1_700_000_000_000)).sign(&me));
    let plain = encode(EnvelopeKind::Session, b"hello").unwrap();
    let seal_key = DhSecret::from_bytes(Secret::new([7; 32])).public();
    let sender = PeerId::from_key_bytes([9; 32]);
    let sealed = seal(&queue, PrekeyId(2), &seal_key, sender, &plain, &mut rng()).unwrap();
    let deposit = |token: Option<[u8; 16]>, proof| {
        let token = token.map(|tag| TokenIn::of(&key(), tag));
        Question::Deposit(Deposit { recipient: me.peer_id(), token, proof, sealed: &sealed })
    };
    let invited = Proof::invitation(&InvitationKey::of(&RequestToken::from_bytes([3; 16])), &me.peer_id(), 5, &[6; 32]);
    let offer = |prekeys| OfferIn { batch: 1, card: &card, prekeys };
    let questions = [
        ("register", Question::Register { key: key(), invitation: invitation(), offer: offer(vec![&prekey[..]]) }),
        ("renew", Question::Renew { invitation: invitation(), revoked: vec![[4; 16]; 2], offer: offer(vec![]) }),
        ("fetch", Question::Fetch { queue, after: 258 }),
        ("wait", Question::Wait { queue, after: 258, seconds: 300 }),
        ("delete-up-to", Question::Delete { queue, what: Delete::UpTo(7) }),
        ("delete-these", Question::Delete { queue, what: Delete::These(vec![1, 5, 9]) }),
        ("drop", Question::Drop { queue }),
        ("deposit", deposit(None, Proof::None)),
        ("deposit-token", deposit(Some([5; 16]), Proof::None)),
        ("deposit-work", deposit(None, Proof::Work { day: 19_675, nonce: 77 })),
        ("deposit-invited", deposit(None, invited)),
        ("card", Question::Card { owner: me.peer_id(), want_prekey: true }),
    ];
    let items = [3, 8].map(|number| PageItem { number, sealed: sealed.clone() }).to_vec();
    let answers = [
        ("done", Answer::Done),
        ("kept", Answer::Kept { prekeys: 80 }),
        ("page", Answer::Page { more: true, prekeys: 7, items }),
        ("stored", Answer::Stored),
        ("card", Answer::Card { card: b"card".to_vec(), prekey: Some(b"prekey".to_vec()) }),
        ("waited", Answer::Waited { came: true }),
        ("full", Answer::Full { retry_after: 3_600 }),
        ("work", Answer::Work { level: 16 }),
        ("no-box", Answer::NoBox),
    ];
    let mut seeds: Seeds = Vec::new();
    for (name, question) in questions {
        let bytes = question.encode().unwrap();
        seeds.push(seed(&format!("question-{name}"), 0, &bytes));
        if bytes.len() < 1_000 {
            // Kind and body, whose length is filled in.
            seeds.push(seed(&format!("framed-{name}"), 2, [&bytes[1..2], &bytes[6..]].concat()));
        }
    }
    for (name, answer) in answers {
        let bytes = answer.encode().unwrap();
        seeds.push(seed(&format!("answer-{name}"), 1, &bytes));
        seeds.push(seed(&format!("framed-answer-{name}"), 3, [&bytes[1..2], &bytes[6..]].concat()));
    }
    seeds.push(seed("proof", 4, [1, 0, 9, 0, 3, 1, 2, 3, 4]));
    seeds
}
