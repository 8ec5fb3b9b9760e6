//! The DHT: cards put, held and found, open mailboxes, and peers looked for (docs/protocol/network.md, section 7).
//!
//! `behaviour` is Kademlia with addresses filtered, `store` what we hold, `judge` what is believed, `publish` what is to stand
//! there, `announce` when our open mailbox is, `table` who is worth knowing. Here the queries are begun and their ends understood.

mod announce;
pub(super) mod behaviour;
mod handler;
mod judge;
mod publish;
mod query;
mod store;
mod table;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::envelope::border;
use libp2p::kad::{
    Event, GetProvidersOk, GetRecordOk, InboundRequest, PeerRecord, ProgressStep, ProviderRecord, QueryId, QueryResult,
    QueryStats, Quorum, Record, RecordKey,
};
use libp2p::{Multiaddr, identify};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub(super) use self::query::{Find, MailboxReply};

use self::announce::Announce;
use self::behaviour::{Behaviour, LINGER};
use self::judge::{Judge, Put, found};
use self::publish::Publisher;
use self::query::{Putting, Query, Running};
use self::table::Table;
use super::budget::Who;
use super::origin::{Neighbours, Origin};
use super::peers::{Link, Peers};
use super::shared::{Shared, hand_over};
use super::{from_libp2p, span, to_libp2p, wall_now};
use crate::base::PeerId;
use crate::base::limits::{
    DHT_ENOUGH_COPIES, DHT_FEW_PEERS, DHT_PUT_PATIENCE, DHT_REFRESH, DHT_SEEK_TIMEOUT, MAX_ADDRS, MAX_DHT_FINDS,
    MAX_DHT_MAILBOXES, MAX_DHT_PUBLISHING, MAX_DHT_SEEKS, MAX_DHT_WAITING,
};
use crate::base::words::DhtStatus;
use crate::envelope::directory::{PROTOCOL, card_key, mailboxes_key};
use crate::identity::CardIn;

/// Our part in the DHT.
pub(super) struct Dht {
    shared: Arc<Shared>,
    /// Whether we hold records is not to be found out, but said.
    forced: bool,
    server: bool,
    judge: Judge,
    publisher: Publisher,
    /// One permit for each card that is being put, until its outcome is told.
    publishing: Arc<Semaphore>,
    queries: HashMap<QueryId, Running>,
    finds: VecDeque<Find>,
    seeks: VecDeque<PeerId>,
    table: Table,
    announce: Announce,
    refreshed: Option<Instant>,
    /// Until when our card stands, if nobody renews it.
    stands_until: Option<Instant>,
}

impl Dht {
    pub(super) fn new(shared: Arc<Shared>, server: Option<bool>, known: &[(PeerId, Vec<String>)]) -> Self {
        Self {
            table: Table::new(shared.me, known),
            shared,
            forced: server.is_some(),
            server: server == Some(true),
            judge: Judge::default(),
            publisher: Publisher::default(),
            publishing: Arc::new(Semaphore::new(MAX_DHT_PUBLISHING)),
            queries: HashMap::new(),
            finds: VecDeque::new(),
            seeks: VecDeque::new(),
            announce: Announce::default(),
            refreshed: None,
            stands_until: None,
        }
    }

    // ---- what is asked of us --------------------------------------------------------------------

    /// Whether we are publicly reachable: then we hold records for others, unless it was said otherwise (NET-51).
    pub(super) fn set_server(&mut self, kad: &mut Behaviour, server: bool) {
        if !self.forced && self.server != server {
            tracing::info!(server, "part in the DHT");
            self.server = server;
            kad.set_server(server);
            // Who is asked has to know his way everywhere.
            if server && kad.inner.bootstrap().is_ok() {
                self.refreshed = Some(Instant::now());
            }
        }
    }

    /// Whether we hold records for others.
    pub(super) const fn is_server(&self) -> bool {
        self.server
    }

    /// A card is to stand. It is taken as it comes: whether it is sound is for those who hold it to judge.
    pub(super) fn publish(&mut self, owner: PeerId, card: Vec<u8>) {
        let sequence = CardIn::decode(&card).ok().filter(|card| card.claimed_owner() == owner);
        let Some(sequence) = sequence.map(|card| card.claimed_sequence()) else {
            return tracing::warn!(?owner, "no card to publish");
        };
        let own = owner == self.shared.me;
        if !self.publisher.add(owner, own, card, sequence, Instant::now()) {
            tracing::warn!(?owner, "too many cards wait to be published");
        }
        if own {
            // Until this one stands: the one before may say less.
            self.stands_until = None;
            self.shared.dht.send_modify(|status| status.published = false);
        }
    }

    pub(super) fn find(&mut self, find: Find) {
        self.finds.push_back(find);
    }

    pub(super) fn find_mailboxes(&mut self, kad: &mut Behaviour, reply: MailboxReply) {
        let running = self.queries.values().filter(|query| matches!(query.what, Query::Mailboxes { .. })).count();
        // Dropped, the reply says that there are none.
        if running < MAX_DHT_FINDS && kad.len() > 0 {
            let id = kad.inner.get_providers(RecordKey::new(&mailboxes_key()));
            self.begin(id, Query::Mailboxes { reply, found: HashMap::new() });
        }
    }

    pub(super) fn announce(&mut self, open: bool) {
        self.announce.set(open, Instant::now());
    }

    /// Looks for a peer among those nearest to his ID; whether that is begun. [`Dht::on_event`] tells its end.
    pub(super) fn seek(&mut self, kad: &mut Behaviour, peer: PeerId) -> bool {
        let begun = kad.len() > 0 && self.seeks.len() < MAX_DHT_WAITING;
        if begun && !self.seeks.contains(&peer) {
            self.seeks.push_back(peer);
        }
        begun
    }

    // ---- what happens ---------------------------------------------------------------------------

    /// A peer said what he speaks, and where he is. Only who offers to hold records is in the routing table (NET-57).
    pub(super) fn on_identify(
        &mut self,
        kad: &mut Behaviour,
        peer: libp2p::PeerId,
        heard: &Link,
        info: &identify::Info,
    ) {
        if info.protocols.iter().any(|protocol| protocol.as_ref() == PROTOCOL) {
            let alone = kad.len() == 0;
            kad.admit(peer, heard, &info.listen_addrs);
            self.look_no_further(kad);
            if kad.len() > 0 {
                self.table.reached(&peer);
                if alone {
                    self.publisher.wake(Instant::now());
                }
            }
        } else {
            kad.inner.remove_peer(&peer);
        }
    }

    /// A peer was not there. Who was not there three times in a row is not asked again, unless we seem to be alone.
    pub(super) fn on_dial_failed(&mut self, kad: &mut Behaviour, peer: &libp2p::PeerId, alone: bool) {
        if !alone && self.table.missed(peer) {
            kad.inner.remove_peer(peer);
        }
    }

    /// What Kademlia tells; a peer whose search has ended.
    pub(super) fn on_event(&mut self, kad: &mut Behaviour, peers: &Peers, event: Event) -> Option<PeerId> {
        match event {
            Event::InboundRequest { request: InboundRequest::PutRecord { source, record: Some(record), .. } } => {
                if let Some(source) = from_libp2p(&source) {
                    self.on_put(kad, self.who(peers, source), record);
                }
                None
            }
            Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                self.on_provider(kad, peers, &record);
                None
            }
            Event::RoutingUpdated { peer, .. } => {
                kad.trim(&peer);
                None
            }
            Event::OutboundQueryProgressed { id, result, stats, step } => {
                let ended = self.on_progress(kad, id, result, &stats, &step);
                self.proceed(kad);
                ended
            }
            _ => None,
        }
    }

    /// To be called now and then: begins what waits, ends what lasts, tells what changed. Peers that are to be dialled.
    pub(super) fn tick(&mut self, kad: &mut Behaviour) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let now = Instant::now();
        for (id, _) in self.queries.iter().filter(|(_, query)| query.enough_at.is_some_and(|at| at <= now)) {
            finish(kad, id);
        }
        self.proceed(kad);
        self.renew(kad, now);
        self.look_no_further(kad);
        kad.inner.store_mut().sweep(now.into_std());
        let routed = kad.routed();
        if let Some(known) = self.table.news(&routed, now) {
            self.shared.notices.latest(border::Event::KnownPeers(known));
        }
        let status = DhtStatus {
            server: self.server,
            peers: routed.len() as u64,
            records: kad.inner.store_mut().len() as u64,
            published: self.stands_until.is_some_and(|until| until > now),
        };
        self.shared.dht.send_replace(status);
        self.table.next_dials(routed.len(), now)
    }

    /// A client needs a few to begin with: who is near a key is asked for when there is something to look for, and each peer
    /// asked costs a handshake at both ends.
    fn look_no_further(&self, kad: &mut Behaviour) {
        if !self.server && kad.len() >= DHT_FEW_PEERS {
            kad.end_bootstraps();
        }
    }

    /// Looks at our surroundings again, and says again that we keep a mailbox.
    fn renew(&mut self, kad: &mut Behaviour, now: Instant) {
        let alone = kad.len() == 0;
        if !alone {
            // The crate does so by itself as long as it knows few peers, so the first time, too.
            let last = *self.refreshed.get_or_insert(now);
            if now.saturating_duration_since(last) >= span(DHT_REFRESH) && kad.inner.bootstrap().is_ok() {
                self.refreshed = Some(now);
            }
        }
        // A server that knows no other tells those who ask it.
        if (self.server || !alone)
            && self.announce.is_due(alone, now)
            && let Err(error) = kad.inner.start_providing(RecordKey::new(&mailboxes_key()))
        {
            tracing::debug!(%error, "our mailbox is not announced");
        }
    }

    /// Begins what waits, as far as there is room.
    fn proceed(&mut self, kad: &mut Behaviour) {
        let finds = |query: &Running| matches!(query.what, Query::Find { .. });
        while self.queries.values().filter(|query| finds(query)).count() < MAX_DHT_FINDS {
            let Some(find) = self.finds.pop_front() else { break };
            let id = kad.inner.get_record(RecordKey::new(&card_key(&find.peer)));
            self.begin(id, Query::Find { find, best: None, copies: 0 });
        }
        let seeks = |query: &Running| matches!(query.what, Query::Seek { .. });
        while self.queries.values().filter(|query| seeks(query)).count() < MAX_DHT_SEEKS {
            let Some(peer) = self.seeks.pop_front() else { break };
            let id = kad.inner.get_closest_peers(to_libp2p(&peer));
            let enough_at = Some(Instant::now() + span(DHT_SEEK_TIMEOUT));
            self.queries.insert(id, Running { what: Query::Seek { peer }, enough_at });
        }
        if kad.len() == 0 {
            return;
        }
        loop {
            let Ok(slot) = Arc::clone(&self.publishing).try_acquire_owned() else { return };
            let Some((owner, sequence)) = self.publisher.next(Instant::now()) else { return };
            let id = kad.inner.get_closest_peers(card_key(&owner).to_vec());
            self.begin(id, Query::Nearest(Putting { owner, sequence, slot }));
        }
    }

    fn begin(&mut self, id: QueryId, what: Query) {
        self.queries.insert(id, Running { what, enough_at: None });
    }

    // ---- what others put here -------------------------------------------------------------------

    fn on_put(&mut self, kad: &mut Behaviour, source: Who, record: Record) {
        let store = kad.inner.store_mut();
        let put = Put { source, key: &record.key, value: &record.value, held: store.held(&record.key) };
        match self.judge.put(&put, wall_now(), Instant::now()) {
            Ok(sound) => hold(store, record, &sound, source.address.map(Origin::neighbours)),
            Err(refused) => tracing::debug!(?refused, "a record is not held"),
        }
    }

    /// NET-59: for the one key only, at addresses that could be dialled.
    fn on_provider(&mut self, kad: &mut Behaviour, peers: &Peers, record: &ProviderRecord) {
        let Some(peer) = from_libp2p(&record.provider) else { return };
        let who = self.who(peers, peer);
        let due = self.judge.is_due(&who, Instant::now());
        if let Some(expires) = record.expires.filter(|_| due && record.key.as_ref() == mailboxes_key()) {
            let addrs = record.addresses.iter().take(2 * MAX_ADDRS);
            let addrs = addrs.filter_map(|addr| super::addresses::dialable(&peer, addr)).take(MAX_ADDRS).collect();
            kad.inner.store_mut().provide(record.provider, addrs, expires, who);
        }
    }

    /// A connected peer, and where he speaks from.
    fn who(&self, peers: &Peers, peer: PeerId) -> Who {
        self.shared.who(peer, peers.origin(&peer))
    }

    // ---- how queries go on and end --------------------------------------------------------------

    fn on_progress(
        &mut self,
        kad: &mut Behaviour,
        id: QueryId,
        result: QueryResult,
        stats: &QueryStats,
        step: &ProgressStep,
    ) -> Option<PeerId> {
        let enough = match &result {
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(record))) => self.on_record(id, record),
            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) => {
                self.on_providers(kad, id, providers);
                false
            }
            // What follows is one look into each bucket: for those who are asked.
            QueryResult::Bootstrap(_) => !self.server,
            _ => false,
        };
        if enough {
            finish(kad, &id);
        }
        let query = if step.last { self.queries.remove(&id) } else { None };
        if let Some(query) = &query {
            tracing::debug!(what = ?query.what.kind(), took = ?stats.duration(), asked = stats.num_requests(), answered = stats.num_successes(), failed = stats.num_failures(), "a query of the DHT has ended");
        }
        match query?.what {
            Query::Nearest(putting) => {
                let nearest = match result {
                    QueryResult::GetClosestPeers(Ok(near)) => near.peers,
                    _ => Vec::new(),
                };
                self.put(kad, putting, nearest.iter().map(|near| near.peer_id).collect());
            }
            Query::Put(putting) => {
                let id = kad.inner.get_record(RecordKey::new(&card_key(&putting.owner)));
                self.begin(id, Query::ReadBack(putting, HashSet::new()));
            }
            Query::ReadBack(putting, copies) => self.settle(putting, copies.len()),
            Query::Find { find, best, .. } => self.tell(find, best, stats.num_successes()),
            Query::Mailboxes { reply, found } => _ = reply.send(found.into_iter().collect()),
            Query::Seek { peer } => return Some(peer),
        }
        None
    }

    /// Puts a card to those who are nearest to its key, and keeps it ourselves if we hold records.
    fn put(&mut self, kad: &mut Behaviour, putting: Putting, nearest: Vec<libp2p::PeerId>) {
        let owner = putting.owner;
        let Some(card) = self.publisher.card(&owner).filter(|_| !nearest.is_empty()) else {
            return self.settle(putting, 0);
        };
        let record = Record::new(card_key(&owner).to_vec(), card.to_vec());
        if self.server
            && let Some(sound) = found(&owner, card, wall_now())
            && kad.inner.store_mut().held(&record.key).is_none_or(|(held, _)| sound.sequence >= held)
        {
            hold(kad.inner.store_mut(), record.clone(), &sound, None);
        }
        let id = kad.inner.put_record_to(record, nearest.into_iter(), Quorum::All);
        // The crate waits for each of them until the query times out: one whose connection was closed as a double meanwhile is
        // never heard of again. What counts is who gives the card back.
        let enough_at = Some(Instant::now() + span(DHT_PUT_PATIENCE));
        self.queries.insert(id, Running { what: Query::Put(putting), enough_at });
    }

    /// A card was read back from so many.
    fn settle(&mut self, Putting { owner, sequence, slot }: Putting, copies: usize) {
        let now = Instant::now();
        if !self.publisher.settle(owner, sequence, copies, now) {
            return tracing::debug!(?owner, copies, "a card does not stand yet");
        }
        if owner == self.shared.me {
            self.stands_until = Some(now + span(crate::base::limits::DHT_RECORD_LIFE));
        }
        let event = border::Event::CardPublished { owner, copies: u32::try_from(copies).unwrap_or(u32::MAX) };
        tokio::spawn(hand_over(self.shared.lanes.contacts.clone(), event, slot));
    }

    /// A record came. What is not sound, or not of the peer who is looked for, counts as nothing (NET-54). Whether that is enough.
    fn on_record(&mut self, id: QueryId, PeerRecord { peer, record }: &PeerRecord) -> bool {
        let Some(running) = self.queries.get_mut(&id) else { return false };
        let enough = match &mut running.what {
            Query::ReadBack(Putting { owner, .. }, copies) => {
                let same = self.publisher.card(owner) == Some(&record.value);
                copies.extend(peer.filter(|_| same));
                copies.len()
            }
            // That we hold our own card says nothing of what others hold.
            Query::Find { find, .. } if peer.is_none() && find.peer == self.shared.me => return false,
            Query::Find { find, best, copies } => {
                if let Some(sound) = found(&find.peer, &record.value, wall_now()) {
                    *copies += 1;
                    if best.as_ref().is_none_or(|(sequence, _)| sound.sequence > *sequence) {
                        *best = Some((sound.sequence, record.value.clone()));
                    }
                }
                *copies
            }
            _ => return false,
        };
        if enough > 0 {
            running.enough_at.get_or_insert_with(|| Instant::now() + LINGER);
        }
        enough >= DHT_ENOUGH_COPIES
    }

    fn on_providers(&mut self, kad: &mut Behaviour, id: QueryId, providers: &HashSet<libp2p::PeerId>) {
        let me = self.shared.me;
        let Some(Running { what: Query::Mailboxes { found, .. }, .. }) = self.queries.get_mut(&id) else { return };
        for provider in providers {
            let Some(peer) = from_libp2p(provider).filter(|peer| *peer != me) else { continue };
            if found.len() >= MAX_DHT_MAILBOXES && !found.contains_key(&peer) {
                return;
            }
            let addrs = found.entry(peer).or_default();
            for addr in kad.told_of(provider).iter().map(Multiaddr::to_string) {
                if addrs.len() < MAX_ADDRS && !addrs.contains(&addr) {
                    addrs.push(addr);
                }
            }
        }
    }

    /// Tells the outcome of a search; the permits bound these tasks.
    fn tell(&self, find: Find, best: Option<(u64, Vec<u8>)>, asked: u32) {
        let Find { peer, ticket, permit } = find;
        let event = match best {
            Some((_, card)) => border::Event::CardFound { peer, ticket, card },
            None => border::Event::CardNotFound { peer, ticket, asked },
        };
        tokio::spawn(hand_over(self.shared.lanes.contacts.clone(), event, permit));
    }
}

/// Ends a query with what it has brought.
fn finish(kad: &mut Behaviour, id: &QueryId) {
    if let Some(mut query) = kad.inner.query_mut(id) {
        query.finish();
    }
}

/// Holds a record as long as the DHT does, and no longer than the card is valid.
fn hold(store: &mut store::Records, mut record: Record, sound: &judge::Sound, from: Option<Neighbours>) {
    let now = Instant::now().into_std();
    let valid = now + span(sound.expires.since(wall_now()));
    let longest = now + span(crate::base::limits::DHT_RECORD_LIFE);
    record.expires = Some(record.expires.unwrap_or(longest).min(longest).min(valid));
    // Who brought it is nobody's business, but for the network whose share it is of.
    record.publisher = None;
    store.hold(record, sound.sequence, from);
}
