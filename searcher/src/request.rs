//! A search request: everything that can be asked, with its defaults and limits.
//!
//! The REST API and the page read it, the command line and evaluation build it. An option exists once it is a field here
//! and [`SearchPlan`](crate::SearchPlan) or the stage that it belongs to acts on it; what describes requests (the OpenAPI
//! document, the parameters of an address) is derived from this struct.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use storage::Filter;

use crate::cursor::{Cursor, question};
use crate::named::object;
use crate::query::{ParsedQuery, parse_date, parse_kind, places_of_plain_words, places_of_words};

/// Most documents one answer holds; deeper pages cost more than they are worth.
pub const MAX_RESULTS: usize = 1000;

/// Which retrievers recall candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Words and meaning, fused.
    #[default]
    Hybrid,
    /// Words alone: BM25.
    Lexical,
    /// Meaning alone: vectors.
    Semantic,
}

/// How the query is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// With phrases, exclusions and filters.
    #[default]
    Operators,
    /// As words alone: for questions that were not written in the query language.
    Plain,
}

impl Syntax {
    /// Reads a query.
    pub fn read(self, query: &str) -> ParsedQuery {
        match self {
            Self::Operators => ParsedQuery::parse(query),
            Self::Plain => ParsedQuery::plain(query),
        }
    }

    /// Where in a query its plain words stand, what is between two blanks together.
    pub(crate) fn places_of_words(self, query: &str) -> Vec<Range<usize>> {
        match self {
            Self::Operators => places_of_words(query),
            Self::Plain => places_of_plain_words(query),
        }
    }
}

/// What is marked in snippets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Marking {
    /// Words of the query.
    #[default]
    Words,
    /// Where there are none, the sentence nearest in meaning: costs the model more than the search itself.
    Sentences,
}

/// Whether near-duplicates are one result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Copies {
    /// They are one result: the newest, with the others in its `copies`.
    #[default]
    Together,
    /// Each is a result.
    Apart,
}

/// What is returned where nothing is likely to answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unlikely {
    /// The closest documents, three at most; none where no word of the query is known and the model sees
    /// no text in it either.
    #[default]
    Closest,
    /// All that was found.
    All,
}

/// The order of the results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// The best first; what is only filtered, as `date`.
    #[default]
    Relevance,
    /// The newest first.
    Date,
    /// The oldest first.
    Oldest,
}

/// Which documents are counted by what they are filed under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum FacetScope {
    /// Those that were found.
    #[default]
    Found,
    /// For each field, those that would be found without the restrictions on it in `filters`: the alternatives to what
    /// was chosen.
    Open,
}

/// Restrictions on the documents. Values of one field are alternatives; all fields have to agree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Filters {
    /// Names of sources, in any case.
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub source: Vec<String>,
    /// Parts of the path, with the name of the source before it or without.
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub path: Vec<String>,
    /// Document types: markdown, html, ...
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub kind: Vec<String>,
    /// ISO 639-1 codes.
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub lang: Vec<String>,
    /// Changed on or after the first day of YYYY, YYYY-MM or YYYY-MM-DD.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^\d{4}(-\d{2}(-\d{2})?)?$", example = "2026-01"))]
    pub after: Option<String>,
    /// Changed before it.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^\d{4}(-\d{2}(-\d{2})?)?$", example = "2026"))]
    pub before: Option<String>,
}

/// What reranking may cost; 0 switches it off, and what is left out is as configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RerankBudget {
    /// Milliseconds from the beginning of the search.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<usize>))]
    pub ms: Option<u64>,
    /// Candidates to read at the most.
    pub candidates: Option<usize>,
}

impl RerankBudget {
    /// No reranking.
    pub const OFF: Self = Self { ms: None, candidates: Some(0) };

    /// Whether nothing may be reranked.
    pub fn is_off(&self) -> bool {
        self.ms == Some(0) || self.candidates == Some(0)
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// The question. Words, "phrases", -without, source: path: type: lang: after: before:
    pub query: String,
    /// Restrictions beside those in the query.
    #[serde(default, deserialize_with = "object")]
    pub filters: Filters,
    /// Whether documents are counted by source, type, language, year and month.
    #[serde(default)]
    pub facets: bool,
    /// Which documents are counted.
    #[serde(default)]
    pub facet_scope: FacetScope,
    /// Documents to return.
    #[serde(default = "default_top")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000, default = 10))]
    pub top: usize,
    /// Documents to skip.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(maximum = 999))]
    pub offset: usize,
    /// Where to go on: `next` of an earlier answer to the same question, instead of `offset`.
    #[serde(default)]
    pub cursor: Option<String>,
    /// The order of the results.
    #[serde(default)]
    pub sort: Sort,
    /// Which retrievers recall candidates.
    #[serde(default)]
    pub mode: Mode,
    /// How the query is read.
    #[serde(default)]
    pub syntax: Syntax,
    /// What is marked in snippets.
    #[serde(default)]
    pub mark: Marking,
    /// Whether documents with almost the same text are one result.
    #[serde(default)]
    pub copies: Copies,
    /// What is returned where nothing is likely to answer.
    #[serde(default)]
    pub unlikely: Unlikely,
    /// Languages of the reader, as ISO 639-1 codes: of results that are as good, those in one of them come first.
    #[serde(default)]
    pub prefer_lang: Vec<String>,
    /// How much reranking may cost; as configured if it is left out.
    #[serde(default, deserialize_with = "object")]
    pub rerank: RerankBudget,
    /// What the models are told to look for, instead of their default instruction.
    #[serde(default)]
    pub instruct: Option<String>,
    /// Whether slips are corrected: words that the index does not hold, or hardly, by words that it holds.
    #[serde(default = "yes")]
    #[cfg_attr(feature = "openapi", schema(default = true))]
    pub correct: bool,
    /// Whether the answer says how the query was understood.
    #[serde(default)]
    pub explain: bool,
}

fn yes() -> bool {
    true
}

fn default_top() -> usize {
    10
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            query: String::new(),
            filters: Filters::default(),
            facets: false,
            facet_scope: FacetScope::default(),
            top: default_top(),
            offset: 0,
            cursor: None,
            sort: Sort::default(),
            mode: Mode::default(),
            syntax: Syntax::default(),
            mark: Marking::default(),
            copies: Copies::default(),
            unlikely: Unlikely::default(),
            prefer_lang: Vec::new(),
            rerank: RerankBudget::default(),
            instruct: None,
            correct: true,
            explain: false,
        }
    }
}

/// How much one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Characters of the query, and of the instruction. What is longer than [`MAX_QUERY_BYTES`](crate::MAX_QUERY_BYTES) is
    /// cut with a note in any case.
    pub query_chars: usize,
    /// Documents returned and skipped together, at most [`MAX_RESULTS`].
    pub results: usize,
    /// Values of filters.
    pub filter_values: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { query_chars: usize::MAX, results: MAX_RESULTS, filter_values: 1_000 }
    }
}

/// What a request may hold only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Characters of the query.
    Query,
    /// Characters of a question, with the one before it.
    Question,
    /// Characters of the instruction.
    Instruct,
    /// Documents returned and skipped.
    Results,
    /// Values of all filters.
    FilterValues,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "query",
            Self::Question => "question",
            Self::Instruct => "instruct",
            Self::Results => "offset + top",
            Self::FilterValues => "the number of filter values",
        })
    }
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More of something than the limit.
    #[error("{what} is {got}, more than the limit of {limit}")]
    OverLimit {
        /// What is counted.
        what: Counted,
        /// How much there is.
        got: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Nothing is to be returned.
    #[error("top: expected at least 1")]
    NoResults,
    /// A date that cannot be read.
    #[error("{field}: {reason}")]
    Date {
        /// The field.
        field: &'static str,
        /// What was expected.
        reason: String,
    },
    /// A cursor that did not come from an answer, or was changed.
    #[error("cursor: expected the text of next in an earlier answer, whole")]
    CursorUnreadable,
    /// A cursor of another question.
    #[error(
        "cursor: it belongs to another question; only top and what is shown of a result may differ from page to page"
    )]
    CursorOfAnother,
    /// A cursor beside an offset.
    #[error("cursor: expected without offset, since it says where to go on")]
    CursorWithOffset,
    /// A type of documents that does not exist.
    #[error("type: {reason}")]
    Kind {
        /// What was expected.
        reason: String,
    },
}

impl RequestError {
    /// The field that is wrong, as it is called in a JSON body.
    pub fn field(&self) -> &'static str {
        match self {
            Self::OverLimit { what: Counted::Query, .. } => "query",
            Self::OverLimit { what: Counted::Question, .. } => "question",
            Self::OverLimit { what: Counted::Instruct, .. } => "instruct",
            Self::OverLimit { what: Counted::Results, .. } => "top",
            Self::OverLimit { what: Counted::FilterValues, .. } => "filters",
            Self::NoResults => "top",
            Self::CursorUnreadable | Self::CursorOfAnother | Self::CursorWithOffset => "cursor",
            Self::Date { field, .. } => field,
            Self::Kind { .. } => "type",
        }
    }

    /// A stable name for programs: one for each field and fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OverLimit { what: Counted::Query, .. } => "query-too-long",
            Self::OverLimit { what: Counted::Question, .. } => "question-too-long",
            Self::OverLimit { what: Counted::Instruct, .. } => "instruct-too-long",
            Self::OverLimit { what: Counted::Results, .. } => "top-too-large",
            Self::OverLimit { what: Counted::FilterValues, .. } => "filters-too-many",
            Self::NoResults => "top-too-small",
            Self::CursorUnreadable => "cursor-unreadable",
            Self::CursorOfAnother => "cursor-of-another-question",
            Self::CursorWithOffset => "cursor-with-offset",
            Self::Date { field: "after", .. } => "after-not-a-date",
            Self::Date { .. } => "before-not-a-date",
            Self::Kind { .. } => "type-unknown",
        }
    }
}

impl SearchRequest {
    /// Checks the request against the limits.
    ///
    /// # Errors
    /// The first field that asks for too much or cannot be read.
    pub fn check(&self, limits: &RequestLimits) -> Result<(), RequestError> {
        within(Counted::Query, self.query.chars().count(), limits.query_chars)?;
        let shown = self.cursor()?.map_or(self.offset, |cursor| cursor.shown.len());
        within(Counted::Results, shown.saturating_add(self.top), limits.results.min(MAX_RESULTS))?;
        let instruct = self.instruct.as_ref().map_or(0, |instruct| instruct.chars().count());
        within(Counted::Instruct, instruct, limits.query_chars)?;
        if self.top == 0 {
            return Err(RequestError::NoResults);
        }
        within(Counted::FilterValues, self.prefer_lang.len(), limits.filter_values)?;
        self.filters.check(limits)
    }

    /// The cursor to go on from, if there is any.
    ///
    /// # Errors
    /// It cannot be read, belongs to another question, or stands beside an offset.
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, RequestError> {
        let Some(text) = &self.cursor else { return Ok(None) };
        if self.offset > 0 {
            return Err(RequestError::CursorWithOffset);
        }
        let cursor = Cursor::read(text).ok_or(RequestError::CursorUnreadable)?;
        if cursor.is_of(question(&self.question())) { Ok(Some(cursor)) } else { Err(RequestError::CursorOfAnother) }
    }

    /// The cursor behind what was shown.
    pub(crate) fn cursor_behind(&self, shown: Vec<u64>) -> Cursor {
        Cursor::behind(question(&self.question()), shown)
    }

    /// What decides which results there are, and in which order.
    fn question(&self) -> String {
        let asked = Self {
            facets: false,
            facet_scope: FacetScope::default(),
            top: default_top(),
            offset: 0,
            cursor: None,
            mark: Marking::default(),
            rerank: RerankBudget::default(),
            explain: false,
            ..self.clone()
        };
        serde_json::to_string(&asked).unwrap_or_default()
    }
}

impl Filters {
    /// Checks the filters against the limits.
    ///
    /// # Errors
    /// Too many values, a date that cannot be read, or a type that does not exist.
    pub fn check(&self, limits: &RequestLimits) -> Result<(), RequestError> {
        let values = self.source.len() + self.path.len() + self.kind.len() + self.lang.len();
        within(Counted::FilterValues, values, limits.filter_values)?;
        self.resolve().map(drop)
    }

    /// The filter as storage takes it.
    ///
    /// # Errors
    /// A date that cannot be read, or a type that does not exist.
    pub fn resolve(&self) -> Result<Filter, RequestError> {
        Ok(Filter {
            sources: self.source.clone(),
            paths: self.path.clone(),
            kinds: self.kind.iter().map(|word| kind(word)).collect::<Result<_, _>>()?,
            languages: self.lang.iter().map(|code| code.to_lowercase()).collect(),
            page_types: Vec::new(),
            after: date("after", self.after.as_deref())?,
            before: date("before", self.before.as_deref())?,
        })
    }
}

fn kind(word: &str) -> Result<String, RequestError> {
    parse_kind(word).map_err(|reason| RequestError::Kind { reason })
}

fn date(field: &'static str, text: Option<&str>) -> Result<Option<i64>, RequestError> {
    text.map(|text| parse_date(text).map_err(|reason| RequestError::Date { field, reason })).transpose()
}

pub(crate) fn within(what: Counted, got: usize, limit: usize) -> Result<(), RequestError> {
    if got > limit { Err(RequestError::OverLimit { what, got, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SearchRequest, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_is_left_out_is_the_default_and_what_is_unknown_is_refused() {
        assert_eq!(read(r#"{"query":"a"}"#).unwrap(), SearchRequest { query: "a".into(), ..SearchRequest::default() });
        assert!(read(r#"{"query":"a","filters":{"typ":["md"]}}"#).is_err());
        assert!(read(r#"{"query":"a","tpo":3}"#).is_err());
        let full = read(r#"{"query":"a","filters":{"type":["md"],"after":"2026"},"mode":"lexical","rerank":{"ms":0}}"#);
        let full = full.unwrap();
        assert!(full.rerank.is_off() && full.mode == Mode::Lexical && full.filters.kind == ["md"]);
        let again = read(&serde_json::to_string(&full).unwrap()).unwrap();
        assert_eq!(again, full);
    }

    #[test]
    fn each_fault_names_its_field() {
        let limits = RequestLimits { query_chars: 5, results: 20, filter_values: 1 };
        let of = |change: &dyn Fn(&mut SearchRequest)| {
            let mut request = SearchRequest { query: "abc".into(), ..SearchRequest::default() };
            change(&mut request);
            request.check(&limits).err().map(|error| (error.field(), error.code()))
        };
        assert_eq!(of(&|_| ()), None);
        assert_eq!(of(&|request| request.query = "abcdef".into()), Some(("query", "query-too-long")));
        assert_eq!(of(&|request| request.instruct = Some("abcdef".into())), Some(("instruct", "instruct-too-long")));
        assert_eq!(of(&|request| request.top = 0), Some(("top", "top-too-small")));
        assert_eq!(of(&|request| request.offset = 11), Some(("top", "top-too-large")));
        assert_eq!(of(&|request| request.filters.lang = vec!["a".into(); 2]), Some(("filters", "filters-too-many")));
        assert_eq!(of(&|request| request.filters.after = Some("x".into())), Some(("after", "after-not-a-date")));
        assert_eq!(of(&|request| request.filters.before = Some("1".into())), Some(("before", "before-not-a-date")));
        assert_eq!(of(&|request| request.filters.kind = vec!["klingon".into()]), Some(("type", "type-unknown")));
    }

    #[test]
    fn a_cursor_belongs_to_its_question() {
        let asked = SearchRequest { query: "leave".into(), ..SearchRequest::default() };
        let cursor = asked.cursor_behind(vec![1, 2]);
        let next =
            SearchRequest { cursor: Some(cursor.encode()), top: 3, facets: true, explain: true, ..asked.clone() };
        assert_eq!((next.cursor(), asked.cursor()), (Ok(Some(cursor)), Ok(None)));
        let of = |request: SearchRequest| request.check(&RequestLimits::default()).err().map(|error| error.code());
        assert_eq!(of(SearchRequest { query: "leaves".into(), ..next.clone() }), Some("cursor-of-another-question"));
        assert_eq!(of(SearchRequest { offset: 1, ..next.clone() }), Some("cursor-with-offset"));
        assert_eq!(of(SearchRequest { cursor: Some("AQ".into()), ..asked }), Some("cursor-unreadable"));
        assert_eq!(of(SearchRequest { top: 999, ..next }), Some("top-too-large"));
    }

    #[test]
    fn types_may_be_asked_for_by_the_endings_of_files() {
        let filters = Filters { kind: ["adoc", "RST", ".h"].map(str::to_owned).to_vec(), ..Filters::default() };
        assert_eq!(filters.resolve().unwrap().kinds, ["asciidoc", "rst", "c"]);
    }
}
