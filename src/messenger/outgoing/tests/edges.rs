//! The edges of what decides: times, counts, lengths, and what the index forgets.

use super::*;
use crate::base::MessageId;
use crate::content::{Capsule, Item, StatusReport};

const EAST: PeerId = PeerId::from_key_bytes([3; 32]);
const OTHER: PeerId = PeerId::from_key_bytes([8; 32]);

fn stored(ticket: u64, copies: usize) -> Happening {
    Happening::Answered(ticket, Answered::Stored(copies))
}

/// An envelope of this length that tells this of ourselves.
fn sealed(len: usize, tells: Option<u64>) -> Happening {
    Happening::Sealed(Arc::new(Sealed { bytes: Arc::from(vec![0; len]), tells, ..*envelope_parts() }), false)
}

#[test]
fn a_mailbox_that_stores_again_has_one_copy_from_then_on() {
    let held = after(MESSAGE, vec![sealed(300, None), asked(NORTH, 1), stored(1, 2)]).unwrap();
    let again = |mailbox, later: Millis| {
        let (letter, _) = step(held.clone(), asked(mailbox, 2), NOW);
        step(letter.unwrap(), stored(2, 3), NOW + later).0.unwrap().way.held
    };
    let day = Millis::from_days(1);
    assert_eq!(again(NORTH, day), [(NORTH, NOW + day)]);
    assert_eq!(again(SOUTH, day), [(NORTH, NOW), (SOUTH, NOW + day)]);
    let last = Millis(limits::DEPOSIT_LIFE.0 - 1);
    assert_eq!(again(SOUTH, last), [(NORTH, NOW), (SOUTH, NOW + last)]);
    assert_eq!(again(SOUTH, limits::DEPOSIT_LIFE), [(SOUTH, NOW + limits::DEPOSIT_LIFE)], "the first is gone there");
}

#[test]
fn work_is_shown_to_the_mailbox_that_wants_it() {
    let work = |ticket| Happening::Answered(ticket, Answered::Work);
    let events = vec![sealed(300, None), asked(NORTH, 1), asked(SOUTH, 2), work(1), work(2), asked(EAST, 3)];
    let letter = after(MESSAGE, events).unwrap();
    let proven = |mailbox| {
        let letter = step(letter.clone(), Happening::Proven(mailbox, Proof::None), NOW).0.unwrap();
        [NORTH, SOUTH, EAST].map(|at| {
            let deposit = letter.deposit_at(&at).unwrap();
            (deposit.proof().cloned(), deposit.is_under_way())
        })
    };
    let (done, waits) = ((Some(Proof::None), false), (None, true));
    assert_eq!(proven(NORTH), [done.clone(), waits.clone(), waits.clone()]);
    assert_eq!(proven(SOUTH), [waits.clone(), done, waits.clone()]);
    // Nothing was wanted of it.
    assert_eq!(proven(EAST), [waits.clone(), waits.clone(), waits]);
}

#[test]
fn a_capsule_is_what_all_of_its_items_are() {
    let status = || Item::Status(StatusReport { delivered: vec![MessageId::new([1; 32])], read: Vec::new() });
    let inquiry = || Item::Inquiry(vec![MessageId::new([1; 32])]);
    let says = |items: Vec<Item>| {
        let capsule = Capsule { items }.encode();
        let What::Control { says, size, .. } = What::of(&capsule) else { panic!("a message") };
        assert_eq!(size, capsule.len());
        says
    };
    assert_eq!(says(vec![status(), status()]), Control::Receipts);
    assert_eq!(says(vec![inquiry()]), Control::Inquiry);
    assert_eq!(says(vec![status(), inquiry()]), Control::Other);
    assert_eq!(What::of(b"no capsule"), What::Control { says: Control::Other, items: 0, size: 10 });
}

#[test]
fn no_more_mailboxes_are_asked_than_are_to_have_it() {
    let places = [NORTH, SOUTH, EAST].map(|mailbox| Place { mailbox, is_open: true });
    let left = |letter: &Letter, copies, later| next::at_mailboxes(letter, &ACCEPTED, &places, copies, NOW + later);
    let at = |events| after(MESSAGE, [vec![sealed(300, None)], events].concat()).unwrap();
    let (now, life) = (Millis(0), limits::DEPOSIT_LIFE);
    assert_eq!(left(&at(vec![]), 2, now), Leave::At(vec![NORTH, SOUTH]));
    let held = at(vec![asked(NORTH, 1), stored(1, 2)]);
    assert_eq!(left(&held, 2, now), Leave::At(vec![SOUTH]));
    assert_eq!(left(&at(vec![asked(NORTH, 1), stored(1, 3), asked(SOUTH, 2)]), 2, now), Leave::Nothing);
    assert_eq!(left(&at(vec![asked(NORTH, 1), stored(1, 3), asked(SOUTH, 2)]), 3, now), Leave::At(vec![EAST]));
    // What was kept for its time is gone there, from that moment on.
    assert_eq!(left(&held, 1, Millis(life.0 - 1)), Leave::Nothing);
    assert_eq!(left(&held, 1, life), Leave::At(vec![NORTH]));
    // A receipt that enough have is dropped, though there are more; one that was sealed for the stream waits for no others.
    let receipts = after(RECEIPTS, vec![sealed(300, None), asked(NORTH, 1), stored(1, 2)]).unwrap();
    assert_eq!(left(&receipts, 1, now), Leave::Drop);
    assert_eq!(left(&receipts, 2, now), Leave::At(vec![SOUTH]));
    assert_eq!(left(&after(RECEIPTS, vec![sealed(300, None)]).unwrap(), 1, now), Leave::At(vec![NORTH]));
}

#[test]
fn a_shared_capsule_is_filled_to_its_last_byte() {
    let groups = |controls: &[(usize, usize)]| {
        let letter = |&(items, size)| queued(What::Control { says: Control::Other, items, size });
        next::shared(waiting(controls.iter().map(letter).collect()).of(&PEER))
    };
    let none = Vec::<Vec<u64>>::new();
    assert_eq!(groups(&[(1, 10), (1, 10)]), [vec![1, 2]]);
    assert_eq!(groups(&[(1, 6_000), (1, 144)]), [vec![1, 2]]);
    assert_eq!(groups(&[(1, 6_000), (1, 145)]), none);
    assert_eq!(groups(&[(1, 3_000), (1, 3_000), (1, 145)]), [vec![1, 2]]);
    assert_eq!(groups(&[(limits::MAX_CAPSULE_ITEMS - 1, 10), (1, 10), (1, 10)]), [vec![1, 2]]);
    assert_eq!(groups(&[(0, 10), (0, 10)]), none, "what does not decode");
}

#[test]
fn the_index_names_whom_something_waits_for_and_nobody_else() {
    let mut out = Outgoing::default();
    let peers = |out: &Outgoing| out.peers().map(|(peer, _)| *peer).collect::<Vec<_>>();
    assert_eq!(out.next_number(&PEER), 1);
    for number in [1, 2, 7] {
        out.set(PEER, number, Some(queued(MESSAGE)));
        assert_eq!(out.next_number(&PEER), number + 1);
    }
    assert_eq!((out.next_number(&OTHER), peers(&out)), (1, vec![PEER]));
    out.set_frame(PEER, 10, Some((7, 300)));
    out.set_frame(PEER, 11, Some((2, 300)));
    out.set_frame(OTHER, 12, Some((1, 300)));
    for number in [1, 2, 7] {
        out.set(PEER, number, None);
    }
    // The network has something of theirs.
    assert_eq!(peers(&out), [OTHER, PEER]);
    // After a failed commit: what it was given before is noted, what it was to be given is not.
    let mut again = Outgoing::default();
    again.keep_frames(&out, 11);
    assert_eq!(peers(&again), [PEER]);
    assert_eq!(again.of(&PEER).frames, BTreeMap::from([(10, (7, 300))]));
    out.set_frame(PEER, 10, None);
    assert_eq!(peers(&out), [OTHER, PEER]);
    out.set_frame(PEER, 11, None);
    out.set_frame(OTHER, 12, None);
    assert_eq!(peers(&out), []);
}

#[test]
fn what_is_told_of_ourselves_is_known_while_its_envelope_is_kept() {
    let telling = |digest| after(MESSAGE, vec![sealed(300, Some(digest))]).unwrap();
    let mut out = waiting(vec![telling(4), telling(5), queued(MESSAGE)]);
    let tells = |out: &Outgoing| [4, 5, 6].map(|digest| out.of(&PEER).tells(digest));
    assert_eq!(tells(&out), [true, true, false]);
    out.set(PEER, 1, Some(queued(MESSAGE)));
    assert_eq!(tells(&out), [false, true, false]);
    out.set(PEER, 2, None);
    assert_eq!(tells(&out), [false; 3]);
}

#[test]
fn the_window_is_full_with_its_last_byte() {
    let mut out = waiting(vec![queued(MESSAGE)]);
    out.set_frame(PEER, 10, Some((2, limits::MAX_IN_FLIGHT_BYTES - 1)));
    assert_eq!(going(&out, &ACCEPTED), [1]);
    out.set_frame(PEER, 11, Some((3, 1)));
    assert_eq!(going(&out, &ACCEPTED), [0; 0]);
}

#[test]
fn there_is_no_room_when_the_last_byte_is_taken() {
    let half = limits::MAX_SEALED_PER_PEER / 2;
    let idle = |len| after(MESSAGE, vec![sealed(len, None)]).unwrap();
    let held = after(MESSAGE, vec![sealed(half - 1, None), asked(NORTH, 1), stored(1, 2)]).unwrap();
    let mut out = Outgoing::default();
    out.set(PEER, 1, Some(idle(half)));
    out.set(OTHER, 1, Some(idle(half)));
    // Nothing of his own that a mailbox has: that of others, which they do not get anyway.
    assert_eq!(out.squeezable(&PEER), [(OTHER, 1)]);
    out.set(PEER, 2, Some(held.clone()));
    assert_eq!(out.squeezable(&PEER), [(PEER, 2)], "first what a mailbox has");
    // What is kept no more makes no room.
    out.set(PEER, 3, Some(step(held, Happening::Squeezed, NOW).0.unwrap()));
    assert_eq!(out.squeezable(&PEER), [(PEER, 2)]);
    assert!(out.has_room(&PEER));
    out.set(PEER, 2, Some(idle(half)));
    assert!(!out.has_room(&PEER), "what one may have");
    assert_eq!(out.squeezable(&PEER), [], "others make no room for more than that");
    out.set(PEER, 2, None);
    for n in 10..10 + limits::MAX_SEALED / half - 2 {
        assert!(out.has_room(&PEER));
        out.set(PeerId::from_key_bytes([u8::try_from(n).unwrap(); 32]), 1, Some(idle(half)));
    }
    assert_eq!(out.totals.kept, limits::MAX_SEALED);
    assert!(!out.has_room(&PEER), "what all may have");
}

/// NET-94, NET-95: he may have no room but for what is no message, and that may make some.
#[test]
fn what_is_no_message_goes_beside_the_messages_that_he_may_have() {
    let mut out = waiting(vec![queued(MESSAGE), queued(MESSAGE), queued(RECEIPTS), queued(MESSAGE)]);
    let narrow = |most| Gate { narrow: Some(most), ..ACCEPTED };
    assert_eq!(going(&out, &narrow(1)), [1, 2, 3, 4], "nothing is on its way");
    out.set_frame(PEER, 10, Some((77, 300)));
    assert_eq!(going(&out, &narrow(1)), [3], "whatever became of its row");
    assert_eq!(going(&out, &narrow(2)), [1, 2, 3, 4]);
    out.set_frame(PEER, 11, Some((3, 300)));
    assert_eq!(going(&out, &narrow(2)), [1, 2, 3, 4], "that is no message");
    out.set(PEER, 3, None);
    assert_eq!(going(&out, &narrow(1)), [0; 0]);
    assert_eq!(going(&out, &ACCEPTED), [1, 2, 4]);
}
