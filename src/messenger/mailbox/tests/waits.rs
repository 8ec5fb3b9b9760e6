//! Owners who wait for what comes.

use super::*;

fn wait(owner: &Owner, after: u64) -> Vec<u8> {
    Question::Wait { queue: owner.queue, after, seconds: 300 }.encode().unwrap()
}

fn asked(from: PeerId, request: u64, question: Vec<u8>) -> Input {
    Input::Net(Event::Mail { from, origin: None, request, question })
}

/// What is said of mail, in the order in which it is carried out.
fn said(outputs: Vec<Output>) -> Vec<Output> {
    let of_mail = |output: &Output| {
        matches!(output, Output::Net(Order::AnswerMail { .. } | Order::HoldMail { .. } | Order::RingMail { .. }))
    };
    outputs.into_iter().filter(of_mail).collect()
}

fn answered(output: &Output) -> MailAnswer {
    let Output::Net(Order::AnswerMail { answer, .. }) = output else { panic!("{output:?}") };
    MailAnswer::decode(answer).unwrap()
}

/// MBX-81: whoever waits is told behind the commit of what came, and what is there already he is told at once.
#[test]
fn an_owner_who_waits_is_rung_for_what_is_stored() {
    let (mut house, mut owner) = House::with_box(0);
    let hand_in = |house: &mut House, inputs| said(house.office.hand_in(0, inputs));
    let held = hand_in(&mut house, vec![asked(owner.id(), 1, wait(&owner, 0))]);
    assert!(matches!(held[..], [Output::Net(Order::HoldMail { request: 1 })]), "{held:?}");
    let sealed = owner.sealed(100);
    let deposit = owner.deposit(None, Proof::None, &sealed);
    let rung = hand_in(&mut house, vec![asked(NOBODY, 2, deposit.clone())]);
    let [Output::Net(Order::RingMail { owner: whom }), stored] = &rung[..] else { panic!("{rung:?}") };
    assert_eq!((*whom, answered(stored)), (owner.id(), MailAnswer::Stored));
    // A second copy is nothing new; nor is what was not taken.
    let again = hand_in(&mut house, vec![asked(NOBODY, 3, deposit)]);
    assert_eq!(again.len(), 1);
    let large = owner.sealed(limits::MAX_SLOT_DEPOSIT);
    let refused = hand_in(&mut house, vec![asked(NOBODY, 4, owner.deposit(None, Proof::None, &large))]);
    assert_eq!(refused.iter().map(answered).collect::<Vec<_>>(), [MailAnswer::TooLarge]);
    // Behind the first there is nothing, before it there is.
    let told = hand_in(&mut house, vec![asked(owner.id(), 5, wait(&owner, 0)), asked(owner.id(), 6, wait(&owner, 1))]);
    let [told, Output::Net(Order::HoldMail { request: 6 })] = &told[..] else { panic!("{told:?}") };
    assert_eq!(answered(told), MailAnswer::Waited { came: true });
    let at_the_end = hand_in(&mut house, vec![asked(owner.id(), 7, wait(&owner, u64::MAX))]);
    assert!(matches!(at_the_end[..], [Output::Net(Order::HoldMail { request: 7 })]));
    // In one commit: nothing slips through between the two.
    for deposit_first in [false, true] {
        let last = house.row(&owner).last;
        let sealed = owner.sealed(100);
        let mut inputs =
            vec![asked(owner.id(), 8, wait(&owner, last)), asked(NOBODY, 9, owner.deposit(None, Proof::None, &sealed))];
        inputs.rotate_left(usize::from(deposit_first));
        let both = hand_in(&mut house, inputs);
        let at = |wanted: fn(&Output) -> bool| both.iter().position(wanted);
        let (held, rung) = (
            at(|o| matches!(o, Output::Net(Order::HoldMail { .. }))),
            at(|o| matches!(o, Output::Net(Order::RingMail { .. }))),
        );
        assert_eq!(held.is_none(), deposit_first);
        assert!(held < rung, "{both:?}");
    }
}

/// MBX-12, MBX-80: whoever has no such box is told so at once, in the same bytes as ever: that nothing is held tells no more.
#[test]
fn nobody_waits_at_anothers_box() {
    let (mut house, owner) = House::with_box(0);
    let other = Owner::new(2);
    let no_box = MailAnswer::NoBox.encode().unwrap();
    for (from, queue) in
        [(NOBODY, owner.queue), (other.id(), owner.queue), (other.id(), other.queue), (owner.id(), other.queue)]
    {
        let question = Question::Wait { queue, after: 0, seconds: 300 }.encode().unwrap();
        assert_eq!(house.raw(from, &question), no_box);
    }
}

/// MBX-1, MBX-81: what was not stored rings for nobody.
#[test]
fn a_failed_commit_rings_for_nobody() {
    let (mut house, mut owner) = House::with_box(0);
    let sealed = owner.sealed(100);
    let inputs =
        vec![asked(owner.id(), 1, wait(&owner, 0)), asked(NOBODY, 2, owner.deposit(None, Proof::None, &sealed))];
    house.office.break_store(0);
    let failed = said(house.office.hand_in(0, inputs));
    assert_eq!(failed.iter().map(answered).collect::<Vec<_>>(), [MailAnswer::Unavailable, MailAnswer::Unavailable]);
}
