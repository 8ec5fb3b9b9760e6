//! Calls on the socket of a node that may die before it answers.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use serde_json::{Value, json};

use crate::node::{Node, PATIENCE};

/// A call: method and parameters.
pub type Call = (&'static str, Value);

/// One call to a node that lives; its result.
pub fn ask(node: &Node, method: &'static str, params: &Value) -> Value {
    let answers = pour(node, &[(method, params.clone())]);
    let answer = answers[0].clone().unwrap_or_else(|| panic!("no answer to {method}; its log:\n{}", node.errors()));
    answer.unwrap_or_else(|error| panic!("{method} {params}: {error}"))
}

/// Writes all calls without waiting for answers, then gives what each was answered; `None` where the node died before.
pub fn pour(node: &Node, calls: &[Call]) -> Vec<Option<Result<Value, Value>>> {
    let mut answers = vec![None; calls.len()];
    let Ok(stream) = UnixStream::connect(node.socket()) else { return answers };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            for (id, (method, params)) in calls.iter().enumerate() {
                let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
                if writer.write_all(format!("{line}\n").as_bytes()).is_err() {
                    return;
                }
            }
        });
        let mut lines = BufReader::new(stream).lines();
        for _ in calls {
            // A line that was cut off is no answer.
            let line = lines.next().and_then(Result::ok);
            let Some(answer) = line.and_then(|line| serde_json::from_str::<Value>(&line).ok()) else { return };
            let id = usize::try_from(answer["id"].as_u64().unwrap()).unwrap();
            let error = answer["error"].clone();
            answers[id] = Some(if error.is_null() { Ok(answer["result"].clone()) } else { Err(error) });
        }
    });
    answers
}
