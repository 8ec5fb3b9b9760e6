//! Tries the addresses of others for them (AutoNAT v2).
//!
//! The crate's server serves those only who have dialled it. This one serves on connections of its own, too: a node
//! that others only dial has nobody else to ask. It dials nowhere without the consent of the limits (NET-66).

use std::task::{Context, Poll};

use libp2p::autonat::v2::server::{Behaviour as Server, Event};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::guard::{Guarded, Purpose, Told};
use crate::net::addresses::is_circuit;

/// The behaviour.
pub(in crate::net) struct Behaviour {
    server: Guarded<Server>,
    told: Told,
}

impl Behaviour {
    pub(in crate::net) fn new(told: Told) -> Self {
        Self { server: Guarded::dialling(Server::default(), told.clone(), Purpose::Trial), told }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Guarded<Server> as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if is_circuit(local) {
            // The handler of our own dials serves nobody: who comes through a relay has no address to be tried.
            let (role, port_use) = (Endpoint::Dialer, PortUse::Reuse);
            return self.server.handle_established_outbound_connection(id, peer, local, role, port_use);
        }
        self.server.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if is_circuit(addr) || self.told.purpose(id) == Some(Purpose::Trial) {
            return self.server.handle_established_outbound_connection(id, peer, addr, role, port_use);
        }
        self.server.handle_established_inbound_connection(id, peer, addr, addr)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.server.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.server.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.server.poll(cx)
    }
}
