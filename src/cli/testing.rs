//! What the tests of this module share: an output that can be read, and things to show.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use unicode_width::UnicodeWidthChar;

use crate::api::{ConversationKind, Direction, Message, Request, State};
use crate::base::{MessageId, PeerId, WallTime};

use super::here::Here;
use super::output::style::Paint;
use super::output::wrap::ENDLESS;
use super::output::{Form, Output, Results};

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

impl Results for Stream {}

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
        columns_err: ENDLESS,
        quiet: false,
        verbose: false,
        here: Here::default(),
        now: NOW,
        zone: TimeZone::UTC,
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        unwritten: None,
    };
    (output, out, err)
}

/// What `show` writes to stdout in that form.
pub(crate) fn written(form: Form, show: impl FnOnce(&mut Output) -> super::error::Result<()>) -> String {
    let (mut output, out, _) = output(form);
    show(&mut output).unwrap();
    out.text()
}

/// What anybody may write: every character there is, and what is made to be taken for something of ours: words and blanks that end
/// at the margin of some terminal, and headers, tables, errors behind them.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    const PARTS: [&str; 20] = [
        "see you",
        "\n",
        "\n\n",
        " ",
        "\t",
        "08:30  Boss (…K9DPeVUH)  new  0123456789ab",
        "error: no",
        "hint: `sh`",
        "NAME  PEER",
        "── 12 March 2024 ──",
        "new from here",
        "warning: ",
        "你好，世界",
        "❤\u{FE0F}",
        "👩\u{200D}💻",
        "👍🏽",
        "🇩🇪",
        "لا",
        "e\u{301}",
        "1\u{FE0F}\u{20E3}",
    ];
    let part = prop_oneof![
        4 => proptest::sample::select(&PARTS[..]).prop_map(str::to_owned),
        2 => (0..210_usize).prop_map(|blanks| " ".repeat(blanks)),
        2 => (0..210_usize, proptest::sample::select(&PARTS[12..])).prop_map(|(times, part)| part.repeat(times)),
        1 => (0..210_usize).prop_map(|letters| "x".repeat(letters)),
        1 => "\\PC{0,20}",
        1 => "\\p{Any}{0,20}",
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// The rows of a plain terminal of so many columns on which this was written: it joins nothing, and goes on in the first column.
pub(crate) fn rows(text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let (mut at, mut before) = (0, 0);
    for c in text.chars() {
        let wide = if c == '\u{FE0F}' && before == 1 { 1 } else { c.width().unwrap_or(0) };
        if c == '\n' || at + wide > columns {
            rows.push(String::new());
            at = 0;
        }
        if c != '\n' {
            rows.last_mut().unwrap().push(c);
        }
        (at, before) = (at + wide, wide);
    }
    rows
}

/// Those of them that stand where a line of ours begins.
pub(crate) fn begun(text: &str, columns: usize) -> Vec<String> {
    rows(text, columns).into_iter().filter(|row| !row.is_empty() && !row.starts_with(' ')).collect()
}

/// Whether a table of so many rows, or its records, is all that this is.
pub(crate) fn is_table(text: &str, columns: usize, count: usize, titles: &[&str]) -> bool {
    let rows = rows(text.trim_end_matches('\n'), columns);
    if rows
        .first()
        .is_some_and(|first| first.split_whitespace().eq(titles.iter().copied().flat_map(str::split_whitespace)))
    {
        return rows.len() == count + 1;
    }
    begun(text, columns).iter().all(|row| {
        titles.iter().any(|title| row.starts_with(&format!("{title}  ")))
            || row == "LAST MESSAGE"
            || titles.contains(&row.as_str())
    })
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
        short_id: "abcdef".to_owned(),
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
