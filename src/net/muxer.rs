//! Yamux with both of its bounds set, streams and receive buffer of a connection: lower ones for strangers.
//!
//! `libp2p-yamux` lets one set the number of streams only, and leaves the buffer of a connection
//! at 1 GiB, which a peer who first makes us read fast and then stalls can fill.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use tokio::time::{Sleep, sleep};
use yamux::{Connection, ConnectionError, Mode, Stream};

use super::span;
use crate::base::limits::{
    CLOSE_TIMEOUT, MAX_STRANGER_STREAMS, MAX_STRANGER_YAMUX_BUFFER, MAX_STREAMS_PER_CONNECTION, MAX_YAMUX_BUFFER,
};
use crate::envelope::border::Class;

/// The upgrade of a secured connection to yamux.
#[derive(Clone, Debug)]
pub(super) struct Yamux(yamux::Config);

impl Yamux {
    /// For a connection with a contact, or with a stranger, who can make us hold less.
    pub(super) fn new(class: Class) -> Self {
        let (streams, buffer) = match class {
            Class::Contact => (MAX_STREAMS_PER_CONNECTION, MAX_YAMUX_BUFFER),
            Class::Stranger => (MAX_STRANGER_STREAMS, MAX_STRANGER_YAMUX_BUFFER),
        };
        let mut config = yamux::Config::default();
        // In this order: the crate asserts at each step that the buffer has room for the streams.
        config.set_max_num_streams(streams);
        config.set_max_connection_receive_window(Some(buffer));
        Self(config)
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = std::iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(Connection::new(socket, self.0, Mode::Server))))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(Connection::new(socket, self.0, Mode::Client))))
    }
}

/// A yamux connection as libp2p wants it driven.
pub(super) struct Muxer<C> {
    inner: Connection<C>,
    /// Yamux makes progress only by looking for the next inbound stream, even while the swarm is
    /// not taking any: those found meanwhile wait here, at most `MAX_STREAMS_PER_CONNECTION`.
    waiting: VecDeque<Stream>,
    waker: Option<Waker>,
    /// Until when the peer has time to hear our goodbye.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(inner: Connection<C>) -> Self {
        Self { inner, waiting: VecDeque::new(), waker: None, closing: None }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.inner.poll_next_inbound(cx).map(|next| next.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.poll_next(cx);
        if next.is_pending() {
            self.waker = Some(cx.waker().clone());
        }
        next
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.inner.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let closed = self.inner.poll_close(cx);
        let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(span(CLOSE_TIMEOUT))));
        // Whoever reads nothing would keep it for ever.
        if closed.is_pending() && closing.poll_unpin(cx).is_ready() { Poll::Ready(Ok(())) } else { closed }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        while let Poll::Ready(next) = self.poll_next(cx) {
            let stream = match next {
                Ok(stream) => stream,
                Err(error) => return Poll::Ready(Err(error)),
            };
            if self.waiting.len() < MAX_STREAMS_PER_CONNECTION {
                self.waiting.push_back(stream);
                if let Some(waker) = self.waker.take() {
                    waker.wake();
                }
            } // else dropped, which resets it
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    /// NET-90: whoever reads nothing is let go all the same.
    #[tokio::test(start_paused = true)]
    async fn a_goodbye_that_nobody_hears_ends() {
        let (ours, _deaf) = tokio::io::duplex(1);
        let Yamux(config) = Yamux::new(Class::Stranger);
        let mut muxer = Muxer::new(Connection::new(ours.compat(), config, Mode::Server));
        let begun = Instant::now();
        poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx)).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), span(CLOSE_TIMEOUT).as_secs());
    }
}
