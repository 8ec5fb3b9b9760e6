//! Messages, as they are shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::shown::{Message, OTHER, UNREADABLE};
use crate::base::words::{Direction, State};
use crate::base::{MessageId, PeerId, RoomId, WallTime, limits};
use crate::content::mimi::{Act, Body, Vanishes};
use crate::content::{ContentError, MimiContent};
use crate::messenger::clock::ClockRow;
use crate::messenger::memory::number;
use crate::messenger::tables::{
    ConversationRow, Conversations, IndexRow, Late, MessageIndex, MessageRow, Messages, OutKind, OutRow, Outbox,
    PeerRow, Peers, Profile, Reaches, Requests, States, Timed, index_key, indexed, kept_of, message_key, outbox_key,
    peer_key, room_key, timed_key,
};
use crate::store::{RowKey, Rows, Scan, StoreError};

use super::clocks::clock;
use super::short::short_id;

/// The last `n` messages of a conversation before another one, oldest first.
pub fn history(
    rows: &impl Rows,
    me: PeerId,
    peer: &PeerId,
    before: Option<&MessageId>,
    n: usize,
    wall: WallTime,
) -> Result<Vec<Message>, StoreError> {
    let Some(conversation) = conversation(rows, RoomId::direct(*peer))? else { return Ok(Vec::new()) };
    let clock = clock(rows, wall)?;
    let before = before.map(|id| rows.get::<MessageIndex>(&index_key(id))).transpose()?.flatten();
    let before = before.map(|index| index.position);
    let found = last(rows, &conversation, &clock, before, n.min(limits::MAX_PAGE))?;
    Shown::open(rows, me, conversation, &clock)?.all(found)
}

/// A conversation; of one whose row does not open, what the others say of it.
pub(super) fn conversation(rows: &impl Rows, room: RoomId) -> Result<Option<ConversationRow>, StoreError> {
    match rows.get::<Conversations>(&room_key(&room)) {
        Err(StoreError::Damaged { .. }) => Ok(Some(ConversationRow::new(room, 0))),
        read => read,
    }
}

/// So many are looked at to know about when a message was that does not open.
const NEIGHBOURS: usize = 8;

/// A message and its place; `None`: its row does not open.
type Place = (u64, Option<MessageRow>);

/// The last messages of a conversation, before a place if one is given, the last first: of those that are to be seen. What
/// does not open is among them.
fn last(
    rows: &impl Rows,
    conversation: &ConversationRow,
    clock: &ClockRow,
    mut before: Option<u64>,
    n: usize,
) -> Result<Vec<Place>, StoreError> {
    let mut found = Vec::new();
    while found.len() < n {
        let mut page = kept_of(conversation).reverse().limit(n);
        if let Some(before) = before {
            page = page.to(before);
        }
        let page = rows.scan_all::<Messages>(&page)?;
        let is_last = page.len() < n;
        for (key, row) in page {
            let position = number(&key).unwrap_or_default();
            before = Some(position);
            let hidden = row.as_ref().map(|row| is_hidden(rows, clock, &row.id, row.vanishes)).transpose()?;
            if found.len() < n && hidden != Some(true) {
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
    Ok(rows.get_sound::<Timed>(&timed_key(end.0, id))?.map_or(end, |row| row.since))
}

/// How many unread messages of each conversation are not to be seen any more, and still count in its row.
pub(super) fn hidden_unread(
    rows: &impl Rows,
    me: PeerId,
    clock: &ClockRow,
) -> Result<BTreeMap<RoomId, u64>, StoreError> {
    let mut hidden = BTreeMap::new();
    for (_, row) in rows.scan_sound::<Timed>(&Scan::all().to(clock.time.0.saturating_add(1)))?.0 {
        let Some(position) = row.position else { continue };
        if clock.hidden_from(row.since, WallTime(row.at)) > clock.time {
            continue;
        }
        let message = rows.get_sound::<Messages>(&message_key(&row.room, position))?;
        let conversation = conversation(rows, row.room)?;
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
    let mut last = last(rows, &conversation, clock, None, 1)?;
    if last.iter().any(|(_, row)| row.is_none()) {
        // When about it was is said by its neighbours.
        last = self::last(rows, &conversation, clock, None, NEIGHBOURS)?;
    }
    Ok(Shown::open(rows, me, conversation, clock)?.all(last)?.pop())
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
        return Ok(if unread && !message.is_other() { State::Received } else { State::Read });
    }
    // A note to oneself goes nowhere.
    if conversation.room.peer() == me {
        return Ok(State::Read);
    }
    match rows.get::<States>(&key) {
        // It has come that far at least.
        Err(StoreError::Damaged { .. }) => return Ok(State::Sent),
        found => {
            if let Some(state) = found?.and_then(|row| row.state(0)) {
                return Ok(state);
            }
        }
    }
    let index = rows.get_sound::<MessageIndex>(&index_key(&message.id))?;
    let row = index.map(|index| waiting(rows, &index)).transpose()?.flatten();
    Ok(match row.map(|row| Ok::<_, StoreError>(row.way_now(anew(rows, &conversation.room.peer())?))).transpose()? {
        Some(way) if way.sent || !way.held.is_empty() => State::Sent,
        _ => State::Queued,
    })
}

/// How often everything that waits for a peer has begun anew.
pub(super) fn anew(rows: &impl Rows, peer: &PeerId) -> Result<u64, StoreError> {
    Ok(rows.get_sound::<Reaches>(&peer_key(peer))?.map_or(0, |row| row.anew))
}

/// The row in the outbox of an own message.
pub(in crate::messenger) fn waiting(rows: &impl Rows, index: &IndexRow) -> Result<Option<OutRow>, StoreError> {
    let Some(number) = index.outbox else { return Ok(None) };
    let row = rows.get_sound::<Outbox>(&outbox_key(&index.room.peer(), number))?;
    // Numbers begin anew when there are no rows.
    Ok(row.filter(|row| row.kind == OutKind::Message(index.position)))
}

/// What is shown beside every message of a conversation.
struct Shown<'a, R> {
    rows: &'a R,
    me: PeerId,
    my_name: String,
    peer_name: String,
    calls_himself: Option<String>,
    conversation: ConversationRow,
    clock: &'a ClockRow,
}

impl<'a, R: Rows> Shown<'a, R> {
    fn open(rows: &'a R, me: PeerId, conversation: ConversationRow, clock: &'a ClockRow) -> Result<Self, StoreError> {
        let my_name = rows.get_sound::<Profile>(&RowKey::new())?.map_or_else(String::new, |profile| profile.name);
        let peer = rows.get_sound::<Peers>(&peer_key(&conversation.room.peer()))?;
        let peer_name = peer.as_ref().map_or_else(String::new, |row| row.shown_name().to_owned());
        let calls_himself = peer.as_ref().and_then(PeerRow::calls_himself).map(str::to_owned);
        Ok(Self { rows, me, my_name, peer_name, calls_himself, conversation, clock })
    }

    /// A page of messages, the newest first; as they are shown, the oldest first.
    fn all(&self, mut page: Vec<Place>) -> Result<Vec<Message>, StoreError> {
        page.reverse();
        let lost = page.iter().filter(|(_, row)| row.is_none()).map(|(position, _)| *position).collect();
        let mut known = self.ids_of(lost)?;
        // When it was written nobody knows: about when its neighbour was.
        let mut near = page.iter().find_map(|(_, row)| row.as_ref()).map_or(WallTime(0), |row| row.sent_at);
        let mut shown = Vec::with_capacity(page.len());
        for (position, row) in page {
            near = row.as_ref().map_or(near, |row| row.sent_at);
            shown.push(match row {
                Some(row) => self.view(position, row)?,
                None => self.unreadable(position, known.remove(&position), near)?,
            });
        }
        Ok(shown)
    }

    /// The IDs of messages whose rows do not open, as the index has them: for the few that there are it is read from one end to the
    /// other.
    fn ids_of(&self, mut places: BTreeSet<u64>) -> Result<BTreeMap<u64, (MessageId, IndexRow)>, StoreError> {
        let (mut found, mut scan) = (BTreeMap::new(), Scan::all().limit(limits::MAX_PAGE));
        while !places.is_empty() {
            let page = self.rows.scan_sound::<MessageIndex>(&scan)?.0;
            let Some((last, _)) = page.last() else { break };
            scan = Scan::all().after_bytes(last).limit(limits::MAX_PAGE);
            for (key, row) in page {
                if row.room == self.conversation.room
                    && let Some(id) = indexed(&key)
                    && places.remove(&row.position)
                {
                    found.insert(row.position, (id, row));
                }
            }
        }
        Ok(found)
    }

    /// What is shown in the place of a message whose row does not open.
    fn unreadable(
        &self,
        position: u64,
        index: Option<(MessageId, IndexRow)>,
        near: WallTime,
    ) -> Result<Message, StoreError> {
        let key = message_key(&self.conversation.room, position);
        let peer = self.conversation.room.peer();
        let outgoing =
            index.as_ref().is_some_and(|(_, row)| row.outbox.is_some()) || self.rows.contains::<States>(&key)?;
        let is_read = position <= self.conversation.read;
        let (direction, from, from_name, state) = match (outgoing, is_read) {
            (true, _) if peer == self.me => (Direction::Out, self.me, &self.my_name, State::Read),
            (true, _) => (Direction::Out, self.me, &self.my_name, State::Sent),
            (false, true) => (Direction::In, peer, &self.peer_name, State::Read),
            (false, false) => (Direction::In, peer, &self.peer_name, State::Received),
        };
        Ok(Message {
            short_id: index.as_ref().map(|(id, _)| short_id(self.rows, id)).transpose()?.unwrap_or_default(),
            message_id: index.map_or(MessageId::new([0; 32]), |(id, _)| id),
            conversation: peer,
            from,
            from_name: from_name.clone(),
            calls_himself: self.calls_himself.clone().filter(|_| direction == Direction::In),
            direction,
            kind: UNREADABLE.to_owned(),
            text: String::new(),
            subject: None,
            sent_at: near,
            received_at: None,
            state,
            reply_to: None,
            edited: false,
            reactions: BTreeMap::new(),
            expires_at: None,
            #[cfg(feature = "api")]
            files: Vec::new(),
            gap: false,
        })
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
            short_id: short_id(self.rows, &row.id)?,
            message_id: row.id,
            conversation: self.conversation.room.peer(),
            from: row.author,
            from_name: from_name.clone(),
            calls_himself: self.calls_himself.clone().filter(|_| direction == Direction::In),
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
    if let Some(row) = rows.get_sound::<Peers>(&peer_key(peer))?.filter(PeerRow::is_listed) {
        return Ok(row.shown_name().to_owned());
    }
    Ok(rows.get_sound::<Requests>(&peer_key(peer))?.map(|row| row.name).unwrap_or_default())
}

/// Whether a peer is shown under a name that we gave.
pub fn is_named(rows: &impl Rows, peer: &PeerId) -> Result<bool, StoreError> {
    Ok(rows.get_sound::<Peers>(&peer_key(peer))?.is_some_and(|row| !row.given_name().is_empty()))
}

/// What a contact calls himself by now, if that is another name than the one under which he is shown.
pub fn calls_himself(rows: &impl Rows, peer: &PeerId) -> Result<Option<String>, StoreError> {
    let row = rows.get_sound::<Peers>(&peer_key(peer))?;
    Ok(row.and_then(|row| row.calls_himself().map(str::to_owned)))
}

/// The name to show for a peer in conversations.
pub(super) fn name_of(rows: &impl Rows, peer: &PeerId) -> Result<String, StoreError> {
    Ok(rows.get_sound::<Peers>(&peer_key(peer))?.map_or_else(String::new, |row| row.shown_name().to_owned()))
}

/// Kind, text and reply of a MIMI content; what is not text is named by its media type.
pub(super) fn shown_content(mimi: Result<MimiContent, ContentError>) -> (String, String, Option<MessageId>) {
    let Ok(mimi) = mimi else {
        return ("unknown".to_owned(), String::new(), None);
    };
    if !matches!(mimi.act(), Act::Post) {
        return (OTHER.to_owned(), String::new(), mimi.in_reply_to);
    }
    let (kind, text) = match (mimi.as_text(), &mimi.part.body) {
        (Some(text), _) => ("text".to_owned(), text.to_owned()),
        (None, Body::Null) => ("null".to_owned(), String::new()),
        (None, _) => (mimi.part.media_type().unwrap_or("multipart").to_owned(), String::new()),
    };
    (kind, text, mimi.in_reply_to)
}
