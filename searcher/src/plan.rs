//! The plan of a search: what every stage needs to know, found out once.
//!
//! The query is parsed, its terms analysed, its filters resolved and its embedding begun when the plan is made; recall
//! puts the vector in when the model has it. All later stages get the plan by reference.

use std::time::{Duration, Instant};

use qwen3::{EmbedHandle, PendingQuery};
use storage::{AnalysedQuery, Filter, LexicalQuery, Snapshot};

use crate::config::SearchConfig;
use crate::cursor::Cursor;
use crate::error::SearchError;
use crate::query::ParsedQuery;
use crate::request::{FacetScope, Mode, SearchRequest, Sort, Syntax};

/// What a search does.
pub struct SearchPlan {
    /// What was asked.
    pub request: SearchRequest,
    /// The query as it was understood.
    pub query: ParsedQuery,
    /// The restrictions of the request.
    pub filter: Filter,
    /// The vector of the query; `None` where vectors have no say: by the mode, for a query without text, and for a text in
    /// which the model sees nothing.
    pub vector: Option<Vec<f32>>,
    /// Weight of the vector retriever, where the lexical one has 1.
    pub vector_weight: f64,
    /// Passages that each retriever recalls, whatever page is asked for.
    pub depth: usize,
    /// Candidates the reranker may read.
    pub rerank_depth: usize,
    /// The query's words, phrases and exclusions as the index compares them.
    pub(crate) terms: AnalysedQuery,
    /// The vector on its way.
    pub(crate) embedding: Option<PendingQuery>,
    /// What earlier pages have shown.
    pub(crate) shown: Vec<u64>,
    pub(crate) started: Instant,
    /// When reranking ends.
    pub(crate) deadline: Option<Instant>,
}

impl SearchPlan {
    /// Plans a search and has the model begin with its vector.
    ///
    /// # Errors
    /// A date in the request's filters or its cursor cannot be read, or the model cannot read the query.
    pub(crate) fn new(
        snapshot: &Snapshot,
        embedder: &EmbedHandle,
        config: &SearchConfig,
        request: SearchRequest,
    ) -> Result<Self, SearchError> {
        let started = Instant::now();
        let query = match request.syntax {
            Syntax::Operators => ParsedQuery::parse(&request.query),
            Syntax::Plain => ParsedQuery::plain(&request.query),
        };
        let vector_weight = vector_weight(embedder, config, request.mode, &query.text)?;
        let is_embedded = vector_weight > 0.0 && !query.text.trim().is_empty();
        let embedding =
            is_embedded.then(|| embedder.begin_query(&query.text, request.instruct.as_deref())).transpose()?;
        let has_text = !query.text.trim().is_empty();
        let is_ranked = has_text && request.sort == Sort::Relevance;
        let rerank_depth = match request.rerank.is_off() {
            false if is_ranked => request.rerank.candidates.unwrap_or(config.rerank_depth),
            _ => 0,
        };
        Ok(Self {
            filter: request.filters.resolve()?,
            vector: None,
            vector_weight,
            shown: Cursor::of(&request)?.map(|cursor| cursor.shown).unwrap_or_default(),
            depth: config.depth,
            rerank_depth,
            terms: snapshot.analyse(&LexicalQuery::from(&query)),
            embedding,
            started,
            deadline: request.rerank.ms.map(|ms| started + Duration::from_millis(ms)),
            query,
            request,
        })
    }

    /// All restrictions: the request's and those in the query.
    pub fn filters(&self) -> [Filter; 2] {
        [self.filter.clone(), self.query.filter.clone()]
    }

    /// Sources that the request or the query names; none: all.
    pub fn sources(&self) -> Vec<String> {
        [self.filter.sources.as_slice(), &self.query.filter.sources].concat()
    }

    /// Whether nothing but filters is asked for: what they let through is listed.
    pub(crate) fn lists_filtered(&self) -> bool {
        self.query.text.trim().is_empty() && self.filters().iter().any(|filter| !filter.is_empty())
    }

    /// The order of the list: what is only filtered goes by date.
    pub(crate) fn sort(&self) -> Sort {
        match self.request.sort {
            Sort::Relevance if self.lists_filtered() => Sort::Date,
            sort => sort,
        }
    }

    /// How many results the pages up to this one hold.
    pub(crate) fn wanted(&self) -> usize {
        self.shown.len().saturating_add(self.request.offset).saturating_add(self.request.top)
    }

    /// Whether alternatives to what was chosen are counted.
    pub(crate) fn counts_alternatives(&self) -> bool {
        self.request.facets && self.request.facet_scope == FacetScope::Open
    }
}

/// How much the vector retriever counts for this query.
///
/// A tokenizer that knows a script needs well under one token per character; one that falls back to bytes needs two to
/// four, and the model behind it has learnt nothing about such text. Between the two bounds the weight falls linearly.
fn vector_weight(embedder: &EmbedHandle, config: &SearchConfig, mode: Mode, text: &str) -> Result<f64, SearchError> {
    match mode {
        Mode::Lexical => Ok(0.0),
        Mode::Semantic => Ok(1.0),
        Mode::Hybrid => {
            let fertility = f64::from(embedder.tokenizer().fertility(text)?);
            let (known, unknown) = config.fertility;
            let share = ((unknown - fertility) / (unknown - known)).clamp(0.0, 1.0);
            Ok(config.vector_weight * share)
        }
    }
}
