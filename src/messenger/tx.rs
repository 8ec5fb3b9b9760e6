//! The work on one commit: rows through the buffer, outputs gathered, nothing leaves before the commit.

use std::sync::Arc;

use crate::base::event::EventKind;
use crate::base::{Aging, CryptoRng, MessageId, Millis, Now, PeerId, RoomId, WallTime, limits};
use crate::envelope::WireError;
use crate::identity::IdentityKeypair;
use crate::store::{RowKey, Rows, Scan, StoreError, WriteBuffer};

use super::command::Refusal;
use super::io::Output;
use super::link::{Link, Names};
use super::memory::Memory;
use super::query;
use super::tables::{
    ConversationRow, Conversations, Events, EventsRow, IndexRow, MessageRow, Messages, PeerRow, Peers, Profile,
    ProfileRow, Recent, message_key, numbered, peer_key, room_key,
};

/// Why an input did not happen.
#[derive(Debug)]
pub(super) enum Stop {
    /// The user asked for what cannot be.
    Refused(Refusal),
    /// The store failed.
    Fault(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
    }
}

/// Something of ours that cannot be encoded, or was kept and cannot be decoded.
impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self::Fault(StoreError::Fault(format!("not to be encoded or decoded: {error}")))
    }
}

impl From<Stop> for StoreError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fault(error) => error,
            Stop::Refused(refusal) => Self::damaged(refusal.to_string()),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a step of the messenger gives.
pub(super) type Step<T = ()> = Result<T, Stop>;

// One answer serves both: see `Tx::aging`.
const _: () = assert!(limits::SKIPPED_KEY_LIFE.0 == limits::ARCHIVED_SESSION_LIFE.0);

/// The context of one input. Its methods stand in the files of their subjects.
pub(super) struct Tx<'a> {
    pub me: &'a IdentityKeypair,
    pub buf: &'a mut WriteBuffer,
    pub mem: &'a mut Memory,
    pub out: &'a mut Vec<Output>,
    pub rng: &'a mut dyn CryptoRng,
    pub now: Now,
}

impl Tx<'_> {
    /// The profile's time, which dates what is kept: it never goes back, and never stands still, wherever the wall clock was
    /// set to meanwhile. Before something is given up or destroyed, its date is compared with [`Self::believed`].
    pub(super) fn deadline_clock(&self) -> WallTime {
        self.mem.clock.time(self.now.mono)
    }

    /// The time to compare a deadline of `date + span` with, if what follows cannot be undone.
    pub(super) fn believed(&self, span: Millis) -> WallTime {
        self.mem.clock.row.by(span)
    }

    /// The time by which sessions age.
    pub(super) fn aging(&self) -> Aging {
        self.mem.clock.row.aging(limits::SKIPPED_KEY_LIFE)
    }

    /// The earliest that it may be by the wall clock: what others have signed is over by then.
    pub(super) fn earliest(&self) -> WallTime {
        self.mem.clock.row.earliest()
    }

    pub(super) fn my_id(&self) -> PeerId {
        self.me.peer_id()
    }

    /// What we and a peer are called in messages. Base58 is slow, so it is made once.
    pub(super) fn names(&mut self, peer: PeerId) -> Arc<Names> {
        let me = self.my_id();
        Arc::clone(self.link(peer).names.get_or_insert_with(|| Arc::new(Names::new(me, peer))))
    }

    pub(super) fn profile(&self) -> Step<ProfileRow> {
        let row = self.buf.get::<Profile>(&RowKey::new())?;
        Ok(row.ok_or_else(|| StoreError::damaged("the profile row is missing"))?)
    }

    pub(super) fn put_profile(&mut self, row: &ProfileRow) -> Step {
        Ok(self.buf.put::<Profile>(&RowKey::new(), row)?)
    }

    pub(super) fn peer(&self, peer: &PeerId) -> Step<Option<PeerRow>> {
        Ok(self.buf.get::<Peers>(&peer_key(peer))?)
    }

    /// Keeps what is known of a peer, when that has changed: most of what he says changes nothing.
    pub(super) fn put_peer(&mut self, row: &PeerRow) -> Step {
        if self.peer(&row.peer)?.as_ref() == Some(row) {
            return Ok(());
        }
        Ok(self.buf.put::<Peers>(&peer_key(&row.peer), row)?)
    }

    pub(super) fn conversation(&self, room: &RoomId) -> Step<Option<ConversationRow>> {
        Ok(self.buf.get::<Conversations>(&room_key(room))?)
    }

    /// A conversation, made when there is none.
    pub(super) fn open_conversation(&mut self, room: RoomId) -> Step<ConversationRow> {
        if let Some(row) = self.conversation(&room)? {
            return Ok(row);
        }
        // Not below what a lost store counted to: the other side would take new messages for what it misses.
        Ok(ConversationRow::new(room, self.deadline_clock().0))
    }

    pub(super) fn put_conversation(&mut self, row: &ConversationRow) -> Step {
        Ok(self.buf.put::<Conversations>(&room_key(&row.room), row)?)
    }

    /// Moves a conversation to the top of the inbox.
    pub(super) fn bump(&mut self, row: &mut ConversationRow) -> Step {
        let newest = self.mem.next_activity.saturating_sub(1);
        if row.activity != 0 && row.activity == newest {
            return Ok(());
        }
        if row.activity != 0 {
            self.buf.delete::<Recent>(&numbered(row.activity));
        }
        row.activity = self.mem.next_activity;
        self.mem.next_activity += 1;
        Ok(self.buf.put::<Recent>(&numbered(row.activity), &row.room)?)
    }

    pub(super) fn message(&self, room: &RoomId, position: u64) -> Step<Option<MessageRow>> {
        Ok(self.buf.get::<Messages>(&message_key(room, position))?)
    }

    /// Where a message stands; `None` when there is none by this ID, or it was forgotten.
    pub(super) fn index(&self, id: &MessageId) -> Step<Option<IndexRow>> {
        Ok(query::index(&*self.buf, id)?)
    }

    /// Told when the inputs of this commit are done.
    pub(super) fn event(&mut self, kind: EventKind) {
        self.mem.told.push(kind);
    }

    /// Appends what is told to the event log, in one row, and forgets what is too old.
    pub(super) fn write_events(&mut self) -> Step {
        for kinds in std::mem::take(&mut self.mem.told).chunks(limits::MAX_EVENTS_ROW) {
            self.mem.next_event += kinds.len() as u64;
            let row = EventsRow::new(self.now.wall, kinds.to_vec());
            self.buf.put::<Events>(&numbered(self.mem.next_event - 1), &row)?;
            let Some(old) = self.mem.next_event.checked_sub(limits::MAX_EVENTS) else { continue };
            self.buf.take::<Events>(&Scan::all().to(old))?;
        }
        Ok(())
    }

    /// Does something that may fail by itself: then nothing of it stays, in rows, outputs and memory, and the rest may go on.
    pub(super) fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        let (savepoint, mark) = (self.buf.savepoint(), self.mem.mark());
        let out = self.out.len();
        let done = work(self);
        if done.is_err() {
            self.out.truncate(out);
            self.buf.rollback(savepoint);
            self.mem.undo(mark);
        }
        done
    }

    /// Does something that nothing else waits for. If rows for it do not open, nothing of it stays, and the rest goes on. Whether
    /// it was done.
    pub(super) fn apart(&mut self, work: impl FnOnce(&mut Self) -> Step) -> bool {
        let done = self.attempt(work);
        if let Err(Stop::Fault(error)) = &done {
            tracing::error!(%error, "what is to be done by itself is left out");
        }
        done.is_ok()
    }

    pub(super) fn link(&mut self, peer: PeerId) -> &mut Link {
        self.mem.link(peer)
    }

    /// Has the link looked at when the inputs of this commit are done.
    pub(super) fn touch(&mut self, peer: PeerId) {
        self.mem.touched.insert(peer);
    }

    pub(super) fn push(&mut self, output: impl Into<Output>) {
        self.out.push(output.into());
    }
}

#[cfg(test)]
mod tests;
