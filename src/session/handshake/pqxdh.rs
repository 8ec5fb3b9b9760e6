//! The key agreement itself.

use zeroize::Zeroizing;

use super::bundle::{RemoteBundle, ResponderKeys};
use super::first_contact::{FirstContact, VERSION};
use crate::base::{CryptoRng, PeerId, SessionId};
use crate::crypto::dh::{DhPublic, DhSecret, SharedSecret};
use crate::crypto::hash::sha256;
use crate::crypto::kdf::hkdf_parts;
use crate::crypto::kem::{EK_LEN, KemShared};
use crate::identity::{IdentityKey, IdentityKeypair, PrekeyId};
use crate::session::SessionError;
use crate::session::label;
use crate::session::ratchet::RootKey;

/// What both sides have after the handshake.
#[derive(Debug)]
pub(in crate::session) struct Agreed {
    pub(in crate::session) id: SessionId,
    pub(in crate::session) root: RootKey,
}

/// The initiator's half (SES-10 to SES-13).
pub(in crate::session) fn begin(
    me: &IdentityKeypair,
    bundle: &RemoteBundle,
    rng: &mut dyn CryptoRng,
) -> Result<(Agreed, FirstContact), SessionError> {
    let one_time = bundle.one_time.as_ref();
    let kem = one_time.map_or(&bundle.kem, |pair| &pair.kem);
    let secret = DhSecret::generate(rng);
    let ephemeral = secret.public();
    let (ct, kem_shared) = kem.encapsulate(rng);

    let shared = Shared {
        // DH1 = DH(IK_A, SPK_B)
        identity_prekey: me.dh_secret().exchange(&bundle.prekey)?,
        // DH2 = DH(EK_A, IK_B)
        ephemeral_identity: secret.exchange(&bundle.identity.dh_public())?,
        // DH3 = DH(EK_A, SPK_B)
        ephemeral_prekey: secret.exchange(&bundle.prekey)?,
        // DH4 = DH(EK_A, OPK_B)
        ephemeral_one_time: one_time.map(|pair| secret.exchange(&pair.dh)).transpose()?,
        kem: kem_shared,
    };
    let first = FirstContact {
        initiator: me.peer_id(),
        ephemeral,
        prekey_id: bundle.prekey_id,
        one_time: one_time.is_some(),
        kem_id: one_time.map_or(bundle.kem_id, |pair| pair.id),
        ct,
    };
    let responder = ResponderPublic {
        identity: bundle.identity.peer_id(),
        prekey: bundle.prekey,
        one_time: one_time.map(|pair| pair.dh),
        kem: kem.as_bytes(),
    };
    Ok((shared.agree(&transcript(&first, &responder)), first))
}

/// The responder's half (SES-12 to SES-15).
pub(in crate::session) fn accept(
    me: &IdentityKeypair,
    peer: &IdentityKey,
    first: &FirstContact,
    keys: &ResponderKeys<'_>,
) -> Result<Agreed, SessionError> {
    if first.one_time != keys.one_time.is_some() {
        return Err(SessionError::NeedsKeys);
    }
    let shared = Shared {
        // DH1 = DH(SPK_B, IK_A)
        identity_prekey: keys.prekey.exchange(&peer.dh_public())?,
        // DH2 = DH(IK_B, EK_A)
        ephemeral_identity: me.dh_secret().exchange(&first.ephemeral)?,
        // DH3 = DH(SPK_B, EK_A)
        ephemeral_prekey: keys.prekey.exchange(&first.ephemeral)?,
        // DH4 = DH(OPK_B, EK_A)
        ephemeral_one_time: keys.one_time.map(|secret| secret.exchange(&first.ephemeral)).transpose()?,
        kem: keys.kem.decapsulate(&first.ct),
    };
    let kem = keys.kem.public();
    let responder = ResponderPublic {
        identity: me.peer_id(),
        prekey: keys.prekey.public(),
        one_time: keys.one_time.map(DhSecret::public),
        kem: kem.as_bytes(),
    };
    Ok(shared.agree(&transcript(first, &responder)))
}

/// The responder's public keys that the first-contact header only names.
struct ResponderPublic<'a> {
    identity: PeerId,
    prekey: DhPublic,
    one_time: Option<DhPublic>,
    kem: &'a [u8; EK_LEN],
}

/// The transcript hash (SES-12): every part has a fixed length.
fn transcript(first: &FirstContact, responder: &ResponderPublic<'_>) -> [u8; 32] {
    let PrekeyId(prekey_id) = first.prekey_id;
    let PrekeyId(kem_id) = first.kem_id;
    // H = SHA-256(version ‖ IK_A ‖ IK_B ‖ SPK_B ‖ OPK flag ‖ OPK_B or 0³² ‖ EK_A ‖ prekey id ‖ kem id ‖ ek ‖ ct)
    sha256(&[
        &[VERSION],
        first.initiator.key_bytes(),
        responder.identity.key_bytes(),
        &responder.prekey.0,
        &[u8::from(responder.one_time.is_some())],
        &responder.one_time.map_or([0; 32], |key| key.0),
        &first.ephemeral.0,
        &prekey_id.to_be_bytes(),
        &kem_id.to_be_bytes(),
        responder.kem,
        first.ct.as_bytes(),
    ])
}

/// The shared secrets, in the order of the formula.
struct Shared {
    identity_prekey: SharedSecret,
    ephemeral_identity: SharedSecret,
    ephemeral_prekey: SharedSecret,
    ephemeral_one_time: Option<SharedSecret>,
    kem: KemShared,
}

impl Shared {
    /// Root key and session ID (SES-13).
    fn agree(&self, transcript: &[u8; 32]) -> Agreed {
        // IKM = 0xFF³² ‖ DH1 ‖ DH2 ‖ DH3 ‖ [DH4] ‖ ss
        let mut ikm = Zeroizing::new(Vec::with_capacity(6 * 32));
        ikm.extend_from_slice(&[0xff; 32]);
        for secret in [&self.identity_prekey, &self.ephemeral_identity, &self.ephemeral_prekey] {
            ikm.extend_from_slice(secret.expose());
        }
        if let Some(secret) = &self.ephemeral_one_time {
            ikm.extend_from_slice(secret.expose());
        }
        ikm.extend_from_slice(self.kem.expose());
        // RK = HKDF(salt = 0³², IKM, info = label ‖ H)
        let root = hkdf_parts(&[0; 32], &ikm, &[label::PQXDH, transcript]);
        // session ID = H[0..16]
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *transcript;
        let id = SessionId::new([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
        Agreed { id, root: RootKey::new(root) }
    }
}
