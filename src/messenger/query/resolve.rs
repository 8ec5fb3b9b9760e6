//! Who or what a person means: names, identifiers and what is printed of them. Text that others choose never takes what means
//! somebody already.

use std::collections::BTreeMap;

use crate::base::names::{folded, is_me, oddity};
use crate::base::{MessageId, PeerId, RoomId, WallTime};
use crate::store::{Rows, Scan, StoreError};

use super::super::tables::{
    Conversations, MessageIndex, Messages, PeerRow, Peers, RequestRow, Requests, indexed, message_key, room_key,
};
use super::clocks::clock;
use super::short::beginnings;
use crate::messenger::clock::ClockRow;

/// How many candidates an ambiguous text lists.
const MAX_CANDIDATES: usize = 10;
/// Messages that an ambiguous beginning of an ID is counted of: those above are not looked for.
pub const MAX_COUNTED: usize = 1000;
/// The digits of a message ID.
const ID_DIGITS: usize = 64;
/// Index rows looked at in one go.
const PAGE: usize = 40;
/// The letters at the end of a peer ID that stand for it, at least: as many as tables print.
const SHORTEST_END: usize = 8;
/// The letters of a name that we gave that stand for it, at least.
const SHORTEST_BEGINNING: usize = 3;

/// Why a text means nobody, or too many.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError<T: std::fmt::Debug> {
    /// Nothing fits.
    #[error("nothing fits")]
    NotFound,
    /// More than one fits: the first of them, and how many more there are.
    #[error("more than one fits")]
    Ambiguous(Vec<T>, usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Among whom somebody is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Oneself, contacts, who is blocked, and others with whom there is a conversation.
    People,
    /// Who asks to be a contact.
    Requests,
}

/// Somebody who can be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub peer: PeerId,
    /// The name that we gave (empty: none).
    pub given: String,
    /// Else the name of their own under which they are shown (empty: none). Others choose it.
    pub own: String,
    /// Whether it is a contact.
    pub contact: bool,
    /// Whether the own name was there when the user accepted them, or meant nobody when they told it.
    pub accepted: bool,
    /// Whether the safety number was compared.
    pub verified: bool,
}

impl Known {
    fn of(row: PeerRow) -> Self {
        let own = row.own_name().to_owned();
        let given = row.given_name().to_owned();
        Self {
            peer: row.peer,
            given,
            own,
            contact: row.contact.is_some(),
            accepted: row.contact.is_some() && !row.is_name_taken,
            verified: row.contact.is_some_and(|contact| contact.verified),
        }
    }

    /// Somebody of whom no name is looked at.
    pub const fn nameless(peer: PeerId) -> Self {
        Self { peer, given: String::new(), own: String::new(), contact: false, accepted: false, verified: false }
    }

    /// The name to show.
    pub fn name(&self) -> &str {
        if self.given.is_empty() { &self.own } else { &self.given }
    }

    /// Whether the own name is what they go by, and the same as this one. One that is odd is nobody's.
    fn goes_by(&self, wanted: &str) -> bool {
        self.given.is_empty() && oddity(&self.own).is_none() && folded(&self.own) == wanted
    }
}

/// Whom a text means, by ranks, each of which fits whole: a name that we gave; a peer ID; the end of one, as printed; the own
/// name under which a contact was accepted. Only if none fits a beginning may, and of names that we gave alone; and only then
/// an own name that nobody accepted: of a contact who told it later, when it meant another, or of somebody who is none. So
/// what others choose takes nothing from a name that we gave, nor from a contact what is his.
///
/// # Errors
/// Nobody or several.
pub fn meant(known: &[Known], text: &str) -> Result<PeerId, ResolveError<Known>> {
    let text = text.trim();
    let those = |fits: &dyn Fn(&Known) -> bool| known.iter().filter(|one| fits(one)).collect::<Vec<_>>();
    let ends = |end: &str| match end.len() {
        SHORTEST_END.. => those(&|one| one.peer.to_string().ends_with(end)),
        _ => Vec::new(),
    };
    if let Some(end) = text.strip_prefix('…').or_else(|| text.strip_prefix("...")) {
        return one_of(ends(end));
    }
    let wanted = folded(text);
    if wanted.is_empty() {
        return Err(ResolveError::NotFound);
    }
    let given = those(&|one| folded(&one.given) == wanted);
    if !given.is_empty() {
        return one_of(given);
    }
    if let Ok(peer) = text.parse() {
        return Ok(peer);
    }
    let mut names = those(&|one| one.accepted && one.goes_by(&wanted));
    if names.is_empty() && wanted.chars().count() >= SHORTEST_BEGINNING {
        names = those(&|one| folded(&one.given).starts_with(&wanted));
    }
    // An end with nothing before it may be a name as well: who fits by either could be meant.
    let mut fitting = ends(text);
    names.retain(|one| fitting.iter().all(|other| other.peer != one.peer));
    fitting.extend(names);
    if fitting.is_empty() {
        fitting = those(&|one| !one.accepted && one.goes_by(&wanted));
    }
    one_of(fitting)
}

/// The peer that a text means among those of a scope; `me` is oneself.
///
/// # Errors
/// Nobody or several, or the store.
pub fn resolve_peer(rows: &impl Rows, me: PeerId, scope: Scope, text: &str) -> Result<PeerId, ResolveError<Known>> {
    let known = match scope {
        Scope::People if is_me(text) => return Ok(me),
        Scope::People => {
            let mut known = people(rows)?;
            // The notes to oneself stand in the inbox with the end of the own peer ID.
            known.extend(has_conversation(rows, &me)?.then(|| Known::nameless(me)));
            known
        }
        Scope::Requests => requests(rows)?,
    };
    meant(&known, text)
}

/// Whether a name means nobody yet, so that whoever has it from now on takes it from nobody.
pub(in crate::messenger) fn is_free(rows: &impl Rows, name: &str) -> Result<bool, StoreError> {
    Ok(matches!(meant(&people(rows)?, name), Err(ResolveError::NotFound)))
}

fn people(rows: &impl Rows) -> Result<Vec<Known>, StoreError> {
    let mut known = Vec::new();
    for (_, row) in rows.scan_sound::<Peers>(&Scan::all())?.0 {
        if row.is_listed() || has_conversation(rows, &row.peer)? {
            known.push(Known::of(row));
        }
    }
    Ok(known)
}

fn has_conversation(rows: &impl Rows, peer: &PeerId) -> Result<bool, StoreError> {
    match rows.get::<Conversations>(&room_key(&RoomId::direct(*peer))) {
        Err(StoreError::Damaged { .. }) => Ok(true),
        read => Ok(read?.is_some_and(|conversation| conversation.activity != 0)),
    }
}

fn requests(rows: &impl Rows) -> Result<Vec<Known>, StoreError> {
    let asking = rows.scan_sound::<Requests>(&Scan::all())?.0.into_iter();
    let known = |row: RequestRow| Known {
        peer: row.peer,
        given: String::new(),
        own: row.name,
        contact: false,
        accepted: false,
        verified: false,
    };
    Ok(asking.map(|(_, row)| known(row)).collect())
}

fn one_of(mut found: Vec<&Known>) -> Result<PeerId, ResolveError<Known>> {
    match found.as_slice() {
        [] => Err(ResolveError::NotFound),
        [one] => Ok(one.peer),
        _ => {
            // Those whom the user knows best first.
            found.sort_by_key(|one| (!one.verified, !one.contact));
            let more = found.len().saturating_sub(MAX_CANDIDATES);
            found.truncate(MAX_CANDIDATES);
            Err(ResolveError::Ambiguous(found.into_iter().cloned().collect(), more))
        }
    }
}

/// The message that a text means: the whole ID, or an unambiguous beginning of it, which may do without what all IDs begin with.
///
/// # Errors
/// None or several, or the store.
pub fn resolve_message(
    rows: &impl Rows,
    text: &str,
    wall: WallTime,
) -> Result<(PeerId, MessageId), ResolveError<MessageId>> {
    let clock = clock(rows, wall)?;
    let digits = text.to_ascii_lowercase();
    if digits.is_empty() || digits.len() > ID_DIGITS || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ResolveError::NotFound);
    }
    let mut found = BTreeMap::new();
    for beginning in beginnings(&digits).iter().filter(|beginning| beginning.len() <= ID_DIGITS) {
        begin_with(rows, &clock, beginning, &mut found)?;
    }
    if found.len() > 1 {
        let more = found.len().saturating_sub(MAX_CANDIDATES);
        return Err(ResolveError::Ambiguous(found.into_keys().take(MAX_CANDIDATES).collect(), more));
    }
    found.pop_first().map(|(id, peer)| (peer, id)).ok_or(ResolveError::NotFound)
}

/// Adds the messages whose IDs begin so, of those that are to be seen, until there are [`MAX_COUNTED`] of them.
fn begin_with(
    rows: &impl Rows,
    clock: &ClockRow,
    beginning: &str,
    found: &mut BTreeMap<MessageId, PeerId>,
) -> Result<(), StoreError> {
    // Keys begin with the ID: the first eight bytes bound the scan.
    let bound = |fill: char| {
        let padded: String = beginning.chars().chain(std::iter::repeat(fill)).take(16).collect();
        u64::from_str_radix(&padded, 16).unwrap_or_default()
    };
    let mut scan = Scan::all().from(bound('0')).limit(PAGE);
    if let Some(end) = bound('f').checked_add(1) {
        scan = scan.to(end);
    }
    loop {
        let page = rows.scan_sound::<MessageIndex>(&scan)?.0;
        for (key, _) in &page {
            let id = indexed(key).filter(|id| id.to_string().starts_with(beginning));
            // Forgotten messages leave their row behind for a while.
            let Some(id) = id else { continue };
            let Some(index) = super::messages::index(rows, &id)? else { continue };
            let row = rows.get_sound::<Messages>(&message_key(&index.room, index.position))?;
            let vanishes = row.and_then(|row| row.vanishes);
            if !super::messages::is_hidden(rows, clock, &id, vanishes)? {
                found.insert(id, index.room.peer());
            }
        }
        match page.last() {
            Some((key, _)) if page.len() == PAGE && found.len() < MAX_COUNTED => scan = scan.after_bytes(key),
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
