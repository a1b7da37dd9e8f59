//! The options of `quarry eval`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct EvalArgs {
    /// Folders with corpus.jsonl, queries.jsonl and qrels/*.tsv. Of several, the means are shown too, each counting
    /// alike; with --data-dir, the index of each is kept in a folder below it.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Set two setups beside each other on the same questions, with a 95 % confidence interval of the difference (paired
    /// bootstrap) and its p value (paired randomisation test). Each is a list of NAME=VALUE separated by commas: model,
    /// reranker (or none), precision, dimension, and every setting of --set; `default` or nothing changes nothing.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub(crate) compare: Vec<String>,
    /// Vectors of so many percent of the passages only: how good searches are while the others are still to come.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100), conflicts_with_all = ["noise", "docs"])]
    pub(crate) embedded: Option<u64>,
    /// Measure nothing: write what each retriever recalls for each question, with its scores, to this file (JSON lines).
    #[arg(long, value_name = "FILE", hide = true, conflicts_with = "compare")]
    pub(crate) candidates: Option<PathBuf>,
    /// Measure what so many slips of the hand cost (letters swapped, missing, doubled, the key beside, the first letter; the
    /// same ones each time): how often the first result of the question without the slip stands first, and among the
    /// first three, with correction and without. Then what correction costs the questions as they are.
    #[arg(long, value_name = "N", conflicts_with_all = ["compare", "candidates"])]
    pub(crate) slips: Option<usize>,
    /// Index these folders of other files beside the documents, and measure what they cost: each way to search without
    /// them and with them.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["compare", "candidates", "slips"])]
    pub(crate) noise: Vec<PathBuf>,
    /// Measure what is shown and marked of the first result, and what `quarry ask` says, by labels of the sentences that answer: JSON lines of `_id` (the
    /// question), `path` (the document) and `answer` (the sentence as it stands there).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["compare", "candidates", "slips", "noise"])]
    pub(crate) answers: Option<PathBuf>,
    /// With --answers: questions that nothing in the documents answers, JSON lines with `text`, to which nothing should be said.
    #[arg(long, value_name = "FILE", requires = "answers")]
    pub(crate) unanswerable: Option<PathBuf>,
    /// With --answers: let the writer of the configuration write the answers.
    #[arg(long, requires = "answers")]
    pub(crate) written: bool,
    /// Take the documents from this folder of files; their paths are the ids.
    #[arg(long, value_name = "DIR")]
    pub(crate) docs: Option<PathBuf>,
    /// File of queries [default: queries.jsonl in the folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,
    /// File of judgements [default: qrels/test.tsv, or the only one].
    #[arg(long, value_name = "FILE")]
    pub(crate) qrels: Option<PathBuf>,
    /// Only queries in this language. Among several folders, one whose queries name no language takes part with all.
    #[arg(long, value_name = "CODE")]
    pub(crate) lang: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Try another search setting: vector-weight, fusion (rrf, convex), rrf-constant, cosine-floor, depth, passage-decay,
    /// rerank-weight, rerank-depth, settle, body, title, headings, neighbours, pairs, characters, codes, stub,
    /// navigation, licence, changelog, generated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
}
