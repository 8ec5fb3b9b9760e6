//! The task that sends to one connected peer: his envelopes in order on one stream, the outcomes
//! back to the node, each exactly once.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite};
use libp2p::Stream;
use libp2p::swarm::ConnectionId;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::wire::{FrameReader, Ready, StreamEnd, close, write};
use crate::base::limits::{
    CIRCUIT_IDLE, DOUBLE_GRACE, DOUBLE_LIFE, FRAME_TIMEOUT, STALL_TIMEOUT, STRANGER_IDLE, STREAM_OPEN_TIMEOUT,
    UNANSWERED,
};
use crate::base::{Millis, PeerId, failpoint};
use crate::envelope::border::Event;
use crate::envelope::frame::{Frame, RefuseReason, put_envelope, put_hello};
use crate::net::limits::activity::StreamGuard;
use crate::net::shared::{Load, Open, Outbox, Outgoing, Shared};
use crate::net::{lock, span};

/// Frames are gathered up to this size before they are written.
const WRITE_BATCH: usize = 64 * 1024;

/// Sends to the peer until he is disconnected and every ticket has its outcome.
pub(in crate::net) async fn serve(shared: Arc<Shared>, peer: PeerId, mut outbox: Outbox) {
    let sender = Sender { shared, peer, load: Arc::clone(&outbox.load), begun: Notify::new() };
    // A stream is opened when there is something to send, and not before.
    while let Some(first) = outbox.queue.recv().await {
        let connection = *outbox.preferred.borrow_and_update();
        let end = match sender.open(connection).await {
            Some(stream) => {
                let guard = sender.shared.activity.count_stream(connection);
                let under_way = sender.shared.activity.begin(connection);
                let end = sender.session(&mut outbox, &guard, first, stream).await;
                drop((guard, under_way));
                end
            }
            None => {
                sender.outcome(first.bytes.len(), sender.lost(first.ticket)).await;
                Err(StreamEnd::Closed)
            }
        };
        if let Err(error) = end {
            tracing::debug!(?peer, %error, "envelope stream to a peer ended");
            // What waited behind the lost ones is lost too: else it would overtake them (NET-17).
            while let Ok(waiting) = outbox.queue.try_recv() {
                sender.outcome(waiting.bytes.len(), sender.lost(waiting.ticket)).await;
            }
        }
    }
}

struct Sender {
    shared: Arc<Shared>,
    peer: PeerId,
    load: Arc<Load>,
    /// Something was sent: an answer is due.
    begun: Notify,
}

/// An envelope that was sent and is not answered.
#[derive(Debug)]
struct Sent {
    seq: u64,
    ticket: u64,
    len: usize,
    at: Instant,
}

#[derive(Debug, Default)]
struct Window {
    open: VecDeque<Sent>,
    last: u64,
    /// Nothing more is sent: the stream ends when all is answered.
    ending: bool,
}

/// Notes an envelope as sent, and appends its frame.
fn put(out: &mut Vec<u8>, window: &Mutex<Window>, outgoing: &Outgoing) {
    let mut window = lock(window);
    window.last += 1;
    let sent = Sent { seq: window.last, ticket: outgoing.ticket, len: outgoing.bytes.len(), at: Instant::now() };
    put_envelope(out, sent.seq, &outgoing.bytes);
    window.open.push_back(sent);
}

impl Sender {
    async fn open(&self, connection: ConnectionId) -> Option<Stream> {
        let (reply, stream) = oneshot::channel();
        self.shared.opens.send(Open { peer: self.peer, connection, reply }).await.ok()?;
        // The handler has a deadline of its own; this one also covers a busy connection.
        timeout(2 * span(STREAM_OPEN_TIMEOUT), stream).await.ok()?.ok()
    }

    /// Sends on one stream. `Ok` when it ended in order: every envelope that was sent is answered.
    async fn session(
        &self,
        outbox: &mut Outbox,
        guard: &StreamGuard,
        first: Outgoing,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<(), StreamEnd> {
        let connection = guard.id;
        let window = Mutex::new(Window::default());
        // Noted as sent before anything can fail, so that it has an outcome in every case.
        let mut out = Vec::new();
        put_hello(&mut out);
        put(&mut out, &window, &first);
        let (read, mut writer) = stream.split();
        let mut listening = pin!(self.listen(&window, guard, FrameReader::new(read)));
        let mut end = tokio::select! {
            heard = &mut listening => heard,
            spoken = self.speak(outbox, connection, out, &window, &mut writer) => spoken,
        };
        if end.is_ok() {
            end = drain(&window, guard, listening, writer).await;
        }
        // Whatever is unanswered now stays so.
        let lost = std::mem::take(&mut lock(&window).open);
        for sent in lost {
            self.outcome(sent.len, self.lost(sent.ticket)).await;
        }
        end
    }

    /// Writes what comes, until the stream should end: another connection is preferred (NET-42), a stranger
    /// has been idle, or the peer is gone.
    async fn speak(
        &self,
        outbox: &mut Outbox,
        connection: ConnectionId,
        mut out: Vec<u8>,
        window: &Mutex<Window>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), StreamEnd> {
        loop {
            while out.len() < WRITE_BATCH {
                let Ok(waiting) = outbox.queue.try_recv() else { break };
                put(&mut out, window, &waiting);
            }
            self.begun.notify_one();
            write(writer, &out).await?;
            failpoint("envelope-sent");
            out.clear();
            if *outbox.preferred.borrow_and_update() != connection {
                return Ok(());
            }
            tokio::select! {
                waiting = outbox.queue.recv() => match waiting {
                    Some(waiting) => put(&mut out, window, &waiting),
                    None => return Ok(()),
                },
                moved = outbox.preferred.changed() => if moved.is_err() { return Ok(()) },
                // A deadline, beside the events that it waits for.
                () = tokio::time::sleep(span(self.patience())) => {
                    let kept = self.shared.is_contact(&self.peer) && self.shared.is_direct(&self.peer);
                    if !kept && lock(window).open.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// How long a stream on which nothing is on its way stays open (NET-61).
    fn patience(&self) -> Millis {
        if self.shared.is_direct(&self.peer) { STRANGER_IDLE } else { CIRCUIT_IDLE }
    }

    /// Waits for the next frame. Sounds the alarm when something is unanswered for a while, and gives up when it is for
    /// as long as this (NET-81).
    async fn frame_ready(
        &self,
        window: &Mutex<Window>,
        connection: ConnectionId,
        reader: &mut FrameReader<impl AsyncRead + Unpin>,
        limit: Millis,
    ) -> Result<(), StreamEnd> {
        // Answers that come, however late, are a sign of life.
        let heard = Instant::now();
        let mut alarm = span(UNANSWERED);
        loop {
            // `None`: nothing is due, and the peer may be silent as long as he likes, until something is sent.
            let oldest = lock(window).open.front().map(|sent| sent.at);
            let silence = oldest.map(|sent| sent.max(heard).elapsed());
            if silence.is_some_and(|silence| silence >= span(limit)) {
                return Err(StreamEnd::Stalled);
            }
            if silence.is_some_and(|silence| silence >= alarm) {
                self.shared.suspect(self.peer, connection);
                alarm += span(UNANSWERED);
            }
            let left = |silence: Duration| span(limit).min(alarm).saturating_sub(silence);
            let wait = silence.map_or(span(STALL_TIMEOUT), left);
            tokio::select! {
                ready = reader.ready(wait) => match ready? {
                    Ready::Frame => return Ok(()),
                    Ready::End => return Err(StreamEnd::Closed),
                    Ready::Idle => {}
                },
                () = self.begun.notified(), if silence.is_none() => alarm = span(UNANSWERED),
            }
        }
    }

    /// Reads answers, until the stream ends or, when nothing more is sent, all is answered.
    async fn listen(
        &self,
        window: &Mutex<Window>,
        guard: &StreamGuard,
        mut reader: FrameReader<impl AsyncRead + Unpin>,
    ) -> Result<(), StreamEnd> {
        let connection = guard.id;
        self.frame_ready(window, connection, &mut reader, FRAME_TIMEOUT).await?;
        reader.hello().await?;
        loop {
            self.frame_ready(window, connection, &mut reader, STALL_TIMEOUT).await?;
            let (upto, refusal) = match reader.frame().await? {
                Frame::Ack { upto } => (upto, None),
                Frame::Refusal { seq, reason } => (seq, Some(reason)),
                _ => return Err(StreamEnd::Violation("only answers follow the hello")),
            };
            check_answer(window, upto, refusal.is_some())?;
            guard.answered();
            self.settle(window, upto, refusal).await;
            let window = lock(window);
            if window.ending && window.open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Tells the outcome of every open envelope up to this one.
    async fn settle(&self, window: &Mutex<Window>, upto: u64, refusal: Option<RefuseReason>) {
        loop {
            // The place in the lane first: this future may be dropped while it waits, and then the
            // envelope is still open and is reported lost.
            let Ok(place) = self.shared.lanes.contacts.reserve().await else { return };
            let sent = {
                let mut window = lock(window);
                if window.open.front().is_none_or(|sent| sent.seq > upto) {
                    return;
                }
                window.open.pop_front()
            };
            let Some(Sent { ticket, len, .. }) = sent else { return };
            self.load.give_back(len);
            let peer = self.peer;
            place.send(refusal.map_or(Event::Acked { peer, ticket }, |reason| Event::Refused { peer, ticket, reason }));
        }
    }

    fn lost(&self, ticket: u64) -> Event {
        Event::Lost { peer: self.peer, ticket }
    }

    async fn outcome(&self, len: usize, event: Event) {
        self.load.give_back(len);
        // A node that no longer listens has stopped.
        let _ = self.shared.lanes.contacts.send(event).await;
    }
}

/// NET-12, NET-13: an acknowledgement covers at least one open envelope and none that was not
/// sent; a refusal names the first open one.
fn check_answer(window: &Mutex<Window>, upto: u64, refusal: bool) -> Result<(), StreamEnd> {
    let window = lock(window);
    let Some(first) = window.open.front() else {
        return Err(StreamEnd::Violation("an answer to nothing"));
    };
    let fits = if refusal { upto == first.seq } else { (first.seq..=window.last).contains(&upto) };
    if fits { Ok(()) } else { Err(StreamEnd::Violation("an answer out of sequence")) }
}

/// Nothing more is sent on this stream: waits for the answers as long as they come, then closes it (NET-41).
async fn drain(
    window: &Mutex<Window>,
    guard: &StreamGuard,
    listening: Pin<&mut impl Future<Output = Result<(), StreamEnd>>>,
    mut writer: impl AsyncWrite + Unpin,
) -> Result<(), StreamEnd> {
    let answered = {
        let mut window = lock(window);
        window.ending = true;
        window.open.is_empty()
    };
    if !answered {
        await_answers(guard, listening).await?;
    }
    close(&mut writer).await
}

async fn await_answers(
    guard: &StreamGuard,
    mut listening: Pin<&mut impl Future<Output = Result<(), StreamEnd>>>,
) -> Result<(), StreamEnd> {
    let begun = Instant::now();
    let end = || {
        let silent = guard.last_answer().map_or(begun, |at| at.max(begun)) + span(DOUBLE_GRACE);
        silent.min(begun + span(DOUBLE_LIFE))
    };
    loop {
        let until = end();
        match timeout_at(until, &mut listening).await {
            Ok(ended) => return ended,
            // Something was answered meanwhile.
            Err(_) if end() > until => {}
            Err(_) => return Err(StreamEnd::Stalled),
        }
    }
}

#[cfg(test)]
mod tests;
