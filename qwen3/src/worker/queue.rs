//! Requests on their way to the model thread, and the answers on their way back, batch by batch.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select_biased, unbounded};

use super::stats::{Meter, WorkerStats};
use crate::error::{Error, Result};

/// Outputs of one batch, with the indexes of their sequences in the request.
type Part<O> = Vec<(usize, O)>;

/// One request: sequences that are computed under the same circumstances.
pub(crate) struct Request<O> {
    pub(crate) sequences: Vec<Vec<u32>>,
    pub(crate) reply: Reply<O>,
}

/// The other end of a [`Pending`]: where its outputs are handed in. Once all clones are gone, nothing comes any more.
pub struct Reply<O> {
    parts: Sender<Result<Part<O>>>,
    caller: Weak<()>,
}

/// An answer that is being computed. Dropping it abandons the request.
#[must_use = "dropping it abandons the request"]
pub struct Pending<O> {
    parts: Receiver<Result<Part<O>>>,
    outputs: Vec<Option<O>>,
    /// Where the output of each sequence that was handed in belongs.
    places: Vec<usize>,
    missing: usize,
    tokens: usize,
    on_output: Option<OnOutput<O>>,
    _caller: Arc<()>,
}

/// How an answer came on, see [`Pending::advance_until`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Something arrived, more is to come.
    More,
    /// Everything is there.
    Complete,
    /// Nothing arrived in time.
    Late,
}

/// Told of each output as it arrives, with the index of its sequence among those handed in.
type OnOutput<O> = Box<dyn Fn(usize, &O) + Send + Sync>;

/// Which requests go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Short, and someone is waiting: served together, between any two batches of other work.
    Urgent,
    /// Someone is waiting, perhaps for much: served between two batches of bulk work, one request after each.
    Soon,
    /// Nobody looks at the clock.
    Bulk,
}

/// The callers' end.
pub(crate) struct Queue<O> {
    urgent: Sender<Request<O>>,
    soon: Sender<Request<O>>,
    bulk: Sender<Request<O>>,
    meter: Arc<Meter>,
}

/// The model thread's end.
pub(crate) struct Inbox<O> {
    urgent: Receiver<Request<O>>,
    soon: Receiver<Request<O>>,
    bulk: Receiver<Request<O>>,
    pub(crate) meter: Arc<Meter>,
}

impl<O> Reply<O> {
    /// Whether nobody waits any more.
    pub fn is_abandoned(&self) -> bool {
        self.caller.strong_count() == 0
    }

    /// Hands in outputs, each with the index of its sequence; the channel has room for all that there can be.
    pub fn answer(&self, part: Vec<(usize, O)>) {
        // The caller may have gone in the meantime; that is its right.
        let _ = self.parts.send(Ok(part));
    }

    /// Ends it with what went wrong.
    pub fn fail(&self, error: Error) {
        let _ = self.parts.send(Err(error));
    }
}

impl<O> Clone for Reply<O> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), caller: Weak::clone(&self.caller) }
    }
}

impl<O> Pending<O> {
    /// An answer to be of `count` outputs, made from about `tokens`, and where they are handed in.
    pub fn awaiting(count: usize, tokens: usize) -> (Reply<O>, Self) {
        let caller = Arc::new(());
        // Bounded by the sequences of the request: every part holds at least one.
        let (parts_in, parts) = unbounded();
        let reply = Reply { parts: parts_in, caller: Arc::downgrade(&caller) };
        let outputs = (0..count).map(|_| None).collect();
        let places = (0..count).collect();
        (reply, Self { parts, outputs, places, missing: count, tokens, on_output: None, _caller: caller })
    }

    /// Tokens of the request that have to be computed, special tokens included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// What has arrived so far: one entry per text, in order.
    pub fn outputs(&self) -> &[Option<O>] {
        &self.outputs
    }

    /// Blocks until more has arrived; `false` once everything has.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn advance(&mut self) -> Result<bool> {
        if self.missing == 0 {
            return Ok(false);
        }
        let part = self.parts.recv().unwrap_or(Err(Error::Closed))?;
        self.take(part);
        Ok(true)
    }

    /// [`Pending::advance`] with a limit; what has arrived by then stays.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn advance_until(&mut self, deadline: Instant) -> Result<Arrival> {
        if self.missing == 0 {
            return Ok(Arrival::Complete);
        }
        match self.parts.recv_deadline(deadline) {
            Ok(part) => self.take(part?),
            Err(RecvTimeoutError::Timeout) => return Ok(Arrival::Late),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Closed),
        }
        Ok(if self.missing == 0 { Arrival::Complete } else { Arrival::More })
    }

    /// Blocks until the whole answer is there: one entry per text, in order.
    ///
    /// # Errors
    /// What went wrong with this request; [`Error::Closed`] if the model thread is gone.
    pub fn wait(mut self) -> Result<Vec<O>> {
        while self.advance()? {}
        Ok(self.outputs.into_iter().flatten().collect())
    }

    /// [`Pending::wait`] with a limit: `None` once it has passed, and the request is abandoned.
    pub fn wait_for(mut self, limit: Duration) -> Option<Result<Vec<O>>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.advance_until(deadline) {
                Ok(Arrival::Complete) => return Some(Ok(self.outputs.into_iter().flatten().collect())),
                Ok(Arrival::More) => {}
                Ok(Arrival::Late) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// What has arrived by now; the rest is abandoned.
    pub fn leave(self) -> Vec<Option<O>> {
        self.outputs
    }

    fn take(&mut self, part: Part<O>) {
        for (index, output) in part {
            if let Some(told) = &self.on_output {
                told(index, &output);
            }
            let place = &mut self.outputs[self.places[index]];
            if place.replace(output).is_none() {
                self.missing -= 1;
            }
        }
    }

    /// Puts outputs that were known before between the ones to come. `known` has a `None` for each sequence that was
    /// handed in, in their order.
    pub(crate) fn with_known(mut self, known: Vec<Option<O>>) -> Self {
        debug_assert_eq!(known.iter().filter(|output| output.is_none()).count(), self.places.len());
        self.places = (0..known.len()).filter(|index| known[*index].is_none()).collect();
        self.outputs = known;
        self
    }

    /// Calls `told` with each output as it arrives and the index of its sequence among those handed in.
    pub(crate) fn on_output(mut self, told: impl Fn(usize, &O) + Send + Sync + 'static) -> Self {
        self.on_output = Some(Box::new(told));
        self
    }
}

impl<O> Queue<O> {
    pub(crate) fn new(capacity: usize) -> (Self, Inbox<O>) {
        let (urgent, urgent_inbox) = bounded(capacity.max(1));
        let (soon, soon_inbox) = bounded(capacity.max(1));
        let (bulk, bulk_inbox) = bounded(capacity.max(1));
        let meter = Arc::new(Meter::new());
        let inbox = Inbox { urgent: urgent_inbox, soon: soon_inbox, bulk: bulk_inbox, meter: Arc::clone(&meter) };
        (Self { urgent, soon, bulk, meter }, inbox)
    }

    /// Hands in a request; blocks while the lane is full. A request without sequences is answered at once.
    pub(crate) fn submit(&self, lane: Lane, sequences: Vec<Vec<u32>>) -> Result<Pending<O>> {
        let count = sequences.len();
        let (reply, pending) = Pending::awaiting(count, sequences.iter().map(Vec::len).sum());
        let request = Request { sequences, reply };
        let sender = match lane {
            Lane::Urgent => &self.urgent,
            Lane::Soon => &self.soon,
            Lane::Bulk => &self.bulk,
        };
        if count > 0 {
            sender.send(request).map_err(|_| Error::Closed)?;
        }
        Ok(pending)
    }

    /// The thread's counts and what waits for it.
    pub(crate) fn stats(&self) -> WorkerStats {
        WorkerStats {
            waiting_urgent: self.urgent.len(),
            waiting_soon: self.soon.len(),
            waiting_bulk: self.bulk.len(),
            ..self.meter.read()
        }
    }
}

impl<O> Clone for Queue<O> {
    fn clone(&self) -> Self {
        Self {
            urgent: self.urgent.clone(),
            soon: self.soon.clone(),
            bulk: self.bulk.clone(),
            meter: Arc::clone(&self.meter),
        }
    }
}

impl<O> Inbox<O> {
    /// The next request, by lane; `None` once all callers are gone and nothing is left.
    pub(crate) fn next(&self) -> Option<(Lane, Request<O>)> {
        // All lanes close together: where one is closed, the others hold what is left.
        select_biased! {
            recv(self.urgent) -> request => request.ok().map(|request| (Lane::Urgent, request)).or_else(|| self.left()),
            recv(self.soon) -> request => request.ok().map(|request| (Lane::Soon, request)).or_else(|| self.left()),
            recv(self.bulk) -> request => request.ok().map(|request| (Lane::Bulk, request)).or_else(|| self.left()),
        }
    }

    fn left(&self) -> Option<(Lane, Request<O>)> {
        let lanes = [(Lane::Urgent, &self.urgent), (Lane::Soon, &self.soon), (Lane::Bulk, &self.bulk)];
        lanes.into_iter().find_map(|(lane, requests)| Some((lane, requests.recv().ok()?)))
    }

    /// A request of the lane that waits right now, if any.
    pub(crate) fn waiting(&self, lane: Lane) -> Option<Request<O>> {
        let requests = match lane {
            Lane::Urgent => &self.urgent,
            Lane::Soon => &self.soon,
            Lane::Bulk => &self.bulk,
        };
        requests.try_recv().ok()
    }
}
