//! Peers the user has dealt with: contacts, blocked and declined ones. Strangers make no row here.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{PeerId, Tail, WallTime};
use crate::identity::RequestToken;
use crate::store::RowKey;

table! {
    /// Keyed by peer.
    Peers = 2, Root, PeerRow;
    /// The newest verified card of a peer we write to; keyed by peer.
    Cards = 3, Root, CardRow;
}

/// The key of everything that there is one of per peer.
pub fn peer_key(peer: &PeerId) -> RowKey {
    RowKey::new().peer(peer)
}

/// What is kept of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRow {
    /// Who.
    pub peer: PeerId,
    /// Set while the peer is a contact.
    pub contact: Option<Contact>,
    /// The name they announce.
    pub announced_name: String,
    /// The name they had when they were first accepted, under which they are shown from then on (empty: none yet).
    pub known_as: String,
    /// It was told only afterwards, when it meant somebody else: it is shown, and means them if it means nobody else.
    pub is_name_taken: bool,
    /// Whether we block them.
    pub blocked: bool,
    /// Until when their requests are dropped quietly.
    pub declined_until: Option<WallTime>,
    /// Whether they have accepted us: they wrote to us, or said so.
    pub accepted: bool,
    /// When each of the messages was sealed that count before they accept (REQ-10).
    pub unaccepted_sent: Vec<WallTime>,
    /// Addresses from a link, or that they told us.
    pub addrs: Vec<String>,
    /// Their request token, from a link.
    pub token: Option<RequestToken>,
    /// Digest of the profile (name, addresses) last queued for them.
    pub profile_sent: u64,
    /// When a healing handshake was last begun.
    pub healed_at: Option<WallTime>,
    /// When a reset of theirs was last obeyed.
    pub reset_at: Option<WallTime>,
    /// When something that they passed over last went again.
    pub passed_at: Option<WallTime>,
    /// How often that was, one time after another.
    pub passed_times: u32,
    /// A healing handshake is due: their envelopes do not open.
    pub heal_due: bool,
    /// One was made for their mailboxes, and nothing of theirs has opened since: what waits goes again when something does.
    pub healing: bool,
    /// When something of theirs opened, or up to a day before that.
    pub heard_at: Option<WallTime>,
    /// How much of their messages is kept at most; `None`: `CONTACT_QUOTA`.
    pub quota: Option<u64>,
    /// The user was told that there is as much.
    pub full_told: bool,
    /// What other versions know.
    pub tail: Tail,
}

impl PeerRow {
    /// A row that says nothing yet.
    pub const fn new(peer: PeerId) -> Self {
        Self {
            peer,
            contact: None,
            announced_name: String::new(),
            known_as: String::new(),
            is_name_taken: false,
            blocked: false,
            declined_until: None,
            accepted: false,
            unaccepted_sent: Vec::new(),
            addrs: Vec::new(),
            token: None,
            profile_sent: 0,
            healed_at: None,
            reset_at: None,
            passed_at: None,
            passed_times: 0,
            heal_due: false,
            healing: false,
            heard_at: None,
            quota: None,
            full_told: false,
            tail: Tail::new(),
        }
    }

    /// Whether it is listed with the contacts: blocked strangers are, too.
    pub const fn is_listed(&self) -> bool {
        self.contact.is_some() || self.blocked
    }

    /// Whether it is a contact, and heard as one.
    pub const fn is_contact(&self) -> bool {
        self.contact.is_some() && !self.blocked
    }

    /// How much of their messages is kept at most.
    pub fn quota(&self) -> u64 {
        self.quota.unwrap_or(crate::base::limits::CONTACT_QUOTA)
    }

    /// The name of their own under which they are shown: they cannot change it while they are a contact.
    pub fn own_name(&self) -> &str {
        let is_told = self.contact.is_none() && self.known_as.is_empty();
        if is_told { &self.announced_name } else { &self.known_as }
    }

    /// The name that we gave them (empty: none).
    pub fn given_name(&self) -> &str {
        self.contact.as_ref().map_or("", |contact| &contact.own_name)
    }

    /// The name to show: ours for them, else their own.
    pub fn shown_name(&self) -> &str {
        match self.given_name() {
            "" => self.own_name(),
            given => given,
        }
    }

    /// What a contact to whom we gave no name calls himself by now, if it is another name than the one that is shown.
    pub fn calls_himself(&self) -> Option<&str> {
        let has_renamed = self.contact.is_some()
            && self.given_name().is_empty()
            && !self.announced_name.is_empty()
            && self.announced_name != self.known_as;
        has_renamed.then_some(&self.announced_name)
    }
}

/// What makes a peer a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Our own name for them (empty: none).
    pub own_name: String,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Since when.
    pub added_at: WallTime,
}

/// A pinned card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CardRow {
    /// Its sequence: a lower one is refused from now on.
    pub sequence: u64,
    /// The signed card.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}
