//! Behind which kind of router we are, how we are reached all the same, and how we reach others.
//!
//! - `drive` and `connect` are what the swarm task does about it; the rest is bookkeeping, and behaviours of our own.
//! - `relays` keeps two reservations, `service` is our own relay, `dials` and `redial` say when to dial.
//! - `router` asks the one at home for its ports.
//! - `observed`, `reach` and `probe` find out what others see; `alive` asks a connection for a sign of life.
//! - `guard` stands between the swarm and behaviours that act on a peer's word.

mod alive;
mod connect;
mod dials;
mod drive;
pub(super) mod guard;
mod observed;
pub(super) mod probe;
mod reach;
mod redial;
mod relays;
mod router;
pub(super) mod service;

use std::collections::{BTreeSet, HashMap};

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use self::alive::Checks;
use self::dials::Dials;
use self::observed::Observed;
use self::probe::Probe;
use self::reach::Reach;
use self::redial::Redial;
use self::relays::Relays;
use self::router::Router;
use self::service::Usage;
use super::addresses::Scope;
use super::config::NetConfig;
use super::wall_now;
use crate::base::limits::{MAX_MISSED, SLEEP_SUSPECTED};
use crate::base::words::Reachability;
use crate::base::{PeerId, WallTime};

/// What the swarm task knows of our place in the network.
pub(super) struct Nat {
    /// How far the network reaches that we are part of.
    scope: Scope,
    observed: Observed,
    reach: Reach,
    pub(super) probe: Probe,
    relays: Relays,
    redial: Redial,
    dials: Dials,
    /// Direct connections on which the peer has said who he is and how he sees us.
    identified: HashMap<ConnectionId, PeerId>,
    usage: Option<Usage>,
    pub(super) router: Router,
    pub(super) checks: Checks,
    clocks: Clocks,
    /// Something has changed since the last look.
    pub(super) changed: bool,
    /// When it last had.
    changed_at: Option<Instant>,
    /// When our addresses were last tried.
    tried_at: Instant,
    /// Peers who could not be reached.
    missed: BTreeSet<PeerId>,
}

impl Nat {
    /// `usage`: what our own relay is used for, if it is one.
    pub(super) fn new(config: &NetConfig, me: PeerId, scope: Scope, usage: Option<Usage>) -> Self {
        let now = Instant::now();
        Self {
            scope,
            observed: Observed::default(),
            reach: Reach::new(config.public),
            probe: Probe::new(scope),
            relays: Relays::default(),
            redial: Redial::new(&config.bootstrap, me, now),
            dials: Dials::default(),
            identified: HashMap::new(),
            usage,
            router: Router::new(config.upnp, now),
            checks: Checks::default(),
            clocks: Clocks { mono: now, wall: wall_now() },
            changed: false,
            changed_at: None,
            tried_at: now,
            missed: BTreeSet::new(),
        }
    }

    /// How far the network reaches that we are part of.
    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether others can reach us without help.
    pub(super) fn reachability(&self) -> Reachability {
        self.reach.reachability()
    }

    /// Whether the connection with this peer is kept though nothing happens on it.
    pub(super) fn keeps(&self, peer: &PeerId) -> bool {
        self.redial.names(peer) || self.relays.uses(peer)
    }

    /// What is counted, each by its name.
    #[cfg(test)]
    pub(super) fn counts(&self) -> Vec<(&'static str, usize)> {
        let served = self.usage.as_ref().map(Usage::told).unwrap_or_default();
        let served = usize::try_from(served.reservations + served.circuits).unwrap_or(usize::MAX);
        [("identified", self.identified.len()), ("attempts", self.dials.count()), ("checks", self.checks.count())]
            .into_iter()
            .chain([
                ("observed", self.observed.count()),
                ("probed", self.probe.count()),
                ("served", served),
                ("trials", self.probe.trials()),
            ])
            .collect()
    }

    /// A peer could not be reached. With too many, some other is forgotten.
    fn miss(&mut self, peer: PeerId) {
        if self.missed.len() >= MAX_MISSED {
            self.missed.pop_first();
        }
        self.missed.insert(peer);
    }
}

/// Both clocks at the last look: the one that counts while the machine sleeps, and the one that does not.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    mono: Instant,
    wall: WallTime,
}

impl Clocks {
    /// Looks again. Tells whether the machine has slept meanwhile, or the process was stopped.
    fn look(&mut self, mono: Instant, wall: WallTime) -> bool {
        let limit = super::span(SLEEP_SUSPECTED);
        let (ran, passed) = (mono.saturating_duration_since(self.mono), wall.0.saturating_sub(self.wall.0));
        (self.mono, self.wall) = (mono, wall);
        ran > limit || u128::from(passed) > (ran + limit).as_millis()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// NET-82.
    #[test]
    fn sleep_is_seen_by_a_jump_of_the_wall_clock_or_by_a_late_look() {
        let begun = Instant::now();
        let mut clocks = Clocks { mono: begun, wall: WallTime(1_000_000) };
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!clocks.look(at(1), WallTime(1_001_000)));
        assert!(clocks.look(at(2), WallTime(1_602_000)), "asleep for ten minutes");
        assert!(!clocks.look(at(3), WallTime(1_603_000)));
        assert!(clocks.look(at(63), WallTime(1_663_000)), "stopped for a minute");
        assert!(!clocks.look(at(64), WallTime(900_000)), "set back");
        assert!(!clocks.look(at(65), WallTime(901_000)));
    }
}
