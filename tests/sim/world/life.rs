//! Nodes that are not there all the time: they sleep, their process ends, they come back.

use super::*;

impl World {
    /// A machine sleeps: its process stands still, and what is on its way to it is lost.
    pub fn sleep(&mut self, who: Who) {
        let index = who.0;
        self.nodes[index].online = false;
        let mut missed = Vec::new();
        for flight in &self.flights {
            missed.extend(missed_by(index, flight, |n| self.nodes[n].id));
        }
        self.cut(index);
        (self.nodes[index].asleep, self.nodes[index].missed) = (true, missed);
        self.set_timer(index, NEVER);
        self.table.forget(&self.nodes[index].id, false);
    }

    /// It wakes, and its network tells what came to nothing meanwhile. Somebody whose process had ended starts it.
    pub fn wake(&mut self, who: Who) {
        let index = who.0;
        if self.nodes[index].messenger.is_none() {
            return self.come(who);
        }
        (self.nodes[index].online, self.nodes[index].asleep) = (true, false);
        self.table.forget(&self.nodes[index].id, true);
        for parcel in std::mem::take(&mut self.nodes[index].missed) {
            self.post(index, parcel);
        }
        self.handle(index, vec![Input::Timer]);
    }

    /// Something comes to a machine that sleeps.
    pub(super) fn misses(&mut self, index: usize, flight: &Flight) {
        match flight.what {
            Parcel::Question { from, generation, ticket, answered: true, .. } => {
                let mailbox = self.nodes[index].id;
                self.post(from, Parcel::Answer { from, mailbox, generation, ticket, bytes: None });
            }
            _ => {
                let missed = missed_by(index, flight, |n| self.nodes[n].id);
                self.nodes[index].missed.extend(missed);
            }
        }
    }

    /// A connection to somebody, as the network makes one by itself.
    pub fn link(&mut self, who: Who, to: Who) {
        let peer = self.id(to);
        self.connect(who.0, peer);
    }

    /// Whether somebody is on the network.
    pub fn is_on(&self, who: Who) -> bool {
        self.nodes[who.0].online
    }

    /// Its process ends, and is not there until it comes back.
    pub fn end(&mut self, who: Who) {
        self.nodes[who.0].online = false;
        if self.nodes[who.0].messenger.is_some() {
            self.cut(who.0);
        }
        let node = &mut self.nodes[who.0];
        node.generation += 1;
        node.messenger = None;
        node.asleep = false;
        node.missed.clear();
        self.set_timer(who.0, NEVER);
        self.table.forget(&self.nodes[who.0].id, false);
    }

    /// The process of somebody who is not on the network: to look at what he has.
    pub fn open(&mut self, who: Who) {
        if self.nodes[who.0].messenger.is_none() {
            self.load(who.0);
            self.set_timer(who.0, NEVER);
        }
    }
}

/// How that what is under way ends for somebody who does not see its end.
fn missed_by(index: usize, flight: &Flight, id: impl Fn(usize) -> PeerId) -> Option<Parcel> {
    let parcel = match &flight.what {
        Parcel::Question { from, generation, ticket, answered: true, .. } if *from == index => {
            let (mailbox, generation, ticket) = (id(flight.to), *generation, *ticket);
            Parcel::Answer { from: index, mailbox, generation, ticket, bytes: None }
        }
        Parcel::Answer { mailbox, generation, ticket, .. } if flight.to == index => {
            let (mailbox, generation, ticket) = (*mailbox, *generation, *ticket);
            Parcel::Answer { from: index, mailbox, generation, ticket, bytes: None }
        }
        Parcel::Card { peer, generation, ticket, .. } if flight.to == index => {
            let (peer, generation, ticket) = (*peer, *generation, *ticket);
            Parcel::Card { from: index, peer, generation, ticket, card: None, asked: 0 }
        }
        Parcel::Unreachable { from, generation } if flight.to == index => {
            Parcel::Unreachable { from: *from, generation: *generation }
        }
        _ => return None,
    };
    Some(parcel)
}
