//! The set of judged questions that the command line asks for, opened.

use std::path::Path;

use anyhow::{Context, Result};
use lab::evaluation::{BeirOptions, BeirSet};

use super::EvalArgs;

/// Opens the folder. Among several sets, one whose questions name no language takes part with all of them: a wish for
/// a language says nothing about it.
pub(in crate::commands::lab) fn open(args: &EvalArgs, dir: &Path) -> Result<BeirSet> {
    let options = BeirOptions { queries: args.queries.clone(), qrels: args.qrels.clone(), language: args.lang.clone() };
    match BeirSet::open(dir, &options) {
        Err(lab::Error::NoQueryInLanguage { found, .. }) if found.is_empty() && args.dirs.len() > 1 => {
            let set = BeirSet::open(dir, &BeirOptions { language: None, ..options })?;
            eprintln!("{}: its questions name no language; all of them are asked", set.name);
            Ok(set)
        }
        Err(error @ (lab::Error::NoJudgements { .. } | lab::Error::AmbiguousJudgements { .. })) => {
            Err(error).context("give a file of judgements with --qrels FILE")
        }
        opened => Ok(opened?),
    }
}
