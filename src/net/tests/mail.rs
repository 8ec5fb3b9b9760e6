use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

use super::*;
use crate::base::limits::{MAX_MAIL_QUESTIONS, MAX_MAIL_STREAMS};
use crate::envelope::mailbox::{Answer, PROTOCOL, PageItem, Question};

mod waits;

/// A node that keeps boxes.
async fn mailbox(seed: u8, listen: &[&str]) -> Node {
    Node::with(NetConfig { serve_mailbox: true, ..config(seed, listen) }).await
}

fn question() -> Vec<u8> {
    Question::Card { owner: peer_of(99), want_prekey: true }.encode().unwrap()
}

fn answer() -> Vec<u8> {
    Answer::NoBox.encode().unwrap()
}

/// The longest there is.
fn page() -> Vec<u8> {
    let sealed = vec![7; crate::base::limits::MAX_ENVELOPE];
    let items = (1..=3).map(|number| PageItem { number, sealed: sealed.clone() }).collect();
    Answer::Page { more: true, prekeys: 7, items }.encode().unwrap()
}

fn ask(node: &Node, mailbox: &Node, ticket: u64, anonymous: bool) {
    let (mailbox, addrs) = (mailbox.id(), mailbox.addrs());
    node.net.order(Order::AskMailbox { ticket, mailbox, addrs, anonymous, question: question() }).unwrap();
}

async fn asked(node: &mut Node) -> (PeerId, u64) {
    match node.expect(|event| matches!(event, Event::Mail { .. })).await {
        Event::Mail { from, request, question: asked, .. } => {
            assert_eq!(asked, question());
            (from, request)
        }
        other => panic!("{other:?}"),
    }
}

/// Nobody has asked since.
fn is_not_asked(node: &mut Node) {
    let came = std::iter::from_fn(|| node.contacts.try_recv().or_else(|_| node.strangers.try_recv()).ok());
    node.heard.extend(came);
    assert!(!node.heard.iter().any(|event| matches!(event, Event::Mail { .. })), "{:?}", node.heard);
}

async fn told(node: &mut Node, wanted: u64) -> Event {
    let of = |event: &Event| match event {
        Event::MailAnswered { ticket, .. } | Event::MailFailed { ticket, .. } => *ticket == wanted,
        _ => false,
    };
    node.expect(of).await
}

/// Asks and answers once; who seemed to ask.
async fn once(node: &mut Node, mailbox: &mut Node, ticket: u64, anonymous: bool) -> PeerId {
    ask(node, mailbox, ticket, anonymous);
    let (from, request) = asked(mailbox).await;
    mailbox.net.answer_mail(request, answer());
    let expected = Event::MailAnswered { mailbox: mailbox.id(), ticket, answer: answer() };
    assert_eq!(told(node, ticket).await, expected);
    from
}

#[tokio::test]
async fn an_owner_asks_as_himself() {
    for listen in [TCP, QUIC] {
        let (mut alice, mut mailbox) = (Node::start(1, &[listen]).await, mailbox(2, &[listen]).await);
        assert_eq!(once(&mut alice, &mut mailbox, 1, false).await, alice.id(), "dialled for it");
        assert_eq!(once(&mut alice, &mut mailbox, 2, false).await, alice.id(), "by the connection there is");
        ask(&alice, &mailbox, 3, false);
        let (_, request) = asked(&mut mailbox).await;
        mailbox.net.answer_mail(request, page());
        let expected = Event::MailAnswered { mailbox: mailbox.id(), ticket: 3, answer: page() };
        assert_eq!(told(&mut alice, 3).await, expected);
    }
}

/// MBX-75: a key for each mailbox, the same for the hour, and nothing that leads to our own.
#[tokio::test]
async fn a_depositor_is_another_at_every_mailbox() {
    for listen in [TCP, QUIC] {
        let mut alice = Node::start(1, &[listen]).await;
        let (mut one, mut other) = (mailbox(2, &[listen]).await, mailbox(3, &[listen]).await);
        alice.befriend(one.id());
        connect(&mut alice, &mut one).await;
        let first = once(&mut alice, &mut one, 1, true).await;
        let second = once(&mut alice, &mut one, 2, true).await;
        let elsewhere = once(&mut alice, &mut other, 3, true).await;
        assert_eq!(first, second);
        assert!(first != alice.id() && elsewhere != alice.id() && first != elsewhere);
        // Its connection is another, from another port, and no peer of ours.
        let at =
            |who: PeerId| one.net.status().peers.into_iter().find(|peer| peer.peer_id == who).map(|peer| peer.addr);
        let (ours, alias) = (at(alice.id()).unwrap(), at(first).unwrap());
        assert_ne!(ours, alias);
        assert!(alice.net.status().peers.iter().all(|peer| peer.peer_id == one.id()));
        // Together, the answers in another order.
        for ticket in 10..14 {
            ask(&alice, &one, ticket, true);
        }
        let mut requests = Vec::new();
        for _ in 10..14 {
            requests.push(asked(&mut one).await);
        }
        for (from, request) in requests.into_iter().rev() {
            assert_eq!(from, first);
            one.net.answer_mail(request, answer());
        }
        for ticket in 10..14 {
            assert!(matches!(told(&mut alice, ticket).await, Event::MailAnswered { .. }));
        }
    }
}

/// MBX-70
#[tokio::test]
async fn who_keeps_no_mailbox_is_not_asked() {
    let (mut alice, mut bob) = friends(1, QUIC).await;
    for (ticket, anonymous) in [(1, false), (2, true)] {
        ask(&alice, &bob, ticket, anonymous);
        assert_eq!(told(&mut alice, ticket).await, Event::MailFailed { mailbox: bob.id(), ticket });
    }
    is_not_asked(&mut bob);
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_fails_once_and_is_no_peer_the_node_asked_for() {
    let mut alice = Node::start(1, &[TCP]).await;
    let bob = mailbox(2, &[TCP]).await;
    let (nobody, gone) = (peer_of(9), bob.addrs());
    bob.net.shutdown().await;
    let mut ticket = 0;
    for addrs in [vec![], vec!["nonsense".to_owned()], gone, alice.addrs()] {
        for anonymous in [false, true] {
            ticket += 1;
            let ask =
                Order::AskMailbox { ticket, mailbox: nobody, addrs: addrs.clone(), anonymous, question: question() };
            alice.net.order(ask).unwrap();
            assert_eq!(told(&mut alice, ticket).await, Event::MailFailed { mailbox: nobody, ticket });
        }
    }
    let ask = |mailbox, question| Order::AskMailbox { ticket: 9, mailbox, addrs: vec![], anonymous: true, question };
    assert_eq!(alice.net.order(ask(alice.id(), question())), Err(SendError::Oneself));
    assert_eq!(alice.net.order(ask(nobody, b"GET / HTTP/1.1".to_vec())), Err(SendError::TooLarge));
    assert!(!alice.heard.iter().any(|event| matches!(event, Event::Unreachable(_))), "{:?}", alice.heard);
}

#[tokio::test]
async fn every_question_has_one_outcome_when_the_mailbox_goes() {
    for anonymous in [false, true] {
        let (mut alice, mut bob) = (Node::start(1, &[QUIC]).await, mailbox(2, &[QUIC]).await);
        once(&mut alice, &mut bob, 0, anonymous).await;
        for ticket in 1..=20 {
            ask(&alice, &bob, ticket, anonymous);
        }
        let (_, request) = asked(&mut bob).await;
        bob.net.shutdown().await;
        bob.net.answer_mail(request, answer());
        for ticket in 1..=20 {
            assert_eq!(told(&mut alice, ticket).await, Event::MailFailed { mailbox: bob.id(), ticket });
        }
        assert!(!alice.heard.iter().any(|event| matches!(event, Event::MailFailed { .. })), "{:?}", alice.heard);
        assert_eq!(alice.net.places().questions(), MAX_MAIL_QUESTIONS);
    }
}

/// MBX-71, MBX-74: our node has ten seconds; the mailbox lives on, and what comes too late or is no answer harms nothing.
#[tokio::test]
async fn a_question_that_our_node_does_not_answer_is_given_up() {
    let (mut alice, mut bob) = (Node::start(1, &[TCP]).await, mailbox(2, &[TCP]).await);
    ask(&alice, &bob, 1, false);
    let (_, late) = asked(&mut bob).await;
    assert_eq!(told(&mut alice, 1).await, Event::MailFailed { mailbox: bob.id(), ticket: 1 });
    bob.net.answer_mail(late, page());
    ask(&alice, &bob, 2, false);
    let (_, request) = asked(&mut bob).await;
    let no_answer = Order::AnswerMail { request, answer: b"no answer".to_vec() };
    assert_eq!(bob.net.order(no_answer), Err(SendError::TooLarge));
    bob.net.answer_mail(request + 7, page());
    bob.net.answer_mail(request, answer());
    bob.net.answer_mail(request, page());
    let expected = Event::MailAnswered { mailbox: bob.id(), ticket: 2, answer: answer() };
    assert_eq!(told(&mut alice, 2).await, expected);
}

/// Reads to the end, however it ends.
async fn rest(mut stream: Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(GUARD, stream.read_to_end(&mut bytes)).await.expect("the stream does not end");
    bytes
}

async fn say(raw: &Raw, bytes: &[u8]) -> Stream {
    let mut stream = raw.open().await;
    // It may be reset before or while this is said.
    let _ = stream.write_all(bytes).await;
    let _ = stream.close().await;
    stream
}

/// MBX-2, MBX-3, on the wire: the stream ends, and the node hears nothing of it.
#[tokio::test]
async fn what_is_no_question_ends_its_stream() {
    for listen in [TCP, QUIC] {
        let mut bob = mailbox(1, &[listen]).await;
        let raw = Raw::connect_by(2, &bob, PROTOCOL).await;
        let (whole, mut longer) = (question(), question());
        longer.push(0);
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &whole[..20], &longer, &[1, 16, 0xff, 0xff, 0xff, 0xff], &[]] {
            assert_eq!(rest(say(&raw, bytes).await).await, b"");
        }
        let stream = say(&raw, &whole).await;
        let (from, request) = asked(&mut bob).await;
        assert_eq!(from, peer_of(2));
        bob.net.answer_mail(request, answer());
        assert_eq!(rest(stream).await, answer());
        is_not_asked(&mut bob);
    }
}

/// MBX-72, on the wire: one address has so many places, whatever keys are used there; a contact has others.
#[tokio::test]
async fn questions_at_a_time_are_bounded() {
    let mut bob = mailbox(1, &[QUIC]).await;
    let raws = [Raw::connect_by(2, &bob, PROTOCOL).await, Raw::connect_by(3, &bob, PROTOCOL).await];
    let mut open = Vec::new();
    for n in 0..8 {
        let stream = say(&raws[n % 2], &question()).await;
        open.push((stream, asked(&mut bob).await));
    }
    assert_eq!(rest(say(&raws[0], &question()).await).await, b"", "one too many");
    is_not_asked(&mut bob);
    bob.befriend(peer_of(3));
    let stream = say(&raws[1], &question()).await;
    let (from, request) = asked(&mut bob).await;
    assert_eq!(from, peer_of(3));
    bob.net.answer_mail(request, answer());
    assert_eq!(rest(stream).await, answer());
    let (stream, (_, request)) = open.remove(0);
    bob.net.answer_mail(request, answer());
    assert_eq!(rest(stream).await, answer());
    // A place that is given back can be taken again; it may take a moment to be.
    loop {
        let stream = say(&raws[0], &question()).await;
        tokio::select! {
            bytes = rest(stream) => assert_eq!(bytes, b""),
            _ = asked(&mut bob) => break,
        }
    }
}

/// MBX-72: of one connection, contact or not.
#[tokio::test]
async fn questions_of_one_connection_are_bounded() {
    let mut bob = mailbox(1, &[QUIC]).await;
    bob.befriend(peer_of(2));
    let raw = Raw::connect_by(2, &bob, PROTOCOL).await;
    let mut open = Vec::new();
    for _ in 0..MAX_MAIL_STREAMS {
        open.push(say(&raw, &question()).await);
        asked(&mut bob).await;
    }
    assert_eq!(rest(say(&raw, &question()).await).await, b"");
    is_not_asked(&mut bob);
}

/// NET-4: who opens 40 streams at once loses those that are not served, and neither the connection nor what he asked.
#[tokio::test]
async fn streams_beyond_those_that_are_served_do_no_harm() {
    let mut bob = mailbox(1, &[TCP]).await;
    let (keypair, _) = identity(&config(2, &[])).unwrap();
    let raw = Raw::connect_over(2, transport::unbound(&keypair), &bob, PROTOCOL).await;
    let mut replies = Vec::new();
    for _ in 0..40 {
        let (reply, stream) = oneshot::channel();
        raw.opens.send(reply).await.unwrap();
        replies.push(stream);
    }
    let mut streams = Vec::new();
    for reply in replies {
        // An error says that it was reset before anything was agreed upon.
        streams.extend(timeout(GUARD, reply).await.unwrap());
    }
    for stream in &mut streams {
        // Of those that were agreed upon some are beyond the questions that he may put, and are reset now.
        let _ = stream.write_all(&question()).await;
        let _ = stream.close().await;
    }
    let (from, request) = asked(&mut bob).await;
    assert_eq!(from, peer_of(2));
    bob.net.answer_mail(request, answer());
    let ends = streams.into_iter().map(rest).collect::<futures::stream::FuturesUnordered<_>>();
    let mut answered = ends.filter(|bytes| std::future::ready(*bytes == answer()));
    timeout(GUARD, answered.next()).await.unwrap().expect("the answer comes");
    // The same connection, which never ended.
    assert!(!bob.heard.iter().any(|event| *event == Event::Disconnected(peer_of(2))), "{:?}", bob.heard);
    assert_eq!(bob.net.status().peers.len(), 1);
}

/// Run by hand: `cargo test --release --lib questions_per_second -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn questions_per_second() {
    const QUESTIONS: u64 = 5_000;
    for (listen, askers) in [(TCP, 1), (QUIC, 1), (TCP, 4), (QUIC, 4)] {
        let mut bob = mailbox(1, &[listen]).await;
        let begun = tokio::time::Instant::now();
        let mut all = Vec::new();
        for seed in 2..2 + askers {
            let mut alice = Node::start(seed, &[listen]).await;
            bob.befriend(alice.id());
            let (id, addrs) = (bob.id(), bob.addrs());
            all.push(tokio::spawn(async move {
                let (mut asked, mut answered) = (0, 0);
                while answered < QUESTIONS {
                    let ask = |ticket| Order::AskMailbox {
                        ticket,
                        mailbox: id,
                        addrs: addrs.clone(),
                        anonymous: false,
                        question: question(),
                    };
                    while asked < QUESTIONS && alice.net.order(ask(asked)).is_ok() {
                        asked += 1;
                    }
                    match alice.contacts.recv().await.unwrap() {
                        Event::MailAnswered { .. } => answered += 1,
                        Event::MailFailed { .. } => panic!("not answered"),
                        _ => {}
                    }
                }
            }));
        }
        for _ in 0..QUESTIONS * u64::from(askers) {
            let request = loop {
                if let Event::Mail { request, .. } = bob.contacts.recv().await.unwrap() {
                    break request;
                }
            };
            bob.net.answer_mail(request, answer());
        }
        for asker in all {
            asker.await.unwrap();
        }
        let rate = (QUESTIONS * u64::from(askers)) as f64 / begun.elapsed().as_secs_f64();
        println!("{listen}, {askers} askers: {rate:.0} questions/s");
    }
}
