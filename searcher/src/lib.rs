//! The searcher, from a query to an answer: request, plan, recall, fuse, rerank, group, present.
//!
//! ```
//! use qwen3::{EmbedHandle, Embedder, EmbedderOptions, ModelFiles, WorkerOptions};
//! use searcher::{SearchConfig, SearchRequest, Searcher};
//! # use storage::{Batch, ChunkDraft, ContentKey, Document, IndexModel, Source, Store};
//!
//! let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/nano");
//! let embedder = Embedder::open(&ModelFiles::open(model)?, EmbedderOptions::default())?;
//! # let (fingerprint, dimension) = (embedder.fingerprint().to_owned(), embedder.dimension());
//! let embedder = EmbedHandle::start(embedder, &WorkerOptions::default())?;
//! # let folder = tempfile::tempdir()?;
//! # let mut store = Store::open(folder.path(), &IndexModel { name: "nano".into(), fingerprint, dimension })?;
//! # store.add_source(Source { name: "wiki".into(), root: "/srv/wiki".into() })?;
//! # let mut batch = Batch::default();
//! # for (path, text) in [("leave.md", "Thirty days of leave a year."), ("printer.md", "The printer is on floor two.")] {
//! #     let vector = embedder.embed_documents(&[text])?.wait()?.remove(0);
//! #     let document = Document {
//! #         source: "wiki".into(), path: path.into(), title: path.into(), kind: "markdown".into(), language: Some("en".into()),
//! #         modified: 0, bytes: 20, metadata: Default::default(), fingerprint: None,
//! #     };
//! #     batch.put(document, vec![ChunkDraft {
//! #         headings: vec![], text: text.into(), span: 0..20, lines: 1..2, place: None, blocks: vec![],
//! #         key: ContentKey::of(&[], text), vector: Some(vector),
//! #     }]);
//! # }
//! # store.commit(batch)?;
//! let searcher = Searcher::new(embedder, None, SearchConfig::default());
//! let request = SearchRequest { query: "how much holiday do I get".into(), top: 1, ..SearchRequest::default() };
//! let answer = searcher.search(&*store.snapshot().whole()?, &request)?;
//! assert_eq!(answer.results[0].path, "leave.md");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abbreviations;
mod answer;
mod answerable;
mod ask;
mod awaited;
mod calibration;
mod candidate;
mod collapse;
mod config;
mod correction;
mod cursor;
mod error;
mod evidence;
mod expectation;
mod facet;
mod fuse;
mod group;
mod guidance;
mod highlight;
mod learnt;
mod list;
mod marks;
mod named;
mod narrow;
mod nearness;
mod phrases;
mod plan;
mod present;
mod proof;
mod query;
mod recall;
mod request;
mod rerank;
mod rules;
mod search;
mod sentence;
mod shape;
mod similar;
mod slips;
mod snippet;
mod suggest;
mod synonyms;
mod unit;
mod weighing;
mod writer;
mod writing;
mod written;

pub use abbreviations::abbreviations_of;
pub use answer::{Answer, DocumentCopy, DocumentHit, Marked, PassageHit, Timings};
pub use answerable::{Answerable, CLOSEST, Verdict};
pub use ask::{
    AskRequest, Chosen, Citation, CitedSentence, ClosestDocument, Draft, EXTRACTIVE, Outcome, PASSAGES, Ranked, Reply,
    ReplyNote, Said, Setting, StruckSentence, Support, Supported, Wanted, Wording, chosen, is_question, ranked,
    standalone,
};
pub use calibration::{AnswerLines, Calibration, Line, MeaningCalibration};
pub use candidate::Candidate;
pub use config::{FusionMethod, SearchConfig};
pub use correction::{Correction, Spelling};
pub use error::SearchError;
pub use evidence::{Evidence, Ground};
pub use facet::{FacetCount, FacetCounts};
pub use fuse::{Fused, Fusion, Place, Retrieved, fuse};
pub use guidance::{Guidance, GuidanceFile, GuidanceFiles};
pub use highlight::{Span, Terms, highlight};
pub use marks::Marker;
pub use nearness::{Nearness, Spread};
pub use plan::SearchPlan;
pub use proof::Flaw;
pub use query::{Exclusion, MAX_OPERATORS, MAX_QUERY_BYTES, MAX_WORDS, Note, ParsedQuery, parse_date};
pub use recall::Recall;
pub use request::{
    Copies, Counted, FacetScope, Filters, MAX_RESULTS, Marking, Mode, RequestError, RequestLimits, RerankBudget,
    SearchRequest, Sort, Syntax, Unlikely,
};
pub use rerank::{RerankState, Wish};
pub use rules::Rules;
pub use search::{Search, Searcher};
pub use shape::{BlockView, PlaceView};
pub use similar::{MAX_SIMILAR, SimilarRequest};
pub use snippet::{Cut, Snippet, snippet};
pub use suggest::{Suggester, Suggestion, SuggestionKind};
pub use synonyms::{Expansion, Synonyms};
pub use unit::{Unit, UnitKind, units};
pub use weighing::{Effect, PageTypeWeights};
pub use writer::{Brief, Ending, Writer, WriterError, WriterHere};
pub use written::WrittenError;
