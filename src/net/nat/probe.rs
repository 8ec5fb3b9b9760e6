//! Asks peers to try our addresses (AutoNAT v2), and believes what they cannot make up (NET-71 to NET-73).
//!
//! A peer who is asked connects with the address from elsewhere, and says there the number that came with the question. That he has the number
//! proves nothing by itself: it counts on a direct connection only that came in after the question, from a place from which
//! nothing else comes, at an address of ours that can be the one that was tried. That he could not connect is only said. So
//! one who was reached is believed, and of those who say that they were not, two from different places, or the only one there is.
//!
//! The crate's client takes a number from any connection, tries an address once for ever (trap 12), and asks those only whom we have dialled:
//! the first node of a network is dialled by others only.

pub(in crate::net) mod wire;

use std::collections::{HashMap, HashSet};
use std::io;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, Stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::base::PeerId;
use crate::base::limits::{
    ADDRESS_TEST_INTERVAL, MAX_ADDRESS_CANDIDATES, MAX_TRIALS, MAX_TRIALS_OF_PEER, TRIAL_HEARD_TIMEOUT, TRIAL_TIMEOUT,
    TRIAL_WINDOW,
};
use crate::net::addresses::{Scope, scope, scope_of_ip};
use crate::net::origin::{Neighbours, Origin};
use crate::net::peers::{Link, Peers, Way};
use crate::net::streams::{Inbound, Reply};
use crate::net::tasks::Tasks;
use crate::net::{from_libp2p, span};

/// What identify lists of those who try addresses.
pub(in crate::net) const ASK: &str = "/libp2p/autonat/2/dial-request";
/// Where they say what they were told.
pub(in crate::net) const HEAR: &str = "/libp2p/autonat/2/dial-back";

/// As who somebody counts who says something of us: keys are free. Of the internet it is his network; within a site, where all
/// are of few networks, his address; on one machine his key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::net) enum Voice {
    Neighbours(Neighbours),
    Peer(PeerId),
}

impl Voice {
    /// Of a peer at this address.
    pub(in crate::net) fn of(peer: PeerId, addr: &Multiaddr) -> Self {
        match (scope_of_ip(addr), Origin::of(addr)) {
            (Some(Scope::Local | Scope::Global), Some(origin)) => Self::Neighbours(origin.neighbours()),
            _ => Self::Peer(peer),
        }
    }
}

/// What was found out of an address of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::net) enum Found {
    /// Somebody has reached it.
    Reached(Multiaddr, Voice),
    /// Nobody does.
    Unreached(Multiaddr),
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Reached,
    Unreached,
    /// Nothing, or what cannot be.
    Nothing,
}

/// An address that is tried.
#[derive(Debug)]
struct Candidate {
    addr: Multiaddr,
    /// Who was asked, and what came of it.
    asked: Vec<(Voice, Outcome)>,
    /// By whom a question broke: it says nothing of the address, nor of him.
    broken: Vec<Voice>,
    /// That nobody reaches it was told.
    told: bool,
}

impl Candidate {
    fn voices(&self, of: Outcome) -> usize {
        self.asked.iter().filter(|(_, outcome)| *outcome == of).map(|(voice, _)| voice).collect::<HashSet<_>>().len()
    }

    /// Whether one more is to be asked.
    fn is_open(&self) -> bool {
        let two_say_no = self.voices(Outcome::Reached) == 0 && self.voices(Outcome::Unreached) >= 2;
        self.asked.len() + self.broken.len() < MAX_TRIALS && self.voices(Outcome::Reached) < 2 && !two_say_no
    }
}

/// A question that has no answer yet.
#[derive(Debug)]
struct Question {
    addr: Multiaddr,
    voice: Voice,
    /// Over which connection it was put, and when.
    by: ConnectionId,
    at: Instant,
    /// Its number has come, as it should.
    heard: bool,
    /// Its number has come, whether that proves something or not.
    said: bool,
}

/// What the tasks bring.
pub(in crate::net) enum Heard {
    /// A peer says whether he has reached an address; nothing when he would not try.
    Answer(Option<bool>),
    /// The stream of a question was never opened, or broke, or what came is no answer.
    Broken,
    /// A number was said on a stream.
    Number(Option<(u64, Box<Inbound>)>),
}

/// The bookkeeping, and the tasks of the streams.
pub(in crate::net) struct Probe {
    /// Who sees us from less far away than this says nothing of our reachability.
    least: Scope,
    /// Connected peers who try addresses.
    offers: HashSet<PeerId>,
    /// At most `MAX_ADDRESS_CANDIDATES`.
    candidates: Vec<Candidate>,
    /// By their numbers.
    open: HashMap<u64, Question>,
    /// Who was asked, and when last.
    asked: HashMap<PeerId, Instant>,
    /// Each with the number of its question.
    tasks: Tasks<u64, Heard>,
    looked: Option<Instant>,
}

impl Probe {
    pub(in crate::net) fn new(least: Scope) -> Self {
        Self {
            least,
            offers: HashSet::new(),
            candidates: Vec::new(),
            open: HashMap::new(),
            asked: HashMap::new(),
            tasks: Tasks::default(),
            looked: None,
        }
    }

    /// Whether a connected peer tries addresses.
    pub(in crate::net) fn offers(&mut self, peer: PeerId, offers: bool) {
        _ = if offers { self.offers.insert(peer) } else { self.offers.remove(&peer) };
    }

    /// No connection with this peer is left.
    pub(in crate::net) fn gone(&mut self, peer: &PeerId) {
        self.offers.remove(peer);
        self.asked.remove(peer);
    }

    /// An address of ours that may be reachable: it is tried, until all are tried anew.
    pub(in crate::net) fn candidate(&mut self, addr: &Multiaddr) {
        let known = self.candidates.iter().any(|candidate| candidate.addr == *addr);
        if !known && self.candidates.len() < MAX_ADDRESS_CANDIDATES {
            self.candidates.push(Candidate { addr: addr.clone(), asked: Vec::new(), broken: Vec::new(), told: false });
        }
    }

    /// Whatever was tried is worth another try; what was asked is void.
    pub(in crate::net) fn again(&mut self) {
        self.candidates.clear();
        self.open.clear();
        self.looked = None;
    }

    /// Whether this peer is trying an address of ours, so that a connection from him may be just that.
    pub(in crate::net) fn is_asked(&self, peer: &PeerId) -> bool {
        self.asked.get(peer).is_some_and(|at| at.elapsed() < span(TRIAL_WINDOW))
    }

    /// It is time to ask.
    pub(in crate::net) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.looked.is_none_or(|at| now.saturating_duration_since(at) >= span(ADDRESS_TEST_INTERVAL));
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// What is to be asked now, one question of each address at a time: by which connections, and where their streams go.
    pub(in crate::net) fn ask(&mut self, peers: &Peers, now: Instant) -> Vec<(PeerId, ConnectionId, Reply)> {
        let mut asked = Vec::new();
        for at in 0..self.candidates.len() {
            let Some((peer, by, voice)) = self.candidates.get(at).and_then(|candidate| self.whom(candidate, peers))
            else {
                continue;
            };
            let Some(addr) = self.candidates.get(at).map(|candidate| candidate.addr.clone()) else { continue };
            let number = rand::random();
            let (reply, stream) = oneshot::channel();
            self.tasks.spawn(number, put(stream, addr.clone(), number));
            self.open.insert(number, Question { addr, voice, by, at: now, heard: false, said: false });
            self.asked.insert(peer, now);
            asked.push((peer, by, reply));
        }
        asked
    }

    /// Whom to ask now to try this address, if anybody: any of those with whom fewest questions broke.
    fn whom(&self, candidate: &Candidate, peers: &Peers) -> Option<(PeerId, ConnectionId, Voice)> {
        let mut open = self.open.values();
        if open.any(|question| question.addr == candidate.addr) {
            return None;
        }
        let busy = |by| self.open.values().filter(|question| question.by == by).count() >= MAX_TRIALS_OF_PEER;
        let broken = |voice| candidate.broken.iter().filter(|broken| **broken == voice).count();
        let able = self.able(candidate, peers).filter(|(_, by, _)| !busy(*by));
        able.min_by_key(|(_, _, voice)| (broken(*voice), rand::random::<u64>()))
    }

    /// Who may still be asked to try this address: those who count as others than those who were.
    fn able<'a>(
        &'a self,
        candidate: &'a Candidate,
        peers: &'a Peers,
    ) -> impl Iterator<Item = (PeerId, ConnectionId, Voice)> + 'a {
        let able = self.offers.iter().filter_map(|peer| {
            let (link, _) = peers.preferred(peer).filter(|(link, _)| self.can_tell(link))?;
            Some((*peer, link.id, Voice::of(*peer, &link.addr)))
        });
        let other = |(_, _, voice): &(_, _, Voice)| candidate.asked.iter().all(|(asked, _)| asked != voice);
        able.filter(other).filter(|_| candidate.is_open())
    }

    /// Whether somebody at the other end of this connection can say something of us.
    fn can_tell(&self, link: &Link) -> bool {
        link.way.is_lasting() && scope(&link.addr) >= self.least
    }

    /// A peer wants to say a number.
    pub(in crate::net) fn take(&mut self, inbound: Inbound) {
        self.tasks.spawn(0, hear(inbound));
    }

    /// The next that one of the tasks brings.
    pub(in crate::net) async fn next(&mut self) -> Option<(u64, Heard)> {
        let (number, heard) = self.tasks.next().await?;
        Some((number, heard.unwrap_or(Heard::Broken)))
    }

    /// What follows from it.
    pub(in crate::net) fn on_heard(&mut self, number: u64, heard: Heard, peers: &Peers) -> Option<Found> {
        match heard {
            Heard::Answer(said) => self.on_answer(number, said, peers),
            Heard::Broken => self.on_broken(number, peers),
            Heard::Number(Some((number, inbound))) => {
                let from = from_libp2p(&inbound.peer);
                if from.is_some_and(|peer| self.on_number(number, &peer, inbound.connection, peers)) {
                    tokio::spawn(timeout(span(TRIAL_HEARD_TIMEOUT), thank(*inbound)));
                }
                None
            }
            Heard::Number(None) => None,
        }
    }

    /// A number was said on a connection; whether it is believed.
    fn on_number(&mut self, number: u64, peer: &PeerId, connection: ConnectionId, peers: &Peers) -> bool {
        let Some(link) = peers.links(peer).find(|link| link.id == connection) else { return false };
        let mut others = peers.all_links().filter(|other| other.id != link.id);
        let alone = others.all(|other| !is_same_place(&other.addr, &link.addr));
        let least = self.least;
        let Some(question) = self.open.get_mut(&number) else { return false };
        let proves = alone && scope(&link.addr) >= least && is_proof(question, link);
        if !proves {
            tracing::debug!(?peer, addr = %question.addr, "a number that proves nothing");
        }
        question.said = true;
        question.heard |= proves;
        proves
    }

    /// The answer to a question.
    fn on_answer(&mut self, number: u64, said: Option<bool>, peers: &Peers) -> Option<Found> {
        let Question { addr, voice, heard, said: came, .. } = self.open.remove(&number)?;
        let at = self.candidates.iter().position(|candidate| candidate.addr == addr)?;
        let outcome = match (said, heard) {
            (Some(true), true) => Outcome::Reached,
            // Whoever has said the number has come somewhere; that it was not believed is no reason to believe that he has not.
            (Some(false), _) if came => Outcome::Nothing,
            (Some(true), false) | (None, _) => Outcome::Nothing,
            (Some(false), _) => Outcome::Unreached,
        };
        tracing::debug!(%addr, ?outcome, "an address of ours was tried");
        let candidate = self.candidates.get_mut(at)?;
        candidate.asked.push((voice, outcome));
        match outcome {
            Outcome::Reached => Some(Found::Reached(addr, voice)),
            _ => self.unreached(at, peers),
        }
    }

    /// A question has no answer: it may be put again, also to the same peer.
    fn on_broken(&mut self, number: u64, peers: &Peers) -> Option<Found> {
        let Question { addr, voice, .. } = self.open.remove(&number)?;
        let at = self.candidates.iter().position(|candidate| candidate.addr == addr)?;
        self.candidates.get_mut(at)?.broken.push(voice);
        self.unreached(at, peers)
    }

    /// Whether nobody reaches this candidate: two say so, or all there are.
    fn unreached(&mut self, at: usize, peers: &Peers) -> Option<Found> {
        let candidate = self.candidates.get(at)?;
        let (reached, not) = (candidate.voices(Outcome::Reached), candidate.voices(Outcome::Unreached));
        let last = not >= 2 || self.able(candidate, peers).next().is_none();
        let told = reached > 0 || not == 0 || !last || candidate.told;
        let candidate = self.candidates.get_mut(at).filter(|_| !told)?;
        candidate.told = true;
        Some(Found::Unreached(candidate.addr.clone()))
    }

    /// Addresses of which nobody is left who could say something else: whoever could when somebody said no has gone since.
    pub(in crate::net) fn settled(&mut self, peers: &Peers) -> Vec<Found> {
        let is_open = |probe: &Self, at: usize| {
            let addr = probe.candidates.get(at).map(|candidate| &candidate.addr);
            probe.open.values().any(|question| Some(&question.addr) == addr)
        };
        let all = 0..self.candidates.len();
        all.filter_map(|at| if is_open(self, at) { None } else { self.unreached(at, peers) }).collect()
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        self.offers.len() + self.asked.len() + self.trials()
    }

    #[cfg(test)]
    pub(in crate::net) fn trials(&self) -> usize {
        self.open.len() + self.tasks.count()
    }
}

/// Whether a number that is said on this connection proves that the address of its question was reached: it came in straight, after the
/// question and not by the connection of the question, at an end that can be the address.
fn is_proof(question: &Question, link: &Link) -> bool {
    let direct = !link.ours && link.way.is_direct() && link.id != question.by && link.since > question.at;
    direct && link.local.as_ref().is_some_and(|local| fits(local, &question.addr))
}

/// Whether somebody who dials `addr` can come in at `local`: by the same transport, and at the same address, unless a router stands between.
fn fits(local: &Multiaddr, addr: &Multiaddr) -> bool {
    let alike = Way::of(local) == Way::of(addr) && is_v4(local) == is_v4(addr);
    let behind = scope_of_ip(local) == Some(Scope::Local) && scope(addr) >= Scope::Local;
    alike && (local == addr || behind)
}

/// Whether both begin with the same address and port.
fn is_same_place(one: &Multiaddr, other: &Multiaddr) -> bool {
    one.iter().take(2).eq(other.iter().take(2))
}

fn is_v4(addr: &Multiaddr) -> bool {
    use libp2p::multiaddr::Protocol::{Ip4, Ip6};
    match addr.iter().next() {
        Some(Ip4(_)) => true,
        Some(Ip6(ip)) => ip.to_ipv4_mapped().is_some(),
        _ => false,
    }
}

/// Puts a question on the stream that comes: whether the peer says that he has reached the address.
async fn put(stream: oneshot::Receiver<Stream>, addr: Multiaddr, number: u64) -> Heard {
    let said = async {
        let mut stream = stream.await.map_err(io::Error::other)?;
        let said = wire::ask(&mut stream, &addr, number).await?;
        // An error says that the other side has closed it before.
        let _ = stream.close().await;
        Ok::<_, io::Error>(said)
    };
    let said = timeout(span(TRIAL_TIMEOUT), said).await.map_err(io::Error::from).flatten();
    let said = said.inspect_err(|error| tracing::debug!(%error, "a question for our address failed"));
    said.map_or(Heard::Broken, Heard::Answer)
}

/// The number that is said on a stream.
async fn hear(mut inbound: Inbound) -> Heard {
    let number = timeout(span(TRIAL_HEARD_TIMEOUT), wire::read_number(&mut inbound.stream)).await;
    Heard::Number(number.ok().and_then(Result::ok).map(|number| (number, Box::new(inbound))))
}

/// Says that the number was understood.
async fn thank(mut inbound: Inbound) -> io::Result<()> {
    inbound.stream.write_all(&wire::UNDERSTOOD).await?;
    inbound.stream.close().await?;
    // Whoever said it closes the connection.
    let _ = inbound.stream.read(&mut [0]).await;
    Ok(())
}

#[cfg(test)]
mod tests;
