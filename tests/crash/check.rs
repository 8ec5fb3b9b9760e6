//! What has to hold after a crash.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::calls::ask;
use crate::side::{Side, text_of};

/// Those of a direction, in order.
fn of<'a>(history: &'a [Value], direction: &'a str) -> Vec<&'a Value> {
    history.iter().filter(|message| message["direction"] == direction).collect()
}

fn id_of(message: &Value) -> String {
    message["message_id"].as_str().unwrap().to_owned()
}

fn label(text: &str) -> &str {
    text.split(' ').next().unwrap()
}

/// What somebody who died has: all that `send` returned for, and all that the other was told is stored; each once, in
/// order, without gaps.
pub fn at_rest(side: &Side, history: &[Value], held: &[String], others: &[Value]) -> Result<(), String> {
    let own = of(history, "out");
    let own: Vec<String> = own.into_iter().map(id_of).collect();
    let answered: Vec<&String> = side.wanted.iter().filter_map(|wanted| wanted.id.as_ref()).collect();
    let lost = side.wanted.iter().filter(|wanted| wanted.id.as_ref().is_some_and(|id| !own.contains(id)));
    let lost: Vec<&str> = lost.map(|wanted| label(&wanted.text)).collect();
    if !lost.is_empty() {
        return Err(format!("lost, though send had returned: {lost:?}"));
    }
    let in_order: Vec<&String> = own.iter().filter(|id| answered.contains(id)).collect();
    if in_order.len() != answered.len() {
        return Err(format!("{} messages are there more than once", in_order.len() - answered.len()));
    }
    let texts: Vec<String> = of(history, "in").into_iter().map(text_of).chain(held.iter().cloned()).collect();
    let told = of(others, "out").into_iter().filter(|m| m["state"] != "queued");
    let lost: Vec<String> = told.map(text_of).filter(|text| !texts.contains(text)).collect();
    if !lost.is_empty() {
        let lost: Vec<&str> = lost.iter().map(|text| label(text)).collect();
        return Err(format!("lost, though acknowledged: {lost:?}"));
    }
    if texts.iter().collect::<HashSet<_>>().len() != texts.len() {
        return Err("a message is there twice".to_owned());
    }
    if let Some(after) = history.iter().find(|message| message["gap"] != false) {
        return Err(format!("a gap before {}", label(&text_of(after))));
    }
    let read = of(history, "in").iter().filter(|message| message["state"] == "read").count();
    if read < side.read {
        return Err(format!("{read} messages are read, and were {}", side.read));
    }
    Ok(())
}

/// Waits until everything that anybody has said is delivered.
pub fn delivered(sides: &[Side; 2]) {
    for at in [0, 1] {
        let (side, other) = (&sides[at], &sides[1 - at]);
        let arrived = |message: &&&Value| message["state"] == "delivered" || message["state"] == "read";
        for message in of(&side.history(other.person.peer()), "out").iter().filter(|message| !arrived(message)) {
            let wait = json!({"message": message["message_id"], "wait": "delivered", "timeout_ms": 100_000});
            let shown = ask(side.node(), "message", &wait);
            assert!(
                ["delivered", "read"].contains(&shown["state"].as_str().unwrap()),
                "{}: {}",
                label(&text_of(message)),
                shown["state"]
            );
        }
    }
}

/// Both have the same conversation: all that was promised, each message once, in the order of its writer, no gaps;
/// nothing waits, and each has been told once.
pub fn both(sides: &[Side; 2]) {
    let histories = [0, 1].map(|at| sides[at].history(sides[1 - at].person.peer()));
    for at in [0, 1] {
        let (side, other) = (&sides[at], 1 - at);
        let seen = |messages: Vec<&Value>| -> Vec<(String, String)> {
            messages.into_iter().map(|message| (id_of(message), text_of(message))).collect()
        };
        let said = seen(of(&histories[at], "out"));
        assert_eq!(said, seen(of(&histories[other], "in")), "both see the same");
        let ids: Vec<&String> = said.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "each once");
        for wanted in &side.wanted {
            let there = said.iter().filter(|(_, text)| *text == wanted.text).count();
            assert!(there == 1 || (there == 0 && wanted.id.is_none()), "{there} times: {}", label(&wanted.text));
            assert!(wanted.id.as_ref().is_none_or(|id| ids.contains(&id)), "another ID: {}", label(&wanted.text));
        }
        assert!(said.iter().all(|(_, text)| side.wanted.iter().any(|wanted| wanted.text == *text)));
        assert!(histories[at].iter().all(|message| message["gap"] == false), "gaps");
        assert_eq!(ask(side.node(), "status", &json!({}))["outbox"], 0);
        told_once(side, &histories[at]);
    }
}

/// The log of events tells of each message once.
fn told_once(side: &Side, history: &[Value]) {
    let (mut since, mut told) = (json!(0), Vec::new());
    loop {
        let page = ask(side.node(), "events", &json!({"since": since}));
        let events = page["events"].as_array().unwrap();
        let new = events.iter().filter(|event| event["event"] == "message.new");
        told.extend(new.map(|event| event["message_id"].as_str().unwrap().to_owned()));
        if page["more"] == false {
            break;
        }
        since = page["next"].clone();
    }
    told.sort();
    let mut all: Vec<String> = history.iter().map(id_of).collect();
    all.sort();
    assert_eq!(told, all, "each is told once");
}
