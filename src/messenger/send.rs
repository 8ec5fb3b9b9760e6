//! Writing: a message is queued durably; delivery is the business of `deliver`.

use crate::base::{MessageId, PeerId, RoomId, Tail, limits};
use crate::content;
use crate::content::mimi::{self, Bare, Expires, Vanishes};
use crate::crypto::hash::sha256;
use crate::identity::{IdentityKey, Mailbox};
use crate::store::Rows;

use super::command::{Answer, Draft, Hints, Refusal, SendCommand};
use super::link::Names;
use super::names::{check_length, check_name, note_name};
use super::outgoing::Happening;
use super::query;
use super::tables::{
    ClientIdQueue, ClientIdRow, ClientIds, Contact, ConversationRow, MessageRow, OutKind, PeerRow, client_id_key,
    numbered,
};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Queues a message.
    pub(super) fn send(&mut self, command: SendCommand) -> Step<Answer> {
        if let Some(done) = self.already_sent(&command)? {
            return Ok(done);
        }
        let life = command.draft.expires.map(|life| self.lifetime(life)).transpose()?;
        if command.to == self.my_id() {
            return self.note(command, life);
        }
        if self.mem.requests.iter().any(|pending| pending.peer == command.to) {
            // Accepting tells them who we are and where: that is nothing to happen by the way.
            if !command.accept {
                return Err(Refusal::RequestPending.into());
            }
            self.accept(command.to)?;
        }
        let mut peer = self.writable_peer(&command)?;
        self.apply_hints(&mut peer, &command.hints)?;
        self.check_reply(&peer.peer, command.draft.reply_to)?;
        if self.mem.out.of(&peer.peer).totals.messages as u64 >= limits::MAX_OUTBOX_PER_PEER {
            return Err(Refusal::OutboxFull.into());
        }
        // Whom one writes to may answer.
        self.welcome(&mut peer, String::new())?;
        let conversation = self.open_conversation(RoomId::direct(peer.peer))?;
        let number = self.queue(peer.peer, OutKind::Message(next_position(&conversation)))?;
        let names = self.names(peer.peer);
        let id = self.put_own(conversation, &names, number, life, command)?;
        self.put_peer(&peer)?;
        self.try_now(peer.peer);
        self.sent_answer(id)
    }

    /// Keeps a note to oneself: it goes nowhere, and is read as it is written.
    fn note(&mut self, command: SendCommand, life: Option<(Expires, Vanishes)>) -> Step<Answer> {
        let me = self.my_id();
        check_text(&command.draft)?;
        check_lengths(&command.draft, "the note", limits::MAX_TEXT)?;
        self.check_reply(&me, command.draft.reply_to)?;
        let conversation = self.open_conversation(RoomId::direct(me))?;
        let id = self.put_own(conversation, &Names::new(me, me), 0, life, command)?;
        self.sent_answer(id)
    }

    /// Gives up a message of which nobody else has anything, as far as is known.
    pub(super) fn cancel(&mut self, id: &MessageId) -> Step<Answer> {
        let index = self.index(id)?.ok_or(Refusal::NoMessage)?;
        let peer = index.room.peer();
        let number = index.outbox.ok_or(Refusal::NotQueued)?;
        let letter = self.mem.out.of(&peer).letters.get(&number).filter(|letter| !letter.may_be_there());
        letter.filter(|letter| letter.is_message()).ok_or(Refusal::NotQueued)?;
        self.touch(peer);
        self.happen(peer, number, Happening::GivenUp)?;
        self.sent_answer(*id)
    }

    /// Puts a message of ours into its conversation, and what a client calls it beside it. `outbox`: its number there; 0: none.
    fn put_own(
        &mut self,
        mut conversation: ConversationRow,
        names: &Names,
        outbox: u64,
        life: Option<(Expires, Vanishes)>,
        command: SendCommand,
    ) -> Step<MessageId> {
        conversation.sent_counter += 1;
        let mut salt = [0; 16];
        self.rng.fill_bytes(&mut salt);
        let draft = &command.draft;
        let mut content =
            mimi::text(salt, &names.me, &names.room, conversation.sent_counter, &draft.text, draft.reply_to);
        content.expires = life.map(|(wish, _)| wish);
        let body = content.encode();
        let id = content::message_id(&names.me, &names.room, &body, &salt);
        let position = next_position(&conversation);
        let client = command.client_id.clone().map(|id| (id, digest(&command, &salt)));
        let row = MessageRow {
            id,
            author: self.my_id(),
            sent_at: self.now.wall,
            received_at: None,
            counter: conversation.sent_counter,
            body: Bare::new(body, &names.ours),
            subject: command.draft.subject.filter(|s| !s.is_empty()),
            vanishes: life.map(|(_, own)| own),
            tail: Tail::new(),
        };
        self.add_message(&mut conversation, position, &row, Some(outbox))?;
        if let Some((client_id, digest)) = client {
            self.remember_client(&client_id, &ClientIdRow { message: id, digest })?;
        }
        Ok(id)
    }

    /// The answer that a client's ID already got.
    fn already_sent(&mut self, command: &SendCommand) -> Step<Option<Answer>> {
        let Some(client_id) = command.client_id.as_deref() else { return Ok(None) };
        check_length("the client ID", client_id.len(), limits::MAX_CLIENT_ID_LEN, "bytes")?;
        let Some(row) = self.buf.get::<ClientIds>(&client_id_key(client_id))? else { return Ok(None) };
        let Some((_, message)) = query::find(&*self.buf, &row.message)? else { return Err(Refusal::Gone.into()) };
        let salt = message.body.decode().map(|content| content.salt).unwrap_or_default();
        if digest(command, &salt) != row.digest {
            return Err(Refusal::ClientIdReused.into());
        }
        self.sent_answer(row.message).map(Some)
    }

    fn sent_answer(&self, id: MessageId) -> Step<Answer> {
        let view = query::message(&*self.buf, self.my_id(), &id, self.now.wall)?.ok_or(Refusal::Gone)?;
        Ok(Answer::Sent(Box::new(view)))
    }

    fn remember_client(&mut self, client_id: &String, row: &ClientIdRow) -> Step {
        self.buf.put::<ClientIds>(&client_id_key(client_id), row)?;
        let number = self.mem.next_client;
        self.mem.next_client += 1;
        self.buf.put::<ClientIdQueue>(&numbered(number), client_id)?;
        if let Some(old) = number.checked_sub(limits::MAX_CLIENT_IDS) {
            let key = numbered(old);
            if let Some(oldest) = self.buf.get::<ClientIdQueue>(&key)? {
                self.buf.delete::<ClientIds>(&client_id_key(&oldest));
                self.buf.delete::<ClientIdQueue>(&key);
            }
        }
        Ok(())
    }

    /// Checks the text against what this peer may be sent.
    fn writable_peer(&self, command: &SendCommand) -> Step<PeerRow> {
        check_text(&command.draft)?;
        let peer = self.known_or_new(command.to)?;
        if peer.blocked {
            return Err(Refusal::Blocked.into());
        }
        let (what, max) = if peer.accepted {
            ("the message", limits::MAX_TEXT)
        } else {
            ("a message to somebody who has not accepted yet", limits::MAX_REQUEST_TEXT)
        };
        check_lengths(&command.draft, what, max)?;
        Ok(peer)
    }

    /// The row of a peer, checked to be a sound key and not ourselves; new when there is none.
    pub(super) fn known_or_new(&self, id: PeerId) -> Step<PeerRow> {
        if id == self.my_id() {
            return Err(Refusal::Oneself.into());
        }
        if let Some(row) = self.peer(&id)? {
            return Ok(row);
        }
        // Who has a row was looked at when it was made.
        IdentityKey::from_peer_id(id).map_err(|_| Refusal::UnsoundPeer)?;
        Ok(PeerRow::new(id))
    }

    /// Takes over what a link says, as hints (ID-55).
    pub(super) fn apply_hints(&mut self, peer: &mut PeerRow, hints: &Hints) -> Step {
        if let Some(name) = &hints.name
            && peer.announced_name.is_empty()
        {
            match peer.contact {
                Some(_) => self.note_own_name(peer, Some(name))?,
                None => note_name(&mut peer.announced_name, Some(name)),
            }
        }
        if !hints.addrs.is_empty() {
            merge_addrs(&mut peer.addrs, &hints.addrs);
        }
        if hints.token.is_some() && hints.token != peer.token {
            peer.token.clone_from(&hints.token);
            // REQ-13: what he acknowledged may have been dropped for want of it, also when he had accepted us once.
            if !self.mem.out.of(&peer.peer).letters.is_empty() {
                self.come_again(peer.peer)?;
            }
        }
        if hints.mailboxes.is_empty() {
            return Ok(());
        }
        let hinted = hints.mailboxes.iter().take(limits::MAX_MAILBOXES).cloned().map(bounded_node).collect();
        self.change_reach(peer.peer, |reach| reach.hinted = hinted)
    }

    /// Makes a peer a contact if it is none; tells the node, whose lanes and rates depend on it.
    /// True when it was not one before.
    pub(super) fn make_contact(&mut self, peer: &mut PeerRow, own_name: String) -> Step<bool> {
        if peer.contact.is_some() {
            return Ok(false);
        }
        if self.mem.contacts >= limits::MAX_CONTACTS {
            return Err(Refusal::TooManyContacts.into());
        }
        self.mem.contacts += 1;
        if peer.known_as.is_empty() {
            peer.known_as.clone_from(&peer.announced_name);
        }
        peer.is_name_taken = false;
        peer.contact = Some(Contact { own_name, verified: false, added_at: self.now.wall });
        peer.declined_until = None;
        self.befriend(&peer.peer);
        Ok(true)
    }

    /// The same at the user's wish: whoever wrote to us before, and was not held, learns that he is accepted.
    pub(super) fn welcome(&mut self, peer: &mut PeerRow, own_name: String) -> Step<bool> {
        let has_written = peer.contact.is_none() && self.mem.strangers.values().any(|row| row.peer == peer.peer);
        let is_new = self.make_contact(peer, own_name)?;
        if is_new && has_written {
            self.say_accepted(peer.peer, Vec::new())?;
        }
        Ok(is_new)
    }

    fn check_reply(&self, peer: &PeerId, reply_to: Option<MessageId>) -> Step {
        let Some(id) = reply_to else { return Ok(()) };
        match self.index(&id)? {
            Some(index) if index.room.peer() == *peer => Ok(()),
            _ => Err(Refusal::NoMessage.into()),
        }
    }

    /// The user wants something sent: what was put off is tried at once.
    pub(super) fn try_now(&mut self, peer: PeerId) {
        let link = self.link(peer);
        link.retry_at = None;
        link.attempts = 0;
        (link.seek_at, link.seeks, link.look_at) = (None, 0, None);
        self.touch(peer);
    }
}

/// Where the next message stands.
const fn next_position(conversation: &ConversationRow) -> u64 {
    conversation.last.saturating_add(1)
}

/// Checks what is to be sent before anything is read for it.
fn check_text(draft: &Draft) -> Result<(), Refusal> {
    if draft.text.trim().is_empty() { Err(Refusal::EmptyText) } else { Ok(()) }
}

/// Checks what is to be sent, `what` it is, of so many bytes at most.
fn check_lengths(draft: &Draft, what: &'static str, max: usize) -> Result<(), Refusal> {
    check_length(what, draft.text.len(), max, "bytes")?;
    check_name("the subject", draft.subject.as_deref().unwrap_or_default())
}

/// What is kept of a command beside a client's ID. The salt is in the message alone, and is forgotten with it: nobody
/// can find out afterwards, by trying, what it said.
fn digest(command: &SendCommand, salt: &[u8; 16]) -> [u8; 32] {
    sha256(&[
        salt,
        command.to.key_bytes(),
        &sha256(&[command.draft.text.as_bytes()]),
        &sha256(&[command.draft.subject.as_deref().unwrap_or_default().as_bytes()]),
        &command.draft.expires.unwrap_or_default().0.to_be_bytes(),
        command.draft.reply_to.as_ref().map_or(&[][..], |id| id.as_bytes()),
    ])
}

/// A node with no more and no longer addresses than one may have.
pub(super) fn bounded_node(mut node: Mailbox) -> Mailbox {
    node.addrs.retain(|addr| addr.len() <= limits::MAX_ADDR_LEN && addr.starts_with('/'));
    node.addrs.truncate(limits::MAX_ADDRS);
    node
}

/// Newest first, each once, bounded.
pub(super) fn merge_addrs(known: &mut Vec<String>, fresh: &[String]) {
    let mut all: Vec<String> =
        fresh.iter().filter(|a| a.len() <= limits::MAX_ADDR_LEN).take(limits::MAX_ADDRS).cloned().collect();
    for old in known.drain(..) {
        if !all.contains(&old) {
            all.push(old);
        }
    }
    all.truncate(limits::MAX_PEER_ADDRS);
    *known = all;
}
