//! The capsule: the plaintext of an envelope, a bounded list of items.

use crate::base::WallTime;

use super::{ContentError, Introduction, Profile, StatusReport};

/// The plaintext of an envelope: at most `MAX_CAPSULE_ITEMS` items in the order in which they are
/// to be processed. The caller keeps to the bounds; [`Capsule::decode`] holds peers to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capsule {
    /// The items.
    pub items: Vec<Item>,
}

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message of the conversation.
    Message {
        /// When the sender says it was sent.
        sent_at: WallTime,
        /// The MIMI content as it was encoded by its sender: the message ID is over these bytes.
        body: Vec<u8>,
    },
    /// Who writes; with first messages.
    Introduction(Introduction),
    /// What was delivered and read.
    Status(StatusReport),
    /// What a contact announces of themself.
    Profile(Profile),
    /// The request was accepted.
    Accepted,
    /// The sender lost the session: all that is not yet delivered is to be sent again.
    Reset,
    /// Of a kind that this version does not know; kept exactly.
    Unknown {
        /// Its kind.
        kind: u64,
        /// Its payload.
        bytes: Vec<u8>,
    },
}

impl Capsule {
    /// Encodes the items (CON-21).
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Decodes what a peer sent (CON-21 to CON-26).
    ///
    /// # Errors
    /// [`ContentError`] for anything that [`Self::encode`] would not have made of in-bounds items.
    pub fn decode(_bytes: &[u8]) -> Result<Self, ContentError> {
        todo!()
    }
}
