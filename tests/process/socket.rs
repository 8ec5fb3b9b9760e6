//! The socket as a careless, broken or foreign program uses it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::node::{Node, PATIENCE};
use crate::person::Person;
use crate::secrets::{NOBODY, is_root};

/// Bytes to the socket, and nothing of JSON-RPC known.
struct Wire(BufReader<UnixStream>);

impl Wire {
    fn to(node: &Node) -> Self {
        let stream = UnixStream::connect(node.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The next line; `Null` at the end.
    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        if line.is_empty() { Value::Null } else { serde_json::from_str(&line).unwrap() }
    }

    /// The answer to one line.
    fn ask(&mut self, line: &[u8]) -> Value {
        self.say(&[line, b"\n"].concat());
        self.hear()
    }

    /// The connection serves as before.
    fn is_served(&mut self) {
        assert_eq!(self.ask(br#"{"jsonrpc":"2.0","method":"policy.show","id":"sane"}"#)["id"], "sane");
    }
}

/// A peer of another user is turned away without a word, whoever it is: here root, whom no file mode stops.
#[test]
fn a_process_of_another_user_is_not_served() {
    if !is_root() {
        // Only root can be two users.
        assert!(std::env::var_os("ROHRPOST_REQUIRE_NETNS").is_none_or(|value| value != "1"), "this test needs root");
        eprintln!("skipped: only root can be two users");
        return;
    }
    let alice = Person::of_user(NOBODY).named("Alice");
    let node = alice.on();
    let mut foreign = Wire::to(&node);
    // It may be closed before this is written.
    let _ = foreign.0.get_mut().write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"id.show\",\"id\":1}\n");
    let mut answer = Vec::new();
    // What was not read by the other side makes the end of the connection an error.
    let _ = foreign.0.read_to_end(&mut answer);
    assert_eq!(String::from_utf8(answer).unwrap(), "");
    let log = String::from_utf8(node.log()).unwrap();
    assert!(log.contains("a client of another user was refused"), "{log}");
    // The own user is served.
    assert_eq!(alice.status()["running"], true);
    assert_eq!(alice.one(&["rpc", "id.show"])["name"], "Alice");
}

/// What is no request is answered with the number of its fault, and the connection goes on.
#[test]
fn what_is_no_request_is_answered_and_harms_nothing() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let mut wire = Wire::to(&node);
    let deep = |open: &str, depth: usize| open.repeat(depth).into_bytes();
    let nested =
        format!(r#"{{"jsonrpc":"2.0","method":"status","id":1,"params":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    let wrapped = format!(
        r#"{{"jsonrpc":"2.0","method":"send","id":7,"params":{}{}{}}}"#,
        r#"{"a":"#.repeat(100),
        1,
        "}".repeat(100)
    );
    for (line, code, id) in [
        (b"rubbish".to_vec(), -32700, json!(null)),
        (b"\xff\xfe\x00".to_vec(), -32700, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":1".to_vec(), -32700, json!(null)),
        (b"{} {}".to_vec(), -32700, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"method\":\"st\\ud800atus\",\"id\":1}".to_vec(), -32700, json!(null)),
        (deep("[", 100_000), -32700, json!(null)),
        (deep("{\"a\":", 100_000), -32700, json!(null)),
        (nested.into_bytes(), -32700, json!(null)),
        (wrapped.into_bytes(), -32602, json!(7)),
        (b"[]".to_vec(), -32600, json!(null)),
        (b"null".to_vec(), -32600, json!(null)),
        (b"1e400".to_vec(), -32700, json!(null)),
        (br#"{"jsonrpc":"2.0","method":"status","id":[1]}"#.to_vec(), -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","method":"status","params":"x","id":9}"#.to_vec(), -32600, json!(9)),
        (br#"{"jsonrpc":"2.0","method":"no.such","id":9}"#.to_vec(), -32601, json!(9)),
        (
            br#"{"jsonrpc":"2.0","method":"no","id":-12345678901234567890123}"#.to_vec(),
            -32601,
            json!(-1.2345678901234568e22),
        ),
        (br#"{"jsonrpc":"2.0","method":"rpc.discover.no","id":9}"#.to_vec(), -32601, json!(9)),
        (br#"{"jsonrpc":"2.0","method":"history","params":{"who":"x","limit":-1},"id":9}"#.to_vec(), -32602, json!(9)),
        (
            br#"{"jsonrpc":"2.0","method":"events","params":{"since":18446744073709551616},"id":9}"#.to_vec(),
            -32602,
            json!(9),
        ),
    ] {
        let answer = wire.ask(&line);
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{shown}: {answer}");
        assert!(answer["error"]["data"]["hint"].is_string(), "{shown}: {answer}");
        wire.is_served();
    }
}

/// A line is bounded, however it comes, and what follows it is a line again.
#[test]
fn a_line_that_is_too_long_is_skipped() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let mut wire = Wire::to(&node);
    let fits = |text: usize| {
        let head = r#"{"jsonrpc":"2.0","method":"resolve","id":1,"params":{"who":""#;
        format!("{head}{}\"}}}}", "x".repeat(text - head.len() - 3))
    };
    let longest = 1024 * 1024;
    assert_eq!(fits(longest).len(), longest);
    assert_eq!(wire.ask(fits(longest).as_bytes())["error"]["data"]["code"], "not_found");
    assert_eq!(wire.ask(fits(longest + 1).as_bytes())["error"]["data"]["code"], "too_large");
    wire.is_served();
    // Eight times as much, without an end of line for long: the node holds none of it.
    let before = rss(node.pid());
    for _ in 0..8 {
        wire.say(&vec![b'y'; longest]);
    }
    assert_eq!(wire.ask(b"")["error"]["data"]["code"], "too_large");
    assert!(rss(node.pid()) < before + 6 * 1024, "{} KiB, {before} KiB before", rss(node.pid()));
    wire.is_served();
    // A batch is bounded by its calls, too.
    let call = r#"{"jsonrpc":"2.0","method":"policy.show","id":1}"#;
    assert_eq!(wire.ask(format!("[{}]", vec![call; 100].join(",")).as_bytes()).as_array().unwrap().len(), 100);
    assert_eq!(wire.ask(format!("[{}]", vec![call; 101].join(",")).as_bytes())["error"]["data"]["code"], "too_large");
}

/// Resident memory of a process, in KiB.
pub fn rss(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Batches answer in their order, notifications are carried out and not answered, and the last line may lack its end.
#[test]
fn batches_notifications_and_a_line_without_end() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let mut wire = Wire::to(&node);
    let answers = wire.ask(
        br#"[{"jsonrpc":"2.0","method":"id.name","params":["One"],"id":1},{"jsonrpc":"2.0","method":"id.name","params":{"name":"Two"}},7,{"jsonrpc":"2.0","method":"id.show","id":"last"}]"#,
    );
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(null), &json!("last")]);
    assert_eq!((&answers[0]["result"]["name"], &answers[2]["result"]["name"]), (&json!("One"), &json!("Two")));
    assert_eq!(answers[1]["error"]["code"], -32600);
    // Nothing answers these, not even what is wrong with them.
    wire.say(b"[{\"jsonrpc\":\"2.0\",\"method\":\"id.name\",\"params\":[\"Three\"]},{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}]\n");
    wire.say(b"{\"jsonrpc\":\"2.0\",\"method\":\"id.name\",\"params\":{\"wrong\":1}}\n\n   \n");
    assert_eq!(wire.ask(br#"{"jsonrpc":"2.0","method":"id.show","id":2}"#)["result"]["name"], "Three");
    wire.say(br#"{"jsonrpc":"2.0","method":"id.show","id":3}"#);
    wire.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(wire.hear()["id"], 3);
    assert_eq!(wire.hear(), Value::Null);
}

/// Clients are bounded; one who writes a byte at a time, or reads nothing, holds up nobody.
#[test]
fn clients_are_bounded_and_a_slow_one_holds_up_nobody() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let mut clients: Vec<Wire> = (0..64).map(|_| Wire::to(&node)).collect();
    clients.iter_mut().for_each(Wire::is_served);
    let mut one_more = Wire::to(&node);
    assert_eq!(one_more.ask(br#"{"jsonrpc":"2.0","method":"status","id":1}"#)["result"]["running"], true);
    let refused = one_more.ask(br#"{"jsonrpc":"2.0","method":"inbox","id":2}"#);
    assert_eq!((&refused["error"]["data"]["code"], &refused["id"]), (&json!("too_many_clients"), &json!(2)));
    assert_eq!(one_more.hear(), Value::Null);
    assert_eq!(alice.status()["running"], true);
    let (message, hint) = ("the node serves 64 clients already", "close other clients, or try again in a moment");
    let error = alice.fails(&["inbox"], 5);
    assert_eq!(error, json!({"code": "too_many_clients", "exit": 5, "message": message, "hint": hint}));

    // The first never ends its line, the second never reads what it asks for, again and again.
    clients[0].say(b"{");
    clients[1].0.get_ref().set_nonblocking(true).unwrap();
    let call = [&br#"{"jsonrpc":"2.0","method":"status","id":1}"#[..], b"\n"].concat();
    let mut written = 0;
    while let Ok(bytes) = clients[1].0.get_mut().write(&call) {
        written += bytes;
        assert!(written < 64 * 1024 * 1024, "the node takes whatever comes, and nobody reads its answers");
    }
    clients[2].is_served();
    clients[0].say(br#""jsonrpc":"2.0","method":"id.show","id":"late"}"#);
    for byte in b"\n{\"jsonrpc\":\"2.0\",\"method\":\"id.show\",\"id\":\"slow\"}\n" {
        clients[0].say(&[*byte]);
    }
    assert_eq!((&clients[0].hear()["id"], &clients[0].hear()["id"]), (&json!("late"), &json!("slow")));
    // A place that is given back can be taken.
    drop(clients);
    loop {
        let mut again = Wire::to(&node);
        again.say(b"{\"jsonrpc\":\"2.0\",\"method\":\"id.show\",\"id\":1}\n");
        if again.hear()["id"] == 1 {
            break;
        }
    }
    node.off();
}

/// The same key sends nothing twice: at the same moment, later, after a restart and after a kill. For another message
/// it is refused.
#[test]
fn a_client_id_sends_once() {
    const AT_ONCE: usize = 8;
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let node = alice.on();
    let params = |text: &str| json!({"to": bob.peer(), "text": text, "client_id": "the key"});
    let mut calls: Vec<_> = (0..AT_ONCE).map(|_| node.call()).collect();
    calls.iter_mut().for_each(|call| assert!(call.write("send", &params("Once"))));
    let mut ids: Vec<Value> = calls.iter_mut().map(|call| call.read()["result"]["message_id"].clone()).collect();
    let again =
        |peer: &str, text: &str| ["send", peer, text, "--client-id", "the key", "--wait", "queued"].map(str::to_owned);
    let say = |text: &str| alice.one(&again(bob.peer(), text).each_ref().map(String::as_str))["message_id"].clone();
    node.kill();
    ids.push(say("Once"));
    let node = alice.on();
    ids.push(say("Once"));
    assert!(ids[0].is_string() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    // Another text, another recipient, another subject: it is another message.
    let carol = Person::new("Carol");
    for args in [again(bob.peer(), "Twice"), again(carol.peer(), "Once")] {
        let error = alice.fails(&args.each_ref().map(String::as_str), 1);
        assert_eq!(error["code"], "client_id_reused");
        assert!(error["hint"].as_str().unwrap().contains("of its own"), "{error}");
    }
    assert_eq!(alice.texts(&bob), ["Once"]);
    // Eight at once with eight texts: one of them is it.
    let mut calls: Vec<_> = (0..AT_ONCE).map(|_| node.call()).collect();
    for (i, call) in calls.iter_mut().enumerate() {
        assert!(call.write("send", &json!({"to": bob.peer(), "text": format!("text {i}"), "client_id": "another"})));
    }
    let answers: Vec<Value> = calls.iter_mut().map(crate::node::Rpc::read).collect();
    let sent = answers.iter().filter(|answer| answer["result"]["message_id"].is_string()).count();
    let refused = answers.iter().filter(|answer| answer["error"]["data"]["code"] == "client_id_reused").count();
    assert_eq!((sent, refused), (1, AT_ONCE - 1), "{answers:?}");
    // Unsound keys.
    let long = "k".repeat(129);
    assert_eq!(alice.fails(&["send", bob.peer(), "Hi", "--client-id", &long], 1)["code"], "too_long");
    assert_eq!(alice.fails(&["send", bob.peer(), "Hi", "--client-id", ""], 2)["code"], "usage");
    // Nor on the socket, whatever the message is found by, and however the node is reached.
    let mut call = node.call();
    let message = &ids[0];
    let empty = [
        ("send", json!({"to": bob.peer(), "text": "Hi", "client_id": ""})),
        ("send", json!({"to": bob.peer(), "text": "Hi", "client_id": "", "reply_to": message})),
        ("reply", json!({"message": message, "text": "Hi", "client_id": ""})),
    ];
    for (method, params) in &empty {
        let error = &call.ask(method, params)["error"];
        assert_eq!(
            (&error["data"]["code"], &error["message"]),
            (&json!("invalid_params"), &json!("the client ID is empty"))
        );
        assert!(error["data"]["hint"].as_str().unwrap().contains("leave it out"), "{error}");
    }
    let error = alice.fails(&["send", &format!("{},{}", bob.peer(), carol.peer()), "Hi", "--client-id", "k"], 2);
    assert_eq!(error["code"], "usage");
    node.off();
    let (method, params) = &empty[0];
    assert_eq!(alice.fails(&["rpc", method, &params.to_string()], 2)["code"], "invalid_params");
    assert_eq!(alice.texts(&bob).len(), 2);
}
