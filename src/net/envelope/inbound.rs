//! The task of a stream that a peer has opened: takes his envelopes to the lane, and the answers of
//! the node back to him.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::ledger::{Ledger, Verdict};
use super::wire::{FrameReader, Ready, StreamEnd, close, write};
use crate::base::PeerId;
use crate::base::limits::{FRAME_TIMEOUT, MAX_REFUSED_RUN, STALL_TIMEOUT, STRANGER_IDLE};
use crate::envelope::frame::{Frame, RefuseReason, put_hello};
use crate::net::event::{FrameToken, NetEvent};
use crate::net::rates::Ask;
use crate::net::shared::Shared;
use crate::net::{from_libp2p, lock, span, streams};

/// The answers of the node to the envelopes of one stream.
#[derive(Debug, Default)]
pub(in crate::net) struct Answers {
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
}

impl Answers {
    /// The node's answer to an envelope. Any order, and never waits.
    pub(in crate::net) fn answer(&self, frame: u64, verdict: Verdict) {
        lock(&self.state).ledger.answer(frame, verdict);
        self.answered.notify_one();
    }
}

/// Serves the stream until it ends.
pub(in crate::net) async fn serve(shared: Arc<Shared>, inbound: streams::Inbound) {
    let streams::Inbound { peer, connection, stream, slot } = inbound;
    let Some(peer) = from_libp2p(&peer) else { return };
    let guard = shared.count_stream(connection);
    let answers = Arc::new(Answers::default());
    let id = shared.register(&answers);
    let end = run(&shared, peer, id, &answers, stream).await;
    shared.unregister(id);
    drop((guard, slot));
    match end {
        Ok(()) => tracing::trace!(?peer, "envelope stream ended"),
        Err(error) => tracing::debug!(?peer, %error, "envelope stream from a peer ended"),
    }
}

async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    peer: PeerId,
    id: u64,
    answers: &Answers,
    stream: S,
) -> Result<(), StreamEnd> {
    let (read, write) = stream.split();
    let mut receiving = pin!(receive(shared, peer, id, answers, FrameReader::new(read)));
    let mut answering = pin!(respond(answers, write));
    tokio::select! {
        received = &mut receiving => received?,
        answered = &mut answering => return answered,
    }
    // The peer has closed his side in order: he may still wait for answers.
    lock(&answers.state).ending = true;
    answers.answered.notify_one();
    timeout(span(STALL_TIMEOUT), answering).await.map_err(|_| StreamEnd::Stalled)?
}

/// Reads envelopes until the peer closes his side.
async fn receive(
    shared: &Shared,
    peer: PeerId,
    id: u64,
    answers: &Answers,
    mut reader: FrameReader<impl AsyncRead + Unpin>,
) -> Result<(), StreamEnd> {
    if reader.ready(span(FRAME_TIMEOUT)).await? != Ready::Frame {
        return Err(StreamEnd::Stalled);
    }
    reader.hello().await?;
    let mut refused = 0;
    loop {
        // NET-18: what the window does not hold is left in the stream, so the peer feels it.
        while !lock(&answers.state).ledger.has_room() {
            answers.room.notified().await;
        }
        match reader.ready(span(STRANGER_IDLE)).await? {
            Ready::Frame => {}
            Ready::End => return Ok(()),
            Ready::Idle if shared.is_contact(&peer) || !lock(&answers.state).ledger.is_settled() => continue,
            Ready::Idle => return Ok(()),
        }
        let Frame::Envelope { seq, bytes } = reader.frame().await? else {
            return Err(StreamEnd::Violation("only envelopes follow the hello"));
        };
        if !lock(&answers.state).ledger.take(seq) {
            return Err(StreamEnd::Violation("an envelope out of sequence"));
        }
        if shared.allows(&peer, Ask::Envelope) {
            refused = 0;
            let token = FrameToken { stream: id, frame: seq };
            let event = NetEvent::Envelope { from: peer, token, bytes };
            shared.lane(&peer).send(event).await.map_err(|_| StreamEnd::Stopped)?;
        } else {
            // NET-20: the excess is refused, not lost; who goes on regardless is cut off.
            refused += 1;
            if refused > MAX_REFUSED_RUN {
                return Err(StreamEnd::Violation("far too many envelopes"));
            }
            answers.answer(seq, Verdict::Refused(RefuseReason::TooMany));
        }
    }
}

/// Writes answers as they become due; returns when the peer sends no more and all is answered.
async fn respond(answers: &Answers, mut writer: impl AsyncWrite + Unpin) -> Result<(), StreamEnd> {
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
            out.clear();
        }
        if ended {
            return close(&mut writer).await;
        }
        answers.answered.notified().await;
    }
}

#[cfg(test)]
mod tests;
