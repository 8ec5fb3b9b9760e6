//! The seal: an envelope as a mailbox keeps it (`docs/protocol/envelope.md`, "Seal"). It hides the sender and the
//! envelope from the mailbox; it proves nothing about who sealed it.

use crate::base::limits::{MAX_ENVELOPE, MIN_ENVELOPE};
use crate::base::{CryptoRng, PeerId};
use crate::crypto::aead::{self, AeadKey, TAG_LEN};
use crate::crypto::dh::{DhPublic, DhSecret};
use crate::crypto::kdf::hkdf_parts;
use crate::identity::PrekeyId;

/// The label of the seal's key (ENV-13).
const LABEL: &[u8] = b"rohrpost/envelope/seal/v1";
/// The version of the seal.
const VERSION: u8 = 1;
/// Bytes of a queue ID.
const QUEUE_LEN: usize = 16;
/// `version ‖ queue ‖ seal key id ‖ e`
const HEADER_LEN: usize = 1 + QUEUE_LEN + 8 + 32;
/// Bytes of the sender's key, before the envelope.
const SENDER_LEN: usize = 32;
/// Bytes that the seal adds.
pub const OVERHEAD: usize = HEADER_LEN + SENDER_LEN + TAG_LEN;

/// Every seal has a key of its own, made from a fresh `e`: the nonce need not differ.
const NONCE: [u8; 12] = [0; 12];

/// Why something could not be sealed, or bytes are no sealed envelope, in the order in which it is checked (ENV-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Larger than any sealed envelope.
    #[error("the sealed envelope is too large")]
    TooLarge,
    /// Of a version we do not know.
    #[error("unknown seal version {0}")]
    UnknownVersion(u8),
    /// Too short.
    #[error("malformed sealed envelope")]
    Malformed,
    /// The seal key, or the key made for this seal, is a point of low order.
    #[error("the key of the seal is not sound")]
    Key,
    /// It was made for another key, or changed on its way.
    #[error("the seal does not open")]
    Authentication,
}

/// A sealed envelope, not opened.
#[derive(Clone, Copy, Debug)]
pub struct SealedIn<'a> {
    queue: &'a [u8; QUEUE_LEN],
    seal_id: PrekeyId,
    ephemeral: DhPublic,
    /// The associated data: all before the ciphertext.
    header: &'a [u8],
    ciphertext: &'a [u8],
}

/// Seals an encoded envelope, whole and padded (ENV-12), for a mailbox. `queue`, `seal_id` and `seal_key` are of the recipient's card.
///
/// # Errors
/// [`SealError::TooLarge`] when `envelope` is no envelope of ours; [`SealError::Key`] when the seal key is unsound.
pub fn seal(
    queue: &[u8; QUEUE_LEN],
    seal_id: PrekeyId,
    seal_key: &DhPublic,
    sender: PeerId,
    envelope: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SealError> {
    if envelope.len() + OVERHEAD > MAX_ENVELOPE {
        return Err(SealError::TooLarge);
    }
    let secret = DhSecret::generate(rng);
    let ephemeral = secret.public();
    let key = key(&secret, seal_key, &ephemeral, seal_key)?;
    // version ‖ queue ‖ seal key id ‖ e ‖ AEAD(sender ‖ envelope)
    let mut out = Vec::with_capacity(envelope.len() + OVERHEAD);
    out.push(VERSION);
    out.extend_from_slice(queue);
    out.extend_from_slice(&seal_id.0.to_be_bytes());
    out.extend_from_slice(&ephemeral.0);
    let plaintext = [sender.key_bytes().as_slice(), envelope].concat();
    // ENV-14: all before the ciphertext is bound.
    let ciphertext = aead::seal(&key, &NONCE, &plaintext, &out);
    out.extend_from_slice(&ciphertext);
    Ok(out)
}

/// `HKDF(salt = 0³², DH(e, seal key), label ‖ e ‖ seal key)`; each side has the secret half of one of the two.
fn key(mine: &DhSecret, theirs: &DhPublic, ephemeral: &DhPublic, seal_key: &DhPublic) -> Result<AeadKey, SealError> {
    // ENV-16
    let shared = mine.exchange(theirs).map_err(|_| SealError::Key)?;
    Ok(hkdf_parts(&[0; 32], shared.expose(), &[LABEL, &ephemeral.0, &seal_key.0]))
}

impl<'a> SealedIn<'a> {
    /// Takes apart what came from a mailbox, or is to be kept by one. Authenticates nothing.
    ///
    /// # Errors
    /// [`SealError`], with the first check that failed (ENV-11).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, SealError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(SealError::TooLarge);
        }
        let malformed = SealError::Malformed;
        let (&version, rest) = bytes.split_first().ok_or(malformed)?;
        if version != VERSION {
            return Err(SealError::UnknownVersion(version));
        }
        if bytes.len() < OVERHEAD + MIN_ENVELOPE {
            return Err(malformed);
        }
        let (queue, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (seal_id, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (ephemeral, ciphertext) = rest.split_first_chunk().ok_or(malformed)?;
        let header = bytes.get(..HEADER_LEN).ok_or(malformed)?;
        let seal_id = PrekeyId(u64::from_be_bytes(*seal_id));
        Ok(Self { queue, seal_id, ephemeral: DhPublic(*ephemeral), header, ciphertext })
    }

    /// The queue in which it waits.
    pub const fn queue(&self) -> &[u8; QUEUE_LEN] {
        self.queue
    }

    /// Names the key that opens it.
    pub const fn seal_id(&self) -> PrekeyId {
        self.seal_id
    }

    /// Opens it: the sender it names, and the encoded envelope. The sender is a claim until a session or a group
    /// has opened the envelope as from that peer (ENV-15).
    ///
    /// # Errors
    /// [`SealError::Key`], [`SealError::Authentication`].
    pub fn open(&self, seal_key: &DhSecret) -> Result<(PeerId, Vec<u8>), SealError> {
        let key = key(seal_key, &self.ephemeral, &self.ephemeral, &seal_key.public())?;
        let mut plaintext =
            aead::open(&key, &NONCE, self.ciphertext, self.header).map_err(|_| SealError::Authentication)?;
        // `decode` saw to the length.
        let sender = *plaintext.first_chunk().ok_or(SealError::Malformed)?;
        plaintext.drain(..SENDER_LEN);
        Ok((PeerId::from_key_bytes(sender), plaintext))
    }
}

#[cfg(test)]
mod tests;
