//! Running a node in this process, and ending one.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::open::{self, Client, Reached};
use super::remote::Remote;
use crate::api::{ApiError, Code, Event, Rpc, method};
use crate::base::limits::MAX_PAGE;
use crate::node::{self, Ask, Passphrase, Place, Profile, RunOptions, Work};

/// How long `stop` waits for the node to be gone; its own last steps are bounded by less.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the node in the foreground until SIGINT, SIGTERM, SIGHUP or `stop`. `tell` gets the event `ready` first, then
/// what has happened since it was begun.
///
/// # Errors
/// `node_running` (with its process ID in the message), and whatever keeps a node from starting.
pub fn run(place: &Place, ask: Ask<'_>, options: RunOptions, tell: &mut dyn FnMut(&Event)) -> Result<(), ApiError> {
    let lock = alone(place, ask)?;
    let settings = options.settled(place)?;
    let profile = Profile::unlock(place, ask)?;
    let runtime = open::runtime()?;
    let starting = ask.begins(Work::Starting);
    let run = async {
        // Before anybody can know that the node runs, so that a signal after `ready` is never missed.
        let mut signals = node::Signals::new()?;
        let node = node::Node::start(place, lock, profile, settings, options.tap).await;
        ask.rests();
        let node = node?;
        let ready = node.ready();
        let service = node.service();
        tell(&ready);
        let mut news = node::News::after(&node.dispatcher, ready.seq);
        loop {
            tokio::select! {
                () = signals.wait() => break,
                () = node.wait() => break,
                true = news.ready() => news.read(MAX_PAGE).await.iter().for_each(&mut *tell),
            }
        }
        service.stopping();
        node.shutdown().await
    };
    starting.during(|| runtime.block_on(run))
}

/// The lock of a profile that nobody serves. One that is only used for a moment is waited for.
fn alone(place: &Place, ask: Ask<'_>) -> Result<node::Lock, ApiError> {
    if let Reached::Free(lock) = open::reach(place, ask)? {
        return Ok(lock);
    }
    // As it counts here, and not as the node counts itself.
    let process = node::holder(place)?.map_or_else(String::new, |process| format!(": {process}"));
    Err(ApiError::new(Code::NodeRunning, format!("a node of this profile runs already{process}")))
}

/// Ends the running node and waits until it is gone; `false` when none ran.
///
/// # Errors
/// `busy` when it does not end, or another process has the profile; `not_answering`.
pub fn stop(place: &Place, ask: Ask<'_>) -> Result<bool, ApiError> {
    if !node::exists(place)? {
        return Err(place.missing());
    }
    let stream = match open::look(place, ask)? {
        Reached::Node(stream) => stream,
        Reached::Free(()) => return Ok(false),
    };
    let mut remote = Remote::new(place, stream);
    match remote.call(method::Stop::NAME, None) {
        Ok(_) => {}
        // Somebody else was quicker.
        Err(error) if error.is(Code::Io) || error.is(Code::Stopping) => {}
        Err(error) => return Err(error),
    }
    // The node keeps the connection until the profile is free.
    if remote.wait_end(STOP_TIMEOUT)? {
        return Ok(true);
    }
    Err(ApiError::new(Code::Busy, "the node was asked to end, and still runs")
        .with_hint("`rohrpost status` names its process"))
}

fn ended() -> ApiError {
    ApiError::new(Code::NodeNeeded, "the node has ended")
}

/// A whole node in this process, for demonstrations and tests.
pub struct Node {
    runtime: Runtime,
    place: Place,
    /// Taken out at the end.
    pub(super) node: Option<node::Node>,
}

impl Node {
    /// Starts it: network, socket and all.
    ///
    /// # Errors
    /// As [`run`].
    pub fn start(place: &Place, passphrase: Option<&Passphrase>, options: RunOptions) -> Result<Self, ApiError> {
        let mut ask = || {
            let needed = || ApiError::new(Code::PassphraseNeeded, "the profile is locked with a passphrase");
            passphrase.cloned().ok_or_else(needed)
        };
        let lock = alone(place, &mut ask)?;
        Self::with_lock(place, lock, &mut ask, options)
    }

    pub(super) fn with_lock(
        place: &Place,
        lock: node::Lock,
        ask: Ask<'_>,
        options: RunOptions,
    ) -> Result<Self, ApiError> {
        let settings = options.settled(place)?;
        let profile = Profile::unlock(place, ask)?;
        let runtime = open::runtime()?;
        let starting = ask.begins(Work::Starting);
        let node = starting.during(|| runtime.block_on(node::Node::start(place, lock, profile, settings, options.tap)));
        ask.rests();
        Ok(Self { runtime, place: place.clone(), node: Some(node?) })
    }

    /// A client of it, over the socket.
    ///
    /// # Errors
    /// `node_needed` when it has ended, `io`.
    pub fn client(&self) -> Result<Client, ApiError> {
        Client::connect(&self.place)?.ok_or_else(ended)
    }

    /// A client of it that needs no socket.
    pub(super) fn inside(&self) -> Result<Client, ApiError> {
        let node = self.node.as_ref().ok_or_else(ended)?;
        Ok(Client::inside(&self.place, &self.runtime, node.dispatcher.clone()))
    }

    /// Where it listens, with `/p2p/<peer-id>`.
    pub fn addrs(&self) -> Vec<String> {
        self.node.as_ref().map(node::Node::addrs).unwrap_or_default()
    }

    /// Ends it; afterwards the profile is free. Dropping it does the same.
    ///
    /// # Errors
    /// When it ended with an error.
    pub fn shutdown(mut self) -> Result<(), ApiError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ApiError> {
        match self.node.take() {
            Some(node) => self.runtime.block_on(node.shutdown()),
            None => Ok(()),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "the node did not end well");
        }
    }
}
