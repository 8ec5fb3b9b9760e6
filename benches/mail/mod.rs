//! Deposits into mailboxes, each durable before it is answered.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use rohrpost::base::words::MailService;
use rohrpost::base::{MonoTime, Now, Secret, WallTime};
use rohrpost::envelope::mailbox::{
    Answer, Delete, Deposit, InvitationKey, OfferIn, Proof, Question, QueueKey, TokenIn,
};
use rohrpost::envelope::seal::seal;
use rohrpost::envelope::{EnvelopeKind, encode};
use rohrpost::identity::{CardContent, CardKeys, IdentityKeypair};
use rohrpost::messenger::{Command, Event, Input, Messenger, Order, Output};
use rohrpost::store::Store;

use super::{TEXT, rng};

const NOW: Now = Now { wall: WallTime(1_767_225_600_000), mono: MonoTime(0) };
/// Deposits that share a commit.
const GROUP: usize = 256;

struct Owner {
    me: IdentityKeypair,
    keys: CardKeys,
    queue: [u8; 16],
}

/// A messenger that keeps a box for each of some owners.
struct House {
    messenger: Messenger,
    owners: Vec<Owner>,
    rng: rand_chacha::ChaCha20Rng,
    _dir: tempfile::TempDir,
}

impl House {
    fn new(boxes: u8) -> Self {
        let (dir, mut rng) = (tempfile::tempdir().unwrap(), rng());
        let store = Store::open(dir.path(), &Secret::new([1; 32]), &mut rng, NOW).unwrap();
        let me = IdentityKeypair::generate(&mut rng);
        let (messenger, _) = Messenger::open(store, me, NOW, &mut rng).unwrap();
        let mut house = Self { messenger, owners: Vec::new(), rng, _dir: dir };
        let open = Input::Command(0, Command::SetMailService(MailService::Open));
        house.messenger.handle(vec![open], NOW, &mut house.rng);
        for n in 0..boxes {
            house.move_in(n);
        }
        house
    }

    fn move_in(&mut self, n: u8) {
        let me = IdentityKeypair::generate(&mut self.rng);
        let (keys, queue) = (CardKeys::generate(&mut self.rng), [n; 16]);
        let card = CardContent::new(&keys, 1, NOW.wall, queue).sign(&me);
        let offer = OfferIn { batch: 1, card: &card, prekeys: Vec::new() };
        let invitation = InvitationKey::from_bytes([0; 32]);
        let register = Question::Register { key: QueueKey::from_bytes([1; 32]), invitation, offer };
        let from = me.peer_id();
        let kept = self.ask(vec![Input::Net(Event::Mail {
            from,
            origin: None,
            request: 0,
            question: register.encode().unwrap(),
        })]);
        assert_eq!(kept, [Answer::Kept { prekeys: 0 }]);
        self.owners.push(Owner { me, keys, queue });
    }

    fn ask(&mut self, inputs: Vec<Input>) -> Vec<Answer> {
        let outputs = self.messenger.handle(inputs, NOW, &mut self.rng);
        let answers = outputs.into_iter().filter_map(|output| match output {
            Output::Net(Order::AnswerMail { answer, .. }) => Some(Answer::decode(&answer).unwrap()),
            _ => None,
        });
        answers.collect()
    }

    /// Fresh envelopes, to one owner after the other, of two contacts each.
    fn deposits(&mut self) -> Vec<Input> {
        let (mut inputs, plain) = (Vec::with_capacity(GROUP), encode(EnvelopeKind::Session, TEXT).unwrap());
        for (n, owner) in (0_u8..=u8::MAX).zip(self.owners.iter().cycle()) {
            let to = owner.me.peer_id();
            let key = owner.keys.seal.public();
            let sealed = seal(&owner.queue, owner.keys.seal_id, &key, to, &plain, &mut self.rng).unwrap();
            let token = Some(TokenIn::of(&QueueKey::from_bytes([1; 32]), [n % 2; 16]));
            let deposit = Deposit { recipient: to, token, proof: Proof::None, sealed: &sealed };
            let question = Question::Deposit(deposit).encode().unwrap();
            inputs.push(Input::Net(Event::Mail { from: to, origin: None, request: n.into(), question }));
        }
        inputs
    }

    /// All owners empty their boxes.
    fn empty(&mut self) {
        let delete = |owner: &Owner| {
            let question = Question::Delete { queue: owner.queue, what: Delete::UpTo(u64::MAX) };
            let (from, question) = (owner.me.peer_id(), question.encode().unwrap());
            Input::Net(Event::Mail { from, origin: None, request: 0, question })
        };
        let inputs = self.owners.iter().map(delete).collect();
        assert!(self.ask(inputs).iter().all(|answer| *answer == Answer::Done));
    }
}

/// Deposits in groups, into one box and into as many as there are deposits.
pub(crate) fn mail(c: &mut Criterion) {
    let mut group = c.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(GROUP as u64));
    group.sample_size(20);
    for (boxes, name) in [(1, "256 deposits into one box"), (255, "256 deposits into 255 boxes")] {
        group.bench_function(name, |b| {
            let mut house = House::new(boxes);
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    let inputs = house.deposits();
                    // The bench measures time: here the clock is the subject.
                    #[allow(clippy::disallowed_methods)]
                    let begun = std::time::Instant::now();
                    let answers = house.ask(inputs);
                    spent += begun.elapsed();
                    assert!(answers.len() == GROUP && answers.iter().all(|answer| *answer == Answer::Stored));
                    house.empty();
                }
                spent
            });
        });
    }
    group.finish();
}
