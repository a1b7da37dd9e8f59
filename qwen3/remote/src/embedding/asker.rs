//! The asker: one request to an embedding endpoint, from texts to checked vectors.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use qwen3::{Error, Lane};

use super::identity::{Identity, PROBES, SAME};
use super::trust::{Trust, Verdict};
use super::{EmbedApi, EmbedOptions, Form, Job};
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::line::Line;
use crate::patience::Patience;
use crate::wire::Wire;

/// Attempts at a request whose failure may pass.
const ATTEMPTS: u32 = 3;
/// Longer than this no thread waits for an endpoint that says when it wants to be asked again: an indexing run does, and says so.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Asks for vectors.
pub(super) struct Asker {
    line: Line,
    options: EmbedOptions,
    /// `None` until it was met.
    identity: Option<Identity>,
    /// Of the vectors that are given out; 0 until it was met.
    dimension: usize,
    trust: Mutex<Trust>,
    /// Whether it is asked for vectors in base64; some endpoints refuse to be.
    is_encoded: AtomicBool,
}

impl Asker {
    pub(super) fn new(endpoint: Endpoint, options: EmbedOptions) -> Result<Self, Fault> {
        options.prompt.check().map_err(Fault::Form)?;
        let endpoint = if options.api == EmbedApi::OpenAi { endpoint } else { endpoint.without_version() };
        let line = Line::new(Wire::new(endpoint, options.key.clone()));
        let is_encoded = AtomicBool::new(options.api != EmbedApi::Tei);
        Ok(Self { line, options, identity: None, dimension: 0, trust: Mutex::default(), is_encoded })
    }

    pub(super) fn is_known(&mut self, identity: Identity, dimension: usize, trust: Trust) {
        (self.identity, self.dimension, self.trust) = (Some(identity), dimension, Mutex::new(trust));
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    pub(super) fn options(&self) -> &EmbedOptions {
        &self.options
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    pub(super) fn fingerprint(&self) -> &str {
        self.identity.as_ref().map_or("", Identity::fingerprint)
    }

    /// Does a job, and hands in what comes of it.
    pub(super) fn serve(&self, job: Job) {
        self.line.meter.request();
        if job.reply.is_abandoned() {
            self.line.meter.abandoned();
            return;
        }
        let Job { first, texts, form, lane, reply } = job;
        match self.vectors(&texts, &form, lane) {
            Ok(vectors) => reply.answer(vectors.into_iter().enumerate().map(|(at, it)| (first + at, it)).collect()),
            Err(Error::NoDirection { text, tokens }) => reply.fail(Error::NoDirection { text: first + text, tokens }),
            Err(error) => reply.fail(error),
        }
    }

    /// The vectors of texts, by a model that is the one that it should be.
    fn vectors(&self, texts: &[String], form: &Form, lane: Lane) -> qwen3::Result<Vec<Vec<f32>>> {
        let given = self.trusted().and_then(|()| self.given(texts, form, self.patience(lane)));
        let given = given.map_err(|fault| fault.of_model(self.line.host()))?;
        let usable = given.into_iter().enumerate().map(|(at, vector)| self.usable(at, vector, &texts[at]));
        let usable: qwen3::Result<Vec<Vec<f32>>> = usable.collect();
        if let Err(Error::Unusable { reason, .. }) = &usable {
            // It is not what it was: next time, it has to say who it is.
            *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = Trust::Wanting;
            self.line.fails(&self.nonsense(reason.clone()));
        }
        usable
    }

    /// Those of the probe texts, checked; of a model that may not be known yet.
    pub(super) fn probe(&self) -> Result<Vec<Vec<f32>>, Fault> {
        let texts = PROBES.map(|text| self.options.prompt.document(text));
        let vectors = self.given(&texts, &Form::Document, self.patience(Lane::Urgent))?;
        let unusable = |error: Error| self.nonsense(error.to_string());
        let widths: Vec<usize> = vectors.iter().map(Vec::len).collect();
        if widths.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(self.nonsense(format!("its vectors have different lengths: {widths:?}")));
        }
        vectors.into_iter().zip(&texts).map(|(vector, text)| self.unit(0, vector, text).map_err(unusable)).collect()
    }

    /// Makes sure that it is the model that it should be.
    fn trusted(&self) -> Result<(), Fault> {
        // Held while it is asked: whoever comes meanwhile waits for the same answer.
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = self.line.failures();
        match trust.verdict(Instant::now(), failures) {
            Verdict::Trusted => return Ok(()),
            Verdict::Refused(reason) => return Err(self.nonsense(reason)),
            Verdict::Ask => {}
        }
        let vectors = self.probe()?;
        match self.stranger(&vectors) {
            None => {
                *trust = Trust::earned(failures);
                Ok(())
            }
            Some(reason) => {
                *trust = Trust::lost(reason.clone());
                let fault = self.nonsense(reason);
                self.line.fails(&fault);
                Err(fault)
            }
        }
    }

    /// Why a model with these vectors of the probes is not the one that it should be; `None` where it is.
    fn stranger(&self, vectors: &[Vec<f32>]) -> Option<String> {
        let identity = self.identity.as_ref()?;
        let (model, got) = (&self.options.model, vectors.first().map_or(0, Vec::len));
        if got != self.dimension {
            return Some(format!(
                "its vectors have {got} values, those of the index {}: {model} is another model now; {CURE}",
                self.dimension
            ));
        }
        let likeness = identity.likeness(vectors);
        (likeness < SAME).then(|| {
            format!("{model} is another model now: its vectors of two probe texts are those of the index only to a cosine of {likeness:.3}, expected {SAME}; {CURE}")
        })
    }

    /// What the endpoint gives for texts. A request that is too large is cut in two.
    fn given(&self, texts: &[String], form: &Form, patience: Patience) -> Result<Vec<Vec<f32>>, Fault> {
        let begun = Instant::now();
        let outcome = match self.asked(texts, form, patience) {
            // Not all know base64, and some refuse what they do not know.
            Err(Fault::Refused { status: 400 | 422 | 501, .. }) if self.is_encoded.load(Ordering::Relaxed) => {
                self.is_encoded.store(false, Ordering::Relaxed);
                let plain = self.asked(texts, form, patience);
                self.is_encoded.store(plain.is_err(), Ordering::Relaxed);
                plain
            }
            outcome => outcome,
        };
        match outcome {
            Err(fault) if fault.is_of_size() && texts.len() > 1 => {
                let (head, tail) = texts.split_at(texts.len() / 2);
                let mut vectors = self.given(head, form, patience)?;
                vectors.append(&mut self.given(tail, form, patience)?);
                Ok(vectors)
            }
            Ok(vectors) => {
                let tokens = texts.iter().map(|text| self.options.ruler.count(text).unwrap_or(text.len())).sum();
                self.line.meter.batch(tokens, begun.elapsed());
                Ok(vectors)
            }
            Err(fault) => Err(fault),
        }
    }

    fn asked(&self, texts: &[String], form: &Form, patience: Patience) -> Result<Vec<Vec<f32>>, Fault> {
        let EmbedOptions { api, model, .. } = &self.options;
        let body = api.body(model, texts, form, self.is_encoded.load(Ordering::Relaxed));
        self.line.ask(api.path(), &body, patience, |text| api.read(text, texts.len()))
    }

    fn patience(&self, lane: Lane) -> Patience {
        match lane {
            // Somebody waits, and words are there already.
            Lane::Urgent => Patience { attempts: 2, longest_pause: LONGEST_PAUSE, time: self.options.query_timeout },
            Lane::Soon | Lane::Bulk => {
                Patience { attempts: ATTEMPTS, longest_pause: LONGEST_PAUSE, time: self.options.timeout }
            }
        }
    }

    /// A vector of the index's dimension.
    fn usable(&self, at: usize, vector: Vec<f32>, text: &str) -> qwen3::Result<Vec<f32>> {
        let unit = self.unit(at, vector, text)?;
        if unit.len() == self.dimension {
            return Ok(unit);
        }
        let reason = format!("expected vectors of {} values, got one of {}", self.dimension, unit.len());
        Err(Error::Unusable { host: self.line.host().to_owned(), reason })
    }

    /// A vector cut to the dimension and brought to length one.
    fn unit(&self, at: usize, mut vector: Vec<f32>, text: &str) -> qwen3::Result<Vec<f32>> {
        let host = || self.line.host().to_owned();
        if let Some(dimension) = self.options.dimension {
            if vector.len() < dimension {
                let reason = format!("its vectors have {} values, fewer than the {dimension} to keep", vector.len());
                return Err(Error::Unusable { host: host(), reason });
            }
            vector.truncate(dimension);
        }
        let length = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(Error::NotTaken { host: host(), reason: "its vector holds NaN or infinity".to_owned() });
        }
        if length == 0.0 {
            return Err(Error::NoDirection { text: at, tokens: self.options.ruler.count(text)? });
        }
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        Ok(vector)
    }

    fn nonsense(&self, reason: String) -> Fault {
        Fault::Nonsense { host: self.line.host().to_owned(), reason }
    }
}

/// What helps against another model.
const CURE: &str = "serve the earlier model again, or make the index anew with this one";
