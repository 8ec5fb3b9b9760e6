use postcard::{from_bytes, to_allocvec};

use super::*;
use crate::base::Tail;
use crate::messenger::Command;
use crate::messenger::testing::Office;
use crate::store::{RowKey, Rows, Table};

/// What a later version puts at the end of rows.
const LATER: &[u8] = b"\x01\x05later\xc8\x01\x00";

fn later() -> Tail {
    let mut tail = Tail::new();
    tail.set(1, b"later".to_vec());
    tail.set(200, vec![0]);
    tail
}

/// A row of the version before and one of a later version are read, and written as they came.
fn is_carried<T: Table>(before: &T::Row) {
    let before = to_allocvec(before).unwrap();
    let after = [&before[..], LATER].concat();
    for bytes in [before, after] {
        assert_eq!(to_allocvec(&from_bytes::<T::Row>(&bytes).unwrap()).unwrap(), bytes, "{}", T::NAME);
    }
}

#[test]
fn rows_that_are_added_to_keep_what_other_versions_put_there() {
    let mut office = Office::pair();
    let (key, peer) = (RowKey::new(), office.id(1));
    let profile = office.rows(0).get::<Profile>(&key).unwrap().unwrap();
    let contact = office.rows(0).get::<Peers>(&peer_key(&peer)).unwrap().unwrap();
    let way = Way { held: vec![(peer, profile.swept)], ..Way::default() };
    let waiting = OutRow { peer, number: 1, kind: OutKind::Message(1), queued_at: profile.swept, anew: 0, way };
    is_carried::<Outbox>(&waiting);
    is_carried::<Profile>(&profile);
    is_carried::<Peers>(&contact);
    office.tx(0, |tx| {
        tx.put_profile(&ProfileRow { tail: later(), ..profile }).unwrap();
        tx.put_peer(&PeerRow { tail: later(), ..contact }).unwrap();
    });
    office.command(0, Command::SetName { name: "new".to_owned() }).unwrap();
    office.command(0, Command::RenameContact { peer, name: "new".to_owned() }).unwrap();
    office.say(0, 1, "and one more");
    let (profile, contact) =
        (office.rows(0).get::<Profile>(&key).unwrap().unwrap(), office.rows(0).get::<Peers>(&peer_key(&peer)).unwrap());
    assert_eq!((profile.name.as_str(), profile.tail), ("new", later()));
    let contact = contact.unwrap();
    assert_eq!((contact.shown_name(), &contact.tail), ("new", &later()));
}
