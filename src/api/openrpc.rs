//! The OpenRPC document (<https://spec.open-rpc.org>), made from the tables: what a program reads to make itself a
//! client, as `docs/rpc.md` is what a person reads.
//!
//! OpenRPC knows no notifications from a server: the events stand under `x-events`.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::error::{CODES, Code};
use super::methods::{METHODS, Method};
use super::rpc::EVENT_METHOD;

/// The version of OpenRPC that the document keeps to.
const OPENRPC: &str = "1.3.2";

/// What every method can give, besides the errors of its own: how a call ends that is not understood, or that the
/// store or a shutdown overtakes.
pub const COMMON_ERRORS: &[Code] =
    &[Code::InvalidParams, Code::Internal, Code::Store, Code::DiskFull, Code::Io, Code::Stopping];

/// The document.
pub fn openrpc() -> Value {
    let mut schemas = SchemaSettings::draft07()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let typed: Vec<(&Method, Value, Value)> = METHODS
        .iter()
        .map(|method| {
            let (params, result) = ((method.params)(&mut schemas), (method.result)(&mut schemas));
            (method, params.to_value(), result.to_value())
        })
        .collect();
    let types = schemas.take_definitions(true);
    let methods: Vec<Value> = typed
        .into_iter()
        .map(|(method, params, result)| describe(method, &resolve(&params, &types), &result))
        .collect();
    let kinds = types.get("Event").and_then(|all| all.get("oneOf")).and_then(Value::as_array);
    let events: Vec<Value> = kinds.into_iter().flatten().filter_map(describe_event).collect();
    json!({
        "openrpc": OPENRPC,
        "info": {
            "title": "rohrpost",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The local interface of a rohrpost node: JSON-RPC 2.0, one JSON value a line, over a Unix \
                socket (`rohrpost status --json` names it). docs/rpc.md tells the rest.",
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "methods": methods,
        "components": {"schemas": types, "errors": errors()},
        "x-events": {"notification": EVENT_METHOD, "events": events},
    })
}

fn describe(method: &Method, params: &Value, result: &Value) -> Value {
    let errors: Vec<Value> =
        method.errors.iter().chain(COMMON_ERRORS).map(|code| reference("errors", code.name())).collect();
    json!({
        "name": method.name,
        "summary": method.about.trim(),
        "paramStructure": "either",
        "params": fields(params),
        "result": {"name": "result", "schema": result},
        "errors": errors,
    })
}

/// Content descriptors of the fields of an object, in their order.
fn fields(schema: &Value) -> Vec<Value> {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties
        .map(|(name, property)| {
            let mut schema = property.clone();
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            json!({
                "name": name,
                "description": about.unwrap_or_default(),
                "required": required.contains(&name.as_str()),
                "schema": schema,
            })
        })
        .collect()
}

fn errors() -> Map<String, Value> {
    let entry = |code: &Code| {
        let info = code.info();
        let data = json!({"code": info.name, "exit": info.exit, "hint": info.hint});
        (info.name.to_owned(), json!({"code": info.number, "message": info.about.trim(), "data": data}))
    };
    CODES.iter().map(entry).collect()
}

/// An event with the fields of its kind; `seq`, `cursor`, `at` and `event` are in all of them. What stands for events of newer nodes is
/// none.
fn describe_event(kind: &Value) -> Option<Value> {
    let name = kind.pointer("/properties/event/const").filter(|name| **name != *"Unknown")?;
    let own = fields(kind).into_iter().filter(|field| field.get("name") != Some(&"event".into()));
    Some(json!({"name": name, "summary": kind.get("description"), "fields": own.collect::<Vec<_>>()}))
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn resolve(schema: &Value, types: &Map<String, Value>) -> Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
    name.and_then(|name| types.get(name)).unwrap_or(schema).clone()
}

#[cfg(test)]
mod tests;
