//! Frames on a stream, with deadlines (NET-21): who begins a frame must end it, and who is written to must
//! read.

use std::io;
use std::time::Duration;

use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use futures::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::base::limits::{FRAME_TIMEOUT, STALL_TIMEOUT};
use crate::envelope::frame::{Frame, FrameError, HEAD_LEN, Head};
use crate::net::span;

/// Bytes read at a time: small frames share a read, large bodies pass by.
const READ_BUFFER: usize = 16 * 1024;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamEnd {
    /// The stream or its connection broke.
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    /// Bytes that are no frame.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// A frame that may not come here.
    #[error("{0}")]
    Violation(&'static str),
    /// Nothing moved though something should.
    #[error("nothing moved for too long")]
    Stalled,
    /// The peer has closed his side though answers are due.
    #[error("closed by the peer")]
    Closed,
    /// The node no longer listens.
    #[error("the node has stopped")]
    Stopped,
}

/// What waiting for a frame gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// A frame begins.
    Frame,
    /// The peer has closed his side, between frames.
    End,
    /// Nothing, for the time given.
    Idle,
}

/// Reads frames.
pub(super) struct FrameReader<R> {
    inner: BufReader<R>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner: BufReader::with_capacity(READ_BUFFER, inner) }
    }

    /// Waits until a frame begins. Nothing is taken from the stream, so the future may be dropped.
    pub(super) async fn ready(&mut self, idle: Duration) -> Result<Ready, StreamEnd> {
        match timeout(idle, self.inner.fill_buf()).await {
            Err(_) => Ok(Ready::Idle),
            Ok(Ok([])) => Ok(Ready::End),
            Ok(Ok(_)) => Ok(Ready::Frame),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// Reads the frame that begins here, within `FRAME_TIMEOUT`.
    pub(super) async fn frame(&mut self) -> Result<Frame, StreamEnd> {
        timeout(span(FRAME_TIMEOUT), self.read()).await.map_err(|_| StreamEnd::Stalled)?
    }

    async fn read(&mut self) -> Result<Frame, StreamEnd> {
        let mut head = [0; HEAD_LEN];
        self.inner.read_exact(&mut head).await?;
        // NET-8: the size is checked here, before the body has a place.
        let head = Head::decode(&head)?;
        let mut body = vec![0; head.body_len()];
        self.inner.read_exact(&mut body).await?;
        Ok(head.with_body(body)?)
    }

    /// Reads the hello that must come first (NET-6).
    pub(super) async fn hello(&mut self) -> Result<(), StreamEnd> {
        match self.frame().await? {
            // Version 1 is the only one there is: the lower of both sides' is always ours (NET-7).
            Frame::Hello { .. } => Ok(()),
            _ => Err(StreamEnd::Violation("the first frame is not a hello")),
        }
    }
}

/// Writes the bytes and flushes; gives up when the peer takes none for `STALL_TIMEOUT`.
pub(super) async fn write<W: AsyncWrite + Unpin>(writer: &mut W, mut bytes: &[u8]) -> Result<(), StreamEnd> {
    while !bytes.is_empty() {
        let written = stalls(writer.write(bytes)).await?;
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    stalls(writer.flush()).await
}

/// Closes our side.
pub(super) async fn close<W: AsyncWrite + Unpin>(writer: &mut W) -> Result<(), StreamEnd> {
    stalls(writer.close()).await
}

async fn stalls<T>(step: impl Future<Output = io::Result<T>>) -> Result<T, StreamEnd> {
    Ok(timeout(span(STALL_TIMEOUT), step).await.map_err(|_| StreamEnd::Stalled)??)
}

#[cfg(test)]
mod tests;
