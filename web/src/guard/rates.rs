//! The rate limit of each client: a bucket of tokens for each, filled at a steady rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::config::LimitsConfig;
use crate::error::Error;

/// Clients that are kept in mind before those with full buckets are forgotten.
const REMEMBERED: usize = 10_000;

/// The buckets of all clients.
pub(crate) struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rates {
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        Self::of((limits.rate_burst, f64::from(limits.rate_per_second)))
    }

    /// So many at once, and so many a second after that; 0 a second: any number.
    pub(crate) fn of((burst, per_second): (u32, f64)) -> Self {
        Self { per_second, burst: f64::from(burst.max(1)), buckets: Mutex::default() }
    }

    /// Gives a client back what it was charged for nothing.
    pub(crate) fn give_back(&self, client: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(client) {
            bucket.tokens = (bucket.tokens + 1.0).min(self.burst);
        }
    }

    /// Takes one token of a client.
    ///
    /// # Errors
    /// [`Error::Rate`] if it has none left.
    pub(crate) fn take(&self, client: &str) -> Result<(), Error> {
        self.take_at(client, Instant::now())
    }

    fn take_at(&self, client: &str, now: Instant) -> Result<(), Error> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| self.level(bucket, now) < self.burst);
        }
        let bucket = buckets.entry(client.to_string()).or_insert(Bucket { tokens: self.burst, filled: now });
        bucket.tokens = self.level(bucket, now);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            let seconds = ((1.0 - bucket.tokens) / self.per_second).ceil();
            return Err(Error::Rate { retry_after: (seconds as u64).max(1) });
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn level(&self, bucket: &Bucket, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(bucket.filled).as_secs_f64();
        (bucket.tokens + seconds * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_then_the_rate_and_each_for_itself() {
        let rates = Rates::new(&LimitsConfig { rate_per_second: 2, rate_burst: 3, ..LimitsConfig::default() });
        let start = Instant::now();
        assert!((0..3).all(|_| rates.take_at("a", start).is_ok()));
        assert!(matches!(rates.take_at("a", start), Err(Error::Rate { retry_after: 1 })));
        assert!(rates.take_at("b", start).is_ok());
        assert!(rates.take_at("a", start + Duration::from_millis(600)).is_ok());
        assert!(rates.take_at("a", start + Duration::from_millis(600)).is_err());
    }

    #[test]
    fn no_rate_no_limit() {
        let rates = Rates::new(&LimitsConfig::default());
        assert!((0..1_000).all(|_| rates.take("a").is_ok()));
    }
}
