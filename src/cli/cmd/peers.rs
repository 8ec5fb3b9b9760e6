//! `peers`: whom the node is connected with, and by whom it would find the network again.

use crate::api::{NoParams, Peer, method};
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::Cell;
use crate::cli::output::{Output, short_peer};

/// List the connected peers, and those by whom the network is found again
#[derive(Debug, clap::Args)]
pub(crate) struct PeersArgs {}

/// Asks the node, or reads what was noted.
pub(crate) fn run(_: PeersArgs, context: &mut Context) -> Result<()> {
    let peers = context.client()?.ask::<method::Peers>(&NoParams {})?;
    show(&peers, &mut context.output)
}

pub(super) const TITLES: [&str; 6] = ["NAME", "PEER", "CONTACT", "WAY", "SINCE", "ADDRESS"];

fn show(peers: &[Peer], output: &mut Output) -> Result<()> {
    let row = |output: &Output, peer: &Peer| {
        let (way, tint) = match (peer.connected, peer.direct) {
            (false, _) => ("known", Tint::Dim),
            (true, true) => ("direct", Tint::Green),
            (true, false) => ("relayed", Tint::Yellow),
        };
        [
            Cell::name(&peer.name, None),
            Cell::two(&short_peer(&peer.peer_id), &peer.peer_id.to_string()).tint(Tint::Dim),
            Cell::flag(peer.contact),
            Cell::text(way).tint(tint),
            Cell::text(&peer.since.map(|at| output.time(at)).unwrap_or_default()).tint(Tint::Dim),
            Cell::long(peer.addr.as_deref().unwrap_or_default()),
        ]
    };
    output.list(peers, TITLES, "no peer is connected or known; `rohrpost doctor` says what would help", row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, peer, written};

    #[test]
    fn connected_and_known_peers() {
        let of = |n, connected, direct| Peer {
            peer_id: peer(n),
            name: HOSTILE.to_owned(),
            contact: n == 2,
            connected,
            addr: Some("/ip4/192.0.2.1/tcp/1".to_owned()),
            direct,
            since: connected.then_some(NOW),
            known: !connected,
        };
        let peers = [of(2, true, true), of(3, true, false), of(4, false, false)];
        let plain = written(Form::Plain, |output| show(&peers, output));
        let ways: Vec<_> = plain.lines().map(|line| line.split('\t').nth(3).unwrap()).collect();
        assert_eq!(ways, ["direct", "relayed", "known"]);
        let people = written(PEOPLE, |output| show(&peers, output));
        assert!(!people.contains('\x1b') && people.lines().count() == 4, "{people}");
    }
}
