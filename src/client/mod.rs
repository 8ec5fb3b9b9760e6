//! How a front end reaches a node: over its socket, or the same dispatcher in this process when none runs.
//!
//! Everything here blocks: front ends need not know tokio.

mod events;
mod open;
mod remote;
mod run;
mod send;

use crate::api::{ApiError, Code, Diagnosis, DoctorParams, NoParams, Status, method};
use crate::node;
pub use crate::node::{
    Ask, From, Passphrase, Place, RunOptions, Setting, Tapping, beside, change_passphrase, create, exists,
    needs_passphrase, recover,
};

pub use events::Events;
pub use open::Client;
pub use remote::Heard;
pub use run::{Node, run, stop};
pub use send::{Before, SendOptions, send};

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
            socket: place.socket.clone(),
            data_dir: place.dir.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Status::default()
        }),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
