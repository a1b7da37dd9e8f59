//! The freshness of what a client has kept (RFC 9110, conditional requests): where it is still the same, nothing is sent
//! again. Tags are weak: the same content goes out packed and plain.

use actix_web::http::header::{self, EntityTag, Header as _, HeaderValue, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use storage::{Chunk, Passage, View};

use crate::app::App;
use crate::error::Error;

/// What a client may keep an answer by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(EntityTag);

impl Tag {
    /// Of what is the same as long as its bytes are.
    pub(crate) fn of_content(content: &[u8]) -> Self {
        Self(EntityTag::new_weak(blake3::hash(content).to_hex()[..16].to_string()))
    }

    /// Of what follows from the address and from what somebody sees, and of a document most of all.
    ///
    /// # Errors
    /// The index is damaged.
    pub(crate) fn of_document(app: &App, view: &View, passages: &[Passage], address: &str) -> Result<Self, Error> {
        // Numbers of commits begin anew with another index, for which the server is started again.
        let (start, commit) = (app.started_at, view.generation()?);
        let mut told = blake3::Hasher::new();
        told.update(address.as_bytes());
        // What somebody sees is numbered by its texts, and what is said beside them changes without them.
        for passage in passages {
            told.update(&serde_json::to_vec(&passage.document).map_err(Error::internal)?);
            // Ordinals count what is hidden, too.
            let chunk = Chunk { ordinal: 0, ..passage.chunk.clone() };
            told.update(&serde_json::to_vec(&chunk).map_err(Error::internal)?);
        }
        Ok(Self(EntityTag::new_weak(format!("{start:x}-{commit:x}-{}", &told.finalize().to_hex()[..16]))))
    }

    /// What is sent to a client that has this already.
    pub(crate) fn kept_by(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let is_kept = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.0)),
            Ok(IfNoneMatch::Any) | Err(_) => false,
        };
        is_kept.then(|| self.on(HttpResponse::NotModified().finish()))
    }

    /// An answer with this tag. It is asked for again each time, unless it says itself how long it may be kept.
    pub(crate) fn on(&self, mut response: HttpResponse) -> HttpResponse {
        if let Ok(tag) = HeaderValue::from_str(&self.0.to_string()) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        if !response.headers().contains_key(header::CACHE_CONTROL) {
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_what_is_the_same_is_not_sent_again() {
        let tag = Tag::of_content(b"a");
        let sent = tag.on(HttpResponse::Ok().finish());
        let text = sent.headers().get("etag").unwrap().to_str().unwrap();
        let asked =
            |tags: &str| TestRequest::default().insert_header(("if-none-match", tags.to_string())).to_http_request();
        for kept in [text.to_string(), text.trim_start_matches("W/").to_string(), format!("\"x\", {text}")] {
            let answer = tag.kept_by(&asked(&kept)).unwrap();
            assert_eq!(
                (answer.status(), answer.headers().get("etag")),
                (StatusCode::NOT_MODIFIED, sent.headers().get("etag"))
            );
        }
        assert!(
            tag.kept_by(&asked("\"x\"")).is_none() && tag.kept_by(&TestRequest::default().to_http_request()).is_none()
        );
        assert!(Tag::of_content(b"b").kept_by(&asked(text)).is_none());
    }
}
