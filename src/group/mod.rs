//! Groups: who belongs to one, as a function of signed operations (`docs/protocol/group.md`, whose rule numbers `GRP-…` stand
//! at the checks).
//!
//! [`Log`] is what a node has of a group, [`Evaluation`] what follows from it. Both are pure, and look at no clock and no order
//! of arrival. What a peer sent is decoded into an [`OperationIn`] and becomes an [`Operation`] only by `verify`.
//!
//! What this layer does not own: messages of a group and to whom they go, rows, timers, who is asked for what (`messenger`),
//! sessions between its members (`session`).

mod bits;
mod consent;
mod evaluate;
mod fault;
mod front;
mod log;
mod operation;
mod waiting;

pub use consent::Consent;
pub use evaluate::Evaluation;
pub use fault::Fault;
pub use front::Front;
pub use log::{Log, Outcome};
pub use operation::{Act, Content, Decoded, Ground, Operation, OperationIn, Role, Setting, is_limit, is_name};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
