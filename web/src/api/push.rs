//! Putting and deleting documents over the API. An answer of 200 means: committed, on disk, searchable. 202 means: on
//! disk, and searchable once the writer gets to it, also after a crash. 4xx means: nothing has changed.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use storage::Source;
use utoipa::ToSchema;

use super::access_body::AccessBody;
use super::carry::{Content, Edit, Edits, Outcome, Text, carry_out, labelled};
use super::documents::document_id;
use super::incoming;
use super::timing::{Timed, timed};
use crate::app::App;
use crate::audit;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::json::{self, Json};
use crate::pushed::composed;
use crate::traffic::client_of;

/// Source of documents that name none.
pub(super) const SOURCE: &str = "api";
/// Lines of one bulk request, and files of one form.
pub(super) const MAX_LINES: usize = 10_000;
/// Deletions of one request that the audit log names.
const AUDITED: usize = 1_000;

/// A document to put.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutBody {
    /// Name of a source of pushed documents; `api` if it is left out.
    #[serde(default = "default_source")]
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    source: String,
    /// Path within the source; its ending says how the text is read: .md, .html, .txt, .rs, ...
    path: String,
    /// The text.
    text: String,
    /// Title, for Markdown.
    title: Option<String>,
    /// Last change, seconds of Unix time; now if it is left out.
    modified: Option<i64>,
    /// Its address in the system that it comes from: http, https, smb or file. Results lead there.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Who may see it, beside what the rules of its source say; left out: as it was said before, or what those rules say.
    access: Option<AccessBody>,
}

/// Files to put, and where.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, and read part by part")]
pub(crate) struct UploadForm {
    /// Name of a source of pushed documents; `api` if it is left out.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    source: Option<String>,
    /// The path of the next file, or a folder for all if it ends in `/`.
    path: Option<String>,
    /// The address of the next file in the system that it comes from.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Who may see the next file, as JSON: `["group:hr"]`.
    access: Option<String>,
    /// The files, each with its name.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1)]
    file: Vec<u8>,
}

/// A line of a bulk request: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(crate) enum BulkLine {
    /// Put this document.
    Put(PutBody),
    /// Delete this one.
    Delete(DeleteBody),
}

/// A document to delete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteBody {
    #[serde(default = "default_source")]
    source: String,
    path: String,
}

fn default_source() -> String {
    SOURCE.to_string()
}

/// What became of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pushed {
    /// Id of the document.
    pub(super) id: String,
    pub(super) source: String,
    pub(super) path: String,
    /// `indexed`, `partly`, `skipped`, `unreadable`, `failed`, `deleted`, `replaced` if a later line of the request changes
    /// the same document, or `queued` if it is not committed yet.
    pub(super) state: &'static str,
    /// Why, in words; empty where there is nothing to say.
    pub(super) reason: String,
    /// Passages it has.
    pub(super) passages: u32,
    /// The job that commits it; 0 if there is none.
    pub(super) job: u64,
}

/// What became of several documents, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PushedList {
    items: Vec<Pushed>,
}

impl PutBody {
    pub(super) fn edit(self, app: &App, label: String) -> Result<Edit, Error> {
        let is_markdown = [".md", ".markdown"].iter().any(|ending| self.path.to_lowercase().ends_with(ending));
        let text = match self.title {
            None => self.text,
            Some(title) if is_markdown && !title.contains(['\n', '\r']) => {
                // A quote inside would end the value; the front matter knows no escapes.
                format!("---\ntitle: \"{}\"\n---\n\n{}", title.replace('"', "'"), self.text)
            }
            Some(_) => return Err(Error::bad("title: expected one line, and a path that ends in .md")),
        };
        let access = self.access.as_ref().map(AccessBody::read).transpose()?;
        let text = Text::Memory(text.into_bytes());
        let content = Some(Content { text, modified: self.modified, url: self.url, access });
        Ok(Edit { label, source: pushed_source(app, &self.source)?, path: composed(self.path), content })
    }
}

impl DeleteBody {
    pub(super) fn edit(self, app: &App, label: String) -> Result<Edit, Error> {
        Ok(Edit { label, source: pushed_source(app, &self.source)?, path: composed(self.path), content: None })
    }
}

/// The pushed source of that name; one that is a folder is refused.
pub(super) fn pushed_source(app: &App, name: &str) -> Result<Source, Error> {
    let engine = app.engine()?;
    let source = engine.pushed.source(name)?;
    match engine.source(name) {
        Some(known) if known != source => {
            Err(Error::Conflict { detail: format!("the source {name:?} is a folder: change its files instead") })
        }
        _ => Ok(source),
    }
}

/// Puts a document: a new one, or a new state of one.
#[utoipa::path(put, path = "/api/v1/documents", tag = "documents", request_body = PutBody,
    responses((status = 200, body = Timed<Pushed>), (status = 202, body = Timed<Pushed>), (status = 422, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put(
    app: web::Data<App>,
    body: Json<PutBody>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let app = app.into_inner();
    let edit = body.0.edit(&app, String::new())?;
    audit::about("path", format!("{}/{}", edit.source.name, edit.path));
    one(app, &caller, client_of(&request), started, edit).await
}

/// Deletes a pushed document. One inside of a file that was pushed as a whole (an archive, a mail) cannot be deleted by
/// itself.
#[utoipa::path(delete, path = "/api/v1/documents/{id}", tag = "documents", params(("id" = String, Path, description = "Id of the document")),
    responses((status = 200, body = Timed<Pushed>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(
    app: web::Data<App>,
    id: web::Path<String>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let app = app.into_inner();
    let id = document_id(&id)?;
    let who = caller.clone();
    let found = Arc::clone(&app).compute(move |app, engine| {
        let first = engine.view(&who)?.document(id)?.into_iter().next();
        let document = first.ok_or(Error::NotFound { what: "the document" })?.document;
        let source = pushed_source(app, &document.source)?;
        // Inside of an archive, names are not what a pushed path may be.
        engine.pushed.lock().check_remove(&source, &document.path)?;
        Ok((source, document.path))
    });
    let (source, path) = found.await?;
    audit::about("path", format!("{}/{path}", source.name));
    let edit = Edit { label: String::new(), source, path, content: None };
    one(app, &caller, client_of(&request), started, edit).await
}

async fn one(
    app: Arc<App>,
    caller: &Caller,
    client: String,
    started: Instant,
    edit: Edit,
) -> Result<HttpResponse, Error> {
    check_sources(caller, std::slice::from_ref(&edit))?;
    let mut outcomes = carry_out(&app, client, Edits { list: vec![edit], room: None }).await?;
    let Outcome { item, undone } = outcomes.pop().ok_or_else(|| Error::internal("a change without an outcome"))?;
    app.jobs.asked_by(item.job, caller);
    if let Some(error) = undone {
        return Err(error);
    }
    if matches!(item.state, "skipped" | "unreadable" | "failed") {
        return Err(Error::Unreadable { reason: item.reason });
    }
    let status = if item.state == "queued" { StatusCode::ACCEPTED } else { StatusCode::OK };
    let generation = app.engine()?.generation(caller)?;
    Ok(HttpResponse::build(status).json(timed(started, generation, item)))
}

/// Puts uploaded files: parts named `file`, each under its file name; before them, parts named `source` and `path` (the
/// path of the next file, or a folder for all if it ends in `/`), and `url` (the address of the next file in the system
/// that it comes from). Nothing is put in place before all parts were read and
/// checked.
#[utoipa::path(post, path = "/api/v1/documents", tag = "documents",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = Timed<PushedList>), (status = 202, body = Timed<PushedList>), (status = 207, description = "The server could not carry out some of it: those items are `failed`", body = Timed<PushedList>), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    parts: web::Payload,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    if !json::has_type(&request, "multipart/form-data") {
        return Err(Error::MediaType { expected: "multipart/form-data" });
    }
    let edits = app.in_time(incoming::of_form(&app, &request, parts)).await?;
    if edits.list.is_empty() {
        return Err(Error::bad("expected at least one part named `file`"));
    }
    several(app.into_inner(), &caller, &request, started, edits).await
}

/// Puts and deletes many documents: one JSON object a line, `{"put": {..}}` or `{"delete": {..}}`. All lines are checked
/// before the first takes effect: a request that is refused has changed nothing. Deletions come before what is put; of
/// several lines for one document the last counts.
#[utoipa::path(post, path = "/api/v1/documents/bulk", tag = "documents",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = Timed<PushedList>), (status = 202, body = Timed<PushedList>), (status = 207, description = "The server could not carry out some of it: those items are `failed`", body = Timed<PushedList>), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn bulk(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    if !json::has_type(&request, "application/x-ndjson") {
        return Err(Error::MediaType { expected: "application/x-ndjson" });
    }
    let edits = app.in_time(incoming::of_lines(&app, &request, payload)).await?;
    if edits.list.is_empty() {
        return Err(Error::bad("expected at least one line"));
    }
    several(app.into_inner(), &caller, &request, started, edits).await
}

/// A key that is made for some sources changes no others.
fn check_sources(caller: &Caller, edits: &[Edit]) -> Result<(), Error> {
    match edits.iter().find(|edit| !caller.may_change(&edit.source.name)) {
        None => Ok(()),
        Some(edit) => Err(labelled(&edit.label, Error::NotFound { what: "the source" })),
    }
}

/// What of several changes the audit log names: how many there are, and what was to be deleted.
fn audit_changes(edits: &Edits) {
    let deletions = edits.list.iter().filter(|edit| edit.content.is_none());
    let deletions: Vec<String> =
        deletions.take(AUDITED).map(|edit| format!("{}/{}", edit.source.name, edit.path)).collect();
    audit::about("changes", edits.list.len());
    audit::about("deletions", deletions);
}

async fn several(
    app: Arc<App>,
    caller: &Caller,
    request: &HttpRequest,
    started: Instant,
    edits: Edits,
) -> Result<HttpResponse, Error> {
    audit_changes(&edits);
    check_sources(caller, &edits.list)?;
    let outcomes = carry_out(&app, client_of(request), edits).await?;
    let status = if outcomes.iter().any(|outcome| outcome.undone.is_some()) {
        StatusCode::MULTI_STATUS
    } else if outcomes.iter().any(|outcome| outcome.item.state == "queued") {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let items: Vec<Pushed> = outcomes.into_iter().map(|outcome| outcome.item).collect();
    items.iter().for_each(|item| app.jobs.asked_by(item.job, caller));
    let generation = app.engine()?.generation(caller)?;
    Ok(HttpResponse::build(status).json(timed(started, generation, PushedList { items })))
}
