//! `/document/{id}`: the text of a document, at a passage, with the words of the query marked.
//!
//! The text is that of the index: what was searched is what is shown, whatever became of the file since.

use std::ops::Range;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use searcher::{Marker, ParsedQuery};
use serde::Deserialize;
use storage::{DocumentAccess, DocumentId, Passage, Place, View};

use super::address::{SearchAddress, query_string};
use super::blocks::{Shape, one_line};
use super::hit::{self, crumbs, document_link, file_name, origin, similar_link};
use super::icons::{icon, of_kind};
use super::language::{Noun, size};
use super::layout::{Page, placed};
use super::problem;
use super::strings::fill;
use super::text::clean;
use super::visibility::visibility;
use super::visit::Visit;
use crate::app::App;
use crate::error::Error;
use crate::guard::Caller;
use crate::json::Params;

/// Passages of one page, and of a preview.
const WINDOW: usize = 120;
const PREVIEW: usize = 24;
/// Entries of the table of contents.
const CONTENTS: usize = 60;
/// Quotes that are marked.
const QUOTES: usize = 10;

/// Where in the document, and what is looked for.
#[derive(Clone, Deserialize)]
pub(super) struct Asked {
    passage: Option<u32>,
    #[serde(default)]
    q: String,
    /// First passage of another part.
    from: Option<usize>,
    /// Bytes of the passage that are marked in the place of the query's words: `12-80`.
    #[serde(default)]
    quote: Vec<String>,
}

impl Asked {
    /// The quoted parts of a passage, as far as they are such.
    fn quotes(&self, text: &str) -> Vec<Range<usize>> {
        let read = |quote: &String| {
            let (start, end) = quote.split_once('-')?;
            let bytes = start.parse().ok()?..end.parse().ok()?;
            text.get(bytes.clone()).filter(|part| !part.is_empty()).map(|_| bytes)
        };
        let mut quotes: Vec<Range<usize>> = self.quote.iter().take(QUOTES).filter_map(read).collect();
        quotes.sort_by_key(|quote| quote.start);
        // Marks lie apart from each other.
        let mut end = 0;
        quotes.retain(|quote| {
            let is_apart = quote.start >= end;
            end = end.max(quote.end);
            is_apart
        });
        quotes
    }
}

/// A document with the marks of a query.
struct Shown {
    passages: Vec<(Passage, Vec<Range<usize>>)>,
    /// Place of the first shown passage among all.
    from: usize,
    total: usize,
    /// Number of a passage and its innermost heading, with the depth of that.
    contents: Vec<(u32, String, usize)>,
    /// Its address in the system that it comes from.
    url: Option<String>,
    /// Who may see it, for those who look after the index, where anything is said of that.
    access: Option<DocumentAccess>,
}

impl Shown {
    /// The passage that was asked for, if it is among the shown ones.
    fn found(&self, asked: &Asked) -> Option<&Passage> {
        self.passages.iter().map(|(passage, _)| passage).find(|passage| asked.passage == Some(passage.number))
    }
}

/// `GET /document/{id}`.
pub(super) async fn document(
    app: web::Data<App>,
    visit: Visit,
    id: web::Path<String>,
    caller: Caller,
    asked: Params<Asked>,
) -> HttpResponse {
    let asked = asked.0;
    let shown = read(app, caller, &visit, &id, &asked).await;
    let address = SearchAddress::of_query(&asked.q);
    problem::or(
        &visit,
        &address.clone(),
        shown.map(|shown| {
            if visit.part { preview(&visit, &id, &asked, &shown) } else { page(&visit, &id, &asked, &shown, address) }
        }),
    )
}

async fn read(app: web::Data<App>, caller: Caller, visit: &Visit, id: &str, asked: &Asked) -> Result<Shown, Error> {
    let missing = || Error::NotFound { what: "this document" };
    let id = DocumentId::parse(id).ok_or_else(missing)?;
    let window = if visit.part { PREVIEW } else { WINDOW };
    let asked = asked.clone();
    let (query, wanted, from) = (asked.q.clone(), asked.passage, asked.from);
    crate::error::within("query", query.chars().count(), app.config.limits.query_chars)?;
    let read = move |_: &App, engine: &crate::engine::Engine| {
        let access = caller.sees_everything().then(|| engine.snapshot().access_of(id)).transpose()?.flatten();
        let access = access.filter(|access| access.own.is_some() || access.rule.is_some());
        let shown = show(&*engine.view(&caller)?, id, &query, wanted, from, window)?;
        Ok(shown.map(|mut shown| {
            for (passage, marks) in
                shown.passages.iter_mut().filter(|(passage, _)| asked.passage == Some(passage.number))
            {
                let quotes = asked.quotes(&passage.chunk.text);
                if !quotes.is_empty() {
                    *marks = quotes;
                }
            }
            let document = shown.passages.first().map(|(passage, _)| &passage.document);
            let url = document.and_then(|document| engine.links.url(&document.source, &document.path));
            Shown { url, access, ..shown }
        }))
    };
    app.into_inner().compute(read).await?.ok_or_else(missing)
}

fn show(
    view: &View,
    id: DocumentId,
    query: &str,
    wanted: Option<u32>,
    from: Option<usize>,
    window: usize,
) -> Result<Option<Shown>, Error> {
    let all = view.document(id)?;
    let total = all.len();
    let Some(first) = all.first() else { return Ok(None) };
    let place = wanted.and_then(|wanted| all.iter().position(|passage| passage.number == wanted)).unwrap_or(0);
    let from = from.unwrap_or_else(|| place.saturating_sub(window / 3)).min(total.saturating_sub(1));
    let contents = contents(&all, &first.document.title);
    let marker = Marker::of_query(view, &ParsedQuery::parse(query))?;
    let marked = |passage: Passage| {
        let marks = marker.marks(&passage);
        (passage, marks)
    };
    let passages = all.into_iter().skip(from).take(window).map(marked).collect();
    Ok(Some(Shown { passages, from, total, contents, url: None, access: None }))
}

fn contents(passages: &[Passage], title: &str) -> Vec<(u32, String, usize)> {
    let mut contents: Vec<(u32, String, usize)> = Vec::new();
    let mut before: &[String] = &[];
    for passage in passages {
        let headings = &passage.chunk.headings;
        if headings.as_slice() != before
            && let Some(last) = headings.last().filter(|last| *last != title)
        {
            contents.push((passage.number, last.clone(), headings.len()));
        }
        before = headings;
    }
    contents
}

fn page(visit: &Visit, id: &str, asked: &Asked, shown: &Shown, address: SearchAddress) -> HttpResponse {
    let words = visit.words();
    let Some((first, _)) = shown.passages.first() else { return super::see_other("/") };
    let document = &first.document;
    let has_contents = shown.contents.len() > 2;
    let main = html! {
        main #main.document data-copied=(words.copied) {
            @if !asked.q.is_empty() {
                p.back { a href=(address.link()) { "← " (fill(words.back_to_results, &[&clean(&asked.q)])) } }
            }
            (crumbs(&address, &document.source, &document.path, &[]))
            h1 { bdi { (clean(&document.title)) } }
            (facts(visit, shown))
            @if let Some(access) = &shown.access { (visibility(visit, access)) }
            div.actions {
                a href=(file_link(id, asked, shown)) { (icon("file")) (words.open_file) }
                @if let Some(url) = &shown.url { (origin(visit, url)) }
                button.js.copy type="button" data-link=(document_link(id, asked.passage.unwrap_or(first.number), &asked.q)) { (icon("link")) span { (words.copy_link) } }
                a href=(similar_link_of(id, asked.passage)) { (icon("similar")) (words.similar) }
            }
            div.sheet.with-contents[has_contents] {
                @if has_contents { (contents_list(visit, id, asked, shown)) }
                (text(visit, id, asked, shown))
            }
        }
    };
    Page { visit, title: document.title.clone(), class: "reading", address, main }.respond()
}

/// The address of the file; of a PDF, which browsers show themselves, at the page of the passage that was asked for.
fn file_link(id: &str, asked: &Asked, shown: &Shown) -> String {
    let page = shown.found(asked).filter(|passage| passage.document.kind == "pdf").and_then(|passage| {
        match passage.chunk.place {
            Some(Place::Page(page)) => Some(format!("#page={page}")),
            _ => None,
        }
    });
    format!("/document/{id}/file{}", page.unwrap_or_default())
}

fn similar_link_of(id: &str, passage: Option<u32>) -> String {
    passage.map_or_else(|| format!("/document/{id}/similar"), |passage| similar_link(id, passage))
}

/// The same without head and foot, for the pane beside the results.
fn preview(visit: &Visit, id: &str, asked: &Asked, shown: &Shown) -> HttpResponse {
    let words = visit.words();
    let Some((first, _)) = shown.passages.first() else { return super::see_other("/") };
    let document = &first.document;
    let part = html! {
        header {
            h2 { a href=(document_link(id, asked.passage.unwrap_or(first.number), &asked.q)) { (of_kind(&document.kind)) bdi { (clean(&document.title)) } } }
            (facts(visit, shown))
            div.actions {
                a href=(document_link(id, asked.passage.unwrap_or(first.number), &asked.q)) { (icon("doc")) (words.open_document) }
                a href=(file_link(id, asked, shown)) { (icon("file")) (words.open_file) }
                @if let Some(url) = &shown.url { (origin(visit, url)) }
            }
        }
        (text(visit, id, asked, shown))
    };
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(placed(part.into_string(), &visit.base))
}

fn facts(visit: &Visit, shown: &Shown) -> Markup {
    let words = visit.words();
    let Some((first, _)) = shown.passages.first() else { return html! {} };
    let document = &first.document;
    let author = document.metadata.get("author");
    html! {
        p.meta {
            bdi { (clean(file_name(&document.path))) }
            span { (visit.language.kind(&document.kind)) }
            span { (size(document.bytes)) }
            time datetime=(hit::iso(document.modified)) title=[words.date_from(document.date_from())] { (fill(words.changed, &[&visit.language.day(document.modified)])) }
            @if let Some(author) = author { bdi { (one_line(author)) } }
            span { (visit.language.count(shown.total as u64, Noun::Passage)) }
        }
    }
}

fn contents_list(visit: &Visit, id: &str, asked: &Asked, shown: &Shown) -> Markup {
    let words = visit.words();
    let least = shown.contents.iter().map(|(.., depth)| *depth).min().unwrap_or(1);
    let visible = |number: u32| shown.passages.iter().any(|(passage, _)| passage.number == number);
    html! {
        nav.contents aria-labelledby="contents" {
            h2 #contents { (words.contents) }
            ol { @for (number, heading, depth) in shown.contents.iter().take(CONTENTS) { li class=[(*depth > least).then_some("deep")] {
                @let link = if visible(*number) { format!("#passage-{number}") } else { document_link(id, *number, &asked.q) };
                a href=(link) { bdi { (clean(heading)) } }
            } } }
        }
    }
}

fn text(visit: &Visit, id: &str, asked: &Asked, shown: &Shown) -> Markup {
    let words = visit.words();
    let Some((first, _)) = shown.passages.first() else { return html! {} };
    let document = &first.document;
    let end = shown.from + shown.passages.len();
    let part = |from: usize| {
        let from = from.to_string();
        format!("/document/{id}?{}", query_string(&[("from", &from), ("q", &asked.q)]))
    };
    let mut before: Vec<String> = vec![document.title.clone()];
    html! {
        article.text lang=[document.language.as_deref()] dir="auto" tabindex=[visit.part.then_some("0")] {
            @if shown.from > 0 { p.part { a href=(part(shown.from.saturating_sub(WINDOW))) { (words.earlier) } } }
            @for (piece, marks) in &shown.passages {
                @let found = asked.passage == Some(piece.number);
                section class=[found.then_some("found")] id=(format!("passage-{}", piece.number)) aria-label=[found.then_some(words.found_passage)] {
                    (new_headings(&before, &piece.chunk.headings, file_name(&document.path)))
                    ({ before.clone_from(&piece.chunk.headings); "" })
                    a.anchor href=(document_link(id, piece.number, &asked.q)) title=(fill(words.passage_link, &[&(piece.number + 1).to_string()])) {
                        "¶" span.hidden { (fill(words.passage_link, &[&(piece.number + 1).to_string()])) }
                    }
                    (Shape { text: &piece.chunk.text, blocks: &piece.chunk.blocks, marks }.passage())
                }
            }
            @if end < shown.total { p.part { a href=(part(end)) { (words.later) } } }
        }
    }
}

/// The headings of a passage that the one before it did not have.
fn new_headings(before: &[String], headings: &[String], file: &str) -> Markup {
    let same = before.iter().zip(headings).take_while(|(a, b)| a == b).count();
    html! {
        @for heading in headings.iter().skip(same).filter(|heading| heading.as_str() != file) {
            @if same < 2 { h2 { bdi { (clean(heading)) } } } @else { h3 { bdi { (clean(heading)) } } }
        }
    }
}
