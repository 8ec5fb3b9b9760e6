//! What sled makes of a log when it opens: its table of pages, and what was written behind that.
//!
//! ```text
//! table = position (8) ‖ one more than the beginning of the last segment, or 0 (varint) ‖ page ‖ page …
//! page  = 0 ‖ position (8) ‖ place  |  one more than its changes (1) ‖ spot ‖ spot …
//! spot  = position (8) ‖ place ‖ length (varint)
//! place = 0 ‖ where in the file (varint)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::file::LogFile;
use super::message::{HEADER, Kind, LAST, Message, SEGMENT, Segment, parse, varint};
use super::page::Shape;
use super::{message, page};
use crate::store::StoreError;
use crate::store::beside::{is_sound, position, tables};

/// More levels than a tree can have: each page has two below it at least.
const MAX_HEIGHT: usize = 64;

/// The pages, and how they hang together.
struct Tree {
    leaves: Vec<Leaf>,
    shapes: BTreeMap<u64, Shape>,
}

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
/// A page of rows: where it begins and ends, and its number.
type Leaf = (Vec<u8>, Vec<u8>, u64);

/// Reads every page of the log at `path` as sled would, and calls `each` with each of its rows. `None`: a page that sled needs is
/// not as it was written.
///
/// # Errors
/// Those of the disk.
pub(in crate::store) fn rows_for_sled(
    path: &Path,
    each: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<Option<()>, StoreError> {
    let Some((log, pages)) = known(path)? else { return Ok(None) };
    let Some(Tree { mut leaves, shapes }) = log.tree(&pages)? else { return Ok(None) };
    if are_entangled(&shapes) {
        return Ok(None);
    }
    leaves.sort_unstable();
    let (mut until, mut together) = (Some(Vec::new()), Vec::<View>::new());
    for (low, high, number) in leaves {
        let is_behind = until.as_ref().is_some_and(|until| low >= *until);
        if is_behind {
            if until.as_ref() != Some(&low) {
                return Ok(None);
            }
            tell(&together, each);
            together.clear();
        }
        let Some(view) = log.view_of(number, (low, high), &pages)? else { return Ok(None) };
        until = until.filter(|_| !view.high.is_empty()).map(|until| until.max(view.high.clone()));
        together.push(view);
    }
    tell(&together, each);
    Ok(until.is_none().then_some(()))
}

/// Whether the end of a division of pages is lost, though the tree leads to the page that was divided off: sled has all rows, as long as it
/// does not divide the same page again. What comes off then hides the page that was there, and its rows with it. No crash leaves
/// this: the tree leads to a page after the division is written.
///
/// # Errors
/// Those of the disk.
pub(in crate::store) fn is_entangled(path: &Path) -> Result<bool, StoreError> {
    let Some((log, pages)) = known(path)? else { return Ok(false) };
    Ok(log.tree(&pages)?.is_some_and(|tree| are_entangled(&tree.shapes)))
}

/// The log, and its pages as sled would know them; `None`: it would give up.
fn known(path: &Path) -> Result<Option<(LogFile, Pages)>, StoreError> {
    let Some(log) = LogFile::open(path)? else { return Ok(None) };
    let (mut pages, mut stable) = (Pages::new(), 0);
    for table in tables(path.parent().unwrap_or(path))?.iter().rev() {
        if is_sound(table)? {
            let bytes = fs::read(table).map_err(|error| StoreError::from_io(table, error))?;
            let Some(known) = pages_of(&bytes) else { return Ok(None) };
            (pages, stable) = (known, position(table).unwrap_or_default());
            break;
        }
    }
    let Some(erased) = log.replay(stable, &mut pages)? else { return Ok(None) };
    let is_erased = |spot: &Spot| erased.contains(&(spot.at / SEGMENT as u64 * SEGMENT as u64));
    let is_lost = |page: &Page| matches!(page, Page::Present(whole, changes) if is_erased(whole) || changes.iter().any(is_erased));
    Ok((!pages.values().any(is_lost)).then_some((log, pages)))
}

/// Whether of two pages to which the tree leads one begins within the other, which it is not going into.
pub(super) fn are_entangled(shapes: &BTreeMap<u64, Shape>) -> bool {
    let children = shapes.values().flat_map(|shape| &shape.children);
    let children = children.filter_map(|(_, child)| shapes.get(child)).filter(|shape| !shape.merging);
    let pages: BTreeSet<_> = children.map(|shape| (height(shapes, shape), &shape.low, &shape.high)).collect();
    // A page ends where the next of its height begins, or before.
    pages.iter().zip(pages.iter().skip(1)).any(|((height, low, high), (above, next, _))| {
        height == above && low < next && (high.is_empty() || next < high)
    })
}

/// How far a page is above those that hold rows. No tree is as high as a circle.
fn height<'a>(shapes: &'a BTreeMap<u64, Shape>, mut shape: &'a Shape) -> usize {
    let mut height = 0;
    while let Some((_, child)) = shape.children.first().filter(|_| height < MAX_HEIGHT) {
        height += 1;
        let Some(next) = shapes.get(child) else { break };
        shape = next;
    }
    height
}

/// Tells the rows of pages that overlap. They do where one was being divided or merged, and the end of that is missing: of each key
/// the last that was written counts.
fn tell(pages: &[View], each: &mut dyn FnMut(&[u8], &[u8])) {
    let keys: BTreeSet<&Vec<u8>> = pages.iter().flat_map(|page| page.rows.keys()).collect();
    for key in keys {
        let of_page = |page: &'_ View| page.rows.get(key).map_or(page.position, |(position, _)| *position);
        let last = pages.iter().filter(|page| page.covers(key)).max_by_key(|page| of_page(page));
        if let Some(row) = last.and_then(|page| page.rows.get(key)?.1.as_ref()) {
            each(key, row);
        }
    }
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
    fn replay(&self, stable: u64, pages: &mut Pages) -> Result<Option<Vec<u64>>, StoreError> {
        let segments = self.segments_behind(stable)?;
        let end = self.end_for_sled(stable, &segments)?;
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

    /// Looks at every page, and says which hold rows, and how all hang together.
    fn tree(&self, pages: &Pages) -> Result<Option<Tree>, StoreError> {
        let (mut leaves, mut shapes) = (Vec::new(), BTreeMap::new());
        for ((number, page), expected) in pages.iter().zip(0..) {
            // sled numbers pages one after another, and gives up over one of which it knows nothing.
            if *number != expected {
                return Ok(None);
            }
            let Page::Present(whole, changes) = page else { continue };
            let Some(bytes) = self.message_at(*whole)? else { return Ok(None) };
            let Some(message) = of_page(&bytes, *whole, *number) else { return Ok(None) };
            if message.kind == Kind::Node {
                let Some((read, _)) = page::node(message.body) else { return Ok(None) };
                leaves.extend(read.within.map(|(low, high)| (low, high, *number)));
                let Some(shape) = page::shape(message.body) else { return Ok(None) };
                shapes.insert(*number, shape);
            } else if message.kind != Kind::Root {
                return Ok(None);
            }
            for change in changes {
                let Some(bytes) = self.message_at(*change)? else { return Ok(None) };
                let Some(message) = of_page(&bytes, *change, *number).filter(|message| message.kind == Kind::Link)
                else {
                    return Ok(None);
                };
                if let Some(shape) = shapes.get_mut(number) {
                    shape.merging |= page::is_merging(message.body);
                }
            }
        }
        Ok(Some(Tree { leaves, shapes }))
    }

    /// What a page says.
    fn view_of(&self, number: u64, (low, high): (Vec<u8>, Vec<u8>), pages: &Pages) -> Result<Option<View>, StoreError> {
        let Some(Page::Present(whole, changes)) = pages.get(&number) else { return Ok(None) };
        let Some(bytes) = self.message_at(*whole)? else { return Ok(None) };
        let read = of_page(&bytes, *whole, number).and_then(|message| Some((page::node(message.body)?, message.body)));
        let Some(((read, prefix), body)) = read else { return Ok(None) };
        let mut view = View { low, high, position: whole.position, rows: BTreeMap::new() };
        view.apply(whole.position, read, body);
        for change in changes {
            let Some(bytes) = self.message_at(*change)? else { return Ok(None) };
            let read = of_page(&bytes, *change, number)
                .and_then(|message| Some((page::link(message.body, prefix)?, message.body)));
            let Some((read, body)) = read else { return Ok(None) };
            view.apply(change.position, read, body);
        }
        Ok(Some(view))
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

/// What a page says of the rows between its ends.
struct View {
    low: Vec<u8>,
    /// Empty: nowhere.
    high: Vec<u8>,
    /// Where it was written as a whole.
    position: u64,
    /// Rows, removed ones included, and where that was written.
    rows: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
}

impl View {
    fn covers(&self, key: &Vec<u8>) -> bool {
        self.low <= *key && (self.high.is_empty() || *key < self.high)
    }

    fn apply(&mut self, position: u64, read: page::Changes, body: &[u8]) {
        for page::Change { key, value } in read.rows {
            let row = value.and_then(|(start, length)| body.get(start..start + length)).map(<[u8]>::to_vec);
            self.rows.insert(key, (position, row));
        }
    }
}
