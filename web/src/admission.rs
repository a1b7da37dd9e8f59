//! The limit on requests that compute at once, and on those that wait for it. More are told to come back: a queue that
//! grows without bound helps nobody in it. A place is held while something is computed, never while a client is waited
//! for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::LimitsConfig;
use crate::error::Error;

/// The places for requests that compute.
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    /// The share of the places that long work may have: streams, and searches that are reranked. However many there are,
    /// a short request waits for one turn of theirs at the most.
    long: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

/// A place; free again when it is dropped.
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _long: Option<OwnedSemaphorePermit>,
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
        Self {
            places: Arc::new(Semaphore::new(places)),
            long: Arc::new(Semaphore::new((places / 2).max(1))),
            waiting: AtomicUsize::new(0),
            queue: limits.queue,
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full.
    pub(crate) async fn enter(&self) -> Result<Place, Error> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place { _place: place, _long: None });
        }
        let _waiting = self.queued()?;
        self.place(None).await
    }

    /// Waits for the first turn of long work.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full.
    pub(crate) async fn enter_long(&self) -> Result<Place, Error> {
        let _waiting = self.queued()?;
        self.enter_again().await
    }

    /// Waits for another turn of long work, however long the queue is, since what it has done so far would be lost.
    ///
    /// # Errors
    /// [`Error::Stopping`].
    pub(crate) async fn enter_again(&self) -> Result<Place, Error> {
        let long = Arc::clone(&self.long).acquire_owned().await.map_err(|_| Error::Stopping)?;
        self.place(Some(long)).await
    }

    async fn place(&self, long: Option<OwnedSemaphorePermit>) -> Result<Place, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Stopping)?;
        Ok(Place { _place: place, _long: long })
    }

    /// Joins the queue.
    fn queued(&self) -> Result<Waiting<'_>, Error> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.queue { Err(Error::Busy) } else { Ok(waiting) }
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
    async fn a_short_request_waits_for_one_turn_of_long_work_at_the_most() {
        let limits = LimitsConfig { concurrent: 1, queue: 8, ..LimitsConfig::default() };
        let admission = Arc::new(Admission::new(&limits));
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let first = admission.enter_again().await.unwrap();
        let spawn = |name: &'static str| {
            let (admission, order) = (Arc::clone(&admission), Arc::clone(&order));
            actix_web::rt::spawn(async move {
                let place = if name == "short" { admission.enter().await } else { admission.enter_again().await };
                order.lock().unwrap().push(name);
                drop(place.unwrap());
            })
        };
        let long: Vec<_> = (0..5).map(|_| spawn("long")).collect();
        tokio::task::yield_now().await;
        let short = spawn("short");
        while admission.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(first);
        short.await.unwrap();
        for task in long {
            task.await.unwrap();
        }
        let place = order.lock().unwrap().iter().position(|name| *name == "short").unwrap();
        assert!(place <= 1, "{:?}", order.lock().unwrap());
    }

    #[actix_web::test]
    async fn long_work_leaves_places_to_others() {
        let limits = LimitsConfig { concurrent: 4, ..LimitsConfig::default() };
        let admission = Admission::new(&limits);
        let _long = (admission.enter_again().await.unwrap(), admission.enter_long().await.unwrap());
        let third = tokio::time::timeout(std::time::Duration::from_millis(5), admission.enter_again()).await;
        assert!(third.is_err());
        let _short = (admission.enter().await.unwrap(), admission.enter().await.unwrap());
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
