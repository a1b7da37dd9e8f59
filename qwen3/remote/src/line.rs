//! The line to a model elsewhere: a wire, what is known of its failures, and how it fares, for whoever runs this one. An endpoint
//! that keeps failing is left alone for a while; what changes is logged once, not with every request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use qwen3::{Condition, Elsewhere, Meter};
use serde_json::Value;

use crate::fault::Fault;
use crate::patience::Patience;
use crate::rest::Rest;
use crate::wire::Wire;

/// Most bytes of an answer: vectors of a large batch as text.
const MAX_ANSWER: u64 = 64 << 20;

/// A line to a model elsewhere.
pub(crate) struct Line {
    wire: Wire,
    rest: Rest,
    condition: Mutex<Condition>,
    /// Failures since the start: whoever knew something of the endpoint before one of them knows it no more.
    failures: AtomicU64,
    pub(crate) meter: Meter,
}

impl Line {
    pub(crate) fn new(wire: Wire) -> Self {
        let (rest, condition) = (Rest::default(), Mutex::default());
        Self { wire, rest, condition, failures: AtomicU64::new(0), meter: Meter::new() }
    }

    /// Host and port of the endpoint.
    pub(crate) fn host(&self) -> &str {
        self.wire.host()
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// How many failures there were.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How the model fares.
    pub(crate) fn elsewhere(&self) -> Elsewhere {
        let condition = self.condition.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Elsewhere { host: self.host().to_owned(), is_remote: self.wire.is_remote(), condition }
    }

    /// What the endpoint answers, as `read` understands it.
    pub(crate) fn ask<T>(
        &self,
        path: &str,
        body: &Value,
        patience: Patience,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Fault> {
        self.call(patience, || {
            let text = self.wire.ask(path, body, patience.time, MAX_ANSWER)?;
            read(&text).map_err(|reason| Fault::Nonsense { host: self.host().to_owned(), reason })
        })
    }

    /// Does something on the wire, unless the endpoint rests, and notes how that went.
    pub(crate) fn call<T>(&self, patience: Patience, attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
        self.rested()?;
        let outcome = patience.live_through(attempt);
        self.note(&outcome);
        outcome
    }

    /// Refuses to ask an endpoint that rests.
    pub(crate) fn rested(&self) -> Result<(), Fault> {
        match self.rest.left(Instant::now()) {
            Some(after) => Err(Fault::Resting { host: self.host().to_owned(), reason: self.told(), after }),
            None => Ok(()),
        }
    }

    /// Notes how a request went.
    pub(crate) fn note<T>(&self, outcome: &Result<T, Fault>) {
        match outcome {
            Err(Fault::Failed { after, .. }) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.rest.failed(Instant::now(), *after);
            }
            _ => self.rest.worked(),
        }
        match outcome {
            Ok(_) => self.is(Condition::Answering),
            // Of one text, and not of the model.
            Err(fault) if fault.is_of_texts() => {}
            Err(fault) => {
                self.meter.failed();
                self.fails(fault);
            }
        }
    }

    /// Notes a fault that says something of the model.
    pub(crate) fn fails(&self, fault: &Fault) {
        let reason = fault.reason();
        self.is(if fault.is_passing() { Condition::Away { reason } } else { Condition::Unusable { reason } });
    }

    fn is(&self, now: Condition) {
        let before = {
            let mut condition = self.condition.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *condition, now.clone())
        };
        let host = self.host();
        match now {
            Condition::Away { reason } if !before.is_out() => {
                tracing::warn!("the model at {host} does not answer: {reason}");
            }
            Condition::Unusable { reason } if before != (Condition::Unusable { reason: reason.clone() }) => {
                tracing::error!("the model at {host} cannot be used: {reason}");
            }
            Condition::Answering if before.is_out() => tracing::info!("the model at {host} answers again"),
            _ => {}
        }
    }

    /// What was wrong last.
    fn told(&self) -> String {
        match self.elsewhere().condition {
            Condition::Away { reason } | Condition::Unusable { reason } => reason,
            Condition::Unasked | Condition::Answering => "it failed a moment ago".to_owned(),
        }
    }
}

/// How long a model that gives no answer is left alone by whoever can wait.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);
