//! Status reports: what was delivered, and what was read.

use crate::base::MessageId;
use crate::base::cbor::{Reader, Writer};
use crate::base::limits::MAX_STATUS_IDS;

use super::ContentError;

/// Bytes of a message ID.
const ID_LEN: usize = 32;

/// Message IDs whose state the reporter tells, at most `MAX_STATUS_IDS` in each list (CON-25).
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
        let mut writer = Writer::new();
        writer.array(2).bytes(&concat(&self.delivered)).bytes(&concat(&self.read));
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        Reader::whole(bytes, |reader| {
            reader.array_of(2, "status")?;
            Ok(Self { delivered: ids(reader, "delivered")?, read: ids(reader, "read")? })
        })
    }
}

pub(super) fn concat(ids: &[MessageId]) -> Vec<u8> {
    ids.iter().flat_map(MessageId::as_bytes).copied().collect()
}

pub(super) fn ids(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<MessageId>, ContentError> {
    let (ids, rest) = reader.bytes(field, MAX_STATUS_IDS * ID_LEN)?.as_chunks::<ID_LEN>();
    if rest.is_empty() {
        Ok(ids.iter().copied().map(MessageId::new).collect())
    } else {
        Err(ContentError::Field(field))
    }
}
