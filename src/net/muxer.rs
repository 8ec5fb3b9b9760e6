//! Yamux with bounds of our own: how many streams are served, and how much a peer can make us hold.
//!
//! `libp2p-yamux` lets one set the number of streams only, and leaves the buffer of a connection
//! at 1 GiB, which a peer who first makes us read fast and then stalls can fill. The crate ends a connection over one stream too
//! many: here fewer are served than it allows, and what is beyond that is reset, or waits. And it tells the streams nothing
//! when the connection is closed from this side: whoever waits for an answer would wait until his own patience ends.

use std::collections::{HashMap, VecDeque};
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use tokio::time::{Sleep, sleep};
use yamux::{Connection, ConnectionError, Mode, Stream};

use super::{lock, span};
use crate::base::limits::{
    CLOSE_TIMEOUT, MAX_STRANGER_STREAMS, MAX_STRANGER_YAMUX_BUFFER, MAX_STRANGER_YAMUX_STREAMS,
    MAX_STREAMS_PER_CONNECTION, MAX_YAMUX_BUFFER, MAX_YAMUX_STREAMS,
};
use crate::envelope::border::Class;

/// The upgrade of a secured connection to yamux.
#[derive(Clone, Debug)]
pub(super) struct Yamux {
    config: yamux::Config,
    served: usize,
}

impl Yamux {
    /// For a connection with a peer of this class.
    pub(super) fn new(class: Class) -> Self {
        let (served, streams, buffer) = match class {
            Class::Contact => (MAX_STREAMS_PER_CONNECTION, MAX_YAMUX_STREAMS, MAX_YAMUX_BUFFER),
            Class::Stranger => (MAX_STRANGER_STREAMS, MAX_STRANGER_YAMUX_STREAMS, MAX_STRANGER_YAMUX_BUFFER),
        };
        let mut config = yamux::Config::default();
        // In this order: the crate asserts at each step that the buffer has room for the streams.
        config.set_max_num_streams(streams);
        config.set_max_connection_receive_window(Some(buffer));
        Self { config, served }
    }

    /// Bound by nothing, as somebody else's may be.
    #[cfg(test)]
    pub(super) fn unbound() -> Self {
        Self { config: yamux::Config::default(), served: usize::MAX }
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
        ready(Ok(Muxer::new(socket, self, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(socket, self, Mode::Client)))
    }
}

/// The streams of a connection that are open, both ways.
#[derive(Debug, Default)]
struct Open {
    /// By the numbers of their places: who waits to read, and who to write.
    streams: HashMap<u64, (Option<Waker>, Option<Waker>)>,
    /// The number of the last.
    last: u64,
    /// Who waits for one of them to end.
    waker: Option<Waker>,
    /// The connection is being closed: nothing comes or goes on them any more.
    closed: bool,
}

/// Nothing comes or goes on these streams any more; tells all who wait.
fn end(open: &Mutex<Open>) {
    let waiting: Vec<_> = {
        let open = &mut *lock(open);
        open.closed = true;
        open.streams.values_mut().flat_map(|(read, write)| [read.take(), write.take()]).flatten().collect()
    };
    waiting.into_iter().for_each(Waker::wake);
}

/// The place of one stream, free again when it is dropped.
#[derive(Debug)]
struct Place {
    open: Arc<Mutex<Open>>,
    number: u64,
}

/// What is waited for on a stream.
#[derive(Clone, Copy, Debug)]
enum Half {
    Read,
    Write,
}

impl Place {
    /// What a stream does that is pending: nothing any more when its connection is closed.
    fn unless_closed<T>(&self, half: Half, done: Poll<io::Result<T>>, cx: &Context<'_>) -> Poll<io::Result<T>> {
        if done.is_pending() {
            let mut open = lock(&self.open);
            if open.closed {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            if let Some(wakers) = open.streams.get_mut(&self.number) {
                let waker = match half {
                    Half::Read => &mut wakers.0,
                    Half::Write => &mut wakers.1,
                };
                match waker {
                    Some(known) => known.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
            }
        }
        done
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.streams.remove(&self.number);
        if let Some(waker) = open.waker.take() {
            waker.wake();
        }
    }
}

/// A stream that is counted.
#[derive(Debug)]
pub(super) struct Served {
    // Before its place: the crate is to hear of the end first.
    stream: Stream,
    place: Place,
}

/// A yamux connection as libp2p wants it driven.
pub(super) struct Muxer<C> {
    inner: Connection<C>,
    served: usize,
    open: Arc<Mutex<Open>>,
    /// Yamux makes progress only by looking for the next inbound stream, even while the swarm is
    /// not taking any: those found meanwhile wait here, as many as are served.
    waiting: VecDeque<Served>,
    waker: Option<Waker>,
    /// Until when the peer has time to hear our goodbye.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(socket: C, Yamux { config, served }: Yamux, mode: Mode) -> Self {
        let inner = Connection::new(socket, config, mode);
        Self { inner, served, open: Arc::default(), waiting: VecDeque::new(), waker: None, closing: None }
    }

    /// A place for one more stream; without one, this task is woken when there may be.
    fn place(&self, cx: &Context<'_>) -> Option<Place> {
        let mut open = lock(&self.open);
        if open.streams.len() >= self.served {
            open.waker = Some(cx.waker().clone());
            return None;
        }
        open.last += 1;
        let number = open.last;
        open.streams.insert(number, (None, None));
        Some(Place { open: Arc::clone(&self.open), number })
    }

    /// The next stream of the peer for which there is a place; one too many is dropped, which resets it (NET-4).
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Served, ConnectionError>> {
        loop {
            let next = std::task::ready!(self.inner.poll_next_inbound(cx));
            let stream = next.unwrap_or(Err(ConnectionError::Closed))?;
            if let Some(place) = self.place(cx) {
                return Poll::Ready(Ok(Served { stream, place }));
            }
        }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Served;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Served, ConnectionError>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.poll_next(cx);
        if next.is_pending() {
            self.waker = Some(cx.waker().clone());
        }
        next
    }

    /// The crate would end the connection over one too many of ours, too.
    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Served, ConnectionError>> {
        let Some(place) = self.place(cx) else { return Poll::Pending };
        self.inner.poll_new_outbound(cx).map_ok(|stream| Served { stream, place })
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let closed = self.inner.poll_close(cx);
        end(&self.open);
        let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(span(CLOSE_TIMEOUT))));
        // Whoever reads nothing would keep it for ever.
        if closed.is_pending() && closing.poll_unpin(cx).is_ready() { Poll::Ready(Ok(())) } else { closed }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        while let Poll::Ready(next) = self.poll_next(cx) {
            match next {
                Ok(stream) => self.waiting.push_back(stream),
                Err(error) => return Poll::Ready(Err(error)),
            }
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        Poll::Pending
    }
}

impl AsyncRead for Served {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.place.unless_closed(Half::Read, read, cx)
    }
}

impl AsyncWrite for Served {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.place.unless_closed(Half::Write, written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.place.unless_closed(Half::Write, flushed, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_close(cx);
        self.place.unless_closed(Half::Write, closed, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::{AsyncReadExt, AsyncWriteExt, poll};
    use tokio::sync::oneshot;
    use tokio::time::{Instant, timeout};
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;
    use crate::base::limits::MAIL_DEADLINE;

    /// NET-90: whoever reads nothing is let go all the same.
    #[tokio::test(start_paused = true)]
    async fn a_goodbye_that_nobody_hears_ends() {
        let (ours, _deaf) = tokio::io::duplex(1);
        let mut muxer = Muxer::new(ours.compat(), Yamux::new(Class::Stranger), Mode::Server);
        let begun = Instant::now();
        poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx)).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), span(CLOSE_TIMEOUT).as_secs());
    }

    /// NET-4: what is beyond the streams that are served is reset; the connection and the others stay, and there is room again
    /// when one ends. Our own wait for it.
    #[tokio::test]
    async fn one_stream_too_many_costs_that_stream() {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let mut muxer = Muxer::new(ours.compat(), Yamux::new(Class::Stranger), Mode::Server);
        let mut far = Muxer::new(theirs.compat(), Yamux::unbound(), Mode::Client);
        let mut all = Vec::new();
        for n in 0..40 {
            let mut stream = poll_fn(|cx| Pin::new(&mut far).poll_outbound(cx)).await.unwrap();
            stream.write_all(&[n]).await.unwrap();
            all.push(stream);
        }
        tokio::spawn(async move { poll_fn(|cx| Pin::new(&mut far).poll(cx)).await });
        let mut served = Vec::new();
        for n in 0..MAX_STRANGER_STREAMS {
            let mut stream = poll_fn(|cx| Pin::new(&mut muxer).poll_inbound(cx)).await.unwrap();
            let mut said = [0];
            stream.read_exact(&mut said).await.unwrap();
            assert_eq!(usize::from(said[0]), n);
            served.push(stream);
        }
        let full = poll_fn(|cx| Poll::Ready(Pin::new(&mut muxer).poll_outbound(cx).is_pending())).await;
        assert!(full, "ours wait");
        let all_reset = async {
            for mut stream in all.drain(MAX_STRANGER_STREAMS..) {
                assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0, "it is not served");
            }
        };
        tokio::select! {
            () = all_reset => {}
            ended = poll_fn(|cx| Pin::new(&mut muxer).poll(cx)) => panic!("{:?}", ended.err()),
        }
        served.pop();
        let ours = poll_fn(|cx| Pin::new(&mut muxer).poll_outbound(cx)).await;
        assert!(ours.is_ok(), "there is room again");
    }

    /// Whoever waits on a stream, to read or to write, is told when its connection is closed, from whichever side, or dropped.
    #[tokio::test]
    async fn a_stream_ends_with_its_connection() {
        for closes in [Some(true), Some(false), None] {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let mut muxer = Muxer::new(ours.compat(), Yamux::new(Class::Stranger), Mode::Client);
            let mut far = Muxer::new(theirs.compat(), Yamux::new(Class::Stranger), Mode::Server);
            let mut reading = poll_fn(|cx| Pin::new(&mut muxer).poll_outbound(cx)).await.unwrap();
            let mut writing = poll_fn(|cx| Pin::new(&mut muxer).poll_outbound(cx)).await.unwrap();
            reading.write_all(b"a question").await.unwrap();
            // Each by itself: whoever is woken for the one would look at the other, too. Both wait before anything is closed.
            let (reader, reads_now) = oneshot::channel();
            let reads = tokio::spawn(async move {
                let mut buffer = [0];
                let mut read = reading.read(&mut buffer);
                assert!(poll!(&mut read).is_pending());
                reader.send(()).unwrap();
                read.await.unwrap_or_default()
            });
            let (writer, writes_now) = oneshot::channel();
            let writes = tokio::spawn(async move {
                let mut write = writing.write_all(&[0; 1 << 20]);
                assert!(poll!(&mut write).is_pending());
                writer.send(()).unwrap();
                write.await.is_err()
            });
            reads_now.await.unwrap();
            writes_now.await.unwrap();
            let heard = tokio::select! {
                heard = poll_fn(|cx| Pin::new(&mut far).poll_inbound(cx)) => heard.unwrap(),
                ended = poll_fn(|cx| Pin::new(&mut muxer).poll(cx)) => panic!("{:?}", ended.err()),
            };
            match closes {
                Some(true) => poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx)).await.unwrap(),
                Some(false) => {
                    poll_fn(|cx| Pin::new(&mut far).poll_close(cx)).await.unwrap();
                    assert!(poll_fn(|cx| Pin::new(&mut muxer).poll(cx)).await.is_err());
                }
                None => drop(muxer),
            }
            let ended = timeout(span(MAIL_DEADLINE), async { (reads.await.unwrap(), writes.await.unwrap()) }).await;
            assert_eq!(ended.expect("it still waits"), (0, true), "{closes:?}");
            drop(heard);
        }
    }
}
