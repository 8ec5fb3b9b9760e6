//! Mailboxes and the hash table of the world: some nodes keep mail, and some of these lie.

use rohrpost::base::limits::{MAX_BOX_PAGE, MAX_BOX_PAGE_BYTES, MAX_MAIL_WAIT};
use rohrpost::base::shown::Mailbox;
use rohrpost::base::words::{BoxState, MailService};
use rohrpost::envelope::mailbox::{Answer, PageItem, Question};
use rohrpost::identity::Link;
use rohrpost::messenger::query::ReachView;

use super::*;

/// What a mailbox does that it should not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lies {
    /// Percent of deposits that it says it has, and throws away.
    pub forgets: u64,
    /// Percent of envelopes that it changes before it hands them out.
    pub tampers: u64,
    /// Percent of pages in which it hands out again what it handed out before.
    pub repeats: u64,
    /// Whether it hands out envelopes in another order.
    pub shuffles: bool,
    /// Percent of answers that are no answers.
    pub babbles: u64,
    /// Percent of questions that it says it refuses, whatever it did with them.
    pub refuses: u64,
    /// Percent of questions to which it says that it is full.
    pub full: u64,
}

/// What is under way, and who lies.
#[derive(Default)]
pub struct Post {
    /// Who was asked by whom: house, node, generation, ticket, and whether the answer arrives.
    asked: BTreeMap<u64, (usize, usize, u64, u64, bool)>,
    lies: HashMap<usize, Lies>,
    /// Questions that are held, by house and owner.
    held: BTreeMap<(usize, PeerId), u64>,
    handed_out: HashMap<usize, Vec<Vec<u8>>>,
    next_number: u64,
    /// Percent of searches for a card in which somebody hears a liar in place of the table.
    pub eclipses: u64,
    /// Questions to mailboxes, by kind: what it cost.
    pub questions: BTreeMap<(usize, u8), u64>,
}

impl Post {
    /// Somebody without a node asks.
    pub(super) fn asked_by_nobody(&mut self, request: u64, house: usize) {
        self.asked.insert(request, (house, crowd::NOBODY, 0, 0, false));
    }
}

impl World {
    /// A node that keeps mail for everybody.
    pub fn house(&mut self, name: impl Into<String>) -> Who {
        let who = self.join(name);
        self.command(who, Command::SetMailService(MailService::Open)).unwrap();
        who
    }

    /// From now on so many of a hundred searches in the hash table hear a liar.
    pub const fn eclipse(&mut self, percent: u64) {
        self.mail.eclipses = percent;
    }

    pub fn lies(&mut self, house: Who, lies: Lies) {
        self.mail.lies.insert(house.0, lies);
    }

    /// Somebody's machine is off: not even timers ring.
    pub fn stop(&mut self, who: Who) {
        self.leave(who);
        self.nodes[who.0].generation += 1;
        self.set_timer(who.0, NEVER);
    }

    /// Has somebody use a mailbox, and waits until the card names it.
    pub fn use_mailbox(&mut self, who: Who, house: Who) {
        let peer = self.id(house);
        self.command(who, Command::UseMailbox { peer, addrs: vec!["/ip4/192.0.2.1/tcp/1".to_owned()] }).unwrap();
        self.pass(Millis::from_secs(10));
    }

    pub fn mailboxes(&self, who: Who) -> Vec<Mailbox> {
        query::mailboxes(&self.rows(who), self.clock_of(who.0).wall).unwrap()
    }

    pub fn box_states(&self, who: Who) -> Vec<BoxState> {
        self.mailboxes(who).into_iter().map(|view| view.state).collect()
    }

    pub fn reach(&self, who: Who, peer: Who) -> ReachView {
        query::reach(&self.rows(who), &self.id(peer), self.clock_of(who.0).wall).unwrap()
    }

    pub fn identity(&self, who: Who) -> Link {
        query::link(&self.rows(who), self.id(who)).unwrap().unwrap()
    }

    /// Says something to somebody whose link is at hand.
    pub fn send_to(&mut self, from: Who, to: Who, text: &str, hints: Hints) -> MessageId {
        self.send(from, SendCommand { hints, ..SendCommand::text(self.id(to), text) }).unwrap().message_id
    }

    /// How many boxes a house keeps.
    pub fn boxes(&self, house: Who) -> u64 {
        query::mailbox(&self.rows(house)).unwrap().boxes
    }

    /// How many bytes of envelopes wait at a house.
    pub fn kept(&self, house: Who) -> u64 {
        query::mailbox(&self.rows(house)).unwrap().bytes
    }

    /// How often somebody asked a mailbox something of this kind.
    pub fn questions(&self, who: Who, kind: u8) -> u64 {
        self.mail.questions.get(&(who.0, kind)).copied().unwrap_or(0)
    }

    pub(super) fn ask_mailbox(&mut self, index: usize, ticket: u64, mailbox: PeerId, anonymous: bool, bytes: Vec<u8>) {
        *self.mail.questions.entry((index, bytes[1])).or_default() += 1;
        let generation = self.nodes[index].generation;
        let house = self.by_id.get(&mailbox).copied();
        let house = house.filter(|house| self.nodes[*house].online && self.nodes[index].online);
        let dice = self.rng.next_u64() % 100;
        let Weather { drop, drop_ack, double, .. } = self.weather;
        let failed = Parcel::Answer { from: index, mailbox, generation, ticket, bytes: None };
        let Some(house) = house.filter(|_| dice >= drop) else { return self.post(index, failed) };
        let answered = dice >= drop + drop_ack;
        if !answered {
            self.post(index, failed);
        }
        if self.rng.next_u64() % 100 < double {
            let copy = bytes.clone();
            let copy = Parcel::Question { from: index, generation, ticket, anonymous, bytes: copy, answered: false };
            self.post(house, copy);
        }
        self.post(house, Parcel::Question { from: index, generation, ticket, anonymous, bytes, answered });
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a parcel")]
    pub(super) fn question_lands(
        &mut self,
        house: usize,
        from: usize,
        generation: u64,
        ticket: u64,
        anonymous: bool,
        bytes: Vec<u8>,
        answered: bool,
    ) {
        if !self.nodes[house].online {
            let mailbox = self.nodes[house].id;
            return self.post(from, Parcel::Answer { from, mailbox, generation, ticket, bytes: None });
        }
        self.next += 1;
        let request = self.next;
        self.mail.asked.insert(request, (house, from, generation, ticket, answered));
        let lies = self.mail.lies.get(&house).copied().unwrap_or_default();
        let is_deposit = matches!(Question::decode(&bytes), Ok(Question::Deposit(_)));
        if is_deposit && self.rng.next_u64() % 100 < lies.forgets {
            return self.answer_mail(house, request, &Answer::Stored.encode().unwrap());
        }
        // A key made for the question: the mailbox learns nobody's name.
        let from = if anonymous { ANONYMOUS } else { self.nodes[from].id };
        self.handle(house, vec![Input::Net(Event::Mail { from, origin: None, request, question: bytes })]);
    }

    /// The house has nothing for an owner who waits.
    pub(super) fn hold_mail(&mut self, house: usize, request: u64) {
        let Some((_, from, ..)) = self.mail.asked.get(&request).copied() else { return };
        let owner = self.nodes[from].id;
        if let Some(older) = self.mail.held.insert((house, owner), request) {
            self.answer_mail(house, older, &Answer::Waited { came: false }.encode().unwrap());
        }
        self.order += 1;
        let (at, order) = (std::cmp::Reverse(self.now + MAX_MAIL_WAIT.0), std::cmp::Reverse(self.order));
        self.flights.push(Flight { at, order, to: house, what: Parcel::Waited { from: house, request } });
    }

    pub(super) fn ring_mail(&mut self, house: usize, owner: PeerId) {
        if let Some(request) = self.mail.held.remove(&(house, owner)) {
            self.answer_mail(house, request, &Answer::Waited { came: true }.encode().unwrap());
        }
    }

    /// The time of a question that is held is over.
    pub(super) fn wait_over(&mut self, house: usize, request: u64) {
        let held = self.mail.held.len();
        self.mail.held.retain(|_, held| *held != request);
        if self.mail.held.len() < held {
            self.answer_mail(house, request, &Answer::Waited { came: false }.encode().unwrap());
        }
    }

    pub(super) fn answer_mail(&mut self, house: usize, request: u64, answer: &[u8]) {
        // What a process was asked before it died it does not answer.
        let Some((_, from, generation, ticket, arrives)) = self.mail.asked.remove(&request) else { return };
        if from == crowd::NOBODY {
            return self.crowd.mail(request, answer);
        }
        let mailbox = self.nodes[house].id;
        let lies = self.mail.lies.get(&house).copied();
        let answer = lies.map_or(answer.to_vec(), |lies| self.bent(house, lies, answer));
        if arrives {
            self.post(from, Parcel::Answer { from, mailbox, generation, ticket, bytes: Some(answer) });
        }
    }

    /// What a liar makes of an answer.
    fn bent(&mut self, house: usize, lies: Lies, answer: &[u8]) -> Vec<u8> {
        if self.rng.next_u64() % 100 < lies.babbles {
            let mut noise = vec![0; 40];
            self.rng.fill_bytes(&mut noise);
            return noise;
        }
        let dice = self.rng.next_u64() % 100;
        if dice < lies.refuses {
            return Answer::Refused.encode().unwrap();
        }
        if dice < lies.refuses + lies.full {
            return Answer::Full { retry_after: 600 }.encode().unwrap();
        }
        let Ok(Answer::Page { more, prekeys, mut items }) = Answer::decode(answer) else { return answer.to_vec() };
        let handed_out = self.mail.handed_out.entry(house).or_default();
        if lies.repeats > 0 {
            handed_out.extend(items.iter().map(|item| item.sealed.clone()));
            // A liar's memory has an end, too.
            handed_out.drain(..handed_out.len().saturating_sub(200));
        }
        if self.rng.next_u64() % 100 < lies.repeats && !handed_out.is_empty() {
            for _ in 0..3 {
                let again = handed_out[below(&mut self.rng, handed_out.len())].clone();
                self.mail.next_number += 1;
                items.push(PageItem { number: (1 << 40) + self.mail.next_number, sealed: again });
            }
        }
        for item in &mut items {
            if self.rng.next_u64() % 100 < lies.tampers {
                let at = below(&mut self.rng, item.sealed.len());
                item.sealed[at] ^= 1 << (self.rng.next_u64() % 8);
            }
        }
        if lies.shuffles {
            for at in (1..items.len()).rev() {
                let other = below(&mut self.rng, at + 1);
                let (one, two) = (items[at].sealed.clone(), items[other].sealed.clone());
                (items[at].sealed, items[other].sealed) = (two, one);
            }
        }
        let mut size = 0;
        items.retain(|item| {
            size += item.sealed.len();
            size <= MAX_BOX_PAGE_BYTES
        });
        items.truncate(MAX_BOX_PAGE);
        Answer::Page { more, prekeys, items }.encode().unwrap()
    }

    /// What a house was asked and did not answer it does not answer any more; nor what is on its way to it.
    pub(super) fn questions_die(&mut self, house: usize) {
        let id = self.nodes[house].id;
        self.mail.held.retain(|(at, owner), _| *at != house && *owner != id);
        let mut lost = Vec::new();
        for (request, (at, from, generation, ticket, _)) in std::mem::take(&mut self.mail.asked) {
            if at == house {
                lost.push((from, generation, ticket));
            } else {
                self.mail.asked.insert(request, (at, from, generation, ticket, true));
            }
        }
        for flight in &self.flights {
            if let Parcel::Question { from, generation, ticket, answered: true, .. } = flight.what
                && flight.to == house
            {
                lost.push((from, generation, ticket));
            }
        }
        let mailbox = self.nodes[house].id;
        for (from, generation, ticket) in lost.into_iter().filter(|(from, ..)| *from != house) {
            self.post(from, Parcel::Answer { from, mailbox, generation, ticket, bytes: None });
        }
    }

    pub(super) fn find_card(&mut self, index: usize, peer: PeerId, ticket: u64) {
        let generation = self.nodes[index].generation;
        let online = self.nodes[index].online;
        let (found, holders) = if online { self.table.find(&peer, self.clock().wall) } else { (None, 0) };
        // In a table that is nobody's, everybody is asked.
        let others = || self.nodes.iter().enumerate().filter(|(i, node)| *i != index && node.online).count();
        let asked = if !online || holders > 0 { holders } else { others() };
        let card = found.filter(|_| asked > 0);
        let card = self.eclipsed(&peer).unwrap_or(card);
        let asked = u32::try_from(asked).unwrap();
        self.post(index, Parcel::Card { from: index, peer, generation, ticket, card, asked });
    }

    /// What somebody hears of the table through a liar who stands around him: nobody has judged that.
    fn eclipsed(&mut self, peer: &PeerId) -> Option<Option<Vec<u8>>> {
        if self.mail.eclipses == 0 || self.rng.next_u64() % 100 >= self.mail.eclipses {
            return None;
        }
        let forgery = [Forgery::Older, Forgery::Others, Forgery::Bent, Forgery::Nothing][below(&mut self.rng, 4)];
        Some(self.table.forged(peer, forgery))
    }

    pub(super) fn publish(&mut self, index: usize, owner: PeerId, card: &[u8]) {
        if self.nodes[index].online {
            self.table.put(owner, card, self.clock().wall);
        }
    }
}

fn below(rng: &mut ChaCha20Rng, end: usize) -> usize {
    usize::try_from(rng.next_u64() % end as u64).unwrap()
}
