//! The table of methods: the dispatcher, the client's typed calls and the documentation are made from it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ApiError, Code};
use super::event::EventPage;
use super::health::Diagnosis;
use super::params::*;
use super::types::*;
use crate::base::shown::{Contact, Conversation, Mailbox, Message, Request};

/// A method and its types: `client.ask::<method::Inbox>(&InboxParams::default())`.
pub trait Rpc {
    /// Its name.
    const NAME: &'static str;
    /// What it takes.
    type Params: Serialize + DeserializeOwned + JsonSchema;
    /// What it gives.
    type Result: Serialize + DeserializeOwned + JsonSchema;
}

/// One entry of the table.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The schema of what it takes.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of what it gives.
    pub result: fn(&mut SchemaGenerator) -> Schema,
    /// The errors of its own, besides those that every method can give.
    pub errors: &'static [Code],
}

macro_rules! methods {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal ($params:ty) -> $result:ty, [$($error:ident),*]; )*) => {
        /// A question or command that was understood: method and checked parameters.
        #[derive(Clone, Debug)]
        pub enum Call { $( $(#[doc = $doc])+ $variant($params), )* }

        impl Call {
            /// Understands a request.
            ///
            /// # Errors
            /// `unknown_method` and `invalid_params`.
            pub fn parse(method: &str, params: Option<Value>) -> Result<Self, ApiError> {
                match method {
                    $( $name => Ok(Self::$variant(understand(params)?)), )*
                    _ => Err(ApiError::new(Code::UnknownMethod, format!("there is no method '{method}'"))),
                }
            }

            /// The name of the method.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $name, )* }
            }
        }

        /// Every method.
        pub const METHODS: &[Method] = &[ $( Method {
            name: $name,
            about: concat!($($doc),+),
            params: SchemaGenerator::subschema_for::<$params>,
            result: SchemaGenerator::subschema_for::<$result>,
            errors: &[$(Code::$error),*],
        }, )* ];

        /// A type for each method, for typed calls.
        pub mod method {
            use super::*;
            $(
                $(#[doc = $doc])+
                #[derive(Clone, Copy, Debug)]
                pub struct $variant;

                impl Rpc for $variant {
                    const NAME: &'static str = $name;
                    type Params = $params;
                    type Result = $result;
                }
            )*
        }
    };
}

methods! {
    /// Shows the own identity: peer ID, name, shareable link and addresses.
    IdShow = "id.show" (LinkParams) -> Identity, [];
    /// Sets the own display name.
    IdName = "id.name" (NameParams) -> Identity, [TooLong, ControlCharacters];
    /// Makes a new request token: links given out before are no longer invitations.
    IdRotate = "id.rotate" (NoParams) -> Identity, [];

    /// Queues a message durably, and waits for its delivery if asked to. One to oneself is a note, goes nowhere, and is *read*.
    Send = "send" (SendParams) -> Sent, [NotFound, Ambiguous, BadLink, EmptyText, TooLong, ControlCharacters, UnsoundPeer, Blocked, RequestPending, NoMessage, ClientIdReused, MessageGone, OutboxFull];
    /// Queues a reply to a message, in the conversation of that message.
    Reply = "reply" (ReplyParams) -> Sent, [Ambiguous, EmptyText, TooLong, Blocked, RequestPending, NoMessage, ClientIdReused, MessageGone, OutboxFull];
    /// Shows one message, and waits until it has come so far if asked to.
    MessageShow = "message" (MessageParams) -> Message, [NoMessage, Ambiguous, MessageGone];
    /// Gives a message up that is still queued: it stays as *undelivered*. What goes out at this moment, or is with them or a mailbox of theirs, cannot be cancelled; what may have been lost on the way can, and if it was not, *delivered* follows.
    MessageCancel = "message.cancel" (CancelParams) -> Message, [NoMessage, Ambiguous, NotQueued];
    /// Lists the conversations, newest first.
    Inbox = "inbox" (InboxParams) -> Vec<Conversation>, [];
    /// Lists messages of a conversation, oldest first.
    History = "history" (HistoryParams) -> Vec<Message>, [NotFound, Ambiguous, BadLink, NoMessage];
    /// Marks a conversation as read.
    Read = "read" (ReadParams) -> ReadCount, [NotFound, Ambiguous, BadLink, NoMessage];

    /// Deletes a conversation for good: its messages, and what waits to be sent of them. The contact stays.
    ConversationDelete = "conversation.delete" (Who) -> DeletedConversation, [NotFound, Ambiguous, BadLink, NoConversation];

    /// Lists the pending requests.
    RequestsList = "requests.list" (NoParams) -> Vec<Request>, [];
    /// Shows a pending request with all of its messages.
    RequestsShow = "requests.show" (Who) -> RequestDetail, [NotFound, Ambiguous, BadLink, NoRequest];
    /// Accepts a pending request: its sender becomes a contact, its messages move to the inbox.
    RequestsAccept = "requests.accept" (Who) -> Contact, [NotFound, Ambiguous, BadLink, NoRequest, TooManyContacts];
    /// Drops a pending request, and quietly those of the next 30 days.
    RequestsDecline = "requests.decline" (Who) -> Resolved, [NotFound, Ambiguous, BadLink, NoRequest];
    /// Drops a pending request and blocks its sender.
    RequestsBlock = "requests.block" (Who) -> Resolved, [NotFound, Ambiguous, BadLink, NoRequest];
    /// Shows who may write to us.
    PolicyShow = "policy.show" (NoParams) -> PolicyState, [];
    /// Sets who may write to us.
    PolicySet = "policy.set" (PolicyParams) -> PolicyState, [];

    /// Lists contacts, and blocked peers.
    ContactsList = "contacts.list" (NoParams) -> Vec<Contact>, [];
    /// Makes somebody a contact.
    ContactsAdd = "contacts.add" (AddContact) -> Contact, [NotFound, Ambiguous, BadLink, TooLong, ControlCharacters, OddName, Oneself, UnsoundPeer, Blocked, TooManyContacts];
    /// Shows a contact with the common safety number.
    ContactsShow = "contacts.show" (Who) -> Contact, [NotFound, Ambiguous, BadLink, NotAContact];
    /// Gives a contact a name of our own, or takes over the one that they announce by now.
    ContactsRename = "contacts.rename" (RenameParams) -> Contact, [NotFound, Ambiguous, BadLink, NotAContact, TooLong, ControlCharacters, OddName];
    /// Compares the safety number and marks the contact as verified.
    ContactsVerify = "contacts.verify" (VerifyParams) -> Contact, [NotFound, Ambiguous, BadLink, NotAContact, WrongNumber, MalformedNumber];
    /// Sets how much of a contact's messages is kept at most.
    ContactsSet = "contacts.set" (SetContact) -> Contact, [NotFound, Ambiguous, BadLink, NotAContact, InvalidParams];
    /// Blocks a peer: nothing of theirs is kept from now on.
    ContactsBlock = "contacts.block" (Who) -> Resolved, [NotFound, Ambiguous, BadLink, Oneself];
    /// Undoes a block.
    ContactsUnblock = "contacts.unblock" (Who) -> Resolved, [NotFound, Ambiguous, BadLink, NotAContact];
    /// Forgets a contact: what they write is a request again. The conversation stays.
    ContactsRemove = "contacts.remove" (Who) -> Resolved, [NotFound, Ambiguous, BadLink, NotAContact];

    /// Says whom a name, a link, a peer ID or the end of one means, and whether a request of theirs is pending.
    Resolve = "resolve" (Who) -> Found, [NotFound, Ambiguous, BadLink];
    /// Shows what the node does.
    StatusShow = "status" (NoParams) -> Status, [];
    /// Looks at folder, key file, store, snapshots, disk, clock, socket and network, or at the ways to one peer, and says how to mend what is wrong.
    Doctor = "doctor" (DoctorParams) -> Diagnosis, [NotFound, Ambiguous, BadLink, Oneself];
    /// Says that the wall clock is right: what has passed by it has passed, and deadlines follow it from now on.
    ClockConfirm = "clock.confirm" (NoParams) -> ClockState, [];
    /// Lists the connected peers, and those by whom the node would find the network again.
    Peers = "peers" (NoParams) -> Vec<Peer>, [];
    /// Lists our mailboxes: where messages wait for us while no node of ours runs.
    MailboxList = "mailbox.list" (NoParams) -> Vec<Mailbox>, [];
    /// Asks the network for mailboxes that serve everybody. None is used because it was found.
    MailboxFind = "mailbox.find" (NoParams) -> Vec<OpenMailbox>, [NodeNeeded];
    /// Has a node keep a mailbox for us, one of at most three. Messages wait there once its state is `in_use`.
    MailboxUse = "mailbox.use" (MailboxParams) -> Mailbox, [NotFound, Ambiguous, BadAddress, Oneself, UnsoundPeer, TooManyMailboxes];
    /// Leaves a mailbox: what still waits there is fetched first, if it answers.
    MailboxDrop = "mailbox.drop" (Who) -> Resolved, [NotFound, Ambiguous, BadLink, NoMailbox];
    /// Reads events of the log behind a cursor.
    Events = "events" (EventsParams) -> EventPage, [WrongCursor];
    /// Subscribes this connection: every event behind the cursor comes as a notification `event`. A second call replaces the first.
    Listen = "listen" (ListenParams) -> Listening, [WrongCursor];
    /// Gives the OpenRPC document of this interface.
    Discover = "rpc.discover" (NoParams) -> Document, [];
    /// Answers at once, whatever the node does otherwise, and says by the nonce beside the profile's lock which profile it serves.
    Ping = "ping" (NoParams) -> Pong, [NodeNeeded];
    /// Ends the node.
    Stop = "stop" (NoParams) -> Stopping, [NodeNeeded];
}

/// Missing parameters are none; positions are in the order of the documentation.
fn understand<P: DeserializeOwned>(params: Option<Value>) -> Result<P, ApiError> {
    let params = params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    serde_json::from_value(params).map_err(|e| ApiError::new(Code::InvalidParams, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_go_by_name_or_by_position() {
        let by_name = Call::parse("send", Some(json!({"to": "bob", "text": "hi"}))).unwrap();
        let by_place = Call::parse("send", Some(json!(["bob", "hi"]))).unwrap();
        assert_eq!(format!("{by_name:?}"), format!("{by_place:?}"));
        assert!(Call::parse("status", None).is_ok());
        assert!(Call::parse("status", Some(json!([]))).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (method, params, code) in [
            ("nonsense", json!({}), Code::UnknownMethod),
            ("Send", json!({}), Code::UnknownMethod),
            ("send", json!({"to": "bob"}), Code::InvalidParams),
            ("send", json!({"to": "bob", "text": "hi", "txt": 1}), Code::InvalidParams),
            ("send", json!({"to": "bob", "text": 7}), Code::InvalidParams),
            ("send", json!({"to": "bob", "text": "hi", "wait": "seen"}), Code::InvalidParams),
            ("status", json!([1]), Code::InvalidParams),
            ("policy.set", json!({"policy": "everybody"}), Code::InvalidParams),
        ] {
            let error = Call::parse(method, Some(params.clone())).unwrap_err();
            assert!(error.is(code), "{method} {params}: {error:?}");
        }
    }
}
