//! Messages as they arrive: what is none is told so (JSON-RPC 2.0), whichever way it came.

use rmcp::ErrorData;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcError, RequestId};
use serde_json::Value;

use crate::json::without_mark;

/// Reads a message.
///
/// # Errors
/// The answer to what is no message.
pub(super) fn read(text: &[u8]) -> Result<ClientJsonRpcMessage, JsonRpcError> {
    let text = without_mark(text);
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| refused(None, ErrorData::parse_error(format!("this is no JSON: {error}"), None)))?;
    if value.is_array() {
        return Err(invalid(None, "batches are not taken: send one message at a time"));
    }
    if !value.is_object() {
        return Err(invalid(None, "expected an object: a message of JSON-RPC 2.0"));
    }
    let id = id_of(&value);
    if value["jsonrpc"] != "2.0" {
        return Err(invalid(id, "jsonrpc: expected \"2.0\""));
    }
    if value.get("id").is_some() && id.is_none() {
        return Err(invalid(None, "id: expected a text or a whole number"));
    }
    if value.get("method").is_some_and(|method| !method.is_string()) {
        return Err(invalid(id, "method: expected a text"));
    }
    if value.get("params").is_some_and(|params| !params.is_object()) {
        return Err(invalid(id, "params: expected an object"));
    }
    serde_json::from_value(value)
        .map_err(|_| invalid(id, "expected a request, a notification, a result or an error of JSON-RPC 2.0"))
}

fn id_of(value: &Value) -> Option<RequestId> {
    serde_json::from_value(value.get("id")?.clone()).ok()
}

/// The answer to a message that is not valid.
pub(super) fn invalid(id: Option<RequestId>, why: impl Into<String>) -> JsonRpcError {
    refused(id, ErrorData::invalid_request(why.into(), None))
}

fn refused(id: Option<RequestId>, error: ErrorData) -> JsonRpcError {
    JsonRpcError::new(id, error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_message_is_told_why() {
        let told = |text: &str| {
            let error = read(text.as_bytes()).err().unwrap_or_else(|| panic!("{text}"));
            (error.error.code.0, serde_json::to_value(&error).unwrap()["id"].clone(), error.error.message.into_owned())
        };
        for text in ["", "x", "{", "{\"jsonrpc\":\"2.0\",}", "\u{0}", "{} {}"] {
            assert_eq!(told(text).0, -32700, "{text}");
        }
        assert_eq!(read(b"\xff\xfe").unwrap_err().error.code.0, -32700);
        for (text, id, part) in [
            ("[]", Value::Null, "batches"),
            ("7", Value::Null, "an object"),
            ("{}", Value::Null, "jsonrpc"),
            (r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#, json!(3), "jsonrpc"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null, "id:"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Value::Null, "id:"),
            (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, json!("a"), "method:"),
            (r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":[]}"#, json!("a"), "params:"),
            (r#"{"jsonrpc":"2.0","id":4}"#, json!(4), "expected a request"),
        ] {
            let (code, told_id, message) = told(text);
            assert_eq!((code, told_id), (-32600, id), "{text}: {message}");
            assert!(message.contains(part), "{text}: {message}");
        }
        // Deep nesting is no way to end the process.
        assert_eq!(told(&"[".repeat(200_000)).0, -32700);
        let good = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert!(read(good.as_bytes()).is_ok() && read(format!("\u{feff}{good}").as_bytes()).is_ok());
    }
}
