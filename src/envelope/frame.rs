//! Frames of the envelope protocol `/rohrpost/env/1`.

/// Why an envelope was refused, on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseReason {
    /// Unknown version or kind: the stream lives on.
    Unsupported,
    /// Not a well-formed envelope.
    Malformed,
    /// The prekey it was made for is not known (any more): fetch a card and begin again.
    PrekeyUnknown,
    /// No such session, or it does not open: a contact may heal.
    SessionUnknown,
    /// Too many: come back later.
    TooMany,
    /// The receiver's own trouble (a full disk): come back later.
    Unavailable,
}
