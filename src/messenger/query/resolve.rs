//! Who or what a person means: names, prefixes and whole identifiers.

use crate::base::{MessageId, PeerId, WallTime};
use crate::store::{Rows, Scan, StoreError};

use super::super::tables::{MessageIndex, Messages, Peers, Requests, indexed, message_key};
use super::clocks::clock;

/// How many candidates an ambiguous text lists.
const MAX_CANDIDATES: usize = 10;
/// Index rows looked at in one go.
const PAGE: usize = 40;

/// Why a text means nobody, or too many.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError<T: std::fmt::Debug> {
    /// Nothing fits.
    #[error("nothing fits")]
    NotFound,
    /// More than one fits: each with a name.
    #[error("more than one fits")]
    Ambiguous(Vec<(T, String)>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The peer that a text means: a whole peer ID; else the name of a contact or of a pending request;
/// else an unambiguous prefix of a name or peer ID of those.
///
/// # Errors
/// Nobody or several, or the store.
pub fn resolve_peer(rows: &impl Rows, text: &str) -> Result<PeerId, ResolveError<PeerId>> {
    if let Ok(peer) = text.parse() {
        return Ok(peer);
    }
    let mut known: Vec<(PeerId, String)> = Vec::new();
    for (_, row) in rows.scan_sound::<Peers>(&Scan::all())?.0 {
        if row.is_listed() {
            known.push((row.peer, row.shown_name().to_owned()));
        }
    }
    for (_, row) in rows.scan_sound::<Requests>(&Scan::all())?.0 {
        if !known.iter().any(|(peer, _)| *peer == row.peer) {
            known.push((row.peer, row.name));
        }
    }
    let wanted = text.to_lowercase();
    if wanted.is_empty() {
        return Err(ResolveError::NotFound);
    }
    let exact: Vec<_> = known.iter().filter(|(_, name)| name.to_lowercase() == wanted).cloned().collect();
    if !exact.is_empty() {
        return one(exact);
    }
    one(known
        .into_iter()
        .filter(|(peer, name)| name.to_lowercase().starts_with(&wanted) || fits_id(peer, text))
        .collect())
}

/// All peer IDs begin alike, so the telling end is accepted as well.
fn fits_id(peer: &PeerId, text: &str) -> bool {
    let id = peer.to_string();
    let text = text.strip_prefix('…').unwrap_or(text);
    text.len() >= 4 && (id.starts_with(text) || id.ends_with(text))
}

/// The message that a text means: a whole ID, or an unambiguous prefix of one.
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
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ResolveError::NotFound);
    }
    // Keys begin with the ID: the first eight bytes bound the scan.
    let bound = |fill: char| {
        let padded: String = digits.chars().chain(std::iter::repeat(fill)).take(16).collect();
        u64::from_str_radix(&padded, 16).unwrap_or_default()
    };
    let mut scan = Scan::all().from(bound('0')).limit(PAGE);
    if let Some(end) = bound('f').checked_add(1) {
        scan = scan.to(end);
    }
    let mut found = Vec::new();
    loop {
        let page = rows.scan_sound::<MessageIndex>(&scan)?.0;
        for (key, _) in &page {
            let id = indexed(key).filter(|id| id.to_string().starts_with(&digits));
            // Forgotten messages leave their row behind for a while.
            let Some(id) = id else { continue };
            let Some(index) = super::messages::index(rows, &id)? else { continue };
            let row = rows.get_sound::<Messages>(&message_key(&index.room, index.position))?;
            let vanishes = row.and_then(|row| row.vanishes);
            if !super::messages::is_hidden(rows, &clock, &id, vanishes)? {
                found.push((id, index.room.peer()));
            }
        }
        match page.last() {
            Some((key, _)) if page.len() == PAGE && found.len() < MAX_CANDIDATES => scan = scan.after_bytes(key),
            _ => break,
        }
    }
    match found.as_slice() {
        [] => Err(ResolveError::NotFound),
        [(id, peer)] => Ok((*peer, *id)),
        many => Err(ResolveError::Ambiguous(
            many.iter().take(MAX_CANDIDATES).map(|(id, peer)| (*id, peer.to_string())).collect(),
        )),
    }
}

fn one(mut found: Vec<(PeerId, String)>) -> Result<PeerId, ResolveError<PeerId>> {
    match found.as_slice() {
        [] => Err(ResolveError::NotFound),
        [(peer, _)] => Ok(*peer),
        _ => {
            found.truncate(MAX_CANDIDATES);
            Err(ResolveError::Ambiguous(found))
        }
    }
}
