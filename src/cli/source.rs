//! What can be asked of sources: folders, and places elsewhere that are fetched from.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use connect::{MailReaders, Restrictions, Settings};

#[derive(Debug, Clone, Args)]
pub(crate) struct SourceArgs {
    #[command(subcommand)]
    pub(crate) command: SourceCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SourceCommand {
    /// Add a folder, or a place elsewhere whose documents are fetched, and index it. It is kept up with from then on.
    Add(Box<AddSourceArgs>),
    /// Connect to a place and name the first things that are there, or say what is wrong. Nothing is kept.
    Test(Box<TestSourceArgs>),
    /// Fetch what has changed in a source that lies elsewhere, and index it.
    Sync {
        /// Name of the source.
        name: String,
    },
    /// Show the sources, where each comes from, and how that goes.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AddSourceArgs {
    /// Name of the source.
    pub(crate) name: String,
    /// A folder; or https://.. (a website), git+https://.. or git://.. (a repository), webdav+https://.. (Nextcloud and others),
    /// s3+https://STORE/BUCKET/PREFIX, mediawiki+https://.., confluence+https://.., imaps://.. (a mailbox).
    #[arg(value_name = "URL-OR-FOLDER")]
    pub(crate) place: String,
    #[command(flatten)]
    pub(crate) how: PlaceArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct TestSourceArgs {
    /// Name of a source, or an address.
    #[arg(value_name = "NAME-OR-URL")]
    pub(crate) place: String,
    /// Things that are named.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) count: usize,
    #[command(flatten)]
    pub(crate) how: PlaceArgs,
}

/// How documents are fetched from elsewhere.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// Name that quarry is known by there.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// File with the password of that name.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Variable of the environment with it: of the server's, where one runs.
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,
    /// File with a token, sent as Authorization: Bearer.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Variable of the environment with it.
    #[arg(long, value_name = "VARIABLE")]
    token_env: Option<String>,
    /// File with a header line that is sent along, such as Cookie: session=..
    #[arg(long, value_name = "FILE")]
    header_file: Option<PathBuf>,
    /// Certificates (PEM) that the place's own is signed by.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Let its host be at an address that is not public: in the company's network, or on this machine.
    #[arg(long)]
    allow_private: bool,
    /// Branch of a repository [default: its own].
    #[arg(long)]
    branch: Option<String>,
    /// Folder of a repository [default: all of it].
    #[arg(long, value_name = "PATH")]
    folder: Option<String>,
    /// Region of a bucket's store [default: us-east-1].
    #[arg(long)]
    region: Option<String>,
    /// What becomes of pages of Confluence that only some people may read there [default: leave-out].
    #[arg(long, value_enum)]
    restrictions: Option<RestrictionsArg>,
    /// Whom the messages of a mailbox are open to [default: owner].
    #[arg(long, value_enum)]
    mail_readers: Option<MailReadersArg>,
    /// Address of a document for people, with {path} in it, where the place does not say that (a repository).
    #[arg(long, value_name = "TEMPLATE")]
    link: Option<String>,
    /// Least milliseconds between two requests [default: 250].
    #[arg(long, value_name = "N")]
    pause_ms: Option<u64>,
    /// Files that are kept at the most [default: 20000].
    #[arg(long, value_name = "N")]
    max_files: Option<usize>,
    /// MiB of one file [default: 64].
    #[arg(long, value_name = "MIB")]
    max_file_mb: Option<u64>,
    /// MiB of all files [default: 10240].
    #[arg(long, value_name = "MIB")]
    max_total_mb: Option<u64>,
    /// Links that lead from the first page of a website to one at the most [default: 16].
    #[arg(long, value_name = "N")]
    max_depth: Option<usize>,
    /// Minutes that one sync takes at the most [default: 240].
    #[arg(long, value_name = "N")]
    max_minutes: Option<u64>,
}

/// What becomes of pages that only some people may read where they lie.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RestrictionsArg {
    /// They are not fetched.
    LeaveOut,
    /// They are open to the users and groups that are called the same here.
    SameNames,
}

impl From<RestrictionsArg> for Restrictions {
    fn from(said: RestrictionsArg) -> Self {
        match said {
            RestrictionsArg::LeaveOut => Self::LeaveOut,
            RestrictionsArg::SameNames => Self::SameNames,
        }
    }
}

/// Whom the messages of a mailbox are open to.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MailReadersArg {
    /// The user who is called as the account that signs in.
    Owner,
    /// Whom the source is open to.
    Source,
}

impl From<MailReadersArg> for MailReaders {
    fn from(said: MailReadersArg) -> Self {
        match said {
            MailReadersArg::Owner => Self::Owner,
            MailReadersArg::Source => Self::Source,
        }
    }
}

impl PlaceArgs {
    /// The settings of a place at an address.
    pub(crate) fn settings(&self, url: &str) -> std::io::Result<Settings> {
        let usual = Settings::at(url);
        let how = self.clone();
        let mut settings = Settings {
            user: how.user,
            password_file: how.password_file,
            password_env: how.password_env,
            token_file: how.token_file,
            token_env: how.token_env,
            header_file: how.header_file,
            ca_file: how.ca_file,
            allow_private: how.allow_private,
            branch: how.branch,
            folder: how.folder,
            region: how.region,
            restrictions: how.restrictions.map_or(usual.restrictions, Restrictions::from),
            mail_readers: how.mail_readers.map_or(usual.mail_readers, MailReaders::from),
            link: how.link,
            pause_ms: how.pause_ms.unwrap_or(usual.pause_ms),
            max_files: how.max_files.unwrap_or(usual.max_files),
            max_file_mb: how.max_file_mb.unwrap_or(usual.max_file_mb),
            max_total_mb: how.max_total_mb.unwrap_or(usual.max_total_mb),
            max_depth: how.max_depth.unwrap_or(usual.max_depth),
            max_minutes: how.max_minutes.unwrap_or(usual.max_minutes),
            ..usual
        };
        // A server has another working folder.
        for file in settings.files_mut() {
            *file = std::path::absolute(&*file)?;
        }
        Ok(settings)
    }

    /// Whether nothing is said.
    pub(crate) fn is_silent(&self) -> bool {
        self.settings("").is_ok_and(|settings| settings == Settings::default())
    }
}
