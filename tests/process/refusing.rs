//! Recipients who take nothing, against a real node: what they cost in a minute (NET-95, NET-96).

use std::fs;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use rohrpost::envelope::exchange::CardResponse;
use rohrpost::envelope::frame::{self, Frame};
use serde_json::json;

use crate::node::{Node, becomes};
use crate::person::{Person, TCP};
use crate::stranger::{CARDS, ENVELOPES, Line, Manner, Stranger, Target};

/// What a recipient does with each envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meets {
    Refuses(u8),
    /// Acknowledges up to this number.
    Acknowledges(u64),
    /// Refuses the one behind it.
    RefusesTheNext,
    /// Answers with an envelope.
    Envelope,
    /// Answers with a frame of four gigabytes.
    Overlong,
    Breaks,
    Closes,
    Silent,
}

const ALL: [Meets; 16] = [
    Meets::Refuses(1),
    Meets::Refuses(2),
    Meets::Refuses(3),
    Meets::Refuses(4),
    Meets::Refuses(5),
    Meets::Refuses(6),
    Meets::Refuses(99),
    Meets::Acknowledges(0),
    Meets::Acknowledges(u64::MAX),
    Meets::Acknowledges(77),
    Meets::RefusesTheNext,
    Meets::Envelope,
    Meets::Overlong,
    Meets::Breaks,
    Meets::Closes,
    Meets::Silent,
];

/// Answers the question for the card.
pub async fn give_card(mut stream: impl futures::AsyncRead + futures::AsyncWrite + Unpin, card: &[u8]) {
    let mut question = [0; 2];
    if stream.read_exact(&mut question).await.is_ok() {
        let answer = CardResponse { card: card.to_vec(), prekey: None }.encode().unwrap();
        let _ = stream.write_all(&answer).await;
        let _ = stream.close().await;
    }
}

/// Meets the envelopes of a stream; `seen` is told of each.
pub async fn meet(
    mut stream: impl futures::AsyncRead + futures::AsyncWrite + Unpin,
    meets: Meets,
    seen: impl Fn(),
) -> std::io::Result<()> {
    let mut out = Vec::new();
    frame::put_hello(&mut out);
    stream.write_all(&out).await?;
    stream.flush().await?;
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        while let Some((frame, used)) = frame::decode(&bytes).map_err(std::io::Error::other)? {
            bytes.drain(..used);
            let Frame::Envelope { seq, .. } = frame else { continue };
            seen();
            let head =
                |kind: u8, number: u64, len: u32| [&[kind][..], &number.to_be_bytes(), &len.to_be_bytes()].concat();
            let answer = match meets {
                Meets::Refuses(reason) => [head(4, seq, 1), vec![reason]].concat(),
                Meets::Acknowledges(upto) => head(3, upto, 0),
                Meets::RefusesTheNext => [head(4, seq + 1, 1), vec![5]].concat(),
                Meets::Envelope => [head(2, 1, 3), b"abc".to_vec()].concat(),
                Meets::Overlong => head(3, seq, u32::MAX),
                Meets::Silent => continue,
                Meets::Breaks => return Ok(()),
                Meets::Closes => return stream.close().await,
            };
            stream.write_all(&answer).await?;
            stream.flush().await?;
        }
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// Bytes that a process has written to disks, and its processor time in ticks of 10 ms.
fn cost(node: &Node) -> (u64, u64) {
    let io = fs::read_to_string(format!("/proc/{}/io", node.pid())).unwrap();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let after: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (written, after[11].parse::<u64>().unwrap() + after[12].parse::<u64>().unwrap())
}

async fn connected(number: u64, meets: Meets, target: Target) -> (Stranger, Line) {
    let stranger = Stranger::new(number);
    let card: &'static [u8] = Box::leak(stranger.card().into_boxed_slice());
    let from = [127, 0, 1, u8::try_from(number % 200).unwrap() + 1];
    let line = stranger.connect_as(target, from, Manner::Recipient(meets, card)).await.unwrap();
    (stranger, line)
}

/// One minute with each at the same time.
#[test]
#[ignore = "takes a minute by itself; its figures stand in docs/threat-model.md"]
fn nobody_makes_a_node_try_without_end() {
    let alice = Person::new("Alice");
    let node = Node::start(&alice, TCP, &[]);
    let target = Target::parse(&node.addr());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let all = ALL.iter().enumerate().map(|(number, meets)| connected(7_000 + number as u64, *meets, target));
    let lines = runtime.block_on(futures::future::join_all(all));
    for (stranger, _) in &lines {
        alice.one(&["contacts", "add", &stranger.peer().to_string()]);
        for text in ["one", "two", "three"] {
            alice.one(&["rpc", "send", &format!(r#"{{"to":"{}","text":"{text}"}}"#, stranger.peer())]);
        }
    }
    // What the user has done is written by then.
    let before = cost(&node);
    let envelopes = |line: &Line| line.proposed().iter().filter(|what| *what == "envelope").count();
    becomes("something is tried with each", || lines.iter().all(|(_, line)| envelopes(line) > 0));
    std::thread::sleep(Duration::from_secs(60));
    let (written, ticks) = cost(&node);
    let (written, ticks) = (written - before.0, ticks - before.1);
    for ((_, line), meets) in lines.iter().zip(ALL) {
        let cards = line.proposed().iter().filter(|what| *what == CARDS).count();
        let streams = line.proposed().iter().filter(|what| *what == ENVELOPES).count();
        eprintln!("{meets:?}: {} envelopes, {streams} streams, {cards} card questions", envelopes(line));
        assert!(streams + cards <= 20, "{meets:?}: {streams} streams, {cards} card questions");
        assert!(envelopes(line) <= 3 * 20, "{meets:?}: {} envelopes", envelopes(line));
    }
    eprintln!("of all {}: {} KiB written, {} ms of a processor", ALL.len(), written / 1024, ticks * 10);
    assert!(written <= ALL.len() as u64 * 1024 * 1024, "{written} bytes written");
    assert!(ticks * 10 <= ALL.len() as u64 * 600, "{} ms", ticks * 10);
}

/// How contacts meet what waits for them who come and go.
const COMERS: [Meets; 5] = [Meets::Refuses(5), Meets::Refuses(4), Meets::Breaks, Meets::Closes, Meets::Silent];
/// So much waits for each.
const WAITING: usize = 100;

/// Connects each second for a minute. What the node has proposed in all that time, and how often there was a connection.
async fn comes_and_goes(stranger: &Stranger, number: usize, meets: Meets, target: Target) -> (Vec<String>, usize) {
    let card: &'static [u8] = Box::leak(stranger.card().into_boxed_slice());
    let from = [127, 0, 2, u8::try_from(number).unwrap() + 1];
    let (mut seen, mut came) = (Vec::new(), 0);
    let mut each = tokio::time::interval(Duration::from_secs(1));
    each.tick().await;
    for _ in 0..60 {
        let line = stranger.connect_as(target, from, Manner::Recipient(meets, card)).await;
        each.tick().await;
        if let Ok(line) = line {
            seen.extend(line.proposed());
            came += 1;
        }
    }
    (seen, came)
}

/// Whoever was accepted, takes nothing and connects again each second gets no window of all that waits at each try.
#[test]
#[ignore = "takes a minute by itself; its figures stand in docs/threat-model.md"]
fn nobody_who_comes_and_goes_gets_a_window_each_time() {
    let alice = Person::new("Alice");
    let node = Node::start(&alice, TCP, &[]);
    let target = Target::parse(&node.addr());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut rpc = node.call();
    let mut strangers: Vec<Stranger> = (0..COMERS.len() as u64).map(|number| Stranger::new(8_000 + number)).collect();
    for (number, stranger) in strangers.iter_mut().enumerate() {
        runtime.block_on(async {
            let line = stranger.connect(target, [127, 0, 2, u8::try_from(number).unwrap() + 1]).await.unwrap();
            stranger.begin(&line, target).await.unwrap();
            let request = stranger.request(target, "Let me in");
            let answer = line.deliver(&[request]).await.unwrap();
            assert!(answer.iter().any(|frame| matches!(frame, Frame::Ack { .. })), "{answer:?}");
        });
        let peer = stranger.peer().to_string();
        alice.all(&["requests", "accept", &peer]);
        for text in 0..WAITING {
            let sent = rpc.ask("send", &json!({"to": peer, "text": text.to_string()}));
            assert_eq!(sent["result"]["state"], "queued", "{sent}");
        }
    }
    let before = cost(&node);
    let all = strangers.iter().zip(COMERS).enumerate();
    let all = all.map(|(number, (stranger, meets))| comes_and_goes(stranger, number, meets, target));
    let seen = runtime.block_on(futures::future::join_all(all));
    let (written, ticks) = cost(&node);
    let (written, ticks) = (written - before.0, ticks - before.1);
    for ((seen, came), meets) in seen.iter().zip(COMERS) {
        let count = |what: &str| seen.iter().filter(|seen| *seen == what).count();
        let (envelopes, streams, cards) = (count("envelope"), count(ENVELOPES), count(CARDS));
        eprintln!("{meets:?}: came {came} times, {envelopes} envelopes, {streams} streams, {cards} card questions");
        assert!(*came > 20 && envelopes > 0, "{meets:?}: came {came} times, {envelopes} envelopes");
        assert!(streams + cards <= 20, "{meets:?}: {streams} streams, {cards} card questions");
        // Beside the one message goes what is none: that they are accepted.
        assert!(envelopes <= WAITING + 2 * 20, "{meets:?}: {envelopes} envelopes");
    }
    eprintln!("of all {}: {} KiB written, {} ms of a processor", COMERS.len(), written / 1024, ticks * 10);
    assert!(written <= COMERS.len() as u64 * 1024 * 1024, "{written} bytes written");
    assert!(ticks * 10 <= COMERS.len() as u64 * 1_200, "{} ms", ticks * 10);
}
