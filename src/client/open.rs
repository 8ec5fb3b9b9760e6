//! Reaching a profile: its node, or its lock.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::api::{ApiError, Call, Code};
use crate::node::{self, Ask, Dispatcher, Local, Place, Profile};

/// Tries to reach a profile that another process has.
const TRIES: u32 = 100;
/// The pause between two of them: neither a lock nor a socket tells when it becomes free or appears.
const PAUSE: Duration = Duration::from_millis(50);

/// How a profile was reached.
pub(super) enum Reached {
    Node(UnixStream),
    Lock(node::Lock),
}

/// The node's socket, or else the profile's lock, or at once the error that keeps it.
pub(super) fn reach_now(place: &Place) -> Result<Reached, ApiError> {
    match node::connect(place)? {
        Some(stream) => Ok(Reached::Node(stream)),
        None => node::lock(place).map(Reached::Lock),
    }
}

/// The node's socket, or else the profile's lock. When neither can be had, somebody else has the profile for a moment:
/// waits up to 5 seconds for him to go, or to open his socket.
pub(super) fn reach(place: &Place) -> Result<Reached, ApiError> {
    let mut tries = 1;
    loop {
        match reach_now(place) {
            Err(error) if error.is(Code::Busy) && tries < TRIES => {}
            reached => return reached,
        }
        tries += 1;
        // No event to wait for: see there.
        thread::sleep(PAUSE);
    }
}

/// A runtime for what happens in this process.
pub(super) fn runtime() -> Result<Runtime, ApiError> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| ApiError::new(Code::Internal, format!("no runtime: {e}")))
}

/// The dispatcher in this process, over a profile without a node.
pub(super) struct InProcess(Arc<Running>);

/// Shared with the events that are read from it.
pub(super) struct Running {
    runtime: Runtime,
    /// Taken out by `drop` only.
    local: Option<Local>,
}

impl InProcess {
    pub(super) fn start(place: &Place, lock: node::Lock, ask: Ask<'_>) -> Result<Self, ApiError> {
        let profile = Profile::unlock(place, ask)?;
        let runtime = runtime()?;
        let local = Local::start(place, lock, profile)?;
        Ok(Self(Arc::new(Running { runtime, local: Some(local) })))
    }

    pub(super) fn call(&self, call: Call) -> Result<Value, ApiError> {
        self.0.answer(call)
    }

    pub(super) fn share(&self) -> Arc<Running> {
        self.0.clone()
    }
}

impl Running {
    pub(super) fn answer(&self, call: Call) -> Result<Value, ApiError> {
        let dispatcher: &Dispatcher = match &self.local {
            Some(local) => local.dispatcher(),
            None => return Err(ApiError::new(Code::Stopping, "the profile is closed")),
        };
        self.runtime.block_on(dispatcher.answer(call))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(local) = self.local.take()
            && let Err(error) = self.runtime.block_on(local.shutdown())
        {
            tracing::error!(%error, "the profile was not closed well");
        }
    }
}
