use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::json;

use super::*;
use crate::base::limits::{MAX_RPC_CLIENTS, MAX_RPC_LINE, MAX_RPC_SPARES};

/// Speaks as a script does.
struct Raw {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Raw {
    fn new(place: &Place) -> Self {
        let stream = node::connect(place).unwrap().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { writer: stream.try_clone().unwrap(), reader: BufReader::new(stream) }
    }

    fn say(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).unwrap();
        self.writer.write_all(b"\n").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        if line.is_empty() { Value::Null } else { serde_json::from_str(&line).unwrap() }
    }
}

#[test]
fn the_socket_speaks_json_rpc() {
    let desk = Desk::new("A");
    let node = desk.node();
    let mut raw = Raw::new(&desk.place);
    raw.say("{");
    assert_eq!(raw.hear()["error"]["code"], -32700);
    raw.say("");
    // A notification is carried out, and not answered.
    raw.say(r#"{"jsonrpc":"2.0","method":"id.name","params":["Anna"]}"#);
    raw.say(
        r#"[{"jsonrpc":"2.0","method":"id.show","id":"a"},{"jsonrpc":"2.0","method":"policy.show"},
           {"jsonrpc":"2.0","method":"nonsense","id":2},7]"#
            .replace('\n', "")
            .as_str(),
    );
    let batch = raw.hear();
    assert_eq!(batch.as_array().unwrap().len(), 3);
    assert_eq!((&batch[0]["id"], &batch[0]["result"]["name"]), (&json!("a"), &json!("Anna")));
    assert_eq!((&batch[1]["id"], &batch[1]["error"]["data"]["code"]), (&json!(2), &json!("unknown_method")));
    assert_eq!((&batch[2]["id"], &batch[2]["error"]["code"]), (&json!(null), &json!(-32600)));
    raw.say(&" ".repeat(MAX_RPC_LINE + 1));
    assert_eq!(raw.hear()["error"]["data"]["code"], "too_large");
    // A wait does not keep others waiting, and is answered before the end.
    let friend = Desk::new("friend").peer();
    raw.say(
        &json!({"jsonrpc":"2.0","id":1,"method":"send","params":{"to":friend,"text":"x","wait":"read","timeout_ms":60_000}})
            .to_string(),
    );
    raw.say(r#"{"jsonrpc":"2.0","method":"policy.show","id":2}"#);
    assert_eq!(raw.hear()["id"], 2);
    raw.say(r#"{"jsonrpc":"2.0","method":"stop","id":3}"#);
    let mut last = [raw.hear(), raw.hear()];
    last.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!((&last[0]["id"], &last[0]["error"]["data"]["code"]), (&json!(1), &json!("stopping")));
    assert_eq!((&last[1]["id"], &last[1]["result"]["pid"]), (&json!(3), &json!(std::process::id())));
    node.shutdown().unwrap();
    assert_eq!(raw.hear(), Value::Null);
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let desk = Desk::new("A");
    let node = desk.node();
    let mut raw = Raw::new(&desk.place);
    // Without the end of the last line, as `printf | nc` has it.
    raw.writer.write_all(br#"{"jsonrpc":"2.0","method":"policy.show","id":1}"#).unwrap();
    raw.writer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(raw.hear()["result"]["policy"], "requests");
    assert_eq!(raw.hear(), Value::Null);
    node.shutdown().unwrap();
}

#[test]
fn calls_written_at_once_take_effect_in_their_order() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer().to_string();
    let other = Desk::new("other").peer().to_string();
    let node = desk.node();
    let mut raw = Raw::new(&desk.place);
    let call =
        |id: usize, method: &str, params: Value| json!({"jsonrpc":"2.0","id":id,"method":method,"params":params});
    let send = |id: usize, to: &str, text: String| call(id, "send", json!({"to": to, "text": text}));
    let mut lines = Vec::new();
    // Messages to a whole peer ID need not wait for each other.
    lines.extend((0..20).map(|n| send(n, &friend, format!("m{n}"))));
    // This one is refused, and holds nothing up.
    lines.push(send(20, &friend, String::new()));
    // These depend on those before them.
    lines.push(call(21, "history", json!({"who": friend})));
    lines.push(call(22, "contacts.rename", json!({"who": friend, "name": "Fritz"})));
    lines.push(send(23, "Fritz", "m20".into()));
    lines.push(send(24, &friend, "m21".into()));
    lines.push(call(25, "history", json!({"who": "Fritz"})));
    let batch = [
        send(26, &friend, "m22".into()),
        send(27, &other, "hello".into()),
        call(28, "inbox", json!({})),
        send(29, &friend, "m23".into()),
        call(30, "history", json!({"who": "Fritz", "limit": 1})),
    ];
    lines.push(Value::from(batch.to_vec()));
    raw.say(&lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));

    let texts = |answer: &Value| -> Vec<String> {
        answer["result"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect()
    };
    let upto = |end| (0..end).map(|n| format!("m{n}")).collect::<Vec<_>>();
    let answers: Vec<Value> = (0..27).map(|_| raw.hear()).collect();
    for (n, answer) in answers.iter().take(26).enumerate() {
        assert_eq!(answer["id"], n, "{answer}");
        assert_eq!(answer["error"].is_null(), n != 20, "{answer}");
    }
    assert_eq!(answers[20]["error"]["data"]["code"], "empty_text");
    assert_eq!(texts(&answers[21]), upto(20));
    assert_eq!(texts(&answers[25]), upto(22));
    let ids: Vec<_> = answers[26].as_array().unwrap().iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [26, 27, 28, 29, 30]);
    assert_eq!(answers[26][2]["result"].as_array().unwrap().len(), 2, "the inbox has both conversations");
    assert_eq!(texts(&answers[26][4]), ["m23"]);
    node.shutdown().unwrap();
}

#[test]
fn who_reads_slowly_misses_nothing_and_holds_nobody_up() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer().to_string();
    let node = desk.node();
    let mut slow = Raw::new(&desk.place);
    slow.say(r#"{"jsonrpc":"2.0","method":"listen","params":[0],"id":1}"#);
    let answer = slow.hear();
    let since: crate::api::Cursor = serde_json::from_value(answer["result"]["since"].clone()).unwrap();
    let mut seq = since.seq;
    // Far more than the buffers of a socket hold.
    let (count, text) = (500, "x".repeat(1_500));
    let mut client = desk.open();
    for _ in 0..count {
        client.ask::<method::Send>(&message(friend.clone(), &text)).unwrap();
    }
    let mut messages = 0;
    while messages < count {
        let event = slow.hear();
        assert_eq!((&event["method"], event["params"]["seq"].as_u64()), (&json!("event"), Some(seq + 1)));
        seq += 1;
        messages += usize::from(event["params"]["event"] == "message.new");
    }
    node.shutdown().unwrap();
}

/// As many clients as are served. A place of somebody who has just gone may still be his.
#[expect(clippy::disallowed_methods, reason = "a failure guard only")]
fn full_house(desk: &Desk) -> Vec<Raw> {
    let (mut clients, begun) = (Vec::new(), std::time::Instant::now());
    while clients.len() < MAX_RPC_CLIENTS {
        assert!(begun.elapsed() < PATIENCE, "{} of {MAX_RPC_CLIENTS} places", clients.len());
        let mut client = Raw::new(&desk.place);
        client.say(r#"{"jsonrpc":"2.0","method":"policy.show","id":1}"#);
        if client.hear()["result"].is_object() {
            clients.push(client);
        }
    }
    clients
}

#[test]
fn one_client_too_many_is_told() {
    let desk = Desk::new("A");
    let node = desk.node();
    let clients = full_house(&desk);
    let error = desk.open().ask::<method::PolicyShow>(&NoParams {}).unwrap_err();
    assert!(error.is(Code::TooManyClients), "{error:?}");
    // It is told under its own number, and not heard further.
    let mut raw = Raw::new(&desk.place);
    raw.say(r#"[{"jsonrpc":"2.0","method":"status","id":1},{"jsonrpc":"2.0","method":"inbox","id":2}]"#);
    let answer = raw.hear();
    assert_eq!(answer[0]["result"]["running"], true);
    assert_eq!((&answer[1]["id"], &answer[1]["error"]["data"]["code"]), (&json!(2), &json!("too_many_clients")));
    assert_eq!(raw.hear(), Value::Null);
    drop(clients);
    node.shutdown().unwrap();
}

/// However many there are already, and wait for nothing.
#[test]
fn how_the_node_is_and_its_end_always_have_a_place() {
    let desk = Desk::new("A");
    let node = desk.node();
    let clients = full_house(&desk);
    let idle: Vec<_> = (0..5 * MAX_RPC_SPARES).map(|_| Raw::new(&desk.place)).collect();
    assert!(look(&desk.place).running);
    assert!(doctor(&desk.place, &mut nobody).unwrap().running);
    // Each of them has made room for the next, and those that are served have not.
    let mut ended = 0;
    for mut raw in idle {
        raw.reader.get_ref().set_nonblocking(true).unwrap();
        let mut byte = [0];
        ended += usize::from(std::io::Read::read(&mut raw.reader, &mut byte).is_ok_and(|read| read == 0));
    }
    assert!(ended >= 5 * MAX_RPC_SPARES - MAX_RPC_SPARES, "{ended}");
    assert_eq!(desk.open().ask::<method::Stop>(&NoParams {}).unwrap().pid, std::process::id());
    node.shutdown().unwrap();
    for mut client in clients {
        assert_eq!(client.hear(), Value::Null);
    }
}

/// Closed, and not only silent: whether the node reads at the moment, or has enough of its waits.
#[test]
fn who_has_gone_is_waited_for_no_more() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer().to_string();
    let node = desk.node();
    let sent = desk.open().ask::<method::Send>(&message(friend, "x")).unwrap();
    let wait = |id: usize| {
        let params = json!({"message": sent.message_id, "wait": "read", "timeout_ms": 3_600_000});
        json!({"jsonrpc": "2.0", "method": "message", "params": params, "id": id}).to_string()
    };
    let mut clients = full_house(&desk);
    for (n, client) in clients.iter_mut().enumerate() {
        // One waits for so much that no more of its lines are read.
        (0..if n == 0 { 100 } else { 1 }).for_each(|id| client.say(&wait(id)));
    }
    assert!(desk.open().ask::<method::PolicyShow>(&NoParams {}).unwrap_err().is(Code::TooManyClients));
    drop(clients);
    // All of the places are free again.
    assert_eq!(full_house(&desk).len(), MAX_RPC_CLIENTS);
    node.shutdown().unwrap();
}

/// Who has said all, and reads on, is answered when it is time.
#[test]
fn who_has_only_said_all_is_waited_for() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer();
    let node = desk.node();
    let mut raw = Raw::new(&desk.place);
    let params = json!({"to": friend, "text": "x", "wait": "read", "timeout_ms": 3_600_000, "client_id": "c"});
    raw.say(&json!({"jsonrpc": "2.0", "method": "send", "params": params, "id": 1}).to_string());
    raw.writer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut client = desk.open();
    let mut events = client.events(Some(0.into())).unwrap();
    let event = until(&mut events, |event| matches!(event.kind, EventKind::MessageNew { .. }));
    let EventKind::MessageNew { message_id, .. } = event.kind else { panic!() };
    let cancel = crate::api::CancelParams { message: message_id.to_string() };
    assert_eq!(client.ask::<method::MessageCancel>(&cancel).unwrap().state, State::Undelivered);
    let answer = raw.hear();
    assert_eq!((&answer["id"], &answer["result"]["state"]), (&json!(1), &json!("undelivered")));
    assert_eq!(raw.hear(), Value::Null);
    node.shutdown().unwrap();
}

/// What somebody asked for who does not stay to hear of it.
#[test]
fn what_was_asked_before_the_end_is_carried_out() {
    let desk = Desk::new("A");
    let node = desk.node();
    let friend = Desk::new("friend").peer();
    let mut raw = Raw::new(&desk.place);
    let (count, mut lines) = (50, String::new());
    for n in 0..count {
        let params = json!({"to": friend, "text": n.to_string(), "wait": "read", "timeout_ms": 3_600_000});
        let call = json!({"jsonrpc": "2.0", "method": "send", "params": params, "id": n});
        lines.push_str(&format!("{call}\n"));
    }
    raw.writer.write_all(lines.as_bytes()).unwrap();
    drop(raw);
    let mut events = desk.open().events(Some(0.into())).unwrap();
    for n in 0..count {
        let event = until(&mut events, |event| matches!(event.kind, EventKind::MessageNew { .. }));
        let EventKind::MessageNew { message: Some(message), .. } = event.kind else { panic!() };
        assert_eq!(message.text, n.to_string());
    }
    node.shutdown().unwrap();
}
