//! `rpc`: one call of the local API, as a program would make it.

use std::io;

use serde_json::Value;

use crate::api::Code;
use crate::base::limits::MAX_RPC_LINE;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::input;

/// Call a method of the local JSON-RPC interface
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Methods are named as the commands are: `inbox`, `requests.accept`, …

Examples:
  rohrpost rpc inbox '{\"unread\":true}'
  echo '{\"who\":\"bob\"}' | rohrpost rpc history -")]
pub(crate) struct RpcArgs {
    /// The method
    #[arg(value_name = "METHOD")]
    method: String,

    /// Its parameters, a JSON object; - reads it from standard input
    #[arg(value_name = "PARAMS|-")]
    params: Option<String>,
}

/// Calls the method and prints its result.
pub(crate) fn run(args: &RpcArgs, context: &mut Context) -> Result<()> {
    let params = match args.params.as_deref() {
        Some("-") => Some(from_stdin()?),
        Some(text) => Some(parse(text)?),
        None => None,
    };
    let result = context.client()?.call(&args.method, params)?;
    context.output.json(&result)
}

fn from_stdin() -> Result<Value> {
    let too_long = || CliError::new(Code::TooLarge, format!("the parameters have more than {MAX_RPC_LINE} bytes"));
    parse(&input::text(io::stdin().lock(), MAX_RPC_LINE, too_long)?)
}

fn parse(text: &str) -> Result<Value> {
    let wrong =
        |message: String| CliError::usage(message).hint("parameters are a JSON object, such as '{\"who\":\"bob\"}'");
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
        Ok(_) => Err(wrong("the parameters are neither a JSON object nor an array".to_owned())),
        Err(error) => Err(wrong(format!("the parameters are not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_an_object_or_an_array() {
        assert_eq!(parse("{\"a\":1}").unwrap(), serde_json::json!({"a": 1}));
        assert_eq!(parse("[\"bob\"]").unwrap(), serde_json::json!(["bob"]));
        for bad in ["", "bob", "1", "{\"a\":1"] {
            assert_eq!(parse(bad).unwrap_err().exit(), 2, "{bad}");
        }
    }
}
