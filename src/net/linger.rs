//! Streams that hear their answer out.
//!
//! Who has nothing to hear (identify pushes, Kademlia's provider records) writes, closes and drops a stream at once. QUIC
//! then tells the peer to stop sending, and with `V1Lazy` that meets his answer to the proposal of the protocol: his
//! negotiation fails, and what was written is never read. So such a stream is read to its end after it was dropped. (Yamux
//! ignores what comes on one that was.)

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::span;
use crate::base::limits::{LINGER_BYTES, LINGER_TIMEOUT};

/// A muxer whose streams linger.
pub(super) struct Lingering<M>(pub(super) M);

/// A stream.
pub(super) struct Stream<S: AsyncRead + Unpin + Send + 'static> {
    /// `None` only while it is dropped.
    inner: Option<S>,
    /// We have closed our half, and not seen the end of the other.
    unheard: bool,
}

impl<S: AsyncRead + Unpin + Send + 'static> Stream<S> {
    const fn new(inner: S) -> Self {
        Self { inner: Some(inner), unheard: false }
    }

    fn inner(&mut self) -> io::Result<Pin<&mut S>> {
        self.inner.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<M> StreamMuxer for Lingering<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin + Send + 'static,
{
    type Substream = Stream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, M::Error>> {
        Pin::new(&mut self.0).poll_inbound(cx).map_ok(Stream::new)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, M::Error>> {
        Pin::new(&mut self.0).poll_outbound(cx).map_ok(Stream::new)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.0).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<S: AsyncRead + Unpin + Send + 'static> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.inner()?.poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(0) | Err(_))) {
            self.unheard = false;
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.inner()?.poll_close(cx);
        if matches!(closed, Poll::Ready(Ok(()))) {
            self.unheard = true;
        }
        closed
    }
}

impl<S: AsyncRead + Unpin + Send + 'static> Drop for Stream<S> {
    fn drop(&mut self) {
        // Outside of the runtime nobody is left to hear.
        if let (true, Some(inner), Ok(runtime)) = (self.unheard, self.inner.take(), Handle::try_current()) {
            runtime.spawn(timeout(span(LINGER_TIMEOUT), hear_out(inner)));
        }
    }
}

/// Reads to the end, or as much as an answer to a proposal can be.
async fn hear_out(mut stream: impl AsyncRead + Unpin) {
    let mut buffer = [0; LINGER_BYTES];
    let mut heard = 0;
    while heard < LINGER_BYTES {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => heard += n,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::{AsyncWriteExt, StreamExt};
    use libp2p::core::Endpoint;
    use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
    use libp2p::core::transport::{DialOpts, ListenerId, PortUse, Transport, TransportEvent};
    use libp2p::identity::Keypair;
    use tokio::sync::mpsc;

    use super::super::transport;
    use super::*;

    /// A stream of one end of a connection, and those that the other end opens.
    type End = (SubstreamBox, mpsc::Receiver<SubstreamBox>);

    /// Both ends, driven.
    async fn connection(listen: &str) -> (End, End) {
        let make = || {
            let (classes, entrances) =
                (super::super::Classes::default(), super::super::handshakes::Entrances::default());
            transport::build(&Keypair::generate_ed25519(), &classes, None, &entrances).unwrap()
        };
        let (mut ours, mut theirs) = (make(), make());
        theirs.listen_on(ListenerId::next(), listen.parse().unwrap()).unwrap();
        let Some(TransportEvent::NewAddress { listen_addr, .. }) = theirs.next().await else { panic!() };
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dial = ours.dial(listen_addr, opts).unwrap();
        let accept = async {
            loop {
                if let Some(TransportEvent::Incoming { upgrade, .. }) = theirs.next().await {
                    return drive(upgrade.await.unwrap().1).await;
                }
            }
        };
        tokio::join!(async { drive(dial.await.unwrap().1).await }, accept)
    }

    async fn drive(mut muxer: StreamMuxerBox) -> End {
        let stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap();
        let (found, streams) = mpsc::channel(8);
        tokio::spawn(poll_fn(move |cx| {
            while let Poll::Ready(Ok(stream)) = muxer.poll_inbound_unpin(cx) {
                found.try_send(stream).unwrap();
            }
            muxer.poll_unpin(cx).map(drop)
        }));
        (stream, streams)
    }

    /// NET-3: without it the peer cannot answer the proposal, and what was written is lost.
    #[tokio::test]
    async fn who_drops_a_stream_hears_the_answer_all_the_same() {
        for listen in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"] {
            let ((mut stream, mut ours), (mut echo, mut theirs)) = connection(listen).await;
            stream.write_all(b"proposal and all the rest").await.unwrap();
            stream.close().await.unwrap();
            drop(stream);
            let mut heard = theirs.recv().await.unwrap();
            let mut said = Vec::new();
            heard.read_to_end(&mut said).await.unwrap();
            assert_eq!(said, b"proposal and all the rest");
            heard.write_all(b"answer").await.unwrap();
            heard.flush().await.unwrap();
            // What it caused has come back when this has.
            echo.write_all(b"?").await.unwrap();
            echo.flush().await.unwrap();
            let mut back = ours.recv().await.unwrap();
            back.read_exact(&mut [0]).await.unwrap();
            back.write_all(b"!").await.unwrap();
            back.flush().await.unwrap();
            echo.read_exact(&mut [0]).await.unwrap();
            heard.write_all(b" to it").await.unwrap();
            heard.close().await.unwrap();
        }
    }
}
