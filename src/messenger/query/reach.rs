//! How we are reached, and how others are.

use std::collections::BTreeSet;

use crate::base::shown::Mailbox as OwnMailbox;
use crate::base::words::BoxState;
use crate::base::{PeerId, RoomId, WallTime, limits};
use crate::identity::{Card, CardIn, IdentityKey, Mailbox};
use crate::messenger::tables::{
    Cards, KnownPeers, LOST_KEY, Messages, OutKind, OutRow, Outbox, OwnBoxRow, OwnBoxes, PeerRow, Peers, Profile,
    Reaches, SendingChains, Sessions, message_key, peer_key,
};
use crate::store::{RowKey, Rows, Scan, StoreError};

use super::clocks::clock;
use super::messages::name;

/// Mailboxes that keep our mail.
///
/// # Errors
/// Those of the store, as with all questions.
pub fn mailboxes(rows: &impl Rows, wall: WallTime) -> Result<Vec<OwnMailbox>, StoreError> {
    let clock = clock(rows, wall)?;
    let shown = |row: OwnBoxRow| {
        Ok(OwnMailbox {
            peer_id: row.peer,
            name: name(rows, &row.peer)?,
            addrs: row.addrs,
            state: row.state,
            since: clock.shown(row.since),
            fetched_at: row.fetched_at.map(|at| clock.shown(at)),
            prekeys: row.prekeys.into(),
        })
    };
    let found = rows.scan_sound::<OwnBoxes>(&Scan::all())?.0;
    let mut found = found.into_iter().map(|(_, row)| shown(row)).collect::<Result<Vec<_>, StoreError>>()?;
    found.sort_by_key(|mailbox| mailbox.peer_id);
    Ok(found)
}

/// Those that our card and our link name.
pub(in crate::messenger) fn mailboxes_in_use(rows: &impl Rows) -> Result<Vec<Mailbox>, StoreError> {
    let named = |state| matches!(state, BoxState::InUse | BoxState::Unreachable);
    let mut found: Vec<_> = rows
        .scan_sound::<OwnBoxes>(&Scan::all())?
        .0
        .into_iter()
        .filter(|(_, row)| named(row.state) && row.kept.is_some_and(|kept| kept.key != LOST_KEY))
        .map(|(_, row)| Mailbox { peer: row.peer, addrs: row.addrs })
        .collect();
    found.sort_by_key(|mailbox| mailbox.peer);
    Ok(found)
}

/// Whether our card names the mailboxes that keep our mail: it is made anew a moment after that has changed.
pub fn card_is_current(rows: &impl Rows, me: PeerId) -> Result<bool, StoreError> {
    let Some(profile) = rows.get::<Profile>(&RowKey::new())? else { return Ok(false) };
    let Ok(owner) = IdentityKey::from_peer_id(me) else { return Ok(false) };
    let card = CardIn::decode(&profile.card).and_then(|card| card.verify(&owner, WallTime(0)));
    let in_use = mailboxes_in_use(rows)?;
    Ok(card.is_ok_and(|card| card.mailboxes == in_use))
}

/// Nodes that were good to begin with.
pub fn known_peers(rows: &impl Rows) -> Result<Vec<(PeerId, Vec<String>)>, StoreError> {
    let known = rows.get_sound::<KnownPeers>(&RowKey::new())?.unwrap_or_default();
    Ok(known.into_iter().map(|node| (node.peer, node.addrs)).collect())
}

/// What is known of the ways to a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachView {
    /// The newest card of theirs that we have verified.
    pub card: Option<Card>,
    /// When no card of theirs could be found last, and how many nodes were asked; `None`: one was found, or it was not
    /// looked for.
    pub not_found: Option<(WallTime, u32)>,
    /// Mailboxes named by a link.
    pub hinted: Vec<Mailbox>,
    /// Addresses from a link, or that they told us.
    pub addrs: Vec<String>,
    /// Whether there is a session in which we could write.
    pub has_session: bool,
    /// Whether they gave us a token for their mailboxes.
    pub has_token: bool,
    /// Whether they have accepted us.
    pub accepted: bool,
    /// Whether we know the token of their link.
    pub invited: bool,
    /// Whether as many messages are with them as may be before they accept us (REQ-10).
    pub is_full: bool,
    /// Messages and other things that nobody has stored yet.
    pub queued: u64,
    /// Those that a mailbox of theirs has stored.
    pub deposited: u64,
    /// Those that their node has stored, and has not said to be delivered.
    pub awaiting: u64,
    /// When the next try to connect is made at the latest; `None`: nothing waits, or it is tried now.
    pub next_try: Option<WallTime>,
}

/// What is known of the ways to a peer.
pub fn reach(rows: &impl Rows, peer: &PeerId, wall: WallTime) -> Result<ReachView, StoreError> {
    let clock = clock(rows, wall)?;
    let key = peer_key(peer);
    let known = rows.get::<Reaches>(&key)?.unwrap_or_default();
    let row = rows.get::<Peers>(&key)?.unwrap_or_else(|| PeerRow::new(*peer));
    let mut view = ReachView {
        card: card(rows, peer)?,
        not_found: known.not_found,
        hinted: known.hinted,
        accepted: row.accepted,
        invited: row.token.is_some(),
        is_full: !row.accepted && row.unaccepted_sent.len() >= limits::MAX_UNACCEPTED_SENT,
        addrs: row.addrs,
        has_session: rows.scan_sound::<Sessions>(&Scan::new(key.clone()))?.0.iter().any(|(_, row)| row.is_sending()),
        has_token: known.token.is_some(),
        next_try: known.next_try.map(|at| clock.shown(at)),
        ..ReachView::default()
    };
    for (_, row) in rows.scan_sound::<Outbox>(&Scan::new(key))?.0 {
        let way = row.way_now(known.anew);
        if way.sent {
            view.awaiting += 1;
        } else if !way.held.is_empty() {
            view.deposited += 1;
        } else {
            view.queued += 1;
        }
    }
    if view.queued + view.deposited + view.awaiting == 0 {
        view.next_try = None;
    }
    Ok(view)
}

/// How many rows of the whole store do not open, by the name of their table. Every row is read.
///
/// # Errors
/// Those of the disk.
pub fn unsound(rows: &impl Rows) -> Result<Vec<(&'static str, u64)>, StoreError> {
    crate::messenger::tables::unsound(rows)
}

/// How much of what waits to be sent cannot be read: rows of the outbox that do not open, or whose message, peer or session
/// does not.
pub fn unreadable(rows: &impl Rows) -> Result<usize, StoreError> {
    let (waiting, lost) = rows.scan_sound::<Outbox>(&Scan::all())?;
    let peers: BTreeSet<PeerId> = waiting.iter().map(|(_, row)| row.peer).collect();
    let is_shut = |peer: &PeerId| {
        let key = peer_key(peer);
        let sessions =
            rows.scan::<Sessions>(&Scan::new(key.clone())).is_ok() && rows.get::<SendingChains>(&key).is_ok();
        !sessions || rows.get::<Peers>(&key).is_err()
    };
    let shut: BTreeSet<PeerId> = peers.into_iter().filter(is_shut).collect();
    let is_lost = |row: &OutRow| match row.kind {
        _ if shut.contains(&row.peer) => true,
        OutKind::Message(position) => rows.get::<Messages>(&message_key(&RoomId::direct(row.peer), position)).is_err(),
        OutKind::Control(_) => false,
    };
    Ok(lost + waiting.iter().filter(|(_, row)| is_lost(row)).count())
}

/// The pinned card; its time may be over.
fn card(rows: &impl Rows, peer: &PeerId) -> Result<Option<Card>, StoreError> {
    let Some(row) = rows.get_sound::<Cards>(&peer_key(peer))? else { return Ok(None) };
    let Ok(owner) = IdentityKey::from_peer_id(*peer) else { return Ok(None) };
    Ok(CardIn::decode(&row.bytes).and_then(|card| card.verify(&owner, WallTime(0))).ok())
}
