//! Looking for the card of somebody who is away, and for a one-time prekey of his: at the mailboxes that a link or his last
//! card names, then in the hash table, then at the mailboxes that are named there.

use std::collections::VecDeque;

use crate::base::{MonoTime, PeerId, limits};
use crate::envelope::mailbox::{Answer, Question};
use crate::identity::{Card, IdentityKey, Mailbox};
use crate::messenger::bundles::bundle_of;
use crate::messenger::deliver::pause;
use crate::messenger::io::Order;
use crate::messenger::mailing::{Seek, What};
use crate::messenger::tx::{Step, Tx};

impl Tx<'_> {
    /// Looks for a card, or goes on with that. To be called when the inputs of a commit are done.
    pub(super) fn seek(&mut self, id: PeerId, begin: bool, card: Option<&Card>) -> Step {
        let now = self.now.mono;
        let link = self.link(id);
        if let Some(seek) = &mut link.seek {
            seek.begin |= begin;
            if seek.ticket.is_some() {
                return Ok(());
            }
            return self.go_on(id);
        }
        if let Some(at) = link.seek_at.filter(|at| *at > now) {
            link.look_again(now, Some(at));
            return Ok(());
        }
        if self.mem.links.values().filter(|link| link.seek.is_some()).count() >= limits::MAX_SEEKS {
            self.link(id).post_at = Some(now + limits::SEEK_FIRST);
            return Ok(());
        }
        let hinted = self.reach(&id)?.hinted;
        let named = card.map(|card| card.mailboxes.clone()).unwrap_or_default();
        let mut seek = Seek { begin, at: now, ..Seek::default() };
        for place in named.into_iter().chain(hinted) {
            self.add_place(&mut seek.places, place);
        }
        let random = self.rng.next_u64();
        let link = self.link(id);
        link.seek_at = Some(now + pause(limits::SEEK_FIRST, limits::SEEK_MAX, link.seeks, random));
        link.seeks = link.seeks.saturating_add(1);
        link.seek = Some(seek);
        self.go_on(id)
    }

    /// ID-24: only sound keys, each once, and not ourselves.
    fn add_place(&self, places: &mut VecDeque<Mailbox>, place: Mailbox) {
        let is_new = places.iter().all(|known| known.peer != place.peer);
        if is_new && place.peer != self.my_id() && IdentityKey::from_peer_id(place.peer).is_ok() {
            places.push_back(place);
        }
    }

    /// The next question of a search; at its end a session is begun with what there is.
    fn go_on(&mut self, id: PeerId) -> Step {
        let now = self.now.mono;
        let Some(mut seek) = self.link(id).seek.take() else { return Ok(()) };
        seek.at = now;
        if let Some(place) = seek.places.pop_front() {
            seek.asked.insert(place.peer);
            if let Ok(question) = (Question::Card { owner: id, want_prekey: seek.begin }).encode() {
                let ticket = self.ask(place.peer, place.addrs, true, What::Card(id), question);
                seek.ticket = Some(ticket);
            }
            self.link(id).seek = Some(seek);
            return Ok(());
        }
        if !seek.table {
            seek.table = true;
            let ticket = self.ticket();
            seek.ticket = Some(ticket);
            self.link(id).seek = Some(seek);
            self.push(Order::FindCard { peer: id, ticket });
            return Ok(());
        }
        // No prekey was to be had: the card's keys serve, if anything can be left for him at all.
        if seek.begin && !self.link(id).connected {
            let clock = self.deadline_clock();
            let card = self.pinned(&id)?.filter(|card| card.expires > clock && !card.mailboxes.is_empty());
            if let Some(card) = card {
                self.begin_with(id, &bundle_of(&card))?;
            }
        }
        let link = self.link(id);
        link.look_again(now, link.seek_at);
        Ok(())
    }

    /// The search with this question under way.
    fn seek_of(&mut self, id: PeerId, ticket: u64) -> Option<&mut Seek> {
        let seek = self.link(id).seek.as_mut()?;
        if seek.ticket != Some(ticket) {
            return None;
        }
        seek.ticket = None;
        self.touch(id);
        self.link(id).seek.as_mut()
    }

    /// A mailbox was asked for a card.
    pub(in crate::messenger) fn card_answered(&mut self, id: PeerId, ticket: u64, answer: Option<Answer>) -> Step {
        if self.seek_of(id, ticket).is_none() {
            return Ok(());
        }
        let Some(Answer::Card { card, prekey }) = answer else { return Ok(()) };
        // MBX-38
        let Some(bundle) = self.checked_bundle(id, &card, prekey.as_deref())? else { return Ok(()) };
        self.found(id)?;
        let begin = self.link(id).seek.as_ref().is_some_and(|seek| seek.begin);
        if !begin {
            self.link(id).seek = None;
            return Ok(());
        }
        if bundle.one_time.is_some() {
            self.link(id).seek = None;
            return self.begin_with(id, &bundle);
        }
        // Another mailbox may have a prekey; the hash table has none, and a newer card hardly.
        self.ask_named(id)?;
        if let Some(seek) = &mut self.link(id).seek {
            seek.table = true;
        }
        Ok(())
    }

    /// A card was found: it is known where he can be reached, or that he cannot.
    fn found(&mut self, id: PeerId) -> Step {
        if self.reach(&id)?.not_found.is_some() {
            self.change_reach(id, |reach| reach.not_found = None)?;
        }
        Ok(())
    }

    /// The mailboxes that the pinned card names are asked, too.
    fn ask_named(&mut self, id: PeerId) -> Step {
        let named = self.pinned(&id)?.map(|card| card.mailboxes.clone()).unwrap_or_default();
        let Some(mut seek) = self.link(id).seek.take() else { return Ok(()) };
        for place in named {
            if !seek.asked.contains(&place.peer) {
                self.add_place(&mut seek.places, place);
            }
        }
        self.link(id).seek = Some(seek);
        Ok(())
    }

    /// The hash table has a card, as it says.
    pub(in crate::messenger) fn card_found(&mut self, id: PeerId, ticket: u64, card: &[u8]) -> Step {
        if self.seek_of(id, ticket).is_none() || self.checked_bundle(id, card, None)?.is_none() {
            return Ok(());
        }
        self.found(id)?;
        if self.link(id).seek.as_ref().is_some_and(|seek| seek.begin) {
            return self.ask_named(id);
        }
        self.link(id).seek = None;
        Ok(())
    }

    /// It has none.
    pub(in crate::messenger) fn card_not_found(&mut self, id: PeerId, ticket: u64, asked: u32) -> Step {
        if self.seek_of(id, ticket).is_none() {
            return Ok(());
        }
        let at = self.deadline_clock();
        self.change_reach(id, |reach| reach.not_found = Some((at, asked)))
    }

    /// A fresh card is wanted: what the pinned one says is not so.
    pub(super) fn want_card(&mut self, id: PeerId) {
        let link = self.link(id);
        if link.seek.is_none() {
            link.seek = Some(Seek::default());
        }
    }

    /// Searches whose question has no outcome go on without it.
    pub(in crate::messenger) fn give_up_seeks(&mut self) {
        let now = self.now.mono;
        let is_over = |seek: &Seek| seek.ticket.is_some() && seek.at + limits::ASK_TIMEOUT <= now;
        let over = self.mem.links.iter().filter(|(_, link)| link.seek.as_ref().is_some_and(is_over));
        let over: Vec<PeerId> = over.map(|(peer, _)| *peer).collect();
        for peer in over {
            if let Some(seek) = &mut self.link(peer).seek {
                seek.ticket = None;
            }
            self.touch(peer);
        }
    }

    /// When that is to be called again.
    pub(in crate::messenger) fn next_seek(&self) -> Option<MonoTime> {
        let seeks = self.mem.links.values().filter_map(|link| link.seek.as_ref());
        seeks.filter(|seek| seek.ticket.is_some()).map(|seek| seek.at + limits::ASK_TIMEOUT).min()
    }
}
