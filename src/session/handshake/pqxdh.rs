//! The key agreement itself.

use zeroize::Zeroizing;

use super::bundle::{RemoteBundle, ResponderKeys};
use super::first_contact::{FirstContact, VERSION};
use crate::base::{CryptoRng, PeerId, SessionId};
use crate::crypto::dh::{DhPublic, DhSecret, SharedSecret};
use crate::crypto::hash::sha256;
use crate::crypto::kdf::hkdf_parts;
use crate::crypto::kem::{KemPublic, KemShared};
use crate::identity::{IdentityKey, IdentityKeypair};
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

    // DH1 = DH(IK_A, SPK_B), DH2 = DH(EK_A, IK_B), DH3 = DH(EK_A, SPK_B), DH4 = DH(EK_A, OPK_B)
    let dh = [
        Some(me.dh_secret().exchange(&bundle.prekey)?),
        Some(secret.exchange(&bundle.identity.dh_public())?),
        Some(secret.exchange(&bundle.prekey)?),
        one_time.map(|pair| secret.exchange(&pair.dh)).transpose()?,
    ];
    let first = FirstContact {
        initiator: me.peer_id(),
        ephemeral,
        prekey_id: bundle.prekey_id,
        one_time: one_time.is_some(),
        kem_id: one_time.map_or(bundle.kem_id, |pair| pair.id),
        ct,
    };
    let transcript = transcript(&first, bundle.identity.peer_id(), &bundle.prekey, one_time.map(|pair| pair.dh), kem);
    Ok((agree(&transcript, &dh, &kem_shared), first))
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
    // The same, from the other side.
    let dh = [
        Some(keys.prekey.exchange(&peer.dh_public())?),
        Some(me.dh_secret().exchange(&first.ephemeral)?),
        Some(keys.prekey.exchange(&first.ephemeral)?),
        keys.one_time.map(|secret| secret.exchange(&first.ephemeral)).transpose()?,
    ];
    let (prekey, one_time) = (keys.prekey.public(), keys.one_time.map(DhSecret::public));
    let transcript = transcript(first, me.peer_id(), &prekey, one_time, &keys.kem.public());
    Ok(agree(&transcript, &dh, &keys.kem.decapsulate(&first.ct)))
}

/// The transcript hash (SES-12): every part has a fixed length. The header only names the public keys of the responder.
fn transcript(
    first: &FirstContact,
    responder: PeerId,
    prekey: &DhPublic,
    one_time: Option<DhPublic>,
    kem: &KemPublic,
) -> [u8; 32] {
    // H = SHA-256(version ‖ IK_A ‖ IK_B ‖ SPK_B ‖ OPK flag ‖ OPK_B or 0³² ‖ EK_A ‖ prekey id ‖ kem id ‖ ek ‖ ct)
    sha256(&[
        &[VERSION],
        first.initiator.key_bytes(),
        responder.key_bytes(),
        &prekey.0,
        &[u8::from(one_time.is_some())],
        &one_time.map_or([0; 32], |key| key.0),
        &first.ephemeral.0,
        &first.prekey_id.0.to_be_bytes(),
        &first.kem_id.0.to_be_bytes(),
        kem.as_bytes(),
        first.ct.as_bytes(),
    ])
}

/// Root key and session ID, from DH1 to DH4 (SES-13).
fn agree(transcript: &[u8; 32], dh: &[Option<SharedSecret>; 4], kem: &KemShared) -> Agreed {
    // IKM = 0xFF³² ‖ DH1 ‖ DH2 ‖ DH3 ‖ [DH4] ‖ ss
    let mut ikm = Zeroizing::new(Vec::with_capacity(6 * 32));
    ikm.extend_from_slice(&[0xff; 32]);
    dh.iter().flatten().for_each(|secret| ikm.extend_from_slice(secret.expose()));
    ikm.extend_from_slice(kem.expose());
    // RK = HKDF(salt = 0³², IKM, info = label ‖ H)
    let root = hkdf_parts(&[0; 32], &ikm, &[label::PQXDH, transcript]);
    // session ID = H[0..16]
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *transcript;
    let id = SessionId::new([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
    Agreed { id, root: RootKey(root) }
}
