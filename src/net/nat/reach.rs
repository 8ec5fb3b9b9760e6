//! Whether others can reach us without help.

use std::collections::HashSet;

use libp2p::Multiaddr;

use super::probe::Voice;
use crate::base::limits::{MAX_ADDRESS_CANDIDATES, MAX_TRIALS};
use crate::base::words::Reachability;
use crate::net::addresses::is_circuit;

/// What was found out.
#[derive(Debug, Default)]
pub(in crate::net) struct Reach {
    /// What the user knows.
    forced: Option<bool>,
    /// Addresses that were reached from outside, and by whom.
    confirmed: Vec<(Multiaddr, HashSet<Voice>)>,
    /// Addresses that were not.
    failed: Vec<Multiaddr>,
}

impl Reach {
    pub(in crate::net) fn new(forced: Option<bool>) -> Self {
        Self { forced, ..Self::default() }
    }

    /// Whether every listener's address counts as reachable.
    pub(in crate::net) fn is_declared(&self) -> bool {
        self.forced == Some(true)
    }

    /// Whether it is to be found out.
    pub(in crate::net) fn is_open(&self) -> bool {
        self.forced.is_none()
    }

    /// This address was reached, by this peer, or a router says that it would be. Tells whether that is new. A circuit is never a reason to
    /// call ourselves reachable (trap 5).
    pub(in crate::net) fn confirmed(&mut self, addr: &Multiaddr, by: Option<Voice>) -> bool {
        if self.forced == Some(false) || is_circuit(addr) {
            return false;
        }
        self.failed.retain(|other| other != addr);
        let known = self.confirmed.iter().position(|(known, _)| known == addr);
        let new = known.is_none() && self.confirmed.len() < MAX_ADDRESS_CANDIDATES;
        if new {
            self.confirmed.push((addr.clone(), HashSet::new()));
        }
        let known = self.confirmed.iter_mut().find(|(known, voices)| known == addr && voices.len() < MAX_TRIALS);
        if let Some((_, voices)) = known {
            voices.extend(by);
        }
        new
    }

    /// Whether we do without relays: two who have nothing to do with each other have reached us, or the user says so.
    pub(in crate::net) fn is_sure(&self) -> bool {
        let voices: HashSet<_> = self.confirmed.iter().flat_map(|(_, voices)| voices).collect();
        self.forced.unwrap_or(voices.len() >= 2)
    }

    /// This address was tried, and not reached. Tells whether it counted as reachable before.
    pub(in crate::net) fn failed(&mut self, addr: &Multiaddr) -> bool {
        if self.failed.len() < MAX_ADDRESS_CANDIDATES && !self.failed.contains(addr) {
            self.failed.push(addr.clone());
        }
        self.gone(addr)
    }

    /// This address is no longer ours. Tells whether it counted as reachable.
    pub(in crate::net) fn gone(&mut self, addr: &Multiaddr) -> bool {
        let before = self.confirmed.len();
        self.confirmed.retain(|(other, _)| other != addr);
        self.confirmed.len() < before
    }

    /// The addresses that were reached.
    pub(in crate::net) fn addrs(&self) -> impl Iterator<Item = &Multiaddr> {
        self.confirmed.iter().map(|(addr, _)| addr)
    }

    pub(in crate::net) fn reachability(&self) -> Reachability {
        match self.forced {
            Some(true) => Reachability::Public,
            Some(false) => Reachability::Private,
            None if !self.confirmed.is_empty() => Reachability::Public,
            None if !self.failed.is_empty() => Reachability::Private,
            None => Reachability::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::convert::peer;

    fn addr(n: u8) -> Multiaddr {
        format!("/ip4/203.0.113.{n}/tcp/4001").parse().unwrap()
    }

    /// NET-71.
    #[test]
    fn one_address_that_was_reached_is_enough_and_circuits_do_not_count() {
        let mut reach = Reach::new(None);
        assert_eq!(reach.reachability(), Reachability::Unknown);
        let circuit = "/ip4/203.0.113.9/tcp/1/p2p/12D3KooWLbJX3dhp2hUVRzVHWUxWnq4xGmKYKVe7HwxYCCqRqQ6B/p2p-circuit";
        assert!(!reach.confirmed(&circuit.parse().unwrap(), None));
        assert!(!reach.failed(&addr(1)));
        assert_eq!(reach.reachability(), Reachability::Private);
        assert!(reach.confirmed(&addr(2), None) && !reach.confirmed(&addr(2), None));
        assert_eq!(reach.reachability(), Reachability::Public);
        assert!(reach.failed(&addr(2)), "tried again, and lost");
        assert_eq!(reach.reachability(), Reachability::Private);
    }

    /// NET-71: the operator's word goes before.
    #[test]
    fn what_the_user_knows_is_not_found_out() {
        let mut hidden = Reach::new(Some(false));
        assert!(!hidden.confirmed(&addr(1), None));
        assert_eq!((hidden.reachability(), hidden.is_open()), (Reachability::Private, false));
        assert_eq!(Reach::new(Some(true)).reachability(), Reachability::Public);
    }

    /// NET-62: one peer alone, whatever his keys, and a router's word take no relay from us.
    #[test]
    fn two_from_different_places_make_us_sure() {
        let mut reach = Reach::new(None);
        let by = |n: u64, at: &str| Some(Voice::of(peer(n), &at.parse().unwrap()));
        reach.confirmed(&addr(1), None);
        for (n, at) in [(1, "/ip4/198.51.100.1/tcp/1"), (2, "/ip4/198.51.100.1/tcp/2"), (3, "/ip4/198.51.100.9/tcp/1")]
        {
            reach.confirmed(&addr(1), by(n, at));
            reach.confirmed(&addr(2), by(n, at));
        }
        assert_eq!((reach.reachability(), reach.is_sure()), (Reachability::Public, false));
        reach.confirmed(&addr(2), by(4, "/ip4/192.0.2.1/tcp/1"));
        assert!(reach.is_sure());
        reach.failed(&addr(2));
        assert_eq!((reach.reachability(), reach.is_sure()), (Reachability::Public, false));
        // Within a site all are of few networks; on one machine there is one address.
        for (one, other) in
            [("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"), ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1")]
        {
            let mut reach = Reach::new(None);
            reach.confirmed(&addr(1), by(1, one));
            reach.confirmed(&addr(1), by(1, one));
            assert!(!reach.is_sure());
            reach.confirmed(&addr(1), by(2, other));
            assert!(reach.is_sure());
        }
        assert!(Reach::new(Some(true)).is_sure() && !Reach::new(Some(false)).is_sure());
    }

    #[test]
    fn both_lists_are_bounded() {
        let mut reach = Reach::new(None);
        for n in 0..=255 {
            reach.failed(&addr(n));
        }
        for n in 0..=255 {
            reach.confirmed(&addr(n), Some(Voice::of(peer(n.into()), &addr(n))));
        }
        assert!(reach.confirmed.len() <= MAX_ADDRESS_CANDIDATES && reach.failed.len() <= MAX_ADDRESS_CANDIDATES);
    }
}
