//! `docs/rpc.md`, made from the tables.

use std::fmt::Write as _;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::error::CODES;
use super::event::EventKind;
use super::methods::METHODS;

/// The reference part of `docs/rpc.md`, in Markdown: methods, types, events and errors. A test holds the file to it.
pub fn reference() -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_reference(&mut out);
    out
}

fn write_reference(out: &mut String) -> std::fmt::Result {
    let mut schemas = SchemaSettings::draft2020_12().into_generator();
    writeln!(out, "## Methods\n")?;
    for method in METHODS {
        let params = (method.params)(&mut schemas);
        let result = (method.result)(&mut schemas);
        writeln!(out, "### `{}`\n\n{}\n", method.name, method.about.trim())?;
        fields(out, &resolve(params.as_value(), &schemas), "Parameters: none.\n")?;
        writeln!(out, "Result: {}.\n", kind(result.as_value()))?;
        if !method.errors.is_empty() {
            let names: Vec<_> = method.errors.iter().map(|code| format!("`{code}`")).collect();
            writeln!(out, "Errors: {}.\n", names.join(", "))?;
        }
    }
    writeln!(out, "## Types\n")?;
    let definitions = schemas.definitions().clone();
    for (name, schema) in &definitions {
        // Parameters stand with their methods, events have a chapter of their own.
        if METHODS.iter().any(|m| kind((m.params)(&mut schemas).as_value()).contains(&format!("(#{})", anchor(name))))
            || name == "Event"
        {
            continue;
        }
        writeln!(out, "### {name}\n")?;
        if let Some(about) = schema.get("description").and_then(Value::as_str) {
            writeln!(out, "{}\n", about.replace('\n', " "))?;
        }
        words(out, schema)?;
        fields(out, schema, "")?;
    }
    writeln!(out, "## Events\n")?;
    writeln!(out, "Each has `seq`, `at` and `event`, and the fields of its kind.\n")?;
    for event in EventKind::ALL {
        writeln!(out, "### `{}`\n\n{}\n\n| field | what it is |\n|---|---|", event.name, event.about.trim())?;
        for (field, about) in event.fields {
            writeln!(out, "| `{field}` | {} |", about.trim())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## Errors\n\n| code | number | exit | what it says | hint |\n|---|---|---|---|---|")?;
    for code in CODES {
        let info = code.info();
        let hint = info.hint.unwrap_or("–").replace('|', "\\|");
        writeln!(out, "| `{}` | {} | {} | {} | {hint} |", info.name, info.number, info.exit, info.about.trim())?;
    }
    Ok(())
}

/// A table of the fields of an object.
fn fields(out: &mut String, schema: &Value, none: &str) -> std::fmt::Result {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|p| !p.is_empty()) else {
        return if none.is_empty() { Ok(()) } else { writeln!(out, "{none}") };
    };
    let required: Vec<_> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    writeln!(out, "| field | type | what it is |\n|---|---|---|")?;
    for (name, property) in properties {
        let about = property.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let optional = if required.contains(&name.as_str()) || none.is_empty() { "" } else { ", optional" };
        writeln!(out, "| `{name}` | {}{optional} | {} |", kind(property), about.replace('|', "\\|"))?;
    }
    writeln!(out)
}

/// The words of an enumeration.
fn words(out: &mut String, schema: &Value) -> std::fmt::Result {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let mut any = false;
    for variant in variants {
        let Some(word) = variant.get("const").and_then(Value::as_str) else { continue };
        let about = variant.get("description").and_then(Value::as_str).unwrap_or_default();
        writeln!(out, "- `{word}`: {about}")?;
        any = true;
    }
    if any { writeln!(out) } else { Ok(()) }
}

/// The type in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
        return format!("[{name}](#{})", anchor(name));
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            format!("array of {}", schema.get("items").map_or_else(|| "anything".to_owned(), kind))
        }
        Some(Value::String(name)) if name == "object" => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("object of {}", kind(values)),
            _ => "object".to_owned(),
        },
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "null".to_owned(),
    }
}

fn anchor(name: &str) -> String {
    name.to_lowercase()
}

fn resolve(schema: &Value, schemas: &SchemaGenerator) -> Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
    name.and_then(|name| schemas.definitions().get(name)).unwrap_or(schema).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ROHRPOST_BLESS=1 cargo test` writes the generated part anew.
    #[test]
    fn the_document_tells_of_every_method() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rpc.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (head, old) = text.split_once("<!-- generated from src/api -->\n\n").unwrap();
        if std::env::var_os("ROHRPOST_BLESS").is_some() {
            std::fs::write(path, format!("{head}<!-- generated from src/api -->\n\n{}", reference())).unwrap();
        }
        for method in METHODS {
            assert!(old.contains(&format!("### `{}`\n", method.name)), "{} is missing", method.name);
        }
        assert_eq!(old, reference(), "docs/rpc.md is not the table of src/api: ROHRPOST_BLESS=1 cargo test");
    }
}
