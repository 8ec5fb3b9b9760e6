//! Networks that loopback cannot show: mDNS (which skips loopback), gateways, and ways that are long and bad.
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

mod figures;
mod forged;
mod hostile;
mod inside;
mod lab;
mod liar;
mod machine;
mod messages;
mod netns;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/node.rs"]
mod node;
mod offline;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/person.rs"]
mod person;
mod program;
mod proof;
mod reach;
mod router;
mod station;
mod upnp;
mod way;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::lab::{Nat, Net};
use crate::machine::Machine;
use crate::netns::{Cable, sweep};

/// The arguments with which this binary starts itself inside a namespace: as a machine, and as a long way.
const INSIDE: &str = "--inside";
const WAY: &str = "--inside-way";

/// How many tests run at a time.
const AT_ONCE: usize = 6;

/// What is no test, and takes minutes: it runs when it is asked for.
const FIGURES: [&str; 2] = ["figures::all", "figures::one_stream"];

/// What a test needs of this machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Namespaces.
    Cable,
    /// Gateways and long ways besides.
    Lab,
    /// A router that forwards ports besides.
    Router,
}

/// All tests.
const TESTS: [(&str, Needs, fn()); 42] = [
    ("mdns::an_envelope_goes_by_bare_peer_id", Needs::Cable, an_envelope_goes_by_bare_peer_id),
    ("mdns::both_may_dial_at_once", Needs::Cable, both_may_dial_at_once),
    (
        "program::strangers_become_contacts_by_bare_peer_id",
        Needs::Cable,
        program::strangers_become_contacts_by_bare_peer_id,
    ),
    ("program::a_node_keeps_its_ports", Needs::Cable, program::a_node_keeps_its_ports),
    ("lab::a_home_router_keeps_the_port", Needs::Lab, proof::a_home_router_keeps_the_port),
    (
        "lab::a_port_changing_gateway_has_one_port_for_all",
        Needs::Lab,
        proof::a_port_changing_gateway_has_one_port_for_all,
    ),
    ("lab::a_symmetric_gateway_has_a_port_for_each", Needs::Lab, proof::a_symmetric_gateway_has_a_port_for_each),
    (
        "lab::holes_are_punched_unless_ports_are_not_known",
        Needs::Lab,
        proof::holes_are_punched_unless_ports_are_not_known,
    ),
    ("lab::tcp_goes_out_and_not_in", Needs::Lab, proof::tcp_goes_out_and_not_in),
    ("lab::tcp_opens_from_both_sides", Needs::Lab, proof::tcp_opens_from_both_sides),
    ("lab::a_gateway_may_let_no_udp_through", Needs::Lab, proof::a_gateway_may_let_no_udp_through),
    ("lab::addresses_change", Needs::Lab, proof::addresses_change),
    ("lab::a_gateway_stays_the_same", Needs::Lab, proof::a_gateway_stays_the_same),
    ("lab::bytes_are_counted", Needs::Lab, proof::bytes_are_counted),
    ("lab::a_way_is_long_and_bad", Needs::Lab, proof::a_way_is_long_and_bad),
    ("lab::nothing_is_left", Needs::Lab, proof::nothing_is_left),
    ("reach::homes_talk_straight_over_quic", Needs::Lab, reach::homes_talk_straight_over_quic),
    ("reach::homes_talk_straight_over_tcp", Needs::Lab, reach::homes_talk_straight_over_tcp),
    ("reach::port_changing_homes_talk_straight", Needs::Lab, reach::port_changing_homes_talk_straight),
    ("reach::symmetric_homes_stay_relayed", Needs::Lab, reach::symmetric_homes_stay_relayed),
    ("reach::relays_come_and_go", Needs::Lab, reach::relays_come_and_go),
    ("reach::a_long_and_bad_way_is_no_hindrance", Needs::Lab, reach::a_long_and_bad_way_is_no_hindrance),
    ("reach::a_home_gets_another_address", Needs::Lab, reach::a_home_gets_another_address),
    ("reach::somebody_goes_elsewhere", Needs::Lab, reach::somebody_goes_elsewhere),
    ("reach::a_machine_sleeps", Needs::Lab, reach::a_machine_sleeps),
    ("reach::two_in_one_home_talk_there", Needs::Lab, reach::two_in_one_home_talk_there),
    ("reach::one_in_the_net_needs_no_relay", Needs::Lab, reach::one_in_the_net_needs_no_relay),
    ("reach::without_a_relay_mailboxes_carry", Needs::Lab, reach::without_a_relay_mailboxes_carry),
    (
        "reach::a_mailbox_at_home_is_reached_through_its_relay",
        Needs::Lab,
        reach::a_mailbox_at_home_is_reached_through_its_relay,
    ),
    (
        "offline::strangers_become_contacts_who_never_meet",
        Needs::Lab,
        offline::strangers_become_contacts_who_never_meet,
    ),
    ("hostile::pieces_are_changed", Needs::Lab, hostile::pieces_are_changed),
    ("hostile::pieces_are_lost", Needs::Lab, hostile::pieces_are_lost),
    ("hostile::pieces_do_not_come", Needs::Lab, hostile::pieces_do_not_come),
    ("hostile::circuits_lead_nowhere", Needs::Lab, hostile::circuits_lead_nowhere),
    ("hostile::circuits_lead_elsewhere", Needs::Lab, hostile::circuits_lead_elsewhere),
    ("hostile::reservations_are_not_what_they_seem", Needs::Lab, hostile::reservations_are_not_what_they_seem),
    ("hostile::nobody_is_public_by_the_word_of_liars", Needs::Lab, hostile::nobody_is_public_by_the_word_of_liars),
    ("hostile::nobody_is_private_by_the_word_of_a_liar", Needs::Lab, hostile::nobody_is_private_by_the_word_of_a_liar),
    ("forged::handshakes_keep_nobody_out", Needs::Lab, forged::handshakes_keep_nobody_out),
    ("upnp::a_router_opens_a_door", Needs::Router, upnp::a_router_opens_a_door),
    (FIGURES[0], Needs::Lab, figures::figures),
    (FIGURES[1], Needs::Lab, figures::one_stream),
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, INSIDE, seed, listen @ ..] => inside::run(seed.parse().unwrap(), listen),
        [_, WAY, delay, loss, seed] => {
            way::run(Duration::from_millis(delay.parse().unwrap()), loss.parse().unwrap(), seed.parse().unwrap());
        }
        _ => return tests(),
    }
    ExitCode::SUCCESS
}

fn tests() -> ExitCode {
    sweep();
    let required = std::env::var("ROHRPOST_REQUIRE_NETNS").is_ok_and(|value| value == "1");
    let lab = missing_of_the_lab();
    let router = lab.clone().and_then(|()| router::is_there());
    let missing = [(Needs::Cable, Cable::lay().err()), (Needs::Lab, lab.err()), (Needs::Router, router.err())];
    if !required {
        for reason in missing.iter().filter_map(|(_, reason)| reason.as_ref()) {
            eprintln!("tests between network namespaces are skipped: {reason}");
        }
    }
    let trials = TESTS.map(|(name, needs, test)| {
        let missing = missing.iter().find(|(what, _)| *what == needs).and_then(|(_, reason)| reason.clone());
        let skip = FIGURES.contains(&name) || missing.is_some() && !required;
        let run = move || match missing {
            Some(reason) => Err(Failed::from(reason)),
            None => {
                test();
                Ok(())
            }
        };
        Trial::test(name, run).with_ignored_flag(skip)
    });
    let mut args = Arguments::from_args();
    // They wait more than they work.
    args.test_threads = args.test_threads.or(Some(AT_ONCE));
    libtest_mimic::run(&args, trials.into()).exit_code()
}

/// Lays everything of which there is in the lab.
fn missing_of_the_lab() -> Result<(), String> {
    let net = Net::long(0, 0, 0)?;
    net.host()?;
    for nat in [Nat::Home, Nat::PortChanging, Nat::Symmetric] {
        net.gateway(nat)?.home()?;
    }
    Ok(())
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
