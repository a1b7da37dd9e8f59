//! `/api/v1/insights`: what is asked, what was not found, what was opened and liked, for administrators: as JSON, as a table
//! for a spreadsheet, and as judgements for an evaluation.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use indexer::csv_cell;
use serde::{Deserialize, Serialize};
use storage::{Document, DocumentId, View};
use utoipa::{IntoParams, ToSchema};

use super::sources::{FormatParam, accepts_csv};
use super::timing::{Timed, timed};
use crate::app::App;
use crate::engine::Engine;
use crate::error::{Error, Problem, within};
use crate::insights::{Insights, JudgedQuery, Judgements, Period, QueryCounts};
use crate::json::Params;

/// Days that are looked at when nothing is said.
const DAYS: u32 = 30;
/// Lines of each list when nothing is said, and at most.
const LINES: usize = 50;
const MAX_LINES: usize = 1_000;

/// The head of the table, with its line end.
const COLUMNS: &str =
    "query,searches,without_results,not_here,without_click,slow,mean_ms,slowest_ms,opened,thumbs_up,thumbs_down\r\n";

/// Which insights are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InsightsParams {
    /// Days, today included: at most `insights.keep_days`. 30 if nothing is said, or all if fewer are kept.
    #[param(minimum = 1)]
    days: Option<u32>,
    /// Lines of each list, at most 1000.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<usize>,
    /// `csv`: all queries that may be shown, as a table.
    #[serde(default)]
    #[param(inline)]
    format: FormatParam,
}

/// What was asked in a period.
#[derive(Serialize, ToSchema)]
pub(crate) struct Report {
    /// The first day, in UTC.
    #[schema(format = "date")]
    pub(crate) first: String,
    /// The last day, in UTC.
    #[schema(format = "date")]
    pub(crate) last: String,
    /// Different people who must have asked a query in this time before it is shown.
    pub(crate) people: u32,
    /// Milliseconds from which a search counts as slow.
    pub(crate) slow_ms: u64,
    /// Sums over all queries, also those that are not shown.
    pub(crate) totals: TotalsView,
    /// What is asked most often.
    pub(crate) popular: Vec<QueryView>,
    /// What has no results.
    pub(crate) without_results: Vec<QueryView>,
    /// What is judged not to be answered by anything.
    pub(crate) not_here: Vec<QueryView>,
    /// What has results of which none is opened, in more than half of its searches.
    pub(crate) without_click: Vec<QueryView>,
    /// What is slow.
    pub(crate) slow: Vec<QueryView>,
    /// Results that people said something of, those that are not what was looked for first.
    pub(crate) thumbs: Vec<ThumbsView>,
}

/// Sums of a period.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotalsView {
    /// Searches.
    pub(crate) searches: u64,
    /// Of these, without results.
    pub(crate) without_results: u64,
    /// Of these, judged not to be answered.
    pub(crate) not_here: u64,
    /// Of these, with results on the page and none opened.
    pub(crate) without_click: u64,
    /// Of these, slow.
    pub(crate) slow: u64,
    /// Thumbs up.
    pub(crate) up: u64,
    /// Thumbs down.
    pub(crate) down: u64,
    /// Different queries.
    pub(crate) queries: u64,
    /// Of these, queries that too few people have asked to be shown.
    pub(crate) hidden: u64,
}

/// A query and its counts.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueryView {
    /// The query, in lower case.
    pub(crate) query: String,
    /// Searches: a person who asks again within ten minutes asks once.
    pub(crate) searches: u64,
    /// Of these, without results.
    pub(crate) without_results: u64,
    /// Of these, judged not to be answered.
    pub(crate) not_here: u64,
    /// Of these, with results on the page and none opened.
    pub(crate) without_click: u64,
    /// Of these, slow.
    pub(crate) slow: u64,
    /// Mean time in milliseconds.
    pub(crate) mean_ms: u64,
    /// Time of the slowest in milliseconds.
    pub(crate) slowest_ms: u64,
    /// Results that were opened.
    pub(crate) opened: u64,
    /// Thumbs up.
    pub(crate) up: u64,
    /// Thumbs down.
    pub(crate) down: u64,
}

/// A result that people said something of.
#[derive(Serialize, ToSchema)]
pub(crate) struct ThumbsView {
    /// The query.
    pub(crate) query: String,
    /// The document.
    #[serde(flatten)]
    pub(crate) document: DocumentName,
    /// How often it was opened.
    pub(crate) opened: u64,
    /// Thumbs up.
    pub(crate) up: u64,
    /// Thumbs down.
    pub(crate) down: u64,
}

/// A document, by what people know it by.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct DocumentName {
    /// Its id.
    pub(crate) document: String,
    /// Name of its source.
    pub(crate) source: String,
    /// Path below the source's root.
    pub(crate) path: String,
    /// Title.
    pub(crate) title: String,
}

impl DocumentName {
    /// `None` where it is not in the index any more.
    fn of(view: &View, id: DocumentId) -> Result<Option<Self>, Error> {
        let first = view.places(id)?.into_iter().next();
        let Some(passage) = first.map(|place| view.passage(place)).transpose()? else { return Ok(None) };
        let Document { source, path, title, .. } = passage.document;
        Ok(Some(Self { document: id.to_string(), source, path, title }))
    }
}

impl From<&QueryCounts> for QueryView {
    fn from(counts: &QueryCounts) -> Self {
        Self {
            query: counts.query.clone(),
            searches: counts.searches,
            without_results: counts.nothing,
            not_here: counts.not_here,
            without_click: counts.without_click(),
            slow: counts.slow,
            mean_ms: counts.mean_ms(),
            slowest_ms: counts.slowest_ms,
            opened: counts.sum(|document| document.opened),
            up: counts.sum(|document| document.up),
            down: counts.sum(|document| document.down),
        }
    }
}

/// The days that are looked at.
///
/// # Errors
/// There are more than are kept, or none.
pub(crate) fn days_of(insights: &Insights, days: Option<u32>) -> Result<u32, Error> {
    let kept = insights.config().keep_days;
    let days = days.unwrap_or(DAYS.min(kept));
    within("days", days as usize, kept as usize)?;
    if days == 0 { Err(Error::bad("days: expected at least 1, got 0")) } else { Ok(days) }
}

/// The counts of so many days.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn period_of(insights: &Insights, days: u32) -> Result<Period, Error> {
    insights.period(days).map_err(Error::internal)
}

/// What administrators look at, with at most `limit` lines of each list.
///
/// # Errors
/// The index or a file cannot be read.
pub(crate) fn report(engine: &Engine, days: Option<u32>, limit: usize) -> Result<Report, Error> {
    let insights = engine.insights()?;
    let period = period_of(insights, days_of(insights, days)?)?;
    let most = |of: &dyn Fn(&QueryCounts) -> u64| period.most(limit, of).into_iter().map(QueryView::from).collect();
    let mostly_unclicked =
        |query: &QueryCounts| if query.clicked < query.without_click() { query.without_click() } else { 0 };
    Ok(Report {
        first: period.first.to_string(),
        last: period.last.to_string(),
        people: insights.config().people,
        slow_ms: insights.config().slow_ms,
        totals: totals(&period),
        popular: most(&|query| query.searches),
        without_results: most(&|query| query.nothing),
        not_here: most(&|query| query.not_here),
        without_click: most(&mostly_unclicked),
        slow: most(&|query| query.slow),
        thumbs: thumbs(&*engine.whole()?, &period, limit)?,
    })
}

fn totals(period: &Period) -> TotalsView {
    let totals = period.totals();
    TotalsView {
        searches: totals.searches,
        without_results: totals.nothing,
        not_here: totals.not_here,
        without_click: totals.shown.saturating_sub(totals.clicked),
        slow: totals.slow,
        up: totals.up,
        down: totals.down,
        queries: totals.queries,
        hidden: totals.hidden,
    }
}

fn thumbs(view: &View, period: &Period, limit: usize) -> Result<Vec<ThumbsView>, Error> {
    let documents =
        period.shown().flat_map(|query| query.documents.iter().map(move |(key, counts)| (query, key, counts)));
    let mut judged: Vec<_> = documents.filter(|(.., counts)| counts.up + counts.down > 0).collect();
    judged.sort_by_key(|(.., counts)| (std::cmp::Reverse(counts.down), std::cmp::Reverse(counts.up)));
    let mut views = Vec::new();
    for (query, key, counts) in judged {
        if views.len() == limit {
            break;
        }
        if let Some(document) = DocumentName::of(view, key.0)? {
            let query = query.query.clone();
            let [opened, up, down] = [counts.opened, counts.up, counts.down].map(u64::from);
            views.push(ThumbsView { query, document, opened, up, down });
        }
    }
    Ok(views)
}

/// What is asked, what was not found, what was opened and liked. Queries are shown once enough people have asked them.
#[utoipa::path(get, path = "/api/v1/insights", tag = "insights", params(InsightsParams),
    responses((status = 200, content((Timed<Report> = "application/json"), (String = "text/csv"))), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn insights(
    app: web::Data<App>,
    params: Params<InsightsParams>,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let InsightsParams { days, limit, format } = params.0;
    let limit = limit.unwrap_or(LINES);
    within("limit", limit, MAX_LINES)?;
    if limit == 0 {
        return Err(Error::bad("limit: expected at least 1, got 0"));
    }
    let app = app.into_inner();
    if format == FormatParam::Csv || accepts_csv(&request) {
        return Ok(csv_answer(app.compute(move |_, engine| csv(engine, days)).await?));
    }
    let report =
        app.compute(move |_, engine| Ok(timed(started, engine.whole()?.generation()?, report(engine, days, limit)?)));
    Ok(HttpResponse::Ok().json(report.await?))
}

/// All queries that may be shown, as a table.
///
/// # Errors
/// As [`report`].
pub(crate) fn csv(engine: &Engine, days: Option<u32>) -> Result<String, Error> {
    let insights = engine.insights()?;
    let period = period_of(insights, days_of(insights, days)?)?;
    let mut table = COLUMNS.to_string();
    for query in period.most(usize::MAX, |query| query.searches) {
        table.push_str(&csv_row(&QueryView::from(query)));
    }
    Ok(table)
}

fn csv_row(query: &QueryView) -> String {
    let QueryView {
        query,
        searches,
        without_results,
        not_here,
        without_click,
        slow,
        mean_ms,
        slowest_ms,
        opened,
        up,
        down,
    } = query;
    let numbers = [searches, without_results, not_here, without_click, slow, mean_ms, slowest_ms, opened, up, down];
    let numbers: Vec<String> = numbers.into_iter().map(u64::to_string).collect();
    format!("{},{}\r\n", csv_cell(query), numbers.join(","))
}

/// The table as a file.
pub(crate) fn csv_answer(table: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header(("content-disposition", "attachment; filename=\"insights.csv\""))
        .insert_header(("cache-control", "no-store"))
        .body(table)
}

/// Which judgements are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JudgementsParams {
    /// Days, today included: at most `insights.keep_days`, all of them if nothing is said.
    #[param(minimum = 1)]
    days: Option<u32>,
}

/// What people have judged by opening results and by thumbs.
#[derive(Serialize, ToSchema)]
pub(crate) struct JudgementList {
    /// Queries that enough people have asked, each with at least one document that answers it.
    queries: Vec<JudgedView>,
}

/// A query and its answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct JudgedView {
    /// A name for the query, the same at all times.
    id: String,
    /// The query, in lower case.
    query: String,
    /// What is known of documents that are in the index.
    judgements: Vec<JudgementView>,
}

/// A judgement.
#[derive(Serialize, ToSchema)]
pub(crate) struct JudgementView {
    /// The document.
    #[serde(flatten)]
    document: DocumentName,
    /// 3: a thumb up; 2: opened far more often than others at its place; 1: as often; 0: hardly, or a thumb down.
    #[schema(minimum = 0, maximum = 3)]
    grade: u8,
}

/// Judgements that follow from clicks and thumbs, for an evaluation. `quarry insights export` writes them with the documents.
#[utoipa::path(get, path = "/api/v1/insights/judgements", tag = "insights", params(JudgementsParams),
    responses((status = 200, body = Timed<JudgementList>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn judgements(app: web::Data<App>, params: Params<JudgementsParams>) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let days = params.days;
    let list = app.into_inner().compute(move |_, engine| {
        // For administrators, who see everything.
        let (insights, view) = (engine.insights()?, engine.whole()?);
        let days = days_of(insights, days.or(Some(insights.config().keep_days)))?;
        let judged = Judgements::of(&period_of(insights, days)?);
        let mut queries = Vec::new();
        for query in judged.queries {
            // What answered may have been removed from the index.
            queries.extend(Some(judged_view(&view, query)?).filter(JudgedView::is_answered));
        }
        Ok(timed(started, view.generation()?, JudgementList { queries }))
    });
    Ok(HttpResponse::Ok().json(list.await?))
}

impl JudgedView {
    fn is_answered(&self) -> bool {
        self.judgements.iter().any(|judgement| judgement.grade > 0)
    }
}

fn judged_view(view: &View, judged: JudgedQuery) -> Result<JudgedView, Error> {
    let (name, mut judgements) = (judged.id(), Vec::new());
    for (id, grade) in judged.grades {
        if let Some(document) = DocumentName::of(view, id)? {
            judgements.push(JudgementView { document, grade: grade as u8 });
        }
    }
    Ok(JudgedView { id: name, query: judged.query, judgements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_looks_like_a_formula_is_none_in_a_spreadsheet() {
        let mut counts = QueryCounts::default();
        counts.query = "=hyperlink(\"http://evil\",\"x\")".to_string();
        let row = csv_row(&QueryView::from(&counts));
        assert!(row.starts_with("\"'=hyperlink(\"\"http://evil\"\",\"\"x\"\")\",0,"), "{row}");
        assert_eq!(row.matches(',').count() - 1, COLUMNS.matches(',').count(), "one comma is in the query");
    }
}
