//! One side of the world: a messenger in a place of its own. What is in an envelope only its recipient can tell; he is
//! asked in a way of which he keeps nothing.

use crate::base::event::Event;
use crate::base::shown::Message;
use crate::base::{MessageId, MonoTime, Now, PeerId, Secret, WallTime};
use crate::content::{self, Capsule, Item, MimiContent};
use crate::envelope::seal::SealedIn;
use crate::envelope::{self, EnvelopeKind};
use crate::identity::{IdentityKey, IdentityKeypair};
use crate::messenger::io::{Input, Output};
use crate::messenger::{Messenger, query};
use crate::session::{FirstContactIn, ResponderKeys, SealedKind};
use crate::store::Reader;
use crate::store::testing::Place;

/// A messenger that can be closed and opened again.
pub(super) struct Side {
    pub(super) id: PeerId,
    pub(super) wake: MonoTime,
    place: Place,
    seed: Secret<32>,
    messenger: Option<Messenger>,
    /// As of the last input.
    wall: WallTime,
}

/// What an envelope says.
#[derive(Clone, Debug, Default)]
pub(super) struct Says {
    /// The messages in it.
    pub(super) messages: Vec<MessageId>,
    pub(super) delivered: Vec<MessageId>,
    pub(super) read: Vec<MessageId>,
    /// Whether it tells where its sender is.
    pub(super) addresses: bool,
}

impl Side {
    pub(super) fn new(seed: u64) -> Self {
        let mut place = Place::new(seed);
        let me = IdentityKeypair::generate(&mut place.rng);
        Self { id: me.peer_id(), wake: MonoTime(0), place, seed: me.seed(), messenger: None, wall: WallTime(0) }
    }

    /// Opens it, or opens it again.
    pub(super) fn open(&mut self, now: Now) -> Vec<Output> {
        self.messenger = None;
        (self.place.now, self.wall) = (now, now.wall);
        let store = self.place.open().unwrap();
        let me = IdentityKeypair::from_seed(&self.seed);
        let (messenger, outputs) = Messenger::open(store, me, now, &mut self.place.rng).unwrap();
        self.messenger = Some(messenger);
        outputs
    }

    pub(super) fn handle(&mut self, inputs: Vec<Input>, now: Now) -> Vec<Output> {
        self.wall = now.wall;
        self.messenger.as_mut().unwrap().handle(inputs, now, &mut self.place.rng)
    }

    /// Commits fail from now on.
    pub(super) fn break_store(&self) {
        self.messenger.as_ref().unwrap().store.close();
    }

    pub(super) fn rows(&self) -> Reader {
        self.messenger.as_ref().unwrap().reader()
    }

    pub(super) fn shown(&self, id: &MessageId) -> Option<Message> {
        query::message(&self.rows(), self.id, id, self.wall).unwrap()
    }

    pub(super) fn history(&self, with: PeerId) -> Vec<Message> {
        query::history(&self.rows(), self.id, &with, None, 1_000, self.wall).unwrap()
    }

    /// All messages with somebody.
    pub(super) fn all(&self, with: PeerId) -> Vec<MessageId> {
        let mut found: Vec<MessageId> = Vec::new();
        loop {
            let page = query::history(&self.rows(), self.id, &with, found.last(), 1_000, self.wall).unwrap();
            if page.is_empty() {
                return found;
            }
            found.extend(page.iter().rev().map(|view| view.message_id));
        }
    }

    pub(super) fn events(&self, since: u64) -> Vec<Event> {
        query::events(&self.rows(), since, 10_000).unwrap()
    }

    /// What an envelope of `from` says; `None`: it does not open.
    pub(super) fn peek(&mut self, from: PeerId, bytes: &[u8], now: Now) -> Option<Says> {
        let messenger = self.messenger.as_mut()?;
        let (mut buf, mut out) = (messenger.store.begin(), Vec::new());
        let tx = messenger.tx(&mut buf, &mut out, now, &mut self.place.rng);
        let envelope = envelope::decode(bytes).ok()?;
        let mut set = tx.sessions(&from).ok()?;
        let (me, clock) = (tx.my_id(), tx.deadline_clock());
        let opened = if envelope.kind == EnvelopeKind::FirstContact {
            let (first, identity) =
                (FirstContactIn::parse(envelope.payload).ok()?, IdentityKey::from_peer_id(from).ok()?);
            let card = tx.card_keys_of(first.header.prekey_id).ok()?;
            let one_time = first.one_time_id().and_then(|id| tx.one_time_of(id).ok()?);
            let keys = card.as_ref().map(|card| ResponderKeys {
                prekey: &card.keys.prekey,
                kem: one_time.as_ref().map_or(&card.keys.kem, |row| &row.keys.kem),
                one_time: one_time.as_ref().map(|row| &row.keys.dh),
            });
            set.open_first(tx.me, &identity, &first, keys, clock)
        } else {
            set.open_session(me, from, envelope.payload, clock)
        };
        let capsule = Capsule::decode(&opened.ok()?.plaintext).ok()?;
        Some(said(capsule))
    }

    /// The same of one that was sealed for a mailbox: the envelope, and what it says.
    pub(super) fn peek_sealed(&mut self, sealed: &[u8], now: Now) -> Option<(Vec<u8>, Option<Says>)> {
        let messenger = self.messenger.as_mut()?;
        let (mut buf, mut out) = (messenger.store.begin(), Vec::new());
        let tx = messenger.tx(&mut buf, &mut out, now, &mut self.place.rng);
        let sealed = SealedIn::decode(sealed).ok()?;
        let keys = tx.card_keys().ok()?.into_iter().find(|row| row.keys.seal_id == sealed.seal_id())?;
        let (from, envelope) = sealed.open(&keys.keys.seal).ok()?;
        let says = self.peek(from, &envelope, now);
        Some((envelope, says))
    }

    /// An envelope that says this, in the session with `to`, if there is one.
    pub(super) fn write(&mut self, to: PeerId, items: Vec<Item>, now: Now) -> Option<Vec<u8>> {
        let messenger = self.messenger.as_mut()?;
        let (mut buf, mut out) = (messenger.store.begin(), Vec::new());
        let mut tx = messenger.tx(&mut buf, &mut out, now, &mut self.place.rng);
        let mut set = tx.sessions(&to).ok().filter(crate::session::SessionSet::can_send)?;
        let clock = tx.deadline_clock();
        let sealed = set.encrypt(&Capsule { items }.encode(), &mut *tx.rng, clock).ok()?;
        tx.put_sessions(&to, &set).unwrap();
        messenger.store.commit(buf, &mut self.place.rng).unwrap();
        let kind = match sealed.kind {
            SealedKind::First => EnvelopeKind::FirstContact,
            SealedKind::Session => EnvelopeKind::Session,
        };
        Some(envelope::encode(kind, &sealed.payload).unwrap())
    }
}

fn said(capsule: Capsule) -> Says {
    let mut says = Says::default();
    for item in capsule.items {
        match item {
            Item::Message { body, .. } => {
                let mimi = MimiContent::decode(&body).unwrap();
                let (sender, room) = (mimi.sender_uri().unwrap(), mimi.room_uri().unwrap());
                says.messages.push(content::message_id(sender, room, &body, &mimi.salt));
            }
            Item::Status(report) => {
                says.delivered.extend(report.delivered);
                says.read.extend(report.read);
            }
            Item::Addresses(_) => says.addresses = true,
            _ => {}
        }
    }
    says
}
