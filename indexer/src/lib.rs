//! The indexing of folders, from files to committed chunks. An [`Indexer`] brings a source up to date: it compares the
//! folder with the ledger, prepares what has changed, has it embedded and commits it. The pure half, from a folder to
//! its chunks, knows neither models nor stores: [`walk`] lists the files, [`read_file`] reads one, the crate `extract`
//! makes it a [`StructuredText`] of blocks, and [`chunk`] cuts that into passages of a given number of tokens.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use indexer::{IndexOptions, Indexer, Silent};
//! use qwen3::{EmbedHandle, Embedder, EmbedderOptions, ModelFiles, WorkerOptions};
//! use storage::{IndexModel, Source, Store};
//!
//! let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/nano");
//! let embedder = Embedder::open(&ModelFiles::open(model)?, EmbedderOptions::default())?;
//! let (fingerprint, dimension) = (embedder.fingerprint().to_owned(), embedder.dimension());
//! let embedder = EmbedHandle::start(embedder, &WorkerOptions::default())?;
//! # let folder = tempfile::tempdir()?;
//! # let (data, documents) = (folder.path().join("data"), folder.path().join("wiki"));
//! # std::fs::create_dir(&documents)?;
//! # std::fs::write(documents.join("leave.md"), "# Leave\n\nThirty days a year.\n")?;
//! let mut store = Store::open(&data, &IndexModel { name: "nano".into(), fingerprint, dimension })?;
//! let source = Source { name: "wiki".into(), root: documents.canonicalize()? };
//! let cancel = AtomicBool::new(false);
//! let options = IndexOptions::default();
//! let report = Indexer::new(&mut store, &embedder, options.clone(), &Silent, &cancel).index_source(&source)?;
//! assert_eq!((report.indexed, report.embedded), (1, 1));
//! // Nothing has changed: nothing is read again.
//! let again = Indexer::new(&mut store, &embedder, options, &Silent, &cancel).index_source(&source)?;
//! assert_eq!((again.unchanged, again.embedded), (1, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod assembly;
mod backlog;
mod beneath;
mod chunk;
mod counter;
mod dates;
mod embedding;
mod error;
mod history;
mod ledger;
mod line;
mod ocr;
mod options;
mod overtaken;
mod page_type;
mod passages;
mod permissions;
mod pipeline;
mod plan;
mod prepare;
mod progress;
mod read;
mod reader;
mod sandbox;
mod shingles;
mod stop;
mod suspects;
mod unlisted;
mod vanished;
mod walk;
mod watch;

pub use access::FileAccess;
pub use backlog::{BacklogReport, Until};
pub use beneath::{BeneathError, Root, open_beneath};
pub use chunk::{ChunkLimits, ChunkText, TokenCounter, chunk};
pub use dates::DateOrigin;
pub use error::IndexError;
pub use extract::{
    Block, BlockKind, ExtractLimits, Extraction, FileError, Missing, PageCount, Part, Place, StructuredText, Verdict,
    detect_language, extract,
};
pub use ledger::{LEDGER_COLUMNS, csv_cell, ledger_row, state_of};
pub use ocr::{OcrConfig, OcrError, Tesseract, WithOcr};
pub use options::{IndexOptions, VectorTiming};
pub use passages::{PassageCutter, ReadDocument, ReadReport, read_documents};
pub use permissions::posix_principals;
pub use pipeline::Indexer;
pub use plan::Comparison;
pub use prepare::TextDocument;
pub use progress::{Counters, Interlude, Observer, Planned, RunReport, Silent};
pub use read::read_file;
pub use reader::{FileReader, InProcess};
pub use sandbox::{
    Confinement, FrameError, Launch, ProgramLimits, Sandbox, SandboxError, SandboxLimits, exec_confined,
    extraction_worker, read_frame,
};
pub use stop::Stop;
pub use suspects::is_set_aside;
pub use vanished::Vanished;
pub use walk::{Files, FoundFile, IGNORE_FILE, ProblemKind, WalkOptions, WalkProblem, walk};
pub use watch::{WatchError, Watcher};
