//! A peer at the other end of a pipe, who says what a test wants.

use std::sync::Arc;

use futures::AsyncReadExt;
use futures::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::wire::{FrameReader, Ready, StreamEnd, close, write};
use crate::base::PeerId;
use crate::envelope::border::Event;
use crate::envelope::frame::{Frame, put_ack, put_envelope, put_hello, put_refusal};
use crate::net::shared::{Open, Shared, Suspicion};
use crate::net::{Class, Classes, Lanes, RefuseReason};

pub(super) type Pipe = Compat<tokio::io::DuplexStream>;

/// The far end of a stream.
pub(super) struct Far {
    pub(super) reader: FrameReader<ReadHalf<Pipe>>,
    pub(super) writer: WriteHalf<Pipe>,
}

impl Far {
    pub(super) async fn say(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        put(&mut bytes);
        write(&mut self.writer, &bytes).await.unwrap();
    }

    pub(super) async fn hello(&mut self) {
        self.say(put_hello).await;
    }

    pub(super) async fn envelope(&mut self, seq: u64) {
        self.say(|out| put_envelope(out, seq, b"envelope")).await;
    }

    pub(super) async fn ack(&mut self, upto: u64) {
        self.say(|out| put_ack(out, upto)).await;
    }

    pub(super) async fn refuse(&mut self, seq: u64, reason: RefuseReason) {
        self.say(|out| put_refusal(out, seq, reason)).await;
    }

    pub(super) async fn close(&mut self) {
        close(&mut self.writer).await.unwrap();
    }

    pub(super) async fn hears(&mut self) -> Frame {
        self.reader.frame().await.unwrap()
    }

    /// Whether the other side has ended the stream, in whatever way.
    pub(super) async fn hears_the_end(&mut self) -> bool {
        let ready = self.reader.ready(std::time::Duration::MAX).await;
        matches!(ready, Ok(Ready::End) | Err(StreamEnd::Io(_)))
    }
}

/// The two ends of a stream with buffers of this size.
pub(super) fn stream(capacity: usize) -> (Pipe, Far) {
    let (near, far) = tokio::io::duplex(capacity);
    let (read, writer) = far.compat().split();
    (near.compat(), Far { reader: FrameReader::new(read), writer })
}

pub(super) const PEER: PeerId = PeerId::from_key_bytes([7; 32]);

/// A network without a swarm, whose peers are all contacts or all strangers, and its lane.
pub(super) fn network(class: Class, lane: usize) -> (Arc<Shared>, mpsc::Receiver<Event>, mpsc::Receiver<Open>) {
    let (shared, events, wanted, _) = suspicious_network(class, lane);
    (shared, events, wanted)
}

/// The same, and what is suspected in it.
pub(super) fn suspicious_network(
    class: Class,
    lane: usize,
) -> (Arc<Shared>, mpsc::Receiver<Event>, mpsc::Receiver<Open>, mpsc::Receiver<Suspicion>) {
    let (sender, events) = mpsc::channel(lane);
    let (opens, wanted) = mpsc::channel(1);
    let (suspicions, suspected) = mpsc::channel(1);
    let lanes = Lanes { contacts: sender.clone(), strangers: sender };
    let me = PeerId::from_key_bytes([1; 32]);
    let shared = Shared::new(
        me,
        lanes,
        Classes::all(class),
        crate::net::limits::activity::Activity::default(),
        opens,
        suspicions,
    );
    (Arc::new(shared), events, wanted, suspected)
}
