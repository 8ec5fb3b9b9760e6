//! Questions: what is read between commits, in pages. Nothing here changes anything.

mod clocks;
mod messages;
mod reach;
mod resolve;
mod short;

use crate::base::event::Event;
use crate::base::shown::{Contact, Conversation, ConversationKind, Elsewhere, MailboxService, Request};
use crate::base::words::{MailService, Policy};
use crate::base::{PeerId, RoomId, WallTime, limits};
use crate::content::MimiContent;
use crate::identity::{IdentityKey, Link, safety_number};
use crate::store::{RowKey, Rows, Scan, StoreError};

pub use super::clock::ClockRow;
use super::mailbox::totals;
use super::memory::number;
use super::tables::{
    Conversations, Events, HeldMessage, MailServices, PeerRow, Peers, Profile, Recent, RequestRow, Requests, peer_key,
    room_key,
};

pub use clocks::clock;
pub use messages::{calls_himself, history, is_named, message, name};
pub(super) use messages::{find, index, is_hidden, state, waiting};
pub(super) use reach::mailboxes_in_use;
pub use reach::{ReachView, card_is_current, known_peers, mailboxes, reach, unreadable, unsound};
pub(super) use resolve::is_free;
pub use resolve::{Known, MAX_COUNTED, ResolveError, Scope, meant, resolve_message, resolve_peer};
pub use short::short_id;

/// Rows of events that are read at once.
const EVENT_ROWS: usize = 64;

/// The own identity, as its link tells of it. `None` until the messenger was opened for the first time.
///
/// # Errors
/// Those of the store, as with all questions.
pub fn link(rows: &impl Rows, me: PeerId) -> Result<Option<Link>, StoreError> {
    let Some(row) = rows.get::<Profile>(&RowKey::new())? else { return Ok(None) };
    let (name, mailboxes) = (Some(row.name).filter(|name| !name.is_empty()), mailboxes_in_use(rows)?);
    Ok(Some(Link { peer: me, name, addrs: row.addrs, token: Some(row.token), mailboxes }))
}

/// A card of ours that this store did not make, if one was found lately.
pub fn elsewhere(rows: &impl Rows) -> Result<Option<Elsewhere>, StoreError> {
    let found = rows.get::<Profile>(&RowKey::new())?.and_then(|row| row.elsewhere);
    Ok(found.map(|found| Elsewhere { issued: found.issued, running: found.running }))
}

/// Who may write to us.
pub fn policy(rows: &impl Rows) -> Result<Policy, StoreError> {
    Ok(rows.get::<Profile>(&RowKey::new())?.map_or_else(Policy::default, |row| row.policy))
}

/// For whom we keep a mailbox.
pub fn mail_service(rows: &impl Rows) -> Result<MailService, StoreError> {
    Ok(rows.get_sound::<MailServices>(&RowKey::new())?.unwrap_or_default())
}

/// What we do for others as a mailbox.
pub fn mailbox(rows: &impl Rows) -> Result<MailboxService, StoreError> {
    let totals = totals(rows)?;
    let serves = mail_service(rows)?.serves();
    Ok(MailboxService { serves, boxes: totals.boxes.into(), bytes: totals.bytes })
}

/// Whether there is a profile: until the messenger was opened for the first time there is none.
pub fn exists(rows: &impl Rows) -> Result<bool, StoreError> {
    Ok(rows.get::<Profile>(&RowKey::new())?.is_some())
}

/// Conversations, the most recently active first; at most `limit`.
pub fn inbox(
    rows: &impl Rows,
    me: PeerId,
    unread_only: bool,
    limit: usize,
    wall: WallTime,
) -> Result<Vec<Conversation>, StoreError> {
    let clock = clock(rows, wall)?;
    let hidden = messages::hidden_unread(rows, me, &clock)?;
    let mut found = Vec::new();
    let mut below = None;
    while found.len() < limit {
        let mut page = Scan::all().reverse().limit(limits::MAX_PAGE.min(limit));
        if let Some(below) = below {
            page = page.to(below);
        }
        let recent = rows.scan_sound::<Recent>(&page)?.0;
        let Some(last) = recent.last().and_then(|(key, _)| number(key)) else { break };
        below = Some(last);
        for (_, room) in recent {
            let Some(conversation) = messages::conversation(rows, room)? else { continue };
            let unread = conversation.unread.saturating_sub(hidden.get(&room).copied().unwrap_or(0));
            if found.len() == limit || (unread_only && unread == 0) {
                continue;
            }
            let peer = room.peer();
            found.push(Conversation {
                conversation: peer,
                kind: if peer == me { ConversationKind::Oneself } else { ConversationKind::Direct },
                name: messages::name_of(rows, &peer)?,
                calls_himself: calls_himself(rows, &peer)?,
                peer_id: peer,
                unread,
                last: messages::last_of(rows, me, conversation, &clock)?,
            });
        }
    }
    Ok(found)
}

/// Pending requests, newest first.
pub fn requests(rows: &impl Rows, wall: WallTime) -> Result<Vec<Request>, StoreError> {
    let clock = clock(rows, wall)?;
    let mut found = rows.scan_sound::<Requests>(&Scan::all())?.0;
    found.sort_by_key(|(_, row)| std::cmp::Reverse(row.received_at));
    let mut shown = Vec::with_capacity(found.len());
    for (_, row) in found {
        shown.extend(shown_request(rows, &clock, &row)?.map(|(request, _)| request));
    }
    Ok(shown)
}

/// One pending request, and the texts it holds, oldest first.
pub fn request(rows: &impl Rows, peer: &PeerId, wall: WallTime) -> Result<Option<(Request, Vec<String>)>, StoreError> {
    let Some(row) = rows.get_sound::<Requests>(&peer_key(peer))? else { return Ok(None) };
    shown_request(rows, &clock(rows, wall)?, &row)
}

/// Whether somebody's request is pending: nothing goes to him before it is accepted.
pub fn asks(rows: &impl Rows, peer: &PeerId) -> Result<bool, StoreError> {
    rows.contains::<Requests>(&peer_key(peer))
}

/// Contacts and blocked peers, by name.
pub fn contacts(rows: &impl Rows, me: PeerId) -> Result<Vec<Contact>, StoreError> {
    let mut found = Vec::new();
    for (_, row) in rows.scan_sound::<Peers>(&Scan::all())?.0 {
        if row.is_listed() {
            found.push(Contact { full: is_full(rows, &row)?, ..shown_contact(me, &row, false) });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name).then(a.peer_id.cmp(&b.peer_id)));
    Ok(found)
}

/// One contact or blocked peer, with the safety number.
pub fn contact(rows: &impl Rows, me: PeerId, peer: &PeerId) -> Result<Option<Contact>, StoreError> {
    let Some(row) = rows.get::<Peers>(&peer_key(peer))?.filter(PeerRow::is_listed) else { return Ok(None) };
    let (kept, full) = (Some(kept_of(rows, peer)?), is_full(rows, &row)?);
    Ok(Some(Contact { kept, full, ..shown_contact(me, &row, true) }))
}

/// Contacts of whom as much is kept as may be, with their names.
pub fn full_contacts(rows: &impl Rows) -> Result<Vec<(PeerId, String)>, StoreError> {
    let mut full = Vec::new();
    for (_, row) in rows.scan_sound::<Peers>(&Scan::all())?.0 {
        if row.contact.is_some() && is_full(rows, &row)? {
            full.push((row.peer, row.shown_name().to_owned()));
        }
    }
    Ok(full)
}

/// How many bytes are kept of what a contact wrote.
fn kept_of(rows: &impl Rows, peer: &PeerId) -> Result<u64, StoreError> {
    let conversation = rows.get_sound::<Conversations>(&room_key(&RoomId::direct(*peer)))?;
    Ok(conversation.map_or(0, |conversation| conversation.kept))
}

/// Whether the user was told that as much is kept of a contact as may be, and it still is.
fn is_full(rows: &impl Rows, row: &PeerRow) -> Result<bool, StoreError> {
    Ok(row.full_told && kept_of(rows, &row.peer)? >= row.quota())
}

/// Events after `since`, oldest first; at most `limit`.
pub fn events(rows: &impl Rows, since: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
    let (limit, mut from, mut found) = (limit.min(limits::MAX_PAGE), since.saturating_add(1), Vec::new());
    // A row may hold many: no more rows are opened than are likely to be told.
    let mut largest = limit;
    while found.len() < limit {
        // Keyed by the last of each: the first that is found may begin before.
        let scan = Scan::all().from(from).limit(((limit - found.len()) / largest).clamp(1, EVENT_ROWS));
        let page = rows.scan_all::<Events>(&scan)?.into_iter().filter_map(|(key, row)| Some((number(&key)?, row)));
        let before = from;
        largest = 1;
        for (last, row) in page {
            from = last.saturating_add(1);
            // What a row told that does not open is lost; what comes behind it is not.
            let Some(row) = row else { continue };
            largest = largest.max(row.kinds.len());
            found.extend(row.events(last).filter(|event| event.seq > since));
        }
        if from == before {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// When the event at this place happened; `None`: it is not in the log any more, or cannot be read.
pub fn event_time(rows: &impl Rows, seq: u64) -> Result<Option<WallTime>, StoreError> {
    let found = rows.scan_all::<Events>(&Scan::all().from(seq).limit(1))?;
    let holding = found.into_iter().find_map(|(key, row)| Some((number(&key)?, row?)));
    Ok(holding.and_then(|(last, row)| row.events(last).find(|event| event.seq == seq)).map(|event| event.at))
}

/// Numbers for `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pending requests.
    pub requests: u64,
    /// Unread messages.
    pub unread: u64,
    /// Contacts.
    pub contacts: u64,
    /// The newest event.
    pub last_event: u64,
}

/// Numbers for `status`.
pub fn counts(rows: &impl Rows, me: PeerId, wall: WallTime) -> Result<Counts, StoreError> {
    let mut counts = Counts { requests: requests(rows, wall)?.len() as u64, ..Counts::default() };
    for (_, row) in rows.scan_sound::<Conversations>(&Scan::all())?.0 {
        counts.unread += row.unread;
    }
    let clock = clock(rows, wall)?;
    counts.unread -= messages::hidden_unread(rows, me, &clock)?.values().sum::<u64>().min(counts.unread);
    for (_, row) in rows.scan_sound::<Peers>(&Scan::all())?.0 {
        counts.contacts += u64::from(row.contact.is_some());
    }
    counts.last_event = last_event(rows)?;
    Ok(counts)
}

/// The number of the newest event.
pub fn last_event(rows: &impl Rows) -> Result<u64, StoreError> {
    let last = rows.scan_all::<Events>(&Scan::all().reverse().limit(1))?;
    Ok(last.first().and_then(|(key, _)| number(key)).unwrap_or(0))
}
fn held_text(held: &HeldMessage) -> String {
    messages::shown_content(MimiContent::decode(&held.body)).1
}

/// A request and the texts that it holds; `None` when the time of all of them is over.
fn shown_request(
    rows: &impl Rows,
    clock: &ClockRow,
    row: &RequestRow,
) -> Result<Option<(Request, Vec<String>)>, StoreError> {
    let mut held = Vec::with_capacity(row.messages.len());
    for message in &row.messages {
        if !messages::is_hidden(rows, clock, &message.id, message.vanishes)? {
            held.push(message);
        }
    }
    let Some(first) = held.first() else { return Ok(None) };
    let request = Request {
        peer_id: row.peer,
        name: row.name.clone(),
        subject: first.subject.clone(),
        text: held_text(first),
        received_at: first.received_at,
        messages: u32::try_from(held.len()).unwrap_or(u32::MAX),
        invited: row.invited,
        kind: ConversationKind::Direct,
    };
    Ok(Some((request, held.into_iter().map(held_text).collect())))
}

/// The safety number costs thousands of hashes: it is computed for one contact, not for a list.
fn shown_contact(me: PeerId, row: &PeerRow, with_number: bool) -> Contact {
    let safety_number = match (IdentityKey::from_peer_id(me), IdentityKey::from_peer_id(row.peer)) {
        (Ok(mine), Ok(theirs)) if with_number => Some(safety_number(&mine, &theirs).to_string()),
        _ => None,
    };
    Contact {
        peer_id: row.peer,
        name: row.shown_name().to_owned(),
        announced_name: row.announced_name.clone(),
        calls_himself: row.calls_himself().map(str::to_owned),
        verified: row.contact.as_ref().is_some_and(|c| c.verified),
        blocked: row.blocked,
        contact: row.contact.is_some(),
        added_at: row.contact.as_ref().map(|c| c.added_at),
        kept: None,
        quota: row.quota(),
        full: false,
        safety_number,
    }
}

#[cfg(test)]
mod tests;
