//! The lexical index: BM25 over titles, headings, words, grams and codes, in tantivy. Derived from the truth.

mod analysis;
mod index;
mod listing;
mod query;
mod reader;
mod schema;
mod stopwords;

pub use analysis::{Analyzer, Term as AnalyzedTerm, is_unspaced};
pub(crate) use index::{LexicalIndex, Payload};
pub use query::{AnalysedQuery, LexicalQuery, LexicalWeights};
pub(crate) use reader::LexicalReader;
pub use reader::PassageRef;
pub(crate) use schema::StoredPassage;
pub use stopwords::is_stopword;
