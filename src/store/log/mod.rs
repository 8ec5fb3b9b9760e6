//! Reads sled's log without sled.
//!
//! sled cuts its log at the first damaged byte and fills what comes behind it with zeros, and its errors are panics. So
//! whoever must not change anything (`recover`, `doctor`, a read-only or a full disk) reads the log here: each
//! undamaged piece of it counts, wherever it stands. What was read is believed only as far as rows open and their sum
//! is right, so nothing hangs on this being sled's own idea of its log; a test compares the two.
//!
//! ```text
//! log     = segment ‖ segment …                    512 KiB each, in any order
//! segment = crc (4) ‖ ¬position (8) ‖ ¬what was certain (8) ‖ message ‖ message …        position: a multiple of 512 KiB
//! message = crc (4) ‖ kind (1) ‖ length (varint) ‖ number of the segment (varint) ‖ page (varint) ‖ body
//! ```

mod file;
mod message;
mod page;
mod table;
mod tree;

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::path::Path;

use file::LogFile;
use message::{Kind, Message, SEGMENT, Segment};
use page::{Change, Changes};
pub(super) use table::{is_entangled, rows_for_sled};

use super::StoreError;
use crate::base::progress;

/// Whether there is something sound behind damage in that part of the log which sled reads when it opens, or the log ends before
/// that part: there it would stop, and erase what comes behind. What a power cut has torn looks the same.
///
/// # Errors
/// Those of the disk.
pub(super) fn is_torn(path: &Path) -> Result<bool, StoreError> {
    let Some(file) = LogFile::open(path)? else { return Ok(false) };
    let stable = file.stable_position()?;
    let segments = file.segments()?;
    let last = segments.last().copied();
    let mut end = 0;
    for (position, at) in segments {
        let is_last = last == Some((position, at));
        if position + SEGMENT as u64 <= stable && !is_last {
            continue;
        }
        let bytes = file.segment(at)?;
        let mut segment = Segment::new(&bytes, position);
        while segment.next().is_some() {}
        end = position + segment.end() as u64;
        if segment.gaps > 0 || message::position(&bytes).is_none() || !(is_last || segment.is_full()) {
            return Ok(true);
        }
    }
    // What sled's table knows is not there any more: sled would give up what it does not find, too.
    if end < stable {
        return Ok(true);
    }
    Ok(false)
}

/// A row of the log: where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The position in the log at which this was so.
    pub(super) position: u64,
    /// Where its bytes are in the file; `None`: it was removed.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    at: u64,
    len: usize,
}

impl Found {
    /// Whether the row was there at last.
    pub(super) const fn is_there(&self) -> bool {
        self.place.is_some()
    }
}

/// What is left of a log.
pub(super) struct Log {
    file: LogFile,
    rows: BTreeMap<Vec<u8>, Found>,
    /// The pages: where each begins, where it ends (empty: nowhere), and where it was last written.
    pages: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    /// What the watched row was, oldest first.
    history: Vec<Found>,
    watched: Vec<u8>,
    /// Pieces that could not be read; what sled itself leaves behind may be among them.
    pub(super) gaps: usize,
}

impl Log {
    /// Reads the log at `path`, if there is one, from one end to the other, remembering all that the row at `watched` was.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn read(path: &Path, watched: &[u8]) -> Result<Option<Self>, StoreError> {
        let Some(file) = LogFile::open(path)? else { return Ok(None) };
        let mut log = Self::over(file, watched);
        let (mut batch, mut pages, strays) = (None::<Batch>, Pages::default(), table::strays(path)?);
        let mut gaps = 0;
        let segments = log.file.segments()?;
        // What sled's table of pages knows has been whole, whatever sled has given up since: a segment without anything
        // that is still so is used anew, and leaves a gap.
        let stable = log.file.stable_position()?;
        for (index, (position, at)) in segments.iter().copied().enumerate() {
            let bytes = log.file.segment(at)?;
            let mut segment = Segment::new(&bytes, position);
            while let Some(message) = segment.next() {
                // Behind a gap nobody knows what a message belongs to: the beginning of its batch may be what is missing.
                let is_behind_a_gap = log.gaps + segment.gaps > std::mem::replace(&mut gaps, log.gaps + segment.gaps);
                if is_behind_a_gap && batch.as_ref().is_none_or(Batch::has_ended_whole) {
                    let whole = position + message.start as u64 <= stable;
                    let next = Batch { last: u64::MAX, before: Before::Gap, whole, steps: Vec::new() };
                    log.apply_all(batch.replace(next), &mut pages);
                }
                if let Kind::Batch(last) = message.kind {
                    // One that follows another: what is missing of that one is damage, and no reason to drop the rest. But what
                    // came between the two, pages that reading has split, was not certain yet when this one began.
                    let whole = last <= stable;
                    let (before, steps) = match batch.take() {
                        Some(Batch { before: Before::Gap, whole: false, steps, .. }) if !whole => (Before::Torn, steps),
                        done => {
                            log.apply_all(done, &mut pages);
                            (Before::Gaps(gaps), Vec::new())
                        }
                    };
                    batch = Some(Batch { last, before, whole, steps });
                } else if matches!(message.kind, Kind::Link | Kind::Node | Kind::Free) {
                    let (at, position) = (at + message.body_start as u64, position + message.start as u64);
                    let changes = pages.changes(&message);
                    let changes = changes.filter(|changes| !strays.has(position, message.page, changes));
                    let step = Step { position, at, page: message.page, is_link: message.kind == Kind::Link, changes };
                    match &mut batch {
                        Some(Batch { steps, .. }) => steps.push(step),
                        None => log.apply(step, &mut pages),
                    }
                }
                if let Some(batch) = batch.as_mut().filter(|batch| position + message.end as u64 > batch.last) {
                    batch.whole |= batch.before == Before::Gaps(gaps);
                    // Looked at once, where it ends.
                    batch.last = u64::MAX;
                }
            }
            log.gaps += segment.gaps;
            let next = segments.get(index + 1).map(|(next, _)| *next);
            let goes_on = segment.is_full() && next == Some(position + SEGMENT as u64);
            log.gaps += usize::from(!goes_on && next.is_some());
        }
        // The last batch, if it is not all there, may have been torn before it was acknowledged: none of it counts.
        log.apply_all(batch.filter(|batch| batch.whole), &mut pages);
        Ok(Some(log))
    }

    /// Nothing was read yet.
    fn over(file: LogFile, watched: &[u8]) -> Self {
        let (rows, pages, history) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { file, rows, pages, history, watched: watched.to_vec(), gaps: 0 }
    }

    /// The last that is known of the row at `key`.
    pub(super) fn find(&self, key: &[u8]) -> Option<Found> {
        self.rows.get(key).copied()
    }

    /// What the watched row was, oldest first.
    pub(super) fn history(&self) -> &[Found] {
        &self.history
    }

    /// The rows of a range, removed ones included.
    pub(super) fn range(&self, low: &[u8], high: Option<&[u8]>) -> Range<'_, Vec<u8>, Found> {
        let high = high.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range::<[u8], _>((Bound::Included(low), high))
    }

    /// The bytes of a row.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn bytes(&self, found: Found) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(place) = found.place else { return Ok(None) };
        progress::row();
        self.file.read_exact(place.at, place.len).map(Some)
    }

    /// The bytes of the row at `key`.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.find(key).map_or(Ok(None), |found| self.bytes(found))
    }

    /// The position up to which it is known whether there is a row at `key`.
    pub(super) fn known_until(&self, key: &[u8]) -> Option<u64> {
        let page = self.pages.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back();
        let page = page.filter(|(_, (high, _))| high.is_empty() || key < high.as_slice());
        let row = self.find(key).map(|found| found.position);
        page.map(|(_, (_, position))| *position).max(row)
    }

    /// A page was written that begins and ends there.
    fn cover(&mut self, low: Vec<u8>, high: Vec<u8>, position: u64) {
        let end = if high.is_empty() { Bound::Unbounded } else { Bound::Excluded(high.as_slice()) };
        let inside = self.pages.range::<[u8], _>((Bound::Included(low.as_slice()), end));
        let inside: Vec<Vec<u8>> = inside.map(|(low, _)| low.clone()).collect();
        for low in inside {
            self.pages.remove(&low);
        }
        self.pages.insert(low, (high, position));
    }

    fn apply_all(&mut self, batch: Option<Batch>, pages: &mut Pages) {
        for step in batch.into_iter().flat_map(|batch| batch.steps) {
            self.apply(step, pages);
        }
    }

    fn apply(&mut self, Step { position, at, page, is_link, changes }: Step, pages: &mut Pages) {
        if !is_link {
            // A page that was written anew says itself what its changes came to. What it does not say was none of its
            // rows: a change that had outlived its own page, and was taken for one of what had this number before. The row that
            // is really there counts again.
            let within = changes.as_ref().and_then(|changes| changes.within.as_ref());
            for Named { key, position, before } in pages.changed.remove(&page).into_iter().flatten().rev() {
                let is_its_own = within.is_some_and(|(low, high)| *low <= key && (high.is_empty() || key < *high));
                if !is_its_own && self.find(&key).is_some_and(|found| found.position == position) {
                    match before {
                        Some(before) => drop(self.rows.insert(key, before)),
                        None => drop(self.rows.remove(&key)),
                    }
                }
            }
        }
        // What cannot be understood is of a page that was moved: it is written anew later.
        let Some(Changes { within, rows, .. }) = changes else { return };
        let mut seen: BTreeMap<Vec<u8>, Found> = BTreeMap::new();
        for Change { key, value } in rows {
            if is_link {
                pages.changed.entry(page).or_default().push(Named {
                    key: key.clone(),
                    position,
                    before: self.find(&key),
                });
            }
            let found = Found { position, place: value.map(|(start, len)| Place { at: at + start as u64, len }) };
            if key == self.watched {
                self.history.push(found);
            }
            seen.insert(key, found);
        }
        // A page says everything of its range: what is not in it is not there.
        if let Some((low, high)) = within {
            self.cover(low.clone(), high.clone(), position);
            let high = if high.is_empty() { Bound::Unbounded } else { Bound::Excluded(high.as_slice()) };
            for (key, found) in self.rows.range_mut::<[u8], _>((Bound::Included(low.as_slice()), high)) {
                if !seen.contains_key(key) {
                    *found = Found { position, place: None };
                }
            }
        }
        // One by one: `append` would build the whole map anew for each of them.
        self.rows.extend(seen);
    }
}

/// What has to be known of pages on the way.
#[derive(Default)]
struct Pages {
    /// What the keys of each page begin with.
    prefixes: HashMap<u64, Vec<u8>>,
    /// The rows that changes have named since the page was last written as a whole.
    changed: HashMap<u64, Vec<Named>>,
}

impl Pages {
    /// What a message changes. A change of a page that was lost goes by what the page was before, if it was: when that
    /// is wrong, its row does not open.
    fn changes(&mut self, message: &Message<'_>) -> Option<Changes> {
        if message.kind == Kind::Link {
            return page::link(message.body, self.prefixes.get(&message.page)?);
        }
        self.prefixes.remove(&message.page);
        if message.kind == Kind::Free {
            return None;
        }
        let (changes, prefix) = page::node(message.body)?;
        // No change of an inner page is one of a row.
        if changes.within.is_some() {
            self.prefixes.insert(message.page, prefix.to_vec());
        }
        Some(changes)
    }
}

/// A row that a change has named.
struct Named {
    key: Vec<u8>,
    /// Where.
    position: u64,
    /// What it was until then.
    before: Option<Found>,
}

/// One message that says something of rows.
struct Step {
    position: u64,
    /// Where its body is in the file.
    at: u64,
    page: u64,
    /// A change of a page; otherwise a whole page, or the end of one.
    is_link: bool,
    changes: Option<Changes>,
}

/// Steps that count only together, and what comes behind them.
struct Batch {
    /// The last position of the batch.
    last: u64,
    before: Before,
    /// Its end was seen, and no gap in it.
    whole: bool,
    steps: Vec<Step>,
}

/// What was before the steps of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// So many gaps, none of them of this batch.
    Gaps(usize),
    /// One; these steps follow it, and no batch has begun since.
    Gap,
    /// One, and between it and the beginning of the batch steps that count with it only.
    Torn,
}

impl Batch {
    /// Whether all of it was seen: what follows is not of it.
    const fn has_ended_whole(&self) -> bool {
        self.last == u64::MAX && self.whole
    }
}

#[cfg(test)]
mod tests;
