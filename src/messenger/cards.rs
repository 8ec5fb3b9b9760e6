//! The own card as others find it: what it says beside its keys, when it is made anew, and that it is put into the hash
//! table, with the cards of those for whom we keep boxes.

use crate::base::{MonoTime, PeerId, limits};
use crate::identity::{CardIn, Mailbox, is_ahead};
use crate::store::{Rows, Scan};

use super::io::Order;
use super::links::CIRCUIT;
use super::mailing::OwnCard;
use super::pace::jittered;
use super::query;
use super::send::bounded_node;
use super::tables::{BoxCards, Boxes, PeerRow, of_box};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Through whom we can be reached now.
    pub(super) fn relays(&mut self, relays: Vec<(PeerId, Vec<String>)>) -> Step {
        let relays = relays.into_iter().take(limits::MAX_RELAYS);
        let relays: Vec<Mailbox> = relays.map(|(peer, addrs)| bounded_node(Mailbox { peer, addrs })).collect();
        if self.mem.mail.card.relays != relays {
            self.card_is_old();
        }
        *self.mem.mail.relays = Some(relays);
        Ok(())
    }

    /// The card says something that is not so any more: it is made anew soon, with what else changes until then.
    pub(super) fn card_is_old(&mut self) {
        let at = self.now.mono + limits::CARD_DEBOUNCE;
        self.mem.mail.reissue_at.get_or_insert(at);
    }

    /// The same, but nothing is waited for: without it nobody finds the way to us when we go in the next moment.
    pub(super) fn card_is_due(&mut self) {
        self.mem.mail.reissue_at = Some(self.now.mono);
    }

    /// There is a new card of ours.
    pub(super) fn note_own_card(&mut self, card: &[u8]) {
        let now = self.now.mono;
        let mail = &mut self.mem.mail;
        *mail.card = OwnCard::read(card).unwrap_or_default();
        mail.card_changed = true;
        mail.look = true;
        mail.reissue_at = None;
        mail.publish_at = now;
    }

    /// At the start: the card may say something else than the rows, because it was to be made anew when we ended.
    pub(super) fn compare_card(&mut self) -> Step {
        if self.mem.mail.card.mailboxes != query::mailboxes_in_use(&*self.buf)? {
            self.card_is_old();
        }
        Ok(())
    }

    /// Makes the card anew when it is time, tells of it, and has it published.
    pub(super) fn settle_card(&mut self) -> Step {
        let now = self.now.mono;
        if std::mem::take(&mut self.mem.mail.crowd_changed) {
            self.judge_work();
        }
        if self.mem.mail.reissue_at.is_some_and(|at| at <= now) {
            let mut profile = self.profile()?;
            self.reissue_card(&mut profile)?;
            self.put_profile(&profile)?;
        }
        if std::mem::take(&mut self.mem.mail.card_changed) {
            self.tell_profile()?;
        }
        if self.mem.mail.publish_at <= now {
            let card = self.profile()?.card;
            let owner = self.my_id();
            self.push(Order::PublishCard { owner, card });
            let pause = jittered(limits::CARD_REPUBLISH, self.rng.next_u64());
            self.mem.mail.publish_at = now + pause;
        }
        if self.mem.mail.publish_others_at <= now {
            self.mem.mail.publish_others_at = now + limits::CARD_REPUBLISH;
            self.apart(Self::publish_others);
        }
        Ok(())
    }

    /// Asks strangers for work while many of them write, and for none when few do. What becomes of their requests must not be seen
    /// in the card (REQ-1).
    fn judge_work(&mut self) {
        let (newcomers, level) = (self.newcomers(), self.mem.mail.card.work);
        let wanted = match newcomers {
            n if n * 10 >= limits::MAX_REQUESTS * 9 => limits::WORK_WHEN_CROWDED,
            n if n * 4 >= limits::MAX_REQUESTS * 3 => level.max(limits::WORK_WHEN_BUSY),
            n if n * 2 < limits::MAX_REQUESTS => 0,
            _ => level,
        };
        if wanted != level {
            self.mem.mail.card.work = wanted;
            self.card_is_old();
        }
    }

    /// Has the cards published of those for whom we keep boxes: they sleep. Some at a time.
    fn publish_others(&mut self) -> Step {
        let (now, clock) = (self.now.mono, self.now.wall);
        let latest = self.mem.clock.row.latest();
        let from = self.mem.mail.publishing.take().unwrap_or_default();
        let (page, _) =
            self.buf.scan_sound::<Boxes>(&Scan::all().after_bytes(&from).limit(limits::MAX_CARDS_PUBLISHED))?;
        let full = page.len() == limits::MAX_CARDS_PUBLISHED;
        for (key, row) in page {
            self.mem.mail.publishing = Some(key).filter(|_| full);
            if !self.serves(&row.owner)? {
                continue;
            }
            let Some(card) = self.buf.get_sound::<BoxCards>(&of_box(row.number))? else { continue };
            let is_of_now = |card: CardIn| card.claimed_expires() > clock && !is_ahead(card.claimed_issued(), latest);
            if CardIn::decode(&card.bytes).is_ok_and(is_of_now) {
                self.push(Order::PublishCard { owner: row.owner, card: card.bytes });
            }
        }
        let pause = if full { limits::CARDS_PUBLISHED_PAUSE } else { limits::CARD_REPUBLISH };
        self.mem.mail.publish_others_at = now + jittered(pause, self.rng.next_u64());
        Ok(())
    }

    /// When that is to be called again.
    pub(super) fn next_card(&self) -> MonoTime {
        let mail = &self.mem.mail;
        let hint_at = mail.lookout.hint.map(|(_, at)| at);
        let sure = mail.publish_at.min(mail.publish_others_at).min(mail.lookout.at);
        mail.reissue_at.into_iter().chain(hint_at).fold(sure, MonoTime::min)
    }

    /// Where a peer may be found: what we were told, then through the relays of his card.
    pub(super) fn ways_to(&self, peer: &PeerRow) -> Step<Vec<String>> {
        let mut addrs = peer.addrs.clone();
        let Some(card) = self.pinned(&peer.peer)? else { return Ok(addrs) };
        for relay in &card.relays {
            // A relay whose address is not known may still be known itself.
            let bare = relay.addrs.is_empty().then_some("");
            for addr in relay.addrs.iter().map(String::as_str).chain(bare).take(MAX_WAYS_PER_RELAY) {
                let way = format!("{addr}/p2p/{}{CIRCUIT}", relay.peer);
                if !addrs.contains(&way) {
                    addrs.push(way);
                }
            }
        }
        Ok(addrs)
    }
}

/// Addresses of one relay that are tried: one by QUIC, one by TCP, and two more.
const MAX_WAYS_PER_RELAY: usize = 4;
