//! Looking for the card of somebody who is away, and for a one-time prekey of his: at the mailboxes that a link or his last
//! card names, then in the hash table, then at the mailboxes that are named there.

use std::collections::VecDeque;

use crate::base::{PeerId, limits};
use crate::envelope::mailbox::Question;
use crate::identity::{Card, IdentityKey, Mailbox};
use crate::messenger::io::Order;
use crate::messenger::mailing::{Seek, What};
use crate::messenger::pace::pause;
use crate::messenger::tx::{Step, Tx};
use crate::session::RemoteBundle;

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
            let clock = self.earliest();
            let card = self.pinned(&id)?.filter(|card| card.expires > clock && !card.mailboxes.is_empty());
            if let Some(card) = card {
                self.begin_with(id, &RemoteBundle::of_card(&card))?;
            }
        }
        let link = self.link(id);
        link.look_again(now, link.seek_at);
        Ok(())
    }

    /// The question of a search has an outcome; says whether there is such a search.
    fn is_sought(&mut self, id: PeerId, ticket: u64) -> bool {
        let seek = self.link(id).seek.as_mut().filter(|seek| seek.ticket == Some(ticket));
        let is_sought = seek.map(|seek| seek.ticket = None).is_some();
        if is_sought {
            self.touch(id);
        }
        is_sought
    }

    /// A mailbox or the hash table was asked for a card, and has this one, as it says.
    pub(in crate::messenger) fn card_came(
        &mut self,
        id: PeerId,
        ticket: u64,
        came: Option<(&[u8], Option<&[u8]>)>,
    ) -> Step {
        if !self.is_sought(id, ticket) {
            return Ok(());
        }
        let Some((card, prekey)) = came else { return Ok(()) };
        // MBX-38
        let Some(bundle) = self.checked_bundle(id, card, prekey)? else { return Ok(()) };
        // It is known where he can be reached, or that he cannot.
        if self.reach(&id)?.not_found.is_some() {
            self.change_reach(id, |reach| reach.not_found = None)?;
        }
        let Some(mut seek) = self.link(id).seek.take().filter(|seek| seek.begin) else { return Ok(()) };
        if bundle.one_time.is_some() {
            return self.begin_with(id, &bundle);
        }
        // Another mailbox may have a prekey; the hash table has none, and a newer card hardly.
        let named = self.pinned(&id)?.map(|card| card.mailboxes.clone()).unwrap_or_default();
        for place in named.into_iter().filter(|place| !seek.asked.contains(&place.peer)) {
            self.add_place(&mut seek.places, place);
        }
        seek.table = true;
        self.link(id).seek = Some(seek);
        Ok(())
    }

    /// The hash table has none.
    pub(in crate::messenger) fn card_not_found(&mut self, id: PeerId, ticket: u64, asked: u32) -> Step {
        if !self.is_sought(id, ticket) {
            return Ok(());
        }
        let at = self.now.wall;
        self.change_reach(id, |reach| reach.not_found = Some((at, asked)))
    }

    /// A fresh card is wanted: what the pinned one says is not so.
    pub(super) fn want_card(&mut self, id: PeerId) {
        self.link(id).seek.get_or_insert_default();
    }
}
