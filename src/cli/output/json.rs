//! One JSON object a line, exact and still harmless on a terminal.
//!
//! The values are exact, but characters that a terminal would obey or not show are written as
//! `\u` escapes, which every JSON parser reads as the same character.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::safe;

/// Writes one object and a line feed.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_line<T: Serialize + ?Sized>(mut out: impl Write, value: &T) -> io::Result<()> {
    // In one piece: a node writes a line for each event.
    let mut line = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut line, Escaping))?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Compact, and nothing hidden is written raw.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Most are, and that is quickly found out.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        let mut plain = fragment;
        while let Some((at, c)) = plain.char_indices().find(|&(_, c)| safe::is_hidden(c)) {
            let (before, rest) = plain.split_at(at);
            CompactFormatter.write_string_fragment(writer, before)?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(writer, plain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_line(&mut out, &serde_json::json!({ "text": text })).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hidden_characters_are_escaped_and_the_rest_is_not() {
        assert_eq!(
            written("a\x1b[2J\u{9b}\u{202E}ä\u{E0041}\"\n"),
            "{\"text\":\"a\\u001b[2J\\u009b\\u202eä\\udb40\\udc41\\\"\\n\"}\n"
        );
    }

    proptest! {
        #[test]
        fn every_text_comes_back_exact_and_on_one_line(text in "\\p{Any}*") {
            let line = written(&text);
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(!line.trim_end().chars().any(char::is_control));
            let back: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(back["text"].as_str().unwrap(), text);
        }
    }
}
