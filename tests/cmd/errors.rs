//! Every error that a person can cause is shown as he sees it: what went wrong, the way out, and the exit code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rohrpost::api::CODES;
use serde_json::Value;

use super::sessions;

/// Where an error is shown that no session can cause.
enum Shown {
    /// In this test, by these words.
    There(&'static str, &'static str, &'static [&'static str]),
    /// Nowhere: nobody at the prompt can cause it, for this reason.
    Nowhere(&'static str),
}
use Shown::{Nowhere, There};

const OWN_CALLS: &str = "`rohrpost` makes the calls itself, sound ones; who writes them by hand is told on the socket";
const NO_FAULT: &str = "a fault of the program; none is known";

/// It takes a disk that fails just when something is written, 20,000 messages, or 50,000 contacts: src/messenger/contacts/tests.rs reaches
/// the limits.
const SELDOM: &str = "what_is_seldom_is_told_with_the_way_out";

/// What is in no session, as text and as JSON.
const ELSEWHERE: &[(&str, Shown)] = &[
    ("parse_error", Nowhere(OWN_CALLS)),
    ("invalid_request", Nowhere(OWN_CALLS)),
    ("internal", Nowhere(NO_FAULT)),
    ("demo_failed", Nowhere(NO_FAULT)),
    ("qr_not_drawn", Nowhere("the picture is made in memory, and of a square: the encoder has nothing to refuse")),
    ("qr_too_long", Nowhere("the longest link fits in a code: src/cli/qr.rs tests it")),
    ("told", Nowhere("it is the exit code of what was told already, and is never written")),
    (
        "too_large",
        There("tests/process/outcomes.rs", "input_has_its_limits", &["the parameters have more than", "split it up"]),
    ),
    ("not_text", There("tests/process/outcomes.rs", "input_has_its_limits", &["standard input is not UTF-8 text"])),
    (
        "store",
        There("src/node/errors.rs", SELDOM, &["the store failed: the disk says no", "see whether the disk is well"]),
    ),
    (
        "outbox_full",
        There("src/node/errors.rs", SELDOM, &["too many messages are waiting for this recipient", "they go out when"]),
    ),
    ("too_many_contacts", There("src/node/errors.rs", SELDOM, &["there are too many contacts", "remove some with"])),
    (
        "too_many_clients",
        There(
            "tests/process/socket.rs",
            "clients_are_bounded_and_a_slow_one_holds_up_nobody",
            &["the node serves 64 clients already", "close other clients, or try again in a moment"],
        ),
    ),
    (
        "shut_out",
        There(
            "tests/process/alone.rs",
            "who_is_not_let_in_is_told_what_his_messages_wait_for",
            &["the others wait here"],
        ),
    ),
    (
        "disk_full",
        There(
            "tests/process/disk.rs",
            "on_a_full_disk_what_is_there_can_be_read_and_nothing_is_promised",
            &["free some space"],
        ),
    ),
    (
        "request_pending",
        There(
            "tests/process/names.rs",
            "what_strangers_call_themselves_takes_nothing_from_a_contact",
            &["their request is pending, and nothing goes to them", "rohrpost send --accept"],
        ),
    ),
    (
        "other_user",
        There(
            "tests/process/owners.rs",
            "root_leaves_the_profile_of_another_user_alone_and_says_whose_it_is",
            &["belongs to the user nobody", "sudo -u nobody"],
        ),
    ),
    (
        "stopping",
        There(
            "tests/process/outcomes.rs",
            "who_waits_when_the_node_ends_is_told",
            &["the node is shutting down", "try again in a moment"],
        ),
    ),
    (
        "qr_too_wide",
        There(
            "tests/cmd/terminal.rs",
            "a_code_that_does_not_fit_says_so",
            &["columns, the terminal has 30", "make the window wider"],
        ),
    ),
    (
        "passphrases_differ",
        There(
            "tests/process/terminal.rs",
            "a_new_passphrase_is_asked_for_twice",
            &["the two passphrases differ", "nothing was changed; try again"],
        ),
    ),
    (
        "editor_failed",
        There(
            "tests/process/editor.rs",
            "what_is_written_in_an_editor_is_sent_and_leaves_nothing",
            &["ended with exit status: 3; nothing is sent", "VISUAL or EDITOR names another"],
        ),
    ),
    (
        "nothing_written",
        There(
            "tests/process/editor.rs",
            "what_is_written_in_an_editor_is_sent_and_leaves_nothing",
            &["nothing was written, and nothing is sent", "EDITOR='code --wait'"],
        ),
    ),
    (
        "no_place",
        There(
            "tests/process/editor.rs",
            "where_nothing_lies_in_memory_it_is_asked",
            &["nothing was written, and nothing is sent", "pipe it in with `-`"],
        ),
    ),
];

/// A command of a session, how it ended, and what it wrote.
pub(crate) struct Step {
    pub(crate) line: String,
    pub(crate) exit: u8,
    pub(crate) lines: Vec<String>,
}

pub(crate) fn steps_of(session: &Path) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    for line in fs::read_to_string(session).unwrap().lines() {
        if let Some(line) = line.strip_prefix("$ ") {
            all.push(Step { line: line.to_owned(), exit: 0, lines: Vec::new() });
        } else if let Some(step) = all.last_mut().filter(|_| !line.is_empty() && line != "```") {
            match line.strip_prefix("? ") {
                Some(exit) if step.lines.is_empty() => step.exit = exit.parse().unwrap(),
                _ => step.lines.push(line.to_owned()),
            }
        }
    }
    all
}

/// Whether this error stands in a session as programs see it, and in one, with the same exit code, as people do.
fn is_in(steps: &[Step], code: &str) -> Result<(), &'static str> {
    let errors: Vec<Value> = steps
        .iter()
        .flat_map(|step| step.lines.iter().map(move |line| (step.exit, line)))
        .filter(|(_, line)| line.starts_with(r#"{"error":"#))
        // A session shows a backslash as a slash.
        .filter_map(|(exit, line)| Some((exit, serde_json::from_str::<Value>(&line.replace("/\"", "\\\"")).ok()?)))
        .filter(|(exit, error)| error["error"]["exit"] == *exit)
        .map(|(_, mut error)| error["error"].take())
        .filter(|error| error["code"] == code)
        .collect();
    if errors.is_empty() {
        return Err("no session shows it as JSON");
    }
    // A hint repeats what was typed.
    let is_shown = |error: &Value| {
        let line = |label: &str, field: &str| {
            error[field].as_str().map(|text| format!("{label} {}", text.replace(" --json", "")))
        };
        let (message, hint) = (line("error:", "message").unwrap(), line("hint:", "hint"));
        steps.iter().any(|step| {
            let has = |line: &String| step.lines.contains(line);
            has(&message) && hint.iter().all(has) && error["exit"] == step.exit
        })
    };
    if errors.iter().any(is_shown) { Ok(()) } else { Err("no session shows the same as text") }
}

/// The words that only the prompt has, as its code gives them.
fn own_codes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for maker in ["mendable(", "Self::own("] {
                let behind = text.split(maker).skip(1).filter_map(|behind| behind.trim_start().strip_prefix('"'));
                found.extend(behind.filter_map(|behind| behind.split_once('"')).map(|(code, _)| code.to_owned()));
            }
        }
    }
    assert!(found.len() > 8, "they are made in another way by now: {found:?}");
    found
}

/// The body of a test; panics if there is none.
fn body(file: &str, test: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).unwrap();
    let (before, behind) = text
        .split_once(&format!("#[test]\n    fn {test}() {{\n"))
        .or_else(|| text.split_once(&format!("#[test]\nfn {test}() {{\n")))
        .unwrap_or_else(|| panic!("{file} has no {test}"));
    let indent = before.rsplit('\n').next().unwrap();
    behind.split_once(&format!("\n{indent}}}\n")).unwrap().0.to_owned()
}

#[test]
fn every_error_is_shown_as_who_causes_it_sees_it() {
    let steps: Vec<Step> = sessions().iter().flat_map(|session| steps_of(session)).collect();
    let codes: BTreeSet<String> = CODES.iter().map(|code| code.name().to_owned()).chain(own_codes()).collect();
    let mut lacking = Vec::new();
    for code in &codes {
        let elsewhere = ELSEWHERE.iter().find(|(named, _)| named == code).map(|(_, shown)| shown);
        match (is_in(&steps, code), elsewhere) {
            (Ok(()), None) => {}
            (Err(_), Some(Nowhere(why))) => assert!(!why.is_empty(), "{code}"),
            (Ok(()), Some(_)) => panic!("`{code}` is in a session: it need not stand in this table"),
            (Err(what), None) => lacking.push(format!("{code}: {what}")),
            (Err(_), Some(There(file, test, words))) => {
                let body = body(file, test);
                let lacks: Vec<_> = words.iter().filter(|word| !body.contains(**word)).collect();
                assert!(lacks.is_empty(), "{test} does not show {lacks:?} of `{code}`");
            }
        }
    }
    assert!(lacking.is_empty(), "errors that nobody has seen:\n{}", lacking.join("\n"));
    let unknown: Vec<_> =
        ELSEWHERE.iter().filter(|(named, _)| !codes.contains(*named)).map(|(named, _)| named).collect();
    assert!(unknown.is_empty(), "there is no such error: {unknown:?}");
}

/// What programs get is documented.
#[test]
fn every_code_of_the_prompt_is_in_the_guide() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    let lacking: Vec<String> =
        own_codes().into_iter().filter(|code| code != "told" && !guide.contains(&format!("| `{code}` |"))).collect();
    assert!(lacking.is_empty(), "docs/guide.md lacks {lacking:?}");
}
