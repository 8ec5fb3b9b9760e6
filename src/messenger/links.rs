//! What the network tells of connections.

use crate::base::address::best_first;
use crate::base::event::EventKind;
use crate::base::{PeerId, limits};
use crate::store::{Rows, Scan};

use super::io::{Class, Order};
use super::tables::{PeerRow, Peers};
use super::tx::{Step, Tx};

/// What an address through a relay ends in.
pub(super) const CIRCUIT: &str = "/p2p-circuit";
/// Such addresses that we tell of ourselves: of each of two relays one by QUIC and one by TCP would be enough.
const MAX_CIRCUITS: usize = 4;

impl Tx<'_> {
    /// Tells the node at start who is a contact: his lanes and rates depend on it.
    pub(super) fn contacts_at_start(&mut self) -> Step {
        for (_, row) in self.buf.scan_sound::<Peers>(&Scan::all())?.0 {
            if row.is_contact() {
                self.push(Order::Class { peer: row.peer, class: Class::Contact });
            }
        }
        Ok(())
    }

    /// There is a connection.
    pub(super) fn connected(&mut self, peer: PeerId) -> Step {
        let is_first = self.mem.links.values().all(|link| !link.connected);
        let now = self.now.mono;
        let link = self.link(peer);
        let new = !link.connected;
        link.connected = true;
        link.dialling = false;
        link.retry_at = None;
        link.pace.connected(now);
        (link.away_since, link.seek, link.seek_at, link.seeks) = (None, None, None, 0);
        link.post_at = None;
        if new {
            (link.inquire_at, link.asked_at) = (Some(now + limits::RECEIPTS_OVERDUE), None);
            // Whoever comes and goes is asked no more often than that.
            link.look_at = link.look_at.map(|at| at.min(now + limits::SEEK_FIRST));
        }
        self.mem.asks.missed.remove(&peer);
        self.touch(peer);
        self.network_is_back(peer, is_first);
        let contact = self.peer(&peer)?.filter(PeerRow::is_contact);
        self.tell_presence(peer, contact.is_some());
        if let Some(mut row) = contact
            && self.send_profile(&mut row)?
        {
            self.put_peer(&row)?;
        }
        Ok(())
    }

    /// There is none any more. What was on its way goes again later.
    pub(super) fn disconnected(&mut self, peer: PeerId) -> Step {
        let link = self.link(peer);
        link.connected = false;
        link.dialling = false;
        (link.bundle, link.inquire_at) = (None, None);
        if !self.mem.out.of(&peer).frames.is_empty() {
            self.hold_back(peer)?;
        }
        self.leave_stream(peer)?;
        if !self.mem.out.of(&peer).letters.is_empty() {
            self.link(peer).away_since = Some(self.now.mono);
            self.back_off(peer)?;
        }
        self.touch(peer);
        let is_contact = self.peer(&peer)?.as_ref().is_some_and(PeerRow::is_contact);
        self.tell_presence(peer, is_contact);
        Ok(())
    }

    /// Tells that a contact has come or gone, if that is to be told now.
    fn tell_presence(&mut self, peer: PeerId, is_contact: bool) {
        let now = self.now.mono;
        let link = self.link(peer);
        let is_there = link.connected;
        if link.presence.tells(is_there, is_contact, now) {
            self.event(match is_there {
                true => EventKind::PeerOnline { peer_id: peer },
                false => EventKind::PeerOffline { peer_id: peer },
            });
        }
    }

    /// A pause is over: tells and writes what holds by now.
    pub(super) fn tell_what_holds(&mut self, peer: PeerId) -> Step {
        let is_contact = self.peer(&peer)?.as_ref().is_some_and(PeerRow::is_contact);
        self.tell_presence(peer, is_contact);
        self.note_next_try(peer)
    }

    /// Where our node listens: told to contacts inside sessions, and kept for the own link.
    pub(super) fn listening(&mut self, mut addrs: Vec<String>) -> Step {
        // A loopback address helps nobody elsewhere; it is told only where there is nothing better.
        if addrs.iter().any(|a| !is_loopback(a)) {
            addrs.retain(|a| !is_loopback(a));
        }
        addrs.retain(|a| a.len() <= limits::MAX_ADDR_LEN);
        // One that nobody else can dial takes nobody's place. It is kept for its port, which the node takes again.
        best_first(&mut addrs);
        // Through relays we are reached where nothing else leads: some are told, whatever else there is.
        let circuits = addrs.iter().filter(|a| a.ends_with(CIRCUIT)).count().min(MAX_CIRCUITS);
        let (mut straight, mut relayed) = (limits::MAX_ADDRS - circuits, circuits);
        addrs.retain(|a| {
            let left = if a.ends_with(CIRCUIT) { &mut relayed } else { &mut straight };
            let has_room = *left > 0;
            *left = left.saturating_sub(1);
            has_room
        });
        let mut profile = self.profile()?;
        if profile.addrs == addrs {
            return Ok(());
        }
        profile.addrs = addrs;
        self.put_profile(&profile)?;
        self.tell_profile()
    }
}

fn is_loopback(addr: &str) -> bool {
    addr.starts_with("/ip4/127.") || addr.starts_with("/ip6/::1/")
}

#[cfg(test)]
mod tests {
    use crate::base::{Millis, limits};
    use crate::messenger::io::{Event, Input};
    use crate::messenger::query;
    use crate::messenger::tables::{Peers, peer_key};
    use crate::messenger::testing::Office;
    use crate::store::Rows;

    const ALICE: usize = 0;
    const BOB: usize = 1;

    /// However many addresses of a network a machine has, and whatever leads nowhere: a contact is told one of each kind.
    #[test]
    fn contacts_are_told_where_we_can_be_dialled() {
        let mut office = Office::pair();
        let link_local = "/ip6/fe80::1/tcp/4001".to_owned();
        let mut here: Vec<String> = (1..=40).map(|n| format!("/ip4/10.0.0.{n}/tcp/4001")).collect();
        here.insert(0, link_local.clone());
        here.extend(["/ip4/127.0.0.1/tcp/4001", "/ip4/9.9.9.9/udp/4001/quic-v1"].map(str::to_owned));
        office.in_commits(ALICE, vec![Input::Net(Event::Listening(here))]);
        office.say(ALICE, BOB, "where I am");
        office.pass(Millis::from_secs(60));
        let told = office.rows(BOB).get::<Peers>(&peer_key(&office.id(ALICE))).unwrap().unwrap().addrs;
        assert_eq!(&told[..2], ["/ip4/9.9.9.9/udp/4001/quic-v1", "/ip4/10.0.0.1/tcp/4001"]);
        assert!(told.len() <= limits::MAX_ADDRS && told.iter().all(|addr| addr.starts_with("/ip4/")), "{told:?}");

        // What leads nowhere is kept where there is room: the node takes its port again.
        office.in_commits(ALICE, vec![Input::Net(Event::Listening(vec![link_local.clone(), told[1].clone()]))]);
        office.say(ALICE, BOB, "where I am now");
        office.pass(Millis::from_secs(60));
        let kept = query::link(&office.rows(ALICE), office.id(ALICE)).unwrap().unwrap().addrs;
        assert_eq!(kept, [told[1].clone(), link_local]);
        let told = office.rows(BOB).get::<Peers>(&peer_key(&office.id(ALICE))).unwrap().unwrap().addrs;
        assert!(told.iter().all(|addr| addr.starts_with("/ip4/")), "{told:?}");
    }
}
