//! JSON-RPC 2.0 framing: one JSON value per line, either way (<https://www.jsonrpc.org/specification>).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::error::{ApiError, Candidate, CandidateMessage, Code};
use super::event::Event;

/// Calls in one batch: each may answer with a page, and the answers are held until the last one is there.
pub const MAX_BATCH: usize = 100;

/// The method of the notifications that `listen` asks for.
pub const EVENT_METHOD: &str = "event";

/// What ties an answer to its request: a text, a number or null. It is kept as JSON, so that a number comes back as it was
/// written, of whatever size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Cow<'static, str>);

impl Id {
    /// For answers to what had no readable ID.
    pub const NULL: Self = Self(Cow::Borrowed("null"));

    /// A number.
    pub fn number(number: u64) -> Self {
        Self(number.to_string().into())
    }

    /// What was understood of an ID, with the JSON in which it stands.
    fn understand(value: &Value, call: &str) -> Option<Self> {
        match value {
            // What is no integer of 64 bits has lost digits.
            Value::Number(number) if number.is_f64() => Self::written(call),
            Value::Null | Value::Number(_) | Value::String(_) => Some(Self(value.to_string().into())),
            _ => None,
        }
    }

    /// The ID as it was written.
    fn written(call: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Call<'a> {
            #[serde(borrow)]
            id: &'a RawValue,
        }
        serde_json::from_str(call).ok().map(|Call { id }| Self(id.get().to_owned().into()))
    }
}

/// A request, or a notification when it has no ID: it is carried out and never answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Returned with the answer.
    pub id: Option<Id>,
    /// What is asked.
    pub method: String,
    /// An object or an array.
    pub params: Option<Value>,
}

impl Request {
    /// As a line, without the end of line.
    pub fn to_line(&self) -> String {
        let mut object = Map::new();
        object.insert("jsonrpc".into(), "2.0".into());
        object.insert("method".into(), self.method.clone().into());
        if let Some(params) = &self.params {
            object.insert("params".into(), params.clone());
        }
        let mut line = Value::Object(object).to_string();
        if let Some(id) = &self.id {
            line.pop();
            line.extend([",\"id\":", &id.0, "}"]);
        }
        line
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Of the request.
    pub id: Id,
    /// The result, or why there is none.
    pub outcome: Result<Value, ApiError>,
}

impl Response {
    /// As a line, without the end of line.
    pub fn to_line(&self) -> String {
        let (name, value) = match &self.outcome {
            Ok(result) => ("result", result.to_string()),
            Err(error) => ("error", json!(ErrorObject::new(error)).to_string()),
        };
        format!(r#"{{"jsonrpc":"2.0","{name}":{value},"id":{}}}"#, self.id.0)
    }
}

/// The error object of the specification (section 5.1). Our own names are in `data`.
#[derive(Serialize, Deserialize)]
struct ErrorObject {
    code: i64,
    message: String,
    data: Option<ErrorData>,
}

#[derive(Serialize, Deserialize)]
struct ErrorData {
    code: String,
    exit: u8,
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    candidates: Box<[Candidate]>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    messages: Box<[CandidateMessage]>,
}

impl ErrorObject {
    fn new(error: &ApiError) -> Self {
        Self {
            code: error.number(),
            message: error.message.clone(),
            data: Some(ErrorData {
                code: error.code.clone().into_owned(),
                exit: error.exit,
                hint: error.hint.clone(),
                candidates: error.candidates.clone(),
                messages: error.messages.clone(),
            }),
        }
    }

    fn into_error(self) -> ApiError {
        match self.data {
            Some(data) => ApiError {
                code: data.code.into(),
                exit: data.exit,
                message: self.message,
                hint: data.hint,
                candidates: data.candidates,
                messages: data.messages,
            },
            None => ApiError::new(Code::Internal, self.message),
        }
    }
}

/// What a client sent in one line.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    /// One request, or the answer to what is none.
    One(Result<Request, Box<Response>>),
    /// Several; the answers go back in one array (section 6), or nothing if there are none.
    Batch(Vec<Result<Request, Box<Response>>>),
}

/// Understands one line.
pub fn parse(line: &[u8]) -> Incoming {
    let written = std::str::from_utf8(line).unwrap_or_default();
    match serde_json::from_slice(line) {
        Err(e) => Incoming::One(refuse(Id::NULL, Code::ParseError, format!("this is not JSON: {e}"))),
        Ok(Value::Array(calls)) if calls.is_empty() => {
            Incoming::One(refuse(Id::NULL, Code::InvalidRequest, "the batch is empty"))
        }
        Ok(Value::Array(calls)) if calls.len() > MAX_BATCH => {
            let message = format!("the batch has {} calls, at most {MAX_BATCH}", calls.len());
            Incoming::One(refuse(Id::NULL, Code::TooLarge, message))
        }
        Ok(Value::Array(calls)) => {
            let written: Vec<&RawValue> = serde_json::from_str(written).unwrap_or_default();
            let written = written.into_iter().map(RawValue::get).chain(std::iter::repeat(""));
            Incoming::Batch(calls.into_iter().zip(written).map(|(call, written)| request(call, written)).collect())
        }
        Ok(value) => Incoming::One(request(value, written)),
    }
}

/// Understands a call, which was written so.
fn request(value: Value, written: &str) -> Result<Request, Box<Response>> {
    let Value::Object(mut object) = value else {
        return refuse(Id::NULL, Code::InvalidRequest, "a request is a JSON object");
    };
    let id = match object.remove("id").map(|id| Id::understand(&id, written)) {
        None => None,
        Some(Some(id)) => Some(id),
        Some(None) => return refuse(Id::NULL, Code::InvalidRequest, "an id is a text, a number or null"),
    };
    // What is no valid request is answered even without an ID: nobody can tell that it was a notification.
    let wrong = |message: &str| refuse(id.clone().unwrap_or(Id::NULL), Code::InvalidRequest, message);
    if object.remove("jsonrpc") != Some("2.0".into()) {
        return wrong("\"jsonrpc\" must be \"2.0\"");
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return wrong("\"method\" must be a text");
    };
    let params = object.remove("params");
    if !matches!(params, None | Some(Value::Object(_) | Value::Array(_))) {
        return wrong("\"params\" must be an object or an array");
    }
    Ok(Request { id, method, params })
}

fn refuse(id: Id, code: Code, message: impl Into<String>) -> Result<Request, Box<Response>> {
    Err(Box::new(Response { id, outcome: Err(ApiError::new(code, message)) }))
}

/// An event as a notification line, without the end of line.
pub fn event_line(event: &Event) -> Result<String, ApiError> {
    let params = serde_json::to_value(event).map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
    Ok(Request { id: None, method: EVENT_METHOD.to_owned(), params: Some(params) }.to_line())
}

/// What a node sent in one line, as the client sees it.
#[derive(Debug, PartialEq)]
pub enum FromNode {
    /// An answer.
    Response(Response),
    /// An event that `listen` asked for.
    Event(Box<Event>),
}

/// Understands one line of a node.
///
/// # Errors
/// `internal` when it is neither.
pub fn parse_from_node(line: &[u8]) -> Result<FromNode, ApiError> {
    let wrong = |what: String| ApiError::new(Code::Internal, format!("the node's answer is not understood: {what}"));
    let value: Value = serde_json::from_slice(line).map_err(|e| wrong(e.to_string()))?;
    let written = std::str::from_utf8(line).unwrap_or_default();
    let Value::Object(mut object) = value else { return Err(wrong("not an object".into())) };
    if object.get("method").is_some_and(|method| method == EVENT_METHOD) {
        let params = object.remove("params").unwrap_or_default();
        return serde_json::from_value(params).map(FromNode::Event).map_err(|e| wrong(e.to_string()));
    }
    let id = object.remove("id").and_then(|id| Id::understand(&id, written)).ok_or_else(|| wrong("no id".into()))?;
    let outcome = match (object.remove("result"), object.remove("error")) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => {
            Err(serde_json::from_value::<ErrorObject>(error).map_err(|e| wrong(e.to_string()))?.into_error())
        }
        _ => return Err(wrong("neither a result nor an error".into())),
    };
    Ok(FromNode::Response(Response { id, outcome }))
}

#[cfg(test)]
mod tests;
