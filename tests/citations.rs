//! Holds `docs/protocol/` and the code to each other: every numbered rule is cited by the code that keeps it and by a
//! test that tries to break it, and every number that is cited exists.
//!
//! A rule that no code checks, or no test can break, says so and why: `(No check: …)`, `(No test: …)`.

// Test code: a file that cannot be read has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The documents and what their rules begin with.
const AREAS: [(&str, &str); 8] = [
    ("identity", "ID"),
    ("session", "SES"),
    ("envelope", "ENV"),
    ("content", "CON"),
    ("network", "NET"),
    ("mailbox", "MBX"),
    ("requests", "REQ"),
    ("group", "GRP"),
];

/// A numbered rule: its area and number.
type Rule = (&'static str, u32);

/// What a rule says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Excuse {
    check: bool,
    test: bool,
}

#[test]
fn every_rule_is_cited_by_code_and_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rules = BTreeMap::new();
    for (document, area) in AREAS {
        let text = fs::read_to_string(root.join(format!("docs/protocol/{document}.md"))).unwrap();
        let found = defined(&text, area);
        assert!(found.len() >= 10, "only {} rules in {document}.md", found.len());
        assert_eq!(unnumbered(&text, area), [0; 0], "a MUST without a number in {document}.md, in these lines");
        rules.extend(found);
    }
    let (mut code, mut tests) = (BTreeSet::new(), BTreeSet::new());
    for folder in ["src", "tests"] {
        for file in sources(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let (own, tried) = halves(file.strip_prefix(root).unwrap(), &text);
            code.extend(cited(own));
            tests.extend(cited(tried));
        }
    }
    // This file's own examples are none.
    let unknown: Vec<_> = code.union(&tests).filter(|rule| !rules.contains_key(*rule) && rule.1 < 900).collect();
    assert!(unknown.is_empty(), "these are cited and not defined: {unknown:?}");
    let faults: Vec<String> = rules.iter().filter_map(|(rule, excuse)| fault(*rule, *excuse, &code, &tests)).collect();
    assert!(faults.is_empty(), "{} of {} rules:\n{}", faults.len(), rules.len(), faults.join("\n"));
}

/// The threat model says how we know: by tests that exist.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all: String = ["src", "tests"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let text = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let named = tests_in(&text);
    assert!(named.len() > 15, "only {named:?}");
    // A name may be cut short, by three dots.
    let exists = |name: &&str| match name.strip_suffix('…') {
        Some(beginning) => all.contains(&format!("fn {beginning}")),
        None => all.contains(&format!("fn {name}(")),
    };
    let missing: Vec<&str> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
}

/// The page of numbers lists the tables that there are, by the names they have in the code.
#[test]
fn the_page_of_numbers_lists_the_tables_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/protocol/README.md")).unwrap();
    let (_, listed) = page.split_once("## Tables of rows").unwrap();
    let listed = listed.lines().filter(|line| line.starts_with("| ")).flat_map(|line| line.split('|').nth(1));
    let listed: Vec<(u8, String)> = listed.flat_map(|cell| cell.split(", ")).filter_map(numbered).collect();
    let sources = sources(&root.join("src/messenger/tables"));
    let code: BTreeSet<_> = sources.iter().flat_map(|file| tables_in(&fs::read_to_string(file).unwrap())).collect();
    assert!(code.len() > 30, "only {code:?}");
    assert!(listed.is_sorted_by(|(one, _), (other, _)| one < other), "twice, or out of order: {listed:?}");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), code, "the page, and the code");
}

/// Whoever has the pages alone has neither the files of the source nor the names of its constants.
#[test]
fn no_name_of_the_source_stands_in_the_specification() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol");
    // Names that the pages give themselves, symbols of theirs, one of the system, and one of AutoNAT's.
    let own = ["MAX_PAYLOAD", "MIN_ENVELOPE", "MAX_ENVELOPE", "SPK_B", "OPK_B", "IK_A", "IK_B", "EK_A"];
    let own = [&own[..], &["SO_REUSEPORT", "E_INTERNAL_ERROR"]].concat();
    let mut found = Vec::new();
    for document in fs::read_dir(pages).unwrap() {
        let path = document.unwrap().path();
        // The model has a folder of its own.
        let text = if path.is_file() { fs::read_to_string(&path).unwrap() } else { String::new() };
        for (line, text) in (1..).zip(text.lines()) {
            let quoted = text.split('`').skip(1).step_by(2);
            let is_constant = |name: &str| {
                name.len() >= 5
                    && name.chars().any(|c| c.is_ascii_uppercase())
                    && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            };
            let is_file = |name: &str| {
                ["src/", "net/", "messenger/"].iter().any(|at| name.starts_with(at)) || name.ends_with(".rs")
            };
            let foreign = quoted.filter(|name| is_file(name) || is_constant(name) && !own.contains(name));
            found.extend(foreign.map(|name| format!("{}:{line}: {name}", path.display())));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A number and a name.
fn numbered(text: &str) -> Option<(u8, String)> {
    let (number, name) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, name.to_owned()))
}

/// The tables that a source file declares: number and name.
fn tables_in(source: &str) -> Vec<(u8, String)> {
    let declared = source.split("\ntable! {").skip(1).filter_map(|rest| rest.split("\n}").next());
    let lines = declared.flat_map(|table| table.lines().filter(|line| !line.trim().starts_with("///")));
    let named = lines.filter_map(|line| line.split_once(',')?.0.split_once(" = "));
    named.map(|(name, number)| (number.trim().parse().unwrap(), name.trim().to_owned())).collect()
}

/// The names of functions in a text: the ends of paths in backticks, where they are more than one word.
fn tests_in(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let ends = quoted.filter_map(|path| path.rsplit_once("::")).map(|(_, name)| name);
    ends.filter(|name| name.matches('_').count() >= 2).collect()
}

fn fault(rule: Rule, excuse: Excuse, code: &BTreeSet<Rule>, tests: &BTreeSet<Rule>) -> Option<String> {
    let (checked, tried) = (code.contains(&rule), tests.contains(&rule));
    let (area, number) = rule;
    let what = match (checked, tried, excuse.check, excuse.test) {
        (false, _, false, _) => "is cited by no code in src/",
        (_, false, false, false) => "is cited by no test",
        (true, _, true, _) => "is cited by code, and says that nothing checks it",
        (_, true, _, true) => "is cited by a test, and says that there is none",
        _ => return None,
    };
    Some(format!("{area}-{number} {what}"))
}

/// The rules that a document defines, `**NET-1** …`, each up to the next one.
fn defined(text: &str, area: &'static str) -> BTreeMap<Rule, Excuse> {
    let mark = format!("**{area}-");
    let mut found = BTreeMap::new();
    for part in text.split(&mark).skip(1) {
        let Some((number, said)) = part.split_once("**") else { continue };
        let number = number.parse().unwrap_or_else(|_| panic!("{mark}{number} is no number"));
        let excuse = Excuse { check: said.contains("(No check: "), test: said.contains("(No test: ") };
        assert!(found.insert((area, number), excuse).is_none(), "{area}-{number} is defined twice");
    }
    found
}

/// The rules that a source file cites, `NET-1`, with all from the first to the last of `NET-1 to NET-3`.
fn cited(text: &str) -> BTreeSet<Rule> {
    let mut found = BTreeSet::new();
    for (_, area) in AREAS {
        let mut last: Option<(u32, usize)> = None;
        for (at, _) in text.match_indices(&format!("{area}-")) {
            let whole = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
            let digits = text[at + area.len() + 1..].split(|c: char| !c.is_ascii_digit()).next().unwrap();
            let Ok(number) = digits.parse::<u32>() else { continue };
            if !whole {
                continue;
            }
            match last {
                Some((first, end)) if text[end..at] == *" to " => found.extend((first..=number).map(|n| (area, n))),
                _ => _ = found.insert((area, number)),
            }
            last = Some((number, at + area.len() + 1 + digits.len()));
        }
    }
    found
}

/// The lines with a MUST that stand in no rule: before the first one of their section.
fn unnumbered(text: &str, area: &str) -> Vec<usize> {
    let (mark, mut in_rule, mut found) = (format!("**{area}-"), false, Vec::new());
    for (line, text) in text.lines().enumerate() {
        in_rule = (in_rule && !text.starts_with('#')) || text.contains(&mark);
        if !in_rule && text.contains("MUST") && !text.contains("RFC 2119") {
            found.push(line + 1);
        }
    }
    found
}

/// What of a file is the program, and what are its tests.
fn halves<'a>(path: &Path, text: &'a str) -> (&'a str, &'a str) {
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
    let is_test = parts.iter().any(|part| ["tests", "tests.rs", "testing.rs"].contains(part));
    match text.find("#[cfg(test)]\nmod tests {") {
        _ if is_test => ("", text),
        Some(at) => text.split_at(at),
        None => (text, ""),
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

#[test]
fn a_rule_without_a_citation_is_found() {
    let text = "**NET-901** A.\n\n**NET-902** B. (No check: it is a name.)\n- **NET-903** C. (No test: it is slow.)";
    let rules = defined(text, "NET");
    assert_eq!(rules.len(), 3);
    let none = BTreeSet::new();
    let told = |number, code: &BTreeSet<Rule>, tests: &BTreeSet<Rule>| {
        fault(("NET", number), rules[&("NET", number)], code, tests).is_some()
    };
    let all: BTreeSet<Rule> = rules.keys().copied().collect();
    assert!(told(901, &none, &all) && told(901, &all, &none) && !told(901, &all, &all));
    assert!(!told(902, &none, &none) && !told(902, &none, &all) && told(902, &all, &all));
    assert!(!told(903, &all, &none) && told(903, &all, &all) && told(903, &none, &none));
}

#[test]
fn a_must_without_a_number_is_found() {
    let text = "# A\nMUST and MAY as in RFC 2119\nIt MUST.\n**NET-901** It MUST,\nand MUST.\n## B\nAnd MUST again.";
    assert_eq!(unnumbered(text, "NET"), [3, 7]);
}

#[test]
fn names_of_tests_are_found() {
    let text = "`sim a::it_is_so`, `b::it_is…` and `b::it_must_be…`, `c::tests`, `plain_words_here`, `x::{a,b}`";
    assert_eq!(tests_in(text), ["it_is_so", "it_must_be…"]);
}

#[test]
fn citations_are_read_with_their_ranges() {
    let numbers = |text: &str| cited(text).into_iter().map(|(_, number)| number).collect::<Vec<_>>();
    assert_eq!(numbers("NET-901, NET-903 to NET-905; and SES-x, XNET-7, A-NET-8"), [901, 903, 904, 905]);
    let file = "/// NET-901\nfn f() {}\n#[cfg(test)]\nmod tests {\n/// NET-902\n}";
    let (own, tried) = halves(Path::new("src/net/mod.rs"), file);
    assert_eq!((numbers(own), numbers(tried)), (vec![901], vec![902]));
    assert_eq!(halves(Path::new("src/net/tests/abuse.rs"), file).0, "");
    assert_eq!(halves(Path::new("tests/sim/main.rs"), file).0, "");
}

#[test]
fn tables_are_found_in_a_source() {
    let source =
        "\ntable! {\n    /// Keyed by a, b = 7, c.\n    One = 1, Root, Row;\n    Two = 20, State, Vec<Row>;\n}\n";
    assert_eq!(tables_in(source), [(1, "One".to_owned()), (20, "Two".to_owned())]);
}
