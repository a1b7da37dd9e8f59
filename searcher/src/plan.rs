//! The plan of a search: what every stage needs to know, found out once.
//!
//! The query is parsed, its terms analysed, its filters resolved and its embedding begun when the plan is made; recall
//! puts the vector in when the model has it. All later stages get the plan by reference.

use std::time::{Duration, Instant};

use qwen3::{EmbedHandle, PendingQuery};
use storage::{AnalysedQuery, Filter, LexicalQuery, View, folded};

use crate::config::SearchConfig;
use crate::correction::{Corrections, Spelling, replaced};
use crate::error::SearchError;
use crate::query::{Note, ParsedQuery};
use crate::request::{FacetScope, Mode, SearchRequest, Sort};
use crate::rules::Rules;
use crate::synonyms::{Expansion, Synonyms, expansions};
use crate::weighing::Weighing;

/// What people and documents have laid down for searches.
pub(crate) struct Written<'w> {
    /// Words that stand for each other, those that go first first.
    pub(crate) synonyms: [&'w Synonyms; 2],
    pub(crate) rules: &'w Rules,
}

/// What a search does.
pub struct SearchPlan {
    /// What was asked.
    pub request: SearchRequest,
    /// The query as it was understood.
    pub query: ParsedQuery,
    /// What of it was taken for a slip.
    pub spelling: Option<Spelling>,
    /// What was looked for beside words of it.
    pub expanded: Vec<Expansion>,
    /// What the models read: the text of the query, with words that the index does not hold corrected or replaced by what
    /// stands for them.
    pub text: String,
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
    /// What counts more or less, and what comes first.
    pub(crate) weighing: Weighing,
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
        view: &View,
        embedder: &EmbedHandle,
        config: &SearchConfig,
        written: Written<'_>,
        request: SearchRequest,
    ) -> Result<Self, SearchError> {
        let started = Instant::now();
        let mut query = request.syntax.read(&request.query);
        let places = request.syntax.places_of_words(&request.query);
        let expanded = expansions(&written.synonyms, &request.query, &places);
        let understood: Vec<_> = expanded.iter().map(|expansion| expansion.range.clone()).collect();
        let corrections = match request.correct {
            true => Corrections::of(view, &request.query, &places, &understood)?,
            false => Corrections::default(),
        };
        let mut replacements: Vec<_> = corrections.replacements().collect();
        for expansion in &expanded {
            let instead = expansion.instead(view)?;
            replacements.extend(instead.map(|text| (expansion.range.clone(), text.to_owned())));
        }
        let changed = replaced(&request.query, replacements);
        let text = changed.map_or_else(|| query.text.clone(), |changed| request.syntax.read(&changed).text);
        let vector_weight = vector_weight(embedder, config, request.mode, &text)?;
        let is_embedded = vector_weight > 0.0 && !text.trim().is_empty();
        let begin = || embedder.begin_query(&text, request.instruct.as_deref());
        let (embedding, is_away) = match is_embedded.then(begin).transpose() {
            Err(error) if error.is_elsewhere() => (None, true),
            begun => (begun?, false),
        };
        let has_text = !text.trim().is_empty();
        let is_ranked = has_text && request.sort == Sort::Relevance;
        let mut alternatives = corrections.alternatives();
        alternatives.extend(expanded.iter().flat_map(Expansion::alternatives));
        let heard = corrections.heard(&request.query).map(|heard| request.syntax.read(&heard));
        let terms = LexicalQuery { alternatives, ..LexicalQuery::from(heard.as_ref().unwrap_or(&query)) };
        let rerank_depth = match request.rerank.is_off() {
            false if is_ranked => request.rerank.candidates.unwrap_or(config.rerank_depth),
            _ => 0,
        };
        let mut filter = request.filters.resolve()?;
        for filter in [&mut filter, &mut query.filter] {
            filter.sources.iter_mut().for_each(|name| *name = as_it_is_called(view, name));
        }
        if embedding.is_some() {
            query.notes.extend(to_come(view));
        }
        let mut plan = Self {
            filter,
            vector: None,
            vector_weight,
            shown: request.cursor()?.map(|cursor| cursor.shown).unwrap_or_default(),
            depth: config.depth,
            rerank_depth,
            terms: view.analyse(&terms),
            weighing: Weighing::of(view, &config.page_types, written.rules, &request, &query)?,
            spelling: corrections.spelling(&request.query),
            expanded,
            text,
            embedding,
            started,
            deadline: request.rerank.ms.map(|ms| started + Duration::from_millis(ms)),
            query,
            request,
        };
        if is_away {
            plan.go_by_words();
        }
        Ok(plan)
    }

    /// The model is elsewhere and gives no answer: words go on without it, and that is said.
    pub(crate) fn go_by_words(&mut self) {
        self.request.mode = Mode::Lexical;
        self.vector_weight = 0.0;
        self.query.notes.retain(|note| !matches!(note, Note::VectorsToCome { .. }));
        self.query.notes.push(Note::MeaningAway);
    }

    /// Whether not everything could be compared by meaning that should have been: what is not found may be there all the same.
    pub(crate) fn lacks_meaning(&self) -> bool {
        self.query.notes.iter().any(|note| matches!(note, Note::VectorsToCome { .. } | Note::MeaningAway))
    }

    /// The query that the results are for: as it was asked, or corrected.
    pub fn searched(&self) -> &str {
        let corrected = self.spelling.as_ref().and_then(|spelling| spelling.corrected.as_deref());
        corrected.unwrap_or(&self.request.query)
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

    /// Whether the best results of all are asked for.
    pub(crate) fn is_first_page(&self) -> bool {
        self.request.offset == 0 && self.shown.is_empty()
    }

    /// Whether alternatives to what was chosen are counted.
    pub(crate) fn counts_alternatives(&self) -> bool {
        self.request.facets && self.request.facet_scope == FacetScope::Open
    }
}

/// How many vectors are still to come, if any.
pub(crate) fn to_come(view: &View) -> Option<Note> {
    let (waiting, all) = (view.totals().waiting.passages, view.passages());
    let there = all.saturating_sub(waiting);
    (waiting > 0 && all > 0).then(|| Note::VectorsToCome { percent: there.saturating_mul(100) / all })
}

/// The name of the source that somebody means, whose case may differ.
fn as_it_is_called(view: &View, name: &str) -> String {
    let mut sources = view.sources().into_iter();
    let meant = sources.find(|source| folded(&source.name) == folded(name));
    meant.map_or_else(|| name.to_owned(), |source| source.name.clone())
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
            let fertility = f64::from(embedder.ruler().fertility(text)?);
            let (known, unknown) = config.fertility;
            let share = ((unknown - fertility) / (unknown - known)).clamp(0.0, 1.0);
            Ok(config.vector_weight * share)
        }
    }
}
