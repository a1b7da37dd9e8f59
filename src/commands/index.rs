//! `quarry index`: bring folders into the index, or up to date.

mod rebuild;
mod through;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use connect::Mirrors;
use indexer::{
    Comparison, IndexError, IndexOptions, Indexer, RunReport, Stop, Until, Vanished, VectorTiming, WalkOptions,
};
use qwen3::EmbedHandle;
use storage::{FilePermissions, Source, Store};
use web::MirrorAccess;

use crate::cli::{FilesSay, IndexArgs};
use crate::output::{self, BacklogProgress, FetchProgress, Progress};
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;
use crate::{cure, interrupt, models, paths, plain};

/// Documents of a commit where nothing else is said.
pub(crate) const COMMIT_EVERY: usize = 2000;

pub(crate) fn run(settings: &Settings, args: &IndexArgs) -> Result<ExitCode> {
    if args.name.is_some() && args.folders.len() != 1 {
        bail!("--name names one source; give exactly one folder with it");
    }
    // A folder that is not there is noticed before anything is made.
    args.folders.iter().try_for_each(|folder| paths::source_root(folder).map(drop))?;
    let folder = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&folder)? {
        return through::run(&server, args);
    }
    if args.rebuild {
        let reading = settings.extract.start()?;
        let options = options(args, reading.options());
        // What is searched meanwhile is the index in force: there is nothing to be found earlier.
        let options = IndexOptions { vectors: VectorTiming::WithText, ..options };
        let (embedder, model) = models::embedder_anew(settings)?;
        let mirrors = Arc::new(Mirrors::open(&folder, settings.web().index.fetched())?);
        return rebuild::run(&folder, args, &embedder, &model, |source| of_source(&options, &mirrors, source));
    }
    bring(settings, args, |store, mirrors| {
        let named = named(args, store.sources())?;
        if !named.is_empty() {
            return Ok(named);
        }
        let mut sources = store.sources().to_vec();
        let fetched = mirrors.all().into_iter().map(|(name, _)| mirrors.source(&name));
        sources.extend(fetched.filter(|source| !store.sources().contains(source)));
        Ok(sources)
    })
}

/// Brings the sources up to date that are picked, without a server: what lies elsewhere is fetched first.
pub(crate) fn bring(
    settings: &Settings,
    args: &IndexArgs,
    pick: impl FnOnce(&Store, &Mirrors) -> Result<Vec<Source>>,
) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    let reading = settings.extract.start()?;
    let options = IndexOptions { vectors: settings.vector_timing(), ..options(args, reading.options()) };
    let (embedder, model) = models::embedder(settings)?;
    let mut store = in_turn(&folder, || Store::open(&folder, &model))?;
    output::print_repairs(store.repairs());
    let mirrors = Arc::new(Mirrors::open(&folder, settings.web().index.fetched())?);
    let sources = pick(&store, &mirrors)?;
    if sources.is_empty() {
        bail!("nothing to index; name a folder: `quarry index FOLDER`");
    }
    say_permissions(&mut store, &sources, args)?;
    let cancel = interrupt::on_interrupt()?;
    let options = IndexOptions { stop: Stop::of(&cancel), ..options };
    let mut failed = Vec::new();
    for source in &sources {
        if mirrors.owns(source) {
            match fetch(&mirrors, source, &cancel) {
                Ok(true) => {}
                Ok(false) => return stopped(store),
                Err(error) if sources.len() > 1 => {
                    failed.push((source, error));
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        match index(&mut store, &embedder, source, of_source(&options, &mirrors, source), &cancel) {
            Ok(report) if report.interrupted => return stopped(store),
            Ok(_) => {}
            Err(error) if is_of_source(&error) && sources.len() > 1 => failed.push((source, error)),
            Err(error) => return Err(error),
        }
    }
    if !args.no_wait && !embed_backlog(&mut store, &embedder, options, &cancel)? {
        return stopped(store);
    }
    output::print_waiting(&store.waiting());
    store.close()?;
    match failed.pop() {
        None => Ok(ExitCode::SUCCESS),
        Some(last) => Err(others_done(&failed, last, sources.len())),
    }
}

/// Fetches what has changed in a source that lies elsewhere; false if it was stopped before its end.
fn fetch(mirrors: &Mirrors, source: &Source, cancel: &Arc<AtomicBool>) -> Result<bool> {
    mirrors.prepare(&source.name)?;
    let progress = FetchProgress::new(&source.name);
    let report = mirrors.sync(&source.name, &progress, cancel);
    progress.finish();
    let report = report?;
    output::print_fetched(&source.name, &report);
    mirrors.refresh(&source.name);
    Ok(!report.is_interrupted)
}

fn stopped(store: Store) -> Result<ExitCode> {
    output::print_waiting(&store.waiting());
    store.close()?;
    eprintln!("stopped; what was done is kept. Run the same command again to continue.");
    Ok(ExitCode::from(interrupt::INTERRUPTED))
}

/// Makes the vectors that are still to come; false if it was stopped before its end.
fn embed_backlog(
    store: &mut Store,
    embedder: &EmbedHandle,
    options: IndexOptions,
    cancel: &AtomicBool,
) -> Result<bool> {
    let waiting = store.waiting();
    if waiting.is_over() {
        return Ok(true);
    }
    let progress = BacklogProgress::new(waiting);
    let report = Indexer::new(store, embedder, options, &progress, cancel).embed_backlog(Until::Done);
    progress.finish();
    let report = report?;
    output::print_backlog(&report);
    Ok(!report.interrupted)
}

/// Notes what the files of sources say of who may see them, before any is read.
fn say_permissions(store: &mut Store, sources: &[Source], args: &IndexArgs) -> Result<()> {
    let Some(say) = args.permissions else { return Ok(()) };
    let permissions = match say {
        FilesSay::Posix => Some(FilePermissions::Posix),
        FilesSay::Owner => Some(FilePermissions::Owner),
        FilesSay::None => None,
    };
    for source in sources {
        store.set_file_permissions(&source.name, permissions)?;
    }
    Ok(())
}

fn is_of_source(error: &anyhow::Error) -> bool {
    error.downcast_ref::<IndexError>().is_some_and(IndexError::is_of_source)
}

/// What is said at the end where some sources could not be brought up to date: each with its reason, the last as the cause.
fn others_done(failed: &[(&Source, anyhow::Error)], last: (&Source, anyhow::Error), all: usize) -> anyhow::Error {
    for (source, error) in failed {
        eprintln!("{}: {}", plain::shown(&source.name), plain::shown(&cure::told(error)));
    }
    let count = failed.len() + 1;
    let others = format!("{} of {all} sources were brought up to date", all - count);
    last.1.context(format!("{others}, {count} could not be; at the last, {:?}", last.0.name))
}

/// The sources that the named folders are, beside those that are known.
fn named(args: &IndexArgs, known: &[Source]) -> Result<Vec<Source>> {
    let mut known = known.to_vec();
    let mut named = Vec::new();
    for folder in &args.folders {
        let source = source_for(folder, args.name.as_deref(), &known)?;
        known.push(source.clone());
        named.push(source);
    }
    Ok(named)
}

/// The source that a folder is, or is going to be.
pub(crate) fn source_for(folder: &Path, name: Option<&str>, known: &[Source]) -> Result<Source> {
    let root = paths::source_root(folder)?;
    if let Some(source) = known.iter().find(|source| source.root == root && name.is_none_or(|name| name == source.name))
    {
        return Ok(source.clone());
    }
    if let Some(name) = name {
        return Ok(Source { name: name.to_string(), root });
    }
    // Two folders may have the same name: the later one gets a number.
    let base = paths::source_name(&root);
    let taken = |name: &String| known.iter().any(|source| source.name == *name);
    let numbered = (2u32..).map(|number| format!("{base}-{number}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name));
    Ok(Source { name: name.context("no name is free for the source; give one with --name")?, root })
}

fn options(args: &IndexArgs, reading: IndexOptions) -> IndexOptions {
    IndexOptions {
        comparison: if args.checksum { Comparison::Content } else { Comparison::Metadata },
        walk: WalkOptions { exclude: args.exclude.clone() },
        commit_documents: args.commit_every,
        vanished: if args.accept_deletions { Vanished::Remove } else { Vanished::default() },
        ..reading
    }
}

/// How a source is read: where it was fetched from may say who may see it.
fn of_source(options: &IndexOptions, mirrors: &Arc<Mirrors>, source: &Source) -> IndexOptions {
    IndexOptions { access: MirrorAccess::of(mirrors, source), ..options.clone() }
}

/// Brings one source up to date and says what was done.
pub(crate) fn index(
    store: &mut Store,
    embedder: &EmbedHandle,
    source: &Source,
    options: IndexOptions,
    cancel: &AtomicBool,
) -> Result<RunReport> {
    let progress = Progress::new(&source.name);
    let report = Indexer::new(store, embedder, options, &progress, cancel).index_source(source);
    progress.finish();
    let report = report?;
    output::print_run(&source.name, &report);
    Ok(report)
}
