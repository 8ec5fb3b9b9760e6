//! What goes into the messenger and what comes out: values, nothing that runs.

use crate::base::{MonoTime, limits};
use crate::envelope::EnvelopeKind;

pub use crate::envelope::border::{Class, Event, FrameToken, Order, RefuseReason};

use super::command::{Answer, Command, Refusal};

/// One thing that can change something.
#[derive(Clone, Debug)]
pub enum Input {
    /// The user asks for a change; [`Output::Reply`] with the same number answers.
    Command(u64, Command),
    /// The network tells something.
    Net(Event),
    /// The time asked for by [`Output::WakeAt`] has come.
    Timer,
}

/// What the node is to carry out, after the commit. All of it can be derived again from the rows.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer to [`Input::Command`].
    Reply(u64, Result<Answer, Refusal>),
    /// The network is to do something.
    Net(Order),
    /// There are new events, up to this sequence number.
    Events(u64),
    /// Hand in [`Input::Timer`] at this time; replaces the one before.
    WakeAt(MonoTime),
}

impl From<Order> for Output {
    fn from(order: Order) -> Self {
        Self::Net(order)
    }
}

impl Output {
    /// The place among what follows from one commit; what has the same stays in order. What others wait for goes first:
    /// envelopes on their way, then the news for whoever listens here.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Net(Order::Class { .. }) => 0,
            Self::Net(Order::Send { .. }) => 1,
            Self::Events(_) => 2,
            _ => 3,
        }
    }
}

/// What it costs to handle an event, about: by its kind and length, before anything in it is looked at.
pub fn work(event: &Event) -> u64 {
    let kib = |bytes: &[u8]| (bytes.len() / 1024) as u64;
    limits::INPUT_WORK
        + match event {
            Event::Envelope { bytes, .. } => {
                let is_first = bytes.get(1) == Some(&(EnvelopeKind::FirstContact as u8));
                let handshake = if is_first { limits::HANDSHAKE_WORK } else { 0 };
                limits::ENVELOPE_WORK + handshake + limits::KIB_WORK * kib(bytes).saturating_sub(1)
            }
            Event::Bundle { .. } | Event::CardFound { .. } => limits::HANDSHAKE_WORK,
            Event::Mail { question, .. } => limits::QUESTION_KIB_WORK * kib(question),
            Event::MailAnswered { answer, .. } => limits::KIB_WORK * kib(answer),
            _ => 0,
        }
}
