//! Names that people give themselves and each other: when two are the same, and which could be taken for something else.

use unicode_normalization::UnicodeNormalization;

use super::PeerId;

/// A name as it is compared: in NFC, caseless, without what cannot be seen and without blanks beyond one between words. Two
/// names are the same when these are.
pub fn folded(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    // By way of capitals, so that ς is σ and ß is ss.
    let caseless = visible.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let composed: String = caseless.nfc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether oneself is meant.
pub fn is_me(name: &str) -> bool {
    folded(name) == "me"
}

/// Why a name could be taken for something else at the prompt or in our tables; `None`: it can stand for its owner. One that
/// is odd is not given to anybody; of others it is shown quoted, and means nobody.
pub fn oddity(name: &str) -> Option<&'static str> {
    let name = name.trim();
    let plain = folded(name);
    if plain.is_empty() {
        return (!name.is_empty()).then_some("nothing of it can be seen");
    }
    if name.contains([',', '#', '@', '…']) {
        return Some("a comma, #, @ or … stands in it");
    }
    if plain.starts_with(['-', '.']) {
        return Some("it begins with - or a full stop");
    }
    if is_me(name) {
        return Some("`me` is oneself");
    }
    if plain.contains("rohrpost:") || plain.starts_with("12d3koow") || name.parse::<PeerId>().is_ok() {
        return Some("it looks like a peer ID or a link");
    }
    let blanks = |pair: &[char]| pair.iter().all(|c| c.is_whitespace());
    let chars: Vec<char> = name.chars().collect();
    if chars.windows(2).any(blanks) || chars.contains(&'⏎') {
        return Some("it looks like columns or lines of a table");
    }
    None
}

/// Characters without a look of their own: zero-width, bidirectional controls, fillers, tags, selectors, line separators,
/// non-characters.
pub const fn is_invisible(c: char) -> bool {
    matches!(c as u32,
        0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
        | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
        | 0xFFA0 | 0xFFF0..=0xFFFB | 0xFFFE | 0xFFFF | 0xFDD0..=0xFDEF | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
        || c as u32 & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_look_alike_are_the_same() {
        for (one, other) in [
            ("José", "Jose\u{301}"),
            ("BOB", "bob"),
            ("ΰ", "Ϋ\u{301}"),
            ("Straße", "STRASSE"),
            ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
            ("Bo\u{200B}b", "Bob"),
            ("\u{202E}Bob\u{FEFF}", "Bob"),
            ("Jose\u{200D}\u{301}", "José"),
            (" Bob   Smith ", "bob smith"),
        ] {
            assert_eq!(folded(one), folded(other), "{one:?} {other:?}");
        }
        for (one, other) in [("Bob", "Bobby"), ("Jose", "José"), ("Bob", "Воb"), ("Bob Smith", "BobSmith")] {
            assert_ne!(folded(one), folded(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_could_be_something_else_is_odd() {
        let id = PeerId::from_key_bytes([7; 32]).to_string();
        for odd in [
            "a,b",
            "#team",
            "a@b",
            "Dave (…pi7abtzR)",
            "…pi7abtzR",
            "...pi7abtzR",
            "-n",
            "\u{200B}-n",
            "me",
            "ME",
            "m\u{200B}e",
            "rohrpost:x",
            "Rohrpost:x",
            "[see](rohrpost:x)",
            "12D3KooWx",
            &id,
            "Zoë  x",
            "a ⏎ b",
            "\u{200B}",
        ] {
            assert!(oddity(odd).is_some(), "{odd:?}");
        }
        for plain in [
            "",
            "Bob",
            "Bob Smith",
            "Zoë",
            "Jonathan",
            "O'Neil",
            "J. Doe",
            "Anna-Lena",
            "mercy",
            "👩\u{200D}🚀",
            " Bob ",
        ] {
            assert_eq!(oddity(plain), None, "{plain:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_compared_compares_equal_to_itself(name in "\\PC{0,20}") {
            let once = folded(&name);
            prop_assert_eq!(folded(&once), once.clone());
            let decomposed: String = name.nfd().collect();
            prop_assert_eq!(folded(&decomposed), once.clone());
            let scattered: String = name.chars().flat_map(|c| ['\u{200B}', c, '\u{202E}']).collect();
            prop_assert_eq!(folded(&scattered), once);
        }
    }
}
