//! The loop of a model thread: take a request, cut it into batches of about equal lengths, compute, answer each.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant},
};

use super::{
    WorkerOptions,
    batches::Batches,
    queue::{Inbox, Lane, Queue, Request},
};
use crate::error::{Error, Result};

/// Queries answered in one batch at the most.
const URGENT_AT_ONCE: usize = 32;
/// Tokens that a batch may always hold, however slow the model: matrix products need some rows to be efficient.
const LEAST_BATCH: usize = 256;

/// What a model thread drives. Two exist beside the ones in tests: the embedder and the reranker.
pub(crate) trait Engine: Send + 'static {
    /// Computed once per request, for all its sequences.
    type Shared;
    /// One per sequence.
    type Output: Send + 'static;

    fn share(&self, sequences: &[&[u32]]) -> Result<Self::Shared>;

    /// Tokens of a sequence that are left to compute.
    fn tokens(&self, shared: &Self::Shared, sequence: &[u32]) -> usize;

    /// One packed batch of the request's sequences, answered in order.
    fn compute(&self, shared: &Self::Shared, batch: &[&[u32]]) -> Result<Vec<Self::Output>>;
}

/// Starts a model thread; it ends when the last clone of the queue is dropped.
pub(crate) fn start<E: Engine>(engine: E, name: &str, options: &WorkerOptions) -> Result<Queue<E::Output>> {
    let (queue, inbox) = Queue::new(options.queue);
    let pace = Pace::new(options.batch_tokens, options.batch_time());
    let worker = Worker { engine, inbox, pace };
    thread::Builder::new().name(name.to_owned()).spawn(move || worker.run()).map_err(Error::Thread)?;
    Ok(queue)
}

struct Worker<E: Engine> {
    engine: E,
    inbox: Inbox<E::Output>,
    pace: Pace,
}

/// How many tokens a batch may hold so that it takes no longer than wanted, learnt from the batches before.
struct Pace {
    most: usize,
    wanted: Duration,
    /// Tokens per second; 0 before the first batch.
    rate: Cell<f64>,
}

impl Pace {
    fn new(most: usize, wanted: Duration) -> Self {
        Self { most, wanted, rate: Cell::new(0.0) }
    }

    fn budget(&self) -> usize {
        let wanted = self.rate.get() * self.wanted.as_secs_f64();
        (wanted as usize).max(LEAST_BATCH).min(self.most)
    }

    fn learn(&self, tokens: usize, took: Duration) {
        let rate = tokens as f64 / took.as_secs_f64().max(1e-6);
        // Half of each new measurement: quick to follow, and one hiccup does not halve the batches for long.
        self.rate.set(if self.rate.get() == 0.0 { rate } else { (self.rate.get() + rate) / 2.0 });
    }
}

impl<E: Engine> Worker<E> {
    fn run(&self) {
        while let Some((lane, request)) = self.inbox.next() {
            self.inbox.meter.request();
            match lane {
                Lane::Urgent => self.serve_urgent(request),
                Lane::Soon => {
                    self.serve(&request, Self::serve_waiting);
                    // Whoever asks without a pause does not stop bulk work for good.
                    self.take(Lane::Bulk).iter().for_each(|request| self.serve_bulk(request));
                }
                Lane::Bulk => self.serve_bulk(&request),
            }
        }
        tracing::debug!("the model thread ends: its last handle was dropped");
    }

    /// Answers a request batch by batch, letting `between` run before each, and gives up when the caller has.
    fn serve(&self, request: &Request<E::Output>, between: impl Fn(&Self)) {
        if let Err(error) = self.answer(request, between) {
            request.reply.fail(error);
        }
    }

    fn answer(&self, request: &Request<E::Output>, between: impl Fn(&Self)) -> Result<()> {
        if request.reply.is_abandoned() {
            self.inbox.meter.abandoned();
            return Ok(());
        }
        let sequences: Vec<&[u32]> = request.sequences.iter().map(Vec::as_slice).collect();
        let shared = guarded(|| self.engine.share(&sequences))?;
        let mut batches = Batches::new(sequences.iter().map(|sequence| self.engine.tokens(&shared, sequence)));
        while let Some(indexes) = batches.next(self.pace.budget()) {
            between(self);
            if request.reply.is_abandoned() {
                self.inbox.meter.abandoned();
                return Ok(());
            }
            let batch: Vec<&[u32]> = indexes.iter().map(|index| sequences[*index]).collect();
            let computed = self.compute(&shared, &batch).map_err(|error| error.among(&indexes))?;
            request.reply.answer(indexes.into_iter().zip(computed).collect());
        }
        Ok(())
    }

    /// One batch, counted, timed and complete.
    fn compute(&self, shared: &E::Shared, batch: &[&[u32]]) -> Result<Vec<E::Output>> {
        let begin = Instant::now();
        let computed = guarded(|| self.engine.compute(shared, batch))?;
        let tokens = batch.iter().map(|sequence| self.engine.tokens(shared, sequence)).sum();
        self.pace.learn(tokens, begin.elapsed());
        self.inbox.meter.batch(tokens, begin.elapsed());
        if computed.len() != batch.len() {
            return Err(Error::Panicked("a batch was answered in part".to_owned()));
        }
        Ok(computed)
    }

    fn serve_bulk(&self, request: &Request<E::Output>) {
        self.serve(request, |worker| {
            worker.serve_waiting();
            worker.take(Lane::Soon).iter().for_each(|request| worker.serve(request, Self::serve_waiting));
        });
    }

    fn serve_waiting(&self) {
        while let Some(request) = self.take(Lane::Urgent) {
            self.serve_urgent(request);
        }
    }

    /// A request of the lane that waits right now, counted.
    fn take(&self, lane: Lane) -> Option<Request<E::Output>> {
        let request = self.inbox.waiting(lane)?;
        self.inbox.meter.request();
        Some(request)
    }

    /// Answers an urgent request together with others that wait beside it.
    fn serve_urgent(&self, first: Request<E::Output>) {
        let tokens = |request: &Request<E::Output>| request.sequences.iter().map(Vec::len).sum::<usize>();
        let mut total = tokens(&first);
        let mut requests = vec![first];
        while requests.len() < URGENT_AT_ONCE && total < self.pace.budget() {
            let Some(next) = self.take(Lane::Urgent) else { break };
            total += tokens(&next);
            requests.push(next);
        }
        requests.retain(|request| {
            let abandoned = request.reply.is_abandoned();
            if abandoned {
                self.inbox.meter.abandoned();
            }
            !abandoned
        });
        match self.compute_together(&requests) {
            Some(answers) => requests
                .iter()
                .zip(answers)
                .for_each(|(r, answer)| r.reply.answer(answer.into_iter().enumerate().collect())),
            // Alone, the sound ones are answered and the faulty one gets its own error.
            None => requests.iter().for_each(|request| self.serve(request, |_| ())),
        }
    }

    fn compute_together(&self, requests: &[Request<E::Output>]) -> Option<Vec<Vec<E::Output>>> {
        if requests.len() < 2 {
            return None;
        }
        let sequences: Vec<&[u32]> = requests.iter().flat_map(|r| r.sequences.iter().map(Vec::as_slice)).collect();
        let shared = guarded(|| self.engine.share(&sequences)).ok()?;
        let mut computed = self.compute(&shared, &sequences).ok()?.into_iter();
        Some(requests.iter().map(|request| computed.by_ref().take(request.sequences.len()).collect()).collect())
    }
}

/// Turns a panic into an error. Engines keep no state between calls, so none can be left broken.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::Panicked(message(panic.as_ref()))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

    /// Answers each sequence with its first id; 13 fails, 666 panics; reports every batch; waits for the gate.
    struct Probe {
        batches: Sender<Vec<u32>>,
        gate: Receiver<()>,
    }

    impl Engine for Probe {
        type Shared = ();
        type Output = u32;

        fn share(&self, _: &[&[u32]]) -> Result<()> {
            Ok(())
        }

        fn tokens(&self, (): &(), sequence: &[u32]) -> usize {
            sequence.len()
        }

        fn compute(&self, (): &(), batch: &[&[u32]]) -> Result<Vec<u32>> {
            self.gate.recv().ok();
            let first: Vec<u32> = batch.iter().map(|ids| ids[0]).collect();
            self.batches.send(first.clone()).ok();
            assert!(!first.contains(&666), "the beast");
            if first.contains(&13) {
                return Err(Error::Prompt("unlucky".to_owned()));
            }
            Ok(first)
        }
    }

    struct Rig {
        queue: Queue<u32>,
        batches: Receiver<Vec<u32>>,
        gate: Sender<()>,
    }

    fn rig() -> Rig {
        let (batches, seen) = unbounded();
        let (gate, wait) = bounded(1000);
        let options = WorkerOptions { queue: 8, batch_tokens: 4, ..WorkerOptions::default() };
        let queue = start(Probe { batches, gate: wait }, "probe", &options).unwrap();
        Rig { queue, batches: seen, gate }
    }

    fn open_gate(rig: &Rig) {
        (0..100).for_each(|_| rig.gate.send(()).unwrap());
    }

    #[test]
    fn answers_in_order_however_it_batches() {
        let rig = rig();
        open_gate(&rig);
        let sequences = vec![vec![1], vec![2, 0, 0], vec![3; 9], vec![4], vec![5, 0]];
        assert_eq!(rig.queue.submit(Lane::Bulk, sequences).unwrap().wait().unwrap(), vec![1, 2, 3, 4, 5]);
        let batches: Vec<Vec<u32>> = rig.batches.try_iter().collect();
        assert_eq!(batches, vec![vec![3], vec![2], vec![5, 1, 4]]);
        assert!(rig.queue.submit(Lane::Bulk, Vec::new()).unwrap().wait().unwrap().is_empty());
    }

    #[test]
    fn errors_and_panics_stay_with_their_request() {
        let rig = rig();
        open_gate(&rig);
        let submit = |lane, id| rig.queue.submit(lane, vec![vec![id]]).unwrap().wait();
        for lane in [Lane::Bulk, Lane::Soon, Lane::Urgent] {
            assert!(submit(lane, 13).unwrap_err().to_string().contains("unlucky"));
            assert!(submit(lane, 666).unwrap_err().to_string().contains("the beast"));
            assert_eq!(submit(lane, 7).unwrap(), vec![7]);
        }
    }

    #[test]
    fn queries_that_wait_together_fail_alone() {
        let rig = rig();
        let blocker = rig.queue.submit(Lane::Bulk, vec![vec![1]]).unwrap();
        let pending: Vec<_> = [2, 13, 4].map(|id| rig.queue.submit(Lane::Urgent, vec![vec![id]]).unwrap()).into();
        open_gate(&rig);
        assert_eq!(blocker.wait().unwrap(), vec![1]);
        let answers: Vec<_> = pending.into_iter().map(|p| p.wait().ok()).collect();
        assert_eq!(answers, vec![Some(vec![2]), None, Some(vec![4])]);
    }

    #[test]
    fn queries_overtake_documents_between_batches() {
        let rig = rig();
        let bulk = rig.queue.submit(Lane::Bulk, (1..=4).map(|id| vec![id; 4]).collect()).unwrap();
        // The first batch holds the thread at the gate only once it was taken from the queue.
        while rig.queue.stats().waiting_bulk > 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let urgent = rig.queue.submit(Lane::Urgent, vec![vec![99]]).unwrap();
        open_gate(&rig);
        assert_eq!(urgent.wait().unwrap(), vec![99]);
        assert_eq!(bulk.wait().unwrap(), vec![1, 2, 3, 4]);
        let batches: Vec<Vec<u32>> = rig.batches.try_iter().collect();
        assert_eq!(batches[1], vec![99], "{batches:?}");
    }

    #[test]
    fn who_waits_for_documents_overtakes_bulk_work_and_does_not_stop_it() {
        let rig = rig();
        let bulk = rig.queue.submit(Lane::Bulk, (1..=3).map(|id| vec![id; 4]).collect()).unwrap();
        while rig.queue.stats().waiting_bulk > 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let soon: Vec<_> = [50, 51].map(|id| rig.queue.submit(Lane::Soon, vec![vec![id; 4]]).unwrap()).into();
        let urgent = rig.queue.submit(Lane::Urgent, vec![vec![99]]).unwrap();
        assert_eq!(rig.queue.stats().waiting_soon, 2);
        open_gate(&rig);
        assert_eq!(bulk.wait().unwrap(), vec![1, 2, 3]);
        soon.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
        assert_eq!(urgent.wait().unwrap(), vec![99]);
        let batches: Vec<u32> = rig.batches.try_iter().flatten().collect();
        assert_eq!(batches, vec![1, 99, 50, 2, 51, 3]);
    }

    #[test]
    fn abandoned_requests_are_not_computed() {
        let rig = rig();
        let blocker = rig.queue.submit(Lane::Bulk, vec![vec![1]]).unwrap();
        drop(rig.queue.submit(Lane::Bulk, vec![vec![2]]).unwrap());
        drop(rig.queue.submit(Lane::Urgent, vec![vec![3]]).unwrap());
        let last = rig.queue.submit(Lane::Bulk, vec![vec![4]]).unwrap();
        open_gate(&rig);
        blocker.wait().unwrap();
        last.wait().unwrap();
        let seen: Vec<u32> = rig.batches.try_iter().flatten().collect();
        assert_eq!(seen, vec![1, 4]);
    }

    #[test]
    fn answers_arrive_batch_by_batch() {
        let rig = rig();
        let mut pending = rig.queue.submit(Lane::Bulk, vec![vec![1], vec![2; 4], vec![3; 4]]).unwrap();
        assert_eq!(pending.outputs(), [None, None, None]);
        rig.gate.send(()).unwrap();
        assert!(pending.advance().unwrap());
        assert_eq!(pending.outputs(), [None, Some(2), None]);
        open_gate(&rig);
        while pending.advance().unwrap() {}
        assert_eq!(pending.outputs(), [Some(1), Some(2), Some(3)]);
        assert_eq!(pending.wait().unwrap(), vec![1, 2, 3]);
    }

    #[test]
    fn known_outputs_keep_their_places() {
        let rig = rig();
        open_gate(&rig);
        let (told, seen) = unbounded();
        let pending = rig.queue.submit(Lane::Bulk, vec![vec![5], vec![6]]).unwrap();
        let pending = pending.with_known(vec![Some(8), None, Some(9), None]);
        let pending = pending.on_output(move |index, output| told.send((index, *output)).unwrap());
        assert_eq!(pending.wait().unwrap(), vec![8, 5, 9, 6]);
        let mut seen: Vec<_> = seen.try_iter().collect();
        seen.sort();
        assert_eq!(seen, [(0, 5), (1, 6)]);
        let nothing = rig.queue.submit(Lane::Bulk, Vec::new()).unwrap().with_known(vec![Some(1)]);
        assert_eq!(nothing.wait().unwrap(), vec![1]);
    }

    #[test]
    fn the_thread_counts_its_work() {
        let rig = rig();
        drop(rig.queue.submit(Lane::Bulk, vec![vec![2]]).unwrap());
        open_gate(&rig);
        rig.queue.submit(Lane::Bulk, vec![vec![1; 3], vec![1; 2]]).unwrap().wait().unwrap();
        let stats = rig.queue.stats();
        // The first request may have been taken before its caller left.
        let left = 1 - stats.abandoned;
        assert_eq!((stats.requests, stats.batches, stats.tokens), (2, 2 + left, 5 + left));
        assert_eq!((stats.batch_tokens, stats.waiting_bulk, stats.waiting_urgent), (2, 0, 0));
        assert!(stats.tokens_per_second() > 0.0 && stats.utilisation() > 0.0 && stats.utilisation() <= 1.0);
    }

    #[test]
    fn batches_shrink_where_the_model_is_slow() {
        let pace = Pace::new(4096, Duration::from_millis(250));
        assert_eq!(pace.budget(), LEAST_BATCH);
        pace.learn(256, Duration::from_millis(64));
        assert_eq!(pace.budget(), 1000);
        (0..20).for_each(|_| pace.learn(1000, Duration::from_secs(10)));
        assert_eq!(pace.budget(), LEAST_BATCH);
        (0..20).for_each(|_| pace.learn(1000, Duration::from_millis(1)));
        assert_eq!(pace.budget(), 4096);
    }

    #[test]
    fn waiting_can_be_limited() {
        let rig = rig();
        let pending = rig.queue.submit(Lane::Bulk, vec![vec![1]]).unwrap();
        assert!(pending.wait_for(std::time::Duration::from_millis(20)).is_none());
        open_gate(&rig);
        let pending = rig.queue.submit(Lane::Bulk, vec![vec![2]]).unwrap();
        assert_eq!(pending.wait_for(std::time::Duration::from_secs(60)).unwrap().unwrap(), vec![2]);
    }

    #[test]
    fn the_thread_ends_with_its_last_handle_after_its_work() {
        let rig = rig();
        let pending = rig.queue.submit(Lane::Bulk, vec![vec![5]]).unwrap();
        let second = rig.queue.clone();
        drop(rig.queue);
        drop(second);
        rig.gate.send(()).unwrap();
        assert_eq!(pending.wait().unwrap(), vec![5]);
        // The probe's end of this channel is dropped with the thread.
        assert_eq!(rig.batches.iter().count(), 1);
    }
}
