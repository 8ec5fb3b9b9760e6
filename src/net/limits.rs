//! Which connections are had at all (NET-4): bounds in all, per peer, per IP address, and for strangers.
//!
//! Contacts are not bound per IP address, and strangers leave room for them. The crate
//! `libp2p-connection-limits` knows neither addresses nor contacts, and keeps an entry for every
//! peer it has ever seen.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::Ipv6Addr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::config::Classify;
use super::from_libp2p;
use crate::base::limits::{
    MAX_CONNECTIONS, MAX_CONNECTIONS_PER_IP, MAX_CONNECTIONS_PER_PEER, MAX_INBOUND_CONNECTIONS,
    MAX_PENDING_CONNECTIONS, MAX_PENDING_PER_IP, MAX_STRANGER_CONNECTIONS,
};

/// Why a connection was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("too many connections are being set up")]
    Pending,
    #[error("too many connections")]
    Total,
    #[error("too many inbound connections")]
    Inbound,
    #[error("too many connections with peers who are no contacts")]
    Strangers,
    #[error("too many connections with this peer")]
    Peer,
    #[error("too many connections from this IP address")]
    Ip,
    #[error("the key of this peer is not of the kind we use")]
    KeyType,
}

/// Who holds addresses of his own: an IPv4 address, or the /64 that IPv6 gives to one household.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin([u8; 8]);

impl Origin {
    fn of(addr: &Multiaddr) -> Option<Self> {
        let wide = match addr.iter().next()? {
            Protocol::Ip4(ip) => return Some(Self::v4(ip.octets())),
            Protocol::Ip6(ip) => ip,
            _ => return None,
        };
        Some(wide.to_ipv4_mapped().map_or_else(|| Self::v6(wide), |ip| Self::v4(ip.octets())))
    }

    const fn v4([a, b, c, d]: [u8; 4]) -> Self {
        // The prefix ::ffff:0:0/96 is of no household.
        Self([0, 0, 0xff, 0xff, a, b, c, d])
    }

    fn v6(ip: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = ip.octets();
        Self([a, b, c, d, e, f, g, h])
    }
}

#[derive(Clone, Debug)]
struct Established {
    peer: PeerId,
    inbound: bool,
    origin: Option<Origin>,
}

/// The behaviour that denies. First in the list of behaviours, so that the others never hear of a
/// connection that is denied.
pub(super) struct Behaviour {
    classify: Classify,
    pending_in: HashMap<ConnectionId, Option<Origin>>,
    pending_out: HashSet<ConnectionId>,
    established: HashMap<ConnectionId, Established>,
}

impl Behaviour {
    pub(super) fn new(classify: Classify) -> Self {
        Self { classify, pending_in: HashMap::new(), pending_out: HashSet::new(), established: HashMap::new() }
    }

    fn is_contact(&self, peer: &PeerId) -> bool {
        from_libp2p(peer).is_some_and(|peer| (self.classify)(&peer))
    }

    /// Counts over at most `MAX_CONNECTIONS` entries, rather than keep counters that can go wrong.
    fn count(&self, which: impl Fn(&Established) -> bool) -> usize {
        self.established.values().filter(|connection| which(connection)).count()
    }

    fn check_pending_in(&mut self, id: ConnectionId, remote: &Multiaddr) -> Result<(), Denied> {
        let origin = Origin::of(remote);
        if self.pending_in.len() >= MAX_PENDING_CONNECTIONS as usize {
            return Err(Denied::Pending);
        }
        if origin.is_some() && self.pending_in.values().filter(|other| **other == origin).count() >= MAX_PENDING_PER_IP
        {
            return Err(Denied::Ip);
        }
        self.pending_in.insert(id, origin);
        Ok(())
    }

    fn check_pending_out(&mut self, id: ConnectionId) -> Result<(), Denied> {
        if self.pending_out.len() >= MAX_PENDING_CONNECTIONS as usize {
            return Err(Denied::Pending);
        }
        self.pending_out.insert(id);
        Ok(())
    }

    /// NET-2, NET-4.
    fn check_any(&self, peer: &PeerId) -> Result<(), Denied> {
        if from_libp2p(peer).is_none() {
            return Err(Denied::KeyType);
        }
        if self.established.len() >= MAX_CONNECTIONS as usize {
            return Err(Denied::Total);
        }
        if self.count(|other| other.peer == *peer) >= MAX_CONNECTIONS_PER_PEER as usize {
            return Err(Denied::Peer);
        }
        Ok(())
    }

    fn check_inbound(&mut self, id: ConnectionId, peer: &PeerId, remote: &Multiaddr) -> Result<(), Denied> {
        self.pending_in.remove(&id);
        self.check_any(peer)?;
        if self.count(|other| other.inbound) >= MAX_INBOUND_CONNECTIONS as usize {
            return Err(Denied::Inbound);
        }
        if self.is_contact(peer) {
            return Ok(());
        }
        let origin = Origin::of(remote);
        if origin.is_some()
            && self.count(|other| other.inbound && other.origin == origin) >= MAX_CONNECTIONS_PER_IP as usize
        {
            return Err(Denied::Ip);
        }
        // Asked last, because it asks for the class of everybody.
        if self.count(|other| other.inbound && !self.is_contact(&other.peer)) >= MAX_STRANGER_CONNECTIONS {
            return Err(Denied::Strangers);
        }
        Ok(())
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.check_pending_in(id, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_inbound(id, &peer, remote).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.check_pending_out(id).map(|()| Vec::new()).map_err(ConnectionDenied::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending_out.remove(&id);
        self.check_any(&peer).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let established = Established {
                    peer: event.peer_id,
                    inbound: event.endpoint.is_listener(),
                    origin: Origin::of(event.endpoint.get_remote_address()),
                };
                self.established.insert(event.connection_id, established);
            }
            FromSwarm::ConnectionClosed(event) => {
                self.established.remove(&event.connection_id);
            }
            FromSwarm::DialFailure(event) => {
                self.pending_out.remove(&event.connection_id);
            }
            FromSwarm::ListenFailure(event) => {
                self.pending_in.remove(&event.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
