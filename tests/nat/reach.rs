//! Two people behind gateways, with the program and its defaults, and what others may do for them.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::{Gateway, Nat, Net};
use crate::person::same_history;
use crate::station::{Station, without_circuits};

/// What a bulk consists of: more than one circuit may carry.
const BULK: usize = 32;
const BULKY: usize = 47 * 1024;

/// Two homes, and two relays that know each other.
pub(crate) struct Town {
    pub(crate) alice: Station,
    pub(crate) bob: Station,
    relays: [Station; 2],
    gateways: [Gateway; 2],
    net: Net,
}

impl Town {
    /// Everybody is on, both can be reached through relays, and they are contacts.
    fn between(nats: [Nat; 2]) -> Self {
        let net = Net::lay().unwrap();
        let gateways = nats.map(|nat| net.gateway(nat).unwrap());
        Self::behind(net, gateways)
    }

    pub(crate) fn behind(net: Net, gateways: [Gateway; 2]) -> Self {
        let relays = relays(&net);
        let knowing = relays.each_ref();
        let alice = Station::home(&gateways[0], "Alice", &knowing);
        let bob = Station::home(&gateways[1], "Bob", &knowing);
        for home in [&alice, &bob] {
            home.has_relays(2);
        }
        alice.adds(&bob);
        bob.adds(&alice);
        Self { alice, bob, relays, gateways, net }
    }

    /// What both gateways do.
    pub(crate) fn nat(&self) -> Nat {
        self.gateways[0].nat()
    }

    /// A few words each way.
    pub(crate) fn talk(&self, about: &str) {
        self.alice.tells(&self.bob, &format!("Alice on {about}"));
        self.bob.tells(&self.alice, &format!("Bob on {about}"));
    }

    /// They come to talk straight, on one connection of this kind.
    fn are_direct(&self, kind: &str) {
        for (home, other) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            let addr = home.is_connected(other, true);
            assert!(addr.contains(kind), "{addr} is not {kind}");
        }
        without_circuits(&self.relays.each_ref());
    }

    /// They go on talking through a relay, on one connection.
    fn are_relayed(&self) {
        for (home, other) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            let addr = home.is_connected(other, false);
            assert!(addr.contains("/p2p-circuit"), "{addr}");
        }
    }

    /// How many bytes the relays send on when they have much to say. (Of those that they receive some are no messages: who
    /// asks to be dialled back pays for it in bytes.)
    fn bulk(&self) -> u64 {
        let bytes = || -> u64 { self.relays.iter().map(|relay| relay.host.sent()).sum() };
        let before = bytes();
        for i in 0..BULK {
            self.alice.tells(&self.bob, &format!("{i} {}", "x".repeat(BULKY)));
        }
        bytes() - before
    }

    /// Nothing of what they say straight goes through a relay.
    fn relays_see_nothing(&self) {
        let seen = self.bulk();
        assert!(seen < (BULK * BULKY / 4) as u64, "the relays sent {seen} bytes");
        without_circuits(&self.relays.each_ref());
    }

    /// Everything came, in order and once, and neither thinks that it could serve others.
    fn end(self) {
        for home in [&self.alice, &self.bob] {
            let status = home.settles("private", |status| status["reachability"] == "private");
            assert_eq!((&status["reach"]["dht"]["server"], &status["outbox"]), (&false.into(), &0.into()));
        }
        came_once(&self.alice, &self.bob);
    }
}

fn relays(net: &Net) -> [Station; 2] {
    let first = Station::server(net, "First", &["--serve-relay"], &[]);
    let second = Station::server(net, "Second", &["--serve-relay"], &[&first]);
    [first, second]
}

/// Both have the same history, and neither was told of a message twice.
fn came_once(one: &Station, other: &Station) {
    same_history(&one.person, &other.person);
    for (me, peer) in [(one, other), (other, one)] {
        let new: Vec<Value> = me.node().seen().into_iter().filter(|line| line["event"] == "message.new").collect();
        let messages: BTreeSet<String> = new.iter().map(|event| event["message"]["message_id"].to_string()).collect();
        assert_eq!(messages.len(), new.len(), "{} of {}", peer.person.peer(), me.person.peer());
    }
}

/// The usual case: routers at home on both sides.
pub(crate) fn homes_talk_straight_over_quic() {
    let town = Town::between([Nat::Home, Nat::Home]);
    town.talk("the way");
    town.are_direct("/quic-v1");
    town.relays_see_nothing();
    town.talk("the end");
    town.are_direct("/quic-v1");
    town.end();
}

/// Where no UDP passes.
pub(crate) fn homes_talk_straight_over_tcp() {
    let net = Net::lay().unwrap();
    let gateways = [net.gateway_without_udp(Nat::Home).unwrap(), net.gateway_without_udp(Nat::Home).unwrap()];
    let town = Town::behind(net, gateways);
    town.talk("the way");
    town.are_direct("/tcp/");
    town.relays_see_nothing();
    town.end();
}

/// The ports that others see are not those on which we listen.
pub(crate) fn port_changing_homes_talk_straight() {
    let town = Town::between([Nat::PortChanging, Nat::PortChanging]);
    town.talk("the way");
    town.are_direct("/quic-v1");
    town.relays_see_nothing();
    for home in [&town.alice, &town.bob] {
        home.settles("behind such a router", |status| status["reach"]["nat"] == "port_changing");
    }
    town.end();
}

/// No hole can be punched; more than one circuit carries goes through all the same.
pub(crate) fn symmetric_homes_stay_relayed() {
    let town = Town::between([Nat::Symmetric, Nat::Symmetric]);
    town.talk("the way");
    town.are_relayed();
    let seen = town.bulk();
    assert!(seen > (BULK * BULKY) as u64, "the relays sent {seen} bytes only");
    town.talk("the end");
    town.are_relayed();
    assert_eq!(town.alice.status()["reach"]["nat"], "symmetric");
    town.end();
}

/// Relays die and come back; who talks through them goes on.
pub(crate) fn relays_come_and_go() {
    let mut town = Town::between([Nat::Symmetric, Nat::Symmetric]);
    town.talk("two relays");
    town.relays[0].kill();
    town.talk("the second relay");
    town.relays[1].kill();
    let waiting = town.alice.person.one(&["send", town.bob.person.peer(), "There is no relay"]);
    assert_eq!(waiting["state"], "queued");
    town.relays[0].start();
    town.alice.node().reached(waiting["message_id"].as_str().unwrap(), "delivered");
    town.talk("the first relay");
    town.relays[1].start();
    for home in [&town.alice, &town.bob] {
        home.has_relays(2);
    }
    town.talk("two relays again");
    town.are_relayed();
    town.end();
}

/// A long way on which packets are lost.
pub(crate) fn a_long_and_bad_way_is_no_hindrance() {
    let net = Net::long(50, 20, 7).unwrap();
    let gateways = [Nat::Home, Nat::Home].map(|nat| net.gateway(nat).unwrap());
    let town = Town::behind(net, gateways);
    town.talk("the way");
    town.are_direct("/quic-v1");
    town.talk("the end");
    town.end();
}

/// The provider gives Alice another address.
pub(crate) fn a_home_gets_another_address() {
    let mut town = Town::between([Nat::Home, Nat::Home]);
    town.talk("the old address");
    town.are_direct("/quic-v1");
    town.net.readdress(&mut town.gateways[0]).unwrap();
    town.talk("the new address");
    town.are_direct("/quic-v1");
    town.relays_see_nothing();
    town.end();
}

/// Alice takes her notebook elsewhere in the middle of it.
pub(crate) fn somebody_goes_elsewhere() {
    let mut town = Town::between([Nat::Home, Nat::Home]);
    town.talk("home");
    town.are_direct("/quic-v1");
    let elsewhere = town.net.gateway(Nat::PortChanging).unwrap();
    town.alice.host.moves_behind(&elsewhere).unwrap();
    town.talk("elsewhere");
    town.are_direct("/quic-v1");
    town.relays_see_nothing();
    town.end();
}

/// Alice's machine sleeps until Bob gives her up, and wakes again.
pub(crate) fn a_machine_sleeps() {
    let town = Town::between([Nat::Home, Nat::Home]);
    town.talk("the evening");
    town.are_direct("/quic-v1");
    town.alice.node().signal(Signal::STOP);
    let id = town.alice.person.peer();
    town.bob.node().event("peer.offline", |event| event["peer_id"] == id);
    let waiting = town.bob.person.one(&["send", id, "Are you awake?"]);
    town.alice.node().signal(Signal::CONT);
    town.bob.node().reached(waiting["message_id"].as_str().unwrap(), "delivered");
    town.talk("the morning");
    town.are_direct("/quic-v1");
    town.end();
}

/// Two behind one gateway, who see each other from outside under one address, and cannot go there.
pub(crate) fn two_in_one_home_talk_there() {
    let net = Net::lay().unwrap();
    let relays = relays(&net);
    let gateway = net.gateway(Nat::Symmetric).unwrap();
    let [alice, bob] = ["Alice", "Bob"].map(|name| Station::home(&gateway, name, &relays.each_ref()));
    alice.adds(&bob);
    bob.adds(&alice);
    alice.tells(&bob, "What is for supper?");
    bob.tells(&alice, "Soup");
    for (home, other) in [(&alice, &bob), (&bob, &alice)] {
        assert!(home.is_connected(other, true).starts_with("/ip4/192.168.0."));
    }
    without_circuits(&relays.each_ref());
    came_once(&alice, &bob);
}

/// Who is in the net is dialled, even from behind the worst gateway, and needs no relay.
pub(crate) fn one_in_the_net_needs_no_relay() {
    let net = Net::lay().unwrap();
    let relays = relays(&net);
    let gateway = net.gateway(Nat::Symmetric).unwrap();
    let bob = Station::home(&gateway, "Bob", &relays.each_ref());
    let carol = Station::server(&net, "Carol", &[], &relays.each_ref());
    bob.has_relays(2);
    for server in relays.iter().chain([&carol]) {
        server
            .settles("public", |status| status["reachability"] == "public" && status["reach"]["dht"]["server"] == true);
    }
    // She is the one who begins, by his circuit: it is he who can dial.
    carol.adds(&bob);
    bob.adds(&carol);
    carol.tells(&bob, "May I?");
    bob.tells(&carol, "You may");
    for (one, other) in [(&carol, &bob), (&bob, &carol)] {
        one.is_connected(other, true);
    }
    without_circuits(&relays.each_ref());
    came_once(&carol, &bob);
}

/// Nobody is a relay, and no hole can be punched: messages go by mailboxes.
pub(crate) fn without_a_relay_mailboxes_carry() {
    let net = Net::lay().unwrap();
    let first = Station::server(&net, "First", &["--serve-mailbox"], &[]);
    let second = Station::server(&net, "Second", &["--serve-mailbox"], &[&first]);
    let gateways = [Nat::Symmetric, Nat::Symmetric].map(|nat| net.gateway(nat).unwrap());
    let alice = Station::home(&gateways[0], "Alice", &[&first, &second]);
    let bob = Station::home(&gateways[1], "Bob", &[&first, &second]);
    for home in [&alice, &bob] {
        home.uses(&[&first, &second]);
    }
    alice.adds(&bob);
    bob.adds(&alice);
    alice.tells(&bob, "by a mailbox");
    bob.node().arrived("by a mailbox");
    bob.tells(&alice, "and back");
    // Both are on: nobody waits until it is time to look.
    for home in [&alice, &bob] {
        home.node().says("a mailbox told that something came");
    }
    for home in [&alice, &bob] {
        let status = home.status();
        assert_eq!((status["relay"].is_null(), &status["outbox"]), (true, &0.into()));
    }
    came_once(&alice, &bob);
}

/// Bob's mailbox is at a friend's, behind a router, and Alice has never spoken with it: what she leaves goes through its relay,
/// and does not come from her.
pub(crate) fn a_mailbox_at_home_is_reached_through_its_relay() {
    let net = Net::lay().unwrap();
    let relays = relays(&net);
    let gateways = [Nat::Home, Nat::Symmetric, Nat::Symmetric].map(|nat| net.gateway(nat).unwrap());
    let house = Station::home_serving(&gateways[0], "House", &["--serve-mailbox"], &relays.each_ref());
    let [alice, mut bob] =
        [("Alice", 1), ("Bob", 2)].map(|(name, n)| Station::home(&gateways[n], name, &relays.each_ref()));
    house.has_relays(2);
    let places: Vec<String> = serde_json::from_value(house.status()["addrs"].clone()).unwrap();
    let places: Vec<String> = places.into_iter().filter(|addr| addr.contains("/p2p-circuit")).collect();
    bob.uses_at(&places);
    bob.settles("mailboxes", |status| status["mailboxes"] == serde_json::json!([house.person.peer()]));
    alice.adds(&bob);
    bob.adds(&alice);
    alice.tells(&bob, "while you are there");
    bob.off();
    let left = alice.person.one(&["send", bob.person.peer(), "while you are not"]);
    alice.node().reached(left["message_id"].as_str().unwrap(), "sent");
    // It is there, and nobody who brought it was Alice.
    house.settles("mail", |status| status["reach"]["mailbox_service"]["bytes"].as_u64() > Some(0));
    let id = alice.person.peer().to_owned();
    let knows_alice = |station: &Station| {
        let status = station.status();
        status["connections"].as_array().unwrap().iter().any(|connection| connection["peer_id"] == id)
    };
    assert!(!knows_alice(&house));
    alice.node().signal(Signal::STOP);
    bob.start();
    bob.node().arrived("while you are not");
    assert!(!knows_alice(&bob));
    alice.node().signal(Signal::CONT);
    alice.node().reached(left["message_id"].as_str().unwrap(), "delivered");
    came_once(&alice, &bob);
}
