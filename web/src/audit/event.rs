//! The events of the audit log, and which requests are one: a table beside that of the routes.

use std::cell::RefCell;
use std::io;

use actix_web::http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::guard::{Caller, Sees};

tokio::task_local! {
    /// What the request that this task answers turns out to be about.
    static ABOUT: RefCell<Map<String, Value>>;
}

/// Something that has happened: one line of the log.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEvent {
    time: String,
    event: &'static str,
    who: String,
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "as")]
    principals: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(flatten)]
    about: Map<String, Value>,
}

impl AuditEvent {
    /// Something that somebody has just done.
    pub fn new(event: &'static str, who: &str) -> Self {
        Self {
            time: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            event,
            who: who.to_owned(),
            principals: Vec::new(),
            address: None,
            request: None,
            about: Map::new(),
        }
    }

    /// With what it was about.
    #[must_use]
    pub fn about(mut self, what: &str, value: &str) -> Self {
        self.about.insert(what.to_owned(), Value::from(value));
        self
    }

    pub(crate) fn with(mut self, about: Map<String, Value>) -> Self {
        self.about.extend(about);
        self
    }

    /// As whom they asked, and what there was for them.
    pub(crate) fn of(mut self, caller: &Caller) -> Self {
        self.principals = caller.principals.iter().map(ToString::to_string).collect();
        if caller.sees == Sees::Everything {
            self.about.insert("sees".to_owned(), Value::from("everything"));
        }
        if let Some(sources) = &caller.sources {
            self.about.insert("limited_to".to_owned(), Value::from(sources.clone()));
        }
        self
    }

    /// From where it came, by which request.
    pub(crate) fn by(mut self, address: Option<String>, request: Option<String>) -> Self {
        self.address = address;
        self.request = request;
        self
    }

    /// As it is written.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// What is said of a request that was refused though its answer is none of a failure: a page that says what was wrong.
const REFUSED: &str = "refused";

/// Says that what was asked for has not happened: it is no event.
pub(crate) fn refused() {
    about(REFUSED, true);
}

/// Whether that was said.
pub(crate) fn is_refused(said: &Map<String, Value>) -> bool {
    said.contains_key(REFUSED)
}

/// Says what the request that is being answered is about.
pub(crate) fn about(what: &str, value: impl Into<Value>) {
    // Where nobody listens (in tests of a handler alone), nothing is lost.
    let _ = ABOUT.try_with(|about| about.borrow_mut().insert(what.to_owned(), value.into()));
}

/// Runs what answers a request; with it, what that said of itself.
pub(crate) async fn observed<T>(answer: impl Future<Output = T>) -> (T, Map<String, Value>) {
    ABOUT
        .scope(RefCell::default(), async {
            let answered = answer.await;
            (answered, ABOUT.with(|about| about.take()))
        })
        .await
}

/// What it is called in the log when this route answers; `None`: it is no event. Searches are one only where queries are
/// written.
pub(crate) fn event_of(method: &Method, pattern: &str, has_queries: bool) -> Option<&'static str> {
    match (method.as_str(), pattern) {
        ("GET", "/document/{id}" | "/api/v1/documents/{id}" | "/api/v1/documents/{id}/passages") => {
            Some("document-opened")
        }
        ("GET", "/document/{id}/file") => Some("file-opened"),
        ("GET", "/api/v1/sources/{name}/ledger") => Some("files-listed"),
        ("GET", "/status/files.csv") => Some("files-exported"),
        ("PUT" | "POST", "/api/v1/documents") => Some("documents-pushed"),
        ("POST", "/api/v1/documents/bulk") => Some("documents-changed"),
        ("DELETE", "/api/v1/documents/{id}") => Some("document-deleted"),
        ("POST", "/api/v1/sources" | "/admin/sources") => Some("source-added"),
        ("DELETE", "/api/v1/sources/{name}") | ("POST", "/admin/sources/{name}/remove") => Some("source-removed"),
        ("POST", "/api/v1/jobs/{id}/cancel" | "/admin/jobs/{id}/cancel") => Some("job-cancelled"),
        ("POST", "/api/v1/jobs/{id}/pause" | "/admin/jobs/{id}/pause") => Some("job-paused"),
        ("POST", "/admin/keys") => Some("key-made"),
        ("POST", "/admin/keys/{id}/revoke") => Some("key-revoked"),
        ("POST", "/admin/users") => Some("user-added"),
        ("POST", "/admin/users/{name}") => Some("user-changed"),
        ("POST", "/admin/users/{name}/password") => Some("password-changed"),
        ("POST", "/admin/users/{name}/disable") => Some("user-disabled"),
        ("POST", "/admin/users/{name}/enable") => Some("user-enabled"),
        ("POST", "/admin/users/{name}/remove") => Some("user-removed"),
        ("POST", "/admin/guidance/synonyms") => Some("synonyms-changed"),
        ("POST", "/admin/guidance/rules") => Some("rules-changed"),
        ("POST", "/api/v1/backups" | "/admin/backup") => Some("backup-asked"),
        ("PUT", "/api/v1/sources/{name}/access") => Some("access-changed"),
        ("GET", "/insights/queries.csv" | "/api/v1/insights/judgements") => Some("insights-exported"),
        ("GET", "/search" | "/api/v1/search/stream") if has_queries => Some("searched"),
        ("GET" | "POST", "/api/v1/search") | ("POST", "/api/v1/answer") if has_queries => Some("searched"),
        _ => None,
    }
}

/// What it is called in the log when a tool of assistants (MCP) answers; `None`: it is no event.
pub(crate) fn event_of_tool(tool: &str, has_queries: bool) -> Option<&'static str> {
    match tool {
        "fetch" => Some("document-opened"),
        "search" | "search_passages" | "answer" if has_queries => Some("searched"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use storage::Principals;

    use super::*;

    #[test]
    fn a_line_says_who_what_and_when() {
        let principals = Principals::of(["user:anna".parse().unwrap()]);
        let anna = Caller { principals, sources: Some(vec!["wiki".to_owned()]), ..Caller::default() };
        let event = AuditEvent::new("document-opened", "user anna").of(&anna).about("document", "0\n1");
        let event = event.by(Some("10.0.0.1".to_owned()), Some("r-1".to_owned()));
        let line = String::from_utf8(event.line().unwrap()).unwrap();
        assert!(!line.contains('\n'), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        let time: Timestamp = read["time"].as_str().unwrap().parse().unwrap();
        assert!(Timestamp::now().as_second() - time.as_second() < 10);
        assert_eq!((&read["event"], &read["who"]), (&Value::from("document-opened"), &Value::from("user anna")));
        assert_eq!((&read["as"][2], &read["document"]), (&Value::from("user:anna"), &Value::from("0\n1")));
        assert_eq!((&read["limited_to"], read.get("sees")), (&serde_json::json!(["wiki"]), None));
        assert_eq!((&read["address"], &read["request"]), (&Value::from("10.0.0.1"), &Value::from("r-1")));
    }

    #[tokio::test]
    async fn an_answer_says_what_it_is_about() {
        let (answered, said) = observed(async {
            about("source", "wiki");
            about("deleted", 3);
            7
        })
        .await;
        assert_eq!((answered, &said["source"], &said["deleted"]), (7, &Value::from("wiki"), &Value::from(3)));
        about("source", "nobody listens");
    }
}
