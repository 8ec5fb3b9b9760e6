//! The load process: this test binary, started again to be many strangers at once. It tells in lines of JSON what it
//! did, and goes on until it is killed, or is done.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::AsyncWriteExt;
use rohrpost::envelope::frame::{Frame, put_envelope, put_hello};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::stranger::{CARDS, ENVELOPES, Line, Stranger, Target, spelled, tcp};
use crate::{quic, shares};

/// Names what this process is to do: `<what> <how many> <address of the node>`.
pub const ORDER: &str = "ROHRPOST_TEST_LOAD";
/// Streams of one connection that are left half open: as many as a stranger may have beside others, and more than that.
const HALF_OPEN: [u64; 2] = [11, 60];
/// How many of these say nothing more.
const SILENT: u64 = 3;
/// Strangers at a time.
pub const AT_ONCE: usize = 16;

#[test]
#[ignore = "the load of other tests, in a process of its own"]
fn load() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let (count, target) = (words[1].parse().unwrap(), Target::parse(words[2]));
    let limit = raise_open_files();
    // The test's name stands on this line.
    println!();
    say(&json!({"load": words[0], "open_files": limit}));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match words[0] {
            "crowd" => crowd(count, target).await,
            "single" => single(count, target).await,
            "marks" => shares::marks(count, target).await,
            "boxes" => shares::boxes(count, target).await,
            "large" => large(count, target).await,
            "connections" => connections(count, target).await,
            "slow" => slow(count, target).await,
            "quic-connections" => quic::connections(count, target).await,
            "quic-half-open" => quic::half_open(count, target).await,
            "quic-garbage" => quic::garbage(count, target).await,
            "quic-streams" => quic::streams(count, target).await,
            other => panic!("{other}"),
        }
    });
}

pub fn say(line: &Value) {
    println!("{line}");
}

/// Takes as many descriptors as the system gives; how many.
fn raise_open_files() -> u64 {
    let highest = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: highest, maximum: highest }).unwrap();
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// An address of the local network for each: the bound per IP address is not what holds these back.
pub fn from(number: u64) -> [u8; 4] {
    let [.., a, b] = (number + 257).to_be_bytes();
    [127, 3, a, b.max(1)]
}

/// Each peer sends one request, as good as any, and hears what everybody hears.
async fn crowd(count: u64, target: Target) {
    let (places, denied) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let denied = Arc::clone(&denied);
        tasks.spawn(async move {
            let mut stranger = Stranger::new(number);
            while let Err(_turned_away) = ask_once(&mut stranger, number, target).await {
                denied.fetch_add(1, Ordering::Relaxed);
            }
            drop(place);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    say(&json!({"done": "crowd", "acknowledged": count, "turned_away": denied.load(Ordering::Relaxed)}));
}

async fn ask_once(stranger: &mut Stranger, number: u64, target: Target) -> io::Result<()> {
    let line = stranger.connect(target, from(number)).await?;
    stranger.begin(&line, target).await?;
    let request = stranger.request(target, &format!("Request {number}"));
    let frames = line.deliver(&[request]).await?;
    if frames.len() < 2 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    assert_eq!(frames, [Frame::Hello { version: 1 }, Frame::Ack { upto: 1 }], "stranger {number}");
    assert_small_talk(&line);
    Ok(())
}

/// A node opens nothing to a stranger but libp2p's own protocols.
pub fn assert_small_talk(line: &Line) {
    for protocol in line.proposed() {
        assert!(
            ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"].contains(&protocol.as_str()),
            "{protocol}"
        );
    }
}

/// One peer sends all of them, far beyond his rate, and comes back when he is cut off.
async fn single(count: u64, target: Target) {
    let mut stranger = Stranger::new(1_000_000);
    let (mut sent, mut acknowledged, mut refused, mut streams) = (0, 0, 0, 0);
    let mut line = stranger.connect(target, [127, 0, 0, 1]).await.unwrap();
    stranger.begin(&line, target).await.unwrap();
    while sent < count {
        let some = (count - sent).min(400);
        let envelopes: Vec<_> = (0..some).map(|i| stranger.request(target, &format!("Again {}", sent + i))).collect();
        match line.deliver(&envelopes).await {
            Ok(frames) => {
                let mut settled = 0;
                for frame in &frames[1.min(frames.len())..] {
                    match frame {
                        Frame::Ack { upto } => {
                            acknowledged += upto - settled;
                            settled = *upto;
                        }
                        Frame::Refusal { seq, .. } => {
                            refused += 1;
                            settled = *seq;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                streams += 1;
                sent += some;
            }
            Err(_) => line = stranger.connect(target, [127, 0, 0, 1]).await.unwrap(),
        }
    }
    say(&json!({"done": "single", "sent": sent, "acknowledged": acknowledged, "refused": refused, "streams": streams}));
}

/// Frames of 1 MiB, and envelopes of the largest size with nothing in them.
async fn large(count: u64, target: Target) {
    let mut refused = 0;
    for number in 0..count {
        let stranger = Stranger::new(2_000_000 + number);
        let line = stranger.connect(target, from(number)).await.unwrap();
        let mut huge = Vec::new();
        put_hello(&mut huge);
        huge.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x10, 0, 0]);
        huge.resize(huge.len() + 1024 * 1024, 7);
        let frames = line.say(&huge).await.unwrap();
        assert!(!frames.iter().any(|frame| matches!(frame, Frame::Ack { .. })), "{frames:?}");
        for _ in 0..4 {
            let frames = line.deliver(&vec![vec![1; 77_824]; 50]).await.unwrap();
            assert!(!frames.iter().any(|frame| matches!(frame, Frame::Ack { .. })), "{frames:?}");
            refused += frames.iter().filter(|frame| matches!(frame, Frame::Refusal { .. })).count();
        }
    }
    say(&json!({"done": "large", "peers": count, "refused": refused}));
}

/// Connections on which nothing is said, all held.
async fn connections(count: u64, target: Target) {
    let mut held: Vec<TcpStream> = Vec::new();
    let mut failed = 0;
    for number in 0..count {
        // Two thirds from one address, the others each from its own.
        let origin = if number % 3 == 0 { from(number) } else { [127, 0, 0, 1] };
        match tcp(target.addr, origin).await {
            Ok(stream) => held.push(stream),
            Err(_) => failed += 1,
        }
    }
    let open = held.iter().filter(|stream| stream.try_read(&mut [0]).is_err()).count();
    say(&json!({"event": "attacking", "opened": held.len(), "failed": failed, "still_open": open}));
    std::future::pending::<()>().await;
}

/// Peers who write a byte at a time, read nothing, and leave every stream half open, each full to the brim.
async fn slow(count: u64, target: Target) {
    let mut lines = Vec::new();
    let mut denied = 0;
    for number in 0..count {
        let stranger = Stranger::new(3_000_000 + number);
        match stranger.connect(target, from(number)).await {
            Ok(line) => lines.push(Arc::new(line)),
            Err(_) => denied += 1,
        }
    }
    let (mut tasks, full) = (tokio::task::JoinSet::new(), Arc::new(AtomicU64::new(0)));
    let mut streams = 0;
    for (line, half_open_streams) in lines.iter().zip(HALF_OPEN.into_iter().cycle()) {
        streams += half_open_streams;
        tasks.spawn(drip(Arc::clone(line), ENVELOPES));
        tasks.spawn(drip(Arc::clone(line), CARDS));
        tasks.spawn(deaf(Arc::clone(line)));
        for stream in 0..half_open_streams {
            tasks.spawn(half_open(Arc::clone(line), Arc::clone(&full), stream < SILENT));
        }
    }
    // Every stream was filled, or was taken away.
    while full.load(Ordering::Relaxed) < streams {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say(&json!({"event": "attacking", "connections": lines.len(), "denied": denied, "half_open": streams}));
    while tasks.join_next().await.is_some() {}
    std::future::pending::<()>().await;
}

/// A byte, and a pause, and a byte.
async fn drip(line: Arc<Line>, protocol: &str) -> io::Result<()> {
    loop {
        let mut stream = line.open(protocol).await?;
        let mut bytes = Vec::new();
        put_hello(&mut bytes);
        put_envelope(&mut bytes, 1, &[1; 1_000]);
        for byte in bytes {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
                break;
            }
        }
    }
}

/// Asks again and again, and reads no answer.
async fn deaf(line: Arc<Line>) -> io::Result<()> {
    let mut kept = Vec::new();
    loop {
        let mut stream = line.open(ENVELOPES).await?;
        let mut bytes = Vec::new();
        put_hello(&mut bytes);
        (1..=100).for_each(|seq| put_envelope(&mut bytes, seq, &[1; 256]));
        let _ = stream.write_all(&bytes).await;
        kept.push(stream);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Begins to agree upon a protocol and never ends. As there is a bound to streams in this state, the others are not even
/// looked at: these are filled, for as long as anything is taken.
async fn half_open(line: Arc<Line>, full: Arc<AtomicU64>, silent: bool) -> io::Result<()> {
    let stream = line.raw().await;
    let begun = async {
        let mut stream = stream?;
        stream.write_all(&spelled("/multistream/1.0.0")[..7]).await?;
        stream.flush().await?;
        if silent {
            return io::Result::Ok(stream);
        }
        loop {
            stream.write_all(&[0; 16 * 1024]).await?;
            stream.flush().await?;
        }
    };
    // Where no more is taken, there is nothing to wait for but the other side.
    let kept = tokio::time::timeout(Duration::from_secs(2), begun).await;
    full.fetch_add(1, Ordering::Relaxed);
    std::future::pending::<()>().await;
    drop(kept);
    Ok(())
}
