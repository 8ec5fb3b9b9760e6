//! What is said of the way to somebody.

use super::super::findings::Findings;
use super::super::reach::look_at_way;
use super::*;
use crate::api::Connection;
use crate::messenger::query::ReachView;
use crate::net::NetStatus;

const NOW: WallTime = WallTime(1_800_000_000_000);

/// NET-95: of somebody who is there and did not take what waits it is said when it is tried again; and of nobody else.
#[test]
fn when_it_is_tried_again_with_somebody_who_is_there() {
    let peer = PeerId::from_key_bytes([7; 32]);
    let connection = Connection {
        peer_id: peer,
        name: String::new(),
        addr: "/ip4/198.51.100.7".to_owned(),
        direct: true,
        since: NOW,
    };
    let net = NetStatus { peers: vec![connection], ..NetStatus::default() };
    let said = |queued, next_try| {
        let mut found = Findings::default();
        let known = ReachView { queued, next_try, ..ReachView::default() };
        look_at_way(&known, NOW, &peer, Some(&net), &mut found);
        let finding = found.0.remove(0);
        (finding.health, finding.message.replace("connected straight, over /ip4/198.51.100.7", "…"))
    };
    let soon = NOW + Millis::from_secs(90);
    let waits = "…; what waits is tried again in 90 s at the latest".to_owned();
    assert_eq!(said(1, Some(soon)), (Health::Note, waits));
    for (queued, next_try) in [(0, Some(soon)), (1, None), (1, Some(NOW))] {
        assert_eq!(said(queued, next_try), (Health::Ok, "…".to_owned()), "{queued} {next_try:?}");
    }
}
