//! How many sessions those may begin who are no contacts.

use crate::base::MonoTime;
use crate::base::budget::Budget;
use crate::base::limits::{INVITED_SESSIONS, SESSIONS};

/// What those have left who are no contacts.
#[derive(Debug)]
pub(in crate::messenger) struct Newcomers {
    pub(super) strangers: Budget<(), MonoTime>,
    pub(super) invited: Budget<(), MonoTime>,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self { strangers: Budget::new(SESSIONS), invited: Budget::new(INVITED_SESSIONS) }
    }
}
