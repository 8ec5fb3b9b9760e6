//! Holds the modules to their layers: reads the source and fails where a module uses what it may not.
//!
//! Comments and strings are not looked at; everything else is, tests and macros included. Paths from
//! `crate::` and from `super::` beyond the own module are followed, in `use` lines and inline, in
//! groups and nested groups.

// Test code: a file that cannot be read has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "layers/circles.rs"]
mod circles;

use std::fs;
use std::path::{Path, PathBuf};

/// Every module in layer order, and what of the crate it may use: the complete list.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("crypto", &["base"]),
    ("identity", &["base", "crypto"]),
    ("content", &["base", "crypto"]),
    ("envelope", &["base", "crypto", "identity"]),
    ("session", &["base", "crypto", "identity"]),
    ("group", &["base", "crypto", "identity", "content"]),
    ("store", &["base", "crypto"]),
    ("messenger", &["base", "crypto", "identity", "content", "envelope", "session", "group", "store"]),
    ("net", &["base", "identity", "envelope"]),
    ("api", &["base"]),
    (
        "node",
        &["base", "crypto", "identity", "content", "envelope", "session", "group", "store", "messenger", "net", "api"],
    ),
    ("client", &["base", "api", "node"]),
    ("cli", &["base", "api", "client"]),
    ("tui", &["base", "api", "client"]),
    ("bot", &["base", "api", "client"]),
    // What the fuzz targets run; not in a program.
    ("fuzzing", &["base", "crypto", "identity", "content", "envelope", "session", "store", "messenger", "api"]),
];

/// What the binary may use: it is argv → `cli::run` → exit code.
const MAIN: &[&str] = &["cli"];

/// Crates that only some modules may name; crates whose names begin so and go on with `_` belong to them.
const CRATES: &[(&str, &[&str])] =
    &[("sled", &["store"]), ("libp2p", &["net"]), ("tokio", &["node", "net", "client", "tui"])];

/// Lines that a file may have.
const MAX_LINES: usize = 600;

#[test]
fn the_source_keeps_to_its_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() >= 20, "only {} files found under {}", files.len(), src.display());
    let breaches: Vec<String> = files
        .iter()
        .flat_map(|file| check(file.strip_prefix(&src).unwrap(), &fs::read_to_string(file).unwrap()))
        .collect();
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

// ---- The checker --------------------------------------------------------------------------------

/// What is wrong with one file; the path is relative to `src`.
fn check(path: &Path, source: &str) -> Vec<String> {
    let (module, depth) = place(path);
    let tokens = tokens(source);
    let mut found: Vec<(usize, String)> = Vec::new();

    let lines = source.lines().count();
    if lines > MAX_LINES {
        found.push((lines, format!("{lines} lines, at most {MAX_LINES}")));
    }
    if module == "lib" {
        found.extend(order(&tokens));
    } else if module != "main" && !LAYERS.iter().any(|(name, _)| *name == module) {
        found.push((1, format!("the module '{module}' is not in the table")));
    }
    for (line, used) in uses(&tokens, depth) {
        if !may_use(&module, &used) {
            found.push((line, format!("'{module}' may not use '{used}'")));
        }
    }
    for (line, name) in foreign(&tokens) {
        let allowed = CRATES.iter().find(|(krate, _)| *krate == name).unwrap().1;
        if !allowed.contains(&module.as_str()) {
            found.push((line, format!("'{module}' may not name '{name}', only {} may", allowed.join(", "))));
        }
    }
    found.into_iter().map(|(line, what)| format!("src/{}:{line}: {what}", path.display())).collect()
}

fn may_use(module: &str, used: &str) -> bool {
    let known = LAYERS.iter().any(|(name, _)| *name == used);
    match module {
        "lib" => known,
        "main" => MAIN.contains(&used),
        _ => module == used || LAYERS.iter().any(|(name, may)| *name == module && may.contains(&used)),
    }
}

/// The top module that a file belongs to, and how many modules deep the file is in the crate.
fn place(path: &Path) -> (String, usize) {
    let mut parts: Vec<String> = path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.len() > 1 && parts.last().unwrap() == "mod" {
        parts.pop();
    }
    match parts[0].as_str() {
        "lib" | "main" if parts.len() == 1 => (parts.remove(0), 0),
        _ => (parts[0].clone(), parts.len()),
    }
}

/// `lib.rs` declares the modules in the order of the table, each in its own file.
fn order(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut last: Option<usize> = None;
    for window in tokens.windows(3) {
        let [Token { kind: Kind::Name(word), line }, Token { kind: Kind::Name(module), .. }, end] = window else {
            continue;
        };
        if word != "mod" {
            continue;
        }
        if end.kind == Kind::Mark('{') {
            found.push((*line, format!("the module '{module}' stands inside lib.rs")));
        }
        match LAYERS.iter().position(|(name, _)| name == module) {
            None => found.push((*line, format!("the module '{module}' is not in the table"))),
            Some(place) if last.is_some_and(|last| place <= last) => {
                found.push((*line, format!("the module '{module}' is not in the order of the layers")));
            }
            Some(place) => last = Some(place),
        }
    }
    found
}

/// The top modules that a file names, with lines.
fn uses(tokens: &[Token], depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // The brace depth at which each inline module around here ends.
    let (mut braces, mut inline) = (0usize, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|i| &tokens[i].kind);
        let path = tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Path);
        match &token.kind {
            Kind::Mark('{') => {
                braces += 1;
                if at >= 2 && tokens[at - 2].kind.is("mod") {
                    inline.push(braces);
                }
            }
            Kind::Mark('}') => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                braces = braces.saturating_sub(1);
            }
            // The whole crate under another name would hide what is used.
            Kind::Name(word) if word == "crate" && before.is_some_and(|before| before.is("extern")) => {
                found.push((token.line, "extern crate".into()));
            }
            Kind::Name(word) if word == "crate" && tokens.get(at + 1).is_some_and(|next| next.kind.is("as")) => {
                found.push((token.line, "crate as".into()));
            }
            Kind::Name(word) if (word == "crate" || word == "rohrpost") && path => {
                follow(tokens, at + 2, 0, &mut found);
            }
            Kind::Name(word) if word == "super" && path => {
                follow(tokens, at + 2, (depth + inline.len()).saturating_sub(1), &mut found);
            }
            _ => {}
        }
    }
    found
}

/// Follows a path from `at`; `up` more `super`s lead to the root of the crate, where a name is a top module.
/// Returns the place after it.
fn follow(tokens: &[Token], at: usize, up: usize, found: &mut Vec<(usize, String)>) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    match &token.kind {
        Kind::Name(word) if word == "super" && up > 0 => {
            let path = tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Path);
            if path { follow(tokens, at + 2, up - 1, found) } else { at + 1 }
        }
        Kind::Mark('{') => {
            let mut next = at + 1;
            while tokens.get(next).is_some_and(|t| t.kind != Kind::Mark('}')) {
                next = follow(tokens, next, up, found);
                next = end_of_element(tokens, next);
            }
            next + 1
        }
        Kind::Name(word) if up == 0 => {
            found.push((token.line, word.clone()));
            at + 1
        }
        Kind::Mark('*') if up == 0 => {
            found.push((token.line, "*".into()));
            at + 1
        }
        _ => at,
    }
}

/// Past the comma that ends an element of a group, or at the brace that ends the group.
fn end_of_element(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') if depth == 0 => return at,
            Kind::Mark('}') => depth -= 1,
            Kind::Mark(',') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The crates of [`CRATES`] that are named as a crate: at the head of a path, or imported.
fn foreign(tokens: &[Token]) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Name(word) = &token.kind else { continue };
        let Some((krate, _)) = CRATES.iter().find(|(krate, _)| is_of(word, krate)) else { continue };
        let before = at.checked_sub(1).map(|i| &tokens[i].kind);
        let imported = before.is_some_and(|before| before.is("use") || before.is("crate"));
        if imported || tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Path) {
            found.push((token.line, *krate));
        }
    }
    found
}

/// `libp2p` and `libp2p_stream` are of `libp2p`.
fn is_of(word: &str, krate: &str) -> bool {
    word.strip_prefix(krate).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

// ---- The words of a source file -------------------------------------------------------------------

#[derive(Debug, PartialEq)]
struct Token {
    kind: Kind,
    line: usize,
}

#[derive(Debug, PartialEq)]
enum Kind {
    /// An identifier or a keyword.
    Name(String),
    /// `::`
    Path,
    /// Any other character.
    Mark(char),
}

impl Kind {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Name(name) if name == word)
    }
}

/// Takes a source file apart; comments, strings and characters are left out.
fn tokens(source: &str) -> Vec<Token> {
    let (mut rest, mut line, mut out) = (source, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let kind = one(rest, first);
        let len = kind.1;
        if let Some(kind) = kind.0 {
            out.push(Token { kind, line });
        }
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    out
}

/// The token that the text begins with, if it is one that counts, and its length.
fn one(text: &str, first: char) -> (Option<Kind>, usize) {
    if text.starts_with("//") {
        return (None, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (None, block_comment(text));
    }
    if text.starts_with("::") {
        return (Some(Kind::Path), 2);
    }
    if let Some(len) = string(text) {
        return (None, len);
    }
    if first == '\'' {
        return (None, character(text));
    }
    if first.is_alphanumeric() || first == '_' {
        let word = text.strip_prefix("r#").unwrap_or(text);
        let len = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
        return (Some(Kind::Name(word[..len].to_owned())), len + text.len() - word.len());
    }
    let kind = (!first.is_whitespace()).then_some(Kind::Mark(first));
    (kind, first.len_utf8())
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let here = &text[at..];
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string literal of any kind that the text begins with.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            let rest = if prefix.ends_with('r') { rest.trim_start_matches('#') } else { rest };
            rest.starts_with('"')
        })
    })?;
    let body = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = body.find('"')?;
        let end = format!("\"{}", &body[..hashes]);
        let start = hashes + 1;
        let len = body[start..].find(&end).map_or(body.len(), |at| start + at + end.len());
        return Some(prefix.len() + len);
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of a character literal, or of the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

// ---- The checker is checked -----------------------------------------------------------------------

/// What is wrong with made-up source, without the place.
fn breaches(path: &str, source: &str) -> Vec<String> {
    check(Path::new(path), source).iter().map(|b| b.split_once(": ").unwrap().1.to_owned()).collect()
}

/// The modules that made-up source names where it may not.
fn forbidden(path: &str, source: &str) -> Vec<String> {
    let name = |b: &String| b.split_once("may not use '").map(|(_, rest)| rest.trim_end_matches('\'').to_owned());
    breaches(path, source).iter().filter_map(name).collect()
}

#[test]
fn what_the_table_allows_passes() {
    let source = "use crate::base::{PeerId, limits::MAX_CARD};\nuse crate::crypto::dh;\nuse super::card::Card;\n\
                  fn f() -> crate::identity::Card { crate::base::ids::new() }\nuse std::fmt;\n";
    assert!(breaches("identity/link.rs", source).is_empty());
    assert!(breaches("main.rs", "fn main() -> std::process::ExitCode { rohrpost::cli::run() }").is_empty());
    assert!(breaches("store/engine.rs", "use sled::Db; fn f() -> sled::Result<()> { Ok(()) }").is_empty());
    assert!(
        breaches("net/swarm.rs", "use libp2p::Swarm; use libp2p_stream::Control; use tokio::sync::mpsc;").is_empty()
    );
}

#[test]
fn a_breach_is_found_in_whatever_form() {
    assert_eq!(
        check(Path::new("crypto/dh.rs"), "use crate::base::Secret;\nuse crate::store::Store;\n"),
        ["src/crypto/dh.rs:2: 'crypto' may not use 'store'"]
    );
    for source in [
        "pub use crate::store::Store;",
        "pub(crate) use crate::{base::Secret, store::{Store, Rows}};",
        "use crate::{\n    base::{ids::{A, B}, Secret},\n    store,\n};",
        "fn f(s: &crate::store::Store) {}",
        "fn f() { let x = vec![crate::store::open()]; }",
        "pub(in crate::store) fn f() {}",
        "macro_rules! m { () => { $crate::store::open() } }",
        "use super::super::store::Store;",
        "use super::{super::store::Store, aead};",
        "use super::{aead, super::{base::Secret, store::Store}};",
        "mod tests { use super::super::super::store::Store; }",
        "mod a { mod b {} } use super::super::store::Store;",
        "mod tests { fn f() { if true {} } use super::super::super::store::Store; }",
        "#[cfg(test)] mod tests { use crate::store::Store; }",
        "use crate :: store :: Store;",
        "use crate::r#store::Store;",
        "/* a /* nested */ comment */ use crate::store::Store; // and another",
        "const Q: char = '\"'; use crate::store::Store; const R: char = '\"';",
        "const S: &str = r#\"\"\"#; use crate::store::Store;",
        "fn f<'a>(x: &'a str) -> &'a str { crate::store::f(x) }",
        "const Q: char = '\\''; use crate::store::Store; const B: u8 = b'\\'';",
    ] {
        assert_eq!(forbidden("crypto/dh.rs", source), ["store"], "{source}");
    }
}

#[test]
fn what_only_looks_like_a_breach_passes() {
    for source in [
        "// use crate::store::Store;",
        "/// See [`crate::store::Store`].",
        "/* use crate::store::Store; */",
        "const S: &str = \"use crate::store::Store;\";",
        "const S: &str = \"\\\"crate::store::Store\";",
        "const S: &str = r#\"crate::store \"x\" sled::Db\"#;",
        "const S: &[u8] = br\"crate::store::\";",
        "use super::store::Store;",
        "mod tests { use super::super::store::Store; }",
        "use self::crate_store::Store; use my_crate::store;",
        "let sled = 1; let tokio = sled + 1; struct S { libp2p: u8 }",
        "use sledge::Hammer; use libp2px::Y;",
        "pub(crate) fn f() {} pub(super) fn g() {}",
    ] {
        assert!(breaches("crypto/dh.rs", source).is_empty(), "{source}: {:?}", breaches("crypto/dh.rs", source));
    }
    // One level deeper, the same path stays inside the module.
    assert!(breaches("crypto/dh/inner.rs", "use super::super::store::Store;").is_empty());
    assert_eq!(forbidden("crypto/mod.rs", "use super::store::Store;"), ["store"]);
    assert_eq!(forbidden("crypto.rs", "use super::store::Store;"), ["store"]);
}

#[test]
fn the_crate_cannot_be_hidden_behind_another_name() {
    assert_eq!(forbidden("crypto/dh.rs", "use crate::*;"), ["*"]);
    assert_eq!(forbidden("crypto/dh.rs", "use super::super::*;"), ["*"]);
    assert_eq!(forbidden("crypto/dh.rs", "use crate as us;"), ["crate as"]);
    assert_eq!(forbidden("crypto/dh.rs", "use crate::{self as us};"), ["self"]);
    assert_eq!(forbidden("crypto/dh.rs", "extern crate self as us;"), ["extern crate"]);
    assert_eq!(forbidden("node/mod.rs", "use crate::helpers::f;"), ["helpers"]);
}

#[test]
fn crates_are_named_in_their_modules_only() {
    let named = |path: &str, source: &str| !breaches(path, source).is_empty();
    for source in ["use sled::Db;", "use sled;", "fn f(d: &sled::Db) {}", "use {std::fmt, sled::Db};"] {
        assert!(named("messenger/mod.rs", source) && named("node/mod.rs", source), "{source}");
    }
    for source in ["use libp2p::Swarm;", "fn f(p: libp2p_stream::Control) {}", "use ::libp2p::PeerId;"] {
        assert!(named("node/mod.rs", source) && named("identity/key.rs", source), "{source}");
    }
    for source in ["#[tokio::main] async fn f() {}", "use tokio_util::codec::Framed;", "use tokio as t;"] {
        assert!(named("cli/mod.rs", source) && named("messenger/mod.rs", source), "{source}");
        assert!(["node", "net", "client", "tui"].iter().all(|m| !named(&format!("{m}/mod.rs"), source)), "{source}");
    }
}

#[test]
fn files_are_bounded() {
    assert!(breaches("base/ids.rs", &"\n".repeat(600)).is_empty());
    assert_eq!(breaches("base/ids.rs", &"\n".repeat(601)), ["601 lines, at most 600"]);
}

#[test]
fn lib_declares_the_modules_in_layer_order() {
    let all: String = LAYERS.iter().map(|(name, _)| format!("#[cfg(feature = \"net\")]\npub mod {name};\n")).collect();
    assert!(breaches("lib.rs", &all).is_empty());
    assert!(breaches("lib.rs", "pub mod base; pub mod store;").is_empty());
    assert_eq!(
        breaches("lib.rs", "pub mod crypto; pub mod base;"),
        ["the module 'base' is not in the order of the layers"]
    );
    assert_eq!(breaches("lib.rs", "pub mod base; mod helpers;"), ["the module 'helpers' is not in the table"]);
    assert_eq!(breaches("lib.rs", "pub mod base { }"), ["the module 'base' stands inside lib.rs"]);
    assert_eq!(breaches("helpers/mod.rs", ""), ["the module 'helpers' is not in the table"]);
}

#[test]
fn the_table_goes_downwards() {
    for (place, (module, may)) in LAYERS.iter().enumerate() {
        for used in *may {
            assert!(LAYERS[..place].iter().any(|(name, _)| name == used), "{module} uses {used}");
        }
    }
    assert_eq!(LAYERS.len(), 17);
}

#[test]
fn the_binary_is_a_door_to_the_command_line() {
    assert_eq!(forbidden("main.rs", "fn main() { rohrpost::node::run() }"), ["node"]);
    assert!(!breaches("main.rs", "#[tokio::main] async fn main() {}").is_empty());
}
