//! Messages, as they are shown.

use std::collections::BTreeMap;

use crate::base::shown::Message;
use crate::base::words::{Direction, State};
use crate::base::{MessageId, PeerId, RoomId, WallTime, limits};
use crate::content::mimi::{Body, Vanishes};
use crate::content::{ContentError, MimiContent};
use crate::messenger::clock::ClockRow;
use crate::messenger::memory::number;
use crate::messenger::tables::{
    ConversationRow, Conversations, IndexRow, Late, MessageIndex, MessageRow, Messages, OutKind, OutRow, Outbox,
    PeerRow, Peers, Profile, Reaches, Requests, States, Timed, index_key, kept_of, message_key, outbox_key, peer_key,
    room_key, timed_key,
};
use crate::store::{RowKey, Rows, Scan, StoreError};

use super::clocks::clock;

/// The last `n` messages of a conversation before another one, oldest first.
pub fn history(
    rows: &impl Rows,
    me: PeerId,
    peer: &PeerId,
    before: Option<&MessageId>,
    n: usize,
    wall: WallTime,
) -> Result<Vec<Message>, StoreError> {
    let Some(conversation) = rows.get::<Conversations>(&room_key(&RoomId::direct(*peer)))? else {
        return Ok(Vec::new());
    };
    let clock = clock(rows, wall)?;
    let before = before.map(|id| rows.get::<MessageIndex>(&index_key(id))).transpose()?.flatten();
    let before = before.map(|index| index.position);
    let mut found = last(rows, &conversation, &clock, before, n.min(limits::MAX_PAGE))?;
    found.reverse();
    let shown = Shown::open(rows, me, conversation, &clock)?;
    found.into_iter().map(|(position, row)| shown.view(position, row)).collect()
}

/// The last messages of a conversation, before a place if one is given, the last first: of those that are to be seen.
fn last(
    rows: &impl Rows,
    conversation: &ConversationRow,
    clock: &ClockRow,
    mut before: Option<u64>,
    n: usize,
) -> Result<Vec<(u64, MessageRow)>, StoreError> {
    let mut found = Vec::new();
    while found.len() < n {
        let mut page = kept_of(conversation).reverse().limit(n);
        if let Some(before) = before {
            page = page.to(before);
        }
        let page = rows.scan::<Messages>(&page)?;
        let is_last = page.len() < n;
        for (key, row) in page {
            let position = number(&key).unwrap_or_default();
            before = Some(position);
            if found.len() < n && !is_hidden(rows, clock, &row.id, row.vanishes)? {
                found.push((position, row));
            }
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// Whether the time of a message is over by the wall clock: then it is in no answer, though it is destroyed only when that is
/// confirmed.
pub(in crate::messenger) fn is_hidden(
    rows: &impl Rows,
    clock: &ClockRow,
    id: &MessageId,
    vanishes: Option<Vanishes>,
) -> Result<bool, StoreError> {
    let Some(end) = vanishes.and_then(Vanishes::at).filter(|end| *end <= clock.time) else { return Ok(false) };
    Ok(clock.hidden_from(since(rows, clock, id, end)?, end) <= clock.time)
}

/// When it was reckoned that a message ends then; asked for only where it matters.
fn since(rows: &impl Rows, clock: &ClockRow, id: &MessageId, end: WallTime) -> Result<WallTime, StoreError> {
    if clock.is_plain() {
        return Ok(end);
    }
    Ok(rows.get::<Timed>(&timed_key(end.0, id))?.map_or(end, |row| row.since))
}

/// How many unread messages of each conversation are not to be seen any more, and still count in its row.
pub(super) fn hidden_unread(
    rows: &impl Rows,
    me: PeerId,
    clock: &ClockRow,
) -> Result<BTreeMap<RoomId, u64>, StoreError> {
    let mut hidden = BTreeMap::new();
    for (_, row) in rows.scan::<Timed>(&Scan::all().to(clock.time.0.saturating_add(1)))? {
        let Some(position) = row.position else { continue };
        if clock.hidden_from(row.since, WallTime(row.at)) > clock.time {
            continue;
        }
        let message = rows.get::<Messages>(&message_key(&row.room, position))?;
        let conversation = rows.get::<Conversations>(&room_key(&row.room))?;
        if let (Some(message), Some(conversation)) = (message, conversation)
            && state(rows, me, &conversation, position, &message)? == State::Received
        {
            *hidden.entry(row.room).or_default() += 1;
        }
    }
    Ok(hidden)
}

/// One message.
pub fn message(rows: &impl Rows, me: PeerId, id: &MessageId, wall: WallTime) -> Result<Option<Message>, StoreError> {
    let Some((index, row)) = find(rows, id)? else { return Ok(None) };
    let Some(conversation) = rows.get::<Conversations>(&room_key(&index.room))? else { return Ok(None) };
    let clock = clock(rows, wall)?;
    if is_hidden(rows, &clock, id, row.vanishes)? {
        return Ok(None);
    }
    Shown::open(rows, me, conversation, &clock)?.view(index.position, row).map(Some)
}

/// The last message of a conversation.
pub(super) fn last_of(
    rows: &impl Rows,
    me: PeerId,
    conversation: ConversationRow,
    clock: &ClockRow,
) -> Result<Option<Message>, StoreError> {
    let Some((position, row)) = last(rows, &conversation, clock, None, 1)?.pop() else { return Ok(None) };
    Shown::open(rows, me, conversation, clock)?.view(position, row).map(Some)
}

/// Where a message stands; `None` when there is none by this ID, or it was forgotten. Its row is not opened, and stands for
/// no other: a place is taken once.
pub(in crate::messenger) fn index(rows: &impl Rows, id: &MessageId) -> Result<Option<IndexRow>, StoreError> {
    let Some(index) = rows.get::<MessageIndex>(&index_key(id))? else { return Ok(None) };
    let is_there = rows.contains::<Messages>(&message_key(&index.room, index.position))?;
    Ok(is_there.then_some(index))
}

/// The same, and its row.
pub(in crate::messenger) fn find(
    rows: &impl Rows,
    id: &MessageId,
) -> Result<Option<(IndexRow, MessageRow)>, StoreError> {
    let Some(index) = rows.get::<MessageIndex>(&index_key(id))? else { return Ok(None) };
    Ok(rows.get::<Messages>(&message_key(&index.room, index.position))?.map(|row| (index, row)))
}

/// How far a message is.
pub(in crate::messenger) fn state(
    rows: &impl Rows,
    me: PeerId,
    conversation: &ConversationRow,
    position: u64,
    message: &MessageRow,
) -> Result<State, StoreError> {
    let key = message_key(&conversation.room, position);
    if message.author != me {
        let unread = position > conversation.read || rows.contains::<Late>(&key)?;
        return Ok(if unread { State::Received } else { State::Read });
    }
    if let Some(state) = rows.get::<States>(&key)?.and_then(|row| row.state(0)) {
        return Ok(state);
    }
    let index = rows.get::<MessageIndex>(&index_key(&message.id))?;
    let row = index.map(|index| waiting(rows, &index)).transpose()?.flatten();
    Ok(match row.map(|row| Ok::<_, StoreError>(row.way_now(anew(rows, &conversation.room.peer())?))).transpose()? {
        Some(way) if way.sent || !way.held.is_empty() => State::Sent,
        _ => State::Queued,
    })
}

/// How often everything that waits for a peer has begun anew.
pub(super) fn anew(rows: &impl Rows, peer: &PeerId) -> Result<u64, StoreError> {
    Ok(rows.get::<Reaches>(&peer_key(peer))?.map_or(0, |row| row.anew))
}

/// The row in the outbox of an own message.
pub(in crate::messenger) fn waiting(rows: &impl Rows, index: &IndexRow) -> Result<Option<OutRow>, StoreError> {
    let Some(number) = index.outbox else { return Ok(None) };
    let row = rows.get::<Outbox>(&outbox_key(&index.room.peer(), number))?;
    // Numbers begin anew when there are no rows.
    Ok(row.filter(|row| row.kind == OutKind::Message(index.position)))
}

/// What is shown beside every message of a conversation.
struct Shown<'a, R> {
    rows: &'a R,
    me: PeerId,
    my_name: String,
    peer_name: String,
    conversation: ConversationRow,
    clock: &'a ClockRow,
}

impl<'a, R: Rows> Shown<'a, R> {
    fn open(rows: &'a R, me: PeerId, conversation: ConversationRow, clock: &'a ClockRow) -> Result<Self, StoreError> {
        let my_name = rows.get::<Profile>(&RowKey::new())?.map_or_else(String::new, |profile| profile.name);
        let peer_name = name_of(rows, &conversation.room.peer())?;
        Ok(Self { rows, me, my_name, peer_name, conversation, clock })
    }

    fn view(&self, position: u64, row: MessageRow) -> Result<Message, StoreError> {
        let state = state(self.rows, self.me, &self.conversation, position, &row)?;
        let outgoing = row.author == self.me;
        let (direction, from_name) =
            if outgoing { (Direction::Out, &self.my_name) } else { (Direction::In, &self.peer_name) };
        let counters = self.conversation.senders.get(&row.author);
        let gap = counters.is_some_and(|counters| counters.is_missing(row.counter.saturating_sub(1)));
        let (kind, text, reply_to) = shown_content(row.body.decode());
        let expires_at = match row.vanishes.and_then(Vanishes::at) {
            Some(end) => Some(self.clock.shown_end(since(self.rows, self.clock, &row.id, end)?, end)),
            None => None,
        };
        Ok(Message {
            message_id: row.id,
            conversation: self.conversation.room.peer(),
            from: row.author,
            from_name: from_name.clone(),
            direction,
            kind,
            text,
            subject: row.subject,
            sent_at: row.sent_at,
            received_at: row.received_at,
            state,
            reply_to,
            edited: false,
            reactions: BTreeMap::new(),
            expires_at,
            #[cfg(feature = "api")]
            files: Vec::new(),
            gap,
        })
    }
}

/// The name to show for a contact, a blocked peer or who asks to be one; empty when there is none.
pub fn name(rows: &impl Rows, peer: &PeerId) -> Result<String, StoreError> {
    if let Some(row) = rows.get::<Peers>(&peer_key(peer))?.filter(PeerRow::is_listed) {
        return Ok(row.shown_name().to_owned());
    }
    Ok(rows.get::<Requests>(&peer_key(peer))?.map(|row| row.name).unwrap_or_default())
}

/// The name to show for a peer in conversations.
pub(super) fn name_of(rows: &impl Rows, peer: &PeerId) -> Result<String, StoreError> {
    Ok(rows.get::<Peers>(&peer_key(peer))?.map_or_else(String::new, |row| row.shown_name().to_owned()))
}

/// Kind, text and reply of a MIMI content; what is not text is named by its media type.
pub(super) fn shown_content(mimi: Result<MimiContent, ContentError>) -> (String, String, Option<MessageId>) {
    let Ok(mimi) = mimi else {
        return ("unknown".to_owned(), String::new(), None);
    };
    let (kind, text) = match (mimi.as_text(), &mimi.part.body) {
        (Some(text), _) => ("text".to_owned(), text.to_owned()),
        (None, Body::Null) => ("null".to_owned(), String::new()),
        (None, _) => (mimi.part.media_type().unwrap_or("multipart").to_owned(), String::new()),
    };
    (kind, text, mimi.in_reply_to)
}
