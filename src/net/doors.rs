//! A transport whose inbound connections have places while they are being set up (NET-91), and sockets that tell when the other
//! side begins to speak.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::tcp::tokio::TcpStream;
use libp2p::{Multiaddr, Transport};

use super::handshakes::{Handshake, Handshakes};

/// A transport that makes whole connections.
pub(super) struct Doors<T> {
    inner: T,
    places: Handshakes,
}

impl<T> Doors<T> {
    pub(super) const fn new(inner: T, places: Handshakes) -> Self {
        Self { inner, places }
    }
}

impl<T> Transport for Doors<T>
where
    T: Transport<Error = io::Error> + Unpin,
    T::ListenerUpgrade: Send + 'static,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = Handshake<T::Output>;
    type Dial = T::Dial;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<T::Dial, TransportError<io::Error>> {
        self.inner.dial(addr, opts)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        loop {
            let event = ready!(Pin::new(&mut self.inner).poll(cx));
            let place = match &event {
                TransportEvent::Incoming { local_addr, send_back_addr, .. } => {
                    let place = self.places.claim(local_addr, send_back_addr);
                    if place.is_none() {
                        continue;
                    }
                    place
                }
                _ => None,
            };
            return Poll::Ready(event.map_upgrade(|upgrade| Handshake::new(place, upgrade)));
        }
    }
}

/// A TCP socket. Of an inbound one it is told when the first byte comes.
pub(super) struct Ear {
    socket: TcpStream,
    mute: Option<(Handshakes, ConnectedPoint)>,
}

impl Ear {
    pub(super) fn new(socket: TcpStream, point: ConnectedPoint, places: Handshakes) -> Self {
        Self { socket, mute: point.is_listener().then_some((places, point)) }
    }
}

impl AsyncRead for Ear {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if read > 0
            && let Some((places, point)) = self.mute.take()
        {
            places.heard(&point);
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Ear {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}
