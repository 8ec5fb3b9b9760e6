//! Who writes: what a first message says of its sender, and what a contact says of themself.

use super::ContentError;

/// Goes with a message to somebody who is not known to have accepted us.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Introduction {
    /// The name the sender announces: 1 to `MAX_NAME_CHARS` characters. A claim, nothing more.
    pub name: Option<String>,
    /// What it is about: 1 to `MAX_NAME_CHARS` characters.
    pub subject: Option<String>,
    /// The request token from the recipient's link: shows the request as invited.
    pub token: Option<[u8; 16]>,
}

/// What a contact announces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The display name, at most `MAX_NAME_CHARS` characters; empty: none.
    pub name: String,
}

impl Introduction {
    pub(super) fn encode(&self) -> Vec<u8> {
        todo!()
    }

    pub(super) fn decode(_bytes: &[u8]) -> Result<Self, ContentError> {
        todo!()
    }
}

impl std::fmt::Debug for Introduction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret of the recipient's.
        f.debug_struct("Introduction")
            .field("name", &self.name)
            .field("subject", &self.subject)
            .field("token", &self.token.map(|_| "redacted"))
            .finish()
    }
}

impl Profile {
    pub(super) fn encode(&self) -> Vec<u8> {
        todo!()
    }

    pub(super) fn decode(_bytes: &[u8]) -> Result<Self, ContentError> {
        todo!()
    }
}
