//! What the fuzz targets need to get past signatures and checksums, behind which most of a decoder lies.

use super::keyfile::{CHECKSUM_LEN, checksum};
use super::{IdentityKeypair, card, link, prekey, record};
use crate::base::PeerId;

/// Any bytes as the body of a card, rightly signed.
pub(crate) fn signed_card(owner: &IdentityKeypair, body: &[u8]) -> Vec<u8> {
    record::sign(owner, card::LABEL, body)
}

/// Any bytes as the body of a one-time prekey, rightly signed.
pub(crate) fn signed_prekey(owner: &IdentityKeypair, body: &[u8]) -> Vec<u8> {
    record::sign(owner, prekey::LABEL, body)
}

/// Puts the right checksum at the end of what may be a key file.
pub(crate) fn right_checksum(file: &mut [u8]) {
    if let Some((rest, stored)) = file.split_last_chunk_mut::<CHECKSUM_LEN>() {
        *stored = checksum(rest, &[]);
    }
}

/// Any bytes as the hints of a link, with the right check.
pub(crate) fn checked_link(peer: &PeerId, hints: &[u8]) -> String {
    link::text(peer, hints)
}
