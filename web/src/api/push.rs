//! Putting and deleting documents over the API. An answer of 200 means: committed, on disk, searchable. 202 means: on
//! disk, and searchable once the writer gets to it, also after a crash.

use std::sync::Arc;
use std::time::Instant;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use storage::{DocumentId, FileState, LedgerEntry, Source};
use utoipa::ToSchema;

use super::documents::document_id;
use super::timing::{Timed, timed};
use crate::app::App;
use crate::error::{Error, Problem};
use crate::json::{self, Json};
use crate::writer::Placed;

/// Source of documents that name none.
const SOURCE: &str = "api";
/// Lines of one bulk request.
const MAX_LINES: usize = 10_000;

/// A document to put.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutBody {
    /// Name of a source of pushed documents; `api` if it is left out.
    #[serde(default = "default_source")]
    source: String,
    /// Path within the source; its ending says how the text is read: .md, .html, .txt, .rs, ...
    path: String,
    /// The text.
    text: String,
    /// Title, for Markdown.
    title: Option<String>,
    /// Last change, seconds of Unix time; now if it is left out.
    modified: Option<i64>,
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
    id: String,
    source: String,
    path: String,
    /// `indexed`, `partly`, `skipped`, `unreadable`, `failed`, `deleted`, or `queued` if it is not committed yet.
    state: &'static str,
    /// Why, in words; empty where there is nothing to say.
    reason: String,
    /// Passages it has.
    passages: u32,
    /// The job that commits it.
    job: u64,
}

/// What became of several documents, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PushedList {
    items: Vec<Pushed>,
}

/// A change of one file.
struct Edit {
    source: Source,
    path: String,
    /// The new content and the time of its change; `None` deletes.
    content: Option<(Vec<u8>, Option<i64>)>,
}

impl PutBody {
    fn edit(self, app: &App) -> Result<Edit, Error> {
        let is_markdown = [".md", ".markdown"].iter().any(|ending| self.path.to_lowercase().ends_with(ending));
        let content = match self.title {
            None => self.text,
            Some(title) if is_markdown && !title.contains(['\n', '\r']) => {
                // A quote inside would end the value; the front matter knows no escapes.
                format!("---\ntitle: \"{}\"\n---\n\n{}", title.replace('"', "'"), self.text)
            }
            Some(_) => return Err(Error::bad("title: expected one line, and a path that ends in .md")),
        };
        let content = Some((content.into_bytes(), self.modified));
        Ok(Edit { source: pushed_source(app, &self.source)?, path: self.path, content })
    }
}

/// The pushed source of that name; one that is a folder is refused.
fn pushed_source(app: &App, name: &str) -> Result<Source, Error> {
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
pub(crate) async fn put(app: web::Data<App>, body: Json<PutBody>) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let app = app.into_inner();
    let edit = body.0.edit(&app)?;
    one(app, started, edit).await
}

/// Deletes a pushed document.
#[utoipa::path(delete, path = "/api/v1/documents/{id}", tag = "documents", params(("id" = String, Path, description = "Id of the document")),
    responses((status = 200, body = Timed<Pushed>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let app = app.into_inner();
    let id = document_id(&id)?;
    let document = Arc::clone(&app).compute(move |_, engine| {
        let first = engine.snapshot().document(id)?.into_iter().next();
        Ok(first.ok_or(Error::NotFound { what: "the document" })?.document)
    });
    let document = document.await?;
    let edit = Edit { source: pushed_source(&app, &document.source)?, path: document.path, content: None };
    one(app, started, edit).await
}

async fn one(app: Arc<App>, started: Instant, edit: Edit) -> Result<HttpResponse, Error> {
    let mut items = apply(&app, vec![edit]).await?;
    let item = items.pop().ok_or_else(|| Error::internal("a change without an outcome"))?;
    if matches!(item.state, "skipped" | "unreadable" | "failed") {
        return Err(Error::Unreadable { reason: item.reason });
    }
    let status = if item.state == "queued" { StatusCode::ACCEPTED } else { StatusCode::OK };
    let generation = app.engine()?.snapshot().sequence();
    Ok(HttpResponse::build(status).json(timed(started, generation, item)))
}

/// Puts uploaded files: parts named `file`, each under its file name; before them, parts named `source` and `path` (the
/// path of the next file, or a folder for all if it ends in `/`).
#[utoipa::path(post, path = "/api/v1/documents", tag = "documents",
    request_body(content = Object, content_type = "multipart/form-data"),
    responses((status = 200, body = Timed<PushedList>), (status = 202, body = Timed<PushedList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    app: web::Data<App>,
    request: HttpRequest,
    parts: web::Payload,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let app = app.into_inner();
    if !json::has_type(&request, "multipart/form-data") {
        return Err(Error::MediaType { expected: "multipart/form-data" });
    }
    let edits = app.in_time(edits_of(&app, Multipart::new(request.headers(), parts))).await?;
    if edits.is_empty() {
        return Err(Error::bad("expected at least one part named `file`"));
    }
    let items = apply(&app, edits).await?;
    several(&app, started, items)
}

async fn edits_of(app: &App, mut parts: Multipart) -> Result<Vec<Edit>, Error> {
    let limit = app.config.limits.upload_bytes;
    let broken = |error: actix_multipart::MultipartError| Error::bad(format!("the upload cannot be read: {error}"));
    let (mut source, mut path, mut total) = (default_source(), String::new(), 0);
    let mut edits = Vec::new();
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(broken)?;
        let name = part.name().unwrap_or_default().to_string();
        let file = part.content_disposition().and_then(|d| d.get_filename()).map(str::to_string);
        let mut content = Vec::new();
        while let Some(bytes) = part.next().await {
            let bytes = bytes.map_err(broken)?;
            total += bytes.len();
            if total > limit {
                return Err(Error::TooLarge { limit });
            }
            content.extend_from_slice(&bytes);
        }
        let text =
            || String::from_utf8(content.clone()).map_err(|_| Error::bad(format!("{name}: expected text in UTF-8")));
        match name.as_str() {
            "source" => source = text()?,
            "path" => path = text()?,
            "file" => {
                let full = match file {
                    _ if !path.is_empty() && !path.ends_with('/') => std::mem::take(&mut path),
                    Some(file) => format!("{path}{file}"),
                    None => return Err(Error::bad("a file needs a file name or a part `path` before it")),
                };
                edits.push(Edit { source: pushed_source(app, &source)?, path: full, content: Some((content, None)) });
            }
            other => return Err(Error::bad(format!("unknown part {other:?}; expected source, path or file"))),
        }
    }
    Ok(edits)
}

/// Puts and deletes many documents: one JSON object a line, `{"put": {..}}` or `{"delete": {..}}`.
#[utoipa::path(post, path = "/api/v1/documents/bulk", tag = "documents",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = Timed<PushedList>), (status = 202, body = Timed<PushedList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn bulk(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let app = app.into_inner();
    if !json::has_type(&request, "application/x-ndjson") {
        return Err(Error::MediaType { expected: "application/x-ndjson" });
    }
    let limit = app.config.limits.upload_bytes;
    let body = app.in_time(json::collect(&request, &mut payload.into_inner(), limit)).await?;
    let mut edits = Vec::new();
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let read = serde_json::from_slice(line).map_err(|error| Error::bad(format!("line {}: {error}", number + 1)));
        edits.push(match read? {
            BulkLine::Put(put) => put.edit(&app)?,
            BulkLine::Delete(DeleteBody { source, path }) => {
                Edit { source: pushed_source(&app, &source)?, path, content: None }
            }
        });
        super::search::within("the number of lines", edits.len(), MAX_LINES)?;
    }
    if edits.is_empty() {
        return Err(Error::bad("expected at least one line"));
    }
    let items = apply(&app, edits).await?;
    several(&app, started, items)
}

fn several(app: &App, started: Instant, items: Vec<Pushed>) -> Result<HttpResponse, Error> {
    let queued = items.iter().any(|item| item.state == "queued");
    let status = if queued { StatusCode::ACCEPTED } else { StatusCode::OK };
    let generation = app.engine()?.snapshot().sequence();
    Ok(HttpResponse::build(status).json(timed(started, generation, PushedList { items })))
}

/// Writes the files once it is their turn, has them committed, and waits for that as long as a request may take.
async fn apply(app: &Arc<App>, edits: Vec<Edit>) -> Result<Vec<Pushed>, Error> {
    let patience = tokio::time::Instant::now() + app.patience() * 4 / 5;
    let mut wanted: Vec<(Source, Vec<String>)> = Vec::new();
    for Edit { source, path, .. } in &edits {
        match wanted.iter_mut().find(|(known, _)| known == source) {
            Some((_, paths)) => paths.push(path.clone()),
            None => wanted.push((source.clone(), vec![path.clone()])),
        }
    }
    // From here on, nothing that was accepted earlier undoes it.
    let placing = app.engine()?.writer.reserve(wanted)?.cleared(patience).await?;
    let keeper = Arc::clone(app);
    let write = tokio::task::spawn_blocking(move || {
        let pushed = &keeper.engine()?.pushed;
        for Edit { source, path, content } in edits {
            match &content {
                Some((content, modified)) => pushed.write(&source, &path, content, *modified)?,
                None => pushed.remove(&source, &path)?,
            }
        }
        Ok::<_, Error>(placing.commit())
    });
    let mut items = Vec::new();
    for Placed { source, paths, job, answer } in write.await.map_err(Error::internal)?? {
        let lines = match tokio::time::timeout_at(patience, answer).await {
            Ok(Ok(Ok(lines))) => Some(lines),
            Ok(Ok(Err(failure))) => return Err(Error::Unwritable(failure)),
            Ok(Err(_)) => return Err(Error::Stopping),
            Err(_) => None,
        };
        items.extend(paths.iter().map(|path| item(&source, path, job, lines.as_deref())));
    }
    Ok(items)
}

fn item(source: &Source, path: &str, job: u64, lines: Option<&[LedgerEntry]>) -> Pushed {
    let line = lines.and_then(|lines| lines.iter().find(|line| line.path == path));
    let state = match (lines, line) {
        (None, _) => "queued",
        (_, Some(line)) => line.state.label(),
        (_, None) => "deleted",
    };
    Pushed {
        id: DocumentId::of(&source.name, path).to_string(),
        source: source.name.clone(),
        path: path.to_string(),
        state,
        reason: line.map(|line| &line.state).map(FileState::reason).unwrap_or_default(),
        passages: line.map_or(0, |line| line.chunks),
        job,
    }
}
