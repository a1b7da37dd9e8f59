//! The lexical index: BM25 over titles, headings, stems, exact words, grams and codes, in tantivy. Derived from the truth.

mod alternative;
mod analysis;
mod apart;
mod builder;
mod holdings;
mod index;
mod listing;
mod matching;
mod names;
mod narrowing;
mod normal;
mod pinned;
mod query;
mod reader;
mod schema;
mod sight;
mod sound;
mod spelling;
mod statistics;
mod stopwords;
mod tokens;
mod within;

pub use alternative::{Alternative, AnalysedAlternative};
pub use analysis::{AnalysedText, Analyzer, NormalForms, Term as AnalysedTerm};
pub use holdings::{HeldTerm, TermKind};
pub(crate) use index::{LexicalIndex, Payload};
pub use narrowing::folded;
pub use query::{AnalysedQuery, LexicalQuery, LexicalWeights, QueryWord, Sequence};
pub(crate) use reader::LexicalReader;
pub use reader::PassageRef;
pub(crate) use schema::StoredPassage;
pub use sound::{homophones, in_syllables, sounding, syllable};
pub use spelling::KnownWord;
pub use stopwords::is_stopword;
pub use tokens::{Script, is_unspaced, plain_words, runs};
