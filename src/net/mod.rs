//! libp2p: the swarm task, its protocols, and who is found where. Bytes and peer IDs, never
//! plaintext, no disk (docs/protocol/network.md).
//!
//! - `task` owns the swarm and only dispatches; `links` says what follows from a connection;
//!   `behaviour` and `transport` say what it is made of.
//! - `envelope` is the envelope protocol, with two tasks for each connected peer and stream;
//!   `exchange` is the card protocol.
//! - `mailbox` asks mailboxes, as ourselves or under names made for it, and takes questions to our own.
//! - `nat` is how we are reached and reach others: relays, holes, addresses seen from outside, dialling again.
//! - `contained` stands between the swarm and all behaviours: every end of a connection is told.
//! - `dht` puts cards where others find them, finds those of others, and holds some.
//! - `shared` is what the handle, the task and the streams have in common: connections, and who is of which class.
//! - `quic` is the transport of that name, `ports` says from where TCP is dialled; `handshakes` bounds connections that are being set up, `doors` those of the other transports.
//! - `peers` chooses one connection per peer, `limits` and `budget` bound what strangers may do,
//!   `addresses` and `discovery` say where a peer may be, `notices` tells without waiting.
//!
//! What it does not own: what an envelope or a card says, when to dial again, who is a contact.

mod addresses;
mod behaviour;
mod budget;
mod classes;
mod config;
mod contained;
mod convert;
mod dht;
mod discovery;
mod doors;
mod envelope;
mod error;
mod exchange;
mod handle;
mod handshakes;
mod limits;
mod linger;
mod links;
mod listen;
mod mailbox;
mod muxer;
mod names;
mod nat;
mod notices;
mod origin;
mod peers;
mod places;
mod ports;
mod quic;
mod seeks;
mod shared;
mod status;
mod streams;
mod task;
mod tasks;
mod transport;

use std::sync::Arc;

use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Swarm, relay};
use tokio::sync::mpsc;

pub use self::addresses::is_dialable;
pub use self::classes::Classes;
pub use self::config::{Lanes, NetConfig};
pub use self::error::{NetError, SendError};
pub use self::handle::NetHandle;
pub use self::listen::check_listen;
pub use self::status::{MdnsStatus, NetStatus};
pub use crate::envelope::border::{Class, Event, FrameToken, Order, RefuseReason};

use self::behaviour::Behaviour;
use self::contained::Contained;
use self::convert::{HandlerInput, HandlerOutput, from_libp2p, lock, span, to_libp2p, wall_now};
use self::handshakes::Entrances;
use self::limits::activity::Activity;
use self::names::Names;
use self::nat::Nat;
use self::nat::service::Usage;
use self::shared::Shared;
use self::task::Task;
use crate::base::PeerId;
use crate::base::limits::{
    CONNECTION_IDLE, MAX_CONNECTIONS, MAX_NEGOTIATING_STREAMS, MAX_NET_COMMANDS, MAX_SUSPICIONS,
};

/// Starts the network. Returns when every listener is bound; `NetHandle::status` then names the
/// real addresses, and [`Event::Listening`] is told for each.
///
/// # Errors
/// [`NetError`], each with a hint.
pub async fn start(config: NetConfig, lanes: Lanes, classes: Classes) -> Result<NetHandle, NetError> {
    let (keypair, me) = identity(&config)?;
    let scope = addresses::reach(&config.bootstrap, &config.listen);
    #[cfg(test)]
    let scope = if config.internet { addresses::Scope::Global } else { scope };
    let (circuits, circuit_client) = relay::client::new(keypair.public().to_peer_id());
    let activity = Activity::default();
    let usage = config.serve_relay.then(Usage::default);
    let behaviour = Behaviour::new(&keypair, &config, &classes, scope, circuit_client, &activity, usage.as_ref())?;
    let swarm_config = libp2p::swarm::Config::with_tokio_executor()
        // NET-3: else each stream costs a round trip before its first byte.
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS)
        .with_idle_connection_timeout(span(CONNECTION_IDLE))
        // QUIC first, TCP a moment later, both families.
        .with_smart_dial();
    let entrances = Entrances::default();
    let names = Names::new(scope);
    let transport = transport::build(&keypair, &classes, Some(circuits), &entrances)?;
    let transport = names::resolved(transport, names.clone());
    let swarm = Swarm::new(transport, Contained::new(behaviour), keypair.public().to_peer_id(), swarm_config);

    let (opens, open_requests) = mpsc::channel(MAX_CONNECTIONS as usize);
    let (suspicions, suspected) = mpsc::channel(MAX_SUSPICIONS);
    let (commands, requests) = mpsc::channel(MAX_NET_COMMANDS);
    let shared = Shared::new(me, lanes, classes, activity, opens, suspicions);
    #[cfg(test)]
    let shared = shared.with_entrances(entrances);
    let shared = Arc::new(shared);
    shared.show(|status| status.mdns = if config.mdns { MdnsStatus::On } else { MdnsStatus::Off });
    let nat = Nat::new(&config, me, scope, usage);
    let mut task = Task::new(swarm, Arc::clone(&shared), nat, names, &config);
    let listeners = listen::bind(&mut task.swarm, &config)?;
    task.listening(listeners).await;
    tokio::spawn(Arc::clone(&shared.notices).run(shared.lanes.clone(), shared.classes.clone()));
    let handle = NetHandle::new(shared, commands, Arc::clone(&task.streams), Arc::clone(&task.desk));
    tokio::spawn(task.run(requests, open_requests, suspected));
    Ok(handle)
}

fn identity(config: &NetConfig) -> Result<(Keypair, PeerId), NetError> {
    // A copy, because libp2p wipes what it is given.
    let mut seed = *config.identity.expose();
    let keypair = Keypair::ed25519_from_bytes(&mut seed).map_err(|error| NetError::Start(error.to_string()))?;
    let me = from_libp2p(&keypair.public().to_peer_id());
    me.map(|me| (keypair, me)).ok_or_else(|| NetError::Start("the key has no peer ID of ours".to_owned()))
}

#[cfg(test)]
mod tests;
