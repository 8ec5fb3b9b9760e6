//! Seeds of what mailboxes and the hash table answer: each byte as `fuzzing::answers` reads it.

use super::Seeds;

pub(super) fn answers() -> Seeds {
    // A card is found, a mailbox has no prekey, what is left there is stored.
    const FOUND: &[u8] = &[4, 0, 0, 0, 0];
    const NO_PREKEY: &[u8] = &[0, 0, 4, 0, 0, 0, 0, 0];
    const WAIT: &[u8] = &[35, 13];
    let all = [
        ("found", [FOUND, WAIT].concat()),
        ("not-found", [&[5, 9], WAIT, &[4, 8, 2, 1, 1]].concat()),
        ("forged", [4, 0, 1, 7, 1].to_vec()),
        ("prekey", [FOUND, &[0, 0, 4, 1, 0, 0, 0, 0], WAIT].concat()),
        ("stored", [FOUND, NO_PREKEY, NO_PREKEY, NO_PREKEY, WAIT, &[0, 0, 3, 0, 0, 3, 0, 0, 3]].concat()),
        ("work", [FOUND, NO_PREKEY, NO_PREKEY, WAIT, &[0, 9, 9, 3, 0, 1, 9, 23], WAIT, WAIT].concat()),
        ("full", [FOUND, NO_PREKEY, NO_PREKEY, WAIT, &[0, 1, 6, 0, 9, 0, 0, 0, 6, 9, 9, 9]].concat()),
        ("page", [&[0, 0, 2, 3, 100, 1, 0, 1, 2, 0, 1, 2, 6, 90, 1, 0, 3], WAIT].concat()),
        ("no-box", [&[0, 0, 5, 0, 0, 5, 0, 0, 1, 0, 100], WAIT, &[35, 16]].concat()),
        ("refused", [&[0, 0, 8, 0, 0, 8], WAIT, &[35, 27, 7, 0]].concat()),
        ("noise", [&[3, 0, 4, 1, 2, 3, 4, 2, 0, 10, 1, 5, 3], WAIT, &[9, 11, 6, 8, 0]].concat()),
    ];
    all.map(|(name, bytes)| (name.to_owned(), bytes)).to_vec()
}
