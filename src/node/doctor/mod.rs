//! `doctor`: what is wrong with a profile and what it stands on, and how to mend it.
//!
//! Nothing is changed, and nothing is opened that would change itself: without a node the store is read as on a
//! read-only disk. What cannot be looked at is said, and the rest is looked at all the same.

mod files;
mod findings;
mod reach;
mod surroundings;

use std::path::Path;

use crate::api::{ApiError, Area, Code, Diagnosis, NodeState};
use crate::identity::{self, IdentityKeypair, KeyMaterial};
use crate::messenger::{Messenger, query};
use crate::net::NetStatus;
use crate::store::{Reader, Store, StoreError, inspect};

pub(crate) use reach::of_a_peer;

use findings::{Findings, count};

use super::clock::Clock;
use super::place::Place;
use super::profile::{Ask, Work};
use super::random;

/// What a node does without a store that it can write to.
const TRIES_AGAIN: &str = "tries again by itself, at least every 30 seconds; where that does not help, `rohrpost stop`, \
    and then `rohrpost doctor` looks at every row";
/// For what a node cannot look at.
const FROM_OUTSIDE: &str =
    "`rohrpost stop`; then `rohrpost doctor` says more, and `rohrpost recover` saves what is left";

/// Looks, while no node runs, or one that cannot be asked: `in_the_way` says why.
///
/// # Errors
/// `no_profile`; `wrong_passphrase`.
pub(crate) fn doctor(place: &Place, in_the_way: Option<ApiError>, ask: Ask<'_>) -> Result<Diagnosis, ApiError> {
    let mut found = Findings::default();
    let node = match in_the_way.as_ref().and_then(ApiError::known) {
        Some(Code::NotAnswering) => NodeState::Silent,
        Some(Code::Busy) => NodeState::InUse,
        _ => NodeState::Off,
    };
    let (at_the_node, at_the_lock) = if node == NodeState::Off { (None, in_the_way) } else { (in_the_way, None) };
    match at_the_node {
        None => no_node(&mut found),
        Some(error) => found.error(Area::Node, error),
    }
    let key_file = files::look_at_folder(place, &mut found)?;
    match at_the_lock {
        Some(error) => found.error(Area::Lock, error),
        None if node == NodeState::Off => found.ok(Area::Lock, "nobody works on the profile"),
        None => {}
    }
    if node != NodeState::Off {
        // Its files change under the eyes of whoever reads them now.
        found.note(Area::Store, "not looked at: another process works on it", "look again when that is mended");
        around(place, None, Seen::Other, &mut found);
        return Ok(found.done(node));
    }
    let material = match key_file {
        Some(bytes) => unlock(&bytes, ask, &mut found)?,
        None => None,
    };
    let looking = ask.begins(Work::Looking);
    let store = looking.during(|| material.as_ref().and_then(|material| look_at_store(place, material, &mut found)));
    around(place, store.as_ref().map(Store::reader).as_ref(), Seen::Nobody, &mut found);
    Ok(found.done(node))
}

/// From where is looked.
#[derive(Clone, Copy)]
enum Seen<'a> {
    /// From a node, with its socket.
    Node(&'a NetStatus, Option<&'a Path>),
    /// From a command that has the profile, while nobody else has.
    Nobody,
    /// While another process has it.
    Other,
}

/// Looks from within: a node, or the dispatcher of a command.
pub(crate) fn of_a_node(
    place: &Place,
    reader: &Reader,
    net: Option<&NetStatus>,
    socket: Option<&Path>,
) -> Result<Diagnosis, ApiError> {
    let mut found = Findings::default();
    let pid = std::process::id();
    match net {
        Some(_) => found.ok(Area::Node, format!("one runs for this profile, process {pid}")),
        None => no_node(&mut found),
    }
    files::look_at_folder(place, &mut found)?;
    look_at_open_store(query::exists(reader), reader.frozen(), &mut found);
    found.ok(Area::Lock, format!("held by {}, process {pid}", if net.is_some() { "the node" } else { "this command" }));
    files::look_at_files(reader.inspect(), &mut found);
    around(place, Some(reader), net.map_or(Seen::Nobody, |net| Seen::Node(net, socket)), &mut found);
    Ok(found.done(if net.is_some() { NodeState::On } else { NodeState::Off }))
}

/// The one remark that a new profile needs.
fn no_node(found: &mut Findings) {
    found.note(Area::Node, "none runs for this profile: nothing is sent or received", "`rohrpost run` starts one");
}

/// What a node knows of its store. It does not count rows: who wants that stops it first.
fn look_at_open_store(exists: Result<bool, StoreError>, frozen: Option<StoreError>, found: &mut Findings) {
    match (exists, frozen) {
        (Ok(true), None) => found.ok(Area::Store, "open; its rows are counted after each start"),
        (Ok(true), Some(because)) => {
            let message = format!("it can only be read, and nothing is sent or taken in: {because}");
            let first = because.hint().unwrap_or("mend that");
            found.problem(Area::Store, message, &format!("{first}; the node {TRIES_AGAIN}"));
        }
        // Every store has this row.
        (Ok(false), _) => {
            found.problem(Area::Store, "it is damaged: not even the profile's own row can be read", FROM_OUTSIDE);
        }
        (Err(error @ StoreError::Poisoned { .. }), _) => {
            found.problem(Area::Store, error.to_string(), &format!("the node {TRIES_AGAIN}"));
        }
        (Err(error), _) => found.error(Area::Store, error.into()),
    }
}

fn around(place: &Place, reader: Option<&Reader>, seen: Seen<'_>, found: &mut Findings) {
    let net = if let Seen::Node(net, _) = seen { Some(net) } else { None };
    let now = Clock::wall();
    let clock = reader.and_then(|reader| query::clock(reader, now).ok());
    files::look_at_snapshots(place, now, files::made(place), found);
    files::look_at_disk(place, found);
    if let Some(Ok(elsewhere)) = reader.map(query::elsewhere) {
        surroundings::look_at_identity(elsewhere, found);
    }
    surroundings::look_at_clock(now, clock.as_ref(), found);
    let settings = surroundings::look_at_config(place, found);
    match seen {
        Seen::Node(_, Some(socket)) => found.ok(Area::Socket, socket.display().to_string()),
        Seen::Nobody => surroundings::look_at_socket(place, found),
        // What is known of it is said with the lock.
        Seen::Node(_, None) | Seen::Other => {}
    }
    surroundings::look_at_network(settings.as_ref(), net, found);
    if let Some(net) = net {
        reach::look_at_reach(net, found);
    }
    if let Some(Ok(lost @ 1..)) = reader.map(query::unreadable) {
        let message = format!("{} cannot be read: what is there is not sent", count(lost, "row", "rows"));
        found.problem(Area::Outbox, message, FROM_OUTSIDE);
    }
    for (peer, name) in reader.and_then(|reader| query::full_contacts(reader).ok()).unwrap_or_default() {
        let hint = "`rohrpost conversation delete WHO`, or `rohrpost contacts set WHO --quota SIZE` with more";
        let message = format!("the quota of {name} ({peer}) is full: what they write waits on their side");
        found.problem(Area::Disk, message, hint);
    }
    // That rows cannot be read is said above.
    if let Some(Ok(mailboxes)) = reader.map(|reader| query::mailboxes(reader, now)) {
        reach::look_at_mailboxes(&mailboxes, found);
    }
}

/// How many rows there are that do not open, in words.
pub(super) fn rows_that_do_not_open(unsound: &[(&'static str, u64)]) -> String {
    let all: u64 = unsound.iter().map(|(_, rows)| rows).sum();
    let each: Vec<String> = unsound.iter().map(|(table, rows)| format!("{rows} of {table}")).collect();
    let rows = count(usize::try_from(all).unwrap_or(usize::MAX), "row", "rows");
    format!("{rows} cannot be read ({})", each.join(", "))
}

/// Opens the key file. `None` when it could not be.
fn unlock(key_file: &[u8], ask: Ask<'_>, found: &mut Findings) -> Result<Option<KeyMaterial>, ApiError> {
    // A key file of which that cannot be told is not opened either: that says why.
    let needed = identity::key_file_needs_passphrase(key_file).unwrap_or(false);
    let passphrase = match needed.then(|| ask.passphrase()).transpose() {
        Err(error) if error.is(Code::PassphraseNeeded) => {
            let hint = "give --passphrase-file, or look while the node runs";
            found.note(Area::Store, "not looked at: the key file has a passphrase", hint);
            return Ok(None);
        }
        asked => asked?,
    };
    match identity::open_key_file(key_file, passphrase.as_ref()).map_err(ApiError::from) {
        Ok(material) => Ok(Some(material)),
        Err(error) if error.is(Code::WrongPassphrase) => Err(error),
        Err(error) => {
            found.error(Area::KeyFile, error);
            Ok(None)
        }
    }
}

/// Reads the whole store, and what whoever opens the profile needs of it. `None` when it could not be read.
fn look_at_store(place: &Place, material: &KeyMaterial, found: &mut Findings) -> Option<Store> {
    let because = StoreError::ReadOnly { path: place.dir.clone() };
    let store = match Store::open_frozen(&place.dir, &material.store_key, because) {
        Ok(store) => store,
        Err(error) => {
            found.error(Area::Store, error.into());
            files::look_at_files(inspect(&place.dir, &material.store_key, None), found);
            return None;
        }
    };
    let me = IdentityKeypair::from_seed(&material.identity_seed);
    let inspection = inspect(&place.dir, &material.store_key, Some(&store.reader()));
    let damage = inspection.as_ref().ok().and_then(|inspection| inspection.fault.clone());
    let is_as_written = inspection.as_ref().is_ok_and(|inspection| inspection.blemishes.is_empty());
    match Messenger::examine(store.clone(), me, Clock::new().now(), &mut random::system()) {
        Err(error) => found.error(Area::Store, error.into()),
        Ok(()) => match (damage, query::unsound(&store.reader())) {
            (Some(what), _) => found.error(Area::Store, StoreError::Damaged { what }.into()),
            (None, Err(error)) => found.error(Area::Store, error.into()),
            (None, Ok(unsound)) if !unsound.is_empty() => {
                let message = format!("{}: what they held is shown nowhere", rows_that_do_not_open(&unsound));
                found.problem(Area::Store, message, "`rohrpost recover` makes the profile anew without them");
            }
            (None, Ok(_)) if is_as_written => found.ok(Area::Store, "sound: every row is there"),
            (None, Ok(_)) => found.ok(Area::Store, "every row is there"),
        },
    }
    files::look_at_files(inspection, found);
    Some(store)
}

#[cfg(test)]
mod tests;
