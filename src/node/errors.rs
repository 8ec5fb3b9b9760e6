//! What the rooms below say, in the words of `api`.

use std::io;
use std::path::Path;

use super::find;
use crate::api::{ApiError, Candidate, CandidateMessage, Code, Message};
use crate::base::MessageId;
use crate::identity::{KeyFileError, LinkError};
use crate::messenger::Refusal;
use crate::messenger::query::{Known, MAX_COUNTED, ResolveError, Scope};
use crate::net::NetError;
use crate::store::StoreError;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Locked { process } => return find::busy(*process),
            StoreError::OtherUser { user, .. } => return other_user(&error, user),
            StoreError::NotOwn { own, lost, .. } => return not_own(&error, own, lost),
            StoreError::NotAFolder { .. } => Code::Config,
            StoreError::Damaged { .. } | StoreError::WrongKey => Code::Damaged,
            StoreError::Full => Code::DiskFull,
            StoreError::TooNew { .. } => Code::TooNew,
            StoreError::TooOld { .. } => Code::TooOld,
            StoreError::ReadOnly { .. }
            | StoreError::Permission { .. }
            | StoreError::Foreign { .. }
            | StoreError::Occupied { .. }
            | StoreError::Io { .. } => Code::Io,
            StoreError::Poisoned { .. } | StoreError::TooLarge { .. } | StoreError::Fault(_) => Code::Store,
        };
        let told = ApiError::new(code, error.to_string());
        match error.hint() {
            Some(hint) => told.with_hint(hint),
            None => told,
        }
    }
}

fn other_user(error: &StoreError, user: &str) -> ApiError {
    // A shell takes what follows `#` for a remark.
    let user = if user.starts_with('#') { format!("'{user}'") } else { user.to_owned() };
    ApiError::new(Code::OtherUser, error.to_string())
        .with_hint(format!("as that user: `sudo -u {user} rohrpost …`; nothing was touched"))
}

fn not_own(error: &StoreError, own: &str, lost: &Path) -> ApiError {
    // For `chown` a number is a user, too.
    let (own, lost) = (own.trim_start_matches('#'), lost.display().to_string());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let lost = if lost.chars().all(is_plain) { lost } else { format!("'{}'", lost.replace('\'', "'\\''")) };
    ApiError::new(Code::OtherUser, error.to_string()).with_hint(format!(
        "it was made by a program that ran as that user: `sudo chown -R {own} {lost}` gives it back"
    ))
}

impl From<KeyFileError> for ApiError {
    fn from(error: KeyFileError) -> Self {
        let code = match &error {
            KeyFileError::NotAKeyFile | KeyFileError::Damaged | KeyFileError::TooExpensive { .. } => Code::Damaged,
            KeyFileError::TooNew { .. } => Code::TooNew,
            KeyFileError::PassphraseNeeded => Code::PassphraseNeeded,
            KeyFileError::WrongPassphrase => Code::WrongPassphrase,
        };
        ApiError::new(code, error.to_string()).with_hint(error.hint())
    }
}

impl From<NetError> for ApiError {
    fn from(error: NetError) -> Self {
        // A typing error is not the network's fault.
        let code = if matches!(error, NetError::BadAddress { .. }) { Code::Config } else { Code::Network };
        ApiError::new(code, error.to_string()).with_hint(error.hint())
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        ApiError::new(Code::BadLink, format!("this link cannot be used: {error}"))
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::EmptyText => Code::EmptyText,
            Refusal::TooLong { .. } => Code::TooLong,
            Refusal::ControlCharacters(_) => Code::ControlCharacters,
            Refusal::Blocked => Code::Blocked,
            Refusal::Oneself => Code::Oneself,
            Refusal::RequestPending => Code::RequestPending,
            Refusal::OddName(_) => Code::OddName,
            Refusal::NoRequest => Code::NoRequest,
            Refusal::NotAContact => Code::NotAContact,
            Refusal::NoMessage => Code::NoMessage,
            Refusal::NotQueued => Code::NotQueued,
            Refusal::NoConversation => Code::NoConversation,
            Refusal::Gone => Code::MessageGone,
            Refusal::Lifetime | Refusal::SmallQuota => Code::InvalidParams,
            Refusal::WrongNumber => Code::WrongNumber,
            Refusal::MalformedNumber => Code::MalformedNumber,
            Refusal::OutboxFull => Code::OutboxFull,
            Refusal::TooManyContacts => Code::TooManyContacts,
            Refusal::TooManyMailboxes => Code::TooManyMailboxes,
            Refusal::NotAMailbox => Code::NoMailbox,
            Refusal::UnsoundPeer => Code::UnsoundPeer,
            Refusal::ClientIdReused => Code::ClientIdReused,
            // The messenger hands the store's error on as text.
            Refusal::Store(text) if *text == StoreError::Full.to_string() => Code::DiskFull,
            Refusal::Store(text) if text.ends_with("is on a read-only file system") => Code::Io,
            Refusal::Store(_) => Code::Store,
        };
        let error = ApiError::new(code, refusal.to_string());
        match &refusal {
            Refusal::SmallQuota => error.with_hint("1MiB or more, such as 500MiB or 2GiB (in JSON-RPC: bytes)"),
            Refusal::Lifetime => error.with_hint("write the time to live as 30s, 10m, 12h, 1d or 4w"),
            _ => error,
        }
    }
}

pub(crate) fn peer(error: ResolveError<Known>, text: &str, scope: Scope) -> ApiError {
    match error {
        ResolveError::NotFound => {
            match scope {
                Scope::People => ApiError::new(Code::NotFound, format!("nobody is known as '{}'", cut(text))),
                Scope::Requests => ApiError::new(Code::NoRequest, format!("no request of '{}' is pending", cut(text)))
                    .with_hint("`rohrpost requests` lists those that are: give the name as it stands there, or the end of the peer ID"),
            }
        }
        ResolveError::Ambiguous(found, more) => {
            let and_more = if more == 0 { String::new() } else { format!(": these and {more} more") };
            let candidate = |known: &Known| Candidate {
                peer_id: known.peer,
                name: known.name().to_owned(),
                given: !known.given.is_empty(),
                contact: known.contact,
                verified: known.verified,
            };
            ApiError::new(Code::Ambiguous, format!("'{}' could be several{and_more}", cut(text)))
                .with_candidates(found.iter().map(candidate).collect())
        }
        ResolveError::Store(error) => error.into(),
    }
}

/// `show` looks up a message that could be meant.
pub(crate) fn message(
    error: ResolveError<MessageId>,
    text: &str,
    show: impl Fn(&MessageId) -> Option<Message>,
) -> ApiError {
    match error {
        ResolveError::NotFound => ApiError::new(Code::NoMessage, format!("there is no message '{}'", cut(text))),
        ResolveError::Ambiguous(found, more) => {
            let and_more = match more {
                0 => String::new(),
                more if found.len() + more >= MAX_COUNTED => format!(": these and at least {more} more"),
                more => format!(": these and {more} more"),
            };
            ApiError::new(Code::Ambiguous, format!("several messages begin with '{}'{and_more}", cut(text)))
                .with_hint("type more of the message ID")
                .with_messages(found.iter().filter_map(show).map(CandidateMessage::from).collect())
        }
        ResolveError::Store(error) => error.into(),
    }
}

pub(crate) fn io(path: &Path, error: &io::Error) -> ApiError {
    ApiError::new(Code::Io, format!("{}: {error}", path.display()))
}

pub(crate) fn internal(what: impl Into<String>) -> ApiError {
    ApiError::new(Code::Internal, what)
}

/// What a person typed may be a novel; a message says the beginning of it.
fn cut(text: &str) -> String {
    const LONGEST: usize = 100;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// What it takes too much to cause in a test of the program.
    #[test]
    fn what_is_seldom_is_told_with_the_way_out() {
        let told = |refusal: Refusal| {
            let error = ApiError::from(refusal);
            (error.exit, error.message, error.hint.unwrap_or_default())
        };
        assert_eq!(
            told(Refusal::OutboxFull),
            (
                5,
                "too many messages are waiting for this recipient".to_owned(),
                "they go out when the recipient's node appears; send more then".to_owned()
            )
        );
        assert_eq!(
            told(Refusal::TooManyContacts),
            (5, "there are too many contacts".to_owned(), "remove some with `rohrpost contacts remove`".to_owned())
        );
        assert_eq!(
            told(Refusal::Store("the disk says no".to_owned())),
            (
                3,
                "the store failed: the disk says no".to_owned(),
                "see whether the disk is well; the log of the node says more".to_owned()
            )
        );
    }

    #[test]
    fn a_file_is_given_back_by_what_can_be_typed() {
        let hint = |own: &str, lost: &str| {
            let (path, user) = (PathBuf::from(lost).join("lock"), "root".to_owned());
            let error = StoreError::NotOwn { path, user, own: own.to_owned(), lost: lost.into() };
            ApiError::from(error).hint.unwrap()
        };
        assert!(hint("alice", "/home/a/default").contains("`sudo chown -R alice /home/a/default`"));
        assert!(hint("#1007", "it's here").contains(r"`sudo chown -R 1007 'it'\''s here'`"));
    }
}
