//! The words of every error are shown: each message that the code has for people stands in a session or in a test of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::sessions;

/// Where errors get their words: in calls of these, and in what `thiserror` is told.
const MAKERS: &[&str] = &["usage(", "mendable(", "CliError::new(", "ApiError::new("];
const FOLDERS: &[&str] = &["src/cli", "src/client", "src/node"];
const DERIVED: &[&str] = &[
    "src/store/error.rs",
    "src/identity/keyfile.rs",
    "src/identity/link.rs",
    "src/messenger/command.rs",
    "src/net/error.rs",
];

const SYSTEM: &str = "only a fault of the system does it";
const GUARD: &str = "said in another way before it comes to that";
const QUICK: &str = "only if another process acts just then";
const SELDOM: &str =
    "it takes 20,000 messages, 50,000 contacts, or a disk that fails: src/node/errors.rs has the words";
const IN_UNITS: &str = "takes what nobody types: the unit tests of its module have it";
const SENDING: &str = "what the network says to the messenger, and nobody else";

/// What nobody at the prompt is shown, or nobody can cause in a test, with the reason.
const UNSEEN: &[(&str, &str)] = &[
    ("the profile has a passphrase", GUARD),
    ("the profile is locked with a passphrase", GUARD),
    ("the key file is locked with a passphrase", GUARD),
    ("there is no such message in this conversation", GUARD),
    ("a value of ", GUARD),
    ("no runtime: ", SYSTEM),
    ("nothing can be waited for: ", SYSTEM),
    ("cannot look for peers on the local network: ", SYSTEM),
    ("cannot start the network: ", SYSTEM),
    ("no permission to listen on ", "the system may allow it to everybody: src/net/listen.rs has it"),
    ("no socket can be made (", SYSTEM),
    ("the picture cannot be made: ", GUARD),
    ("the text is too long for a QR code", GUARD),
    ("the node was asked to end, and still runs", "takes a node that hangs for as long as `stop` waits"),
    ("the store is closed after an error: ", SYSTEM),
    ("fault in the store: ", GUARD),
    ("the node has ended meanwhile", QUICK),
    ("nobody waits for the answer", "whoever would be told has left: it says so to the command itself"),
    ("there is a profile '", QUICK),
    ("this message is gone", QUICK),
    ("the store failed: ", SELDOM),
    ("there are too many contacts", SELDOM),
    ("too many messages are waiting for this recipient", SELDOM),
    ("the key file asks for ", IN_UNITS),
    ("its peer ID is not a sound Ed25519 key", IN_UNITS),
    ("what it says is not understood", IN_UNITS),
    ("a link begins with 'rohrpost:'", "what does not begin so is taken for a name"),
    ("too much is on its way", SENDING),
    ("not of the size of an envelope", SENDING),
    ("this is our own peer ID", SENDING),
    ("the network has stopped", SENDING),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The literal with which a text begins, behind what may stand before one in a call.
fn literal(behind: &str) -> Option<String> {
    let mut rest = behind.trim_start();
    // A code, and a call that fills the literal in.
    if rest.starts_with("Code::") {
        rest = rest.split_once(',')?.1.trim_start();
    } else if let Some((code, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once("\","))
        && code.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    {
        rest = after.trim_start();
    }
    rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start().strip_prefix('"')?;
    let (mut text, mut chars) = (String::new(), rest.chars());
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

/// All of them.
fn messages() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_test = |path: &Path| {
        path.components().any(|part| ["tests", "tests.rs", "testing.rs"].iter().any(|name| part.as_os_str() == *name))
    };
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
    };
    let mut found = BTreeSet::new();
    for path in FOLDERS.iter().flat_map(|folder| files(&root.join(folder))).filter(|path| !is_test(path)) {
        let text = code(&path);
        found.extend(MAKERS.iter().flat_map(|maker| text.split(maker).skip(1).filter_map(literal)));
    }
    for path in DERIVED {
        found.extend(code(&root.join(path)).split("#[error(").skip(1).filter_map(literal));
    }
    found
}

/// The longest part of a message that is the same whatever is filled in.
fn fixed(message: &str) -> &str {
    let parts = message.split('{').map(|part| part.split_once('}').map_or(part, |(_, behind)| behind));
    parts.max_by_key(|part| part.len()).unwrap_or_default()
}

#[test]
fn the_words_of_every_error_are_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = files(&root.join("tests/process")).into_iter().chain([root.join("tests/cmd/terminal.rs")]);
    let shown: String = sessions().into_iter().chain(tests).filter_map(|path| fs::read_to_string(path).ok()).collect();
    // Whatever is quoted in a test.
    let shown = shown.replace("\\\"", "\"");
    let messages = messages();
    assert!(messages.len() > 120, "they are made in another way by now: {}", messages.len());
    let is_listed = |message: &String| UNSEEN.iter().any(|(words, _)| message.starts_with(words));
    let lacking: Vec<_> = messages
        .iter()
        // What has no words of its own is made of those of others.
        .filter(|message| {
            fixed(message).trim().len() > 4 && !shown.contains(fixed(message).trim()) && !is_listed(message)
        })
        .collect();
    assert!(lacking.is_empty(), "errors that nobody has seen:\n{lacking:#?}");
    for (words, why) in UNSEEN {
        let message = messages.iter().find(|message| message.starts_with(words));
        let message = message.unwrap_or_else(|| panic!("{words:?} is no message"));
        assert!(
            !why.is_empty() && !shown.contains(fixed(message).trim()),
            "{message:?} is shown: it need not stand here"
        );
    }
}
