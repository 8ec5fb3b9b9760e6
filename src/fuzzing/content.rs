//! What a message says.

use super::Bytes;
use crate::base::PeerId;
use crate::content::mimi::Act;
use crate::content::{Capsule, Item, MimiContent};

/// MIMI content, or a capsule with receipts, profile and whatever else is in it.
pub(super) fn content(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 2 {
        0 => mimi(bytes.0),
        _ => {
            let Ok(capsule) = Capsule::decode(bytes.0) else { return false };
            // CON-21: what it accepts it gives back byte for byte.
            assert_eq!(capsule.encode(), bytes.0);
            for item in &capsule.items {
                if let Item::Message { body, .. } = item {
                    mimi(body);
                }
                assert!(!format!("{item:?}").is_empty());
            }
            true
        }
    }
}

fn mimi(bytes: &[u8]) -> bool {
    let Ok(content) = MimiContent::decode(bytes) else { return false };
    // CON-3: one encoding for each content.
    assert_eq!(content.encode(), bytes);
    let peer = PeerId::from_key_bytes([1; 32]);
    let (sender, room) = (crate::content::sender_uri(peer), crate::content::direct_room_uri(peer, peer));
    assert_eq!(content.message_id(&sender, &room, bytes).as_bytes()[0], 1);
    if let Act::React { symbols, .. } = content.act() {
        assert!(!symbols.is_empty() && symbols.iter().all(|symbol| !symbol.is_empty()));
    }
    let _ = (content.as_text(), content.counter(), content.part.media_type());
    assert!(!format!("{content:?}").is_empty());
    true
}
