//! The model thread. A model is expensive and computes best alone, so it owns a thread behind bounded queues; callers
//! hold cheap handles. Queries overtake documents, a request whose caller is gone is skipped, and an error or a panic
//! in one request is that request's answer: the thread goes on.

mod handles;
mod queue;
mod thread;

pub use handles::{EmbedHandle, RerankHandle};
pub use queue::Pending;

use serde::{Deserialize, Serialize};

/// How a model thread takes its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerOptions {
    /// Requests that may wait in each queue; a caller blocks while it is full.
    pub queue: usize,
    /// Tokens of one batch; a longer single text still runs, alone.
    pub batch_tokens: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { queue: 64, batch_tokens: 4096 }
    }
}
