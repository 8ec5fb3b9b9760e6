//! Strangers by the hundred, who cost little: each is an identity and the sessions that he begins. They have no node, and
//! nothing comes to them but the answers to what they bring.

use std::net::Ipv4Addr;

use rohrpost::base::Origin;
use rohrpost::content::{self, Capsule, Introduction, Item, mimi};
use rohrpost::envelope::mailbox::{
    Answer as MailAnswer, Deposit, InvitationKey, OfferIn, Proof, Question, QueueKey, day_of, search,
};
use rohrpost::envelope::{EnvelopeKind, encode, seal};
use rohrpost::identity::{Card, CardContent, CardIn, CardKeys, IdentityKey};
use rohrpost::session::{RemoteBundle, SealedKind, SessionSet};

use super::*;

/// Whoever has no node.
pub(super) const NOBODY: usize = usize::MAX;
/// Strangers in one network.
const NEIGHBOURS: u32 = 100;
/// Letters that share a commit.
const AT_ONCE: usize = 200;

/// Somebody without a node.
pub struct Stranger {
    me: IdentityKeypair,
    origin: Origin,
    set: SessionSet,
    said: u64,
}

impl Stranger {
    pub fn id(&self) -> PeerId {
        self.me.peer_id()
    }
}

/// What was answered to strangers.
#[derive(Default)]
pub struct Crowd {
    strangers: u32,
    cards: BTreeMap<u64, Vec<u8>>,
    pub(super) letters: BTreeMap<u64, Result<(), RefuseReason>>,
    mail: BTreeMap<u64, Vec<u8>>,
}

impl Crowd {
    pub(super) fn card(&mut self, ticket: u64, card: Vec<u8>) {
        self.cards.insert(ticket, card);
    }

    pub(super) fn mail(&mut self, ticket: u64, answer: &[u8]) {
        self.mail.insert(ticket, answer.to_vec());
    }
}

impl World {
    /// Somebody new, at an address of his own.
    pub fn stranger(&mut self) -> Stranger {
        let number = self.crowd.strangers;
        self.crowd.strangers += 1;
        let address = (150 << 24) + (number / NEIGHBOURS * 256) + number % NEIGHBOURS + 1;
        let origin = Origin::of_ip(Ipv4Addr::from_bits(address).into());
        let me = IdentityKeypair::generate(&mut self.rng);
        Stranger { me, origin, set: SessionSet::default(), said: 0 }
    }

    /// The card of somebody, as he gives it to everybody.
    pub fn card(&mut self, who: Who) -> Card {
        self.next += 1;
        let (request, ticket) = (self.next, self.next);
        self.requests.insert(request, (NOBODY, 0, ticket));
        let from = ANONYMOUS;
        let asked = Event::BundleRequested { from, request, want_prekey: false };
        self.handle(who.0, vec![Input::Net(asked)]);
        let card = self.crowd.cards.remove(&ticket).expect("everybody is given it");
        let owner = IdentityKey::from_peer_id(self.id(who)).unwrap();
        CardIn::decode(&card).unwrap().verify(&owner, WallTime(0)).unwrap()
    }

    /// A stranger begins a session, whatever he had before.
    pub fn begins(&mut self, stranger: &mut Stranger, card: &Card) {
        let now = self.clock().wall;
        let bundle = RemoteBundle::of_card(card);
        stranger.set.give_up(now);
        stranger.set.begin(&stranger.me, &bundle, &mut self.rng, now).unwrap();
    }

    /// What a stranger writes in the session that he began last: a first contact still, as nobody has answered.
    pub fn letter(&mut self, stranger: &mut Stranger, to: PeerId, text: &str, token: Option<&RequestToken>) -> Vec<u8> {
        let mut salt = [0; 16];
        self.rng.fill_bytes(&mut salt);
        stranger.said += 1;
        let (sender, room) = (content::sender_uri(stranger.id()), content::direct_room_uri(stranger.id(), to));
        let body = mimi::text(salt, &sender, &room, stranger.said, text, None).encode();
        let token = token.map(|token| *token.as_bytes());
        let introduction = Introduction { name: None, subject: None, token };
        let message = Item::Message { sent_at: self.clock().wall, body };
        self.sealed(stranger, vec![Item::Introduction(introduction), message])
    }

    /// The same without a message: nothing that could wait for an answer.
    pub fn empty_letter(&mut self, stranger: &mut Stranger) -> Vec<u8> {
        self.sealed(stranger, Vec::new())
    }

    fn sealed(&mut self, stranger: &mut Stranger, items: Vec<Item>) -> Vec<u8> {
        let now = self.clock().wall;
        let sealed = stranger.set.encrypt(&Capsule { items }.encode(), &mut self.rng, now).unwrap();
        assert_eq!(sealed.kind, SealedKind::First);
        encode(EnvelopeKind::FirstContact, &sealed.payload).unwrap()
    }

    /// Strangers bring letters on streams of their own, in this order, while the world stands still. How each is answered.
    pub fn bring(&mut self, to: Who, letters: &[(&Stranger, Vec<u8>)]) -> Vec<Result<(), RefuseReason>> {
        let mut tickets = Vec::new();
        for some in letters.chunks(AT_ONCE) {
            let mut inputs = Vec::new();
            for (stranger, bytes) in some {
                self.next += 1;
                tickets.push(self.next);
                let token = FrameToken { stream: u64::MAX, frame: self.next };
                self.tokens.insert(token, (NOBODY, 0, self.next, false));
                let (from, origin, bytes) = (stranger.id(), Some(stranger.origin), bytes.clone());
                inputs.push(Input::Net(Event::Envelope { from, origin, token, bytes }));
            }
            self.handle(to.0, inputs);
            // Nobody comes at the very same time as another.
            self.now += 1;
        }
        tickets.iter().map(|ticket| self.crowd.letters.remove(ticket).expect("every envelope is answered")).collect()
    }

    /// What strangers ask of a house, in this order, and what it answers.
    fn ask(&mut self, house: Who, questions: &[(PeerId, Option<Origin>, Vec<u8>)]) -> Vec<MailAnswer> {
        let mut tickets = Vec::new();
        for some in questions.chunks(AT_ONCE) {
            let mut inputs = Vec::new();
            for (from, origin, question) in some.iter().cloned() {
                self.next += 1;
                tickets.push(self.next);
                self.mail.asked_by_nobody(self.next, house.0);
                inputs.push(Input::Net(Event::Mail { from, origin, request: self.next, question }));
            }
            self.handle(house.0, inputs);
            self.now += 1;
        }
        let answers = tickets.iter().map(|ticket| self.crowd.mail.remove(ticket).expect("it is answered at once"));
        answers.map(|answer| MailAnswer::decode(&answer).unwrap()).collect()
    }

    /// Strangers leave letters for somebody at a mailbox of his, with as much work as is asked of them, until there is no room.
    /// How many were kept.
    pub fn fill_slot(&mut self, house: Who, card: &Card, at_most: usize) -> usize {
        let recipient = card.peer();
        for kept in 0..at_most {
            let mut stranger = self.stranger();
            self.begins(&mut stranger, card);
            let letter = self.letter(&mut stranger, recipient, "in the mailbox", None);
            let sealed =
                seal::seal(&card.queue, card.seal_id, &card.seal, stranger.id(), &letter, &mut self.rng).unwrap();
            let day = day_of(self.clock_of(house.0).wall);
            let mut proof = Proof::None;
            loop {
                let deposit = Deposit { recipient, token: None, proof, sealed: &sealed };
                let question = Question::Deposit(deposit).encode().unwrap();
                match self.ask(house, &[(ANONYMOUS, None, question)])[0] {
                    MailAnswer::Work { level } => {
                        let hash = rohrpost::crypto::hash::sha256(&[&sealed]);
                        let nonce = search(&recipient, day, &hash, level, 0, u64::MAX).unwrap();
                        proof = Proof::Work { day, nonce };
                    }
                    MailAnswer::Stored => break,
                    MailAnswer::Full { .. } => return kept,
                    ref other => panic!("a stranger's letter is answered {other:?}"),
                }
            }
        }
        at_most
    }

    /// So many strangers have a box each made for them at a house, from a network each.
    pub fn fill_house(&mut self, house: Who, count: usize) -> usize {
        let keys = CardKeys::generate(&mut self.rng);
        let now = self.clock().wall;
        let mut questions = Vec::new();
        for _ in 0..count {
            let stranger = self.stranger();
            let card = CardContent::new(&keys, 1, now, [7; 16]).sign(&stranger.me);
            let (key, invitation) = (QueueKey::from_bytes([1; 32]), InvitationKey::from_bytes([2; 32]));
            let offer = OfferIn { batch: 1, card: &card, prekeys: Vec::new() };
            let question = Question::Register { key, invitation, offer }.encode().unwrap();
            let number = self.crowd.strangers;
            let origin = Origin::of_ip(Ipv4Addr::from_bits((11 << 24) + number * 256 + 1).into());
            questions.push((stranger.id(), Some(origin), question));
        }
        let kept = |answer: &MailAnswer| matches!(answer, MailAnswer::Kept { .. });
        self.ask(house, &questions).iter().filter(|answer| kept(answer)).count()
    }

    /// Whether a house keeps a box for somebody.
    pub fn has_box(&mut self, house: Who, owner: Who) -> bool {
        let question = Question::Card { owner: self.id(owner), want_prekey: false }.encode().unwrap();
        let answers = self.ask(house, &[(ANONYMOUS, None, question)]);
        matches!(answers[0], MailAnswer::Card { .. })
    }
}
