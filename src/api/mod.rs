//! The local JSON-RPC 2.0 surface: its framing, methods, parameters, results, events and errors.
//!
//! Methods are named as the commands at the prompt are. One table ([`METHODS`]) feeds the dispatcher, the typed
//! calls of the client, `docs/rpc.md` and the OpenRPC document, so that none of them can know a method that the others do not.
//! Text of peers is carried exactly; making it safe to look at is the front end's work.
//!
//! Owns no behaviour: it says what may be asked and what an answer looks like, `node` answers.

mod cursor;
mod error;
mod event;
mod health;
mod methods;
mod openrpc;
mod params;
pub mod rpc;
mod types;

pub use crate::base::shown::{
    ClockFault, ClockWarning, Connection, Contact, Conversation, ConversationKind, Elsewhere, Mailbox, MailboxService,
    Message, RelayInUse, Request,
};
pub use crate::base::time::text as time;
pub use crate::base::words::{
    BoxState, DhtStatus, Direction, LinkPart, MessageEnd, Nat, NodeState, Policy, Reachability, RelayService,
    RequestEnd, ServeMailbox, State, Upnp,
};
pub use cursor::{Cursor, NoCursor};
pub use error::{ApiError, CODES, Candidate, CandidateMessage, Code, CodeInfo};
pub use event::{Event, EventKind, EventPage};
pub use health::{Area, Diagnosis, Finding, Health, Recovery};
pub use methods::{Call, METHODS, Method, Rpc, method};
pub use openrpc::{COMMON_ERRORS, openrpc};
pub use params::{
    AddContact, CancelParams, DoctorParams, EventsParams, HistoryParams, InboxParams, LinkParams, ListenParams,
    MailboxParams, MessageParams, NameParams, NoParams, PolicyParams, ReadParams, RenameParams, ReplyParams,
    SendParams, SetContact, VerifyParams, WaitFor, Who,
};
pub use types::{
    ClockState, DeletedConversation, Document, Found, HeldMessage, Identity, Listening, OpenMailbox, Peer, PolicyState,
    Pong, Reach, ReadCount, RequestDetail, Resolved, Sent, Status, Stopping,
};
