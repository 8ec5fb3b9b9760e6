//! The extensions map.

/// The key of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionKey {
    /// Assigned (positive) or private (negative).
    Int(i64),
    /// Private; 1 to 255 bytes.
    Text(String),
}

/// The extensions of a message, in the order of the deterministic encoding; unknown ones are kept exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    entries: Vec<(ExtensionKey, Vec<u8>)>,
}
