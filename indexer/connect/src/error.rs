//! What goes wrong between here and where documents lie, in words that say what was expected and what to do.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Why nothing comes from where documents lie.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// That is no address of anything that can be mirrored.
    #[error(
        "expected an address such as https://handbook.example/ (a website), git+https://git.example/wiki.git, \
         webdav+https://cloud.example/dav/, s3+https://minio.example/BUCKET/PREFIX, mediawiki+https://wiki.example/w/api.php, \
         confluence+https://company.atlassian.net/wiki or imaps://mail.example/INBOX, got {address:?}"
    )]
    Address {
        /// What was given.
        address: String,
    },
    /// The address would be printed with its password.
    #[error(
        "an address must not hold a name or a password, as it is shown; give the name as user, and put the password into a \
         file (password_file) or the environment (password_env)"
    )]
    UserInfo,
    /// A setting that makes no sense, or not here.
    #[error("{setting}: {expected}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was expected, and what came.
        expected: String,
    },
    /// A file cannot be read that a setting names.
    #[error("{setting}: cannot read {}", .path.display())]
    SettingFile {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A password would go to another machine unencrypted.
    #[error("a password would go to {host} unencrypted; use https")]
    Unencrypted {
        /// Whose it is.
        host: String,
    },
    /// It lies where a name from outside must not lead to.
    #[error(
        "{host} is at {address}, which is no public address; if that is meant, set allow_private for the source, which lets it \
         through for this host alone"
    )]
    Private {
        /// The host.
        host: String,
        /// Where it is.
        address: IpAddr,
    },
    /// It may work later.
    #[error("{host}: {reason}")]
    Failed {
        /// Who did not answer.
        host: String,
        /// What went wrong.
        reason: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// It would not help to ask again.
    #[error("{host} answers {status} for {address}: {cure}")]
    Refused {
        /// Who refuses.
        host: String,
        /// What is not given.
        address: String,
        /// The HTTP status.
        status: u16,
        /// What to look at.
        cure: &'static str,
    },
    /// It answers what cannot be used.
    #[error("{host}: {reason}")]
    Nonsense {
        /// Who answers.
        host: String,
        /// What was expected, and what came.
        reason: String,
    },
    /// One file is larger than is read.
    #[error("it has more than {most} bytes, as many as are read of one file")]
    TooLarge {
        /// The limit.
        most: u64,
    },
    /// A program that was run for it failed.
    #[error("{program}: {reason}")]
    Program {
        /// The program.
        program: &'static str,
        /// What it said.
        reason: String,
    },
    /// A program that is needed is not there.
    #[error("cannot run {program}; is it installed?")]
    NoProgram {
        /// The program.
        program: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The folder of the mirror cannot be used.
    #[error("cannot {action} {}", .path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody asked it to stop.
    #[error("stopped")]
    Stopped,
}

impl ConnectError {
    /// An error of the disk, for `map_err`.
    pub(crate) fn disk(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { action, path, source }
    }

    /// Whether it may be another answer a moment later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Whether it is about what is asked for, and not about one file: nothing that follows would be any better.
    pub(crate) fn ends_sync(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::Refused { .. } | Self::Nonsense { .. } | Self::TooLarge { .. })
    }
}

/// The beginning of what somebody else says, on one line, without what a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MOST).collect()
}
