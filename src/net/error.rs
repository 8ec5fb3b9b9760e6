//! Why the network refused.

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not a multiaddress we can listen on.
    #[error("cannot listen on '{addr}': {reason}")]
    BadAddress {
        /// As it was given, cut to a sane length.
        addr: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Somebody else listens there.
    #[error("{0} is in use")]
    AddressInUse(String),
    /// The system does not allow it.
    #[error("no permission to listen on {0}")]
    NoPermission(String),
    /// This machine has no such address.
    #[error("this machine does not have the address {0}")]
    NoSuchAddress(String),
    /// Any other trouble of the system.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// Which address.
        addr: String,
        /// What the system said.
        reason: String,
    },
    /// mDNS could not start.
    #[error("cannot look for peers on the local network: {0}")]
    Mdns(String),
    /// The transports could not be made.
    #[error("cannot start the network: {0}")]
    Start(String),
}

impl NetError {
    /// The way out, for the person who reads the error.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::BadAddress { .. } => "an address looks like /ip4/0.0.0.0/udp/4001/quic-v1 or /ip6/::/tcp/4001",
            Self::AddressInUse(_) => {
                "another program, or another node of yours, listens there; stop it, or choose another port (0: any)"
            }
            Self::NoPermission(_) => "choose a port above 1023, or let a firewall rule or capability allow it",
            Self::NoSuchAddress(_) => "listen on /ip4/0.0.0.0/… for every interface",
            Self::Listen { .. } | Self::Start(_) => "see whether the network of this machine is up",
            Self::Mdns(_) => "switch it off with --no-mdns",
        }
    }
}

/// Why a command was not taken. Nothing follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no connection with this peer.
    #[error("not connected")]
    NotConnected,
    /// Too much is on its way: come back after the next outcome.
    #[error("too much is on its way")]
    Full,
    /// Empty, or more than `MAX_ENVELOPE` bytes.
    #[error("not of the size of an envelope")]
    TooLarge,
    /// It is ourselves.
    #[error("this is our own peer ID")]
    Oneself,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}
