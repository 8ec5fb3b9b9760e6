//! The handler of all protocols on one connection, watched.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, DialUpgradeError, ProtocolsChange, StreamUpgradeError, UpgradeInfoSend,
};
use libp2p::swarm::{ConnectionHandler, ConnectionId, SubstreamProtocol};
use libp2p::{StreamProtocol, identify, ping};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

#[cfg(test)]
use super::faults::{self, Fault};
use crate::base::limits::{MAX_STREAMS_HELD, STREAM_OPEN_TIMEOUT};
use crate::envelope::{exchange, frame, mailbox};
use crate::net::{HandlerInput, HandlerOutput, span};

/// By what a peer says what he takes.
const IDENTIFY: [StreamProtocol; 2] = [identify::PROTOCOL_NAME, identify::PUSH_PROTOCOL_NAME];

/// What is opened before he has said it: streams whose tasks are ours, so that a refusal costs the stream and nothing else.
const OWN: [StreamProtocol; 4] = [
    StreamProtocol::new(frame::PROTOCOL),
    StreamProtocol::new(exchange::PROTOCOL),
    StreamProtocol::new(mailbox::PROTOCOL),
    ping::PROTOCOL_NAME,
];

/// What is told of a connection beside what the swarm hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its handler has panicked: it is to be closed.
    Broken,
    /// Its task is gone.
    Gone,
}

pub(super) type Ends = mpsc::UnboundedSender<(ConnectionId, End)>;

/// A stream that is wanted, and until when it waits.
type Held<H> = (
    SubstreamProtocol<<H as ConnectionHandler>::OutboundProtocol, <H as ConnectionHandler>::OutboundOpenInfo>,
    Pin<Box<Sleep>>,
);

/// The handler. Where the inner one panics, it does nothing more, and its connection is closed. Streams are opened to a peer only by protocols
/// that he lists in identify (NET-3).
pub(in crate::net) struct Watched<H: ConnectionHandler> {
    inner: H,
    id: ConnectionId,
    ends: Ends,
    broken: bool,
    /// The swarm closes the connection, and hears of its end.
    closing: bool,
    /// Whether the peer can tell what he takes.
    hears: bool,
    /// What the peer lists, when he has.
    listed: Option<HashSet<StreamProtocol>>,
    /// Streams that wait until he has: at most `MAX_STREAMS_HELD`.
    held: VecDeque<Held<H>>,
}

impl<H: ConnectionHandler> Watched<H> {
    pub(super) fn new(inner: H, id: ConnectionId, hears: bool, ends: Ends) -> Self {
        Self { inner, id, ends, broken: false, closing: false, hears, listed: None, held: VecDeque::new() }
    }

    fn attempt<T>(&mut self, run: impl FnOnce(&mut H) -> T) -> Option<T> {
        if self.broken {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            faults::strike(Fault::Handler);
            run(&mut self.inner)
        }));
        if done.is_err() {
            tracing::error!(connection = %self.id, "a handler has panicked; the connection is closed");
            self.broken = true;
            self.held.clear();
            // Without a receiver the swarm is gone.
            let _ = self.ends.send((self.id, End::Broken));
        }
        done.ok()
    }

    /// Whether a stream of one of these protocols is opened; `None`: that is not known yet.
    fn takes(&self, protocol: &SubstreamProtocol<H::OutboundProtocol, H::OutboundOpenInfo>) -> Option<bool> {
        if !self.hears {
            return Some(true);
        }
        let mut names = protocol.upgrade().protocol_info();
        match &self.listed {
            Some(listed) => Some(names.any(|name| {
                let name = name.as_ref();
                IDENTIFY.iter().chain(listed).any(|listed| listed.as_ref() == name)
            })),
            None => {
                names.all(|name| IDENTIFY.iter().chain(&OWN).any(|own| own.as_ref() == name.as_ref())).then_some(true)
            }
        }
    }

    /// Tells the handler that its stream will not be.
    fn refuse(&mut self, info: H::OutboundOpenInfo, timeout: bool) {
        let error = if timeout { StreamUpgradeError::Timeout } else { StreamUpgradeError::NegotiationFailed };
        let failed = ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error });
        self.attempt(|inner| inner.on_connection_event(failed));
    }

    /// The next of the streams that have waited, if it may be opened now; those that may not be, or have waited too long, are
    /// refused.
    fn release(&mut self, cx: &mut Context<'_>) -> Option<HandlerOutput<Self>> {
        while let Some((_, patience)) = self.held.front_mut() {
            let late = patience.as_mut().poll(cx).is_ready();
            let taken = match self.held.front().and_then(|(protocol, _)| self.takes(protocol)) {
                None if !late => return None,
                taken => taken,
            };
            let (protocol, _) = self.held.pop_front()?;
            if taken == Some(true) {
                return Some(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
            self.refuse(protocol.into_upgrade().1, taken.is_none());
        }
        None
    }

    fn note(&mut self, change: &ProtocolsChange<'_>) {
        let listed = self.listed.get_or_insert_default();
        match change {
            ProtocolsChange::Added(added) => listed.extend(added.clone().cloned()),
            ProtocolsChange::Removed(removed) => removed.clone().for_each(|gone| _ = listed.remove(gone)),
        }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Watched<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        !self.broken && (!self.held.is_empty() || self.inner.connection_keep_alive())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        #[cfg(test)]
        faults::strike(Fault::Task);
        loop {
            if let Some(open) = self.release(cx) {
                return Poll::Ready(open);
            }
            let Some(Poll::Ready(event)) = self.attempt(|inner| inner.poll(cx)) else { return Poll::Pending };
            match event {
                ConnectionHandlerEvent::OutboundSubstreamRequest { protocol } => match self.takes(&protocol) {
                    Some(true) => return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }),
                    None if self.held.len() < MAX_STREAMS_HELD => {
                        self.held.push_back((protocol, Box::pin(sleep(span(STREAM_OPEN_TIMEOUT)))));
                    }
                    _ => self.refuse(protocol.into_upgrade().1, false),
                },
                ConnectionHandlerEvent::ReportRemoteProtocols(report) => {
                    // Also one who takes nothing has said so.
                    self.listed.get_or_insert_default();
                    return Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(report));
                }
                event => return Poll::Ready(event),
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.closing = true;
        self.attempt(|inner| inner.poll_close(cx)).unwrap_or(Poll::Ready(None))
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.attempt(|inner| inner.on_behaviour_event(event));
    }

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        if let ConnectionEvent::RemoteProtocolsChange(change) = &event {
            self.note(change);
        }
        self.attempt(|inner| inner.on_connection_event(event));
    }
}

impl<H: ConnectionHandler> Drop for Watched<H> {
    fn drop(&mut self) {
        if !self.closing {
            // Without a receiver the swarm is gone.
            let _ = self.ends.send((self.id, End::Gone));
        }
    }
}

#[cfg(test)]
mod tests;
