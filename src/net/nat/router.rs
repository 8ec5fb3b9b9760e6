//! The router at home that forwards ports to whoever asks for it (UPnP).
//!
//! The crate searches for one once, when it begins, and asks it once for its address. A machine that is carried elsewhere
//! has another router, a router may come later or forget, and a provider may change its address: so it begins anew now and
//! then, and at every change of the network.

use libp2p::core::transport::ListenerId;
use libp2p::swarm::{FromSwarm, NetworkBehaviour, NewListenAddr};
use libp2p::{Multiaddr, upnp};
use tokio::time::Instant;

use crate::base::limits::{MAX_LISTEN, ROUTER_ASKED_AGAIN};
use crate::base::words::Upnp;
use crate::net::span;

/// What is known of the router.
#[derive(Debug)]
pub(in crate::net) struct Router {
    /// `None`: it is not asked.
    asked: Option<Instant>,
    status: Upnp,
    /// The listeners of this machine, for one that begins anew.
    listening: Vec<(ListenerId, Multiaddr)>,
    /// The addresses that it forwards to us.
    mapped: Vec<Multiaddr>,
}

/// The machine that an address names.
fn same_machine(one: &Multiaddr, other: &Multiaddr) -> bool {
    one.iter().next() == other.iter().next()
}

impl Router {
    pub(in crate::net) fn new(asked: bool, now: Instant) -> Self {
        let status = if asked { Upnp::Searching } else { Upnp::Off };
        Self { asked: asked.then_some(now), status, listening: Vec::new(), mapped: Vec::new() }
    }

    pub(in crate::net) const fn status(&self) -> Upnp {
        self.status
    }

    /// Whether it forwards something to us.
    pub(in crate::net) const fn forwards(&self) -> bool {
        !self.mapped.is_empty()
    }

    pub(in crate::net) fn listening(&mut self, listener: ListenerId, addr: &Multiaddr) {
        if self.listening.len() < MAX_LISTEN {
            self.listening.push((listener, addr.clone()));
        }
    }

    pub(in crate::net) fn no_longer_listening(&mut self, addr: &Multiaddr) {
        self.listening.retain(|(_, known)| known != addr);
    }

    /// It is time to ask again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.asked.is_some_and(|at| now.saturating_duration_since(at) >= span(ROUTER_ASKED_AGAIN))
    }

    /// What it has answered. Gives the addresses that are no longer ours.
    pub(super) fn on_event(&mut self, event: &upnp::Event) -> Vec<Multiaddr> {
        match event {
            upnp::Event::NewExternalAddr { external_addr, .. } => {
                self.status = Upnp::Mapped;
                // It has one address: with another one, those before are somebody else's.
                let (same, other) =
                    std::mem::take(&mut self.mapped).into_iter().partition(|addr| same_machine(addr, external_addr));
                self.mapped = same;
                if !self.mapped.contains(external_addr) && self.mapped.len() < MAX_LISTEN {
                    self.mapped.push(external_addr.clone());
                }
                other
            }
            upnp::Event::ExpiredExternalAddr { external_addr, .. } => {
                self.mapped.retain(|addr| addr != external_addr);
                self.status = if self.forwards() { Upnp::Mapped } else { Upnp::Searching };
                vec![external_addr.clone()]
            }
            upnp::Event::GatewayNotFound => self.lost(Upnp::NotFound),
            upnp::Event::NonRoutableGateway => self.lost(Upnp::NonRoutable),
        }
    }

    /// One that begins anew, with the search (NET-74). What was forwarded counts until there is an answer.
    pub(super) fn ask_again(&mut self, now: Instant) -> upnp::tokio::Behaviour {
        self.asked = Some(now);
        let mut fresh = upnp::tokio::Behaviour::default();
        for (listener_id, addr) in &self.listening {
            fresh.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id: *listener_id, addr }));
        }
        fresh
    }

    fn lost(&mut self, status: Upnp) -> Vec<Multiaddr> {
        self.status = status;
        std::mem::take(&mut self.mapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn forwards(external: &str) -> upnp::Event {
        upnp::Event::NewExternalAddr { local_addr: addr("/ip4/192.168.0.2/tcp/4001"), external_addr: addr(external) }
    }

    /// NET-74.
    #[test]
    fn a_router_has_one_address_and_what_it_no_longer_forwards_is_not_ours() {
        let mut router = Router::new(true, Instant::now());
        let [tcp, udp] = ["/ip4/11.0.0.1/tcp/4001", "/ip4/11.0.0.1/udp/4001/quic-v1"];
        assert_eq!(router.status(), Upnp::Searching);
        assert!(router.on_event(&forwards(tcp)).is_empty() && router.on_event(&forwards(udp)).is_empty());
        assert!(router.on_event(&forwards(udp)).is_empty(), "asked again, and nothing is new");
        assert_eq!((router.status(), &router.mapped), (Upnp::Mapped, &vec![addr(tcp), addr(udp)]));
        // The provider has given it another one.
        assert_eq!(router.on_event(&forwards("/ip4/11.0.0.9/tcp/4001")), [addr(tcp), addr(udp)]);
        assert!(router.forwards());
        assert_eq!(router.on_event(&upnp::Event::GatewayNotFound), [addr("/ip4/11.0.0.9/tcp/4001")]);
        assert_eq!((router.status(), router.forwards()), (Upnp::NotFound, false));
        assert_eq!(Router::new(false, Instant::now()).status(), Upnp::Off);
    }

    /// NET-74.
    #[test]
    fn it_is_asked_again_after_a_while() {
        let now = Instant::now();
        let later = now + span(ROUTER_ASKED_AGAIN);
        assert!(!Router::new(true, now).is_due(now) && Router::new(true, now).is_due(later));
        assert!(!Router::new(false, now).is_due(later));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut router = Router::new(true, Instant::now());
        for port in 1..=200 {
            let listening = addr(&format!("/ip4/192.168.0.2/tcp/{port}"));
            router.listening(ListenerId::next(), &listening);
            router.on_event(&forwards(&format!("/ip4/11.0.0.1/tcp/{port}")));
            router.no_longer_listening(&addr("/ip4/192.168.0.2/tcp/1"));
        }
        assert!(router.listening.len() <= MAX_LISTEN && router.mapped.len() <= MAX_LISTEN);
        assert!(router.listening.iter().all(|(_, known)| *known != addr("/ip4/192.168.0.2/tcp/1")));
    }
}
