//! `docs/rpc.md`: what the OpenRPC document says, for a person.

use std::fmt::Write as _;

use super::*;

/// The generated part in Markdown: methods, types, events and errors.
fn reference() -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    write_reference(&mut out, &document()).unwrap();
    out
}

fn write_reference(out: &mut String, document: &Value) -> std::fmt::Result {
    writeln!(out, "## Methods\n")?;
    for (method, told) in METHODS.iter().zip(list(document, "/methods")) {
        writeln!(out, "### `{}`\n\n{}\n", method.name, text(told, "summary"))?;
        match list(told, "/params") {
            [] => writeln!(out, "Parameters: none.\n")?,
            params => table(out, params, true)?,
        }
        writeln!(out, "Result: {}.\n", kind(&told["result"]["schema"]))?;
        if !method.errors.is_empty() {
            let names: Vec<_> = method.errors.iter().map(|code| format!("`{code}`")).collect();
            writeln!(out, "Errors: {}.\n", names.join(", "))?;
        }
    }
    writeln!(out, "## Types\n")?;
    let whole = document.to_string();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        // Parameters stand with their methods, where nothing refers to them; events have a chapter of their own.
        if name == "Event" || !whole.contains(&format!("\"#/components/schemas/{name}\"")) {
            continue;
        }
        writeln!(out, "### {name}\n")?;
        if let Some(about) = schema.get("description").and_then(Value::as_str) {
            writeln!(out, "{}\n", about.replace('\n', " "))?;
        }
        words(out, schema)?;
        table(out, &fields(schema), false)?;
    }
    writeln!(out, "## Events\n")?;
    writeln!(out, "Each has `seq`, `cursor`, `at` and `event`, and the fields of its kind.\n")?;
    for event in list(document, "/x-events/events") {
        let (name, about) = (text(event, "name"), text(event, "summary"));
        writeln!(out, "### `{name}`\n\n{about}\n\n| field | what it is |\n|---|---|")?;
        for field in list(event, "/fields") {
            writeln!(out, "| `{}` | {} |", text(field, "name"), text(field, "description"))?;
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

/// A table of fields; of those of methods it says which are optional.
fn table(out: &mut String, fields: &[Value], of_a_method: bool) -> std::fmt::Result {
    if fields.is_empty() {
        return Ok(());
    }
    writeln!(out, "| field | type | what it is |\n|---|---|---|")?;
    for field in fields {
        let optional = if of_a_method && field["required"] == false { ", optional" } else { "" };
        let about = text(field, "description").replace('\n', " ").replace('|', "\\|");
        writeln!(out, "| `{}` | {}{optional} | {about} |", text(field, "name"), kind(&field["schema"]))?;
    }
    writeln!(out)
}

/// The words of an enumeration.
fn words(out: &mut String, schema: &Value) -> std::fmt::Result {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let mut any = false;
    for variant in variants {
        let Some(word) = variant.get("const").and_then(Value::as_str) else { continue };
        writeln!(out, "- `{word}`: {}", text(variant, "description"))?;
        any = true;
    }
    if any { writeln!(out) } else { Ok(()) }
}

/// The type in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(any) = schema.get("anyOf").or_else(|| schema.get("allOf")).and_then(Value::as_array) {
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
