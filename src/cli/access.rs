//! What can be asked of `quarry access`, and what files can say of who may see them.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Args)]
pub(crate) struct AccessArgs {
    #[command(subcommand)]
    pub(crate) command: AccessCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AccessCommand {
    /// Show the rules of all sources.
    List,
    /// Say who may see a source: principals, with ! before those that it keeps out. Replaces what was said before.
    Set {
        /// Name of the source.
        source: String,
        /// Who may see it: user:NAME, group:NAME, signed-in, everyone; none: nobody but administrators.
        #[arg(value_name = "PRINCIPAL")]
        entries: Vec<String>,
        /// Say it of some paths only, such as payroll/**, and keep the other rules; the last rule that matches counts.
        #[arg(long, value_name = "GLOB")]
        paths: Option<String>,
    },
    /// Leave a source open to whoever may search.
    Open {
        /// Name of the source.
        source: String,
    },
    /// Say which rules let people see a document, and whether they let somebody through.
    Explain {
        /// The document: its source and path, as in wiki/leave.md, or its id.
        document: String,
        /// Somebody who is all of these: user:anna,group:hr.
        #[arg(long = "as", value_name = "PRINCIPAL", value_delimiter = ',')]
        seen_as: Vec<String>,
    },
    /// List the documents of a source that nobody can see, and those that everybody can.
    Check {
        /// Name of the source.
        source: String,
    },
}

/// What files say of who may see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FilesSay {
    /// Who may read the file, and search every folder above it.
    Posix,
    /// Their owner and nobody else: folders of mail.
    Owner,
    /// Nothing.
    None,
}
