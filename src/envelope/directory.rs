//! Under which keys things stand in the DHT (docs/protocol/network.md, section 7).

use crate::base::PeerId;
use crate::crypto::hash::sha256;

/// The name under which libp2p negotiates our DHT.
pub const PROTOCOL: &str = "/rohrpost/kad/1";

/// Where the card of a peer stands (NET-52): `SHA-256("rohrpost-card-v1" ‖ identity public key)`.
pub fn card_key(owner: &PeerId) -> [u8; 32] {
    sha256(&[b"rohrpost-card-v1", owner.key_bytes()])
}

/// Where mailboxes stand that serve everybody (NET-59): `SHA-256("rohrpost-mailboxes-v1")`.
pub fn mailboxes_key() -> [u8; 32] {
    sha256(&[b"rohrpost-mailboxes-v1"])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NET-52, NET-59: computed by another implementation.
    #[test]
    fn keys_are_the_documented_ones() {
        let hex = |key: [u8; 32]| key.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(card_key(&PeerId::from_key_bytes([7; 32]))),
            "a76d08ff0ff3a07fb75d9bcb452403fe12d1cb298ad63cbbd917ec0299411c2c"
        );
        assert_eq!(hex(mailboxes_key()), "c97933906626691246b6400ccc1d59e9587d9c0b974aa9ec68b434df199a9f71");
    }
}
