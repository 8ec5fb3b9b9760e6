//! Owners who wait for what comes.

use super::*;
use crate::base::limits::MAX_MAIL_PARALLEL;

fn wait(seconds: u16) -> Vec<u8> {
    Question::Wait { queue: [4; 16], after: 7, seconds }.encode().unwrap()
}

fn waited(came: bool) -> Vec<u8> {
    Answer::Waited { came }.encode().unwrap()
}

/// Who asked our node to wait, and which question it is.
async fn wants_to_wait(node: &mut Node) -> (PeerId, u64) {
    let waits = |event: &Event| matches!(event, Event::Mail { question, .. } if Question::patience(question).is_some());
    match node.expect(waits).await {
        Event::Mail { from, request, .. } => (from, request),
        other => panic!("{other:?}"),
    }
}

fn asks_to_wait(node: &Node, mailbox: &Node, ticket: u64, seconds: u16) {
    let (mailbox, addrs) = (mailbox.id(), mailbox.addrs());
    node.net.order(Order::AskMailbox { ticket, mailbox, addrs, anonymous: false, question: wait(seconds) }).unwrap();
}

async fn is_told(node: &mut Node, mailbox: &Node, ticket: u64, answer: Vec<u8>) {
    assert_eq!(told(node, ticket).await, Event::MailAnswered { mailbox: mailbox.id(), ticket, answer });
}

/// An owner, connected, and a mailbox, which holds his question.
async fn held(listen: &str) -> (Node, Node) {
    let (mut alice, mut bob) = (Node::start(1, &[listen]).await, mailbox(2, &[listen]).await);
    connect(&mut alice, &mut bob).await;
    asks_to_wait(&alice, &bob, 1, 300);
    let (from, request) = wants_to_wait(&mut bob).await;
    assert_eq!(from, alice.id());
    bob.net.hold_mail(request);
    assert_eq!(bob.net.desk().held(), 1);
    (alice, bob)
}

/// MBX-80: he is told when something comes, or the time is over; others' mail does not concern him.
#[tokio::test]
async fn an_owner_is_told_when_something_comes() {
    for listen in [TCP, QUIC] {
        let (mut alice, mut bob) = held(listen).await;
        bob.net.ring_mail(&peer_of(9));
        // Others are served meanwhile, the owner too.
        once(&mut alice, &mut bob, 2, false).await;
        once(&mut alice, &mut bob, 3, true).await;
        assert_eq!(bob.net.desk().held(), 1);
        bob.net.ring_mail(&alice.id());
        is_told(&mut alice, &bob, 1, waited(true)).await;
        bob.net.ring_mail(&alice.id());
        asks_to_wait(&alice, &bob, 4, 1);
        let (_, request) = wants_to_wait(&mut bob).await;
        bob.net.hold_mail(request);
        is_told(&mut alice, &bob, 4, waited(false)).await;
        assert_eq!(bob.net.desk().held(), 0);
    }
}

/// MBX-82: of one owner the newest question is held, wherever he asks from.
#[tokio::test]
async fn a_newer_question_ends_the_older() {
    let (mut alice, mut bob) = held(QUIC).await;
    asks_to_wait(&alice, &bob, 2, 300);
    let (_, request) = wants_to_wait(&mut bob).await;
    bob.net.hold_mail(request);
    is_told(&mut alice, &bob, 1, waited(false)).await;
    assert_eq!(bob.net.desk().held(), 1);
    bob.net.ring_mail(&alice.id());
    is_told(&mut alice, &bob, 2, waited(true)).await;
}

/// MBX-83: when the connection ends, whoever ends it, nobody waits any more.
#[tokio::test]
async fn nothing_is_held_for_who_is_gone() {
    for listen in [TCP, QUIC] {
        let (alice, mut bob) = held(listen).await;
        alice.net.shutdown().await;
        bob.expect(|event| matches!(event, Event::Disconnected(_))).await;
        let mut free = bob.net.desk().freed();
        timeout(GUARD, free.wait_for(|held| *held == 0)).await.expect("it is still held").unwrap();

        let (mut alice, bob) = held(listen).await;
        bob.net.shutdown().await;
        assert_eq!(told(&mut alice, 1).await, Event::MailFailed { mailbox: bob.id(), ticket: 1 });
        assert_eq!(alice.net.places().questions(), MAX_MAIL_QUESTIONS);
    }
}

/// MBX-80: nobody is dialled for it.
#[tokio::test]
async fn a_wait_goes_over_the_connection_there_is_or_not_at_all() {
    let (mut alice, mut bob) = (Node::start(1, &[QUIC]).await, mailbox(2, &[QUIC]).await);
    asks_to_wait(&alice, &bob, 1, 300);
    assert_eq!(told(&mut alice, 1).await, Event::MailFailed { mailbox: bob.id(), ticket: 1 });
    assert_eq!(alice.net.status().peers, []);
    is_not_asked(&mut bob);
}

/// MBX-74: what is held by a mailbox leaves all places for what it is asked beside it.
#[tokio::test]
async fn a_wait_takes_no_place_of_other_questions() {
    let (mut alice, mut bob) = held(QUIC).await;
    let mut open = Vec::new();
    for ticket in 10..10 + MAX_MAIL_PARALLEL as u64 {
        ask(&alice, &bob, ticket, false);
        open.push((ticket, asked(&mut bob).await.1));
    }
    for (ticket, request) in open {
        bob.net.answer_mail(request, answer());
        is_told(&mut alice, &bob, ticket, answer()).await;
    }
    bob.net.ring_mail(&alice.id());
    is_told(&mut alice, &bob, 1, waited(true)).await;
}

/// MBX-82, on the wire: so many strangers of one address may wait; the next is told so at once, and all may ask.
#[tokio::test]
async fn those_who_wait_are_bounded() {
    let mut bob = mailbox(1, &[QUIC]).await;
    let full = Answer::Full { retry_after: 300 }.encode().unwrap();
    let mut open = Vec::new();
    for n in 0..=8 {
        let raw = Raw::connect_by(10 + u8::try_from(n).unwrap(), &bob, PROTOCOL).await;
        let stream = say(&raw, &wait(300)).await;
        let (from, request) = wants_to_wait(&mut bob).await;
        bob.net.hold_mail(request);
        open.push((raw, stream, from));
    }
    let (raw, stream, _) = open.pop().unwrap();
    assert_eq!(rest(stream).await, full);
    assert_eq!(bob.net.desk().held(), 8);
    let stream = say(&raw, &question()).await;
    let (_, request) = asked(&mut bob).await;
    bob.net.answer_mail(request, answer());
    assert_eq!(rest(stream).await, answer());
    // What does not ask for it is not held, whatever our node says.
    let stream = say(&raw, &question()).await;
    let (_, request) = asked(&mut bob).await;
    bob.net.hold_mail(request);
    assert_eq!(rest(stream).await, full);
    // One who is rung makes room for another.
    let (_one, stream, from) = open.remove(0);
    bob.net.ring_mail(&from);
    assert_eq!(rest(stream).await, waited(true));
    let mut freed = bob.net.desk().freed();
    timeout(GUARD, freed.wait_for(|held| *held < 8)).await.expect("its place is not free").unwrap();
    let stream = say(&raw, &wait(300)).await;
    let (from, request) = wants_to_wait(&mut bob).await;
    bob.net.hold_mail(request);
    bob.net.ring_mail(&from);
    assert_eq!(rest(stream).await, waited(true));
}
