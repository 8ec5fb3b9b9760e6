//! The sessions of those who are no contacts: bounded, all of them together and how many one begins a day.
//!
//! What a stranger is to us decides nothing here (REQ-1): whose request was declined, evicted or never made keeps his session as
//! long as he whose request waits. So the answer to a repetition, for which the session has to be there, says nothing of it.

use std::collections::BTreeSet;

use crate::base::{Millis, PeerId, SessionId, limits};
use crate::messenger::io::{Class, Order};
use crate::messenger::tables::{SendingChains, Sessions, StrangerRow, Strangers, numbered, peer_key, session_key};
use crate::messenger::tx::{Step, Tx};
use crate::store::{Rows, Scan};

/// In which somebody who is no contact may begin a few sessions.
const DAY: Millis = Millis::from_hours(24);

impl Tx<'_> {
    /// Whether somebody who is no contact may begin another session now (REQ-6).
    pub(in crate::messenger) fn stranger_may_begin(&self, peer: &PeerId) -> bool {
        let clock = self.deadline_clock();
        let is_his = |row: &&StrangerRow| row.is_new && row.peer == *peer && row.since + DAY > clock;
        self.mem.strangers.values().filter(is_his).count() < limits::MAX_STRANGER_SESSIONS_A_DAY
    }

    /// A session of somebody who is no contact has begun. The oldest of all makes room (REQ-6).
    pub(in crate::messenger) fn add_stranger(&mut self, peer: PeerId, session: SessionId) -> Step {
        self.keep_stranger(StrangerRow { peer, session, since: self.deadline_clock(), is_new: true })
    }

    fn keep_stranger(&mut self, row: StrangerRow) -> Step {
        let number = self.mem.strangers.last_key_value().map_or(1, |(last, _)| last + 1);
        self.buf.put::<Strangers>(&numbered(number), &row)?;
        self.mem.strangers.insert(number, row);
        self.mem.mail.crowd_changed = true;
        while self.mem.strangers.len() > limits::MAX_STRANGER_SESSIONS {
            let Some((oldest, _)) = self.mem.strangers.first_key_value() else { break };
            self.end_stranger(*oldest);
        }
        Ok(())
    }

    /// Who was a contact is none any more, or is not heard as one: his sessions stand with those of all others, and for the network he is
    /// a stranger (REQ-1). What he began within a day is of his four, as it would be had he never been one.
    pub(in crate::messenger) fn estrange(&mut self, peer: PeerId) -> Step {
        self.push(Order::Class { peer, class: Class::Stranger });
        let (mut sessions, _) = self.buf.scan_sound::<Sessions>(&Scan::new(peer_key(&peer)))?;
        sessions.sort_by_key(|(_, row)| row.begun());
        let now = self.deadline_clock();
        for (_, row) in sessions {
            if !self.mem.strangers.values().any(|known| known.peer == peer && known.session == row.id()) {
                let is_new = !row.is_ours() && row.begun() + DAY > now;
                let since = if is_new { row.begun() } else { now };
                self.keep_stranger(StrangerRow { peer, session: row.id(), since, is_new })?;
            }
        }
        Ok(())
    }

    /// He is a contact: his sessions are bounded by themselves, as are his lanes and rates.
    pub(in crate::messenger) fn befriend(&mut self, peer: &PeerId) {
        self.push(Order::Class { peer: *peer, class: Class::Contact });
        self.forget_strangers(|row| row.peer == *peer);
    }

    /// Sessions of those who are no contacts end after a time, as requests do.
    pub(in crate::messenger) fn expire_strangers(&mut self) {
        let clock = self.believed(limits::STRANGER_SESSION_LIFE);
        let old = self.mem.strangers.iter().filter(|(_, row)| row.since + limits::STRANGER_SESSION_LIFE <= clock);
        for number in old.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.end_stranger(number);
        }
        // Fewer have come within a day, too.
        self.mem.mail.crowd_changed = true;
    }

    /// How many of them have begun one within a day.
    pub(in crate::messenger) fn newcomers(&self) -> usize {
        let clock = self.deadline_clock();
        let new = self.mem.strangers.values().filter(|row| row.is_new && row.since + DAY > clock);
        new.map(|row| row.peer).collect::<BTreeSet<_>>().len()
    }

    /// Who has such sessions.
    pub(in crate::messenger) fn strangers(&self) -> BTreeSet<PeerId> {
        self.mem.strangers.values().map(|row| row.peer).collect()
    }

    /// These sessions are no strangers' any more, or not there.
    pub(super) fn forget_strangers(&mut self, which: impl Fn(&StrangerRow) -> bool) {
        let gone: Vec<u64> =
            self.mem.strangers.iter().filter(|(_, row)| which(row)).map(|(number, _)| *number).collect();
        self.mem.mail.crowd_changed |= !gone.is_empty();
        for number in gone {
            self.buf.delete::<Strangers>(&numbered(number));
            self.mem.strangers.remove(&number);
        }
    }

    /// A session ends; with the last one what is known beside them.
    fn end_stranger(&mut self, number: u64) {
        let Some(row) = self.mem.strangers.remove(&number) else { return };
        self.mem.mail.crowd_changed = true;
        self.buf.delete::<Strangers>(&numbered(number));
        self.buf.delete::<Sessions>(&session_key(&row.peer, row.session));
        if self.mem.strangers.values().all(|other| other.peer != row.peer) {
            self.buf.delete::<SendingChains>(&peer_key(&row.peer));
            self.mem.sessions.forget(&row.peer);
        }
    }
}
