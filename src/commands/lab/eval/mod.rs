//! `quarry eval`: the quality and latency of every way to search on judged questions; of one setup on one or several sets of
//! questions, of two setups beside each other, with slips of the hand in the questions, or with other documents beside; and
//! whether what is marked answers.

mod candidates;
mod compare;
pub(super) mod index;
mod marks;
mod noise;
mod options;
mod replies;
mod report;
mod runs;
pub(super) mod set;
pub(super) mod setup;
mod slips;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use indexer::IndexOptions;
use lab::evaluation::BeirSet;
use searcher::SearchConfig;
use serde::Serialize;

use crate::settings::Settings;
use index::{EvalIndex, Place};
pub(super) use options::EvalArgs;
use report::SetReport;
use runs::{Clock, anytime, measure};
use setup::{Models, Setup};

/// Name of the source that an evaluation corpus is indexed under.
const SOURCE: &str = "eval";
/// Documents asked for: the deepest cut-off that is measured.
const DEPTH: usize = 100;

/// What all measurements of one call have in common.
pub(super) struct Bench<'b> {
    pub(super) settings: &'b Settings,
    pub(super) args: &'b EvalArgs,
    /// How files are read.
    pub(super) options: IndexOptions,
}

pub(super) fn run(settings: &Settings, args: &EvalArgs) -> Result<ExitCode> {
    check(args)?;
    let reading = settings.extract.start()?;
    let bench = Bench { settings, args, options: reading.options() };
    if let Some(file) = &args.answers {
        marks::run(&bench, file, settings.calibration()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    match (args.compare.as_slice(), &args.candidates) {
        ([a, b], _) => compare::run(&bench, [a, b])?,
        (_, Some(file)) => candidates::write(&bench, file)?,
        _ => match args.slips {
            Some(count) => slips::run(&bench, count)?,
            None if args.noise.is_empty() => bench.each()?,
            None => noise::run(&bench)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn check(args: &EvalArgs) -> Result<()> {
    let of_one_set = args.docs.is_some() || args.queries.is_some() || args.qrels.is_some() || args.answers.is_some();
    if args.dirs.len() > 1 && of_one_set {
        bail!("--docs, --queries, --qrels and --answers belong to one set of questions; give one DIR with them");
    }
    Ok(())
}

impl Bench<'_> {
    /// A report on every set, each printed when it is there, or all together as JSON.
    fn reports<R: Serialize>(
        &self,
        models: &Models,
        mut report: impl FnMut(&BeirSet, &EvalIndex, &Path) -> Result<R>,
        print: impl Fn(&R),
    ) -> Result<()> {
        let mut reports = Vec::new();
        for dir in &self.args.dirs {
            let set = set::open(self.args, dir)?;
            let index = self.index(&set, dir, models)?;
            let made = report(&set, &index, dir)?;
            index.remove();
            if !self.args.json {
                print(&made);
            }
            reports.push(made);
        }
        if self.args.json {
            println!("{}", serde_json::to_string_pretty(&reports)?);
        }
        Ok(())
    }

    /// One setup on every set.
    fn each(&self) -> Result<()> {
        let setup = Setup::of(self.settings, &self.args.settings)?;
        let models = Models::open(&setup)?;
        let mut reports = Vec::new();
        for dir in &self.args.dirs {
            let report = self.set(dir, &setup, &models)?;
            if !self.args.json {
                report.print();
            }
            reports.push(report);
        }
        match (reports.as_slice(), self.args.json) {
            ([report], true) => println!("{}", serde_json::to_string_pretty(&report.as_json())?),
            (reports, true) => println!("{}", serde_json::to_string_pretty(&report::all_as_json(reports))?),
            ([_], false) => {}
            (reports, false) => report::print_means(reports),
        }
        Ok(())
    }

    fn set(&self, dir: &Path, setup: &Setup, models: &Models) -> Result<SetReport> {
        let set = set::open(self.args, dir)?;
        let index = self.index(&set, dir, models)?;
        let searcher = models.searcher(&setup.config);
        let runs = measure(&index.view, &set.queries, &searcher, models.reranker.is_some(), Clock::Running)?;
        let whole = models.searcher(&SearchConfig { settle: 0.0, ..setup.config.clone() });
        let anytime = match models.reranker {
            Some(_) => Some(anytime(&index.view, &set.queries, [&searcher, &whole])?),
            None => None,
        };
        let report = SetReport::of(&set, &index, runs, anytime);
        index.remove();
        Ok(report)
    }

    /// The corpus of a set, indexed with a model.
    pub(super) fn index(&self, set: &BeirSet, dir: &Path, models: &Models) -> Result<EvalIndex> {
        self.index_beside(&[], set, dir, models)
    }

    /// The same beside folders of other files.
    fn index_beside(&self, noise: &[PathBuf], set: &BeirSet, dir: &Path, models: &Models) -> Result<EvalIndex> {
        let is_alone = self.args.dirs.len() == 1 && self.args.compare.is_empty() && self.args.noise.is_empty();
        let place = match (&self.settings.data_dir, is_alone) {
            (Some(folder), true) => Place::Kept(folder.clone()),
            (Some(folder), false) => Place::kept_below(folder, set, dir, models)?,
            (None, _) => Place::temporary(set),
        };
        let place = if noise.is_empty() { place } else { place.beside_noise() };
        EvalIndex::build(place, self, (set, dir, noise), models)
    }
}
