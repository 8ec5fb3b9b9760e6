//! A router that forwards ports to whoever asks for it.

use serde_json::{Value, json};

use crate::lab::{Gateway, Nat, Net};
use crate::node::becomes;
use crate::person::same_history;
use crate::station::Station;

/// The numbers of the protocols.
const TCP: u64 = 6;
const UDP: u64 = 17;

/// A home in the net by its router's grace, and somebody whose own is the worst there is. There is no relay.
struct Street {
    first: Station,
    bob: Station,
    alice: Station,
    gateway: Gateway,
    _elsewhere: Gateway,
    _net: Net,
}

impl Street {
    fn new(prepare: impl FnOnce(&mut Gateway)) -> Self {
        let net = Net::lay().unwrap();
        let first = Station::server(&net, "First", &[], &[]);
        let mut gateway = net.gateway_with_upnp(Nat::Home).unwrap();
        prepare(&mut gateway);
        let bob = Station::home_with_upnp(&gateway, "Bob", &[&first]);
        let elsewhere = net.gateway(Nat::Symmetric).unwrap();
        let alice = Station::home(&elsewhere, "Alice", &[&first]);
        Self { first, bob, alice, gateway, _elsewhere: elsewhere, _net: net }
    }

    /// The router has opened a way to Bob for both transports, and somebody from outside has gone it.
    fn is_open(&self) {
        becomes("a way in for each transport", || {
            let protocols: Vec<u64> = self.gateway.mappings().into_iter().map(|(protocol, _)| protocol).collect();
            protocols == [TCP, UDP]
        });
        let outside = format!("/ip4/{}/", self.gateway.addr());
        let status = self.bob.settles("public", |status| {
            let addrs = status["reach"]["external_addrs"].as_array().unwrap();
            let both = ["/tcp/", "/quic-v1"].map(|kind| {
                addrs
                    .iter()
                    .any(|addr| addr.as_str().is_some_and(|addr| addr.starts_with(&outside) && addr.contains(kind)))
            });
            status["reachability"] == "public" && both == [true; 2]
        });
        assert_eq!((&status["reach"]["upnp"], &status["relay"]), (&json!("mapped"), &Value::Null));
        self.bob.node().says("outcome=Reached");
    }

    /// Alice comes in by the door.
    fn alice_comes(&self, text: &str) {
        self.alice.tells(&self.bob, text);
        let addr = self.alice.is_connected(&self.bob, true);
        assert!(addr.starts_with(&format!("/ip4/{}/", self.gateway.addr())), "{addr}");
    }
}

/// Who has such a router is reached by everybody, without a relay; when he goes the door is shut behind him.
pub(crate) fn a_router_opens_a_door() {
    let mut street = Street::new(|_| ());
    street.is_open();
    street.alice.adds(&street.bob);
    street.bob.adds(&street.alice);
    street.alice_comes("Is the door open?");
    street.bob.tells(&street.alice, "Come in");
    street.bob.off();
    becomes("the end of the mappings", || street.gateway.mappings().is_empty());

    // One who was killed cannot shut it, and finds it open.
    street.bob.start();
    street.is_open();
    let ports = street.gateway.mappings();
    street.bob.kill();
    street.bob.start();
    street.is_open();
    assert_eq!(street.gateway.mappings(), ports);
    street.alice_comes("Still open?");

    // The router was off, and has forgotten all; the cable is put in again.
    street.gateway.router_on().unwrap();
    street.bob.host.moves_behind(&street.gateway).unwrap();
    street.is_open();
    street.alice_comes("Open again?");
    same_history(&street.alice.person, &street.bob.person);
    street.first.off();
}
