//! `/api/v1/search`: a question in, passages out, in the shape of `quarry search --json`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use searcher::{Answer, Copies, Counting, Marking, Mode, Rerank, SearchRequest, Syntax, parse_date};
use serde::{Deserialize, Serialize};
use storage::Filter;
use utoipa::{IntoParams, ToSchema};

use super::ordering::{self, Budget};
use crate::app::App;
use crate::config::LimitsConfig;
use crate::engine::Engine;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::json::{Json, Params};

/// Results when nothing is said.
const TOP: usize = 10;

/// Which legs find candidates.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeParam {
    /// Words and meaning.
    #[default]
    Hybrid,
    /// Words alone.
    Lexical,
    /// Meaning alone.
    Semantic,
}

/// How a query is read.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyntaxParam {
    /// With phrases, exclusions and filters.
    #[default]
    Operators,
    /// As words alone.
    Plain,
}

/// What becomes of documents with almost the same text.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CopiesParam {
    /// They are one result: the newest, with the others in its `copies`.
    #[default]
    Together,
    /// Each is a result.
    Apart,
}

/// What is marked in snippets.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MarkParam {
    /// Words of the query.
    #[default]
    Words,
    /// Where there are none, the sentence nearest in meaning: costs the model more than the search itself.
    Sentences,
}

/// Restrictions on the documents. Values of one field are alternatives; all fields have to agree.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilterParams {
    /// Names of sources.
    pub(crate) source: Vec<String>,
    /// Parts of the path.
    pub(crate) path: Vec<String>,
    /// Document types: markdown, html, ...
    #[serde(rename = "type")]
    pub(crate) kind: Vec<String>,
    /// ISO 639-1 codes.
    pub(crate) lang: Vec<String>,
    /// Changed on or after the first day of YYYY, YYYY-MM or YYYY-MM-DD.
    pub(crate) after: Option<String>,
    /// Changed before it.
    pub(crate) before: Option<String>,
}

/// The body of a search.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchBody {
    /// The question. Words, "phrases", -without, source: path: type: lang: after: before:
    pub(crate) query: String,
    /// Restrictions beside those in the query.
    #[serde(default)]
    pub(crate) filters: FilterParams,
    /// Whether the documents found are counted by source, type, language and year.
    #[serde(default)]
    pub(crate) facets: bool,
    /// Documents to return.
    #[serde(default = "default_top")]
    pub(crate) top: usize,
    /// Documents to skip.
    #[serde(default)]
    pub(crate) offset: usize,
    /// Which legs find candidates.
    #[serde(default)]
    pub(crate) mode: ModeParam,
    /// How the query is read.
    #[serde(default)]
    pub(crate) syntax: SyntaxParam,
    /// What is marked in snippets.
    #[serde(default)]
    pub(crate) mark: MarkParam,
    /// Whether documents with almost the same text are one result.
    #[serde(default)]
    pub(crate) copies: CopiesParam,
    /// How much reranking may cost; as configured if it is left out.
    #[serde(default)]
    pub(crate) rerank: RerankParams,
    /// What the models are told to look for.
    pub(crate) instruct: Option<String>,
    /// Whether the answer says how the query was understood.
    #[serde(default)]
    pub(crate) explain: bool,
}

/// A budget for reranking; 0 switches it off.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RerankParams {
    /// Milliseconds.
    pub(crate) ms: Option<u64>,
    /// Candidates.
    pub(crate) candidates: Option<usize>,
}

fn default_top() -> usize {
    TOP
}

/// The parameters of a search by GET. Lists are given by repeating a parameter.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// The question. Words, "phrases", -without, source: path: type: lang: after: before:
    q: String,
    /// Names of sources.
    #[serde(default)]
    source: Vec<String>,
    /// Parts of the path.
    #[serde(default)]
    path: Vec<String>,
    /// Document types: markdown, html, ...
    #[serde(default, rename = "type")]
    #[param(rename = "type")]
    kind: Vec<String>,
    /// ISO 639-1 codes.
    #[serde(default)]
    lang: Vec<String>,
    /// Changed on or after the first day of YYYY, YYYY-MM or YYYY-MM-DD.
    after: Option<String>,
    /// Changed before it.
    before: Option<String>,
    /// Whether the documents found are counted by source, type, language and year.
    #[serde(default)]
    facets: bool,
    /// Documents to return.
    #[serde(default = "default_top")]
    top: usize,
    /// Documents to skip.
    #[serde(default)]
    offset: usize,
    /// Which legs find candidates: hybrid, lexical, semantic.
    #[serde(default)]
    #[param(inline)]
    mode: ModeParam,
    /// How the query is read: operators, plain.
    #[serde(default)]
    #[param(inline)]
    syntax: SyntaxParam,
    /// What is marked in snippets: words; sentences, where no word of the query stands in a passage.
    #[serde(default)]
    #[param(inline)]
    mark: MarkParam,
    /// Documents with almost the same text: together (one result) or apart.
    #[serde(default)]
    #[param(inline)]
    copies: CopiesParam,
    /// Milliseconds for reranking; 0 for none.
    rerank_ms: Option<u64>,
    /// Candidates to rerank; 0 for none.
    rerank_candidates: Option<usize>,
    /// What the models are told to look for.
    instruct: Option<String>,
    /// Whether the answer says how the query was understood.
    #[serde(default)]
    explain: bool,
}

impl From<SearchParams> for SearchBody {
    fn from(params: SearchParams) -> Self {
        let SearchParams { source, path, kind, lang, after, before, rerank_ms, rerank_candidates, .. } = params;
        Self {
            query: params.q,
            filters: FilterParams { source, path, kind, lang, after, before },
            facets: params.facets,
            top: params.top,
            offset: params.offset,
            mode: params.mode,
            syntax: params.syntax,
            mark: params.mark,
            copies: params.copies,
            rerank: RerankParams { ms: rerank_ms, candidates: rerank_candidates },
            instruct: params.instruct,
            explain: params.explain,
        }
    }
}

/// An answer, and how the query was understood if that was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchAnswer {
    #[serde(flatten)]
    pub(crate) answer: Answer,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) understood: Option<searcher::ParsedQuery>,
    /// Where nothing was found: files of the sources searched that could not be read. The answer may stand in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unread_files: Option<u64>,
}

/// A search that is within the limits.
pub(crate) struct Checked {
    pub(crate) request: SearchRequest,
    pub(crate) budget: Budget,
    pub(crate) explain: bool,
}

impl SearchBody {
    /// Reads and checks what was asked.
    pub(crate) fn check(self, limits: &LimitsConfig) -> Result<Checked, Error> {
        within("query", self.query.chars().count(), limits.query_chars)?;
        within("offset + top", self.offset.saturating_add(self.top), limits.page_depth)?;
        if let Some(instruct) = &self.instruct {
            within("instruct", instruct.chars().count(), limits.query_chars)?;
        }
        if self.top == 0 {
            return Err(Error::bad("top: expected at least 1"));
        }
        let budget = Budget { milliseconds: self.rerank.ms, candidates: self.rerank.candidates };
        let request = SearchRequest {
            query: self.query,
            syntax: match self.syntax {
                SyntaxParam::Operators => Syntax::Operators,
                SyntaxParam::Plain => Syntax::Plain,
            },
            top: self.top,
            offset: self.offset,
            mode: match self.mode {
                ModeParam::Hybrid => Mode::Hybrid,
                ModeParam::Lexical => Mode::Lexical,
                ModeParam::Semantic => Mode::Semantic,
            },
            rerank: Rerank::Configured,
            instruct: self.instruct,
            filter: self.filters.check(limits)?,
            marking: match self.mark {
                MarkParam::Words => Marking::Words,
                MarkParam::Sentences => Marking::Sentences,
            },
            copies: match self.copies {
                CopiesParam::Together => Copies::Together,
                CopiesParam::Apart => Copies::Apart,
            },
            counting: if self.facets { Counting::Facets } else { Counting::Off },
        };
        Ok(Checked { request, budget, explain: self.explain })
    }
}

impl FilterParams {
    /// The filter these parameters describe.
    pub(crate) fn check(self, limits: &LimitsConfig) -> Result<Filter, Error> {
        let values = self.source.len() + self.path.len() + self.kind.len() + self.lang.len();
        within("the number of filter values", values, limits.filter_values)?;
        let date = |name: &str, text: Option<String>| {
            let read = text.map(|text| parse_date(&text).map_err(|why| Error::bad(format!("{name}: {why}"))));
            read.transpose()
        };
        Ok(Filter {
            sources: self.source,
            paths: self.path,
            kinds: self.kind,
            languages: self.lang,
            after: date("after", self.after)?,
            before: date("before", self.before)?,
        })
    }
}

/// Refuses more than a limit.
pub(crate) fn within(what: &'static str, got: usize, limit: usize) -> Result<(), Error> {
    if got > limit { Err(Error::OverLimit { what, got, limit }) } else { Ok(()) }
}

/// Finds the passages that answer a question.
#[utoipa::path(get, path = "/api/v1/search", tag = "search", params(SearchParams),
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    app: web::Data<App>,
    params: Params<SearchParams>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    answer(app.into_inner(), params.0.into(), caller).await
}

/// Finds the passages that answer a question.
#[utoipa::path(post, path = "/api/v1/search", tag = "search", request_body = SearchBody,
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn post(app: web::Data<App>, body: Json<SearchBody>, caller: Caller) -> Result<HttpResponse, Error> {
    answer(app.into_inner(), body.0, caller).await
}

async fn answer(app: Arc<App>, body: SearchBody, caller: Caller) -> Result<HttpResponse, Error> {
    let checked = body.check(&app.config.limits)?;
    // The answer becomes JSON where it was computed, not in the thread that serves connections.
    let text = run(&app, checked, caller, |_, _, _, answer| serde_json::to_string(&answer).map_err(Error::internal));
    Ok(HttpResponse::Ok().content_type("application/json").body(text.await?))
}

/// Computes an answer, and what `told` makes of it.
pub(crate) async fn run<T: Send + 'static>(
    app: &Arc<App>,
    checked: Checked,
    caller: Caller,
    told: impl FnOnce(&App, &Engine, &Checked, SearchAnswer) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let budget = checked.budget.or_within(app.config.limits.rerank_ms);
    let request = checked.request.clone();
    ordering::best_within(app, request, budget, move |app, engine, answer| {
        let answer = explained(app, engine, &checked, &caller, answer)?;
        told(app, engine, &checked, answer)
    })
    .await
}

/// An answer with what is said beside its results.
fn explained(
    app: &App,
    engine: &Engine,
    checked: &Checked,
    caller: &Caller,
    answer: Answer,
) -> Result<SearchAnswer, Error> {
    app.metrics.searched(&answer.timings);
    if let Some(person) = caller.asker.as_ref().filter(|_| answer.total > 0) {
        app.suggestions.asked(&checked.request.query, person);
    }
    let understood = checked.explain.then(|| match checked.request.syntax {
        Syntax::Operators => searcher::ParsedQuery::parse(&checked.request.query),
        Syntax::Plain => searcher::ParsedQuery::plain(&checked.request.query),
    });
    let unread_files = (answer.total == 0).then(|| engine.snapshot().totals().unread(&sources(&checked.request)));
    Ok(SearchAnswer { answer, understood, unread_files })
}

/// The sources that a request names, in its filter or in the question; none: all.
fn sources(request: &SearchRequest) -> Vec<String> {
    let mut sources = request.filter.sources.clone();
    if request.syntax == Syntax::Operators {
        sources.extend(searcher::ParsedQuery::parse(&request.query).filter.sources);
    }
    sources
}
