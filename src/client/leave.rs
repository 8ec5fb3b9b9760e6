//! Waits that end before their time: somebody wants the process to end, or nobody reads any more of what is awaited.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::sync::Notify;

/// What ends a wait. Each is a stream that is looked at, and not read from.
#[derive(Clone, Copy, Default)]
pub struct Leave<'a> {
    /// As soon as there is something to read in it.
    pub signal: Option<BorrowedFd<'a>>,
    /// As soon as there is nobody at its other end.
    pub reader: Option<BorrowedFd<'a>>,
}

/// What ended a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Nobody waits any more.
    Left,
    /// There is something in the other stream, or it is closed.
    Other,
    /// The time is over, or a signal came that is none of ours.
    Nothing,
}

impl Leave<'_> {
    /// Whether nobody waits any more.
    ///
    /// # Errors
    /// Those of the system.
    pub fn is_over(&self) -> io::Result<bool> {
        Ok(self.look(None, Some(Duration::ZERO))? == Woken::Left)
    }

    /// Looks for as long as this (`None`: without end) whether nobody waits any more, or something is in this stream.
    pub(super) fn look(&self, other: Option<BorrowedFd<'_>>, timeout: Option<Duration>) -> io::Result<Woken> {
        let mut ends: Vec<PollFd<'_>> = Vec::with_capacity(3);
        ends.extend(other.iter().map(|stream| PollFd::from_borrowed_fd(*stream, PollFlags::IN)));
        let own = ends.len();
        ends.extend(self.signal.iter().map(|stream| PollFd::from_borrowed_fd(*stream, PollFlags::IN)));
        // A stream into which nothing can be written any more says so without being asked.
        ends.extend(self.reader.iter().map(|stream| PollFd::from_borrowed_fd(*stream, PollFlags::empty())));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut ends, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Woken::Nothing),
            Err(error) => return Err(error.into()),
        }
        let is_woken = |end: &PollFd<'_>| !end.revents().is_empty();
        let (other, own) = ends.split_at(own);
        Ok(match (own.iter().any(is_woken), other.iter().any(is_woken)) {
            (true, _) => Woken::Left,
            (false, true) => Woken::Other,
            (false, false) => Woken::Nothing,
        })
    }

    /// Gives what comes of `wait`, a call that blocks on a future, unless nobody waits for it any more: that is told to the future.
    pub(super) fn during<T>(&self, wait: impl FnOnce(&Notify) -> T) -> io::Result<T> {
        let (done, other) = UnixStream::pair()?;
        let left = Notify::new();
        Ok(thread::scope(|scope| {
            scope.spawn(|| {
                // What cannot be looked at ends no wait.
                while let Ok(woken) = self.look(Some(other.as_fd()), None) {
                    match woken {
                        Woken::Left => return left.notify_one(),
                        Woken::Other => return,
                        Woken::Nothing => {}
                    }
                }
            });
            let outcome = wait(&left);
            drop(done);
            outcome
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_wait_is_over_when_a_signal_came_or_the_reader_has_gone() {
        let (signal, mut raised) = UnixStream::pair().unwrap();
        let (read, written) = io::pipe().unwrap();
        let leave = Leave { signal: Some(signal.as_fd()), reader: Some(written.as_fd()) };
        assert!(!leave.is_over().unwrap() && !Leave::default().is_over().unwrap());
        raised.write_all(b"x").unwrap();
        assert!(leave.is_over().unwrap());
        let reader = Leave { signal: None, ..leave };
        assert!(!reader.is_over().unwrap());
        drop(read);
        assert!(reader.is_over().unwrap());
    }

    #[test]
    fn what_blocks_is_told_and_what_is_done_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (signal, mut raised) = UnixStream::pair().unwrap();
        let leave = Leave { signal: Some(signal.as_fd()), reader: None };
        assert_eq!(leave.during(|_| 7).unwrap(), 7);
        raised.write_all(b"x").unwrap();
        leave.during(|left| runtime.block_on(left.notified())).unwrap();
    }
}
