//! What an uninvited stranger shows under load: proof of work, or of an invitation.

use super::token::InvitationKey;
use crate::base::limits::{MAX_WORK, SLOT_ENVELOPES};
use crate::base::{Millis, PeerId, Secret, WallTime};
use crate::crypto::hash::sha256;
use crate::crypto::kdf::hmac;

/// The label of the hash that is worked on (MBX-30).
const WORK: &[u8] = b"rohrpost/mailbox/work/v1";
const DAY: u64 = Millis::from_days(1).0;
/// Leading zero bits asked for when half of what is for the uninvited is taken, and when three quarters are.
const HALF_FULL: u8 = 16;
const NEARLY_FULL: u8 = 20;

/// What comes with a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// Work: a nonce with which the hash has leading zeros.
    Work {
        /// The day it was done, by the sender's clock.
        day: u32,
        /// The nonce.
        nonce: u64,
    },
    /// The sender has the owner's link.
    Invitation {
        /// The day it was made, by the sender's clock.
        day: u32,
        /// `HMAC(K_invitation, hash)`.
        mac: Secret<32>,
    },
}

/// `SHA-256(label ‖ recipient ‖ day ‖ SHA-256(transmitted bytes) ‖ nonce)` (MBX-30).
fn hash(recipient: &PeerId, day: u32, transmitted: &[u8; 32], nonce: u64) -> [u8; 32] {
    sha256(&[WORK, recipient.key_bytes(), &day.to_be_bytes(), transmitted, &nonce.to_be_bytes()])
}

fn zeros(hash: &[u8; 32]) -> u32 {
    let whole = hash.iter().take_while(|byte| **byte == 0).count();
    let next = hash.get(whole).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(whole).unwrap_or(u32::MAX).saturating_mul(8) + next
}

impl Proof {
    /// Shows that the sender has the owner's link. `transmitted` is the SHA-256 of the sealed envelope.
    pub fn invitation(key: &InvitationKey, recipient: &PeerId, day: u32, transmitted: &[u8; 32]) -> Self {
        Self::Invitation { day, mac: hmac(key.expose(), &[&hash(recipient, day, transmitted, 0)]) }
    }

    /// Whether it shows that the sender has the owner's link (MBX-33).
    pub fn is_invitation(&self, recipient: &PeerId, today: u32, transmitted: &[u8; 32], key: &InvitationKey) -> bool {
        let Self::Invitation { day, .. } = self else { return false };
        is_near(*day, today) && *self == Self::invitation(key, recipient, *day, transmitted)
    }

    /// Whether it is enough for an envelope to this recipient (MBX-31 to MBX-33).
    pub fn is_enough(
        &self,
        level: u8,
        recipient: &PeerId,
        today: u32,
        transmitted: &[u8; 32],
        key: &InvitationKey,
    ) -> bool {
        match self {
            _ if level == 0 => true,
            Self::None => false,
            Self::Work { day, nonce } => {
                is_near(*day, today) && zeros(&hash(recipient, *day, transmitted, *nonce)) >= u32::from(level)
            }
            Self::Invitation { .. } => self.is_invitation(recipient, today, transmitted, key),
        }
    }
}

/// MBX-32
const fn is_near(day: u32, today: u32) -> bool {
    day.abs_diff(today) <= 1
}

/// Looks for a nonce among `tries` of them, from `from` on; to be called again with later ones when there is none.
pub fn search(recipient: &PeerId, day: u32, transmitted: &[u8; 32], level: u8, from: u64, tries: u64) -> Option<u64> {
    let end = from.saturating_add(tries);
    (from..end).find(|nonce| zeros(&hash(recipient, day, transmitted, *nonce)) >= u32::from(level))
}

/// The level asked of strangers while so many envelopes of the uninvited wait, where the card asks for `card` (MBX-31).
pub fn needed_work(card: u8, waiting: u32) -> u8 {
    let load = match waiting {
        waiting if waiting >= SLOT_ENVELOPES / 8 * 3 => NEARLY_FULL,
        waiting if waiting >= SLOT_ENVELOPES / 4 => HALF_FULL,
        _ => 0,
    };
    card.max(load).min(MAX_WORK)
}

/// The number of the day, in UTC, since 1970.
pub fn day_of(time: WallTime) -> u32 {
    u32::try_from(time.0 / DAY).unwrap_or(u32::MAX)
}
