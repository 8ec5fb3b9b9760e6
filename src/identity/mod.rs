//! Who somebody is: the identity key, which is also the libp2p peer ID, and everything that is
//! signed with it or says where its owner is found (`docs/protocol/identity.md`, whose rule
//! numbers `ID-…` stand at the checks).
//!
//! What a peer sent is decoded into an `…In` type and becomes the type without `In` only by
//! `verify`.
//!
//! What this layer does not own: files and their permissions (`store`), which card of a peer is
//! the newest one and what its change means (`messenger`), handshakes made from a card (`session`),
//! where cards travel (`envelope`, `net`).

mod card;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod keyfile;
mod keypair;
mod link;
mod prekey;
mod record;
mod safety;
#[cfg(test)]
mod testing;

pub use card::{Card, CardContent, CardIn, Mailbox, Relay, RequestPolicy, is_ahead, next_sequence};
pub use key::{IdentityError, IdentityKey};
pub use keyfile::{KeyFileError, KeyMaterial, key_file_needs_passphrase, open_key_file, seal_key_file};
pub use keypair::IdentityKeypair;
pub use link::{Link, LinkError, RequestToken};
pub use prekey::{CardKeys, OneTimeKeys, OneTimePrekey, OneTimePrekeyIn, PrekeyId};
pub use record::RecordError;
pub(crate) use record::{Frame, sign as sign_record};
pub use safety::{Fingerprint, SafetyNumber, SafetyNumberError, safety_number};
