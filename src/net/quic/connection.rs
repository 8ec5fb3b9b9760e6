//! A connection and its streams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::{BoxStream, StreamExt, unfold};
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::{PeerId, tls};
use quinn::rustls::pki_types::CertificateDer;
use quinn::{Connecting, ConnectionError, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use super::super::span;
use crate::base::limits::DIAL_TIMEOUT;

/// Sets up a connection, and finds out with whom.
///
/// # Errors
/// It does not come about in time (`DIAL_TIMEOUT`), or the other side does not prove who it is.
pub(super) async fn establish(connecting: Connecting) -> io::Result<(PeerId, Connection)> {
    let connection = timeout(span(DIAL_TIMEOUT), connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let peer = peer(&connection)?;
    Ok((peer, Connection::new(connection)))
}

/// Who has signed the certificate. TLS has looked that it is his who is there.
fn peer(connection: &quinn::Connection) -> io::Result<PeerId> {
    let shown = connection.peer_identity().and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
    let certificate = shown.as_deref().and_then(|chain| chain.first()).ok_or(io::ErrorKind::InvalidData)?;
    tls::certificate::parse(certificate).map(|certificate| certificate.peer_id()).map_err(io::Error::other)
}

type Pairs = BoxStream<'static, Result<Stream, ConnectionError>>;

/// A connection that stands.
pub(in crate::net) struct Connection {
    inner: quinn::Connection,
    inbound: Pairs,
    outbound: Pairs,
}

impl Connection {
    fn new(inner: quinn::Connection) -> Self {
        let inbound = unfold(inner.clone(), |inner| async { Some((inner.accept_bi().await.map(Stream::new), inner)) });
        let outbound = unfold(inner.clone(), |inner| async { Some((inner.open_bi().await.map(Stream::new), inner)) });
        Self { inner, inbound: inbound.boxed(), outbound: outbound.boxed() }
    }
}

/// Whoever holds a stream holds the connection, for quinn. Here it ends with its owner, whatever ended him: what is read from it, and
/// the other side, are told.
impl Drop for Connection {
    fn drop(&mut self) {
        self.inner.close(VarInt::from_u32(0), &[]);
    }
}

/// The next of streams that never end.
fn next(streams: &mut Pairs, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
    streams.poll_next_unpin(cx).map(|next| next.unwrap_or(Err(ConnectionError::LocallyClosed)))
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        next(&mut self.inbound, cx)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        next(&mut self.outbound, cx)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.inner.close(VarInt::from_u32(0), &[]);
        Poll::Ready(Ok(()))
    }

    /// Quinn drives it.
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        Poll::Pending
    }
}

/// A stream.
pub(in crate::net) struct Stream {
    send: SendStream,
    recv: RecvStream,
    /// Our half is.
    closed: bool,
}

impl Stream {
    fn new((send, recv): (SendStream, RecvStream)) -> Self {
        Self { send, recv, closed: false }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(&mut self.recv), cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    /// It may be closed again, which quinn does not like.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            ready!(AsyncWrite::poll_close(Pin::new(&mut self.send), cx))?;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}
