use super::super::testing::{alice, bob, rng};
use super::*;
use crate::identity::IdentityKeypair;

/// Of alice and bob, computed by another implementation (ID-60 to ID-62).
const NUMBER: &str = "269295684089617604627639716769634133694106265413351014507716";

fn number() -> SafetyNumber {
    safety_number(alice().public(), bob().public())
}

#[test]
fn example_of_the_specification() {
    assert_eq!(number().digits(), NUMBER);
    assert_eq!(number().to_string(), "26929 56840 89617 60462 76397 16769 63413 36941 06265 41335 10145 07716");
}

/// ID-62.
#[test]
fn both_sides_see_the_same_number_and_others_another() {
    assert_eq!(number(), safety_number(bob().public(), alice().public()));
    let carol = IdentityKeypair::generate(&mut rng(1));
    assert_ne!(number(), safety_number(alice().public(), carol.public()));
    assert_ne!(number(), safety_number(carol.public(), bob().public()));
    let own = Fingerprint::of(alice().public());
    assert_eq!(own.with(&Fingerprint::of(bob().public())), number(), "a kept fingerprint gives the same");
}

/// ID-63, ID-64.
#[test]
fn typed_and_scanned_numbers_are_compared() {
    let number = number();
    let compare = |text: &str| number.matches(text);
    assert_eq!(compare(NUMBER), Ok(true));
    assert_eq!(compare(&number.to_string()), Ok(true));
    assert_eq!(compare(&format!("\n {number}\u{a0}\t")), Ok(true));
    assert_eq!(compare(&format!("ROHRPOST-SAFETY:1:{NUMBER}")), Ok(true));
    let other = safety_number(alice().public(), alice().public());
    assert_eq!(compare(&other.digits()), Ok(false));
    assert_eq!(compare(&format!("ROHRPOST-SAFETY:1:{}", other.digits())), Ok(false));
    for at in 0..60 {
        let mut digits = NUMBER.as_bytes().to_vec();
        digits[at] = if digits[at] == b'9' { b'0' } else { digits[at] + 1 };
        assert_eq!(compare(std::str::from_utf8(&digits).unwrap()), Ok(false), "digit {at}");
    }
}

#[test]
fn what_is_no_number_says_nothing_about_the_peer() {
    let number = number();
    let compare = |text: &str| number.matches(text).unwrap_err();
    assert_eq!(compare(""), SafetyNumberError::Length(0));
    assert_eq!(compare(&NUMBER[1..]), SafetyNumberError::Length(59));
    assert_eq!(compare(&format!("{NUMBER}0")), SafetyNumberError::Length(61));
    assert_eq!(compare(&NUMBER.replace('2', "٢")), SafetyNumberError::NotDigits, "Arabic-Indic digits");
    assert_eq!(compare(&NUMBER.replace('2', "o")), SafetyNumberError::NotDigits);
    assert_eq!(compare(&format!("ROHRPOST-SAFETY:2:{NUMBER}")), SafetyNumberError::Version);
    assert_eq!(compare(&"1".repeat(100_000)), SafetyNumberError::Length(100_000));
}
