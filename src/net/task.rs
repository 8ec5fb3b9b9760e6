//! The task that owns the swarm. It only dispatches: what can wait is done by other tasks.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::SwarmEvent;
#[cfg(test)]
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, Swarm, ping};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, Sleep, interval, timeout};

use super::addresses::{AddressBook, bare, hints, is_circuit, scope};
use super::behaviour::{Behaviour, BehaviourEvent};
use super::config::NetConfig;
use super::contained::{Contained, Told};
use super::dht::{Dht, Find};
use super::discovery::{self, Discovery};
use super::envelope::inbound::{self, Streams};
use super::exchange::{Cards, Fetch};
use super::handle::Command;
use super::mailbox::ask::{Asks, Question, Want};
use super::mailbox::courier::Courier;
use super::mailbox::desk::Desk;
use super::mailbox::serve;
use super::names::Names;
use super::nat::Nat;
use super::peers::Peers;
use super::places::Permit;
use super::seeks::Seeks;
use super::shared::{Open, Shared, Suspicion};
use super::{from_libp2p, span, to_libp2p};
use crate::base::PeerId;
use crate::base::limits::{CLASS_REFRESH, DHT_TICK, LISTEN_QUIET, LISTEN_TIMEOUT, MAX_LISTEN, TICK};
use crate::envelope::border::Order;
use crate::envelope::exchange::CardResponse;

/// How long a stopping network waits for its connections to say goodbye.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(2);

/// And for the router, which is asked to forward nothing to us any more.
const ROUTER_GOODBYE: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) struct Task {
    pub(super) swarm: Swarm<Contained<Behaviour>>,
    pub(super) shared: Arc<Shared>,
    pub(super) peers: Peers,
    pub(super) book: AddressBook,
    pub(super) discovery: Discovery,
    pub(super) nat: Nat,
    /// What leads inside under a name.
    pub(super) names: Names,
    pub(super) streams: Arc<Streams>,
    pub(super) desk: Arc<Desk>,
    cards: Arc<Cards>,
    pub(super) asks: Asks,
    wants: mpsc::Receiver<Want>,
    courier: Courier,
    pub(super) dht: Dht,
    pub(super) seeks: Seeks,
    /// Of the listeners of this machine; those on relays are `nat`'s.
    pub(super) listen_addrs: Vec<Multiaddr>,
    listeners: HashSet<ListenerId>,
    /// Listeners that have not named an address yet.
    unheard: HashSet<ListenerId>,
    /// When to look at doubles again.
    pub(super) doubles: Option<Pin<Box<Sleep>>>,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Contained<Behaviour>>,
        shared: Arc<Shared>,
        nat: Nat,
        names: Names,
        config: &NetConfig,
    ) -> Self {
        let (asks, wants) = Asks::new(Arc::clone(&shared));
        Self {
            courier: Courier::new(Arc::clone(&shared), nat.scope()),
            swarm,
            nat,
            names,
            peers: Peers::new(shared.me),
            streams: Arc::default(),
            desk: Arc::default(),
            cards: Arc::default(),
            asks,
            wants,
            dht: Dht::new(Arc::clone(&shared), config.dht_server, &config.known),
            seeks: Seeks::default(),
            shared,
            book: AddressBook::default(),
            discovery: Discovery::default(),
            listen_addrs: Vec::new(),
            listeners: HashSet::new(),
            unheard: HashSet::new(),
            doubles: None,
        }
    }

    /// Waits until each listener has named its addresses, so that whoever asks for them gets all.
    /// They are bound already: one on all interfaces of a machine that has none yet names nothing,
    /// and is not waited for too long.
    /// (The first dial comes after this: else its port would not be a listening one, trap 4.)
    pub(super) async fn listening(&mut self, listeners: HashSet<ListenerId>) {
        self.unheard.clone_from(&listeners);
        self.listeners = listeners;
        let all = async {
            while !self.unheard.is_empty() {
                let event = self.swarm.select_next_some().await;
                self.on_event(event);
            }
            while let Ok(event) = timeout(span(LISTEN_QUIET), self.swarm.select_next_some()).await {
                self.on_event(event);
            }
        };
        let in_time = timeout(span(LISTEN_TIMEOUT), all).await.is_ok();
        if !in_time && !self.unheard.is_empty() {
            tracing::warn!(listeners = self.unheard.len(), "no address to listen on yet");
        }
    }

    /// Runs until it is told to stop, or every handle is gone.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut opens: mpsc::Receiver<Open>,
        mut suspected: mpsc::Receiver<Suspicion>,
    ) {
        let mut classes = interval(span(CLASS_REFRESH));
        classes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut queries = interval(span(DHT_TICK));
        queries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = interval(span(TICK));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let done = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(open) = opens.recv() => self.open(open),
                Some(want) = self.wants.recv() => self.open_mail(want),
                Some(suspicion) = suspected.recv() => self.suspect(suspicion),
                Some(checked) = self.nat.checks.next() => self.on_checked(checked),
                Some((number, heard)) = self.nat.probe.next() => self.on_heard(number, heard),
                command = commands.recv() => match command {
                    Some(Command::Shutdown { done }) => break Some(done),
                    Some(command) => self.command(command),
                    None => break None,
                },
                _ = classes.tick() => self.refresh_classes(),
                _ = queries.tick() => self.look_after_queries(),
                _ = ticks.tick() => self.tick(),
                () = due(&mut self.doubles) => self.close_doubles(),
            }
            self.dial_next();
            #[cfg(test)]
            self.count();
        };
        self.stop().await;
        // The sockets of the listeners go with it.
        drop((self, commands, opens, suspected));
        if let Some(done) = done {
            // Whoever asked no longer waits.
            let _ = done.send(());
        }
    }

    /// Shows what is counted, to whom looks.
    #[cfg(test)]
    fn count(&self) {
        if self.shared.counts.receiver_count() == 0 {
            return;
        }
        let behaviour = self.swarm.behaviour();
        let own = [
            ("connections", behaviour.connections()),
            ("peers", self.peers.all().count()),
            ("rows in the status", self.shared.status().peers.len()),
            ("preferred", behaviour.dht.count()),
            ("streams of envelopes", self.streams.count()),
            ("questions for cards", self.cards.count()),
            ("questions to the mailbox", self.desk.count()),
            ("questions that wait", self.asks.count()),
            ("sought", self.seeks.count()),
            ("handshakes", self.shared.entrances.count()),
        ];
        let counts = own.into_iter().chain(behaviour.limits.counts()).chain(self.nat.counts()).collect();
        self.shared.counts.send_replace(counts);
    }

    async fn stop(&mut self) {
        // From here on nothing is taken, and every task that sends reports what is lost.
        self.shared.clear();
        self.shared.notices.stop();
        for listener in self.listeners.drain() {
            self.swarm.remove_listener(listener);
        }
        for peer in self.peers.all().collect::<Vec<_>>() {
            // An error says that there is no connection any more.
            let _ = self.swarm.disconnect_peer_id(to_libp2p(&peer));
        }
        let gone = async {
            // The swarm counts those that it has lost, too.
            while self.swarm.behaviour().connections() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if timeout(GOODBYE, gone).await.is_err() {
            tracing::debug!("some connections did not say goodbye");
        }
        if self.nat.router.forwards() {
            // Nobody tells when it has shut its doors.
            let shut = async {
                loop {
                    self.swarm.select_next_some().await;
                }
            };
            let _: Result<(), _> = timeout(ROUTER_GOODBYE, shut).await;
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Order(order, permit) => self.order(order, permit),
            Command::FindMailboxes { reply } => self.dht.find_mailboxes(&mut self.swarm.behaviour_mut().dht, reply),
            Command::Announce { open } => self.dht.announce(open),
            #[cfg(test)]
            Command::DialAgain { peer, addr } => {
                let opts = DialOpts::peer_id(to_libp2p(&peer)).condition(PeerCondition::Always).addresses(vec![addr]);
                // The limits may deny it.
                let _ = self.swarm.dial(opts.build());
            }
            Command::Shutdown { .. } => {}
        }
    }

    /// Carries out an order; the rest of them the handle does by itself.
    fn order(&mut self, order: Order, permit: Permit) {
        match order {
            Order::Connect { peer, addrs } => self.want(peer, addrs),
            Order::FetchBundle { peer, ticket, want_prekey } => {
                let (reply, stream) = oneshot::channel();
                // Without a connection the reply is dropped, and the question has failed.
                if let Some((link, _)) = self.peers.preferred(&peer) {
                    self.swarm.behaviour_mut().cards.open(to_libp2p(&peer), link.id, reply);
                }
                let fetch = Fetch { peer, ticket, want_prekey, permit };
                tokio::spawn(fetch.put(Arc::clone(&self.shared), stream));
            }
            Order::AnswerBundle { request, card, prekey } => {
                self.cards.answer(request, &CardResponse { card, prekey });
            }
            Order::AskMailbox { ticket, mailbox, addrs, anonymous, question } => {
                let mut addrs = hints(&mailbox, &addrs);
                if anonymous {
                    addrs.retain(|addr| self.is_told_well(&mailbox, addr));
                }
                let question = Question::new(ticket, mailbox, addrs, question, permit);
                if anonymous { self.courier.ask(question) } else { self.asks.ask(question) }
            }
            Order::PublishCard { owner, card } => self.dht.publish(owner, card),
            Order::FindCard { peer, ticket } => self.dht.find(Find { peer, ticket, permit }),
            _ => {}
        }
    }

    /// Whether an address in somebody else's card is dialled for his sake (NET-43): it leads to no machine of our own network,
    /// but to those of which we know ourselves. (What the user names is asked as ourselves.)
    fn is_told_well(&self, peer: &PeerId, addr: &Multiaddr) -> bool {
        let mut seen = self.peers.links(peer).map(|link| &link.addr).chain(self.book.of(peer));
        scope(addr) >= self.nat.scope() || seen.any(|known| bare(known) == bare(addr))
    }

    fn want(&mut self, peer: PeerId, addrs: Vec<String>) {
        if !self.peers.is_connected(&peer) && !self.seeks.want(peer, addrs) {
            self.shared.notices.unreachable(peer);
        }
    }

    /// Dials whoever is wanted and has waited longest, as long as there is room.
    fn dial_next(&mut self) {
        while let Some((peer, addrs)) = self.seeks.next() {
            let addrs = hints(&peer, &addrs);
            if self.shared.is_contact(&peer) {
                self.names.trust(&addrs);
            }
            self.connect(peer, addrs);
        }
    }

    fn open(&mut self, Open { peer, connection, reply }: Open) {
        self.swarm.behaviour_mut().streams.open(to_libp2p(&peer), connection, reply);
    }

    /// A stream to a mailbox, on the preferred connection; without one, the mailbox is dialled first, if it may be.
    fn open_mail(&mut self, Want { mailbox, addrs, as_it_is, reply }: Want) {
        let link = self.peers.preferred(&mailbox).map(|(link, _)| link);
        if as_it_is && link.is_none_or(|link| !link.way.is_direct()) {
            return;
        }
        if let Some(link) = link {
            let id = link.id;
            self.shared.activity.touch(id);
            return self.swarm.behaviour_mut().mail.open(to_libp2p(&mailbox), id, reply);
        }
        self.asks.wait(mailbox, reply);
        // Who is asked as ourselves is where our user says.
        self.names.trust(&addrs);
        self.connect(mailbox, addrs);
    }

    /// There is no address, or nobody was there: he is looked for once, before he is told as unreachable.
    pub(super) fn seek(&mut self, peer: PeerId) {
        if self.seeks.may_begin(peer, Instant::now()) && self.dht.seek(&mut self.swarm.behaviour_mut().dht, peer) {
            self.seeks.begun(peer, Instant::now());
        } else {
            self.shared.notices.unreachable(peer);
        }
    }

    /// The search for a peer has ended; it has dialled him, if anybody knew where he is.
    fn sought(&mut self, peer: PeerId) {
        if self.seeks.ended(&peer) && !self.peers.is_connected(&peer) {
            self.shared.notices.unreachable(peer);
        }
    }

    fn look_after_queries(&mut self) {
        for (peer, addrs) in self.dht.tick(&mut self.swarm.behaviour_mut().dht) {
            // One that fails is tried again with the others.
            self.connect(peer, addrs);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<Told<BehaviourEvent>>) {
        match event {
            SwarmEvent::Behaviour(Told::Event(event)) => self.on_behaviour(event),
            SwarmEvent::Behaviour(Told::Lost { peer, connection }) => self.on_closed(&peer, connection, true),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(&peer_id, connection_id, endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.on_closed(&peer_id, connection_id, cause.is_some());
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer_id), connection_id, error } => {
                self.on_dial_failed(&peer_id, connection_id, &error);
            }
            SwarmEvent::NewListenAddr { listener_id, address } => self.on_listening(listener_id, &address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.on_expired(vec![address]),
            SwarmEvent::ListenerClosed { listener_id, addresses, .. } => {
                self.on_relay_lost(listener_id);
                self.on_expired(addresses);
            }
            SwarmEvent::ExternalAddrConfirmed { address } => self.on_confirmed(&address),
            SwarmEvent::ExternalAddrExpired { address } => self.on_unconfirmed(&address),
            SwarmEvent::IncomingConnectionError { error, .. } => tracing::debug!(%error, "inbound connection failed"),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(stream) => {
                tokio::spawn(inbound::serve(Arc::clone(&self.shared), Arc::clone(&self.streams), stream));
            }
            BehaviourEvent::Heard(stream) => self.nat.probe.take(stream),
            BehaviourEvent::Mail(stream) => serve::take(&self.shared, &self.desk, stream),
            BehaviourEvent::Cards(stream) => {
                tokio::spawn(Arc::clone(&self.cards).serve(Arc::clone(&self.shared), stream));
            }
            BehaviourEvent::Mdns(event) => {
                discovery::on_event(&self.shared, &mut self.book, event);
                let mdns = &mut self.swarm.behaviour_mut().mdns;
                let kept = mdns.as_ref().map_or(0, |mdns| mdns.discovered_nodes().len());
                self.discovery.bound(&self.shared, mdns, kept, Instant::now());
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(ping::Failure::Timeout) }) => {
                // NET-24
                tracing::debug!(%connection, "no sign of life");
                if let Some(peer) = from_libp2p(&peer) {
                    self.circuit_broke(&peer, connection);
                }
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Identify(event) => self.on_identify(&event),
            BehaviourEvent::Dht(event) => {
                if let Some(peer) = self.dht.on_event(&mut self.swarm.behaviour_mut().dht, &self.peers, event) {
                    self.sought(peer);
                }
            }
            BehaviourEvent::Limits(never) | BehaviourEvent::Memory(never) => match never {},
            other => self.on_nat_event(other),
        }
    }

    fn on_listening(&mut self, listener: ListenerId, addr: &Multiaddr) {
        if self.on_granted(listener, addr) {
            return;
        }
        tracing::info!(%addr, "listening");
        if !self.unheard.remove(&listener) {
            self.nat.changed = true;
        }
        self.nat.router.listening(listener, addr);
        self.listen_addrs.push(addr.clone());
        self.listen_addrs.truncate(MAX_LISTEN);
        self.declare(addr);
        self.show_place();
    }

    fn on_expired(&mut self, addrs: Vec<Multiaddr>) {
        // Those on relays are told of when the relay is lost.
        for addr in addrs.into_iter().filter(|addr| !is_circuit(addr)) {
            tracing::info!(%addr, "no longer listening");
            self.listen_addrs.retain(|known| *known != addr);
            self.nat.router.no_longer_listening(&addr);
            self.swarm.remove_external_address(&addr);
            self.on_unconfirmed(&addr);
            self.nat.changed = true;
        }
        self.show_place();
    }
}

/// Ends when the sleep does; never without one.
async fn due(sleep: &mut Option<Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}
