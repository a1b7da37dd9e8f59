//! `quarry backup`: copy the index, and all that lies beside it, to where it outlives this machine; check and list such
//! copies.

use std::io::{IsTerminal as _, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use storage::{
    BackupCheck, BackupError, BackupObserver, BackupReport, BackupSummary, BackupWriter, Destination, Pruned, Store,
};

use crate::cli::BackupArgs;
use crate::output::{self, table};
use crate::plain::{self, shown};
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;
use crate::{interrupt, paths};

pub(crate) fn run(settings: &Settings, args: &BackupArgs) -> Result<ExitCode> {
    let destination = connect::destination(&args.destination, &settings.s3)?;
    if args.list {
        return list(&*destination, args.json);
    }
    if args.verify {
        return verify(&*destination, args.json);
    }
    let data = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&data)? {
        let job = server.back_up(&args.destination, args.keep.map(|keep| keep.to_string()))?;
        let outcome = server.follow(job)?;
        match args.json {
            true => println!("{}", plain::json(&json!({ "outcome": outcome }))?),
            false => println!("{}", shown(&outcome)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    back_up(&data, &*destination, args)
}

fn back_up(data: &Path, destination: &dyn Destination, args: &BackupArgs) -> Result<ExitCode> {
    let model = storage::model_of(data)?;
    let store = in_turn(data, || Store::open(data, &model))?;
    output::print_repairs(store.repairs());
    let progress = CopyProgress::new("backup")?;
    let written = write(&store, data, destination, &progress);
    progress.finish();
    let (report, pruned) = match written {
        Err(BackupError::Stopped) => {
            store.close()?;
            eprintln!("stopped; what was copied is of use for the next backup. Run the same command again.");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
        written => {
            let (writer, report) = written?;
            (report, args.keep.as_ref().map(|keep| writer.prune(keep)).transpose())
        }
    };
    let pruned = pruned.with_context(|| {
        format!("the backup {} is made; what is not to be kept could not be removed", report.summary.name)
    })?;
    store.close()?;
    match args.json {
        true => println!("{}", plain::json(&Made::of(&report, pruned.as_ref()))?),
        false => show(&report, pruned.as_ref()),
    }
    Ok(ExitCode::SUCCESS)
}

fn write<'a>(
    store: &Store,
    data: &Path,
    destination: &'a dyn Destination,
    progress: &CopyProgress,
) -> Result<(BackupWriter<'a>, BackupReport), BackupError> {
    let writer = BackupWriter::begin(destination, data)?;
    let source = store.backup_source(&writer.known())?;
    let report = writer.write(&source, progress)?;
    Ok((writer, report))
}

/// A backup that was made, as JSON.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    summary: &'a BackupSummary,
    files: u64,
    objects: u64,
    mended: u64,
    waited_ms: u64,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Removed<'a>>,
}

/// Backups that were not to be kept, as JSON.
#[derive(Serialize)]
struct Removed<'a> {
    backups: &'a [String],
    objects: u64,
    bytes: u64,
    /// Whether the next backup removes them, as somebody was reading there.
    deferred: bool,
}

impl<'a> Made<'a> {
    fn of(report: &'a BackupReport, pruned: Option<&'a Pruned>) -> Self {
        let BackupReport { summary, files, objects, mended, waited, took, is_first: _ } = report;
        let milliseconds = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let removed = pruned.map(|Pruned { backups, objects, bytes, is_deferred }| Removed {
            backups: backups.as_slice(),
            objects: *objects,
            bytes: *bytes,
            deferred: *is_deferred,
        });
        Self {
            summary,
            files: *files,
            objects: *objects,
            mended: *mended,
            waited_ms: milliseconds(waited),
            took_ms: milliseconds(took),
            removed,
        }
    }
}

fn show(report: &BackupReport, pruned: Option<&Pruned>) {
    let BackupReport { summary, is_first, files, objects, mended, waited, took } = report;
    let BackupSummary { name, documents, passages, generation, bytes, added, .. } = summary;
    if *is_first {
        println!("these are the first backups there");
    }
    println!(
        "{name}: {} documents, {} passages, generation {generation}",
        HumanCount(*documents),
        HumanCount(*passages)
    );
    println!(
        "{} in the document store and {} files; {} of them new, in {} objects",
        HumanBytes(*bytes),
        HumanCount(*files),
        HumanBytes(*added),
        HumanCount(*objects)
    );
    println!("took {:.1} s, for {:.1} s of which nothing could be written", took.as_secs_f64(), waited.as_secs_f64());
    if *mended > 0 {
        println!(
            "{mended} objects of earlier backups were missing or damaged and have been written anew; check the others with --verify"
        );
    }
    match pruned {
        Some(Pruned { is_deferred: true, .. }) => {
            println!("somebody reads there: what is not to be kept is removed with the next backup");
        }
        Some(Pruned { backups, objects, bytes, .. }) => {
            let (count, bytes) = (backups.len(), HumanBytes(*bytes));
            println!("removed {count} backups that are not to be kept, and {objects} objects ({bytes})");
        }
        None => {}
    }
}

fn list(destination: &dyn Destination, as_json: bool) -> Result<ExitCode> {
    let backups = storage::list_backups(destination)?;
    if as_json {
        let described = backups.iter().map(|backup| match backup {
            Ok(summary) => json!(summary),
            Err(error) => json!({ "problem": storage::chain(error) }),
        });
        println!("{}", plain::json(&described.collect::<Vec<_>>())?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows =
        table(&["backup", "made", "documents", "passages", "generation", "size", "new then", "model", "quarry"]);
    for summary in backups.iter().flatten() {
        rows.add_row([
            shown(&summary.name).into_owned(),
            output::time(summary.created),
            summary.documents.to_string(),
            summary.passages.to_string(),
            summary.generation.to_string(),
            output::size(summary.bytes),
            output::size(summary.added),
            shown(&summary.model.describe()).into_owned(),
            shown(&summary.quarry).into_owned(),
        ]);
    }
    println!("{rows}");
    for problem in backups.iter().filter_map(|backup| backup.as_ref().err()) {
        eprintln!("{}", shown(&storage::chain(problem)));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(destination: &dyn Destination, as_json: bool) -> Result<ExitCode> {
    let progress = CopyProgress::new("check")?;
    let checked = storage::verify_backups(destination, &progress);
    progress.finish();
    let check = match checked {
        Err(BackupError::Stopped) => {
            eprintln!("stopped; nothing was changed.");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
        checked => checked?,
    };
    let BackupCheck { backups, objects, bytes, unused, findings } = &check;
    if as_json {
        let findings = findings.iter().map(|finding| json!({ "backups": finding.backups, "detail": finding.detail }));
        let findings: Vec<_> = findings.collect();
        let described =
            json!({ "backups": backups, "objects": objects, "bytes": bytes, "unused": unused, "findings": findings });
        println!("{}", plain::json(&described)?);
    } else {
        println!("checked {backups} backups: {} objects, {}", HumanCount(*objects), HumanBytes(*bytes));
        for finding in findings {
            println!("{}", shown(&format!("{}: {}", finding.backups.join(", "), finding.detail)));
        }
        if *unused > 0 {
            println!("{unused} objects belong to no backup: one was cut off, or is removed");
        }
    }
    if findings.is_empty() {
        if !as_json {
            println!("everything is as it was written");
        }
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "{} findings; the next `quarry backup` mends what the index still has, other backups named here cannot be restored whole",
        findings.len()
    );
    Ok(ExitCode::FAILURE)
}

/// Time between two lines of progress where there is no terminal to draw a bar on.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of what is copied, by bytes: a bar on a terminal, a line now and then otherwise.
pub(crate) struct CopyProgress {
    bar: ProgressBar,
    last_line: Mutex<Instant>,
    stop: Arc<AtomicBool>,
}

impl CopyProgress {
    pub(crate) fn new(what: &'static str) -> Result<Self> {
        let bar = if stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "{prefix} {bar:24} {bytes}/{total_bytes}  {eta} left";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(what);
        Ok(Self { bar, last_line: Mutex::new(Instant::now()), stop: interrupt::on_interrupt()? })
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl BackupObserver for CopyProgress {
    fn progressed(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        if !self.bar.is_hidden() {
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            eprintln!("{}: {} of {}", self.bar.prefix(), HumanBytes(done), HumanBytes(all));
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
