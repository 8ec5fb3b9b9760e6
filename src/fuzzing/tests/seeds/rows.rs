//! Seeds of the store's files and rows.

use postcard::to_allocvec;

use super::{Seeds, seed};
use crate::base::event::EventKind;
use crate::base::words::State;
use crate::base::{MessageId, PeerId, RoomId, Tail, WallTime};
use crate::content::mimi::{self, Bare, Origin, Vanishes};
use crate::fuzzing::rng;
use crate::identity::{CardKeys, IdentityKeypair, OneTimeKeys};
use crate::messenger::tables::{
    CardKeysRow, CardKeysTable, ConversationRow, Conversations, Events, EventsRow, MessageRow, Messages, OneTimeRow,
    OneTimeTable, OutKind, OutRow, Outbox, PeerRow, Peers, Recent, SendingChains, Sessions, Slot, States, Way,
};
use crate::session::{RemoteBundle, SessionSet};
use crate::store::{Table, fuzzing as files};

pub(super) fn store() -> Seeds {
    let now = WallTime(1_700_000_000_000);
    let keys = CardKeys::generate(&mut rng());
    let one_time = OneTimeKeys::generate(&mut rng(), now);
    let card_keys = CardKeysRow { keys, made: now, named_until: now, closes: Some(now) };
    let (sessions, moved) = sessions(&card_keys.keys);
    vec![
        seed("row", 0, files::some_row(&mut rng())),
        seed("value", 1, b"\0\0\0\0\x01hello"),
        seed("long-value", 1, b"\x01\x07\0\0\xf0a value that is long enough for several rows"),
        seed("changed-value", 1, b"\x02\x0a\0\x40\xf0a value that is long enough for several rows"),
        seed("meta", 2, files::some_meta()),
        seed("keys", 3, &files::some_keys(&mut rng())[..]),
        seed("keys-contents", 4, files::some_keys_contents()),
        seed("mark", 5, files::some_mark()),
        table("recent", Recent::ID, &to_allocvec(&RoomId::new([1; 32])).unwrap()),
        table("peer", Peers::ID, &to_allocvec(&peer()).unwrap()),
        table("conversation", Conversations::ID, &to_allocvec(&conversation()).unwrap()),
        table("message", Messages::ID, &to_allocvec(&message()).unwrap()),
        table("state", States::ID, b"\x02\x02\x08"),
        table("session", Sessions::ID, &to_allocvec(sessions.rows().next().unwrap()).unwrap()),
        table("session-moved", Sessions::ID, &to_allocvec(moved.rows().next().unwrap()).unwrap()),
        table("session-retired", Sessions::ID, &to_allocvec(sessions.rows().last().unwrap()).unwrap()),
        table("sending", SendingChains::ID, &to_allocvec(&moved.sending_row().unwrap()).unwrap()),
        table("outbox", Outbox::ID, &to_allocvec(&waiting(OutKind::Message(1 << 20))).unwrap()),
        table(
            "outbox-control",
            Outbox::ID,
            &to_allocvec(&waiting(OutKind::Control(vec![0x81, 0x82, 3, 0x40]))).unwrap(),
        ),
        table("events", Events::ID, &to_allocvec(&events()).unwrap()),
        table("card-keys", CardKeysTable::ID, &to_allocvec(&card_keys).unwrap()),
        table(
            "one-time",
            OneTimeTable::ID,
            &to_allocvec(&OneTimeRow { keys: one_time, made: now, handed_out: Some(now) }).unwrap(),
        ),
    ]
}

/// A row of the table with this number.
fn table(name: &str, id: u8, row: &[u8]) -> (String, Vec<u8>) {
    seed(&format!("table-{name}"), 6, [&[id], row].concat())
}

/// With what a later version puts at its end.
fn peer() -> PeerRow {
    let mut row = PeerRow::new(PeerId::from_key_bytes([2; 32]));
    row.tail.set(1, b"later".to_vec());
    row
}

/// One in which something is missing, and later versions have put something.
fn conversation() -> ConversationRow {
    let (room, peer) = (RoomId::new([1; 32]), PeerId::from_key_bytes([1; 32]));
    let mut row = ConversationRow::new(room, 300);
    row.slot = Some(Slot { key: postcard::from_bytes(&[9]).unwrap(), rows: 3, bytes: 900 });
    row.slots = 2;
    for counter in [1, 4, 3, 9] {
        let counters = row.senders.entry(peer).or_default();
        row.last = row.last.max(counters.place(counter, WallTime(counter), row.last));
    }
    row.tail.set(1, b"later".to_vec());
    row
}

fn message() -> MessageRow {
    let (sender, room) = ("rohrpost:a", "rohrpost:direct/a/b");
    MessageRow {
        id: MessageId::new([1; 32]),
        author: PeerId::from_key_bytes([1; 32]),
        sent_at: WallTime(1_700_000_000_000),
        received_at: None,
        counter: 7,
        body: Bare::new(mimi::text([9; 16], sender, room, 7, "hello", None).encode(), &Origin::new(sender, room)),
        subject: Some("about".to_owned()),
        vanishes: Some(Vanishes::At(WallTime(1_700_000_060_000))),
        tail: Tail::new(),
    }
}

/// Something that waits, and that a mailbox has; with what a later version puts at its end.
fn waiting(kind: OutKind) -> OutRow {
    let (peer, queued_at) = (PeerId::from_key_bytes([2; 32]), WallTime(1_700_000_000_000));
    let mut way = Way { counted: true, held: vec![(PeerId::from_key_bytes([3; 32]), queued_at)], ..Way::default() };
    way.tail.set(1, b"later".to_vec());
    OutRow { peer, number: 1, kind, queued_at, anew: 1, way }
}

/// What happened in a commit: IDs, a word, and a kind without either; with what a later version puts at its end.
fn events() -> EventsRow {
    let (peer_id, message_id) = (PeerId::from_key_bytes([1; 32]), MessageId::new([1; 32]));
    let kinds = vec![
        EventKind::MessageState { conversation: peer_id, message_id, state: State::Sent },
        EventKind::ContactAdded { peer_id },
        EventKind::Recovered {},
    ];
    let mut row = EventsRow::new(WallTime(1_700_000_000_000), kinds);
    row.tail.set(1, b"later".to_vec());
    row
}

/// A session that has begun, and one that retired for it; and the same when the chain that sends has moved to a row of its own.
fn sessions(card: &CardKeys) -> (SessionSet, SessionSet) {
    let (me, peer) = (IdentityKeypair::generate(&mut rng()), crate::fuzzing::identity::owner());
    let bundle = RemoteBundle::of(&peer, card, None);
    let mut set = SessionSet::default();
    for _ in 0..2 {
        set.begin(&me, &bundle, &mut rng(), WallTime(1_700_000_000_000)).unwrap();
        set.encrypt(b"hello", &mut rng(), WallTime(1_700_000_000_000)).unwrap();
    }
    let mut moved = SessionSet::load(me.peer_id(), peer.peer_id(), set.rows().cloned().collect(), None);
    moved.encrypt(b"on", &mut rng(), WallTime(1_700_000_000_000)).unwrap();
    (set, moved)
}
