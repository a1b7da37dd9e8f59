//! The facts that every answer but a search's says of itself: its time, and the commit that was looked at.

use std::time::Instant;

use serde::Serialize;
use utoipa::ToSchema;

/// An answer with its time and generation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Timed<T> {
    #[serde(flatten)]
    pub(crate) content: T,
    /// Number of the commit that was looked at.
    pub(crate) generation: u64,
    /// Milliseconds per stage.
    pub(crate) timings: Total,
}

/// Milliseconds of everything.
#[derive(Serialize, ToSchema)]
pub(crate) struct Total {
    pub(crate) total_ms: f64,
}

/// Puts time and generation on an answer.
pub(crate) fn timed<T>(started: Instant, generation: u64, content: T) -> Timed<T> {
    Timed { content, generation, timings: Total { total_ms: started.elapsed().as_secs_f64() * 1e3 } }
}
