//! Where a passphrase comes from: a file, standard input, or the person at the terminal.
//!
//! Never from an argument or the environment: both can be read by others and end up in histories.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::api::Code;

use super::error::{CliError, Result};
use super::output::Output;

/// Longest passphrase that is read, in bytes; a longer first line is not a passphrase.
const MAX_PASSPHRASE: u64 = 4096;

/// The value of `--passphrase-file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `-`: the first line of standard input.
    Stdin,
    /// The first line of a file.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

/// How this run may ask for passphrases.
#[derive(Clone, Debug)]
pub(crate) struct Prompter {
    /// `--passphrase-file`.
    pub(crate) source: Option<Source>,
    /// Nobody is there to be asked: `--no-input`, or no terminal.
    pub(crate) alone: bool,
}

impl Prompter {
    /// Decides from the flags and the streams whether there is somebody to be asked.
    pub(crate) fn new(source: Option<Source>, no_input: bool) -> Self {
        let at_terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
        Self { source, alone: no_input || !at_terminal }
    }

    /// Whether a person types the passphrase, who can mistype.
    pub(crate) const fn is_person(&self) -> bool {
        self.source.is_none() && !self.alone
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
            None => ask(prompt),
        }
    }

    /// A new passphrase, typed twice, or read once from `source`.
    pub(crate) fn new_one(&self, source: Option<&Source>, output: &mut Output) -> Result<Zeroizing<String>> {
        if let Some(source) = source {
            return read(source, output);
        }
        let first = ask("New passphrase: ")?;
        if first.is_empty() {
            return Err(empty().hint("type one, or use --no-passphrase to do without"));
        }
        let second = ask("The same again: ")?;
        if *first != *second {
            return Err(CliError::mendable("passphrases_differ", "the two passphrases differ")
                .hint("nothing was changed; try again"));
        }
        Ok(first)
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| CliError::io("the passphrase cannot be read from the terminal", &error))
}

fn read(source: &Source, output: &mut Output) -> Result<Zeroizing<String>> {
    match source {
        Source::Stdin => first_line(io::stdin().lock(), "standard input"),
        Source::File(path) => {
            let what = || format!("the passphrase file {}", path.display());
            let file = File::open(path).map_err(|error| CliError::io(&what(), &error))?;
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
    use super::*;

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

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!("-".parse(), Ok(Source::Stdin));
        assert_eq!("./-".parse(), Ok(Source::File("./-".into())));
    }
}
