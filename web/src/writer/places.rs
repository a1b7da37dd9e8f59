//! A place in the writer's order for whoever is going to put files in place: first it is reserved, then waited for, then
//! the files are put in place, then they are committed. So nothing that was accepted earlier undoes it later.

use std::sync::Arc;

use storage::Source;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::order::PlaceId;
use super::queue::Committed;
use crate::error::Error;

/// Places that may have to wait. Dropping it gives them away.
pub(crate) struct Reservation(Places);

/// Places whose turn it is: the files may be put in place. Dropping it gives them away; nothing is committed then.
pub(crate) struct Turn(Places);

/// A change that waits for its commit.
pub(crate) struct Placed {
    pub(crate) source: Source,
    pub(crate) job: u64,
    /// What became of it. Closed without an answer if the server stops before.
    pub(crate) answer: oneshot::Receiver<Committed>,
}

struct Places {
    shared: Arc<Shared>,
    places: Vec<Place>,
}

/// One source's place.
pub(super) struct Place {
    pub(super) id: PlaceId,
    pub(super) clear: oneshot::Receiver<()>,
    pub(super) placed: Placed,
}

impl Reservation {
    pub(super) fn new(shared: Arc<Shared>, places: Vec<Place>) -> Self {
        Self(Places { shared, places })
    }

    /// Waits until everything that was accepted earlier and must come before is done.
    ///
    /// # Errors
    /// [`Error::SourceBusy`] if that takes too long, [`Error::Unwritable`], [`Error::Stopping`]: nothing has happened.
    pub(crate) async fn cleared(mut self, until: Instant) -> Result<Turn, Error> {
        for place in &mut self.0.places {
            match timeout_at(until, &mut place.clear).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.0.shared.refusal()),
                Err(_) => return Err(Error::SourceBusy { source_name: place.placed.source.name.clone() }),
            }
        }
        Ok(Turn(self.0))
    }
}

impl Turn {
    /// Hands what was put in place to the writer. From here on it is committed, whether or not anybody waits.
    pub(crate) fn commit(mut self) -> Vec<Placed> {
        let places = std::mem::take(&mut self.0.places);
        let commit = |place: Place| {
            self.0.shared.ready(place.id);
            place.placed
        };
        places.into_iter().map(commit).collect()
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for place in &self.places {
            self.shared.give_away(place.id, place.placed.job);
        }
    }
}
