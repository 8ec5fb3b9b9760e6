//! A small group for the tests: A the creator, B an admin, C an admin after him, X a member.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::{GroupId, OperationId, PeerId, Secret, WallTime};
use crate::identity::IdentityKeypair;

/// When everything was made, in seconds.
pub(super) const TIME: u64 = 1_700_000_000;

pub(super) fn keys(who: char) -> IdentityKeypair {
    IdentityKeypair::from_seed(&Secret::new([who as u8; 32]))
}

pub(super) fn peer(who: char) -> PeerId {
    keys(who).peer_id()
}

/// Decodes and verifies.
pub(super) fn read(record: &[u8]) -> Operation {
    let Decoded::Operation(operation) = OperationIn::decode(record).unwrap() else { panic!("another version") };
    operation.verify().unwrap()
}

pub(super) struct Table {
    pub(super) log: Log,
    pub(super) root: OperationId,
    /// The heads when the four are in.
    pub(super) base: OperationId,
    /// The newest standing of each.
    pub(super) under: BTreeMap<char, OperationId>,
}

impl Table {
    pub(super) fn new() -> Self {
        let create = Content::create(&mut ChaCha20Rng::seed_from_u64(1), "a group", 50, TIME).sign(&keys('A'));
        let (group, root) = (create.group_id(), create.id());
        let mut log = Log::new(group);
        log.add(create, peer('A'), WallTime(0));
        let mut table = Self { log, root, base: root, under: BTreeMap::from([('A', root)]) };
        for (who, role) in [('B', Role::Admin), ('C', Role::Admin), ('X', Role::Member)] {
            let added = table.agreed(who, role, root);
            table.base = table.does('A', added);
        }
        table
    }

    pub(super) fn group(&self) -> GroupId {
        self.log.group()
    }

    /// That somebody is added who agreed when he had seen this.
    pub(super) fn agreed(&self, who: char, role: Role, seen: OperationId) -> Act {
        let ground = Ground::Consent(Consent::sign(&keys(who), self.group(), seen));
        Act::Add { person: peer(who), role, ground }
    }

    /// That a member is made an admin.
    pub(super) fn office(&self, who: char) -> Act {
        Act::Add { person: peer(who), role: Role::Admin, ground: Ground::Base(self.under[&who]) }
    }

    /// What somebody signs who builds on these, in this standing.
    pub(super) fn signed(&self, who: char, act: Act, parents: &[OperationId], under: OperationId) -> Operation {
        let content = Content { group: self.group(), parents: parents.to_vec(), under: Some(under), act, time: TIME };
        read(content.sign(&keys(who)).record())
    }

    /// Somebody acts on all that counts.
    pub(super) fn does(&mut self, who: char, act: Act) -> OperationId {
        let Front::Ready(parents) = Evaluation::of(&self.log).front(&self.log, peer(who), self.under[&who], &act)
        else {
            panic!("too many heads")
        };
        self.acts(who, act, &parents)
    }

    /// Somebody acts who knows these.
    pub(super) fn acts(&mut self, who: char, act: Act, parents: &[OperationId]) -> OperationId {
        let operation = self.signed(who, act, parents, self.under[&who]);
        let id = operation.id();
        let standing = operation.standing();
        let outcome = self.log.add(operation, peer(who), WallTime(0));
        assert_eq!(outcome, Outcome::Admitted(vec![id]));
        let added = standing.and_then(|(person, _)| ('A'..='Z').find(|who| peer(*who) == person));
        if let Some(added) = added {
            self.under.insert(added, id);
        }
        id
    }

    /// Why it is refused that somebody does this who knows these.
    pub(super) fn refused(&mut self, who: char, act: Act, parents: &[OperationId]) -> Fault {
        let operation = self.signed(who, act, parents, self.under[&who]);
        match self.log.add(operation, peer(who), WallTime(0)) {
            Outcome::Refused(fault) => fault,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn now(&self) -> Evaluation {
        Evaluation::of(&self.log)
    }

    /// Who has a seat, in the order of the alphabet.
    pub(super) fn members(&self) -> String {
        let now = self.now();
        ('A'..='Z').filter(|who| now.seats.iter().any(|(person, _)| *person == peer(*who))).collect()
    }
}

pub(super) const fn remove(person: PeerId) -> Act {
    Act::Remove { person, upto: 0 }
}

pub(super) const fn demote(person: PeerId) -> Act {
    Act::Demote { person }
}

pub(super) const LEAVE: Act = Act::Leave { upto: 0 };

pub(super) fn name(name: &str) -> Act {
    Act::Set(Setting::Name(name.to_owned()))
}
