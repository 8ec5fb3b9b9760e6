use super::*;
use crate::base::limits::{MAX_CARD, MAX_ONE_TIME_PREKEY};

pub(super) async fn requested(node: &mut Node) -> (PeerId, u64, bool) {
    match node.expect(|event| matches!(event, Event::BundleRequested { .. })).await {
        Event::BundleRequested { from, request, want_prekey } => (from, request, want_prekey),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn fetched(node: &mut Node, wanted: u64) -> Event {
    let of = |event: &Event| match event {
        Event::Bundle { ticket, .. } | Event::BundleFailed { ticket, .. } => *ticket == wanted,
        _ => false,
    };
    node.expect(of).await
}

#[tokio::test]
async fn a_card_is_fetched_with_and_without_a_prekey() {
    for listen in [TCP, QUIC] {
        let (mut alice, mut bob) = strangers(1, listen).await;
        let (card, prekey) = (vec![3; MAX_CARD], Some(vec![4; MAX_ONE_TIME_PREKEY]));
        for (ticket, want, given) in [(1, true, prekey.clone()), (2, false, None), (3, true, None)] {
            alice.net.fetch_bundle(bob.id(), ticket, want).unwrap();
            let (from, request, want_prekey) = requested(&mut bob).await;
            assert_eq!((from, want_prekey), (alice.id(), want));
            bob.net.answer_bundle(request, card.clone(), given.clone());
            let expected = Event::Bundle { peer: bob.id(), ticket, card: card.clone(), prekey: given };
            assert_eq!(fetched(&mut alice, ticket).await, expected);
        }
    }
}

/// NET-33: beyond the rate the card is asked for without a prekey.
#[tokio::test]
async fn prekeys_have_a_rate_and_cards_come_all_the_same() {
    let (mut alice, mut bob) = friends(1, QUIC).await;
    for ticket in 1..=9 {
        alice.net.fetch_bundle(bob.id(), ticket, true).unwrap();
        let (_, request, want_prekey) = requested(&mut bob).await;
        assert_eq!(want_prekey, ticket <= 6);
        bob.net.answer_bundle(request, vec![1], None);
        assert!(matches!(fetched(&mut alice, ticket).await, Event::Bundle { .. }));
    }
}

#[tokio::test]
async fn a_strangers_questions_have_a_rate() {
    let (mut alice, mut bob) = strangers(1, QUIC).await;
    for ticket in 1..=60 {
        alice.net.fetch_bundle(bob.id(), ticket, false).unwrap();
        let (_, request, _) = requested(&mut bob).await;
        bob.net.answer_bundle(request, vec![1], None);
        assert!(matches!(fetched(&mut alice, ticket).await, Event::Bundle { .. }));
    }
    // One more a second is allowed; all of these at once are not.
    for ticket in 100..140 {
        alice.net.fetch_bundle(bob.id(), ticket, false).unwrap();
    }
    let failed = alice.expect(|event| matches!(event, Event::BundleFailed { .. })).await;
    assert!(matches!(failed, Event::BundleFailed { peer, .. } if peer == bob.id()));
}

#[tokio::test]
async fn every_question_has_an_outcome_when_the_connection_ends() {
    let (mut alice, mut bob) = friends(1, QUIC).await;
    for ticket in 1..=4 {
        alice.net.fetch_bundle(bob.id(), ticket, true).unwrap();
    }
    let (_, request, _) = requested(&mut bob).await;
    bob.net.shutdown().await;
    bob.net.answer_bundle(request, vec![1], None);
    for ticket in 1..=4 {
        assert_eq!(fetched(&mut alice, ticket).await, Event::BundleFailed { peer: bob.id(), ticket });
    }
    alice.expect(|event| matches!(event, Event::Disconnected(_))).await;
    assert_eq!(alice.net.fetch_bundle(bob.id(), 5, true), Err(SendError::NotConnected));
}

/// NET-34: an answer that does not come is given up after ten seconds, and the connection lives on.
#[tokio::test]
async fn a_question_without_an_answer_is_given_up() {
    let (mut alice, mut bob) = friends(1, TCP).await;
    alice.net.fetch_bundle(bob.id(), 1, true).unwrap();
    let (_, late, _) = requested(&mut bob).await;
    assert_eq!(fetched(&mut alice, 1).await, Event::BundleFailed { peer: bob.id(), ticket: 1 });
    // Too late for the first question, and no answer to the second.
    bob.net.answer_bundle(late, vec![1], None);
    alice.net.fetch_bundle(bob.id(), 2, true).unwrap();
    let (_, request, _) = requested(&mut bob).await;
    bob.net.answer_bundle(request, vec![2], None);
    let expected = Event::Bundle { peer: bob.id(), ticket: 2, card: vec![2], prekey: None };
    assert_eq!(fetched(&mut alice, 2).await, expected);
}

/// An answer that the protocol cannot carry, or to a question nobody asked, harms nothing.
#[tokio::test]
async fn answers_that_cannot_be_are_ignored() {
    let (mut alice, mut bob) = friends(1, QUIC).await;
    bob.net.answer_bundle(77, vec![1], None);
    alice.net.fetch_bundle(bob.id(), 1, true).unwrap();
    let (_, request, _) = requested(&mut bob).await;
    bob.net.answer_bundle(request, vec![1; MAX_CARD + 1], None);
    bob.net.answer_bundle(request, vec![], None);
    bob.net.answer_bundle(request, vec![2], None);
    bob.net.answer_bundle(request, vec![3], None);
    let expected = Event::Bundle { peer: bob.id(), ticket: 1, card: vec![2], prekey: None };
    assert_eq!(fetched(&mut alice, 1).await, expected);
}
