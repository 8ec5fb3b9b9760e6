//! The relays through which we can be reached: two reservations, looked after.
//!
//! Pure bookkeeping: it is told what happened and when, and says whom to ask. libp2p renews a reservation, but says of a
//! lost one no more than that a listener has closed, and asks nobody again (trap 6).

use std::collections::HashMap;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use rand::seq::IteratorRandom;
use tokio::time::Instant;

use crate::base::limits::{
    CIRCUIT_DISTRUST, MAX_RELAY_ADDRS, MAX_RELAY_CANDIDATES, OWN_RELAYS, RELAY_KNOWN, RELAY_PAUSE_FIRST,
    RELAY_PAUSE_MAX, RESERVATION_SHORTEST, RESERVATION_TIMEOUT,
};
use crate::base::{PeerId, WallTime};
use crate::net::origin::Origin;
use crate::net::span;

/// Who goes first when there are several; the greater the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::net) enum Rank {
    /// Somebody we happen to be connected with.
    Stranger,
    /// A contact.
    Contact,
    /// Named by the user.
    Named,
}

/// A connected peer who offers a relay.
#[derive(Clone, Debug)]
struct Candidate {
    addr: Multiaddr,
    rank: Rank,
    /// Since when we are connected.
    since: Instant,
}

/// A reservation that was asked for, or stands.
#[derive(Clone, Debug)]
pub(super) struct Held {
    listener: ListenerId,
    pub(super) relay: PeerId,
    /// Where we have reached him.
    place: Multiaddr,
    asked: Instant,
    /// When it was granted, or last renewed.
    fresh: Option<Instant>,
    /// Our addresses there; none as long as it was not granted.
    pub(super) addrs: Vec<Multiaddr>,
    pub(super) since: WallTime,
}

/// When a relay is asked again.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    next: Duration,
    /// A new network does not end it.
    firm: bool,
}

/// The reservations, and who may grant more.
#[derive(Debug, Default)]
pub(in crate::net) struct Relays {
    candidates: HashMap<PeerId, Candidate>,
    held: Vec<Held>,
    pauses: HashMap<PeerId, Pause>,
    /// When a circuit through a relay last broke.
    broken: HashMap<PeerId, Instant>,
}

impl Relays {
    /// A circuit through this relay has broken. Beyond the bound the oldest is forgotten.
    pub(in crate::net) fn circuit_broke(&mut self, relay: PeerId, now: Instant) {
        self.broken.insert(relay, now);
        if self.broken.len() > MAX_RELAY_CANDIDATES
            && let Some(oldest) = self.broken.iter().min_by_key(|(_, at)| **at).map(|(relay, _)| *relay)
        {
            self.broken.remove(&oldest);
        }
    }

    /// Those of these relays that are to be tried first: none of whose circuits broke of late; or else the one for which that is longest
    /// ago, so that one that lets connections come about and nothing through does not win for ever (NET-67).
    pub(in crate::net) fn first(&self, relays: &[PeerId], now: Instant) -> Vec<PeerId> {
        let broke = |relay: &PeerId| {
            let at = self.broken.get(relay).copied();
            at.filter(|at| now.saturating_duration_since(*at) < span(CIRCUIT_DISTRUST))
        };
        let good: Vec<_> = relays.iter().copied().filter(|relay| broke(relay).is_none()).collect();
        if !good.is_empty() {
            return good;
        }
        relays.iter().copied().min_by_key(broke).into_iter().collect()
    }

    /// A connected peer offers a relay; we have reached him at this address, by a connection that is there since then.
    pub(in crate::net) fn offered(&mut self, relay: PeerId, addr: Multiaddr, rank: Rank, since: Instant) {
        let room = self.candidates.len() < MAX_RELAY_CANDIDATES || self.candidates.contains_key(&relay);
        if room || rank == Rank::Named {
            self.candidates.insert(relay, Candidate { addr, rank, since });
        }
    }

    /// He offers none any more, or is gone.
    pub(in crate::net) fn withdrawn(&mut self, relay: &PeerId) {
        self.candidates.remove(relay);
    }

    /// Whom to ask now, and where he is; nobody while as many as are wanted stand or are asked for. Of those of the best rank one of another
    /// network goes first, then one with whom we are connected for a while; among equals lots are drawn: a key or two made for it win nothing.
    pub(in crate::net) fn next(&self, now: Instant) -> Option<(PeerId, Multiaddr)> {
        if self.held.len() >= OWN_RELAYS {
            return None;
        }
        let free = self.candidates.iter().filter(|(relay, _)| {
            let paused = self.pauses.get(relay).is_some_and(|pause| pause.until > now);
            !paused && self.held.iter().all(|held| held.relay != **relay)
        });
        let neighbours = |addr: &Multiaddr| Origin::of(addr).map(Origin::neighbours);
        let rank = |candidate: &Candidate| {
            let other = self.held.iter().all(|held| neighbours(&held.place) != neighbours(&candidate.addr));
            let known = now.saturating_duration_since(candidate.since) >= span(RELAY_KNOWN);
            (candidate.rank, other, known)
        };
        let free: Vec<_> = free.collect();
        let best = free.iter().map(|(_, candidate)| rank(candidate)).max()?;
        let drawn = free.into_iter().filter(|(_, candidate)| rank(candidate) == best).choose(&mut rand::rng());
        drawn.map(|(relay, candidate)| (*relay, candidate.addr.clone()))
    }

    /// When somebody who is paused may be asked again.
    #[cfg(test)]
    fn paused_until(&self, relay: &PeerId) -> Option<Instant> {
        self.pauses.get(relay).map(|pause| pause.until)
    }

    /// He was asked, by this listener.
    pub(in crate::net) fn asked(&mut self, relay: PeerId, place: Multiaddr, listener: ListenerId, now: Instant) {
        self.held.push(Held { listener, relay, place, asked: now, fresh: None, addrs: Vec::new(), since: WallTime(0) });
    }

    /// Whose listener this is, and where we have reached him.
    pub(in crate::net) fn relay_of(&self, listener: ListenerId) -> Option<(PeerId, Multiaddr)> {
        let held = self.held.iter().find(|held| held.listener == listener)?;
        Some((held.relay, held.place.clone()))
    }

    /// The reservation stands, and this is an address of ours there. Tells whether that is new.
    pub(in crate::net) fn granted(&mut self, listener: ListenerId, addr: Multiaddr, now: WallTime) -> bool {
        let Some(held) = self.held.iter_mut().find(|held| held.listener == listener) else { return false };
        if held.addrs.is_empty() {
            held.since = now;
        }
        let new = held.addrs.len() < MAX_RELAY_ADDRS && !held.addrs.contains(&addr);
        if new {
            held.addrs.push(addr);
        }
        new
    }

    /// The listener is closed: the reservation is refused or lost. Gives the addresses that are no longer ours.
    pub(in crate::net) fn closed(&mut self, listener: ListenerId, now: Instant) -> Option<Vec<Multiaddr>> {
        let place = self.held.iter().position(|held| held.listener == listener)?;
        let held = self.held.swap_remove(place);
        if !held.addrs.is_empty() && now.saturating_duration_since(held.asked) >= span(RESERVATION_SHORTEST) {
            // It stood: what was before counts no more.
            self.pauses.retain(|relay, pause| *relay != held.relay || pause.firm);
        }
        self.pause(held.relay, now);
        Some(held.addrs)
    }

    /// A relay has granted a reservation, or renewed it. Gives its listener when that was too soon: then the relay is
    /// not asked for a long time.
    pub(in crate::net) fn renewed(&mut self, relay: &PeerId, now: Instant) -> Option<ListenerId> {
        let held = self.held.iter_mut().find(|held| held.relay == *relay)?;
        let before = held.fresh.replace(now)?;
        if now.saturating_duration_since(before) >= span(RESERVATION_SHORTEST) {
            return None;
        }
        let until = now + span(RELAY_PAUSE_MAX);
        self.pauses.insert(*relay, Pause { until, next: span(RELAY_PAUSE_MAX), firm: true });
        Some(held.listener)
    }

    /// NET-63.
    fn pause(&mut self, relay: PeerId, now: Instant) {
        self.pauses.retain(|_, pause| pause.until + pause.next > now);
        if self.pauses.len() >= MAX_RELAY_CANDIDATES {
            return;
        }
        if self.pauses.get(&relay).is_some_and(|pause| pause.firm && pause.until > now) {
            return;
        }
        let before = self.pauses.get(&relay).map(|pause| pause.next);
        let next = before.unwrap_or(span(RELAY_PAUSE_FIRST));
        let pause = Pause { until: now + next, next: (2 * next).min(span(RELAY_PAUSE_MAX)), firm: false };
        self.pauses.insert(relay, pause);
    }

    /// Listeners of relays that do not answer.
    pub(in crate::net) fn overdue(&self, now: Instant) -> Vec<ListenerId> {
        let late = |held: &&Held| held.addrs.is_empty() && held.asked + span(RESERVATION_TIMEOUT) <= now;
        self.held.iter().filter(late).map(|held| held.listener).collect()
    }

    /// Every listener there is.
    pub(in crate::net) fn listeners(&self) -> Vec<ListenerId> {
        self.held.iter().map(|held| held.listener).collect()
    }

    /// The network has changed: whoever was paused may be asked at once.
    pub(in crate::net) fn wake(&mut self) {
        self.pauses.retain(|_, pause| pause.firm);
    }

    /// Those on which we can be reached.
    pub(super) fn standing(&self) -> Vec<&Held> {
        let mut standing: Vec<_> = self.held.iter().filter(|held| !held.addrs.is_empty()).collect();
        standing.sort_by_key(|held| held.relay);
        standing
    }

    /// Whether the connection with this peer carries a reservation, or should soon.
    pub(in crate::net) fn uses(&self, relay: &PeerId) -> bool {
        self.held.iter().any(|held| held.relay == *relay)
    }
}

#[cfg(test)]
mod tests;
