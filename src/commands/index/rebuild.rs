//! `quarry index --rebuild`: the whole index anew, beside the one in force.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use indexer::{IndexOptions, Stop, Vanished};
use qwen3::EmbedHandle;
use storage::{Filter, IndexModel, Rebuild, Snapshot, Source, View};

use super::{index, named, say_permissions};
use crate::cli::IndexArgs;
use crate::turn::in_turn;
use crate::{interrupt, output};

const UNCHANGED: &str =
    "the index in force is as it was; what the rebuild has done is kept, and the same command goes on with it";

pub(super) fn run(
    folder: &Path,
    args: &IndexArgs,
    embedder: &EmbedHandle,
    model: &IndexModel,
    options: impl Fn(&Source) -> IndexOptions,
) -> Result<ExitCode> {
    let mut rebuild = in_turn(folder, || Rebuild::begin(folder, model))?;
    output::print_repairs(rebuild.store().repairs());
    if rebuild.is_continued() {
        eprintln!("going on with the rebuild that was stopped");
    }
    let sources = sources(args, &rebuild)?;
    drop_others(&mut rebuild, &sources)?;
    let told = named(args, rebuild.sources())?;
    say_permissions(rebuild.store(), &told, args)?;
    // What the index in force holds, if it can be told: a source that has lost its files is not noticed otherwise.
    let before = Snapshot::open(folder).and_then(|snapshot| snapshot.whole()).ok();
    let cancel = interrupt::on_interrupt()?;
    for source in &sources {
        // The new index has nothing to lose: what is gone is compared with the old one below.
        let options = IndexOptions { vanished: Vanished::Remove, stop: Stop::of(&cancel), ..options(source) };
        let report = index(rebuild.store(), embedder, source, options, &cancel).with_context(|| stopped_at(source))?;
        if report.interrupted {
            rebuild.pause()?;
            eprintln!("stopped; {UNCHANGED}.");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
        if let Some(before) = &before {
            let after = rebuild.store().snapshot().whole()?;
            check_vanished(source, documents(before, source)?, documents(&after, source)?, options_of(args))?;
        }
    }
    rebuild.finish()?;
    if let Some(replaced) = storage::replaced(folder) {
        eprintln!(
            "what it replaced is kept: `quarry rollback` puts it in force again, `quarry rollback --forget` gives its {} back",
            output::size(replaced.bytes)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// All sources of the index in force, and the folders that are named.
fn sources(args: &IndexArgs, rebuild: &Rebuild) -> Result<Vec<Source>> {
    let mut sources = rebuild.sources().to_vec();
    for source in named(args, rebuild.sources())? {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if sources.is_empty() {
        bail!("nothing to index: no source is known; name all folders: `quarry index --rebuild FOLDER..`");
    }
    Ok(sources)
}

/// Takes out of an index that was begun earlier what has been removed since.
fn drop_others(rebuild: &mut Rebuild, sources: &[Source]) -> Result<()> {
    for begun in rebuild.store().sources().to_vec() {
        if !sources.contains(&begun) {
            rebuild.store().remove_source(&begun.name)?;
        }
    }
    Ok(())
}

fn stopped_at(source: &Source) -> String {
    format!(
        "the rebuild stopped at the source {:?}; {UNCHANGED}. A source that is no more is taken out by `quarry remove {}`",
        source.name, source.name
    )
}

/// What may be gone since the index in force was made.
fn options_of(args: &IndexArgs) -> Vanished {
    if args.accept_deletions { Vanished::Remove } else { Vanished::default() }
}

/// Refuses to replace an index that holds documents by one that has lost them: likely a disk that is not mounted.
fn check_vanished(source: &Source, before: usize, after: usize, vanished: Vanished) -> Result<()> {
    let gone = before.saturating_sub(after);
    let is_empty = vanished != Vanished::Remove && after == 0 && before > 0;
    if is_empty || vanished.refuses(gone, before) {
        bail!(
            "{} has {after} documents, the index in force has {before} of it: is a disk not mounted? {UNCHANGED}. If the \
             files were deleted, run it with --accept-deletions",
            source.root.display()
        );
    }
    Ok(())
}

fn documents(view: &View, source: &Source) -> Result<usize> {
    let filter = Filter { sources: vec![source.name.clone()], ..Filter::default() };
    Ok(view.documents(&filter, None, 1)?.total)
}
