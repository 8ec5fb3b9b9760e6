//! Questions and answers of the mailbox protocol `/rohrpost/mbox/1` (docs/protocol/mailbox.md).
//!
//! Pure bytes, and what can be said of them without state: whether an offer of an owner, a token or a proof is right. What a
//! mailbox keeps, and for whom, is for `messenger` to say.

mod answer;
mod question;
mod token;
mod wire;
mod work;

pub use answer::{Answer, PageItem};
pub use question::{Delete, Deposit, Offer, OfferError, OfferIn, Question};
pub use token::{InvitationKey, QueueKey, TAG_LEN, Tag, TokenIn};
pub use work::{Proof, day_of, needed_work, search};

/// The name under which libp2p negotiates the protocol.
pub const PROTOCOL: &str = "/rohrpost/mbox/1";
/// Bytes before the body of a question or an answer: version, kind, length of the body.
pub const HEAD_LEN: usize = 6;

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
