//! A new store of what is left of a damaged one.
//!
//! Three sources, in this order: rows of the log that open, wherever they stand in it; rows of the newest snapshot that
//! opens, for what the log has lost; the key files, for whatever is sealed under their keys. Nothing of the damaged folder
//! is changed. Rows under State keys (sessions, prekeys, the outbox) are never taken over: half-remembered ratchets repeat themselves.

use std::collections::BTreeSet;
use std::path::Path;

use super::ahead::fault_for_sled;
use super::commit::{Changes, Step};
use super::engine::Inner;
use super::key::KeyId;
use super::keyring::Role;
use super::log::{Found, Log};
use super::meta::is_known;
use super::row::{CHUNK_TABLE, ChunkKeys, Header, Write, open_value};
use super::salvage::{Gone, Remains};
use super::snapshot::{Entry, Reading, SnapshotPlan, snapshots};
use super::{Store, StoreError};
use crate::base::{CryptoRng, Now, Secret, WallTime};
use crate::crypto::aead::AeadKey;

/// Rows of one commit of the new store.
const AT_ONCE: usize = 512;

/// What became of the parts of a damaged store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// What was wrong; `None`: nothing that could be found.
    pub damage: Option<String>,
    /// Rows taken from the database.
    pub from_database: u64,
    /// Rows taken from the snapshot.
    pub from_snapshot: u64,
    /// The snapshot that was used, and whether all of it could be read.
    pub snapshot: Option<(WallTime, bool)>,
    /// Whether the key files were there: without them no message opens.
    pub keys: bool,
    /// Rows that are there, but whose key is not: forgotten on purpose or, without key files, lost.
    pub without_key: u64,
    /// What is lost of the database's newest state, and which no snapshot had; `None`: nothing tells.
    pub gone: Option<Gone>,
}

/// Whether the store in `dir` is sound, and if not, why: without changing a byte of it.
///
/// # Errors
/// [`StoreError::WrongKey`], [`StoreError::TooNew`], [`StoreError::TooOld`], those of the disk.
pub fn examine(dir: &Path, key: &Secret<32>) -> Result<Option<String>, StoreError> {
    match Remains::look(dir, key)?.fault()? {
        None => fault_for_sled(dir, key),
        fault => Ok(fault),
    }
}

/// Makes a store in the empty folder `to` of what is left in `from`, but for the tables that the plan leaves out.
///
/// # Errors
/// [`StoreError::WrongKey`], [`StoreError::TooNew`], [`StoreError::Full`], those of the disk.
pub fn salvage(
    from: &Path,
    to: &Path,
    key: &Secret<32>,
    plan: SnapshotPlan,
    rng: &mut dyn CryptoRng,
    now: Now,
) -> Result<(Store, Salvaged), StoreError> {
    let remains = Remains::look(from, key)?;
    let totals = remains.totals()?;
    let (damage, gone) = (remains.fault_of(totals), remains.gone(totals));
    let mut told = Salvaged { damage, gone, keys: remains.keys.is_some(), ..Salvaged::default() };
    let snapshot = if told.damage.is_some() { newest_snapshot(from, &remains)? } else { None };
    let store = Store::open(to, key, rng, now)?;
    let mut import = Import::begin(&remains, &store.inner, rng)?;
    let taken = from_snapshot(&remains, snapshot, &mut import, &mut told)?;
    if let Some(log) = &remains.log {
        from_log(log, &remains, &taken, plan, &mut import, &mut told)?;
    }
    if let Some(gone) = told.gone.as_mut().filter(|_| remains.has_older_keys()) {
        gone.rows += told.without_key;
    }
    import.flush()?;
    store.close();
    drop(store);
    // All rows are counted, as at every opening.
    Ok((Store::open_existing(to, key, rng, now)?, told))
}

/// What the snapshot says of rows that it does not give: they must come from the log, or not at all.
struct Taken {
    /// Keys that the snapshot gave.
    keys: BTreeSet<Vec<u8>>,
    /// Rows of the log from before this position had been removed when a whole snapshot was made that has them not.
    superseded: Option<u64>,
}

/// The newest that is as it was written, or else the newest that opens.
fn newest_snapshot(dir: &Path, remains: &Remains) -> Result<Option<Reading>, StoreError> {
    // One of which parts are missing only where there is no other.
    let (mut files, mut partial) = (Vec::new(), Vec::new());
    for file in snapshots(dir)? {
        let is_sound = Reading::faults(&file, &remains.secrets)?.is_none();
        if is_sound { files.push(file) } else { partial.push(file) }
    }
    for file in files.into_iter().chain(partial) {
        match Reading::open(&file, &remains.secrets) {
            Ok(reading) => {
                is_known(reading.schema)?;
                return Ok(Some(reading));
            }
            Err(error) => tracing::warn!(%error, "a snapshot cannot be used"),
        }
    }
    Ok(None)
}

fn from_snapshot(
    remains: &Remains,
    reading: Option<Reading>,
    import: &mut Import<'_>,
    told: &mut Salvaged,
) -> Result<Taken, StoreError> {
    let mut taken = Taken { keys: BTreeSet::new(), superseded: None };
    let Some(mut reading) = reading else { return Ok(taken) };
    let newer = remains.newer_than(reading.commits)?;
    while let Some(entries) = reading.next() {
        for entry in entries {
            if knows_better(remains, &entry.key, newer)? {
                continue;
            }
            let Some(sealing) = remains.key_of(&entry.row)? else {
                told.without_key += 1;
                continue;
            };
            if !entry.opens(remains, sealing) {
                continue;
            }
            taken.keys.insert(entry.key.clone());
            told.from_snapshot += 1;
            let is_in_log =
                remains.log.as_ref().and_then(|log| log.find(&entry.key)).is_some_and(|found| found.is_there());
            if let Some(gone) = told.gone.as_mut().filter(|_| !is_in_log) {
                gone.rows = gone.rows.saturating_sub(1 + entry.chunks.len() as u64);
            }
            import.add(entry)?;
        }
    }
    told.snapshot = Some((reading.made, reading.whole));
    taken.superseded = newer.filter(|_| reading.whole);
    Ok(taken)
}

/// Whether the log knows of a later state of a row than the snapshot, which is a row that opens, or none.
fn knows_better(remains: &Remains, key: &[u8], newer: Option<u64>) -> Result<bool, StoreError> {
    let (Some(log), Some(newer)) = (&remains.log, newer) else { return Ok(false) };
    if log.known_until(key).is_none_or(|position| position < newer) {
        return Ok(false);
    }
    match log.find(key).filter(Found::is_there) {
        Some(found) => Ok(value_in(log, found, key, remains)?.is_ok()),
        None => Ok(true),
    }
}

fn from_log(
    log: &Log,
    remains: &Remains,
    taken: &Taken,
    plan: SnapshotPlan,
    import: &mut Import<'_>,
    told: &mut Salvaged,
) -> Result<(), StoreError> {
    for (key, found) in log.range(&[], Some(&[CHUNK_TABLE])) {
        let table = key.first().copied().unwrap_or_default();
        if !found.is_there() || taken.keys.contains(key) || plan.without.contains(&table) {
            continue;
        }
        // Of a table that is in no snapshot the snapshot knows nothing.
        let in_snapshots = !plan.never.contains(&table);
        let was_removed = in_snapshots && taken.superseded.is_some_and(|newer| found.position < newer);
        match value_in(log, *found, key, remains)? {
            Err(Unopened::State) => {}
            Err(Unopened::WithoutKey) => told.without_key += 1,
            _ if was_removed => {}
            Err(Unopened::Damaged) => told.gone.iter_mut().for_each(|gone| gone.rows += 1),
            Ok(entry) => {
                told.from_database += 1;
                import.add(entry)?;
            }
        }
    }
    Ok(())
}

/// Why a row of the log is not taken.
enum Unopened {
    State,
    WithoutKey,
    Damaged,
}

/// A row of the log with its chunks, if it opens.
fn value_in(log: &Log, found: Found, key: &[u8], remains: &Remains) -> Result<Result<Entry, Unopened>, StoreError> {
    let Some(row) = log.bytes(found)? else { return Ok(Err(Unopened::Damaged)) };
    let Ok(header) = Header::of(&row) else { return Ok(Err(Unopened::Damaged)) };
    if remains.is_state(header.key, key.first().copied().unwrap_or_default()) {
        return Ok(Err(Unopened::State));
    }
    let Some(sealing) = remains.key_of(&row)? else { return Ok(Err(Unopened::WithoutKey)) };
    let chunk_keys = ChunkKeys::of(&remains.secrets, key);
    let mut chunks = Vec::new();
    for index in 1..=header.chunks {
        match log.row(&chunk_keys.at(index))? {
            Some(chunk) => chunks.push(chunk),
            None => return Ok(Err(Unopened::Damaged)),
        }
    }
    let entry = Entry { key: key.to_vec(), row, chunks };
    Ok(if entry.opens(remains, sealing) { Ok(entry) } else { Err(Unopened::Damaged) })
}

impl Entry {
    fn opens(&self, remains: &Remains, sealing: &AeadKey) -> bool {
        let mut chunks = self.chunks.iter();
        open_value(&remains.secrets, sealing, &self.key, &self.row, |_| Ok(chunks.next())).is_ok()
    }

    fn writes(self, inner: &Inner) -> Vec<Write> {
        let chunk_keys = ChunkKeys::of(&inner.secrets, &self.key);
        let mut writes: Vec<Write> =
            (1..).zip(self.chunks).map(|(index, chunk)| (chunk_keys.at(index), Some(chunk))).collect();
        writes.push((self.key, Some(self.row)));
        writes
    }
}

impl Remains {
    /// The key that opens a row, unless it is a State key or gone.
    fn key_of(&self, row: &[u8]) -> Result<Option<&AeadKey>, StoreError> {
        let id = Header::of(row)?.key;
        if id == KeyId::ROOT {
            return Ok(Some(&self.secrets.root));
        }
        let entry = self.keys.as_ref().and_then(|contents| contents.keys.get(&id));
        Ok(entry.filter(|entry| entry.role == Role::Given).map(|entry| &entry.key))
    }
}

/// Puts sealed rows into the new store.
struct Import<'a> {
    inner: &'a Inner,
    rng: &'a mut dyn CryptoRng,
    waiting: Vec<Write>,
}

impl<'a> Import<'a> {
    /// With the erasable keys that callers have named.
    fn begin(remains: &Remains, inner: &'a Inner, rng: &'a mut dyn CryptoRng) -> Result<Self, StoreError> {
        let mut writer = inner.writer();
        let mut keys = remains.keys.as_ref().map(|contents| contents.keys.clone()).unwrap_or_default();
        keys.retain(|_, entry| entry.role == Role::Given);
        inner.view_mut().opened_mut()?.keyring.adopt(keys);
        inner.make_durable(&mut writer, rng)?;
        inner.finish(&mut writer, Step { keys_made: true, ..Step::default() }, rng)?;
        drop(writer);
        Ok(Self { inner, rng, waiting: Vec::new() })
    }

    fn add(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.waiting.extend(entry.writes(self.inner));
        if self.waiting.len() >= AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let mut writer = self.inner.writer();
        let mut changes = Changes::default();
        {
            let view = self.inner.view();
            let opened = view.opened()?;
            for (key, row) in std::mem::take(&mut self.waiting) {
                changes.set(opened, &writer, key, row)?;
            }
        }
        self.inner.finish(&mut writer, Step { changes, ..Step::default() }, self.rng)
    }
}

#[cfg(test)]
mod tests;
