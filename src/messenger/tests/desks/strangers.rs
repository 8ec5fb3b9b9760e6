//! The sessions of those who are no contacts (REQ-6).

use crate::base::words::RequestEnd;
use crate::base::{Millis, PeerId, SessionId, limits};
use crate::messenger::tables::{SendingChains, Strangers, peer_key};
use crate::messenger::testing::Office;
use crate::messenger::{Command, query};
use crate::store::{Rows, Scan};

impl Office {
    /// Sessions somebody has with another, and how many of all count as strangers'.
    fn strangers(&self, who: usize, with: usize) -> (usize, u64) {
        let strangers = self.rows(who).count::<Strangers>(&Scan::all()).unwrap();
        (self.sessions(who, with).rows().count(), strangers)
    }

    /// So many strangers begin sessions.
    fn crowd(&mut self, who: usize, count: usize) {
        self.tx(who, |tx| {
            for n in 0..count as u64 {
                let number = n.to_be_bytes();
                let peer = PeerId::from_key_bytes(std::array::from_fn(|i| number[i % 8] ^ 0x5a));
                tx.add_stranger(peer, SessionId::new(std::array::from_fn(|i| number[i % 8]))).unwrap();
            }
        });
    }
}

#[test]
fn sessions_are_strangers_as_long_as_their_peer_is_no_contact() {
    let mut office = Office::new(2);
    let peer = office.id(0);
    office.say(0, 1, "hello");
    assert_eq!(office.strangers(1, 0), (1, 1));
    office.open(1);
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    office.say(1, 0, "hello");
    assert_eq!(office.strangers(1, 0), (1, 0));
    for (act, expected) in [
        (Command::Block(peer), 1),
        (Command::Unblock(peer), 0),
        (Command::RemoveContact(peer), 1),
        (Command::Block(peer), 1),
        (Command::Unblock(peer), 1),
    ] {
        office.command(1, act.clone()).unwrap();
        assert_eq!(office.strangers(1, 0), (1, expected), "{act:?}");
        office.open(1);
        assert_eq!(office.strangers(1, 0), (1, expected), "{act:?}, and a restart");
    }
    // The session is as good as before.
    office.say(0, 1, "again");
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    office.say(1, 0, "and again");
    assert_eq!(office.texts(0, 1), office.texts(1, 0));
    assert_eq!(office.strangers(1, 0), (1, 0));
}

/// They end by their age, whatever becomes of a request.
#[test]
fn what_ends_a_request_ends_no_session() {
    for decline in [false, true] {
        let mut office = Office::new(2);
        let peer = office.id(0);
        office.say(0, 1, "hello");
        if decline {
            office.command(1, Command::DeclineRequest(peer)).unwrap();
        } else {
            office.tx(1, |tx| drop(tx.close_request(&peer, RequestEnd::Evicted).unwrap().unwrap()));
        }
        office.online = false;
        office.pass(Millis(limits::STRANGER_SESSION_LIFE.0 - Millis::from_hours(2).0));
        assert_eq!(office.strangers(1, 0), (1, 1));
        office.pass(Millis::from_hours(3));
        assert_eq!(office.strangers(1, 0), (0, 0));
    }
}

/// REQ-6, REQ-9: the oldest go first; who was a contact asks again in a new session.
#[test]
fn who_was_a_contact_asks_again_though_strangers_have_pushed_his_session_out() {
    let mut office = Office::pair();
    let peer = office.id(0);
    office.command(1, Command::RemoveContact(peer)).unwrap();
    office.crowd(1, limits::MAX_STRANGER_SESSIONS - 1);
    assert_eq!(office.strangers(1, 0), (1, limits::MAX_STRANGER_SESSIONS as u64));
    office.crowd(1, 1);
    assert_eq!(office.strangers(1, 0), (0, limits::MAX_STRANGER_SESSIONS as u64));
    assert!(!office.rows(1).contains::<SendingChains>(&peer_key(&peer)).unwrap());
    office.say(0, 1, "again");
    office.pass(Millis::from_hours(2));
    let requests = query::requests(&office.rows(1), office.now.wall).unwrap();
    assert_eq!((requests.len(), requests[0].text.as_str()), (1, "again"));
    assert!((1..=limits::MAX_STRANGER_SESSIONS_A_DAY).contains(&office.strangers(1, 0).0));
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    office.say(1, 0, "well");
    office.pass(Millis::from_hours(2));
    assert_eq!(office.texts(0, 1), office.texts(1, 0));
}
