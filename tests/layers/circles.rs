//! Finds circles between files: files that use each other, be it by way of others.
//!
//! A path leads to the file in which its item is defined, through whatever hands it on (`pub use`); who only hands on
//! what stands elsewhere does not use it. What is compiled for tests alone is not looked at, nor are methods, which
//! belong to their type wherever they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Kind, Token, collect, tokens};

/// The arguments name their commands, which are given what the arguments say: with them the files of `cli` are in one circle.
const ARGUMENTS: &str = "cli/args.rs";

/// Where a name comes from: a path from the root of the crate.
type Place = Vec<String>;

/// A file of the source.
#[derive(Default)]
struct File {
    name: String,
    /// Names that are defined in it.
    defined: BTreeSet<String>,
    /// Names that are brought in, and from where; whether they are only handed on.
    brought: BTreeMap<String, (Place, bool)>,
    /// Modules of which everything is brought in.
    globs: Vec<Place>,
    /// Paths in the text, and plain names.
    paths: Vec<Place>,
    names: BTreeSet<String>,
}

/// All files, by the module that each is.
type Files = BTreeMap<Place, File>;

#[test]
fn files_make_no_circles() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&src, &mut paths);
    let sources = paths.iter().map(|path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    let files = read(sources.collect());
    let found = circles(&files);
    let is_allowed = |circle: &Vec<String>| {
        circle.iter().any(|file| file == ARGUMENTS) && circle.iter().all(|file| file.starts_with("cli/"))
    };
    let new: Vec<_> = found.iter().filter(|circle| !is_allowed(circle)).collect();
    let shown: Vec<_> = new.iter().map(|circle| shown(&files, circle)).collect();
    assert!(new.is_empty(), "{} circles:\n{}", new.len(), shown.join("\n"));
}

/// Reads files that are given by name and text.
fn read(sources: Vec<(String, String)>) -> Files {
    let mut files = Files::new();
    let mut for_tests = Vec::new();
    let all: BTreeMap<Place, (String, String)> =
        sources.into_iter().map(|(name, text)| (module(&name), (name, text))).collect();
    for (place, (name, text)) in &all {
        let mut reader = Reader { place: place.clone(), all: &all, file: File::default(), for_tests: Vec::new() };
        reader.file.name.clone_from(name);
        reader.read(&tokens(text));
        for_tests.append(&mut reader.for_tests);
        files.insert(place.clone(), reader.file);
    }
    files.retain(|place, _| !for_tests.iter().any(|test| place.starts_with(test)));
    files
}

/// The module that a file is.
fn module(name: &str) -> Place {
    let mut place: Place = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if place.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
        place.pop();
    }
    place
}

struct Reader<'a> {
    place: Place,
    all: &'a BTreeMap<Place, (String, String)>,
    file: File,
    /// Modules that are for tests alone.
    for_tests: Vec<Place>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: &[Token]) {
        let (mut at, mut braces) = (0, 0usize);
        // Inline modules around here: the brace depth at which each ends, and its name.
        let mut inline: Vec<(usize, String)> = Vec::new();
        let mut is_public = false;
        while let Some(token) = tokens.get(at) {
            let here: Place = self.place.iter().chain(inline.iter().map(|(_, name)| name)).cloned().collect();
            let next = tokens.get(at + 1).map(|token| &token.kind);
            match &token.kind {
                Kind::Mark('#') if is_for_tests(tokens, at) => {
                    let end = item_end(tokens, at);
                    if let Some(name) = declared(&tokens[at..end]) {
                        self.for_tests.push([here.as_slice(), &[name]].concat());
                    }
                    at = end;
                    continue;
                }
                Kind::Mark('{') => braces += 1,
                Kind::Mark('}') => {
                    inline.pop_if(|(depth, _)| *depth == braces);
                    braces = braces.saturating_sub(1);
                }
                Kind::Name(word) if word == "use" => {
                    at = self.bring(tokens, at + 1, &here, Vec::new(), is_public);
                    is_public = false;
                    continue;
                }
                Kind::Name(word) if word == "mod" => {
                    if let (Some(Kind::Name(name)), Some(Kind::Mark('{'))) = (next, tokens.get(at + 2).map(|t| &t.kind))
                    {
                        inline.push((braces + 1, name.clone()));
                        self.file.defined.insert(name.clone());
                    }
                }
                Kind::Name(word) => {
                    if let (true, Some(Kind::Name(name))) = (DEFINES.contains(&word.as_str()), next) {
                        self.file.defined.insert(name.clone());
                    }
                    let before = at.checked_sub(1).map(|at| &tokens[at].kind);
                    let is_head = before != Some(&Kind::Path) && before != Some(&Kind::Mark('.'));
                    if is_head {
                        self.file.names.insert(word.clone());
                    }
                    if is_head && next == Some(&Kind::Path) {
                        let mut path = vec![word.clone()];
                        while let (Some(Kind::Path), Some(Kind::Name(name))) =
                            (tokens.get(at + 1).map(|t| &t.kind), tokens.get(at + 2).map(|t| &t.kind))
                        {
                            path.push(name.clone());
                            at += 2;
                        }
                        self.file.paths.extend(self.rooted(&here, &path));
                    }
                }
                _ => {}
            }
            // `pub`, `pub(super)` before `use`.
            is_public = match &token.kind {
                Kind::Name(word) if word == "pub" => true,
                Kind::Mark('(' | ')') => is_public,
                Kind::Name(word) => is_public && ["super", "crate", "in"].contains(&word.as_str()),
                _ => is_public && token.kind == Kind::Path,
            };
            at += 1;
        }
    }

    /// The path from the root of the crate; heads that are no module here are told by what was brought in.
    fn rooted(&self, here: &Place, path: &[String]) -> Option<Place> {
        let mut at = here.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            head => {
                let child = [here.as_slice(), &[head.to_owned()]].concat();
                if !self.all.contains_key(&child) && !self.file.brought.contains_key(head) {
                    return None;
                }
            }
        }
        Some([at.as_slice(), rest].concat())
    }

    /// A `use` from `at`, behind `before`. Gives the place behind it.
    fn bring(&mut self, tokens: &[Token], mut at: usize, here: &Place, before: Place, is_public: bool) -> usize {
        let mut path = before;
        loop {
            let Some(token) = tokens.get(at) else { return at };
            match &token.kind {
                Kind::Name(word) if word == "as" => {
                    if let Some(Kind::Name(name)) = tokens.get(at + 1).map(|t| &t.kind) {
                        self.brings(here, &path, Some(name), is_public);
                    }
                    return self.behind(tokens, at + 2);
                }
                Kind::Name(word) => path.push(word.clone()),
                Kind::Path => {}
                Kind::Mark('*') => {
                    self.file.globs.extend(self.rooted(here, &path));
                    return self.behind(tokens, at + 1);
                }
                Kind::Mark('{') => {
                    at += 1;
                    while tokens.get(at).is_some_and(|t| t.kind != Kind::Mark('}')) {
                        at = self.bring(tokens, at, here, path.clone(), is_public);
                    }
                    return self.behind(tokens, at + 1);
                }
                _ => {
                    self.brings(here, &path, None, is_public);
                    return self.behind(tokens, at);
                }
            }
            at += 1;
        }
    }

    /// Past a comma or semicolon.
    fn behind(&self, tokens: &[Token], at: usize) -> usize {
        at + usize::from(tokens.get(at).is_some_and(|t| matches!(t.kind, Kind::Mark(',' | ';'))))
    }

    fn brings(&mut self, here: &Place, path: &Place, name: Option<&String>, is_public: bool) {
        let mut path = path.clone();
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let (Some(name), Some(place)) = (name.or(path.last()).cloned(), self.rooted(here, &path)) else { return };
        self.file.brought.insert(name, (place, is_public));
    }
}

const DEFINES: &[&str] = &["struct", "enum", "fn", "const", "static", "type", "trait", "union", "macro_rules"];

/// Whether an attribute keeps what follows to tests.
fn is_for_tests(tokens: &[Token], at: usize) -> bool {
    let words = tokens.iter().skip(at + 1).take_while(|token| token.kind != Kind::Mark(']'));
    let words: Vec<&Token> = words.collect();
    let has = |word| words.iter().any(|token| token.kind.is(word));
    has("cfg") && has("test") && !has("not")
}

/// Where the item that begins here, with its attributes, ends.
fn item_end(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.kind {
            Kind::Mark('{' | '[' | '(') => depth += 1,
            Kind::Mark('}') if depth == 1 => return at + 1,
            Kind::Mark('}' | ']' | ')') => depth = depth.saturating_sub(1),
            Kind::Mark(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The module that an item declares.
fn declared(tokens: &[Token]) -> Option<String> {
    let at = tokens.iter().position(|token| token.kind.is("mod"))?;
    match &tokens.get(at + 1)?.kind {
        Kind::Name(name) => Some(name.clone()),
        _ => None,
    }
}

/// The file in which what a path names is defined; `None`: in another crate, or the path names a module.
fn resolve(files: &Files, path: &[String], depth: usize) -> Option<Place> {
    let len = (0..=path.len()).rev().find(|len| files.contains_key(&path[..*len]))?;
    let (place, rest) = (path[..len].to_vec(), &path[len..]);
    let file = &files[&place];
    let name = rest.first()?;
    if depth == 0 || file.defined.contains(name) {
        return Some(place);
    }
    if let Some((from, _)) = file.brought.get(name) {
        let path: Place = from.iter().chain(&rest[1..]).cloned().collect();
        // Of another module of the same name as one here, or of itself.
        return if path == [place.as_slice(), rest].concat() { None } else { resolve(files, &path, depth - 1) };
    }
    let of_glob = file.globs.iter().find(|glob| {
        let module = files.get(*glob);
        module.is_some_and(|module| module.defined.contains(name) || module.brought.contains_key(name))
    });
    match of_glob {
        Some(glob) => resolve(files, &[glob.as_slice(), rest].concat(), depth - 1),
        // What a macro makes.
        None => Some(place),
    }
}

/// Which files a file uses.
fn used(files: &Files, place: &Place) -> BTreeSet<Place> {
    let file = &files[place];
    let brought = file.brought.iter().filter(|(name, (_, is_public))| !is_public || file.names.contains(*name));
    let brought = brought.filter(|(_, (path, _))| !files.contains_key(path)).map(|(_, (path, _))| path);
    let paths = brought.chain(&file.paths).filter(|path| !files.contains_key(*path));
    let mut used: BTreeSet<Place> = paths.filter_map(|path| resolve(files, path, 8)).collect();
    used.remove(place);
    used
}

/// Files that reach each other.
fn circles(files: &Files) -> BTreeSet<Vec<String>> {
    let edges: BTreeMap<&Place, BTreeSet<Place>> = files.keys().map(|place| (place, used(files, place))).collect();
    let reached = |from: &Place| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(place) = next.pop() {
            next.extend(edges[place].iter().filter(|used| seen.insert((*used).clone())));
        }
        seen
    };
    let reach: BTreeMap<&Place, BTreeSet<Place>> = files.keys().map(|place| (place, reached(place))).collect();
    let circle = |place: &Place| -> Vec<String> {
        let mut circle: Vec<String> = reach[place]
            .iter()
            .filter(|other| reach[*other].contains(place))
            .map(|other| files[other].name.clone())
            .collect();
        circle.sort();
        circle
    };
    files.keys().filter(|place| reach[*place].contains(*place)).map(circle).collect()
}

/// A circle, and which of it uses which.
fn shown(files: &Files, circle: &[String]) -> String {
    let within = |place: &Place| circle.contains(&files[place].name);
    let uses = files.keys().filter(|place| within(place)).map(|place| {
        let used: Vec<_> =
            used(files, place).into_iter().filter(within).map(|used| files[&used].name.clone()).collect();
        format!("    {} uses {}", files[place].name, used.join(" "))
    });
    format!("{circle:?}\n{}", uses.collect::<Vec<_>>().join("\n"))
}

// ---- The checker is checked -----------------------------------------------------------------------

/// The circles of made-up files.
fn made_up(sources: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources = sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    circles(&read(sources)).into_iter().collect()
}

#[test]
fn a_circle_is_found_in_whatever_form() {
    let there = "use super::b::B; pub struct A;";
    for back in [
        "use super::a::A; pub struct B;",
        "pub struct B; fn f(a: &crate::m::a::A) {}",
        "use super::a; pub struct B; fn f() { a::A }",
        "use super::A; pub struct B;",
        "use crate::m::{a::{A as X}}; pub struct B;",
        "pub struct B; mod inner { use super::super::a::A; }",
        "pub use super::a::A; pub struct B(A);",
        "use super::*; pub struct B(A); fn f() -> super::A {}",
        "use super::c::C; pub struct B;",
    ] {
        let files = [
            ("m/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B;"),
            ("m/a.rs", there),
            ("m/b.rs", back),
            ("m/c.rs", "use super::a::A; pub struct C;"),
        ];
        let found = made_up(&files);
        assert!(found.len() == 1 && found[0].starts_with(&["m/a.rs".into(), "m/b.rs".into()]), "{back}: {found:?}");
    }
    let of_parent = [("m/mod.rs", "mod a; pub struct M(a::A);"), ("m/a.rs", "use super::M; pub struct A;")];
    assert_eq!(made_up(&of_parent), [["m/a.rs", "m/mod.rs"]]);
}

#[test]
fn what_only_looks_like_a_circle_passes() {
    for back in [
        "// use super::a::A;\npub struct B;",
        "pub struct B; #[cfg(test)] mod tests { use super::super::a::A; }",
        "pub struct B; #[cfg(test)] use super::a::A;",
        "pub use super::a::A; pub struct B;",
        "use super::a as other; pub struct B;",
    ] {
        let files = [("m/mod.rs", "mod a; mod b;"), ("m/a.rs", "use super::b::B; pub struct A;"), ("m/b.rs", back)];
        assert!(made_up(&files).is_empty(), "{back}");
    }
    let handed_on = [
        ("m/mod.rs", "mod a; #[cfg(test)] mod tests; pub use a::A; pub struct M;"),
        ("m/a.rs", "use super::M; pub struct A;"),
        ("m/tests.rs", "use super::*; use super::a::A; fn f() -> M {}"),
    ];
    assert!(made_up(&handed_on).is_empty());
}
