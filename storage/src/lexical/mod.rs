//! The lexical index: BM25 over titles, headings, words, grams and codes, in tantivy. Derived from the truth.

mod analysis;
mod holdings;
mod index;
mod listing;
mod pinned;
mod query;
mod reader;
mod schema;
mod stopwords;

pub use analysis::{AnalysedText, Analyzer, NormalForms, Script, Term as AnalysedTerm, is_unspaced, plain_words, runs};
pub use holdings::{HeldTerm, TermKind};
pub(crate) use index::{LexicalIndex, Payload};
pub use query::{AnalysedQuery, LexicalQuery, LexicalWeights, QueryWord, Sequence};
pub(crate) use reader::LexicalReader;
pub use reader::PassageRef;
pub(crate) use schema::StoredPassage;
pub use stopwords::is_stopword;
