//! How pages hang together, and which of them sled comes to on its way to a key.
//!
//! A page of rows that is divided off is written first, then the half that stays and names it as the next, then the page above. Whoever is killed
//! in between leaves one behind to which nothing leads. sled never gives it up: it moves it as any other, so that it
//! stands behind those that hold the rows.

use std::collections::{BTreeMap, BTreeSet};

use super::page::Shape;

/// More levels than a tree can have: each page has two below it at least.
const MAX_HEIGHT: usize = 64;

/// The pages that could be read.
#[derive(Default)]
pub(super) struct Tree {
    /// The page from which all ways begin.
    pub(super) root: u64,
    pub(super) pages: BTreeMap<u64, Shape>,
}

impl Tree {
    /// The page of rows to which a key leads; `None`: to nothing that could be read.
    fn leaf(&self, key: &[u8]) -> Option<(u64, &Shape)> {
        let (mut number, mut going) = (self.root, 0);
        // On no way is a page twice.
        for _ in &self.pages {
            let page = self.pages.get(&number)?;
            // sled looks again whether the other page has it by now.
            if key < page.low.as_slice() || page.merging && number != going {
                return None;
            }
            if !page.high.is_empty() && key >= page.high.as_slice() {
                // The page above was not told yet of what came off.
                number = page.next;
            } else if page.children.is_empty() {
                return Some((number, page));
            } else {
                // A page that is going is a part of the one before it, or the next of that.
                let from_there = page.children.partition_point(|(low, _)| low.as_slice() <= key);
                let mut before = page.children.get(..from_there)?.iter().rev();
                (number, going) = (before.find(|(_, child)| *child != page.going)?.1, page.going);
            }
        }
        None
    }

    /// The pages that hold the rows from `low` to below `high` (empty: to the end), and the key from which on each does.
    pub(super) fn leaves(&self, low: &[u8], high: &[u8]) -> Option<Vec<(Vec<u8>, u64)>> {
        let (mut found, mut from) = (Vec::new(), low.to_vec());
        loop {
            let (number, page) = self.leaf(&from)?;
            found.push((from, number));
            if page.high.is_empty() || !high.is_empty() && page.high.as_slice() >= high {
                return Some(found);
            }
            from = page.high.clone();
        }
    }

    /// Whether what was written of a page of rows does not count, because the tree leads to others in its place: the page was left behind by
    /// an interrupted division, and never changed; or it has gone into another.
    pub(super) fn is_stray(&self, number: u64, low: &[u8], high: &[u8], merging: bool) -> bool {
        let page = self.pages.get(&number).filter(|page| page.low == low && page.high == high);
        let is_idle = merging || page.is_some_and(|page| page.merging || !page.changed);
        let is_elsewhere = |leaves: Vec<(_, u64)>| leaves.iter().all(|(_, other)| *other != number);
        is_idle && self.leaves(low, high).is_some_and(is_elsewhere)
    }

    /// Whether of two pages to which the tree leads one begins within the other, which it is not going into.
    pub(super) fn is_entangled(&self) -> bool {
        let children = self.reached().into_iter().flat_map(|page| &page.children);
        let children = children.filter_map(|(_, child)| self.pages.get(child)).filter(|page| !page.merging);
        let pages: BTreeSet<_> = children.map(|page| (self.height(page), &page.low, &page.high)).collect();
        // A page ends where the next of its height begins, or before.
        pages.iter().zip(pages.iter().skip(1)).any(|((height, low, high), (above, next, _))| {
            height == above && low < next && (high.is_empty() || next < high)
        })
    }

    /// The pages to which one above or one before leads.
    fn reached(&self) -> Vec<&Shape> {
        let (mut seen, mut next, mut reached) = (BTreeSet::new(), vec![self.root], Vec::new());
        while let Some(number) = next.pop() {
            if let Some(page) = self.pages.get(&number).filter(|_| seen.insert(number)) {
                next.extend(page.children.iter().map(|(_, child)| *child).chain([page.next]));
                reached.push(page);
            }
        }
        reached
    }

    /// How far a page is above those that hold rows. No tree is as high as a circle.
    fn height<'a>(&'a self, mut page: &'a Shape) -> usize {
        let mut height = 0;
        while let Some((_, child)) = page.children.first().filter(|_| height < MAX_HEIGHT) {
            height += 1;
            let Some(next) = self.pages.get(child) else { break };
            page = next;
        }
        height
    }
}
