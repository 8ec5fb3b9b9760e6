//! What the core costs, each figure beside the limit it cannot beat: `cargo bench --bench core`.
//!
//! The figures and how to read them are in `docs/benchmarks.md`.

// What cannot be set up has to stop the run; a bench has no other crate to be reached from.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod group;
mod mail;
mod pair;

use std::fs::OpenOptions;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{MonoTime, Now, Secret, WallTime};
use rohrpost::crypto::aead::{self, AeadKey};
use rohrpost::crypto::dh::DhSecret;
use rohrpost::crypto::hash::sha256;
use rohrpost::store::{RowKey, Store, Table, Under};
use serde::{Deserialize, Serialize};

use pair::{Pair, TEXT};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

/// What nothing that seals a message of this size can do without.
fn limits(c: &mut Criterion) {
    let mut group = c.benchmark_group("limit");
    let key: AeadKey = Secret::new([7; 32]);
    let sealed = aead::seal(&key, &[1; 12], TEXT, b"");
    group.bench_function("ChaCha20-Poly1305, 200 B, seal and open", |b| {
        b.iter(|| {
            let sealed = aead::seal(black_box(&key), &[1; 12], black_box(TEXT), b"");
            aead::open(&key, &[1; 12], &sealed, b"").unwrap()
        });
    });
    assert!(!sealed.is_empty());
    group.bench_function("SHA-256, one block", |b| b.iter(|| sha256(&[black_box(&[0; 32])])));
    let (one, other) = (DhSecret::generate(&mut rng()), DhSecret::generate(&mut ChaCha20Rng::seed_from_u64(2)));
    let public = other.public();
    group.bench_function("X25519", |b| b.iter(|| one.exchange(black_box(&public)).unwrap()));
    group.finish();
}

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    group.bench_function("begin, first message sealed", |b| {
        b.iter_batched(|| Pair::new(1), |mut pair| pair.first(), BatchSize::SmallInput);
    });
    group.bench_function("first message opened", |b| {
        let fresh = || {
            let mut pair = Pair::new(1);
            let first = pair.first();
            (pair, first)
        };
        b.iter_batched(fresh, |(mut pair, first)| pair.open_first(&first), BatchSize::SmallInput);
    });
    group.finish();
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn ratchet(c: &mut Criterion) {
    let mut group = c.benchmark_group("ratchet");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one way, 200 B, sealed and opened", |b| {
        let mut pair = Pair::confirmed(1);
        b.iter(|| pair.alice_says());
    });
    group.throughput(Throughput::Elements(2));
    group.bench_function("ping-pong, 200 B, both ways", |b| {
        let mut pair = Pair::confirmed(1);
        b.iter(|| {
            pair.alice_says();
            pair.bob_says();
        });
    });
    // As between people: the turn is made while nothing waits, and not on the way. The answer's is made when what it answers
    // has come, so that both are taken out of the time.
    group.bench_function("ping-pong, 200 B, both ways, turns made ahead", |b| {
        let mut pair = Pair::confirmed(1);
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                pair.alice_turns_ahead();
                spent += timed(|| pair.alice_says());
                pair.bob_turns_ahead();
                spent += timed(|| pair.bob_says());
            }
            spent
        });
    });
    group.finish();
}

#[derive(Serialize, Deserialize)]
struct Row {
    text: Vec<u8>,
}

struct Rows;

impl Table for Rows {
    const ID: u8 = 1;
    const NAME: &'static str = "rows";
    const UNDER: Under = Under::Root;
    type Row = Row;
}

/// A durable commit: the store's, and sled's own with the same bytes, flushed and synced.
fn store(c: &mut Criterion) {
    let now = Now { wall: WallTime(1_767_225_600_000), mono: MonoTime(0) };
    for rows in [1_u64, 100] {
        let mut group = c.benchmark_group(format!("commit of {rows}"));
        group.throughput(Throughput::Elements(rows));
        group.bench_function("sled, flush and sync_data (limit)", |b| {
            let dir = tempfile::tempdir().unwrap();
            let db = sled::Config::new().path(dir.path()).flush_every_ms(None).open().unwrap();
            let file = OpenOptions::new().read(true).write(true).open(dir.path().join("db")).unwrap();
            let mut next = 0_u64;
            b.iter(|| {
                let mut batch = sled::Batch::default();
                for _ in 0..rows {
                    next += 1;
                    batch.insert(&next.to_be_bytes(), TEXT);
                }
                db.apply_batch(batch).unwrap();
                db.flush().unwrap();
                file.sync_data().unwrap();
            });
        });
        group.bench_function("store, sealed and durable", |b| {
            let dir = tempfile::tempdir().unwrap();
            let mut rng = rng();
            let store = Store::open(dir.path(), &Secret::new([1; 32]), &mut rng, now).unwrap();
            let mut next = 0_u64;
            b.iter(|| {
                let mut buffer = store.begin();
                for _ in 0..rows {
                    next += 1;
                    buffer.put::<Rows>(&RowKey::new().u64(next), &Row { text: TEXT.to_vec() }).unwrap();
                }
                store.commit(buffer, &mut rng).unwrap();
            });
        });
        group.finish();
    }
}

criterion_group!(benches, limits, handshake, ratchet, store, mail::mail, group::group);
criterion_main!(benches);
