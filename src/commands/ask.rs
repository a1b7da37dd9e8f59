//! `quarry ask`: a question answered with sentences of the documents or of a writer, each with its source.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use searcher::{AskRequest, Filters, Outcome, Reply, RequestLimits, RerankBudget, Searcher};
use storage::Snapshot;
use web::Links;

use super::search::{check_model, fresh_snapshot, viewer_of};
use crate::cli::AskArgs;
use crate::output;
use crate::settings::Settings;
use crate::{answers, models, paths, plain};

pub(crate) fn run(settings: &Settings, args: &AskArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    let asked = AskRequest {
        question: args.question.join(" "),
        before: args.before.clone(),
        rerank: if args.no_rerank { RerankBudget::OFF } else { RerankBudget::default() },
        ..AskRequest::default()
    };
    // What is wrong with the question is said before anything is read or indexed for it.
    let mut request = asked.search(&RequestLimits::default())?;
    let (config, guidance) = (settings.search()?, settings.guidance()?);
    let calibration = settings.calibration()?;
    let writer = if args.quoted { None } else { answers::only_writer(settings)? };
    let (embedder, model) = models::embedder(settings)?;
    let reranker = models::reranker(settings)?;
    let viewer = viewer_of(&args.seen_as)?;
    let (snapshot, source) = match &args.folder {
        Some(documents) => fresh_snapshot(&folder, documents, &embedder, &model, settings)?,
        None => (Snapshot::open(&folder)?.into(), None),
    };
    check_model(&snapshot, &model)?;
    request.filters = Filters { source: source.into_iter().map(|source| source.name).collect(), ..request.filters };
    let searcher = Searcher::new(embedder, reranker, config).guided(guidance);
    let searcher = searcher.calibrated(calibration).with_writer(writer);
    let view = snapshot.view(&viewer)?;
    let is_rewritten = request.query != asked.question.trim();
    let mut search = searcher.begin(&*view, request)?;
    search.finish()?;
    let answer = search.answer()?;
    let mut draft = search.draft(&answer, searcher.config().answer_time())?;
    Links::open(&folder, &settings.web().index)?.put_on_draft(&mut draft);
    let reply = Reply { is_rewritten, ..searcher.write(draft, &mut |_| ControlFlow::Continue(())) };
    if args.json {
        println!("{}", plain::json(&reply)?);
    } else {
        output::print_reply(&reply);
    }
    // So that a script can tell.
    Ok(if reply.outcome == Outcome::Answered { ExitCode::SUCCESS } else { ExitCode::from(UNANSWERED) })
}

/// The exit status where the documents do not answer.
const UNANSWERED: u8 = 3;
