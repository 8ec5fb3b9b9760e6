//! The protocol by hand, from the bytes of `docs/protocol/` upwards: what a second implementation would rely on.

use futures::{AsyncReadExt, AsyncWriteExt};
use rohrpost::base::WallTime;
use rohrpost::content::Item;
use rohrpost::envelope::frame::{Frame, RefuseReason, put_envelope, put_hello};
use serde_json::Value;

use crate::node::Node;
use crate::person::Person;
use crate::stranger::{ENVELOPES, Line, Stranger, Target, frames, spelled};

const HELLO: Frame = Frame::Hello { version: 1 };
const ACK: Frame = Frame::Ack { upto: 1 };

/// A node, and somebody who is connected with it by hand.
struct Desk {
    bob: Person,
    _node: Node,
    target: Target,
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new() -> Self {
        let bob = Person::new("Bob");
        let node = bob.on();
        let target = Target::parse(&node.addr());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { bob, _node: node, target, runtime }
    }

    /// A stranger with a session, and his connection.
    fn stranger(&self, number: u64) -> (Stranger, Line) {
        self.runtime.block_on(async {
            let mut stranger = Stranger::new(number);
            let line = stranger.connect(self.target, [127, 0, 0, 1]).await.unwrap();
            stranger.begin(&line, self.target).await.unwrap();
            (stranger, line)
        })
    }

    fn deliver(&self, line: &Line, envelopes: &[Vec<u8>]) -> Vec<Frame> {
        self.runtime.block_on(line.deliver(envelopes)).unwrap()
    }

    /// The texts of the one request there is.
    fn held(&self, from: &Stranger) -> Vec<String> {
        let detail = self.bob.one(&["requests", "show", &from.peer().to_string()]);
        detail["texts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|held: &Value| held["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// NET-3: everything in one breath, from the first word of multistream-select to the envelope.
#[test]
fn data_may_come_right_behind_the_proposal() {
    let desk = Desk::new();
    let (mut stranger, line) = desk.stranger(1);
    let request = stranger.request(desk.target, "In one breath");
    let frames = desk.runtime.block_on(async {
        let mut stream = line.raw().await.unwrap();
        let mut bytes = [spelled("/multistream/1.0.0"), spelled(ENVELOPES)].concat();
        put_hello(&mut bytes);
        put_envelope(&mut bytes, 1, &request);
        stream.write_all(&bytes).await.unwrap();
        stream.close().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let agreed = [spelled("/multistream/1.0.0"), spelled(ENVELOPES)].concat();
        frames(answer.strip_prefix(agreed.as_slice()).unwrap())
    });
    assert_eq!(frames, [HELLO, ACK]);
    assert_eq!(desk.held(&stranger), ["In one breath"]);
}

/// ENV-6, ENV-8: what is newer than the receiver is refused as such, and what comes behind it is taken; the kind
/// only says what is to open the payload.
#[test]
fn what_is_newer_is_refused_and_the_stream_lives_on() {
    let desk = Desk::new();
    let (mut stranger, line) = desk.stranger(2);
    let request = stranger.request(desk.target, "Of today");
    let with = |place: usize, byte: u8| {
        let mut changed = request.clone();
        changed[place] = byte;
        changed
    };
    let unsupported = |seq| Frame::Refusal { seq, reason: RefuseReason::Unsupported };
    // A newer version, a newer kind, a group message; then a first contact that says it is a message of a session,
    // which has another form.
    let told = desk.deliver(&line, &[with(0, 2), with(1, 9), with(1, 3), with(1, 1)]);
    let malformed = Frame::Refusal { seq: 4, reason: RefuseReason::Malformed };
    assert_eq!(told, [HELLO, unsupported(1), unsupported(2), unsupported(3), malformed]);
    assert!(desk.bob.all(&["requests"]).is_empty());
    assert_eq!(desk.deliver(&line, &[with(0, 2), request.clone()]), [HELLO, unsupported(1), Frame::Ack { upto: 2 }]);
    assert_eq!(desk.held(&stranger), ["Of today"]);
    // ENV-10: a second copy is acknowledged, and is no second message.
    assert_eq!(desk.deliver(&line, &[request]), [HELLO, ACK]);
    assert_eq!(desk.held(&stranger), ["Of today"]);
}

/// CON-23, CON-27: one body that is no message, and an item of a kind to come, do not hide what stands beside them.
#[test]
fn a_body_that_is_refused_does_not_hide_the_others() {
    let desk = Desk::new();
    let (mut stranger, line) = desk.stranger(3);
    let (first, last) = (stranger.message(desk.target, "First"), stranger.message(desk.target, "Last"));
    let broken = Item::Message { sent_at: WallTime(0), body: b"\xff".to_vec() };
    let unknown = Item::Unknown { kind: 99, bytes: vec![1, 2, 3] };
    let envelope = stranger.envelope(vec![broken, first, unknown, last]);
    assert_eq!(desk.deliver(&line, &[envelope]), [HELLO, ACK]);
    assert_eq!(desk.held(&stranger), ["First", "Last"]);
}

/// ID-31: each answer has another one-time prekey, and one that was used is gone: a second first contact that names it
/// is refused, whoever makes it.
#[test]
fn a_one_time_prekey_is_used_once() {
    let desk = Desk::new();
    let (mut stranger, line) = desk.stranger(4);
    let (answer, other) = desk.runtime.block_on(async { (line.card().await.unwrap(), line.card().await.unwrap()) });
    assert!(answer.prekey.is_some() && answer.prekey != other.prekey && answer.card == other.card);
    stranger.begin_with(answer.clone(), desk.target);
    let request = stranger.request(desk.target, "With a prekey");
    assert_eq!(desk.deliver(&line, &[request]), [HELLO, ACK]);

    let (mut thief, his) = desk.stranger(5);
    thief.begin_with(answer, desk.target);
    let stolen = thief.request(desk.target, "With the same");
    let refused = Frame::Refusal { seq: 1, reason: RefuseReason::PrekeyUnknown };
    assert_eq!(desk.deliver(&his, &[stolen]), [HELLO, refused]);
    assert_eq!(desk.bob.all(&["requests"]).len(), 1);
}
