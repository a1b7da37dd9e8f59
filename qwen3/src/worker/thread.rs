//! The loop of a model thread: take a request, cut it into batches of about equal lengths, compute, answer.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use super::{
    WorkerOptions,
    queue::{Inbox, Lane, Queue, Request},
};
use crate::{
    error::{Error, Result},
    model::plan,
};

/// Queries answered in one batch at the most.
const URGENT_AT_ONCE: usize = 32;

/// What a model thread drives. Two exist beside the ones in tests: the embedder and the reranker.
pub(crate) trait Engine: Send + 'static {
    /// Computed once per request, for all its sequences.
    type Shared;
    /// One per sequence.
    type Output: Send + 'static;

    fn share(&self, sequences: &[&[u32]]) -> Result<Self::Shared>;

    /// One packed batch of the request's sequences, answered in order.
    fn compute(&self, shared: &Self::Shared, batch: &[&[u32]]) -> Result<Vec<Self::Output>>;
}

/// Starts a model thread; it ends when the last clone of the queue is dropped.
pub(crate) fn start<E: Engine>(engine: E, name: &str, options: &WorkerOptions) -> Result<Queue<E::Output>> {
    let (queue, inbox) = Queue::new(options.queue);
    let worker = Worker { engine, inbox, batch_tokens: options.batch_tokens };
    thread::Builder::new().name(name.to_owned()).spawn(move || worker.run()).map_err(Error::Thread)?;
    Ok(queue)
}

struct Worker<E: Engine> {
    engine: E,
    inbox: Inbox<E::Output>,
    batch_tokens: usize,
}

impl<E: Engine> Worker<E> {
    fn run(&self) {
        while let Some((lane, request)) = self.inbox.next() {
            match lane {
                Lane::Urgent => self.serve_urgent(request),
                Lane::Bulk => self.serve(request, |worker| worker.serve_waiting()),
            }
        }
        tracing::debug!("the model thread ends: its last handle was dropped");
    }

    /// Computes a request batch by batch, letting `between` run before each, and gives up when the caller has.
    fn serve(&self, request: Request<E::Output>, between: impl Fn(&Self)) {
        let answer = self.answer(&request, between);
        if let Some(answer) = answer {
            request.answer(answer);
        }
    }

    fn answer(&self, request: &Request<E::Output>, between: impl Fn(&Self)) -> Option<Result<Vec<E::Output>>> {
        if request.is_abandoned() {
            return None;
        }
        let sequences: Vec<&[u32]> = request.sequences.iter().map(Vec::as_slice).collect();
        let shared = match guarded(|| self.engine.share(&sequences)) {
            Ok(shared) => shared,
            Err(error) => return Some(Err(error)),
        };
        let lengths: Vec<usize> = sequences.iter().map(|ids| ids.len()).collect();
        let (order, batches) = plan(&lengths, self.batch_tokens);
        let mut outputs: Vec<Option<E::Output>> = sequences.iter().map(|_| None).collect();
        for batch in batches {
            between(self);
            if request.is_abandoned() {
                return None;
            }
            let indexes = &order[batch];
            let batch: Vec<&[u32]> = indexes.iter().map(|index| sequences[*index]).collect();
            match guarded(|| self.engine.compute(&shared, &batch)) {
                Ok(computed) => indexes.iter().zip(computed).for_each(|(index, output)| outputs[*index] = Some(output)),
                Err(error) => return Some(Err(error)),
            }
        }
        let missing = || Error::Panicked("a batch was answered in part".to_owned());
        Some(outputs.into_iter().map(|output| output.ok_or_else(missing)).collect())
    }

    fn serve_waiting(&self) {
        while let Some(request) = self.inbox.next_urgent() {
            self.serve_urgent(request);
        }
    }

    /// Answers an urgent request together with others that wait beside it.
    fn serve_urgent(&self, first: Request<E::Output>) {
        let tokens = |request: &Request<E::Output>| request.sequences.iter().map(Vec::len).sum::<usize>();
        let mut total = tokens(&first);
        let mut requests = vec![first];
        while requests.len() < URGENT_AT_ONCE && total < self.batch_tokens {
            let Some(next) = self.inbox.next_urgent() else { break };
            total += tokens(&next);
            requests.push(next);
        }
        requests.retain(|request| !request.is_abandoned());
        match self.compute_together(&requests) {
            Some(answers) => requests.into_iter().zip(answers).for_each(|(request, answer)| request.answer(Ok(answer))),
            // Alone, the sound ones are answered and the faulty one gets its own error.
            None => requests.into_iter().for_each(|request| self.serve(request, |_| ())),
        }
    }

    fn compute_together(&self, requests: &[Request<E::Output>]) -> Option<Vec<Vec<E::Output>>> {
        if requests.len() < 2 {
            return None;
        }
        let sequences: Vec<&[u32]> = requests.iter().flat_map(|r| r.sequences.iter().map(Vec::as_slice)).collect();
        let computed = guarded(|| self.engine.compute(&self.engine.share(&sequences)?, &sequences)).ok()?;
        if computed.len() != sequences.len() {
            return None;
        }
        let mut computed = computed.into_iter();
        Some(requests.iter().map(|request| computed.by_ref().take(request.sequences.len()).collect()).collect())
    }
}

/// Turns a panic into an error. Engines keep no state between calls, so none can be left broken.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
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
        let options = WorkerOptions { queue: 8, batch_tokens: 4 };
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
        for lane in [Lane::Bulk, Lane::Urgent] {
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
        while !rig.queue.is_empty() {
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
