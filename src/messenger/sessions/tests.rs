//! Sessions in rows, and what is known beside them.

use super::*;
use crate::base::Millis;
use crate::base::limits::{MAX_TURNS_AHEAD, MAX_UNTAKEN};
use crate::messenger::testing::Office;

impl Office {
    /// What somebody knows of the turn with another: whether it is next, and made.
    fn next_turn(&mut self, who: usize, with: usize) -> Option<bool> {
        let (peer, mut turn) = (self.id(with), None);
        self.tx(who, |tx| turn = tx.sessions(&peer).unwrap().next_turn());
        turn
    }

    fn rows_of_sessions(&self, who: usize, with: usize) -> (u64, bool) {
        let (rows, peer) = (self.rows(who), peer_key(&self.id(with)));
        let sessions = rows.count::<Sessions>(&Scan::new(peer.clone())).unwrap();
        (sessions, rows.contains::<SendingChains>(&peer).unwrap())
    }
}

#[test]
fn a_session_and_its_chain_are_rows_of_one_peer() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(0, 2);
    office.say(0, 1, "hello");
    // No chain for the third has had two commits.
    assert_eq!((office.rows_of_sessions(0, 1), office.rows_of_sessions(0, 2)), ((1, true), (1, false)));
    // Over the renewal of the key, and a restart.
    office.renew_state_key(0);
    office.open(0);
    office.say(0, 1, "on");
    office.say(1, 0, "and on");
    assert_eq!(office.texts(0, 1), office.texts(1, 0));
    let peer = office.id(1);
    office.tx(0, |tx| tx.drop_sessions(&peer).unwrap());
    assert_eq!((office.rows_of_sessions(0, 1), office.rows_of_sessions(0, 2)), ((0, false), (1, false)));
}

/// SES-65: retired sessions go with their rows.
#[test]
fn what_is_dropped_goes_from_the_disk() {
    let mut office = Office::pair();
    let (peer, now) = (office.id(1), office.now);
    office.tx(0, |tx| {
        let mut set = tx.sessions(&peer).unwrap();
        set.give_up(now.wall);
        tx.put_sessions(&peer, &set).unwrap();
    });
    office.say(0, 1, "anew");
    assert_eq!(office.rows_of_sessions(0, 1).0, 2);
    office.pass(Millis::from_days(32));
    assert_eq!((office.rows_of_sessions(0, 1).0, office.rows_of_sessions(1, 0).0), (1, 1));
}

/// SES-66: what was taken is known beside the rows, until it is written with the next chain.
#[test]
fn what_was_taken_is_remembered_while_the_process_lives() {
    let mut office = Office::pair();
    let peer = office.id(1);
    let mut sealed = Vec::new();
    office.tx(0, |tx| {
        let (clock, mut set) = (tx.deadline_clock(), tx.sessions(&peer).unwrap());
        for _ in 0..MAX_UNTAKEN {
            sealed.push(set.encrypt(b"?", &mut *tx.rng, clock).unwrap());
        }
        assert!(set.is_stretched());
        tx.put_sessions(&peer, &set).unwrap();
    });
    office.tx(0, |tx| {
        assert!(tx.sessions(&peer).unwrap().is_stretched());
        sealed.iter().for_each(|sealed| tx.mem.sessions.take(peer, sealed.session, sealed.number));
        assert!(!tx.sessions(&peer).unwrap().is_stretched());
    });
    // Also when an input was refused; not over a restart, unless something was sealed since.
    let forget = |tx: &mut Tx<'_>| tx.mem.sessions = Beside::default();
    office.tx(0, |tx| tx.mem.reload(tx.buf, 0).unwrap());
    office.tx(0, |tx| assert!(!tx.sessions(&peer).unwrap().is_stretched()));
    office.tx(0, forget);
    office.tx(0, |tx| assert!(tx.sessions(&peer).unwrap().is_stretched()));
    office.tx(0, |tx| {
        sealed.iter().for_each(|sealed| tx.mem.sessions.take(peer, sealed.session, sealed.number));
        let (clock, mut set) = (tx.deadline_clock(), tx.sessions(&peer).unwrap());
        set.encrypt(b"?", &mut *tx.rng, clock).unwrap();
        tx.put_sessions(&peer, &set).unwrap();
    });
    office.tx(0, forget);
    office.tx(0, |tx| assert!(!tx.sessions(&peer).unwrap().is_stretched()));
}

/// SES-21: while nothing waits the turn is made, once, and used; it is in memory only.
#[test]
fn a_turn_is_made_while_nothing_waits() {
    let mut office = Office::pair();
    office.say(1, 0, "hello");
    // The last that came is the receipt of 1 for a receipt of nobody, or a message: 0 answers next.
    let last = if office.next_turn(0, 1).is_some() { 0 } else { 1 };
    assert_eq!(office.next_turn(last, 1 - last), Some(false));
    assert!(office.idle(last) && !office.idle(last));
    assert_eq!(office.next_turn(last, 1 - last), Some(true));
    office.command(last, crate::messenger::Command::Unblock(office.id(1 - last))).unwrap_err();
    assert_eq!(office.next_turn(last, 1 - last), Some(true));
    office.open(last);
    assert_eq!(office.next_turn(last, 1 - last), Some(false));
    assert!(!office.idle(last), "nothing has come since");
    office.say(last, 1 - last, "turn");
    assert_eq!(office.texts(0, 1), office.texts(1, 0));
}

/// As many are kept as there is room for: the oldest go.
#[test]
fn turns_ahead_are_bounded() {
    let mut office = Office::pair();
    office.say(1, 0, "hello");
    let last = if office.next_turn(0, 1).is_some() { 0 } else { 1 };
    let peer = office.id(1 - last);
    assert!(office.idle(last));
    office.tx(last, |tx| {
        let ahead = tx.sessions(&peer).unwrap().turn_ahead(&mut *tx.rng).unwrap();
        for n in 0..MAX_TURNS_AHEAD {
            assert_eq!(tx.sessions(&peer).unwrap().next_turn(), Some(true), "{n}");
            tx.mem.sessions.keep(PeerId::from_key_bytes([u8::try_from(n).unwrap(); 32]), ahead.clone());
        }
        assert_eq!(tx.sessions(&peer).unwrap().next_turn(), Some(false));
    });
}
