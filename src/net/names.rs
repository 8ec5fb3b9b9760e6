//! Names in addresses, resolved by the system's resolver, and judged by what they stand for (NET-43).
//!
//! A name may lead anywhere. What somebody else names leads no further inside than an address of his would: the addresses behind a
//! name are dialled if they are of the internet (or of our network), unless the user, or a contact for himself, has named the whole
//! address. The port and the transport are part of it: who trusts a machine's relay has not opened its other doors.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport, dns};

use super::addresses::{Scope, bare, scope, through};
use super::lock;
use super::transport::Connections;
use crate::base::limits::MAX_TRUSTED_NAMES;

type Output = (PeerId, StreamMuxerBox);
type Upgrade = <Connections as Transport>::ListenerUpgrade;
type Dial = <Connections as Transport>::Dial;
type Failed = TransportError<io::Error>;

/// Which names lead where. Clones share what is trusted.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// What is behind a name reaches at least so far.
    least: Scope,
    /// But for these addresses, as [`named`] gives them: the newest last, at most `MAX_TRUSTED_NAMES`.
    trusted: Arc<Mutex<VecDeque<Multiaddr>>>,
}

impl Names {
    /// In a network that reaches so far.
    pub(super) fn new(least: Scope) -> Self {
        Self { least, trusted: Arc::default() }
    }

    /// From now on these addresses lead wherever they lead; of one on a relay, the relay's. The rest are as they were.
    pub(super) fn trust<'a>(&self, addrs: impl IntoIterator<Item = &'a Multiaddr>) {
        let places = addrs.into_iter().map(|addr| through(addr).map_or_else(|| addr.clone(), |(_, place)| place));
        let trusted = &mut *lock(&self.trusted);
        for addr in places.filter_map(|addr| named(&addr)) {
            trusted.retain(|known| *known != addr);
            trusted.push_back(addr);
        }
        let too_many = trusted.len().saturating_sub(MAX_TRUSTED_NAMES);
        trusted.drain(..too_many);
    }

    /// How far what is behind a name has to reach.
    fn least(&self, addr: &Multiaddr) -> Scope {
        if lock(&self.trusted).contains(addr) { Scope::Machine } else { self.least }
    }
}

/// The address without the peer ID at its end, if it begins with a name. Names are the same in capitals.
fn named(addr: &Multiaddr) -> Option<Multiaddr> {
    let addr = bare(addr);
    let name = match addr.iter().next()? {
        Protocol::Dns(name) => Protocol::Dns(name.to_lowercase().into()),
        Protocol::Dns4(name) => Protocol::Dns4(name.to_lowercase().into()),
        Protocol::Dns6(name) => Protocol::Dns6(name.to_lowercase().into()),
        Protocol::Dnsaddr(name) => Protocol::Dnsaddr(name.to_lowercase().into()),
        _ => return None,
    };
    Some(std::iter::once(name).chain(addr.iter().skip(1)).collect())
}

/// The transport with names in the addresses that are dialled.
pub(super) fn resolved(plain: Connections, names: Names) -> Connections {
    Resolved { plain: Arc::new(Mutex::new(plain)), names, strict: None, free: None }.boxed()
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
    names: Names,
    /// For names that are followed as far as the network reaches, made when the first is dialled.
    strict: Option<Connections>,
    /// The same for those that are trusted.
    free: Option<Connections>,
}

impl Resolved {
    /// What resolves a name that has to lead so far. Without a resolver of the system we go without, rather than ask somebody whom nobody
    /// has chosen.
    fn resolver(&mut self, least: Scope) -> io::Result<&mut Connections> {
        let slot = if least == self.names.least { &mut self.strict } else { &mut self.free };
        if slot.is_none() {
            let judged = Judged { plain: Arc::clone(&self.plain), least };
            let made = dns::tokio::Transport::system(judged);
            let made = made.inspect_err(|error| tracing::warn!(%error, "no name resolution: names are not reached"));
            *slot = Some(made?.boxed());
        }
        slot.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
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
        let Some(named) = named(&addr) else { return lock(&self.plain).dial(addr, opts) };
        let least = self.names.least(&named);
        self.resolver(least).map_err(TransportError::Other)?.dial(addr, opts)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Upgrade, io::Error>> {
        Pin::new(&mut *lock(&self.plain)).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    /// NET-43: what is trusted is the whole address, and no other door of the same machine.
    #[test]
    fn a_whole_address_is_trusted() {
        let relay = "/p2p/12D3KooW9xk7Zp1gejwfwNpfm6L9zH5NL4Bx5rm94LRYJJHJuARZ";
        let names = Names::new(Scope::Global);
        let least = |text: &str| names.least(&named(&addr(text)).unwrap());
        names
            .trust(&[addr("/dns4/Home.Example/tcp/4001"), addr(&format!("/dns/hub.example/tcp/9{relay}/p2p-circuit"))]);
        for text in ["/dns4/home.example/tcp/4001", "/dns/HUB.example/tcp/9"] {
            assert_eq!(least(text), Scope::Machine, "{text}");
            assert_eq!(least(&format!("{text}{relay}")), Scope::Machine, "{text}");
        }
        for text in [
            "/dns4/home.example/tcp/22",
            "/dns4/home.example/udp/4001/quic-v1",
            "/dns6/home.example/tcp/4001",
            "/dns4/other.example/tcp/4001",
        ] {
            assert_eq!(least(text), Scope::Global, "{text}");
        }
        assert_eq!(named(&addr("/ip4/192.0.2.1/tcp/1")), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let names = Names::new(Scope::Global);
        let host = |n: usize| addr(&format!("/dns4/h{n}.example/tcp/1"));
        let all: Vec<_> = (0..MAX_TRUSTED_NAMES).map(host).collect();
        names.trust(&all);
        // Said again, it is new.
        names.trust([&host(0), &host(MAX_TRUSTED_NAMES)]);
        assert_eq!(lock(&names.trusted).len(), MAX_TRUSTED_NAMES);
        assert_eq!((names.least(&host(0)), names.least(&host(1))), (Scope::Machine, Scope::Global));
    }
}
