//! `quarry status`: what is in the index, and what became of every file.

use std::borrow::Cow;
use std::io::{IsTerminal as _, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use indexer::{Confinement, LEDGER_COLUMNS, ledger_row};
use serde::Serialize;
use storage::{Error, FileState, LedgerEntry, Overview, Source, SourceTotals, Store, UpgradeProgress};

use crate::cli::{FileFilter, StatusArgs};
use crate::output::{self, table};
use crate::paths;
use crate::plain::{self, shown, shown_lines};
use crate::server::Server;
use crate::settings::Settings;

/// Everything that is shown, also as JSON.
#[derive(Serialize)]
struct Status {
    data_dir: String,
    model: storage::IndexModel,
    generation: u64,
    documents: u64,
    chunks: u64,
    vectors: u64,
    /// The backup that the index is, where it follows those of another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<FollowStatus>,
    /// Passages that are found by their words alone so far.
    waiting: u64,
    /// Texts of which the model could make no vector.
    refused: u64,
    bytes: Vec<(&'static str, u64)>,
    /// Bytes of a rebuild that was stopped before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    unfinished_rebuild: Option<u64>,
    /// Bytes of what the last rebuild replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<u64>,
    sources: Vec<SourceStatus>,
    reading: ReadingStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<LedgerEntry>>,
    /// Who writes to the index, where that hides the files that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<String>,
}

/// What is followed.
#[derive(Serialize)]
struct FollowStatus {
    /// Where the backups lie.
    place: String,
    /// The one that is in force; null before the first.
    backup: Option<storage::BackupSummary>,
}

/// How files are read.
#[derive(Serialize)]
struct ReadingStatus {
    /// Whether that is done in processes of their own.
    sandbox: bool,
    /// What holds them.
    in_force: Vec<String>,
    /// What this system cannot do to hold them.
    missing: Vec<String>,
    /// The program for scans and its languages.
    ocr: Option<String>,
    /// Why files cannot be read at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct SourceStatus {
    name: String,
    root: String,
    files: u64,
    indexed: u64,
    partly: u64,
    skipped: u64,
    unreadable: u64,
    failed: u64,
    chunks: u64,
    /// Seconds of Unix time at the end of the last run.
    last_run: Option<i64>,
}

pub(crate) fn run(settings: &Settings, args: &StatusArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    if let Some(upgrade) = storage::upgrade_progress(&folder) {
        return show_upgrade(&upgrade, args);
    }
    // Opening the store for the files finishes what a crash left undone: the counts are read after that.
    let files = match args.files {
        Some(filter) => ledger(&folder, filter)?,
        None => Files::NotAsked,
    };
    if let (Files::Hidden { holder }, true) = (&files, args.csv) {
        bail!("{holder} is writing to the index; the states of the files are shown when it is done");
    }
    let status = status(&folder, files, settings)?;
    if args.csv {
        let rows = status.files.iter().flatten().map(ledger_row);
        let csv: String = std::iter::once(LEDGER_COLUMNS.to_string()).chain(rows).collect();
        // A spreadsheet gets the names as they are.
        print!("{}", if stdout().is_terminal() { shown_lines(&csv) } else { Cow::Borrowed(csv.as_str()) });
    } else if args.json {
        println!("{}", plain::json(&status)?);
    } else {
        show(&status);
    }
    Ok(ExitCode::SUCCESS)
}

/// How far the upgrade of an index is that cannot be read until then.
fn show_upgrade(upgrade: &UpgradeProgress, args: &StatusArgs) -> Result<ExitCode> {
    if args.json {
        println!("{}", plain::json(&serde_json::json!({ "upgrade": upgrade }))?);
    } else {
        println!("{upgrade}; if no quarry is running, the next `quarry index` or `quarry serve` begins it again");
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines of the ledger, if they can be shown.
enum Files {
    NotAsked,
    Listed(Vec<LedgerEntry>),
    /// Only the process that writes can see them now.
    Hidden {
        holder: String,
    },
}

/// The lines of the ledger that pass the filter. They are in the document store, which the server has open where one runs,
/// and which takes the writer's lock to read.
fn ledger(folder: &Path, filter: FileFilter) -> Result<Files> {
    if let Some(server) = Server::of(folder)? {
        let mut files = Vec::new();
        for source in server.sources()? {
            files.extend(server.ledger(&source.name)?.into_iter().filter(|entry| filter.admits(&entry.state)));
        }
        return Ok(Files::Listed(files));
    }
    let model = storage::model_of(folder)?;
    let opened = match storage::followed_place(folder)? {
        None => Store::open(folder, &model),
        Some(_) => Store::open_following(folder, &model),
    };
    let store = match opened {
        Ok(store) => store,
        Err(Error::Locked { holder, .. }) => return Ok(Files::Hidden { holder }),
        Err(other) => return Err(other.into()),
    };
    output::print_repairs(store.repairs());
    let mut files = Vec::new();
    for source in store.sources() {
        for entry in store.ledger(&source.name) {
            let entry = entry?;
            if filter.admits(&entry.state) {
                files.push(store.with_duplicate(entry)?);
            }
        }
    }
    store.close()?;
    Ok(Files::Listed(files))
}

fn reading(settings: &Settings) -> ReadingStatus {
    let ocr = settings.extract.ocr();
    match settings.extract.start_quietly() {
        Ok(reading) => {
            let sandbox = reading.confinement.is_some();
            let Confinement { in_force, missing } = reading.confinement.unwrap_or_default();
            ReadingStatus { sandbox, in_force, missing, ocr, problem: None }
        }
        Err(error) => {
            let problem = Some(format!("{error:#}"));
            ReadingStatus { sandbox: false, in_force: Vec::new(), missing: Vec::new(), ocr, problem }
        }
    }
}

fn status(folder: &Path, files: Files, settings: &Settings) -> Result<Status> {
    let Overview { model, sources, totals, bytes } = storage::overview(folder)?;
    let source_status = |source: Source| {
        let SourceTotals { files, documents: _, indexed, partly, skipped, unreadable, failed, chunks, last_run } =
            totals.source(&source.name);
        let root = source.root.display().to_string();
        SourceStatus { name: source.name, root, files, indexed, partly, skipped, unreadable, failed, chunks, last_run }
    };
    let (files, writer) = match files {
        Files::NotAsked => (None, None),
        Files::Listed(files) => (Some(files), None),
        Files::Hidden { holder } => (None, Some(holder)),
    };
    let followed = storage::followed_place(folder)?;
    let follows = followed.map(|place| storage::followed_backup(folder).map(|backup| FollowStatus { place, backup }));
    Ok(Status {
        data_dir: folder.display().to_string(),
        model,
        follows: follows.transpose()?,
        generation: totals.sequence,
        documents: totals.documents,
        chunks: totals.chunks,
        vectors: totals.vectors,
        waiting: totals.waiting.passages,
        refused: totals.refused,
        bytes,
        unfinished_rebuild: storage::unfinished_rebuild(folder),
        replaced: storage::replaced(folder).map(|replaced| replaced.bytes),
        sources: sources.into_iter().map(source_status).collect(),
        reading: reading(settings),
        files,
        writer,
    })
}

impl FileFilter {
    fn admits(self, state: &FileState) -> bool {
        match self {
            Self::All => true,
            Self::Indexed => matches!(state, FileState::Indexed { .. }),
            Self::Partly => matches!(state, FileState::Partly { .. }),
            Self::Skipped => matches!(state, FileState::Skipped { .. }),
            Self::Unreadable => matches!(state, FileState::Unreadable { .. }),
            Self::Failed => matches!(state, FileState::Failed { .. }),
        }
    }
}

fn show_reading(reading: &ReadingStatus) {
    match (&reading.problem, reading.sandbox) {
        (Some(problem), _) => println!("reading    not possible: {}", shown(problem)),
        (None, false) => println!("reading    in quarry's own process (sandbox = false)"),
        (None, true) => println!("reading    in processes that have: {}", reading.in_force.join(", ")),
    }
    if !reading.missing.is_empty() {
        println!("           this system lacks: {}", reading.missing.join(", "));
    }
    if let Some(ocr) = &reading.ocr {
        println!("scans      {}", shown(ocr));
    }
    println!();
}

fn show(status: &Status) {
    println!("index      {}", shown(&status.data_dir));
    println!("model      {}", shown(&status.model.describe()));
    println!(
        "content    {} documents, {} passages, {} vectors, generation {}",
        status.documents, status.chunks, status.vectors, status.generation
    );
    if let Some(FollowStatus { place, backup }) = &status.follows {
        println!("follows    the backups in {}", shown(place));
        if let Some(backup) = backup {
            println!("           {} of {}", shown(&backup.name), output::time(backup.created));
        }
    }
    if status.waiting > 0 {
        println!("embedding  {} passages are still to come, and found by their words meanwhile", status.waiting);
    }
    if status.refused > 0 {
        println!(
            "           the model failed on {} texts, which are found by their words alone; `quarry index --rebuild` tries them again",
            status.refused
        );
    }
    let sizes: Vec<String> =
        status.bytes.iter().map(|(part, bytes)| format!("{part} {}", output::size(*bytes))).collect();
    println!("on disk    {}", sizes.join(", "));
    if let Some(bytes) = status.unfinished_rebuild {
        let size = output::size(bytes);
        println!("rebuild    an unfinished one takes {size}; `quarry index --rebuild` goes on with it");
    }
    if let Some(bytes) = status.replaced {
        let size = output::size(bytes);
        println!(
            "rollback   what the last rebuild replaced takes {size}; `quarry rollback` puts it in force again, with --forget it goes"
        );
    }
    show_reading(&status.reading);
    let mut rows = table(&[
        "source",
        "folder",
        "files",
        "indexed",
        "partly",
        "skipped",
        "unreadable",
        "failed",
        "passages",
        "last run",
    ]);
    for source in &status.sources {
        rows.add_row([
            shown(&source.name).into_owned(),
            shown(&source.root).into_owned(),
            source.files.to_string(),
            source.indexed.to_string(),
            source.partly.to_string(),
            source.skipped.to_string(),
            source.unreadable.to_string(),
            source.failed.to_string(),
            source.chunks.to_string(),
            source.last_run.map_or_else(|| "-".to_string(), output::time),
        ]);
    }
    println!("{rows}");
    if let Some(holder) = &status.writer {
        println!("\n{} is writing to the index; the states of the files are shown when it is done.", shown(holder));
    }
    let Some(files) = &status.files else { return };
    let mut rows = table(&["state", "source", "path", "type", "size", "passages", "reason"]);
    for entry in files {
        rows.add_row([
            entry.state.label().to_string(),
            shown(&entry.source).into_owned(),
            shown(&entry.path).into_owned(),
            shown(&entry.kind).into_owned(),
            output::size(entry.bytes),
            entry.chunks.to_string(),
            shown(&entry.state.reason()).into_owned(),
        ]);
    }
    println!("\n{rows}");
    if files.iter().any(|entry| indexer::is_set_aside(&entry.state)) {
        println!("What stopped the indexer is tried again at once by `quarry index --checksum FOLDER`.");
    }
}
