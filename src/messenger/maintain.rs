//! What happens by the passing of time: keys rotate, messages vanish, requests and deliveries end.

use crate::base::words::RequestEnd;
use crate::base::{Millis, MonoTime, PeerId, limits};
use crate::store::{Rows, Scan};

use super::keys::SWEEP;
use super::tables::{PeerRow, Peers, peer_key};
use super::tx::{Step, Tx};

/// How often ageing rows are looked at.
const MAINTENANCE: Millis = Millis::from_hours(1);

impl Tx<'_> {
    /// The timer rang: peers whose pause is over are looked at, and, once an hour, what ages.
    pub(super) fn timer(&mut self) -> Step {
        if self.mem.burying {
            self.forget_tombs()?;
        }
        self.walk_boxes()?;
        self.do_work()?;
        self.give_up_questions()?;
        let now = self.now.mono;
        let due: Vec<PeerId> = self.mem.due_links(now).collect();
        for peer in due {
            let link = self.link(peer);
            link.retry_at = link.retry_at.filter(|at| *at > now);
            link.post_at = link.post_at.filter(|at| *at > now);
            // A search whose question has no outcome goes on without it.
            if let Some(seek) = link.seek.as_mut().filter(|seek| seek.until().is_some_and(|at| at <= now)) {
                seek.ticket = None;
            }
            let inquires = link.inquire_at.is_some_and(|at| at <= now);
            self.touch(peer);
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

    fn maintain(&mut self) -> Step {
        let clock = self.deadline_clock();
        let mut profile = self.profile()?;
        let daily = profile.swept + SWEEP <= clock;
        profile.high_water = clock;
        self.mem.high_water = clock;
        self.mem.high_water_at = self.now.mono;
        self.mem.burying = true;
        self.put_profile(&profile)?;
        self.rotate_keys()?;
        self.expire_requests()?;
        self.age_outbox()?;
        self.begin_walk()?;
        for (_, row) in self.buf.scan_sound::<Peers>(&Scan::all())?.0 {
            self.for_peer(row.peer, |tx| tx.age_peer(row, daily));
        }
        Ok(())
    }

    fn age_peer(&mut self, mut row: PeerRow, daily: bool) -> Step {
        if row.heal_due {
            self.touch(row.peer);
        }
        if daily {
            self.prune_sessions(&row.peer)?;
        }
        let clock = self.deadline_clock();
        if row.declined_until.is_none_or(|until| until > clock) {
            return Ok(());
        }
        row.declined_until = None;
        if row.contact.is_some() || row.blocked {
            return self.put_peer(&row);
        }
        self.buf.delete::<Peers>(&peer_key(&row.peer));
        self.drop_sessions(&row.peer)
    }

    fn expire_requests(&mut self) -> Step {
        let clock = self.deadline_clock();
        let old = self.mem.requests.iter().filter(|request| request.received_at + limits::REQUEST_LIFE <= clock);
        for peer in old.map(|request| request.peer).collect::<Vec<_>>() {
            self.close_request(&peer, RequestEnd::Expired)?;
            self.drop_sessions(&peer)?;
        }
        Ok(())
    }

    /// When the timer is to ring next.
    pub(super) fn next_wake(&self) -> MonoTime {
        let touched = (!self.mem.touched.is_empty()).then_some(self.now.mono);
        let times = [self.mem.next_link(), self.next_expiry(), self.next_mail(), touched, Some(self.next_card())];
        times.into_iter().flatten().fold(self.mem.maintenance_at, MonoTime::min)
    }
}
