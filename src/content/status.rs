//! Status reports: what was delivered, and what was read.

use crate::base::MessageId;

use super::ContentError;

/// Message IDs whose state the reporter tells, at most `MAX_STATUS_IDS` in each list.
/// The report itself is never reported on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReport {
    /// Stored by the reporter's node.
    pub delivered: Vec<MessageId>,
    /// Read by the reporter. Implies delivered.
    pub read: Vec<MessageId>,
}

impl StatusReport {
    pub(super) fn encode(&self) -> Vec<u8> {
        todo!()
    }

    pub(super) fn decode(_bytes: &[u8]) -> Result<Self, ContentError> {
        todo!()
    }
}
