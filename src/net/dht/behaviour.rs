//! Kademlia as it is used here: under our own name only (NET-50), records filtered, and no address dialled only because somebody
//! told it (NET-57).

use std::collections::HashMap;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad::{self, BucketInserts, Caching, Mode, QueryInfo, StoreInserts};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::super::addresses::{self, Scope, bare, dialable};
use super::super::limits::activity::Activity;
use super::super::origin::Origin;
use super::super::peers::Link;
use super::super::{from_libp2p, span};
use super::handler::Handler;
use super::store::Records;
use crate::base::limits::{
    DHT_PROVIDER_LIFE, DHT_QUERY_TIMEOUT, DHT_RECORD_LIFE, DHT_STEP_TIMEOUT, MAX_PEER_ADDRS, MAX_ROUTED_ADDRS,
    MAX_ROUTED_PER_NETWORK,
};
use crate::envelope::directory::PROTOCOL;

type Inner = kad::Behaviour<Records>;

/// The behaviour.
pub(in crate::net) struct Behaviour {
    pub(super) inner: Inner,
    /// By which connection each connected peer is asked.
    preferred: HashMap<PeerId, ConnectionId>,
    activity: Activity,
}

/// A direct address of this peer that begins with an IP address.
fn direct(peer: &PeerId, addr: &Multiaddr) -> Option<Multiaddr> {
    let peer = from_libp2p(peer)?;
    let addr = dialable(&peer, addr)?;
    (!addresses::is_circuit(&addr) && addresses::scope_of_ip(&addr).is_some()).then_some(addr)
}

impl Behaviour {
    pub(in crate::net) fn new(me: PeerId, server: bool, activity: Activity) -> Self {
        let mut config = kad::Config::new(StreamProtocol::new(PROTOCOL));
        config
            .set_query_timeout(span(DHT_QUERY_TIMEOUT))
            .set_substreams_timeout(span(DHT_STEP_TIMEOUT))
            .set_record_ttl(Some(span(DHT_RECORD_LIFE)))
            .set_provider_record_ttl(Some(span(DHT_PROVIDER_LIFE)))
            .set_record_filtering(StoreInserts::FilterBoth)
            .set_kbucket_inserts(BucketInserts::Manual)
            .disjoint_query_paths(true)
            .set_caching(Caching::Disabled)
            // Owners renew what is theirs, and mailboxes what is of those who sleep.
            .set_replication_interval(None)
            .set_publication_interval(None)
            .set_provider_publication_interval(None)
            .set_periodic_bootstrap_interval(None);
        let mut inner = Inner::with_config(me, Records::new(me), config);
        inner.set_mode(Some(mode(server)));
        Self { inner, preferred: HashMap::new(), activity }
    }

    /// Asks this peer by this connection from now on (NET-40); `None`: there is none any more. The crate would take any: what is asked
    /// on one that is closed as a double is never answered, and the query waits for it.
    pub(in crate::net) fn prefer(&mut self, peer: PeerId, connection: Option<ConnectionId>) {
        match connection {
            Some(connection) => self.preferred.insert(peer, connection),
            None => self.preferred.remove(&peer),
        };
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        self.preferred.len()
    }

    /// Holds records for others, or no longer.
    pub(super) fn set_server(&mut self, server: bool) {
        self.inner.set_mode(Some(mode(server)));
    }

    /// Looks around no further.
    pub(super) fn end_bootstraps(&mut self) {
        let queries = self.inner.iter_queries_mut();
        queries
            .filter(|query| matches!(query.info(), QueryInfo::Bootstrap { .. }))
            .for_each(|mut query| query.finish());
    }

    /// How many peers are in the routing table.
    pub(super) fn len(&mut self) -> usize {
        self.inner.kbuckets().map(|bucket| bucket.num_entries()).sum()
    }

    /// The peers of the routing table and where they are.
    pub(super) fn routed(&mut self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut all = Vec::new();
        for bucket in self.inner.kbuckets() {
            all.extend(
                bucket.iter().map(|entry| (*entry.node.key.preimage(), entry.node.value.iter().cloned().collect())),
            );
        }
        all
    }

    /// Where a peer of the routing table is.
    fn addrs_of(&mut self, peer: &PeerId) -> Vec<Multiaddr> {
        let Some(bucket) = self.inner.kbucket(*peer) else { return Vec::new() };
        let entry = bucket.iter().find(|entry| entry.node.key.preimage() == peer);
        entry.map(|entry| entry.node.value.iter().cloned().collect()).unwrap_or_default()
    }

    /// A peer says by this connection that he holds records, and where he is. He comes into the routing table with the address at which we
    /// reached him, and with those of what he says that have the IP address he speaks from (NET-57): whoever names another's
    /// leads nobody there.
    pub(super) fn admit(&mut self, peer: PeerId, heard: &Link, claimed: &[Multiaddr]) {
        let speaks_from = Origin::of(&heard.addr);
        // Behind a name that was given to us there is an address that we do not see.
        let by_name = heard.ours && addresses::scope_of_ip(&heard.addr).is_none();
        let own = |addr: &Multiaddr| match by_name {
            true => addresses::scope_of_ip(addr) == Some(Scope::Global),
            false => speaks_from.is_some() && addr.iter().next() == heard.addr.iter().next(),
        };
        let dialled = heard.ours.then(|| direct(&peer, &heard.addr)).flatten();
        let told = claimed.iter().take(2 * MAX_PEER_ADDRS).filter_map(|addr| direct(&peer, addr)).filter(own);
        let addrs: Vec<_> = dialled.into_iter().chain(told).take(MAX_ROUTED_ADDRS).collect();
        let known = !self.addrs_of(&peer).is_empty();
        if !known && addrs.first().is_none_or(|addr| !self.has_room(addr)) {
            return;
        }
        for addr in addrs {
            self.inner.add_address(&peer, addr);
        }
        self.trim(&peer);
    }

    /// Whether another peer of this network may come in: nobody rules the table from one place. Within a site all are
    /// of few networks.
    fn has_room(&mut self, addr: &Multiaddr) -> bool {
        let network = |addr: &Multiaddr| Origin::of(addr).and_then(Origin::network);
        let wanted = network(addr);
        wanted.is_none()
            || self.routed().iter().filter(|(_, addrs)| addrs.iter().any(|addr| network(addr) == wanted)).count()
                < MAX_ROUTED_PER_NETWORK
    }

    /// Keeps the first addresses of a peer: an answer that names twenty of such peers has to fit into a packet.
    pub(super) fn trim(&mut self, peer: &PeerId) {
        for addr in self.addrs_of(peer).into_iter().skip(MAX_ROUTED_ADDRS) {
            self.inner.remove_address(peer, &addr);
        }
    }

    /// What of these addresses of a peer, told by whomever, is dialled: direct ones that begin with an IP address; those
    /// of a site or of a machine only if we have peers in the table who are there. The table's own are good.
    pub(super) fn sane(&mut self, peer: &PeerId, told: &[Multiaddr]) -> Vec<Multiaddr> {
        let known: Vec<_> = self.addrs_of(peer).iter().map(bare).collect();
        let mut scopes = None;
        let mut sane = Vec::new();
        for addr in told.iter().take(4 * MAX_PEER_ADDRS).map(bare) {
            let good = known.contains(&addr)
                || direct(peer, &addr).is_some_and(|addr| match addresses::scope_of_ip(&addr) {
                    Some(Scope::Global) => true,
                    Some(scope) => scopes.get_or_insert_with(|| self.scopes()).contains(&scope),
                    None => false,
                });
            if good && !sane.contains(&addr) {
                sane.push(addr);
            }
        }
        sane.truncate(MAX_PEER_ADDRS);
        sane
    }

    /// Where the peers of the routing table are.
    fn scopes(&mut self) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for scope in self.routed().iter().flat_map(|(_, addrs)| addrs).filter_map(addresses::scope_of_ip) {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        scopes
    }

    /// The addresses that the queries under way were told of a peer. (The crate gives only who provides, not where.)
    pub(super) fn told_of(&mut self, peer: &PeerId) -> Vec<Multiaddr> {
        let id = ConnectionId::new_unchecked(0);
        let told = self.inner.handle_pending_outbound_connection(id, Some(*peer), &[], Endpoint::Dialer);
        self.sane(peer, &told.unwrap_or_default())
    }
}

const fn mode(server: bool) -> Mode {
    if server { Mode::Server } else { Mode::Client }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler<THandler<Inner>>;
    type ToSwarm = kad::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(id, peer, local, remote).map(Handler::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(id, peer, remote, role, port).map(Handler::new)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addrs: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let told = self.inner.handle_pending_outbound_connection(id, peer, addrs, role)?;
        Ok(peer.map(|peer| self.sane(&peer, &told)).unwrap_or_default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.activity.touch(id);
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx).map(|action| match action {
            ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event } => {
                let preferred = self.preferred.get(&peer_id).copied();
                preferred.inspect(|id| self.activity.touch(*id));
                let handler = preferred.map_or(NotifyHandler::Any, NotifyHandler::One);
                ToSwarm::NotifyHandler { peer_id, handler, event }
            }
            action => action,
        })
    }
}

/// How long a query is given to bring more when it has brought enough to go on.
pub(super) const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use libp2p::kad::RecordKey;

    use super::*;

    /// NET-58
    #[test]
    fn looking_around_ends_and_searches_go_on() {
        let mut behaviour = Behaviour::new(PeerId::random(), false, Activity::default());
        for n in 1..20 {
            behaviour.inner.add_address(&PeerId::random(), format!("/ip4/192.0.2.{n}/tcp/1").parse().unwrap());
        }
        behaviour.inner.bootstrap().unwrap();
        let search = behaviour.inner.get_record(RecordKey::new(&[7; 32]));
        assert_eq!(behaviour.inner.iter_queries().count(), 2);
        behaviour.end_bootstraps();
        assert!(behaviour.inner.iter_queries().map(|query| query.id()).eq([search]));
    }
}
