//! Both sides of AutoNAT's client on one connection, which can be begun anew.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

use libp2p::StreamProtocol;
use libp2p::autonat::v2::client::Behaviour as Client;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, ConnectionHandlerSelect, ProtocolSupport, ProtocolsChange,
};
use libp2p::swarm::{ConnectionHandler, NetworkBehaviour, SubstreamProtocol};

use crate::net::{HandlerInput, HandlerOutput};

/// What a peer's identify lists who tries addresses.
const TRIES: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-request");

type Half = <Client as NetworkBehaviour>::ConnectionHandler;

/// One half that asks, one that is asked whether it was us who asked.
pub(super) type Both = ConnectionHandlerSelect<Half, Half>;

/// What the behaviour wants of it.
pub(in crate::net) enum Order {
    /// A question to the peer.
    Ask(<Both as ConnectionHandler>::FromBehaviour),
    /// All questions are void: these sides are of the client that counts from now on.
    Renew(Box<Both>, u64),
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask(_) => "Ask",
            Self::Renew(..) => "Renew",
        })
    }
}

/// The handler. What it tells goes with the number of the client that it belongs to.
pub(in crate::net) struct Handler {
    inner: Both,
    client: u64,
    /// Whether the peer offers to try addresses. The crate's half tells its client so once, when it hears of it.
    offers: bool,
    /// To be told once more to whoever listens on this connection.
    news: VecDeque<ProtocolSupport>,
}

impl Handler {
    pub(super) const fn new(inner: Both, client: u64) -> Self {
        Self { inner, client, offers: false, news: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = (u64, <Both as ConnectionHandler>::ToBehaviour);
    type InboundProtocol = <Both as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Both as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = <Both as ConnectionHandler>::InboundOpenInfo;
    type OutboundOpenInfo = <Both as ConnectionHandler>::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        if let Some(news) = self.news.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(news));
        }
        self.inner.poll(cx).map(|event| event.map_custom(|word| (self.client, word)))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx).map(|event| event.map(|word| (self.client, word)))
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order {
            Order::Ask(question) => self.inner.on_behaviour_event(question),
            Order::Renew(inner, client) => {
                (self.inner, self.client) = (*inner, client);
                if self.offers {
                    // It is believed only who hears of it as of something new.
                    let offer = || [TRIES].into_iter().collect();
                    self.news = [ProtocolSupport::Removed(offer()), ProtocolSupport::Added(offer())].into();
                }
            }
        }
    }

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        match &event {
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) => {
                self.offers |= added.clone().any(|protocol| *protocol == TRIES);
            }
            // What we have said ourselves is followed by the opposite.
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Removed(removed)) => {
                self.offers &= !removed.clone().any(|protocol| *protocol == TRIES);
            }
            _ => {}
        }
        self.inner.on_connection_event(event);
    }
}
