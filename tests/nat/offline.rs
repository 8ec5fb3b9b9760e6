//! Two people who are never on together, and those who help them: a mailbox each, and the DHT in which they are found.

use crate::lab::{Gateway, Nat, Net};
use crate::person::same_history;
use crate::station::Station;

/// Two who do not know each other, at home, and two servers, whose mailboxes both use.
struct Strangers {
    alice: Station,
    bob: Station,
    servers: [Station; 2],
    _gateways: [Gateway; 2],
    _net: Net,
}

impl Strangers {
    /// Both were on, and are off.
    fn apart() -> Self {
        let net = Net::lay().unwrap();
        let flags = ["--serve-mailbox", "--public"];
        let first = Station::server(&net, "First", &flags, &[]);
        let second = Station::server(&net, "Second", &flags, &[&first]);
        let servers = [first, second];
        let gateways = [Nat::Home, Nat::Symmetric].map(|nat| net.gateway(nat).unwrap());
        let mut homes = [("Alice", &gateways[0]), ("Bob", &gateways[1])]
            .map(|(name, gateway)| Station::home(gateway, name, &servers.each_ref()));
        for home in &mut homes {
            home.uses(&servers.each_ref());
            // The card that names them is published a moment later, or at the next start.
            home.off();
            home.start();
            home.settles("a published card", |status| status["reach"]["dht"]["published"] == true);
            home.off();
        }
        let [alice, bob] = homes;
        Self { alice, bob, servers, _gateways: gateways, _net: net }
    }

    /// Mailboxes are killed and come back.
    fn shake(&mut self) {
        for server in &mut self.servers {
            server.kill();
        }
        for server in &mut self.servers {
            server.start();
        }
    }
}

/// From the first request to a conversation, by nothing but a peer ID.
pub(crate) fn strangers_become_contacts_who_never_meet() {
    let mut town = Strangers::apart();
    let (alice, bob) = (town.alice.person.peer().to_owned(), town.bob.person.peer().to_owned());

    town.alice.start();
    town.alice.person.send(&bob, "May I?", "sent");
    town.alice.off();
    town.shake();

    town.bob.start();
    town.bob.node().event("request.new", |_| true);
    town.bob.person.one(&["requests", "accept", &alice]);
    town.bob.person.send(&alice, "You may", "sent");
    town.bob.off();
    town.shake();

    town.alice.start();
    town.alice.node().arrived("You may");
    town.alice.person.send(&bob, "How are you?", "sent");
    town.alice.person.send(&bob, "And how is the cat?", "sent");
    town.alice.off();

    // One of the two is enough.
    town.servers[0].kill();
    town.bob.start();
    town.bob.node().arrived("How are you?");
    town.bob.node().arrived("And how is the cat?");
    town.bob.person.send(&alice, "We are well", "sent");
    town.bob.off();
    town.servers[0].start();

    // Now that they are on together, each learns what became of the last words.
    town.alice.start();
    town.alice.node().arrived("We are well");
    town.bob.start();
    for home in [&town.alice, &town.bob] {
        home.settles("an empty outbox", |status| status["outbox"] == 0);
    }
    same_history(&town.alice.person, &town.bob.person);
    let said = ["May I?", "You may", "How are you?", "And how is the cat?", "We are well"];
    assert_eq!(town.alice.person.texts(&town.bob.person), said);
}
