//! Relays that lie: nothing is called delivered that is not, nothing comes twice, nobody else hears anything, and
//! another way is found.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{Gateway, Nat, Net};
use crate::liar::{Asked, Liar, Lie, MARK};
use crate::node::becomes;
use crate::person::same_history;
use crate::station::Station;

/// Between two looks at a log.
const BREATH: Duration = Duration::from_millis(50);

/// Three who meet only through these relays: one that lies, and one that may be as good as any.
struct Village {
    alice: Station,
    bob: Station,
    carol: Station,
    liar: Liar,
    other: Liar,
    _gateways: [Gateway; 3],
    _net: Net,
}

impl Village {
    fn new() -> Self {
        let net = Net::lay().unwrap();
        let (liar, other) = (Liar::on(&net), Liar::on(&net));
        let relays = || vec![liar.addr(), other.addr()];
        let gateways = [(); 3].map(|()| net.gateway(Nat::Symmetric).unwrap());
        let [alice, bob, carol] =
            [0, 1, 2].map(|n| Station::home_at(&gateways[n], ["Alice", "Bob", "Carol"][n], relays()));
        for home in [&alice, &bob, &carol] {
            home.has_relays(2);
        }
        alice.adds(&bob);
        bob.adds(&alice);
        let village = Self { alice, bob, carol, liar, other, _gateways: gateways, _net: net };
        village.alice.tells(&village.bob, &format!("{MARK} to begin with"));
        village.bob.tells(&village.alice, &format!("{MARK} too"));
        village
    }

    /// The state of a message of Alice's.
    fn state(&self, message: &str) -> Value {
        self.alice.person.one(&["rpc", "message", &format!(r#"{{"message":"{message}"}}"#)])["state"].clone()
    }

    /// The only relay that connects anybody begins to lie in the middle of it; then there is another one; then there are
    /// both from the beginning.
    fn bears(&self, lie: Lie) {
        self.liar.lies(Lie::None);
        self.other.lies(Lie::Forgets);
        self.alice.tells(&self.bob, &format!("{MARK} before {lie:?}"));
        let before = self.liar.asked();
        self.liar.lies(lie);
        let text = format!("{MARK} during {lie:?}");
        let sent = self.alice.person.one(&["send", self.bob.person.peer(), &text]);
        let message = sent["message_id"].as_str().unwrap();
        let pieces = |asked: &Asked| asked.pieces > before.pieces || !lie.is_about_pieces();
        let again = |asked: &Asked| asked.circuits > before.circuits || lie == Lie::Repeats;
        self.liar.is_asked("tried again", |asked| again(asked) && pieces(asked));
        let state = self.state(message);
        let delivered = state == "delivered";
        let there = self.bob.person.texts(&self.alice.person).contains(&text);
        assert!(there || !delivered, "{state} with {lie:?}, and not there");
        assert!(lie == Lie::Repeats || !there, "there with {lie:?}");

        self.other.lies(Lie::None);
        self.alice.node().reached(message, "delivered");
        self.bob.node().arrived(&text);
        self.alice.tells(&self.bob, &format!("{MARK} beside {lie:?}"));
        self.bob.tells(&self.alice, &format!("{MARK} back beside {lie:?}"));
    }

    fn end(self) {
        same_history(&self.alice.person, &self.bob.person);
        for home in [&self.alice, &self.bob, &self.carol] {
            let log = home.node().errors();
            assert!(!log.contains("panicked"), "{log}");
        }
        assert_eq!(self.carol.node().incoming(), 0);
        for (home, other) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            let incoming =
                other.person.history(&home.person).iter().filter(|message| message["direction"] == "in").count();
            assert_eq!(other.node().incoming(), incoming, "told of nothing twice");
        }
        for relay in [&self.liar, &self.other] {
            assert!(!relay.asked().readable, "what is said can be read");
        }
    }
}

/// What goes through is changed.
pub(crate) fn pieces_are_changed() {
    bear(&[Lie::Flips, Lie::Repeats, Lie::Swaps]);
}

/// What goes through does not come, from the beginning or later.
pub(crate) fn pieces_are_lost() {
    bear(&[Lie::Drops, Lie::Starves]);
}

/// What goes through waits for ever.
pub(crate) fn pieces_do_not_come() {
    bear(&[Lie::Stalls]);
}

/// At the other end of a circuit is nobody, or the relay itself, though it says otherwise.
pub(crate) fn circuits_lead_nowhere() {
    bear(&[Lie::Nobody, Lie::Echoes]);
}

/// At the other end is somebody else, or there is no circuit though there is a reservation.
pub(crate) fn circuits_lead_elsewhere() {
    let village = bears(&[Lie::Misleads, Lie::Forgets]);
    // That somebody else calls is not believed.
    village.other.lies(Lie::Forgets);
    village.liar.lies(Lie::Misnames);
    village.alice.tells(&village.bob, &format!("{MARK} of Alice's"));
    village.end();
}

fn bear(lies: &[Lie]) {
    bears(lies).end();
}

fn bears(lies: &[Lie]) -> Village {
    let village = Village::new();
    for lie in lies {
        village.bears(*lie);
    }
    village
}

/// What it says of reservations.
pub(crate) fn reservations_are_not_what_they_seem() {
    let net = Net::lay().unwrap();
    let third = net.host().unwrap();
    let (liar, other) = (Liar::on(&net), Liar::on(&net));
    let gateway = net.gateway(Nat::Symmetric).unwrap();
    // At somebody else's.
    liar.lies(Lie::Elsewhere(third.addr));
    let mut alice = Station::home_at(&gateway, "Alice", vec![liar.addr(), other.addr()]);
    alice.has_relays(2);
    let status = alice.status().to_string();
    assert!(!status.contains(&third.addr.to_string()), "{status}");
    let known = alice.person.one(&["id"]).to_string();
    assert!(!known.contains(&third.addr.to_string()) && known.contains("p2p-circuit"), "{known}");
    // Until the end of the world, and not at all: the other one stands, and this one is not asked without end.
    for lie in [Lie::NeverEnds, Lie::EndsAtOnce] {
        alice.off();
        liar.lies(lie);
        alice.start();
        alice.has_relays(1);
        let before = liar.is_asked("asked", |asked| asked.reservations > 0).reservations;
        let bob = Station::home_at(&gateway, &format!("{lie:?}"), vec![other.addr()]);
        bob.has_relays(1);
        alice.adds(&bob);
        bob.adds(&alice);
        alice.tells(&bob, "How are you?");
        bob.tells(&alice, "Well");
        let asked = liar.asked().reservations - before;
        assert!(asked < 10, "asked {asked} times with {lie:?}");
        // libp2p panics at such times; that is contained, and told.
        let log = alice.node().errors();
        let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        let contained = count(" and is ignored") + count(" the connection is closed");
        assert!(count("panicked at") == contained && !log.contains("panicked at src"), "{log}");
    }
}

/// Servers who say that they have reached somebody whom nobody can: he is not public, and keeps his relays.
pub(crate) fn nobody_is_public_by_the_word_of_liars() {
    let net = Net::lay().unwrap();
    let liars = [Liar::on(&net), Liar::on(&net)];
    for liar in &liars {
        liar.lies(Lie::Reached);
    }
    let gateway = net.gateway(Nat::Symmetric).unwrap();
    let alice = Station::home_at(&gateway, "Alice", liars.each_ref().map(Liar::addr).into());
    // Several addresses are tried, each by one of them: they are of one network.
    becomes("the end of the trials", || {
        thread::park_timeout(BREATH);
        alice.node().errors().matches("an address of ours was tried").count() >= 2
    });
    alice.has_relays(2);
    let status = alice.status();
    assert!(status["reachability"] != "public" && status["reach"]["dht"]["server"] == false, "{status:#}");
    let said = alice.node().errors().matches("a number that proves nothing").count();
    assert!(said >= 2, "{said} numbers were said");
}

/// A server who says of everybody that he has not reached him, beside an honest one of another network: whoever is public is found to be,
/// and gives his relays back when a second network has reached him, and not before.
pub(crate) fn nobody_is_private_by_the_word_of_a_liar() {
    let net = Net::lay().unwrap();
    let liar = Liar::on(&net);
    liar.lies(Lie::Unreached);
    let honest = Station::server_on(net.host_in([192, 0, 2]).unwrap(), "Honest", &["--serve-relay"], Vec::new());
    let known = [vec![liar.addr()], honest.addrs()].concat();
    let carol = Station::server_on(net.host().unwrap(), "Carol", &[], known);
    // The address at which both see her, by both of them.
    becomes("the end of the trials", || {
        thread::park_timeout(BREATH);
        let log = carol.node().errors();
        ["Reached", "Unreached"].iter().all(|outcome| log.contains(&format!("outcome={outcome}")))
    });
    assert!(liar.asked().trials > 0);
    carol.has_relays(1);
    carol.settles("public", |status| status["reachability"] == "public");
    let other = Station::server_on(net.host_in([151, 0, 113]).unwrap(), "Other", &[], carol.addrs());
    carol.settles("public without relays", |status| {
        status["reachability"] == "public" && status["reach"]["relays"].as_array().is_some_and(Vec::is_empty)
    });
    drop(other);
}
