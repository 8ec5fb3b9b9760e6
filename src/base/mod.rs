//! What every room of the house may use: identifiers, time, secrets and bounds.
//!
//! Owns no behaviour of the protocol: no cryptography, no parsing of anything a peer sent beyond
//! the textual form of an identifier and the bare form of CBOR, no input or output.

pub mod address;
pub mod budget;
pub(crate) mod cbor;
pub mod event;
pub mod failpoint;
pub mod ids;
pub mod limits;
pub mod names;
pub mod origin;
pub mod progress;
pub mod scope;
pub mod secret;
pub mod shown;
pub mod tail;
pub mod time;
pub mod words;

pub use budget::Class;
pub use failpoint::failpoint;
pub use ids::{EnvelopeId, GroupId, IdError, MessageId, OperationId, PeerId, RoomId, SessionId};
pub use origin::Origin;
pub use progress::Progress;
pub use secret::Secret;
pub use tail::Tail;
pub use time::{Aging, Millis, MonoTime, Now, WallTime};

/// The random source that pure code is handed; never made inside (architecture, "time and
/// randomness are arguments").
pub use rand_core::CryptoRng;
