//! Strict reading of what clients send: within the limits, of the right type, and without a field or parameter that
//! means nothing. A typo in a filter must not silently find everything.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::App;
use crate::error::Error;
use crate::traffic::{Unpacked, client_of, unpacked};

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body as it was sent, for what reads it in its own way.
pub(crate) struct Unread(pub(crate) Vec<u8>);

/// What somebody has filled in on a page, of so many bytes at the most.
pub(crate) struct Form<T, const BYTES: usize = FORM_BYTES>(pub(crate) T);

/// Bytes of a form of short answers.
const FORM_BYTES: usize = 16 << 10;

/// The parameters of an address; one that may occur several times is a list.
pub(crate) struct Params<T>(pub(crate) T);

impl<T> Deref for Params<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = serde_html_form::from_str(request.query_string());
        ready(read.map(Self).map_err(|error| Error::bad(format!("the parameters cannot be read: {error}"))))
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Unread::from_request(request, payload);
        Box::pin(async move { parse(&body.await?.0).map(Self).map_err(|wrong| unreadable(&wrong)) })
    }
}

impl FromRequest for Unread {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !has_type(&request, "application/json") {
                return Err(Error::MediaType { expected: "application/json" });
            }
            let app = app(&request)?;
            app.in_time(collect(&request, payload, app.config.limits.body_bytes)).await.map(Self)
        })
    }
}

impl<T: DeserializeOwned + 'static, const BYTES: usize> FromRequest for Form<T, BYTES> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let expected = "application/x-www-form-urlencoded";
            if !has_type(&request, expected) {
                return Err(Error::MediaType { expected });
            }
            let app = app(&request)?;
            let body = app.in_time(collect(&request, payload, BYTES)).await?;
            let read = serde_html_form::from_bytes(&body);
            read.map(Self).map_err(|error| Error::bad(format!("the form cannot be read: {error}")))
        })
    }
}

/// What JSON stands for.
pub(crate) fn read<T: DeserializeOwned>(json: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(json).map_err(|error| unreadable(&placed(&error)))
}

/// What a text in JSON stands for, or what is wrong with it and where.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let text = without_mark(text);
    // A list would be read as the fields in their order, which nobody means.
    if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err("expected an object".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| placed(&error))?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(read)
}

/// An error with the field that it is about, unless it names that itself.
pub(crate) fn placed(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, inner) = (error.path().to_string(), error.inner().to_string());
    if path == "." || inner.contains(&format!("`{path}`")) { inner } else { format!("{path}: {inner}") }
}

fn unreadable(wrong: &str) -> Error {
    Error::bad(format!("the JSON body cannot be read: {wrong}"))
}

/// The state of the server.
pub(crate) fn app(request: &HttpRequest) -> Result<&web::Data<App>, Error> {
    request.app_data::<web::Data<App>>().ok_or_else(|| Error::internal("the state of the server is missing"))
}

/// Whether the body is of a media type, whatever its parameters.
pub(crate) fn has_type(request: &HttpRequest, expected: &str) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(expected))
}

/// A whole body of at most `limit` bytes, which count as the client's as long as the request lasts.
async fn collect(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Vec<u8>, Error> {
    let mut parts = Unpacked::of(request, payload, limit)?;
    let mut room = app(request)?.traffic.memory.take(&client_of(request), 0)?;
    let mut body = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| unpacked::told(&error, limit))?;
        room.grow(part.len())?;
        body.extend_from_slice(&part);
    }
    request.extensions_mut().insert(room);
    Ok(body)
}

/// A text without the byte order mark that some editors put before it.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Inner {
        One,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            (r#"{"inner":["one","two"]}"#, "inner[1]: unknown variant `two`"),
            (r#"{"inner":7}"#, "inner: invalid type: integer `7`"),
            (r#"{"inner":["in"]}"#, "inner[0]: unknown variant `in`"),
            (r#"{"outer":[]}"#, "unknown field `outer`"),
            ("{}", "missing field `inner`"),
            (r#"{"inner":[]} {}"#, "trailing characters"),
            ("", "EOF"),
            (r#"[["one"]]"#, "expected an object"),
        ] {
            let wrong = parse::<Outer>(text.as_bytes()).unwrap_err();
            assert!(wrong.starts_with(expected), "{text}: {wrong}");
        }
        assert!(parse::<Outer>(b"\xEF\xBB\xBF{\"inner\":[\"one\"]}").is_ok());
        let wrong = read::<Outer>(serde_json::json!({ "inner": ["two"] })).unwrap_err().to_string();
        assert!(wrong.contains("inner[0]: unknown variant"), "{wrong}");
    }
}
