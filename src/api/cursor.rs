//! A place in the log of events.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::WallTime;

/// A place in a log of events: behind which event, and when that happened. In another log, as in an older copy of the
/// profile that went on by itself, there is another event at this place, or none; so the time tells which log is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The place of the event; 0: before the first.
    pub seq: u64,
    /// When it happened; `None`: of whatever log.
    pub at: Option<WallTime>,
}

impl Cursor {
    /// Behind an event.
    pub const fn behind(seq: u64, at: WallTime) -> Self {
        Self { seq, at: Some(at) }
    }
}

/// A place in whatever log there is.
impl From<u64> for Cursor {
    fn from(seq: u64) -> Self {
        Self { seq, at: None }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}-{:x}", self.seq, at.0),
            None => write!(f, "{}", self.seq),
        }
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is the `cursor` of an event, or 0 for all that is kept")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, at) = match text.split_once('-') {
            Some((seq, at)) => (seq, Some(at)),
            None => (text, None),
        };
        let at = at.map(|at| u64::from_str_radix(at, 16).map(WallTime)).transpose().map_err(|_| NoCursor)?;
        let cursor = Self { seq: seq.parse().map_err(|_| NoCursor)?, at };
        // There is one way to write it.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NoCursor) }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Understand)
    }
}

/// A text, or a number, which stands for a place in whatever log.
struct Understand;

impl Visitor<'_> for Understand {
    type Value = Cursor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a cursor")
    }

    fn visit_u64<E: de::Error>(self, seq: u64) -> Result<Cursor, E> {
        Ok(seq.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cursor, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Cursor {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Cursor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "pattern": "^[0-9]+(-[0-9a-f]+)?$" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cursor_is_a_text_and_comes_back_the_same() {
        let cursor = Cursor::behind(88, WallTime(0x19b_0c3e_5a7f));
        assert_eq!((cursor.to_string().as_str(), "88-19b0c3e5a7f".parse()), ("88-19b0c3e5a7f", Ok(cursor)));
        assert_eq!(serde_json::from_value::<Cursor>(json!(cursor)).unwrap(), cursor);
        for whatever in [json!(0), json!("0")] {
            assert_eq!(serde_json::from_value::<Cursor>(whatever).unwrap(), Cursor::default());
        }
        assert_eq!(json!(Cursor::from(u64::MAX)), "18446744073709551615");
        for wrong in [json!(-1), json!(1.5), json!(null), json!("yesterday"), json!("1-"), json!("-1"), json!("+1")] {
            assert!(serde_json::from_value::<Cursor>(wrong.clone()).is_err(), "{wrong}");
        }
        for wrong in ["1-0x1", "1-1-1", " 1", "1-A", "01", "18446744073709551616", ""] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NoCursor), "{wrong}");
        }
    }
}
