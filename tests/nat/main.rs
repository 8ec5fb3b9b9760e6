//! Networks that loopback cannot show: mDNS (which skips loopback), and later NATs and relays.
//!
//! Each test lays its own network of namespaces, which needs root. Where that is not to be had the
//! tests are shown as ignored, by name; with `ROHRPOST_REQUIRE_NETNS=1` they fail instead.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is a test, though without the attribute"
)]
#![allow(unreachable_pub, reason = "a test binary has no other crate to be reached from")]

mod inside;
mod machine;
mod netns;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/node.rs"]
mod node;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/person.rs"]
mod person;
mod program;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::machine::Machine;
use crate::netns::Cable;

/// The argument with which this binary starts itself inside a namespace.
const INSIDE: &str = "--inside";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().collect();
    if let [_, INSIDE, seed] = args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        inside::run(seed.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, fn()); 4] = [
        ("mdns::an_envelope_goes_by_bare_peer_id", an_envelope_goes_by_bare_peer_id),
        ("mdns::both_may_dial_at_once", both_may_dial_at_once),
        ("program::strangers_become_contacts_by_bare_peer_id", program::strangers_become_contacts_by_bare_peer_id),
        ("program::a_node_keeps_its_ports", program::a_node_keeps_its_ports),
    ];
    let missing = Cable::lay().err();
    let required = std::env::var("ROHRPOST_REQUIRE_NETNS").is_ok_and(|value| value == "1");
    if let Some(reason) = missing.as_ref().filter(|_| !required) {
        eprintln!("network namespaces are not to be had, the tests are skipped: {reason}");
    }
    let trials = tests.map(|(name, test)| {
        let missing = missing.clone();
        let skip = missing.is_some() && !required;
        let run = move || match missing {
            Some(reason) => Err(Failed::from(reason)),
            None => {
                test();
                Ok(())
            }
        };
        Trial::test(name, run).with_ignored_flag(skip)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// Two machines on one network find each other; one connects knowing the peer ID only.
fn an_envelope_goes_by_bare_peer_id() {
    let cable = Cable::lay().unwrap();
    let (mut alice, mut bob) = (Machine::boot(&cable.left, 1), Machine::boot(&cable.right, 2));
    alice.hears(&format!("discovered {}", bob.id));
    bob.hears(&format!("discovered {}", alice.id));
    alice.order(&format!("connect {}", bob.id));
    alice.hears(&format!("connected {}", bob.id));
    alice.order(&format!("send {} Guten Tag", bob.id));
    assert_eq!(bob.hears(&format!("envelope {} ", alice.id)), "Guten Tag");
    alice.hears(&format!("acked {}", bob.id));
}

/// Who finds is found, so both dial at the same moment: nothing is lost by it.
fn both_may_dial_at_once() {
    let cable = Cable::lay().unwrap();
    let (mut alice, mut bob) = (Machine::boot(&cable.left, 1), Machine::boot(&cable.right, 2));
    alice.hears(&format!("discovered {}", bob.id));
    bob.hears(&format!("discovered {}", alice.id));
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    alice.order(&format!("connect {bob_id}"));
    bob.order(&format!("connect {alice_id}"));
    for (one, other) in [(&mut alice, &bob_id), (&mut bob, &alice_id)] {
        one.hears(&format!("connected {other}"));
        one.order(&format!("send {other} from {}", one.id.clone()));
    }
    for (one, other) in [(&mut alice, &bob_id), (&mut bob, &alice_id)] {
        assert_eq!(one.hears(&format!("envelope {other} ")), format!("from {other}"));
        one.hears(&format!("acked {other}"));
    }
}
