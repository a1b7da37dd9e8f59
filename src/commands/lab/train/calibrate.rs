//! `quarry train calibrate`: how sure a search may be that something answers, fitted to judged questions and to questions that
//! nothing answers; or measured on them, each set by what was fitted to the others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use lab::Questions;
use lab::calibration::{Calibrated, Case, Fold, Kind, auc, bins, calibrate, folds, share_below};
use lab::evaluation::{BeirQuery, BeirSet, mean, percentile};
use searcher::Ground;

use crate::commands::lab::eval::setup::{Models, Setup};
use crate::commands::lab::eval::{Bench, EvalArgs, set};
use crate::output::table;
use crate::settings::Settings;

#[derive(Debug, Clone, Args)]
pub(super) struct CalibrateArgs {
    /// Folders of judged questions, as for `quarry eval`; with --data-dir, the index of each is kept in a folder below it.
    /// Questions of one are off topic for the others.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// File for the weights; `calibration` in quarry.toml names it.
    #[arg(long, value_name = "FILE", required_unless_present = "evaluate")]
    out: Option<PathBuf>,
    /// Show how good they are, each set judged by weights that were fitted to the others. Needs two sets.
    #[arg(long)]
    evaluate: bool,
    /// Questions taken of each set, evenly.
    #[arg(long, default_value_t = 200, value_name = "N")]
    questions: usize,
    /// The floor that is measured [default: `answerable_floor` of the configuration].
    #[arg(long, value_name = "PROBABILITY")]
    floor: Option<f64>,
}

pub(super) fn run(settings: &Settings, args: &CalibrateArgs) -> Result<ExitCode> {
    if args.evaluate && args.dirs.len() < 2 {
        bail!("--evaluate judges each set by the others; give two or more");
    }
    let setup = Setup::of(settings, &[])?;
    let models = Models::open(&setup)?;
    let options = EvalArgs { dirs: args.dirs.clone(), ..EvalArgs::default() };
    let reading = settings.extract.start()?;
    let bench = Bench { settings, args: &options, options: reading.options() };
    let sets = args.dirs.iter().map(|dir| set::open(&options, dir)).collect::<Result<Vec<_>>>()?;
    let asked: Vec<Vec<BeirQuery>> = sets.iter().map(|set| evenly(&set.queries, args.questions)).collect();
    let searcher = models.searcher(&setup.config);
    let mut cases = Vec::new();
    for (number, (dir, set)) in args.dirs.iter().zip(&sets).enumerate() {
        let index = bench.index(set, dir, &models)?;
        let foreign = foreign(&asked, number, args.questions);
        let view = &*index.view;
        let questions = Questions { set: number, view, searcher: &searcher, judged: &asked[number], foreign: &foreign };
        cases.extend(questions.cases()?);
        index.remove();
    }
    let made = made("calibrate", &sets, &asked);
    let about = Calibrated { model: &models.model.fingerprint, made: &made };
    if args.evaluate {
        let floor = args.floor.unwrap_or(setup.config.answerable_floor);
        report(&folds(&cases, sets.len(), floor, &about), &sets, floor);
    }
    if let Some(file) = &args.out {
        let fitted = calibrate(&cases.iter().collect::<Vec<_>>(), &about);
        let text = serde_json::to_string_pretty(&fitted)? + "\n";
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// What weights are made of, for people.
pub(super) fn made(by: &str, sets: &[BeirSet], asked: &[Vec<BeirQuery>]) -> String {
    let sets = sets.iter().zip(asked).map(|(set, asked)| format!("{} ({} questions)", set.name, asked.len()));
    format!("quarry train {by}: {}", sets.collect::<Vec<_>>().join(", "))
}

pub(super) fn evenly<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    let count = count.min(all.len());
    (0..count).map(|number| all[number * all.len() / count].clone()).collect()
}

/// Questions of the other sets, the same number of each.
pub(super) fn foreign(asked: &[Vec<BeirQuery>], own: usize, count: usize) -> Vec<String> {
    let others: Vec<_> = asked.iter().enumerate().filter(|(number, _)| *number != own).collect();
    let each = count.div_ceil(others.len().max(1));
    others.iter().flat_map(|(_, queries)| evenly(queries, each)).map(|query| query.text).collect()
}

/// The probabilities of one kind of cases.
fn of_kind(judged: &[&(&Case, f64)], kind: Kind) -> Vec<f64> {
    judged.iter().filter(|(case, _)| case.kind == kind).map(|(_, p)| *p).collect()
}

fn report(folds: &[Fold], sets: &[BeirSet], floor: f64) {
    for (ground, name) in [(Ground::Both, "words and meaning"), (Ground::Words, "words"), (Ground::Meaning, "meaning")]
    {
        println!("{name}: answered against unanswered, each set judged by the others; floor {floor}");
        let mut rows = table(&[
            "",
            "AUC",
            "answer removed",
            "off topic",
            "gibberish",
            "answered below",
            "removed below",
            "off topic below",
            "gibberish below",
            "floor of 2 %",
        ]);
        let mut all: Vec<Vec<f64>> = Vec::new();
        for fold in folds {
            let judged: Vec<_> = fold.judged.iter().filter(|(case, _)| case.evidence.ground() == ground).collect();
            let [answered, removed, foreign, gibberish] = Kind::ALL.map(|kind| of_kind(&judged, kind));
            let unanswered = [removed.as_slice(), &foreign, &gibberish].concat();
            let figures = [
                auc(&answered, &unanswered),
                auc(&answered, &removed),
                auc(&answered, &foreign),
                auc(&answered, &gibberish),
                share_below(&answered, floor),
                share_below(&removed, floor),
                share_below(&foreign, floor),
                share_below(&gibberish, floor),
                percentile(&answered, 2.0).unwrap_or_default(),
            ];
            rows.add_row(
                std::iter::once(sets[fold.set].name.clone()).chain(figures.map(|figure| format!("{figure:.3}"))),
            );
            all.push(figures.to_vec());
        }
        let means = (0..9).map(|column| mean(&all.iter().map(|row| row[column]).collect::<Vec<_>>()));
        rows.add_row(std::iter::once("mean".to_string()).chain(means.map(|figure| format!("{figure:.3}"))));
        println!("{rows}");
        let mut diagram = table(&["probability", "questions", "said", "answered"]);
        for bin in bins(&outcomes(folds, ground)) {
            let bounds = format!("{:.1} to {:.1}", bin.from, bin.to);
            let figures = [format!("{:.0}", bin.weight), format!("{:.2}", bin.said), format!("{:.2}", bin.came_true)];
            diagram.add_row(std::iter::once(bounds).chain(figures));
        }
        println!("{diagram}");
    }
}

/// Every case with its probability and outcome; unanswered ones count as many as answered ones, all together.
fn outcomes(folds: &[Fold], ground: Ground) -> Vec<(f64, bool, f64)> {
    let judged: Vec<_> =
        folds.iter().flat_map(|fold| &fold.judged).filter(|(case, _)| case.evidence.ground() == ground).collect();
    let answered = judged.iter().filter(|(case, _)| case.kind == Kind::Answered).count();
    let weight = answered as f64 / (judged.len() - answered).max(1) as f64;
    let outcome = |(case, p): &&(&Case, f64)| {
        let is_answered = case.kind == Kind::Answered;
        (*p, is_answered, if is_answered { 1.0 } else { weight })
    };
    judged.iter().map(outcome).collect()
}
