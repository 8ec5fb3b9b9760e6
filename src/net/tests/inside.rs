//! What others name leads to no machine of our own network (NET-43).

use super::*;
use crate::envelope::mailbox;

/// Who is on the internet, as far as he knows.
fn outside(seed: u8) -> NetConfig {
    NetConfig { internet: true, ..config(seed, &[TCP]) }
}

fn by_name(node: &Node) -> Vec<String> {
    node.addrs().iter().map(|addr| addr.replace("/ip4/127.0.0.1/", "/dns4/localhost/")).collect()
}

/// A name is judged by what it stands for, but for a contact's and the user's own.
#[tokio::test]
async fn a_name_leads_no_further_inside_than_an_address() {
    let hub = Node::start(80, &[TCP]).await;
    let (id, addrs) = (hub.id(), by_name(&hub));
    assert!(addrs[0].contains("localhost"), "{addrs:?}");
    let mut near = Node::start(81, &[TCP]).await;
    near.net.connect(id, &addrs).unwrap();
    near.expect_connected(id).await;
    let mut far = Node::with(outside(82)).await;
    far.net.connect(id, &addrs).unwrap();
    far.expect(|event| *event == Event::Unreachable(id)).await;
    let mut named = Node::with(NetConfig { bootstrap: vec![(id, addrs.clone())], ..outside(83) }).await;
    named.expect_connected(id).await;
    far.befriend(id);
    far.net.connect(id, &addrs).unwrap();
    far.expect_connected(id).await;
}

/// One door of a machine that the user has named is no reason to knock at the others.
#[tokio::test]
async fn a_name_is_good_for_one_door() {
    let (hub, other) = (Node::start(86, &[TCP]).await, Node::start(87, &[TCP]).await);
    let mut node = Node::with(NetConfig { bootstrap: vec![(hub.id(), by_name(&hub))], ..outside(88) }).await;
    node.expect_connected(hub.id()).await;
    node.net.connect(other.id(), &by_name(&other)).unwrap();
    node.expect(|event| *event == Event::Unreachable(other.id())).await;
}

/// The user's own mailbox is where he says.
#[tokio::test]
async fn the_own_mailbox_is_reached_by_a_name_inside() {
    let mut house = Node::with(NetConfig { serve_mailbox: true, ..config(89, &[TCP]) }).await;
    let alice = Node::with(outside(93)).await;
    let question = mailbox::Question::Card { owner: peer_of(99), want_prekey: true }.encode().unwrap();
    let (mailbox, addrs) = (house.id(), by_name(&house));
    alice.net.order(Order::AskMailbox { ticket: 1, mailbox, addrs, anonymous: false, question }).unwrap();
    let asks = |event: &Event| matches!(event, Event::Mail { from, .. } if *from == alice.id());
    house.expect(asks).await;
}

/// A card may name what it likes as a mailbox: who asks in passing knocks at no door inside, but where he knows the mailbox to be.
#[tokio::test]
async fn a_card_leads_to_no_mailbox_inside() {
    let mut house = Node::with(NetConfig { serve_mailbox: true, ..config(84, &[TCP]) }).await;
    let mut alice = Node::with(outside(85)).await;
    let question = |n| mailbox::Question::Card { owner: peer_of(n), want_prekey: true }.encode().unwrap();
    let ask = |n: u8, addrs: Vec<String>| {
        let (ticket, mailbox, question) = (n.into(), house.id(), question(n));
        Order::AskMailbox { ticket, mailbox, addrs, anonymous: true, question }
    };
    let last = ask(92, house.addrs());
    for (ticket, addrs) in [(90, house.addrs()), (91, by_name(&house))] {
        alice.net.order(ask(ticket, addrs)).unwrap();
        let told = alice.expect(|event| matches!(event, Event::MailAnswered { .. } | Event::MailFailed { .. })).await;
        assert_eq!(told, Event::MailFailed { mailbox: house.id(), ticket: ticket.into() });
    }
    connect(&mut alice, &mut house).await;
    alice.net.order(last).unwrap();
    let heard = house.expect(|event| matches!(event, Event::Mail { .. })).await;
    assert!(matches!(heard, Event::Mail { question: first, .. } if first == question(92)), "it was knocked before");
}
