//! The outermost layer: an id for each request, headers for each answer, one line in the access log, one count in the
//! metrics. Never the query of an address: it holds what people look for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, web};
use tracing::Instrument as _;

use super::caller::Caller;
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id from outside.
const MAX_ID: usize = 64;

/// No inline scripts or styles, nothing from elsewhere, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      manifest-src 'self'";

/// For what the viewer of a browser shows, in a page that the browser makes around it.
const VIEWER_POLICY: &str = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; \
                             img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // Not `no-referrer`: with it, browsers leave their own site's name out of the forms that they send to it.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

tokio::task_local! {
    /// The id of the request that this task answers.
    static REQUEST: String;
}

/// The id of the request that is being answered, for what is told of it.
pub(crate) fn current_request() -> Option<String> {
    REQUEST.try_with(Clone::clone).ok()
}

/// The middleware.
pub(crate) async fn observe<B: MessageBody>(
    app: web::Data<App>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let started = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.path().to_string());
    // What answers GET answers HEAD; the connection leaves the body out.
    if method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    // Of the highest level and the access log's target: whatever is logged of a request, its id is said with it.
    let span = tracing::error_span!(target: "access", "request", id);
    let mut response = REQUEST.scope(id.clone(), next.call(request)).instrument(span.clone()).await?;
    let seconds = started.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_string());
    app.metrics.answered(method.as_str(), &route, status, seconds);
    let caller = response.request().extensions().get::<Caller>().map(|caller| caller.name.clone()).unwrap_or_default();
    span.in_scope(|| {
        tracing::info!(target: "access", %method, path, status, ms = seconds * 1e3, caller);
    });
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if headers.get("content-type").is_some_and(|kind| kind == "application/pdf") {
        headers.insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(VIEWER_POLICY));
    }
    if !headers.contains_key("cache-control") {
        headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// The id that a proxy gave, if it is a plain word; otherwise a new one.
fn request_id(headers: &HeaderMap) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let plain = |id: &&str| {
        (1..=MAX_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if let Some(id) = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain) {
        return id.to_string();
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    // Two starts of a server should not give the same ids.
    let second = crate::jobs::now();
    format!("{second:x}-{:x}-{number:x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_from_outside_are_plain_words() {
        let with = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(id).unwrap());
            request_id(&headers)
        };
        assert_eq!(with("abc-1.2_3"), "abc-1.2_3");
        assert_ne!(with("a b"), "a b");
        assert_ne!(with(&"x".repeat(65)), "x".repeat(65));
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
