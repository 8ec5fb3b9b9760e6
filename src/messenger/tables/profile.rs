//! The one row about ourselves.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::address::Address;
use crate::base::words::Policy;
use crate::base::{Tail, WallTime};
use crate::identity::RequestToken;
use crate::messenger::clock::ClockRow;

table! {
    /// One row, with an empty key.
    Profile = 1, Root, ProfileRow;
    /// The profile's time, and what is known of the wall clock: one row, with an empty key.
    Clocks = 4, Root, ClockRow;
}

/// What is kept about ourselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileRow {
    /// The display name.
    pub name: String,
    /// The request token of the own link.
    pub token: RequestToken,
    /// Who may write.
    pub policy: Policy,
    /// The mailbox queue named in cards.
    pub queue: [u8; 16],
    /// Sequence of the newest card, or of one that was found and was made elsewhere.
    pub card_sequence: u64,
    /// The newest card, signed.
    #[serde(with = "serde_bytes")]
    pub card: Vec<u8>,
    /// When it was issued, by the wall clock.
    pub card_issued: WallTime,
    /// Addresses the node last listened on, those first that help others most.
    pub addrs: Vec<String>,
    /// When the secrets of prekeys were last looked through, by the profile's time.
    pub swept: WallTime,
    /// What is known of a card of ours that this store did not make.
    pub elsewhere: Option<ElsewhereRow>,
    /// When the profile was recovered, by the wall clock: cards that were issued before are its own.
    pub recovered: Option<WallTime>,
    /// What other versions know.
    pub tail: Tail,
}

impl ProfileRow {
    /// Those of the addresses that are told to others: what nobody else can dial tells of the machine what concerns nobody.
    pub fn told_addrs(&self) -> Vec<String> {
        let is_told = |addr: &&String| addr.parse::<Address>().is_ok_and(|addr| addr.is_dialable());
        self.addrs.iter().filter(is_told).cloned().collect()
    }
}

/// A card of ours that was found and that this store did not make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElsewhereRow {
    /// When it was issued, by the clock of whoever made it.
    pub issued: WallTime,
    /// When the last one was found, by the profile's time.
    pub found: WallTime,
    /// One of them was issued while this node ran.
    pub running: bool,
}
