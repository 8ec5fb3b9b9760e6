//! Reaching a profile: its node, or its lock.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use super::leave::Leave;
use super::remote::{Remote, unwaited};
use crate::api::{ApiError, Call, Code, Cursor, EventPage, EventsParams, Rpc};
use crate::node::{self, Ask, Dispatcher, Found, Local, Place, Profile, Work};

/// How long a profile is waited for that another process has.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long a person is told what is waited for.
const MOMENT: Duration = Duration::from_millis(300);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// How a profile was reached.
pub(super) enum Reached<T> {
    Node(UnixStream),
    /// Nobody has it.
    Free(T),
}

/// The node, or else the profile's lock. When neither can be had, somebody else has the profile for a moment: waits up to
/// 5 seconds for him to go, or to open his socket, and says so.
///
/// # Errors
/// `busy` when he keeps it, `not_answering` when it is a node that says nothing; both say which process it is, and what helps.
pub(super) fn reach(place: &Place, ask: Ask<'_>) -> Result<Reached<node::Lock>, ApiError> {
    patiently(place, ask, || node::lock(place))
}

/// As [`reach`], and nothing is written.
pub(super) fn look(place: &Place, ask: Ask<'_>) -> Result<Reached<()>, ApiError> {
    patiently(place, ask, || Ok(()))
}

fn patiently<T>(place: &Place, ask: Ask<'_>, free: impl Fn() -> Result<T, ApiError>) -> Result<Reached<T>, ApiError> {
    let mut is_told = false;
    let reached = wait_for(
        place,
        &mut |why| {
            is_told = true;
            ask.waits(why);
        },
        free,
    );
    if is_told {
        ask.rests();
    }
    reached
}

fn wait_for<T>(
    place: &Place,
    told: &mut dyn FnMut(&str),
    free: impl Fn() -> Result<T, ApiError>,
) -> Result<Reached<T>, ApiError> {
    let wait = Wait::begin();
    let mut is_told = false;
    loop {
        let held = match node::find(place)? {
            Found::Node(stream) => return Ok(Reached::Node(stream)),
            Found::Silent(error) => return Err(error),
            Found::Held(error) => error,
            Found::Nobody => match free() {
                Err(error) if error.is(Code::Busy) => error,
                free => return free.map(Reached::Free),
            },
        };
        if wait.is_longer_than(PATIENCE) {
            return Err(held);
        }
        if !is_told && wait.is_longer_than(MOMENT) {
            told(&format!("{}: waiting up to {} seconds", held.message, PATIENCE.as_secs()));
            is_told = true;
        }
        // Neither a lock nor a socket tells when it becomes free or appears.
        thread::sleep(PAUSE);
    }
}

/// How long somebody has waited.
struct Wait(Instant);

#[expect(clippy::disallowed_methods, reason = "how long a person waits is measured where they wait")]
impl Wait {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn is_longer_than(&self, span: Duration) -> bool {
        self.0.elapsed() > span
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
    Inside(Inside),
}

/// A dispatcher in this process, shared with the events that are read from it.
#[derive(Clone)]
pub(super) struct Inside {
    runtime: Handle,
    dispatcher: Dispatcher,
    /// A profile that has no node, and is closed with the last who reads it; `None`: a node of this process.
    own: Option<Arc<Running>>,
}

impl Client {
    /// Over the socket when a node runs, otherwise in this process, without a network. When another process has the
    /// profile, waits up to 5 seconds for it.
    ///
    /// # Errors
    /// `no_profile`, `busy`, `not_answering`, the passphrase's errors, and those of the store.
    pub fn open(place: &Place, ask: Ask<'_>) -> Result<Self, ApiError> {
        let reached = reach(place, ask)?;
        Self::over(place, reached, ask)
    }

    pub(super) fn over(place: &Place, reached: Reached<node::Lock>, ask: Ask<'_>) -> Result<Self, ApiError> {
        let inner = match reached {
            Reached::Node(stream) => Inner::Remote(Remote::new(place, stream)),
            Reached::Free(lock) => Inner::Inside(Running::start(place, lock, ask)?),
        };
        Ok(Self { place: place.clone(), inner })
    }

    /// Over the socket only; `None` when no node runs.
    ///
    /// # Errors
    /// `not_answering`, and `io` when the socket is there but cannot be used.
    pub fn connect(place: &Place) -> Result<Option<Self>, ApiError> {
        Ok(node::connect(place)?.map(|stream| Self::at(place, stream)))
    }

    pub(super) fn at(place: &Place, stream: UnixStream) -> Self {
        Self { place: place.clone(), inner: Inner::Remote(Remote::new(place, stream)) }
    }

    /// To a node of this process, whether or not it has a socket.
    pub(super) fn inside(place: &Place, runtime: &Runtime, dispatcher: Dispatcher) -> Self {
        let inside = Inside { runtime: runtime.handle().clone(), dispatcher, own: None };
        Self { place: place.clone(), inner: Inner::Inside(inside) }
    }

    /// Whether a node answers.
    pub const fn is_remote(&self) -> bool {
        matches!(self.inner, Inner::Remote(_) | Inner::Inside(Inside { own: None, .. }))
    }

    /// Calls any method, with parameters as JSON.
    ///
    /// # Errors
    /// What the method says; `io` when the node is gone, `not_answering` when it has stopped to answer.
    pub fn call(&mut self, method: &str, params: Option<Value>) -> Result<Value, ApiError> {
        match &mut self.inner {
            Inner::Remote(remote) => remote.call(method, params),
            Inner::Inside(inside) => {
                let call = Call::parse(method, params)?;
                inside.run(inside.dispatcher.answer(call))
            }
        }
    }

    /// As [`Self::call`]; `None` when nobody waits for it any more.
    ///
    /// # Errors
    /// As there.
    fn call_until(&mut self, method: &str, params: Option<Value>, leave: Leave<'_>) -> Result<Option<Value>, ApiError> {
        match &mut self.inner {
            Inner::Remote(remote) => remote.call_until(method, params, leave),
            Inner::Inside(inside) => {
                let call = Call::parse(method, params)?;
                let wait = |left: &Notify| {
                    inside.run(async {
                        tokio::select! {
                            answer = inside.dispatcher.answer(call) => answer.map(Some),
                            () = left.notified() => Ok(None),
                        }
                    })
                };
                leave.during(wait).map_err(|e| unwaited(&e))?
            }
        }
    }

    /// Calls a method with its types: `client.ask::<method::Inbox>(&InboxParams::default())`.
    ///
    /// # Errors
    /// What the method says; `io` when the node is gone; `internal` when its answer is not understood.
    pub fn ask<M: Rpc>(&mut self, params: &M::Params) -> Result<M::Result, ApiError> {
        let params = serde_json::to_value(params).map_err(fault::<M>)?;
        serde_json::from_value(self.call(M::NAME, Some(params))?).map_err(fault::<M>)
    }

    /// As [`Self::ask`]; `None` when nobody waits for it any more.
    ///
    /// # Errors
    /// As there.
    pub(super) fn ask_until<M: Rpc>(
        &mut self,
        params: &M::Params,
        leave: Leave<'_>,
    ) -> Result<Option<M::Result>, ApiError> {
        let params = serde_json::to_value(params).map_err(fault::<M>)?;
        let answer = self.call_until(M::NAME, Some(params), leave)?;
        answer.map(serde_json::from_value).transpose().map_err(fault::<M>)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault<M: Rpc>(error: serde_json::Error) -> ApiError {
    ApiError::new(Code::Internal, format!("{}: {error}", M::NAME))
}

impl Inside {
    /// A page of the events behind a cursor.
    pub(super) fn events(&self, since: Cursor) -> Result<EventPage, ApiError> {
        self.run(self.dispatcher.events(EventsParams { since, limit: None }))
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// The dispatcher in this process, over a profile without a node.
struct Running {
    runtime: Runtime,
    local: Local,
}

impl Running {
    fn start(place: &Place, lock: node::Lock, ask: Ask<'_>) -> Result<Inside, ApiError> {
        let profile = Profile::unlock(place, ask)?;
        let runtime = runtime()?;
        let local = ask.begins(Work::Opening).during(|| Local::start(place, lock, profile));
        ask.rests();
        let local = local?;
        let (handle, dispatcher) = (runtime.handle().clone(), local.dispatcher.clone());
        Ok(Inside { runtime: handle, dispatcher, own: Some(Arc::new(Self { runtime, local })) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.runtime.block_on(self.local.shutdown()) {
            tracing::error!(%error, "the profile was not closed well");
        }
    }
}
