//! Questions to the person at the terminal, and where a passphrase comes from: a file, standard input, or that person.
//!
//! Never from an argument or the environment: both can be read by others and end up in histories.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::api::Code;

use super::USUAL_COLUMNS;
use super::error::{CliError, Result};
use super::output::Output;
use super::output::wrap::{HANG, fold};
use super::terminal;

/// Longest passphrase that is read, in bytes; a longer first line is not a passphrase.
const MAX_PASSPHRASE: u64 = 4096;

/// How often a passphrase may be typed before that is an error.
pub(super) const TRIES: usize = 3;
/// A passphrase of fewer letters is remarked on.
const FEW: usize = 8;

/// The value of `--passphrase-file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `-`: the first line of standard input.
    Stdin,
    /// The first line of a file.
    File(PathBuf),
}

impl From<OsString> for Source {
    /// The name of a file is bytes.
    fn from(text: OsString) -> Self {
        if text == "-" { Self::Stdin } else { Self::File(text.into()) }
    }
}

/// Shows a prompt and reads a line, with or without showing it.
type Typed = Box<dyn Fn(&str) -> io::Result<String>>;

/// How this run may ask.
pub(crate) struct Prompter {
    /// `--passphrase-file`.
    pub(crate) source: Option<Source>,
    /// Nobody is there to be asked: `--no-input`, or no terminal.
    pub(crate) alone: bool,
    typed: Typed,
    shown: Typed,
}

impl Prompter {
    /// Decides from the flags and the streams whether there is somebody to be asked.
    pub(crate) fn new(source: Option<Source>, no_input: bool) -> Self {
        let at_terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
        let typed = terminal::unseen;
        Self { source, alone: no_input || !at_terminal, typed: Box::new(typed), shown: Box::new(from_terminal) }
    }

    /// Whether a person types the passphrase, who can mistype.
    pub(crate) const fn is_person(&self) -> bool {
        self.source.is_none() && !self.alone
    }

    /// Whether the person says yes; anything else is a no. To be asked only when somebody is there.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool> {
        let answer = (self.shown)(question)
            .map_err(|error| CliError::io("the answer cannot be read from the terminal", &error))?;
        Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }

    /// The passphrase of an existing key file.
    pub(crate) fn existing(&self, prompt: &str, output: &mut Output) -> Result<Zeroizing<String>> {
        match &self.source {
            Some(source) => read(source, output),
            None if self.alone => Err(CliError::new(
                Code::PassphraseNeeded,
                "this profile has a passphrase, and there is nobody to ask for it",
            )
            .hint("give --passphrase-file FILE, or --passphrase-file - to read it from standard input")),
            None => self.ask(prompt),
        }
    }

    /// A new passphrase of a profile, typed twice, or read once from `source`. Who mistypes it is asked again.
    pub(crate) fn new_one(
        &self,
        source: Option<&Source>,
        profile: &str,
        output: &mut Output,
    ) -> Result<Zeroizing<String>> {
        let passphrase = match source {
            Some(source) => read(source, output)?,
            None => self.typed_twice(profile, output)?,
        };
        if passphrase.chars().count() < FEW {
            output.note(&format!(
                "That has fewer than {FEW} letters: who gets at the key file can try all of its kind."
            ))?;
        }
        Ok(passphrase)
    }

    fn typed_twice(&self, profile: &str, output: &mut Output) -> Result<Zeroizing<String>> {
        output.note(
            "The passphrase protects the key file on this disk: you are asked for it whenever the profile is opened. There is no way \
             back to a lost one.",
        )?;
        let mut tries = TRIES;
        loop {
            let first = self.ask(&format!("New passphrase for {profile}: "))?;
            let error = match first.is_empty() {
                true => empty().hint("nothing was changed; `--no-passphrase` does without"),
                false if *first == *self.ask("The same again: ")? => return Ok(first),
                false => CliError::mendable("passphrases_differ", "the two passphrases differ")
                    .hint("nothing was changed; try again"),
            };
            tries -= 1;
            if tries == 0 {
                return Err(error);
            }
            output.note(&format!("{}: once more", error.message()))?;
        }
    }

    fn ask(&self, prompt: &str) -> Result<Zeroizing<String>> {
        (self.typed)(prompt)
            .map(Zeroizing::new)
            .map_err(|error| CliError::io("the passphrase cannot be read from the terminal", &error))
    }
}

/// Asks on the terminal itself: standard input and output may be pipes. The question is safe.
fn from_terminal(question: &str) -> io::Result<String> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let columns = rustix::termios::tcgetwinsize(&terminal).map_or(0, |size| usize::from(size.ws_col));
    let shown = fold("", question.trim_end(), HANG, if columns == 0 { USUAL_COLUMNS } else { columns });
    terminal.write_all(format!("{shown} ").as_bytes())?;
    let mut line = String::new();
    BufReader::new(terminal).take(MAX_PASSPHRASE).read_line(&mut line)?;
    Ok(line)
}

fn read(source: &Source, output: &mut Output) -> Result<Zeroizing<String>> {
    match source {
        Source::Stdin => first_line(io::stdin().lock(), "standard input"),
        Source::File(path) => {
            let what = || format!("the passphrase file {}", path.display());
            let file = File::open(path).map_err(|error| CliError::io(&format!("{} cannot be read", what()), &error))?;
            warn_if_open_to_others(path, &file, output)?;
            first_line(BufReader::new(file), &what())
        }
    }
}

fn warn_if_open_to_others(path: &Path, file: &File, output: &mut Output) -> Result<()> {
    let others = file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0);
    if others {
        output.warn(&format!("{} can be read by others; `chmod 600` it", path.display()))?;
    }
    Ok(())
}

fn first_line(from: impl BufRead, what: &str) -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(MAX_PASSPHRASE + 1)
        .read_until(b'\n', &mut bytes)
        .map_err(|error| CliError::io(&format!("{what} cannot be read"), &error))?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(empty().hint(format!("the first line of {what} is taken as the passphrase")));
    }
    if bytes.len() as u64 > MAX_PASSPHRASE {
        return Err(CliError::mendable(
            "passphrase_too_long",
            format!("the first line of {what} is longer than {MAX_PASSPHRASE} bytes"),
        ));
    }
    std::str::from_utf8(line)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| CliError::mendable("passphrase_not_text", format!("the first line of {what} is not UTF-8 text")))
}

fn empty() -> CliError {
    CliError::mendable("passphrase_empty", "the passphrase is empty")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::cli::testing::{PEOPLE, output};

    #[test]
    fn the_first_line_is_the_passphrase() {
        assert_eq!(*first_line(&b"correct horse\nbattery"[..], "f").unwrap(), "correct horse");
        assert_eq!(*first_line(&b" blanks count \r\n"[..], "f").unwrap(), " blanks count ");
        assert_eq!(*first_line(&b"no line feed"[..], "f").unwrap(), "no line feed");
    }

    #[test]
    fn what_is_no_passphrase_is_refused() {
        assert_eq!(first_line(&b""[..], "f").unwrap_err().exit(), 1);
        assert_eq!(first_line(&b"\nsecond"[..], "f").unwrap_err().exit(), 1);
        assert_eq!(first_line(&b"\xff\n"[..], "f").unwrap_err().exit(), 1);
        assert_eq!(first_line(&vec![b'x'; 5000][..], "f").unwrap_err().exit(), 1);
    }

    /// A person who types these lines, one after the other.
    fn person(lines: &[&'static str]) -> Prompter {
        let lines = Rc::new(RefCell::new(lines.iter().rev().map(|line| (*line).to_owned()).collect::<Vec<_>>()));
        let typed = move |_: &str| lines.borrow_mut().pop().ok_or(io::ErrorKind::UnexpectedEof.into());
        Prompter { source: None, alone: false, typed: Box::new(typed.clone()), shown: Box::new(typed) }
    }

    /// What comes of these lines, and what is remarked on.
    fn new_one(lines: &[&'static str]) -> (Result<Zeroizing<String>>, String) {
        let (mut output, _, err) = output(PEOPLE);
        (person(lines).new_one(None, "work", &mut output), err.text())
    }

    #[test]
    fn a_new_passphrase_is_typed_twice() {
        let (typed, told) = new_one(&["correct horse", "correct horse"]);
        assert_eq!(*typed.unwrap(), "correct horse");
        assert!(told.starts_with("The passphrase protects the key file") && told.lines().count() == 1, "{told}");
        assert_eq!(new_one(&["a b"]).0.unwrap_err().exit(), 3, "the terminal went away");
    }

    #[test]
    fn who_mistypes_a_new_passphrase_is_asked_again() {
        let (typed, told) = new_one(&["", "correct horse", "correct hrose", "battery staple", "battery staple"]);
        assert_eq!(*typed.unwrap(), "battery staple");
        let again = "the passphrase is empty: once more\nthe two passphrases differ: once more\n";
        assert!(told.ends_with(again), "{told}");
        let (error, told) = new_one(&["a b", "a c", "", "a b", "a c", "a b", "a b"]);
        let error = error.unwrap_err();
        assert_eq!((error.exit(), error.message()), (1, "the two passphrases differ"), "{told}");
    }

    #[test]
    fn a_short_passphrase_is_taken_and_remarked_on() {
        for (passphrase, is_short) in [("seven 7", true), ("éééééé", true), ("eight  8", false)] {
            let (typed, told) = new_one(&[passphrase, passphrase]);
            assert_eq!(*typed.unwrap(), passphrase);
            assert_eq!(told.contains("fewer than 8 letters"), is_short, "{passphrase}");
        }
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for (line, sure) in
            [("y\n", true), ("Yes\n", true), ("\n", false), ("n\n", false), ("yo\n", false), ("", false)]
        {
            assert_eq!(person(&[line]).confirm("").unwrap(), sure, "{line:?}");
        }
        assert_eq!(person(&[]).confirm("").unwrap_err().exit(), 3, "the terminal went away");
    }

    #[test]
    fn nobody_is_asked_who_is_not_there() {
        let (mut output, ..) = output(PEOPLE);
        assert_eq!(*person(&["a"]).existing("", &mut output).unwrap(), "a");
        let alone = Prompter { alone: true, ..person(&["a"]) };
        assert_eq!(alone.existing("", &mut output).unwrap_err().exit(), 8);
        assert!(person(&[]).is_person() && !alone.is_person());
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_about() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p\x1b[2J");
        std::fs::write(&path, "secret\n").unwrap();
        let prompter = Prompter { source: Some(Source::File(path.clone())), ..person(&[]) };
        for (mode, warnings) in [(0o600, 0), (0o640, 1)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let (mut output, _, err) = output(PEOPLE);
            assert_eq!(*prompter.existing("", &mut output).unwrap(), "secret");
            assert_eq!(err.text().matches("warning:").count(), warnings);
            assert!(!err.text().contains('\x1b'));
        }
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Source::from(OsString::from("-")), Source::Stdin);
        assert_eq!(Source::from(OsString::from("./-")), Source::File("./-".into()));
    }
}
