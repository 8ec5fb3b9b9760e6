//! What a peer says on the connections of the DHT is heard at a bounded rate (NET-55): beyond it his connection is not read, so
//! that he waits, and nobody else.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};
use tokio::time::{Instant, Sleep, sleep};

use super::super::budget::{Budget, Who};
use super::super::{HandlerInput, HandlerOutput};
use crate::base::limits::DHT_HEARD;

/// The handler of a protocol whose peers are heard so.
pub(in crate::net) struct Handler<H> {
    inner: H,
    /// How fast what comes by this connection is heard: questions, and answers to ours.
    pace: Budget,
    /// Nothing is heard before it ends.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<H> Handler<H> {
    pub(super) fn new(inner: H) -> Self {
        Self { inner, pace: Budget::new(DHT_HEARD), pause: None }
    }

    /// Notes that something was heard; beyond the rate the next is heard after a pause.
    fn heard(&mut self) {
        if !self.pace.take(&Who::default(), Instant::now()) {
            self.pause = Some(Box::pin(sleep(Duration::from_secs(1))));
        }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Handler<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let event = ready!(self.inner.poll(cx));
        if matches!(event, ConnectionHandlerEvent::NotifyBehaviour(_)) {
            self.heard();
        }
        Poll::Ready(event)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        self.inner.on_connection_event(event);
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_fn;
    use libp2p::core::upgrade::DeniedUpgrade;
    use libp2p::swarm::handler::ConnectionEvent;

    use super::*;

    /// A peer who always has something to say.
    struct Chatter;

    impl ConnectionHandler for Chatter {
        type FromBehaviour = ();
        type ToBehaviour = ();
        type InboundProtocol = DeniedUpgrade;
        type OutboundProtocol = DeniedUpgrade;
        type InboundOpenInfo = ();
        type OutboundOpenInfo = ();

        fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade> {
            SubstreamProtocol::new(DeniedUpgrade, ())
        }

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<DeniedUpgrade, (), ()>> {
            Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(()))
        }

        fn on_behaviour_event(&mut self, (): ()) {}

        fn on_connection_event(&mut self, _: ConnectionEvent<'_, DeniedUpgrade, DeniedUpgrade>) {}
    }

    async fn heard(handler: &mut Handler<Chatter>, within: Duration) -> u32 {
        let mut count = 0;
        let all = async {
            loop {
                poll_fn(|cx| handler.poll(cx)).await;
                count += 1;
            }
        };
        tokio::time::timeout(within, all).await.unwrap_err();
        count
    }

    /// NET-55: the clock stands still but for what is waited for.
    #[tokio::test(start_paused = true)]
    async fn a_peer_is_heard_at_a_bounded_rate() {
        let mut handler = Handler::new(Chatter);
        let (burst, rate) = (512, 64);
        // The one that was too many has been heard, too.
        assert_eq!(heard(&mut handler, Duration::from_millis(500)).await, burst + 1);
        let later = heard(&mut handler, Duration::from_secs(20)).await;
        assert!((19 * rate..=20 * (rate + 1)).contains(&later), "{later}");
    }
}
