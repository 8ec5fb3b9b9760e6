//! Ctrl-C, and what else asks the process to end, while something is waited for: the wait ends, what was done is told, and then the
//! process ends as the signal would have ended it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use signal_hook::{SigId, flag, low_level};

use crate::client::{defaults, is_ignored};

use super::terminal::Held;

/// As long as this lives, the first such signal is noticed, and the second ends the process. One that is ignored stays ignored.
pub(crate) struct Interrupt {
    came: Arc<AtomicUsize>,
    stream: UnixStream,
    actions: Vec<SigId>,
    _held: Held,
}

impl Interrupt {
    pub(crate) fn begin() -> io::Result<Self> {
        let held = Held::begin(&[&defaults().ends])?;
        let (stream, written) = UnixStream::pair()?;
        let (came, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut interrupt = Self { came, stream, actions: Vec::new(), _held: held };
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)) {
            let number = usize::try_from(signal).unwrap_or_default();
            // They act in this order: before the second the flag is set.
            interrupt.actions.push(flag::register_conditional_default(signal, Arc::clone(&again))?);
            interrupt.actions.push(flag::register(signal, Arc::clone(&again))?);
            interrupt.actions.push(flag::register_usize(signal, Arc::clone(&interrupt.came), number)?);
            interrupt.actions.push(pipe::register(signal, written.try_clone()?)?);
        }
        Ok(interrupt)
    }

    /// The signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        i32::try_from(self.came.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }
}

impl AsFd for Interrupt {
    /// Can be read from when a signal came.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for action in self.actions.drain(..) {
            low_level::unregister(action);
        }
    }
}
