//! The events of the log. Each is defined here, once: what it is called and what it says. Who takes the definitions makes an
//! enum of them: here of what is stored, in `api` of what is shown.

use serde::{Deserialize, Serialize};

use super::ids::{MessageId, PeerId};
use super::time::WallTime;
use super::words::{MessageEnd, RequestEnd, State};

/// Hands all events to the macro of this name, in the order in which rows number them: a new one comes at the end. Behind
/// the `+` stands what is not stored but looked up when it is told, and by which field.
macro_rules! events {
    ($with:ident) => {
        $with! {
            /// A message was added to a conversation, in or out.
            MessageNew = "message.new" {
                /// The conversation.
                conversation: PeerId,
                /// Which message.
                message_id: MessageId,
            } + {
                /// The message as it is now; `null` when it is gone since.
                message: Option<Box<Message>> = message_id,
                /// The name to show for the other side (may be empty).
                name: String = conversation,
            }
            /// A message has come further.
            MessageState = "message.state" {
                /// The conversation.
                conversation: PeerId,
                /// Which message.
                message_id: MessageId,
                /// How far it has come.
                state: State,
            } + {
                /// The name to show for the other side (may be empty).
                name: String = conversation,
                /// The digits of the message's ID that people are shown, and type.
                short_id: String = message_id,
            }
            /// A message is gone, and its key with it.
            MessageDeleted = "message.deleted" {
                /// The conversation.
                conversation: PeerId,
                /// Which message.
                message_id: MessageId,
                /// Why.
                reason: MessageEnd,
                /// How far it had come: one of our own below `delivered` will not arrive any more, unless it was `sent`.
                state: State,
            } + {
                /// The name to show for the other side (may be empty).
                name: String = conversation,
            }
            /// A conversation was deleted by us, with all its messages.
            ConversationDeleted = "conversation.deleted" {
                /// The conversation.
                conversation: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = conversation,
            }
            /// A request waits; told for its first message only.
            RequestNew = "request.new" {
                /// Who asks.
                peer_id: PeerId,
            } + {
                /// The request as it is now; `null` when it is no longer pending.
                request: Option<Box<Request>> = peer_id,
            }
            /// A request is no longer pending.
            RequestClosed = "request.closed" {
                /// Who asked.
                peer_id: PeerId,
                /// How it ended.
                reason: RequestEnd,
            } + {}
            /// Somebody became a contact: by us, or by accepting our request.
            ContactAdded = "contact.added" {
                /// Who.
                peer_id: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = peer_id,
            }
            /// The key of a contact changed, or a verified mark was dropped.
            ContactKeyChanged = "contact.key_changed" {
                /// Who.
                peer_id: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = peer_id,
            }
            /// A contact's node is connected. Of one contact that he has come or gone is told once in 10 s at most: the first change at once, and what holds 10 s later if it is not what was told.
            PeerOnline = "peer.online" {
                /// Who.
                peer_id: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = peer_id,
            }
            /// A contact's node is no longer connected; in the same pace.
            PeerOffline = "peer.offline" {
                /// Who.
                peer_id: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = peer_id,
            }
            /// The profile was recovered from a damaged store: events before this one, and what they were about, may be missing.
            Recovered = "profile.recovered" {} + {}
            /// As much is kept of a contact's messages as may be: no more are taken until some are deleted, or the quota is raised.
            ContactFull = "contact.full" {
                /// Who.
                peer_id: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = peer_id,
            }
            /// A contact card of this identity was found that this profile did not make: another node runs under it, or this is an old copy that was put back.
            ProfileElsewhere = "profile.elsewhere" {
                /// When the card was issued.
                issued: WallTime,
                /// Whether that was while this node ran: then there is another one.
                running: bool,
            } + {}
            /// A contact calls himself otherwise than before. He is shown under the old name until the user takes the new one over.
            ContactRenamed = "contact.renamed" {
                /// Who.
                peer_id: PeerId,
            } + {
                /// The name to show (may be empty).
                name: String = peer_id,
                /// What he calls himself by now, if that is not the name to show and we gave him none.
                calls_himself: Option<String> = peer_id,
            }
        }
    };
}
#[cfg(feature = "api")]
pub(crate) use events;

macro_rules! stored {
    ($( $(#[$about:meta])+ $variant:ident = $word:literal {
        $( $(#[$what:meta])+ $field:ident : $ty:ty, )*
    } + { $($looked_up:tt)* } )*) => {
        /// What happened: holds IDs, never text.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum EventKind {
            $( $(#[$about])+ $variant { $( $(#[$what])+ $field: $ty, )* }, )*
        }
    };
}
events!(stored);

/// One entry of the durable event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place; grows by one.
    pub seq: u64,
    /// When.
    pub at: WallTime,
    /// What.
    pub kind: EventKind,
}
