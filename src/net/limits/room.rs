//! Who makes room for a newcomer (NET-90).

use std::collections::HashMap;

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::super::origin::Neighbours;
use super::super::span;
use crate::base::limits::STRANGER_REST;

/// The place of a stranger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) id: ConnectionId,
    pub(super) neighbours: Option<Neighbours>,
    /// `None`: something is under way.
    pub(super) idle_since: Option<Instant>,
    /// He does not make room for anybody.
    pub(super) spared: bool,
}

/// Of those who are idle, the one who has been longest, in a network that holds more places than the newcomer's would
/// hold, or in the newcomer's own: so whoever has many addresses in few networks pushes out himself. When all are busy, one of
/// the network that holds most: nobody keeps his places by saying something now and then.
pub(super) fn choose(seats: &[Seat], newcomer: Option<Neighbours>, now: Instant) -> Option<ConnectionId> {
    let mut held: HashMap<Option<Neighbours>, usize> = HashMap::new();
    for seat in seats {
        *held.entry(seat.neighbours).or_default() += 1;
    }
    let held = |of| held.get(&of).copied().unwrap_or_default();
    let wanted = held(newcomer) + 1;
    let free = || seats.iter().filter(|seat| !seat.spared);
    let idle = free().filter_map(|seat| Some((seat, seat.idle_since?)));
    let rested = idle.filter(|(_, since)| now.saturating_duration_since(*since) >= span(STRANGER_REST));
    let fair = rested.filter(|(seat, _)| seat.neighbours == newcomer || held(seat.neighbours) >= wanted);
    let out = fair.min_by_key(|(_, since)| *since).map(|(seat, _)| seat.id);
    out.or_else(|| {
        let most =
            free().filter(|seat| held(seat.neighbours) > wanted).max_by_key(|seat| held(seat.neighbours))?.neighbours;
        let busy = free().filter(|seat| seat.neighbours == most);
        busy.min_by_key(|seat| (seat.idle_since.is_none(), seat.idle_since, seat.id)).map(|seat| seat.id)
    })
}
