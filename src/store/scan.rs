//! A range of rows.

use super::key::RowKey;

/// Which rows, and in which direction: a builder.
///
/// The bounds are bytes of the key after the prefix. `from` and `to` stay the lower and the upper bound when the
/// direction is reversed.
#[derive(Clone, Debug)]
pub struct Scan {
    pub(super) prefix: RowKey,
    pub(super) from: Option<Vec<u8>>,
    pub(super) to: Option<Vec<u8>>,
    pub(super) reverse: bool,
    pub(super) limit: usize,
}

impl Scan {
    /// All rows whose key begins with `prefix`, in ascending order.
    pub const fn new(prefix: RowKey) -> Self {
        Self { prefix, from: None, to: None, reverse: false, limit: usize::MAX }
    }

    /// All rows of the table.
    pub const fn all() -> Self {
        Self::new(RowKey::new())
    }

    /// Only rows whose number after the prefix is `number` or more.
    #[must_use]
    pub fn from(self, number: u64) -> Self {
        self.from_bytes(&number.to_be_bytes())
    }

    /// Only rows whose number after the prefix is below `number`.
    #[must_use]
    pub fn to(self, number: u64) -> Self {
        self.to_bytes(&number.to_be_bytes())
    }

    /// Only rows whose key bytes after the prefix are `bytes` or more.
    #[must_use]
    pub fn from_bytes(mut self, bytes: &[u8]) -> Self {
        self.from = Some(bytes.to_vec());
        self
    }

    /// Only rows whose key bytes after the prefix are more than `bytes`: the next page after a row.
    #[must_use]
    pub fn after_bytes(mut self, bytes: &[u8]) -> Self {
        // The smallest key above another is that key and a zero byte.
        let mut from = bytes.to_vec();
        from.push(0);
        self.from = Some(from);
        self
    }

    /// Only rows whose key bytes after the prefix are below `bytes`.
    #[must_use]
    pub fn to_bytes(mut self, bytes: &[u8]) -> Self {
        self.to = Some(bytes.to_vec());
        self
    }

    /// In descending order.
    #[must_use]
    pub const fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// At most so many rows.
    #[must_use]
    pub const fn limit(mut self, rows: usize) -> Self {
        self.limit = rows;
        self
    }

    /// The range of whole keys: from, and below (`None`: to the end). `None` when nothing can be in it.
    pub(super) fn bounds(&self, prefix: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let with = |bytes: &Vec<u8>| [prefix, bytes].concat();
        let low = self.from.as_ref().map_or_else(|| prefix.to_vec(), with);
        let high = self.to.as_ref().map(with).or_else(|| after(prefix));
        if high.as_ref().is_some_and(|high| *high <= low) { None } else { Some((low, high)) }
    }
}

/// Items in their order, or from the last to the first.
pub(super) fn directed<'a, I: DoubleEndedIterator + 'a>(
    items: I,
    reverse: bool,
) -> Box<dyn Iterator<Item = I::Item> + 'a> {
    if reverse { Box::new(items.rev()) } else { Box::new(items) }
}

/// The smallest key above all that begin with `prefix`; `None` when there is none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut out = prefix.get(..=last)?.to_vec();
    *out.last_mut()? += 1;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(after(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after(&[255, 255]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn bounds_are_within_the_prefix() {
        let bounds = |scan: Scan| scan.bounds(&[7, 1]);
        assert_eq!(bounds(Scan::all()), Some((vec![7, 1], Some(vec![7, 2]))));
        assert_eq!(bounds(Scan::all().from_bytes(&[5]).to_bytes(&[6])), Some((vec![7, 1, 5], Some(vec![7, 1, 6]))));
        assert_eq!(bounds(Scan::all().after_bytes(&[5])), Some((vec![7, 1, 5, 0], Some(vec![7, 2]))));
        assert_eq!(bounds(Scan::all().from_bytes(&[6]).to_bytes(&[6])), None);
        assert_eq!(bounds(Scan::all().from(2).to(1)), None);
        assert_eq!(bounds(Scan::all().to_bytes(&[])), None);
    }
}
