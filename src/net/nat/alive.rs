//! Asks one connection for a sign of life, now: it opens a stream of libp2p's ping protocol there.
//!
//! `libp2p-ping` asks at its own times. A connection over QUIC whose other end was killed says nothing for
//! `QUIC_IDLE`, and holds up whatever is sent on it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, ping};
use tokio::time::{Sleep, sleep};

use crate::base::limits::CHECK_TIMEOUT;
use crate::net::{HandlerInput, HandlerOutput, span};

/// What is said, and comes back: the protocol wants 32 bytes.
const CALL: [u8; 32] = *b"rohrpost: are you still there?..";

/// The connection with this peer did not answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Dead(pub(in crate::net) PeerId, pub(in crate::net) ConnectionId);

/// The behaviour.
#[derive(Default)]
pub(in crate::net) struct Behaviour {
    actions: VecDeque<ToSwarm<Dead, Check>>,
}

impl Behaviour {
    /// Asks this connection. Nothing follows when it answers, or when it is asked already.
    pub(in crate::net) fn check(&mut self, peer_id: PeerId, connection: ConnectionId) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event: Check,
        });
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Dead;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, Silent: THandlerOutEvent<Self>) {
        self.actions.push_back(ToSwarm::GenerateEvent(Dead(peer, connection)));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What the behaviour tells a handler.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Check;

/// What a handler tells the behaviour.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Silent;

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One connection.
#[derive(Default)]
pub(in crate::net) struct Handler {
    wanted: bool,
    /// Until when an answer is waited for.
    deadline: Option<Pin<Box<Sleep>>>,
    call: Option<Call>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Check;
    type ToBehaviour = Silent;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        if std::mem::take(&mut self.wanted) {
            self.deadline = Some(Box::pin(sleep(span(CHECK_TIMEOUT))));
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(ping::PROTOCOL_NAME), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        if self.call.as_mut().is_some_and(|call| call.poll_unpin(cx).is_ready()) {
            (self.call, self.deadline) = (None, None);
        }
        if self.deadline.as_mut().is_some_and(|deadline| deadline.poll_unpin(cx).is_ready()) {
            (self.call, self.deadline) = (None, None);
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Silent));
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, Check: Self::FromBehaviour) {
        self.wanted = self.deadline.is_none();
    }

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                self.call = Some(Box::pin(call(protocol)));
            }
            // He has answered, though not what was hoped for.
            ConnectionEvent::DialUpgradeError(failed)
                if matches!(failed.error, StreamUpgradeError::NegotiationFailed) =>
            {
                self.deadline = None;
            }
            _ => {}
        }
    }
}

/// Ends when an answer has come; never when the stream breaks, which is no sign of life.
async fn call(mut stream: Stream) {
    let mut answer = CALL;
    let heard = async {
        stream.write_all(&CALL).await?;
        stream.flush().await?;
        stream.read_exact(&mut answer).await
    };
    if heard.await.is_err() {
        std::future::pending::<()>().await;
    }
    // An error says that the other side has closed it before.
    let _ = stream.close().await;
}
