//! `quarry train distill`: a small, fast model out of a large one and texts of your own.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use qwen3::train::{
    DistillOptions, DistillTask, Example, Frequencies, Projection, TableShape, TaughtPair, TextKind, capped,
    first_table, text_identity, with_words, write_table,
};
use qwen3::{Embedder, Tokenizer};
use rayon::prelude::*;
use serde_json::json;

use super::embed::{open_teacher, teach};
use super::options::{DataArgs, RunArgs, check_out, digest, short_digest};
use crate::cli::Cli;
use crate::interrupt::INTERRUPTED;

/// Learning rate of a table.
const RATE: f64 = 3e-3;
/// Vectors that the main directions are taken from.
const PROJECTED: usize = 20_000;
/// Texts between two writings of the teacher's vectors.
const STRIDE: usize = 2048;
const EOS: &str = "<|endoftext|>";

#[derive(Debug, Clone, Args)]
pub(super) struct DistillArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    run: RunArgs,
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
    /// How much the cosine to the teacher's vectors counts.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT")]
    cosine: f64,
    /// How much the teacher's ranking of the batch counts.
    #[arg(long, default_value_t = 0.5, value_name = "WEIGHT")]
    lists: f64,
    /// How much the contrastive loss counts.
    #[arg(long, default_value_t = 0.2, value_name = "WEIGHT")]
    contrast: f64,
    /// Temperature of these two.
    #[arg(long, default_value_t = 0.05, value_name = "T")]
    temperature: f64,
    /// Texts are cut to this many tokens.
    #[arg(long, default_value_t = 256, value_name = "N")]
    max_tokens: usize,
}

pub(super) fn run(cli: &Cli, args: &DistillArgs) -> Result<ExitCode> {
    check_out(&args.run.out)?;
    let (training, held_out) = args.data.read()?;
    let student = Student::open(&args.tokenizer)?;
    let shape = TableShape { hidden: args.width, eos: student.eos };
    // Said now, not after the training.
    shape.check(args.words + 1)?;
    let (examples, others) = (training.len(), held_out.len());
    eprintln!("{examples} pairs to learn from, {others} held out, {} tokens", student.tokens());
    let teacher = open_teacher(cli, &args.teacher)?;
    let memory = Memory::open(&args.vectors(), &teacher)?;
    let all: Vec<&Example> = training.iter().chain(&held_out).collect();
    let taught = memory.learn(&teacher, &all, &student.tokenizer)?;
    let options = args.options();
    let settings = json!({
        "teacher": memory.teacher, "data": digest(&training, &held_out)?, "tokenizer": short_digest(&student.json),
        "width": args.width, "distill": options, "words": [args.words as f64, args.words_weight], "cap": args.cap,
    });
    let projection = taught.projection(&training, args.width - 1 - args.words)?;
    let pairs = |examples: &[Example]| -> Result<Vec<TaughtPair>> {
        examples.par_iter().map(|example| taught.pair(example, &student.tokenizer, &projection)).collect()
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
    fn options(&self) -> DistillOptions {
        DistillOptions {
            cosine: self.cosine,
            lists: self.lists,
            contrast: self.contrast,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
        }
    }

    fn vectors(&self) -> PathBuf {
        self.vectors.clone().unwrap_or_else(|| self.run.out.join("teacher"))
    }
}

/// The teacher's vectors of texts, on disk as they come, each beside the identity of its text: a kill loses at most the
/// last few, and other data may use what is there.
struct Memory {
    path: PathBuf,
    width: usize,
    teacher: String,
}

/// What the teacher thinks of texts, by identity.
struct Known {
    vectors: HashMap<u64, Vec<f32>>,
}

impl Memory {
    fn open(folder: &Path, teacher: &Embedder) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (label, path) = (folder.join("teacher.txt"), folder.join("vectors.bin"));
        match fs::read_to_string(&label) {
            Ok(known) if known != teacher.fingerprint() => {
                bail!(
                    "{} holds vectors of another teacher; give another --vectors or --out, or remove it",
                    folder.display()
                )
            }
            Ok(_) => {}
            Err(_) => {
                fs::write(&label, teacher.fingerprint()).with_context(|| format!("cannot write {}", label.display()))?
            }
        }
        Ok(Self { path, width: teacher.dimension(), teacher: teacher.fingerprint().to_owned() })
    }

    /// Has the teacher look at every text of the examples and every token that it has not seen yet.
    fn learn(&self, teacher: &Embedder, examples: &[&Example], tokenizer: &Tokenizer) -> Result<Known> {
        let mut known = self.load()?;
        let mut missing: Vec<(String, TextKind)> = Vec::new();
        let mut seen: HashSet<u64> = known.vectors.keys().copied().collect();
        let mut add = |text: &str, kind: TextKind| {
            if !text.trim().is_empty() && seen.insert(text_identity(text)) {
                missing.push((text.to_owned(), kind));
            }
        };
        for example in examples {
            add(&example.query, TextKind::Query);
            add(&example.response, TextKind::Document);
        }
        for id in 0..tokenizer.size() as u32 {
            add(tokenizer.text_of(id).unwrap_or_default().trim(), TextKind::Document);
        }
        let out = OpenOptions::new().append(true).create(true).open(&self.path);
        let mut out = out.with_context(|| format!("cannot write {}", self.path.display()))?;
        // What a kill cut short goes before more is added.
        out.set_len((known.vectors.len() * self.record()) as u64)?;
        for (index, next) in missing.chunks(STRIDE).enumerate() {
            for wanted in [TextKind::Query, TextKind::Document] {
                let texts = next.iter().filter(|(_, kind)| *kind == wanted).map(|(text, _)| text.as_str());
                let texts: Vec<&str> = texts.collect();
                for (text, vector) in texts.iter().zip(teach(teacher, &texts, wanted)?) {
                    let identity = text_identity(text);
                    let bytes = vector.iter().flat_map(|x| x.to_le_bytes());
                    let record: Vec<u8> = identity.to_le_bytes().into_iter().chain(bytes).collect();
                    out.write_all(&record)?;
                    known.vectors.insert(identity, vector);
                }
            }
            eprintln!("teacher: {} of {} texts", (index * STRIDE + next.len()), missing.len());
        }
        Ok(known)
    }

    /// Bytes of an identity and a vector.
    fn record(&self) -> usize {
        8 + 4 * self.width
    }

    fn load(&self) -> Result<Known> {
        let Ok(file) = File::open(&self.path) else { return Ok(Known { vectors: HashMap::new() }) };
        let mut bytes = Vec::new();
        BufReader::new(file).read_to_end(&mut bytes)?;
        let value = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        let record = |record: &[u8]| {
            let (identity, vector) = record.split_at(8);
            let identity = identity.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (identity, vector.chunks_exact(4).map(value).collect())
        };
        Ok(Known { vectors: bytes.chunks_exact(self.record()).map(record).collect() })
    }
}

impl Known {
    fn vector(&self, text: &str) -> Result<&Vec<f32>> {
        self.vectors.get(&text_identity(text)).with_context(|| format!("the teacher has not seen {text:?}"))
    }

    /// The main directions of the teacher's vectors of the first texts.
    fn projection(&self, examples: &[Example], kept: usize) -> Result<Projection> {
        let texts = examples.iter().flat_map(|example| [&example.query, &example.response]).take(PROJECTED);
        let sample: Vec<Vec<f32>> = texts.map(|text| self.vector(text).cloned()).collect::<Result<_>>()?;
        Ok(Projection::of(&sample, kept))
    }

    fn pair(&self, example: &Example, tokenizer: &Tokenizer, projection: &Projection) -> Result<TaughtPair> {
        let vector = |text: &str| -> Result<Vec<f32>> { Ok(projection.apply(self.vector(text)?)) };
        Ok(TaughtPair {
            ids: [tokenizer.encode(&example.query)?, tokenizer.encode(&example.response)?],
            vectors: [vector(&example.query)?, vector(&example.response)?],
            identity: text_identity(&example.response),
        })
    }
}
