//! The capsule: the plaintext of an envelope, a bounded list of items.

use std::borrow::Cow;

use crate::base::cbor::{Reader, Writer};
use crate::base::limits::{MAX_ADDR_LEN, MAX_ADDRS, MAX_CAPSULE_ITEMS, MAX_CAPSULE_MESSAGES, MAX_CARD, MAX_PAYLOAD};
use crate::base::{MessageId, Secret, WallTime};

use super::status::{concat, ids};
use super::{ContentError, Introduction, Profile, StatusReport};

// Kinds of items.
const MESSAGE: u64 = 1;
const INTRODUCTION: u64 = 2;
const STATUS: u64 = 3;
const PROFILE: u64 = 4;
const ACCEPTED: u64 = 5;
const RESET: u64 = 6;
const ADDRESSES: u64 = 7;
const CARD: u64 = 8;
const TOKEN: u64 = 9;
const INQUIRY: u64 = 10;
/// Bytes of a token: tag and MAC.
const TOKEN_LEN: usize = 48;

/// The plaintext of an envelope: at most `MAX_CAPSULE_ITEMS` items in the order in which they are
/// to be processed. The caller keeps to the bounds; [`Capsule::decode`] holds peers to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capsule {
    /// The items.
    pub items: Vec<Item>,
}

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message of the conversation.
    Message {
        /// When the sender says it was sent.
        sent_at: WallTime,
        /// The MIMI content as it was encoded by its sender: the message ID is over these bytes.
        body: Vec<u8>,
    },
    /// Who writes; with first messages.
    Introduction(Introduction),
    /// What was delivered and read.
    Status(StatusReport),
    /// What a contact announces of themself.
    Profile(Profile),
    /// The request was accepted.
    Accepted,
    /// The sender lost the session: all that is not yet delivered is to be sent again.
    Reset,
    /// Where the sender can be reached: at most `MAX_ADDRS` multiaddresses. Hints, never trusted, and not
    /// dialled before their sender is a contact.
    Addresses(Vec<String>),
    /// The sender's contact card, encoded and signed, at most `MAX_CARD` bytes. Unverified.
    Card(Vec<u8>),
    /// A token under which the receiver may leave envelopes at the sender's mailboxes: tag and MAC.
    Token(Secret<TOKEN_LEN>),
    /// Messages of the sender, at most `MAX_STATUS_IDS`, of which no report has come.
    Inquiry(Vec<MessageId>),
    /// Of a kind that this version does not know; kept exactly.
    Unknown {
        /// Its kind.
        kind: u64,
        /// Its payload.
        bytes: Vec<u8>,
    },
}

impl Capsule {
    /// Encodes the items (CON-21).
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(self.items.len());
        for item in &self.items {
            writer.array(2).put(item.kind()).bytes(&item.payload());
        }
        writer.into_bytes()
    }

    /// Decodes what a peer sent (CON-21 to CON-32). What it accepts, [`Self::encode`] gives back byte for byte.
    ///
    /// # Errors
    /// [`ContentError`] for anything that [`Self::encode`] would not have made of in-bounds items. The MIMI
    /// content in a message is not looked at: it is decoded by itself, so that a bad one spoils no other item.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(ContentError::TooLarge);
        }
        Reader::whole(bytes, |reader| {
            let len = reader.array("capsule")?;
            if len > MAX_CAPSULE_ITEMS as u64 {
                return Err(ContentError::TooMany("items"));
            }
            let items: Vec<Item> = (0..len).map(|_| Item::read(reader)).collect::<Result<_, _>>()?;
            if items.iter().filter(|item| matches!(item, Item::Message { .. })).count() > MAX_CAPSULE_MESSAGES {
                return Err(ContentError::TooMany("messages"));
            }
            Ok(Self { items })
        })
    }
}

impl Item {
    fn kind(&self) -> u64 {
        match self {
            Self::Message { .. } => MESSAGE,
            Self::Introduction(_) => INTRODUCTION,
            Self::Status(_) => STATUS,
            Self::Profile(_) => PROFILE,
            Self::Accepted => ACCEPTED,
            Self::Reset => RESET,
            Self::Addresses(_) => ADDRESSES,
            Self::Card(_) => CARD,
            Self::Token(_) => TOKEN,
            Self::Inquiry(_) => INQUIRY,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    fn payload(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Message { sent_at, body } => {
                let mut writer = Writer::new();
                writer.array(2).put(sent_at.0).bytes(body);
                writer.into_bytes().into()
            }
            Self::Introduction(introduction) => introduction.encode().into(),
            Self::Status(report) => report.encode().into(),
            Self::Profile(profile) => profile.encode().into(),
            Self::Accepted | Self::Reset => Cow::default(),
            Self::Addresses(addrs) => {
                let mut writer = Writer::new();
                writer.array(addrs.len());
                for addr in addrs {
                    writer.put(addr.as_str());
                }
                writer.into_bytes().into()
            }
            Self::Card(bytes) | Self::Unknown { bytes, .. } => bytes.into(),
            Self::Token(token) => token.expose().as_slice().into(),
            Self::Inquiry(messages) => {
                let mut writer = Writer::new();
                writer.bytes(&concat(messages));
                writer.into_bytes().into()
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        reader.array_of(2, "item")?;
        let kind = reader.uint("kind of item")?;
        let payload = reader.bytes("item", MAX_PAYLOAD)?;
        Ok(match kind {
            MESSAGE => Reader::whole(payload, message)?,
            INTRODUCTION => Self::Introduction(Introduction::decode(payload)?),
            STATUS => Self::Status(StatusReport::decode(payload)?),
            PROFILE => Self::Profile(Profile::decode(payload)?),
            ACCEPTED | RESET if !payload.is_empty() => return Err(ContentError::TrailingBytes),
            ACCEPTED => Self::Accepted,
            RESET => Self::Reset,
            ADDRESSES => Self::Addresses(Reader::whole(payload, addresses)?),
            // CON-30: what is in it is looked at when it is verified.
            CARD if payload.is_empty() || payload.len() > MAX_CARD => return Err(ContentError::TooLong("card")),
            CARD => Self::Card(payload.to_vec()),
            // CON-31
            TOKEN => Self::Token(Secret::new(payload.try_into().map_err(|_| ContentError::Field("token"))?)),
            // CON-32
            INQUIRY => Self::Inquiry(Reader::whole(payload, |reader| ids(reader, "inquiry"))?),
            // CON-27
            _ => Self::Unknown { kind, bytes: payload.to_vec() },
        })
    }
}

/// CON-28.
fn addresses(reader: &mut Reader<'_>) -> Result<Vec<String>, ContentError> {
    let len = reader.array("addresses")?;
    if len > MAX_ADDRS as u64 {
        return Err(ContentError::TooMany("addresses"));
    }
    (0..len).map(|_| reader.text("address", MAX_ADDR_LEN).map(ToOwned::to_owned)).collect()
}

fn message(reader: &mut Reader<'_>) -> Result<Item, ContentError> {
    reader.array_of(2, "message item")?;
    let sent_at = WallTime(reader.uint("sent at")?);
    Ok(Item::Message { sent_at, body: reader.bytes("message body", MAX_PAYLOAD)?.to_vec() })
}

#[cfg(test)]
mod tests;
