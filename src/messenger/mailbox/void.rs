//! Deposits under void tokens: answered as under good ones, so that nobody learns from a mailbox that he was blocked or removed
//! (MBX-22).
//!
//! What is counted of them is in memory only, and forgotten when the owner comes: what lay under a good token would be gone then, too.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::MonoTime;
use crate::envelope::mailbox::Tag;

/// Deposits of all boxes of which something is remembered; with more all of it is forgotten.
const MAX_REMEMBERED: usize = 16_384;

/// What came under void tokens since the owners of the boxes were here.
#[derive(Debug, Default)]
pub(in crate::messenger) struct Void {
    /// By box and tag.
    under: BTreeMap<(u64, Tag), Under>,
    remembered: usize,
    /// Boxes whose owners wait, until then: to them everything goes at once.
    present: BTreeMap<u64, MonoTime>,
}

/// What came under one token.
#[derive(Clone, Debug, Default)]
pub(in crate::messenger) struct Under {
    pub bytes: u64,
    /// Digests of the envelopes.
    pub envelopes: BTreeSet<[u8; 16]>,
}

impl Void {
    /// What came under a token of a box.
    pub(in crate::messenger) fn under(&self, number: u64, tag: Tag) -> Under {
        self.under.get(&(number, tag)).cloned().unwrap_or_default()
    }

    /// Something comes that would fit. If the owner is there he would have it at once.
    pub(in crate::messenger) fn came(&mut self, (number, tag): (u64, Tag), digest: [u8; 16], size: u64, now: MonoTime) {
        if self.present.get(&number).is_some_and(|until| *until > now) {
            return;
        }
        if self.remembered >= MAX_REMEMBERED {
            (self.under, self.remembered) = (BTreeMap::new(), 0);
        }
        let under = self.under.entry((number, tag)).or_default();
        under.bytes += size;
        self.remembered += usize::from(under.envelopes.insert(digest));
    }

    /// The owner of a box asks for what there is; he may wait until then.
    pub(in crate::messenger) fn visited(&mut self, number: u64, until: Option<MonoTime>) {
        let gone: Vec<_> = self.under.range((number, [0; 16])..=(number, [0xff; 16])).map(|(key, _)| *key).collect();
        for key in gone {
            self.remembered -= self.under.remove(&key).map_or(0, |under| under.envelopes.len());
        }
        match until {
            Some(until) => drop(self.present.insert(number, until)),
            None => drop(self.present.remove(&number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However much comes under void tokens, no more than so much of it is remembered.
    #[test]
    fn what_is_remembered_is_bounded() {
        let mut void = Void::default();
        for n in 0..=MAX_REMEMBERED {
            let [a, b] = u16::try_from(n).unwrap().to_be_bytes();
            let digest = std::array::from_fn(|i| if i == 0 { a } else { b });
            void.came((u64::from(a), [b % 7; 16]), digest, 10, MonoTime(0));
            let known: usize = void.under.values().map(|under| under.envelopes.len()).sum();
            assert!(known == void.remembered && known <= MAX_REMEMBERED);
        }
        assert_eq!(void.remembered, 1);
    }
}
