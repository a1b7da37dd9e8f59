//! `/search`: what was found, page by page.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use searcher::{Answer, Note, Outcome, Reply, SearchRequest, Sort, Spelling, Verdict, is_question, standalone};

use super::Shared;
use super::address::{PAGE, SearchAddress};
use super::assets;
use super::language::{Noun, number};
use super::layout::Page;
use super::reply;
use super::strings::fill;
use super::survey::Survey;
use super::text::clean;
use super::visit::Visit;
use super::why::Judges;
use super::{facets, hit, problem};
use crate::api::search as api;
use crate::app::App;
use crate::error::Error;
use crate::guard::Caller;
use crate::insights::{Asked, Via};
use crate::json::Params;

/// What a page of results shows.
struct Found {
    answer: Answer,
    /// What the documents say, where a question was asked.
    reply: Option<Reply>,
    /// Whether a writer may answer it, and whether there is one.
    is_written: bool,
    has_writer: bool,
    survey: Arc<Survey>,
    /// How many of the best results a reranker could read, if there is one.
    reranker_depth: Option<usize>,
    /// How many results can be reached page by page.
    page_depth: usize,
}

impl Found {
    /// Whether the reranker may still better the order that is shown.
    fn reads_closely(&self, address: &SearchAddress) -> bool {
        let is_ranked = address.order() == Sort::Relevance && !address.q.trim().is_empty();
        self.reranker_depth.is_some() && address.close.is_none() && is_ranked
    }

    /// Whether what was found hardly answers.
    fn is_unlikely(&self) -> bool {
        self.answer.answerable.is_some_and(|answerable| answerable.verdict == Verdict::Unlikely)
    }

    fn judges(&self) -> Judges {
        if self.reranker_depth.is_some() { Judges::RecallAndReranker } else { Judges::Recall }
    }
}

/// `GET /search`.
pub(super) async fn results(
    app: web::Data<App>,
    shared: web::Data<Shared>,
    visit: Visit,
    caller: Caller,
    asked: Params<SearchAddress>,
) -> HttpResponse {
    let address = asked.0;
    if address.q.trim().is_empty() && !address.is_filtered() {
        return super::see_other("/");
    }
    if let Some(before) = &address.follows {
        // Asked by itself from here on: the field shows what is searched for, and it can be changed there.
        return super::see_other(&address.asking(&standalone(&address.q, Some(before))).link());
    }
    let request = address.request(visit.language.short());
    let found = find(app.into_inner(), shared, caller, request).await;
    problem::or(&visit, &address.clone(), found.map(|found| page(&visit, address, &found)))
}

async fn find(
    app: Arc<App>,
    shared: web::Data<Shared>,
    caller: Caller,
    request: SearchRequest,
) -> Result<Found, Error> {
    let asked = Asked::of(&request, &caller, Via::Page);
    let who = caller.clone();
    let asks = is_question(&request.query) && request.offset == 0 && request.sort == Sort::Relevance;
    api::run_with(&app, request, caller, move |app, engine, search, answer| {
        engine.note(asked, &answer.answer);
        let reply = asks.then(|| search.reply(&answer.answer, engine.searcher.config().sentence_time())).transpose()?;
        let reply = reply.filter(|reply| reply.outcome == Outcome::Answered).map(|mut reply| {
            engine.links.put_on_reply(&mut reply);
            reply
        });
        let survey = shared.surveys.get(engine, &*engine.view(&who)?)?;
        let config = engine.searcher.config();
        let reranker_depth = engine.reranker.is_some().then_some(config.rerank_depth);
        let answer = answer.answer;
        let is_hopeless = answer.answerable.is_some_and(|judged| judged.verdict == Verdict::Unlikely);
        let has_writer = engine.searcher.writer().is_some();
        let is_written = asks && has_writer && !answer.results.is_empty() && !is_hopeless;
        let page_depth = app.config.limits.page_depth;
        Ok(Found { answer, reply, is_written, has_writer, survey, reranker_depth, page_depth })
    })
    .await
}

fn page(visit: &Visit, address: SearchAddress, found: &Found) -> HttpResponse {
    let words = visit.words();
    let answer = &found.answer;
    let title = fill(words.results_for, &[&address.asked()]);
    let streams = found.reads_closely(&address) && address.offset == 0 && answer.results.len() > 1;
    let main = html! {
        main #main.results {
            div.column #results data-copied=(words.copied) data-stream=[streams.then(|| format!("{}&prefer_lang={}", address.query_string(), visit.language.short()))] data-depth=[found.reranker_depth.filter(|_| streams)]
                data-reranking=[streams.then_some(words.reranking)] data-settled=[streams.then_some(words.settled)] data-held=[streams.then_some(words.show_order)] data-lost=[streams.then_some(words.stream_lost)] data-away=[streams.then(|| visit.language.note(&Note::RerankerAway))]
                data-score=[streams.then_some(words.why_reader_score)] data-words=[streams.then_some(words.why_words_rank)] data-nowords=[streams.then_some(words.why_words_none)]
                data-meaning=[streams.then_some(words.why_meaning_rank)] data-nomeaning=[streams.then_some(words.why_meaning_none)] data-more=[streams.then_some(words.more_passages)] data-lines=[streams.then_some(words.lines)] data-page=[streams.then_some(words.page)] data-slide=[streams.then_some(words.slide)] data-mail=[streams.then_some(words.mail)] data-changed=[streams.then_some(words.changed)] {
                h1.hidden { (clean(&title)) }
                @if let Some(facets) = &answer.facets { (facets::chips(visit, &address, facets)) }
                (truth(visit, &address, found))
                @for note in &answer.notes { p.note { (clean(&visit.language.note(note))) } }
                @if let Some(spelling) = &answer.spelling { (spelled(visit, &address, spelling)) }
                @if found.reply.is_some() || found.is_written {
                    (reply::shown(visit, &marked_by(&address, answer), found.reply.as_ref(), found.is_written.then(|| address.query_string()).as_deref()))
                }
                @if answer.results.is_empty() { (nothing(visit, &address, found)) } @else {
                    @if found.is_unlikely() { p.note #closest { (words.closest) } }
                    (hit::hits(visit, &marked_by(&address, answer), &answer.results, found.judges(), &answer.expanded))
                    (pages(visit, &address, answer.total.min(found.page_depth)))
                }
            }
            (pane(visit))
            @if found.has_writer { script type="module" src=(assets::address("write.js")) {} }
        }
    };
    Page { visit, title: address.asked(), class: "search", address, main }.respond()
}

/// How much was found, how fast, how deep, and what could not be looked at.
fn truth(visit: &Visit, address: &SearchAddress, found: &Found) -> Markup {
    let words = visit.words();
    let answer = &found.answer;
    let count = visit.language.count(answer.total as u64, Noun::Result);
    let took = visit.language.duration(answer.timings.total_ms);
    let unread = found.survey.unread(&address.filters().source);
    html! {
        p.truth #truth role="status" {
            span { (fill(words.found_in, &[&count, &took])) }
            span #settling { @if answer.reranked > 0 { (fill(words.reranked, &[&number(answer.reranked as u64)])) } }
            @if unread > 0 && visit.administers { " " a href="/status?state=unread#files" { (fill(words.unread_files, &[&visit.language.count(unread, Noun::File)])) } }
        }
        @if found.reads_closely(address) && answer.total > 1 {
            noscript { p.note { a href=(SearchAddress { close: Some("1".to_string()), ..address.clone() }.link()) { (words.rerank_all) } } }
        }
    }
}

/// What was taken for a slip, and the way back to what was typed.
fn spelled(visit: &Visit, address: &SearchAddress, spelling: &Spelling) -> Markup {
    let words = visit.words();
    let link = |query: &str| html! { a href=(address.asking(query).link()) { bdi { (clean(query)) } } };
    html! {
        @if let Some(corrected) = &spelling.corrected {
            p.note { (words.showing) " " (link(corrected)) " · " a href=(address.as_typed().link()) { (fill(words.as_typed, &[&clean(address.q.trim())])) } }
        }
        @if let Some(meant) = &spelling.did_you_mean { p.note { (words.did_you_mean) " " (link(meant)) } }
    }
}

/// The address with the query whose words are marked in the documents that the results lead to.
fn marked_by(address: &SearchAddress, answer: &Answer) -> SearchAddress {
    let corrected = answer.spelling.as_ref().and_then(|spelling| spelling.corrected.clone());
    SearchAddress { q: corrected.unwrap_or_else(|| address.q.clone()), ..address.clone() }
}

fn nothing(visit: &Visit, address: &SearchAddress, found: &Found) -> Markup {
    let words = visit.words();
    let sources: Vec<String> = found
        .survey
        .sources
        .iter()
        .map(|source| format!("{} ({})", clean(&source.name), visit.language.count(source.documents, Noun::Document)))
        .collect();
    let unread = found.survey.unread(&address.filters().source);
    html! {
        section.empty {
            h2 { (fill(words.nothing, &[&clean(&address.asked())])) }
            ul {
                @if !sources.is_empty() { li { (fill(words.nothing_searched, &[&sources.join(", ")])) } }
                @if address.is_filtered() { li { (words.nothing_filters) " " a href=(SearchAddress::of_query(&address.q).link()) { (words.clear_filters) } } }
                li { (words.nothing_words) }
                @if unread > 0 && visit.administers { li { (words.nothing_unread) " " a href="/status?state=unread#files" { (visit.language.count(unread, Noun::File)) } } }
                @if visit.administers && found.survey.sources.iter().any(|source| source.last_run.is_none()) {
                    li { a href="/status" { (words.nothing_indexing) } }
                }
            }
        }
    }
}

fn pages(visit: &Visit, address: &SearchAddress, total: usize) -> Markup {
    let words = visit.words();
    let here = address.offset / PAGE;
    let count = total.div_ceil(PAGE);
    if count < 2 {
        return html! {};
    }
    let from = here.saturating_sub(3).min(count.saturating_sub(7));
    html! {
        nav.pages aria-label=(words.pages) {
            @if here > 0 { a rel="prev" href=(address.at((here - 1) * PAGE).link()) { (words.previous) } }
            @for page in from..count.min(from + 7) {
                a href=(address.at(page * PAGE).link()) aria-label=(fill(words.page_number, &[&(page + 1).to_string()]))
                    aria-current=[(page == here).then_some("page")] { (page + 1) }
            }
            @if here + 1 < count { a rel="next" href=(address.at((here + 1) * PAGE).link()) { (words.next) } }
        }
    }
}

/// The place for the preview; scripts fill it where there is room.
pub(super) fn pane(visit: &Visit) -> Markup {
    let words = visit.words();
    html! {
        aside.pane #pane aria-label=(words.preview) hidden { button.shut type="button" title={ (words.close) " (p)" } { (super::icons::icon("close")) span.hidden { (words.close) } } div #preview {} }
    }
}
