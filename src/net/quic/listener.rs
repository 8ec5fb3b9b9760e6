//! A socket at which others knock, and whom it lets in.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};

use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p::core::transport::{ListenerId, TransportEvent};
use libp2p::{Multiaddr, PeerId};
use quinn::{Endpoint, VarInt};
use tokio::sync::mpsc;

use super::super::handshakes::{Entrances, Handshake};
use super::address;
use super::connection::{Connection, establish};
use crate::base::limits::MAX_QUIC_KNOCKS;

pub(super) type Upgrade = Handshake<(PeerId, Connection)>;

pub(super) type Event = TransportEvent<Upgrade, io::Error>;

/// A handshake that has a place.
struct Guest {
    upgrade: Upgrade,
    /// At which address of this machine it came in.
    local: Multiaddr,
    remote: Multiaddr,
}

/// A listener.
pub(super) struct Listener {
    pub(super) id: ListenerId,
    pub(super) endpoint: Endpoint,
    pub(super) local: SocketAddr,
    guests: mpsc::Receiver<Guest>,
    /// Tells the addresses of this machine, if the socket is on all of them.
    watcher: Option<IfWatcher>,
    events: VecDeque<Event>,
}

impl Listener {
    /// At an endpoint that takes connections.
    pub(super) fn new(id: ListenerId, endpoint: Endpoint, entrances: Entrances) -> io::Result<Self> {
        let local = endpoint.local_addr()?;
        let (watcher, events) = if local.ip().is_unspecified() {
            (Some(IfWatcher::new()?), VecDeque::new())
        } else {
            (None, [Event::NewAddress { listener_id: id, listen_addr: address::of(local) }].into())
        };
        let (let_in, guests) = mpsc::channel(MAX_QUIC_KNOCKS);
        tokio::spawn(keep(endpoint.clone(), local, entrances, let_in));
        Ok(Self { id, endpoint, local, guests, watcher, events })
    }

    /// Whether a dial there can leave by this socket.
    pub(super) fn reaches(&self, remote: &SocketAddr) -> bool {
        let ip = self.local.ip();
        ip.is_ipv4() == remote.is_ipv4() && (ip.is_unspecified() || ip.is_loopback() == remote.ip().is_loopback())
    }

    /// Ends it and all of its connections.
    pub(super) fn close(&self) {
        self.endpoint.close(VarInt::from_u32(0), &[]);
    }

    /// What happens next; `None` when it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if let Poll::Ready(event) = self.poll_watcher(cx) {
            return Poll::Ready(Some(event));
        }
        let Some(Guest { upgrade, local, remote }) = ready!(self.guests.poll_recv(cx)) else {
            return Poll::Ready(None);
        };
        let event = Event::Incoming { listener_id: self.id, upgrade, local_addr: local, send_back_addr: remote };
        Poll::Ready(Some(event))
    }

    fn poll_watcher(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Some(watcher) = &mut self.watcher else { return Poll::Pending };
        let (listener_id, local) = (self.id, self.local);
        let ours = |ip: IpAddr| (ip.is_ipv4() == local.is_ipv4()).then(|| address::of((ip, local.port()).into()));
        loop {
            let (ip, is_up) = match ready!(watcher.poll_if_event(cx)) {
                Ok(IfEvent::Up(net)) => (net.addr(), true),
                Ok(IfEvent::Down(net)) => (net.addr(), false),
                Err(error) => return Poll::Ready(Event::ListenerError { listener_id, error }),
            };
            match ours(ip) {
                Some(listen_addr) if is_up => return Poll::Ready(Event::NewAddress { listener_id, listen_addr }),
                Some(listen_addr) => return Poll::Ready(Event::AddressExpired { listener_id, listen_addr }),
                None => {}
            }
        }
    }
}

/// Lets in whoever has a place, until nobody takes them any more (NET-92). Whoever has not shown that he is at his address has
/// one only as long as few such have; otherwise he is asked to show it, which is remembered by him and not by us.
async fn keep(endpoint: Endpoint, socket: SocketAddr, entrances: Entrances, let_in: mpsc::Sender<Guest>) {
    loop {
        let knock = tokio::select! {
            knock = endpoint.accept() => knock,
            () = let_in.closed() => None,
        };
        let Some(knock) = knock else { return };
        let remote = address::of(knock.remote_address());
        // A socket on all addresses does not say by itself which one was dialled.
        let local = address::of((knock.local_ip().unwrap_or(socket.ip()), socket.port()).into());
        let is_proved = knock.remote_address_validated();
        let place =
            if is_proved { entrances.quic.claim(&local, &remote) } else { entrances.unproved.spare(&local, &remote) };
        if place.is_some() {
            match knock.accept() {
                // More than there are places are never on their way; one who is not taken ends.
                Ok(connecting) => {
                    let upgrade = Handshake::new(place, establish(connecting));
                    drop(let_in.try_send(Guest { upgrade, local, remote }));
                }
                Err(error) => tracing::debug!(%error, "no handshake"),
            }
        } else if is_proved {
            knock.refuse();
        } else {
            // It can be asked of everybody who has not shown it.
            let _ = knock.retry();
        }
    }
}
