//! What is counted by who asks, by the clock of the network.

use tokio::time::Instant;

use crate::base::budget;

pub(super) use crate::base::budget::{Who, room};

/// What is left of one use. `K` names the places that are held.
pub(super) type Budget<K = ()> = budget::Budget<K, Instant>;
