//! The statistics of a model thread, counted where it happens and read from anywhere.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde::Serialize;

/// A model thread at one moment; counts are since it started.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WorkerStats {
    /// Queries that wait to be computed.
    pub waiting_urgent: usize,
    /// Requests for documents that someone waits for.
    pub waiting_soon: usize,
    /// Other requests that wait.
    pub waiting_bulk: usize,
    /// Requests taken from the queues.
    pub requests: u64,
    /// Requests whose caller left before they were computed whole.
    pub abandoned: u64,
    /// Requests to an endpoint that gave no answer; of a model elsewhere.
    pub failures: u64,
    /// Batches computed.
    pub batches: u64,
    /// Tokens computed, a shared prefix not counted.
    pub tokens: u64,
    /// Tokens of the latest batch.
    pub batch_tokens: u64,
    /// Seconds spent computing.
    pub busy_seconds: f64,
    /// Seconds since the thread started.
    pub up_seconds: f64,
    /// Answers taken from the cache.
    pub cache_hits: u64,
    /// Answers that had to be computed.
    pub cache_misses: u64,
    /// Answers in the cache.
    pub cache_entries: usize,
}

impl WorkerStats {
    /// Tokens per second while computing; 0 before the first batch.
    pub fn tokens_per_second(&self) -> f64 {
        if self.busy_seconds > 0.0 { self.tokens as f64 / self.busy_seconds } else { 0.0 }
    }

    /// Share of its life that the thread computed, 0 to 1.
    pub fn utilisation(&self) -> f64 {
        if self.up_seconds > 0.0 { (self.busy_seconds / self.up_seconds).min(1.0) } else { 0.0 }
    }
}

/// The counters that a model's threads and its handles share.
pub struct Meter {
    started: Instant,
    requests: AtomicU64,
    abandoned: AtomicU64,
    failures: AtomicU64,
    batches: AtomicU64,
    tokens: AtomicU64,
    batch_tokens: AtomicU64,
    busy_nanos: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// Nothing was done yet.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            requests: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
            batch_tokens: AtomicU64::new(0),
            busy_nanos: AtomicU64::new(0),
        }
    }

    /// A request was taken.
    pub fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// A request's caller had left.
    pub fn abandoned(&self) {
        self.abandoned.fetch_add(1, Relaxed);
    }

    /// An endpoint gave no answer.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// A batch was computed.
    pub fn batch(&self, tokens: usize, took: Duration) {
        self.batches.fetch_add(1, Relaxed);
        self.tokens.fetch_add(tokens as u64, Relaxed);
        self.batch_tokens.store(tokens as u64, Relaxed);
        self.busy_nanos.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    /// Everything but queues and cache, which the meter does not see.
    pub fn read(&self) -> WorkerStats {
        WorkerStats {
            requests: self.requests.load(Relaxed),
            abandoned: self.abandoned.load(Relaxed),
            failures: self.failures.load(Relaxed),
            batches: self.batches.load(Relaxed),
            tokens: self.tokens.load(Relaxed),
            batch_tokens: self.batch_tokens.load(Relaxed),
            busy_seconds: self.busy_nanos.load(Relaxed) as f64 * 1e-9,
            up_seconds: self.started.elapsed().as_secs_f64(),
            ..WorkerStats::default()
        }
    }
}
