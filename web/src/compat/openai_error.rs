//! Errors as OpenAI's clients read them: a problem document like all others, with an `error` in it that says the same.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::error::Error;

/// An error of an endpoint whose clients look for `error.message`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct OpenAiError(#[from] Error);

impl OpenAiError {
    /// The problem document with the `error`.
    pub(super) fn body(&self) -> Value {
        let problem = self.0.problem();
        let kind = if self.status_code().is_server_error() { "server_error" } else { "invalid_request_error" };
        let mut body = serde_json::to_value(&problem).unwrap_or_default();
        body["error"] = json!({
            "message": format!("{}; {}", problem.detail, problem.cure), "type": kind, "param": null, "code": body["code"],
        });
        body
    }
}

impl ResponseError for OpenAiError {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        self.0.response().content_type("application/problem+json").body(self.body().to_string())
    }
}
