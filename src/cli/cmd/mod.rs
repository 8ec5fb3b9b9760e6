//! The verbs, one in each file: its arguments, what it asks the client, and what it prints.

pub(crate) mod completions;
pub(crate) mod contacts;
pub(crate) mod conversation;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod id;
pub(crate) mod inbox;
pub(crate) mod init;
pub(crate) mod listen;
pub(crate) mod mailbox;
pub(crate) mod man;
pub(crate) mod openrpc;
pub(crate) mod peers;
pub(crate) mod policy;
pub(crate) mod read;
pub(crate) mod recover;
pub(crate) mod reply;
pub(crate) mod requests;
pub(crate) mod rpc;
pub(crate) mod run;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod version;
