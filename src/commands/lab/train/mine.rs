//! `quarry train mine`: adds hard negatives to training examples. See `lab::mining` for what is left out.

mod corpus;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use lab::mining::{Margin, Mined, Miner, MiningOptions, Pick, Positive};
use lab::synthesis::{Out, Row};
use qwen3::{EmbedHandle, RerankHandle};
use searcher::Mode;

use crate::settings::Settings;
use crate::{interrupt, models};
use corpus::{Corpus, Task};
use tally::Tally;

/// Examples that are mined together.
const BATCH: usize = 128;

#[derive(Debug, Clone, Args)]
pub(super) struct MineArgs {
    /// Examples to add negatives to: JSON lines with "query" and "response".
    #[arg(long, value_name = "FILE", required_unless_present = "beir", conflicts_with = "beir")]
    data: Option<PathBuf>,
    /// Folder of judged questions (BEIR layout): every answer that is judged good is an example.
    #[arg(long, value_name = "DIR")]
    beir: Option<PathBuf>,
    /// File of queries, or its name in the folder [default: queries.jsonl].
    #[arg(long, value_name = "FILE", requires = "beir")]
    queries: Option<PathBuf>,
    /// File of judgements, or its name in qrels/, such as `train` [default: qrels/test.tsv, or the only one].
    #[arg(long, value_name = "FILE", requires = "beir")]
    qrels: Option<PathBuf>,
    /// The file to make: the examples with "rejected_response".
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where negatives come from: a folder of documents or in BEIR layout [default: the folder of --beir, or the
    /// responses of --data].
    #[arg(long, value_name = "DIR", conflicts_with = "indexed")]
    corpus: Option<PathBuf>,
    /// Take negatives from the index in the data folder.
    #[arg(long)]
    indexed: bool,
    /// What finds them.
    #[arg(long, value_enum, default_value_t = By::Hybrid)]
    by: By,
    /// Negatives for each example.
    #[arg(long, default_value_t = 5, value_name = "N")]
    negatives: usize,
    /// First rank to look at: the ranks before it often hold answers that nobody marked.
    #[arg(long, default_value_t = 1, value_name = "RANK")]
    from_rank: usize,
    /// Last rank to look at.
    #[arg(long, default_value_t = 100, value_name = "RANK")]
    depth: usize,
    /// Leave out what is nearer to the query than this share of the answer's cosine (0.95), or than the answer by so much
    /// (+0.1).
    #[arg(long, default_value = "0.95", value_parser = margin, value_name = "MARGIN", allow_hyphen_values = true)]
    margin: Margin,
    /// Which of those that are left.
    #[arg(long, value_enum, default_value_t = Choice::Hardest)]
    pick: Choice,
    /// Decides what is drawn.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Write what a teacher says of each text: the reranker if one is named, else the embedding model's cosine.
    #[arg(long)]
    scores: bool,
}

/// Which retrievers of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Words and meaning.
    Hybrid,
    /// Meaning alone.
    Vector,
    /// Words alone.
    Lexical,
}

/// Which candidates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The highest ranks.
    Hardest,
    /// Any, by lot.
    Random,
}

fn margin(text: &str) -> Result<Margin, String> {
    let number = |text: &str| text.parse::<f32>().ok().filter(|number| number.is_finite());
    let margin = match text.strip_prefix('+') {
        Some(text) => number(text).map(Margin::Above),
        None => number(text).filter(|share| *share > 0.0).map(Margin::Share),
    };
    margin.ok_or_else(|| "expected a share of the answer's cosine such as 0.95, or an addend such as +0.1".to_owned())
}

impl MineArgs {
    fn options(&self) -> MiningOptions {
        MiningOptions {
            mode: match self.by {
                By::Hybrid => Mode::Hybrid,
                By::Vector => Mode::Semantic,
                By::Lexical => Mode::Lexical,
            },
            from_rank: self.from_rank,
            depth: self.depth.max(self.from_rank),
            negatives: self.negatives,
            margin: self.margin,
            pick: match self.pick {
                Choice::Hardest => Pick::Hardest,
                Choice::Random => Pick::Random(self.seed),
            },
        }
    }

    /// The file of judgements by its path, or by its name in the folder.
    fn qrels(&self, folder: &Path) -> Option<PathBuf> {
        let named = self.qrels.as_ref()?;
        let inside = folder.join("qrels").join(named).with_extension("tsv");
        Some(if !named.is_file() && inside.is_file() { inside } else { named.clone() })
    }

    fn queries(&self, folder: &Path) -> Option<PathBuf> {
        let named = self.queries.as_ref()?;
        let inside = folder.join(named);
        Some(if !named.is_file() && inside.is_file() { inside } else { named.clone() })
    }
}

pub(super) fn run(settings: &Settings, args: &MineArgs) -> Result<ExitCode> {
    if args.negatives == 0 {
        bail!("--negatives: expected at least 1");
    }
    let cancel = interrupt::on_interrupt()?;
    let (embedder, model) = models::embedder(settings)?;
    let reranker = if args.scores { models::reranker(settings)? } else { None };
    let (tasks, corpus) = corpus::open(settings, args, (&embedder, &model), &cancel)?;
    let miner = Miner::new(embedder.clone(), args.options());
    let run = Run { embedder, reranker, miner, corpus, has_scores: args.scores };
    let mut out = Out::create(&args.out)?;
    let mut tally = Tally::default();
    for (number, batch) in tasks.chunks(BATCH).enumerate() {
        if cancel.load(Ordering::Relaxed) {
            eprintln!("stopped; nothing was written");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
        for (row, mined) in run.mine(batch)? {
            tally.note(&mined, args.negatives);
            out.push(&row)?;
        }
        if (number + 1) % 20 == 0 {
            eprintln!("{} of {} examples", ((number + 1) * BATCH).min(tasks.len()), tasks.len());
        }
    }
    out.finish()?;
    tally.print(&args.out);
    Ok(ExitCode::SUCCESS)
}

struct Run {
    embedder: EmbedHandle,
    reranker: Option<RerankHandle>,
    miner: Miner,
    corpus: Corpus,
    has_scores: bool,
}

impl Run {
    /// The examples with their negatives, in order.
    fn mine(&self, tasks: &[Task]) -> Result<Vec<(Row, Mined)>> {
        let responses: Vec<&str> = tasks.iter().map(|task| task.row.example.response.as_str()).collect();
        let vectors = self.embedder.embed_documents(&responses)?.wait()?;
        // Threads of their own: the model computes on rayon's, which must not wait for it.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = tasks.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let shares = tasks.chunks(share).zip(vectors.chunks(share)).map(|(tasks, vectors)| {
                scope.spawn(move || -> Result<Vec<_>> {
                    tasks.iter().zip(vectors).map(|(task, vector)| self.mine_one(task, vector)).collect()
                })
            });
            let shares: Vec<_> = shares.collect();
            let mut all = Vec::with_capacity(tasks.len());
            for share in shares {
                all.extend(share.join().map_err(|_| anyhow!("a thread of mining panicked: a bug"))??);
            }
            Ok(all)
        })
    }

    fn mine_one(&self, task: &Task, vector: &[f32]) -> Result<(Row, Mined)> {
        let mut row = task.row.clone();
        let positive = Positive { query: &row.example.query, text: &row.example.response, vector };
        let is_own = |passage: &storage::Passage| self.corpus.is_own(task, passage);
        let mined = self.miner.mine(self.corpus.view(), positive, &is_own)?;
        let old = row.example.rejected_response.len();
        let new = mined.negatives.iter().map(|negative| negative.text.clone());
        let known = row.example.rejected_response.clone();
        row.example.rejected_response.extend(new.filter(|text| !known.contains(text)));
        row.example.scores = if self.has_scores { self.scores(&row, old, &mined)? } else { Vec::new() };
        Ok((row, mined))
    }

    /// What the teacher says of the response and of each rejected text.
    fn scores(&self, row: &Row, old: usize, mined: &Mined) -> Result<Vec<f64>> {
        let example = &row.example;
        let texts: Vec<&str> =
            std::iter::once(&example.response).chain(&example.rejected_response).map(String::as_str).collect();
        if let Some(reranker) = &self.reranker {
            let scores = reranker.score(&example.query, None, &texts)?;
            return Ok(scores.into_iter().map(f64::from).collect());
        }
        if old > 0 {
            let query = self.embedder.embed_query(&example.query, None)?;
            let vectors = self.embedder.embed_documents(&texts)?.wait()?;
            let cosine = |vector: &Vec<f32>| f64::from(query.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>());
            return Ok(vectors.iter().map(cosine).collect());
        }
        let cosines = mined.negatives.iter().map(|negative| f64::from(negative.cosine));
        Ok(std::iter::once(f64::from(mined.positive)).chain(cosines).collect())
    }
}

/// What went wrong with a file of examples, with its name.
fn in_file<T>(result: Result<T>, path: &Path) -> Result<T> {
    result.with_context(|| format!("cannot use {}", path.display()))
}
