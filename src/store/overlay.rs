//! What one commit will change, over the committed rows.

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use zeroize::Zeroizing;

use super::key::KeyId;

/// What a commit will change.
#[derive(Default)]
pub(super) struct Overlay {
    pub(super) rows: BTreeMap<Vec<u8>, Change>,
    /// Keys that nobody had before.
    pub(super) taken: Vec<KeyId>,
    pub(super) destroyed: HashSet<KeyId>,
}

/// What happens to a row.
pub(super) enum Change {
    Put { under: Sealing, plaintext: Zeroizing<Vec<u8>> },
    Delete,
}

/// The key that will seal a row; which State key that is turns out at the commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealing {
    Root,
    State,
    Given(KeyId),
}

impl Overlay {
    /// Whether it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.taken.is_empty() && self.destroyed.is_empty()
    }

    /// Whether a row sealed (or to be sealed) under this key still counts.
    pub(super) fn hides(&self, key: KeyId) -> bool {
        self.destroyed.contains(&key)
    }

    /// The buffered value: `None` when the buffer says nothing, `Some(None)` when it says that there is none.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows.get(key).map(|change| self.value(change))
    }

    /// The value that a change leaves.
    pub(super) fn value<'a>(&self, change: &'a Change) -> Option<&'a [u8]> {
        match change {
            Change::Put { under: Sealing::Given(key), .. } if self.hides(*key) => None,
            Change::Put { plaintext, .. } => Some(plaintext),
            Change::Delete => None,
        }
    }

    /// The changes from `low` to below `high`, ascending.
    pub(super) fn range(&self, low: &[u8], high: Option<&[u8]>) -> Range<'_, Vec<u8>, Change> {
        let high = high.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range::<[u8], _>((Bound::Included(low), high))
    }
}
