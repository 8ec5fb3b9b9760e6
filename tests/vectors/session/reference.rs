//! The naive implementation: one function a formula, all state in the open, both sides at once.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{Millis, Secret};
use rohrpost::crypto::aead;
use rohrpost::crypto::dh::{DhPublic, DhSecret};
use rohrpost::crypto::hash::sha256;
use rohrpost::crypto::kdf::{hkdf, hmac};
use rohrpost::crypto::kem::{KemPublic, KemSecret};
use rohrpost::identity::IdentityKeypair;
use serde_json::{Map, Value, json};

use super::{Dealt, START, hex};

const DAY: Millis = Millis::from_days(1);

/// What is said, in the order of sealing: by Alice or not, when (in days), what.
pub(super) const SCRIPT: &[(bool, u64, &str)] = &[
    (true, 0, "first"),
    (true, 0, "second, with the same header before it"),
    (false, 0, "reply"),
    (false, 0, "reply, second"),
    (true, 1, "turn, and a key on offer"),
    (true, 1, "the same key on offer"),
    (false, 1, "turn, and an answer by ML-KEM"),
    (false, 1, "the same answer"),
    (true, 1, "turn, the offer is settled"),
    (false, 1, ""),
];

/// The order in which they arrive: each before its author's partner says the next that needs it.
const ARRIVALS: &[usize] = &[1, 0, 3, 5, 4, 7, 2, 6, 8, 9];

/// A dictionary of the values on the way.
#[derive(Default)]
struct Notes(Map<String, Value>);

impl Notes {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        assert!(self.0.insert(name.into(), hex(bytes).into()).is_none(), "{name} is noted twice");
    }

    fn number(&mut self, name: &str, number: u64) {
        self.0.insert(name.into(), number.into());
    }
}

fn draw<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    *Secret::<N>::random(rng).expose()
}

fn dh(secret: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    *DhSecret::from_bytes(Secret::new(*secret)).exchange(&DhPublic(*public)).unwrap().expose()
}

fn dh_public(secret: &[u8; 32]) -> [u8; 32] {
    DhSecret::from_bytes(Secret::new(*secret)).public().0
}

fn kem_public(seed: &[u8; 64]) -> Vec<u8> {
    KemSecret::from_seed(Secret::new(*seed)).public().as_bytes().to_vec()
}

/// `(ct, ss) = Encaps(ek, m)`.
fn encapsulate(ek: &[u8], m: [u8; 32]) -> (Vec<u8>, [u8; 32]) {
    let (ct, shared) = KemPublic::from_bytes(ek).unwrap().encapsulate(&mut Dealt(m.into()));
    (ct.as_bytes().to_vec(), *shared.expose())
}

struct Side {
    identity: IdentityKeypair,
    prekey_id: u64,
    prekey: [u8; 32],
    kem_id: u64,
    kem: [u8; 64],
    one_time_id: u64,
    one_time: [u8; 32],
    one_time_kem: [u8; 64],
}

impl Side {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        Self {
            identity: IdentityKeypair::from_seed(&Secret::new(draw(rng))),
            prekey_id: u64::from_be_bytes(draw(rng)),
            prekey: draw(rng),
            kem_id: u64::from_be_bytes(draw(rng)),
            kem: draw(rng),
            one_time_id: u64::from_be_bytes(draw(rng)),
            one_time: draw(rng),
            one_time_kem: draw(rng),
        }
    }

    fn key(&self) -> [u8; 32] {
        *self.identity.peer_id().key_bytes()
    }
}

/// One whole conversation, both sides at once: they have the same root.
struct Reference {
    rng: ChaCha20Rng,
    first_contact: Vec<u8>,
    session: [u8; 16],
    associated: Vec<u8>,
    root: [u8; 32],
    /// Alice's ratchet key, and Bob's, whose first is his prekey; the secret, and of Alice none at first.
    secrets: [Option<[u8; 32]>; 2],
    /// Chain key, N, PN, ML-KEM part of the header of each one's sending chain.
    chains: [([u8; 32], u32, u32, Vec<u8>); 2],
    /// Who turned the ratchet last.
    turned: usize,
    /// Seed of the key on offer, which has no answer yet.
    offer: Option<[u8; 64]>,
}

impl Reference {
    /// SES-10 to SES-13.
    fn begin(mut rng: ChaCha20Rng, alice: &Side, bob: &Side, one_time: bool, notes: &mut Notes) -> Self {
        let ephemeral_secret: [u8; 32] = draw(&mut rng);
        let m: [u8; 32] = draw(&mut rng);
        let ephemeral = dh_public(&ephemeral_secret);
        let prekey = dh_public(&bob.prekey);
        let (kem_id, kem) = if one_time { (bob.one_time_id, bob.one_time_kem) } else { (bob.kem_id, bob.kem) };
        let ek = kem_public(&kem);
        let (ct, ss) = encapsulate(&ek, m);
        let opk = dh_public(&bob.one_time);

        let bob_identity = bob.identity.public().dh_public().0;
        let mut dhs = vec![
            dh(&bob.prekey, &alice.identity.public().dh_public().0),
            dh(&ephemeral_secret, &bob_identity),
            dh(&ephemeral_secret, &prekey),
        ];
        if one_time {
            dhs.push(dh(&ephemeral_secret, &opk));
        }
        let flag = [u8::from(one_time)];
        let key_ids = [bob.prekey_id.to_be_bytes(), kem_id.to_be_bytes()].concat();
        let transcript_input = [
            &[1][..],
            &alice.key(),
            &bob.key(),
            &prekey,
            &flag,
            if one_time { &opk } else { &[0; 32] },
            &ephemeral,
            &key_ids,
            &ek,
            &ct,
        ]
        .concat();
        let transcript = sha256(&[&transcript_input]);
        let ikm = [&[0xff; 32][..], &dhs.concat(), &ss].concat();
        let info = [&b"rohrpost/session/pqxdh/v1"[..], &transcript].concat();
        let root = *hkdf::<32>(&[0; 32], &ikm, &info).expose();
        let first_contact = [&[1][..], &flag, &alice.key(), &ephemeral, &key_ids, &ct].concat();
        let session: [u8; 16] = transcript[..16].try_into().unwrap();

        notes.bytes("random_ephemeral_secret", &ephemeral_secret);
        notes.bytes("random_m", &m);
        notes.bytes("ephemeral", &ephemeral);
        notes.bytes("ek", &ek);
        notes.bytes("ct", &ct);
        notes.bytes("ss", &ss);
        for (n, dh) in dhs.iter().enumerate() {
            notes.bytes(&format!("dh{}", n + 1), dh);
        }
        notes.bytes("transcript_input", &transcript_input);
        notes.bytes("transcript", &transcript);
        notes.bytes("ikm", &ikm);
        notes.bytes("info", &info);
        notes.bytes("root_key", &root);
        notes.bytes("session_id", &session);
        notes.bytes("first_contact_header", &first_contact);

        let associated = [&b"rohrpost/session/associated-data/v1"[..], &alice.key(), &bob.key()].concat();
        let chain = || ([0; 32], 0, 0, Vec::new());
        Self {
            rng,
            first_contact,
            session,
            associated,
            root,
            secrets: [None, Some(bob.prekey)],
            chains: [chain(), chain()],
            turned: 1,
            offer: None,
        }
    }

    /// One sealed message (SES-20 to SES-25, SES-30). A side that did not turn last, turns.
    fn seal(&mut self, by_alice: bool, is_first: bool, offers: bool, plaintext: &[u8], notes: &mut Notes) -> Vec<u8> {
        let who = usize::from(!by_alice);
        if self.turned != who {
            self.turn(who, notes);
        }
        if offers && self.offer.is_none() {
            let seed: [u8; 64] = draw(&mut self.rng);
            notes.bytes("random_kem_seed", &seed);
            self.offer = Some(seed);
        }
        let salt: [u8; 16] = draw(&mut self.rng);
        let (chain, number, previous, answer) = self.chains[who].clone();
        let kem_part = match self.offer {
            Some(seed) if by_alice => [&[1, 0, 0, 0, 1][..], &kem_public(&seed)].concat(),
            _ if answer.is_empty() => vec![0],
            _ => answer.clone(),
        };
        let ratchet_key = dh_public(&self.secrets[who].unwrap());
        let header =
            [&self.session[..], &ratchet_key, &previous.to_be_bytes(), &number.to_be_bytes(), &salt, &kem_part]
                .concat();
        let message_key = *hmac(&chain, &[&[1]]).expose();
        let next_chain = *hmac(&chain, &[&[2]]).expose();
        // SES-24
        let key_and_nonce = *hkdf::<44>(&salt, &message_key, b"rohrpost/session/mk/v1").expose();
        let (key, nonce) = key_and_nonce.split_at(32);
        let associated = [&self.associated[..], &header].concat();
        let body = aead::seal(&Secret::new(key.try_into().unwrap()), nonce.try_into().unwrap(), plaintext, &associated);
        self.chains[who] = (next_chain, number + 1, previous, answer);

        notes.bytes("random_salt", &salt);
        notes.number("pn", previous.into());
        notes.number("n", number.into());
        notes.bytes("ratchet_key", &ratchet_key);
        notes.bytes("chain_key", &chain);
        notes.bytes("message_key", &message_key);
        notes.bytes("next_chain_key", &next_chain);
        notes.bytes("key", key);
        notes.bytes("nonce", nonce);
        notes.bytes("header", &header);
        notes.bytes("associated_data", &associated);
        notes.bytes("body", &body);
        let first = if is_first { &self.first_contact[..] } else { &[] };
        [first, &header, &body].concat()
    }

    /// A root step (SES-21, SES-22).
    fn turn(&mut self, who: usize, notes: &mut Notes) {
        let secret: [u8; 32] = draw(&mut self.rng);
        let theirs = dh_public(&self.secrets[1 - who].unwrap());
        let shared = dh(&secret, &theirs);
        let mut ikm = shared.to_vec();
        let mut info = b"rohrpost/session/root-dh/v1".to_vec();
        let mut part = Vec::new();
        notes.bytes("random_ratchet_secret", &secret);
        notes.bytes("turn_dh", &shared);
        if let (1, Some(seed)) = (who, self.offer.take_if(|_| who == 1)) {
            let m: [u8; 32] = draw(&mut self.rng);
            let ek = kem_public(&seed);
            let (ct, ss) = encapsulate(&ek, m);
            ikm.extend_from_slice(&ss);
            info = [&b"rohrpost/session/root-kem/v1"[..], &sha256(&[&ek, &ct])].concat();
            part = [&[2, 0, 0, 0, 1][..], &ct].concat();
            notes.bytes("random_m", &m);
            notes.bytes("turn_ss", &ss);
        }
        let output = *hkdf::<64>(&self.root, &ikm, &info).expose();
        notes.bytes("turn_root_key_before", &self.root);
        notes.bytes("turn_ikm", &ikm);
        notes.bytes("turn_info", &info);
        self.root = output[..32].try_into().unwrap();
        let chain = output[32..].try_into().unwrap();
        notes.bytes("turn_root_key", &self.root);
        self.chains[who] = (chain, 0, self.chains[who].1, part);
        self.secrets[who] = Some(secret);
        self.turned = who;
    }
}

/// The whole file.
pub(super) fn reference() -> Value {
    let mut rng = ChaCha20Rng::from_seed(*b"rohrpost/session/test-vectors/v1");
    let (alice, bob) = (Side::new(&mut rng), Side::new(&mut rng));
    let conversations: Vec<Value> = [false, true]
        .into_iter()
        .map(|one_time| {
            let mut handshake = Notes::default();
            let inner = ChaCha20Rng::from_seed(draw(&mut rng));
            let mut both = Reference::begin(inner, &alice, &bob, one_time, &mut handshake);
            let messages: Vec<Value> = SCRIPT
                .iter()
                .enumerate()
                .map(|(n, (by_alice, day, text))| {
                    let mut notes = Notes::default();
                    both.seal(*by_alice, n < 2, *by_alice && (4..6).contains(&n), text.as_bytes(), &mut notes);
                    notes.0.insert("from".into(), if *by_alice { "alice" } else { "bob" }.into());
                    notes.0.insert("kind".into(), if n < 2 { "first-contact" } else { "session" }.into());
                    notes.number("time", (START.0) + day * DAY.0);
                    notes.0.insert("plaintext".into(), (*text).into());
                    notes.0.into()
                })
                .collect();
            json!({ "one_time": one_time, "handshake": handshake.0, "messages": messages, "arrivals": ARRIVALS })
        })
        .collect();
    json!({
        "about": "docs/protocol/session.md, section 9. Bytes are hexadecimal; random_… is what was drawn.",
        "alice": { "seed": hex(alice.identity.seed().expose()), "public": hex(&alice.key()) },
        "bob": {
            "seed": hex(bob.identity.seed().expose()),
            "public": hex(&bob.key()),
            "prekey_id": hex(&bob.prekey_id.to_be_bytes()),
            "prekey_secret": hex(&bob.prekey),
            "kem_id": hex(&bob.kem_id.to_be_bytes()),
            "kem_seed": hex(&bob.kem),
            "one_time_id": hex(&bob.one_time_id.to_be_bytes()),
            "one_time_secret": hex(&bob.one_time),
            "one_time_kem_seed": hex(&bob.one_time_kem),
        },
        "conversations": conversations,
    })
}
