//! Where a command acts: the options that say so, repeated in the commands that people are told, which would act elsewhere
//! without them. What the environment says holds for what is pasted as well.

use std::borrow::Cow;

use super::typed::{Typed, shell};

/// What a command stands in within a text.
const QUOTE: char = '`';
/// Commands that act nowhere.
const NOWHERE: [&str; 6] = ["help", "version", "man", "completions", "openrpc", "demo"];

/// The options that were typed, each with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Here {
    profile: Option<String>,
    data_dir: Option<String>,
}

impl Here {
    /// Of a command as it was typed.
    pub(crate) fn of(typed: &Typed) -> Self {
        Self { profile: typed.profile.clone(), data_dir: typed.data_dir.clone() }
    }

    /// The text, each of its commands with the options that it has not yet.
    pub(crate) fn told<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.profile.is_none() && self.data_dir.is_none() {
            return Cow::Borrowed(text);
        }
        let parts = text.split(QUOTE).enumerate();
        // Between the first quote and the second, the third and the fourth, and so on.
        let told = parts.map(|(nth, part)| if nth % 2 == 1 { self.command(part) } else { Cow::Borrowed(part) });
        Cow::Owned(told.collect::<Vec<_>>().join("`"))
    }

    fn command<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let Some(behind) = line.strip_prefix("rohrpost ") else { return Cow::Borrowed(line) };
        let words = words(behind);
        let options: Vec<&str> = words.iter().map(String::as_str).take_while(|word| *word != "--").collect();
        let is_nowhere = words.first().is_some_and(|first| NOWHERE.contains(&first.as_str()));
        if is_nowhere || options.contains(&"--help") {
            return Cow::Borrowed(line);
        }
        let profile = self.profile.as_ref().filter(|_| !options.iter().any(|word| names_profile(word)));
        let data_dir = self.data_dir.as_ref().filter(|_| !options.iter().any(|word| is_long(word, "--data-dir")));
        let mut told = "rohrpost ".to_owned();
        for (name, value) in [("-P", profile), ("--data-dir", data_dir)] {
            if let Some(value) = value {
                told = format!("{told}{} ", shell([name, value]));
            }
        }
        Cow::Owned(told + behind)
    }
}

fn names_profile(word: &str) -> bool {
    // Short options may stand together.
    is_long(word, "--profile") || word.starts_with('-') && !word.starts_with("--") && word.contains('P')
}

fn is_long(word: &str, name: &str) -> bool {
    word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// The words of a line, quoted as [`shell`] does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            '\\' if !is_quoted => word.extend(letters.next()),
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn told(line: &[&str], text: &str) -> String {
        let args: Vec<OsString> = std::iter::once(&"rohrpost").chain(line).map(OsString::from).collect();
        Here::of(&Typed::read(&args)).told(text).into_owned()
    }

    #[test]
    fn a_command_is_told_as_it_acts_here() {
        let hint = "see `rohrpost id`, `rohrpost contacts add LINK` or `-P NAME`";
        assert_eq!(told(&["inbox"], hint), hint);
        assert_eq!(
            told(&["-P", "work", "inbox"], hint),
            "see `rohrpost -P work id`, `rohrpost -P work contacts add LINK` or `-P NAME`"
        );
        for line in [
            &["--data-dir", "my data", "--profile=work", "send", "bob", "hi"][..],
            &["send", "--data-dir=my data", "-qP", "work", "bob", "hi"],
            &["-Pwork", "send", "bob", "hi", "--data-dir", "my data", "--", "-P", "other"],
            &["contacts", "-P", "work", "nonsense", "--data-dir", "my data"],
            &["-P", "work", "nonsense", "--data-dir", "my data"],
        ] {
            assert_eq!(told(line, "`rohrpost run`"), "`rohrpost -P work --data-dir 'my data' run`", "{line:?}");
        }
        assert_eq!(told(&["inbox", "--", "-P", "work"], hint), hint);
        assert_eq!(told(&["-P", "work"], "`rohrpost run`"), "`rohrpost -P work run`");
    }

    #[test]
    fn what_stands_there_already_is_not_said_twice() {
        for (hint, expected) in [
            ("`rohrpost -P work send bob 'it'\\''s -P x'`", "`rohrpost --data-dir d -P work send bob 'it'\\''s -P x'`"),
            ("`rohrpost send bob 'x -P y'`", "`rohrpost -P work --data-dir d send bob 'x -P y'`"),
            ("`rohrpost send bob -- -P`", "`rohrpost -P work --data-dir d send bob -- -P`"),
            ("`rohrpost send -qPwork --data-dir=d bob`", "`rohrpost send -qPwork --data-dir=d bob`"),
            ("`rohrpost -P NAME status`", "`rohrpost --data-dir d -P NAME status`"),
        ] {
            assert_eq!(told(&["-P", "work", "--data-dir", "d", "x"], hint), expected);
        }
    }

    #[test]
    fn what_acts_nowhere_and_what_is_no_command_stays() {
        for text in [
            "`rohrpost --help` lists the commands",
            "`rohrpost contacts --help` says more",
            "`rohrpost help id rotate`",
            "`rohrpost`, `rohrposty run`, rohrpost run",
            "as that user: `sudo -u bob rohrpost …`",
            "an `odd number of` quotes: `",
        ] {
            assert_eq!(told(&["-P", "work", "x"], text), text);
        }
    }
}
