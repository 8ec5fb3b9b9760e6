//! The first-contact header, which the initiator repeats until a reply opens, and the message behind it.

use serde::{Deserialize, Serialize};

use crate::base::limits::MAX_PAYLOAD;
use crate::base::{PeerId, SessionId};
use crate::crypto::dh::DhPublic;
use crate::crypto::hash::sha256;
use crate::crypto::kem::{CT_LEN, KemCiphertext};
use crate::identity::PrekeyId;
use crate::session::SessionError;
use crate::session::ratchet::{MessageIn, take};

/// The version of the handshake, also the first byte of the transcript.
pub(super) const VERSION: u8 = 1;
/// Bytes of the header.
pub(in crate::session) const FIRST_CONTACT_LEN: usize = 1 + 1 + 32 + 32 + 8 + 8 + CT_LEN;

const FLAG_ONE_TIME: u8 = 1;

/// The first-contact header (SES-11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstContact {
    /// `IK_A`: who says that he began, to be the authenticated sender.
    pub initiator: PeerId,
    /// `EK_A`: with the prekey's ID the mark by which a second use of a card's prekey is refused.
    pub ephemeral: DhPublic,
    /// Names `SPK_B`.
    pub prekey_id: PrekeyId,
    /// Whether a one-time pair was used.
    pub one_time: bool,
    /// Names the ML-KEM key: the one-time pair, if one was used, else the card's key.
    pub kem_id: PrekeyId,
    /// The ML-KEM ciphertext.
    pub ct: KemCiphertext,
}

impl FirstContact {
    /// Appends version ‖ flags ‖ IK_A ‖ EK_A ‖ prekey id ‖ kem id ‖ ct.
    pub(in crate::session) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, if self.one_time { FLAG_ONE_TIME } else { 0 }]);
        out.extend_from_slice(self.initiator.key_bytes());
        out.extend_from_slice(&self.ephemeral.0);
        out.extend_from_slice(&self.prekey_id.0.to_be_bytes());
        out.extend_from_slice(&self.kem_id.0.to_be_bytes());
        out.extend_from_slice(self.ct.as_bytes());
    }

    fn parse(rest: &mut &[u8]) -> Result<Self, SessionError> {
        match *take(rest)? {
            [VERSION] => {}
            [other] => return Err(SessionError::UnknownVersion(other)),
        }
        let one_time = match *take(rest)? {
            [0] => false,
            [FLAG_ONE_TIME] => true,
            _ => return Err(SessionError::Malformed),
        };
        Ok(Self {
            one_time,
            initiator: PeerId::from_key_bytes(*take(rest)?),
            ephemeral: DhPublic(*take(rest)?),
            prekey_id: PrekeyId(u64::from_be_bytes(*take(rest)?)),
            kem_id: PrekeyId(u64::from_be_bytes(*take(rest)?)),
            ct: KemCiphertext::from_bytes(take::<CT_LEN>(rest)?)?,
        })
    }
}

/// A first contact as it came: nothing in it is authenticated before
/// [`SessionSet::open_first`](crate::session::SessionSet::open_first) has opened it.
#[derive(Clone, Debug)]
pub struct FirstContactIn {
    /// The header, which the initiator repeats.
    pub header: FirstContact,
    /// The session that the message behind it says it belongs to. When that one is known, no keys are needed.
    pub session: SessionId,
    /// SHA-256 of the header: by it a repetition is known.
    pub(in crate::session) fingerprint: [u8; 32],
    pub(in crate::session) message: Vec<u8>,
}

impl FirstContactIn {
    /// Takes the payload of a first-contact envelope apart.
    ///
    /// # Errors
    /// [`SessionError::TooLarge`], [`SessionError::UnknownVersion`], [`SessionError::Malformed`] (SES-11).
    pub fn parse(bytes: &[u8]) -> Result<Self, SessionError> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(SessionError::TooLarge { len: bytes.len(), max: MAX_PAYLOAD });
        }
        let mut rest = bytes;
        let header = FirstContact::parse(&mut rest)?;
        let session = MessageIn::parse(rest)?.header.session;
        let (header_bytes, message) = bytes.split_at(bytes.len() - rest.len());
        Ok(Self { header, fingerprint: sha256(&[header_bytes]), session, message: message.to_vec() })
    }

    /// The one-time prekey that was used, if any.
    pub fn one_time_id(&self) -> Option<PrekeyId> {
        self.header.one_time.then_some(self.header.kem_id)
    }
}
