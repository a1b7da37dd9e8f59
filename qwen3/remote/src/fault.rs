//! Faults: why a model elsewhere cannot be asked, or gives no answer.

use std::time::Duration;

use crate::line::AGAIN;

/// Bytes of a refusal that are shown.
const SHOWN: usize = 200;

/// Why a model elsewhere cannot be asked, or gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// That is no address.
    #[error("expected an address such as http://127.0.0.1:8000/v1, got {0:?}")]
    Address(String),
    /// The address would be printed with its password.
    #[error("an address must not hold a password; a key has a place of its own")]
    Password,
    /// Passages would leave the machine unencrypted.
    #[error("{0} is another machine, and http would send the passages there unencrypted; use https")]
    Unencrypted(String),
    /// There is something where the key should be, but no key.
    #[error("expected a key in {place}: one line of letters, digits and signs")]
    Key {
        /// Where it was looked for.
        place: String,
    },
    /// The file of the key cannot be read.
    #[error("cannot read the key in {path}")]
    KeyFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It would not help to go on: the key, the address or the model's name is wrong.
    #[error("{host} answers {status}: {reason}; check the address, the name of the model and the key")]
    Refused {
        /// The endpoint.
        host: String,
        /// HTTP status.
        status: u16,
        /// What it says.
        reason: String,
    },
    /// It may work later.
    #[error("{host}: {reason}")]
    Failed {
        /// The endpoint.
        host: String,
        /// What went wrong.
        reason: String,
        /// When the endpoint wants to be asked again.
        after: Option<Duration>,
    },
    /// It answers what cannot be used.
    #[error("{host}: {reason}")]
    Nonsense {
        /// The endpoint.
        host: String,
        /// What was expected, and what came.
        reason: String,
    },
    /// The threads that ask it could not be started.
    #[error("cannot start a thread for a model elsewhere")]
    Thread(#[source] std::io::Error),
    /// The forms of its texts make no sense.
    #[error(transparent)]
    Form(qwen3::Error),
    /// It failed a moment ago, and is left alone.
    #[error("{host} failed a moment ago and is asked again in {} s", .after.as_secs().max(1))]
    Resting {
        /// The endpoint.
        host: String,
        /// What went wrong last.
        reason: String,
        /// When it is asked again.
        after: Duration,
    },
}

impl Fault {
    /// Whether it may work later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Resting { .. })
    }

    /// Whether it is about the texts that were sent, and not about the model.
    pub(crate) fn is_of_texts(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 413 | 422, .. })
    }

    /// Whether there may have been too much in one request.
    pub(crate) fn is_of_size(&self) -> bool {
        matches!(self, Self::Refused { status: 413 | 422, .. })
    }

    /// What is wrong, without the host.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Failed { reason, .. } | Self::Nonsense { reason, .. } | Self::Resting { reason, .. } => {
                reason.clone()
            }
            Self::Refused { status, reason, .. } => {
                format!("it answers {status}: {reason}; check the address, the name of the model and the key")
            }
            other => other.to_string(),
        }
    }

    /// What it is to whoever has the model behind a handle.
    pub(crate) fn of_model(self, host: &str) -> qwen3::Error {
        let host = host.to_owned();
        match self {
            Self::Failed { reason, after, .. } => qwen3::Error::Away { host, reason, after: after.unwrap_or(AGAIN) },
            Self::Resting { reason, after, .. } => qwen3::Error::Away { host, reason, after },
            Self::Refused { status, reason, .. } if matches!(status, 400 | 413 | 422) => {
                qwen3::Error::NotTaken { host, reason: format!("it answers {status}: {reason}") }
            }
            other => qwen3::Error::Unusable { host, reason: other.reason() },
        }
    }
}

/// The beginning of what a server says, on one line.
pub(crate) fn shown(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    let end = line.char_indices().nth(SHOWN).map_or(line.len(), |(at, _)| at);
    line[..end].to_owned()
}
