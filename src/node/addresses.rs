//! Addresses as people and scripts hand them around.

use crate::api::{ApiError, Code};
use crate::base::PeerId;
use crate::identity::Link;

/// What stands between an address and the peer ID of who is there.
const P2P: &str = "/p2p/";

/// Each with the peer ID, so that it says all that is needed to connect.
pub(crate) fn full(addrs: &[String], me: PeerId) -> Vec<String> {
    addrs.iter().map(|addr| format!("{addr}{P2P}{me}")).collect()
}

/// Takes such addresses apart, and links: all of each peer, in the order given.
pub(crate) fn by_peer(addrs: &[String]) -> Result<Vec<(PeerId, Vec<String>)>, ApiError> {
    let mut peers: Vec<(PeerId, Vec<String>)> = Vec::new();
    for addr in addrs {
        let (peer, found) = if Link::is_meant(addr) { of_link(addr)? } else { split(addr)? };
        match peers.iter_mut().find(|(known, _)| *known == peer) {
            Some((_, addrs)) => addrs.extend(found),
            None => peers.push((peer, found)),
        }
    }
    Ok(peers)
}

/// Where the link says that its owner is.
fn of_link(text: &str) -> Result<(PeerId, Vec<String>), ApiError> {
    let link: Link = text.parse()?;
    match link.addrs.is_empty() {
        true => Err(ApiError::new(Code::Config, format!("the link of {} does not say where that node is", link.peer))
            .with_hint("ask its owner for the link that `rohrpost id link` shows while the node runs")),
        false => Ok((link.peer, link.addrs)),
    }
}

/// Takes such an address apart.
fn split(addr: &str) -> Result<(PeerId, Vec<String>), ApiError> {
    let wrong = |what: String| {
        ApiError::new(Code::Config, format!("'{addr}' is not the address of a node: {what}")).with_hint(
            "such an address ends in /p2p/ and the peer ID, as `rohrpost id` shows it; its link will do, too",
        )
    };
    let (addr, peer) = addr.rsplit_once(P2P).ok_or_else(|| wrong("it names no peer".to_owned()))?;
    let peer = peer.parse().map_err(|e: crate::base::IdError| wrong(e.to_string()))?;
    Ok((peer, vec![addr.to_owned()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_taken_apart() {
        let me = PeerId::from_key_bytes([7; 32]);
        let shown = full(&["/ip4/127.0.0.1/tcp/4001".to_owned()], me);
        assert_eq!(split(&shown[0]), Ok((me, vec!["/ip4/127.0.0.1/tcp/4001".to_owned()])));
    }

    #[test]
    fn the_addresses_of_a_peer_stay_together() {
        let (one, other) = (PeerId::from_key_bytes([1; 32]), PeerId::from_key_bytes([2; 32]));
        let addrs = [format!("/a/p2p/{one}"), format!("/b/p2p/{other}"), format!("/c/p2p/{one}")];
        let (of_one, of_other) = (vec!["/a".to_owned(), "/c".to_owned()], vec!["/b".to_owned()]);
        assert_eq!(by_peer(&addrs), Ok(vec![(one, of_one), (other, of_other)]));
        assert!(by_peer(&["/a".to_owned()]).is_err());
    }

    #[test]
    fn a_link_is_as_good_as_the_addresses_in_it() {
        let peer: PeerId = "12D3KooWDwTirQce1RRKnasT5fPVFgzXCy6SiRgSwrwPGLC7zE91".parse().unwrap();
        let addrs = vec!["/ip4/127.0.0.1/tcp/9".to_owned(), "/ip4/127.0.0.1/tcp/10".to_owned()];
        let link = Link { peer, name: None, addrs: addrs.clone(), token: None, mailboxes: vec![] };
        let more = format!("/ip4/127.0.0.1/tcp/11/p2p/{peer}");
        let all = [addrs.clone(), vec!["/ip4/127.0.0.1/tcp/11".to_owned()]].concat();
        assert_eq!(by_peer(&[format!("<{link}>"), more]), Ok(vec![(peer, all)]));
        let nowhere = Link { addrs: vec![], ..link.clone() };
        assert!(by_peer(&[nowhere.to_string()]).unwrap_err().is(Code::Config));
        let cut = link.to_string().chars().take(80).collect::<String>();
        assert!(by_peer(&[cut]).unwrap_err().is(Code::BadLink));
    }

    #[test]
    fn an_address_without_a_peer_is_refused_with_a_hint() {
        for addr in ["", "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/", "/ip4/127.0.0.1/tcp/1/p2p/nobody"] {
            assert!(split(addr).unwrap_err().hint.unwrap().contains("/p2p/"), "{addr}");
        }
    }
}
