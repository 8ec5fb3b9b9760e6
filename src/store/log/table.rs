//! What sled makes of a log when it opens: its table of pages, and what was written behind that.
//!
//! ```text
//! table = position (8) ‖ one more than the beginning of the last segment, or 0 (varint) ‖ page ‖ page …
//! page  = 0 ‖ position (8) ‖ place  |  one more than its changes (1) ‖ spot ‖ spot …
//! spot  = position (8) ‖ place ‖ length (varint)
//! place = 0 ‖ where in the file (varint)
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::file::LogFile;
use super::message::{HEADER, Kind, LAST, Message, SEGMENT, Segment, parse, varint};
use super::tree::Tree;
use super::{message, page};
use crate::store::StoreError;
use crate::store::beside::{is_sound, position, tables};

/// The page that says where the tree begins.
const ROOTS: u64 = 0;

/// Where a message is.
#[derive(Clone, Copy)]
struct Spot {
    position: u64,
    at: u64,
    length: usize,
}

/// What is known of a page.
enum Page {
    Free,
    /// The whole page, and what changed it since.
    Present(Spot, Vec<Spot>),
}

/// A segment whose header is sound.
struct Headed {
    position: u64,
    at: u64,
    /// Up to here the log was written for certain when the segment was begun.
    stable: u64,
}

/// Pages by their numbers.
type Pages = BTreeMap<u64, Page>;
/// Rows by their keys.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The log, its pages as sled would know them, and up to where it reads it.
struct Known {
    file: LogFile,
    pages: Pages,
    end: u64,
}

/// What of the log does not count, because the tree leads to other pages.
#[derive(Default)]
pub(super) struct Strays {
    /// What is behind this position may have made another tree of it.
    end: u64,
    tree: Tree,
}

impl Strays {
    /// Whether a page that was written there is none of the tree.
    pub(super) fn has(&self, position: u64, page: u64, changes: &page::Changes) -> bool {
        let within = changes.within.as_ref().filter(|_| position < self.end);
        within.is_some_and(|(low, high)| self.tree.is_stray(page, low, high, changes.merging))
    }
}

/// Reads every page of the log at `path` as sled would, and calls `each` with each of its rows. `None`: a page that sled needs is
/// not as it was written.
///
/// # Errors
/// Those of the disk.
pub(in crate::store) fn rows_for_sled(
    path: &Path,
    each: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<Option<()>, StoreError> {
    let Some(Known { file, pages, .. }) = known(path)? else { return Ok(None) };
    let (tree, is_whole) = file.tree(&pages)?;
    let leaves = tree.leaves(&[], &[]).filter(|_| is_whole && !tree.is_entangled());
    let Some(leaves) = leaves else { return Ok(None) };
    for (from, number) in leaves {
        let Some(rows) = file.rows_of(number, &pages)? else { return Ok(None) };
        rows.range(from..).for_each(|(key, row)| each(key, row));
    }
    Ok(Some(()))
}

/// Whether the end of a division of pages is lost, though the tree leads to the page that was divided off: sled has all rows, as long as it
/// does not divide the same page again. What comes off then hides the page that was there, and its rows with it. No crash leaves
/// this: the tree leads to a page after the division is written.
///
/// # Errors
/// Those of the disk.
pub(in crate::store) fn is_entangled(path: &Path) -> Result<bool, StoreError> {
    let Some(Known { file, pages, .. }) = known(path)? else { return Ok(false) };
    let (tree, is_whole) = file.tree(&pages)?;
    Ok(is_whole && tree.is_entangled())
}

/// What of the log at `path` does not count, though it is sound, and may stand behind what does.
///
/// # Errors
/// Those of the disk.
pub(super) fn strays(path: &Path) -> Result<Strays, StoreError> {
    let Some(Known { file, pages, end }) = known(path)? else { return Ok(Strays::default()) };
    let (tree, _) = file.tree(&pages)?;
    Ok(Strays { end, tree })
}

/// The log, and its pages as sled would know them; `None`: it would give up.
fn known(path: &Path) -> Result<Option<Known>, StoreError> {
    let Some(file) = LogFile::open(path)? else { return Ok(None) };
    let (mut pages, mut stable) = (Pages::new(), 0);
    for table in tables(path.parent().unwrap_or(path))?.iter().rev() {
        if is_sound(table)? {
            let bytes = fs::read(table).map_err(|error| StoreError::from_io(table, error))?;
            let Some(known) = pages_of(&bytes) else { return Ok(None) };
            (pages, stable) = (known, position(table).unwrap_or_default());
            break;
        }
    }
    let segments = file.segments_behind(stable)?;
    let end = file.end_for_sled(stable, &segments)?;
    let Some(erased) = file.replay((stable, end), &segments, &mut pages)? else { return Ok(None) };
    let is_erased = |spot: &Spot| erased.contains(&(spot.at / SEGMENT as u64 * SEGMENT as u64));
    let is_lost = |page: &Page| matches!(page, Page::Present(whole, changes) if is_erased(whole) || changes.iter().any(is_erased));
    Ok((!pages.values().any(is_lost)).then_some(Known { file, pages, end }))
}

/// The pages that a table names.
fn pages_of(table: &[u8]) -> Option<Pages> {
    // Behind them are the length and the sum.
    let (table, _) = table.split_last_chunk::<12>()?;
    let (_, rest) = table.split_first_chunk::<8>()?;
    let (_, mut rest) = varint(rest)?;
    let mut pages = Pages::new();
    while let Some((&spots, after)) = rest.split_first() {
        rest = after;
        if spots == 0 {
            (_, rest) = place(rest)?;
            pages.insert(pages.len() as u64, Page::Free);
            continue;
        }
        let (whole, after) = spot(rest)?;
        rest = after;
        let mut changes = Vec::new();
        for _ in 1..spots {
            let (change, after) = spot(rest)?;
            rest = after;
            changes.push(change);
        }
        pages.insert(pages.len() as u64, Page::Present(whole, changes));
    }
    Some(pages)
}

fn spot(bytes: &[u8]) -> Option<(Spot, &[u8])> {
    let ((position, at), rest) = place(bytes)?;
    let (length, rest) = varint(rest)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= SEGMENT)?;
    Some((Spot { position, at, length }, rest))
}

/// A position, and where in the file that is; a page in a file of its own is none of ours.
fn place(bytes: &[u8]) -> Option<((u64, u64), &[u8])> {
    let (position, rest) = bytes.split_first_chunk()?;
    let (at, rest) = varint(rest.strip_prefix(&[0])?)?;
    Some(((u64::from_le_bytes(*position), at), rest))
}

impl LogFile {
    /// Brings pages up to date with what was written behind the table that knows them, as far as sled gets. Says which segments it
    /// would erase; `None`: it would give up.
    fn replay(
        &self,
        (stable, end): (u64, u64),
        segments: &[Headed],
        pages: &mut Pages,
    ) -> Result<Option<Vec<u64>>, StoreError> {
        let (mut read, mut upto) = (0, None);
        'segments: for Headed { position, at, .. } in segments.iter().take_while(|segment| segment.position < end) {
            read += 1;
            upto = Some(position + HEADER as u64);
            let bytes = self.segment(*at)?;
            let mut segment = Segment::new(&bytes, *position);
            // What is behind damage in a segment it passes over, and goes on with the next.
            while let Some(message) = segment.next_in_row() {
                let place = position + message.start as u64;
                // The last batch is not all there: nobody was told that it was.
                if place >= end || matches!(message.kind, Kind::Batch(last) if last >= end) {
                    break 'segments;
                }
                upto = Some(position + message.end as u64);
                if place >= stable {
                    let length = message.end - message.start;
                    note(pages, &message, Spot { position: place, at: at + message.start as u64, length });
                }
            }
        }
        let erased = segments.iter().skip(read).map(|segment| segment.at).collect();
        // It does not go back.
        Ok(upto.is_none_or(|upto| upto + LAST as u64 > stable).then_some(erased))
    }

    /// The segments from the one on in which a table ends, in order; those whose header is damaged are none.
    fn segments_behind(&self, stable: u64) -> Result<Vec<Headed>, StoreError> {
        let mut found = Vec::new();
        for (_, at) in self.segments()? {
            let header = message::header(&self.read_up_to(at, HEADER)?);
            let behind = header.filter(|(position, _)| position + SEGMENT as u64 > stable);
            found.extend(behind.map(|(position, stable)| Headed { position, at, stable }));
        }
        Ok(found)
    }

    /// Where the log ends for sled: at the first damage behind what its headers say was written for certain.
    fn end_for_sled(&self, stable: u64, segments: &[Headed]) -> Result<u64, StoreError> {
        let certain = segments.iter().map(|segment| segment.stable).fold(stable, u64::max) / SEGMENT as u64;
        let first = certain * SEGMENT as u64;
        let (mut next, mut end) = (first, 0);
        for Headed { position, at, .. } in segments.iter().filter(|segment| segment.position >= first) {
            if *position != next {
                break;
            }
            let bytes = self.segment(*at)?;
            let mut segment = Segment::new(&bytes, *position);
            let mut upto = HEADER;
            while let Some(message) = segment.next_in_row() {
                upto = message.end;
            }
            end = position + upto as u64;
            if upto + LAST <= SEGMENT {
                break;
            }
            next += SEGMENT as u64;
        }
        Ok(end)
    }

    /// How the pages hang together, as far as they can be read, and whether all can.
    fn tree(&self, pages: &Pages) -> Result<(Tree, bool), StoreError> {
        let (mut tree, mut is_whole) = (Tree::default(), true);
        for ((number, page), expected) in pages.iter().zip(0..) {
            // sled numbers pages one after another, and gives up over one of which it knows nothing.
            is_whole &= *number == expected;
            let Page::Present(whole, changes) = page else { continue };
            is_whole &= self.look_at(*number, *whole, changes, &mut tree)?.is_some();
        }
        Ok((tree, is_whole))
    }

    /// Puts a page in its place in the tree; `None`: it cannot be read.
    fn look_at(&self, number: u64, whole: Spot, changes: &[Spot], tree: &mut Tree) -> Result<Option<()>, StoreError> {
        let Some(bytes) = self.message_at(whole)? else { return Ok(None) };
        let Some(message) = of_page(&bytes, whole, number) else { return Ok(None) };
        if message.kind == Kind::Root {
            let root = if number == ROOTS { page::root(message.body) } else { Some(tree.root) };
            tree.root = root.unwrap_or_default();
            return Ok(root.map(drop));
        }
        if message.kind != Kind::Node || page::node(message.body).is_none() {
            return Ok(None);
        }
        let Some(mut shape) = page::shape(message.body) else { return Ok(None) };
        for change in changes {
            let Some(bytes) = self.message_at(*change)? else { return Ok(None) };
            let link = of_page(&bytes, *change, number).filter(|message| message.kind == Kind::Link);
            if link.and_then(|message| shape.change(message.body)).is_none() {
                return Ok(None);
            }
        }
        tree.pages.insert(number, shape);
        Ok(Some(()))
    }

    /// The rows of a page.
    fn rows_of(&self, number: u64, pages: &Pages) -> Result<Option<Rows>, StoreError> {
        let Some(Page::Present(whole, changes)) = pages.get(&number) else { return Ok(None) };
        let Some(bytes) = self.message_at(*whole)? else { return Ok(None) };
        let read = of_page(&bytes, *whole, number).and_then(|message| Some((page::node(message.body)?, message.body)));
        let Some(((read, prefix), body)) = read else { return Ok(None) };
        let mut rows = Rows::new();
        change(&mut rows, read, body);
        for spot in changes {
            let Some(bytes) = self.message_at(*spot)? else { return Ok(None) };
            let read = of_page(&bytes, *spot, number)
                .and_then(|message| Some((page::link(message.body, prefix)?, message.body)));
            let Some((read, body)) = read else { return Ok(None) };
            change(&mut rows, read, body);
        }
        Ok(Some(rows))
    }

    /// The bytes at a spot; `None`: the file is shorter.
    fn message_at(&self, spot: Spot) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(Some(self.read_up_to(spot.at, spot.length)?).filter(|bytes| bytes.len() == spot.length))
    }
}

/// What a message says of its page.
fn note(pages: &mut Pages, message: &Message<'_>, spot: Spot) {
    match message.kind {
        Kind::Node | Kind::Root | Kind::Blob => drop(pages.insert(message.page, Page::Present(spot, Vec::new()))),
        Kind::Free => drop(pages.insert(message.page, Page::Free)),
        Kind::Link => {
            // A change of a page that is not known was left behind when the page was moved.
            if let Some(Page::Present(whole, changes)) = pages.get_mut(&message.page)
                && changes.last().unwrap_or(whole).position < spot.position
            {
                changes.push(spot);
            }
        }
        Kind::Batch(_) | Kind::Other => {}
    }
}

/// The message at a spot, if it is sound and about this page.
fn of_page(bytes: &[u8], spot: Spot, number: u64) -> Option<Message<'_>> {
    let (segment, message) = parse(bytes, 0)?;
    let is_it = segment == spot.position / SEGMENT as u64 && message.page == number;
    (is_it && message.end == bytes.len()).then_some(message)
}

/// Makes the changes that a body says.
fn change(rows: &mut Rows, read: page::Changes, body: &[u8]) {
    for page::Change { key, value } in read.rows {
        match value.and_then(|(start, length)| body.get(start..start + length)) {
            Some(row) => drop(rows.insert(key, row.to_vec())),
            None => drop(rows.remove(&key)),
        }
    }
}

/// How many pages of the log at `path` do not count.
#[cfg(test)]
pub(super) fn stray_pages(path: &Path) -> usize {
    let Strays { tree, .. } = strays(path).unwrap();
    let leaves = tree.pages.iter().filter(|(_, page)| page.children.is_empty());
    leaves.filter(|(number, page)| tree.is_stray(**number, &page.low, &page.high, page.merging)).count()
}
