//! Every failure as a problem document (RFC 9457), from one table: status, stable code, title and cure.
//!
//! Promise: what a client reads names no path outside the sources, no key and no internals; those go to the log, under
//! the request's id.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use searcher::{RequestError, SearchError};
use serde::Serialize;
use storage::chain;
use utoipa::ToSchema;

use crate::engine::OpenError;
use crate::guard::{current_base, current_request};
use crate::identity::{DirectoryError, ProviderError};
use crate::pages;
use crate::writer::{Cause, Failure};

/// Why the server could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration does not make sense.
    #[error("the configuration is not usable: {}", problems.join("; "))]
    Config {
        /// What is wrong, key by key.
        problems: Vec<String>,
    },
    /// Anybody on the network could use the server.
    #[error(
        "refusing to listen on {listen} without access control: there is no key, no user, and no trusted proxy is named"
    )]
    Unprotected {
        /// The address that was asked for.
        listen: SocketAddr,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {listen}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The socket of the proxy cannot be listened on.
    #[error("cannot listen on the socket {}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Connections cannot be encrypted as is said.
    #[error("the server cannot encrypt its connections")]
    Tls(#[from] crate::tls::TlsError),
    /// The server's event loop failed.
    #[error("the server failed")]
    Io(#[from] io::Error),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] crate::guard::KeyFileError),
    /// The users cannot be read.
    #[error(transparent)]
    Users(#[from] crate::identity::UserFileError),
    /// The audit log is required and cannot be written.
    #[error("the audit log cannot be written, and audit.required is set")]
    Audit(#[source] io::Error),
    /// The index or a model could not be opened.
    #[error(transparent)]
    Open(OpenError),
}

/// What went wrong with one request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{detail}")]
    BadRequest { detail: String },
    #[error("{what} is {got}, more than the limit of {limit}")]
    OverLimit { what: &'static str, got: usize, limit: usize },
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("expected a body of the type {expected}")]
    MediaType { expected: &'static str },
    #[error("the body is packed as {coding:?}: expected it plain, or with Content-Encoding gzip or deflate")]
    Packed { coding: String },
    #[error("{place} has {tokens} tokens, more than the {limit} that there is room for")]
    TextTooLong { place: String, tokens: usize, limit: usize, status: StatusCode },
    #[error("{place}: the model sees nothing in this text")]
    TextWithoutMeaning { place: String },
    #[error("this needs an API key, or somebody who has signed in")]
    NoKey { browser: bool },
    #[error("this needs somebody who has signed in")]
    SignIn { back: String },
    #[error("who asks cannot be told: the server's log says which name cannot be used")]
    Identity,
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error("the API key is not valid: unknown, revoked or expired")]
    BadKey { browser: bool },
    #[error("this needs the scope {needed}")]
    Scope { needed: &'static str },
    #[error("the audit log cannot be written, and this has to be")]
    Audit,
    #[error("the request is addressed to a host that this server does not answer for")]
    Host,
    #[error("the request comes from another site")]
    Origin,
    #[error("{what} does not exist")]
    NotFound { what: &'static str },
    #[error("this method is not allowed here: expected {allowed}")]
    Method { allowed: String },
    #[error("{detail}")]
    Conflict { detail: String },
    #[error("no place for backups is named")]
    NoBackups,
    /// A job cannot be cancelled or paused.
    #[error("the job cannot be stopped: {why}")]
    JobFixed { why: &'static str },
    #[error("{detail}")]
    NotWhole { detail: String },
    #[error("the folder is not one in which sources may be added")]
    FolderNotAllowed,
    #[error("the address is none that may be added as a source over the API")]
    AddressNotAllowed,
    #[error("the document gives no text: {reason}")]
    Unreadable { reason: String },
    #[error("too many requests")]
    Rate { retry_after: u64 },
    #[error("all places for requests that compute are taken, and the queue is full")]
    Busy,
    #[error("this client has as much under way as it may: {limit} {what}")]
    OverShare { what: &'static str, limit: usize },
    #[error("all clients together have as much under way as they may: {limit} {what}")]
    Crowded { what: &'static str, limit: usize },
    #[error("nobody waits for this any more")]
    Unwanted,
    #[error("the request took longer than {seconds} s and was given up")]
    Timeout { seconds: u64 },
    #[error("the index is being opened")]
    Starting,
    #[error("{0}")]
    Upgrading(storage::UpgradeProgress),
    #[error("the server is stopping")]
    Stopping,
    #[error(
        "the source {source_name:?} is still being removed, or an earlier change of the same document is under way; nothing was written"
    )]
    SourceBusy { source_name: String },
    #[error("this server follows the backups of another one, and takes no changes of its own")]
    Follows,
    #[error("the index cannot be written: {}", .0.words)]
    Unwritable(Failure),
    #[error("the index cannot be written: {}", .0.words)]
    NotAlive(Failure),
    #[error("no reranker is configured")]
    NoReranker,
    #[error("no writer is configured")]
    NoWriter,
    #[error("the text took longer than {seconds} s to write")]
    Writing { seconds: u64 },
    #[error("insights are switched off")]
    NoInsights,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Model(#[from] qwen3::Error),
    #[error("indexing failed")]
    Index(#[from] indexer::IndexError),
    #[error("{detail}")]
    Internal { detail: String },
}

/// Refuses more than a limit.
pub(crate) fn within(what: &'static str, got: usize, limit: usize) -> Result<(), Error> {
    if got > limit { Err(Error::OverLimit { what, got, limit }) } else { Ok(()) }
}

/// One line of the table: how a failure looks from outside.
struct Line {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    cure: &'static str,
}

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// URI of this kind of problem; ends with the code.
    #[serde(rename = "type")]
    kind: String,
    /// What it is, the same for every occurrence.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    pub(crate) detail: String,
    /// Stable name for programs.
    code: &'static str,
    /// What helps.
    pub(crate) cure: &'static str,
    /// Id of the request, as in the header `X-Request-Id` and in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The fields of the request that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

/// What is wrong with a field of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// The field, as it is called in a JSON body.
    field: &'static str,
    /// Stable name for programs: one for each field and fault.
    code: &'static str,
}

impl Error {
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::BadRequest { detail: detail.into() }
    }

    pub(crate) fn internal(detail: impl fmt::Display) -> Self {
        Self::Internal { detail: detail.to_string() }
    }

    const BAD_REQUEST: Line = Line {
        status: StatusCode::BAD_REQUEST,
        code: "bad-request",
        title: "The request is not valid",
        cure: "see /api/docs for the fields and their values",
    };
    const OVER_LIMIT: Line = Line {
        status: StatusCode::BAD_REQUEST,
        code: "over-limit",
        title: "The request asks for too much",
        cure: "ask for less, or raise the limit in quarry.toml",
    };

    /// Its stable name for programs.
    pub(crate) fn code(&self) -> &'static str {
        self.line().code
    }

    #[rustfmt::skip]
    fn line(&self) -> Line {
        use StatusCode as S;
        let line = |status, code, title, cure| Line { status, code, title, cure };
        match self {
            Self::BadRequest { .. } => Self::BAD_REQUEST,
            Self::OverLimit { .. } => Self::OVER_LIMIT,
            Self::Request(RequestError::OverLimit { .. }) => Self::OVER_LIMIT,
            Self::Request(_) | Self::Search(SearchError::Request(_)) => Self::BAD_REQUEST,
            Self::TooLarge { .. } => line(S::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", "send less at once, or raise limits.body_bytes or limits.upload_bytes in quarry.toml"),
            Self::MediaType { .. } => line(S::UNSUPPORTED_MEDIA_TYPE, "media-type", "The body has another type", "set the Content-Type header"),
            Self::Packed { .. } => line(S::UNSUPPORTED_MEDIA_TYPE, "content-encoding", "The body is packed in a way that is not read", "send it plain, or packed as Accept-Encoding says"),
            Self::TextTooLong { status, .. } => Line { status: *status, ..line(S::BAD_REQUEST, "text-too-long", "A text is too long for the model", "shorten it, or leave truncate out to have it cut") },
            Self::NoKey { .. } => line(S::UNAUTHORIZED, "key-missing", "An API key is needed", "send `Authorization: Bearer KEY`; an administrator makes one with `quarry keys create`"),
            Self::SignIn { .. } => line(S::SEE_OTHER, "sign-in", "Somebody has to sign in", "sign in at the address in Location"),
            Self::Identity => line(S::FORBIDDEN, "identity-unreadable", "Who asks cannot be told", "look into the server's log under the request id, and correct the proxy or the users"),
            Self::Provider(ProviderError::Away(_)) => line(S::SERVICE_UNAVAILABLE, "provider-away", "The identity provider cannot be asked", "try again later; the server's log says why"),
            Self::Provider(ProviderError::Stale) => line(S::GONE, "sign-in-stale", "The sign-in is over", "begin again, in one browser, within ten minutes"),
            Self::Provider(ProviderError::NotLetIn) => line(S::FORBIDDEN, "not-let-in", "Nobody has let this person in", "an administrator puts them into a group that auth.oidc names"),
            Self::Provider(ProviderError::TooManyGroups | ProviderError::NoGroups { .. }) => line(S::FORBIDDEN, "groups-unknown", "The groups of this person are not known", "an administrator has the provider send the groups that count here: see docs/OPERATING.md"),
            Self::Directory(error) if error.is_away() => line(S::SERVICE_UNAVAILABLE, "directory-away", "The directory cannot be asked for groups", "try again later; the server's log says why"),
            Self::Directory(_) => line(S::FORBIDDEN, "groups-unknown", "The groups of this person are not known", "look into the server's log, and correct auth.ldap or the directory"),
            Self::Provider(_) => line(S::FORBIDDEN, "sign-in-refused", "The sign-in is refused", "begin again; if it happens again, the server's log says why under the request id"),
            Self::Audit => line(S::SERVICE_UNAVAILABLE, "audit-unwritable", "The audit log cannot be written", "free space or mend the disk; it is tried again by itself"),
            Self::BadKey { .. } => line(S::UNAUTHORIZED, "key-invalid", "The API key is not valid", "ask an administrator for a new key"),
            Self::Scope { .. } => line(S::FORBIDDEN, "scope-missing", "The key, or the user, may not do this", "use a key with this scope; an administrator makes one, or makes somebody an administrator"),
            Self::Host => line(S::MISDIRECTED_REQUEST, "host-not-allowed", "Unknown host name", "add the name to server.allowed_hosts in quarry.toml"),
            Self::Origin => line(S::FORBIDDEN, "origin-not-allowed", "Requests from other sites are refused", "send the request from the server's own page, or from a program without an Origin header"),
            Self::NotFound { .. } => line(S::NOT_FOUND, "not-found", "Not found", "check the address; documents are listed at /api/v1/documents"),
            Self::Method { .. } => line(S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", "see /api/docs for what this address takes"),
            Self::Conflict { .. } => line(S::CONFLICT, "conflict", "Something else has that name", "choose another name"),
            Self::JobFixed { .. } => line(S::CONFLICT, "job-fixed", "The job cannot be stopped", "see its state at /api/v1/jobs"),
            Self::NotWhole { .. } => line(S::CONFLICT, "not-whole", "This is not a document that was pushed by itself", "delete the file that it is in, or push that file again without it; of a folder, delete each document, together in one bulk request if there are many"),
            Self::FolderNotAllowed => line(S::FORBIDDEN, "folder-not-allowed", "The folder may not be added", "name it, or a folder above it, in index.allow_folders of quarry.toml, or index it on the command line"),
            Self::AddressNotAllowed => line(S::FORBIDDEN, "address-not-allowed", "The address may not be added", "name it, or one above it, in index.allow_addresses of quarry.toml; where it needs files, variables or a private address, add it there or on the command line"),
            Self::Unreadable { .. } => line(S::UNPROCESSABLE_ENTITY, "unreadable", "The document cannot be read", "send text, or a file of a format that quarry reads"),
            Self::Rate { .. } => line(S::TOO_MANY_REQUESTS, "rate-limited", "Too many requests", "wait as long as Retry-After says"),
            Self::OverShare { .. } => line(S::TOO_MANY_REQUESTS, "over-share", "One client has too much under way", "read or close what is open and try again after Retry-After; the limits are limits.client_... in quarry.toml"),
            Self::Crowded { .. } => line(S::SERVICE_UNAVAILABLE, "crowded", "Too much is under way", "try again after Retry-After"),
            Self::Unwanted => line(S::SERVICE_UNAVAILABLE, "unwanted", "The work was left off", "ask again"),
            Self::Busy => line(S::SERVICE_UNAVAILABLE, "busy", "The server is busy", "try again after Retry-After"),
            Self::Timeout { .. } => line(S::SERVICE_UNAVAILABLE, "timeout", "The request took too long", "ask for less, or raise limits.request_seconds in quarry.toml"),
            Self::Starting => line(S::SERVICE_UNAVAILABLE, "starting", "The server is starting", "try again soon; /health/ready says when"),
            Self::Upgrading(_) => line(S::SERVICE_UNAVAILABLE, "upgrading", "The index is being brought to a new format", "try again later; /health/ready says how far it is"),
            Self::Stopping => line(S::SERVICE_UNAVAILABLE, "stopping", "The server is stopping", "try again when it is back"),
            Self::SourceBusy { .. } => line(S::SERVICE_UNAVAILABLE, "source-busy", "The source is busy", "try again when the removal is done; /api/v1/jobs shows it"),
            Self::Follows => line(S::FORBIDDEN, "read-only", "This server only searches", "make the change at the server that makes the backups; it is here with the next one"),
            Self::NotAlive(_) => line(S::SERVICE_UNAVAILABLE, "index-unwritable", "The index cannot be written", "free space or mend the disk; searches go on, and it is tried again by itself"),
            Self::Unwritable(Failure { cause: Cause::Full, .. }) => line(S::INSUFFICIENT_STORAGE, "disk-full", "The disk is full", "free some space on the server's disk; nothing that was acknowledged is lost, and it is tried again by itself"),
            Self::Unwritable(_) => line(S::SERVICE_UNAVAILABLE, "index-unwritable", "The index cannot be written", "try again later: the server opens it again by itself; /health/live tells how it is"),
            Self::Storage(storage::Error::Reopening) => line(S::SERVICE_UNAVAILABLE, "reopening", "The index is being opened again", "try again soon"),
            Self::NoReranker => line(S::NOT_IMPLEMENTED, "no-reranker", "No reranker is configured", "name one as `reranker` in quarry.toml, and start the server again"),
            Self::NoWriter => line(S::NOT_IMPLEMENTED, "no-writer", "No writer is configured", "name one as `writer` in quarry.toml, and start the server again"),
            Self::Writing { .. } => line(S::SERVICE_UNAVAILABLE, "writing-timeout", "The text took too long", "ask for fewer tokens, or raise limits.writing_seconds in quarry.toml"),
            Self::Model(qwen3::Error::Busy { .. }) => line(S::SERVICE_UNAVAILABLE, "busy", "The writer is busy", "try again after Retry-After"),
            Self::NoBackups => line(S::NOT_IMPLEMENTED, "no-backups", "No place for backups is named", "set backup.destination in quarry.toml, and start the server again; on the server, `quarry backup DEST` names one"),
            Self::NoInsights => line(S::NOT_IMPLEMENTED, "no-insights", "Insights are switched off", "set `enabled = true` under [insights] in quarry.toml, and start the server again"),
            Self::TextWithoutMeaning { .. } | Self::Model(qwen3::Error::NoDirection { .. }) => line(S::UNPROCESSABLE_ENTITY, "text-without-meaning", "The model sees nothing in a text", "leave empty texts out"),
            Self::Model(error) if error.is_elsewhere() => line(S::SERVICE_UNAVAILABLE, "model-away", "The model gives no answer", "try again later; /api/v1/status and the server's log say why"),
            Self::Model(qwen3::Error::NoTokens) => line(S::BAD_REQUEST, "bad-request", Self::BAD_REQUEST.title, Self::BAD_REQUEST.cure),
            Self::Model(_) => line(S::INTERNAL_SERVER_ERROR, "model-failed", "The model failed", "look into the server's log under the request id"),
            Self::Search(_) | Self::Storage(_) => line(S::INTERNAL_SERVER_ERROR, "index-failed", "The index could not be used", "look into the server's log under the request id; `quarry verify` checks the index"),
            Self::Index(_) => line(S::INTERNAL_SERVER_ERROR, "indexing-failed", "Indexing failed", "look into the server's log and at /api/v1/jobs"),
            Self::Internal { .. } => line(S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong", "a bug: please report it with the log under the request id"),
        }
    }

    /// What a client may read of it. Failures of the machinery carry paths and go to the log only.
    fn public_detail(&self) -> String {
        match self {
            Self::Model(
                error @ (qwen3::Error::NoDirection { .. } | qwen3::Error::Busy { .. } | qwen3::Error::NoTokens),
            ) => error.to_string(),
            Self::Model(error) if error.is_elsewhere() => "the model gives no answer at the moment".to_owned(),
            Self::Storage(error @ storage::Error::Reopening) => error.to_string(),
            Self::Search(SearchError::Request(error)) => error.to_string(),
            Self::Provider(error) => error.public_detail(),
            Self::Directory(error) => error.public_detail().to_owned(),
            Self::Search(_) | Self::Storage(_) | Self::Model(_) | Self::Index(_) | Self::Internal { .. } => {
                "the server could not do this; its log says why".to_string()
            }
            public => public.to_string(),
        }
    }

    pub(crate) fn problem(&self) -> Problem {
        let line = self.line();
        Problem {
            kind: format!("{}/api/docs#{}", current_base(), line.code),
            title: line.title,
            status: line.status.as_u16(),
            detail: self.public_detail(),
            code: line.code,
            cure: line.cure,
            request_id: current_request(),
            errors: self.fields(),
        }
    }

    /// The same in a sentence, for those who read no problem documents: with the cure, unless the request itself is wrong.
    pub(crate) fn sentence(&self) -> String {
        let (line, detail) = (self.line(), self.public_detail());
        if line.status.as_u16() < StatusCode::TOO_MANY_REQUESTS.as_u16() {
            return detail;
        }
        format!("{detail}; {}", line.cure)
    }

    fn fields(&self) -> Vec<FieldProblem> {
        match self {
            Self::Request(error) | Self::Search(SearchError::Request(error)) => {
                vec![FieldProblem { field: error.field(), code: error.code() }]
            }
            _ => Vec::new(),
        }
    }

    /// A failure of ours goes to the log.
    pub(crate) fn log(&self) {
        if self.line().status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(code = self.line().code, "{}", chain(self));
        }
    }

    /// An answer with the status and headers of this failure, still without a body.
    pub(crate) fn response(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status_code());
        self.headers(&mut response);
        response
    }

    fn headers(&self, response: &mut HttpResponseBuilder) {
        match self {
            Self::Rate { retry_after } => response.insert_header((header::RETRY_AFTER, retry_after.to_string())),
            Self::OverShare { .. }
            | Self::Crowded { .. }
            | Self::Busy
            | Self::Model(qwen3::Error::Busy { .. })
            | Self::Writing { .. }
            | Self::Timeout { .. }
            | Self::Starting
            | Self::Upgrading(_)
            | Self::Stopping
            | Self::Provider(ProviderError::Away(_))
            | Self::SourceBusy { .. }
            | Self::Model(qwen3::Error::Away { .. })
            | Self::Storage(storage::Error::Reopening) => response.insert_header((header::RETRY_AFTER, "1")),
            Self::Method { allowed } => response.insert_header((header::ALLOW, allowed.as_str())),
            Self::Packed { .. } => response.insert_header((header::ACCEPT_ENCODING, "gzip, deflate")),
            Self::Unwritable(_) | Self::NotAlive(_) | Self::Audit => response.insert_header((header::RETRY_AFTER, "5")),
            Self::SignIn { back } => response.insert_header((header::LOCATION, pages::sign_in_address(back))),
            // A browser asks for a key by itself when a page needs one: the user name is not looked at.
            Self::NoKey { browser: true } | Self::BadKey { browser: true } => {
                response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"quarry\", charset=\"UTF-8\""))
            }
            Self::NoKey { browser: false } | Self::BadKey { browser: false } => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"quarry\""))
            }
            _ => response,
        };
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.line().status
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        let body = serde_json::to_string(&self.problem()).unwrap_or_default();
        self.response().content_type("application/problem+json").body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machinery_is_not_shown() {
        let secret = std::path::PathBuf::from("/srv/secret/index");
        let error = Error::Storage(storage::Error::NoIndex { path: secret });
        let problem = serde_json::to_string(&error.problem()).unwrap();
        assert!(!problem.contains("secret"), "{problem}");
        assert_eq!(error.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn an_upgrade_says_how_far_it_is() {
        let error = Error::Upgrading(storage::UpgradeProgress { from: 2, to: 3, percent: 41 });
        let problem = error.problem();
        assert_eq!((problem.status, problem.code), (503, "upgrading"));
        assert!(problem.detail.contains("41 %"), "{}", problem.detail);
        assert!(error.error_response().headers().contains_key("retry-after"));
    }

    #[test]
    fn waiting_is_told() {
        let response = Error::Rate { retry_after: 7 }.error_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers().get("retry-after").unwrap(), "7");
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    }
}
