//! `/api/v1/documents`: looking at what is indexed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use searcher::{BlockView, Filters, PlaceView};
use serde::{Deserialize, Serialize};
use storage::{DATE_FROM, Document, DocumentId, PageType, Passage, Place, View};
use utoipa::{IntoParams, ToSchema};

use super::timing::{Timed, timed};
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, Problem, within};
use crate::fresh::Tag;
use crate::guard::Caller;
use crate::json::Params;

/// Documents or passages of a page when nothing is said, and at most.
const PAGE: usize = 50;
const MAX_PAGE: usize = 500;
/// Passages that may be skipped; no document has as many.
const MAX_OFFSET: usize = 1_000_000;

/// A document.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentView {
    /// Stable id.
    id: String,
    /// Name of its source.
    source: String,
    /// Path below the source's root.
    path: String,
    /// Title.
    title: String,
    /// Type: markdown, html, ...
    kind: String,
    /// ISO 639-1 code of its language.
    language: Option<String>,
    /// Last change, seconds of Unix time.
    modified: i64,
    /// Where that date comes from: `mail`, `front-matter`, `document`, `file`, `pushed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    date_from: Option<String>,
    /// What it is, where it is no prose: `stub`, `navigation`, `licence`, `changelog`, `generated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    page_type: Option<String>,
    /// Size of the file.
    bytes: u64,
    /// Facts that the document states of itself.
    metadata: BTreeMap<String, String>,
    /// Whether it was pushed over the API, and can be deleted there.
    pushed: bool,
    /// Its address in the system that it comes from, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl DocumentView {
    fn of(engine: &Engine, document: Document) -> Self {
        let id = document.id().to_string();
        let pushed = engine.source(&document.source).is_some_and(|source| engine.pushed.owns(&source));
        let url = engine.links.url(&document.source, &document.path);
        let Document { source, path, title, kind, language, modified, bytes, mut metadata, .. } = document;
        let (date_from, page_type) = (metadata.remove(DATE_FROM), metadata.remove(PageType::KEY));
        Self { id, source, path, title, kind, language, modified, date_from, page_type, bytes, metadata, pushed, url }
    }
}

/// Which documents are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Names of sources.
    #[serde(default)]
    source: Vec<String>,
    /// Parts of the path.
    #[serde(default)]
    path: Vec<String>,
    /// Document types.
    #[serde(default, rename = "type")]
    #[param(rename = "type")]
    kind: Vec<String>,
    /// ISO 639-1 codes.
    #[serde(default)]
    lang: Vec<String>,
    /// Changed on or after YYYY, YYYY-MM or YYYY-MM-DD.
    #[param(pattern = r"^\d{4}(-\d{2}(-\d{2})?)?$")]
    after: Option<String>,
    /// Changed before it.
    #[param(pattern = r"^\d{4}(-\d{2}(-\d{2})?)?$")]
    before: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Documents of a page, at most 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// A page of documents.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentList {
    documents: Vec<DocumentView>,
    /// How many there are on all pages.
    total: usize,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// Lists documents. The order is the same in every snapshot: a document that stays is neither repeated nor left out.
#[utoipa::path(get, path = "/api/v1/documents", tag = "documents", params(ListParams),
    responses((status = 200, body = Timed<DocumentList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    app: web::Data<App>,
    params: Params<ListParams>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let ListParams { source, path, kind, lang, after, before, cursor, limit } = params.0;
    let filters = Filters { source, path, kind, lang, after, before };
    filters.check(&app.config.limits.requests())?;
    let filter = filters.resolve()?;
    let cursor =
        cursor.map(|cursor| DocumentId::parse(&cursor).ok_or_else(|| Error::bad("cursor: expected `next` of a page")));
    let (cursor, limit) = (cursor.transpose()?, page_size(limit)?);
    let list = app.into_inner().compute(move |_, engine| {
        let view = engine.view(&caller)?;
        let listing = view.documents(&filter, cursor, limit)?;
        let documents = listing.documents.into_iter().map(|document| DocumentView::of(engine, document)).collect();
        let list = DocumentList { documents, total: listing.total, next: listing.next.map(|id| id.to_string()) };
        Ok(timed(started, view.generation()?, list))
    });
    Ok(HttpResponse::Ok().json(list.await?))
}

/// One document, without its text.
#[utoipa::path(get, path = "/api/v1/documents/{id}", tag = "documents", params(("id" = String, Path, description = "Id of the document")),
    responses((status = 200, body = Timed<DocumentView>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    app: web::Data<App>,
    id: web::Path<String>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let id = document_id(&id)?;
    let Found { seen, passages, tag } = found(&app, caller, id, &request).await?;
    if let Some(kept) = tag.kept_by(&request) {
        return Ok(kept);
    }
    let view = app.into_inner().compute(move |_, engine| {
        let document = passages.into_iter().next().ok_or(Error::NotFound { what: "the document" })?.document;
        Ok(timed(started, seen.generation()?, DocumentView::of(engine, document)))
    });
    Ok(tag.on(HttpResponse::Ok().json(view.await?)))
}

/// Which passages are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PassageParams {
    /// Passages to skip.
    #[serde(default)]
    #[param(maximum = 1_000_000)]
    offset: usize,
    /// Passages of a page, at most 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// A passage.
#[derive(Serialize, ToSchema)]
pub(crate) struct PassageView {
    /// Place in the document, from 0.
    number: u32,
    /// Headings above it, outermost first.
    headings: Vec<String>,
    /// Its text.
    text: String,
    /// Lines of the file, from 1, end excluded.
    #[schema(value_type = Object)]
    lines: std::ops::Range<u32>,
    /// The parts of `text`, in order.
    blocks: Vec<BlockView>,
    /// Number of the page, slide or sheet, from 1, for formats that have them; `place` says which.
    page: Option<u32>,
    /// Page, slide, cells or mail that it begins on, for formats that have them.
    place: Option<PlaceView>,
}

/// The passages of a document.
#[derive(Serialize, ToSchema)]
pub(crate) struct PassageList {
    id: String,
    title: String,
    passages: Vec<PassageView>,
    /// How many the document has.
    total: usize,
}

/// The text of a document, passage by passage.
#[utoipa::path(get, path = "/api/v1/documents/{id}/passages", tag = "documents", params(("id" = String, Path, description = "Id of the document"), PassageParams),
    responses((status = 200, body = Timed<PassageList>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn passages(
    app: web::Data<App>,
    id: web::Path<String>,
    params: Params<PassageParams>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let id = document_id(&id)?;
    let (offset, limit) = (params.offset, page_size(params.limit)?);
    within("offset", offset, MAX_OFFSET)?;
    let Found { seen, passages, tag } = found(&app, caller, id, &request).await?;
    if let Some(kept) = tag.kept_by(&request) {
        return Ok(kept);
    }
    let list = app.into_inner().compute(move |_, _| {
        let title = passages.first().ok_or(Error::NotFound { what: "the document" })?.document.title.clone();
        let total = passages.len();
        let passages = passages.into_iter().skip(offset).take(limit).map(view).collect();
        Ok(timed(started, seen.generation()?, PassageList { id: id.to_string(), title, passages, total }))
    });
    Ok(tag.on(HttpResponse::Ok().json(list.await?)))
}

/// A document as somebody sees it.
struct Found {
    seen: Arc<View>,
    /// None where it is not there for them.
    passages: Vec<Passage>,
    tag: Tag,
}

/// Looks a document up where there is a place to compute.
async fn found(app: &web::Data<App>, caller: Caller, id: DocumentId, request: &HttpRequest) -> Result<Found, Error> {
    let address = request.uri().to_string();
    let found = web::Data::clone(app).into_inner().compute(move |app, engine| {
        let seen = engine.view(&caller)?;
        let passages = seen.document(id)?;
        let tag = Tag::of_document(app, &seen, &passages, &address)?;
        Ok(Found { seen, passages, tag })
    });
    found.await
}

fn view(passage: Passage) -> PassageView {
    let chunk = passage.chunk;
    PassageView {
        number: passage.number,
        headings: chunk.headings,
        blocks: chunk.blocks.iter().map(BlockView::from).collect(),
        text: chunk.text,
        lines: chunk.lines,
        page: chunk.place.as_ref().and_then(Place::number),
        place: chunk.place.as_ref().map(PlaceView::from),
    }
}

/// Reads an id of an address.
pub(crate) fn document_id(text: &str) -> Result<DocumentId, Error> {
    DocumentId::parse(text).ok_or(Error::NotFound { what: "the document" })
}

/// The size of a page.
pub(crate) fn page_size(limit: Option<usize>) -> Result<usize, Error> {
    let limit = limit.unwrap_or(PAGE);
    within("limit", limit, MAX_PAGE)?;
    if limit == 0 { Err(Error::bad("limit: expected at least 1")) } else { Ok(limit) }
}
