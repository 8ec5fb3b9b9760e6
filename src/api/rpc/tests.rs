use super::*;

/// Answers like the server of the specification's examples (section 7), so that they can run as they stand.
fn answer(line: &str) -> String {
    let one = |request: Result<Request, Box<Response>>| -> Option<Value> {
        let request = match request {
            Ok(request) => request,
            Err(response) => return Some(without_data(&response)),
        };
        let numbers = |names: [&str; 2]| match &request.params {
            Some(Value::Array(list)) => (list[0].as_i64(), list[1].as_i64()),
            Some(Value::Object(map)) => (map[names[0]].as_i64(), map[names[1]].as_i64()),
            _ => (None, None),
        };
        let outcome = match request.method.as_str() {
            "subtract" => {
                let (a, b) = numbers(["minuend", "subtrahend"]);
                Ok((a.unwrap() - b.unwrap()).into())
            }
            "sum" => Ok(7.into()),
            "get_data" => Ok(json!(["hello", 5])),
            "update" | "notify_hello" | "notify_sum" => Ok(Value::Null),
            _ => Err(ApiError::new(Code::UnknownMethod, "Method not found")),
        };
        request.id.map(|id| without_data(&Response { id, outcome }))
    };
    match parse(line.as_bytes()) {
        Incoming::One(request) => one(request).map(|v| v.to_string()).unwrap_or_default(),
        Incoming::Batch(calls) => {
            let answers: Vec<_> = calls.into_iter().filter_map(one).collect();
            if answers.is_empty() { String::new() } else { Value::Array(answers).to_string() }
        }
    }
}

fn shown(response: &Response) -> Value {
    serde_json::from_str(&response.to_line()).unwrap()
}

/// The specification's messages are examples and its objects carry no data.
fn without_data(response: &Response) -> Value {
    let mut value = shown(response);
    if let Some(error) = value.get_mut("error").and_then(Value::as_object_mut) {
        error.remove("data");
        error.remove("message");
    }
    value
}

#[test]
fn the_examples_of_the_specification() {
    for (question, expected) in [
        (
            r#"{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}"#,
            r#"{"jsonrpc":"2.0","result":19,"id":1}"#,
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}"#,
            r#"{"jsonrpc":"2.0","result":-19,"id":2}"#,
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#,
            r#"{"jsonrpc":"2.0","result":19,"id":3}"#,
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}"#,
            r#"{"jsonrpc":"2.0","result":19,"id":4}"#,
        ),
        (r#"{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}"#, ""),
        (r#"{"jsonrpc": "2.0", "method": "foobar"}"#, ""),
        (
            r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32601},"id":"1"}"#,
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32700},"id":null}"#,
        ),
        (
            r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32600},"id":null}"#,
        ),
        (
            r#"[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method""#,
            r#"{"jsonrpc":"2.0","error":{"code":-32700},"id":null}"#,
        ),
        ("[]", r#"{"jsonrpc":"2.0","error":{"code":-32600},"id":null}"#),
        ("[1]", r#"[{"jsonrpc":"2.0","error":{"code":-32600},"id":null}]"#),
        (
            "[1,2,3]",
            r#"[{"jsonrpc":"2.0","error":{"code":-32600},"id":null},{"jsonrpc":"2.0","error":{"code":-32600},"id":null},{"jsonrpc":"2.0","error":{"code":-32600},"id":null}]"#,
        ),
        (
            r#"[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}, {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"}, {"foo": "boo"}, {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"}, {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]"#,
            r#"[{"jsonrpc":"2.0","result":7,"id":"1"},{"jsonrpc":"2.0","result":19,"id":"2"},{"jsonrpc":"2.0","error":{"code":-32600},"id":null},{"jsonrpc":"2.0","error":{"code":-32601},"id":"5"},{"jsonrpc":"2.0","result":["hello",5],"id":"9"}]"#,
        ),
        (
            r#"[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]"#,
            "",
        ),
    ] {
        assert_eq!(answer(question), expected, "{question}");
    }
}

#[test]
fn what_is_almost_a_request_is_answered_with_its_id() {
    for (line, id) in [
        (r#"{"jsonrpc":"1.0","method":"status","id":3}"#, json!(3)),
        (r#"{"method":"status","id":"a"}"#, json!("a")),
        (r#"{"jsonrpc":"2.0","method":"status","params":7,"id":4}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","method":"status","id":{}}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","method":"status","id":true}"#, json!(null)),
        ("7", json!(null)),
        ("\"status\"", json!(null)),
    ] {
        let Incoming::One(Err(response)) = parse(line.as_bytes()) else { panic!("{line} was taken") };
        assert_eq!(shown(&response)["id"], id, "{line}");
        assert_eq!(shown(&response)["error"]["code"], -32600, "{line}");
    }
}

#[test]
fn an_id_of_null_is_a_request_and_not_a_notification() {
    let Incoming::One(Ok(request)) = parse(br#"{"jsonrpc":"2.0","method":"status","id":null}"#) else { panic!() };
    assert_eq!(request.id, Some(Id::NULL));
}

/// Numbers of any size and form, and texts, are for whoever asked to understand.
#[test]
fn an_id_comes_back_as_it_was_written() {
    for id in [
        "123456789012345678901234567890",
        "-18446744073709551617",
        "18446744073709551615",
        "1.5",
        "1.0",
        "-0",
        "1e5",
        "1E+300",
        "0.1234567890123456789012345678901234567890",
        "7",
        "\"7\"",
        "\"\"",
        "null",
    ] {
        let call = |of: &str| format!(r#"{{"jsonrpc":"2.0","method":"status","id":{of}}}"#);
        let Incoming::One(Ok(request)) = parse(call(id).as_bytes()) else { panic!("{id}") };
        assert_eq!(request.to_line(), call(id));
        let answer = Response { id: request.id.unwrap(), outcome: Ok(Value::Null) };
        assert_eq!(answer.to_line(), format!(r#"{{"jsonrpc":"2.0","result":null,"id":{id}}}"#));
        assert_eq!(parse_from_node(answer.to_line().as_bytes()), Ok(FromNode::Response(answer)));
        // The same among others, and where there is no request.
        let batch = format!("[7, {}, {}]", call("1.25"), call(id));
        let Incoming::Batch(calls) = parse(batch.as_bytes()) else { panic!("{batch}") };
        assert_eq!(calls[2].as_ref().unwrap().to_line(), call(id));
        let refused = format!(r#"{{"jsonrpc":"1.0","id":{id}}}"#);
        let Incoming::One(Err(refused)) = parse(refused.as_bytes()) else { panic!("{refused}") };
        assert!(refused.to_line().ends_with(&format!(r#","id":{id}}}"#)), "{}", refused.to_line());
    }
}

#[test]
fn other_bytes_and_deep_nesting_are_parse_errors() {
    for line in [&b""[..], b"\xff\xfe", &b"[".repeat(100_000)] {
        let Incoming::One(Err(response)) = parse(line) else { panic!() };
        assert_eq!(response.outcome.unwrap_err().number(), -32700);
    }
}

#[test]
fn a_batch_is_bounded() {
    let call = r#"{"jsonrpc":"2.0","method":"status"}"#;
    let line = |n| format!("[{}]", vec![call; n].join(","));
    assert!(matches!(parse(line(MAX_BATCH).as_bytes()), Incoming::Batch(calls) if calls.len() == MAX_BATCH));
    let Incoming::One(Err(response)) = parse(line(MAX_BATCH + 1).as_bytes()) else { panic!() };
    assert!(response.outcome.unwrap_err().is(Code::TooLarge));
}

#[test]
fn an_answer_comes_back_as_it_was_given() {
    let text = "tab\t, quote \", bell \u{7}, escape \u{1b}[31m, bidi \u{202e}, post \u{1f4ef}";
    let error = ApiError::new(Code::Ambiguous, text).with_candidates(vec![Candidate {
        peer_id: crate::base::PeerId::from_key_bytes([3; 32]),
        name: text.into(),
        given: true,
        contact: true,
        verified: false,
    }]);
    for outcome in [Ok(json!({"text": text})), Err(error)] {
        let response = Response { id: Id::number(1), outcome };
        let line = response.to_line();
        assert!(!line.contains('\n'));
        assert_eq!(parse_from_node(line.as_bytes()), Ok(FromNode::Response(response)));
    }
}
