//! Who belongs to a group, as a function of the operations that there are, and of nothing else (GRP-23 to GRP-33).
//!
//! One pass over the admins' standings by rank: what can end one was decided before it. All sets of operations are bits, and
//! the work is at most standings × ends unions of them.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::log::{Entry, Log, Rank};
use super::operation::{Act, Operation, Role, Setting};
use crate::base::{OperationId, PeerId};

/// What follows from the operations of a log.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Who has a seat, and as what, by rank, admins first.
    pub seats: Vec<(PeerId, Role)>,
    /// Members for whom no seat was left, by rank.
    pub beyond: Vec<PeerId>,
    /// Each admin's most senior office.
    pub admins: BTreeMap<PeerId, OperationId>,
    /// What the group is called; empty if nothing it was given is a name.
    pub name: String,
    /// Beyond it nobody is added.
    pub limit: u16,
    stands: Bits,
    /// What matters to anybody (GRP-30).
    pub(super) counts: Bits,
    /// The standings that stand, by rank.
    standings: Vec<Standing>,
}

/// A standing that stands, and what has become of it.
#[derive(Clone, Debug)]
struct Standing {
    at: usize,
    person: PeerId,
    /// As what it was given.
    role: Role,
    /// What others have ended the office with, and what he himself has.
    others: Bits,
    own: Bits,
    /// Whether another has ended the membership.
    removed: bool,
}

/// The operations of a log by what they do.
#[derive(Default)]
struct Index<'l> {
    /// By rank.
    standings: Vec<(usize, &'l Rank, PeerId, Role)>,
    /// What is done in each standing, its author's own ends left out.
    acts: BTreeMap<OperationId, Vec<usize>>,
    /// What others end of each: removes and demotes; the removes among them.
    ends: BTreeMap<PeerId, Bits>,
    removes: BTreeMap<PeerId, Bits>,
    /// What each has ended himself: leaves and demotions; the leaves among them.
    own: BTreeMap<PeerId, Bits>,
    leaves: BTreeMap<PeerId, Bits>,
    /// All demotions, and all settings.
    demotes: Bits,
    sets: Bits,
    /// What stands whatever else there is.
    stands: Bits,
}

impl<'l> Index<'l> {
    fn of(log: &'l Log) -> Self {
        let mut index = Self::default();
        for (at, entry) in log.entries.iter().enumerate() {
            index.take(at, entry);
        }
        index.standings.sort_unstable_by_key(|(_, rank, ..)| *rank);
        index
    }

    fn take(&mut self, at: usize, entry: &'l Entry) {
        let operation = &entry.operation;
        if let (Some((person, role)), Some(rank)) = (operation.standing(), &entry.rank) {
            self.standings.push((at, rank, person, role));
        }
        if matches!(operation.act, Act::Demote { .. }) {
            self.demotes.set(at);
        }
        if operation.is_own_end() {
            self.stands.set(at);
            self.own.entry(operation.author()).or_default().set(at);
            if matches!(operation.act, Act::Leave { .. }) {
                self.leaves.entry(operation.author()).or_default().set(at);
            }
            return;
        }
        match operation.act {
            Act::Create { .. } => self.stands.set(at),
            Act::Remove { person, .. } => {
                self.ends.entry(person).or_default().set(at);
                self.removes.entry(person).or_default().set(at);
            }
            Act::Demote { person } => self.ends.entry(person).or_default().set(at),
            Act::Set(_) => self.sets.set(at),
            Act::Add { .. } | Act::Leave { .. } | Act::Other(_) => {}
        }
        if let Some(under) = operation.under {
            self.acts.entry(under).or_default().push(at);
        }
    }

    /// Those of these of a person that this operation does not know.
    fn unknown(of: &BTreeMap<PeerId, Bits>, person: PeerId, past: &Bits) -> Bits {
        let mut unknown = of.get(&person).cloned().unwrap_or_default();
        unknown.take(past);
        unknown
    }

    /// GRP-24 to GRP-26: what stands. Each office with what has ended it.
    fn decide(&mut self, log: &Log) -> Vec<Standing> {
        let mut known_to = Memo::default();
        let mut offices = Vec::new();
        for (at, _, person, role) in self.standings.iter().filter(|(.., role)| *role == Role::Admin) {
            let Some(entry) = log.entry(*at).filter(|_| self.stands.has(*at)) else { continue };
            // Those of juniors are not decided yet, and so end nothing here.
            let mut others = Self::unknown(&self.ends, *person, &entry.past);
            others.keep(&self.stands);
            let own = Self::unknown(&self.own, *person, &entry.past);
            if let Some(acts) = self.acts.get(&entry.operation.id()) {
                // Another's end voids all that it does not know; one's own only what knows it.
                let known = known_to.all_know(&others, log);
                let holds = |act: &&usize| {
                    let knows_own = log.entry(**act).is_none_or(|entry| entry.past.meets(&own));
                    known.is_none_or(|known| known.has(**act)) && !knows_own
                };
                acts.iter().filter(holds).for_each(|act| self.stands.set(*act));
            }
            offices.push(Standing { at: *at, person: *person, role: *role, others, own, removed: false });
        }
        offices
    }

    /// GRP-27: whether another has ended the membership.
    fn is_removed(&self, standing: &Standing, past: &Bits, known_to: &mut Memo, log: &Log) -> bool {
        let mut removes = Self::unknown(&self.removes, standing.person, past);
        removes.keep(&self.stands);
        if removes.is_empty() || standing.role == Role::Member || removes.meets(&standing.others) {
            return !removes.is_empty();
        }
        // By a junior, of who was no admin any more, as he knew.
        let mut down = standing.others.clone();
        down.add(&standing.own);
        down.keep(&self.demotes);
        known_to.any_knows(removes, log).meets(&down)
    }

    /// GRP-29: the newest that stands, of several beside each other the senior's, then that with the lower ID.
    fn newest<T>(&self, log: &Log, read: impl Fn(&Act) -> Option<T>) -> Option<T> {
        let mut sets = self.sets.clone();
        sets.keep(&self.stands);
        let all = || sets.iter().filter_map(|at| Some((at, log.entry(at)?, read(&log.entry(at)?.operation.act)?)));
        let mut covered = Bits::default();
        all().for_each(|(_, entry, _)| covered.add(&entry.past));
        let rank = |operation: &Operation| log.entry(*log.at.get(&operation.under?)?)?.rank.as_ref();
        let uncovered = all().filter(|(at, ..)| !covered.has(*at));
        uncovered.min_by_key(|(_, entry, _)| (rank(&entry.operation), entry.operation.id())).map(|(.., value)| value)
    }
}

/// What sets of operations know, remembered: many standings are ended by the same.
#[derive(Default)]
struct Memo(BTreeMap<Bits, Bits>);

impl Memo {
    /// What all of them know; `None` if there are none, who know everything.
    fn all_know(&mut self, of: &Bits, log: &Log) -> Option<&Bits> {
        let mut places = of.iter();
        let first = log.entry(places.next()?)?;
        Some(self.0.entry(of.clone()).or_insert_with(|| {
            let mut known = first.past.clone();
            places.filter_map(|at| log.entry(at)).for_each(|entry| known.keep(&entry.past));
            known
        }))
    }

    /// What any of them knows.
    fn any_knows(&mut self, of: Bits, log: &Log) -> &Bits {
        self.0.entry(of).or_insert_with_key(|of| {
            let mut known = Bits::default();
            of.iter().filter_map(|at| log.entry(at)).for_each(|entry| known.add(&entry.past));
            known
        })
    }
}

impl Evaluation {
    /// Evaluates what a log has. Of an empty one there is nobody.
    pub fn of(log: &Log) -> Self {
        let mut index = Index::of(log);
        let mut offices = index.decide(log).into_iter().peekable();
        let mut standings = Vec::new();
        let mut known_to = Memo::default();
        let (mut best, mut admins) = (BTreeMap::<PeerId, (Role, &Rank)>::new(), BTreeMap::new());
        for (at, rank, person, role) in index.standings.iter().filter(|(at, ..)| index.stands.has(*at)) {
            let Some(entry) = log.entry(*at) else { continue };
            let plain = || Standing {
                at: *at,
                person: *person,
                role: *role,
                others: Bits::default(),
                own: Bits::default(),
                removed: false,
            };
            let mut standing = offices.next_if(|office| office.at == *at).unwrap_or_else(plain);
            standing.removed = index.is_removed(&standing, &entry.past, &mut known_to, log);
            let is_out = standing.removed || !Index::unknown(&index.leaves, *person, &entry.past).is_empty();
            let holds_office = *role == Role::Admin && standing.others.is_empty() && standing.own.is_empty();
            if !is_out {
                let now = if holds_office { Role::Admin } else { Role::Member };
                if holds_office {
                    admins.entry(*person).or_insert(entry.operation.id());
                }
                let seat = best.entry(*person).or_insert((now, *rank));
                *seat = (*seat).min((now, *rank));
            }
            standings.push(standing);
        }
        // GRP-28: of more than there are seats the first have them.
        let mut queue: Vec<_> = best.into_iter().map(|(person, (role, rank))| (role, rank, person)).collect();
        queue.sort_unstable();
        let bound = log.bounds.seats;
        let (first_name, first_limit) = match log.entry(0).map(|entry| &entry.operation.act) {
            Some(Act::Create { name, limit }) => (name.clone(), *limit),
            _ => (String::new(), 0),
        };
        let name = |act: &Act| if let Act::Set(Setting::Name(name)) = act { Some(name.clone()) } else { None };
        let limit = |act: &Act| if let Act::Set(Setting::Limit(limit)) = act { Some(*limit) } else { None };
        let mut evaluation = Self {
            seats: queue.iter().take(bound).map(|(role, _, person)| (*person, *role)).collect(),
            beyond: queue.iter().skip(bound).map(|(.., person)| *person).collect(),
            admins,
            name: index.newest(log, name).unwrap_or(first_name),
            limit: index.newest(log, limit).unwrap_or(first_limit),
            counts: Bits::default(),
            standings,
            stands: Bits::default(),
        };
        evaluation.stands = std::mem::take(&mut index.stands);
        evaluation.counts = evaluation.what_counts(log, &index.own);
        evaluation
    }

    /// GRP-30: what stands and is no own end; own ends that matter; and all that lies behind those.
    fn what_counts(&self, log: &Log, own: &BTreeMap<PeerId, Bits>) -> Bits {
        let is_own = |at: &usize| log.entry(*at).is_none_or(|entry| entry.operation.is_own_end());
        let mut counts: Bits = self.stands.iter().filter(|at| !is_own(at)).collect();
        // Of each his own ends: the first by the number of ancestors, then by ID.
        let in_order = |ends: &Bits| {
            let mut ends: Vec<_> = ends.iter().filter_map(|at| Some((at, log.entry(at)?))).collect();
            ends.sort_by_cached_key(|(_, entry)| (entry.past.len(), entry.operation.id()));
            ends
        };
        let own: BTreeMap<PeerId, _> = own.iter().map(|(person, ends)| (*person, in_order(ends))).collect();
        for standing in self.standings.iter().filter(|standing| !standing.removed) {
            let Some(past) = log.entry(standing.at).map(|entry| &entry.past) else { continue };
            let ends = || own.get(&standing.person).into_iter().flatten().filter(|(at, _)| !past.has(*at));
            let is_leave = |entry: &Entry| matches!(entry.operation.act, Act::Leave { .. });
            if let Some((at, _)) = ends().find(|(_, entry)| is_leave(entry)) {
                counts.set(*at);
            }
            let gave_up = || ends().find(|(_, entry)| !is_leave(entry));
            if standing.role == Role::Admin
                && standing.others.is_empty()
                && let Some((at, _)) = gave_up()
            {
                counts.set(*at);
            }
        }
        let whole = counts.clone();
        whole.iter().filter_map(|at| log.entry(at)).for_each(|entry| counts.add(&entry.past));
        counts
    }

    /// Whether an operation has its effect.
    pub fn stands(&self, log: &Log, id: OperationId) -> bool {
        log.at.get(&id).is_some_and(|at| self.stands.has(*at))
    }

    /// What has none, ancestors first.
    pub fn void(&self, log: &Log) -> Vec<OperationId> {
        let places = log.entries.iter().enumerate().filter(|(at, _)| !self.stands.has(*at));
        places.map(|(_, entry)| entry.operation.id()).collect()
    }

    /// Whether an operation matters to anybody: is to be kept, and built on (GRP-30).
    pub fn counts(&self, log: &Log, id: OperationId) -> bool {
        log.at.get(&id).is_some_and(|at| self.counts.has(*at))
    }

    /// The heads of what counts: what is told to others, and what an operation builds on; ascending.
    pub fn heads(&self, log: &Log) -> Vec<OperationId> {
        log.heads(&self.counts)
    }

    /// The ends because of which an operation is void, or the office in which it was done; empty: it is not.
    pub fn voided_by(&self, log: &Log, id: OperationId) -> Vec<OperationId> {
        let Some(mut act) = log.at.get(&id).and_then(|at| log.entry(*at)).filter(|_| !self.stands(log, id)) else {
            return Vec::new();
        };
        // Up to the first standing that stands: in it was done what is void.
        let (standing, act) = loop {
            let Some(under) = act.operation.under.and_then(|under| log.at.get(&under)) else { return Vec::new() };
            if let Some(standing) = self.standings.iter().find(|standing| standing.at == *under) {
                break (standing, act);
            }
            let Some(above) = log.entry(*under) else { return Vec::new() };
            act = above;
        };
        let at = log.at.get(&act.operation.id()).copied();
        let knows = |end: &usize| at.is_none_or(|at| log.entry(*end).is_some_and(|entry| entry.past.has(at)));
        let others = standing.others.iter().filter(|end| !knows(end));
        let own = standing.own.iter().filter(|end| act.past.has(*end));
        others.chain(own).filter_map(|at| log.entry(at)).map(|entry| entry.operation.id()).collect()
    }

    /// What would be void beside what is, if this were admitted: what is shown before an end of an admin is signed.
    pub fn would_void(&self, log: &Log, operation: Operation) -> Vec<OperationId> {
        let mut after = log.clone();
        after.take_for_granted(operation);
        let evaluation = Self::of(&after);
        evaluation.void(&after).into_iter().filter(|id| self.stands(log, *id)).collect()
    }

    /// Drops of what does not count all but the `spare` that came first, and returns what is gone (GRP-33). What this author has
    /// made stays, with what is behind it. Whatever names one of them later makes it lacked, and it is taken again.
    pub fn forget(&self, log: &mut Log, spare: usize, mine: PeerId) -> Vec<OperationId> {
        let mut kept = self.counts.clone();
        for (at, entry) in log.entries.iter().enumerate().filter(|(_, entry)| entry.operation.author() == mine) {
            kept.set(at);
            kept.add(&entry.past);
        }
        let idle: Vec<usize> = (0..log.entries.len()).filter(|at| !kept.has(*at)).collect();
        // Those that came first have nothing behind them that goes.
        kept.add(&idle.iter().copied().take(spare).collect());
        let gone = idle.into_iter().skip(spare).filter_map(|at| Some(log.entry(at)?.operation.id())).collect();
        log.keep_only(&kept);
        gone
    }

    /// The most senior office that somebody has given up himself and nobody who outranks it has ended: in it he could still
    /// act before that (GRP-32).
    pub fn latent(&self, log: &Log, person: PeerId) -> Option<OperationId> {
        let his = self
            .standings
            .iter()
            .filter(|standing| standing.person == person && standing.role == Role::Admin && standing.others.is_empty());
        let ids = his.filter_map(|standing| log.entry(standing.at)).map(|entry| entry.operation.id());
        let office = self.admins.get(&person).copied();
        ids.into_iter().find(|id| Some(*id) != office)
    }
}

#[cfg(test)]
mod tests;
