//! What stands between the swarm and all behaviours of a node: the end of a connection is always told, and streams go to those who take them.
//!
//! The handlers of all protocols run in one task for each connection. A panic there (the crates assert what a peer's timing, or an
//! answer that they did not think of, can break) ends that task, and the swarm would never hear of it: the place of the
//! connection would be taken for ever. So a panic of a handler is contained, and its connection is closed in order (`handler`); and
//! when a task ends without a word for any other reason, its handler is dropped, which is told to the behaviours as the end that
//! it is.

#[cfg(test)]
pub(super) mod faults;
mod handler;

use std::collections::HashMap;
use std::io;
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionError, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use self::handler::{End, Ends, Watched};

/// What the behaviours tell, and what is told of connections beside.
#[derive(Debug)]
pub(super) enum Told<E> {
    Event(E),
    /// A connection has ended, and the swarm does not know: its task is gone.
    Lost {
        peer: PeerId,
        connection: ConnectionId,
    },
}

/// All behaviours of a swarm. It looks like them to whoever uses them.
pub(super) struct Contained<B> {
    inner: B,
    /// Whether peers tell it by identify what they take.
    hears: bool,
    open: HashMap<ConnectionId, (PeerId, ConnectedPoint)>,
    ends: Ends,
    ended: mpsc::UnboundedReceiver<(ConnectionId, End)>,
}

impl<B> Contained<B> {
    #[expect(clippy::disallowed_methods, reason = "each connection tells two things at most")]
    pub(super) fn new(inner: B) -> Self {
        let (ends, ended) = mpsc::unbounded_channel();
        Self { inner, hears: true, open: HashMap::new(), ends, ended }
    }

    /// Of a swarm without identify.
    pub(super) fn deaf(inner: B) -> Self {
        Self { hears: false, ..Self::new(inner) }
    }

    /// How many there are.
    pub(super) fn connections(&self) -> usize {
        self.open.len()
    }

    fn count(&self, peer: &PeerId) -> usize {
        self.open.values().filter(|(other, _)| other == peer).count()
    }
}

impl<B> Deref for Contained<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.inner
    }
}

impl<B> DerefMut for Contained<B> {
    fn deref_mut(&mut self) -> &mut B {
        &mut self.inner
    }
}

impl<B: NetworkBehaviour> Contained<B> {
    /// The task of this connection is gone; tells whether nobody knew.
    fn lost(&mut self, id: ConnectionId) -> Option<PeerId> {
        let (peer, endpoint) = self.open.remove(&id)?;
        tracing::error!(%peer, connection = %id, "the task of a connection has ended without a word");
        let cause = ConnectionError::IO(io::Error::other("its task is gone"));
        self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: id,
            endpoint: &endpoint,
            cause: Some(&cause),
            remaining_established: self.count(&peer),
        }));
        Some(peer)
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Contained<B> {
    type ConnectionHandler = Watched<B::ConnectionHandler>;
    type ToSwarm = Told<B::ToSwarm>;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(Watched::new(inner, id, self.hears, self.ends.clone()))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addrs: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(id, peer, addrs, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_outbound_connection(id, peer, addr, role, port)?;
        Ok(Watched::new(inner, id, self.hears, self.ends.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        // The swarm counts those that it has lost.
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                let other_established = self.count(&made.peer_id);
                self.open.insert(made.connection_id, (made.peer_id, made.endpoint.clone()));
                let made = ConnectionEstablished { other_established, ..made };
                self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(made));
            }
            FromSwarm::ConnectionClosed(closed) => {
                if self.open.remove(&closed.connection_id).is_some() {
                    let remaining_established = self.count(&closed.peer_id);
                    let closed = ConnectionClosed { remaining_established, ..closed };
                    self.inner.on_swarm_event(FromSwarm::ConnectionClosed(closed));
                }
            }
            FromSwarm::AddressChange(change) => {
                if let Some((_, endpoint)) = self.open.get_mut(&change.connection_id) {
                    endpoint.clone_from(change.new);
                }
                self.inner.on_swarm_event(event);
            }
            _ => self.inner.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        // What a lost one has said before its end comes after it.
        if self.open.contains_key(&id) {
            self.inner.on_connection_handler_event(peer, id, event);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while let Poll::Ready(Some((id, end))) = self.ended.poll_recv(cx) {
            match end {
                End::Broken => {
                    if let Some((peer_id, _)) = self.open.get(&id) {
                        let (peer_id, connection) = (*peer_id, CloseConnection::One(id));
                        return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection });
                    }
                }
                End::Gone => {
                    if let Some(peer) = self.lost(id) {
                        return Poll::Ready(ToSwarm::GenerateEvent(Told::Lost { peer, connection: id }));
                    }
                }
            }
        }
        self.inner.poll(cx).map(|action| action.map_out(Told::Event))
    }
}
