//! Two nodes of one identity, old copies that are put back, and liars who show old cards.

use super::*;
use crate::base::words::{MailService, Policy};
use crate::identity::{CardContent, CardIn, CardKeys};
use crate::messenger::command::Command;
use crate::messenger::testing::Office;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const MINUTE: Millis = Millis::from_secs(60);
const HOUR: Millis = Millis::from_hours(1);
const ALICE: usize = 0;
const HOUSE: usize = 1;

/// Alice, and one who keeps mail for everybody.
fn office(uses: bool) -> Office {
    let mut office = Office::new(2);
    office.command(HOUSE, Command::SetMailService(MailService::Open)).unwrap();
    if uses {
        let peer = office.id(HOUSE);
        office.command(ALICE, Command::UseMailbox { peer, addrs: vec!["/dns/box.example/tcp/1".into()] }).unwrap();
    }
    office.pass(MINUTE);
    office
}

/// What somebody was told of cards from elsewhere: whether another node was running.
fn told(office: &Office, who: usize) -> Vec<bool> {
    let told = office.events(who).into_iter();
    told.filter_map(|event| if let EventKind::ProfileElsewhere { running, .. } = event { Some(running) } else { None })
        .collect()
}

fn elsewhere(office: &mut Office, who: usize) -> Option<ElsewhereRow> {
    let mut found = None;
    office.tx(who, |tx| found = tx.profile().unwrap().elsewhere);
    found
}

fn sequence(card: &[u8]) -> u64 {
    CardIn::decode(card).unwrap().claimed_sequence()
}

/// ID-33, ID-34: with a mailbox both know it soon, by the hash table alone within a day; each is told once.
#[test]
fn two_nodes_of_one_identity_are_told_of_each_other() {
    for (uses, long) in [(true, Millis::from_secs(60)), (false, Millis::from_hours(30))] {
        let mut office = office(uses);
        let twin = office.twin(ALICE);
        office.pass(long);
        assert_eq!(told(&office, ALICE).last(), Some(&true), "with a mailbox: {uses}");
        assert_eq!(told(&office, twin).last(), Some(&true), "with a mailbox: {uses}");
        office.pass(Millis::from_days(5));
        for who in [ALICE, twin] {
            assert!(told(&office, who).len() <= 2, "{:?}", told(&office, who));
            assert!(elsewhere(&mut office, who).is_some_and(|row| row.running));
        }
        // One of the two is stopped: two days later that is over.
        office.close(twin);
        office.pass(Millis::from_hours(52));
        assert_eq!(elsewhere(&mut office, ALICE), None);
        assert_eq!(told(&office, HOUSE), [false; 0]);
    }
}

/// ID-33: within a minute where both have a mailbox, whenever the second begins: what the mailbox hints at is looked at when the
/// other's card is there, and no hint is lost.
#[test]
fn whenever_the_second_begins_both_know_it_within_a_minute() {
    for span in 0..20 {
        let mut office = office(true);
        office.open(ALICE);
        office.pass(Millis::from_secs(span));
        let twin = office.twin(ALICE);
        office.pass(Millis::from_secs(60));
        assert_eq!(told(&office, ALICE).last(), Some(&true), "the first, when the second begins {span} s later");
        assert_eq!(told(&office, twin).last(), Some(&true), "the second, {span} s later");
    }
}

/// ID-34: an old copy that is put back finds what it made in a life that it does not know: that is said, and no more.
#[test]
fn an_old_copy_that_was_put_back_is_no_second_node() {
    for uses in [true, false] {
        let mut office = office(uses);
        let copy = office.twin(ALICE);
        office.close(copy);
        office.pass(HOUR);
        office.command(ALICE, Command::SetPolicy(Policy::Contacts)).unwrap();
        office.pass(MINUTE);
        let lost = sequence(&office.card_of(ALICE));
        office.close(ALICE);
        office.pass(HOUR);
        office.open(copy);
        assert!(sequence(&office.card_of(copy)) < lost);
        office.pass(MINUTE);
        assert_eq!(told(&office, copy), [false]);
        assert!(sequence(&office.card_of(copy)) > lost, "or nobody would take it");
        office.pass(Millis::from_days(3));
        assert_eq!((told(&office, copy), elsewhere(&mut office, copy)), (vec![false], None));
        let me = office.id(ALICE);
        assert_eq!(office.table[&me], office.card_of(copy));
    }
}

/// A restart finds the own cards, whatever made them new meanwhile; and a profile that was recovered those of before.
#[test]
fn nothing_is_said_of_ones_own_cards() {
    let mut office = office(true);
    for _ in 0..3 {
        office.command(ALICE, Command::SetPolicy(Policy::Contacts)).unwrap();
        office.close(ALICE);
        office.pass(HOUR);
        office.open(ALICE);
        office.command(ALICE, Command::SetPolicy(Policy::Requests)).unwrap();
        office.pass(HOUR);
    }
    office.pass(Millis::from_days(10));
    assert_eq!((told(&office, ALICE), elsewhere(&mut office, ALICE)), (vec![], None));
    let now = office.now.wall;
    office.tx(ALICE, |tx| {
        let mut profile = tx.profile().unwrap();
        (profile.card_sequence, profile.recovered) = (profile.card_sequence - 1_000, Some(now));
        profile.card = b"lost".to_vec();
        tx.put_profile(&profile).unwrap();
    });
    let before = office.table.values().map(|card| sequence(card)).max().unwrap();
    office.close(ALICE);
    office.open(ALICE);
    office.pass(MINUTE);
    assert_eq!((told(&office, ALICE), elsewhere(&mut office, ALICE)), (vec![], None));
    assert!(sequence(&office.card_of(ALICE)) > before);
}

/// What the hash table and mailboxes make up is nothing: old cards of ours, others' cards, and such as we never signed.
#[test]
fn liars_cannot_make_another_node_up() {
    let mut office = office(false);
    let me = office.id(ALICE);
    let old = office.card_of(ALICE);
    office.pass(HOUR);
    office.command(ALICE, Command::SetPolicy(Policy::Nobody)).unwrap();
    office.pass(MINUTE);
    let present = office.card_of(ALICE);
    let mut bent = present.clone();
    *bent.last_mut().unwrap() ^= 1;
    // A day that is to come is nobody's present.
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let ahead = office.now.wall + Millis::from_days(3);
    let keys = CardKeys::generate(&mut rng);
    let ahead = CardContent::new(&keys, ahead.0, ahead, [0; 16]).sign(&office.identity(ALICE));
    let others = office.card_of(HOUSE);
    for lie in [old, bent, others, ahead, b"no card".to_vec()] {
        office.table.insert(me, lie);
        office.pass(Millis::from_hours(13));
        assert_eq!((told(&office, ALICE), elsewhere(&mut office, ALICE)), (vec![], None));
    }
}
