//! Words that rows, answers and front ends share: each exists once, with the name it has in the local API.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::PeerId;

/// An enum of stable words. A word is added freely, at the end, never renamed: rows hold their places, clients their names.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $( $(#[$about:meta])+ $variant:ident = $word:literal ),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
        $(#[$meta])*
        pub enum $name { $( $(#[$about])+ #[serde(rename = $word)] $variant, )+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// Its stable word.
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            /// The one with this word.
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Whether a node runs.
    #[derive(Default)]
    NodeState {
        /// No.
        #[default]
        Off = "off",
        /// It answers.
        On = "on",
        /// It does not answer: it was stopped, or hangs.
        Silent = "silent",
        /// Another process has the profile: a command, or a node that cannot be reached.
        InUse = "in_use",
    }
}

words! {
    /// How far a message has come.
    #[derive(PartialOrd, Ord)]
    State {
        /// Outgoing: in the outbox.
        Queued = "queued",
        /// Outgoing: the recipient's node, or one of its mailboxes, has stored it.
        Sent = "sent",
        /// Outgoing: the recipient's node says so, end to end.
        Delivered = "delivered",
        /// Read: by the recipient, or by us an incoming one.
        Read = "read",
        /// Outgoing: given up after 30 days.
        Undelivered = "undelivered",
        /// Incoming, unread.
        Received = "received",
    }
}

words! {
    /// Which way a message went.
    Direction {
        /// To us.
        In = "in",
        /// From us.
        Out = "out",
    }
}

words! {
    /// Who may write to us.
    #[derive(Default)]
    Policy {
        /// Strangers' first messages wait as requests.
        #[default]
        Requests = "requests",
        /// Contacts, and whoever has our link asks; what others send is dropped quietly.
        Contacts = "contacts",
        /// Nobody who is not a contact, and no new contacts by invitation either.
        Nobody = "nobody",
    }
}

words! {
    /// What a link says besides whom it leads to, and may leave out.
    LinkPart {
        /// Addresses, or further ones.
        Addresses = "addresses",
        /// The name.
        Name = "name",
        /// The mailboxes.
        Mailboxes = "mailboxes",
    }
}

words! {
    /// How a request ended.
    RequestEnd {
        /// Accepted by us.
        Accepted = "accepted",
        /// Declined by us.
        Declined = "declined",
        /// Its sender was blocked.
        Blocked = "blocked",
        /// It waited for 30 days.
        Expired = "expired",
        /// Others took its place.
        Evicted = "evicted",
    }
}

words! {
    /// Why a message is gone.
    MessageEnd {
        /// Its time was over.
        Expired = "expired",
    }
}

words! {
    /// How it stands with a mailbox of ours.
    #[derive(Default)]
    #[cfg_attr(feature = "api", schemars(rename = "MailboxState"))]
    BoxState {
        /// It was asked to keep a box for us.
        #[default]
        Asking = "asking",
        /// It keeps one.
        InUse = "in_use",
        /// It keeps none for us.
        Refused = "refused",
        /// It has no room.
        Full = "full",
        /// It does not answer.
        Unreachable = "unreachable",
        /// It is told that we leave.
        Leaving = "leaving",
    }
}

words! {
    /// For whom a node keeps mailboxes.
    ServeMailbox {
        /// For nobody.
        Off = "off",
        /// For everybody.
        Open = "open",
        /// For its contacts.
        Contacts = "contacts",
        /// For a list of peers.
        Listed = "listed",
    }
}

/// The same, with the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailService {
    /// For nobody: nothing new is taken. Who has a box may still empty it.
    #[default]
    Off,
    /// For everybody.
    Open,
    /// For the contacts of this profile.
    Contacts,
    /// For these, at most `MAX_SERVED_OWNERS`.
    Listed(BTreeSet<PeerId>),
}

impl MailService {
    /// For whom, without the list.
    pub const fn serves(&self) -> ServeMailbox {
        match self {
            Self::Off => ServeMailbox::Off,
            Self::Open => ServeMailbox::Open,
            Self::Contacts => ServeMailbox::Contacts,
            Self::Listed(_) => ServeMailbox::Listed,
        }
    }
}

words! {
    /// Whether others can dial us.
    #[derive(Default)]
    Reachability {
        /// Not known (yet).
        #[default]
        Unknown = "unknown",
        /// Somebody else has dialled us at one of our addresses.
        Public = "public",
        /// Somebody else has tried, and could not: a NAT or a firewall is between.
        Private = "private",
    }
}

words! {
    /// What the NAT between us and the others does with our ports.
    #[derive(Default)]
    Nat {
        /// Not known (yet): two peers outside must have seen us.
        #[default]
        Unknown = "unknown",
        /// There is none: others see the address on which we listen.
        None = "none",
        /// Others see another address, with the port that we have: homes behind such NATs reach each other.
        Stable = "stable",
        /// Others see another address and another port, all of them the same one: no hindrance either.
        PortChanging = "port_changing",
        /// Each sees another port: no two homes behind such a NAT reach each other straight.
        Symmetric = "symmetric",
    }
}

words! {
    /// What came of asking the router for a port.
    #[derive(Default)]
    Upnp {
        /// It is not asked.
        #[default]
        Off = "off",
        /// It was asked and has not answered.
        Searching = "searching",
        /// It gave one.
        Mapped = "mapped",
        /// No router answers.
        NotFound = "not_found",
        /// The router itself has no public address.
        NonRoutable = "non_routable",
    }
}

/// What the node knows of the DHT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema), schemars(rename = "Dht"))]
pub struct DhtStatus {
    /// Whether it answers questions of others and keeps cards for them.
    pub server: bool,
    /// Peers in its routing table.
    pub peers: u64,
    /// Cards that it keeps for others.
    pub records: u64,
    /// Whether the own card stands there.
    pub published: bool,
}

/// What the node does for others as a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct RelayService {
    /// Peers that can be reached through it.
    pub reservations: u64,
    /// Circuits that are open.
    pub circuits: u64,
}
