//! The command line: what can be asked. Parsing has no effects.

mod access;
mod backup;
mod people;
mod push;
mod search;
mod serve;
mod source;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use access::{AccessArgs, AccessCommand, FilesSay};
pub(crate) use backup::{BackupArgs, CompactArgs, RestoreArgs, RollbackArgs};
pub(crate) use people::{GroupsArgs, GroupsCommand, PasswordArgs, UsersArgs, UsersCommand, YesOrNo};
pub(crate) use push::PushArgs;
pub(crate) use search::{AskArgs, McpArgs, SearchArgs};
pub(crate) use serve::ServeArgs;
pub(crate) use source::{AddSourceArgs, SourceArgs, SourceCommand, TestSourceArgs};

/// Self-hosted semantic search over a company's own documents.
#[derive(Debug, Clone, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// Folder of the index [default: $XDG_DATA_HOME/quarry, or ~/.local/share/quarry].
    #[arg(long, global = true, env = "QUARRY_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Embedding model: a name (`quarry models list`), a Hugging Face repository, a folder or a .gguf file
    /// [default: the bundled one].
    #[arg(long, global = true, env = "QUARRY_MODEL", value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,

    /// Qwen3 reranker, named like the model; without one, results stay in the order of recall.
    #[arg(long, global = true, env = "QUARRY_RERANKER", value_name = "MODEL")]
    pub(crate) reranker: Option<PathBuf>,

    /// Qwen3 model that writes (the server's /v1/chat/completions), named like the model; without one, nothing is
    /// written.
    #[arg(long, global = true, env = "QUARRY_WRITER", value_name = "MODEL")]
    pub(crate) writer: Option<PathBuf>,

    /// Folder of the models that are known by name [default: $XDG_DATA_HOME/quarry-models, or
    /// ~/.local/share/quarry-models].
    #[arg(long, global = true, env = "QUARRY_MODELS_DIR", value_name = "DIR")]
    pub(crate) models_dir: Option<PathBuf>,

    /// In what precision the models compute: `auto` takes bf16 for weights stored so and f32 for others
    /// [default: auto].
    #[arg(long, global = true, env = "QUARRY_PRECISION", value_enum)]
    pub(crate) precision: Option<Precision>,

    /// What the models compute on: auto (a GPU if this build and machine have one), cpu, cuda or cuda:N
    /// [default: auto].
    #[arg(long, global = true, env = "QUARRY_DEVICE", value_name = "DEVICE")]
    pub(crate) device: Option<qwen3::DeviceChoice>,

    /// Leading values of each vector to keep (a model trained for it loses little), at least 32 [default: all].
    #[arg(long, global = true, env = "QUARRY_DIMENSION", value_name = "N")]
    pub(crate) dimension: Option<usize>,

    /// Configuration file [default: ~/.config/quarry/quarry.toml, or /etc/quarry/quarry.toml].
    #[arg(long, global = true, env = "QUARRY_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Form of the log on standard error: `text`, a line for people, or `json`, an object a line [default: text].
    #[arg(long, global = true, env = "QUARRY_LOG_FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,

    /// Say more about what goes on; twice for everything.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Bring folders into the index, or up to date if they are.
    Index(IndexArgs),
    /// Find the passages that answer a question.
    Search(SearchArgs),
    /// Answer a question with sentences of the documents, each with its source. Exit status: 0 answered, 3 not.
    Ask(AskArgs),
    /// Let an assistant on this machine search and read (Model Context Protocol over standard input and output).
    Mcp(McpArgs),
    /// Serve the search page and the REST API, and index while serving.
    Serve(ServeArgs),
    /// Say who may see what, and explain it.
    Access(AccessArgs),
    /// Export what people opened and liked, as counted by a server with insights.
    Insights(InsightsArgs),
    /// Make, list and revoke keys of the API.
    Keys(KeysArgs),
    /// Add, list, disable and remove people who sign in with a password.
    Users(UsersArgs),
    /// Put users into groups, and take them out.
    Groups(GroupsArgs),
    /// Check the configuration file, or show what is in force.
    Config(ConfigArgs),
    /// Print what quarry reads in a file. Exit status: 0 indexed, 3 partly, 4 unreadable or skipped, 5 failed.
    Extract(ExtractArgs),
    /// Show sources, counts, sizes, the model, and what became of every file.
    Status(StatusArgs),
    /// Check this machine, the configuration, the models and the index, and say what to do.
    Doctor(DoctorArgs),
    /// Show what a running server does and did, and have it stop or go on.
    Jobs(JobsArgs),
    /// Check every checksum and cross-reference of the index.
    Verify(VerifyArgs),
    /// Hand documents of another system to a running server, as a program prints them.
    Push(PushArgs),
    /// Add sources, also websites, repositories, buckets, wikis and Confluence; try, fetch and list them.
    Source(SourceArgs),
    /// Take a source and all its documents out of the index. Files are not touched.
    Remove(RemoveArgs),
    /// Copy the index, keys, users and pushed documents to another place; check and list such copies.
    Backup(BackupArgs),
    /// Make a data folder of a backup.
    Restore(RestoreArgs),
    /// Take a rebuild back: the index that it replaced is in force again, without what was removed or forbidden since.
    Rollback(RollbackArgs),
    /// Give back the space of what was removed from the index. Nothing is read or embedded again.
    Compact(CompactArgs),
    /// Fetch, list, check and remove models.
    Models(ModelsArgs),
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Lab(crate::commands::lab::LabCommand),
    /// Write man pages and completions of shells into a folder, for packages.
    #[command(hide = true)]
    Generate(GenerateArgs),
    /// A process that reads files for another quarry.
    #[command(hide = true)]
    ExtractWorker,
    /// Becomes another program that may read files and nothing else.
    #[command(hide = true)]
    RunConfined(RunConfinedArgs),
}

impl Command {
    /// Whether it may make files in the data folder. The other commands make files for their user to share.
    pub(crate) fn writes_data_folder(&self) -> bool {
        match self {
            Self::Index(_) | Self::Search(_) | Self::Ask(_) | Self::Serve(_) => true,
            Self::Access(_) | Self::Keys(_) | Self::Users(_) | Self::Groups(_) => true,
            Self::Status(_) | Self::Verify(_) | Self::Remove(_) => true,
            Self::Config(_) | Self::Doctor(_) | Self::Extract(_) | Self::Insights(_) | Self::Jobs(_) => false,
            Self::Mcp(_) | Self::Models(_) | Self::Push(_) => false,
            Self::Backup(_) | Self::Restore(_) | Self::Compact(_) | Self::Rollback(_) | Self::Source(_) => true,
            #[cfg(feature = "lab")]
            Self::Lab(command) => command.writes_data_folder(),
            Self::ExtractWorker | Self::Generate(_) | Self::RunConfined(_) => false,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    /// As the weights are stored.
    #[default]
    Auto,
    /// 32-bit floating point.
    F32,
    /// 16-bit brain floating point: half the memory.
    Bf16,
    /// 8-bit integers with a scale for every 128: a quarter of the memory, and vectors move a little.
    Int8,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct IndexArgs {
    /// Folders to index; none: all sources again.
    pub(crate) folders: Vec<PathBuf>,
    /// Name of the source, for one folder [default: the folder's name].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Compare files by content, not by size, time and inode.
    #[arg(long)]
    pub(crate) checksum: bool,
    /// Patterns to leave out, as in .gitignore.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Largest file that is read, in MiB [default: `max_file_mb` of the configuration file, or 64].
    #[arg(long, value_name = "MIB")]
    pub(crate) max_file_size: Option<u64>,
    /// Commit at least every N documents: a killed run loses at most the last of these.
    #[arg(long, default_value_t = crate::commands::index::COMMIT_EVERY, value_name = "N")]
    pub(crate) commit_every: usize,
    /// Remove documents also where the folder is suddenly empty, or most of its files are gone.
    #[arg(long)]
    pub(crate) accept_deletions: bool,
    /// Let the files of the named folders say who may see them, from now on: as the file system does, or their owner alone.
    #[arg(long, value_name = "WHAT", requires = "folders")]
    pub(crate) permissions: Option<FilesSay>,
    /// End as soon as all documents are found by their words; the next run, or a server, makes the vectors that are still to come.
    #[arg(long, conflicts_with = "rebuild")]
    pub(crate) no_wait: bool,
    /// Make the index of all sources anew, for another model or format. The old one is searched until the new one is whole.
    #[arg(long)]
    pub(crate) rebuild: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct InsightsArgs {
    #[command(subcommand)]
    pub(crate) command: InsightsCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum InsightsCommand {
    /// Write judgements that follow from clicks and thumbs, with all documents, for `quarry eval` (BEIR layout).
    Export {
        /// A folder that is new or empty.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Look back so many days, today included [default: `keep_days` of the configuration file, or 90].
        #[arg(long, value_name = "N")]
        days: Option<u32>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it, this once.
    Create {
        /// What the key is for.
        name: String,
        /// What it allows; several with commas.
        #[arg(long = "scope", value_enum, value_delimiter = ',', default_values_t = [KeyScope::Search])]
        scopes: Vec<KeyScope>,
        /// Days until it expires [default: never].
        #[arg(long, value_name = "N")]
        days: Option<u32>,
        /// As which user it asks, such as user:bot; without it, it sees what everyone may see [default: nobody].
        #[arg(long = "as", value_name = "USER")]
        user: Option<String>,
        /// Groups of that user, such as staff; several with commas.
        #[arg(long, value_delimiter = ',', value_name = "GROUP", requires = "user")]
        groups: Vec<String>,
        /// The only sources that there are for it; several with commas [default: all].
        #[arg(long, value_delimiter = ',', value_name = "SOURCE")]
        sources: Vec<String>,
    },
    /// Show all keys, without their secrets.
    List,
    /// Revoke a key; a running server refuses it at once.
    Revoke {
        /// The key's id, as `quarry keys list` shows it.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyScope {
    /// Search, read documents and status, use the models.
    Search,
    /// Put and delete documents, bring sources up to date.
    Index,
    /// Everything.
    Admin,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read the configuration file and say what is wrong with it.
    Check,
    /// Print the configuration in force: flags, environment, file, defaults.
    Show,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExtractArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// As JSON: each block with its kind, level, page, cells, bytes and lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct GenerateArgs {
    /// The folder; `man` and `completions` are made in it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RunConfinedArgs {
    /// Bytes of address space.
    #[arg(long)]
    pub(crate) memory: u64,
    /// Seconds of processor time.
    #[arg(long)]
    pub(crate) seconds: u64,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// List the files, all or those in one state.
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "all", value_name = "STATE")]
    pub(crate) files: Option<FileFilter>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The list of files as CSV, for a spreadsheet.
    #[arg(long, requires = "files", conflicts_with = "json")]
    pub(crate) csv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFilter {
    /// Every file.
    All,
    /// Searchable.
    Indexed,
    /// Searchable, but not all of it could be read.
    Partly,
    /// Left out by a rule.
    Skipped,
    /// Cannot be read.
    Unreadable,
    /// Tried again at the next run.
    Failed,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsArgs {
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<JobsCommand>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum JobsCommand {
    /// Call off a pass over a source. What it has committed stays.
    Cancel(JobArgs),
    /// Have a pass, or the making of vectors, wait until it is resumed.
    Pause(JobArgs),
    /// Let a job go on that was paused.
    Resume(JobArgs),
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JobArgs {
    /// Number of the job, as `quarry jobs` shows it.
    #[arg(value_name = "JOB")]
    pub(crate) id: u64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    /// Rebuild what is derived, drop what is damaged and read those files again.
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the source, as `quarry status` shows it.
    pub(crate) source: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) action: ModelsAction,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ModelsAction {
    /// Show the models known by name and those in the models folder.
    List(ModelsListArgs),
    /// Fetch a model; continues where an earlier run was cut off.
    Pull(ModelsPullArgs),
    /// Print the folder or file of a model.
    Path(ModelNameArgs),
    /// Check a model's files, weights and results.
    Verify(ModelsVerifyArgs),
    /// Delete a model from the models folder.
    Remove(ModelNameArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ModelsListArgs {
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ModelNameArgs {
    /// Name or Hugging Face repository.
    #[arg(value_name = "MODEL")]
    pub(crate) name: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ModelsPullArgs {
    /// Name or Hugging Face repository, for GGUF with `:VARIANT`.
    #[arg(value_name = "MODEL")]
    pub(crate) name: String,
    /// Branch, tag or commit [default: main].
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Where to fetch from: a mirror that serves {endpoint}/{repository}/resolve/{revision}/{file}
    /// [default: HF_ENDPOINT, or https://huggingface.co].
    #[arg(long, env = "QUARRY_MODELS_ENDPOINT", value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Tries without any progress before giving up on a file.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) retries: u32,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ModelsVerifyArgs {
    /// Name, Hugging Face repository, folder or .gguf file [default: the model that searches use].
    #[arg(value_name = "MODEL")]
    pub(crate) name: Option<PathBuf>,
    /// What the model is for, where its name does not tell.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<ModelKind>,
    /// Checks to leave out: published values do not hold for a fine-tuned model.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CHECK")]
    pub(crate) skip: Vec<ModelCheck>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelKind {
    /// Gives vectors.
    Embedding,
    /// Gives scores.
    Reranker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelCheck {
    /// Sizes and checksums recorded when the model was fetched.
    Files,
    /// No weight is NaN or infinite.
    Weights,
    /// Results that the model's makers published.
    Golden,
    /// A batch gives what its texts give one by one.
    Batch,
    /// The precisions agree.
    Precision,
    /// The devices agree.
    Devices,
}
