//! Operations that wait for what they build on: few, so that whoever hands in what has no parents takes the place of his own.

use std::collections::BTreeMap;

use super::operation::Operation;
use crate::base::limits::{MAX_WAITING_OPERATIONS, MAX_WAITING_PER_SENDER};
use crate::base::{OperationId, PeerId, WallTime};

/// An operation that waits.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// None: only a newer program reads it.
    pub(super) operation: Option<Operation>,
    /// Who handed it in.
    pub(super) from: PeerId,
    /// When.
    pub(super) came: WallTime,
}

/// What waits, in the order in which it came.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    held: BTreeMap<u64, Held>,
    at: BTreeMap<OperationId, u64>,
    next: u64,
}

impl Waiting {
    pub(super) const fn new() -> Self {
        Self { held: BTreeMap::new(), at: BTreeMap::new(), next: 0 }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    pub(super) fn has(&self, id: OperationId) -> bool {
        self.at.contains_key(&id)
    }

    /// Holds one. If the sender has all his places, the oldest of his goes; if all places are taken, the oldest of who has most.
    pub(super) fn hold(&mut self, id: OperationId, held: Held) {
        if self.has(id) {
            return;
        }
        let mut numbers = BTreeMap::<PeerId, Vec<u64>>::new();
        for (number, other) in &self.held {
            numbers.entry(other.from).or_default().push(*number);
        }
        let his = numbers.get(&held.from).filter(|his| his.len() >= MAX_WAITING_PER_SENDER);
        let most =
            || numbers.values().max_by_key(|his| his.len()).filter(|_| self.held.len() >= MAX_WAITING_OPERATIONS);
        if let Some(oldest) = his.or_else(most).and_then(|his| his.first()).copied() {
            self.held.remove(&oldest);
            self.at.retain(|_, number| *number != oldest);
        }
        self.at.insert(id, self.next);
        self.held.insert(self.next, held);
        self.next += 1;
    }

    /// What builds on this one.
    pub(super) fn on(&self, id: OperationId) -> Vec<Operation> {
        let waiting = self.held.values().filter_map(|held| held.operation.as_ref());
        waiting.filter(|operation| operation.parents.contains(&id)).cloned().collect()
    }

    pub(super) fn remove(&mut self, id: OperationId) {
        if let Some(number) = self.at.remove(&id) {
            self.held.remove(&number);
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Held) -> bool) {
        self.held.retain(|_, held| keep(held));
        self.at.retain(|_, number| self.held.contains_key(number));
    }
}
