//! What can stand at the cursor, for a shell that asks.
//!
//! The answer is of the moment or there is none: whoever presses a key waits for it. So nobody is asked for a passphrase, no store is
//! opened, and a running node is given 50 ms. Nothing of what others wrote comes into a command line but a plain name.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Arg, Command, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;

use crate::api::{METHODS, NoParams, method};
use crate::base::PeerId;
use crate::base::names::{folded, oddity};
use crate::client::{Client, Place, beside};

use super::args::definition;
use super::output::{safe, short_peer};

/// The variable by which a shell asks; it says which shell it is.
const ASKED: &str = "ROHRPOST_COMPLETE";
/// For so long a node is listened to.
const PATIENCE: Duration = Duration::from_millis(50);

/// Answers a shell; `None` when none asks.
pub(crate) fn answer(args: &[OsString]) -> Option<ExitCode> {
    let shell = std::env::var(ASKED).ok()?;
    let words: Vec<OsString> = args.iter().skip_while(|arg| *arg != "--").skip(1).cloned().collect();
    let asked = Asked { place: place(&words), escaped: shell == "bash" };
    let completer = CompleteEnv::with_factory(|| with_candidates(definition(), "", &asked)).var(ASKED);
    match completer.bin("rohrpost").completer("rohrpost").try_complete(args.iter().cloned(), None) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// What a shell needs so that it asks; `None` for one that cannot.
pub(crate) fn script(shell: &str) -> Option<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    shells.completer(shell)?.write_registration(ASKED, "rohrpost", "rohrpost", "rohrpost", &mut script).ok()?;
    if shell == "zsh" {
        script = String::from_utf8(script).ok()?.replace(ZSH_TAKES, &format!("{ZSH_TAKES} {CASELESS}")).into_bytes();
    }
    Some(script)
}

/// Where zsh leaves out what does not begin with what was typed.
const ZSH_TAKES: &str = "_describe -V 'values' other";
/// Names are compared caseless; bash and fish leave that to us.
const CASELESS: &str = "-M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}'";

/// Who asks, and about which profile.
#[derive(Clone)]
struct Asked {
    place: Option<Place>,
    /// It takes words as they would be typed, and not as they are.
    escaped: bool,
}

/// The profile that the words so far are about.
fn place(words: &[OsString]) -> Option<Place> {
    let found = definition().ignore_errors(true).try_get_matches_from(words).ok()?;
    let profile = found.get_one::<String>("profile").map_or("default", String::as_str);
    Place::resolve(profile, found.get_one::<PathBuf>("data_dir").map(PathBuf::as_path)).ok()
}

/// The definition, with what each argument can be where that is known.
fn with_candidates(command: Command, path: &str, asked: &Asked) -> Command {
    let command = command.mut_args(|arg| with_values(arg, path, asked));
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        with_candidates(below, &path, asked)
    })
}

fn with_values(arg: Arg, path: &str, asked: &Asked) -> Arg {
    let asked = asked.clone();
    let named = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    match (named.as_deref(), path.trim_start()) {
        (Some("FILE" | "FILE|-"), _) => arg.value_hint(ValueHint::AnyPath),
        (Some("DIR"), _) => arg.value_hint(ValueHint::DirPath),
        (Some("WHO"), path) => {
            let of_requests = matches!(path, "accept" | "decline") || path.starts_with("requests");
            let of_both = path == "block";
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
                let known = asked.place.as_ref().map(|place| people(place, of_requests || of_both, !of_requests));
                fitting_last(known.unwrap_or_default(), typed, asked.escaped)
            }))
        }
        (Some("METHOD"), _) => arg.add(ArgValueCompleter::new(|typed: &OsStr| {
            fitting(
                METHODS.iter().map(|method| (method.name.to_owned(), method.about.trim().to_owned())).collect(),
                typed,
            )
        })),
        _ if arg.get_id() == "profile" => arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
            let all = asked.place.as_ref().map(beside).unwrap_or_default();
            fitting(all.into_iter().map(|place| (place.profile, String::new())).collect(), typed)
        })),
        _ => arg,
    }
}

/// Words and what stands beside them.
type Words = Vec<(String, String)>;

/// How the people are named, by a node that answers in time.
fn people(place: &Place, requests: bool, contacts: bool) -> Words {
    let (tell, told) = mpsc::sync_channel(1);
    let place = place.clone();
    // It may wait for ever, and ends with the process.
    thread::spawn(move || tell.send(ask(&place, requests, contacts)));
    told.recv_timeout(PATIENCE).ok().flatten().map(|all| words(&all)).unwrap_or_default()
}

fn ask(place: &Place, requests: bool, contacts: bool) -> Option<Vec<(String, PeerId)>> {
    let mut client = Client::connect(place).ok()??;
    let mut all = Vec::new();
    if contacts {
        let known = client.ask::<method::ContactsList>(&NoParams {}).ok()?;
        all.extend(known.into_iter().map(|contact| (contact.name, contact.peer_id)));
    }
    if requests {
        let known = client.ask::<method::RequestsList>(&NoParams {}).ok()?;
        all.extend(known.into_iter().map(|request| (request.name, request.peer_id)));
    }
    Some(all)
}

/// By their names, or by the ends of their peer IDs where a name is none, is that of two, or has something in it that a shell
/// might act on: others choose theirs.
fn words(all: &[(String, PeerId)]) -> Words {
    let mut count: HashMap<String, usize> = HashMap::new();
    all.iter().for_each(|(name, _)| *count.entry(folded(name)).or_default() += 1);
    let is_plain = |name: &str| {
        let harmless = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
        !name.is_empty() && oddity(name).is_none() && name.chars().all(harmless) && count.get(&folded(name)) == Some(&1)
    };
    let word = |(name, peer): &(String, PeerId)| match is_plain(name) {
        true => (name.clone(), short_peer(peer)),
        false => (short_peer(peer), safe::line(name)),
    };
    all.iter().map(word).collect()
}

/// Those that begin with what was typed.
fn fitting(words: Words, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy().to_lowercase();
    let fit = words.into_iter().filter(|(word, _)| word.to_lowercase().starts_with(&typed));
    fit.map(|(word, about)| candidate(word, about)).collect()
}

/// The same for the last of several with commas between them.
fn fitting_last(words: Words, typed: &OsStr, escaped: bool) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let (before, last) = typed.rsplit_once(',').map_or(("", &*typed), |(before, last)| (before, last));
    let last = last.replace('\\', "").to_lowercase();
    let fit = words.into_iter().filter(|(word, _)| word.to_lowercase().starts_with(&last));
    let as_typed = |word: String| if escaped { word.replace(' ', "\\ ") } else { word };
    fit.map(|(word, about)| match before {
        "" => candidate(as_typed(word), about),
        before => candidate(format!("{before},{}", as_typed(word)), about),
    })
    .collect()
}

fn candidate(word: String, about: String) -> CompletionCandidate {
    CompletionCandidate::new(word).help((!about.is_empty()).then(|| about.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{HOSTILE, peer};

    fn values(all: &[CompletionCandidate]) -> Vec<String> {
        all.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
    }

    /// What a shell might act on, or what means two, is told by the peer ID.
    #[test]
    fn only_plain_names_that_mean_one_come_into_a_command_line() {
        let names =
            ["Bob", "Zoë Smith", "Eve", "eve", "$(reboot)", "a;b", "`x`", "--all", "me", "", "x\ny", HOSTILE, "a'b"];
        let all: Vec<_> = (1..).zip(names).map(|(number, name)| (name.to_owned(), peer(number))).collect();
        let words = words(&all);
        let named: Vec<_> = words.iter().map(|(word, _)| word.as_str()).filter(|word| !word.starts_with('…')).collect();
        assert_eq!(named, ["Bob", "Zoë Smith"]);
        assert_eq!(words.len(), names.len());
        assert!(words.iter().all(|(_, about)| !about.contains(['\n', '\x1b'])), "{words:?}");
    }

    #[test]
    fn the_last_of_several_is_completed() {
        let words = || {
            vec![
                ("Bob".to_owned(), String::new()),
                ("Bob Smith".to_owned(), String::new()),
                ("Carol".to_owned(), String::new()),
            ]
        };
        let fit = |typed: &str, escaped| values(&fitting_last(words(), OsStr::new(typed), escaped));
        assert_eq!(fit("b", false), ["Bob", "Bob Smith"]);
        assert_eq!(fit("bob\\ s", true), ["Bob\\ Smith"]);
        assert_eq!(fit("me,ca", false), ["me,Carol"]);
        assert_eq!(fit("x", false), [""; 0]);
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = String::from_utf8(script(shell).unwrap()).unwrap();
            assert!(script.contains(ASKED) && script.contains("rohrpost"), "{script}");
        }
        assert_eq!(script("csh"), None);
        assert!(String::from_utf8(script("zsh").unwrap()).unwrap().contains(CASELESS));
    }
}
