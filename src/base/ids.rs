//! Identifiers: a newtype for each, so that one cannot stand where another belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes before the public key in a libp2p peer ID of an Ed25519 key: identity multihash of 36
/// bytes, holding the protobuf `{type: Ed25519, data: 32 bytes}`.
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Characters of a peer ID of this kind.
const PEER_ID_CHARS: usize = 52;
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// As many digits as fit into 32 bits…
const DIGITS_A_PLACE: usize = 5;
/// …and how many numbers they make.
const PLACE: u64 = 58_u64.pow(5);

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not base58 text of the form `12D3KooW…`.
    #[error("'{0}' is not a peer ID")]
    PeerId(String),
    /// A peer ID, but not of an Ed25519 key.
    #[error("this peer ID does not carry an Ed25519 key")]
    KeyType,
    /// Not the hexadecimal form with the right length.
    #[error("not an identifier of {expected} hexadecimal digits")]
    Hex {
        /// How many digits the identifier has.
        expected: usize,
    },
}

/// A peer: the Ed25519 public key of its identity, which is also its libp2p peer ID
/// (identity multihash, so that the key is recoverable from the ID).
///
/// The bytes are not yet known to be a sound key; `identity::IdentityKey` is the checked form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// From the 32 bytes of the Ed25519 public key.
    pub const fn from_key_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the Ed25519 public key.
    pub const fn key_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 38 bytes of the libp2p peer ID (a multihash).
    pub fn to_multihash(&self) -> [u8; 38] {
        let mut out = [0; 38];
        let (prefix, key) = out.split_at_mut(PEER_ID_PREFIX.len());
        prefix.copy_from_slice(&PEER_ID_PREFIX);
        key.copy_from_slice(&self.0);
        out
    }

    /// From the bytes of a libp2p peer ID.
    ///
    /// # Errors
    /// [`IdError::KeyType`] when it is not the identity multihash of an Ed25519 key.
    pub fn from_multihash(bytes: &[u8]) -> Result<Self, IdError> {
        let key = bytes.strip_prefix(&PEER_ID_PREFIX[..]).ok_or(IdError::KeyType)?;
        key.try_into().map(Self).map_err(|_| IdError::KeyType)
    }

    /// The textual form: the multihash in base58. Made for this one length: every message and event names peers, and
    /// for any length it takes six times as long.
    fn text(&self) -> [u8; PEER_ID_CHARS] {
        // A number in places of 58⁵, the lowest first, to which four bytes at a time are appended.
        let mut places = [0_u32; PEER_ID_CHARS.div_ceil(DIGITS_A_PLACE)];
        let multihash = self.to_multihash();
        let (head, words) = multihash.as_rchunks::<4>();
        let head = head.iter().fold(0, |head, byte| head << 8 | u32::from(*byte));
        for word in std::iter::once(head).chain(words.iter().map(|word| u32::from_be_bytes(*word))) {
            let mut carry = u64::from(word);
            for place in &mut places {
                let longer = u64::from(*place) << 32 | carry;
                // Less than PLACE, and so less than 2³².
                *place = u32::try_from(longer % PLACE).unwrap_or_default();
                carry = longer / PLACE;
            }
        }
        // What is left in front is the zero with which the multihash begins.
        let mut text = [BASE58[0]; PEER_ID_CHARS];
        let digits = places.into_iter().flat_map(|place| {
            (0..DIGITS_A_PLACE).scan(place, |left, _| {
                let digit = *left % 58;
                *left /= 58;
                Some(digit)
            })
        });
        for (to, digit) in text.iter_mut().rev().zip(digits) {
            *to = BASE58.get(digit as usize).copied().unwrap_or_default();
        }
        text
    }

    /// The last characters of the textual form: enough to tell two peers of one name apart.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text.get(text.len().saturating_sub(8)..).unwrap_or_default().to_owned()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId(…{})", self.short())
    }
}

impl FromStr for PeerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::PeerId(text.chars().take(64).collect());
        // A peer ID of this kind has 52 characters; anything far longer is not worth decoding.
        if text.len() > 64 {
            return Err(wrong());
        }
        let bytes = bs58::decode(text).into_vec().map_err(|_| wrong())?;
        match Self::from_multihash(&bytes) {
            Ok(peer) => Ok(peer),
            // A CIDv1 or an RSA/secp256k1 peer ID decodes, but is none of ours.
            Err(_) if matches!(bytes.as_slice(), [0x00, 0x25, ..] | [0x12, 0x20, ..]) => Err(IdError::KeyType),
            Err(_) => Err(wrong()),
        }
    }
}

/// In texts an identifier is its text, in rows its bytes.
macro_rules! text_or_bytes {
    ($name:ident, $len:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    String::deserialize(d)?.parse().map_err(de::Error::custom)
                } else {
                    <[u8; $len]>::deserialize(d).map(Self)
                }
            }
        }
    };
}
text_or_bytes!(PeerId, 32);

/// In the local API an identifier, or a time, is a text.
#[cfg(feature = "api")]
macro_rules! is_text {
    ($($name:ident),+) => { $(
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                String::schema_name()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    )+ };
}
#[cfg(feature = "api")]
pub(super) use is_text;
#[cfg(feature = "api")]
is_text!(PeerId, MessageId);

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// From its bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut out = [0; $len];
                parse_hex(text, &mut out)?;
                Ok(Self(out))
            }
        }

        text_or_bytes!($name, $len);
    };
}

byte_id!(
    /// A conversation; that of two people has the key of the other one, and that with oneself the own. People see the peer ID.
    RoomId,
    32
);

impl RoomId {
    /// The conversation of two.
    pub const fn direct(peer: PeerId) -> Self {
        Self(peer.0)
    }

    /// With whom the conversation of two is.
    pub const fn peer(&self) -> PeerId {
        PeerId(self.0)
    }
}

byte_id!(
    /// A message in a conversation: `0x01 ‖ SHA-256(…)[0..31]` (MIMI content, section 3.3).
    MessageId,
    32
);
byte_id!(
    /// An envelope on the wire: SHA-256 of its unsealed form; the mark by which a second copy is known.
    EnvelopeId,
    32
);
byte_id!(
    /// A session between two parties: the first 16 bytes of the handshake's transcript hash.
    SessionId,
    16
);

byte_id!(
    /// A group: the ID of the operation that creates it, so that it has one beginning.
    GroupId,
    32
);
byte_id!(
    /// An operation in the log of a group: SHA-256 of its body (GRP-3).
    OperationId,
    32
);

impl GroupId {
    /// The operation that creates it.
    pub const fn create(self) -> OperationId {
        OperationId(self.0)
    }
}

/// Reads two hexadecimal digits for each byte.
pub(crate) fn parse_hex(text: &str, out: &mut [u8]) -> Result<(), IdError> {
    let wrong = IdError::Hex { expected: out.len() * 2 };
    if text.len() != out.len() * 2 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    for (at, byte) in out.iter_mut().enumerate() {
        let pair = text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        *byte = pair.ok_or_else(|| wrong.clone())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the libp2p peer ID specification: the Ed25519 test key.
    const KEY: &str = "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";

    #[test]
    fn peer_id_is_the_libp2p_form() {
        let mut key = [0; 32];
        parse_hex(KEY, &mut key).unwrap();
        let peer = PeerId::from_key_bytes(key);
        let text = peer.to_string();
        assert!(text.starts_with("12D3KooW") && text.len() == 52, "{text}");
        assert_eq!(text.parse::<PeerId>().unwrap(), peer);
    }

    proptest! {
        #[test]
        fn the_text_is_the_base58_of_the_multihash(key: [u8; 32]) {
            let peer = PeerId::from_key_bytes(key);
            prop_assert_eq!(peer.to_string(), bs58::encode(peer.to_multihash()).into_string());
        }
    }

    #[test]
    fn the_first_and_the_last_peer_id_have_their_text() {
        for key in [[0; 32], [0xff; 32]] {
            let peer = PeerId::from_key_bytes(key);
            assert_eq!(peer.to_string(), bs58::encode(peer.to_multihash()).into_string());
        }
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        assert!(matches!("".parse::<PeerId>(), Err(IdError::PeerId(_))));
        assert!(matches!("alice".parse::<PeerId>(), Err(IdError::PeerId(_))));
        assert!(matches!("1".repeat(5000).parse::<PeerId>(), Err(IdError::PeerId(s)) if s.len() == 64));
        // An RSA peer ID: SHA-256 multihash.
        assert_eq!("QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC".parse::<PeerId>(), Err(IdError::KeyType));
    }

    #[test]
    fn hex_ids_parse_back_and_refuse_the_rest() {
        let id = SessionId::new([0xa5; 16]);
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        for bad in ["", "a5", &"+5".repeat(16), &"zz".repeat(16), &"a5".repeat(17), &"é".repeat(16)] {
            assert_eq!(bad.parse::<SessionId>(), Err(IdError::Hex { expected: 32 }), "{bad}");
        }
    }

    #[test]
    fn serde_is_text_for_people_and_bytes_for_rows() {
        let peer = PeerId::from_key_bytes([7; 32]);
        assert_eq!(serde_json::to_string(&peer).unwrap(), format!("\"{peer}\""));
        assert_eq!(postcard::to_allocvec(&peer).unwrap(), vec![7; 32]);
    }
}
