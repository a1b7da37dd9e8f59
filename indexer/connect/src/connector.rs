//! The connector: all that quarry asks of a place where documents lie. Whoever wants another place mirrored writes this.

use std::path::PathBuf;

use storage::Access;

use crate::error::ConnectError;

/// A way to a place where documents lie: a website, a repository, a store.
///
/// A [`Mirror`](crate::Mirror) asks for what is there, one after the other, and fetches what it does not have in that version. A
/// connector keeps nothing of its own between two syncs and writes nowhere: what it has to know of the last sync it is told
/// ([`Known`]). It answers within the bounds it is given, and looks at its stop flag wherever it waits.
///
/// ```
/// use connect::{ConnectError, Connector, Fetched, Known, Remote};
///
/// /// Notes that a company's own system hands out.
/// struct Notes(Vec<(&'static str, &'static str)>);
///
/// impl Connector for Notes {
///     fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
///         let Some((name, text)) = self.0.pop() else { return Ok(None) };
///         // The version: whatever changes when the note does. Here its length has to do.
///         let remote = Remote::new(name, format!("notes/{name}.md")).of_version(text.len().to_string());
///         Ok(Some(remote.at(format!("https://notes.example/{name}"))))
///     }
///
///     fn fetch(&mut self, remote: &Remote, _: Option<&Known>, _: u64) -> Result<Fetched, ConnectError> {
///         Ok(Fetched::Content { bytes: b"# A note".to_vec(), remote: remote.clone() })
///     }
/// }
/// ```
pub trait Connector: Send {
    /// The next of what is there; `None` once all of it was named. It may name more because of what was fetched in between, as
    /// a website does.
    ///
    /// # Errors
    /// It cannot be found out what is there. The sync ends, and nothing is taken for gone.
    fn next(&mut self) -> Result<Option<Remote>, ConnectError>;

    /// Fetches one, of at most `most` bytes. `known` is what the mirror has of it.
    ///
    /// # Errors
    /// This one cannot be had: what the mirror has of it stays, and the others are fetched all the same.
    fn fetch(&mut self, remote: &Remote, known: Option<&Known>, most: u64) -> Result<Fetched, ConnectError>;

    /// Why what was named is not all that there is, where that is so: then nothing is taken for gone that was not named.
    fn left_out(&self) -> Option<String> {
        None
    }

    /// What people should know of what was named, such as how much of it is not fetched on purpose.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Something that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// What it is known by there: never that of anything else.
    pub id: String,
    /// What its file should be called, with `/` between folders; made safe by the mirror.
    pub name: String,
    /// Another one whenever its content is; `None` where only fetching tells.
    pub version: Option<String>,
    /// Where people find it, for the links of results.
    pub url: Option<String>,
    /// When it was changed last, in seconds of Unix time.
    pub date: Option<i64>,
    /// Who may see it, where the place says that.
    pub access: Option<Access>,
}

impl Remote {
    /// Something of which nothing more is known.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), version: None, url: None, date: None, access: None }
    }

    /// The same, in this version.
    pub fn of_version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// The same, found at this address.
    pub fn at(self, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..self }
    }
}

/// What the mirror has of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its version, as it was told when it was fetched.
    pub version: Option<String>,
    /// Its file.
    pub file: PathBuf,
}

/// What came of fetching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// Its content, and all that is now known of it; the id is the one that was asked for.
    Content {
        /// The content.
        bytes: Vec<u8>,
        /// What is known of it.
        remote: Remote,
    },
    /// It is as the mirror has it.
    Unchanged,
    /// It is there and is not wanted, for this reason: no file is kept of it.
    Unwanted(String),
    /// It is not there any more.
    Gone,
}
