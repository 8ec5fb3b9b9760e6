use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A room as it fills: places and the counters in them.
#[derive(Default)]
struct Room {
    counters: Counters,
    end: u64,
    placed: BTreeMap<u64, u64>,
}

impl Room {
    /// Where what comes is put: never where something stands.
    fn comes(&mut self, counter: u64) -> u64 {
        self.written(counter, counter)
    }

    /// The same, written at this time.
    fn written(&mut self, counter: u64, at: u64) -> u64 {
        let place = self.counters.place(counter, WallTime(at), self.end);
        assert_eq!(self.placed.insert(place, counter), None, "{place} is taken");
        self.end = self.end.max(place);
        place
    }

    fn order(&self) -> Vec<u64> {
        self.placed.values().copied().collect()
    }
}

#[test]
fn of_sixty_the_last_comes_first_and_all_stand_in_order() {
    let mut room = Room::default();
    [1, 61].into_iter().chain(2..61).for_each(|counter| {
        room.comes(counter);
    });
    assert_eq!(room.order(), (1..=61).collect::<Vec<_>>());
    assert!(room.counters.highest == 61 && room.counters.gaps.is_empty());
}

#[test]
fn what_is_not_known_to_be_missing_stands_at_the_end() {
    let mut room = Room::default();
    // What is below the first of all, or a leap beyond what can wait, is not known to be missing.
    let leap = limits::MAX_OUTBOX_PER_PEER;
    for (counter, gaps) in
        [(1_000_000, 1), (1_000_002, 2), (1_000_002 + leap, 3), (1_000_004 + 2 * leap, 4), (u64::MAX, 5)]
    {
        room.comes(counter);
        assert_eq!((room.counters.gaps.len(), room.counters.is_missing(counter - 1)), (gaps, gaps == 2 || gaps == 3));
    }
    for counter in [1_000_000, 1_000_002, 0, 1, 1_000_004 + 2 * leap, u64::MAX] {
        let end = room.end;
        assert!(room.written(counter, u64::MAX) > end, "{counter}");
    }
    let end = room.end;
    let missing =
        [999_000, 1_000_001, 1_000_003, 1_000_001 + leap, 1_000_003 + 2 * leap, u64::MAX - leap, u64::MAX - 1];
    assert!(missing.into_iter().all(|counter| room.comes(counter) < end));
    assert!(missing.into_iter().all(|counter| room.written(counter, u64::MAX) > end), "places are taken");
}

#[test]
fn who_is_overtaken_at_the_very_beginning_stands_before_who_overtook_him() {
    let mut room = Room::default();
    for counter in [1_003, 1_001] {
        room.comes(counter);
        assert!(!room.counters.is_missing(counter - 1), "nobody knows");
    }
    assert!(room.counters.is_missing(1_002));
    room.comes(1_002);
    assert_eq!(room.order(), [1_001, 1_002, 1_003]);
}

/// CON-11: whose state fell back uses counters again that never came; what he writes then stands behind what was there.
#[test]
fn what_was_written_after_what_showed_the_gap_stands_at_the_end() {
    let mut room = Room::default();
    // Of what he wrote at 2, 3 and 4 the first two were lost; then he is what he was at 1, and goes on at 9.
    for (counter, at) in [(1, 1), (4, 4), (2, 9), (3, 10), (4, 11), (5, 12)] {
        room.written(counter, at);
        assert!(counter == 4 || !room.counters.is_missing(counter));
    }
    assert_eq!(room.order(), [1, 4, 2, 3, 4, 5]);
    assert!(room.counters.gaps.is_empty());
    // What was overtaken on the way, and what was written in the same moment, stands where it was missing.
    for (counter, at) in [(8, 20), (7, 20), (6, 19)] {
        room.written(counter, at);
    }
    assert_eq!(room.order(), [1, 4, 2, 3, 4, 5, 6, 7, 8]);
}

/// A turn in which his state fell back to 3 while 6 had come: the first of what he says then have counters that were used.
fn after_a_fall_back(order: &[u64], own: u64) -> Vec<u64> {
    let mut room = Room::default();
    for counter in 1..=6 {
        room.written(counter, counter);
    }
    let old = room.end;
    for (i, counter) in order.iter().enumerate() {
        let place = room.written(*counter, 100 + *counter);
        assert!(place > old);
        room.end += own >> i & 1;
    }
    room.order().split_off(6)
}

/// CON-11, SES-71: as mailboxes gave them out.
#[test]
fn what_is_said_after_a_fall_back_stands_in_its_order() {
    for order in
        [&[7, 6, 4, 5, 8, 9], &[9, 5, 4, 6, 8, 7], &[4, 5, 6, 7, 8, 9], &[6, 5, 4, 9, 8, 7], &[4, 7, 5, 9, 6, 8]]
    {
        assert_eq!(after_a_fall_back(order, 0b10101), [4, 5, 6, 7, 8, 9], "{order:?}");
    }
    // Nor is a clock believed that was set back.
    let mut room = Room::default();
    for (counter, at) in [(1, 11), (2, 12), (3, 13), (3, 2), (2, 1)] {
        room.written(counter, at);
    }
    assert_eq!(room.order(), [1, 2, 3, 3, 2]);
    // Of one counter three messages: the third has no place of its own.
    let mut room = Room::default();
    for (counter, at) in [(1, 1), (2, 2), (5, 9), (2, 8), (2, 8), (3, 8), (4, 8)] {
        room.written(counter, at);
    }
    assert_eq!(room.order(), [1, 2, 2, 3, 4, 5, 2]);
}

#[test]
fn the_lowest_gaps_are_forgotten() {
    let mut room = Room::default();
    (1..=2 * MAX_GAPS as u64 + 3).step_by(2).for_each(|counter| {
        room.comes(counter);
    });
    assert_eq!(room.counters.gaps.len(), MAX_GAPS);
    assert!(!room.counters.is_missing(2) && room.counters.is_missing(4));
    // A gap that is cut in two is one more.
    room.comes(2 * MAX_GAPS as u64 + 7);
    room.comes(2 * MAX_GAPS as u64 + 5);
    assert_eq!(room.counters.gaps.len(), MAX_GAPS);
    let end = room.end;
    assert!(room.written(4, u64::MAX) > end);
    let last = 2 * MAX_GAPS as u64 + 6;
    assert!(room.comes(last) < end && !room.counters.is_missing(last));
}

proptest! {
    /// Whatever comes, in whatever order, and whatever one writes oneself meanwhile: no place is given twice, and while no
    /// gap is forgotten, the messages of a sender stand in the order of their counters.
    #[test]
    fn places_follow_the_counters(start in 0..=u64::MAX / 2, order in Just((1..=40_u64).collect::<Vec<_>>()).prop_shuffle(), own: u64) {
        let mut room = Room::default();
        let mut written = BTreeSet::new();
        for (i, ahead) in order.into_iter().enumerate() {
            room.comes(start + ahead);
            if own >> i & 1 == 1 {
                room.end += 1;
                written.insert(room.end);
            }
        }
        prop_assert!(written.iter().all(|place| !room.placed.contains_key(place)));
        prop_assert_eq!(room.order(), (start + 1..=start + 40).collect::<Vec<_>>());
    }

    /// CON-11, SES-71: whatever the order in which it comes, and whatever one writes oneself meanwhile.
    #[test]
    fn a_fall_back_keeps_its_order(order in Just((4..=16_u64).collect::<Vec<_>>()).prop_shuffle(), own: u64) {
        prop_assert_eq!(after_a_fall_back(&order, own), (4..=16).collect::<Vec<_>>());
    }

    /// Counters as somebody chooses who means harm.
    #[test]
    fn no_place_is_given_twice(counters in proptest::collection::vec((prop_oneof![0_u64..200, any::<u64>()], 0_u64..50), 0..400)) {
        let mut room = Room::default();
        for (counter, at) in counters {
            let end = room.end;
            let place = room.written(counter, at);
            prop_assert!(place <= end + 1 + limits::MAX_OUTBOX_PER_PEER && room.counters.gaps.len() <= MAX_GAPS);
            prop_assert!(room.counters.recent.len() <= MAX_RECENT);
        }
    }
}
