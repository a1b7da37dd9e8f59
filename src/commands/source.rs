//! `quarry source`: sources are added, tried, fetched and listed, through the server that runs on the index or without one.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use connect::{Mirrors, Settings as Place, SyncState};
use serde::Serialize;
use storage::{Snapshot, Source};

use crate::cli::{AddSourceArgs, IndexArgs, SourceArgs, SourceCommand, TestSourceArgs};
use crate::commands::index;
use crate::output::{self, table};
use crate::plain::{self, shown};
use crate::server::{Look, Server};
use crate::settings::Settings;
use crate::{interrupt, paths};

pub(crate) fn run(settings: &Settings, args: &SourceArgs) -> Result<ExitCode> {
    match &args.command {
        SourceCommand::Add(args) => add(settings, args),
        SourceCommand::Test(args) => test(settings, args),
        SourceCommand::Sync { name } => sync(settings, name),
        SourceCommand::List { json } => list(settings, *json),
    }
}

fn add(settings: &Settings, args: &AddSourceArgs) -> Result<ExitCode> {
    let AddSourceArgs { name, place, how } = args;
    if Place::is_address(place) {
        let from = how.settings(place)?;
        Mirrors::check_name(name).and_then(|()| from.check())?;
        return add_place(settings, name, &from);
    }
    if !how.is_silent() {
        bail!("{place:?} is a folder; what is said of it is for places elsewhere, whose addresses begin like https://");
    }
    let root = paths::source_root(Path::new(place))?;
    if let Some(server) = Server::of(&paths::data_dir(settings)?)? {
        return told(name, &server, server.add(&Source { name: name.clone(), root }, None)?);
    }
    let folders = vec![root];
    index::run(settings, &IndexArgs { folders, name: Some(name.clone()), ..again() })
}

fn add_place(settings: &Settings, name: &str, from: &Place) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&data)? {
        return told(name, &server, server.add_place(name, from)?);
    }
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    let mirrors = mirrors(settings)?;
    let known = Snapshot::open(&data).and_then(|snapshot| snapshot.whole()).ok();
    let taken = known.as_ref().and_then(|view| view.source(name)).is_some_and(|known| *known != mirrors.source(name));
    let is_other = mirrors.settings(name).is_some_and(|known| known.url != from.url);
    if taken || is_other {
        bail!("there is another source {name:?}; choose another name, or remove it with `quarry remove {name}`");
    }
    mirrors.add(name, from)?;
    index::bring(settings, &again(), |_, mirrors| Ok(vec![mirrors.source(name)]))
}

/// Fetches a source anew, and indexes it.
fn sync(settings: &Settings, name: &str) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&data)? {
        return told(name, &server, server.index(name, Look::default())?);
    }
    let mirrors = mirrors(settings)?;
    if mirrors.settings(name).is_none() {
        let names: Vec<String> = mirrors.all().into_iter().map(|(name, _)| name).collect();
        bail!("no source {name:?} is fetched from elsewhere; there are: {}", names.join(", "));
    }
    index::bring(settings, &again(), |_, mirrors| Ok(vec![mirrors.source(name)]))
}

/// Waits for what the server does with a source.
fn told(name: &str, server: &Server, job: u64) -> Result<ExitCode> {
    let outcome = server.follow(job)?;
    server.follow_embedding()?;
    eprintln!("{}: {}", shown(name), shown(&outcome));
    Ok(ExitCode::SUCCESS)
}

/// A pass as it is where nothing is said of it.
fn again() -> IndexArgs {
    IndexArgs {
        folders: Vec::new(),
        name: None,
        checksum: false,
        exclude: Vec::new(),
        max_file_size: None,
        commit_every: index::COMMIT_EVERY,
        accept_deletions: false,
        permissions: None,
        no_wait: false,
        rebuild: false,
    }
}

fn test(settings: &Settings, args: &TestSourceArgs) -> Result<ExitCode> {
    let TestSourceArgs { place, count, how } = args;
    let from = if Place::is_address(place) {
        how.settings(place)?
    } else if !how.is_silent() {
        bail!("{place:?} is tried as it was added; give its address to try it in another way");
    } else {
        let known = mirrors(settings)?.settings(place);
        known.with_context(|| format!("{place:?} is neither an address nor a source that is fetched from elsewhere"))?
    };
    let stop = interrupt::on_interrupt()?;
    let found = Mirrors::probe(&from, *count, &stop)?;
    if found.is_empty() {
        bail!("{} answers, and nothing is there that would be indexed", from.url);
    }
    println!("{} answers; the first of what is there:", shown(&from.url));
    found.iter().for_each(|name| println!("  {}", shown(name)));
    Ok(ExitCode::SUCCESS)
}

/// A source as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    /// Its folder, or where it is fetched from.
    from: String,
    /// How fetching goes, where it is fetched from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<SyncState>,
}

fn list(settings: &Settings, json: bool) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    let mirrors = mirrors(settings)?;
    let view = Snapshot::open(&data).and_then(|snapshot| snapshot.whole()).ok();
    let indexed: Vec<Source> = view.iter().flat_map(|view| view.sources()).cloned().collect();
    let folders = indexed.iter().filter(|source| !mirrors.owns(source));
    let mut listed: Vec<Listed> = folders
        .map(|source| Listed { name: source.name.clone(), from: source.root.display().to_string(), state: None })
        .collect();
    listed.extend(mirrors.all().into_iter().map(|(name, from)| {
        let state = Some(mirrors.state(&name).unwrap_or_default());
        Listed { name, from: from.url, state }
    }));
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    if json {
        println!("{}", plain::json(&listed)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["source", "from", "fetched", "how that went"]);
    for Listed { name, from, state } in &listed {
        let (fetched, went) = state.as_ref().map_or_else(Default::default, went);
        rows.add_row([shown(name).into_owned(), shown(from).into_owned(), fetched, shown(&went).into_owned()]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}

/// When a source was fetched last, and how that went.
fn went(state: &SyncState) -> (String, String) {
    let report = &state.report;
    let problem = report.problems.first().map(|first| format!("{} not fetched, such as {first}", report.failed));
    let note = || report.notes.first().cloned();
    let trouble = state.error.clone().or_else(|| report.left_out.clone()).or(problem).or_else(note);
    let fetched = state.synced.map_or_else(|| "never".to_owned(), output::time);
    (fetched, trouble.unwrap_or_default())
}

fn mirrors(settings: &Settings) -> Result<Mirrors> {
    let config = settings.web();
    Ok(Mirrors::open(&paths::data_dir(settings)?, config.index.fetched())?)
}
