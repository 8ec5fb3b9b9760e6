//! Names in addresses, resolved by the system's resolver, and judged by what they stand for (NET-43).
//!
//! A name may lead anywhere. What somebody else names leads no further inside than an address of his would: the addresses behind a
//! name are dialled if they are of the internet (or of our network), unless the user has named it himself.

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::dummy::DummyTransport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport, dns};

use super::addresses::{Scope, scope};
use super::error::NetError;
use super::lock;
use super::transport::Connections;
use crate::base::PeerId as Peer;

type Output = (PeerId, StreamMuxerBox);
type Upgrade = <Connections as Transport>::ListenerUpgrade;
type Dial = <Connections as Transport>::Dial;
type Failed = TransportError<io::Error>;

/// Which names lead where.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// What is behind a name reaches at least so far.
    least: Scope,
    /// But for those that the user has named.
    trusted: HashSet<String>,
}

impl Names {
    /// In a network that reaches so far, with the peers whom the user has named.
    pub(super) fn new(least: Scope, named: &[(Peer, Vec<String>)]) -> Self {
        let addrs = named.iter().flat_map(|(_, addrs)| addrs).filter_map(|text| text.parse::<Multiaddr>().ok());
        Self { least, trusted: addrs.filter_map(|addr| name(&addr)).collect() }
    }
}

/// The name with which an address begins, if it does.
fn name(addr: &Multiaddr) -> Option<String> {
    match addr.iter().next()? {
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) | Protocol::Dnsaddr(name) => {
            Some(name.to_lowercase())
        }
        _ => None,
    }
}

/// The transport with names in the addresses that are dialled.
///
/// # Errors
/// [`NetError::Start`].
pub(super) fn resolved(plain: Connections, names: Names) -> Result<Connections, NetError> {
    // Tried with nothing first, because a resolver that fails takes with it what it was given.
    let empty = DummyTransport::<Output>::new();
    if let Err(error) = dns::tokio::Transport::system(empty) {
        // Names in addresses are a convenience. Without a resolver of the system we go without,
        // rather than ask somebody whom nobody has chosen.
        tracing::warn!(%error, "no name resolution: addresses with names will not be reached");
        return Ok(plain);
    }
    let plain = Arc::new(Mutex::new(plain));
    let behind = |least| {
        let judged = Judged { plain: Arc::clone(&plain), least };
        dns::tokio::Transport::system(judged).map(Transport::boxed).map_err(|error| NetError::Start(error.to_string()))
    };
    let (strict, free) = (behind(names.least)?, behind(Scope::Machine)?);
    Ok(Resolved { plain, strict, free, trusted: names.trusted }.boxed())
}

/// Dials what a name stands for, if it reaches far enough. It listens nowhere.
struct Judged {
    plain: Arc<Mutex<Connections>>,
    least: Scope,
}

impl Transport for Judged {
    type Output = Output;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Dial;

    fn listen_on(&mut self, _: ListenerId, addr: Multiaddr) -> Result<(), Failed> {
        Err(TransportError::MultiaddrNotSupported(addr))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Dial, Failed> {
        if scope(&addr) < self.least {
            tracing::debug!(%addr, "a name leads inside, and is not followed");
            return Err(TransportError::Other(io::ErrorKind::PermissionDenied.into()));
        }
        lock(&self.plain).dial(addr, opts)
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Upgrade, io::Error>> {
        Poll::Pending
    }
}

/// Dials addresses as they are, and names by what they stand for.
struct Resolved {
    plain: Arc<Mutex<Connections>>,
    strict: Connections,
    free: Connections,
    trusted: HashSet<String>,
}

impl Transport for Resolved {
    type Output = Output;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Dial;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), Failed> {
        lock(&self.plain).listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        lock(&self.plain).remove_listener(id)
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Dial, Failed> {
        match name(&addr) {
            None => lock(&self.plain).dial(addr, opts),
            Some(name) if self.trusted.contains(&name) => self.free.dial(addr, opts),
            Some(_) => self.strict.dial(addr, opts),
        }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Upgrade, io::Error>> {
        Pin::new(&mut *lock(&self.plain)).poll(cx)
    }
}
