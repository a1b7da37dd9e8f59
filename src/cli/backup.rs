//! What can be asked of backups, and of the space that an index takes.

use std::path::PathBuf;

use clap::Args;
use storage::Keep;

#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// Folder of the backups, new or with earlier ones; it may be a share of another machine, or s3://BUCKET/PREFIX.
    #[arg(value_name = "DEST")]
    pub(crate) destination: PathBuf,
    /// Afterwards remove all but the newest backup of each of so many days, weeks and months, such as 7d4w6m.
    #[arg(long, value_name = "PERIODS", conflicts_with_all = ["verify", "list"])]
    pub(crate) keep: Option<Keep>,
    /// Make none: read all backups there, and say what is damaged. Exit status: 0 nothing, 1 something.
    #[arg(long, conflicts_with = "list")]
    pub(crate) verify: bool,
    /// Make none: show the backups there.
    #[arg(long)]
    pub(crate) list: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// Folder of the backups, or s3://BUCKET/PREFIX.
    #[arg(value_name = "SRC")]
    pub(crate) source: PathBuf,
    /// The newest backup that was made by then (2026-11-30, 2026-11-30T18:00, of UTC), or the one of that name
    /// [default: the newest].
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CompactArgs {
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArgs {
    /// Give up what is kept instead, and its space.
    #[arg(long)]
    pub(crate) forget: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
