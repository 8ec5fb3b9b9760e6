//! What somebody signs who agrees to be added to a group.

use crate::base::{GroupId, OperationId, PeerId};
use crate::crypto::sign::{SIGNATURE_LEN, Signature};
use crate::identity::{IdentityError, IdentityKey, IdentityKeypair};

/// The label under which somebody agrees to be added (GRP-6).
pub(super) const LABEL: &str = "rohrpost/group/consent/v1";

/// That somebody agrees to be added, signed by him. It is good until his next end, whoever holds it (GRP-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// An operation that is or knows every end of his that he has been told of; the create for who was never in.
    pub seen: OperationId,
    signature: Signature,
}

impl Consent {
    /// Agrees to be added.
    pub fn sign(me: &IdentityKeypair, group: GroupId, seen: OperationId) -> Self {
        Self { seen, signature: me.sign(LABEL, &agreed(group, me.peer_id(), seen)) }
    }

    /// From its parts, which a peer sent.
    pub const fn from_parts(seen: OperationId, signature: [u8; SIGNATURE_LEN]) -> Self {
        Self { seen, signature: Signature(signature) }
    }

    /// The signature.
    pub const fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature.0
    }

    /// Whether this person has signed it, for this group.
    ///
    /// # Errors
    /// [`IdentityError::Signature`].
    pub fn verify(&self, person: &IdentityKey, group: GroupId) -> Result<(), IdentityError> {
        person.verify(LABEL, &agreed(group, person.peer_id(), self.seen), &self.signature)
    }
}

/// `group ‖ person ‖ seen`.
fn agreed(group: GroupId, person: PeerId, seen: OperationId) -> Vec<u8> {
    [&group.as_bytes()[..], person.key_bytes(), seen.as_bytes()].concat()
}
