//! How much may be asked of our mailbox: at a time, and as time goes by (MBX-72, MBX-73).

use tokio::time::Instant;

use super::super::budget::{Budget, Who};
use crate::base::limits::{MAIL_BYTES, MAIL_HELD, MAIL_QUESTIONS, MAIL_WAITING};

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
    /// Questions that are being read, answered or written.
    open: Budget<u64>,
    /// Questions that wait for mail: they have places of their own.
    held: Budget<u64>,
    /// Questions that wait for a place.
    waiting: Budget<u64>,
    /// What comes with them, and may be kept.
    bytes: Budget,
    last: u64,
}

impl Default for Gate {
    fn default() -> Self {
        let (open, held, waiting) = (Budget::new(MAIL_QUESTIONS), Budget::new(MAIL_HELD), Budget::new(MAIL_WAITING));
        Self { open, held, waiting, bytes: Budget::new(MAIL_BYTES), last: 0 }
    }
}

impl Gate {
    /// Lets a question in, or not. What was let in is let out by [`Gate::leave`] with its number.
    pub(super) fn enter(&mut self, who: Who, now: Instant) -> Result<u64, Shut> {
        self.open.room(&who).map_err(|_| Shut::Full)?;
        if !self.open.take(&who, now) {
            return Err(Shut::TooMany);
        }
        self.last += 1;
        self.open.hold(self.last, who);
        Ok(self.last)
    }

    /// Whether a question of so many bytes is taken to the node.
    pub(super) fn takes(&mut self, who: &Who, len: usize, now: Instant) -> bool {
        self.bytes.spend(who, u32::try_from(len).unwrap_or(u32::MAX), now)
    }

    /// Lets a question wait for a place, if it may: its number, with which it leaves.
    pub(super) fn wait(&mut self, who: Who) -> Option<u64> {
        self.last += 1;
        self.waiting.enter(self.last, who).ok().map(|()| self.last)
    }

    /// Gives a question that was let in a place among those that are held, if there is one, in exchange for the one it has.
    pub(super) fn hold(&mut self, id: u64) -> bool {
        let fits = self.open.held().get(&id).is_some_and(|who| self.held.enter(id, *who).is_ok());
        if fits {
            self.open.leave(&id);
        }
        fits
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.held().len()
    }

    pub(super) fn leave(&mut self, id: u64) {
        for places in [&mut self.open, &mut self.held, &mut self.waiting] {
            places.leave(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::origin::Origin;
    use super::*;
    use crate::base::PeerId;
    use crate::envelope::border::Class::{self, Contact, Stranger};

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
        (0..tries).filter(|n| gate.enter(Who::new(class, Some(peer(*n)), origin(*n)), Instant::now()).is_ok()).count()
    }

    /// MBX-72
    #[test]
    fn what_is_open_is_bounded_by_address_network_and_class() {
        let mut gate = Gate::default();
        assert_eq!(stay(&mut gate, Stranger, 100, |_| at("192.0.2.1")), 8);
        assert_eq!(stay(&mut gate, Stranger, 100, |n| at(&format!("192.0.2.{}", n + 2))), 16 - 8);
        let left = 48 - 16;
        assert_eq!(stay(&mut gate, Stranger, 100, |n| at(&format!("198.51.{n}.1"))), left);
        let rest = 64 - 48;
        assert_eq!(stay(&mut gate, Contact, 100, |_| at("192.0.2.1")), rest);
        assert_eq!(gate.open.held().len(), 64);
        // One that leaves makes room for one.
        let id = *gate.open.held().keys().next().unwrap();
        gate.leave(id);
        assert_eq!(stay(&mut gate, Contact, 100, |_| None), 1);
        assert_eq!(gate.enter(Who::new(Contact, Some(peer(1)), None), Instant::now()), Err(Shut::Full));
    }

    /// How many of so many, each by a new key, come to be held.
    fn held(gate: &mut Gate, class: Class, tries: u32, origin: impl Fn(u32) -> Option<Origin>) -> usize {
        let one = |n: &u32| {
            let id = gate.enter(Who::new(class, Some(peer(*n)), origin(*n)), Instant::now()).unwrap();
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
        assert_eq!(held(&mut gate, Stranger, 100, |_| at("192.0.2.1")), 8);
        assert_eq!(held(&mut gate, Stranger, 100, |n| at(&format!("192.0.2.{}", n + 2))), 16 - 8);
        let left = 64 - 16;
        assert_eq!(held(&mut gate, Stranger, 100, |n| at(&format!("198.51.{n}.1"))), left);
        assert_eq!(held(&mut gate, Contact, 300, |_| at("192.0.2.1")), 256 - 64);
        // The ordinary places are all free.
        assert_eq!(stay(&mut gate, Stranger, 100, |_| at("192.0.2.1")), 8);
        assert_eq!(stay(&mut gate, Contact, 100, |_| None), 64 - 8);
        gate.open = Budget::new(MAIL_QUESTIONS);
        let id = *gate.held.held().keys().next().unwrap();
        gate.leave(id);
        assert!(!gate.hold(id), "it is gone");
        assert_eq!(held(&mut gate, Class::Contact, 2, |_| None), 1);
    }

    #[test]
    fn those_who_wait_are_bounded_by_address_and_in_all() {
        let mut gate = Gate::default();
        let waits = |gate: &mut Gate, origin: Option<Origin>| {
            (0..100).filter(|n| gate.wait(Who::new(Stranger, Some(peer(*n)), origin)).is_some()).count()
        };
        assert_eq!(waits(&mut gate, at("192.0.2.1")), 8);
        let others: usize = (2..100).map(|n| waits(&mut gate, at(&format!("192.0.2.{n}")))).sum();
        assert_eq!(others, 64 - 8);
        let (one, _) = gate.waiting.held().iter().find(|(_, who)| who.address == at("192.0.2.1")).unwrap();
        gate.leave(*one);
        assert_eq!(waits(&mut gate, at("192.0.2.1")), 1);
    }

    /// How many of so many, one after the other, get in.
    fn pass(
        gate: &mut Gate,
        class: Class,
        tries: u32,
        who: impl Fn(u32) -> (PeerId, Option<Origin>),
        now: Instant,
    ) -> u32 {
        let one = |n: &u32| {
            let (peer, origin) = who(*n);
            gate.enter(Who::new(class, Some(peer), origin), now).inspect(|id| gate.leave(*id)).is_ok()
        };
        (0..tries).filter(one).count().try_into().unwrap()
    }

    /// MBX-73
    #[test]
    fn strangers_have_a_rate_by_key_address_and_network() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut gate = Gate::default();
        assert_eq!(pass(&mut gate, Stranger, 9_000, |_| (peer(0), at("192.0.2.1")), now), 256);
        assert_eq!(pass(&mut gate, Stranger, 9_000, |_| (peer(0), at("192.0.2.1")), later), 8);

        let mut gate = Gate::default();
        assert_eq!(pass(&mut gate, Stranger, 9_000, |n| (peer(n), at("192.0.2.1")), now), 512, "new keys");
        assert_eq!(pass(&mut gate, Stranger, 9_000, |n| (peer(n), at("192.0.2.1")), later), 16);

        let mut gate = Gate::default();
        let neighbours = |n: u32| (peer(n), at(&format!("192.0.2.{}", n % 250)));
        assert_eq!(pass(&mut gate, Stranger, 9_000, neighbours, now), 2_048);
        assert_eq!(pass(&mut gate, Stranger, 9_000, neighbours, later), 64);
        assert_eq!(pass(&mut gate, Stranger, 1, |_| (peer(1), at("198.51.100.1")), now), 1, "another network");
        assert_eq!(pass(&mut gate, Contact, 3_000, |_| (peer(1), at("192.0.2.1")), now), 3_000, "a contact from there");
    }
}
