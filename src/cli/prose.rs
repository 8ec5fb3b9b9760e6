//! Commands whose words are a text: where their options may stand. An option between the words would be taken out of the text
//! without a word about it, and what looks like one and is none would be sent.

use clap::{Command, CommandFactory};

use crate::api::Code;

use super::args::Cli;
use super::error::{CliError, Result};
use super::typed::{Piece, Typed, pieces, quoted, shell};

/// Who has a recipient and a text, or a message and a text.
const PROSE: [&str; 2] = ["send", "reply"];

/// Refuses options that stand between words, and what looks like an option and is none.
pub(crate) fn check(typed: &Typed) -> Result<()> {
    let Some((name, behind)) = typed.command.split_first().filter(|(name, _)| PROSE.contains(&name.as_str())) else {
        return Ok(());
    };
    let mut root = Cli::command();
    root.build();
    let Some(command) = root.find_subcommand(name) else { return Ok(()) };
    let pieces = pieces(command, behind);
    let program = format!("{} {name}", typed.program);
    if let Some(Piece::Unknown(unknown)) = pieces.iter().find(|piece| matches!(piece, Piece::Unknown(_))) {
        return Err(no_option(&program, name, unknown, &pieces, command));
    }
    let words: Vec<&str> = pieces.iter().filter_map(word).map(String::as_str).collect();
    if let [first, text @ ..] = words.as_slice() {
        check_first(&typed.program, name, first, &text.join(" "))?;
    }
    let is_word = |piece: &Piece| matches!(piece, Piece::Word(_));
    let words = pieces.iter().position(is_word).zip(pieces.iter().rposition(is_word));
    let between = words.and_then(|(first, last)| pieces.get(first..=last)?.iter().find(|piece| !is_word(piece)));
    let Some(Piece::Option(between)) = between else { return Ok(()) };
    let message = format!("{} stands between the words", shell(between));
    let all = pieces.iter().filter(|piece| !is_word(piece)).flat_map(flat);
    let text: Vec<String> = pieces.iter().filter_map(word).skip(1).cloned().collect();
    let as_option = format!("as an option: `{}`", line(&program, all, &pieces, &text));
    let as_text = format!("as a part of the text: `{}`", whole_text(&program, &pieces));
    Err(CliError::usage(message).hint(format!("{as_option}; {as_text}")))
}

/// Refuses what cannot be a recipient, or a message, and is one elsewhere.
fn check_first(program: &str, name: &str, first: &str, text: &str) -> Result<()> {
    let send = |who: &str| format!("`{program} send {}`", shell([who, text].iter().filter(|word| !word.is_empty())));
    match name {
        "send" if first.len() > 1 && first.starts_with('@') => {
            let plain: Vec<&str> = first.split(',').map(|who| who.trim().trim_start_matches('@')).collect();
            Err(CliError::usage(format!("a name has no @ before it, as in '{first}'")).hint(send(&plain.join(","))))
        }
        "reply" if !first.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            let error =
                CliError::new(Code::NoMessage, format!("'{first}' is no message ID, and `reply` answers a message"));
            Err(error.hint(format!("to write to somebody: {}", send(first))))
        }
        _ => Ok(()),
    }
}

/// What looks like an option, and is none.
fn no_option(program: &str, name: &str, unknown: &str, pieces: &[Piece], command: &Command) -> CliError {
    let message = format!("'{unknown}' is no option of `{name}`");
    if let Some(meant) = with_text_option(unknown, pieces) {
        return CliError::usage(message).hint(format!("the recipient is the first word: `{program} {meant}`"));
    }
    let known = command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}"));
    let near = super::near::nearest(unknown, known);
    let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
    let is_text = pieces.iter().find(|piece| !matches!(piece, Piece::Option(_))).and_then(word).is_some();
    CliError::usage(message).hint(match is_text {
        true => format!("{near}as a part of the text: `{}`", whole_text(program, pieces)),
        false => format!("{near}`rohrpost {name} --help` lists them"),
    })
}

/// Who writes `-m TEXT` or `--to WHO`, as other programs want it.
fn with_text_option(unknown: &str, pieces: &[Piece]) -> Option<String> {
    let words = || pieces.iter().filter_map(word);
    let at = pieces.iter().position(|piece| *piece == Piece::Unknown(unknown.to_owned()))?;
    let value = word(pieces.get(at + 1)?)?;
    let mut others = words().collect::<Vec<_>>();
    others.remove(pieces.get(..at)?.iter().filter_map(word).count());
    match unknown {
        "-m" | "--message" | "--text" => Some(shell([others.first()?.as_str(), value])),
        "-t" | "--to" | "-r" | "--recipient" if !others.is_empty() => {
            let text = others.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ");
            Some(shell([value.as_str(), &text]))
        }
        _ => None,
    }
}

/// All between the recipient and the last word as one text.
fn whole_text(program: &str, pieces: &[Piece]) -> String {
    let is_text = |piece: &Piece| !matches!(piece, Piece::Option(_));
    let first = pieces.iter().position(is_text).unwrap_or(0);
    let end = pieces.iter().rposition(is_text).map_or(0, |last| last + 1);
    let outside = pieces.iter().take(first).chain(pieces.iter().skip(end)).flat_map(flat);
    let text = pieces.get(first + 1..end).unwrap_or_default().iter().flat_map(flat).collect::<Vec<_>>();
    line(program, outside, pieces, &text)
}

/// A command line with the text as one word.
fn line(program: &str, options: impl Iterator<Item = String>, pieces: &[Piece], text: &[String]) -> String {
    let mut parts = vec![program.to_owned()];
    parts.extend(options.chain(pieces.iter().find_map(word).cloned()).map(|arg| quoted(&arg)));
    let text = text.join(" ");
    // What begins like an option stands behind all of them.
    parts.extend(text.starts_with('-').then(|| "--".to_owned()));
    parts.extend((!text.is_empty()).then(|| quoted(&text)));
    parts.join(" ")
}

fn word(piece: &Piece) -> Option<&String> {
    if let Piece::Word(word) = piece { Some(word) } else { None }
}

fn flat(piece: &Piece) -> Vec<String> {
    match piece {
        Piece::Word(one) | Piece::Unknown(one) => vec![one.clone()],
        Piece::Option(option) => option.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &[&str]) -> Result<()> {
        let command = line.iter().map(|word| (*word).to_owned()).collect();
        check(&Typed { program: "rohrpost".to_owned(), command })
    }

    fn hint(line: &[&str]) -> String {
        let error = checked(line).unwrap_err();
        assert_eq!(error.exit(), 2, "{line:?}");
        error.into_api().hint.unwrap()
    }

    #[test]
    fn options_stand_before_the_words_or_behind_them() {
        for line in [
            &["send", "bob", "hi", "there"][..],
            &["send", "--wait", "sent", "bob", "hi", "there"],
            &["send", "bob", "hi", "there", "--wait", "sent", "--json"],
            &["send", "-q", "bob", "hi", "--", "--there", "-x"],
            &["send", "bob", "--", "-x"],
            &["send", "bob"],
            &["send"],
            &["history", "bob", "-n", "3"],
            &[],
        ] {
            assert_eq!(checked(line), Ok(()), "{line:?}");
        }
        assert_eq!(
            hint(&["send", "-q", "bob", "are", "--json", "you", "there?", "--wait", "sent"]),
            "as an option: `rohrpost send -q --json --wait sent bob 'are you there?'`; \
             as a part of the text: `rohrpost send -q --wait sent bob 'are --json you there?'`"
        );
        assert_eq!(
            hint(&["reply", "01a3", "--wait", "sent", "hi"]),
            "as an option: `rohrpost reply --wait sent 01a3 hi`; \
             as a part of the text: `rohrpost reply 01a3 -- '--wait sent hi'`"
        );
    }

    #[test]
    fn what_is_no_option_is_no_text_either() {
        assert_eq!(
            hint(&["send", "bob", "are", "you", "-5"]),
            "as a part of the text: `rohrpost send bob 'are you -5'`"
        );
        assert_eq!(hint(&["send", "bob", "-x"]), "as a part of the text: `rohrpost send bob -- -x`");
        assert_eq!(
            hint(&["send", "bob", "hi", "--subjet", "x"]),
            "did you mean --subject? as a part of the text: `rohrpost send bob 'hi --subjet x'`"
        );
        assert_eq!(hint(&["send", "-x", "bob", "hi"]), "`rohrpost send --help` lists them");
    }

    #[test]
    fn what_other_programs_have_options_for_is_a_word_here() {
        let first = "the recipient is the first word: `rohrpost send bob ";
        assert_eq!(hint(&["send", "-m", "hi you", "bob"]), format!("{first}'hi you'`"));
        assert_eq!(hint(&["send", "bob", "--message", "hi"]), format!("{first}hi`"));
        assert_eq!(hint(&["send", "--to", "bob", "hi", "you"]), format!("{first}'hi you'`"));
        assert_eq!(hint(&["send", "-t", "bob"]), "`rohrpost send --help` lists them");
    }

    #[test]
    fn who_is_named_otherwise_elsewhere_is_told_how_he_is_named_here() {
        assert_eq!(hint(&["send", "@bob", "hi", "you"]), "`rohrpost send bob 'hi you'`");
        assert_eq!(hint(&["send", "@bob,@carol", "hi"]), "`rohrpost send bob,carol hi`");
        let error = checked(&["reply", "bob", "hi"]).unwrap_err();
        assert_eq!(error.exit(), 6);
        assert_eq!(error.into_api().hint.unwrap(), "to write to somebody: `rohrpost send bob hi`");
        assert_eq!(checked(&["reply", "01A3", "hi"]), Ok(()));
    }
}
