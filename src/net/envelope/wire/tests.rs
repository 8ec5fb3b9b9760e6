use futures::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::*;
use crate::base::limits::MAX_ENVELOPE;
use crate::envelope::frame::{put_ack, put_envelope, put_hello};

type Pipe = Compat<tokio::io::DuplexStream>;

/// The ends that a test does not use; without them the pipe would be closed.
type Rest = (WriteHalf<Pipe>, ReadHalf<Pipe>);

/// A reader of frames and what writes to it, over a pipe of this capacity.
fn pipe(capacity: usize) -> (FrameReader<ReadHalf<Pipe>>, WriteHalf<Pipe>, Rest) {
    let (here, there) = tokio::io::duplex(capacity);
    let (read, back) = here.compat().split();
    let (other, write) = there.compat().split();
    (FrameReader::new(read), write, (back, other))
}

#[tokio::test]
async fn frames_come_back_however_they_are_cut() {
    for capacity in [1, 7, 64, 1 << 20] {
        let (mut reader, mut writer, _rest) = pipe(capacity);
        let mut bytes = Vec::new();
        put_hello(&mut bytes);
        put_envelope(&mut bytes, 1, &vec![7; 40_000]);
        put_ack(&mut bytes, 9);
        let written = tokio::spawn(async move {
            write(&mut writer, &bytes).await.unwrap();
            close(&mut writer).await.unwrap();
        });
        reader.hello().await.unwrap();
        assert!(matches!(reader.frame().await.unwrap(), Frame::Envelope { seq: 1, bytes } if bytes.len() == 40_000));
        assert_eq!(reader.frame().await.unwrap(), Frame::Ack { upto: 9 });
        assert_eq!(reader.ready(span(STALL_TIMEOUT)).await.unwrap(), Ready::End);
        written.await.unwrap();
    }
}

/// NET-8: nothing of the body is awaited, nor given a place.
#[tokio::test]
async fn a_frame_too_large_is_refused_at_its_head() {
    let (mut reader, mut writer, _rest) = pipe(64);
    let mut head = vec![2, 0, 0, 0, 0, 0, 0, 0, 1];
    head.extend_from_slice(&u32::try_from(MAX_ENVELOPE + 1).unwrap().to_be_bytes());
    writer.write_all(&head).await.unwrap();
    assert!(matches!(reader.frame().await, Err(StreamEnd::Frame(FrameError::Length { .. }))));
}

/// NET-6.
#[tokio::test]
async fn another_first_frame_is_no_hello() {
    let (mut reader, mut writer, _rest) = pipe(64);
    let mut bytes = Vec::new();
    put_ack(&mut bytes, 1);
    writer.write_all(&bytes).await.unwrap();
    assert!(matches!(reader.hello().await, Err(StreamEnd::Violation(_))));
}

/// NET-21.
#[tokio::test(start_paused = true)]
async fn a_frame_that_does_not_end_is_given_up() {
    let (mut reader, mut writer, _rest) = pipe(64);
    writer.write_all(&[2, 0, 0]).await.unwrap();
    assert_eq!(reader.ready(span(STALL_TIMEOUT)).await.unwrap(), Ready::Frame);
    assert!(matches!(reader.frame().await, Err(StreamEnd::Stalled)));
    drop(writer);
}

/// NET-21.
#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_given_up() {
    let (_reader, mut writer, _rest) = pipe(64);
    assert!(matches!(write(&mut writer, &[0; 1000]).await, Err(StreamEnd::Stalled)));
}

/// The deadline of a write is for each step: a slow reader is served, a stopped one is not.
#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_served() {
    let (mut reader, mut writer, _rest) = pipe(64);
    let mut bytes = Vec::new();
    for n in 1..=50 {
        put_ack(&mut bytes, n);
    }
    let written = tokio::spawn(async move { write(&mut writer, &bytes).await });
    // Far longer than the deadline in all.
    for n in 1..=50 {
        // The clock is paused: it jumps on as soon as the writer waits. Slowness is the input here.
        tokio::time::sleep(span(STALL_TIMEOUT) / 10).await;
        assert_eq!(reader.frame().await.unwrap(), Frame::Ack { upto: n });
    }
    written.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_takes_nothing_from_the_stream() {
    let (mut reader, mut writer, _rest) = pipe(64);
    assert_eq!(reader.ready(span(FRAME_TIMEOUT)).await.unwrap(), Ready::Idle);
    let mut bytes = Vec::new();
    put_ack(&mut bytes, 3);
    writer.write_all(&bytes[..4]).await.unwrap();
    assert_eq!(reader.ready(span(FRAME_TIMEOUT)).await.unwrap(), Ready::Frame);
    assert_eq!(reader.ready(span(FRAME_TIMEOUT)).await.unwrap(), Ready::Frame);
    writer.write_all(&bytes[4..]).await.unwrap();
    assert_eq!(reader.frame().await.unwrap(), Frame::Ack { upto: 3 });
}

#[tokio::test]
async fn an_end_within_a_frame_is_an_error() {
    let (mut reader, mut writer, _rest) = pipe(64);
    writer.write_all(&[3, 0, 0]).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(reader.ready(span(STALL_TIMEOUT)).await.unwrap(), Ready::Frame);
    assert!(matches!(reader.frame().await, Err(StreamEnd::Io(_))));
}
