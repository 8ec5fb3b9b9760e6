//! Whether others can reach us without help.

use libp2p::Multiaddr;

use crate::base::limits::MAX_ADDRESS_CANDIDATES;
use crate::base::words::Reachability;
use crate::net::addresses::is_circuit;

/// What was found out.
#[derive(Debug, Default)]
pub(in crate::net) struct Reach {
    /// What the user knows.
    forced: Option<bool>,
    /// Addresses that were reached from outside.
    confirmed: Vec<Multiaddr>,
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

    /// This address was reached. Tells whether that is new. A circuit is never a reason to call ourselves reachable
    /// (trap 5).
    pub(in crate::net) fn confirmed(&mut self, addr: &Multiaddr) -> bool {
        if self.forced == Some(false) || is_circuit(addr) {
            return false;
        }
        self.failed.retain(|other| other != addr);
        let new = self.confirmed.len() < MAX_ADDRESS_CANDIDATES && !self.confirmed.contains(addr);
        if new {
            self.confirmed.push(addr.clone());
        }
        new
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
        self.confirmed.retain(|other| other != addr);
        self.confirmed.len() < before
    }

    /// The addresses that were reached.
    pub(in crate::net) fn addrs(&self) -> &[Multiaddr] {
        &self.confirmed
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

    fn addr(n: u8) -> Multiaddr {
        format!("/ip4/203.0.113.{n}/tcp/4001").parse().unwrap()
    }

    /// NET-71.
    #[test]
    fn one_address_that_was_reached_is_enough_and_circuits_do_not_count() {
        let mut reach = Reach::new(None);
        assert_eq!(reach.reachability(), Reachability::Unknown);
        let circuit = "/ip4/203.0.113.9/tcp/1/p2p/12D3KooWLbJX3dhp2hUVRzVHWUxWnq4xGmKYKVe7HwxYCCqRqQ6B/p2p-circuit";
        assert!(!reach.confirmed(&circuit.parse().unwrap()));
        assert!(!reach.failed(&addr(1)));
        assert_eq!(reach.reachability(), Reachability::Private);
        assert!(reach.confirmed(&addr(2)) && !reach.confirmed(&addr(2)));
        assert_eq!(reach.reachability(), Reachability::Public);
        assert!(reach.failed(&addr(2)), "tried again, and lost");
        assert_eq!(reach.reachability(), Reachability::Private);
    }

    /// NET-71: the operator's word goes before.
    #[test]
    fn what_the_user_knows_is_not_found_out() {
        let mut hidden = Reach::new(Some(false));
        assert!(!hidden.confirmed(&addr(1)));
        assert_eq!((hidden.reachability(), hidden.is_open()), (Reachability::Private, false));
        assert_eq!(Reach::new(Some(true)).reachability(), Reachability::Public);
    }

    #[test]
    fn both_lists_are_bounded() {
        let mut reach = Reach::new(None);
        for n in 0..=255 {
            reach.failed(&addr(n));
        }
        for n in 0..=255 {
            reach.confirmed(&addr(n));
        }
        assert!(reach.confirmed.len() <= MAX_ADDRESS_CANDIDATES && reach.failed.len() <= MAX_ADDRESS_CANDIDATES);
    }
}
