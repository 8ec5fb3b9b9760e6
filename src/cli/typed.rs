//! What was typed, before it is understood: which of it are words, and which options; and how a command is written for a
//! shell, so that a hint can be pasted.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, Args, Command, CommandFactory};

use super::args::{Cli, Global};

/// The longest word that a hint repeats, in characters: what is pasted is whole or not there.
const LONGEST: usize = 200;

/// The arguments of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The program and what stands before the command, for a shell: `rohrpost -P work`.
    pub(crate) program: String,
    /// The command and all behind it; nothing if there is none, or what stands before it is not understood.
    pub(crate) command: Vec<String>,
    /// The value of `--profile`, wherever it stood.
    pub(crate) profile: Option<String>,
    /// The value of `--data-dir`, wherever it stood.
    pub(crate) data_dir: Option<String>,
}

impl Typed {
    /// Takes the arguments apart; the first is the name of the program.
    pub(crate) fn read(args: &[OsString]) -> Self {
        let root = Command::new("rohrpost").disable_help_subcommand(true).allow_external_subcommands(true);
        let matches = Global::augment_args(root).try_get_matches_from(args).ok();
        let found = matches.as_ref().and_then(clap::ArgMatches::subcommand);
        let behind = found.map_or(0, |(_, rest)| 1 + rest.get_many::<OsString>("").unwrap_or_default().len());
        let (before, command) = args.split_at(args.len() - behind.min(args.len()));
        let text = |args: &[OsString]| args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>();
        let program = std::iter::once("rohrpost".to_owned()).chain(text(before).into_iter().skip(1));
        let program = if behind == 0 { "rohrpost".to_owned() } else { shell(program) };
        let typed = Self { program, command: text(command), ..Self::default() };
        let (profile, data_dir) = typed.places(text(before));
        Self { profile, data_dir, ..typed }
    }

    /// The values of `--profile` and `--data-dir`, of which those behind the command go first.
    fn places(&self, before: Vec<String>) -> (Option<String>, Option<String>) {
        let of_all = || Global::augment_args(Command::new("rohrpost"));
        let find = |args: Vec<String>| {
            let matches = of_all().ignore_errors(true).try_get_matches_from(args).ok();
            let typed = |name| {
                let matches = matches.as_ref().filter(|at| at.value_source(name) == Some(ValueSource::CommandLine))?;
                matches.get_raw(name)?.next_back().map(|value| value.to_string_lossy().into_owned())
            };
            (typed("profile"), typed("data_dir"))
        };
        // Mostly there is nothing to be found, and the commands need not be built.
        let may_be =
            |arg: &String| arg.starts_with('-') && ["P", "profile", "data-dir"].iter().any(|name| arg.contains(name));
        let behind = if self.command.iter().any(may_be) { self.taken_apart().1 } else { Vec::new() };
        let behind = behind.iter().filter(|piece| piece.is_option()).flat_map(Piece::args).cloned();
        let behind = find(std::iter::once("rohrpost".to_owned()).chain(behind).collect());
        let before = if before.iter().any(may_be) { find(before) } else { (None, None) };
        (behind.0.or(before.0), behind.1.or(before.1))
    }

    /// The same command with all its options.
    pub(crate) fn again(&self) -> Line {
        let (names, pieces) = self.taken_apart();
        Line::new(format!("{}{names}", self.program), &pieces)
    }

    /// Another command, of the same profile.
    pub(crate) fn other(&self, command: &str) -> Line {
        Line::new(format!("{} {command}", self.everywhere()), [])
    }

    /// The program with what every command understands, wherever that stood: another command needs it to act where this one did.
    pub(crate) fn everywhere(&self) -> String {
        let of_all = Global::augment_args(Command::new("rohrpost"));
        let is_of_all = |piece: &&Piece| piece.args().first().is_some_and(|arg| wants_more(&of_all, arg).is_some());
        let (_, pieces) = self.taken_apart();
        Line::new(self.program.clone(), pieces.iter().filter(is_of_all)).with(&[])
    }

    /// The names of the command, a blank before each, and what else stands behind them and between them.
    fn taken_apart(&self) -> (String, Vec<Piece>) {
        let mut root = Cli::command();
        root.build();
        let (mut at, mut rest) = (&root, self.command.as_slice());
        let (mut names, mut found) = (String::new(), Vec::new());
        while let Some(nth) = first_word(at, rest)
            && let (before, [name, behind @ ..]) = rest.split_at(nth)
            && let Some(below) = at.find_subcommand(name)
        {
            found.extend(pieces(at, before));
            names = format!("{names} {name}");
            (at, rest) = (below, behind);
        }
        found.extend(pieces(at, rest));
        (names, found)
    }
}

/// A piece of what stands behind a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A word of what the command is about.
    Word(String),
    /// An option of the command, with its value.
    Option(Vec<String>),
    /// What looks like an option, and is none.
    Unknown(String),
}

impl Piece {
    /// The word, if it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }

    /// Whether it is an option of the command.
    pub(crate) const fn is_option(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// The arguments it was made of.
    pub(crate) fn args(&self) -> &[String] {
        match self {
            Self::Word(arg) | Self::Unknown(arg) => std::slice::from_ref(arg),
            Self::Option(args) => args,
        }
    }
}

/// A command line that is written anew, so that it can be pasted: its options stand before its words.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The command and what stands before it, for a shell.
    command: String,
    options: Vec<String>,
}

impl Line {
    /// A command, written for a shell, with those of the pieces that are options.
    pub(crate) fn new<'a>(command: String, pieces: impl IntoIterator<Item = &'a Piece>) -> Self {
        let options = pieces.into_iter().filter(|piece| piece.is_option()).flat_map(Piece::args).cloned().collect();
        Self { command, options }
    }

    /// With these words, each with its placeholder. The first that looks like an option stands behind `--`.
    pub(crate) fn with(&self, words: &[(&str, &str)]) -> String {
        let mut parts = vec![self.command.clone()];
        parts.extend(self.options.iter().map(|option| quoted(option)));
        let dashes = words.iter().position(|(_, word)| word.len() > 1 && word.starts_with('-'));
        for (at, (place, word)) in words.iter().enumerate() {
            parts.extend((dashes == Some(at)).then(|| "--".to_owned()));
            parts.push(placed(place, word));
        }
        parts.join(" ")
    }
}

/// Takes apart what stands behind a command, whose definition was built.
pub(crate) fn pieces(command: &Command, behind: &[String]) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = behind.iter().cloned();
    while let Some(piece) = rest.next() {
        if piece == "--" {
            found.extend(rest.by_ref().map(Piece::Word));
        } else if piece == "-" || !piece.starts_with('-') {
            found.push(Piece::Word(piece));
        } else {
            found.push(match wants_more(command, &piece) {
                None => Piece::Unknown(piece),
                Some(false) => Piece::Option(vec![piece]),
                Some(true) => Piece::Option(std::iter::once(piece).chain(rest.next()).collect()),
            });
        }
    }
    found
}

/// Which of the arguments behind a command is its first word, so that before it there are only options with their values;
/// `None` if there is none before `--`, behind which no command is meant.
pub(crate) fn first_word(command: &Command, behind: &[String]) -> Option<usize> {
    let mut at = 0;
    for piece in pieces(command, behind) {
        match piece {
            Piece::Word(word) => return behind.get(at).is_some_and(|arg| *arg == word).then_some(at),
            Piece::Option(option) => at += option.len(),
            Piece::Unknown(_) => at += 1,
        }
    }
    None
}

/// Whether the value of an option is the next argument; `None` if it is no option.
fn wants_more(command: &Command, option: &str) -> Option<bool> {
    let takes = |arg: &Arg| arg.get_action().takes_values();
    if let Some(long) = option.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name))?;
        return Some(takes(arg) && value.is_none() && !arg.is_require_equals_set());
    }
    let mut letters = option.chars().skip(1);
    while let Some(letter) = letters.next() {
        let arg = command.get_arguments().find(|arg| arg.get_short() == Some(letter))?;
        if takes(arg) {
            return Some(letters.next().is_none());
        }
    }
    Some(false)
}

/// Arguments as one writes them in a shell.
pub(crate) fn shell(args: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    args.into_iter().map(|arg| quoted(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A word as one writes it in a shell; its placeholder if it is empty or too long for a hint.
pub(crate) fn placed(place: &str, word: &str) -> String {
    match word.chars().nth(LONGEST) {
        None if !word.is_empty() => quoted(word),
        Some(_) if word.starts_with("rohrpost:") => "LINK".to_owned(),
        _ => place.to_owned(),
    }
}

/// An argument as one writes it in a shell.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,…".contains(c);
    match !arg.is_empty() && arg.chars().all(plain) {
        true => arg.to_owned(),
        false => format!("'{}'", arg.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &[&str]) -> Typed {
        Typed::read(&std::iter::once(&"rp").chain(line).map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_command_is_found_behind_the_options_of_all() {
        let work = typed(&["-P", "my work", "--json", "send", "-q", "bob", "-P", "x"]);
        assert_eq!(work.program, "rohrpost -P 'my work' --json");
        assert_eq!(work.command, ["send", "-q", "bob", "-P", "x"]);
        assert_eq!(typed(&["-P", "send", "tell", "bob"]).command, ["tell", "bob"]);
        assert_eq!(typed(&["--color=never", "x", "--", "-y"]).command, ["x", "--", "-y"]);
        for none in [&[][..], &["--json"], &["--nonsense", "send"], &["--help"], &["-q", "-v", "send"]] {
            assert_eq!(typed(none), Typed { program: "rohrpost".to_owned(), ..Typed::default() }, "{none:?}");
        }
    }

    #[test]
    fn another_command_acts_where_this_one_did() {
        for (line, program) in [
            (&["contacts", "bob", "list"][..], "rohrpost"),
            (&["-P", "my work", "contacts", "bob"], "rohrpost -P 'my work'"),
            (&["contacts", "-P", "work", "list", "--data-dir=d"], "rohrpost -P work --data-dir=d"),
            (&["-P", "work", "contacts", "add", "--name", "-q", "x", "--json"], "rohrpost -P work --json"),
            (&["send", "--expires", "1h", "bob", "-qP", "work", "hi", "--", "--json"], "rohrpost -qP work"),
        ] {
            assert_eq!(typed(line).everywhere(), program, "{line:?}");
            assert_eq!(typed(line).other("doctor").with(&[("WHO", "bob")]), format!("{program} doctor bob"));
        }
        let send = typed(&["-P", "work", "send", "--expires", "1h", "bob", "hi", "you", "-q"]);
        let again = send.again().with(&[("WHO", "bob"), ("TEXT", "")]);
        assert_eq!(again, "rohrpost -P work send --expires 1h -q bob TEXT");
        let verify = typed(&["contacts", "-q", "verify", "bob", "--undo"]);
        assert_eq!(verify.again().with(&[("WHO", "bob")]), "rohrpost contacts verify -q --undo bob");
    }

    #[test]
    fn words_are_told_from_options_and_their_values() {
        let mut root = Cli::command();
        root.build();
        let send = root.find_subcommand("send").unwrap();
        let kinds = |line: &str| {
            let behind: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let kind = |piece: &Piece| match piece {
                Piece::Word(word) => word.clone(),
                Piece::Option(option) => format!("[{}]", option.join(" ")),
                Piece::Unknown(piece) => format!("?{piece}"),
            };
            pieces(send, &behind).iter().map(kind).collect::<Vec<_>>().join(" ")
        };
        for (line, expected) in [
            ("bob hi - there", "bob hi - there"),
            ("bob --wait sent hi", "bob [--wait sent] hi"),
            ("bob --wait=sent hi", "bob [--wait=sent] hi"),
            ("-P work bob -Pwork hi -qP x y", "[-P work] bob [-Pwork] hi [-qP x] y"),
            ("-qv bob --json --accept hi", "[-qv] bob [--json] [--accept] hi"),
            ("bob --read -5 -- --json -x -- y", "bob ?--read ?-5 --json -x -- y"),
            ("bob --wait", "bob [--wait]"),
        ] {
            assert_eq!(kinds(line), expected, "{line}");
        }
    }

    #[test]
    fn the_value_of_an_option_is_no_word() {
        let mut root = Cli::command();
        root.build();
        let contacts = root.find_subcommand("contacts").unwrap();
        for (line, expected) in [
            ("bob", Some(0)),
            ("-P work bob", Some(2)),
            ("-Pwork --json bob", Some(2)),
            ("--data-dir d -x bob list", Some(3)),
            ("-P work", None),
            ("-q -- bob", None),
            ("", Some(0)),
        ] {
            let behind: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(first_word(contacts, &behind), expected, "{line}");
        }
        assert_eq!(first_word(contacts, &[]), None);
    }

    #[test]
    fn what_is_pasted_is_what_was_typed() {
        for (arg, expected) in [
            ("bob", "bob"),
            ("", "''"),
            ("it's", "'it'\\''s'"),
            ("a b", "'a b'"),
            ("$(rm)", "'$(rm)'"),
            ("…K9DPeVUH", "…K9DPeVUH"),
            ("Zoë", "Zoë"),
            ("~", "'~'"),
            ("a&b", "'a&b'"),
        ] {
            assert_eq!(quoted(arg), expected);
        }
        let long = "x".repeat(LONGEST);
        assert_eq!(placed("TEXT", &long), long);
    }

    #[test]
    fn what_is_too_long_for_a_hint_is_no_part_of_it() {
        let long = "é".repeat(LONGEST + 1);
        assert_eq!([placed("TEXT", &long), placed("TEXT", "")], ["TEXT", "TEXT"]);
        assert_eq!(placed("WHO", &format!("rohrpost:{long}")), "LINK");
        // Without an option the line would do something else.
        let option = Piece::Option(vec!["--data-dir".to_owned(), long.clone()]);
        let line = Line::new("rohrpost send".to_owned(), [&option]);
        assert_eq!(line.with(&[("WHO", "bob"), ("TEXT", &long)]), format!("rohrpost send --data-dir {long} bob TEXT"));
    }

    #[test]
    fn a_line_is_understood_as_it_is_meant() {
        let pieces = [
            Piece::Option(vec!["--subject".to_owned(), "it's".to_owned()]),
            Piece::Word("x".to_owned()),
            Piece::Unknown("-y".to_owned()),
            Piece::Option(vec!["-q".to_owned()]),
        ];
        let line = Line::new("rohrpost -P work send".to_owned(), &pieces);
        for (words, expected) in [
            (&[("WHO", "bob"), ("TEXT", "see you")][..], "bob 'see you'"),
            (&[("WHO", "bob"), ("TEXT", "")], "bob TEXT"),
            (&[("WHO", "bob"), ("TEXT", "-")], "bob -"),
            (&[("WHO", "bob"), ("TEXT", "-x"), ("TEXT", "-y")], "bob -- -x -y"),
            (&[("WHO", "-bob"), ("TEXT", "-x")], "-- -bob -x"),
            (&[], ""),
        ] {
            let expected = format!("rohrpost -P work send --subject 'it'\\''s' -q {expected}");
            assert_eq!(line.with(words), expected.trim_end());
        }
    }
}
