//! What the messenger shows, in the types of `api`.

use std::collections::HashMap;

use crate::api;
use crate::base::event::Event;
use crate::base::{MessageId, PeerId, limits};
use crate::identity::Link;
use crate::messenger::{query, view};
use crate::store::{Reader, StoreError};

/// The identity and its link. Without a node the addresses are those it last listened on, which the link says too.
pub(crate) fn identity(identity: &view::IdentityView, listening: Vec<String>) -> api::Identity {
    let link = Link {
        peer: identity.peer,
        name: Some(identity.name.clone()).filter(|name| !name.is_empty()),
        addrs: identity.addrs.iter().take(limits::MAX_ADDRS).cloned().collect(),
        token: Some(identity.token.clone()),
        mailboxes: identity.mailboxes.clone(),
    };
    api::Identity { peer_id: identity.peer, name: identity.name.clone(), link: link.to_string(), addrs: listening }
}

pub(crate) fn message(message: view::MessageView) -> api::Message {
    api::Message {
        message_id: message.message_id,
        conversation: message.conversation,
        from: message.from,
        from_name: message.from_name,
        direction: message.direction,
        kind: message.kind,
        text: message.text,
        subject: message.subject,
        sent_at: message.sent_at,
        received_at: message.received_at,
        state: message.state,
        reply_to: message.reply_to,
        edited: message.edited,
        reactions: message.reactions,
        expires_at: message.expires_at,
        files: Vec::new(),
        gap: message.gap,
    }
}

pub(crate) fn sent(message: &api::Message, client_id: Option<String>) -> api::Sent {
    api::Sent {
        message_id: message.message_id,
        conversation: message.conversation,
        to: message.conversation,
        state: message.state,
        client_id,
        missing: None,
    }
}

pub(crate) fn conversation(conversation: view::ConversationView) -> api::Conversation {
    api::Conversation {
        conversation: conversation.peer,
        kind: api::ConversationKind::Direct,
        name: conversation.name,
        peer_id: conversation.peer,
        unread: conversation.unread,
        last: conversation.last.map(message),
    }
}

pub(crate) fn request(request: view::RequestView) -> api::Request {
    api::Request {
        peer_id: request.peer,
        name: request.name,
        subject: request.subject,
        text: request.text,
        received_at: request.received_at,
        messages: request.messages,
        invited: request.invited,
        kind: api::ConversationKind::Direct,
    }
}

pub(crate) fn contact(contact: view::ContactView) -> api::Contact {
    api::Contact {
        peer_id: contact.peer,
        name: contact.name,
        announced_name: contact.announced_name,
        verified: contact.verified,
        blocked: contact.blocked,
        contact: contact.contact,
        added_at: contact.contact.then_some(contact.added_at),
        safety_number: Some(contact.safety_number).filter(|number| !number.is_empty()),
    }
}

/// The names of known peers, read when the first one is asked for.
pub(crate) struct Names<'r> {
    reader: &'r Reader,
    me: PeerId,
    known: Option<HashMap<PeerId, String>>,
}

impl<'r> Names<'r> {
    pub(crate) const fn new(reader: &'r Reader, me: PeerId) -> Self {
        Self { reader, me, known: None }
    }

    /// The name to show; empty when there is none.
    pub(crate) fn of(&mut self, peer: &PeerId) -> Result<String, StoreError> {
        if self.known.is_none() {
            let requests = query::requests(self.reader)?.into_iter().map(|request| (request.peer, request.name));
            let contacts =
                query::contacts(self.reader, self.me)?.into_iter().map(|contact| (contact.peer, contact.name));
            self.known = Some(requests.chain(contacts).collect());
        }
        Ok(self.known.as_ref().and_then(|known| known.get(peer)).cloned().unwrap_or_default())
    }
}

/// An event as a client sees it: the log holds IDs, what they mean is looked up now.
pub(crate) fn event(names: &mut Names<'_>, event: Event) -> Result<api::Event, StoreError> {
    Ok(api::Event { seq: event.seq, at: event.at, kind: api::EventKind::told(event.kind, names)? })
}

impl api::LookUp for Names<'_> {
    type Error = StoreError;

    fn message(&mut self, id: &MessageId) -> Result<Option<Box<api::Message>>, StoreError> {
        Ok(query::message(self.reader, self.me, id)?.map(|found| Box::new(message(found))))
    }

    fn request(&mut self, peer: &PeerId) -> Result<Option<Box<api::Request>>, StoreError> {
        Ok(query::request(self.reader, peer)?.map(|(found, _)| Box::new(request(found))))
    }

    fn name(&mut self, peer: &PeerId) -> Result<String, StoreError> {
        self.of(peer)
    }
}
