//! The protocols of a node, put together.

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, autonat, dcutr, identify, mdns, memory_connection_limits, ping, relay, upnp};

use super::addresses::Scope;
use super::classes::Classes;
use super::config::NetConfig;
use super::error::NetError;
use super::limits::activity::Activity;
use super::nat::guard::{Guarded, Purpose, Told};
use super::nat::service::Usage;
use super::nat::{probe, service};
use super::{dht, limits, span, streams};
use crate::base::limits::{
    IDENTIFY_INTERVAL, MAX_CARD_STREAMS, MAX_ENVELOPE_STREAMS, MAX_MAIL_STREAMS, MAX_TRIAL_STREAMS, PING_INTERVAL,
    PING_TIMEOUT,
};
use crate::envelope::{exchange, frame, mailbox};

/// What identify says of us to everybody: the same for every node (NET-5).
const GENERIC_NAME: &str = "rohrpost";

/// All behaviours. The two that deny connections come first, so that the others never hear of a
/// connection that is denied.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: limits::Behaviour,
    pub(super) memory: memory_connection_limits::Behaviour,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) streams: streams::Behaviour,
    pub(super) cards: streams::Behaviour,
    pub(super) mail: streams::Behaviour,
    /// Pings of our own: by its streams nothing comes in.
    pub(super) alive: streams::Behaviour,
    pub(super) circuits: Guarded<relay::client::Behaviour>,
    pub(super) punch: Guarded<dcutr::Behaviour>,
    /// Questions whether our addresses can be reached: by these streams nothing comes in.
    pub(super) asked: streams::Behaviour,
    /// What those say who have reached one.
    pub(super) heard: streams::Behaviour,
    pub(super) serve: Guarded<autonat::v2::server::Behaviour>,
    pub(super) relay: Toggle<Guarded<relay::Behaviour>>,
    pub(super) upnp: Toggle<upnp::tokio::Behaviour>,
    pub(super) dht: dht::behaviour::Behaviour,
}

impl Behaviour {
    /// `scope` is how far the network reaches that we are part of; `circuits` belongs to the transport of circuits, `usage` to our
    /// own relay, if we are one.
    pub(super) fn new(
        keypair: &Keypair,
        config: &NetConfig,
        classes: &Classes,
        scope: Scope,
        circuits: relay::client::Behaviour,
        activity: &Activity,
        usage: Option<&Usage>,
    ) -> Result<Self, NetError> {
        let local = keypair.public();
        let told = Told::default();
        let me = local.to_peer_id();
        let relay = usage.map(|usage| Guarded::new(service::behaviour(me, usage)));
        let server = config.dht_server == Some(true);
        let mdns = config
            .mdns
            .then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), me))
            .transpose()
            .map_err(|error| NetError::Mdns(error.to_string()))?;
        let identify = identify::Config::new(GENERIC_NAME.to_owned(), local)
            .with_agent_version(GENERIC_NAME.to_owned())
            // NET-5, NET-57: a server says where it is; one by reachability has external addresses, which are told in any case.
            .with_hide_listen_addrs(!server)
            .with_interval(span(IDENTIFY_INTERVAL))
            // Addresses that peers claim for themselves are not dialled.
            .with_cache_size(0);
        let ping = ping::Config::new().with_interval(span(PING_INTERVAL)).with_timeout(span(PING_TIMEOUT));
        let questions = |protocol, slots| streams::Behaviour::new(protocol, slots, Classes::default());
        // MBX-70
        let mail_slots = if config.serve_mailbox { MAX_MAIL_STREAMS } else { 0 };
        let limits = limits::Behaviour::new(classes.clone(), told.clone(), scope, activity.clone(), config.serves());
        #[cfg(test)]
        let limits = limits.with_places(config.strangers);
        Ok(Self {
            limits,
            memory: memory_connection_limits::Behaviour::with_max_bytes(config.max_memory),
            mdns: mdns.into(),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
            streams: streams::Behaviour::new(
                StreamProtocol::new(frame::PROTOCOL),
                MAX_ENVELOPE_STREAMS,
                classes.clone(),
            ),
            cards: questions(StreamProtocol::new(exchange::PROTOCOL), MAX_CARD_STREAMS),
            mail: questions(StreamProtocol::new(mailbox::PROTOCOL), mail_slots),
            alive: questions(ping::PROTOCOL_NAME, 0),
            circuits: Guarded::new(circuits),
            punch: Guarded::dialling(dcutr::Behaviour::new(me), told.clone(), Purpose::Punch),
            asked: questions(StreamProtocol::new(probe::ASK), 0),
            heard: questions(StreamProtocol::new(probe::HEAR), MAX_TRIAL_STREAMS),
            serve: Guarded::serving(told),
            relay: relay.into(),
            upnp: config.upnp.then(upnp::tokio::Behaviour::default).into(),
            dht: dht::behaviour::Behaviour::new(me, server, activity.clone()),
        })
    }
}
