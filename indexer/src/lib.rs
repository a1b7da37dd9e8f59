//! The indexing of folders, from files to committed chunks. An [`Indexer`] brings a source up to date: it compares the
//! folder with the ledger, prepares what has changed, has it embedded and commits it. The pure half, from a folder to
//! its chunks, knows neither models nor stores: [`walk`] lists the files, [`read_file`] reads one, the crate `extract`
//! makes it a [`StructuredText`] of blocks, and [`chunk`] cuts that into passages of a given number of tokens.

mod assembly;
mod beneath;
mod chunk;
mod counter;
mod error;
mod ledger;
mod line;
mod ocr;
mod options;
mod overtaken;
mod passages;
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

pub use beneath::{BeneathError, Root, open_beneath};
pub use chunk::{ChunkLimits, ChunkText, TokenCounter, chunk};
pub use error::IndexError;
pub use extract::{
    Block, BlockKind, ExtractLimits, Extraction, FileError, Missing, PageCount, Part, Place, StructuredText, Verdict,
    detect_language, extract,
};
pub use ledger::{LEDGER_COLUMNS, ledger_row, state_of};
pub use ocr::{OcrConfig, OcrError, Tesseract, WithOcr};
pub use options::IndexOptions;
pub use passages::{PassageCutter, ReadDocument, ReadReport, read_documents};
pub use pipeline::Indexer;
pub use plan::Comparison;
pub use prepare::TextDocument;
pub use progress::{Counters, Interlude, Observer, RunReport, Silent};
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
