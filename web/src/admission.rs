//! How many requests compute at once, and how many may wait for it. More are told to come back: a queue that grows
//! without bound helps nobody in it. A place is held while something is computed, never while a client is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::LimitsConfig;
use crate::error::Error;

/// The places for requests that compute.
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

/// One who waits; counted off however the waiting ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let places = if limits.concurrent == 0 { processors } else { limits.concurrent };
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), queue: limits.queue }
    }

    /// Waits for a place; it is free again when the permit is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.queue {
            return Err(Error::Busy);
        }
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Stopping)
    }

    /// Waits for another turn of a request that has had one: beside all others, and however long the queue is, since what
    /// it has done so far would be lost.
    ///
    /// # Errors
    /// [`Error::Stopping`].
    pub(crate) async fn enter_again(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Stopping)
    }

    /// Requests that wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn who_finds_the_queue_full_is_sent_away() {
        let limits = LimitsConfig { concurrent: 1, queue: 1, ..LimitsConfig::default() };
        let admission = Arc::new(Admission::new(&limits));
        let first = admission.enter().await.unwrap();
        let second = actix_web::rt::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter().await.map(drop).is_ok() }
        });
        while admission.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(admission.enter().await, Err(Error::Busy)));
        drop(first);
        assert!(second.await.unwrap());
        assert_eq!(admission.waiting(), 0);
    }

    #[actix_web::test]
    async fn another_turn_waits_behind_those_who_wait_already() {
        let limits = LimitsConfig { concurrent: 1, queue: 8, ..LimitsConfig::default() };
        let admission = Arc::new(Admission::new(&limits));
        let first = admission.enter().await.unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let spawn = |name: &'static str| {
            let (admission, order) = (Arc::clone(&admission), Arc::clone(&order));
            actix_web::rt::spawn(async move {
                let permit = if name == "new" { admission.enter().await } else { admission.enter_again().await };
                order.lock().unwrap().push(name);
                drop(permit.unwrap());
            })
        };
        let new = spawn("new");
        while admission.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let again = spawn("again");
        tokio::task::yield_now().await;
        drop(first);
        new.await.unwrap();
        again.await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["new", "again"]);
    }

    #[actix_web::test]
    async fn giving_up_frees_the_place_in_the_queue() {
        let limits = LimitsConfig { concurrent: 1, queue: 1, ..LimitsConfig::default() };
        let admission = Admission::new(&limits);
        let _first = admission.enter().await.unwrap();
        let waited = tokio::time::timeout(std::time::Duration::from_millis(5), admission.enter()).await;
        assert!(waited.is_err());
        assert_eq!(admission.waiting(), 0);
    }
}
