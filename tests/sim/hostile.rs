//! Bytes that no honest peer sends: refused or swallowed, and nothing changes.

use rohrpost::envelope::{EnvelopeKind, encode};
use rohrpost::messenger::RefuseReason;

use crate::world::{Seen, Weather, World};

#[test]
fn what_is_no_envelope_is_refused_and_costs_no_row() {
    let mut world = World::new(41, Weather::CALM);
    let (mallory, bob) = (world.join("mallory"), world.join("bob"));
    let before = world.events(bob).len();
    let good = encode(EnvelopeKind::Session, &[7; 100]).unwrap();
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    let group = encode(EnvelopeKind::Group, &[7; 100]).unwrap();
    let cases = [
        (Vec::new(), RefuseReason::Malformed),
        (vec![0xff; 255], RefuseReason::Unsupported),
        (changed(0, 99), RefuseReason::Unsupported),
        (changed(1, 99), RefuseReason::Unsupported),
        (changed(2, 99), RefuseReason::Malformed),
        (changed(255, 1), RefuseReason::Malformed),
        (group, RefuseReason::Unsupported),
        (vec![1; 100_000], RefuseReason::Malformed),
    ];
    for (bytes, reason) in cases {
        let shown = format!("{:?}… of {}", &bytes[..bytes.len().min(8)], bytes.len());
        world.inject(mallory, bob, bytes);
        world.settle();
        assert_eq!(world.seen(bob, mallory).last(), Some(&Seen::Refuse(reason)), "{shown}");
    }
    assert_eq!(world.events(bob).len(), before);
    assert_eq!(world.requests(bob), []);
}

/// REQ-9: whoever is no contact heals his session himself.
#[test]
fn a_strangers_envelope_that_does_not_open_is_refused_each_time() {
    let mut world = World::new(42, Weather::CALM);
    let (mallory, bob) = (world.join("mallory"), world.join("bob"));
    // Long enough for a ratchet header, of a session that nobody knows.
    let bytes = encode(EnvelopeKind::Session, &[0; 300]).unwrap();
    for _ in 0..2 {
        world.inject(mallory, bob, bytes.clone());
        world.settle();
    }
    let refused = || Seen::Refuse(RefuseReason::SessionUnknown);
    assert_eq!(world.seen(bob, mallory), [refused(), refused()]);
    assert_eq!(world.requests(bob), []);
}

/// ENV-7
#[test]
fn a_first_contact_in_anothers_name_is_refused() {
    let mut world = World::new(43, Weather::CALM);
    let (alice, bob, mallory) = (world.join("alice"), world.join("bob"), world.join("mallory"));
    world.say(alice, bob, "from alice");
    world.settle();
    let envelope = world.last_envelope(alice, bob).expect("alice sent one");
    world.inject(mallory, bob, envelope.clone());
    world.settle();
    // The mark is the envelope's: a second copy is acknowledged whoever brings it, and changes nothing.
    assert_eq!(world.requests(bob).len(), 1);
    let carol = world.join("carol");
    world.inject(mallory, carol, envelope);
    world.settle();
    assert_eq!(world.seen(carol, mallory), [Seen::Refuse(RefuseReason::Malformed)]);
    assert_eq!(world.requests(carol), []);
}

#[test]
fn what_we_sent_comes_back_and_is_no_message() {
    let mut world = World::new(44, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "hello");
    world.settle();
    world.accept(bob, alice);
    world.settle();
    world.say(alice, bob, "again");
    world.settle();
    let envelope = world.last_envelope(alice, bob).expect("alice sent one");
    world.inject(bob, alice, envelope);
    world.settle();
    assert_eq!(world.talk(alice, bob), ["> (delivered) hello", "> (delivered) again"]);
    world.say(bob, alice, "all is well");
    world.settle();
    assert_eq!(world.history(alice, bob).len(), 3);
}
