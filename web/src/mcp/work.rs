//! Work that a message asks for, handed from the SDK, which runs messages in tasks of its own, to whoever serves the caller: over
//! HTTP the task of the request, so that what is noted of a request (its id, what it is about) is noted, and work ends when the
//! client has gone.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::desk::Desk;

/// A piece of work.
pub(super) type Job = Box<dyn FnOnce(Arc<Desk>) -> BoxFuture<'static, ()> + Send>;

/// Where work is handed in.
#[derive(Clone)]
pub(super) struct Hatch(mpsc::Sender<Job>);

impl Hatch {
    /// A hatch, and the side where work comes out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (sender, jobs) = mpsc::channel(1);
        (Self(sender), jobs)
    }

    /// Has something done at the desk; `None` where nobody is there any more. It is left off when nobody waits for it.
    pub(super) async fn ask<T, F>(&self, work: impl FnOnce(Arc<Desk>) -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (mut sender, receiver) = oneshot::channel();
        let job = move |desk: Arc<Desk>| {
            let work = async move {
                let made = tokio::select! {
                    made = work(desk) => made,
                    () = sender.closed() => return,
                };
                // Who has just gone needs no answer.
                let _ = sender.send(made);
            };
            work.boxed()
        };
        self.0.send(Box::new(job)).await.ok()?;
        receiver.await.ok()
    }
}
