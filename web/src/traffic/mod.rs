//! The traffic under way between the server and its clients, and its limits: bytes in memory, answers that are sent
//! while they are made, uploads on disk.
//!
//! Promises: a client that is slow, or does not read or send at all, costs a bounded part of each, also with many
//! connections; it holds no place to compute and no thread while it is waited for; and one that takes nothing for
//! `limits.stalled_seconds` is cut off.

mod budget;
mod metered;
mod pieces;
mod stall;
pub(crate) mod unpacked;

use std::sync::Arc;

use actix_web::{HttpMessage as _, HttpRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use budget::{Budget, Ticket};
pub(crate) use metered::metered;
pub(crate) use pieces::Pieces;
pub(crate) use stall::cut_off_after;
pub(crate) use unpacked::Unpacked;

use crate::config::LimitsConfig;
use crate::error::Error;
use crate::guard::Caller;

/// Bytes of an answer that are sent at once.
pub(crate) const PIECE: usize = 64 << 10;
/// Requests that write to disk at once.
const KEEPERS: usize = 8;

/// The budgets of all clients.
pub(crate) struct Traffic {
    /// Bytes of requests and answers in memory.
    pub(crate) memory: Budget,
    /// Answers that are sent while they are made.
    pub(crate) transfers: Budget,
    /// Bytes of uploads on disk that are not in place yet.
    pub(crate) unfinished: Budget,
    /// Requests that write to disk.
    keepers: Arc<Semaphore>,
}

impl Traffic {
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        Self {
            memory: Budget::new("bytes in memory", limits.inflight_bytes, limits.client_inflight_bytes),
            transfers: Budget::new("open streams and downloads", limits.transfers, limits.client_transfers),
            unfinished: Budget::new(
                "bytes of unfinished uploads",
                limits.unfinished_bytes,
                limits.client_unfinished_bytes,
            ),
            keepers: Arc::new(Semaphore::new(KEEPERS)),
        }
    }

    /// What an answer needs that is sent while it is made: a place, and the memory of the pieces on their way.
    ///
    /// # Errors
    /// [`Error::Crowded`], [`Error::OverShare`].
    pub(crate) fn transfer(&self, client: &str) -> Result<[Ticket; 2], Error> {
        Ok([self.transfers.take(client, 1)?, self.memory.take(client, 2 * PIECE)?])
    }

    /// Waits until a request may write to disk: those that wait take no thread.
    ///
    /// # Errors
    /// [`Error::Stopping`].
    pub(crate) async fn keep(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.keepers).acquire_owned().await.map_err(|_| Error::Stopping)
    }
}

/// By whom a request is counted: its key, the user a proxy names, or its address.
pub(crate) fn client_of(request: &HttpRequest) -> String {
    if let Some(caller) = request.extensions().get::<Caller>() {
        return caller.name.clone();
    }
    request.peer_addr().map_or_else(|| "unknown".to_string(), |peer| peer.ip().to_string())
}
