//! Bodies of messages: pages, and changes of pages.
//!
//! ```text
//! link = 0 ‖ key ‖ value  |  1 ‖ key  |  2 ‖ page (this child is going into the one before it)  |  3 (it has gone)  |  4 (so is this page)
//! node = next (varint) ‖ merging child (varint) ‖ merging (1) ‖ length of prefix (1) ‖ low ‖ high ‖ 0 ‖ count (varint) ‖ keys ‖ values
//!        … ‖ 1 ‖ count (varint) ‖ keys ‖ pages (varint each)        an inner page of the tree
//! root = name ‖ page (varint) ‖ name ‖ page …        where each tree begins; there is one
//! key, value, low, high, name = length (varint) ‖ bytes
//! ```
//!
//! Keys come without the prefix of their page: as many bytes of `low` as the node says.

use super::message::varint;

/// The name of the tree.
const TREE: &[u8] = b"__sled__default";

/// What a message changes.
#[derive(Default)]
pub(super) struct Changes {
    /// A whole page: from this key to below that one (empty: to the end) there are these rows and no others.
    pub(super) within: Option<(Vec<u8>, Vec<u8>)>,
    /// It is one that is going into the page before it.
    pub(super) merging: bool,
    pub(super) rows: Vec<Change>,
}

/// A row.
pub(super) struct Change {
    pub(super) key: Vec<u8>,
    /// Where in the body its value begins, and its length; `None`: it is removed.
    pub(super) value: Option<(usize, usize)>,
}

/// What a page says of its place in the tree.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) low: Vec<u8>,
    /// Empty: nowhere.
    pub(super) high: Vec<u8>,
    /// The page that begins where this one ends.
    pub(super) next: u64,
    /// It is going into the page before it.
    pub(super) merging: bool,
    /// It was changed since it was written as a whole.
    pub(super) changed: bool,
    /// Of an inner page: where each of the pages below it begins.
    pub(super) children: Vec<(Vec<u8>, u64)>,
    /// The one of them that is going into the one before it; 0: none.
    pub(super) going: u64,
}

impl Shape {
    /// What a change of the page makes of it.
    pub(super) fn change(&mut self, link: &[u8]) -> Option<()> {
        self.changed = true;
        match link.split_first()? {
            (2, child) => (self.going, _) = varint(child)?,
            (3, _) => {
                let gone = std::mem::take(&mut self.going);
                self.children.retain(|(_, child)| *child != gone);
            }
            (4, _) => self.merging = true,
            _ => {}
        }
        Some(())
    }
}

/// Reads a body, and knows where it is.
struct Cursor<'a> {
    body: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    const fn new(body: &'a [u8]) -> Self {
        Self { body, rest: body }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = varint(self.rest)?;
        self.rest = rest;
        Some(number)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Where bytes begin, and how many they are.
    fn place(&mut self) -> Option<(usize, usize)> {
        let bytes = self.bytes()?;
        Some((self.body.len() - self.rest.len() - bytes.len(), bytes.len()))
    }
}

/// A change of the page with this prefix.
pub(super) fn link(body: &[u8], prefix: &[u8]) -> Option<Changes> {
    let mut cursor = Cursor::new(body);
    let kind = cursor.byte()?;
    let rows = match kind {
        0 => vec![Change { key: [prefix, cursor.bytes()?].concat(), value: Some(cursor.place()?) }],
        1 => vec![Change { key: [prefix, cursor.bytes()?].concat(), value: None }],
        _ => Vec::new(),
    };
    Some(Changes { rows, ..Changes::default() })
}

/// What a whole page says of its place in the tree.
pub(super) fn shape(body: &[u8]) -> Option<Shape> {
    let mut cursor = Cursor::new(body);
    let (next, going) = (cursor.number()?, cursor.number()?);
    let merging = cursor.byte()? != 0;
    let prefix = usize::from(cursor.byte()?);
    let (low, high) = (cursor.bytes()?.to_vec(), cursor.bytes()?.to_vec());
    let mut children = Vec::new();
    if cursor.byte()? != 0 {
        let prefix = low.get(..prefix)?;
        for _ in 0..cursor.number()? {
            children.push(([prefix, cursor.bytes()?].concat(), 0));
        }
        for (_, child) in &mut children {
            *child = cursor.number()?;
        }
    }
    Some(Shape { low, high, next, merging, changed: false, children, going })
}

/// Where the tree begins.
pub(super) fn root(body: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(body);
    while cursor.bytes()? != TREE {
        cursor.number()?;
    }
    cursor.number()
}

/// A whole page, and its prefix; one of the tree's inner pages holds no rows.
pub(super) fn node(body: &[u8]) -> Option<(Changes, &[u8])> {
    let mut cursor = Cursor::new(body);
    cursor.number()?;
    cursor.number()?;
    let merging = cursor.byte()? != 0;
    let prefix = usize::from(cursor.byte()?);
    let low = cursor.bytes()?;
    let high = cursor.bytes()?;
    if cursor.byte()? != 0 {
        return Some((Changes::default(), &[]));
    }
    let prefix = low.get(..prefix)?;
    let count = usize::try_from(cursor.number()?).ok()?;
    // No row is shorter than a byte: a wrong count cannot ask for more memory than the body has.
    let mut rows = Vec::with_capacity(count.min(body.len()));
    for _ in 0..count {
        rows.push(Change { key: [prefix, cursor.bytes()?].concat(), value: None });
    }
    for row in &mut rows {
        row.value = Some(cursor.place()?);
    }
    Some((Changes { within: Some((low.to_vec(), high.to_vec())), merging, rows }, prefix))
}
