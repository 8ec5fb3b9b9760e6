//! What every verb is handed: where the profile is, where results go, who can be asked, and the
//! one client of this run.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::api::{ApiError, Code, Event, Resolved, Rpc, SendParams, Sent, Status, WaitFor, Who};
use crate::base::Progress;
use crate::client::{self, Client, Leave, Passphrase, Place, RunOptions, SendOptions, Work};

use super::args::Whom;
use super::cmd::send::Delivery;
use super::error::{CliError, Look, Result};
use super::interrupt::Interrupt;
use super::lead;
use super::output::{Output, name_and_peer};
use super::prompt::{Prompter, Source, TRIES};
use super::typed::Typed;
use super::waiting::Waiting;

/// How long a person is kept waiting who did not ask to wait.
const GLANCE: Duration = Duration::from_secs(1);

/// What became of each message.
pub(crate) type Outcomes = Vec<Result<Sent, ApiError>>;

/// Why a wait ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// This signal came.
    Signal(i32),
    /// Nobody reads the result.
    Reader,
}

/// One run of the program.
pub(crate) struct Context {
    /// Where results go.
    pub(crate) output: Output,
    /// Who can be asked for a passphrase.
    pub(crate) prompter: Prompter,
    /// Where the profile is.
    pub(crate) place: Place,
    /// What was typed, for hints that can be pasted.
    pub(crate) typed: Typed,
    client: Option<Client>,
    waiting: Waiting,
    /// Asked for once.
    passphrase: Option<Passphrase>,
}

impl Context {
    /// With no client yet.
    pub(crate) fn new(output: Output, prompter: Prompter, place: Place, typed: Typed) -> Self {
        let waiting = Waiting::new(output.columns_err, output.is_told());
        Self { output, prompter, place, typed, client: None, waiting, passphrase: None }
    }

    /// The client: of the running node, otherwise of the same code in this process.
    pub(crate) fn client(&mut self) -> Result<&mut Client> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.unlocked(Client::open)?,
        };
        Ok(self.client.insert(client))
    }

    /// Asks for a change, and lets go of the profile, which something else needs then.
    pub(crate) fn change_and_close<M: Rpc>(&mut self, params: &M::Params) -> Result<M::Result> {
        let result = self.client()?.ask::<M>(params)?;
        self.client = None;
        Ok(result)
    }

    /// Calls something that may need the passphrase, again when it was typed wrong.
    pub(crate) fn unlocked<T>(
        &mut self,
        mut call: impl FnMut(&Place, client::Ask<'_>) -> Result<T, ApiError>,
    ) -> Result<T> {
        self.tried(|context| {
            let Self { output, prompter, place, passphrase, waiting, .. } = context;
            let prompt = format!("Passphrase to unlock {}: ", place.profile);
            call(place, &mut Somebody { output, prompter, passphrase, waiting, prompt: Some(&prompt) })
        })
    }

    /// Does it again, up to three times, when the passphrase was typed wrong.
    fn tried<T>(&mut self, mut call: impl FnMut(&mut Self) -> Result<T, ApiError>) -> Result<T> {
        let mut tries = if self.prompter.is_person() { TRIES } else { 1 };
        loop {
            let outcome = call(self);
            self.waiting.rests();
            tries -= 1;
            match outcome {
                Err(error) if error.is(Code::WrongPassphrase) && tries > 0 => {
                    self.passphrase = None;
                    self.output.note(&format!("{}: once more", error.message))?;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Lets go of the profile, which something else needs then.
    pub(crate) fn close(&mut self) {
        self.client = None;
    }

    /// Wraps the key file anew.
    pub(crate) fn change_passphrase(&mut self, source: Option<&Source>, remove: bool) -> Result<()> {
        // Before a new one is thought up in vain.
        let old = self.unlocked(client::unlock)?;
        let new = if remove { None } else { Some(self.new_passphrase(source)?) };
        Ok(client::change_passphrase(&self.place, old.as_ref(), new.as_ref())?)
    }

    /// A new passphrase from the source, or typed twice.
    pub(crate) fn new_passphrase(&mut self, source: Option<&Source>) -> Result<Passphrase> {
        let text = self.prompter.new_one(source, &self.place.profile, &mut self.output)?;
        Ok(Passphrase::new(text.as_str().to_owned()))
    }

    /// Sends, with a node of its own when none runs; and what ended the wait before its time.
    pub(crate) fn send(
        &mut self,
        messages: &[SendParams],
        delivery: &Delivery,
        before: client::Before<'_>,
    ) -> Result<(Outcomes, Option<Left>)> {
        // The client holds the profile that the sending node needs.
        self.client = None;
        let mut options = SendOptions {
            wait: delivery.wait,
            timeout: Some(delivery.timeout),
            run: RunOptions { brief: true, ..RunOptions::default() },
        };
        // A running node takes a message at once; a person would rather see it leave, if it does.
        if delivery.wait.is_none() && self.output.is_people() && self.is_running()? {
            options.wait = Some(WaitFor::Sent);
            options.timeout = Some(delivery.timeout.min(GLANCE));
        }
        let failed = |error| CliError::io("signals cannot be waited for", &error);
        let interrupt = Interrupt::begin().map_err(failed)?;
        let stdout = io::stdout();
        // Who did not ask to wait wants it delivered, whoever hears of it.
        let reader = delivery.wait.map(|_| stdout.as_fd());
        let leave = Leave { signal: Some(interrupt.as_fd()), reader };
        let sent = self.unlocked(|place, ask| client::send(place, ask, messages, &options, leave, before))?;
        let left = match interrupt.signal() {
            Some(signal) => Some(Left::Signal(signal)),
            None => Leave { signal: None, reader }.is_over().map_err(failed)?.then_some(Left::Reader),
        };
        Ok((sent, left))
    }

    /// Whether a node answers.
    pub(crate) fn is_running(&self) -> Result<bool> {
        Ok(Client::connect(&self.place)?.is_some())
    }

    /// What the node does, and what is wrong with it. The passphrase is not asked for, but used where it was given.
    pub(crate) fn status(&mut self) -> Result<(Status, Option<ApiError>)> {
        let Self { output, prompter, place, passphrase, waiting, .. } = self;
        let status = client::status(place, &mut Somebody { output, prompter, passphrase, waiting, prompt: None });
        self.waiting.rests();
        Ok(status?)
    }

    /// Ends the node; `false` when none ran.
    pub(crate) fn stop(&mut self) -> Result<bool> {
        self.unlocked(client::stop)
    }

    /// Runs the node; each event goes to `show`.
    pub(crate) fn run(&mut self, options: &RunOptions, show: impl Fn(&Event, &mut Output) -> Result<()>) -> Result<()> {
        // The passphrase is asked for before the output is lent to the events; whether it is right shows before the first.
        let is_asked = !self.is_running()? && client::needs_passphrase(&self.place)?;
        self.tried(|context| {
            let passphrase = match is_asked {
                true => Some(context.unlocked(|_, ask| ask.passphrase()).map_err(CliError::into_api)?),
                false => None,
            };
            let Self { output, place, waiting, .. } = context;
            let mut ask = Asked { passphrase, waiting };
            // The node goes on when nobody reads its events any more, and tells the next one when one could not be written.
            let mut tell = |event: &Event| {
                let _ = show(event, output);
                output.unwritten = None;
            };
            client::run(place, &mut ask, options.clone(), &mut tell)
        })
    }

    /// Shows whom a word behind a noun names; what is nobody's name may be meant as a command.
    pub(crate) fn named_behind<M: Rpc<Params = Who>>(&mut self, noun: &str, who: &str) -> Result<M::Result> {
        let asked = self.client()?.ask::<M>(&Who::new(who));
        asked.map_err(|error| {
            let is_nobody = error.is(Code::NotFound) || error.is(Code::NoRequest);
            let hint = if is_nobody { lead::behind_noun(&self.typed, noun, who) } else { None };
            let Some(hint) = hint else { return error.into() };
            error.with_hint(hint).into()
        })
    }

    /// Does it for each; what fails is told, and the others are done nevertheless.
    pub(crate) fn each(&mut self, whom: Whom, mut act: impl FnMut(Who, &mut Self) -> Result<()>) -> Result<()> {
        let alone = whom.who.len() == 1;
        let mut worst = None;
        for who in whom.who {
            if let Err(error) = act(Who::new(who.clone()), self) {
                let error = if alone { error } else { error.about(&who) };
                self.tell(&error);
                worst.get_or_insert(error.exit());
            }
        }
        worst.map_or(Ok(()), |exit| Err(CliError::told(exit)))
    }

    /// Does it to each peer, and says so with their name.
    pub(crate) fn each_done<M: Rpc<Params = Who, Result = Resolved>>(
        &mut self,
        whom: Whom,
        say: impl Fn(&str) -> String,
    ) -> Result<()> {
        self.each(whom, |who, context| {
            let who = context.client()?.ask::<M>(&who)?;
            context.output.done(&who, &say(&name_and_peer(&who.name, &who.peer_id)))
        })
    }

    /// Tells an error that is not the end.
    pub(crate) fn tell(&mut self, error: &CliError) {
        let Output { paint_err: paint, columns_err: columns, .. } = self.output;
        let (as_json, here) = (self.output.is_json(), &self.output.here);
        error.write(&mut self.output.err, as_json, Look { paint, columns, here });
    }
}

/// Whoever is at the terminal, if somebody is.
struct Somebody<'a> {
    output: &'a mut Output,
    prompter: &'a Prompter,
    passphrase: &'a mut Option<Passphrase>,
    waiting: &'a mut Waiting,
    /// `None`: they are not asked, and what was given is used.
    prompt: Option<&'a str>,
}

impl client::Person for Somebody<'_> {
    fn passphrase(&mut self) -> Result<Passphrase, ApiError> {
        self.waiting.rests();
        if self.passphrase.is_none() && (self.prompt.is_some() || self.prompter.source.is_some()) {
            let prompt = self.prompt.unwrap_or_default();
            let text = self.prompter.existing(prompt, self.output).map_err(CliError::into_api)?;
            *self.passphrase = Some(Passphrase::new(text.as_str().to_owned()));
        }
        self.passphrase.clone().ok_or_else(|| ApiError::new(Code::PassphraseNeeded, "no passphrase"))
    }

    fn waits(&mut self, why: &str) {
        if self.waiting.is_seen() {
            self.begins(Work::Waiting(why));
        } else {
            // That it cannot be told changes nothing.
            let _ = self.output.note(why);
        }
    }

    fn begins(&mut self, work: Work<'_>) -> Progress {
        self.waiting.begins(work)
    }

    fn rests(&mut self) {
        self.waiting.rests();
    }
}

/// Who was asked already.
struct Asked<'a> {
    passphrase: Option<Passphrase>,
    waiting: &'a mut Waiting,
}

impl client::Person for Asked<'_> {
    fn passphrase(&mut self) -> Result<Passphrase, ApiError> {
        let missing = || ApiError::new(Code::PassphraseNeeded, "the profile has a passphrase");
        self.passphrase.clone().ok_or_else(missing)
    }

    fn waits(&mut self, why: &str) {
        self.begins(Work::Waiting(why));
    }

    fn begins(&mut self, work: Work<'_>) -> Progress {
        self.waiting.begins(work)
    }

    fn rests(&mut self) {
        self.waiting.rests();
    }
}
