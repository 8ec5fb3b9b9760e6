//! Questions to mailboxes that must not name us (MBX-75): for each mailbox a swarm of its own, that only dials, under a key that
//! lives for an hour. It shares neither key nor connection nor socket with our node, and tells nothing by identify.
//!
//! A mailbox that is behind a router is reached through its relay, when it cannot be reached straight. Only then the swarm
//! has the protocols of circuits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures::StreamExt;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, Swarm, relay};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::addresses::{Scope, is_circuit};
use super::super::classes::Classes;
use super::super::contained::{Contained, Told};
use super::super::error::NetError;
use super::super::handshakes::Entrances;
use super::super::names::{self, Names};
use super::super::nat::guard::Guarded;
use super::super::shared::Shared;
use super::super::{span, streams, to_libp2p, transport};
use super::ask::Question;
use crate::base::PeerId;
use crate::base::limits::{
    CONNECTION_IDLE, COURIER_IDLE, COURIER_KEY_LIFE, MAX_COURIER_KEYS, MAX_COURIERS, MAX_MAIL_PARALLEL,
    MAX_MAIL_QUESTIONS,
};
use crate::envelope::mailbox::PROTOCOL;

/// Who we are to one mailbox, and the way to the task that asks it, if one runs.
struct Alias {
    keypair: Keypair,
    since: Instant,
    questions: mpsc::Sender<Question>,
}

/// Our questions under other names.
pub(in crate::net) struct Courier {
    shared: Arc<Shared>,
    /// How far the network reaches that we are part of.
    scope: Scope,
    aliases: HashMap<PeerId, Alias>,
    /// One permit for each swarm.
    swarms: Arc<Semaphore>,
}

impl Courier {
    pub(in crate::net) fn new(shared: Arc<Shared>, scope: Scope) -> Self {
        Self { shared, scope, aliases: HashMap::new(), swarms: Arc::new(Semaphore::new(MAX_COURIERS)) }
    }

    /// Begins a question. The permits of the questions bound the tasks.
    pub(in crate::net) fn ask(&mut self, question: Question) {
        let (now, mailbox) = (Instant::now(), question.mailbox);
        let fresh = |alias: &Alias| now.saturating_duration_since(alias.since) < span(COURIER_KEY_LIFE);
        self.aliases.retain(|_, alias| fresh(alias));
        let Some(alias) = self.aliases.remove(&mailbox) else {
            return self.begin(Keypair::generate_ed25519(), now, question);
        };
        match alias.questions.try_send(question) {
            Ok(()) => _ = self.aliases.insert(mailbox, alias),
            // It has gone to sleep. (It is never full: there are no more permits than it has places.)
            Err(refused) => self.begin(alias.keypair, alias.since, refused.into_inner()),
        }
    }

    fn begin(&mut self, keypair: Keypair, since: Instant, question: Question) {
        if self.aliases.len() >= MAX_COURIER_KEYS {
            // Any of them: a key made anew harms nobody.
            let out = self.aliases.keys().next().copied();
            out.map(|out| self.aliases.remove(&out));
        }
        let (questions, asked) = mpsc::channel(MAX_MAIL_QUESTIONS);
        let mailbox = question.mailbox;
        // Never full, as it is empty.
        let _ = questions.try_send(question);
        self.aliases.insert(mailbox, Alias { keypair: keypair.clone(), since, questions });
        let (shared, swarms) = (Arc::clone(&self.shared), Arc::clone(&self.swarms));
        let scope = self.scope;
        tokio::spawn(async move {
            let mut trip = Trip::new(shared, scope, mailbox, asked);
            if let Err(error) = trip.wait_and_run(&swarms, &keypair).await {
                tracing::warn!(%error, "no swarm for anonymous questions");
            }
            trip.fail_all().await;
        });
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: streams::Behaviour,
    circuits: Toggle<Guarded<relay::client::Behaviour>>,
}

fn swarm(keypair: &Keypair, by: Road, scope: Scope) -> Result<Swarm<Contained<Behaviour>>, NetError> {
    let nobody = Classes::default();
    let (relays, circuits) = match by {
        Road::Straight => (None, None),
        Road::Circuits => {
            let (relays, circuits) = relay::client::new(keypair.public().to_peer_id());
            (Some(relays), Some(Guarded::new(circuits)))
        }
    };
    let names = Names::new(scope);
    let transport = names::resolved(transport::build(keypair, &nobody, relays, &Entrances::default())?, names);
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_idle_connection_timeout(span(CONNECTION_IDLE))
        .with_smart_dial();
    let streams = streams::Behaviour::new(StreamProtocol::new(PROTOCOL), 0, nobody);
    let behaviour = Behaviour { streams, circuits: circuits.into() };
    Ok(Swarm::new(transport, Contained::deaf(behaviour), keypair.public().to_peer_id(), config))
}

/// How a mailbox is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Straight,
    Circuits,
}

impl Road {
    fn has(self, addr: &Multiaddr) -> bool {
        is_circuit(addr) == (self == Self::Circuits)
    }
}

/// One swarm for one mailbox, from its first question until it is idle; another one when that finds no straight way.
struct Trip {
    shared: Arc<Shared>,
    scope: Scope,
    mailbox: PeerId,
    asked: mpsc::Receiver<Question>,
    waiting: VecDeque<Question>,
    under_way: JoinSet<()>,
    connection: Option<ConnectionId>,
    dialling: Option<ConnectionId>,
    by: Road,
    /// It was not reached straight, and may be through circuits.
    goes_round: bool,
}

impl Trip {
    fn new(shared: Arc<Shared>, scope: Scope, mailbox: PeerId, asked: mpsc::Receiver<Question>) -> Self {
        let (waiting, under_way) = (VecDeque::new(), JoinSet::new());
        let (connection, dialling, by, goes_round) = (None, None, Road::Straight, false);
        Self { shared, scope, mailbox, asked, waiting, under_way, connection, dialling, by, goes_round }
    }

    async fn wait_and_run(&mut self, swarms: &Semaphore, keypair: &Keypair) -> Result<(), NetError> {
        let Some(first) = self.asked.recv().await else { return Ok(()) };
        let turn = timeout_at(first.deadline(), swarms.acquire()).await;
        self.waiting.push_back(first);
        // Else there was no place before the first has failed.
        if let Ok(Ok(_place)) = turn
            && self.run(swarm(keypair, Road::Straight, self.scope)?).await
        {
            (self.by, self.goes_round) = (Road::Circuits, false);
            self.run(swarm(keypair, Road::Circuits, self.scope)?).await;
        }
        Ok(())
    }

    /// Until there is nothing more to be done, or the mailbox is to be reached through circuits; tells which.
    async fn run(&mut self, mut swarm: Swarm<Contained<Behaviour>>) -> bool {
        let mut open = true;
        let mut idle_at = Instant::now() + span(COURIER_IDLE);
        loop {
            if !self.goes_round {
                self.proceed(&mut swarm).await;
            }
            if self.goes_round {
                return true;
            }
            let busy = !self.waiting.is_empty() || !self.under_way.is_empty();
            if busy {
                idle_at = Instant::now() + span(COURIER_IDLE);
            } else if !open {
                // The key has had its time.
                return false;
            }
            let look_at = self.waiting.front().map_or(idle_at, Question::deadline);
            tokio::select! {
                event = swarm.select_next_some() => self.on_event(event).await,
                question = self.asked.recv(), if open => match question {
                    Some(question) => self.waiting.push_back(question),
                    None => open = false,
                },
                Some(_) = self.under_way.join_next() => {}
                () = sleep_until(look_at) => {
                    if !busy {
                        // What came at this very moment is still asked.
                        self.asked.close();
                    }
                }
            }
        }
    }

    /// Fails what is overdue, dials if need be, and puts as many questions as may be under way.
    async fn proceed(&mut self, swarm: &mut Swarm<Contained<Behaviour>>) {
        while let Some(late) = self.waiting.pop_front_if(|question| question.deadline() <= Instant::now()) {
            late.tell(&self.shared, None).await;
        }
        let Some(connection) = self.connection else { return self.dial(swarm).await };
        while self.under_way.len() < MAX_MAIL_PARALLEL {
            let Some(question) = self.waiting.pop_front() else { return };
            let (reply, stream) = oneshot::channel();
            swarm.behaviour_mut().streams.open(to_libp2p(&self.mailbox), connection, reply);
            let shared = Arc::clone(&self.shared);
            self.under_way.spawn(async move { question.put(&shared, stream).await });
        }
    }

    async fn dial(&mut self, swarm: &mut Swarm<Contained<Behaviour>>) {
        let Some(first) = self.waiting.front().filter(|_| self.dialling.is_none()) else { return };
        // Of one behind our own relay the way begins as to ourselves, and ends with his peer ID.
        let ours = self.shared.status().listen_addrs;
        let is_ours = |addr: &Multiaddr| !is_circuit(addr) && ours.contains(&addr.to_string());
        let good = |addr: &&Multiaddr| self.by.has(addr) && !is_ours(addr);
        let addrs: Vec<_> = first.addrs.iter().filter(good).cloned().collect();
        let dial =
            DialOpts::peer_id(to_libp2p(&self.mailbox)).condition(PeerCondition::Always).addresses(addrs).build();
        let id = dial.connection_id();
        match swarm.dial(dial) {
            Ok(()) => self.dialling = Some(id),
            Err(error) => {
                tracing::debug!(%error, "a mailbox cannot be dialled");
                self.not_reached().await;
            }
        }
    }

    /// There is no way of this kind to the mailbox.
    async fn not_reached(&mut self) {
        let has_circuit = |question: &Question| question.addrs.iter().any(|addr| Road::Circuits.has(addr));
        if self.by == Road::Straight && self.waiting.front().is_some_and(has_circuit) {
            self.goes_round = true;
        } else {
            self.fail_waiting().await;
        }
    }

    async fn on_event(&mut self, event: SwarmEvent<Told<BehaviourEvent>>) {
        match event {
            // Others are with relays.
            SwarmEvent::ConnectionEstablished { connection_id, .. } if self.dialling == Some(connection_id) => {
                self.dialling = None;
                self.connection = Some(connection_id);
            }
            SwarmEvent::ConnectionClosed { connection_id: connection, .. }
            | SwarmEvent::Behaviour(Told::Lost { connection, .. })
                if self.connection == Some(connection) =>
            {
                self.connection = None;
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. }
                if self.dialling == Some(connection_id) =>
            {
                tracing::debug!(%error, "a mailbox was not reached");
                self.dialling = None;
                self.not_reached().await;
            }
            _ => {}
        }
    }

    async fn fail_waiting(&mut self) {
        while let Some(question) = self.waiting.pop_front() {
            question.tell(&self.shared, None).await;
        }
    }

    /// Nothing more is asked: what is still there has failed, and what is under way ends.
    async fn fail_all(mut self) {
        self.asked.close();
        while let Some(question) = self.asked.recv().await {
            self.waiting.push_back(question);
        }
        self.fail_waiting().await;
        while self.under_way.join_next().await.is_some() {}
    }
}
