//! When the other end of a connection is closed. Reading does not tell: it ends the same way when only no more is said, and
//! lines that cannot be taken yet are not read.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net;

use tokio::io::Interest;
use tokio::net::UnixStream;

/// Watches a connection, by a descriptor of its own: what it learns takes nothing from who reads and writes.
pub(super) struct Hangup(UnixStream);

impl Hangup {
    pub(super) fn of(stream: &UnixStream) -> io::Result<Self> {
        let descriptor = stream.as_fd().try_clone_to_owned()?;
        UnixStream::from_std(net::UnixStream::from(descriptor)).map(Self)
    }

    /// Waits until nobody reads there any more: only the end of both directions closes the one in which we write.
    pub(super) async fn wait(&self) {
        while let Ok(ready) = self.0.ready(Interest::WRITABLE).await {
            if ready.is_write_closed() {
                return;
            }
            // That there is room is of no interest, and would be told for ever.
            let _ = self.0.try_io(Interest::WRITABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        }
    }
}
