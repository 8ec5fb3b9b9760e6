//! The transport: sockets to listen at, and to dial from.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use quinn::{Endpoint, ServerConfig, TokioRuntime};
use socket2::{Domain, Socket, Type};

use super::super::error::NetError;
use super::super::handshakes::Entrances;
use super::address;
use super::config::Config;
use super::connection::{Connection, establish};
use super::listener::{Event, Listener, Upgrade};

/// All peers have one name in TLS: who they are says their certificate.
const TLS_NAME: &str = "l";

/// QUIC.
pub(in crate::net) struct Transport {
    config: Config,
    entrances: Entrances,
    /// In the order in which they came: the first that reaches as far is where we dial from, always the same one.
    listeners: Vec<Listener>,
    /// Which is asked first: the one after that which had something.
    turn: usize,
    /// Where we dial from while no listener reaches as far, by whether it is IPv4.
    diallers: HashMap<bool, Endpoint>,
    closed: VecDeque<ListenerId>,
    waker: Option<Waker>,
}

impl Transport {
    /// For this identity.
    ///
    /// # Errors
    /// [`NetError::Start`].
    pub(in crate::net) fn new(keypair: &Keypair, entrances: Entrances) -> Result<Self, NetError> {
        Ok(Self {
            config: Config::new(keypair)?,
            entrances,
            listeners: Vec::new(),
            turn: 0,
            diallers: HashMap::new(),
            closed: VecDeque::new(),
            waker: None,
        })
    }

    fn endpoint(&self, socket: SocketAddr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
        Endpoint::new(self.config.endpoint.clone(), server, bound(socket)?, Arc::new(TokioRuntime))
    }

    /// Where to dial from: a listening port, so that it is the one which others see, unless a new one is wanted.
    fn leaving(&mut self, remote: &SocketAddr, port_use: PortUse) -> io::Result<Endpoint> {
        if port_use == PortUse::New {
            return self.endpoint(anywhere(remote), None);
        }
        let listening = self.listeners.iter().find(|listener| listener.reaches(remote));
        let known = listening.map(|listener| &listener.endpoint).or_else(|| self.diallers.get(&remote.is_ipv4()));
        if let Some(endpoint) = known {
            return Ok(endpoint.clone());
        }
        let endpoint = self.endpoint(anywhere(remote), None)?;
        self.diallers.insert(remote.is_ipv4(), endpoint.clone());
        Ok(endpoint)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Any port of any address of this kind.
const fn anywhere(like: &SocketAddr) -> SocketAddr {
    match like {
        SocketAddr::V4(_) => SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        SocketAddr::V6(_) => SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    }
}

/// One for IPv6 leaves the port to IPv4.
fn bound(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

impl libp2p::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let socket = address::socket(&addr).ok_or(TransportError::MultiaddrNotSupported(addr))?;
        let endpoint = self.endpoint(socket, Some(self.config.server.clone())).map_err(TransportError::Other)?;
        let listener = Listener::new(id, endpoint, self.entrances.clone()).map_err(TransportError::Other)?;
        self.listeners.push(listener);
        // It goes when its last connection does.
        self.diallers.remove(&socket.is_ipv4());
        self.wake();
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let place = self.listeners.iter().position(|listener| listener.id == id);
        let Some(place) = place else { return false };
        self.listeners.remove(place).close();
        self.closed.push_back(id);
        self.wake();
        true
    }

    /// Who has to play the listener in punching a hole (DCUtR) dials like the other: both sides' datagrams open their
    /// gateways.
    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let remote = address::socket(&addr).filter(|remote| remote.port() != 0 && !remote.ip().is_unspecified());
        let remote = remote.ok_or(TransportError::MultiaddrNotSupported(addr))?;
        let endpoint = self.leaving(&remote, opts.port_use).map_err(TransportError::Other)?;
        let config = self.config.client.clone();
        // It begins when it is waited for: the swarm has a few, and tries one after the other.
        let dial =
            async move { establish(endpoint.connect_with(config, remote, TLS_NAME).map_err(io::Error::other)?).await };
        Ok(dial.boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Upgrade, io::Error>> {
        if let Some(listener_id) = self.closed.pop_front() {
            return Poll::Ready(Event::ListenerClosed { listener_id, reason: Ok(()) });
        }
        for step in 0..self.listeners.len() {
            let place = (self.turn + step) % self.listeners.len();
            let Some(listener) = self.listeners.get_mut(place) else { break };
            match listener.poll(cx) {
                Poll::Ready(Some(event)) => {
                    self.turn = place + 1;
                    return Poll::Ready(event);
                }
                Poll::Ready(None) => {
                    let listener_id = listener.id;
                    self.listeners.remove(place);
                    return Poll::Ready(Event::ListenerClosed { listener_id, reason: Ok(()) });
                }
                Poll::Pending => {}
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
