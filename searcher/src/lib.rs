//! Answers a query: recall, fuse, rerank, highlight.

mod answer;
mod candidate;
mod collapse;
mod config;
mod error;
mod expectation;
mod facet;
mod fuse;
mod group;
mod highlight;
mod marks;
mod plan;
mod present;
mod query;
mod recall;
mod request;
mod rerank;
mod search;
mod sentence;
mod shape;
mod similar;
mod slips;
mod snippet;
mod suggest;

pub use answer::{Answer, DocumentCopy, DocumentHit, Marked, PassageHit, Timings};
pub use candidate::Candidate;
pub use config::{FusionMethod, SearchConfig};
pub use error::SearchError;
pub use facet::{FacetCount, FacetCounts};
pub use fuse::{Fused, Fusion, Place, Retrieved, fuse};
pub use highlight::{Span, Terms, highlight};
pub use marks::Marker;
pub use plan::SearchPlan;
pub use query::{Exclusion, MAX_OPERATORS, MAX_QUERY_BYTES, MAX_WORDS, Note, ParsedQuery, parse_date};
pub use recall::Recall;
pub use request::{
    Copies, FacetScope, Filters, MAX_RESULTS, Marking, Mode, RequestError, RequestLimits, RerankBudget, SearchRequest,
    Syntax,
};
pub use rerank::{RerankState, Wish};
pub use search::{Search, Searcher};
pub use shape::{BlockView, PlaceView};
pub use similar::{MAX_SIMILAR, SimilarRequest};
pub use snippet::{Snippet, snippet};
pub use suggest::{Suggester, Suggestion, SuggestionKind};
