//! How much may be asked of our mailbox: at a time, and as time goes by (MBX-72, MBX-73).

use super::super::origin::{Network, Origin};
use super::super::rates::{Buckets, Rate};
use crate::base::PeerId;
use crate::base::limits::{
    CONTACT_BURST, CONTACT_RATE, MAIL_HOST_BURST, MAIL_HOST_RATE, MAIL_NETWORK_BURST, MAIL_NETWORK_RATE,
    MAIL_STRANGER_BURST, MAIL_STRANGER_RATE, MAX_MAIL_HELD, MAX_MAIL_PER_HOST, MAX_MAIL_PER_NETWORK, MAX_MAIL_REQUESTS,
    MAX_STRANGER_MAIL_HELD, MAX_STRANGER_MAIL_REQUESTS,
};
use crate::envelope::border::Class;

/// A question that is being read, answered or written, or is held.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    class: Class,
    origin: Option<Origin>,
}

/// So many places there are.
struct Bounds {
    all: usize,
    strangers: usize,
}

const REQUESTS: Bounds = Bounds { all: MAX_MAIL_REQUESTS, strangers: MAX_STRANGER_MAIL_REQUESTS };
const HELD: Bounds = Bounds { all: MAX_MAIL_HELD, strangers: MAX_STRANGER_MAIL_HELD };

/// Why a question is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// There is no place; one may be free in a moment.
    Full,
    /// Too much was asked lately.
    TooMany,
}

/// Counts and rates.
#[derive(Debug)]
pub(super) struct Gate {
    open: Vec<Open>,
    /// Questions that wait for mail: they have places of their own.
    held: Vec<Open>,
    /// From where the questions are that wait for a place.
    waiting: Vec<Option<Origin>>,
    last: u64,
    contacts: Buckets<PeerId>,
    strangers: Buckets<PeerId>,
    hosts: Buckets<Origin>,
    networks: Buckets<Network>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            held: Vec::new(),
            waiting: Vec::new(),
            last: 0,
            contacts: Buckets::new(Rate::per_second(CONTACT_BURST, CONTACT_RATE)),
            strangers: Buckets::new(Rate::per_second(MAIL_STRANGER_BURST, MAIL_STRANGER_RATE)),
            hosts: Buckets::new(Rate::per_second(MAIL_HOST_BURST, MAIL_HOST_RATE)),
            networks: Buckets::new(Rate::per_second(MAIL_NETWORK_BURST, MAIL_NETWORK_RATE)),
        }
    }
}

impl Gate {
    /// Lets a question in, or not. What was let in is let out by [`Gate::leave`] with its number.
    pub(super) fn enter(&mut self, peer: PeerId, class: Class, origin: Option<Origin>, now: u64) -> Result<u64, Shut> {
        if !has_room(&self.open, &REQUESTS, class, origin) {
            return Err(Shut::Full);
        }
        if !self.is_due(peer, class, origin, now) {
            return Err(Shut::TooMany);
        }
        self.last += 1;
        self.open.push(Open { id: self.last, class, origin });
        Ok(self.last)
    }

    /// Whether a question may wait for a place: as many may as there are places, in all and of one address.
    pub(super) fn wait(&mut self, origin: Option<Origin>) -> bool {
        let same = self.waiting.iter().filter(|other| **other == origin).count();
        let may = self.waiting.len() < MAX_MAIL_REQUESTS && same < MAX_MAIL_PER_HOST;
        if may {
            self.waiting.push(origin);
        }
        may
    }

    /// It waits no longer.
    pub(super) fn waited(&mut self, origin: Option<Origin>) {
        if let Some(at) = self.waiting.iter().position(|other| *other == origin) {
            self.waiting.swap_remove(at);
        }
    }

    /// Gives a question that was let in a place among those that are held, if there is one, in exchange for the one it has.
    pub(super) fn hold(&mut self, id: u64) -> bool {
        let Some(at) = self.open.iter().position(|open| open.id == id) else { return false };
        let fits = self.open.get(at).is_some_and(|open| has_room(&self.held, &HELD, open.class, open.origin));
        if fits {
            self.held.push(self.open.swap_remove(at));
        }
        fits
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.open.retain(|open| open.id != id);
        self.held.retain(|held| held.id != id);
    }

    fn is_due(&mut self, peer: PeerId, class: Class, origin: Option<Origin>, now: u64) -> bool {
        if class == Class::Contact {
            return self.contacts.take(peer, now);
        }
        // The peer first, the network last: who has used up his own takes nothing from his neighbours.
        self.strangers.take(peer, now)
            && origin.is_none_or(|origin| self.hosts.take(origin, now) && self.networks.take(origin.network(), now))
    }
}

/// For one more. Counted over at most as many entries as there are places.
fn has_room(open: &[Open], bounds: &Bounds, class: Class, origin: Option<Origin>) -> bool {
    if class == Class::Contact {
        return open.len() < bounds.all;
    }
    let strangers = || open.iter().filter(|open| open.class == Class::Stranger);
    let of = |fits: &dyn Fn(Origin) -> bool| strangers().filter(|open| open.origin.is_some_and(fits)).count();
    open.len() < bounds.all
        && strangers().count() < bounds.strangers
        && origin.is_none_or(|origin| {
            of(&|other| other == origin) < MAX_MAIL_PER_HOST
                && of(&|other| other.network() == origin.network()) < MAX_MAIL_PER_NETWORK
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> PeerId {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        PeerId::from_key_bytes(key)
    }

    fn at(text: &str) -> Option<Origin> {
        Origin::of(&format!("/ip4/{text}/tcp/1").parse().unwrap())
    }

    /// How many of so many, each by a new key, get in and stay.
    fn stay(gate: &mut Gate, class: Class, tries: u32, origin: impl Fn(u32) -> Option<Origin>) -> usize {
        (0..tries).filter(|n| gate.enter(peer(*n), class, origin(*n), 0).is_ok()).count()
    }

    /// MBX-72
    #[test]
    fn what_is_open_is_bounded_by_address_network_and_class() {
        let mut gate = Gate::default();
        assert_eq!(stay(&mut gate, Class::Stranger, 100, |_| at("192.0.2.1")), MAX_MAIL_PER_HOST);
        assert_eq!(
            stay(&mut gate, Class::Stranger, 100, |n| at(&format!("192.0.2.{}", n + 2))),
            MAX_MAIL_PER_NETWORK - MAX_MAIL_PER_HOST
        );
        let left = MAX_STRANGER_MAIL_REQUESTS - MAX_MAIL_PER_NETWORK;
        assert_eq!(stay(&mut gate, Class::Stranger, 100, |n| at(&format!("198.51.{n}.1"))), left);
        let rest = MAX_MAIL_REQUESTS - MAX_STRANGER_MAIL_REQUESTS;
        assert_eq!(stay(&mut gate, Class::Contact, 100, |_| at("192.0.2.1")), rest);
        assert_eq!(gate.open.len(), MAX_MAIL_REQUESTS);
        // One that leaves makes room for one.
        let id = gate.open[0].id;
        gate.leave(id);
        assert_eq!(stay(&mut gate, Class::Contact, 100, |_| None), 1);
        assert_eq!(gate.enter(peer(1), Class::Contact, None, 0), Err(Shut::Full));
    }

    /// How many of so many, each by a new key, come to be held.
    fn held(gate: &mut Gate, class: Class, tries: u32, origin: impl Fn(u32) -> Option<Origin>) -> usize {
        let one = |n: &u32| {
            let id = gate.enter(peer(*n), class, origin(*n), 0).unwrap();
            let held = gate.hold(id);
            if !held {
                gate.leave(id);
            }
            held
        };
        (0..tries).filter(one).count()
    }

    /// MBX-82: who waits for mail takes nobody's place, and is bounded like others.
    #[test]
    fn what_is_held_has_places_of_its_own() {
        let mut gate = Gate::default();
        assert_eq!(held(&mut gate, Class::Stranger, 100, |_| at("192.0.2.1")), MAX_MAIL_PER_HOST);
        assert_eq!(
            held(&mut gate, Class::Stranger, 100, |n| at(&format!("192.0.2.{}", n + 2))),
            MAX_MAIL_PER_NETWORK - MAX_MAIL_PER_HOST
        );
        let left = MAX_STRANGER_MAIL_HELD - MAX_MAIL_PER_NETWORK;
        assert_eq!(held(&mut gate, Class::Stranger, 100, |n| at(&format!("198.51.{n}.1"))), left);
        assert_eq!(held(&mut gate, Class::Contact, 300, |_| at("192.0.2.1")), MAX_MAIL_HELD - MAX_STRANGER_MAIL_HELD);
        // The ordinary places are all free.
        assert_eq!(stay(&mut gate, Class::Stranger, 100, |_| at("192.0.2.1")), MAX_MAIL_PER_HOST);
        assert_eq!(stay(&mut gate, Class::Contact, 100, |_| None), MAX_MAIL_REQUESTS - MAX_MAIL_PER_HOST);
        gate.open.clear();
        let id = gate.held[0].id;
        gate.leave(id);
        assert!(!gate.hold(id), "it is gone");
        assert_eq!(held(&mut gate, Class::Contact, 2, |_| None), 1);
    }

    #[test]
    fn those_who_wait_are_bounded_by_address_and_in_all() {
        let mut gate = Gate::default();
        let waits = |gate: &mut Gate, origin: Option<Origin>| (0..100).filter(|_| gate.wait(origin)).count();
        assert_eq!(waits(&mut gate, at("192.0.2.1")), MAX_MAIL_PER_HOST);
        let others: usize = (2..100).map(|n| waits(&mut gate, at(&format!("192.0.2.{n}")))).sum();
        assert_eq!(others, MAX_MAIL_REQUESTS - MAX_MAIL_PER_HOST);
        gate.waited(at("192.0.2.1"));
        gate.waited(at("198.51.100.1"));
        assert_eq!(waits(&mut gate, at("192.0.2.1")), 1);
    }

    /// How many of so many, one after the other, get in.
    fn pass(gate: &mut Gate, class: Class, tries: u32, who: impl Fn(u32) -> (PeerId, Option<Origin>), now: u64) -> u32 {
        let one = |n: &u32| {
            let (peer, origin) = who(*n);
            gate.enter(peer, class, origin, now).inspect(|id| gate.leave(*id)).is_ok()
        };
        (0..tries).filter(one).count().try_into().unwrap()
    }

    /// MBX-73
    #[test]
    fn strangers_have_a_rate_by_key_address_and_network() {
        let mut gate = Gate::default();
        assert_eq!(pass(&mut gate, Class::Stranger, 9_000, |_| (peer(0), at("192.0.2.1")), 0), MAIL_STRANGER_BURST);
        assert_eq!(
            pass(&mut gate, Class::Stranger, 9_000, |_| (peer(0), at("192.0.2.1")), 1_000_000),
            MAIL_STRANGER_RATE
        );

        let mut gate = Gate::default();
        assert_eq!(
            pass(&mut gate, Class::Stranger, 9_000, |n| (peer(n), at("192.0.2.1")), 0),
            MAIL_HOST_BURST,
            "new keys"
        );
        assert_eq!(pass(&mut gate, Class::Stranger, 9_000, |n| (peer(n), at("192.0.2.1")), 1_000_000), MAIL_HOST_RATE);

        let mut gate = Gate::default();
        let neighbours = |n: u32| (peer(n), at(&format!("192.0.2.{}", n % 250)));
        assert_eq!(pass(&mut gate, Class::Stranger, 9_000, neighbours, 0), MAIL_NETWORK_BURST);
        assert_eq!(pass(&mut gate, Class::Stranger, 9_000, neighbours, 1_000_000), MAIL_NETWORK_RATE);
        assert_eq!(pass(&mut gate, Class::Stranger, 1, |_| (peer(1), at("198.51.100.1")), 0), 1, "another network");
        assert_eq!(
            pass(&mut gate, Class::Contact, 3_000, |_| (peer(1), at("192.0.2.1")), 0),
            3_000,
            "a contact from there"
        );
    }
}
