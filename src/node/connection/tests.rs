use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::base::PeerId;
use crate::base::event::EventKind;
use crate::identity::IdentityKeypair;
use crate::messenger::tables::{Events, EventsRow, numbered};
use crate::messenger::testing::Office;
use crate::messenger::{Input, Output};
use crate::node::Place as Profile;
use crate::node::core::Core;
use crate::store::Store;
use crate::store::testing::Place;

fn with_an_event(place: &mut Place, seq: u64) -> Store {
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let online = EventKind::PeerOnline { peer_id: PeerId::from_key_bytes([7; 32]) };
    buffer.put::<Events>(&numbered(seq), &EventsRow::new(place.now.wall, vec![online])).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    store
}

/// After a commit that failed the store is closed for a moment, and events cannot be read.
#[tokio::test]
async fn events_come_when_the_store_is_open_again() {
    let mut place = Place::new(1);
    let store = with_an_event(&mut place, 1);
    let (reader, reader_in) = watch::channel(store.reader());
    let (events, events_in) = watch::channel(0);
    let (_ended, ended_in) = watch::channel(None);
    let (_stop, stop_in) = watch::channel(false);
    let me = PeerId::from_key_bytes([9; 32]);
    let core = Core {
        me,
        user: mpsc::channel(1).0,
        reader: reader_in,
        events: events_in,
        waiting: Arc::default(),
        ended: ended_in,
    };
    let profile = Profile::resolve_with("default", Some(place.path()), &|_| None).unwrap();
    let (client, node) = UnixStream::pair().unwrap();
    let serving = tokio::spawn(serve(node, Dispatcher::new(core, profile, None), stop_in, Seat::Whole));
    let (reading, mut writing) = client.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing
        .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"listen\",\"params\":{\"since\":0}}\n")
        .await
        .unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"result\""));

    store.close();
    events.send_replace(1);
    // The events were asked for, in vain, when this is answered.
    tokio::task::yield_now().await;
    writing.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"inbox\",\"params\":{}}\n").await.unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"error\""));
    drop(store);
    reader.send_replace(with_an_event(&mut place, 1).reader());
    let told = lines.next_line().await.unwrap().expect("the connection was closed");
    assert!(told.contains("peer.online"), "{told}");

    drop(writing);
    assert!(serving.await.unwrap().is_none());
}

/// What accepts and adds somebody named by a whole peer ID waits for no commit of the calls before it.
#[tokio::test]
async fn acceptances_and_additions_share_commits() {
    const ASKING: usize = 6;
    let mut office = Office::new(1 + ASKING as u64);
    let peers: Vec<PeerId> = (1..=ASKING).map(|who| office.id(who)).collect();
    for who in 1..=ASKING {
        office.say(who, 0, "hello");
    }
    let (_events, events_in) = watch::channel(0);
    let (_ended, ended_in) = watch::channel(None);
    let (_stop, stop_in) = watch::channel(false);
    let (user, mut commands) = mpsc::channel(64);
    let (_reader, reader) = watch::channel(office.rows(0));
    let core = Core { me: office.id(0), user, reader, events: events_in, waiting: Arc::default(), ended: ended_in };
    let profile = Profile::resolve_with("default", Some(office.desks[0].place.path()), &|_| None).unwrap();
    let (client, node) = UnixStream::pair().unwrap();
    let serving = tokio::spawn(serve(node, Dispatcher::new(core, profile, None), stop_in, Seat::Whole));
    let (reading, mut writing) = client.into_split();

    let strangers: Vec<PeerId> =
        (0..ASKING as u64).map(|n| IdentityKeypair::generate(&mut Place::new(90 + n).rng).peer_id()).collect();
    let mut calls = Vec::new();
    for (peer, stranger) in peers.iter().zip(&strangers) {
        calls.push((peer, "requests.accept", json!({"who": peer})));
        calls.push((stranger, "contacts.add", json!({"who": stranger, "name": "Fritz"})));
        // Nobody asks any more: refused, and those behind it are not.
        calls.push((peer, "requests.accept", json!({"who": peer})));
    }
    for (id, (_, method, params)) in calls.iter().enumerate() {
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writing.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
    drop(writing);

    // The messenger's thread: what waits shares a commit.
    let (mut commits, mut waiting) = (0, Vec::new());
    while commands.recv_many(&mut waiting, 64).await > 0 {
        let (asked, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let inputs = asked.into_iter().zip(0..).map(|(command, n)| Input::Command(n, command)).collect();
        let mut replies: HashMap<u64, _> = (0..).zip(replies).collect();
        for output in office.hand_in(0, inputs) {
            if let Output::Reply(n, answer) = output {
                replies.remove(&n).unwrap().send(answer).unwrap();
            }
        }
        commits += 1;
    }
    assert!(commits < ASKING, "{commits} commits for {} calls", calls.len());
    let mut lines = BufReader::new(reading).lines();
    for (id, (peer, ..)) in calls.iter().enumerate() {
        let answer: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        match id % 3 {
            2 => assert_eq!(answer["error"]["data"]["code"], "no_request"),
            _ => assert_eq!(answer["result"]["peer_id"], json!(peer), "{answer}"),
        }
    }
    assert!(serving.await.unwrap().is_none());
}
