//! Asks one connection for a sign of life, now: on a stream of libp2p's ping protocol there.
//!
//! `libp2p-ping` asks at its own times. A connection over QUIC whose other end was killed says nothing for
//! `QUIC_IDLE`, and holds up whatever is sent on it.

use std::collections::HashSet;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use libp2p::swarm::ConnectionId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::base::PeerId;
use crate::base::limits::CHECK_TIMEOUT;
use crate::net::span;
use crate::net::streams::Reply;
use crate::net::tasks::Tasks;

/// What is said, and comes back: the protocol wants 32 bytes.
const CALL: [u8; 32] = *b"rohrpost: are you still there?..";

/// A connection that was asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Checked {
    pub(in crate::net) peer: PeerId,
    pub(in crate::net) connection: ConnectionId,
    /// Whether it has answered in time.
    pub(in crate::net) alive: bool,
}

/// The connections that are asked, each once at a time.
#[derive(Debug, Default)]
pub(in crate::net) struct Checks {
    asked: HashSet<ConnectionId>,
    /// Each with the connection that it asks; whether that is alive.
    tasks: Tasks<(PeerId, ConnectionId), bool>,
}

impl Checks {
    /// Asks this connection by the stream that comes here; `None`: it is asked already.
    pub(super) fn ask(&mut self, peer: PeerId, connection: ConnectionId) -> Option<Reply> {
        if !self.asked.insert(connection) {
            return None;
        }
        let (reply, stream) = oneshot::channel();
        let call = async { timeout(span(CHECK_TIMEOUT), call(stream)).await.is_ok() };
        self.tasks.spawn((peer, connection), call);
        Some(reply)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.asked.len() + self.tasks.count()
    }

    /// The next connection that has answered, or had its time to.
    pub(in crate::net) async fn next(&mut self) -> Option<Checked> {
        let ((peer, connection), alive) = self.tasks.next().await?;
        self.asked.remove(&connection);
        Some(Checked { peer, connection, alive: alive.unwrap_or(false) })
    }
}

/// Ends when an answer has come; never when there is no stream or it breaks, which is no sign of life.
async fn call(stream: oneshot::Receiver<Stream>) {
    let answered = async {
        let mut stream = stream.await.ok()?;
        let mut answer = CALL;
        stream.write_all(&CALL).await.ok()?;
        stream.flush().await.ok()?;
        stream.read_exact(&mut answer).await.ok()?;
        // An error says that the other side has closed it before.
        let _ = stream.close().await;
        Some(())
    };
    if answered.await.is_none() {
        std::future::pending::<()>().await;
    }
}
