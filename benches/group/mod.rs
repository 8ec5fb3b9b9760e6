//! What follows from the operations of a group: a group of a year, one of many years, and the worst that admins can do to it.

// A history that cannot be made has to stop the run.
#![allow(clippy::indexing_slicing)]

use std::collections::VecDeque;

use criterion::Criterion;
use rohrpost::base::{GroupId, OperationId, PeerId, Secret, WallTime};
use rohrpost::group::{Act, Consent, Content, Evaluation, Ground, Log, Operation, OperationIn, Outcome, Role, Setting};
use rohrpost::identity::IdentityKeypair;

/// Operations of a group that has as many as may count.
const MOST: usize = 4_096;
/// Somebody who is none of the admins of [`worst`].
const X: u16 = 999;

/// Somebody.
fn keys(who: u16) -> IdentityKeypair {
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&who.to_be_bytes());
    IdentityKeypair::from_seed(&Secret::new(seed))
}

fn peer(who: u16) -> PeerId {
    keys(who).peer_id()
}

struct History {
    log: Log,
    group: GroupId,
    root: OperationId,
    /// So that no two are the same.
    time: u64,
}

impl History {
    fn new() -> Self {
        let create = Content::create(&mut super::rng(), "a group", 250, 0).sign(&keys(0));
        let (group, root) = (create.group_id(), create.id());
        let mut log = Log::new(group);
        log.add(create, peer(0), WallTime(0));
        Self { log, group, root, time: 0 }
    }

    fn does(&mut self, who: u16, under: OperationId, act: Act, parents: &[OperationId]) -> OperationId {
        self.time += 1;
        let content =
            Content { group: self.group, parents: parents.to_vec(), under: Some(under), act, time: self.time };
        let operation = content.sign(&keys(who));
        let id = operation.id();
        assert_eq!(self.log.add(operation, peer(who), WallTime(0)), Outcome::Admitted(vec![id]));
        id
    }

    fn adds(&self, who: u16, role: Role, seen: OperationId) -> Act {
        let ground = Ground::Consent(Consent::sign(&keys(who), self.group, seen));
        Act::Add { person: peer(who), role, ground }
    }
}

/// Five admins, of whom each now and then acts beside the others; people come and go.
fn friendly(operations: usize) -> Log {
    let mut history = History::new();
    let root = history.root;
    let mut admins = vec![(0, root)];
    let mut recent = VecDeque::from([root]);
    let mut inside = VecDeque::new();
    for who in 1..5 {
        let added = history.adds(who, Role::Admin, root);
        let standing = history.does(0, root, added, &[recent[0]]);
        recent.push_front(standing);
        admins.push((who, standing));
    }
    let mut heads = vec![recent[0]];
    let mut next = 10;
    for turn in 5..operations {
        let (who, under) = admins[turn * 7 % admins.len()];
        // One of eight does not know the newest.
        let (parents, is_beside) = if turn % 8 == 0 { (vec![recent[3]], true) } else { (heads.clone(), false) };
        let act = if turn % 2 == 0 || inside.is_empty() {
            next += 1;
            inside.push_back(next);
            history.adds(next, Role::Member, root)
        } else {
            Act::Remove { person: peer(inside.pop_front().unwrap_or_default()), upto: 0 }
        };
        let id = history.does(who, under, act, &parents);
        if !is_beside {
            heads.clear();
        }
        heads.push(id);
        recent.push_front(id);
        recent.truncate(8);
    }
    history.log
}

/// An admin is made one a thousand times, each time knowing one more demote by a senior and one more removal by a junior, and acts in each
/// of these offices: none is ended by the same as another.
fn worst(operations: usize) -> Log {
    let mut history = History::new();
    let root = history.root;
    let mut above = (0, root);
    let mut chain = Vec::new();
    for who in 1..4 {
        let added = history.adds(who, Role::Admin, root);
        above = (who, history.does(above.0, above.1, added, &[above.1]));
        chain.push(above.1);
    }
    let (senior, junior) = (chain[0], chain[2]);
    let set = Act::Set(Setting::Name("later".to_owned()));
    let late = history.does(1, senior, set, &[junior]);
    let (mut downs, mut removes) = (vec![late], vec![late]);
    let rounds = (operations - 5) / 4;
    for round in 0..rounds {
        downs.push(history.does(1, senior, Act::Demote { person: peer(X) }, &[downs[round]]));
        removes.push(history.does(3, junior, Act::Remove { person: peer(X), upto: 0 }, &[removes[round]]));
    }
    for round in 0..rounds {
        let added = history.adds(X, Role::Admin, removes[round]);
        let parents = if round == 0 { vec![late] } else { vec![downs[round], removes[round]] };
        let office = history.does(1, senior, added, &parents);
        history.does(X, office, Act::Set(Setting::Limit(9)), &[office]);
    }
    history.log
}

pub fn group(c: &mut Criterion) {
    let mut group = c.benchmark_group("group");
    for (name, log) in [
        ("evaluate, 300 operations", friendly(300)),
        ("evaluate, 4,096 operations", friendly(MOST)),
        ("evaluate, 4,093 operations, the worst", worst(MOST)),
    ] {
        group.bench_function(name, |b| b.iter(|| Evaluation::of(&log)));
        let all: Vec<Operation> = log.operations().cloned().collect();
        let from = peer(0);
        group.bench_function(format!("admit, {} operations, verified before", all.len()), |b| {
            b.iter(|| {
                let mut again = Log::new(log.group());
                for operation in &all {
                    again.add(operation.clone(), from, WallTime(0));
                }
                again
            });
        });
    }
    let create = Content::create(&mut super::rng(), "a group", 250, 0).sign(&keys(0));
    group.bench_function("an operation decoded and verified", |b| {
        b.iter(|| match OperationIn::decode(create.record()) {
            Ok(rohrpost::group::Decoded::Operation(operation)) => operation.verify().is_ok(),
            _ => false,
        });
    });
    group.finish();
}
