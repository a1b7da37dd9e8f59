//! The crew that asks a model elsewhere: some threads for all requests, and as many for those that somebody waits for, so that a
//! query never stands behind the batches of an indexing run. Each has one request on the wire, which bounds what an endpoint gets
//! at once.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, select_biased, unbounded};
use qwen3::Lane;

use crate::fault::Fault;

/// A crew; it goes home when this is dropped, after the request that each has on the wire.
pub(crate) struct Crew<J> {
    urgent: Sender<J>,
    soon: Sender<J>,
    bulk: Sender<J>,
}

impl<J: Send + 'static> Crew<J> {
    /// `hands` threads for each of the two tasks.
    pub(crate) fn start(name: &str, hands: usize, work: impl Fn(J) + Send + Sync + 'static) -> Result<Self, Fault> {
        // Who hands in waits for the answer, and so bounds what lies here.
        let (urgent, urgent_inbox) = unbounded();
        let (soon, soon_inbox) = unbounded();
        let (bulk, bulk_inbox) = unbounded();
        let work: Arc<dyn Fn(J) + Send + Sync> = Arc::new(work);
        for hand in 0..2 * hands.max(1) {
            let inboxes = [urgent_inbox.clone(), soon_inbox.clone(), bulk_inbox.clone()];
            let work = Arc::clone(&work);
            let is_for_all = hand < hands.max(1);
            let serve = move || match is_for_all {
                true => serve_all(&inboxes, work.as_ref()),
                false => inboxes[0].iter().for_each(|job| work(job)),
            };
            std::thread::Builder::new().name(name.to_owned()).spawn(serve).map_err(Fault::Thread)?;
        }
        Ok(Self { urgent, soon, bulk })
    }

    /// Hands in a job; never blocks.
    pub(crate) fn give(&self, lane: Lane, job: J) {
        let lane = match lane {
            Lane::Urgent => &self.urgent,
            Lane::Soon => &self.soon,
            Lane::Bulk => &self.bulk,
        };
        // The threads live as long as this: whoever waits is told by the job itself, which is dropped otherwise.
        let _ = lane.send(job);
    }
}

fn serve_all<J>([urgent, soon, bulk]: &[Receiver<J>; 3], work: &(dyn Fn(J) + Send + Sync)) {
    loop {
        let job = select_biased! {
            recv(urgent) -> job => job,
            recv(soon) -> job => job,
            recv(bulk) -> job => job,
        };
        match job {
            Ok(job) => work(job),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_query_does_not_stand_behind_a_batch() {
        let (done, seen) = unbounded();
        let (gate, wait) = bounded::<()>(0);
        let crew = Crew::start("crew", 1, move |job: u32| {
            if job < 10 {
                let _ = wait.recv();
            }
            done.send(job).unwrap();
        })
        .unwrap();
        (0..3).for_each(|job| crew.give(Lane::Bulk, job));
        crew.give(Lane::Urgent, 10);
        assert_eq!(seen.recv().unwrap(), 10);
        drop(gate);
        assert_eq!(seen.recv().unwrap(), 0);
        drop(crew);
    }
}
