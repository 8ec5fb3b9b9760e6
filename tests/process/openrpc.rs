//! The OpenRPC document against a node: every result, error and event is as it says.

use serde_json::{Map, Value, json};

use crate::node::Rpc;
use crate::person::{Person, TCP, contacts};

struct Document(Value);

impl Document {
    fn of(person: &Person) -> Self {
        Self(person.one(&["openrpc"]))
    }

    fn methods(&self) -> &[Value] {
        self.0["methods"].as_array().unwrap()
    }

    fn method(&self, name: &str) -> &Value {
        self.methods().iter().find(|method| method["name"] == name).unwrap_or_else(|| panic!("{name} is not told of"))
    }

    /// What is wrong with a value by its schema: JSON Schema draft 7, as far as the document uses it. An object has the
    /// fields that the schema knows and no others: a client that is made from it would not see them.
    fn faults(&self, value: &Value, schema: &Value, at: &str, found: &mut Vec<String>) {
        if let Some(target) = schema["$ref"].as_str() {
            return self.faults(value, self.0.pointer(&target[1..]).unwrap(), at, found);
        }
        for all in schema["allOf"].as_array().into_iter().flatten() {
            self.faults(value, all, at, found);
        }
        if let Some(any) = ["anyOf", "oneOf"].iter().find_map(|of| schema[*of].as_array()) {
            let fits = |one: &&Value| {
                let mut wrong = Vec::new();
                self.faults(value, &merged(schema, one), at, &mut wrong);
                wrong.is_empty()
            };
            if any.iter().filter(fits).count() == 0 {
                found.push(format!("{at}: {value} is none of {}", any.len()));
            }
            return;
        }
        if schema.get("const").is_some_and(|word| word != value)
            || schema["enum"].as_array().is_some_and(|words| !words.contains(value))
        {
            found.push(format!("{at}: {value} is another word"));
        }
        let kinds = match &schema["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let is_number = kind(value) == "integer" && kinds.contains(&"number");
        if !kinds.contains(&kind(value)) && !is_number {
            return found.push(format!("{at}: {value} is no {kinds:?}"));
        }
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            self.faults(item, &schema["items"], &format!("{at}[{i}]"), found);
        }
        let Some(fields) = value.as_object() else { return };
        for missing in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(missing) {
                found.push(format!("{at}: {missing} is missing"));
            }
        }
        for (name, value) in fields {
            let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            match known {
                Some(known) => self.faults(value, known, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}: {name} is not told of")),
            }
        }
    }

    #[track_caller]
    fn fits(&self, value: &Value, schema: &Value, what: &str) {
        let mut found = Vec::new();
        self.faults(value, schema, what, &mut found);
        assert!(found.is_empty(), "{found:#?}\nin {value:#}");
    }

    /// A call, and whether its answer is as the document says; the result, or `Null` for an error.
    #[track_caller]
    fn ask(&self, rpc: &mut Rpc, name: &str, params: &Value) -> Value {
        let method = self.method(name);
        let answer = rpc.ask(name, params);
        if let Some(result) = answer.get("result") {
            self.fits(result, &method["result"]["schema"], name);
            return result.clone();
        }
        let word = answer["error"]["data"]["code"].as_str().unwrap();
        let told = format!("#/components/errors/{word}");
        assert!(
            method["errors"].as_array().unwrap().contains(&json!({"$ref": told})),
            "{name} does not tell of {answer}"
        );
        let error = &self.0["components"]["errors"][word];
        assert_eq!(answer["error"]["code"], error["code"], "{answer}");
        assert_eq!(answer["error"]["data"]["exit"], error["data"]["exit"], "{answer}");
        Value::Null
    }
}

/// A variant of a schema with what stands beside the variants.
fn merged(schema: &Value, variant: &Value) -> Value {
    let Some(beside) = schema.get("properties") else { return variant.clone() };
    let mut variant = variant.clone();
    for (name, property) in beside.as_object().unwrap() {
        variant["properties"][name] = property.clone();
    }
    let required = schema["required"].as_array().into_iter().flatten().cloned();
    let own = variant["required"].as_array().cloned().unwrap_or_default();
    variant["required"] = own.into_iter().chain(required).collect();
    variant
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What anybody might fill in who has read nothing but the document.
fn guess(params: &Value) -> Value {
    let guess = |param: &Value| match param["schema"]["type"].as_str() {
        Some("boolean") => json!(true),
        Some("integer") => json!(1),
        _ => json!("nobody"),
    };
    let required = params.as_array().unwrap().iter().filter(|param| param["required"] == true);
    Value::Object(
        required.map(|param| (param["name"].as_str().unwrap().to_owned(), guess(param))).collect::<Map<_, _>>(),
    )
}

#[test]
fn results_errors_and_events_are_as_the_document_says() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let document = Document::of(&alice);
    let carol = Person::new("Carol");
    let carol_node = carol.on();
    let mut rpc = alice_node.call();
    carol.send(&alice.link(), "May I?", "sent");
    alice_node.event("request.new", |_| true);

    let first =
        document.ask(&mut rpc, "send", &json!({"to": "bob", "text": "One", "wait": "delivered", "timeout_ms": 60_000}));
    bob_node.arrived("One");
    bob.send("alice", "Two", "delivered");
    let second = alice_node.arrived("Two")["message_id"].clone();
    let (bob_is, carol_is) = (json!({"who": "bob"}), json!({"who": carol.peer()}));
    for (name, params) in [
        ("id.show", json!({})),
        ("id.name", json!({"name": "Alice the first"})),
        ("reply", json!({"message": second, "text": "Three", "client_id": "k", "wait": "delivered"})),
        ("message", json!({"message": first["message_id"]})),
        ("inbox", json!({})),
        ("history", bob_is.clone()),
        ("read", bob_is.clone()),
        ("requests.list", json!({})),
        ("requests.show", carol_is.clone()),
        ("requests.accept", carol_is.clone()),
        ("policy.show", json!({})),
        ("policy.set", json!({"policy": "contacts"})),
        ("contacts.list", json!({})),
        ("contacts.show", bob_is.clone()),
        ("contacts.rename", json!({"who": "bob", "name": "Robert"})),
        ("contacts.verify", json!({"who": "Robert"})),
        ("contacts.set", json!({"who": "Robert", "quota": 2_000_000})),
        ("contacts.block", carol_is.clone()),
        ("contacts.unblock", carol_is.clone()),
        ("contacts.remove", carol_is.clone()),
        ("resolve", json!({"who": "Robert"})),
        ("status", json!({})),
        ("events", json!({"since": 0})),
        ("rpc.discover", json!({})),
        ("id.rotate", json!({})),
    ] {
        assert!(!document.ask(&mut rpc, name, &params).is_null(), "{name}: {params}");
    }
    // Every method there is, whatever comes of it; the one that ends the node at the end.
    for method in document.methods().iter().filter(|method| method["name"] != "stop" && method["name"] != "listen") {
        let name = method["name"].as_str().unwrap();
        document.ask(&mut rpc, name, &guess(&method["params"]));
    }
    for (name, params) in
        [("history", json!({"who": "Robert", "limit": "x"})), ("send", json!({"to": alice.peer(), "text": ""}))]
    {
        assert!(document.ask(&mut rpc, name, &params).is_null());
    }

    // What is told to whoever listens is what the document lists.
    let told = document.0["x-events"]["events"].as_array().unwrap();
    let mut listener = alice_node.call();
    document.ask(&mut listener, "listen", &json!({"since": 0}));
    let last = document.ask(&mut rpc, "status", &json!({}))["last_event"].as_u64().unwrap();
    let mut seen = Vec::new();
    loop {
        let line = listener.read();
        assert_eq!(line["method"], document.0["x-events"]["notification"]);
        let event = &line["params"];
        document.fits(event, &json!({"$ref": "#/components/schemas/Event"}), "an event");
        let name = event["event"].as_str().unwrap();
        let listed =
            told.iter().find(|listed| listed["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"));
        let mut fields: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
        fields.retain(|field| !["seq", "cursor", "at", "event"].contains(field));
        let known: Vec<&str> =
            listed["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(fields, known, "{name}");
        seen.push(name.to_owned());
        if event["seq"].as_u64().unwrap() >= last {
            break;
        }
    }
    for name in ["message.new", "message.state", "request.new", "request.closed", "contact.added", "peer.online"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} did not come: {seen:?}");
    }
    assert!(!document.ask(&mut rpc, "stop", &json!({})).is_null());
    drop((bob_node, carol_node));
}
