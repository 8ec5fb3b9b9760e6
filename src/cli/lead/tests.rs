use std::ffi::OsString;

use super::*;
use crate::cli::Early;

/// Where a line leads: `works`, or the hint.
fn leads(line: &[&str]) -> String {
    let args: Vec<OsString> = std::iter::once(&"rohrpost").chain(line).map(OsString::from).collect();
    match Early::look(&args).understand(args) {
        Ok(_) => "works".to_owned(),
        Err(error) => error.into_api().hint.unwrap_or_default(),
    }
}

#[test]
fn first_guesses_lead_to_what_is_meant() {
    let guesses = include_str!("guesses.txt").lines().filter(|line| !line.starts_with('#'));
    let guesses: Vec<(&str, &str)> = guesses.map(|line| line.split_once(" | ").unwrap()).collect();
    assert!(guesses.len() >= 100);
    let is_right = |typed: &str, right: &str| {
        let told = leads(&typed.split(' ').collect::<Vec<_>>());
        let truths = || TRUTHS.iter().any(|(_, truth)| *truth == told);
        match right {
            "works" => told == right,
            "none" => truths(),
            command => told.contains(&format!("`rohrpost {command}`")),
        }
    };
    let wrong: Vec<_> = guesses.iter().filter(|(typed, right)| !is_right(typed, right)).collect();
    assert!(wrong.len() * 20 <= guesses.len(), "{} of {}: {wrong:#?}", wrong.len(), guesses.len());
}

/// Every command of a line, as it would be called.
fn command_at<'a>(root: &'a Command, line: &str) -> Option<(&'a Command, String)> {
    let mut at = (root, String::new());
    for word in line.split(' ').filter(|word| word.chars().all(|c| c.is_ascii_lowercase())) {
        match at.0.find_subcommand(word) {
            Some(below) => at = (below, format!("{} {word}", at.1).trim().to_owned()),
            None => break,
        }
    }
    (!at.1.is_empty()).then_some(at)
}

#[test]
fn every_synonym_leads_to_a_command_that_there_is_and_harms_nobody() {
    let mut root = Cli::command();
    root.build();
    let mut seen = std::collections::BTreeSet::new();
    for (words, lead) in COMMANDS {
        for template in lead.split(" | ") {
            let (_, path) = command_at(&root, template.trim_start_matches("-P NAME ")).unwrap();
            // Whoever wants to mark as read says so.
            assert!(path == "read" || !DANGEROUS.contains(&path.as_str()), "{template}");
            if let Some(topic) = template.strip_prefix("help ") {
                let (_, path) = command_at(&root, topic).unwrap();
                assert_eq!(path, topic);
            }
        }
        for word in words.split(' ') {
            assert!(seen.insert(word), "{word} stands twice");
            let exists = word.split('/').try_fold(&root, |at, word| at.find_subcommand(word)).is_some();
            assert!(!exists || ["inbox", "status"].contains(&word), "{word} exists");
        }
    }
    for word in TRUTHS.iter().flat_map(|(words, _)| words.split(' ')) {
        assert!(seen.insert(word), "{word} stands twice");
        assert!(root.find_subcommand(word).is_none(), "{word} exists");
    }
    assert!(seen.len() >= 80, "{}", seen.len());
    for path in DANGEROUS {
        assert_eq!(command_at(&root, path).unwrap().1, *path, "there is no such command any more");
    }
}

#[test]
fn nothing_that_harms_is_suggested_for_what_is_mistyped() {
    for line in [
        "blok bob",
        "recovr",
        "declin bob",
        "raed bob",
        "conversaton bob",
        "contacts remov bob",
        "contacts blok bob",
        "requests declin bob",
        "mailbox drp x",
        "id rotat",
    ] {
        let told = leads(&line.split(' ').collect::<Vec<_>>());
        assert!(told.ends_with("lists the commands"), "{line}: {told}");
    }
}

#[test]
fn what_is_mistyped_comes_back_with_its_arguments() {
    for (line, told) in [
        (&["sned", "bob", "how are you"][..], "did you mean `rohrpost send bob 'how are you'`?"),
        (&["-P", "work", "--json", "statsu"], "did you mean `rohrpost -P work --json status`?"),
        (&["contacts", "vreify", "bob"], "did you mean `rohrpost contacts verify bob`?"),
        (&["contacts", "-q", "vreify", "bob"], "did you mean `rohrpost contacts verify -q bob`?"),
        (&["frobnicate", "bob"], "`rohrpost --help` lists the commands"),
        (&["contacts", "bob", "carol"], "`rohrpost contacts --help` lists the commands"),
        (
            &["-P", "work", "tell", "bob", "it's", "--wait", "sent", "late"],
            "`rohrpost -P work send --wait sent bob 'it'\\''s late'`",
        ),
        (&["verify", "bob", "12345", "67890"], "`rohrpost contacts verify bob 12345 67890`"),
        (&["msg"], "`rohrpost send WHO TEXT`"),
        (&["rename", "bob"], "`rohrpost contacts rename bob NAME`"),
        (&["status", "bob"], "`rohrpost doctor bob`"),
        (&["mailbox", "rm", "bob"], "`rohrpost help mailbox drop`"),
        (&["contacts", "-P", "work", "vreify", "bob"], "did you mean `rohrpost contacts verify -P work bob`?"),
        (&["contacts", "--data-dir", "d", "rm", "bob"], "`rohrpost help contacts remove --data-dir d`"),
        (&["inbox", "-P", "work", "bob"], "`rohrpost history -P work bob`"),
        (&["tell", "bob", "it", "is", "-5", "outside"], "`rohrpost send bob 'it is -5 outside'`"),
        (&["msg", "bob", "--", "-x"], "`rohrpost send bob -- -x`"),
        (&["msg", "--expires", "1h", "bob", "-m", "hi", "you"], "`rohrpost send --expires 1h bob 'hi you'`"),
        (&["sned", "bob", "--", "-x"], "did you mean `rohrpost send bob -- -x`?"),
        (&["nick", "Alice", "Smith"], "`rohrpost id name 'Alice Smith'`"),
        (&["rename", "bob", "Rob", "Smith"], "`rohrpost contacts rename bob 'Rob Smith'`"),
        (&["checkout", "work"], "`rohrpost -P work status`"),
        (&["checkout"], "`rohrpost -P NAME status`"),
        (&["tell", "bob", &"x".repeat(201)], "`rohrpost send bob TEXT`"),
        (&["sned", &format!("rohrpost:{}", "x".repeat(200)), "hi"], "did you mean `rohrpost send LINK hi`?"),
    ] {
        assert_eq!(leads(line), told, "{line:?}");
    }
}

#[test]
fn of_a_command_that_there_is_the_parser_says_which_word_is_too_many() {
    for (line, command) in [
        ("contacts rename bob Rob Smith", "contacts rename"),
        ("contacts list foo", "contacts list"),
        ("contacts -P work list foo", "contacts list"),
        ("contacts add LINK extra", "contacts add"),
        ("id rotate now", "id rotate"),
        ("requests list foo", "requests list"),
        ("contacts -- bob carol", "contacts"),
    ] {
        assert_eq!(leads(&line.split(' ').collect::<Vec<_>>()), format!("`rohrpost {command} --help` says more"));
    }
}

#[test]
fn a_noun_knows_what_is_meant_behind_it() {
    let at =
        |line: &[&str]| Typed::read(&std::iter::once(&"rohrpost").chain(line).map(OsString::from).collect::<Vec<_>>());
    let told = |noun, word| behind_noun(&at(&[noun, word]), noun, word);
    assert_eq!(told("contacts", "lsit").unwrap(), "did you mean `rohrpost contacts list`?");
    assert_eq!(told("contacts", "rm").unwrap(), "`rohrpost help contacts remove`");
    assert_eq!(told("contacts", "remov"), None);
    assert_eq!(told("requests", "bob"), None);
    let typed = at(&["--data-dir", "d", "contacts", "-P", "work", "lsit"]);
    let told = behind_noun(&typed, "contacts", "lsit").unwrap();
    assert_eq!(told, "did you mean `rohrpost --data-dir d -P work contacts list`?");
    let told = behind_noun(&typed, "contacts", "check").unwrap();
    assert_eq!(told, "`rohrpost --data-dir d -P work contacts verify WHO`");
}
