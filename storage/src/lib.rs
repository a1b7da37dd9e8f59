//! Crash-safe storage of documents, chunks and vectors.
//!
//! A [`Store`] is the one writer of a data folder; a [`Snapshot`] is what a search sees. The truth is a sled database
//! (documents, chunks, ledger, change log) and an append-only vector file; the tantivy index and the sealed vector
//! segments are derived from it and can be rebuilt at any time. docs/ARCHITECTURE.md has the protocol.
//!
//! ```
//! use storage::{Batch, ChunkDraft, ContentKey, Document, IndexModel, LexicalQuery, LexicalWeights, Source, Store, Viewer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let data = folder.path();
//! let model = IndexModel { name: "example".into(), fingerprint: "1".into(), dimension: 2 };
//! let mut store = Store::open(data, &model)?;
//! store.add_source(Source { name: "wiki".into(), root: "/srv/wiki".into() })?;
//!
//! let document = Document {
//!     source: "wiki".into(),
//!     path: "leave.md".into(),
//!     title: "Leave".into(),
//!     kind: "markdown".into(),
//!     language: Some("en".into()),
//!     modified: 0,
//!     bytes: 20,
//!     metadata: Default::default(),
//!     fingerprint: None,
//! };
//! let text = "Thirty days a year.";
//! let passage = ChunkDraft {
//!     headings: vec![],
//!     text: text.into(),
//!     span: 0..19,
//!     lines: 1..2,
//!     place: None,
//!     blocks: vec![],
//!     key: ContentKey::of(&[], text),
//!     vector: Some(vec![0.6, 0.8]),
//! };
//! let mut batch = Batch::default();
//! batch.put(document, vec![passage]);
//! store.commit(batch)?; // durable and visible, whole
//!
//! let snapshot = store.snapshot();
//! let view = snapshot.view(&Viewer::of_everything())?; // or somebody's: Viewer::person(principals)
//! let query = view.analyse(&LexicalQuery { text: "days".into(), ..LexicalQuery::default() });
//! let (found, _score) = view.lexical(&query, &[], LexicalWeights::default(), 10)?[0];
//! assert_eq!(view.passage(found)?.chunk.text, text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod attempts;
mod backup;
mod batch;
mod block;
mod closed;
mod compact;
mod contents;
mod copies;
mod crash;
mod database;
mod documents;
mod duplicates;
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
mod page_type;
mod placement;
mod private;
mod rebuild;
mod record;
mod recover;
mod rollback;
mod roster;
mod scope;
mod settings;
mod simhash;
mod snapshot;
mod stamp;
mod store;
mod totals;
mod truth;
mod upgrade;
mod vectorfile;
mod vectors;
mod verify;
mod view;

pub use access::{
    Access, AccessError, AccessList, AccessRule, AccessRuleError, FilePermissions, FilePermissionsError, Principal,
    PrincipalError, PrincipalKind, Principals, SourceAccess, Viewer,
};
pub use attempts::{Attempt, Attempts, SET_ASIDE};
pub use backup::{
    At, BackupCheck, BackupError, BackupFinding, BackupFolder, BackupObserver, BackupReport, BackupResult,
    BackupSource, BackupSummary, BackupWriter, Destination, Keep, KeepError, KnownObjects, Pruned, Pulled, Restored,
    StoredName, Unobserved, Use, begin_following, check_unfollowed, followed_backup, followed_place, list_backups,
    restore, verify_backups,
};
pub use batch::Batch;
pub use block::{Block, BlockKind, Marker, Place};
pub use closed::ClosedStore;
pub use compact::Compaction;
pub use copies::Copies;
pub use crash::Step;
#[cfg(debug_assertions)]
pub use crash::die_on;
pub use documents::{Waiting, WaitingDocument};
pub use durable::{Readers, rename_durably, replace_durably, sync_folder};
pub use error::{Error, Result, chain, is_full};
pub use facets::{Facets, Filed};
pub use filter::Filter;
pub use lexical::{
    Alternative, AnalysedAlternative, AnalysedQuery, AnalysedTerm, AnalysedText, Analyzer, HeldTerm, KnownWord,
    LexicalQuery, LexicalWeights, Name, NormalForms, PassageRef, QueryWord, Script, Sequence, Spelling, TermKind,
    folded, homophones, in_syllables, is_stopword, is_unspaced, plain_words, runs, sounding, syllable,
};
pub use overview::{Overview, overview};
pub use page_type::PageType;
pub use private::is_shared;
pub use rebuild::{Rebuild, unfinished_rebuild};
pub use record::{
    AWAITED, Chunk, ChunkDraft, ContentKey, Coverage, DATE_FROM, Document, DocumentId, FileState, IndexModel,
    LedgerEntry, Source, embedding_text,
};
pub use rollback::{Replaced, RolledBack, forget_replaced, replaced, roll_back};
pub use roster::DocumentSet;
pub use scope::Scope;
pub use settings::{model_of, model_of_rebuild};
pub use simhash::SimHash;
pub use snapshot::{DocumentAccess, Snapshot, SnapshotHandle};
pub use stamp::Stamp;
pub use store::{STAGE, Store};
pub use totals::{IndexTotals, SourceTotals};
pub use truth::{Statistics, TruthReader};
pub use upgrade::{UpgradeProgress, upgrade_progress};
pub use vectors::{SealParams, VectorSearch};
pub use verify::{Finding, Verification, repair, verify};
pub use view::{Listing, Passage, VectorScan, View, ViewKey};
