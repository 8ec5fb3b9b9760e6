//! Reaching a profile: its node, or its lock.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::remote::Remote;
use crate::api::{ApiError, Call, Code, Rpc};
use crate::node::{self, Ask, Local, Place, Profile};

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

/// A connection to a node, or its dispatcher in this process.
pub struct Client {
    pub(super) place: Place,
    pub(super) inner: Inner,
}

pub(super) enum Inner {
    Remote(Remote),
    InProcess(Arc<Running>),
}

impl Client {
    /// Over the socket when a node runs, otherwise in this process, without a network. When another process has the
    /// profile, waits up to 5 seconds for it.
    ///
    /// # Errors
    /// `no_profile`, `busy`, the passphrase's errors, and those of the store.
    pub fn open(place: &Place, ask: Ask<'_>) -> Result<Self, ApiError> {
        Self::over(place, reach(place)?, ask)
    }

    pub(super) fn over(place: &Place, reached: Reached, ask: Ask<'_>) -> Result<Self, ApiError> {
        let inner = match reached {
            Reached::Node(stream) => Inner::Remote(Remote::new(stream)),
            Reached::Lock(lock) => Inner::InProcess(Arc::new(Running::start(place, lock, ask)?)),
        };
        Ok(Self { place: place.clone(), inner })
    }

    /// Over the socket only; `None` when no node runs.
    ///
    /// # Errors
    /// `io` when the socket is there but cannot be used.
    pub fn connect(place: &Place) -> Result<Option<Self>, ApiError> {
        Ok(node::connect(place)?.map(|stream| Self::at(place, stream)))
    }

    pub(super) fn at(place: &Place, stream: UnixStream) -> Self {
        Self { place: place.clone(), inner: Inner::Remote(Remote::new(stream)) }
    }

    /// Whether there is a node at the other end.
    pub const fn is_remote(&self) -> bool {
        matches!(self.inner, Inner::Remote(_))
    }

    /// Calls any method, with parameters as JSON.
    ///
    /// # Errors
    /// What the method says; `io` when the node is gone.
    pub fn call(&mut self, method: &str, params: Option<Value>) -> Result<Value, ApiError> {
        match &mut self.inner {
            Inner::Remote(remote) => remote.call(method, params),
            Inner::InProcess(own) => {
                let call = Call::parse(method, params)?;
                own.runtime.block_on(own.local.dispatcher.answer(call))
            }
        }
    }

    /// Calls a method with its types: `client.ask::<method::Inbox>(&InboxParams::default())`.
    ///
    /// # Errors
    /// What the method says; `io` when the node is gone; `internal` when its answer is not understood.
    pub fn ask<M: Rpc>(&mut self, params: &M::Params) -> Result<M::Result, ApiError> {
        let fault = |e: serde_json::Error| ApiError::new(Code::Internal, format!("{}: {e}", M::NAME));
        let params = serde_json::to_value(params).map_err(fault)?;
        serde_json::from_value(self.call(M::NAME, Some(params))?).map_err(fault)
    }
}

/// The dispatcher in this process, over a profile without a node; shared with the events that are read from it.
pub(super) struct Running {
    pub(super) runtime: Runtime,
    pub(super) local: Local,
}

impl Running {
    fn start(place: &Place, lock: node::Lock, ask: Ask<'_>) -> Result<Self, ApiError> {
        let profile = Profile::unlock(place, ask)?;
        let runtime = runtime()?;
        Ok(Self { runtime, local: Local::start(place, lock, profile)? })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.runtime.block_on(self.local.shutdown()) {
            tracing::error!(%error, "the profile was not closed well");
        }
    }
}
