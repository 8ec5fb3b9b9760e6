use std::time::Duration;

use super::super::super::origin::Origin;
use super::*;
use crate::base::PeerId;
use crate::envelope::border::Class::{self, Contact, Stranger};

fn peer(n: u32) -> PeerId {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&n.to_be_bytes());
    PeerId::from_key_bytes(key)
}

fn at(text: &str) -> Option<Origin> {
    Origin::of(&format!("/ip4/{text}/tcp/1").parse().unwrap())
}

/// How many of so many, each by a new key, get in and stay.
fn stay(gate: &mut Gate, class: Class, tries: u32, origin: impl Fn(u32) -> Option<Origin>) -> usize {
    (0..tries).filter(|n| gate.enter(Who::new(class, Some(peer(*n)), origin(*n)), Instant::now()).is_ok()).count()
}

/// MBX-72
#[test]
fn what_is_open_is_bounded_by_address_network_and_class() {
    let mut gate = Gate::default();
    assert_eq!(stay(&mut gate, Stranger, 100, |_| at("192.0.2.1")), 8);
    assert_eq!(stay(&mut gate, Stranger, 100, |n| at(&format!("192.0.2.{}", n + 2))), 16 - 8);
    let left = 48 - 16;
    assert_eq!(stay(&mut gate, Stranger, 100, |n| at(&format!("198.51.{n}.1"))), left);
    let rest = 64 - 48;
    assert_eq!(stay(&mut gate, Contact, 100, |_| at("192.0.2.1")), rest);
    assert_eq!(gate.open.held().len(), 64);
    // One that leaves makes room for one.
    let id = *gate.open.held().keys().next().unwrap();
    gate.leave(id);
    assert_eq!(stay(&mut gate, Contact, 100, |_| None), 1);
    assert_eq!(gate.enter(Who::new(Contact, Some(peer(1)), None), Instant::now()), Err(Shut::Full));
}

/// How many of so many, each by a new key, come to be held.
fn held(gate: &mut Gate, class: Class, tries: u32, origin: impl Fn(u32) -> Option<Origin>) -> usize {
    let one = |n: &u32| {
        let id = gate.enter(Who::new(class, Some(peer(*n)), origin(*n)), Instant::now()).unwrap();
        let held = gate.hold(id);
        if !held {
            gate.leave(id);
        }
        held
    };
    (0..tries).filter(one).count()
}

/// MBX-82: who waits for mail takes nobody's place, and is bounded like others.
#[test]
fn what_is_held_has_places_of_its_own() {
    let mut gate = Gate::default();
    assert_eq!(held(&mut gate, Stranger, 100, |_| at("192.0.2.1")), 8);
    assert_eq!(held(&mut gate, Stranger, 100, |n| at(&format!("192.0.2.{}", n + 2))), 16 - 8);
    let left = 64 - 16;
    assert_eq!(held(&mut gate, Stranger, 100, |n| at(&format!("198.51.{n}.1"))), left);
    assert_eq!(held(&mut gate, Contact, 300, |_| at("192.0.2.1")), 256 - 64);
    // The ordinary places are all free.
    assert_eq!(stay(&mut gate, Stranger, 100, |_| at("192.0.2.1")), 8);
    assert_eq!(stay(&mut gate, Contact, 100, |_| None), 64 - 8);
    gate.open = Budget::new(MAIL_QUESTIONS);
    let id = *gate.held.held().keys().next().unwrap();
    gate.leave(id);
    assert!(!gate.hold(id), "it is gone");
    assert_eq!(held(&mut gate, Class::Contact, 2, |_| None), 1);
}

#[test]
fn those_who_wait_are_bounded_by_address_by_network_and_in_all() {
    let mut gate = Gate::default();
    let waits = |gate: &mut Gate, origin: Option<Origin>| {
        (0..100).filter(|n| gate.wait(Who::new(Stranger, Some(peer(*n)), origin)).is_some()).count()
    };
    assert_eq!(waits(&mut gate, at("192.0.2.1")), 8);
    let neighbours: usize = (2..100).map(|n| waits(&mut gate, at(&format!("192.0.2.{n}")))).sum();
    assert_eq!(neighbours, 16 - 8);
    let others: usize = (1..100).map(|n| waits(&mut gate, at(&format!("150.0.{n}.1")))).sum();
    assert_eq!(others, 64 - 16);
    let (one, _) = gate.waiting.held().iter().find(|(_, who)| who.address == at("192.0.2.1")).unwrap();
    gate.leave(*one);
    assert_eq!(waits(&mut gate, at("192.0.2.1")), 1);
}

/// How many of so many, one after the other, get in.
fn pass(gate: &mut Gate, class: Class, tries: u32, who: impl Fn(u32) -> (PeerId, Option<Origin>), now: Instant) -> u32 {
    let one = |n: &u32| {
        let (peer, origin) = who(*n);
        gate.enter(Who::new(class, Some(peer), origin), now).inspect(|id| gate.leave(*id)).is_ok()
    };
    (0..tries).filter(one).count().try_into().unwrap()
}

/// MBX-73
#[test]
fn strangers_have_a_rate_by_key_address_and_network() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut gate = Gate::default();
    assert_eq!(pass(&mut gate, Stranger, 9_000, |_| (peer(0), at("192.0.2.1")), now), 256);
    assert_eq!(pass(&mut gate, Stranger, 9_000, |_| (peer(0), at("192.0.2.1")), later), 8);

    let mut gate = Gate::default();
    assert_eq!(pass(&mut gate, Stranger, 9_000, |n| (peer(n), at("192.0.2.1")), now), 512, "new keys");
    assert_eq!(pass(&mut gate, Stranger, 9_000, |n| (peer(n), at("192.0.2.1")), later), 16);

    let mut gate = Gate::default();
    let neighbours = |n: u32| (peer(n), at(&format!("192.0.2.{}", n % 250)));
    assert_eq!(pass(&mut gate, Stranger, 9_000, neighbours, now), 2_048);
    assert_eq!(pass(&mut gate, Stranger, 9_000, neighbours, later), 64);
    assert_eq!(pass(&mut gate, Stranger, 1, |_| (peer(1), at("198.51.100.1")), now), 1, "another network");
    assert_eq!(pass(&mut gate, Contact, 3_000, |_| (peer(1), at("192.0.2.1")), now), 3_000, "a contact from there");
}
