//! Streams on which the other side agrees before we speak, when that is wanted.
//!
//! Streams are opened lazily (NET-3): the first message goes along with the proposal. Kademlia says "I provide this" and lets go of
//! the stream without waiting for anything, and a stream that is let go before its proposal was answered is torn down
//! unheard. So as long as that is being said, streams of the DHT cost a round trip more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{AsyncReadExt, FutureExt};
use libp2p::Stream;
use libp2p::core::upgrade::{OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedOutbound, OutboundUpgradeSend};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};

/// Whether streams are opened so.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(super) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

/// What an outbound stream is upgraded by: first perhaps the confirmation, then the protocol's own.
pub(in crate::net) struct Confirm<U> {
    inner: U,
    wait: bool,
}

impl<U: OutboundUpgradeSend> UpgradeInfo for Confirm<U> {
    type Info = U::Info;
    type InfoIter = U::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.inner.protocol_info()
    }
}

impl<U: OutboundUpgradeSend> OutboundUpgrade<Stream> for Confirm<U> {
    type Output = U::Output;
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<U::Output, U::Error>>;

    fn upgrade_outbound(self, mut stream: Stream, info: U::Info) -> Self::Future {
        let Self { inner, wait } = self;
        async move {
            if wait {
                // Reading nothing still waits for the proposal's answer. If it fails, so does what follows.
                let _ = stream.read(&mut []).await;
            }
            inner.upgrade_outbound(stream, info).await
        }
        .boxed()
    }
}

/// The handler of a protocol whose streams are opened so.
pub(in crate::net) struct Handler<H> {
    inner: H,
    switch: Switch,
}

impl<H> Handler<H> {
    pub(super) fn new(inner: H, switch: &Switch) -> Self {
        Self { inner, switch: switch.clone() }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Handler<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = Confirm<H::OutboundProtocol>;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        let wait = self.switch.0.load(Ordering::Relaxed);
        self.inner.poll(cx).map(|event| event.map_protocol(|inner| Confirm { inner, wait }))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        let event = match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info })
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error })
            }
            ConnectionEvent::FullyNegotiatedInbound(event) => ConnectionEvent::FullyNegotiatedInbound(event),
            ConnectionEvent::ListenUpgradeError(event) => ConnectionEvent::ListenUpgradeError(event),
            ConnectionEvent::AddressChange(event) => ConnectionEvent::AddressChange(event),
            ConnectionEvent::LocalProtocolsChange(event) => ConnectionEvent::LocalProtocolsChange(event),
            ConnectionEvent::RemoteProtocolsChange(event) => ConnectionEvent::RemoteProtocolsChange(event),
            // The crate may tell of more some day.
            _ => return,
        };
        self.inner.on_connection_event(event);
    }
}
