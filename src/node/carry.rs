//! Carries out what the messenger wants of the network, and says in its words what the network told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use super::config::{Tap, Tapping};
use crate::base::PeerId;
use crate::messenger::{FrameToken, PeerInput, RefuseReason};
use crate::net::{MailAsk, NetEvent, NetHandle, NetStatus, SendError};

/// Bits of a ticket that count the openings of the store; the rest is the messenger's own number.
const OPENING_SHIFT: u32 = 48;

/// Who is a contact: written by the messenger's outputs, read by the network from many tasks.
#[derive(Clone, Default)]
pub(super) struct Contacts(Arc<RwLock<HashSet<PeerId>>>);

impl Contacts {
    pub(super) fn set(&self, peer: PeerId, contact: bool) {
        let mut peers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if contact {
            peers.insert(peer)
        } else {
            peers.remove(&peer)
        };
    }

    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(peer)
    }
}

/// An envelope for which the network had no room.
struct Held {
    ticket: u64,
    bytes: Arc<[u8]>,
}

/// The network as it is used here; a trait, so that tests can say what it answers.
pub(super) trait Port: Send {
    fn connect(&self, peer: PeerId, addrs: &[String]) -> Result<(), SendError>;
    fn send_envelope(&self, peer: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Result<(), SendError>;
    fn fetch_bundle(&self, peer: PeerId, ticket: u64, want_prekey: bool) -> Result<(), SendError>;
    fn answer_bundle(&self, request: u64, card: Vec<u8>, prekey: Option<Vec<u8>>);
    fn answer_mail(&self, request: u64, answer: Vec<u8>);
    fn hold_mail(&self, request: u64);
    fn ring_mail(&self, owner: &PeerId);
    fn ask_mailbox(&self, ask: MailAsk) -> Result<(), SendError>;
    fn find_card(&self, peer: PeerId, ticket: u64) -> Result<(), SendError>;
    fn publish_card(&self, owner: PeerId, card: Vec<u8>);
    fn acknowledge(&self, token: FrameToken);
    fn refuse(&self, token: FrameToken, reason: RefuseReason);
    fn status(&self) -> NetStatus;
}

impl Port for NetHandle {
    fn connect(&self, peer: PeerId, addrs: &[String]) -> Result<(), SendError> {
        Self::connect(self, peer, addrs)
    }

    fn send_envelope(&self, peer: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Result<(), SendError> {
        Self::send_envelope(self, peer, ticket, bytes)
    }

    fn fetch_bundle(&self, peer: PeerId, ticket: u64, want_prekey: bool) -> Result<(), SendError> {
        Self::fetch_bundle(self, peer, ticket, want_prekey)
    }

    fn answer_bundle(&self, request: u64, card: Vec<u8>, prekey: Option<Vec<u8>>) {
        Self::answer_bundle(self, request, card, prekey);
    }

    fn answer_mail(&self, request: u64, answer: Vec<u8>) {
        Self::answer_mail(self, request, answer);
    }

    fn hold_mail(&self, request: u64) {
        Self::hold_mail(self, request);
    }

    fn ring_mail(&self, owner: &PeerId) {
        Self::ring_mail(self, owner);
    }

    fn ask_mailbox(&self, ask: MailAsk) -> Result<(), SendError> {
        Self::ask_mailbox(self, ask)
    }

    fn find_card(&self, peer: PeerId, ticket: u64) -> Result<(), SendError> {
        Self::find_card(self, peer, ticket)
    }

    fn publish_card(&self, owner: PeerId, card: Vec<u8>) {
        Self::publish_card(self, owner, card);
    }

    fn acknowledge(&self, token: FrameToken) {
        Self::acknowledge(self, token);
    }

    fn refuse(&self, token: FrameToken, reason: RefuseReason) {
        Self::refuse(self, token, reason);
    }

    fn status(&self) -> NetStatus {
        Self::status(self)
    }
}

/// The network's side of the messenger. Without a network, everything is dropped: it is derived again from rows.
pub(super) struct Carrier {
    net: Option<Box<dyn Port>>,
    contacts: Contacts,
    tap: Option<Tapping>,
    /// Envelopes waiting for the next outcome of their peer; the messenger's window bounds them.
    held: HashMap<PeerId, VecDeque<Held>>,
    /// Where the user says that somebody is; tried at every dial, before what the messenger knows.
    bootstrap: HashMap<PeerId, Vec<String>>,
    /// How often the store was opened: a ticket of a former messenger means nothing to the present one.
    opening: u64,
}

impl Carrier {
    pub(super) fn new(net: Option<Box<dyn Port>>, contacts: Contacts, tap: Option<Tapping>) -> Self {
        Self { net, contacts, tap, held: HashMap::new(), bootstrap: HashMap::new(), opening: 0 }
    }

    /// With addresses that the user gave.
    pub(super) fn with_bootstrap(self, addrs: impl IntoIterator<Item = (PeerId, Vec<String>)>) -> Self {
        Self { bootstrap: addrs.into_iter().collect(), ..self }
    }

    pub(super) fn class(&self, peer: PeerId, contact: bool) {
        self.contacts.set(peer, contact);
    }

    /// The messenger begins anew: what it had on its way is forgotten.
    pub(super) fn reopened(&mut self) {
        self.opening += 1;
        self.held.clear();
    }

    /// What a new messenger must be told of the present.
    pub(super) fn present(&self) -> Vec<PeerInput> {
        let Some(net) = &self.net else { return Vec::new() };
        let status = net.status();
        let relays = relays(&status);
        let connected = status.peers.into_iter().map(|peer| PeerInput::Connected(peer.peer));
        [PeerInput::Listening(status.listen_addrs), PeerInput::Relays(relays)].into_iter().chain(connected).collect()
    }

    pub(super) fn connect(&self, peer: PeerId, addrs: &[String]) -> Option<PeerInput> {
        let given = self.bootstrap.get(&peer).into_iter().flatten();
        let addrs: Vec<String> = given.chain(addrs).cloned().collect();
        let outcome = self.net.as_ref()?.connect(peer, &addrs);
        outcome.is_err().then_some(PeerInput::Unreachable(peer))
    }

    pub(super) fn send(&mut self, peer: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Option<PeerInput> {
        if let Some(tap) = &self.tap {
            tap(Tap { outbound: true, peer, bytes: &bytes });
        }
        self.hand_over(peer, Held { ticket, bytes })
    }

    fn hand_over(&mut self, peer: PeerId, held: Held) -> Option<PeerInput> {
        let net = self.net.as_ref()?;
        if let Some(queue) = self.held.get_mut(&peer).filter(|queue| !queue.is_empty()) {
            queue.push_back(held);
            return None;
        }
        match net.send_envelope(peer, self.opening << OPENING_SHIFT | held.ticket, held.bytes.clone()) {
            Ok(()) => None,
            Err(SendError::Full) => {
                self.held.entry(peer).or_default().push_back(held);
                None
            }
            // More than this envelope will not go: the messenger returns all that is on its way.
            Err(SendError::NotConnected | SendError::Stopped) => {
                self.held.remove(&peer);
                Some(PeerInput::Disconnected(peer))
            }
            Err(SendError::TooLarge | SendError::Oneself) => {
                Some(PeerInput::Refused { peer, ticket: held.ticket, reason: RefuseReason::Malformed })
            }
        }
    }

    /// Something on its way to this peer has ended: there is room again.
    fn retry(&mut self, peer: PeerId) -> Option<PeerInput> {
        let mut queue = self.held.remove(&peer)?;
        while let Some(held) = queue.pop_front() {
            let said = self.hand_over(peer, held);
            if said.is_some() {
                return said;
            }
            if let Some(again) = self.held.get_mut(&peer) {
                // No room yet: what could not go stands first, the rest behind it.
                again.append(&mut queue);
            }
        }
        None
    }

    pub(super) fn fetch_bundle(&self, peer: PeerId, ticket: u64, want_prekey: bool) -> Option<PeerInput> {
        match self.net.as_ref()?.fetch_bundle(peer, self.opening << OPENING_SHIFT | ticket, want_prekey) {
            Ok(()) => None,
            Err(SendError::NotConnected) => Some(PeerInput::Disconnected(peer)),
            Err(_) => Some(PeerInput::BundleFailed { peer, ticket }),
        }
    }

    pub(super) fn answer_bundle(&self, request: u64, card: Vec<u8>, prekey: Option<Vec<u8>>) {
        if let Some(net) = &self.net {
            net.answer_bundle(request, card, prekey);
        }
    }

    pub(super) fn answer_mail(&self, request: u64, answer: Vec<u8>) {
        if let Some(net) = &self.net {
            net.answer_mail(request, answer);
        }
    }

    pub(super) fn hold_mail(&self, request: u64) {
        if let Some(net) = &self.net {
            net.hold_mail(request);
        }
    }

    pub(super) fn ring_mail(&self, owner: &PeerId) {
        if let Some(net) = &self.net {
            net.ring_mail(owner);
        }
    }

    pub(super) fn ask_mailbox(&self, ask: MailAsk) -> Option<PeerInput> {
        let (mailbox, ticket) = (ask.mailbox, ask.ticket);
        let asked = self.net.as_ref()?.ask_mailbox(MailAsk { ticket: self.opening << OPENING_SHIFT | ticket, ..ask });
        asked.is_err().then_some(PeerInput::MailFailed { mailbox, ticket })
    }

    pub(super) fn find_card(&self, peer: PeerId, ticket: u64) -> Option<PeerInput> {
        let asked = self.net.as_ref()?.find_card(peer, self.opening << OPENING_SHIFT | ticket);
        asked.is_err().then_some(PeerInput::CardNotFound { peer, ticket, asked: 0 })
    }

    pub(super) fn publish_card(&self, owner: PeerId, card: Vec<u8>) {
        if let Some(net) = &self.net {
            net.publish_card(owner, card);
        }
    }

    pub(super) fn acknowledge(&self, token: FrameToken) {
        if let Some(net) = &self.net {
            net.acknowledge(token);
        }
    }

    pub(super) fn refuse(&self, token: FrameToken, reason: RefuseReason) {
        if let Some(net) = &self.net {
            net.refuse(token, reason);
        }
    }

    /// An event in the messenger's words, and perhaps what follows from it at once.
    pub(super) fn understand(&mut self, event: NetEvent) -> Vec<PeerInput> {
        let one = |input| vec![input];
        match event {
            NetEvent::Connected(peer) => one(PeerInput::Connected(peer)),
            NetEvent::Disconnected(peer) => {
                self.held.remove(&peer);
                one(PeerInput::Disconnected(peer))
            }
            NetEvent::Unreachable(peer) => one(PeerInput::Unreachable(peer)),
            NetEvent::Discovered(peer) => one(PeerInput::Discovered(peer)),
            NetEvent::Envelope { from, token, bytes } => {
                if let Some(tap) = &self.tap {
                    tap(Tap { outbound: false, peer: from, bytes: &bytes });
                }
                one(PeerInput::Envelope { from, token, bytes })
            }
            NetEvent::Acked { peer, ticket } => self.outcome(peer, ticket, |ticket| PeerInput::Acked { peer, ticket }),
            NetEvent::Refused { peer, ticket, reason } => {
                self.outcome(peer, ticket, |ticket| PeerInput::Refused { peer, ticket, reason })
            }
            NetEvent::Lost { peer, ticket } => self.outcome(peer, ticket, |ticket| PeerInput::Lost { peer, ticket }),
            NetEvent::Bundle { peer, ticket, card, prekey } => {
                self.own(ticket).map(|ticket| PeerInput::Bundle { peer, ticket, card, prekey }).into_iter().collect()
            }
            NetEvent::BundleFailed { peer, ticket } => {
                self.own(ticket).map(|ticket| PeerInput::BundleFailed { peer, ticket }).into_iter().collect()
            }
            NetEvent::BundleRequested { from, request, want_prekey } => {
                one(PeerInput::BundleRequested { from, request, want_prekey })
            }
            NetEvent::MailAsked { from, request, question } => one(PeerInput::Mail { from, request, question }),
            NetEvent::MailAnswered { mailbox, ticket, answer } => {
                let told = self.own(ticket).map(|ticket| PeerInput::MailAnswered { mailbox, ticket, answer });
                told.into_iter().collect()
            }
            NetEvent::MailFailed { mailbox, ticket } => {
                self.own(ticket).map(|ticket| PeerInput::MailFailed { mailbox, ticket }).into_iter().collect()
            }
            NetEvent::CardFound { peer, ticket, card } => {
                self.own(ticket).map(|ticket| PeerInput::CardFound { peer, ticket, card }).into_iter().collect()
            }
            NetEvent::CardNotFound { peer, ticket, asked } => {
                self.own(ticket).map(|ticket| PeerInput::CardNotFound { peer, ticket, asked }).into_iter().collect()
            }
            NetEvent::KnownPeers(peers) => one(PeerInput::KnownPeers(peers)),
            NetEvent::CardPublished { owner, copies } => {
                tracing::debug!(?owner, copies, "a card stands in the DHT");
                Vec::new()
            }
            NetEvent::Listening(_) | NetEvent::Expired(_) => {
                let addrs = self.net.as_ref().map(|net| net.status().listen_addrs);
                addrs.map(PeerInput::Listening).into_iter().collect()
            }
            NetEvent::Relays(relays) => one(PeerInput::Relays(relays)),
        }
    }

    fn outcome(&mut self, peer: PeerId, ticket: u64, input: impl FnOnce(u64) -> PeerInput) -> Vec<PeerInput> {
        let told = self.own(ticket).map(input);
        told.into_iter().chain(self.retry(peer)).collect()
    }

    /// The messenger's own number, if it is the present messenger's.
    const fn own(&self, ticket: u64) -> Option<u64> {
        if ticket >> OPENING_SHIFT == self.opening { Some(ticket & ((1 << OPENING_SHIFT) - 1)) } else { None }
    }
}

/// The relays in use, each with the addresses at which it is reached.
fn relays(status: &NetStatus) -> Vec<(PeerId, Vec<String>)> {
    let mut relays: Vec<(PeerId, Vec<String>)> = Vec::new();
    for relay in &status.relays {
        // What stands before `/p2p/RELAY/p2p-circuit`.
        let Some((addr, _)) = relay.addr.split_once("/p2p/") else { continue };
        match relays.iter_mut().find(|(known, _)| *known == relay.peer) {
            Some((_, addrs)) => addrs.push(addr.to_owned()),
            None => relays.push((relay.peer, vec![addr.to_owned()])),
        }
    }
    relays
}

#[cfg(test)]
mod tests;
