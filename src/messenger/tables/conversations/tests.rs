use super::*;
use crate::content::mimi::{self, Origin};
use crate::content::{direct_room_uri, sender_uri};
use crate::store::Table;

/// A text of 200 bytes, as its recipient keeps it.
fn text() -> (MessageRow, usize) {
    let (author, me) = (PeerId::from_key_bytes([7; 32]), PeerId::from_key_bytes([8; 32]));
    let (sender, room) = (sender_uri(author), direct_room_uri(author, me));
    let counter = 1_700_000_000_000;
    let body = mimi::text([9; 16], &sender, &room, counter, &"a".repeat(200), None).encode();
    let whole = body.len();
    let row = MessageRow {
        id: MessageId::new([1; 32]),
        author,
        sent_at: WallTime(counter),
        received_at: Some(WallTime(counter)),
        counter,
        body: Bare::new(body, &Origin::new(&sender, &room)),
        subject: None,
        vanishes: None,
        tail: Tail::new(),
    };
    (row, whole)
}

fn read<T: Table>(bytes: &[u8]) -> T::Row {
    postcard::from_bytes(bytes).unwrap()
}

/// Of 200 bytes. With its URIs, its state and its number in the outbox, and without its author, it would take 512.
#[test]
fn the_row_of_a_text_is_shorter_than_the_message_that_came() {
    let (row, whole) = text();
    assert_eq!((whole, postcard::to_allocvec(&row).unwrap().len()), (453, 353));
}

#[test]
fn conversations_and_messages_keep_what_a_later_version_adds() {
    let conversation = ConversationRow::new(RoomId::new([1; 32]), 5);
    let rows = [postcard::to_allocvec(&text().0).unwrap(), postcard::to_allocvec(&conversation).unwrap()];
    let later = rows.map(|row| [&row[..], b"\x01\x02hi"].concat());
    let message = read::<Messages>(&later[0]);
    assert_eq!(message.tail.get(1), Some(&b"hi"[..]));
    assert_eq!(postcard::to_allocvec(&message).unwrap(), later[0]);
    let conversation = read::<Conversations>(&later[1]);
    assert_eq!((conversation.sent_counter, conversation.tail.get(1)), (5, Some(&b"hi"[..])));
    assert_eq!(postcard::to_allocvec(&conversation).unwrap(), later[1]);
}
