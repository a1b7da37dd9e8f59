//! `/api/v1/sources`: the folders that are indexed, what became of their files, and having them looked through again.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use connect::{Mirrors, SyncReport, SyncState};
use serde::{Deserialize, Serialize};
use storage::{FileState, LedgerEntry, Source, SourceTotals, View};
use utoipa::{IntoParams, ToSchema};

use super::documents::page_size;
use super::ledger_list::{self, ListForm};
use super::ledger_view::LedgerView;
use super::timing::{Timed, timed};
use crate::app::App;
use crate::audit;
use crate::config::FilesSay;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::guard::{Caller, Scope};
use crate::json::{Json, Params};
use crate::traffic::client_of;
use crate::writer::{AccessNews, Deletions, Failure, Look, Writer};

/// A source and how its files fare.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct SourceView {
    /// Unique name.
    pub(crate) name: String,
    /// Its folder; only administrators see it.
    pub(crate) folder: Option<String>,
    /// Whether its documents were pushed over the API.
    pub(crate) pushed: bool,
    /// Where its documents lie, if they are fetched from elsewhere; only administrators see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Seconds of Unix time when it was fetched last, to the end, if it is fetched from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fetched: Option<i64>,
    /// Why it could not be fetched the last time, or not all of it; only administrators see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// Files that are known.
    pub(crate) files: u64,
    /// Files that are searchable.
    pub(crate) indexed: u64,
    /// Files that are searchable, but not all of them could be read.
    pub(crate) partly: u64,
    /// Files left out by a rule.
    pub(crate) skipped: u64,
    /// Files that cannot be read.
    pub(crate) unreadable: u64,
    /// Files that failed and are tried again.
    pub(crate) failed: u64,
    /// Passages of all files.
    pub(crate) passages: u64,
    /// Seconds of Unix time at the end of the last run.
    pub(crate) last_run: Option<i64>,
}

/// All sources.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceList {
    sources: Vec<SourceView>,
}

/// What the writer was asked to do.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Name of the source; empty where it is about the whole index.
    source: String,
    /// Number of the job: see `/api/v1/jobs/{id}`.
    job: u64,
}

impl Accepted {
    /// About no source, but the whole index.
    pub(super) fn of_the_index(job: u64) -> Self {
        Self { source: String::new(), job }
    }
}

/// The sources with their counts.
pub(crate) fn views(engine: &Engine, seen: &View, with_folders: bool) -> Vec<SourceView> {
    let view = |source: &Source| {
        let SourceTotals { files, documents: _, indexed, partly, skipped, unreadable, failed, chunks, last_run } =
            seen.totals().source(&source.name);
        let from = engine.mirrors.settings(&source.name).filter(|_| engine.mirrors.owns(source));
        let state = from.as_ref().and_then(|_| engine.mirrors.state(&source.name)).unwrap_or_default();
        SourceView {
            name: source.name.clone(),
            folder: with_folders.then(|| source.root.display().to_string()),
            fetched: state.synced,
            trouble: with_folders.then(|| trouble(state)).flatten(),
            address: from.filter(|_| with_folders).map(|from| from.url),
            pushed: engine.pushed.owns(source),
            files,
            indexed,
            partly,
            skipped,
            unreadable,
            failed,
            passages: chunks,
            last_run,
        }
    };
    seen.sources().into_iter().map(view).collect()
}

/// What is to be told of the last time that a source was fetched.
fn trouble(state: SyncState) -> Option<String> {
    let SyncReport { problems, failed, left_out, notes, .. } = state.report;
    let first = problems.into_iter().next().map(|first| format!("{failed} could not be fetched; the first: {first}"));
    state.error.or(left_out).or(first).or(notes.into_iter().next())
}

/// Lists the sources.
#[utoipa::path(get, path = "/api/v1/sources", tag = "sources",
    responses((status = 200, body = Timed<SourceList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(app: web::Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let with_folders = caller.sees_places();
    let list = app.into_inner().compute(move |_, engine| {
        let seen = engine.view(&caller)?;
        let sources = views(engine, &seen, with_folders);
        Ok(timed(started, seen.generation()?, SourceList { sources }))
    });
    Ok(HttpResponse::Ok().json(list.await?))
}

/// A folder to index, or a place elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddBody {
    /// Unique name.
    #[schema(pattern = r"^[^/\x00-\x1f\x7f-\x9f]+$", max_length = 200)]
    name: String,
    /// Absolute path of a folder on the server, within one of `index.allow_folders`.
    #[serde(default)]
    folder: String,
    /// Where its documents lie, in the place of a folder: an object with `url`, below one of `index.allow_addresses`, and what
    /// else a source's `from` may say in the configuration file, but for files, variables and private addresses.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    from: Option<connect::Settings>,
    /// Whether its files say who may see them; left out: as it was said before, or nothing.
    #[serde(default)]
    permissions: Option<FilesSay>,
}

/// Adds a folder, or a place elsewhere, and indexes it.
#[utoipa::path(post, path = "/api/v1/sources", tag = "sources", request_body = AddBody,
    responses((status = 202, body = Timed<Accepted>), (status = 403, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn add(app: web::Data<App>, body: Json<AddBody>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let AddBody { name, folder, from, permissions } = body.0;
    let job = match from {
        Some(_) if !folder.is_empty() => return Err(Error::bad("expected either folder or from")),
        Some(from) => accept_place(&app, &caller, name.clone(), from).await?,
        None => accept(&app, &caller, name.clone(), &folder, permissions).await?,
    };
    let content = Accepted { source: name, job };
    Ok(HttpResponse::Accepted().json(timed(started, app.engine()?.generation(&caller)?, content)))
}

/// Has a folder indexed as a source; the number of the job.
///
/// # Errors
/// The folder is none or may not be added, or the name is another's.
pub(crate) async fn accept(
    app: &web::Data<App>,
    caller: &Caller,
    name: String,
    folder: &str,
    permissions: Option<FilesSay>,
) -> Result<u64, Error> {
    let engine = app.engine()?;
    if engine.mirrors.settings(&name).is_some() {
        return Err(Error::Conflict {
            detail: format!("there is another source {name:?}, which is fetched from elsewhere"),
        });
    }
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) || name.contains('/') {
        return Err(Error::bad("name: expected 1 to 200 characters, without slashes and control characters"));
    }
    // The same answer for a folder that is not there and one that may not be looked at: nobody probes the disk here.
    let root = Path::new(folder).canonicalize().map_err(|_| Error::FolderNotAllowed)?;
    let mut allowed = app.config.index.allow_folders.iter().filter_map(|allowed| allowed.canonicalize().ok());
    // Whom the server runs as may index what the server may read.
    if !root.is_dir() || !(caller.is_owner || allowed.any(|allowed| root.starts_with(allowed))) {
        return Err(Error::FolderNotAllowed);
    }
    if engine.source(&name).is_some_and(|known| known.root != root) {
        return Err(Error::Conflict { detail: format!("there is another source {name:?}") });
    }
    audit::about("source", name.as_str());
    audit::about("folder", root.to_string_lossy().as_ref());
    if let Some(say) = permissions {
        audit::about("permissions", serde_json::to_value(say).map_err(Error::internal)?);
        // Before anything is read of it.
        app.in_time(engine.writer.set_access(&name, AccessNews::Files(say.permissions()))).await?;
    }
    on_disk(app, caller, move |writer| writer.add(Source { name, root })).await
}

/// Has a place elsewhere fetched and indexed as a source; the number of the job.
///
/// # Errors
/// The place is none or may not be added, or the name is another's.
pub(crate) async fn accept_place(
    app: &web::Data<App>,
    caller: &Caller,
    name: String,
    from: connect::Settings,
) -> Result<u64, Error> {
    let engine = app.engine()?;
    Mirrors::check_name(&name).and_then(|()| from.check()).map_err(|error| Error::bad(error.to_string()))?;
    // Whom the server runs as may send what it may read anywhere; others neither its files nor to its own network.
    let is_allowed =
        app.config.index.allow_addresses.iter().any(|allowed| from.lies_below(allowed)) && !from.is_trusting();
    if !(caller.is_owner || is_allowed) {
        return Err(Error::AddressNotAllowed);
    }
    // Its files go with the removal, and so would what is said of it now.
    if engine.writer.is_leaving(&name) {
        return Err(Error::SourceBusy { source_name: name });
    }
    let is_same = engine.mirrors.settings(&name).is_none_or(|known| known.url == from.url);
    let source = engine.mirrors.source(&name);
    if !is_same || engine.source(&name).is_some_and(|known| known != source) {
        return Err(Error::Conflict { detail: format!("there is another source {name:?}") });
    }
    audit::about("source", name.as_str());
    audit::about("address", from.url.as_str());
    let mirrors = Arc::clone(&engine.mirrors);
    on_disk(app, caller, move |writer| {
        mirrors.add(&name, &from).map_err(|error| Error::Unwritable(Failure::other(storage::chain(&error))))?;
        writer.add(source)
    })
    .await
}

/// How a source is looked through.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReindexQuery {
    /// Remove the documents of files that are gone even if they are a large share of the source.
    accept_deletions: bool,
    /// Read every file and compare its content; otherwise size, time and inode tell that one has not changed.
    checksum: bool,
}

/// Looks through a source again.
#[utoipa::path(post, path = "/api/v1/sources/{name}/index", tag = "sources", params(("name" = String, Path, description = "Name of the source"), ReindexQuery),
    responses((status = 202, body = Timed<Accepted>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn reindex(
    app: web::Data<App>,
    name: web::Path<String>,
    query: Params<ReindexQuery>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let engine = app.engine()?;
    let source = engine.source_for(&caller, &name)?;
    let ReindexQuery { accept_deletions, checksum } = query.0;
    let deletions = if accept_deletions { Deletions::Confirmed } else { Deletions::Guarded };
    let look = Look { deletions, by_content: checksum };
    let job = on_disk(&app, &caller, move |writer| writer.index(source, look)).await?;
    let content = Accepted { source: name.into_inner(), job };
    Ok(HttpResponse::Accepted().json(timed(started, engine.generation(&caller)?, content)))
}

/// Takes a source out of the index. The files of a folder stay; pushed documents are gone.
#[utoipa::path(delete, path = "/api/v1/sources/{name}", tag = "sources", params(("name" = String, Path, description = "Name of the source")),
    responses((status = 202, body = Timed<Accepted>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    app: web::Data<App>,
    name: web::Path<String>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let engine = app.engine()?;
    let source = engine.source_for(&caller, &name)?;
    let job = on_disk(&app, &caller, move |writer| writer.remove(source)).await?;
    let content = Accepted { source: name.into_inner(), job };
    Ok(HttpResponse::Accepted().json(timed(started, engine.generation(&caller)?, content)))
}

/// Asks the writer for something that is noted on disk before it is answered.
pub(crate) async fn on_disk(
    app: &web::Data<App>,
    caller: &Caller,
    ask: impl FnOnce(&Writer) -> Result<u64, Error> + Send + 'static,
) -> Result<u64, Error> {
    let asking = web::Data::clone(app);
    let asked = tokio::task::spawn_blocking(move || ask(&asking.engine()?.writer));
    let job = asked.await.map_err(Error::internal)??;
    app.jobs.asked_by(job, caller);
    Ok(job)
}

/// Which lines of the ledger are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LedgerParams {
    /// Only files in this state: indexed, partly, skipped, unreadable, failed.
    #[param(inline)]
    state: Option<StateParam>,
    /// `next` of the page before.
    #[serde(default)]
    cursor: String,
    /// Lines of a page, at most 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// `csv` (or `Accept: text/csv`): every line at once, for a spreadsheet; `ndjson`: every line at once with all that is
    /// kept of a file, for administrators.
    #[serde(default)]
    #[param(inline)]
    format: FormatParam,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatParam {
    #[default]
    Json,
    Csv,
    Ndjson,
}

/// A state of a file.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StateParam {
    Indexed,
    Partly,
    Skipped,
    Unreadable,
    Failed,
}

/// A file and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct LedgerLine {
    /// Path below the source's root.
    path: String,
    /// `indexed`, `partly`, `skipped`, `unreadable` or `failed`.
    state: &'static str,
    /// Why, in words; empty where there is nothing to say.
    reason: String,
    /// Type as recognised; empty where it was not.
    kind: String,
    /// Size.
    bytes: u64,
    /// Seconds that reading and cutting it took.
    seconds: f64,
    /// Characters of text.
    characters: u64,
    /// Passages.
    passages: u32,
    /// Pages with text, of formats that have pages.
    pages_with_text: Option<u32>,
    /// All pages.
    pages: Option<u32>,
}

/// A page of the ledger.
#[derive(Serialize, ToSchema)]
pub(crate) struct LedgerPage {
    source: String,
    files: Vec<LedgerLine>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

impl StateParam {
    fn admits(self, state: &FileState) -> bool {
        matches!(
            (self, state),
            (Self::Indexed, FileState::Indexed { .. })
                | (Self::Partly, FileState::Partly { .. })
                | (Self::Skipped, FileState::Skipped { .. })
                | (Self::Unreadable, FileState::Unreadable { .. })
                | (Self::Failed, FileState::Failed { .. })
        )
    }
}

impl From<LedgerEntry> for LedgerLine {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            state: entry.state.label(),
            reason: entry.state.reason(),
            path: entry.path,
            kind: entry.kind,
            bytes: entry.bytes,
            seconds: entry.micros as f64 / 1e6,
            characters: entry.characters,
            passages: entry.chunks,
            pages_with_text: entry.coverage.map(|coverage| coverage.with_text),
            pages: entry.coverage.map(|coverage| coverage.pages),
        }
    }
}

/// What became of the files of a source, in the order of their paths.
#[utoipa::path(get, path = "/api/v1/sources/{name}/ledger", tag = "sources", params(("name" = String, Path, description = "Name of the source"), LedgerParams),
    responses((status = 200, content((Timed<LedgerPage> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson"))), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn ledger(
    app: web::Data<App>,
    name: web::Path<String>,
    params: Params<LedgerParams>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let limit = page_size(params.limit)?;
    let LedgerParams { state, cursor, format, .. } = params.0;
    let source = name.into_inner();
    let form = match format {
        FormatParam::Ndjson if caller.sees_places() => Some(ListForm::Ndjson),
        FormatParam::Ndjson => return Err(Error::Scope { needed: Scope::Admin.name() }),
        FormatParam::Csv => Some(ListForm::Csv),
        FormatParam::Json => accepts_csv(&request).then_some(ListForm::Csv),
    };
    if let Some(form) = form {
        let lines = LedgerView::of(app.engine()?.view(&caller)?);
        lines.view().source(&source).ok_or(Error::NotFound { what: "the source" })?;
        let admits = move |entry: &LedgerEntry| state.is_none_or(|state| state.admits(&entry.state));
        return ledger_list::answer(app.into_inner(), &client_of(&request), form, lines, vec![source], admits).await;
    }
    let page = app.into_inner().compute(move |_, engine| {
        let lines = LedgerView::of(engine.view(&caller)?);
        lines.view().source(&source).ok_or(Error::NotFound { what: "the source" })?;
        let generation = lines.view().generation()?;
        Ok(timed(started, generation, ledger_page(engine, &lines, source, state, &cursor, limit)?))
    });
    Ok(HttpResponse::Ok().json(page.await?))
}

pub(super) fn accepts_csv(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split([',', ';']).any(|kind| kind.trim().eq_ignore_ascii_case("text/csv"))
}

/// A page of the ledger of a source, from behind the path `cursor`.
pub(crate) fn ledger_page(
    engine: &Engine,
    lines: &LedgerView,
    source: String,
    state: Option<StateParam>,
    cursor: &str,
    limit: usize,
) -> Result<LedgerPage, Error> {
    let mut files: Vec<LedgerLine> = Vec::new();
    let mut next = None;
    for entry in engine.truth.ledger(&source, cursor) {
        let entry = entry?;
        if state.is_some_and(|state| !state.admits(&entry.state)) || !lines.shows(&entry)? {
            continue;
        }
        if files.len() == limit {
            next = files.last().map(|line| line.path.clone());
            break;
        }
        files.push(lines.line(engine, entry)?.into());
    }
    Ok(LedgerPage { source, files, next })
}
