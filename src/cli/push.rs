//! What can be asked of documents that programs hand over.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct PushArgs {
    /// Name of the source that the documents belong to.
    pub(crate) source: String,
    /// File of the documents, an object a line; - or none: standard input.
    #[arg(value_name = "FILE", conflicts_with = "command")]
    pub(crate) file: Option<PathBuf>,
    /// Run this by the shell, and take the documents that it prints. Exit status other than 0: nothing is taken for gone.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// What is named is all there is: other documents of the source are deleted.
    #[arg(long)]
    pub(crate) sync: bool,
    /// Delete documents also where most of the source is suddenly gone.
    #[arg(long, requires = "sync")]
    pub(crate) accept_deletions: bool,
}
