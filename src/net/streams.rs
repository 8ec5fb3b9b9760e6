//! Streams of one protocol, opened on a named connection and taken with a bound.
//!
//! In place of `libp2p-stream`, which opens on any connection of the peer (network trap 1), drops
//! inbound streams when two come at once (trap 13), and keeps an entry for every connection that
//! ever was. It owns no frames: what a stream says is for `envelope`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{AsyncWriteExt, future};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::addresses::is_circuit;
use super::classes::Classes;
use super::{HandlerInput, HandlerOutput, span};
use crate::base::limits::STREAM_OPEN_TIMEOUT;
use crate::envelope::border::Class;

/// A stream that a peer has opened. Its place is free again when the slot is dropped.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    /// The remote address of the connection.
    pub(super) remote: Multiaddr,
    pub(super) stream: Stream,
    pub(super) slot: OwnedSemaphorePermit,
    pub(super) gone: Gone,
}

/// Tells when a connection is gone: nothing ever changes but that its sender is dropped.
pub(super) type Gone = watch::Receiver<()>;

/// Where a stream that was asked for comes out; dropped when there will be none.
pub(super) type Reply = oneshot::Sender<Stream>;

/// Writes a question or an answer, and closes our direction behind it.
pub(super) async fn write(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.close().await
}

/// The behaviour.
pub(super) struct Behaviour {
    protocol: StreamProtocol,
    slots: usize,
    keep: Classes,
    actions: VecDeque<ToSwarm<Inbound, ToHandler>>,
}

impl Behaviour {
    /// `slots`: how many of a peer's streams are open on one connection; 0: the protocol is not offered to him. `keep`: with
    /// whose contacts a connection is kept though nothing happens on it.
    pub(super) const fn new(protocol: StreamProtocol, slots: usize, keep: Classes) -> Self {
        Self { protocol, slots, keep, actions: VecDeque::new() }
    }

    /// Opens a stream on this connection. The reply is dropped when that fails.
    pub(super) fn open(&mut self, peer: PeerId, connection: ConnectionId, reply: Reply) {
        self.notify(peer, connection, ToHandler::Open(reply));
    }

    /// Says whether this connection is kept though nothing happens on it.
    pub(super) fn keep(&mut self, peer: PeerId, connection: ConnectionId, keep: bool) {
        self.notify(peer, connection, ToHandler::Keep(keep));
    }

    fn notify(&mut self, peer_id: PeerId, connection: ConnectionId, event: ToHandler) {
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event });
    }

    fn handler(&self, connection: ConnectionId, peer: PeerId, remote: &Multiaddr, circuit: bool) -> Handler {
        Handler {
            peer,
            connection,
            protocol: self.protocol.clone(),
            offered: self.slots > 0,
            slots: Arc::new(Semaphore::new(self.slots)),
            remote: remote.clone(),
            alive: watch::Sender::default(),
            // Relays have few circuits: they stand while something is on its way.
            keep: !circuit && self.keep.of_libp2p(&peer) == Class::Contact,
            wanted: VecDeque::new(),
            taken: VecDeque::new(),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Inbound;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let circuit = is_circuit(local);
        // Who comes through a relay is where the relay is, as far as anybody knows.
        Ok(self.handler(connection, peer, if circuit { local } else { remote }, circuit))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection, peer, remote, is_circuit(remote)))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, taken: THandlerOutEvent<Self>) {
        self.actions.push_back(ToSwarm::GenerateEvent(taken));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What the behaviour tells a handler.
#[derive(Debug)]
pub(super) enum ToHandler {
    Open(Reply),
    Keep(bool),
}

/// The streams of one connection.
#[derive(Debug)]
pub(super) struct Handler {
    peer: PeerId,
    connection: ConnectionId,
    protocol: StreamProtocol,
    /// Whether the peer may open some.
    offered: bool,
    remote: Multiaddr,
    slots: Arc<Semaphore>,
    /// Dropped with this handler, which lives as long as the connection.
    alive: watch::Sender<()>,
    keep: bool,
    /// At most one of the one task that sends envelopes to the peer; questions are bounded by their permits.
    wanted: VecDeque<Reply>,
    /// At most one for each slot.
    taken: VecDeque<Inbound>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = ToHandler;
    type ToBehaviour = Inbound;
    type InboundProtocol = Either<ReadyUpgrade<StreamProtocol>, DeniedUpgrade>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        let offer = match self.offered {
            true => Either::Left(ReadyUpgrade::new(self.protocol.clone())),
            false => Either::Right(DeniedUpgrade),
        };
        SubstreamProtocol::new(offer, ()).with_timeout(span(STREAM_OPEN_TIMEOUT))
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        if let Some(taken) = self.taken.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(taken));
        }
        if let Some(reply) = self.wanted.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), reply)
                .with_timeout(span(STREAM_OPEN_TIMEOUT));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {
            ToHandler::Open(reply) => self.wanted.push_back(reply),
            ToHandler::Keep(keep) => self.keep = keep,
        }
    }

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                let future::Either::Left(stream) = protocol;
                // One too many is dropped, which resets it (NET-22).
                if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                    let (peer, connection, remote) = (self.peer, self.connection, self.remote.clone());
                    let gone = self.alive.subscribe();
                    self.taken.push_back(Inbound { peer, connection, remote, stream, slot, gone });
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: reply }) => {
                // Nobody waits any more: the stream is dropped.
                let _ = reply.send(stream);
            }
            // A failed opening drops its reply, which tells the one who waits.
            _ => {}
        }
    }
}
