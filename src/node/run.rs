//! A node: messenger, network and socket, from start to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::carry::Carrier;
use super::clock::Clock;
use super::config::{Keeps, Settings, Tapping};
use super::core::Core;
use super::dispatch::{Dispatcher, Live, end_of_log, whom};
use super::engine::{self, Start};
use super::metrics::{self, Source};
use super::place::Place;
use super::profile::Profile;
use super::server::{self, Door, Served};
use super::service::Service;
use super::whereabouts::Address;
use super::{addresses, random};
use crate::api::{ApiError, Cursor, Event, EventKind};
use crate::base::limits::{LANE_CONTACTS, LANE_STRANGERS};
use crate::base::words::MailService;
use crate::messenger::{Command, Order, Output, query};
use crate::net::{self, Lanes, NetConfig, NetHandle};
use crate::store::{ProfileLock, Reader, StoreError};

/// How long the network may take to close.
const NET_CLOSING: Duration = Duration::from_secs(5);
/// A running node.
pub(crate) struct Node {
    /// The end of the log before it began.
    begin: Cursor,
    address: Arc<Address>,
    core: Core,
    net: NetHandle,
    pub(crate) dispatcher: Dispatcher,
    stop: watch::Sender<bool>,
    halt: watch::Sender<bool>,
    /// `None`: it has no socket, and needs none.
    server: Option<JoinHandle<Served>>,
    lock: Arc<ProfileLock>,
}

impl Node {
    /// Starts it; when this returns, it listens, in the network and on its socket.
    pub(crate) async fn start(
        place: &Place,
        lock: ProfileLock,
        profile: Profile,
        settings: Settings,
        tap: Option<Tapping>,
    ) -> Result<Self, ApiError> {
        let figures = match settings.metrics {
            Some(addr) => Some(metrics::bind(addr).await?),
            None => None,
        };
        let clock = Clock::new();
        let (open, outputs) = profile.open(clock.now(), &mut random::system())?;
        let reader = open.messenger.reader();
        let begin = end_of_log(&reader)?;
        let me = profile.peer_id();
        let wanted = settings.serve_mailbox.clone().known(|who| Ok(whom(&reader, me, who)?.peer))?;
        let (lock, address) = (Arc::new(lock), Arc::new(Address::new()));
        let door = open_door(place, &lock, &address, settings.brief)?;

        // From the first connection on.
        let classes = outputs.iter().filter_map(|output| match output {
            Output::Net(Order::Class { peer, class }) => Some((*peer, *class)),
            _ => None,
        });
        let (to_contacts, from_contacts) = mpsc::channel(LANE_CONTACTS);
        let (to_strangers, from_strangers) = mpsc::channel(LANE_STRANGERS);
        let keeps = query::mail_service(&reader)?;
        let net = net::start(
            net_config(settings, &profile, &reader)?,
            Lanes { contacts: to_contacts, strangers: to_strangers },
            classes.collect(),
        )
        .await?;

        let (stop, stop_in) = watch::channel(false);
        let (halt, halt_in) = watch::channel(false);
        let (core, begun) = engine::spawn(Start {
            profile,
            open,
            outputs,
            clock,
            carrier: Carrier::new(Some(Box::new(net.clone())), tap),
            contacts: from_contacts,
            strangers: from_strangers,
            halt: halt_in,
        })?;
        if begun.await.is_err() {
            core.ended().await?;
        }
        let live = Live { net: net.clone(), stop: stop.clone(), address: Arc::clone(&address) };
        let dispatcher = Dispatcher::new(core.clone(), place.clone(), Some(live));
        net.announce_mailbox(wanted == MailService::Open);
        // A store that can only be read is no reason not to start.
        if keeps != wanted
            && let Err(error) = core.command(Command::SetMailService(wanted)).await
        {
            tracing::error!(%error, "for whom a mailbox is kept stays as it was");
        }
        if let Some(listener) = figures {
            let source = Source { core: core.clone(), net: net.clone() };
            tokio::spawn(metrics::serve(listener, source, stop_in.clone()));
        }
        let server = door.map(|door| tokio::spawn(server::serve(door, dispatcher.clone(), stop_in)));
        Ok(Self { begin, address, core, net, dispatcher, stop, halt, server, lock })
    }

    /// Where it listens, each with the peer ID.
    pub(crate) fn addrs(&self) -> Vec<String> {
        addresses::full(&self.net.status().listen_addrs, self.core.me)
    }

    /// The event that says that it is up. Its cursor is from before it began: what comes in while it starts to listen is behind it.
    pub(crate) fn ready(&self) -> Event {
        let cursor = self.begin;
        let kind = EventKind::Ready {
            peer_id: self.core.me,
            addrs: self.addrs(),
            pid: std::process::id(),
            socket: self.address.socket().unwrap_or_default(),
        };
        Event { seq: cursor.seq, cursor, at: Clock::wall(), kind }
    }

    /// The service manager is told that it is up.
    pub(crate) fn service(&self) -> Service {
        Service::ready(&self.core)
    }

    /// Waits until somebody asks it to end, or it fails.
    pub(crate) async fn wait(&self) {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            _ = self.core.ended() => {}
        }
    }

    /// Ends it: clients get their last answers, the network closes, what it had told is committed, the socket goes, and
    /// then the profile is free. An error is how the messenger's thread ended.
    pub(crate) async fn shutdown(self) -> Result<(), ApiError> {
        self.stop.send_replace(true);
        let served = match self.server {
            Some(server) => server.await.ok(),
            None => None,
        };
        let (clients, file) = served.map(|Served { clients, file }| (clients, file)).unzip();
        if tokio::time::timeout(NET_CLOSING, self.net.shutdown()).await.is_err() {
            tracing::warn!("the network did not close in time");
        }
        self.halt.send_replace(true);
        let result = self.core.ended().await;
        drop(file);
        drop(self.lock);
        // Only now do clients see the end of the connection, and know that the profile is free.
        drop(clients);
        result
    }
}

/// The socket. A node that lives for one delivery can do without.
fn open_door(
    place: &Place,
    lock: &Arc<ProfileLock>,
    address: &Arc<Address>,
    brief: bool,
) -> Result<Option<Door>, ApiError> {
    match Door::open(place, Arc::clone(lock), Arc::clone(address)) {
        Err(error) if brief => {
            tracing::debug!(%error, "others cannot ask this node");
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// How the network is started.
fn net_config(settings: Settings, profile: &Profile, reader: &Reader) -> Result<NetConfig, StoreError> {
    let before = query::link(reader, profile.peer_id())?;
    Ok(NetConfig {
        listen: settings.listen.unwrap_or_default(),
        before: before.map(|found| found.addrs).unwrap_or_default(),
        mdns: settings.mdns,
        upnp: settings.upnp,
        bootstrap: settings.bootstrap,
        known: query::known_peers(reader)?,
        serve_relay: settings.serve_relay,
        serve_mailbox: settings.serve_mailbox != Keeps::Off,
        public: settings.public,
        ..NetConfig::new(profile.material.identity_seed.clone())
    })
}

/// The dispatcher over a profile that this process has to itself, without a network.
pub(crate) struct Local {
    pub(crate) dispatcher: Dispatcher,
    halt: watch::Sender<bool>,
    /// Held as long as this is.
    _lock: ProfileLock,
}

impl Local {
    pub(crate) fn start(place: &Place, lock: ProfileLock, profile: Profile) -> Result<Self, ApiError> {
        let clock = Clock::new();
        let open = profile.open_at_rest(clock.now(), &mut random::system())?;
        let (halt, halt_in) = watch::channel(false);
        let (core, _) = engine::spawn(Start {
            profile,
            open,
            outputs: Vec::new(),
            clock,
            carrier: Carrier::new(None, None),
            contacts: mpsc::channel(1).1,
            strangers: mpsc::channel(1).1,
            halt: halt_in,
        })?;
        Ok(Self { dispatcher: Dispatcher::new(core, place.clone(), None), halt, _lock: lock })
    }

    /// Closes the store; the profile is free when this is dropped.
    pub(crate) async fn shutdown(&self) -> Result<(), ApiError> {
        self.halt.send_replace(true);
        self.dispatcher.core().ended().await
    }
}
