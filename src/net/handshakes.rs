//! The places of inbound connections that are being set up (NET-91).
//!
//! Who it is comes out later, so what counts is where he comes from. Those who come over TCP, over QUIC and through relays
//! have places of their own, and where an address begins very many, a rate. Whoever comes when the places are taken gets one
//! all the same, and another handshake ends: the swarm cannot end one, so each carries a handle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{AbortHandle, AbortRegistration, Abortable, BoxFuture};
use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use tokio::time::Instant;

use super::budget::{Budget, Who};
use super::origin::Origin;
use super::{lock, span};
use crate::base::limits::{
    Amount, By, CIRCUIT_HANDSHAKES, Grant, MUTE_TIMEOUT, QUIC_HANDSHAKES, QUIC_UNPROVED_HANDSHAKES, TCP_HANDSHAKES,
};
use crate::envelope::border::Class;

/// The ways in.
#[derive(Clone, Debug)]
pub(super) struct Entrances {
    pub(super) tcp: Handshakes,
    /// Of those who have shown that they are at their address.
    pub(super) quic: Handshakes,
    /// Of those who have not.
    pub(super) unproved: Handshakes,
    pub(super) circuits: Handshakes,
}

#[cfg(test)]
impl Entrances {
    /// All handshakes under way.
    pub(super) fn count(&self) -> usize {
        [&self.tcp, &self.quic, &self.unproved, &self.circuits].into_iter().map(Handshakes::count).sum()
    }
}

impl Default for Entrances {
    fn default() -> Self {
        Self {
            tcp: Handshakes::new(TCP_HANDSHAKES, true),
            quic: Handshakes::new(QUIC_HANDSHAKES, false),
            unproved: Handshakes::new(QUIC_UNPROVED_HANDSHAKES, false),
            circuits: Handshakes::new(CIRCUIT_HANDSHAKES, false),
        }
    }
}

/// The places of one way in. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Handshakes(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    lines: &'static [Grant],
    is_told: bool,
    budget: Budget<u64>,
    /// The name of the next: a later one has a higher name.
    next: u64,
    /// Those whose names have a place in the budget.
    held: BTreeMap<u64, Held>,
    /// How many are held, for those who wait until there are so many.
    #[cfg(test)]
    count: tokio::sync::watch::Sender<usize>,
}

#[derive(Debug)]
struct Held {
    who: Who,
    local: Multiaddr,
    remote: Multiaddr,
    since: Instant,
    /// Whether anything has come from there, as far as we are told.
    heard: bool,
    end: AbortHandle,
}

impl Handshakes {
    /// Places of this budget. Whether it is told when somebody begins to speak: otherwise all count as if they had.
    fn new(lines: &'static [Grant], is_told: bool) -> Self {
        Self(Arc::new(Mutex::new(Table {
            lines,
            is_told,
            budget: Budget::new(lines),
            next: 0,
            held: BTreeMap::new(),
            #[cfg(test)]
            count: tokio::sync::watch::Sender::default(),
        })))
    }

    /// A place for whoever comes from `remote`; when all that are for him are taken, another handshake ends. There is none if
    /// too many have come from there in a short time.
    pub(super) fn claim(&self, local: &Multiaddr, remote: &Multiaddr) -> Option<Place> {
        let mut table = lock(&self.0);
        let who = who(local, remote);
        if !table.budget.take(&who, Instant::now()) {
            return None;
        }
        let mut ends: Vec<_> = table.stale().into_iter().filter_map(|name| table.leave(name)).collect();
        if let Err(by) = table.budget.room(&who) {
            ends.extend(table.loser(&who, by).and_then(|name| table.leave(name)));
        }
        let place = self.place(&mut table, who, local, remote);
        drop(table);
        // It wakes somebody, who may want the table.
        ends.iter().for_each(|held| held.end.abort());
        Some(place)
    }

    /// A place if nobody has to leave for it.
    pub(super) fn spare(&self, local: &Multiaddr, remote: &Multiaddr) -> Option<Place> {
        let mut table = lock(&self.0);
        let who = who(local, remote);
        table.budget.room(&who).ok().map(|()| self.place(&mut table, who, local, remote))
    }

    fn place(&self, table: &mut Table, who: Who, local: &Multiaddr, remote: &Multiaddr) -> Place {
        let name = table.next;
        table.next += 1;
        let (end, registration) = AbortHandle::new_pair();
        let (local, remote, heard) = (local.clone(), remote.clone(), !table.is_told);
        table.budget.hold(name, who);
        table.held.insert(name, Held { who, local, remote, since: Instant::now(), heard, end });
        table.tell();
        Place { registration, seat: Seat { places: self.clone(), name } }
    }

    /// Something has come on the newest of the connections between these two.
    pub(super) fn heard(&self, point: &ConnectedPoint) {
        let ConnectedPoint::Listener { local_addr, send_back_addr } = point else { return };
        let mut table = lock(&self.0);
        let mut held = table.held.values_mut().rev();
        if let Some(held) = held.find(|held| held.remote == *send_back_addr && held.local == *local_addr) {
            held.heard = true;
        }
    }

    /// Waits until so many are held.
    #[cfg(test)]
    fn count(&self) -> usize {
        lock(&self.0).held.len()
    }

    #[cfg(test)]
    pub(super) async fn until(&self, count: usize) {
        let mut counted = lock(&self.0).count.subscribe();
        counted.wait_for(|held| *held == count).await.unwrap();
    }
}

impl Table {
    fn leave(&mut self, name: u64) -> Option<Held> {
        self.budget.leave(&name);
        self.held.remove(&name)
    }

    /// Whether more than half of all places are taken.
    fn is_short(&self) -> bool {
        let all = self.lines.iter().find(|line| line.by == By::All).map(|line| line.amount);
        matches!(all, Some(Amount::Places(count)) if self.held.len() * 2 > count)
    }

    /// When places are short, those who have said nothing for too long.
    fn stale(&self) -> Vec<u64> {
        if !self.is_short() {
            return Vec::new();
        }
        let stale = |held: &Held| !held.heard && held.since.elapsed() >= span(MUTE_TIMEOUT);
        self.held.iter().filter(|(_, held)| stale(held)).map(|(name, _)| *name).collect()
    }

    /// Who ends for a newcomer for whom there is no place by this: one of the network that holds most, then of the
    /// address; of these one who has said nothing; of these the oldest.
    fn loser(&self, newcomer: &Who, by: By) -> Option<u64> {
        let neighbours = |who: &Who| who.address.map(Origin::neighbours);
        let (mut of_neighbours, mut of_address) = (HashMap::new(), HashMap::new());
        for who in self.held.values().map(|held| &held.who).chain([newcomer]) {
            *of_neighbours.entry(neighbours(who)).or_insert(0) += 1;
            *of_address.entry(who.address).or_insert(0) += 1;
        }
        let counted_with = |who: &Who| match by {
            By::Address => who.address == newcomer.address,
            By::Network => who.network() == newcomer.network(),
            By::All | By::Peer => true,
        };
        let rank = |(name, held): &(&u64, &Held)| {
            let (of_neighbours, of_address) =
                (of_neighbours.get(&neighbours(&held.who)), of_address.get(&held.who.address));
            (Reverse(of_neighbours), Reverse(of_address), held.heard, **name)
        };
        let rivals = self.held.iter().filter(|(_, held)| counted_with(&held.who));
        rivals.min_by_key(rank).map(|(name, _)| *name)
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests wait for it"))]
    fn tell(&self) {
        #[cfg(test)]
        self.count.send_replace(self.held.len());
    }
}

/// Whoever comes from there, as these places count him.
fn who(local: &Multiaddr, remote: &Multiaddr) -> Who {
    Who::new(Class::Stranger, None, Origin::of_inbound(local, remote))
}

/// A place, for a handshake that is about to begin.
#[derive(Debug)]
pub(super) struct Place {
    registration: AbortRegistration,
    seat: Seat,
}

/// Gives the place back.
#[derive(Debug)]
struct Seat {
    places: Handshakes,
    name: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = lock(&self.places.0);
        let held = table.leave(self.name);
        table.tell();
        drop((table, held));
    }
}

/// A handshake that holds a place until it is over.
pub(super) struct Handshake<T> {
    upgrade: Abortable<BoxFuture<'static, io::Result<T>>>,
    seat: Option<Seat>,
}

impl<T> Handshake<T> {
    /// Without a place it is as any other future.
    pub(super) fn new(place: Option<Place>, upgrade: impl Future<Output = io::Result<T>> + Send + 'static) -> Self {
        let (registration, seat) = match place {
            Some(Place { registration, seat }) => (registration, Some(seat)),
            None => (AbortHandle::new_pair().1, None),
        };
        Self { upgrade: Abortable::new(upgrade.boxed(), registration), seat }
    }
}

impl<T> Future for Handshake<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = std::task::ready!(self.upgrade.poll_unpin(cx));
        self.seat = None;
        Poll::Ready(done.unwrap_or_else(|_| Err(io::Error::other("it makes room for the handshakes of others"))))
    }
}

#[cfg(test)]
mod tests;
