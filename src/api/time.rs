//! Times as scripts see them: RFC 3339, UTC, milliseconds.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de};

use crate::base::WallTime;

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

pub(super) fn serialize<S: Serializer>(time: &WallTime, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&format(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<WallTime, D::Error> {
    parse(&String::deserialize(d)?).map_err(de::Error::custom)
}

/// The same for a time that may be missing (`null`).
pub(super) mod option {
    use super::{Deserialize, Deserializer, Serializer, WallTime, de};

    #[expect(clippy::ref_option, reason = "serde calls it with this signature")]
    pub(in crate::api) fn serialize<S: Serializer>(time: &Option<WallTime>, s: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, s),
            None => s.serialize_none(),
        }
    }

    pub(in crate::api) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<WallTime>, D::Error> {
        Option::<String>::deserialize(d)?.map(|text| super::parse(&text).map_err(de::Error::custom)).transpose()
    }
}

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
