//! Crash-safe storage of documents, chunks and vectors.
//!
//! A [`Store`] is the one writer of a data folder; a [`Snapshot`] is what a search sees. The truth is a sled database
//! (documents, chunks, ledger, change log) and an append-only vector file; the tantivy index and the sealed vector
//! segments are derived from it and can be rebuilt at any time. See the README's design section for the protocol.

mod attempts;
mod batch;
mod block;
mod closed;
mod crash;
mod database;
mod documents;
mod durable;
mod edition;
mod error;
mod facets;
mod files;
mod filter;
mod layout;
mod lexical;
mod lock;
mod overview;
mod placement;
mod private;
mod rebuild;
mod record;
mod recover;
mod settings;
mod simhash;
mod snapshot;
mod store;
mod totals;
mod truth;
mod twins;
mod upgrade;
mod vectorfile;
mod vectors;
mod verify;

pub use attempts::{Attempt, Attempts, SET_ASIDE};
pub use batch::Batch;
pub use block::{Block, BlockKind, Marker, Place};
pub use closed::ClosedStore;
pub use crash::Step;
#[cfg(debug_assertions)]
pub use crash::die_on;
pub use durable::{Readers, rename_durably, replace_durably, sync_folder};
pub use error::{Error, Result, chain, is_full};
pub use facets::{Facets, Filed};
pub use filter::Filter;
pub use lexical::{
    AnalysedQuery, AnalysedTerm, AnalysedText, Analyzer, LexicalQuery, LexicalWeights, NormalForms, PassageRef,
    QueryWord, Script, Sequence, is_stopword, is_unspaced, runs,
};
pub use overview::{Overview, overview};
pub use private::is_shared;
pub use rebuild::{Rebuild, unfinished_rebuild};
pub use record::{
    Chunk, ChunkDraft, ContentKey, Coverage, Document, DocumentId, FileState, IndexModel, LedgerEntry, Source,
    embedding_text,
};
pub use settings::model_of;
pub use simhash::SimHash;
pub use snapshot::{Listing, Passage, Scope, Snapshot};
pub use store::{SnapshotHandle, Statistics, Store};
pub use totals::{IndexTotals, SourceTotals};
pub use truth::TruthReader;
pub use upgrade::{UpgradeProgress, upgrade_progress};
pub use vectors::{SealParams, VectorSearch};
pub use verify::{Finding, Verification, repair, verify};
