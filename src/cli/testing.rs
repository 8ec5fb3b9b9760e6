//! What the tests of this module share: an output that can be read, and things to show.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;

use crate::api::{ConversationKind, Direction, Message, Request, State};
use crate::base::{MessageId, PeerId, WallTime};

use super::output::style::Paint;
use super::output::{Form, Output};

/// 12 March 2024, 14:02:11.042 UTC.
pub(crate) const NOW: WallTime = WallTime(1_710_252_131_042);

/// People at a terminal of the usual width.
pub(crate) const PEOPLE: Form = Form::People { columns: 100 };

/// What a person may call themselves to do harm.
pub(crate) const HOSTILE: &str = "Bob\x1b[2J\u{202E}\tx\n12:00  Alice";

/// A stream that can be read afterwards.
#[derive(Clone, Default)]
pub(crate) struct Stream(Arc<Mutex<Vec<u8>>>);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    /// All that was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// An output without colours, in UTC; its two streams.
pub(crate) fn output(form: Form) -> (Output, Stream, Stream) {
    let (out, err) = (Stream::default(), Stream::default());
    let output = Output {
        form,
        paint: Paint { on: false },
        paint_err: Paint { on: false },
        quiet: false,
        verbose: false,
        now: NOW,
        zone: TimeZone::UTC,
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
    };
    (output, out, err)
}

/// What `show` writes to stdout in that form.
pub(crate) fn written(form: Form, show: impl FnOnce(&mut Output) -> super::error::Result<()>) -> String {
    let (mut output, out, _) = output(form);
    show(&mut output).unwrap();
    out.text()
}

/// Somebody.
pub(crate) fn peer(n: u8) -> PeerId {
    PeerId::from_key_bytes([n; 32])
}

/// A request of somebody who calls himself so, and says that.
pub(crate) fn request(text: &str) -> Request {
    Request {
        peer_id: peer(2),
        name: text.to_owned(),
        subject: Some(text.to_owned()),
        text: text.to_owned(),
        received_at: NOW,
        messages: 2,
        invited: true,
        kind: ConversationKind::Direct,
    }
}

/// A message of `peer(2)` named `Bob`, or ours to them.
pub(crate) fn message(direction: Direction, text: &str) -> Message {
    let incoming = direction == Direction::In;
    Message {
        message_id: MessageId::new([0xAB; 32]),
        conversation: peer(2),
        from: peer(if incoming { 2 } else { 1 }),
        from_name: if incoming { "Bob" } else { "Alice" }.to_owned(),
        calls_himself: None,
        direction,
        kind: "text".to_owned(),
        text: text.to_owned(),
        subject: None,
        sent_at: NOW,
        received_at: incoming.then_some(NOW),
        state: if incoming { State::Received } else { State::Delivered },
        reply_to: None,
        edited: false,
        reactions: BTreeMap::new(),
        expires_at: None,
        files: Vec::new(),
        gap: false,
    }
}
