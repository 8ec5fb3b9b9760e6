//! The lines of the local API.

use serde_json::Value;

use super::Bytes;
use crate::api::Call;
use crate::api::rpc::{FromNode, Id, Incoming, MAX_BATCH, Request, Response, parse, parse_from_node};

/// A line of a client, or one of a node.
pub(super) fn rpc(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 2 {
        0 => match parse(bytes.0) {
            Incoming::One(call) => one(call),
            Incoming::Batch(calls) => {
                assert!((1..=MAX_BATCH).contains(&calls.len()));
                calls.into_iter().fold(false, |any, call| one(call) | any)
            }
        },
        _ => {
            let Ok(understood) = parse_from_node(bytes.0) else { return false };
            if let FromNode::Response(response) = &understood {
                comes_back(response);
            }
            true
        }
    }
}

fn one(call: Result<Request, Box<Response>>) -> bool {
    match call {
        Ok(request) => {
            let line = request.to_line();
            assert!(!line.contains('\n'), "one value is one line");
            let params = request.params.clone();
            if !params.as_ref().is_some_and(has_fraction) {
                assert_eq!(parse(line.as_bytes()), Incoming::One(Ok(request.clone())));
            }
            match Call::parse(&request.method, params) {
                Ok(call) => assert_eq!(call.name(), request.method),
                Err(error) => comes_back(&Response { id: Id::NULL, outcome: Err(error) }),
            }
            true
        }
        Err(response) => {
            assert!(response.outcome.is_err());
            comes_back(&response);
            false
        }
    }
}

/// What a node answers, its client understands.
fn comes_back(response: &Response) {
    let line = response.to_line();
    assert!(!line.contains('\n'), "one value is one line");
    let fraction = response.outcome.as_ref().is_ok_and(has_fraction);
    let understood = parse_from_node(line.as_bytes()).expect("was written here");
    if !fraction {
        assert_eq!(understood, FromNode::Response(response.clone()));
    }
}

/// Fractions of parameters and results are read to the nearest that there is, which need not be the one that was written.
fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(list) => list.iter().any(has_fraction),
        Value::Object(map) => map.values().any(has_fraction),
        _ => false,
    }
}
