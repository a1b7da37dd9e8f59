//! `quarry train answers`: which sentence answers a question and whether it can be trusted to, fitted to questions whose answers are
//! known word by word; or measured on them, each set by what was fitted to the others.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use lab::Questions;
use lab::answers::{AnswerCase, AnswerFold, AnswerGoal, CaseKind, Judged, answer_folds, fit_answers};
use lab::calibration::auc;
use lab::evaluation::{BeirQuery, BeirSet};
use searcher::{Calibration, Mode};

use super::calibrate::{evenly, foreign, made};
use crate::commands::lab::eval::setup::{Models, Setup};
use crate::commands::lab::eval::{Bench, EvalArgs, set};
use crate::output::table;
use crate::settings::Settings;

#[derive(Debug, Clone, Args)]
pub(super) struct AnswersArgs {
    /// Folders of judged questions, as for `quarry eval`, whose `answers` are parts of the documents; with --data-dir, the index of
    /// each is kept in a folder below it. Questions of one are off topic for the others.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// File of `quarry train calibrate` that the weights are added to [default: the bundled one].
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// File for the calibration with the weights; `calibration` in quarry.toml names it.
    #[arg(long, value_name = "FILE", required_unless_present = "evaluate")]
    out: Option<PathBuf>,
    /// Show how good they are, each set judged by weights that were fitted to the others. Needs two sets.
    #[arg(long)]
    evaluate: bool,
    /// Take the documents of a set from the folder of files `docs` in it, where it has one; their paths are the ids.
    #[arg(long)]
    files: bool,
    /// Questions taken of each set, evenly.
    #[arg(long, default_value_t = 300, value_name = "N")]
    questions: usize,
    /// The share of what is said that must be right, where half of the questions have no answer.
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    right: f64,
}

pub(super) fn run(settings: &Settings, args: &AnswersArgs) -> Result<ExitCode> {
    if args.evaluate && args.dirs.len() < 2 {
        bail!("--evaluate judges each set by the others; give two or more");
    }
    let setup = Setup::of(settings, &[])?;
    let models = Models::open(&setup)?;
    let sets = sets(args)?;
    let asked: Vec<Vec<BeirQuery>> = sets.iter().map(|set| evenly(&set.queries, args.questions)).collect();
    let cases = cases(settings, args, &sets, &asked, &models, &setup)?;
    let mut calibration = match &args.calibration {
        Some(file) => Calibration::read(file)?,
        None => Calibration::bundled()?,
    };
    let made = made("answers", &sets, &asked);
    let known = calibration.clone();
    let goal = AnswerGoal { calibration: &known, model: &models.model.fingerprint, precision: args.right, made: &made };
    if args.evaluate {
        for (mode, name) in [(Mode::Hybrid, "words and meaning"), (Mode::Lexical, "words")] {
            println!("{name}: each set judged by the others");
            report(&answer_folds(&cases, sets.len(), mode, &goal), &sets);
        }
    }
    if let Some(file) = &args.out {
        let of = |mode: Mode| cases.iter().filter(|case| case.mode == mode).collect::<Vec<_>>();
        calibration.answers = Some(fit_answers(&of(Mode::Lexical), &goal));
        match calibration.meaning.as_mut().filter(|meaning| meaning.model == models.model.fingerprint) {
            Some(meaning) => meaning.answers = Some(fit_answers(&of(Mode::Hybrid), &goal)),
            None => bail!("the calibration is of another model; make one with `quarry train calibrate` first"),
        }
        let text = serde_json::to_string_pretty(&calibration)? + "\n";
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The sets, with the questions of each that have an answer.
fn sets(args: &AnswersArgs) -> Result<Vec<BeirSet>> {
    let answered = |dir: &Path| {
        let mut set = set::open(&EvalArgs::default(), dir)?;
        set.queries.retain(|query| !query.answers.is_empty());
        if set.queries.is_empty() {
            bail!("{}: expected questions with `answers`, a list of parts of the documents", dir.display());
        }
        Ok(set)
    };
    args.dirs.iter().map(|dir| answered(dir)).collect()
}

fn cases(
    settings: &Settings,
    args: &AnswersArgs,
    sets: &[BeirSet],
    asked: &[Vec<BeirQuery>],
    models: &Models,
    setup: &Setup,
) -> Result<Vec<AnswerCase>> {
    let reading = settings.extract.start()?.options();
    let searcher = models.searcher(&setup.config);
    let mut cases = Vec::new();
    for (number, (dir, set)) in args.dirs.iter().zip(sets).enumerate() {
        let docs = Some(dir.join("docs")).filter(|docs| args.files && docs.is_dir());
        let options = EvalArgs { dirs: args.dirs.clone(), docs, ..EvalArgs::default() };
        let bench = Bench { settings, args: &options, options: reading.clone() };
        let index = bench.index(set, dir, models)?;
        let foreign = foreign(asked, number, args.questions / 2);
        let view = &*index.view;
        let judged = &asked[number];
        cases.extend(Questions { set: number, view, searcher: &searcher, judged, foreign: &foreign }.answer_cases()?);
        index.remove();
    }
    Ok(cases)
}

fn report(folds: &[AnswerFold<'_>], sets: &[BeirSet]) {
    let mut rows =
        table(&["", "questions", "found", "first", "floor", "said", "right", "of removed", "of off topic", "AUC"]);
    for fold in folds {
        let of = |kind: CaseKind| fold.judged.iter().filter(move |judged| judged.case.kind == kind);
        let said = |kind: CaseKind| of(kind).filter(|judged| judged.trust >= fold.floor);
        let share = |some: usize, all: usize| format!("{:.3}", some as f64 / all.max(1) as f64);
        let count = |kind: CaseKind| of(kind).count();
        let answered = count(CaseKind::Answered);
        let found = of(CaseKind::Answered).filter(|judged| judged.case.units.iter().any(|(_, right)| *right)).count();
        let first = of(CaseKind::Answered).filter(|judged| judged.is_right).count();
        let right = said(CaseKind::Answered).filter(|judged| judged.is_right).count();
        let trust = |judged: &Judged<'_>| judged.trust;
        let good: Vec<f64> = fold.judged.iter().filter(|judged| judged.is_right).map(trust).collect();
        let bad: Vec<f64> = fold.judged.iter().filter(|judged| !judged.is_right).map(trust).collect();
        rows.add_row([
            sets[fold.set].name.clone(),
            answered.to_string(),
            share(found, answered),
            share(first, answered),
            format!("{:.3}", fold.floor),
            share(said(CaseKind::Answered).count(), answered),
            share(right, said(CaseKind::Answered).count()),
            share(said(CaseKind::Removed).count(), count(CaseKind::Removed)),
            share(said(CaseKind::OffTopic).count(), count(CaseKind::OffTopic)),
            format!("{:.3}", auc(&good, &bad)),
        ]);
    }
    println!("{rows}");
}
