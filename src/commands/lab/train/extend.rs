//! `quarry train extend`: teach a small model that `train distill` made other languages, and leave what it knows as it is.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use lab::train::{Bilingual, ExtendTask, Objective as _, TableModel, Translation, text_identity};
use qwen3::{ModelConfig, ModelFiles, Tokenizer};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::options::{LossArgs, RunArgs, check_out, digest, hold_out, short_digest};
use crate::interrupt::INTERRUPTED;
use crate::models;
use crate::settings::Settings;

/// Learning rate of rows.
const RATE: f64 = 3e-3;

#[derive(Debug, Clone, Args)]
pub(super) struct ExtendArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Translations out of a language that the model knows: JSON lines {"source": .., "translation": ..}; every 20th is held
    /// out, 500 at most.
    #[arg(long, required = true, value_name = "FILE")]
    translations: Vec<PathBuf>,
    /// A tokenizer.json with the model's own tokens and merges, and more behind them.
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    #[command(flatten)]
    loss: LossArgs,
}

pub(super) fn run(settings: &Settings, args: &ExtendArgs) -> Result<ExitCode> {
    check_out(&args.run.out)?;
    let (training, held_out) = args.translations()?;
    let files = models::files(&models::embedding_model(settings)?)?;
    let table = TableModel::open(&files)?;
    let words = Words::open(&files, args)?;
    let more = words.new.size().saturating_sub(table.tokens());
    eprintln!("{} translations to learn from, {} held out, {more} new tokens", training.len(), held_out.len());
    let settings = json!({
        "model": files.fingerprint()?, "data": digest(&training, &held_out)?, "tokenizer": short_digest(&words.json),
        "extend": args.loss.options(),
    });
    let pairs = [words.pairs(&training)?, words.originals(&training)?].concat();
    let task = ExtendTask::new(table.vectors()?, more, pairs, words.pairs(&held_out)?, args.loss.options())?;
    let options = args.run.options(task.examples(), RATE);
    let Some(record) = args.run.run(&task, &options, &settings)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    table.write_with(&task.rows()?, &args.run.out, &serde_json::from_slice(&words.json)?, args.run.format.into())?;
    args.run.finish(&record)?;
    Ok(ExitCode::SUCCESS)
}

impl ExtendArgs {
    /// What to learn from, and what is held out.
    fn translations(&self) -> Result<(Vec<Translation>, Vec<Translation>)> {
        let mut translations = Vec::new();
        for file in &self.translations {
            translations.extend(Translation::read_all(file)?);
        }
        Ok(hold_out(translations))
    }
}

/// The model's own tokenizer and the longer one.
struct Words {
    old: Tokenizer,
    new: Tokenizer,
    /// The whole of the longer one.
    json: Vec<u8>,
}

impl Words {
    fn open(files: &ModelFiles, args: &ExtendArgs) -> Result<Self> {
        let path = &args.tokenizer;
        let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let new = Tokenizer::from_file(path)?;
        let known = serde_json::from_slice(&files.tokenizer_json()?)?;
        if !continues(&known, &serde_json::from_slice(&json)?) || !has_added(&known, &new) {
            bail!(
                "{} does not begin with the tokens and merges of {}; make it with `fixtures/models/recipe/tokenizer --extend`",
                path.display(),
                files.origin()
            );
        }
        Ok(Self { old: Tokenizer::open(files, &ModelConfig::of(files)?)?, new, json })
    }

    fn pairs(&self, translations: &[Translation]) -> Result<Vec<Bilingual>> {
        translations.par_iter().map(|pair| self.pair(&pair.source, &pair.translation)).collect()
    }

    /// Originals as the longer tokenizer cuts them, which is not always as before: new tokens in them are to mean the same.
    fn originals(&self, translations: &[Translation]) -> Result<Vec<Bilingual>> {
        let distinct: HashSet<&str> = translations.iter().map(|pair| pair.source.as_str()).collect();
        let mut distinct: Vec<&str> = distinct.into_iter().collect();
        distinct.sort_unstable();
        distinct.par_iter().map(|source| self.pair(source, source)).collect()
    }

    fn pair(&self, original: &str, translation: &str) -> Result<Bilingual> {
        Ok(Bilingual {
            original: self.old.encode(original)?,
            translation: self.new.encode(translation)?,
            identity: text_identity(original),
        })
    }
}

/// Whether a tokenizer has the tokens of another one under the same numbers, and its merges first.
fn continues(old: &Value, new: &Value) -> bool {
    let tokens = |tokenizer: &Value| tokenizer.pointer("/model/vocab").and_then(Value::as_object).cloned();
    let merges = |tokenizer: &Value| tokenizer.pointer("/model/merges").and_then(Value::as_array).cloned();
    let (Some(old_tokens), Some(new_tokens), Some(old_merges), Some(new_merges)) =
        (tokens(old), tokens(new), merges(old), merges(new))
    else {
        return false;
    };
    old_tokens.iter().all(|(token, id)| new_tokens.get(token) == Some(id)) && new_merges.starts_with(&old_merges)
}

/// Whether a tokenizer has the special tokens of another one under the same numbers: they are behind the vocabulary unless
/// it names them.
fn has_added(old: &Value, new: &Tokenizer) -> bool {
    let added = old.pointer("/added_tokens").and_then(Value::as_array).into_iter().flatten();
    let mut numbers = added.filter_map(|token| Some((token["content"].as_str()?, token["id"].as_u64()?)));
    numbers.all(|(token, id)| new.token_id(token).is_ok_and(|new| u64::from(new) == id))
}
