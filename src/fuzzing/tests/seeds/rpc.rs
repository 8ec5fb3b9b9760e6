//! Seeds of the local API: a call of every method, and the answers of a node.

use super::{Seeds, seed};
use crate::api::rpc::{Id, Response, event_line};
use crate::api::{ApiError, Candidate, Code, Event, EventKind, METHODS, State};
use crate::base::{MessageId, PeerId, WallTime};

/// Parameters that some method takes.
const PARAMS: &str = r#"{"to":"ada","text":"hi","subject":"s","reply_to":"0a","client_id":"c","wait":"sent","timeout_ms":9,"message":"0a","unread":true,"limit":3,"who":"ada","before":"0a","upto":"0a","name":"Ada","number":"12345","clear":false,"policy":"contacts","since":4,"quota":1048576,"at":["/ip4/192.0.2.1/tcp/1/p2p/x"]}"#;

pub(super) fn lines() -> Seeds {
    let all: serde_json::Value = serde_json::from_str(PARAMS).unwrap();
    let mut seeds: Seeds = Vec::new();
    for method in METHODS {
        // Exactly the parameters it has: the names stand in what it says of one that it does not have.
        let params: serde_json::Map<_, _> = all
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, value)| {
                let one = serde_json::json!({ name.as_str(): value });
                let error = crate::api::Call::parse(method.name, Some(one)).err();
                !error.is_some_and(|error| error.message.contains("unknown field"))
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let call = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method.name, "params": params});
        assert!(crate::api::Call::parse(method.name, Some(call["params"].clone())).is_ok(), "{call}");
        seeds.push(seed(&method.name.replace('.', "-"), 0, call.to_string()));
    }
    let notification = r#"{"jsonrpc":"2.0","method":"status"}"#;
    let ada = Candidate {
        peer_id: PeerId::from_key_bytes([1; 32]),
        name: "Ada".to_owned(),
        given: true,
        contact: true,
        verified: true,
    };
    let error = ApiError::new(Code::Ambiguous, "two of them").with_candidates(vec![ada]);
    let answer = Response { id: Id::number(7), outcome: Ok(serde_json::json!({"a": [1, null, "\u{202e}"]})) };
    let refusal = Response { id: Id::NULL, outcome: Err(error) };
    let peer = PeerId::from_key_bytes([1; 32]);
    let event = EventKind::MessageState {
        conversation: peer,
        message_id: MessageId::new([1; 32]),
        state: State::Sent,
        name: "Bob".to_owned(),
        short_id: "010101".to_owned(),
    };
    let event = event_line(&Event::new(1, WallTime(1_700_000_000_000), event)).unwrap();
    seeds.extend([
        seed("notification", 0, notification),
        seed("by-position", 0, r#"{"jsonrpc":"2.0","method":"send","params":["bob","hi"],"id":"x"}"#),
        seed("batch", 0, format!("[{notification},{{\"foo\":1}},{notification}]")),
        seed("answer", 1, answer.to_line()),
        seed("refusal", 1, refusal.to_line()),
        seed("event", 1, event),
    ]);
    seeds
}
