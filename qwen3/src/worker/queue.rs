//! Requests on their way to the model thread, and the answers on their way back.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select_biased};

use crate::error::{Error, Result};

/// One request: sequences that are computed under the same circumstances and answered together.
pub(crate) struct Request<O> {
    pub(crate) sequences: Vec<Vec<u32>>,
    reply: Sender<Result<Vec<O>>>,
    caller: Weak<()>,
}

/// An answer that is being computed. Dropping it abandons the request.
#[must_use = "dropping it abandons the request"]
pub struct Pending<O> {
    answer: Receiver<Result<Vec<O>>>,
    tokens: usize,
    _caller: Arc<()>,
}

/// Which requests go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Someone is waiting: served between two batches of bulk work.
    Urgent,
    Bulk,
}

/// The callers' end.
pub(crate) struct Queue<O> {
    urgent: Sender<Request<O>>,
    bulk: Sender<Request<O>>,
}

/// The model thread's end.
pub(crate) struct Inbox<O> {
    urgent: Receiver<Request<O>>,
    bulk: Receiver<Request<O>>,
}

impl<O> Request<O> {
    pub(crate) fn is_abandoned(&self) -> bool {
        self.caller.strong_count() == 0
    }

    pub(crate) fn answer(self, answer: Result<Vec<O>>) {
        // The caller may have gone in the meantime; that is its right.
        let _ = self.reply.send(answer);
    }
}

impl<O> Pending<O> {
    /// Tokens of the request, special tokens included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Blocks until the answer is there: one entry per text, in order.
    ///
    /// # Errors
    /// What went wrong with this request; [`Error::Closed`] if the model thread is gone.
    pub fn wait(self) -> Result<Vec<O>> {
        self.answer.recv().unwrap_or(Err(Error::Closed))
    }

    /// [`Pending::wait`] with a limit: `None` once it has passed, and the request is abandoned.
    pub fn wait_for(self, limit: Duration) -> Option<Result<Vec<O>>> {
        match self.answer.recv_timeout(limit) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Error::Closed)),
        }
    }
}

impl<O> Queue<O> {
    pub(crate) fn new(capacity: usize) -> (Self, Inbox<O>) {
        let (urgent, urgent_inbox) = bounded(capacity.max(1));
        let (bulk, bulk_inbox) = bounded(capacity.max(1));
        (Self { urgent, bulk }, Inbox { urgent: urgent_inbox, bulk: bulk_inbox })
    }

    /// Hands in a request; blocks while the lane is full.
    pub(crate) fn submit(&self, lane: Lane, sequences: Vec<Vec<u32>>) -> Result<Pending<O>> {
        let caller = Arc::new(());
        let (reply, answer) = bounded(1);
        let tokens = sequences.iter().map(Vec::len).sum();
        let request = Request { sequences, reply, caller: Arc::downgrade(&caller) };
        let sender = match lane {
            Lane::Urgent => &self.urgent,
            Lane::Bulk => &self.bulk,
        };
        sender.send(request).map_err(|_| Error::Closed)?;
        Ok(Pending { answer, tokens, _caller: caller })
    }
}

#[cfg(test)]
impl<O> Queue<O> {
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.bulk.is_empty()
    }
}

impl<O> Clone for Queue<O> {
    fn clone(&self) -> Self {
        Self { urgent: self.urgent.clone(), bulk: self.bulk.clone() }
    }
}

impl<O> Inbox<O> {
    /// The next request, urgent ones first; `None` once all callers are gone and nothing is left.
    pub(crate) fn next(&self) -> Option<(Lane, Request<O>)> {
        if let Some(request) = self.next_urgent() {
            return Some((Lane::Urgent, request));
        }
        select_biased! {
            recv(self.urgent) -> request => match request {
                Ok(request) => Some((Lane::Urgent, request)),
                // Both lanes close together: what is left is bulk.
                Err(_) => Some((Lane::Bulk, self.bulk.recv().ok()?)),
            },
            recv(self.bulk) -> request => match request {
                Ok(request) => Some((Lane::Bulk, request)),
                Err(_) => Some((Lane::Urgent, self.urgent.recv().ok()?)),
            },
        }
    }

    /// An urgent request that waits right now, if any.
    pub(crate) fn next_urgent(&self) -> Option<Request<O>> {
        self.urgent.try_recv().ok()
    }
}
