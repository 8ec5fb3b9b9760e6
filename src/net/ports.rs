//! TCP dialled from the listening port, and from another one when that does not work out.
//!
//! A hole is punched from the port that others see, so that is where dials go out from (trap 4). But what an earlier connection between
//! the same two ports has left behind, in a router on the way, may swallow everything that comes from there, for minutes: the node
//! is started again with the same port, or the machine was asleep. Or the port is taken at another address of this machine.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, select};
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use libp2p::{Multiaddr, Transport, tcp};
use tokio::time::timeout;

use super::span;
use crate::base::limits::PORT_PATIENCE;

type Inner = tcp::tokio::Transport;

/// TCP, as libp2p has it.
#[derive(Default)]
pub(super) struct Ports(Inner);

impl Transport for Ports {
    type Output = <Inner as Transport>::Output;
    type Error = io::Error;
    type ListenerUpgrade = <Inner as Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.0.listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let first = self.0.dial(addr.clone(), opts)?;
        // Who dials as if he were dialled wants the port that the other side was told of, and no other.
        if opts.port_use == PortUse::New || opts.role == Endpoint::Listener {
            return Ok(first);
        }
        // One that listens nowhere has no port to go out from again.
        let another = async move {
            let opts = DialOpts { port_use: PortUse::New, ..opts };
            let dial = Inner::default().dial(addr, opts).map_err(|error| match error {
                TransportError::Other(error) => error,
                TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
            })?;
            dial.await
        };
        Ok(Box::pin(either(first, another)))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The first way, and another one beside it when it leads nowhere for a while, or instead of it when it cannot be gone. That somebody
/// has refused is an answer.
async fn either<T>(
    first: impl Future<Output = io::Result<T>>,
    another: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut first, another) = (pin!(first), pin!(another));
    match timeout(span(PORT_PATIENCE), &mut first).await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::ConnectionRefused => {
            tracing::debug!(%error, "not from the listening port, but from another");
            another.await
        }
        Ok(done) => done,
        Err(_) => match select(first, another).await {
            Either::Left((Err(_), other)) => other.await,
            Either::Right((Err(_), other)) => other.await,
            Either::Left((done, _)) | Either::Right((done, _)) => done,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::net::TcpListener;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    fn failed(kind: io::ErrorKind) -> io::Result<u8> {
        Err(kind.into())
    }

    async fn after(seconds: u64, done: io::Result<u8>) -> io::Result<u8> {
        sleep(Duration::from_secs(seconds)).await;
        done
    }

    #[tokio::test(start_paused = true)]
    async fn another_port_is_tried_when_the_first_does_not_work_out() {
        let kind = |done: io::Result<u8>| done.map_err(|error| error.kind());
        let begun = Instant::now();
        let unwanted = || async { panic!("there was an answer") };
        assert_eq!(kind(either(ready(Ok(1)), unwanted()).await), Ok(1));
        let refused = io::ErrorKind::ConnectionRefused;
        assert_eq!(kind(either(ready(failed(refused)), unwanted()).await), Err(refused));
        assert_eq!(kind(either(ready(failed(io::ErrorKind::AddrInUse)), ready(Ok(2))).await), Ok(2));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(kind(either(pending(), after(3, Ok(2))).await), Ok(2));
        assert_eq!(begun.elapsed(), span(PORT_PATIENCE) + Duration::from_secs(3));
        // Whichever comes first, and the other when that fails.
        assert_eq!(kind(either(after(3, Ok(1)), pending()).await), Ok(1));
        assert_eq!(kind(either(after(3, Ok(1)), ready(failed(refused))).await), Ok(1));
        assert_eq!(kind(either(after(3, failed(refused)), after(9, Ok(2))).await), Ok(2));
        assert_eq!(kind(either(after(3, failed(refused)), after(9, failed(refused))).await), Err(refused));
    }

    /// Somebody else listens at the same port of another address of this machine.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_port_that_is_taken_elsewhere_keeps_nobody_from_dialling() {
        let (mut transport, there) = (Ports::default(), TcpListener::bind("127.0.0.1:0").unwrap());
        // A port that is free at both addresses.
        let _elsewhere = loop {
            let elsewhere = TcpListener::bind("127.0.0.2:0").unwrap();
            let own = format!("/ip4/127.0.0.1/tcp/{}", elsewhere.local_addr().unwrap().port());
            if transport.listen_on(ListenerId::next(), own.parse().unwrap()).is_ok() {
                break elsewhere;
            }
        };
        let event = poll_fn(|cx| Pin::new(&mut transport).poll(cx)).await;
        assert!(matches!(event, TransportEvent::NewAddress { .. }));
        let place = format!("/ip4/127.0.0.1/tcp/{}", there.local_addr().unwrap().port()).parse().unwrap();
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        transport.dial(place, opts).unwrap().await.unwrap();
    }
}
