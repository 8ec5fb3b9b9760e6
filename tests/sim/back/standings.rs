//! What the two do with each other.

use std::collections::BTreeSet;

use rohrpost::base::words::{Direction, Policy};
use rohrpost::messenger::{Command, Hints};

use super::Story;

impl Story {
    /// Each takes the other for a contact, whatever was before.
    pub(super) fn befriend(&mut self) {
        for (who, peer) in [(0, 1), (1, 0)] {
            self.policy[who] = Policy::Requests;
            self.unblock(who);
            let (who, peer) = (self.people[who], self.world.id(self.people[peer]));
            self.world.command(who, Command::SetPolicy(Policy::Requests)).unwrap();
            drop(self.world.command(who, Command::AddContact { peer, name: None, hints: Hints::default() }));
        }
    }

    /// What has not come of a contact who was blocked stays away; whoever is made a contact anew is told so, and says it again.
    fn unblock(&mut self, who: usize) -> bool {
        let (myself, other) = (self.people[who], self.people[1 - who]);
        let done = self.world.command(myself, Command::Unblock(self.world.id(other))).is_ok();
        if done {
            self.end_of_block(who);
        }
        done
    }

    /// He blocks the other no more, and has him for a contact, or not.
    pub(super) fn end_of_block(&mut self, who: usize) {
        let (myself, other) = (self.people[who], self.people[1 - who]);
        if self.world.contact(myself, other).is_some_and(|other| other.contact) {
            let came: BTreeSet<String> = self.world.texts(myself, other, Direction::In).into_iter().collect();
            let said = self.said.iter_mut().filter(|said| said.from != who && !came.contains(&said.text));
            said.for_each(|said| said.barred = true);
        }
    }

    pub(super) fn has_blocked(&self, who: usize) -> bool {
        self.world.contact(self.people[who], self.people[1 - who]).is_some_and(|other| other.blocked)
    }

    /// What somebody does with the other, or with everybody.
    pub(super) fn stand(&mut self, who: usize) {
        let peer = self.world.id(self.people[1 - who]);
        let act = match self.below(8) {
            0 => Command::RemoveContact(peer),
            1 => Command::DeclineRequest(peer),
            2 => Command::Block(peer),
            3 | 4 => Command::Unblock(peer),
            5 => Command::AcceptRequest(peer),
            6 => {
                self.policy[who] = [Policy::Requests, Policy::Contacts, Policy::Nobody][self.below(3)];
                Command::SetPolicy(self.policy[who])
            }
            _ => Command::AddContact { peer, name: None, hints: Hints::default() },
        };
        let shown = format!("{who}: {act:?}");
        let done = match act {
            Command::Unblock(_) => self.unblock(who),
            act => self.world.command(self.people[who], act).is_ok(),
        };
        self.note(&format!("{shown} {done}"));
    }
}
