//! How a front end reaches a node: over its socket, or the same dispatcher in this process when none runs.
//!
//! Everything here blocks: front ends need not know tokio.

mod events;
mod leave;
mod open;
mod remote;
mod run;
mod send;

use crate::api::{ApiError, Code, Diagnosis, DoctorParams, NoParams, NodeState, Status, method};
use crate::node;
pub use crate::node::{
    Ask, Defaults, From, Passphrase, Person, Place, RunOptions, Setting, Tapping, Work, beside, change_passphrase,
    create, defaults, exists, is_ignored, needs_passphrase, recover, unlock,
};

use open::Reached;

pub use events::{Events, await_node};
pub use leave::Leave;
pub use open::Client;
pub use remote::Heard;
pub use run::{Node, run, stop};
pub use send::{Before, SendOptions, send};

/// What is wrong, and how to mend it: asks the node, or looks without one. Changes nothing.
///
/// # Errors
/// `no_profile`, `wrong_passphrase`, and what the node says.
pub fn doctor(place: &Place, ask: Ask<'_>) -> Result<Diagnosis, ApiError> {
    match open::look(place, ask) {
        Ok(Reached::Node(stream)) => Client::at(place, stream).ask::<method::Doctor>(&DoctorParams::default()),
        Ok(Reached::Free(())) => node::doctor(place, None, ask),
        // Who is in the way, and what is in order besides, is what is to be told.
        Err(error) if ![Code::NoProfile, Code::OtherUser, Code::Config].iter().any(|code| error.is(*code)) => {
            node::doctor(place, Some(error), ask)
        }
        Err(error) => Err(error),
    }
}

/// What the node does. With none, what the profile says, if `ask` can open it. A node that does not answer, and another
/// process that keeps the profile, are answers: the error says what helps.
///
/// # Errors
/// `no_profile`, `wrong_passphrase`, and what the node says.
pub fn status(place: &Place, ask: Ask<'_>) -> Result<(Status, Option<ApiError>), ApiError> {
    let looked = open::reach(place, ask).and_then(|reached| Client::over(place, reached, ask));
    let error = match looked {
        Ok(mut client) => return Ok((client.ask::<method::StatusShow>(&NoParams {})?, None)),
        Err(error) => error,
    };
    let mut status =
        Status { data_dir: place.dir.clone(), version: env!("CARGO_PKG_VERSION").to_owned(), ..Status::default() };
    if error.is(Code::PassphraseNeeded) {
        return Ok((status, None));
    }
    (status.node, status.running) = match error.known() {
        Some(Code::NotAnswering) => (NodeState::Silent, true),
        Some(Code::Busy) => (NodeState::InUse, false),
        _ => return Err(error),
    };
    status.pid = node::holder(place)?.and_then(|process| process.number());
    Ok((status, Some(error)))
}

#[cfg(test)]
mod tests;
