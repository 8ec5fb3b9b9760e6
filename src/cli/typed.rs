//! What was typed, before it is understood: which of it are words, and which options; and how a command is written for a
//! shell, so that a hint can be pasted.

use std::ffi::OsString;

use clap::{Arg, Args, Command};

use super::args::Global;

/// The longest piece of what was typed that a hint repeats, in characters.
const LONGEST: usize = 200;

/// The arguments of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The program and what stands before the command, for a shell: `rohrpost -P work`.
    pub(crate) program: String,
    /// The command and all behind it; nothing if there is none, or what stands before it is not understood.
    pub(crate) command: Vec<String>,
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
        Self { program, command: text(command) }
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

/// An argument as one writes it in a shell; one that is long is cut.
pub(crate) fn quoted(arg: &str) -> String {
    let mut short: String = arg.chars().take(LONGEST).collect();
    if short.len() < arg.len() {
        short.push('…');
    }
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,…".contains(c);
    match !short.is_empty() && short.chars().all(plain) {
        true => short,
        false => format!("'{}'", short.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

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
            assert_eq!(typed(none), Typed { program: "rohrpost".to_owned(), command: Vec::new() }, "{none:?}");
        }
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
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
