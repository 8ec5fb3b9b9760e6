//! How a front end reaches a node: over its socket, or the same dispatcher in this process when none runs.
//!
//! Everything here blocks: front ends need not know tokio.

mod events;
mod open;
mod remote;
mod run;
mod send;

use serde_json::Value;

use crate::api::{
    ApiError, Call, Code, Diagnosis, DoctorParams, Identity, NoParams, Reachability, Recovery, Rpc, Status, method,
};
use crate::node;
pub use crate::node::{Ask, Passphrase, Place, RunOptions, Tap, Tapping};

pub use events::{Events, Heard};
pub use run::{Node, run, stop};
pub use send::{SendOptions, send};

use open::{InProcess, Reached};
use remote::Remote;

/// Makes an identity in a new profile.
///
/// # Errors
/// `exists` when there is one already; `too_long` and `control_characters` for the name; `io`, `store` and their kin.
pub fn create(place: &Place, passphrase: Option<&Passphrase>, name: Option<&str>) -> Result<Identity, ApiError> {
    node::create(place, passphrase, name)
}

/// Whether there is such a profile.
pub fn exists(place: &Place) -> bool {
    node::exists(place)
}

/// Whether its key file needs a passphrase.
///
/// # Errors
/// `no_profile`, `damaged`, `too_new`.
pub fn needs_passphrase(place: &Place) -> Result<bool, ApiError> {
    node::needs_passphrase(place)
}

/// What is wrong, and how to mend it: asks the node, or looks without one. Changes nothing.
///
/// # Errors
/// `no_profile`, `wrong_passphrase`, and what the node says.
pub fn doctor(place: &Place, ask: Ask<'_>) -> Result<Diagnosis, ApiError> {
    match Client::connect(place) {
        Ok(Some(mut client)) => client.ask::<method::Doctor>(&DoctorParams::default()),
        // A socket that cannot be used is one of the things to be told.
        Ok(None) | Err(_) => node::doctor(place, ask),
    }
}

/// Makes the profile anew of what is left of a damaged one.
///
/// # Errors
/// `sound` when nothing is wrong; `busy` while somebody works on it; the passphrase's errors; `io`, `disk_full`.
pub fn recover(place: &Place, ask: Ask<'_>) -> Result<Recovery, ApiError> {
    node::recover(place, ask)
}

/// Wraps the key file anew. A running node is not disturbed.
///
/// # Errors
/// `passphrase_needed`, `wrong_passphrase`, `no_profile`, `io`.
pub fn change_passphrase(place: &Place, old: Option<&Passphrase>, new: Option<&Passphrase>) -> Result<(), ApiError> {
    node::change_passphrase(place, old, new)
}

/// What the node does. With none, what can be said without asking for a passphrase.
///
/// # Errors
/// `no_profile`, and what the node says.
pub fn status(place: &Place) -> Result<Status, ApiError> {
    let mut refuse = || Err(ApiError::new(Code::PassphraseNeeded, "the profile is locked with a passphrase"));
    match open::reach_now(place).and_then(|reached| Client::over(place, reached, &mut refuse)) {
        Ok(mut client) => client.ask::<method::StatusShow>(&NoParams {}),
        // A locked profile without a node, or one that another command has at the moment.
        Err(error) if error.is(Code::PassphraseNeeded) || error.is(Code::Busy) => Ok(Status {
            peer_id: None,
            name: String::new(),
            running: false,
            peers: 0,
            outbox: 0,
            relay: None,
            mailboxes: Vec::new(),
            reachability: Reachability::Unknown,
            reach: None,
            requests: 0,
            unread: 0,
            contacts: 0,
            last_event: 0,
            addrs: Vec::new(),
            connections: Vec::new(),
            pid: None,
            socket: place.socket().to_owned(),
            data_dir: place.dir().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        Err(error) => Err(error),
    }
}

/// A connection to a node, or its dispatcher in this process.
pub struct Client {
    place: Place,
    inner: Inner,
}

enum Inner {
    Remote(Remote),
    InProcess(InProcess),
}

impl Client {
    /// Over the socket when a node runs, otherwise in this process, without a network. When another process has the
    /// profile, waits up to 5 seconds for it.
    ///
    /// # Errors
    /// `no_profile`, `busy`, the passphrase's errors, and those of the store.
    pub fn open(place: &Place, ask: Ask<'_>) -> Result<Self, ApiError> {
        Self::over(place, open::reach(place)?, ask)
    }

    fn over(place: &Place, reached: Reached, ask: Ask<'_>) -> Result<Self, ApiError> {
        let inner = match reached {
            Reached::Node(stream) => Inner::Remote(Remote::new(stream)),
            Reached::Lock(lock) => Inner::InProcess(InProcess::start(place, lock, ask)?),
        };
        Ok(Self { place: place.clone(), inner })
    }

    /// Over the socket only; `None` when no node runs.
    ///
    /// # Errors
    /// `io` when the socket is there but cannot be used.
    pub fn connect(place: &Place) -> Result<Option<Self>, ApiError> {
        let stream = node::connect(place)?;
        Ok(stream.map(|stream| Self { place: place.clone(), inner: Inner::Remote(Remote::new(stream)) }))
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
            Inner::InProcess(own) => own.call(Call::parse(method, params)?),
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

#[cfg(test)]
mod tests;
