//! What no messenger over these parts can beat: the raw round trip, the bare synced commit.

use std::fs::OpenOptions;
use std::time::Instant;

use rohrpost::base::Secret;
use rohrpost::net::{Class, Classes, Event, Lanes, NetConfig, NetHandle, Order, start};
use tokio::sync::mpsc;

use crate::figures::Times;

/// So many rows in one batch, in order but for one of them, flushed and synced, by sled alone.
pub fn commit(rounds: usize, rows: u64) -> Times {
    let dir = tempfile::tempdir_in(crate::folder()).unwrap();
    let db = sled::Config::new().path(dir.path()).flush_every_ms(None).open().unwrap();
    let file = OpenOptions::new().read(true).write(true).open(dir.path().join("db")).unwrap();
    let times = (0..rounds as u64).map(|n| {
        let mut batch = sled::Batch::default();
        for row in 0..rows {
            // One is under a hashed key, as the index of messages is.
            let place = if row == 1 { n.wrapping_mul(0x9e37_79b9_7f4a_7c15) } else { n };
            batch.insert([&[row as u8][..], &place.to_be_bytes()].concat(), &[b'x'; 200][..]);
        }
        let start = Instant::now();
        db.apply_batch(batch).unwrap();
        db.flush().unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    });
    Times::new(times.collect())
}

/// A frame to another peer and the acknowledgement back, over libp2p (TCP, Noise, Yamux), with nothing stored.
pub fn round_trip(rounds: usize) -> Times {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (alice, mut heard) = network(1).await;
        let (bob, mut bob_heard) = network(2).await;
        let me = bob.peer_id();
        let echo = tokio::spawn({
            let bob = bob.clone();
            async move {
                while let Some(event) = bob_heard.recv().await {
                    if let Event::Envelope { token, .. } = event {
                        bob.order(Order::Acknowledge(token)).unwrap();
                    }
                }
            }
        });
        alice.order(Order::Connect { peer: me, addrs: bob.status().listen_addrs }).unwrap();
        until(&mut heard, |event| matches!(event, Event::Connected(_))).await;
        let mut times = Vec::with_capacity(rounds);
        for ticket in 0..rounds as u64 {
            let start = Instant::now();
            alice.order(Order::Send { peer: me, ticket, bytes: vec![7; 512].into() }).unwrap();
            until(&mut heard, |event| matches!(event, Event::Acked { .. })).await;
            times.push(start.elapsed());
        }
        alice.shutdown().await;
        bob.shutdown().await;
        echo.abort();
        Times::new(times)
    })
}

/// A network in this process, on loopback, in which everybody is a contact.
pub async fn network(seed: u8) -> (NetHandle, mpsc::Receiver<Event>) {
    let (to_contacts, contacts) = mpsc::channel(1024);
    let lanes = Lanes { strangers: to_contacts.clone(), contacts: to_contacts };
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    let config = NetConfig { listen, ..NetConfig::new(Secret::new([seed; 32])) };
    (start(config, lanes, Classes::all(Class::Contact)).await.unwrap(), contacts)
}

async fn until(heard: &mut mpsc::Receiver<Event>, fits: impl Fn(&Event) -> bool) {
    while !fits(&heard.recv().await.unwrap()) {}
}
