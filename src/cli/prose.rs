//! Commands whose words are a text: where their options may stand. An option between the words would be taken out of the text
//! without a word about it, and what looks like one and is none would be sent.

use clap::{Command, CommandFactory};

use crate::api::Code;

use super::args::Cli;
use super::error::{CliError, Result};
use super::typed::{Line, Piece, Typed, pieces, shell};

/// Who has a recipient and a text, or a message and a text.
const PROSE: [(&str, &str); 2] = [("send", "WHO"), ("reply", "MSG")];

/// A command whose words are a text, as it was typed.
struct Prose<'a> {
    program: &'a str,
    name: &'static str,
    /// What stands for its first word.
    place: &'static str,
    pieces: Vec<Piece>,
}

/// Refuses options that stand between words, and what looks like an option and is none.
pub(crate) fn check(typed: &Typed) -> Result<()> {
    let Some((name, behind)) = typed.command.split_first() else { return Ok(()) };
    let Some((name, place)) = PROSE.into_iter().find(|(prose, _)| prose == name) else { return Ok(()) };
    let mut root = Cli::command();
    root.build();
    let Some(command) = root.find_subcommand(name) else { return Ok(()) };
    let prose = Prose { program: &typed.program, name, place, pieces: pieces(command, behind) };
    if let Some(Piece::Unknown(unknown)) = prose.pieces.iter().find(|piece| matches!(piece, Piece::Unknown(_))) {
        return Err(prose.no_option(unknown, command));
    }
    prose.check_first()?;
    prose.check_order()
}

impl Prose<'_> {
    /// The first word, and the others with a blank between them.
    fn words(&self) -> Option<(&str, String)> {
        let words: Vec<&str> = self.pieces.iter().filter_map(Piece::word).collect();
        words.split_first().map(|(first, text)| (*first, text.join(" ")))
    }

    /// Such a command with all its options.
    fn line(&self, name: &str) -> Line {
        Line::new(format!("{} {name}", self.program), &self.pieces)
    }

    /// Refuses what cannot be a recipient, or a message, and is one elsewhere.
    fn check_first(&self) -> Result<()> {
        let Some((first, text)) = self.words() else { return Ok(()) };
        let send = |who: &str| format!("`{}`", self.line("send").with(&[("WHO", who), ("TEXT", &text)]));
        match self.name {
            "send" if first.len() > 1 && first.starts_with('@') => {
                let plain: Vec<&str> = first.split(',').map(|who| who.trim().trim_start_matches('@')).collect();
                Err(CliError::usage(format!("a name has no @ before it, as in '{first}'")).hint(send(&plain.join(","))))
            }
            "reply" if !first.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                let error = CliError::new(
                    Code::NoMessage,
                    format!("'{first}' is no message ID, and `reply` answers a message"),
                );
                Err(error.hint(format!("to write to somebody: {}", send(first))))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an option between the words.
    fn check_order(&self) -> Result<()> {
        let is_word = |piece: &Piece| piece.word().is_some();
        let words = self.pieces.iter().position(is_word).zip(self.pieces.iter().rposition(is_word));
        let between =
            words.and_then(|(first, last)| self.pieces.get(first..=last)?.iter().find(|piece| !is_word(piece)));
        let (Some(between), Some((first, text))) = (between, self.words()) else { return Ok(()) };
        let as_option = self.line(self.name).with(&[(self.place, first), ("TEXT", &text)]);
        let as_text = self.whole_text();
        Err(CliError::usage(format!("{} stands between the words", shell(between.args())))
            .hint(format!("as an option: `{as_option}`; as a part of the text: `{as_text}`")))
    }

    /// What looks like an option, and is none.
    fn no_option(&self, unknown: &str, command: &Command) -> CliError {
        let name = self.name;
        let message = format!("'{unknown}' is no option of `{name}`");
        if let Some((who, text)) = without_text_options(&self.pieces) {
            let meant = self.line(name).with(&[(self.place, &who), ("TEXT", &text)]);
            return CliError::usage(message).hint(format!("the recipient is the first word: `{meant}`"));
        }
        let known = command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}"));
        let near = super::near::nearest(unknown, known);
        let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
        let is_text = self.pieces.iter().find(|piece| !piece.is_option()).and_then(Piece::word).is_some();
        CliError::usage(message).hint(match is_text {
            true => format!("{near}as a part of the text: `{}`", self.whole_text()),
            false => format!("{near}`rohrpost {name} --help` lists them"),
        })
    }

    /// All between the first word and the last one as one text.
    fn whole_text(&self) -> String {
        let is_text = |piece: &Piece| !piece.is_option();
        let first = self.pieces.iter().position(is_text).unwrap_or(0);
        let end = self.pieces.iter().rposition(is_text).map_or(0, |last| last + 1);
        let outside = self.pieces.iter().take(first).chain(self.pieces.iter().skip(end));
        let text: Vec<&str> = self
            .pieces
            .get(first + 1..end)
            .unwrap_or_default()
            .iter()
            .flat_map(Piece::args)
            .map(String::as_str)
            .collect();
        let who = self.pieces.get(first).and_then(Piece::word).unwrap_or_default();
        Line::new(format!("{} {}", self.program, self.name), outside)
            .with(&[(self.place, who), ("TEXT", &text.join(" "))])
    }
}

/// The recipient and the text of whoever writes `-m TEXT` or `--to WHO`, as other programs want it.
pub(crate) fn without_text_options(pieces: &[Piece]) -> Option<(String, String)> {
    let (mut who, mut text, mut words) = (None, Vec::new(), Vec::new());
    let mut rest = pieces.iter().filter(|piece| !piece.is_option());
    while let Some(piece) = rest.next() {
        match piece {
            Piece::Unknown(option) => match option.as_str() {
                "-m" | "--message" | "--text" => text.push(rest.next()?.word()?),
                "-t" | "--to" | "-r" | "--recipient" if who.is_none() => who = Some(rest.next()?.word()?),
                _ => return None,
            },
            piece => words.extend(piece.word()),
        }
    }
    let mut words = words.into_iter();
    let found = who.is_some() || !text.is_empty();
    let who = who.or_else(|| words.next())?;
    text.extend(words);
    (found && !text.is_empty()).then(|| (who.to_owned(), text.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &[&str]) -> Result<()> {
        let command = line.iter().map(|word| (*word).to_owned()).collect();
        check(&Typed { program: "rohrpost".to_owned(), command, ..Typed::default() })
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
        assert_eq!(hint(&["send", "--to", "bob", "-m", "hi", "you"]), format!("{first}'hi you'`"));
        assert_eq!(hint(&["send", "-t", "bob"]), "`rohrpost send --help` lists them");
        assert_eq!(
            hint(&["send", "--expires", "1h", "bob", "-m", "hi", "there"]),
            "the recipient is the first word: `rohrpost send --expires 1h bob 'hi there'`"
        );
        assert_eq!(
            hint(&["send", "bob", "-m", "hi", "-x", "you"]),
            "as a part of the text: `rohrpost send bob -- '-m hi -x you'`"
        );
    }

    #[test]
    fn who_is_named_otherwise_elsewhere_is_told_how_he_is_named_here() {
        assert_eq!(hint(&["send", "@bob", "hi", "you"]), "`rohrpost send bob 'hi you'`");
        assert_eq!(hint(&["send", "@bob,@carol", "hi"]), "`rohrpost send bob,carol hi`");
        assert_eq!(hint(&["send", "@bob"]), "`rohrpost send bob TEXT`");
        assert_eq!(
            hint(&["send", "--expires", "10m", "@bob", "secret", "-q"]),
            "`rohrpost send --expires 10m -q bob secret`"
        );
        assert_eq!(hint(&["send", "@bob", "--", "-x"]), "`rohrpost send bob -- -x`");
        let error = checked(&["reply", "--expires", "10m", "bob", "hi"]).unwrap_err();
        assert_eq!(error.into_api().hint.unwrap(), "to write to somebody: `rohrpost send --expires 10m bob hi`");
        let error = checked(&["reply", "bob", "hi"]).unwrap_err();
        assert_eq!(error.exit(), 6);
        assert_eq!(error.into_api().hint.unwrap(), "to write to somebody: `rohrpost send bob hi`");
        assert_eq!(checked(&["reply", "01A3", "hi"]), Ok(()));
    }
}
