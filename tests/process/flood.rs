//! Strangers in numbers: the node stays up, small and quick for its contacts, and says nothing that it should not.
//!
//! The numbers are small; `ROHRPOST_TEST_SCALE=100` makes them those of `docs/threat-model.md`, and
//! `--nocapture` prints what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rohrpost::envelope::frame::{Frame, RefuseReason};
use rohrpost::envelope::{EnvelopeKind, decode, encode};
use rohrpost::identity::Link;
use serde_json::{Value, json};

use crate::load::{ORDER, assert_small_talk, from};
use crate::node::{Node, PATIENCE, Talker, becomes};
use crate::person::{Person, TCP, contacts_with};
use crate::socket::rss;
use crate::stranger::{ENVELOPES, Manner, Stranger, Target};

const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// A hundredth of the full number, unless the scale says more.
pub fn scaled(full: u64) -> u64 {
    let scale = std::env::var("ROHRPOST_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    (full * scale / 100).clamp(1, full)
}

/// The load, in a process of its own.
fn attack(person: &Person, what: &str, count: u64, node: &Node) -> Talker {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "load::load", "--ignored", "--nocapture"]);
    command.env(ORDER, format!("{what} {count} {}", node.addr()));
    Talker::of(command, person.new_log())
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // A file may go while it is looked at.
    entries
        .map(|path| if path.is_dir() { size(&path) } else { fs::metadata(&path).map_or(0, |found| found.len()) })
        .sum()
}

/// What a node costs at a moment.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Resident memory, in KiB.
    rss: u64,
    /// The folder of the profile, in KiB.
    disk: u64,
    /// Processor time so far, in clock ticks (10 ms).
    cpu: u64,
    /// Open descriptors; 0 where only root may count them.
    files: usize,
}

impl Cost {
    fn of(person: &Person, node: &Node) -> Self {
        let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
        let after: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| after[field].parse::<u64>().unwrap();
        Self {
            rss: rss(node.pid()),
            disk: size(&person.path().join("data/default")) / 1024,
            cpu: ticks(11) + ticks(12),
            files: fs::read_dir(format!("/proc/{}/fd", node.pid())).map_or(0, Iterator::count),
        }
    }

    /// The worst of both.
    fn or(self, other: Self) -> Self {
        Self {
            rss: self.rss.max(other.rss),
            disk: self.disk.max(other.disk),
            cpu: self.cpu.max(other.cpu),
            files: self.files.max(other.files),
        }
    }
}

/// What was measured while an attack went on.
struct Siege {
    before: Cost,
    worst: Cost,
    /// How long messages of a contact took to be delivered, in milliseconds, in order.
    waits: Vec<u128>,
    told: Value,
}

impl Siege {
    fn report(&self, name: &str) {
        let at = |part: usize| self.waits[(self.waits.len() - 1) * part / 100];
        eprintln!(
            "{name}: {}; memory {} → {} MiB, disk {} → {} KiB, processor {} ms, descriptors {} → {}; \
             {} messages of a contact, median {} ms, 99 of 100 within {} ms, slowest {} ms",
            self.told,
            self.before.rss / 1024,
            self.worst.rss / 1024,
            self.before.disk,
            self.worst.disk,
            (self.worst.cpu - self.before.cpu) * 10,
            self.before.files,
            self.worst.files,
            self.waits.len(),
            at(50),
            at(99),
            at(100),
        );
    }
}

/// Alice, a contact of Bob, writes to him until the attack has come as far as `until`, and ten times after that.
fn besiege(what: &str, count: u64, until: &str) -> (Siege, (Person, Node)) {
    besiege_at(TCP, &[], what, count, until)
}

/// The same where both listen at such an address, and Bob's node has such flags.
#[expect(clippy::disallowed_methods, reason = "a measurement, not a condition")]
fn besiege_at(listen: &str, flags: &[&str], what: &str, count: u64, until: &str) -> (Siege, (Person, Node)) {
    let ((alice, alice_node), (bob, bob_node)) = contacts_with(listen, flags);
    alice.send("bob", "Before", "delivered");
    let mut rpc = alice_node.call();
    let before = Cost::of(&bob, &bob_node);
    let load = attack(&bob, what, count, &bob_node);
    let (mut waits, mut worst, mut after) = (Vec::new(), before, 0);
    while after < 10 {
        let begun = std::time::Instant::now();
        let text = format!("message {}", waits.len());
        let sent = rpc.ask("send", &json!({"to": "bob", "text": text, "wait": "delivered", "timeout_ms": 100_000}));
        assert_eq!(sent["result"]["state"], "delivered", "{what}: {sent}");
        waits.push(begun.elapsed().as_millis());
        worst = worst.or(Cost::of(&bob, &bob_node));
        after += u32::from(load.seen().iter().any(|line| line[until].is_string()));
        assert!(load.is_running() || after > 0, "the load has ended: {}", String::from_utf8_lossy(&load.log()));
    }
    let told = load.wait("the end of it", |line| line[until].is_string());
    // Also one whose connection is new gets through, and the node answers its user.
    alice_node.off();
    let alice_node = Node::start(&alice, listen, &[&bob_node]);
    alice.send("bob", "After", "delivered");
    bob_node.arrived("After");
    assert_eq!(bob.status()["running"], true);
    worst = worst.or(Cost::of(&bob, &bob_node));
    waits.sort_unstable();
    drop((load, alice_node));
    let siege = Siege { before, worst, waits, told };
    siege.report(what);
    (siege, (bob, bob_node))
}

/// 10,000 peers with a request each: every one is acknowledged alike, 200 are kept.
#[test]
fn a_crowd_of_strangers_is_bounded() {
    let (siege, (bob, _node)) = besiege("crowd", scaled(10_000), "done");
    assert_eq!(siege.told["acknowledged"], scaled(10_000));
    assert_eq!(bob.all(&["requests"]).len() as u64, scaled(10_000).min(200));
    siege.is_bounded(160, 96);
}

/// One peer with 10,000: three messages are kept, and the rest costs him more than us.
#[test]
fn one_stranger_cannot_flood() {
    let (siege, (bob, _node)) = besiege("single", scaled(10_000).max(500), "done");
    assert!(siege.told["refused"].as_u64() > siege.told["acknowledged"].as_u64(), "{}", siege.told);
    let requests = bob.all(&["requests"]);
    assert_eq!((requests.len(), &requests[0]["messages"]), (1, &json!(3)));
    siege.is_bounded(160, 32);
}

/// Requests of 1 MiB are not even read, the largest that may be are.
#[test]
fn large_requests_are_refused() {
    let (siege, (bob, _node)) = besiege("large", scaled(200), "done");
    assert!(bob.all(&["requests"]).is_empty());
    siege.is_bounded(160, 32);
}

/// 5,000 connections from one process: most are turned away, and a contact still gets in.
#[test]
fn connections_are_bounded() {
    let (siege, _bob) = besiege("connections", scaled(5_000), "event");
    assert!(siege.told["still_open"].as_u64().unwrap() <= 64 + 512, "{}", siege.told);
    assert!(siege.worst.files < 900, "{:?}", siege.worst);
    siege.is_bounded(160, 32);
}

/// Who writes a byte at a time, reads nothing and leaves streams half open takes his own time, not ours.
#[test]
fn slow_strangers_hold_up_nobody() {
    let (siege, _bob) = besiege("slow", scaled(300).max(8), "event");
    siege.is_bounded(100 + 4 * siege.told["connections"].as_u64().unwrap().min(128), 32);
}

/// 5,000 connections over QUIC: most are turned away, and a contact still gets in.
#[test]
fn connections_over_quic_are_bounded() {
    let (siege, _bob) = besiege_at(QUIC, &[], "quic-connections", scaled(5_000), "event");
    let open = ["still_open", "of_one_address"].map(|name| siege.told[name].as_u64().unwrap());
    assert!(open[0] <= 128 && open[1] <= 32, "{}", siege.told);
    siege.is_bounded(160, 32);
}

/// 5,000 handshakes over QUIC that begin and never go on.
#[test]
fn handshakes_over_quic_that_never_end_are_bounded() {
    let (siege, _bob) = besiege_at(QUIC, &[], "quic-half-open", scaled(5_000), "event");
    assert!(siege.told["answered"].as_u64().unwrap() > 0, "none was a handshake: {}", siege.told);
    siege.is_bounded(160, 32);
}

/// 500,000 datagrams that mean nothing, and more while the contact writes.
#[test]
fn garbage_at_the_port_of_quic_costs_no_memory() {
    let (siege, _bob) = besiege_at(QUIC, &[], "quic-garbage", scaled(500_000), "event");
    siege.is_bounded(64, 32);
}

/// 300 peers who open every stream they may, and fill it.
#[test]
fn streams_over_quic_are_bounded() {
    let (siege, _bob) = besiege_at(QUIC, &[], "quic-streams", scaled(300).max(8), "event");
    assert!(siege.told["streams"].as_u64() > siege.told["connections"].as_u64(), "{}", siege.told);
    siege.is_bounded(100 + 4 * siege.told["connections"].as_u64().unwrap().min(128), 32);
}

impl Siege {
    /// Memory and disk may grow by so many MiB.
    #[track_caller]
    fn is_bounded(&self, memory: u64, disk: u64) {
        let grown =
            (self.worst.rss.saturating_sub(self.before.rss) / 1024, (self.worst.disk - self.before.disk) / 1024);
        assert!(
            grown.0 <= memory && grown.1 <= disk,
            "memory by {} MiB, disk by {} MiB: {}",
            grown.0,
            grown.1,
            self.told
        );
    }
}

/// Somebody who comes now, from this address: how long it took until he had his answer.
#[expect(clippy::disallowed_methods, reason = "a measurement, not a condition")]
fn newcomer(target: Target, number: u64, from: [u8; 4], token: Option<[u8; 16]>) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = std::time::Instant::now();
    runtime.block_on(async {
        let mut stranger = Stranger::new(number);
        let line = stranger.connect(target, from).await.unwrap();
        loop {
            stranger.begin_with_card_alone(&line, target).await.unwrap();
            let request = stranger.invited_request(target, "I have just heard of you", token);
            let frames = line.deliver(&[request]).await.unwrap();
            match frames[..] {
                [Frame::Hello { .. }, Frame::Ack { upto: 1 }] => return begun.elapsed(),
                // As whoever writes: he comes again, with the card that there is then.
                [Frame::Hello { .. }, Frame::Refusal { reason: RefuseReason::Unavailable, .. }] => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                [Frame::Hello { .. }, Frame::Refusal { reason: RefuseReason::PrekeyUnknown, .. }] => {}
                _ => panic!("{frames:?}"),
            }
        }
    })
}

/// 100,000 handshakes with the card's own prekey, each of which says nothing: before, nobody new was heard for a month. They
/// get their share, and newcomers, the invited and contacts get through.
#[test]
fn handshakes_that_say_nothing_keep_no_newcomer_out() {
    let (siege, (bob, node)) = besiege("marks", scaled(100_000), "done");
    let told = |what: &str| siege.told[what].as_u64().unwrap();
    // Nobody is acknowledged and dropped: whatever does not fit is said to be so.
    assert_eq!(told("acknowledged") + told("refused"), scaled(100_000), "{}", siege.told);
    // A burst of each address, and what comes back of it.
    assert!(told("acknowledged") <= told("addresses") * (240 + told("seconds") / 16 + 1), "{}", siege.told);
    let target = Target::parse(&node.addr());
    let honest = newcomer(target, 6_000_000, [127, 200, 0, 1], None);
    let token = *bob.link().parse::<Link>().unwrap().token.unwrap().as_bytes();
    // From where the flood came.
    let invited = newcomer(target, 6_000_001, from(0), Some(token));
    eprintln!("marks: a newcomer was heard after {honest:?}, an invited one from the same address after {invited:?}");
    let requests = bob.all(&["requests"]);
    assert_eq!(requests.len(), 2, "{requests:?}");
    siege.is_bounded(160, 96);
}

/// 10,000 boxes under fresh keys: before, nobody else got one for two months.
#[test]
fn boxes_under_fresh_keys_keep_no_owner_out() {
    let (siege, (bob, node)) = besiege_at(TCP, &["--serve-mailbox"], "boxes", scaled(10_000), "done");
    let told = |what: &str| siege.told[what].as_u64().unwrap();
    assert_eq!(told("kept") + told("full"), scaled(10_000), "{}", siege.told);
    assert!(told("kept") <= told("addresses") * (8 + told("seconds") / 10_800 + 1), "{}", siege.told);
    // Somebody who wants one now has it, and what is left for him waits there.
    let carol = Person::new("Carol");
    let carol_node = carol.on_knowing(&node);
    let mailbox = format!("{}/p2p/{}", node.addr().split("/p2p/").next().unwrap(), bob.peer());
    carol.one(&["mailbox", "use", &mailbox]);
    becomes("the box", || carol.all(&["mailbox", "list"]).iter().any(|mailbox| mailbox["state"] == "in_use"));
    drop(carol_node);
    siege.is_bounded(160, 96);
}

/// Whatever becomes of a request, its sender gets the same frames, and nothing else is ever said to him: pending,
/// known already, too many, declined, blocked, shut out by policy.
#[test]
fn nothing_but_the_same_acknowledgement_leaves_before_acceptance() {
    let bob = Person::new("Bob");
    let node = bob.on();
    let target = Target::parse(&node.addr());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let taken = |stranger: &mut Stranger, text: &str, times: u64, what: &str| {
        runtime.block_on(async {
            let line = stranger.connect(target, [127, 0, 0, 1]).await.unwrap();
            stranger.begin(&line, target).await.unwrap();
            let envelopes: Vec<_> = (0..times).map(|i| stranger.request(target, &format!("{text} {i}"))).collect();
            // NET-19: a second copy is acknowledged like the first.
            for _ in 0..2 {
                let frames = line.deliver(&envelopes).await.unwrap();
                // However many acknowledgements there are, they say one thing: all of it is taken.
                assert_eq!(frames[0], Frame::Hello { version: 1 }, "{what}");
                assert!(frames[1..].iter().all(|frame| matches!(frame, Frame::Ack { .. })), "{what}: {frames:?}");
                assert_eq!(frames.last(), Some(&Frame::Ack { upto: times }), "{what}: {frames:?}");
            }
            assert_small_talk(&line);
        });
    };
    let mut strangers: Vec<Stranger> = (0..5).map(|number| Stranger::new(4_000_000 + number)).collect();
    let who: Vec<String> = strangers.iter().map(|stranger| stranger.peer().to_string()).collect();
    for stranger in &mut strangers[..3] {
        taken(stranger, "May I?", 1, "pending");
    }
    bob.one(&["requests", "decline", &who[0]]);
    bob.one(&["requests", "block", &who[1]]);
    taken(&mut strangers[0], "Again", 1, "declined");
    taken(&mut strangers[1], "Again", 1, "blocked");
    taken(&mut strangers[2], "More", 5, "more than are held");
    for policy in ["contacts", "nobody"] {
        bob.one(&["policy", "set", policy]);
        taken(&mut strangers[3], "Hello", 1, policy);
    }
    bob.one(&["policy", "set", "requests"]);
    taken(&mut strangers[4], "Hello", 1, "pending");
    let requests: Vec<Value> = bob.all(&["requests"]);
    let mut pending: Vec<&str> = requests.iter().map(|request| request["peer_id"].as_str().unwrap()).collect();
    let mut expected = [who[2].as_str(), &who[4]];
    pending.sort_unstable();
    expected.sort_unstable();
    assert_eq!(pending, expected);
}

/// REQ-1, REQ-8: nor do bytes tell it that no program sends. Each stranger is fresh, and what he sends the same in kind.
#[test]
fn no_bytes_tell_a_stranger_what_he_is() {
    let bob = Person::new("Bob");
    let node = bob.on();
    let target = Target::parse(&node.addr());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = |number: u64, before: &[&str], after: &[&str]| {
        let mut stranger = Stranger::new(5_000_000 + number);
        let who = stranger.peer().to_string();
        let act = |words: &[&str]| {
            if !words.is_empty() {
                bob.one(&words.iter().map(|word| if *word == "WHO" { who.as_str() } else { word }).collect::<Vec<_>>());
            }
        };
        act(before);
        let line = runtime.block_on(stranger.connect(target, [127, 0, 0, 1])).unwrap();
        let card = runtime.block_on(line.card()).unwrap();
        stranger.begin_with(card.clone(), target);
        let first = stranger.request(target, "May I?");
        let more = stranger.request(target, "And?");
        let payload = decode(&more).unwrap().payload.to_vec();
        let changed = |at: usize| {
            let mut payload = payload.clone();
            payload[at] ^= 2;
            encode(EnvelopeKind::FirstContact, &payload).unwrap()
        };
        stranger.begin_with(card, target);
        let mut seen = vec![runtime.block_on(line.deliver(std::slice::from_ref(&first))).unwrap()];
        act(after);
        let unsound = [
            first,
            encode(EnvelopeKind::Session, &[7; 20]).unwrap(),
            encode(EnvelopeKind::Session, &[0; 200]).unwrap(),
            stranger.request(target, "the same prekey, again"),
            changed(0),
            changed(1),
            changed(40),
            changed(payload.len() - 1),
            encode(EnvelopeKind::Session, &payload[1_170..]).unwrap(),
            more,
        ];
        seen.extend(unsound.iter().map(|bytes| runtime.block_on(line.deliver(std::slice::from_ref(bytes))).unwrap()));
        seen
    };
    let pending = answers(0, &[], &[]);
    let refused = |reason| vec![Frame::Hello { version: 1 }, Frame::Refusal { seq: 1, reason }];
    let taken = vec![Frame::Hello { version: 1 }, Frame::Ack { upto: 1 }];
    let expected = [
        taken.clone(),
        taken.clone(),
        refused(RefuseReason::Malformed),
        refused(RefuseReason::SessionUnknown),
        refused(RefuseReason::PrekeyUnknown),
        refused(RefuseReason::Unsupported),
        refused(RefuseReason::Malformed),
        refused(RefuseReason::SessionUnknown),
        refused(RefuseReason::SessionUnknown),
        taken.clone(),
        taken,
    ];
    assert_eq!(pending, expected);
    assert_eq!(answers(1, &[], &["requests", "decline", "WHO"]), pending, "declined");
    assert_eq!(answers(2, &[], &["requests", "block", "WHO"]), pending, "blocked");
    assert_eq!(answers(3, &["contacts", "block", "WHO"], &[]), pending, "blocked before he wrote");
    for (number, policy) in [(4, "contacts"), (5, "nobody")] {
        assert_eq!(answers(number, &["policy", "set", policy], &[]), pending, "{policy}");
    }
}

/// NET-24: who takes a ping and does not answer it is gone, though a stream of his is open.
#[test]
fn a_connection_without_a_sign_of_life_is_closed() {
    let bob = Person::new("Bob");
    let node = Node::with(&bob, &["-v"], TCP, &[]);
    let target = Target::parse(&node.addr());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (dead, alive) = (Stranger::new(5_000_000), Stranger::new(5_000_001));
        let mut dead = dead.connect_as(target, [127, 0, 0, 1], Manner::Dead).await.unwrap();
        let alive = alive.connect(target, [127, 0, 0, 1]).await.unwrap();
        let (_his, _other) = (dead.open(ENVELOPES).await.unwrap(), alive.open(ENVELOPES).await.unwrap());
        tokio::time::timeout(PATIENCE, dead.gone()).await.expect("it is not closed");
        // Who does not speak the protocol at all is no corpse: libp2p lets nodes do without.
        assert!(alive.open(ENVELOPES).await.is_ok());
    });
    node.says("no sign of life");
}
