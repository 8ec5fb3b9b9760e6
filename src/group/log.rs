//! What a node has of a group: operations that were admitted, with what is behind each, and what waits (GRP-12 to GRP-20).
//!
//! Admission looks at the operation and its ancestors and at nothing else, so that all who have the ancestors admit the same,
//! in every version. What a node has no room for is delayed or forgotten, never refused.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::bits::Bits;
use super::fault::Fault;
use super::operation::{Act, Ground, Operation, Role};
use super::waiting::{Held, Waiting};
use crate::base::limits::{MAX_APPOINTMENTS, MAX_PARENTS, MAX_REFUSED_OPERATIONS, MAX_SEATS};
use crate::base::{GroupId, OperationId, PeerId, WallTime};

/// What became of an operation that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Admitted; these, in this order: the operation, and what had waited for it.
    Admitted(Vec<OperationId>),
    /// Was here already.
    Known,
    /// It waits for what it builds on, if there is room.
    Waits,
    /// Refused, for good.
    Refused(Fault),
}

/// How senior a standing is: lower is nearer to the creator, then appointed first (GRP-23). Fixed when the operation is signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    depth: usize,
    /// Of each appointment from the creator on: how many ancestors it has, and its ID.
    path: Vec<(usize, OperationId)>,
}

/// An operation that was admitted.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) operation: Operation,
    /// All that is behind it.
    pub(super) past: Bits,
    /// Of a standing.
    pub(super) rank: Option<Rank>,
}

/// Bounds that all programs have in common; histories of the model have others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) parents: usize,
    pub(super) seats: usize,
}

/// The operations of one group.
#[derive(Clone, Debug)]
pub struct Log {
    group: GroupId,
    pub(super) bounds: Bounds,
    /// Ancestors before descendants.
    pub(super) entries: Vec<Entry>,
    pub(super) at: BTreeMap<OperationId, usize>,
    /// The leaves and removes of each.
    ends: BTreeMap<PeerId, Bits>,
    waiting: Waiting,
    refused: BTreeSet<OperationId>,
    refused_order: VecDeque<OperationId>,
}

impl Log {
    /// Of a group of which nothing is known but its ID.
    pub const fn new(group: GroupId) -> Self {
        Self::bounded(group, Bounds { parents: MAX_PARENTS, seats: MAX_SEATS })
    }

    pub(super) const fn bounded(group: GroupId, bounds: Bounds) -> Self {
        Self {
            group,
            bounds,
            entries: Vec::new(),
            at: BTreeMap::new(),
            ends: BTreeMap::new(),
            waiting: Waiting::new(),
            refused: BTreeSet::new(),
            refused_order: VecDeque::new(),
        }
    }

    /// The group.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// What was admitted, ancestors first.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.entries.iter().map(|entry| &entry.operation)
    }

    /// One that was admitted.
    pub fn get(&self, id: OperationId) -> Option<&Operation> {
        Some(&self.entry(*self.at.get(&id)?)?.operation)
    }

    /// Whether the second is an ancestor of the first.
    pub fn knows(&self, id: OperationId, other: OperationId) -> bool {
        let place = |id| self.at.get(&id).copied();
        place(id).and_then(|at| self.entry(at)).zip(place(other)).is_some_and(|(entry, other)| entry.past.has(other))
    }

    /// What is not here and others build on, and who handed that in: to be asked for of them, and of nobody else.
    pub fn lacked(&self) -> BTreeMap<OperationId, BTreeSet<PeerId>> {
        let mut lacked = BTreeMap::<_, BTreeSet<_>>::new();
        for (held, operation) in self.waiting.iter().filter_map(|held| Some((held, held.operation.as_ref()?))) {
            let is_lacked = |id: &&OperationId| !self.at.contains_key(id) && !self.waiting.has(**id);
            for parent in operation.parents.iter().filter(is_lacked) {
                lacked.entry(*parent).or_default().insert(held.from);
            }
        }
        lacked
    }

    /// Takes in an operation that came from this peer (GRP-12 to GRP-20); what has waited for it follows.
    pub fn add(&mut self, operation: Operation, from: PeerId, now: WallTime) -> Outcome {
        let id = operation.id();
        if self.at.contains_key(&id) {
            return Outcome::Known;
        }
        match self.judge(&operation) {
            Verdict::Refuse(fault) => {
                self.refuse(id);
                self.settle(id);
                Outcome::Refused(fault)
            }
            Verdict::Wait => {
                self.waiting.hold(id, Held { operation: Some(operation), from, came: now });
                Outcome::Waits
            }
            Verdict::Admit(past) => {
                self.waiting.remove(id);
                self.admit(operation, past);
                let mut admitted = vec![id];
                admitted.extend(self.settle(id));
                Outcome::Admitted(admitted)
            }
        }
    }

    /// Remembers that this peer has handed in one that only a newer program reads: it waits, with what builds on it (GRP-4).
    pub fn add_newer(&mut self, id: OperationId, from: PeerId, now: WallTime) {
        self.waiting.hold(id, Held { operation: None, from, came: now });
    }

    /// Whether something waits for a newer program.
    pub fn wants_update(&self) -> bool {
        self.waiting.iter().any(|held| held.operation.is_none())
    }

    /// How many operations wait.
    pub fn waiting(&self) -> usize {
        self.waiting.iter().count()
    }

    /// Drops what has waited since before this time; what is lacked is to be asked for anew.
    pub fn drop_waiting(&mut self, before: WallTime) {
        self.waiting.retain(|held| held.came >= before);
    }

    /// Drops all but these, which have nothing behind them that goes.
    pub(super) fn keep_only(&mut self, kept: &Bits) {
        let before = std::mem::take(&mut self.entries);
        self.at.clear();
        self.ends.clear();
        for (_, entry) in before.into_iter().enumerate().filter(|(at, _)| kept.has(*at)) {
            self.take_for_granted(entry.operation);
        }
    }

    pub(super) fn entry(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
    }

    /// Those of these that none of the others builds on, ascending.
    pub(super) fn heads(&self, of: &Bits) -> Vec<OperationId> {
        let mut covered = Bits::default();
        of.iter().filter_map(|at| self.entry(at)).for_each(|entry| covered.add(&entry.past));
        let mut heads = of.clone();
        heads.take(&covered);
        let mut heads: Vec<_> =
            heads.iter().filter_map(|at| self.entry(at)).map(|entry| entry.operation.id()).collect();
        heads.sort_unstable();
        heads
    }

    /// All that is behind an operation whose parents are here.
    fn behind(&self, operation: &Operation) -> Bits {
        let mut past = Bits::default();
        for at in operation.parents.iter().filter_map(|parent| self.at.get(parent)) {
            past.set(*at);
            if let Some(entry) = self.entry(*at) {
                past.add(&entry.past);
            }
        }
        past
    }

    /// What waited for this one and can be decided now, and what waited for that; those that are admitted.
    fn settle(&mut self, id: OperationId) -> Vec<OperationId> {
        let (mut decided, mut admitted) = (vec![id], Vec::new());
        while let Some(id) = decided.pop() {
            for operation in self.waiting.on(id) {
                let id = operation.id();
                match self.judge(&operation) {
                    Verdict::Wait => continue,
                    Verdict::Refuse(_) => self.refuse(id),
                    Verdict::Admit(past) => {
                        self.waiting.remove(id);
                        self.admit(operation, past);
                        admitted.push(id);
                    }
                }
                decided.push(id);
            }
        }
        admitted
    }

    fn judge(&self, operation: &Operation) -> Verdict {
        if self.refused.contains(&operation.id()) {
            return Verdict::Refuse(Fault::Again);
        }
        if let Some(fault) = operation.fault().or_else(|| self.misplaced(operation)) {
            return Verdict::Refuse(fault);
        }
        if operation.parents.iter().any(|parent| self.refused.contains(parent)) {
            return Verdict::Refuse(Fault::Behind);
        }
        if operation.parents.iter().any(|parent| !self.at.contains_key(parent)) {
            return Verdict::Wait;
        }
        let past = self.behind(operation);
        self.unfounded(operation, &past).map_or(Verdict::Admit(past), Verdict::Refuse)
    }

    /// GRP-13: what can be said whatever is behind it.
    fn misplaced(&self, operation: &Operation) -> Option<Fault> {
        if operation.group_id() != self.group {
            return Some(Fault::Group);
        }
        if matches!(operation.act, Act::Create { .. }) {
            return (!operation.parents.is_empty() || operation.under.is_some()).then_some(Fault::Beginning);
        }
        let sound = (1..=self.bounds.parents).contains(&operation.parents.len())
            && operation.parents.is_sorted_by(|one, next| one < next);
        (!sound).then_some(Fault::Parents)
    }

    /// GRP-14 to GRP-19: what its ancestors say of it.
    fn unfounded(&self, operation: &Operation, past: &Bits) -> Option<Fault> {
        if matches!(operation.act, Act::Create { .. }) {
            return None;
        }
        let behind = |id: OperationId| self.at.get(&id).copied().filter(|at| past.has(*at));
        let standing = |id, who| {
            let of = |entry: &&Entry| entry.operation.standing().is_some_and(|(person, _)| person == who);
            behind(id).and_then(|at| self.entry(at)).filter(of)
        };
        let Some(under) = operation.under.and_then(|under| standing(under, operation.author())) else {
            return Some(Fault::Standing);
        };
        if operation.is_own_end() {
            return None;
        }
        if !matches!(under.operation.standing(), Some((_, Role::Admin))) {
            return Some(Fault::Office);
        }
        let Act::Add { person, role, ground } = &operation.act else { return None };
        if *person == operation.author() {
            return Some(Fault::Himself);
        }
        if under.rank.as_ref().is_none_or(|rank| rank.depth >= MAX_APPOINTMENTS) {
            return Some(Fault::Depth);
        }
        let Some(named) = behind(ground.names()) else { return Some(Fault::Ground) };
        if let Ground::Base(base) = ground
            && (*role != Role::Admin || standing(*base, *person).is_none())
        {
            return Some(Fault::Ground);
        }
        let mut unknown = self.ends.get(person).cloned().unwrap_or_default();
        unknown.keep(past);
        unknown.take(&std::iter::once(named).collect());
        if let Some(entry) = self.entry(named) {
            unknown.take(&entry.past);
        }
        (!unknown.is_empty()).then_some(Fault::Ended)
    }

    /// Admits what was not judged, if what it builds on is here: to see what would follow.
    pub(super) fn take_for_granted(&mut self, operation: Operation) {
        let past = self.behind(&operation);
        self.admit(operation, past);
    }

    fn admit(&mut self, operation: Operation, past: Bits) {
        let at = self.entries.len();
        self.at.insert(operation.id(), at);
        if let Some(who) = operation.puts_out() {
            self.ends.entry(who).or_default().set(at);
        }
        let rank = operation.standing().map(|_| {
            let above = operation.under.and_then(|id| self.entry(*self.at.get(&id)?)?.rank.clone());
            above.map_or(Rank { depth: 0, path: Vec::new() }, |Rank { depth, mut path }| {
                path.push((past.len(), operation.id()));
                Rank { depth: depth + 1, path }
            })
        });
        self.entries.push(Entry { operation, past, rank });
    }

    /// Remembers the last of them: that one is refused again says the operation itself, this only spares waiting.
    fn refuse(&mut self, id: OperationId) {
        self.waiting.remove(id);
        if self.refused.insert(id) {
            self.refused_order.push_back(id);
        }
        if self.refused_order.len() > MAX_REFUSED_OPERATIONS
            && let Some(oldest) = self.refused_order.pop_front()
        {
            self.refused.remove(&oldest);
        }
    }
}

enum Verdict {
    Admit(Bits),
    Wait,
    Refuse(Fault),
}

#[cfg(test)]
mod tests;
