use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::base::PeerId;
use crate::messenger::tables::{Events, EventsRow, events_key};
use crate::messenger::view::EventKind;
use crate::node::Place as Profile;
use crate::node::core::{Core, SharedReader};
use crate::store::Store;
use crate::store::testing::Place;

fn with_an_event(place: &mut Place, seq: u64) -> Store {
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let online = EventKind::PeerOnline { peer_id: PeerId::from_key_bytes([7; 32]) };
    buffer.put::<Events>(&events_key(seq), &EventsRow::new(place.now.wall, vec![online])).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    store
}

/// After a commit that failed the store is closed for a moment, and events cannot be read.
#[tokio::test]
async fn events_come_when_the_store_is_open_again() {
    let mut place = Place::new(1);
    let store = with_an_event(&mut place, 1);
    let reader = SharedReader::new(store.reader());
    let (events, events_in) = watch::channel(0);
    let (_ended, ended_in) = watch::channel(None);
    let (_stop, stop_in) = watch::channel(false);
    let me = PeerId::from_key_bytes([9; 32]);
    let core = Core::new(me, mpsc::channel(1).0, reader.clone(), events_in, ended_in);
    let profile = Profile::resolve_with("default", Some(place.path()), &|_| None).unwrap();
    let (client, node) = UnixStream::pair().unwrap();
    let serving = tokio::spawn(serve(node, Dispatcher::new(core, profile, None), stop_in));
    let (reading, mut writing) = client.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"listen\",\"params\":{}}\n").await.unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"result\""));

    store.close();
    events.send_replace(1);
    // The events were asked for, in vain, when this is answered.
    tokio::task::yield_now().await;
    writing.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"inbox\",\"params\":{}}\n").await.unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"error\""));
    drop(store);
    reader.replace(with_an_event(&mut place, 1).reader());
    let told = lines.next_line().await.unwrap().expect("the connection was closed");
    assert!(told.contains("peer.online"), "{told}");

    drop(writing);
    assert!(serving.await.unwrap().is_none());
}
