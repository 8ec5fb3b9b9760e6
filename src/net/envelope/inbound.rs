//! The task of a stream that a peer has opened: takes his envelopes to the lane, and the answers of
//! the node back to him.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite};
use libp2p::swarm::ConnectionId;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::ledger::{Ledger, Verdict};
use super::wire::{FrameReader, Ready, StreamEnd, close, write};
use crate::base::limits::{FRAME_TIMEOUT, MAX_REFUSED_RUN, STALL_TIMEOUT, STRANGER_IDLE};
use crate::base::{PeerId, failpoint};
use crate::envelope::border::{Event, FrameToken};
use crate::envelope::frame::{Frame, RefuseReason, put_hello};
use crate::net::limits::activity::{StreamGuard, UnderWay};
use crate::net::origin::Origin;
use crate::net::shared::Shared;
use crate::net::{from_libp2p, lock, span, streams};

/// The answers of the node to the envelopes of one stream.
#[derive(Debug, Default)]
struct Answers {
    state: Mutex<State>,
    /// Something can be written.
    answered: Notify,
    /// There may be room for another envelope.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    /// The peer sends no more: the stream ends when all is answered.
    ending: bool,
    /// While an envelope has no answer on the wire.
    busy: Option<UnderWay>,
}

impl Answers {
    /// The node's answer to an envelope. Any order, and never waits.
    fn answer(&self, frame: u64, verdict: Verdict) {
        lock(&self.state).ledger.answer(frame, verdict);
        self.answered.notify_one();
    }
}

/// The streams that peers have opened, so that their frames can be answered.
#[derive(Debug, Default)]
pub(in crate::net) struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    map: HashMap<u64, Arc<Answers>>,
}

impl Streams {
    /// The node's answer to a frame; ignored when its stream has ended.
    pub(in crate::net) fn answer(&self, token: FrameToken, verdict: Verdict) {
        let answers = lock(&self.0).map.get(&token.stream).cloned();
        if let Some(answers) = answers {
            answers.answer(token.frame, verdict);
        }
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        lock(&self.0).map.len()
    }

    fn register(&self, answers: &Arc<Answers>) -> u64 {
        let mut open = lock(&self.0);
        open.last += 1;
        let stream = open.last;
        open.map.insert(stream, Arc::clone(answers));
        stream
    }

    fn unregister(&self, stream: u64) {
        lock(&self.0).map.remove(&stream);
    }
}

/// Serves the stream until it ends.
pub(in crate::net) async fn serve(shared: Arc<Shared>, open: Arc<Streams>, inbound: streams::Inbound) {
    let streams::Inbound { peer, connection, remote, stream, slot, gone } = inbound;
    let Some(peer) = from_libp2p(&peer) else { return };
    let guard = shared.activity.count_stream(connection);
    let answers = Arc::new(Answers::default());
    let id = open.register(&answers);
    let end = run(
        &shared,
        Receiver { peer, address: Origin::of(&remote), connection, id, answers: &answers, gone },
        &guard,
        stream,
    )
    .await;
    open.unregister(id);
    drop((guard, slot));
    match end {
        Ok(()) => tracing::trace!(?peer, "envelope stream ended"),
        Err(error) => tracing::debug!(?peer, %error, "envelope stream from a peer ended"),
    }
}

/// What receives on one stream.
struct Receiver<'a> {
    peer: PeerId,
    address: Option<Origin>,
    connection: ConnectionId,
    /// The number of the stream.
    id: u64,
    answers: &'a Answers,
    gone: streams::Gone,
}

async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    receiver: Receiver<'_>,
    guard: &StreamGuard,
    stream: S,
) -> Result<(), StreamEnd> {
    let (read, write) = stream.split();
    let answers = receiver.answers;
    let mut receiving = pin!(receiver.receive(shared, FrameReader::new(read)));
    let mut answering = pin!(respond(answers, guard, write));
    tokio::select! {
        received = &mut receiving => received?,
        answered = &mut answering => return answered,
    }
    // NET-15: the peer has closed his side in order, and may still wait for answers.
    lock(&answers.state).ending = true;
    answers.answered.notify_one();
    timeout(span(STALL_TIMEOUT), answering).await.map_err(|_| StreamEnd::Stalled)?
}

impl Receiver<'_> {
    /// Reads envelopes until the peer closes his side.
    async fn receive(
        mut self,
        shared: &Shared,
        mut reader: FrameReader<impl AsyncRead + Unpin>,
    ) -> Result<(), StreamEnd> {
        if reader.ready(span(FRAME_TIMEOUT)).await? != Ready::Frame {
            return Err(StreamEnd::Stalled);
        }
        reader.hello().await?;
        let mut refused = 0;
        loop {
            self.room().await?;
            // NET-23
            let ready = tokio::select! {
                // What is there already is read first.
                biased;
                ready = reader.ready(span(STRANGER_IDLE)) => ready?,
                // Not every end of a connection ends what is read from it.
                _ = self.gone.changed() => return Err(StreamEnd::Closed),
            };
            match ready {
                Ready::Frame => {}
                Ready::End => return Ok(()),
                Ready::Idle if shared.is_contact(&self.peer) || !self.is_settled() => continue,
                Ready::Idle => return Ok(()),
            }
            let Frame::Envelope { seq, bytes } = reader.frame().await? else {
                // NET-10
                return Err(StreamEnd::Violation("only envelopes follow the hello"));
            };
            {
                let mut state = lock(&self.answers.state);
                if !state.ledger.take(seq) {
                    return Err(StreamEnd::Violation("an envelope out of sequence"));
                }
                state.busy.get_or_insert_with(|| shared.activity.begin(self.connection));
            }
            if shared.takes_envelope(&shared.who(self.peer, self.address)) {
                refused = 0;
                self.hand_over(shared, seq, bytes).await?;
                continue;
            }
            // NET-20: the excess is refused, not lost; who goes on regardless is cut off.
            refused += 1;
            if refused > MAX_REFUSED_RUN {
                return Err(StreamEnd::Violation("far too many envelopes"));
            }
            self.answers.answer(seq, Verdict::Refused(RefuseReason::TooMany));
        }
    }

    fn is_settled(&self) -> bool {
        lock(&self.answers.state).ledger.is_settled()
    }

    /// NET-18: what the window does not hold is left in the stream, so the peer feels it.
    async fn room(&mut self) -> Result<(), StreamEnd> {
        while !lock(&self.answers.state).ledger.has_room() {
            tokio::select! {
                () = self.answers.room.notified() => {}
                _ = self.gone.changed() => return Err(StreamEnd::Closed),
            }
        }
        Ok(())
    }

    /// Waits for the lane, but not beyond the connection: else a peer who comes again and again
    /// while the lane is full would leave more and more behind.
    async fn hand_over(&mut self, shared: &Shared, seq: u64, bytes: Vec<u8>) -> Result<(), StreamEnd> {
        let token = FrameToken { stream: self.id, frame: seq };
        let event = Event::Envelope { from: self.peer, origin: self.address, token, bytes };
        tokio::select! {
            sent = shared.lane(&self.peer).send(event) => sent.map_err(|_| StreamEnd::Stopped),
            _ = self.gone.changed() => Err(StreamEnd::Closed),
        }
    }
}

/// Writes answers as they become due; returns when the peer sends no more and all is answered.
async fn respond(answers: &Answers, guard: &StreamGuard, mut writer: impl AsyncWrite + Unpin) -> Result<(), StreamEnd> {
    let mut out = Vec::new();
    put_hello(&mut out);
    loop {
        let ended = {
            let mut state = lock(&answers.state);
            state.ledger.settle(&mut out);
            state.ending && state.ledger.is_settled()
        };
        answers.room.notify_one();
        if !out.is_empty() {
            write(&mut writer, &out).await?;
            failpoint("acknowledgement-sent");
            guard.answered();
            out.clear();
            let mut state = lock(&answers.state);
            if state.ledger.is_settled() {
                state.busy = None;
            }
        }
        if ended {
            return close(&mut writer).await;
        }
        answers.answered.notified().await;
    }
}

#[cfg(test)]
mod tests;
