//! What happens by the passing of time: keys rotate, messages vanish, requests and deliveries end.

use std::collections::BTreeSet;

use crate::base::words::RequestEnd;
use crate::base::{Millis, MonoTime, PeerId, WallTime, limits};
use crate::store::{RowKey, Rows, Scan};

use super::keys::SWEEP;
use super::tables::{Clocks, PeerRow, Peers, peer_key};
use super::tx::{Step, Tx};

/// How often ageing rows are looked at.
const MAINTENANCE: Millis = Millis::from_hours(1);

impl Tx<'_> {
    /// The timer rang: peers whose pause is over are looked at, and, once an hour, what ages.
    pub(super) fn timer(&mut self) -> Step {
        if self.mem.burying && !self.apart(Self::forget_tombs) {
            self.mem.burying = false;
        }
        self.walk_boxes()?;
        self.do_work()?;
        self.give_up_questions()?;
        let now = self.now.mono;
        let due: Vec<PeerId> = self.mem.due_links(now).collect();
        for peer in due {
            let link = self.link(peer);
            link.retry_at = link.retry_at.filter(|at| *at > now);
            link.pace.passed(now);
            link.post_at = link.post_at.filter(|at| *at > now);
            link.look_at = link.look_at.filter(|at| *at > now);
            // A search whose question has no outcome goes on without it.
            if let Some(seek) = link.seek.as_mut().filter(|seek| seek.until().is_some_and(|at| at <= now)) {
                seek.ticket = None;
            }
            let tells = link.presence.passed(now);
            let inquires = link.inquire_at.is_some_and(|at| at <= now);
            self.touch(peer);
            if tells {
                self.for_peer(peer, |tx| tx.tell_what_holds(peer));
            }
            if inquires {
                self.for_peer(peer, |tx| tx.inquire(peer));
            }
        }
        if self.mem.maintenance_at <= now {
            self.mem.maintenance_at = now + MAINTENANCE;
            self.maintain()?;
        }
        Ok(())
    }

    /// Writes down what has become known of the clocks, and does what follows from it. Now and then also without news: from
    /// there on the next opening counts how long nobody was there.
    pub(super) fn note_clock(&mut self) -> Step {
        let clock = &mut self.mem.clock;
        let is_news = std::mem::take(&mut clock.is_news);
        if !is_news && clock.noted + limits::CLOCK_NOTE > clock.row.time {
            return Ok(());
        }
        clock.noted = clock.row.time;
        self.write_clock()?;
        if is_news {
            // What seemed to be over may be, or may not be.
            self.mem.held = None;
            self.mem.next_expiry = super::memory::next_expiry(&*self.buf)?;
            self.mem.maintenance_at = self.now.mono;
            // What is looked at daily was looked at by what was known then.
            let mut profile = self.profile()?;
            profile.swept = WallTime(0);
            self.put_profile(&profile)?;
            self.apart(Self::walk_again);
        }
        if std::mem::take(&mut self.mem.clock.was_set) {
            // Others judge it by clocks that are right.
            self.card_is_due();
        }
        Ok(())
    }

    /// Writes down how the clocks stand.
    pub(super) fn write_clock(&mut self) -> Step {
        Ok(self.buf.put::<Clocks>(&RowKey::new(), &self.mem.clock.row)?)
    }

    fn maintain(&mut self) -> Step {
        let clock = self.deadline_clock();
        let daily = self.profile()?.swept + SWEEP <= clock;
        self.mem.burying = true;
        self.apart(Self::rotate_keys);
        self.expire_requests();
        self.expire_strangers();
        self.apart(Self::age_outbox);
        self.apart(Self::begin_walk);
        for (_, row) in self.buf.scan_sound::<Peers>(&Scan::all())?.0 {
            self.for_peer(row.peer, |tx| tx.age_peer(row, daily));
        }
        for peer in if daily { self.strangers() } else { BTreeSet::new() } {
            self.for_peer(peer, |tx| tx.prune_sessions(&peer));
        }
        Ok(())
    }

    fn age_peer(&mut self, mut row: PeerRow, daily: bool) -> Step {
        self.age_healing(&mut row)?;
        self.free_places(&mut row)?;
        if daily && row.is_contact() {
            self.prune_sessions(&row.peer)?;
        }
        let clock = self.believed(limits::DECLINE_LIFE);
        if row.declined_until.is_none_or(|until| until > clock) {
            return Ok(());
        }
        row.declined_until = None;
        if row.contact.is_some() || row.blocked {
            return self.put_peer(&row);
        }
        self.buf.delete::<Peers>(&peer_key(&row.peer));
        Ok(())
    }

    /// REQ-10: what was sent to somebody who has not accepted was given up, and lies with him no more, since a request ends.
    fn free_places(&mut self, row: &mut PeerRow) -> Step {
        let clock = self.believed(limits::UNACCEPTED_LIFE);
        let before = row.unaccepted_sent.len();
        row.unaccepted_sent.retain(|at| *at + limits::UNACCEPTED_LIFE > clock);
        if row.unaccepted_sent.len() == before {
            return Ok(());
        }
        self.touch(row.peer);
        self.put_peer(row)
    }

    fn expire_requests(&mut self) {
        let clock = self.believed(limits::REQUEST_LIFE);
        let old = self.mem.requests.iter().filter(|request| request.received_at + limits::REQUEST_LIFE <= clock);
        for peer in old.map(|request| request.peer).collect::<Vec<_>>() {
            self.apart(|tx| tx.close_request(&peer, RequestEnd::Expired).map(drop));
        }
    }

    /// When the timer is to ring next.
    pub(super) fn next_wake(&self) -> MonoTime {
        let touched = (!self.mem.touched.is_empty()).then_some(self.now.mono);
        let times = [self.mem.next_link(), self.next_expiry(), self.next_mail(), touched, Some(self.next_card())];
        times.into_iter().flatten().fold(self.mem.maintenance_at, MonoTime::min)
    }
}
