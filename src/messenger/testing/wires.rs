//! What desks of an office ask of the network comes to the others, as far as they reach each other.

use crate::base::PeerId;
use crate::envelope::mailbox::Answer as MailAnswer;
use crate::identity::CardIn;
use crate::messenger::io::{Event, FrameToken, Input, Order, Output};
use crate::messenger::testing::Office;

/// Marks questions that one desk asked another.
const MAIL: u64 = 1 << 63;

impl Office {
    pub(super) fn carry_out(&mut self, who: usize, outputs: Vec<Output>) {
        for output in outputs {
            self.one(who, output);
        }
    }

    fn one(&mut self, who: usize, output: Output) {
        let me = self.id(who);
        let index = |office: &Self, peer: PeerId| office.desks.iter().position(|desk| desk.id == peer).unwrap();
        match output {
            Output::Reply(_, answer) => self.reply = Some(answer),
            Output::Net(Order::Connect { peer, .. }) if !self.online => self.tell(who, Event::Unreachable(peer)),
            Output::Net(Order::Connect { peer, .. }) => {
                let other = index(self, peer);
                self.tell(who, Event::Connected(peer));
                if self.links.insert((who.min(other), who.max(other))) {
                    self.tell(other, Event::Connected(me));
                }
            }
            Output::Net(Order::Send { peer, ticket, bytes }) => {
                self.envelopes.insert(who, bytes.to_vec());
                if self.loses_letters {
                    return;
                }
                if !self.online {
                    self.tell(who, Event::Lost { peer, ticket });
                    self.links.remove(&(who.min(index(self, peer)), who.max(index(self, peer))));
                    return self.tell(who, Event::Disconnected(peer));
                }
                let token = FrameToken { stream: who as u64, frame: ticket };
                self.tell(index(self, peer), Event::Envelope { from: me, origin: None, token, bytes: bytes.to_vec() });
            }
            Output::Net(Order::FetchBundle { peer, ticket, want_prekey }) => {
                let request = ((who as u64) << 32) | ticket;
                self.tell(index(self, peer), Event::BundleRequested { from: me, request, want_prekey });
            }
            Output::Net(Order::AnswerBundle { request, card, prekey }) => {
                let (other, ticket) = (usize::try_from(request >> 32).unwrap(), request & u64::from(u32::MAX));
                self.tell(other, Event::Bundle { peer: me, ticket, card, prekey });
            }
            Output::Net(Order::Acknowledge(token)) if token.stream != u64::MAX => {
                let other = usize::try_from(token.stream).unwrap();
                self.tell(other, Event::Acked { peer: me, ticket: token.frame });
            }
            Output::Net(Order::Refuse(token, reason)) if token.stream != u64::MAX => {
                let other = usize::try_from(token.stream).unwrap();
                self.tell(other, Event::Refused { peer: me, ticket: token.frame, reason });
            }
            Output::WakeAt(at) => self.desks[who].wake = at,
            Output::Net(Order::AskMailbox { ticket, mailbox, anonymous, question, .. }) => {
                self.questions.push((who, mailbox, anonymous, question.clone()));
                match self.desks.iter().position(|desk| desk.id == mailbox).filter(|_| self.mail) {
                    Some(house) => {
                        let from = if anonymous { PeerId::from_key_bytes([0x55; 32]) } else { me };
                        let request = MAIL | ((who as u64) << 32) | ticket;
                        self.mail_comes(house, Event::Mail { from, origin: None, request, question });
                    }
                    None => self.tell(who, Event::MailFailed { mailbox, ticket }),
                }
            }
            Output::Net(Order::AnswerMail { request, answer }) if request & MAIL != 0 => {
                let other = usize::try_from((request & !MAIL) >> 32).unwrap();
                let ticket = request & u64::from(u32::MAX);
                self.tell(other, Event::MailAnswered { mailbox: me, ticket, answer });
            }
            Output::Net(Order::HoldMail { request }) => {
                let owner = self.desks[usize::try_from((request & !MAIL) >> 32).unwrap()].id;
                // MBX-82: the newest question is held.
                self.ends_wait(who, owner, false);
                self.held.insert((who, owner), request);
            }
            Output::Net(Order::RingMail { owner }) => self.ends_wait(who, owner, true),
            Output::Net(Order::PublishCard { owner, card }) => {
                // NET-53
                let sequence = |card: &[u8]| CardIn::decode(card).map_or(0, |card| card.claimed_sequence());
                if self.table.get(&owner).is_none_or(|held| sequence(held) < sequence(&card)) {
                    self.table.insert(owner, card);
                }
            }
            Output::Net(Order::FindCard { peer, ticket }) => match self.table.get(&peer).cloned() {
                _ if !self.mail => self.tell(who, Event::CardNotFound { peer, ticket, asked: 0 }),
                Some(card) => self.tell(who, Event::CardFound { peer, ticket, card }),
                None => self.tell(who, Event::CardNotFound { peer, ticket, asked: 3 }),
            },
            _ => {}
        }
    }

    /// Somebody's node has all that another sends it over a new connection, as it says, and nothing comes of it. Gives the envelopes.
    pub(crate) fn swallow(&mut self, from: usize, to: usize) -> Vec<Vec<u8>> {
        let peer = self.id(to);
        let (mut inputs, mut swallowed) = (vec![Input::Net(Event::Connected(peer))], Vec::new());
        while !inputs.is_empty() {
            for output in self.hand_in(from, std::mem::take(&mut inputs)) {
                if let Output::Net(Order::Send { ticket, bytes, .. }) = output {
                    swallowed.push(bytes.to_vec());
                    inputs.push(Input::Net(Event::Acked { peer, ticket }));
                }
            }
        }
        swallowed
    }

    fn mail_comes(&mut self, house: usize, question: Event) {
        let input = Input::Net(question);
        match self.mail_overtakes {
            true => self.queue.push_front((house, input)),
            false => self.queue.push_back((house, input)),
        }
    }

    /// A mailbox answers what it holds, if it does.
    fn ends_wait(&mut self, house: usize, owner: PeerId, came: bool) {
        if let Some(request) = self.held.remove(&(house, owner)) {
            let answer = MailAnswer::Waited { came }.encode().unwrap();
            self.one(house, Output::Net(Order::AnswerMail { request, answer }));
        }
    }

    fn tell(&mut self, who: usize, input: Event) {
        self.queue.push_back((who, Input::Net(input)));
    }
}
