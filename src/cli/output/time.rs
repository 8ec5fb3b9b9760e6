//! Times as people read them; programs get RFC 3339, see [`crate::api::time`].

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::WallTime;

/// As short as it can be seen from `now`: `14:02` today, `12 Mar 14:02` this year, else with the year.
pub(crate) fn short(at: WallTime, now: WallTime, zone: &TimeZone) -> String {
    let then = timestamp(at).to_zoned(zone.clone());
    let here = timestamp(now).to_zoned(zone.clone());
    let form = if then.date() == here.date() {
        "%H:%M"
    } else if then.year() == here.year() {
        "%-d %b %H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    then.strftime(form).to_string()
}

/// To the minute, wherever one stands.
pub(crate) fn long(at: WallTime, zone: &TimeZone) -> String {
    written(at, zone, "%Y-%m-%d %H:%M")
}

/// The day.
pub(crate) fn day(at: WallTime, zone: &TimeZone) -> String {
    written(at, zone, "%A, %-d %B %Y")
}

/// The time of the day.
pub(crate) fn clock(at: WallTime, zone: &TimeZone) -> String {
    written(at, zone, "%H:%M")
}

fn written(at: WallTime, zone: &TimeZone, form: &str) -> String {
    timestamp(at).to_zoned(zone.clone()).strftime(form).to_string()
}

/// What a peer says may lie outside all calendars; then it is the end of ours.
fn timestamp(at: WallTime) -> Timestamp {
    i64::try_from(at.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_the_calendar_is_its_end() {
        assert_eq!(short(WallTime(u64::MAX), WallTime(0), &TimeZone::UTC), "9999-12-30 22:00");
    }

    fn at(text: &str) -> WallTime {
        WallTime(text.parse::<Timestamp>().unwrap().as_millisecond().try_into().unwrap())
    }

    #[test]
    fn days_are_those_of_the_reader() {
        let (at, zone) = (at("2024-03-12T23:30:00Z"), TimeZone::fixed(jiff::tz::offset(1)));
        assert_eq!((day(at, &zone), clock(at, &zone)), ("Wednesday, 13 March 2024".to_owned(), "00:30".to_owned()));
        assert_eq!(long(at, &zone), "2024-03-13 00:30");
    }

    #[test]
    fn for_people_as_short_as_it_can_be() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now = at("2024-03-12T22:30:00Z");
        assert_eq!(short(at("2024-03-12T13:02:11Z"), now, &zone), "14:02");
        assert_eq!(short(at("2024-03-11T23:30:00Z"), now, &zone), "00:30", "today where the reader is");
        assert_eq!(short(at("2024-03-11T22:30:00Z"), now, &zone), "11 Mar 23:30");
        assert_eq!(short(at("2023-12-31T23:30:00Z"), now, &zone), "1 Jan 00:30");
        assert_eq!(short(at("2023-12-31T22:30:00Z"), now, &zone), "2023-12-31 23:30");
    }
}
