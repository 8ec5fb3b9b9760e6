//! What is known of the way to one peer, beside the rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{MonoTime, PeerId};
use crate::content::{self, mimi::Origin};

use super::mailing::Seek;
use super::pace::Pace;
use super::presence::Presence;

/// The way to one peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub connected: bool,
    /// A dial was asked for and has not ended.
    pub dialling: bool,
    /// Dials that failed since he was last there.
    pub attempts: u32,
    /// He is not dialled before this time.
    pub retry_at: Option<MonoTime>,
    /// How fast he is tried who is there.
    pub pace: Pace,
    /// What was told of his comings and goings.
    pub presence: Presence,
    /// The question for a card that is under way.
    pub bundle: Option<u64>,
    /// The session is no good: begin a new one with a fresh card.
    pub rebuild: bool,
    /// When all that is not delivered goes again, because the peer has accepted us.
    pub again_at: Option<MonoTime>,
    /// Receipts that became due again by a second copy since none waits to be sent: bounded, or whoever repeats himself could
    /// make the outbox grow.
    pub repeats: usize,
    /// When he was last asked for receipts over the connection that there is…
    pub asked_at: Option<MonoTime>,
    /// …and when something of his opened.
    pub heard_at: Option<MonoTime>,
    /// When he may begin as many sessions as may be again.
    pub handshakes: Option<MonoTime>,
    /// When he may change as often as may be again what is known of him.
    pub changes: Option<MonoTime>,
    /// When we last answered what he asked of receipts.
    pub answered_at: Option<MonoTime>,
    /// When the peer is asked for what he did not say to be delivered.
    pub inquire_at: Option<MonoTime>,
    /// What the two are called in messages, once it was needed.
    pub names: Option<Arc<Names>>,
    /// Since when something waits for the peer, who is not connected.
    pub away_since: Option<MonoTime>,
    /// When to look again at what could be left at mailboxes.
    pub post_at: Option<MonoTime>,
    /// What is known of his mailboxes; of no others than his card names.
    pub places: BTreeMap<PeerId, Place>,
    /// The peer's card is being looked for.
    pub seek: Option<Seek>,
    /// It is not looked for before this time…
    pub seek_at: Option<MonoTime>,
    /// …because that was done so often without help.
    pub seeks: u32,
    /// His card may shut us out, and a newer one is not looked for before this time.
    pub look_at: Option<MonoTime>,
    /// What he passed over.
    pub passed: PassedOver,
    /// The rows of this peer do not open: he waits for the next start.
    pub unreadable: bool,
    /// It was noted since this mark.
    pub noted: u64,
    /// Its place in the order of times.
    pub due: Option<MonoTime>,
}

/// What he took, and would have reported by now (SES-72).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PassedOver {
    /// It stands before this place in the conversation: the last that he reported, or what he had when something of his opened that
    /// was not the last.
    pub upto: u64,
    /// What he had stood before this place when something of his opened…
    pub mark: u64,
    /// …at this time; `None`: when this process began.
    pub marked_at: Option<MonoTime>,
    /// From this number in the outbox on it is still to be looked at, of the present go…
    pub from: u64,
    /// …which is at this time.
    pub due: Option<MonoTime>,
}

/// What is known of a mailbox for one peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// It is of no use until then: full, or without his box.
    pub closed_until: MonoTime,
    /// The token that the peer gave us is void there, as it says.
    pub is_void: bool,
}

/// What the two sides of a conversation are called in its messages (CON-13).
#[derive(Debug)]
pub(super) struct Names {
    pub me: String,
    pub peer: String,
    pub room: String,
    /// What is not kept of our messages, as it can be made again…
    pub ours: Origin,
    /// …and of those of the other side.
    pub theirs: Origin,
}

impl Names {
    pub(super) fn new(me: PeerId, peer: PeerId) -> Self {
        let room = content::direct_room_uri(me, peer);
        let (me, peer) = (content::sender_uri(me), content::sender_uri(peer));
        let (ours, theirs) = (Origin::new(&me, &room), Origin::new(&peer, &room));
        Self { me, peer, room, ours, theirs }
    }
}

impl Link {
    /// Whether it holds nothing that must be remembered, if nothing waits for the peer.
    pub(super) fn is_idle(&self) -> bool {
        !self.connected
            && !self.dialling
            && self.bundle.is_none()
            && self.answered_at.or(self.handshakes).or(self.changes).is_none()
            && !self.unreadable
            && self.pace.is_idle()
            && self.presence.is_idle()
    }

    /// When there is something to be done; `awaited`: something was sent, and is not said to be delivered.
    pub(super) fn due_at(&self, awaited: bool) -> Option<MonoTime> {
        if self.unreadable {
            return None;
        }
        let seek = self.seek.as_ref().and_then(Seek::until);
        let inquire_at = self.inquire_at.filter(|_| awaited);
        let pauses = [self.retry_at, self.pace.until(), self.presence.until()];
        let again = [self.again_at, self.passed.due, inquire_at];
        pauses.into_iter().chain([self.post_at, seek, self.look_at]).chain(again).flatten().min()
    }

    /// What could be left at mailboxes is looked at then, if not before.
    pub(super) fn look_again(&mut self, now: MonoTime, at: Option<MonoTime>) {
        self.post_at = self.post_at.filter(|at| *at > now).into_iter().chain(at).min();
    }
}
