//! `quarry train distill`: a small, fast model out of a large one and texts of your own.

mod lesson;
mod memory;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab::train::{
    DistillTask, Frequencies, Projection, TableShape, TaughtPair, Translation, capped, first_table, with_words,
    write_table,
};
use qwen3::Tokenizer;
use rayon::prelude::*;
use serde_json::json;

use self::lesson::Lesson;
use self::memory::{Known, Memory};
use super::embed::open_teacher;
use super::options::{DataArgs, LossArgs, RunArgs, check_out, digest, hold_out, short_digest};
use crate::interrupt::INTERRUPTED;
use crate::settings::Settings;

/// Learning rate of a table.
const RATE: f64 = 3e-3;
const EOS: &str = "<|endoftext|>";

#[derive(Debug, Clone, Args)]
pub(super) struct DistillArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Translations out of a language that the teacher knows, to teach the small model another one: JSON lines
    /// {"source": .., "translation": ..}; some are held out, as of the examples.
    #[arg(long, value_name = "FILE")]
    translations: Vec<PathBuf>,
    /// The large model: anything that quarry embeds with.
    #[arg(long, value_name = "MODEL")]
    teacher: PathBuf,
    /// Folder for the teacher's vectors: other runs with this teacher use them again [default: one in --out, removed at
    /// the end].
    #[arg(long, value_name = "DIR")]
    vectors: Option<PathBuf>,
    /// The small model's tokenizer.json.
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Width of the small model: a multiple of 64. One dimension is its own, the others are learned.
    #[arg(long, default_value_t = 256, value_name = "N")]
    width: usize,
    /// Shorten vectors to the length that this share of common tokens stays below; 1 leaves them.
    #[arg(long, default_value_t = 0.8, value_name = "SHARE")]
    cap: f64,
    /// Dimensions that say which words a text has, beside what it means.
    #[arg(long, default_value_t = 0, value_name = "N")]
    words: usize,
    /// How much these count.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT", requires = "words")]
    words_weight: f64,
    #[command(flatten)]
    loss: LossArgs,
}

pub(super) fn run(settings: &Settings, args: &DistillArgs) -> Result<ExitCode> {
    check_out(&args.run.out)?;
    let (training, held_out) = args.lessons()?;
    let student = Student::open(&args.tokenizer)?;
    let shape = TableShape { hidden: args.width, eos: student.eos };
    // Said now, not after the training.
    shape.check(args.words + 1)?;
    let (examples, others) = (training.len(), held_out.len());
    eprintln!("{examples} pairs to learn from, {others} held out, {} tokens", student.tokens());
    let teacher = open_teacher(settings, &args.teacher)?;
    let memory = Memory::open(&args.vectors(), &teacher)?;
    let all: Vec<&Lesson> = training.iter().chain(&held_out).collect();
    let taught = memory.learn(&teacher, &all, &student.tokenizer)?;
    let options = args.loss.options();
    let settings = json!({
        "teacher": memory.teacher, "data": digest(&training, &held_out)?, "tokenizer": short_digest(&student.json),
        "width": args.width, "distill": options, "words": [args.words as f64, args.words_weight], "cap": args.cap,
    });
    let projection = taught.projection(&training, args.width - 1 - args.words)?;
    let pairs = |lessons: &[Lesson]| -> Result<Vec<TaughtPair>> {
        lessons.par_iter().map(|lesson| taught.pair(lesson, &student.tokenizer, &projection)).collect()
    };
    let (training, held_out) = (pairs(&training)?, pairs(&held_out)?);
    let table = first_table(student.lone(&taught, &projection)?, &training);
    let known = Frequencies::of(&training, student.tokens());
    let task = DistillTask::new(&table, training, held_out, options)?;
    let Some(record) = args.run.run(&task, &args.run.options(examples, RATE), &settings)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let table = capped(task.table()?, &known, args.cap);
    let table = with_words(table, &known, args.words, args.words_weight, args.run.seed);
    let tokenizer = serde_json::from_slice(&student.json)?;
    write_table(&args.run.out, &table, shape, &tokenizer, args.run.format.into())?;
    args.run.finish(&record)?;
    if args.vectors.is_none() {
        let folder = args.vectors();
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The words of the small model.
struct Student {
    /// The whole tokenizer.json.
    json: Vec<u8>,
    tokenizer: Tokenizer,
    eos: u32,
}

impl Student {
    fn open(path: &Path) -> Result<Self> {
        let tokenizer = Tokenizer::from_file(path)?;
        let eos = tokenizer.token_id(EOS)?;
        let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { json, tokenizer, eos })
    }

    fn tokens(&self) -> usize {
        self.tokenizer.size()
    }

    /// The teacher's vector of every token by itself; nothing for the EOS and for tokens without text.
    fn lone(&self, taught: &Known, projection: &Projection) -> Result<Vec<Vec<f32>>> {
        let vector = |id: u32| match self.tokenizer.text_of(id) {
            Some(text) if id != self.eos && !text.trim().is_empty() => {
                taught.vector(text.trim()).map(|vector| projection.apply(vector))
            }
            _ => Ok(vec![0.0; projection.kept()]),
        };
        (0..self.tokens() as u32).map(vector).collect()
    }
}

impl DistillArgs {
    /// What to learn from, and what is held out.
    fn lessons(&self) -> Result<(Vec<Lesson>, Vec<Lesson>)> {
        let (pairs, others) = self.data.read()?;
        let (mut training, mut held_out) = (lessons(pairs, Lesson::Pair), lessons(others, Lesson::Pair));
        let mut translations = Vec::new();
        for file in &self.translations {
            translations.extend(Translation::read_all(file)?);
        }
        let (translations, others) = hold_out(translations);
        training.extend(lessons(translations, Lesson::Translation));
        held_out.extend(lessons(others, Lesson::Translation));
        Ok((training, held_out))
    }

    fn vectors(&self) -> PathBuf {
        self.vectors.clone().unwrap_or_else(|| self.run.out.join("teacher"))
    }
}

fn lessons<T>(data: Vec<T>, lesson: impl Fn(T) -> Lesson) -> Vec<Lesson> {
    data.into_iter().map(lesson).collect()
}
