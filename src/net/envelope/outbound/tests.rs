use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::testing::{Far, PEER, network, stream, suspicious_network};
use super::*;
use crate::base::WallTime;
use crate::base::limits::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES};
use crate::net::Class;
use crate::net::SendError;
use crate::net::peers::{Link, Way};
use crate::net::shared::Suspicion;

/// A session with a far end, and what the node sees of it.
struct Session {
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    suspected: mpsc::Receiver<Suspicion>,
    far: Far,
    end: JoinHandle<(Result<(), StreamEnd>, Outbox)>,
}

fn connection(id: usize) -> ConnectionId {
    ConnectionId::new_unchecked(id)
}

impl Session {
    /// Begins with envelope 1 on its way.
    async fn begin(class: Class, lane: usize) -> Self {
        Self::begin_on(class, lane, &Link::straight(connection(1))).await
    }

    /// The same, on this connection.
    async fn begin_on(class: Class, lane: usize, link: &Link) -> Self {
        let (shared, events, _, suspected) = suspicious_network(class, lane);
        let mut outbox = shared.connect(PEER, link, WallTime(0));
        let (near, far) = stream(256 * 1024);
        let sender =
            Sender { shared: Arc::clone(&shared), peer: PEER, load: Arc::clone(&outbox.load), begun: Notify::new() };
        let mut session = Self { shared, events, suspected, far, end: tokio::spawn(std::future::pending()) };
        session.send(1).unwrap();
        let first = outbox.queue.recv().await.unwrap();
        session.shared.activity.opened(connection(1));
        let guard = session.shared.activity.count_stream(connection(1));
        session.end = tokio::spawn(async move { (sender.session(&mut outbox, &guard, first, near).await, outbox) });
        session.far.reader.hello().await.unwrap();
        session.far.hello().await;
        assert!(matches!(session.far.hears().await, Frame::Envelope { seq: 1, .. }));
        session
    }

    fn send(&self, ticket: u64) -> Result<(), SendError> {
        self.shared.send(&PEER, Outgoing { ticket, bytes: b"x".as_slice().into() })
    }

    async fn sent(&mut self, tickets: std::ops::RangeInclusive<u64>) {
        for ticket in tickets {
            self.send(ticket).unwrap();
            assert!(matches!(self.far.hears().await, Frame::Envelope { seq, .. } if seq == ticket));
        }
    }

    async fn acked(&mut self, tickets: std::ops::RangeInclusive<u64>) {
        for ticket in tickets {
            assert_eq!(self.events.recv().await, Some(Event::Acked { peer: PEER, ticket }));
        }
    }

    async fn lost(&mut self, tickets: std::ops::RangeInclusive<u64>) {
        for ticket in tickets {
            assert_eq!(self.events.recv().await, Some(Event::Lost { peer: PEER, ticket }));
        }
    }
}

/// NET-12, NET-13.
#[tokio::test]
async fn an_acknowledgement_is_cumulative_and_a_refusal_stands_for_one() {
    let mut session = Session::begin(Class::Contact, 64).await;
    session.sent(2..=6).await;
    session.far.ack(3).await;
    session.acked(1..=3).await;
    session.far.refuse(4, RefuseReason::SessionUnknown).await;
    let refused = Event::Refused { peer: PEER, ticket: 4, reason: RefuseReason::SessionUnknown };
    assert_eq!(session.events.recv().await, Some(refused));
    session.far.ack(6).await;
    session.acked(5..=6).await;
}

/// NET-12, NET-13, NET-17: an answer that cannot be ends the stream, and the rest is lost.
#[tokio::test]
async fn an_answer_that_cannot_be_ends_the_stream() {
    for wrong in [4, u64::MAX] {
        let mut session = Session::begin(Class::Contact, 64).await;
        session.sent(2..=3).await;
        session.far.ack(wrong).await;
        session.lost(1..=3).await;
        assert!(matches!(session.end.await.unwrap().0, Err(StreamEnd::Violation(_))));
    }
    for wrong in [2, 3] {
        let mut session = Session::begin(Class::Contact, 64).await;
        session.sent(2..=3).await;
        session.far.refuse(wrong, RefuseReason::TooMany).await;
        session.lost(1..=3).await;
        assert!(matches!(session.end.await.unwrap().0, Err(StreamEnd::Violation(_))));
    }
    let mut again = Session::begin(Class::Contact, 64).await;
    again.sent(2..=2).await;
    again.far.ack(1).await;
    again.acked(1..=1).await;
    again.far.ack(1).await;
    again.lost(2..=2).await;

    let mut envelope = Session::begin(Class::Contact, 64).await;
    envelope.far.envelope(1).await;
    envelope.lost(1..=1).await;
}

#[tokio::test]
async fn what_is_unanswered_at_the_end_is_lost_and_its_place_free_again() {
    let mut session = Session::begin(Class::Contact, 2 * MAX_IN_FLIGHT).await;
    let window = MAX_IN_FLIGHT as u64;
    session.sent(2..=window).await;
    assert_eq!(session.send(window + 1), Err(SendError::Full));
    session.far.ack(5).await;
    session.acked(1..=5).await;
    session.sent(window + 1..=window + 5).await;
    assert_eq!(session.send(window + 6), Err(SendError::Full));
    session.far.close().await;
    session.lost(6..=window + 5).await;
    let (_, _outbox) = session.end.await.unwrap();
    for ticket in 0..window {
        session.shared.send(&PEER, Outgoing { ticket, bytes: b"x".as_slice().into() }).unwrap();
    }
}

/// NET-18, by bytes.
#[test]
fn the_window_counts_bytes_too() {
    let load = Load::default();
    let (size, mut taken) = (100_000, 0);
    while load.take(size) {
        taken += 1;
    }
    assert_eq!(taken, MAX_IN_FLIGHT_BYTES / size);
    assert!(load.take(MAX_IN_FLIGHT_BYTES % size) && !load.take(1));
    load.give_back(size);
    assert!(load.take(size));
}

/// NET-21.
#[tokio::test(start_paused = true)]
async fn a_peer_who_never_answers_is_given_up() {
    let mut session = Session::begin(Class::Contact, 64).await;
    session.sent(2..=3).await;
    session.lost(1..=3).await;
    assert!(matches!(session.end.await.unwrap().0, Err(StreamEnd::Stalled)));
}

/// NET-21: who answers slowly is not.
#[tokio::test(start_paused = true)]
async fn a_peer_who_answers_slowly_is_waited_for() {
    let mut session = Session::begin(Class::Contact, 64).await;
    session.sent(2..=9).await;
    for ticket in 1..=8 {
        // The clock is paused: it jumps as soon as nobody has anything to do. Silence is the input here.
        tokio::time::sleep(span(STALL_TIMEOUT) - Duration::from_secs(1)).await;
        session.far.ack(ticket).await;
        session.acked(ticket..=ticket).await;
    }
    session.lost(9..=9).await;
}

/// A long silence is no stall when nothing is due.
#[tokio::test(start_paused = true)]
async fn an_idle_stream_to_a_contact_is_kept() {
    let mut session = Session::begin(Class::Contact, 64).await;
    session.far.ack(1).await;
    session.acked(1..=1).await;
    // The clock is paused: it jumps to the end as soon as nobody has anything to do. Silence is the input here.
    tokio::time::sleep(20 * span(STALL_TIMEOUT)).await;
    session.sent(2..=2).await;
    session.far.ack(2).await;
    session.acked(2..=2).await;
}

/// NET-23.
#[tokio::test(start_paused = true)]
async fn an_idle_stream_to_a_stranger_ends_in_order() {
    let mut session = Session::begin(Class::Stranger, 64).await;
    session.far.ack(1).await;
    session.acked(1..=1).await;
    assert!(session.far.hears_the_end().await);
    session.end.await.unwrap().0.unwrap();
}

/// NET-61.
#[tokio::test(start_paused = true)]
async fn an_idle_stream_through_a_relay_ends_in_order_with_a_contact_too() {
    let circuit = Link { way: Way::Relay, ..Link::straight(connection(1)) };
    let mut session = Session::begin_on(Class::Contact, 64, &circuit).await;
    session.far.ack(1).await;
    session.acked(1..=1).await;
    assert!(session.far.hears_the_end().await);
    session.end.await.unwrap().0.unwrap();
}

/// NET-81: silence is suspected when an answer is due, and only then.
#[tokio::test(start_paused = true)]
async fn what_is_unanswered_makes_the_connection_suspected() {
    let mut session = Session::begin(Class::Contact, 64).await;
    session.far.ack(1).await;
    session.acked(1..=1).await;
    // The clock is paused: it jumps as soon as nobody has anything to do. Silence is the input here.
    tokio::time::sleep(20 * span(STALL_TIMEOUT)).await;
    assert!(session.suspected.try_recv().is_err());
    session.sent(2..=2).await;
    let suspicion = session.suspected.recv().await.unwrap();
    assert_eq!((suspicion.peer, suspicion.connection), (PEER, connection(1)));
    session.far.ack(2).await;
    session.acked(2..=2).await;
}

/// NET-42: what is under way on a connection that is no longer preferred is waited for; what comes
/// later waits for the next stream.
#[tokio::test]
async fn a_move_loses_nothing_and_overtakes_nothing() {
    let mut session = Session::begin(Class::Contact, 64).await;
    session.sent(2..=3).await;
    session.shared.prefer(&PEER, &Link::straight(connection(2)));
    session.far.ack(2).await;
    session.acked(1..=2).await;
    session.send(4).unwrap();
    session.far.ack(3).await;
    session.acked(3..=3).await;
    let mut heard = 0;
    while !session.far.hears_the_end().await {
        session.far.hears().await;
        heard += 1;
    }
    let (end, mut outbox) = session.end.await.unwrap();
    end.unwrap();
    // Ticket 4 was sent just before the task heard of the move, or it waits.
    assert_eq!(outbox.queue.try_recv().is_ok(), heard == 0);
}

/// NET-41: what is on its way is waited for as long as answers come, but not for ever.
#[tokio::test(start_paused = true)]
async fn a_move_on_a_slow_line_loses_nothing() {
    const STEP: Duration = Duration::from_secs(9);
    for (count, answered) in [(9, 8), (30, span(DOUBLE_LIFE).as_secs() / STEP.as_secs())] {
        let mut session = Session::begin(Class::Contact, 64).await;
        session.sent(2..=count).await;
        session.shared.prefer(&PEER, &Link::straight(connection(2)));
        for ticket in 1..=answered {
            // The clock is paused, as above.
            tokio::time::sleep(STEP).await;
            session.far.ack(ticket).await;
            session.acked(ticket..=ticket).await;
        }
        session.lost(answered + 1..=count).await;
        assert!(matches!(session.end.await.unwrap().0, Err(StreamEnd::Stalled)));
    }
}

/// The lane of the node is full when the stream breaks: no outcome is lost, none comes twice.
#[tokio::test]
async fn a_full_lane_loses_no_outcome() {
    let mut session = Session::begin(Class::Contact, 1).await;
    session.sent(2..=20).await;
    session.far.ack(10).await;
    // The acknowledgements wait for the lane, of which one place is taken, when the stream breaks.
    while session.events.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(session.far);
    let mut acked = 0;
    for ticket in 1..=20 {
        match session.events.recv().await {
            Some(Event::Acked { ticket: told, .. }) => {
                assert_eq!(told, ticket);
                acked += 1;
            }
            Some(Event::Lost { ticket: told, .. }) => assert_eq!(told, ticket),
            other => panic!("{other:?}"),
        }
    }
    assert!(acked <= 10);
    let _ = session.end.await.unwrap();
    assert!(session.events.try_recv().is_err());
}

/// The whole task: no stream can be had, and the peer goes away.
#[tokio::test]
async fn without_a_stream_all_is_lost_and_the_task_ends_with_the_connection() {
    let (shared, mut events, mut wanted) = network(Class::Contact, 64);
    let outbox = shared.connect(PEER, &Link::straight(connection(1)), WallTime(0));
    let task = tokio::spawn(serve(Arc::clone(&shared), PEER, outbox));
    let refuse = tokio::spawn(async move {
        while let Some(Open { connection: on, reply, .. }) = wanted.recv().await {
            assert_eq!(on, connection(1));
            drop(reply);
        }
    });
    for ticket in 1..=5 {
        shared.send(&PEER, Outgoing { ticket, bytes: b"x".as_slice().into() }).unwrap();
    }
    shared.disconnect(&PEER);
    for ticket in 1..=5 {
        assert_eq!(events.recv().await, Some(Event::Lost { peer: PEER, ticket }));
    }
    task.await.unwrap();
    drop(shared);
    refuse.await.unwrap();
    assert_eq!(events.recv().await, None);
}
