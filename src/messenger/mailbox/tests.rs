//! One desk keeps mailboxes; owners and depositors are keys without a desk, who ask.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::{Millis, Secret, WallTime};
use crate::crypto::dh::DhSecret;
use crate::envelope::mailbox::{Deposit, InvitationKey, OfferIn, PageItem, Proof, QueueKey, Tag, TokenIn};
use crate::envelope::seal::seal;
use crate::envelope::{EnvelopeKind, encode};
use crate::identity::{CardContent, CardKeys, IdentityKeypair, OneTimeKeys, PrekeyId, RequestToken, next_sequence};
use crate::messenger::command::Command;
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::tables::Room;
use crate::messenger::testing::Office;
use crate::store::{Scan, Table};

mod ages;
mod deposits;
mod house;
mod owners;
mod story;
mod trouble;
mod void;
mod waits;

const DAY: Millis = Millis::from_days(1);
/// A depositor's key: made for one question, and nobody's.
const NOBODY: PeerId = PeerId::from_key_bytes([0x55; 32]);

/// Somebody for whom a box is kept.
struct Owner {
    me: IdentityKeypair,
    queue: [u8; 16],
    key: QueueKey,
    link: RequestToken,
    work: u8,
    number: u64,
    sequence: u64,
    rng: ChaCha20Rng,
}

impl Owner {
    fn new(seed: u8) -> Self {
        Self {
            me: IdentityKeypair::from_seed(&Secret::new([seed; 32])),
            queue: [seed; 16],
            key: QueueKey::from_bytes([seed; 32]),
            link: RequestToken::from_bytes([seed; 16]),
            work: 0,
            number: 0,
            sequence: 0,
            rng: ChaCha20Rng::seed_from_u64(seed.into()),
        }
    }

    fn id(&self) -> PeerId {
        self.me.peer_id()
    }

    fn card(&mut self, now: WallTime) -> Vec<u8> {
        let keys = CardKeys::generate(&mut self.rng);
        self.sequence = next_sequence(self.sequence, now);
        let content = CardContent { work: self.work, ..CardContent::new(&keys, self.sequence, now, self.queue) };
        content.sign(&self.me)
    }

    fn prekeys(&mut self, count: usize, now: WallTime) -> Vec<Vec<u8>> {
        (0..count).map(|_| OneTimeKeys::generate(&mut self.rng, now).sign(&self.me)).collect()
    }

    fn invitation(&self) -> InvitationKey {
        InvitationKey::of(&self.link)
    }

    /// The question, encoded, with a new card and so many new prekeys.
    fn register(&mut self, prekeys: usize, now: WallTime) -> Vec<u8> {
        let (card, prekeys) = (self.card(now), self.prekeys(prekeys, now));
        self.number += 1;
        let (key, invitation) = (self.key.clone(), self.invitation());
        Question::Register { key, invitation, offer: offer(self.number, &card, &prekeys) }.encode().unwrap()
    }

    fn renew(&mut self, revoked: &[Tag], prekeys: usize, now: WallTime) -> Vec<u8> {
        let (card, prekeys) = (self.card(now), self.prekeys(prekeys, now));
        self.number += 1;
        let (invitation, revoked) = (self.invitation(), revoked.to_vec());
        Question::Renew { invitation, revoked, offer: offer(self.number, &card, &prekeys) }.encode().unwrap()
    }

    /// A sealed envelope for him; another at each call.
    fn sealed(&mut self, bytes: usize) -> Vec<u8> {
        let plain = encode(EnvelopeKind::Session, &vec![1; bytes]).unwrap();
        let key = DhSecret::from_bytes(Secret::new([7; 32])).public();
        seal(&self.queue, PrekeyId(1), &key, NOBODY, &plain, &mut self.rng).unwrap()
    }

    fn deposit(&self, tag: Option<Tag>, proof: Proof, sealed: &[u8]) -> Vec<u8> {
        let token = tag.map(|tag| TokenIn::of(&self.key, tag));
        Question::Deposit(Deposit { recipient: self.id(), token, proof, sealed }).encode().unwrap()
    }

    fn fetch(&self, after: u64) -> Vec<u8> {
        Question::Fetch { queue: self.queue, after }.encode().unwrap()
    }

    fn ask_card(&self, want_prekey: bool) -> Vec<u8> {
        Question::Card { owner: self.id(), want_prekey }.encode().unwrap()
    }
}

fn offer<'a>(number: u64, card: &'a [u8], prekeys: &'a [Vec<u8>]) -> OfferIn<'a> {
    OfferIn { batch: number, card, prekeys: prekeys.iter().map(Vec::as_slice).collect() }
}

/// A desk that keeps mailboxes, and what is asked of it.
struct House {
    office: Office,
    /// Where those are who ask.
    origin: Option<Origin>,
}

impl House {
    fn new(service: MailService) -> Self {
        let mut office = Office::new(1);
        office.command(0, Command::SetMailService(service)).unwrap();
        Self { office, origin: None }
    }

    /// An open house with one box.
    fn with_box(prekeys: usize) -> (Self, Owner) {
        let (mut house, mut owner) = (Self::new(MailService::Open), Owner::new(1));
        let kept = u16::try_from(prekeys).unwrap();
        assert_eq!(house.register(&mut owner, prekeys), MailAnswer::Kept { prekeys: kept });
        house.establish(&owner);
        (house, owner)
    }

    /// The owner has come back on enough days, as if.
    fn establish(&mut self, owner: &Owner) {
        self.office.tx(0, |tx| {
            let row = tx.box_of(&owner.id()).unwrap().unwrap();
            tx.put_box(&BoxRow { visits: limits::BOX_TRIAL_VISITS, ..row }).unwrap();
        });
    }

    fn now(&self) -> WallTime {
        self.office.now.wall
    }

    /// The bytes of the answer.
    fn raw(&mut self, from: PeerId, question: &[u8]) -> Vec<u8> {
        let mut answers = self.at_once(vec![(from, question.to_vec())]);
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    fn ask(&mut self, from: PeerId, question: &[u8]) -> MailAnswer {
        MailAnswer::decode(&self.raw(from, question)).unwrap()
    }

    /// Questions that share a commit; their answers.
    fn at_once(&mut self, questions: Vec<(PeerId, Vec<u8>)>) -> Vec<Vec<u8>> {
        let count = questions.len();
        let origin = self.origin;
        let inputs = (0..)
            .zip(questions)
            .map(|(request, (from, question))| Input::Net(Event::Mail { from, origin, request, question }));
        let inputs = inputs.collect();
        let outputs = self.office.hand_in(0, inputs);
        let mut answers = vec![None; count];
        for output in outputs {
            if let Output::Net(Order::AnswerMail { request, answer }) = output {
                let place = &mut answers[usize::try_from(request).unwrap()];
                assert!(place.replace(answer).is_none(), "answered twice");
            }
        }
        answers.into_iter().map(|answer| answer.expect("every question is answered")).collect()
    }

    fn register(&mut self, owner: &mut Owner, prekeys: usize) -> MailAnswer {
        let question = owner.register(prekeys, self.now());
        self.ask(owner.id(), &question)
    }

    fn renew(&mut self, owner: &mut Owner, revoked: &[Tag], prekeys: usize) -> MailAnswer {
        let question = owner.renew(revoked, prekeys, self.now());
        self.ask(owner.id(), &question)
    }

    fn deposit(&mut self, owner: &Owner, tag: Option<Tag>, sealed: &[u8]) -> MailAnswer {
        self.ask(NOBODY, &owner.deposit(tag, Proof::None, sealed))
    }

    /// Leaves so many envelopes of this size, many in a commit; gives the answers.
    fn fill(&mut self, owner: &mut Owner, tag: Option<Tag>, count: usize, bytes: usize) -> Vec<MailAnswer> {
        let mut answers = Vec::new();
        while answers.len() < count {
            let some = (count - answers.len()).min(256);
            let questions = (0..some)
                .map(|_| {
                    let sealed = owner.sealed(bytes);
                    (NOBODY, owner.deposit(tag, Proof::None, &sealed))
                })
                .collect();
            answers.extend(self.at_once(questions).iter().map(|answer| MailAnswer::decode(answer).unwrap()));
        }
        answers
    }

    fn page(&mut self, owner: &Owner, after: u64) -> (bool, Vec<PageItem>) {
        match self.ask(owner.id(), &owner.fetch(after)) {
            MailAnswer::Page { more, items, .. } => (more, items),
            other => panic!("{other:?}"),
        }
    }

    /// What waits.
    fn waiting(&mut self, owner: &Owner) -> Vec<Vec<u8>> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let (more, items) = self.page(owner, after);
            after = items.last().map_or(after, |item| item.number);
            all.extend(items.into_iter().map(|item| item.sealed));
            if !more {
                return all;
            }
        }
    }

    fn delete(&mut self, owner: &Owner, what: crate::envelope::mailbox::Delete) -> MailAnswer {
        self.ask(owner.id(), &Question::Delete { queue: owner.queue, what }.encode().unwrap())
    }

    fn leave(&mut self, owner: &Owner) -> MailAnswer {
        self.ask(owner.id(), &Question::Drop { queue: owner.queue }.encode().unwrap())
    }

    fn card(&mut self, owner: &Owner, want_prekey: bool) -> (Vec<u8>, Option<Vec<u8>>) {
        match self.ask(NOBODY, &owner.ask_card(want_prekey)) {
            MailAnswer::Card { card, prekey } => (card, prekey),
            other => panic!("{other:?}"),
        }
    }

    fn row(&self, owner: &Owner) -> BoxRow {
        self.office.rows(0).get::<Boxes>(&peer_key(&owner.id())).unwrap().unwrap()
    }

    fn totals(&self) -> TotalsRow {
        self.office.rows(0).get::<MailTotals>(&RowKey::new()).unwrap().unwrap_or_default()
    }

    fn count<T: Table>(&self) -> u64 {
        self.office.rows(0).count::<T>(&Scan::all()).unwrap()
    }

    /// Lets time pass while nobody is there, and what is due then happen.
    fn sleep(&mut self, span: Millis) {
        self.office.leap(span);
        self.office.pass(Millis::from_secs(1));
    }

    /// The mailbox dies, and comes back.
    fn restart(&mut self) {
        self.office.close(0);
        self.office.open(0);
    }

    /// The counters of a box are what its rows amount to.
    fn check(&self, owner: &Owner) {
        let (rows, row) = (self.office.rows(0), self.row(owner));
        let of = || Scan::new(super::super::tables::of_box(row.number));
        let deposits: Vec<DepositRow> = rows.scan::<Deposits>(&of()).unwrap().into_iter().map(|(_, d)| d).collect();
        let sum = |only: &dyn Fn(&DepositRow) -> bool| {
            let chosen = deposits.iter().filter(|d| only(d));
            chosen.fold((0, 0), |(count, bytes), d| (count + 1, bytes + u64::from(d.size)))
        };
        assert_eq!((row.count, row.bytes), sum(&|_| true));
        assert_eq!((row.slot_count, row.slot_bytes), sum(&|d| d.on == Room::Strangers));
        assert_eq!((row.invited_count, row.invited_bytes), sum(&|d| d.on == Room::Invited));
        assert_eq!((row.void_count, row.void_bytes), sum(&|d| matches!(d.on, Room::Void(_))));
        assert_eq!(row.hidden, sum(&|d| d.on.is_hidden()).0);
        for (_, token) in rows.scan::<BoxTokens>(&of()).unwrap() {
            assert_eq!((token.count, token.bytes), sum(&|d| d.on.tag() == Some(token.tag)));
            assert!(token.count > 0 || token.revoked);
        }
        for table in [rows.count::<DepositBodies>(&of()), rows.count::<DepositMarks>(&of())] {
            assert_eq!(table.unwrap(), deposits.len() as u64);
        }
        assert_eq!(rows.count::<super::super::tables::BoxPrekeys>(&of()).unwrap(), u64::from(row.prekeys));
    }
}
