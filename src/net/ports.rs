//! TCP dialled from the listening port, and from another one where that cannot be.
//!
//! A hole is punched from the port that others see, so that is where dials go out from (trap 4): at whatever address of this machine,
//! though it may be listened to at one only, and somebody else have it at another.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use libp2p::{Multiaddr, Transport, tcp};

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
        if opts.role == Endpoint::Listener {
            return Ok(first);
        }
        Ok(Box::pin(async move {
            match first.await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    tracing::debug!(%error, "not from the listening port, but from another");
                    let opts = DialOpts { port_use: PortUse::New, ..opts };
                    // Of one that listens nowhere.
                    Inner::default().dial(addr, opts).map_err(|_| error)?.await
                }
                done => done,
            }
        }))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::poll_fn;
    use std::net::TcpListener;

    use super::*;

    /// NET-67: somebody else listens at the same port of another address of this machine.
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
