//! Every label of this module: each use of a key has its own (SES-2).

/// PQXDH's root key (SES-13).
pub(super) const PQXDH: &[u8] = b"rohrpost/session/pqxdh/v1";
/// A root step by DH alone (SES-21).
pub(super) const ROOT_DH: &[u8] = b"rohrpost/session/root-dh/v1";
/// A root step by DH and ML-KEM (SES-22).
pub(super) const ROOT_KEM: &[u8] = b"rohrpost/session/root-kem/v1";
/// Key and nonce of one message's body (SES-24). With at most 22 bytes the second block of HKDF's output costs
/// one compression of SHA-256 less, for every message.
pub(super) const MESSAGE: &[u8] = b"rohrpost/session/mk/v1";
/// The associated data of a body (SES-25).
pub(super) const ASSOCIATED: &[u8] = b"rohrpost/session/associated-data/v1";

#[cfg(test)]
mod tests {
    use super::*;

    /// SES-2: no two uses share a label, and none is the beginning of another, as what follows it is not set off.
    #[test]
    fn every_use_has_a_label_of_its_own() {
        let labels = [PQXDH, ROOT_DH, ROOT_KEM, MESSAGE, ASSOCIATED];
        for (place, label) in labels.iter().enumerate() {
            assert!(label.starts_with(b"rohrpost/session/") && label.ends_with(b"/v1") && label.is_ascii());
            assert!(labels.iter().skip(place + 1).all(|other| !other.starts_with(label) && !label.starts_with(other)));
        }
    }
}
