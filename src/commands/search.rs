//! `quarry search`: the passages that answer a question.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use indexer::{IndexOptions, Stop};
use qwen3::EmbedHandle;
use searcher::{Answer, Mode, RequestLimits, RerankBudget, SearchRequest, Searcher};
use serde::Serialize;
use storage::{Error, IndexModel, Principal, Principals, Snapshot, Source, Store, Viewer};
use web::Links;

use crate::cli::SearchArgs;
use crate::commands::index;
use crate::output;
use crate::server::{Look, Server};
use crate::settings::Settings;
use crate::{interrupt, models, paths, plain};

pub(crate) fn run(settings: &Settings, args: &SearchArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    // What is wrong with the question is said before anything is read or indexed for it.
    let (mut request, config, guidance) = (request(args), settings.search()?, settings.guidance()?);
    let calibration = settings.calibration()?;
    request.check(&RequestLimits::default())?;
    let (embedder, model) = models::embedder(settings)?;
    let reranker = models::reranker(settings)?;
    let viewer = viewer_of(&args.seen_as)?;
    let (snapshot, source) = match &args.folder {
        Some(documents) => fresh_snapshot(&folder, documents, &embedder, &model, settings)?,
        None => (Arc::new(Snapshot::open(&folder)?), None),
    };
    check_model(&snapshot, &model)?;
    request.filters.source.extend(source.map(|source| source.name));
    let searcher = Searcher::new(embedder, reranker, config).guided(guidance).calibrated(calibration);
    // The owner of the data folder sees everything, unless they want to know what somebody else sees.
    let view = snapshot.view(&viewer)?;
    let mut search = searcher.begin(&*view, request)?;
    search.finish()?;
    let mut answer = search.answer()?;
    Links::open(&folder, &settings.web().index)?.put_on(&mut answer);
    // The answer may stand in a file that could not be read.
    let unread = (answer.results.is_empty() && view.is_whole()).then(|| view.totals().unread(&search.plan().sources()));
    if args.json {
        println!("{}", plain::json(&Printed { answer: &answer, unread_files: unread })?);
    } else {
        output::print_answer(&answer);
        if let Some(unread) = unread.filter(|unread| *unread > 0) {
            println!("{unread} files of the sources searched could not be read; the answer may stand in one of them.");
            println!("`quarry status --files unreadable` and `--files failed` say why.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An answer as JSON: in the shape of the REST API.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    answer: &'a Answer,
    /// Beside an empty answer: files of the sources searched that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_files: Option<u64>,
}

fn request(args: &SearchArgs) -> SearchRequest {
    SearchRequest {
        query: args.query.join(" "),
        top: args.top,
        offset: args.offset,
        cursor: args.cursor.clone(),
        mode: match (args.lexical, args.semantic) {
            (true, _) => Mode::Lexical,
            (_, true) => Mode::Semantic,
            _ => Mode::Hybrid,
        },
        rerank: if args.no_rerank { RerankBudget::OFF } else { RerankBudget::default() },
        instruct: args.instruct.clone(),
        correct: !args.no_correct,
        ..SearchRequest::default()
    }
}

/// Brings `documents` up to date and opens the index. If another process is writing to it, what is indexed already is
/// searched, and that is said.
pub(super) fn fresh_snapshot(
    folder: &Path,
    documents: &Path,
    embedder: &EmbedHandle,
    model: &IndexModel,
    settings: &Settings,
) -> Result<(Arc<Snapshot>, Option<Source>)> {
    if let Some(server) = Server::of(folder)? {
        let known = server.sources()?;
        let source = index::source_for(documents, None, &known)?;
        let is_known = known.contains(&source);
        server.follow(if is_known {
            server.index(&source.name, Look::default())?
        } else {
            server.add(&source, None)?
        })?;
        return Ok((Arc::new(Snapshot::open(folder)?), Some(source)));
    }
    let mut store = match Store::open(folder, model) {
        Ok(store) => store,
        Err(locked @ Error::Locked { .. }) => return snapshot_as_it_is(folder, documents, &locked),
        Err(other) => return Err(other.into()),
    };
    output::print_repairs(store.repairs());
    let source = index::source_for(documents, None, store.sources())?;
    let cancel = interrupt::on_interrupt()?;
    let options = IndexOptions { stop: Stop::of(&cancel), ..settings.extract.start()?.options() };
    let report = index::index(&mut store, embedder, &source, options, &cancel)?;
    if report.interrupted {
        bail!("stopped while indexing; what was done is kept");
    }
    let snapshot = store.snapshot();
    store.close()?;
    Ok((snapshot, Some(source)))
}

fn snapshot_as_it_is(folder: &Path, documents: &Path, locked: &Error) -> Result<(Arc<Snapshot>, Option<Source>)> {
    let snapshot = Snapshot::open(folder).with_context(|| locked.to_string())?;
    let view = snapshot.whole()?;
    let sources: Vec<Source> = view.sources().into_iter().cloned().collect();
    let source = index::source_for(documents, None, &sources)?;
    if !sources.contains(&source) {
        bail!("{} is not indexed yet, and {locked}", documents.display());
    }
    eprintln!("searching the folder as it was indexed last: {}", plain::shown(&locked.to_string()));
    Ok((Arc::new(snapshot), Some(source)))
}

/// As whom something is looked at: the owner of the data folder where nobody is named.
pub(super) fn viewer_of(names: &[String]) -> Result<Viewer> {
    if names.is_empty() {
        return Ok(Viewer::of_everything());
    }
    Ok(Viewer::person(principals_of(names)?))
}

/// Somebody who is all of these.
pub(super) fn principals_of(names: &[String]) -> Result<Principals> {
    let principals = names.iter().map(|name| Ok(name.parse::<Principal>()?)).collect::<Result<Vec<_>>>()?;
    Ok(Principals::of(principals))
}

pub(super) fn check_model(snapshot: &Snapshot, model: &IndexModel) -> Result<()> {
    if snapshot.model().fingerprint == model.fingerprint {
        return Ok(());
    }
    Err(Error::Model { index: snapshot.model().describe(), given: model.describe() }.into())
}
