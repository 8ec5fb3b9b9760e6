use std::convert::Infallible;
use std::future::poll_fn;

use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::Instant;

use super::*;

/// Identify.
const ID: &str = "/ipfs/id/1.0.0";
const ODD: &str = "/test/odd/1";

/// Wants what it is told to want.
#[derive(Default)]
struct Fake {
    wants: VecDeque<&'static str>,
    panics: bool,
    refused: Vec<(u8, bool)>,
}

impl ConnectionHandler for Fake {
    type FromBehaviour = ();
    type ToBehaviour = Infallible;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<&'static str>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = u8;

    fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        assert!(!self.panics, "on purpose");
        let Some(name) = self.wants.pop_front() else { return Poll::Pending };
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(name), u8::try_from(name.len()).unwrap());
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, (): ()) {}

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        if let ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) = event {
            self.refused.push((info, matches!(error, StreamUpgradeError::Timeout)));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "two things are told at most")]
fn watched() -> (Watched<Fake>, mpsc::UnboundedReceiver<(ConnectionId, End)>) {
    let (ends, ended) = mpsc::unbounded_channel();
    (Watched::new(Fake::default(), ConnectionId::new_unchecked(7), true, ends), ended)
}

/// The protocols of the streams that are opened now.
async fn opened(handler: &mut Watched<Fake>) -> Vec<&'static str> {
    let mut opened = Vec::new();
    while let Some(name) = poll_fn(|cx| {
        Poll::Ready(match handler.poll(cx) {
            Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }) => {
                protocol.upgrade().protocol_info().next()
            }
            _ => None,
        })
    })
    .await
    {
        opened.push(name);
    }
    opened
}

fn lists(handler: &mut Watched<Fake>, names: &[&'static str]) {
    handler.listed = Some(names.iter().copied().map(StreamProtocol::new).collect());
}

/// NET-3: what somebody does not list is not opened to him, and whoever wanted it hears that at once.
#[tokio::test]
async fn a_stream_is_opened_to_who_lists_its_protocol() {
    let (mut handler, _ended) = watched();
    lists(&mut handler, &[frame::PROTOCOL]);
    handler.inner.wants = [ODD, frame::PROTOCOL, ID, exchange::PROTOCOL].into();
    assert_eq!(opened(&mut handler).await, [frame::PROTOCOL, ID]);
    let refused = |name: &str| (u8::try_from(name.len()).unwrap(), false);
    assert_eq!(handler.inner.refused, [refused(ODD), refused(exchange::PROTOCOL)]);
    lists(&mut handler, &[ODD]);
    handler.inner.wants = [ODD, frame::PROTOCOL].into();
    assert_eq!(opened(&mut handler).await, [ODD]);
}

/// NET-3: before he has said it, only what is our own is opened; the rest waits, so many and for so long.
#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_waited_for() {
    let (mut handler, _ended) = watched();
    handler.inner.wants = [ODD, frame::PROTOCOL].into();
    assert_eq!(opened(&mut handler).await, [frame::PROTOCOL]);
    assert!(handler.connection_keep_alive() && handler.inner.refused.is_empty());
    lists(&mut handler, &[ODD]);
    assert_eq!(opened(&mut handler).await, [ODD]);
    handler.listed = None;
    handler.inner.wants = std::iter::repeat_n(ODD, MAX_STREAMS_HELD + 1).collect();
    assert!(opened(&mut handler).await.is_empty());
    assert_eq!((handler.inner.refused.len(), handler.held.len()), (1, MAX_STREAMS_HELD), "one too many");
    let begun = Instant::now();
    tokio::time::advance(span(STREAM_OPEN_TIMEOUT)).await;
    assert!(opened(&mut handler).await.is_empty());
    assert_eq!(begun.elapsed(), span(STREAM_OPEN_TIMEOUT));
    assert!(handler.held.is_empty() && handler.inner.refused[1..].iter().all(|(_, timeout)| *timeout));
}

/// A panic of the handler closes the connection; the end of its task is told when nobody else tells it.
#[tokio::test]
async fn the_end_is_told_once() {
    let (mut handler, mut ended) = watched();
    let id = handler.id;
    handler.inner.panics = true;
    assert!(opened(&mut handler).await.is_empty() && opened(&mut handler).await.is_empty());
    assert_eq!(ended.try_recv(), Ok((id, End::Broken)));
    assert!(!handler.connection_keep_alive());
    assert!(poll_fn(|cx| handler.poll_close(cx)).await.is_none());
    drop(handler);
    assert_eq!(ended.try_recv(), Err(TryRecvError::Disconnected), "closed in order");
    let (handler, mut ended) = watched();
    drop(handler);
    assert_eq!(ended.try_recv(), Ok((id, End::Gone)));
}
