//! The contact card: what a peer says about where and how it is reached, signed by it.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::key::IdentityKey;
use super::keypair::IdentityKeypair;
use super::prekey::{CardKeys, PrekeyId};
use super::record::{self, FRAME_LEN, RecordError, Unverified};
use crate::base::cbor::{Reader, Writer};
use crate::base::limits::{
    CARD_AHEAD, CARD_LIFE, MAX_ADDR_LEN, MAX_ADDRS, MAX_CARD, MAX_MAILBOXES, MAX_RELAYS, MAX_WORK,
};
use crate::base::{PeerId, WallTime};
use crate::crypto::dh::DhPublic;
use crate::crypto::kem::KemPublic;

/// The label under which a card is signed (ID-20).
pub(super) const LABEL: &str = "rohrpost/identity/card/v1";
/// Fields of the body: keys 0 to 12.
const FIELDS: usize = 13;

/// Who may write to the owner, as published. A hint for the sender: the owner enforces it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestPolicy {
    /// 0: strangers' first messages wait as requests.
    #[default]
    Requests,
    /// 1: contacts, and whoever has the link.
    Contacts,
    /// 2: nobody who is not a contact, invited or not.
    Nobody,
    /// Of a newer program; to be treated as [`RequestPolicy::Requests`] (ID-26).
    Other(u8),
}

impl RequestPolicy {
    /// From its number on the wire.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Requests,
            1 => Self::Contacts,
            2 => Self::Nobody,
            other => Self::Other(other),
        }
    }

    /// Its number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Requests => 0,
            Self::Contacts => 1,
            Self::Nobody => 2,
            Self::Other(code) => code,
        }
    }
}

/// A node that does something for the owner, and where it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Who. Not checked to be a sound key: [`IdentityKey::from_peer_id`] before it is used (ID-24).
    pub peer: PeerId,
    /// Multiaddresses in textual form; hints.
    pub addrs: Vec<String>,
}

/// A relay has the same form as a mailbox.
pub type Relay = Mailbox;

/// What a card says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardContent {
    /// Grows with every card of its owner: [`next_sequence`].
    pub sequence: u64,
    /// When it was made, by the owner's clock.
    pub issued: WallTime,
    /// Until when it is valid: at most 9 days after `issued`.
    pub expires: WallTime,
    /// Names `prekey`.
    pub prekey_id: PrekeyId,
    /// The X25519 prekey, `SPK`.
    pub prekey: DhPublic,
    /// Names `kem`.
    pub kem_id: PrekeyId,
    /// The ML-KEM-768 prekey; it passed the modulus check.
    pub kem: KemPublic,
    /// Names `seal`.
    pub seal_id: PrekeyId,
    /// The X25519 seal key.
    pub seal: DhPublic,
    /// The queue that mailboxes keep for the owner.
    pub queue: [u8; 16],
    /// Where envelopes may be left, at most 3.
    pub mailboxes: Vec<Mailbox>,
    /// Through whom the owner may be reached, at most 3.
    pub relays: Vec<Relay>,
    /// Who may write.
    pub policy: RequestPolicy,
    /// Leading zero bits of the proof of work asked of uninvited strangers, at most 24; 0: none.
    pub work: u8,
}

impl CardContent {
    /// A card with these keys, valid from `issued` for as long as may be. It names neither mailboxes nor relays, lets
    /// strangers write, and asks for no work.
    pub fn new(keys: &CardKeys, sequence: u64, issued: WallTime, queue: [u8; 16]) -> Self {
        Self {
            sequence,
            issued,
            expires: issued + CARD_LIFE,
            prekey_id: keys.prekey_id,
            prekey: keys.prekey.public(),
            kem_id: keys.kem_id,
            kem: keys.kem.public(),
            seal_id: keys.seal_id,
            seal: keys.seal.public(),
            queue,
            mailboxes: Vec::new(),
            relays: Vec::new(),
            policy: RequestPolicy::Requests,
            work: 0,
        }
    }

    /// Signs and encodes: deterministic CBOR of at most `MAX_CARD` bytes that [`CardIn::decode`]
    /// always takes (ID-20 to ID-25).
    ///
    /// What is beyond a bound is left out, not refused: mailboxes and relays beyond 3 or named
    /// twice, addresses that are no addresses, beyond 8, or too many to fit (of the longest list
    /// first); `expires` and `work` are brought inside their bounds.
    pub fn sign(&self, owner: &IdentityKeypair) -> Vec<u8> {
        let mut content = self.bounded();
        let mut body = content.encode_body(owner.peer_id());
        while body.len() + FRAME_LEN > MAX_CARD && content.drop_address() {
            body = content.encode_body(owner.peer_id());
        }
        record::sign(owner, LABEL, &body)
    }

    fn bounded(&self) -> Self {
        let mut content = self.clone();
        content.expires = self.expires.clamp(self.issued, self.issued + CARD_LIFE);
        content.work = self.work.min(MAX_WORK);
        content.mailboxes = bounded_nodes(&self.mailboxes, MAX_MAILBOXES);
        content.relays = bounded_nodes(&self.relays, MAX_RELAYS);
        content
    }

    /// Drops the last address of the longest list, a relay's before a mailbox's; `false`: there is none.
    fn drop_address(&mut self) -> bool {
        let nodes = self.mailboxes.iter_mut().chain(&mut self.relays);
        nodes.max_by_key(|node| node.addrs.len()).is_some_and(|node| node.addrs.pop().is_some())
    }

    fn encode_body(&self, owner: PeerId) -> Vec<u8> {
        let mut body = record::begin(FIELDS, owner);
        body.put(2u8).put(self.sequence).put(3u8).put(self.issued.0).put(4u8).put(self.expires.0);
        body.put(5u8).array(2).put(self.prekey_id.0).bytes(&self.prekey.0);
        body.put(6u8).array(2).put(self.kem_id.0).bytes(self.kem.as_bytes());
        body.put(7u8).array(2).put(self.seal_id.0).bytes(&self.seal.0);
        body.put(8u8).bytes(&self.queue);
        encode_nodes(body.put(9u8), &self.mailboxes);
        encode_nodes(body.put(10u8), &self.relays);
        body.put(11u8).put(self.policy.code()).put(12u8).put(self.work);
        body.into_bytes()
    }
}

/// A card as it came, not verified.
#[derive(Clone, Debug)]
pub struct CardIn {
    unverified: Unverified,
    content: CardContent,
    bytes: Vec<u8>,
}

impl CardIn {
    /// Decodes strictly (ID-10 to ID-13, ID-21 to ID-25): the size is looked at first, then the
    /// frame, then the version, then the rest.
    ///
    /// # Errors
    /// Any [`RecordError`] but `WrongOwner`, `Signature` and `Expired`.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (unverified, content) = Unverified::decode(bytes, MAX_CARD, FIELDS, decode_content)?;
        Ok(Self { unverified, content, bytes: bytes.to_vec() })
    }

    /// Whose card it says it is; a claim, until it is verified.
    pub const fn claimed_owner(&self) -> PeerId {
        self.unverified.owner
    }

    /// Its sequence, as it says: enough to refuse an old card before the signature is looked at.
    pub const fn claimed_sequence(&self) -> u64 {
        self.content.sequence
    }

    /// Until when it is valid, as it says.
    pub const fn claimed_expires(&self) -> WallTime {
        self.content.expires
    }

    /// When it was made, as it says.
    pub const fn claimed_issued(&self) -> WallTime {
        self.content.issued
    }

    /// Owner, signature, then time (ID-14, ID-15). Whoever keeps it looks at [`is_ahead`] as well.
    ///
    /// # Errors
    /// [`RecordError::WrongOwner`], [`RecordError::Signature`], and [`RecordError::Expired`] for a
    /// card that is sound otherwise.
    pub fn verify(self, expected: &IdentityKey, now: WallTime) -> Result<Card, RecordError> {
        self.unverified.verify(LABEL, expected, self.content.expires, now)?;
        Ok(Card { owner: *expected, content: self.content, bytes: self.bytes })
    }
}

/// A verified card. Its content is reached directly: `card.prekey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    owner: IdentityKey,
    content: CardContent,
    bytes: Vec<u8>,
}

impl Card {
    /// Whose card it is.
    pub fn peer(&self) -> PeerId {
        self.owner.peer_id()
    }

    /// The owner's checked key.
    pub const fn owner(&self) -> &IdentityKey {
        &self.owner
    }

    /// What it says.
    pub const fn content(&self) -> &CardContent {
        &self.content
    }

    /// The signed bytes as they came, for passing them on; extensions of newer programs are in them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for Card {
    type Target = CardContent;

    fn deref(&self) -> &CardContent {
        &self.content
    }
}

/// Whether a card that was issued then is of a clock that is far ahead, if it is `latest` now at the latest: it would not
/// age, and is not kept (ID-15).
pub fn is_ahead(issued: WallTime, latest: WallTime) -> bool {
    issued > latest + CARD_AHEAD
}

/// `sequence = max(last + 1, Unix time in ms)`, so that a node restored from a backup is not below
/// what others have pinned (ID-27).
pub fn next_sequence(last: u64, now: WallTime) -> u64 {
    last.saturating_add(1).max(now.0)
}

/// Whether a text may stand where an address stands: `/`, then printable ASCII, bounded (ID-23).
/// What it means is for the network to find out.
pub(super) fn is_address(text: &str) -> bool {
    text.len() <= MAX_ADDR_LEN && text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic())
}

fn bounded_nodes(nodes: &[Mailbox], max: usize) -> Vec<Mailbox> {
    let mut out: Vec<Mailbox> = Vec::new();
    for node in nodes {
        if out.len() < max && out.iter().all(|n| n.peer != node.peer) {
            let addrs = node.addrs.iter().filter(|a| is_address(a)).take(MAX_ADDRS).cloned().collect();
            out.push(Mailbox { peer: node.peer, addrs });
        }
    }
    out
}

fn encode_nodes(body: &mut Writer, nodes: &[Mailbox]) {
    body.array(nodes.len());
    for node in nodes {
        body.array(2).bytes(node.peer.key_bytes()).array(node.addrs.len());
        for addr in &node.addrs {
            body.put(addr.as_str());
        }
    }
}

fn decode_content(body: &mut Reader<'_>) -> Result<CardContent, RecordError> {
    body.field(2)?;
    let sequence = body.uint("expected a number")?;
    body.field(3)?;
    let issued = WallTime(body.uint("expected a number")?);
    body.field(4)?;
    let expires = WallTime(body.uint("expected a number")?);
    // ID-22: a card that lived for ever would keep retired keys in use.
    if expires < issued || expires.since(issued) > CARD_LIFE {
        return Err(RecordError::Bounds("lifetime"));
    }
    let prekey_id = decode_pair_head(body, 5)?;
    let prekey = DhPublic(body.byte_array("a key of wrong length")?);
    let kem_id = decode_pair_head(body, 6)?;
    let kem = body.kem()?;
    let seal_id = decode_pair_head(body, 7)?;
    let seal = DhPublic(body.byte_array("a key of wrong length")?);
    body.field(8)?;
    let queue = body.byte_array("queue")?;
    body.field(9)?;
    let mailboxes = decode_nodes(body, MAX_MAILBOXES)?;
    body.field(10)?;
    let relays = decode_nodes(body, MAX_RELAYS)?;
    body.field(11)?;
    let policy = u8::try_from(body.uint("expected a number")?).map_err(|_| RecordError::Bounds("policy"))?;
    body.field(12)?;
    // ID-25.
    let work = u8::try_from(body.uint("expected a number")?)
        .ok()
        .filter(|w| *w <= MAX_WORK)
        .ok_or(RecordError::Bounds("work"))?;
    Ok(CardContent {
        sequence,
        issued,
        expires,
        prekey_id,
        prekey,
        kem_id,
        kem,
        seal_id,
        seal,
        queue,
        mailboxes,
        relays,
        policy: RequestPolicy::from_code(policy),
        work,
    })
}

/// The key, and the head of `[id, key bytes]` up to the ID.
fn decode_pair_head(body: &mut Reader<'_>, key: u64) -> Result<PrekeyId, RecordError> {
    body.field(key)?;
    body.array_of(2, "not an ID and a key")?;
    Ok(PrekeyId(body.uint("expected a number")?))
}

/// ID-23: `[[peer, [address, …]], …]`, bounded, no peer twice.
fn decode_nodes(body: &mut Reader<'_>, max: usize) -> Result<Vec<Mailbox>, RecordError> {
    let count = body.array("expected an array")?;
    if count > max as u64 {
        return Err(RecordError::Bounds("number of mailboxes or relays"));
    }
    let mut nodes: Vec<Mailbox> = Vec::new();
    for _ in 0..count {
        body.array_of(2, "not a peer and its addresses")?;
        let peer = PeerId::from_key_bytes(body.byte_array("peer")?);
        if nodes.iter().any(|node| node.peer == peer) {
            return Err(RecordError::Bounds("a mailbox or relay is named twice"));
        }
        nodes.push(Mailbox { peer, addrs: decode_addrs(body)? });
    }
    Ok(nodes)
}

fn decode_addrs(body: &mut Reader<'_>) -> Result<Vec<String>, RecordError> {
    let count = body.array("expected an array")?;
    if count > MAX_ADDRS as u64 {
        return Err(RecordError::Bounds("number of addresses"));
    }
    let mut addrs = Vec::new();
    for _ in 0..count {
        let addr = body.text("expected text", usize::MAX)?;
        if !is_address(addr) {
            return Err(RecordError::Bounds("an address"));
        }
        addrs.push(addr.to_owned());
    }
    Ok(addrs)
}

#[cfg(test)]
mod tests;
