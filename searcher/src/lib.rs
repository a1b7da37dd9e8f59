//! Answers a query: recall, fuse, rerank, highlight.

mod answer;
mod beir;
mod config;
mod copies;
mod error;
mod facet;
mod fuse;
mod highlight;
mod marks;
mod metrics;
mod outlook;
mod query;
mod ranking;
mod recall;
mod rerank;
mod search;
mod sentence;
mod similar;
mod snippet;
mod suggest;
mod units;

pub use answer::{Answer, DocumentHit, Marked, PassageHit, Timings};
pub use beir::{BeirDocument, BeirOptions, BeirQuery, BeirSet, Corpus};
pub use config::SearchConfig;
pub use copies::{Copies, DocumentCopy};
pub use error::SearchError;
pub use facet::{FacetCount, FacetCounts};
pub use fuse::{Fused, Fusion, Leg, Place, fuse};
pub use highlight::{Normaliser, Span, Terms, highlight};
pub use metrics::{Grades, mean, ndcg, percentile, recall, reciprocal_rank, success};
pub use query::{Exclusion, MAX_OPERATORS, MAX_QUERY_BYTES, MAX_WORDS, Note, ParsedQuery, parse_date};
pub use ranking::{Ranking, RerankState};
pub use search::{Counting, MAX_RESULTS, Marking, Mode, Rerank, RerankBudget, SearchRequest, Searcher, Syntax};
pub use similar::{MAX_SIMILAR, SimilarRequest};
pub use snippet::{Snippet, snippet};
pub use suggest::{Suggester, Suggestion, SuggestionKind};
