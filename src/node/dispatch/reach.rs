//! Calls about how we are reached: status, peers, mailboxes, and what is wrong.

use std::collections::HashSet;

use super::{Dispatcher, whom};
use crate::api::{
    self, ApiError, Code, Connection, DhtStatus, MailboxService, OpenMailbox, Peer, Reach, Resolved, Who,
};
use crate::base::PeerId;
use crate::base::words::{BoxState, NodeState, Reachability, ServeMailbox};
use crate::identity::Link;
use crate::messenger::Command;
use crate::messenger::query::{self, Known};
use crate::net::{self, NetHandle, NetStatus};
use crate::node::clock::Clock;
use crate::node::{addresses, doctor, errors};
use crate::store::{Reader, StoreError};

/// What is wrong with the wall clock.
fn warning(reader: &Reader) -> Result<Option<api::ClockWarning>, StoreError> {
    Ok(query::clock(reader, Clock::wall())?.warning())
}

impl Dispatcher {
    pub(super) async fn status(&self) -> Result<api::Status, ApiError> {
        let status = self.live.as_ref().map(|live| live.net.status());
        let socket = self.live.as_ref().and_then(|live| live.address.socket());
        let data_dir = self.place.dir.clone();
        let outbox = self.core.waiting();
        self.core
            .read(move |reader, me| {
                let counts = query::counts(reader, me, Clock::wall())?;
                let link = query::link(reader, me)?;
                let served = query::mailbox(reader)?;
                let own = query::mailboxes(reader, Clock::wall())?;
                let current = query::card_is_current(reader, me)?;
                let mut connections = status.as_ref().map(|status| status.peers.clone()).unwrap_or_default();
                for there in &mut connections {
                    there.name = query::name(reader, &there.peer_id)?;
                }
                let in_use = own.iter().filter(|mailbox| mailbox.state == BoxState::InUse);
                Ok(api::Status {
                    peer_id: Some(me),
                    name: link.and_then(|link| link.name).unwrap_or_default(),
                    running: status.is_some(),
                    node: if status.is_some() { NodeState::On } else { NodeState::Off },
                    clock: warning(reader)?,
                    elsewhere: query::elsewhere(reader)?,
                    peers: connections.len() as u64,
                    outbox,
                    relay: status.as_ref().and_then(|s| s.relays.first()).map(|relay| relay.peer_id.to_string()),
                    mailboxes: in_use.map(|mailbox| mailbox.peer_id.to_string()).collect(),
                    reachability: status.as_ref().map_or(Reachability::Unknown, |s| s.reachability),
                    reach: status.as_ref().map(|status| reach(status, served, current)),
                    requests: counts.requests,
                    unread: counts.unread,
                    contacts: counts.contacts,
                    last_event: counts.last_event,
                    pid: status.is_some().then(std::process::id),
                    addrs: status.map(|status| addresses::full(&status.listen_addrs, me)).unwrap_or_default(),
                    connections,
                    socket,
                    data_dir,
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                })
            })
            .await
    }

    /// The user says that the wall clock is right.
    pub(super) async fn confirm_clock(&self) -> Result<api::ClockState, ApiError> {
        self.core.command(Command::ConfirmClock).await?;
        self.core.read(|reader, _| Ok(api::ClockState { clock: warning(reader)? })).await
    }

    pub(super) async fn doctor(&self, who: Option<String>) -> Result<api::Diagnosis, ApiError> {
        let (place, net) = (self.place.clone(), self.live.as_ref().map(|live| live.net.status()));
        let socket = self.live.as_ref().and_then(|live| live.address.socket());
        self.core
            .read(move |reader, me| match who {
                Some(who) => match whom(reader, me, &who)?.peer {
                    peer if peer == me => {
                        Err(ApiError::new(Code::Oneself, "this is yourself, and there is no way to go")
                            .with_hint("`rohrpost doctor` without a name looks at this profile"))
                    }
                    peer => doctor::of_a_peer(reader, me, peer, net.as_ref()),
                },
                None => doctor::of_a_node(&place, reader, net.as_ref(), socket.as_deref()),
            })
            .await
    }

    /// Who is connected, contacts first, then those whom the network is found by.
    pub(super) async fn peers(&self) -> Result<Vec<Peer>, ApiError> {
        let connected = self.live.as_ref().map(|live| live.net.status().peers).unwrap_or_default();
        self.core
            .read(move |reader, me| {
                let known = query::known_peers(reader)?;
                let contacts = query::contacts(reader, me)?.into_iter().filter(|contact| contact.contact);
                let contacts: HashSet<PeerId> = contacts.map(|contact| contact.peer_id).collect();
                let shown = |peer_id: PeerId, there: Option<&Connection>, kept: Option<&Vec<String>>| {
                    let found = || kept.and_then(|addrs| addrs.first().cloned());
                    Ok::<_, ApiError>(Peer {
                        peer_id,
                        name: query::name(reader, &peer_id)?,
                        contact: contacts.contains(&peer_id),
                        connected: there.is_some(),
                        addr: there.map(|there| there.addr.clone()).or_else(found),
                        direct: there.is_some_and(|there| there.direct),
                        since: there.map(|there| there.since),
                        known: kept.is_some(),
                    })
                };
                let kept = |peer: PeerId| known.iter().find(|(known, _)| *known == peer).map(|(_, addrs)| addrs);
                let connections = connected.iter().map(|there| (there.peer_id, there));
                let mut peers: Vec<_> =
                    connections.map(|(peer, there)| shown(peer, Some(there), kept(peer))).collect::<Result<_, _>>()?;
                peers.sort_by_key(|peer| !peer.contact);
                for (peer, addrs) in &known {
                    if connected.iter().all(|there| there.peer_id != *peer) {
                        peers.push(shown(*peer, None, Some(addrs))?);
                    }
                }
                Ok(peers)
            })
            .await
    }

    pub(super) async fn mailboxes(&self) -> Result<Vec<api::Mailbox>, ApiError> {
        self.core.read(|reader, _| Ok(query::mailboxes(reader, Clock::wall())?)).await
    }

    pub(super) async fn find_mailboxes(&self) -> Result<Vec<OpenMailbox>, ApiError> {
        let live = self.live.as_ref().ok_or_else(|| ApiError::new(Code::NodeNeeded, "no node is running"))?;
        let found = live.net.find_mailboxes().await;
        let open =
            |(peer, addrs): (PeerId, Vec<String>)| OpenMailbox { peer_id: peer, addrs: addresses::full(&addrs, peer) };
        Ok(found.into_iter().map(open).collect())
    }

    pub(super) async fn use_mailbox(&self, at: Vec<String>) -> Result<api::Mailbox, ApiError> {
        let net = self.live.as_ref().map(|live| live.net.clone());
        let (peer, addrs) = self.core.read(move |reader, me| mailbox_at(reader, me, net.as_ref(), &at)).await?;
        self.core.command(Command::UseMailbox { peer, addrs }).await?;
        let found = self.mailboxes().await?.into_iter().find(|mailbox| mailbox.peer_id == peer);
        found.ok_or_else(|| errors::internal("the mailbox is not among ours"))
    }

    pub(super) async fn drop_mailbox(&self, who: Who) -> Result<Resolved, ApiError> {
        // A mailbox may be nobody else to us: then its peer ID says which it is, or the end of that.
        let own = self.mailboxes().await?;
        let known: Vec<_> = own.iter().map(|mailbox| Known::nameless(mailbox.peer_id)).collect();
        let meant = query::meant(&known, &who.who).ok();
        let mailbox = match own.iter().find(|mailbox| Some(mailbox.peer_id) == meant) {
            Some(one) => Resolved { peer_id: one.peer_id, name: one.name.clone() },
            None => self.resolve(who).await?,
        };
        self.core.command(Command::DropMailbox(mailbox.peer_id)).await?;
        Ok(mailbox)
    }
}

/// Understands where a mailbox is: addresses of one node, or somebody of whom it is known.
fn mailbox_at(
    reader: &Reader,
    me: PeerId,
    net: Option<&NetHandle>,
    at: &[String],
) -> Result<(PeerId, Vec<String>), ApiError> {
    let bad = |message: String| ApiError::new(Code::BadAddress, message);
    let is_address = |text: &String| text.trim().starts_with('/') || at.len() > 1 && Link::is_meant(text);
    let nowhere = || bad("give the address of a node".to_owned());
    if at.iter().any(is_address) {
        let mut peers = addresses::by_peer(at).map_err(|e| bad(e.message))?;
        let (peer, addrs) = peers.pop().ok_or_else(nowhere)?;
        if !peers.is_empty() {
            return Err(bad("these are addresses of different nodes".to_owned())
                .with_hint("take one node after the other; each is a mailbox of its own"));
        }
        if let Some(addr) = addrs.iter().find(|addr| !net::is_dialable(&peer, addr)) {
            return Err(bad(format!("'{addr}' is not an address that can be dialled")));
        }
        return Ok((peer, addrs));
    }
    let [who] = at else { return Err(nowhere()) };
    let meant = whom(reader, me, who)?;
    let mut addrs = meant.hints.addrs;
    let connected = net.and_then(|net| net.status().peers.into_iter().find(|there| there.peer_id == meant.peer));
    // Who has dialled us has a port that nobody can dial: it is a hint like the others.
    addrs.extend(query::reach(reader, &meant.peer, Clock::wall())?.addrs);
    if addrs.is_empty() && connected.is_none() {
        return Err(bad("it is not known where this node is".to_owned()));
    }
    Ok((meant.peer, addrs))
}

fn reach(status: &NetStatus, served: MailboxService, current: bool) -> Reach {
    Reach {
        nat: status.nat,
        upnp: status.upnp,
        external_addrs: status.external_addrs.clone(),
        relays: status.relays.clone(),
        dht: DhtStatus { published: status.dht.published && current, ..status.dht },
        relay_service: status.relay_service,
        mailbox_service: Some(served).filter(|served| served.serves != ServeMailbox::Off),
    }
}
