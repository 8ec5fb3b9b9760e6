use std::time::Duration;

use libp2p::swarm::ConnectionId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::testing::{Far, PEER, network, stream};
use super::*;
use crate::base::limits::MAX_IN_FLIGHT;
use crate::envelope::frame::{put_ack, put_envelope};
use crate::net::Class;

/// A served stream, and what the node sees of it.
struct Served {
    far: Far,
    events: mpsc::Receiver<Event>,
    answers: Arc<Answers>,
    end: JoinHandle<Result<(), StreamEnd>>,
    connection: watch::Sender<()>,
}

fn serve_one(class: Class, lane: usize) -> Served {
    let (shared, events, _) = network(class, lane);
    let (near, far) = stream(256 * 1024);
    let answers = Arc::new(Answers::default());
    let task = Arc::clone(&answers);
    let (connection, gone) = tokio::sync::watch::channel(());
    let end = tokio::spawn(async move {
        let connection = ConnectionId::new_unchecked(1);
        let receiver = Receiver { peer: PEER, address: None, connection, id: 5, answers: &task, gone };
        shared.activity.opened(connection);
        let guard = shared.activity.count_stream(connection);
        run(&shared, receiver, &guard, near).await
    });
    Served { far, events, answers, end, connection }
}

impl Served {
    /// Both hellos are said.
    async fn greeted(class: Class, lane: usize) -> Self {
        let mut served = serve_one(class, lane);
        served.far.hello().await;
        served.far.reader.hello().await.unwrap();
        served
    }

    async fn envelope(&mut self) -> FrameToken {
        match self.events.recv().await {
            Some(Event::Envelope { from: PEER, token, .. }) => token,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn envelopes_reach_the_node_and_answers_the_peer() {
    let mut served = Served::greeted(Class::Contact, 8).await;
    for seq in 1..=3 {
        served.far.envelope(seq).await;
        assert_eq!(served.envelope().await, FrameToken { stream: 5, frame: seq });
    }
    served.answers.answer(2, Verdict::Refused(RefuseReason::Malformed));
    served.answers.answer(1, Verdict::Stored);
    served.answers.answer(3, Verdict::Stored);
    let mut heard = Vec::new();
    while !matches!(heard.last(), Some(Frame::Ack { upto: 3 })) {
        heard.push(served.far.hears().await);
    }
    let refusal = Frame::Refusal { seq: 2, reason: RefuseReason::Malformed };
    assert_eq!(heard, [Frame::Ack { upto: 1 }, refusal, Frame::Ack { upto: 3 }]);
}

/// NET-6, NET-9, NET-10, NET-11: each of these ends the stream.
#[tokio::test]
async fn what_may_not_come_ends_the_stream() {
    let mut no_hello = serve_one(Class::Contact, 8);
    no_hello.far.envelope(1).await;
    assert!(matches!(no_hello.end.await.unwrap(), Err(StreamEnd::Violation(_))));

    let mut garbage = Served::greeted(Class::Contact, 8).await;
    garbage.far.say(|out| out.extend_from_slice(&[0xff; 64])).await;
    assert!(matches!(garbage.end.await.unwrap(), Err(StreamEnd::Frame(_))));

    let mut second_hello = Served::greeted(Class::Contact, 8).await;
    second_hello.far.hello().await;
    assert!(matches!(second_hello.end.await.unwrap(), Err(StreamEnd::Violation(_))));

    let mut answer = Served::greeted(Class::Contact, 8).await;
    answer.far.say(|out| put_ack(out, 1)).await;
    assert!(matches!(answer.end.await.unwrap(), Err(StreamEnd::Violation(_))));

    for wrong in [2, 3, u64::MAX] {
        let mut gap = Served::greeted(Class::Contact, 8).await;
        gap.far.envelope(wrong).await;
        assert!(matches!(gap.end.await.unwrap(), Err(StreamEnd::Violation(_))));
    }
    let mut twice = Served::greeted(Class::Contact, 8).await;
    twice.far.envelope(1).await;
    twice.far.envelope(1).await;
    assert!(matches!(twice.end.await.unwrap(), Err(StreamEnd::Violation(_))));
}

/// NET-21: half-open streams do not pile up.
#[tokio::test(start_paused = true)]
async fn a_stream_without_a_hello_is_given_up() {
    let served = serve_one(Class::Contact, 8);
    let begun = Instant::now();
    assert!(matches!(served.end.await.unwrap(), Err(StreamEnd::Stalled)));
    assert_eq!(begun.elapsed().as_secs(), FRAME_TIMEOUT.0 / 1000);
}

/// NET-23: a stranger's stream ends when idle, a contact's does not, nor one with answers due.
#[tokio::test(start_paused = true)]
async fn an_idle_stream_is_kept_for_contacts_only() {
    let mut stranger = Served::greeted(Class::Stranger, 8).await;
    assert!(stranger.far.hears_the_end().await);
    stranger.end.await.unwrap().unwrap();

    let mut contact = Served::greeted(Class::Contact, 8).await;
    // The clock is paused: it jumps to the end as soon as nobody has anything to do. Idleness is the input here.
    tokio::time::sleep(10 * span(STRANGER_IDLE)).await;
    contact.far.envelope(1).await;
    contact.envelope().await;

    let mut waiting = Served::greeted(Class::Stranger, 8).await;
    waiting.far.envelope(1).await;
    waiting.envelope().await;
    // As above: no time goes by.
    tokio::time::sleep(10 * span(STRANGER_IDLE)).await;
    waiting.answers.answer(1, Verdict::Stored);
    assert_eq!(waiting.far.hears().await, Frame::Ack { upto: 1 });
}

/// NET-15: who closes his side still gets his answers.
#[tokio::test]
async fn answers_follow_a_side_that_is_closed() {
    let mut served = Served::greeted(Class::Contact, 8).await;
    for seq in 1..=2 {
        served.far.envelope(seq).await;
        served.envelope().await;
    }
    served.far.close().await;
    served.answers.answer(2, Verdict::Stored);
    served.answers.answer(1, Verdict::Stored);
    let mut last = served.far.hears().await;
    if last == (Frame::Ack { upto: 1 }) {
        last = served.far.hears().await;
    }
    assert_eq!(last, Frame::Ack { upto: 2 });
    assert!(served.far.hears_the_end().await);
    served.end.await.unwrap().unwrap();
}

/// NET-18: beyond the window nothing is taken, even while the lane has room.
#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_is_taken_before_it_is_answered() {
    let mut served = Served::greeted(Class::Contact, 2 * MAX_IN_FLIGHT).await;
    for seq in 1..=MAX_IN_FLIGHT as u64 + 1 {
        served.far.envelope(seq).await;
    }
    for _ in 0..MAX_IN_FLIGHT {
        served.envelope().await;
    }
    // Time goes on only when everything that can happen has happened.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(served.events.try_recv().is_err());
    served.answers.answer(1, Verdict::Stored);
    assert_eq!(served.envelope().await.frame, MAX_IN_FLIGHT as u64 + 1);
}

/// A full lane stops the reading, and so the peer's writing; answers go out all the same.
#[tokio::test(start_paused = true)]
async fn a_full_lane_reaches_the_peer() {
    let mut served = Served::greeted(Class::Contact, 1).await;
    let big = vec![7; 60_000];
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_secs(1), served.far.say(|out| put_envelope(out, sent + 1, &big)))
        .await
        .is_ok()
    {
        sent += 1;
    }
    // The pipe's buffer, the lane, and the one in hand.
    assert!((3..=7).contains(&sent), "{sent}");
    served.answers.answer(1, Verdict::Stored);
    assert_eq!(served.far.hears().await, Frame::Ack { upto: 1 });
}

/// NET-20.
#[tokio::test(start_paused = true)]
async fn a_strangers_excess_is_refused_in_its_place() {
    let mut served = Served::greeted(Class::Stranger, 2 * MAX_IN_FLIGHT).await;
    let burst = 60;
    for seq in 1..=burst + 2 {
        served.far.envelope(seq).await;
    }
    for seq in 1..=burst {
        assert_eq!(served.envelope().await.frame, seq);
        served.answers.answer(seq, Verdict::Stored);
    }
    let refusal = |seq| Frame::Refusal { seq, reason: RefuseReason::TooMany };
    let mut heard = served.far.hears().await;
    while matches!(heard, Frame::Ack { .. }) {
        heard = served.far.hears().await;
    }
    assert_eq!(heard, refusal(burst + 1));
    assert_eq!(served.far.hears().await, refusal(burst + 2));
    // A second later there is one more.
    tokio::time::advance(Duration::from_secs(1)).await;
    served.far.envelope(burst + 3).await;
    assert_eq!(served.envelope().await.frame, burst + 3);
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_though_refused_is_cut_off() {
    let mut served = Served::greeted(Class::Stranger, 2 * MAX_IN_FLIGHT).await;
    let mut far = served.far;
    let flood = tokio::spawn(async move {
        for seq in 1.. {
            let mut bytes = Vec::new();
            put_envelope(&mut bytes, seq, b"x");
            if write(&mut far.writer, &bytes).await.is_err() {
                return;
            }
        }
    });
    for seq in 1..=60 {
        assert!(served.events.recv().await.is_some());
        served.answers.answer(seq, Verdict::Stored);
    }
    assert!(matches!(served.end.await.unwrap(), Err(StreamEnd::Violation(_))));
    flood.await.unwrap();
}

/// What waits for the lane, or for the window, does not outlive its connection.
#[tokio::test]
async fn nothing_waits_beyond_the_connection() {
    let mut for_the_lane = Served::greeted(Class::Contact, 1).await;
    for seq in 1..=3 {
        for_the_lane.far.envelope(seq).await;
    }
    while for_the_lane.events.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(for_the_lane.connection);
    assert!(matches!(for_the_lane.end.await.unwrap(), Err(StreamEnd::Closed)));

    let mut for_the_window = Served::greeted(Class::Contact, 2 * MAX_IN_FLIGHT).await;
    for seq in 1..=MAX_IN_FLIGHT as u64 {
        for_the_window.far.envelope(seq).await;
        for_the_window.envelope().await;
    }
    drop(for_the_window.connection);
    assert!(matches!(for_the_window.end.await.unwrap(), Err(StreamEnd::Closed)));
}
