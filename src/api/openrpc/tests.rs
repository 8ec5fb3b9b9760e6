use std::collections::HashSet;

use super::*;
use crate::api::Call;
use crate::base::event::events;

mod reference;

fn document() -> Value {
    openrpc()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer} is no array in {value}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| panic!("no {key}: {value}"))
}

/// The fields an object of the specification must have, and those it may have besides `x-…`.
#[track_caller]
fn has(value: &Value, required: &[&str], optional: &[&str]) {
    let object = value.as_object().unwrap();
    for name in required {
        assert!(object.contains_key(*name), "'{name}' is missing in {value}");
    }
    for name in object.keys().filter(|name| !name.starts_with("x-")) {
        assert!(
            required.contains(&name.as_str()) || optional.contains(&name.as_str()),
            "'{name}' is unknown in {value}"
        );
    }
}

/// The document has the form of the meta schema (<https://meta.open-rpc.org>).
#[test]
fn it_keeps_to_the_specification() {
    let document = document();
    has(&document, &["openrpc", "info", "methods"], &["components", "servers", "externalDocs"]);
    has(&document["info"], &["title", "version"], &["description", "license", "contact", "termsOfService"]);
    has(&document["info"]["license"], &["name"], &["url"]);
    has(&document["components"], &[], &["schemas", "errors"]);
    let mut names = HashSet::new();
    for method in list(&document, "/methods") {
        let optional =
            ["summary", "description", "paramStructure", "errors", "tags", "links", "examples", "deprecated"];
        has(method, &["name", "params", "result"], &optional);
        assert!(names.insert(text(method, "name")), "{} is there twice", method["name"]);
        assert_eq!(method["paramStructure"], "either");
        let mut optional_before = false;
        for param in list(method, "/params").iter().chain([&method["result"]]) {
            has(param, &["name", "schema"], &["description", "summary", "required", "deprecated"]);
            assert!(param["schema"].is_object() || param["schema"] == true, "{param}");
        }
        for param in list(method, "/params") {
            // By position, what is required cannot stand behind what may be left out.
            let required = param["required"].as_bool().unwrap();
            assert!(!(required && optional_before), "{param} of {}", method["name"]);
            optional_before |= !required;
            text(param, "description");
        }
    }
    for (name, error) in document["components"]["errors"].as_object().unwrap() {
        has(error, &["code", "message"], &["data"]);
        assert!(error["code"].is_i64() && error["data"]["code"] == name.as_str(), "{error}");
    }
    let name_is_sound = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let components = document["components"].as_object().unwrap();
    assert!(components.values().flat_map(|kind| kind.as_object().unwrap().keys()).all(name_is_sound));
}

/// Every reference leads somewhere, and everything is referred to.
#[test]
fn no_reference_leads_nowhere() {
    fn collect<'a>(value: &'a Value, found: &mut HashSet<&'a str>) {
        match value {
            Value::Array(all) => all.iter().for_each(|value| collect(value, found)),
            Value::Object(all) => {
                for (key, value) in all {
                    match value.as_str().filter(|_| key == "$ref") {
                        Some(target) => _ = found.insert(target),
                        None => collect(value, found),
                    }
                }
            }
            _ => {}
        }
    }
    let document = document();
    let mut found = HashSet::new();
    collect(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for target in &found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target} is not there");
    }
}

/// Methods, errors and events are those of the code: none is missing, none is made up.
#[test]
fn it_tells_of_all_there_is() {
    let document = document();
    let names: Vec<&str> = list(&document, "/methods").iter().map(|method| text(method, "name")).collect();
    assert_eq!(names, METHODS.iter().map(|method| method.name).collect::<Vec<_>>());
    for (method, told) in METHODS.iter().zip(list(&document, "/methods")) {
        let errors: Vec<&str> =
            list(told, "/errors").iter().map(|error| text(error, "$ref").rsplit('/').next().unwrap()).collect();
        let known: Vec<&str> = method.errors.iter().chain(COMMON_ERRORS).map(|code| code.name()).collect();
        assert_eq!(errors, known, "{}", method.name);
    }
    assert_eq!(document["components"]["errors"].as_object().unwrap().len(), CODES.len());
    let events = list(&document, "/x-events/events");
    assert_eq!(document["x-events"]["notification"], EVENT_METHOD);
    macro_rules! known {
        ($( $(#[$about:meta])+ $variant:ident = $word:literal {
            $( $(#[$what:meta])+ $field:ident : $ty:ty, )*
        } + {
            $( $(#[$more:meta])+ $added:ident : $aty:ty = $of:ident, )*
        } )*) => {
            [ $( ($word, vec![ $( stringify!($field), )* $( stringify!($added), )* ]), )* ]
        };
    }
    let ready = ("ready", vec!["peer_id", "addrs", "pid", "socket"]);
    let known: Vec<(&str, Vec<&str>)> = events!(known).into_iter().chain([ready]).collect();
    let fields = |event| list(event, "/fields").iter().map(|field| text(field, "name")).collect();
    assert_eq!(events.iter().map(|event| (text(event, "name"), fields(event))).collect::<Vec<_>>(), known);
}

/// `docs/rpc.md` says in words what every method can give.
#[test]
fn the_reference_names_the_common_errors() {
    let head = include_str!("../../../docs/rpc.md").split_once("<!-- generated").unwrap().0.replace('\n', " ");
    let sentence = head.split_once("Every method can give ").unwrap().1.split_once(';').unwrap().0;
    let named: Vec<&str> = sentence.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, COMMON_ERRORS.iter().map(|code| code.name()).collect::<Vec<_>>());
}

/// A value that the schema describes.
fn sample(schema: &Value, document: &Value) -> Value {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return sample(document.pointer(&target[1..]).unwrap(), document);
    }
    for of in ["allOf", "anyOf", "oneOf"] {
        if let Some(first) = schema.get(of).and_then(Value::as_array).and_then(|all| all.first()) {
            return sample(first, document);
        }
    }
    if let Some(word) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return word.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => &kinds[0],
        kind => kind,
    };
    match kind.as_str().unwrap_or_else(|| panic!("{schema}")) {
        "string" => "a text".into(),
        "integer" | "number" => 1.into(),
        "boolean" => true.into(),
        "array" => Value::Array(vec![]),
        "object" => Value::Object(Map::new()),
        other => panic!("{other}"),
    }
}

/// What the document says of parameters is what the code takes: all of them, or the required ones alone, by name and by
/// position; none of the required ones may be missing, and no other may be there.
#[test]
fn parameters_are_those_that_the_code_takes() {
    let document = document();
    for method in list(&document, "/methods") {
        let (name, params) = (text(method, "name"), list(method, "/params"));
        let wrong = |params: Value| {
            let error = Call::parse(name, Some(params.clone())).expect_err(&format!("{name} takes {params}"));
            assert!(error.is(Code::InvalidParams), "{name} {params}: {error:?}");
        };
        let right = |params: Value| {
            Call::parse(name, Some(params.clone())).unwrap_or_else(|error| panic!("{name} refuses {params}: {error}"));
        };
        let field = |param: &Value| (text(param, "name").to_owned(), sample(&param["schema"], &document));
        let all: Map<String, Value> = params.iter().map(field).collect();
        let required: Map<String, Value> = params.iter().filter(|param| param["required"] == true).map(field).collect();
        right(Value::Object(all.clone()));
        right(Value::Object(required.clone()));
        right(all.values().cloned().collect());
        right(required.values().cloned().collect());
        for missing in required.keys() {
            let mut some = all.clone();
            some.remove(missing);
            wrong(Value::Object(some));
        }
        let mut more = all.clone();
        more.insert("no_such_parameter".into(), 1.into());
        wrong(Value::Object(more));
        wrong(all.values().cloned().chain([1.into()]).collect());
        for (key, value) in &all {
            let mut other = all.clone();
            let false_type = if value.is_string() { json!(7) } else { json!("seven") };
            other.insert(key.clone(), false_type);
            wrong(Value::Object(other));
        }
    }
}
