//! How a front end reaches a node: over its socket, or the same dispatcher in this process when none runs.
//!
//! Everything here blocks: front ends need not know tokio.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::api::{ApiError, Event, Identity, Rpc, SendParams, Sent, Status};
pub use crate::node::{Passphrase, Place, RunOptions, Tap};

/// Asks the person for the passphrase; called only when the key file needs one and no node runs.
pub type Ask<'a> = &'a mut dyn FnMut() -> Result<Passphrase, ApiError>;

/// Makes an identity in a new profile.
///
/// # Errors
/// `exists` when there is one already; `io`, `store` and their kin.
pub fn create(place: &Place, passphrase: Option<&Passphrase>, name: Option<&str>) -> Result<Identity, ApiError> {
    let _ = (place, passphrase, name);
    todo!()
}

/// Whether there is such a profile.
pub fn exists(place: &Place) -> bool {
    let _ = place;
    todo!()
}

/// Whether its key file needs a passphrase.
///
/// # Errors
/// `no_profile`, `damaged`, `too_new`.
pub fn needs_passphrase(place: &Place) -> Result<bool, ApiError> {
    let _ = place;
    todo!()
}

/// Wraps the key file anew. A running node is not disturbed.
///
/// # Errors
/// `wrong_passphrase`, `no_profile`, `io`.
pub fn change_passphrase(place: &Place, old: Option<&Passphrase>, new: Option<&Passphrase>) -> Result<(), ApiError> {
    let _ = (place, old, new);
    todo!()
}

/// Runs the node in the foreground until SIGINT, SIGTERM or `stop`. `tell` gets the event `ready` first, then what
/// happens from now on.
///
/// # Errors
/// `node_running` (with its process ID in the message), and whatever keeps a node from starting.
pub fn run(place: &Place, ask: Ask<'_>, options: RunOptions, tell: &mut dyn FnMut(&Event)) -> Result<(), ApiError> {
    let _ = (place, ask, options, tell);
    todo!()
}

/// Ends the running node and waits until it is gone; `false` when none ran.
///
/// # Errors
/// `busy` when it does not end.
pub fn stop(place: &Place) -> Result<bool, ApiError> {
    let _ = place;
    todo!()
}

/// What the node does. With none, what can be said without a passphrase (`ask` is used when given).
///
/// # Errors
/// `no_profile`, and what the node says.
pub fn status(place: &Place) -> Result<Status, ApiError> {
    let _ = place;
    todo!()
}

/// How far `send` is to wait.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    /// Which state to wait for; `None`: with a running node none, otherwise *delivered*, or *sent* if the recipient
    /// has not accepted us.
    pub wait: Option<crate::api::WaitFor>,
    /// How long, for all messages together; 15 seconds when missing.
    pub timeout: Option<Duration>,
    /// For the node that is started when none runs.
    pub run: RunOptions,
}

/// Sends messages and tells how far each came: through the running node, or with a node of its own that lives as long
/// as the delivery takes. A state below `wait` is no error here.
///
/// # Errors
/// The outer one: nothing was tried. The inner ones: that message was refused.
pub fn send(
    place: &Place,
    ask: Ask<'_>,
    messages: &[SendParams],
    options: &SendOptions,
) -> Result<Vec<Result<Sent, ApiError>>, ApiError> {
    let _ = (place, ask, messages, options);
    todo!()
}

/// A connection to a node, or its dispatcher in this process.
pub struct Client {}

impl Client {
    /// Over the socket when a node runs, otherwise in this process, without a network.
    ///
    /// # Errors
    /// `no_profile`, `busy`, the passphrase's errors, and those of the store.
    pub fn open(place: &Place, ask: Ask<'_>) -> Result<Self, ApiError> {
        let _ = (place, ask);
        todo!()
    }

    /// Over the socket only; `None` when no node runs.
    ///
    /// # Errors
    /// `io` when the socket is there but cannot be used.
    pub fn connect(place: &Place) -> Result<Option<Self>, ApiError> {
        let _ = place;
        todo!()
    }

    /// Whether there is a node at the other end.
    pub fn is_remote(&self) -> bool {
        todo!()
    }

    /// Calls any method, with parameters as JSON.
    ///
    /// # Errors
    /// What the method says; `io` when the node is gone.
    pub fn call(&mut self, method: &str, params: Option<Value>) -> Result<Value, ApiError> {
        let _ = (method, params);
        todo!()
    }

    /// Calls a method with its types: `client.ask::<method::Inbox>(&InboxParams::default())`.
    ///
    /// # Errors
    /// What the method says; `io` when the node is gone.
    pub fn ask<M: Rpc>(&mut self, params: &M::Params) -> Result<M::Result, ApiError> {
        let _ = params;
        todo!()
    }

    /// Events after the cursor (`None`: from now on). With no node running: those in the log, then the end.
    ///
    /// # Errors
    /// `io` when the node is gone.
    pub fn events(&self, since: Option<u64>) -> Result<Events, ApiError> {
        let _ = since;
        todo!()
    }
}

/// Events as they come.
pub struct Events {}

/// What was heard.
#[derive(Clone, Debug)]
pub enum Heard {
    /// An event.
    Event(Box<Event>),
    /// Nothing in the time given.
    TimedOut,
    /// The node has ended, or there is none and the log is read.
    Ended,
}

impl Events {
    /// The next event, waiting at most so long.
    ///
    /// # Errors
    /// `io`, and what the store says.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Heard, ApiError> {
        let _ = timeout;
        todo!()
    }
}

impl Iterator for Events {
    type Item = Result<Event, ApiError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}

/// A whole node in this process, for demonstrations and tests.
pub struct Node {}

impl Node {
    /// Starts it: network, socket and all.
    ///
    /// # Errors
    /// As [`run`].
    pub fn start(place: &Place, passphrase: Option<&Passphrase>, options: RunOptions) -> Result<Self, ApiError> {
        let _ = (place, passphrase, options);
        todo!()
    }

    /// Another client of it, over the socket.
    ///
    /// # Errors
    /// `io`.
    pub fn client(&self) -> Result<Client, ApiError> {
        todo!()
    }

    /// Where it listens, with `/p2p/<peer-id>`.
    pub fn addrs(&self) -> Vec<String> {
        todo!()
    }

    /// Ends it; afterwards the profile is free.
    ///
    /// # Errors
    /// When it ended with an error.
    pub fn shutdown(self) -> Result<(), ApiError> {
        todo!()
    }
}

/// The socket of a place, for those who talk to it themselves.
pub fn socket(place: &Place) -> &Path {
    place.socket()
}
