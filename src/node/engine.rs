//! The messenger's thread: takes what waits, hands it to the messenger in one durable commit, carries out what comes back.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};

use super::carry::Carrier;
use super::clock::Clock;
use super::core::Core;
use super::lanes::{Inlets, Waiting};
use super::profile::{Open, Profile};
use super::upkeep::Upkeep;
use super::{errors, random};
use crate::api::ApiError;
use crate::base::limits::{DISK_GLANCE, LANE_USER};
use crate::base::{Millis, MonoTime, Now, failpoint};
use crate::envelope::mailbox::Answer as MailAnswer;
use crate::messenger::{Answer, Event, Input, Order, Output, Refusal, RefuseReason, query};
use crate::store::{Reader, StoreError, is_disk_low, release_reserve};

/// The first pause before a store that failed is opened again; it doubles.
const REOPEN_FIRST: Millis = Millis(500);
/// The longest.
const REOPEN_MAX: Millis = Millis::from_secs(30);
/// Rounds in which the lanes are emptied at the end: what waits then fits in them, what comes later is too late.
const LAST_ROUNDS: usize = 8;
/// The handshake has large values on its stack in unoptimised builds.
const STACK: usize = 8 * 1024 * 1024;

/// What the thread needs to begin.
pub(super) struct Start {
    pub(super) profile: Profile,
    pub(super) open: Open,
    /// What the messenger wanted when it was opened.
    pub(super) outputs: Vec<Output>,
    pub(super) clock: Clock,
    pub(super) carrier: Carrier,
    pub(super) contacts: mpsc::Receiver<Event>,
    pub(super) strangers: mpsc::Receiver<Event>,
    /// Turns true, or loses its sender, when the thread is to end.
    pub(super) halt: watch::Receiver<bool>,
}

/// Starts the thread. The second value comes when the messenger knows of the present: addresses, connections.
pub(super) fn spawn(start: Start) -> Result<(Core, oneshot::Receiver<()>), ApiError> {
    let me = start.open.messenger.peer_id();
    let reader = start.open.messenger.reader();
    let last = query::last_event(&reader)?;
    let (user, user_in) = mpsc::channel(LANE_USER);
    let (reader, reader_in) = watch::channel(reader);
    let (events, events_in) = watch::channel(last);
    let (ended, ended_in) = watch::channel(None);
    let waiting = Arc::new(AtomicU64::new(start.open.messenger.waiting()));
    let core = Core { me, user, reader: reader_in, events: events_in, waiting: Arc::clone(&waiting), ended: ended_in };
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| errors::internal(format!("no runtime for the messenger: {e}")))?;
    let upkeep = Upkeep::begin(start.clock.now().mono);
    let mut engine = Engine {
        open: Some(start.open),
        closed: Closed { at: MonoTime(0), pause: REOPEN_FIRST, because: String::new() },
        clock: start.clock,
        carrier: start.carrier,
        inlets: Inlets {
            upkeep: Some(upkeep.due),
            ..Inlets::new(user_in, start.contacts, start.strangers, start.halt)
        },
        upkeep,
        glanced: None,
        asked: HashMap::new(),
        next_id: 0,
        events,
        waiting,
        reader,
        profile: start.profile,
    };
    let outputs = start.outputs;
    let (begun, begun_in) = oneshot::channel();
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(move || {
            engine.carry_out(outputs);
            engine.round(engine.carrier.present().into_iter().map(Waiting::Feedback).collect());
            let _ = begun.send(());
            engine.run(&runtime);
            // Here the store is closed.
            drop(engine);
        }));
        ended.send_replace(Some(result.map_err(|panic| {
            let what = panic_text(panic.as_ref());
            tracing::error!(%what, "the messenger's thread panicked");
            errors::internal(format!("the messenger failed: {what}"))
        })));
    };
    thread::Builder::new()
        .name("messenger".into())
        .stack_size(STACK)
        .spawn(body)
        .map_err(|e| errors::internal(format!("no thread for the messenger: {e}")))?;
    Ok((core, begun_in))
}

struct Engine {
    /// `None` after a failed commit, until the store could be opened again.
    open: Option<Open>,
    closed: Closed,
    clock: Clock,
    carrier: Carrier,
    inlets: Inlets,
    upkeep: Upkeep,
    /// When free space was last looked at.
    glanced: Option<MonoTime>,
    /// Who waits for the answer to which command; answered within one call of the messenger.
    asked: HashMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    next_id: u64,
    events: watch::Sender<u64>,
    /// As [`Core`] has it.
    waiting: Arc<AtomicU64>,
    reader: watch::Sender<Reader>,
    profile: Profile,
}

/// A store that failed.
struct Closed {
    /// When to try again.
    at: MonoTime,
    /// How long to wait after that.
    pause: Millis,
    because: String,
}

impl Engine {
    fn run(&mut self, runtime: &runtime::Runtime) {
        loop {
            let batch = runtime.block_on(self.inlets.next(&self.clock));
            if *self.inlets.stop.borrow() || self.inlets.stop.has_changed().is_err() {
                self.round(batch);
                break;
            }
            self.round(batch);
            self.keep_up();
            self.work_ahead();
        }
        for _ in 0..LAST_ROUNDS {
            let batch = self.inlets.rest(&self.clock);
            if batch.is_empty() {
                break;
            }
            self.round(batch);
        }
    }

    /// One commit, and what follows from it.
    fn round(&mut self, batch: Vec<Waiting>) {
        let inputs = self.understand(batch);
        if !inputs.is_empty() {
            self.begin();
        }
        let deletes = |input: &Input| matches!(input, Input::Command(_, command) if command.deletes());
        if self.is_frozen() && inputs.iter().any(deletes) && release_reserve(self.profile.dir.path()) {
            tracing::warn!("the disk is full: the space that was put by is used for deleting");
            self.closed.at = self.clock.now().mono;
        }
        self.reopen_if_due();
        let is_frozen = self.is_frozen();
        let Some(open) = &mut self.open else {
            self.refuse(inputs);
            return;
        };
        if inputs.is_empty() {
            return;
        }
        failpoint("received");
        let now = self.clock.now().mono;
        if self.glanced.is_none_or(|at| now.since(at) >= DISK_GLANCE) {
            self.glanced = Some(now);
            open.messenger.set_disk_low(is_disk_low(self.profile.dir.path()));
        }
        let outputs = open.messenger.handle(inputs, self.clock.now(), &mut random::system());
        // The messenger ends every good commit with the time of its next timer.
        let failed = !outputs.iter().any(|output| matches!(output, Output::WakeAt(_)));
        self.waiting.store(open.messenger.waiting(), Ordering::Relaxed);
        self.carry_out(outputs);
        // Nobody is left waiting, whatever the messenger did.
        self.asked.clear();
        if is_frozen {
            self.inlets.wake = Some(self.closed.at);
        } else if failed {
            self.close("a commit failed".to_owned());
        }
    }

    /// Somebody wants more than to look: time passes from now on.
    fn begin(&mut self) {
        let now = self.clock.now();
        let Some(open) = self.open.as_mut().filter(|open| !open.messenger.has_begun()) else { return };
        match open.messenger.begin(now, &mut random::system()) {
            Ok(outputs) => self.carry_out(outputs),
            Err(error) => {
                self.close(error.to_string());
                self.reopen_if_due();
            }
        }
    }

    /// Whether the store can only be read.
    fn is_frozen(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.store.frozen().is_some())
    }

    /// Looks after the store, between commits.
    fn keep_up(&mut self) {
        if self.is_frozen() {
            self.inlets.upkeep = None;
            return;
        }
        let Some(open) = &self.open else { return };
        // Snapshots are dated by what is believed, so that a wrong clock takes no old one away.
        let mut now = self.clock.now();
        if open.messenger.has_begun() {
            now.wall = open.messenger.earliest();
        }
        let result = self.upkeep.step(&open.store, now, &mut random::system());
        self.inlets.upkeep = Some(self.upkeep.due);
        if let Err(error) = result {
            self.close(error.to_string());
        }
    }

    /// While nothing waits, does a little of what will be asked for soon.
    fn work_ahead(&mut self) {
        if self.is_frozen() {
            return;
        }
        let Some(open) = &mut self.open else { return };
        while self.inlets.is_idle(&self.clock) && open.messenger.idle(self.clock.now(), &mut random::system()) {}
    }

    fn understand(&mut self, batch: Vec<Waiting>) -> Vec<Input> {
        let mut inputs = Vec::with_capacity(batch.len());
        for waiting in batch {
            match waiting {
                Waiting::User((command, reply)) => {
                    self.next_id += 1;
                    self.asked.insert(self.next_id, reply);
                    inputs.push(Input::Command(self.next_id, command));
                }
                Waiting::Net(event) => inputs.extend(self.carrier.told(event).map(Input::Net)),
                Waiting::Feedback(event) => inputs.push(Input::Net(event)),
                Waiting::Timer => inputs.push(Input::Timer),
            }
        }
        inputs
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply(id, answer) => {
                    if let Some(reply) = self.asked.remove(&id) {
                        failpoint("replying");
                        // Whoever asked may be gone.
                        let _ = reply.send(answer);
                        failpoint("replied");
                    }
                }
                Output::Net(order @ Order::Send { .. }) => {
                    failpoint("sending");
                    self.inlets.feedback.extend(self.carrier.order(order));
                    failpoint("handed-over");
                }
                Output::Net(order @ Order::Acknowledge(_)) => {
                    failpoint("acknowledging");
                    self.inlets.feedback.extend(self.carrier.order(order));
                    failpoint("acknowledged");
                }
                Output::Net(order) => self.inlets.feedback.extend(self.carrier.order(order)),
                Output::Events(last) => _ = self.events.send_replace(last),
                Output::WakeAt(at) => self.inlets.wake = Some(at),
            }
        }
    }

    /// After a failed commit memory may be ahead of the disk: both are closed, and opened again when the disk allows.
    fn close(&mut self, because: String) {
        tracing::error!(%because, "the store is closed");
        self.open = None;
        self.closed = Closed { at: self.clock.now().mono, pause: REOPEN_FIRST, because };
        self.inlets.feedback.clear();
        self.inlets.wake = Some(self.closed.at);
        self.inlets.upkeep = None;
    }

    fn reopen_if_due(&mut self) {
        let now = self.clock.now();
        let is_frozen = self.is_frozen();
        if (self.open.is_some() && !is_frozen) || self.closed.at > now.mono {
            return;
        }
        // What can be read already need not be opened for reading once more.
        let mut rng = random::system();
        let opened =
            if is_frozen { self.profile.open(now, &mut rng) } else { self.profile.open_or_read(now, &mut rng) };
        match opened {
            Ok((open, outputs)) if open.store.frozen().is_some() => {
                self.reader.send_replace(open.messenger.reader());
                self.open = Some(open);
                self.carry_out(outputs);
                self.try_again_later(now);
            }
            Ok((open, outputs)) => {
                tracing::info!("the store is open again");
                self.reader.send_replace(open.messenger.reader());
                self.open = Some(open);
                self.upkeep = Upkeep::begin(now.mono);
                self.inlets.upkeep = Some(self.upkeep.due);
                self.carrier.reopened();
                self.carry_out(outputs);
                self.inlets.feedback.extend(self.carrier.present());
            }
            Err(error) => {
                self.closed.because = match error {
                    StoreError::Poisoned { because } => because,
                    error => error.to_string(),
                };
                self.try_again_later(now);
                tracing::error!(because = %self.closed.because, "the store cannot be opened");
            }
        }
    }

    fn try_again_later(&mut self, now: Now) {
        self.closed.at = now.mono + self.closed.pause;
        self.closed.pause = Millis((self.closed.pause.0 * 2).min(REOPEN_MAX.0));
        self.inlets.wake = Some(self.closed.at);
    }

    /// Without a store nothing can be promised to anybody.
    fn refuse(&mut self, inputs: Vec<Input>) {
        self.inlets.wake = Some(self.closed.at);
        for input in inputs {
            match input {
                Input::Command(id, _) => {
                    if let Some(reply) = self.asked.remove(&id) {
                        let _ = reply.send(Err(Refusal::Store(self.closed.because.clone())));
                    }
                }
                Input::Net(Event::Envelope { token, .. }) => {
                    self.carrier.order(Order::Refuse(token, RefuseReason::Unavailable));
                }
                Input::Net(Event::Mail { request, .. }) => {
                    // It has no field that could be out of bounds.
                    let answer = MailAnswer::Unavailable.encode().unwrap_or_default();
                    self.carrier.order(Order::AnswerMail { request, answer });
                }
                Input::Net(_) | Input::Timer => {}
            }
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "for an unknown reason".into())
}
