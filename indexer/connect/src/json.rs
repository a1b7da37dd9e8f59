//! Answers in JSON, and what is no JSON where it was expected: most often a page that asks people to sign in.

use serde_json::Value;
use url::Url;

use crate::error::{ConnectError, shown};
use crate::http::{Answer, host_of};

/// The JSON of an answer. `what` is what should answer there, and `cure` what to look at where that is a page for people.
///
/// # Errors
/// It is none.
pub(crate) fn json_of(url: &Url, answer: &Answer, what: &str, cure: &str) -> Result<Value, ConnectError> {
    let nonsense = |reason: String| ConnectError::Nonsense { host: host_of(url), reason };
    let is_page = answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
        || answer.body.trim_ascii_start().starts_with(b"<");
    if is_page {
        return Err(nonsense(format!("expected JSON of {what}, got a page for people; {cure}")));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(80)]).into_owned();
        nonsense(format!("expected JSON of {what}, got {:?} ({error}); {cure}", shown(&start)))
    })
}

/// A text in an answer, at a path of names.
pub(crate) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str()
}

/// A number in an answer, which some write as a text.
pub(crate) fn number(value: &Value, path: &[&str]) -> Option<u64> {
    let found = at(value, path)?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

/// What stands at a path of names.
pub(crate) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// The second of Unix time that a moment stands for, such as `2026-01-02T03:04:05.000+01:00`.
pub(crate) fn second(moment: &str) -> Option<i64> {
    moment.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// The address that a text is from another one, if a browser may be sent there.
pub(crate) fn link(base: &Url, text: &str) -> Option<String> {
    let url = base.join(text).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_found_is_what_was_meant() {
        let value = json!({ "a": { "b": "x", "n": "7", "m": 8 } });
        assert_eq!((text(&value, &["a", "b"]), text(&value, &["a", "c"])), (Some("x"), None));
        assert_eq!((number(&value, &["a", "n"]), number(&value, &["a", "m"])), (Some(7), Some(8)));
        assert_eq!(second("1970-01-01T01:00:05.000+01:00"), Some(5));
        let base = Url::parse("https://a.example/wiki/").unwrap();
        assert_eq!(link(&base, "//b.example/c").as_deref(), Some("https://b.example/c"));
        assert_eq!(link(&base, "javascript:alert(1)"), None);
    }
}
