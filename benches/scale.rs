//! What does not grow with the profile: a new conversation and a refused command beside 50,000 contacts, each beside the same
//! in an empty profile, in alternation: `cargo bench --bench scale`.
//!
//! The figures and how to read them are in `docs/benchmarks.md`.

// What cannot be set up has to stop the run, and a bench measures time; it has no other crate to be reached from.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, missing_docs, unreachable_pub)]

#[path = "node/figures.rs"]
mod figures;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{MonoTime, Now, PeerId, RoomId, Secret, WallTime};
use rohrpost::identity::IdentityKeypair;
use rohrpost::messenger::tables::{Conversations, Slots, room_key};
use rohrpost::messenger::{Answer, Command, Hints, Input, Messenger, Output, Refusal, SendCommand};
use rohrpost::store::{Rows, Store};

use figures::{Table, Times, ms, ratio};

/// As many as there may be.
const CONTACTS: usize = 50_000;
/// Messages that wait for one of them: as many as may.
const WAITING: usize = 20_000;
/// Slots beside those of the conversations.
const SLOTS: u64 = 4_000;
/// Commands of one commit, when a profile is filled.
const AT_ONCE: usize = 200;
/// Groups, each with a median of its own, and pairs of runs in each.
const GROUPS: usize = 5;
const ROUNDS: usize = 100;

fn main() {
    let mut table = Table::default();
    let mut empty = Profile::new(1);
    let mut large = Profile::new(2);
    large.fill();
    refused(&mut table, &mut empty, &mut large);
    begun(&mut table, &mut empty, &mut large);
    table.print();
}

/// A messenger that reaches nobody, on a real disk.
struct Profile {
    messenger: Messenger,
    store: Store,
    rng: ChaCha20Rng,
    ticks: u64,
    /// Whom it has written to.
    peers: Vec<PeerId>,
    dir: tempfile::TempDir,
    seed: u64,
}

impl Profile {
    fn new(seed: u64) -> Self {
        let chosen = std::env::var_os("ROHRPOST_BENCH_DIR");
        let folder = chosen.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let dir = tempfile::tempdir_in(folder).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (store, messenger) = open(dir.path(), seed, &mut rng);
        let mut profile = Self { messenger, store, rng, ticks: 0, peers: Vec::new(), dir, seed };
        let first = profile.stranger();
        assert!(matches!(profile.command(send(first)).1, Ok(Answer::Sent(_))));
        profile.peers.push(first);
        profile
    }

    /// 50,000 contacts with a conversation each; 20,000 messages to the first of them wait, and 4,000 further slots are his.
    fn fill(&mut self) {
        let start = Instant::now();
        while self.peers.len() < CONTACTS {
            let peers: Vec<_> = (0..AT_ONCE.min(CONTACTS - self.peers.len())).map(|_| self.stranger()).collect();
            self.commands(peers.iter().map(|peer| send(*peer)).collect());
            self.peers.extend(peers);
        }
        let first = self.peers[0];
        let mut left = WAITING - 1;
        while left > 0 {
            let some = left.min(AT_ONCE);
            self.commands((0..some).map(|_| send(first)).collect());
            left -= some;
        }
        let mut buffer = self.store.begin();
        let room = RoomId::direct(first);
        let mut row = buffer.get::<Conversations>(&room_key(&room)).unwrap().unwrap();
        for _ in 0..SLOTS {
            let key = buffer.create_key(&mut self.rng);
            row.slots += 1;
            buffer.put::<Slots>(&room_key(&room).u64(row.slots), &key).unwrap();
        }
        buffer.put::<Conversations>(&room_key(&room), &row).unwrap();
        self.store.commit(buffer, &mut self.rng).unwrap();
        self.reopen();
        eprintln!("filled in {:.0} s", start.elapsed().as_secs_f64());
    }

    /// As after a restart: what is in memory follows from rows.
    fn reopen(&mut self) {
        self.store.close();
        (self.store, self.messenger) = open(self.dir.path(), self.seed, &mut self.rng);
        while !self.store.check(usize::MAX).unwrap() {}
    }

    fn stranger(&mut self) -> PeerId {
        IdentityKeypair::generate(&mut self.rng).peer_id()
    }

    fn handle(&mut self, inputs: Vec<Input>) -> (Duration, Vec<Output>) {
        self.ticks += 1;
        let now = now(self.ticks);
        let start = Instant::now();
        let outputs = self.messenger.handle(inputs, now, &mut self.rng);
        (start.elapsed(), outputs)
    }

    /// As a node does it: keys are made ahead between commits.
    fn stock(&mut self) -> Duration {
        let start = Instant::now();
        self.store.stock_keys(&mut self.rng).unwrap();
        start.elapsed()
    }

    fn commands(&mut self, commands: Vec<Command>) {
        let inputs: Vec<_> = commands.into_iter().map(|command| Input::Command(0, command)).collect();
        let (_, outputs) = self.handle(inputs);
        for output in outputs {
            if let Output::Reply(_, answer) = output {
                answer.unwrap();
            }
        }
        self.stock();
    }

    fn command(&mut self, command: Command) -> (Duration, Result<Answer, Refusal>) {
        let (took, outputs) = self.handle(vec![Input::Command(0, command)]);
        let mut replies = outputs
            .into_iter()
            .filter_map(|output| if let Output::Reply(_, answer) = output { Some(answer) } else { None });
        (took, replies.next().unwrap())
    }
}

fn open(dir: &std::path::Path, seed: u64, rng: &mut ChaCha20Rng) -> (Store, Messenger) {
    let key = Secret::new([u8::try_from(seed).unwrap(); 32]);
    let me = IdentityKeypair::from_seed(&key);
    let store = Store::open(dir, &key, rng, now(0)).unwrap();
    let (messenger, _) = Messenger::open(store.clone(), me, now(0), rng).unwrap();
    (store, messenger)
}

fn now(ticks: u64) -> Now {
    Now { wall: WallTime(1_767_225_600_000 + ticks), mono: MonoTime(ticks) }
}

fn send(to: PeerId) -> Command {
    Command::Send(SendCommand::text(to, "a first word"))
}

type Refused = (&'static str, fn(&mut Profile) -> Command, Refusal);

/// Commands that are refused, at the beginning of their work and at its end.
const REFUSED: [Refused; 4] = [
    ("a text without a text", |profile| Command::Send(SendCommand::text(profile.peers[0], " ")), Refusal::EmptyText),
    ("a client ID that was used", |profile| with_client_id(profile.peers[0], "another text"), Refusal::ClientIdReused),
    ("a message to somebody for whom too many wait", |profile| send(profile.peers[0]), Refusal::OutboxFull),
    (
        "one contact too many, from a link",
        |profile| {
            let hints = Hints {
                name: Some("Bob".to_owned()),
                addrs: vec!["/ip4/192.0.2.1/tcp/1".to_owned()],
                ..Hints::default()
            };
            Command::AddContact { peer: profile.stranger(), name: None, hints }
        },
        Refusal::TooManyContacts,
    ),
];

fn with_client_id(to: PeerId, text: &str) -> Command {
    Command::Send(SendCommand { client_id: Some("once".to_owned()), ..SendCommand::text(to, text) })
}

/// How long a refusal takes. Those that come of bounds are not to be had of an empty profile.
fn refused(table: &mut Table, empty: &mut Profile, large: &mut Profile) {
    for profile in [&mut *empty, &mut *large] {
        let peer = profile.peers.get(1).copied().unwrap_or(profile.peers[0]);
        assert!(profile.command(with_client_id(peer, "a text")).1.is_ok());
    }
    for (what, command, refusal) in REFUSED {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..GROUPS * ROUNDS {
            for (profile, times) in [&mut *empty, &mut *large].into_iter().zip(&mut times) {
                let is_bound = matches!(refusal, Refusal::OutboxFull | Refusal::TooManyContacts);
                if is_bound && profile.peers.len() < CONTACTS {
                    continue;
                }
                let command = command(profile);
                let (took, answer) = profile.command(command);
                assert_eq!(answer.unwrap_err(), refusal);
                times.push(took);
            }
        }
        let [empty, large] = times.map(|times| (!times.is_empty()).then(|| Times::new(times)));
        let told = |times: &Times| {
            let us = |percent| format!("{:.0} µs", times.percentile(percent).as_secs_f64() * 1e6);
            format!("p50 {}, p99 {}, at most {}", us(50), us(99), us(100))
        };
        let beside = empty.as_ref().map_or_else(|| "goal 1 ms".to_owned(), |empty| format!("empty: {}", told(empty)));
        table.row(&format!("refused beside {CONTACTS} contacts: {what}"), told(large.as_ref().unwrap()), beside);
    }
}

/// How long a new conversation takes: a message to somebody who was not known.
fn begun(table: &mut Table, empty: &mut Profile, large: &mut Profile) {
    // A contact who is forgotten leaves his conversation, and a place for another.
    let gone: Vec<_> = large.peers.iter().rev().take(GROUPS * ROUNDS + AT_ONCE).copied().collect();
    for some in gone.chunks(AT_ONCE) {
        large.commands(some.iter().map(|peer| Command::RemoveContact(*peer)).collect());
    }
    let (mut ratios, mut medians, mut stocked) = (Vec::new(), [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..GROUPS {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (at, profile) in [&mut *empty, &mut *large].into_iter().enumerate() {
                let peer = profile.stranger();
                let (took, answer) = profile.command(send(peer));
                assert!(matches!(answer, Ok(Answer::Sent(_))));
                times[at].push(took);
                let spent = profile.stock();
                if spent > Duration::from_micros(100) {
                    stocked[at].push(spent);
                }
            }
        }
        let [in_empty, in_large] = times.map(|times| Times::new(times).median());
        ratios.push(in_large.as_secs_f64() / in_empty.as_secs_f64());
        medians[0].push(in_empty);
        medians[1].push(in_large);
    }
    ratios.sort_by(f64::total_cmp);
    let [in_empty, in_large] = medians.map(|medians| Times::new(medians).median());
    let all: Vec<_> = ratios.iter().map(|one| ratio(*one, 1.0)).collect();
    table.row(
        &format!("a new conversation beside {CONTACTS}, with {SLOTS} further slots"),
        format!("p50 {}", ms(in_large)),
        format!("empty: {}; ratio {} ({}), goal 1.20", ms(in_empty), ratio(ratios[GROUPS / 2], 1.0), all.join(", ")),
    );
    let [in_empty, in_large] = stocked.map(|stocked| Times::new(stocked).median());
    let what = format!("256 keys made ahead, between commits, beside {} keys", CONTACTS as u64 + SLOTS);
    table.row(&what, ms(in_large), format!("empty: {}", ms(in_empty)));
}
