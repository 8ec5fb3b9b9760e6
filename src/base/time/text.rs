//! Times as scripts see them: RFC 3339, UTC, milliseconds.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::WallTime;
use crate::base::ids::is_text;

/// `2026-07-01T12:00:00.000Z`. A time beyond the year 9999, which only a peer can claim, is shown as the last one
/// that can be written.
pub fn format(time: WallTime) -> String {
    let millis = i64::try_from(time.0).unwrap_or(i64::MAX);
    let stamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    format!("{stamp:.3}")
}

/// The reverse of [`format()`]; any RFC 3339 time is understood.
///
/// # Errors
/// When it is no such time, or one before 1970.
pub fn parse(text: &str) -> Result<WallTime, String> {
    let stamp: Timestamp = text.parse().map_err(|_| format!("'{text}' is not an RFC 3339 time"))?;
    u64::try_from(stamp.as_millisecond()).map(WallTime).map_err(|_| format!("'{text}' is before 1970"))
}

/// In texts a time is its text, in rows a number.
impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.serialize_str(&format(*self)) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            parse(&String::deserialize(d)?).map_err(de::Error::custom)
        } else {
            u64::deserialize(d).map(Self)
        }
    }
}
is_text!(WallTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
            (1_700_000_000_120, "2023-11-14T22:13:20.120Z"),
        ] {
            assert_eq!(format(WallTime(millis)), text);
            assert_eq!(parse(text), Ok(WallTime(millis)));
        }
    }

    #[test]
    fn a_time_that_a_peer_made_up_can_still_be_written() {
        let text = format(WallTime(u64::MAX));
        assert!(text.starts_with("9999-12-30T") && parse(&text).is_ok(), "{text}");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "yesterday", "2023-11-14", "1969-12-31T23:59:59Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
