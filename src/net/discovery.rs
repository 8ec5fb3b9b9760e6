//! Peers of the local network, by mDNS. What it tells is unverified (NET-44): whoever is at an address
//! proves his peer ID by Noise or TLS when dialled.

use libp2p::mdns::Event;

use super::addresses::{AddressBook, Source, dialable};
use super::from_libp2p;
use super::shared::Shared;

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
