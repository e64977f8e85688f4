//! Requests, answers and notifications of JSON-RPC 2.0.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::code::Code;

/// A request that is well formed; whether its method exists is not known yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// What the answer is to carry. Absent in a notification, which is carried out and not answered.
    pub(crate) id: Option<Value>,
    /// The method.
    pub(crate) method: String,
    /// Its parameters, by name.
    pub(crate) params: Map<String, Value>,
}

/// Why a request failed, as the answer says it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// From the registry.
    pub(crate) code: Code,
    /// A sentence for people, without user data.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The `error` member of an answer, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorObject {
    /// A number from the registry.
    pub(crate) code: i64,
    /// A sentence for people.
    pub(crate) message: String,
    /// The name of the code, and what to do.
    #[serde(default)]
    pub(crate) data: ErrorData,
}

/// The `data` member of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorData {
    /// The code's name.
    #[serde(default)]
    pub(crate) name: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl From<Failure> for ErrorObject {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code.number(),
            message: failure.message,
            data: ErrorData {
                name: failure.code.name().to_owned(),
                hint: failure.hint,
            },
        }
    }
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// The failure, with the id to answer to where there was one to read.
    pub(crate) fn parse(line: &str) -> Result<Self, (Value, Failure)> {
        let value: Value = serde_json::from_str(line)
            .map_err(|_| (Value::Null, Failure::new(Code::Parse, "the line is not JSON")))?;
        let mut object = match value {
            Value::Object(object) => object,
            Value::Array(_) => {
                let failure = Failure::new(Code::InvalidRequest, "batches are not taken");
                return Err((Value::Null, failure.hint("send several lines instead")));
            }
            _ => {
                return Err((
                    Value::Null,
                    Failure::new(Code::InvalidRequest, "a request is an object"),
                ));
            }
        };
        let id = object.remove("id");
        let answer_to = match &id {
            Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
            _ => Value::Null,
        };
        let invalid = |message: &str| (answer_to.clone(), Failure::new(Code::InvalidRequest, message));
        if !matches!(id, None | Some(Value::String(_) | Value::Number(_))) {
            return Err(invalid("the id is neither a string nor a number"));
        }
        if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(invalid("the member jsonrpc is not \"2.0\""));
        }
        let Some(Value::String(method)) = object.remove("method") else {
            return Err(invalid("the method is not a string"));
        };
        match object.remove("params") {
            None => Ok(Self {
                id,
                method,
                params: Map::new(),
            }),
            Some(Value::Object(params)) => Ok(Self { id, method, params }),
            Some(_) => Err((
                answer_to,
                Failure::new(Code::InvalidParams, "parameters are given by name, in an object"),
            )),
        }
    }
}

/// The line of an answer to `id`.
pub(crate) fn answer(id: &Value, outcome: Result<Value, Failure>) -> String {
    let value = match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(failure) => json!({ "jsonrpc": "2.0", "id": id, "error": ErrorObject::from(failure) }),
    };
    value.to_string()
}

/// The line of a notification.
pub(crate) fn notification(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn requests_are_read() {
        let request = Request::parse(r#"{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":1}}"#).unwrap();
        assert_eq!((request.id, request.method.as_str()), (Some(json!(7)), "m"));
        assert_eq!(request.params["a"], 1);
        let request = Request::parse(r#"{"jsonrpc":"2.0","method":"m"}"#).unwrap();
        assert_eq!((request.id, request.params.len()), (None, 0));
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_code_of_the_specification() {
        for (line, id, code) in [
            ("", Value::Null, Code::Parse),
            ("{", Value::Null, Code::Parse),
            ("[1,", Value::Null, Code::Parse),
            ("{} {}", Value::Null, Code::Parse),
            ("1", Value::Null, Code::InvalidRequest),
            ("null", Value::Null, Code::InvalidRequest),
            ("[]", Value::Null, Code::InvalidRequest),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#,
                Value::Null,
                Code::InvalidRequest,
            ),
            ("{}", Value::Null, Code::InvalidRequest),
            (r#"{"id":1,"method":"m"}"#, json!(1), Code::InvalidRequest),
            (
                r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
                json!(1),
                Code::InvalidRequest,
            ),
            (
                r#"{"jsonrpc":2.0,"id":"x","method":"m"}"#,
                json!("x"),
                Code::InvalidRequest,
            ),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1), Code::InvalidRequest),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
                json!(1),
                Code::InvalidRequest,
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
                Value::Null,
                Code::InvalidRequest,
            ),
            (
                r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
                Value::Null,
                Code::InvalidRequest,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#,
                json!(1),
                Code::InvalidParams,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#,
                json!(1),
                Code::InvalidParams,
            ),
        ] {
            let (answer_to, failure) = Request::parse(line).unwrap_err();
            assert_eq!((answer_to, failure.code), (id, code), "{line}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let (_, failure) = Request::parse(&"[".repeat(500_000)).unwrap_err();
        assert_eq!(failure.code, Code::Parse);
    }

    #[test]
    fn answers_have_one_shape() {
        let failure = Failure::new(Code::Busy, "too much").hint("wait");
        assert_eq!(
            serde_json::from_str::<Value>(&answer(&json!("a"), Err(failure))).unwrap(),
            json!({"jsonrpc": "2.0", "id": "a",
                   "error": {"code": 18, "message": "too much", "data": {"name": "busy", "hint": "wait"}}})
        );
        assert_eq!(
            serde_json::from_str::<Value>(&answer(&json!(1), Ok(json!({"b": "\n"})))).unwrap(),
            json!({"jsonrpc": "2.0", "id": 1, "result": {"b": "\n"}})
        );
        assert!(!answer(&json!(1), Ok(json!("a\nb"))).contains('\n'), "one line");
    }
}
