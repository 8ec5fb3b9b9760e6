//! What is known of sessions beside their rows, and goes with the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::limits::MAX_TURNS_AHEAD;
use crate::base::{PeerId, SessionId};
use crate::session::{Ahead, SessionSet};

/// What is known beside the rows. It is never wrong, so that nothing of it is undone with an input that fails: what was
/// taken was, and a turn fits or does not.
#[derive(Debug, Default)]
pub(in crate::messenger) struct Beside {
    /// Sealed messages that were taken, though one before them was not, or that was not written down yet.
    taken: BTreeMap<PeerId, BTreeSet<(SessionId, u64)>>,
    /// Turns that were made ahead, the oldest first.
    ahead: VecDeque<(PeerId, Ahead)>,
    /// Peers of whom something opened that may be answered.
    pub(super) due: BTreeSet<PeerId>,
}

impl Beside {
    /// Tells a set that was loaded.
    pub(super) fn tell(&self, peer: &PeerId, set: &mut SessionSet) {
        for (session, number) in self.taken.get(peer).into_iter().flatten() {
            set.taken(*session, *number);
        }
        if let Some((_, ahead)) = self.ahead.iter().find(|(whose, _)| whose == peer) {
            set.take_ahead(ahead.clone());
        }
    }

    /// A set was written: what it says by now need not be kept, and who sent something last may be answered.
    pub(super) fn note(&mut self, peer: PeerId, set: &SessionSet) {
        let turn = set.next_turn();
        if set.has_sealed() || turn.is_some() {
            self.taken.remove(&peer);
            let above: BTreeSet<_> = set.taken_above().collect();
            if !above.is_empty() {
                self.taken.insert(peer, above);
            }
        }
        if turn != Some(true) {
            self.forget_turn(&peer);
        }
        if turn == Some(false) && self.due.len() < MAX_TURNS_AHEAD {
            self.due.insert(peer);
        }
    }

    /// A sealed message was taken: by the peer, or by who keeps it for him (SES-66).
    pub(in crate::messenger) fn take(&mut self, peer: PeerId, session: SessionId, number: u64) {
        self.taken.entry(peer).or_default().insert((session, number));
    }

    /// The turn of a peer was made.
    pub(super) fn keep(&mut self, peer: PeerId, ahead: Ahead) {
        self.ahead.push_back((peer, ahead));
        if self.ahead.len() > MAX_TURNS_AHEAD {
            self.ahead.pop_front();
        }
    }

    /// There are no sessions any more.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.taken.remove(peer);
        self.forget_turn(peer);
    }

    fn forget_turn(&mut self, peer: &PeerId) {
        self.ahead.retain(|(whose, _)| whose != peer);
        self.due.remove(peer);
    }
}
