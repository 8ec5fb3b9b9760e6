//! What is kept for others: their boxes. Everything of a box is under one erasable key, which is destroyed with it. No row
//! names a sender, or a time finer than a day.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::limits::BOX_SURE_BYTES;
use crate::base::words::MailService;
use crate::base::{PeerId, WallTime};
use crate::envelope::mailbox::{InvitationKey, QueueKey, Tag};
use crate::store::{KeyId, RowKey};

table! {
    /// For whom boxes are kept; one row, with an empty key. None: for nobody.
    MailServices = 70, Root, MailService;
    /// What all boxes amount to; one row, with an empty key.
    MailTotals = 71, Root, TotalsRow;
    /// Keyed by owner.
    Boxes = 72, Given, BoxRow;
    /// The owner's card; keyed by box.
    BoxCards = 73, Given, BoxCardRow;
    /// One-time prekeys of the owner that nobody was given; keyed by box and a number that grows.
    BoxPrekeys = 74, Given, BoxPrekeyRow;
    /// What waits under a token, and whether it is void; keyed by box and tag.
    BoxTokens = 75, Given, BoxTokenRow;
    /// What is known of an envelope that waits; keyed by box and number.
    Deposits = 76, Given, DepositRow;
    /// The envelope itself; keyed by box and number.
    DepositBodies = 77, Given, DepositBody;
    /// By which a second copy is known; keyed by box and digest. Holds the number.
    DepositMarks = 78, Given, u64;
}

/// What all boxes amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsRow {
    /// How many boxes.
    pub boxes: u32,
    /// Bytes of envelopes in them.
    pub bytes: u64,
    /// Of these, beyond what there is always room for in a box.
    pub beyond: u64,
    /// The highest number that a box has had.
    pub last_box: u64,
    /// The last day on which all boxes were looked through.
    pub walked: u32,
}

impl TotalsRow {
    /// In a box are so many bytes now instead of so many.
    pub fn change(&mut self, before: u64, after: u64) {
        let beyond = |bytes: u64| bytes.saturating_sub(BOX_SURE_BYTES);
        self.bytes = self.bytes.saturating_sub(before) + after;
        self.beyond = self.beyond.saturating_sub(beyond(before)) + beyond(after);
    }
}

/// A box. It is written with every deposit, so what is long has rows of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BoxRow {
    /// Whose.
    pub owner: PeerId,
    /// Names it in the keys of its other rows.
    pub number: u64,
    /// Seals its rows.
    pub key: KeyId,
    /// The queue of the owner's card.
    pub queue: [u8; 16],
    /// Checks tokens.
    pub tokens: QueueKey,
    /// The key before, under which void tags are still void.
    pub tokens_before: Option<QueueKey>,
    /// Checks invitations.
    pub invitation: InvitationKey,
    /// The work that the owner's card asks of strangers.
    pub work: u8,
    /// The number of the newest offer that was taken.
    pub batch: u64,
    /// The day on which the owner came last.
    pub seen: u32,
    /// On how many other days than the first he came, up to `BOX_TRIAL_VISITS`.
    pub visits: u8,
    /// The highest number that an envelope has had.
    pub last: u64,
    /// Envelopes that wait.
    pub count: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, without a token or an invitation.
    pub slot_count: u32,
    /// Their bytes.
    pub slot_bytes: u64,
    /// Of these, with an invitation.
    pub invited_count: u32,
    /// Their bytes.
    pub invited_bytes: u64,
    /// Of these, under void tokens, and given to the owner.
    pub void_count: u32,
    /// Their bytes.
    pub void_bytes: u64,
    /// Of these, under void tokens, and given to nobody.
    pub hidden: u32,
    /// Tags that are void.
    pub revoked: u32,
    /// One-time prekeys that are held.
    pub prekeys: u32,
    /// The highest number that one of them has had.
    pub last_prekey: u64,
    /// How many may be handed out…
    pub allowance: u32,
    /// …as of this hour since 1970.
    pub allowance_hour: u64,
}

impl BoxRow {
    /// An envelope comes into a room, or leaves it. What waits under a token stands in the row of that, too.
    pub fn change(&mut self, on: Room, size: u64, comes: bool) {
        let step = |count: &mut u32, bytes: &mut u64| {
            *count = if comes { *count + 1 } else { count.saturating_sub(1) };
            *bytes = if comes { *bytes + size } else { bytes.saturating_sub(size) };
        };
        step(&mut self.count, &mut self.bytes);
        match on {
            Room::Token(_) => {}
            Room::Strangers => step(&mut self.slot_count, &mut self.slot_bytes),
            Room::Invited => step(&mut self.invited_count, &mut self.invited_bytes),
            Room::Void(_) => step(&mut self.void_count, &mut self.void_bytes),
            Room::Hidden(_) => step(&mut self.hidden, &mut 0),
        }
    }
}

/// The card that is handed out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BoxCardRow {
    /// Its sequence.
    pub sequence: u64,
    /// The signed card.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// A prekey to be handed out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BoxPrekeyRow {
    /// Until when it is good.
    pub expires: WallTime,
    /// Signed.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// A token.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct BoxTokenRow {
    /// Which.
    pub tag: Tag,
    /// Envelopes that wait under it.
    pub count: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the owner has made it void.
    pub revoked: bool,
    /// Whether that was under the key before.
    pub is_old: bool,
}

/// What is known of an envelope.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DepositRow {
    /// The first half of its SHA-256.
    pub digest: [u8; 16],
    /// Its length.
    pub size: u32,
    /// The day on which it came.
    pub day: u32,
    /// On whose room.
    pub on: Room,
}

/// The room in a box that an envelope takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Room {
    /// That of a token.
    Token(Tag),
    /// That of strangers who have the owner's link.
    Invited,
    /// That of all other strangers.
    Strangers,
    /// That of a token that was void when it came; the owner gets it.
    Void(Tag),
    /// The same, but that the owner does not get it.
    Hidden(Tag),
}

impl Room {
    /// The token under which it waits.
    pub const fn tag(&self) -> Option<Tag> {
        match self {
            Self::Token(tag) | Self::Void(tag) | Self::Hidden(tag) => Some(*tag),
            Self::Invited | Self::Strangers => None,
        }
    }

    /// Whether the owner gets it.
    pub const fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden(_))
    }
}

/// The sealed envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DepositBody(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// Everything of a box, in one of its tables.
pub fn of_box(number: u64) -> RowKey {
    RowKey::new().u64(number)
}

/// Key of [`BoxPrekeys`], [`Deposits`] and [`DepositBodies`].
pub fn in_box(number: u64, row: u64) -> RowKey {
    of_box(number).u64(row)
}

/// Key of [`BoxTokens`] and [`DepositMarks`].
pub fn tagged(number: u64, tag: &[u8; 16]) -> RowKey {
    of_box(number).blind(tag)
}
