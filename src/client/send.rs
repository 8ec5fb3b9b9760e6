//! Sending from the prompt: through the running node, or with one that lives as long as the delivery takes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::leave::Leave;
use super::open::{self, Client, Reached};
use super::run::Node;
use crate::api::{
    ApiError, Area, Code, DoctorParams, Finding, Found, Health, MessageParams, SendParams, Sent, State, WaitFor, Who,
    method,
};
use crate::base::names::is_me;
use crate::base::{PeerId, Progress};
use crate::node::{Ask, Passphrase, Person, Place, RunOptions, Work};

/// How long a delivery may take when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Once a message is *sent*, its receipt follows at once or, from somebody who has not accepted us, never.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(1);

/// How far `send` is to wait.
#[derive(Clone, Default)]
pub struct SendOptions {
    /// Which state to wait for; `None`: with a running node none; otherwise *sent*, and a moment for *delivered*.
    pub wait: Option<WaitFor>,
    /// How long, for all messages together; 15 seconds when missing.
    pub timeout: Option<Duration>,
    /// For the node that is started when none runs.
    pub run: RunOptions,
}

/// What is asked before anything is sent; its error is the end.
pub type Before<'a> = &'a mut dyn FnMut(&mut Client) -> Result<(), ApiError>;

/// Sends messages and tells how far each came: through the running node, or with a node of its own that lives as long
/// as the delivery takes. A state below `wait` is no error here; with `leave` the waiting may end before, and a node of its own then
/// ends, too.
///
/// # Errors
/// The outer one: nothing was tried; so it is when `before` fails, or one of several
/// recipients is not known, or asks to be a contact. The inner ones: that message was refused.
pub fn send(
    place: &Place,
    ask: Ask<'_>,
    messages: &[SendParams],
    options: &SendOptions,
    leave: Leave<'_>,
    before: Before<'_>,
) -> Result<Vec<Result<Sent, ApiError>>, ApiError> {
    let deadline = Deadline::after(options.timeout.unwrap_or(TIMEOUT));
    // What the lock guards is asked for once, even when the network cannot be started.
    let reached = open::reach(place, ask)?;
    let mut ask = Once { ask, passphrase: None };
    let (mut client, node) = match reached {
        Reached::Free(lock) if options.wait != Some(WaitFor::Queued) && !messages.iter().all(is_note) => {
            match Node::with_lock(place, lock, &mut ask, options.run.clone()) {
                Ok(node) => (node.inside()?, Some(node)),
                Err(error) if error.is(Code::Network) => {
                    tracing::warn!(%error, "without a network the messages are only queued");
                    (Client::open(place, &mut ask)?, None)
                }
                Err(error) => return Err(error),
            }
        }
        reached => (Client::over(place, reached, &mut ask)?, None),
    };
    before(&mut client)?;
    if messages.len() > 1 {
        check_all(&mut client, messages)?;
    }
    let mut sent = queue(&mut client, messages);
    match (options.wait, &node) {
        // Nothing leaves without a node, and whoever did not ask does not wait for one that runs anyhow.
        _ if !client.is_remote() => {
            name(&mut client, &mut sent);
            return Ok(sent);
        }
        (None, None) => {
            explain(&mut client, &mut sent, &[]);
            name(&mut client, &mut sent);
            return Ok(sent);
        }
        (Some(wait), _) => {
            let _ = ask.begins(Work::Delivering(deadline.span));
            follow(&mut client, &mut sent, (true, leave), |_| (wait, deadline.left()));
        }
        (None, Some(_)) => {
            let _ = ask.begins(Work::Delivering(deadline.span));
            follow(&mut client, &mut sent, (false, leave), |_| (WaitFor::Sent, deadline.left()));
            follow(&mut client, &mut sent, (false, leave), |state| {
                let patience = if state == State::Sent { RECEIPT_PATIENCE } else { Duration::ZERO };
                (WaitFor::Delivered, patience.min(deadline.left()))
            });
        }
    }
    // Whoever has left hears how far it is, and not why.
    match leave.is_over() {
        Ok(true) => follow(&mut client, &mut sent, (false, Leave::default()), |_| (WaitFor::Queued, Duration::ZERO)),
        _ => explain(&mut client, &mut sent, &[Area::Card, Area::Way]),
    }
    name(&mut client, &mut sent);
    drop(client);
    if let Some(node) = node {
        node.shutdown()?;
    }
    Ok(sent)
}

/// Somebody who is asked once.
struct Once<'a> {
    ask: Ask<'a>,
    passphrase: Option<Passphrase>,
}

impl Person for Once<'_> {
    fn passphrase(&mut self) -> Result<Passphrase, ApiError> {
        match &self.passphrase {
            Some(known) => Ok(known.clone()),
            None => Ok(self.passphrase.insert(self.ask.passphrase()?).clone()),
        }
    }

    fn waits(&mut self, why: &str) {
        self.ask.waits(why);
    }

    fn begins(&mut self, work: Work<'_>) -> Progress {
        self.ask.begins(work)
    }

    fn rests(&mut self) {
        self.ask.rests();
    }
}

/// A note to oneself goes nowhere.
fn is_note(message: &SendParams) -> bool {
    is_me(&message.to)
}

/// Of several recipients nobody gets what is refused to one.
fn check_all(client: &mut Client, messages: &[SendParams]) -> Result<(), ApiError> {
    let mut peers = BTreeSet::new();
    for message in messages {
        let found = client.ask::<method::Resolve>(&Who::new(message.to.clone()));
        found.and_then(|found| check(&found, message, &mut peers)).map_err(|error| nothing_sent(error, &message.to))?;
    }
    Ok(())
}

fn check(found: &Found, message: &SendParams, peers: &mut BTreeSet<PeerId>) -> Result<(), ApiError> {
    if found.asks && !message.accept {
        return Err(ApiError::new(
            Code::RequestPending,
            "their request is pending, and nothing goes to them before it is accepted",
        ));
    }
    if !peers.insert(found.peer_id) {
        let error = ApiError::new(Code::InvalidParams, "the same recipient stands there twice");
        return Err(error.with_hint("name each of them once"));
    }
    Ok(())
}

fn nothing_sent(mut error: ApiError, to: &str) -> ApiError {
    error.message = format!("{to}: {}; nothing was sent to anybody", error.message);
    error
}

/// All are queued before the first is waited for: the second recipient does not wait for the first.
fn queue(client: &mut Client, messages: &[SendParams]) -> Vec<Result<Sent, ApiError>> {
    let plain = messages.iter().map(|message| SendParams { wait: None, timeout_ms: None, ..message.clone() });
    plain.map(|message| client.ask::<method::Send>(&message)).collect()
}

/// Waits until each is that far, or that long, or nobody waits any more.
fn follow(
    client: &mut Client,
    all: &mut [Result<Sent, ApiError>],
    (asked, leave): (bool, Leave<'_>),
    until: impl Fn(State) -> (WaitFor, Duration),
) {
    for entry in all {
        let Ok(sent) = entry else { continue };
        let (wait, timeout) = until(sent.state);
        let params = MessageParams {
            message: sent.message_id.to_string(),
            wait: Some(wait),
            timeout_ms: Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        };
        match client.ask_until::<method::MessageShow>(&params, leave) {
            Ok(Some(message)) => sent.state = message.state,
            Ok(None) => return,
            // Its time was over. Who asked to wait is told; for others it is as far as it was last seen.
            Err(error) if error.is(Code::MessageGone) || error.is(Code::NoMessage) => {
                if asked {
                    let text = "the message vanished before it was that far";
                    *entry = Err(ApiError::new(Code::MessageGone, text));
                }
            }
            // It is queued all the same; how far it came is told as far as it is known.
            Err(error) if asked => sent.unfollowed = Some(error),
            Err(error) => tracing::warn!(%error, "the delivery could not be followed"),
        }
    }
}

/// Says of what is not delivered what it waits for: until they accept us, or one of these.
fn explain(client: &mut Client, all: &mut [Result<Sent, ApiError>], ways: &[Area]) {
    let is_open = |sent: &&mut Sent| matches!(sent.state, State::Queued | State::Sent) && sent.unfollowed.is_none();
    for sent in all.iter_mut().flatten().filter(is_open) {
        let who = DoctorParams { who: Some(sent.to.to_string()) };
        let Ok(diagnosis) = client.ask::<method::Doctor>(&who) else { continue };
        let bad = |area| move |finding: &Finding| finding.area == area && finding.health != Health::Ok;
        sent.shut_out = diagnosis.findings.iter().any(bad(Area::Policy));
        let is_full = diagnosis.findings.iter().any(bad(Area::Acceptance));
        let counts = |finding: &Finding| match finding.area {
            Area::Policy => true,
            Area::Acceptance => is_full || sent.state == State::Sent,
            area => sent.state == State::Queued && !is_full && finding.health != Health::Ok && ways.contains(&area),
        };
        let told: Vec<_> = diagnosis.findings.into_iter().filter(counts).map(|finding| finding.message).collect();
        sent.missing = Some(told.join("; ")).filter(|told| !told.is_empty());
    }
}

/// Says who they are to whom it went.
fn name(client: &mut Client, all: &mut [Result<Sent, ApiError>]) {
    let me = client.ask::<method::Resolve>(&Who::new("me")).ok().map(|found| found.peer_id);
    for sent in all.iter_mut().flatten() {
        sent.oneself = me == Some(sent.to);
        sent.name = client.ask::<method::Resolve>(&Who::new(sent.to.to_string())).ok().map(|found| found.name);
    }
}

/// One end for all the waits of a call.
#[derive(Clone, Copy)]
struct Deadline {
    begun: Instant,
    span: Duration,
}

#[expect(clippy::disallowed_methods, reason = "how long a person waits is measured where they wait")]
impl Deadline {
    fn after(span: Duration) -> Self {
        Self { begun: Instant::now(), span }
    }

    fn left(&self) -> Duration {
        self.span.saturating_sub(self.begun.elapsed())
    }
}
