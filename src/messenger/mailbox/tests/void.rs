//! MBX-22: two boxes that differ in nothing but whether a token is void, and the same answers to everybody, whatever is left in them, when
//! and by whom, and whenever their owners come.

use proptest::prelude::*;

use super::*;
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::Delete;

/// Void in one of the two.
const BEARER: Tag = [1; 16];
/// Good in both.
const FRIEND: Tag = [2; 16];

/// Who leaves something.
#[derive(Clone, Copy, Debug)]
enum Who {
    Bearer,
    BearerWithLink,
    Friend,
    Invited,
    Stranger,
}

#[derive(Clone, Debug)]
enum Act {
    /// So many envelopes of a size, in one commit.
    Leave(Who, usize, usize),
    /// One of those before.
    Again(Who, prop::sample::Index),
    /// The owner takes what there is, and leaves.
    Visit,
    /// He takes what there is, and waits.
    Wait,
    /// The token is made void, or another that nobody has.
    Void,
    /// It is no trial any more.
    Establish,
    Sleep(Millis),
    Restart,
}

fn who() -> impl Strategy<Value = Who> {
    use Who::*;
    prop_oneof![4 => Just(Bearer), 1 => Just(BearerWithLink), 1 => Just(Friend), 1 => Just(Invited), 1 => Just(Stranger)]
}

fn act() -> impl Strategy<Value = Act> {
    let size = prop_oneof![4 => Just(10_usize), 4 => Just(3_000), 2 => 10_usize..20_000, 1 => Just(60_000)];
    let span = prop_oneof![Just(Millis::from_secs(400)), Just(DAY), Just(Millis(22 * DAY.0))];
    prop_oneof![
        12 => (who(), 1_usize..20, size).prop_map(|(who, count, size)| Act::Leave(who, count, size)),
        1 => Just(Act::Leave(Who::Bearer, 200, 10)),
        4 => (who(), any::<prop::sample::Index>()).prop_map(|(who, index)| Act::Again(who, index)),
        3 => Just(Act::Visit),
        2 => Just(Act::Wait),
        1 => Just(Act::Establish),
        1 => span.prop_map(Act::Sleep),
        1 => Just(Act::Restart),
    ]
}

/// A box and its owner.
struct Side {
    house: House,
    owner: Owner,
    /// The highest number that he saw, while he waits.
    waits: Option<u64>,
}

impl Side {
    fn new() -> Self {
        let (mut house, mut owner) = (House::new(MailService::Open), Owner::new(1));
        assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
        Self { house, owner, waits: None }
    }

    fn leave(&mut self, who: Who, envelopes: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let day = day_of(self.house.now());
        let question = |envelope: &Vec<u8>| {
            let proof = match who {
                Who::BearerWithLink | Who::Invited => {
                    Proof::invitation(&self.owner.invitation(), &self.owner.id(), day, &sha256(&[envelope]))
                }
                _ => Proof::None,
            };
            let tag = match who {
                Who::Bearer | Who::BearerWithLink => Some(BEARER),
                Who::Friend => Some(FRIEND),
                Who::Invited | Who::Stranger => None,
            };
            Input::Net(Event::Mail {
                from: NOBODY,
                origin: None,
                request: 1,
                question: self.owner.deposit(tag, proof, envelope),
            })
        };
        let (mut answers, mut rung) = (Vec::new(), false);
        for output in self.house.office.hand_in(0, envelopes.iter().map(question).collect()) {
            match output {
                Output::Net(Order::AnswerMail { answer, .. }) => answers.push(answer),
                Output::Net(Order::RingMail { .. }) => rung = true,
                _ => {}
            }
        }
        if rung && self.waits.is_some() {
            self.wait();
        }
        answers
    }

    /// As an owner of ours does it; the highest number that he saw.
    fn visit(&mut self) -> u64 {
        let mut last = 0;
        loop {
            let MailAnswer::Page { more, items, .. } = self.house.ask(self.owner.id(), &self.owner.fetch(last)) else {
                assert_eq!(self.house.register(&mut self.owner, 0), MailAnswer::Kept { prekeys: 0 });
                return 0;
            };
            let numbers: Vec<u64> = items.iter().map(|item| item.number).collect();
            last = numbers.last().copied().unwrap_or(last);
            if !numbers.is_empty() {
                assert_eq!(self.house.delete(&self.owner, Delete::These(numbers)), MailAnswer::Done);
            }
            if !more {
                return last;
            }
        }
    }

    fn wait(&mut self) {
        self.house.office.hand_in(0, vec![Input::Net(Event::Connected(self.owner.id()))]);
        loop {
            let last = self.visit();
            let question = Question::Wait { queue: self.owner.queue, after: last, seconds: 300 }.encode().unwrap();
            let asked = Event::Mail { from: self.owner.id(), origin: None, request: 1, question };
            let held = self.house.office.hand_in(0, vec![Input::Net(asked)]);
            if held.iter().any(|output| matches!(output, Output::Net(Order::HoldMail { .. }))) {
                self.waits = Some(last);
                return;
            }
        }
    }

    fn go(&mut self) {
        if self.waits.take().is_some() {
            self.house.office.hand_in(0, vec![Input::Net(Event::Disconnected(self.owner.id()))]);
        }
    }

    fn act(&mut self, act: &Act, known: &[Vec<u8>], fresh: &[Vec<u8>], is_void: bool) -> Vec<Vec<u8>> {
        match act {
            Act::Leave(who, ..) => return self.leave(*who, fresh),
            Act::Again(who, index) if !known.is_empty() => return self.leave(*who, &[index.get(known).clone()]),
            Act::Again(..) => {}
            Act::Visit => {
                self.visit();
                self.go();
            }
            Act::Wait => self.wait(),
            Act::Void => {
                let tag = if is_void { BEARER } else { [9; 16] };
                self.house.renew(&mut self.owner, &[tag], 0);
            }
            Act::Establish => {
                if self.house.count::<Boxes>() > 0 {
                    self.house.establish(&self.owner);
                }
            }
            Act::Sleep(span) => {
                self.go();
                self.house.sleep(*span);
            }
            Act::Restart => {
                // What was due is done by then.
                self.house.office.hand_in(0, vec![Input::Timer]);
                self.waits = None;
                self.house.restart();
            }
        }
        Vec::new()
    }
}

/// Does it in both, and finds the same answers.
fn compare(acts: &[Act]) {
    let (mut good, mut void, mut known) = (Side::new(), Side::new(), Vec::new());
    for (n, act) in acts.iter().enumerate() {
        let fresh: Vec<_> = match act {
            Act::Leave(_, count, size) => (0..*count).map(|_| good.owner.sealed(*size)).collect(),
            _ => Vec::new(),
        };
        // An owner who waits comes once a second.
        let answers = [(&mut good, false), (&mut void, true)].map(|(side, is_void)| {
            side.house.office.forward(limits::WAIT_PAUSE);
            side.act(act, &known, &fresh, is_void)
        });
        assert_eq!(answers[0], answers[1], "{n}: {act:?}");
        known.extend(fresh);
        for side in [&good, &void].into_iter().filter(|side| side.house.count::<Boxes>() > 0) {
            side.house.check(&side.owner);
        }
    }
}

/// A box on trial is full for a void token as soon as for a good one, for others too, and has room again when its owner was there.
#[test]
fn a_box_on_trial_fills_alike() {
    let fill = || [Who::Bearer, Who::Friend, Who::Stranger, Who::Invited].map(|who| Act::Leave(who, 40, 3_000));
    let days = [Act::Restart, Act::Sleep(DAY), Act::Visit, Act::Sleep(DAY), Act::Visit];
    compare(&[&[Act::Void], &fill()[..], &[Act::Visit], &fill(), &[Act::Wait], &fill(), &days, &fill()].concat());
}

/// Neither the slot of strangers nor the work that they show tells what came under a void token.
#[test]
fn the_slot_of_strangers_is_not_taken_by_void_tokens() {
    let fill = [Who::Bearer, Who::BearerWithLink, Who::Stranger, Who::Invited].map(|who| Act::Leave(who, 20, 10));
    compare(&[&[Act::Void, Act::Establish], &fill[..]].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_tells_that_a_token_is_void(
        before in proptest::collection::vec(act(), 0..10),
        behind in proptest::collection::vec(act(), 1..40),
    ) {
        compare(&[&before[..], &[Act::Void], &behind].concat());
    }
}
