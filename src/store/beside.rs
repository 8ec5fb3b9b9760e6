//! What sled keeps beside its log: its settings, and its table of pages.
//!
//! Both can be made again, the one because it is always the same, the other of the log. But sled gives up over one that is
//! damaged, where it would go on without it: so they are looked at before it is.
//!
//! ```text
//! conf       = settings ‖ crc (4)
//! snap.<hex> = position (8, one more than it is) ‖ pages … ‖ length of before (8) ‖ crc (4)        hex: the position
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::files::existing;

/// The file of the settings.
pub(super) const SETTINGS: &str = "conf";
/// What it says: as sled 0.34 writes what the database is opened with.
const SET: &[u8] = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n";
/// sled takes a file of so few bytes for none.
const NO_SETTINGS: usize = 8;
/// How the names of tables begin.
const TABLE: &str = "snap.";
/// How the name of one ends that is being written.
pub(super) const UNFINISHED: &str = ".generating";

/// Whether sled's settings are in the folder of the database as they were written; `None`: they are missing.
///
/// # Errors
/// Those of the disk.
pub(super) fn settings(folder: &Path) -> Result<Option<bool>, StoreError> {
    let path = folder.join(SETTINGS);
    let Some(file) = existing(&path, File::open(&path))? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(4096).read_to_end(&mut bytes).map_err(|error| StoreError::from_io(&path, error))?;
    if bytes.len() <= NO_SETTINGS {
        return Ok(None);
    }
    Ok(Some(bytes.split_last_chunk().is_some_and(|(set, crc)| set == SET && is_sum(set, *crc))))
}

/// The tables of pages in the folder of the database, which may be missing; sled reads the last one.
///
/// # Errors
/// Those of the disk.
pub(super) fn tables(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let at = |error| StoreError::from_io(folder, error);
    let mut found = Vec::new();
    for entry in existing(folder, fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry.map_err(at)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(TABLE.as_bytes()) && !is_unfinished(&name) {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether this is the name of a table that was being written when the process ended.
pub(super) fn is_unfinished(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

/// The position up to which a table knows the log, as its name says.
pub(super) fn position(table: &Path) -> Option<u64> {
    let hex = table.file_name()?.to_str()?.strip_prefix(TABLE)?;
    u64::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 16)
}

/// Whether a table is as it was written.
///
/// # Errors
/// Those of the disk.
pub(super) fn is_sound(table: &Path) -> Result<bool, StoreError> {
    let bytes = fs::read(table).map_err(|error| StoreError::from_io(table, error))?;
    let Some((rest, crc)) = bytes.split_last_chunk::<4>() else { return Ok(false) };
    let Some((pages, length)) = rest.split_last_chunk::<8>() else { return Ok(false) };
    let Some(first) = pages.first_chunk::<8>() else { return Ok(false) };
    // One that knows nothing yet is named as one that knows the log up to its first byte.
    let is_named = |position: u64| position == u64::from_le_bytes(*first).saturating_sub(1);
    Ok(u64::from_le_bytes(*length) == pages.len() as u64
        && position(table).is_some_and(is_named)
        && is_sum(pages, *crc))
}

fn is_sum(bytes: &[u8], crc: [u8; 4]) -> bool {
    crc32fast::hash(bytes) == u32::from_le_bytes(crc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Place;

    /// What sled writes is what is expected; whatever of it is changed is noticed.
    #[test]
    fn what_sled_writes_is_sound_and_what_was_changed_is_not() {
        let mut place = Place::new(1);
        for _ in 0..3 {
            place.open().unwrap().close();
        }
        let folder = place.path().join("db");
        assert_eq!(settings(&folder).unwrap(), Some(true));
        let found = tables(&folder).unwrap();
        let [table] = &found[..] else { panic!("{found:?}") };
        assert!(is_sound(table).unwrap() && position(table).unwrap() > 0);
        let changed = |path: &Path, is_sound: &dyn Fn() -> bool| {
            let bytes = fs::read(path).unwrap();
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 1 << (at % 8);
                fs::write(path, &other).unwrap();
                assert!(!is_sound(), "{at}");
                fs::write(path, &bytes[..at]).unwrap();
                assert!(!is_sound(), "cut at {at}");
            }
            fs::write(path, &bytes).unwrap();
            assert!(is_sound());
        };
        changed(&folder.join(SETTINGS), &|| settings(&folder).unwrap() == Some(true));
        changed(table, &|| super::is_sound(table).unwrap());
        // Under the name of another, and under none.
        for name in ["snap.0000000000000001", "snap.x"] {
            fs::copy(table, folder.join(name)).unwrap();
            assert!(!is_sound(&folder.join(name)).unwrap());
        }
        fs::write(folder.join("snap.0000000000000001.generating"), "").unwrap();
        assert_eq!(tables(&folder).unwrap().len(), 3);
    }
}
