//! What can be asked of the index: a search, a question, and whatever an assistant asks.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct SearchArgs {
    /// The question. Words, "phrases", -without, source: path: type: lang: after: before:
    #[arg(required = true, num_args = 1..)]
    pub(crate) query: Vec<String>,
    /// Search this folder only; it is indexed first if it is new or has changed.
    #[arg(long = "in", value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Documents to show.
    #[arg(long, short = 'n', default_value_t = 5)]
    pub(crate) top: usize,
    /// Documents to skip.
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: usize,
    /// Go on behind an earlier answer to the same question: `next` of its JSON.
    #[arg(long, value_name = "NEXT", conflicts_with = "offset")]
    pub(crate) cursor: Option<String>,
    /// The whole result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// What the models are told to look for, instead of their default instruction.
    #[arg(long, value_name = "TEXT")]
    pub(crate) instruct: Option<String>,
    /// Leave the results in the order of recall.
    #[arg(long)]
    pub(crate) no_rerank: bool,
    /// Search for the words as they are typed, without correcting slips.
    #[arg(long)]
    pub(crate) no_correct: bool,
    /// Words only, without the embedding model.
    #[arg(long, conflicts_with = "semantic")]
    pub(crate) lexical: bool,
    /// Meaning only, without word matches.
    #[arg(long)]
    pub(crate) semantic: bool,
    /// What somebody finds who is all of these: user:anna,group:hr. Without it, what its owner finds: everything.
    #[arg(long = "as", value_name = "PRINCIPAL", value_delimiter = ',')]
    pub(crate) seen_as: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// The question, in plain words.
    #[arg(required = true, num_args = 1..)]
    pub(crate) question: Vec<String>,
    /// Ask this folder only; it is indexed first if it is new or has changed.
    #[arg(long = "in", value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The question before it, for a follow-up such as "and in Leeds?".
    #[arg(long, value_name = "QUESTION")]
    pub(crate) before: Option<String>,
    /// Answer with sentences of the documents alone, even where the configuration names a writer.
    #[arg(long)]
    pub(crate) quoted: bool,
    /// The whole reply as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the results that are looked at in the order of recall.
    #[arg(long)]
    pub(crate) no_rerank: bool,
    /// What somebody is told who is all of these: user:anna,group:hr. Without it, what its owner is: everything.
    #[arg(long = "as", value_name = "PRINCIPAL", value_delimiter = ',')]
    pub(crate) seen_as: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct McpArgs {
    /// For whom the assistant asks, who is all of these: user:anna,group:hr. Without it, for the owner of the index: it is told
    /// everything.
    #[arg(long = "as", value_name = "PRINCIPAL", value_delimiter = ',')]
    pub(crate) seen_as: Vec<String>,
}
