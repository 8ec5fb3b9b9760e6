//! Which of some words is meant by one that is mistyped.

/// The nearest of the words that are known, if it is near: one letter of a short word may be wrong, two of a longer one. A
/// letter that is missing, one too many, and two that are exchanged count as one.
pub(crate) fn nearest(typed: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let wrong = if typed.chars().count() < 5 { 1 } else { 2 };
    let far = known.into_iter().map(|word| (strsim::damerau_levenshtein(typed, &word), word));
    far.filter(|(far, _)| *far <= wrong).min().map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_meant() {
        let words = || ["send", "status", "stop", "requests", "conversation"].map(str::to_owned);
        for (typed, meant) in [
            ("sned", Some("send")),
            ("snd", Some("send")),
            ("statsu", Some("status")),
            ("request", Some("requests")),
            ("stpo", Some("stop")),
            ("version", None),
            ("sting", None),
            ("se", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words()).as_deref(), meant, "{typed}");
        }
    }
}
