//! Peers of the local network, by mDNS. What it tells is unverified (NET-44): whoever is at an address
//! proves his peer ID by Noise or TLS when dialled.

use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::mdns::tokio::Behaviour;
use libp2p::mdns::{Config, Event};
use libp2p::swarm::behaviour::NewListenAddr;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{FromSwarm, NetworkBehaviour};
use tokio::time::Instant;

use super::addresses::{AddressBook, Source, dialable};
use super::shared::Shared;
use super::status::MdnsStatus;
use super::{from_libp2p, span};
use crate::base::limits::{MAX_DISCOVERED, MAX_PEER_ADDRS, MDNS_AGAIN};

/// Whether the local network is looked at. The crate keeps every address that it is told, for as long as the teller says: when there are too
/// many, it is let go, and begins anew after an hour.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    flooded: Option<Instant>,
}

impl Discovery {
    /// Lets it go when it keeps more than so many addresses.
    pub(super) fn bound(&mut self, shared: &Shared, mdns: &mut Toggle<Behaviour>, kept: usize, now: Instant) {
        if mdns.is_enabled() && kept > MAX_DISCOVERED * MAX_PEER_ADDRS {
            tracing::warn!("somebody floods the local network with addresses; no more is looked for there for an hour");
            *mdns = None.into();
            self.flooded = Some(now);
            shared.show(|status| status.mdns = MdnsStatus::Flooded);
        }
    }

    /// Begins anew when it is time; we listen at these addresses.
    pub(super) fn again(
        &mut self,
        shared: &Shared,
        mdns: &mut Toggle<Behaviour>,
        listening: &[Multiaddr],
        now: Instant,
    ) {
        if self.flooded.is_none_or(|at| now.saturating_duration_since(at) < span(MDNS_AGAIN)) {
            return;
        }
        // If it cannot begin, in an hour.
        self.flooded = Some(now);
        match Behaviour::new(Config::default(), super::to_libp2p(&shared.me)) {
            Ok(mut fresh) => {
                for addr in listening {
                    let listener_id = ListenerId::next();
                    fresh.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }));
                }
                *mdns = Some(fresh).into();
                self.flooded = None;
                shared.show(|status| status.mdns = MdnsStatus::On);
            }
            Err(error) => tracing::warn!(%error, "the local network cannot be looked at"),
        }
    }
}

/// Notes what mDNS tells, and tells the node of peers.
pub(super) fn on_event(shared: &Shared, book: &mut AddressBook, event: Event) {
    match event {
        Event::Discovered(found) => {
            for (peer, addr) in found {
                let Some(peer) = from_libp2p(&peer).filter(|peer| *peer != shared.me) else { continue };
                if let Some(addr) = dialable(&peer, &addr) {
                    book.note(peer, addr, Source::Mdns, |peer| shared.is_contact(peer));
                    shared.notices.discovered(peer);
                }
            }
        }
        Event::Expired(gone) => {
            for (peer, addr) in gone {
                let Some(peer) = from_libp2p(&peer) else { continue };
                if let Some(addr) = dialable(&peer, &addr) {
                    book.expire(&peer, &addr);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::net::classes::Classes;
    use crate::net::config::Lanes;
    use crate::net::convert::peer;
    use crate::net::limits::activity::Activity;

    /// A flood ends it for an hour, and not for ever.
    #[tokio::test(start_paused = true)]
    async fn after_a_flood_it_begins_anew() {
        let lanes = || mpsc::channel(1).0;
        let lanes = Lanes { contacts: lanes(), strangers: lanes() };
        let (opens, suspicions) = (mpsc::channel(1).0, mpsc::channel(1).0);
        let shared = Shared::new(peer(1), lanes, Classes::default(), Activity::default(), opens, suspicions);
        let told = |shared: &Arc<Shared>| shared.status().mdns;
        let shared = Arc::new(shared);
        let fresh = Behaviour::new(Config::default(), crate::net::to_libp2p(&peer(1))).unwrap();
        let (mut mdns, mut discovery, now): (Toggle<_>, _, _) =
            (Some(fresh).into(), Discovery::default(), Instant::now());
        discovery.bound(&shared, &mut mdns, MAX_DISCOVERED * MAX_PEER_ADDRS, now);
        discovery.again(&shared, &mut mdns, &[], now + 10 * span(MDNS_AGAIN));
        assert!(mdns.is_enabled());
        discovery.bound(&shared, &mut mdns, MAX_DISCOVERED * MAX_PEER_ADDRS + 1, now);
        assert_eq!((mdns.is_enabled(), told(&shared)), (false, MdnsStatus::Flooded));
        let later = now + span(MDNS_AGAIN);
        discovery.again(&shared, &mut mdns, &[], later - Duration::from_millis(1));
        assert!(!mdns.is_enabled());
        discovery.again(&shared, &mut mdns, &["/ip4/127.0.0.1/tcp/1".parse().unwrap()], later);
        assert_eq!((mdns.is_enabled(), told(&shared)), (true, MdnsStatus::On));
        discovery.bound(&shared, &mut mdns, usize::MAX, later);
        assert!(!mdns.is_enabled(), "and again");
    }
}
