//! The model thread. A model is expensive and computes best alone, so it owns a thread behind bounded queues; callers
//! hold cheap handles. Queries overtake documents, documents that someone waits for overtake those of an indexing run, a request whose caller is gone is skipped, and an error or a panic
//! in one request is that request's answer: the thread goes on.

mod batches;
mod cache;
mod handles;
mod here;
mod model;
mod queue;
mod stats;
mod thread;

pub use handles::{EmbedHandle, PendingQuery, RerankHandle};
pub use model::{EmbedModel, RerankModel};
pub use queue::{Arrival, Lane, Pending, Reply};
pub use stats::{Meter, WorkerStats};
pub(crate) use thread::guarded;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a model thread takes its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerOptions {
    /// Requests that may wait in each queue; a caller blocks while it is full.
    pub queue: usize,
    /// Most tokens of one batch; a longer single text still runs, alone.
    pub batch_tokens: usize,
    /// How long a batch should take at most, in milliseconds: a query waits for the batch before it, so batches shrink
    /// on a machine where the model is slow. 256 tokens are always taken at once.
    pub batch_millis: u64,
    /// Memory for answers that are kept (query vectors, or scores), in bytes; 0 keeps none.
    pub cache_bytes: usize,
}

impl WorkerOptions {
    fn batch_time(&self) -> Duration {
        Duration::from_millis(self.batch_millis)
    }
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { queue: 64, batch_tokens: 4096, batch_millis: 250, cache_bytes: 16 << 20 }
    }
}
