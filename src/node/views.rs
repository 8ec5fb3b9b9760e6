//! What the messenger shows, in the types of `api`.

use crate::api;
use crate::base::event::{Event, EventKind, events};
use crate::base::{MessageId, PeerId};
use crate::identity::Link;
use crate::messenger::query;
use crate::node::clock::Clock;
use crate::store::{Reader, StoreError};

/// The identity and its link. Without a node the link says where it last listened.
pub(crate) fn identity(link: Link, listening: Vec<String>, params: api::LinkParams) -> api::Identity {
    let (shown, left_out) = match params.longest {
        _ if params.short => (link.short(), Vec::new()),
        Some(longest) => link.within(usize::try_from(longest).unwrap_or(usize::MAX)),
        None => (link.clone(), Vec::new()),
    };
    let text = shown.to_string();
    api::Identity { peer_id: link.peer, name: link.name.unwrap_or_default(), link: text, left_out, addrs: listening }
}

pub(crate) fn sent(message: &api::Message, client_id: Option<String>) -> api::Sent {
    api::Sent {
        message_id: message.message_id,
        short_id: message.short_id.clone(),
        conversation: message.conversation,
        to: message.conversation,
        name: None,
        state: message.state,
        client_id,
        missing: None,
        shut_out: false,
        oneself: false,
        unfollowed: None,
    }
}

/// An event as a client sees it: the log holds IDs, what they mean is looked up now.
pub(crate) fn event(reader: &Reader, me: PeerId, event: &Event) -> Result<api::Event, StoreError> {
    macro_rules! told {
        ($( $(#[$about:meta])+ $variant:ident = $word:literal {
            $( $(#[$what:meta])+ $field:ident : $ty:ty, )*
        } + {
            $( $(#[$more:meta])+ $added:ident : $aty:ty = $of:ident, )*
        } )*) => {
            match event.kind {
                $( EventKind::$variant { $($field,)* } => {
                    api::EventKind::$variant { $( $added: $added(reader, me, &$of)?, )* $($field,)* }
                } )*
            }
        };
    }
    Ok(api::Event::new(event.seq, event.at, events!(told)))
}

fn message(reader: &Reader, me: PeerId, id: &MessageId) -> Result<Option<Box<api::Message>>, StoreError> {
    Ok(query::message(reader, me, id, Clock::wall())?.map(Box::new))
}

fn short_id(reader: &Reader, _: PeerId, id: &MessageId) -> Result<String, StoreError> {
    query::short_id(reader, id)
}

fn request(reader: &Reader, _: PeerId, peer: &PeerId) -> Result<Option<Box<api::Request>>, StoreError> {
    Ok(query::request(reader, peer, Clock::wall())?.map(|(found, _)| Box::new(found)))
}

fn name(reader: &Reader, _: PeerId, peer: &PeerId) -> Result<String, StoreError> {
    query::name(reader, peer)
}

fn calls_himself(reader: &Reader, _: PeerId, peer: &PeerId) -> Result<Option<String>, StoreError> {
    query::calls_himself(reader, peer)
}
