//! Texts that are with the model, for as long as it takes: a model elsewhere that is away is asked again until it is back, and what
//! it had given before is kept. Nobody waits here without looking up: every call ends at its deadline.

use std::time::{Duration, Instant};

use qwen3::{Arrival, EmbedHandle, Error, Lane, Pending};

/// Pause after the first failure of a model elsewhere, unless it says how long; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Texts that are with the model.
pub(crate) struct Embedding {
    texts: Vec<String>,
    lane: Lane,
    /// The vectors that an earlier request has given.
    done: Vec<Option<Vec<f32>>>,
    tokens: usize,
    state: State,
    /// Failures in a row.
    failures: u32,
    /// Whether it was ever waited for a model that is away.
    was_away: bool,
}

enum State {
    /// The model has the texts at these places.
    Asked { pending: Pending<Vec<f32>>, places: Vec<usize> },
    /// It is away, and asked again at that time.
    Away { until: Instant, reason: String },
}

/// How texts came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// All vectors are there.
    Complete,
    /// More is to come.
    UnderWay,
    /// The model is away.
    Away,
}

impl Embedding {
    /// Hands texts to the model.
    ///
    /// # Errors
    /// What is wrong with them, or with the model for good.
    pub(crate) fn begin(embedder: &EmbedHandle, lane: Lane, texts: Vec<String>) -> Result<Self, Error> {
        let done = texts.iter().map(|_| None).collect();
        let state = State::Away { until: Instant::now(), reason: String::new() };
        let mut embedding = Self { texts, lane, done, tokens: 0, state, failures: 0, was_away: false };
        embedding.ask(embedder)?;
        if let State::Asked { pending, .. } = &embedding.state {
            embedding.tokens = pending.tokens();
        }
        Ok(embedding)
    }

    /// Blocks until more has arrived, or until the deadline.
    ///
    /// # Errors
    /// As [`Embedding::begin`].
    pub(crate) fn advance(&mut self, embedder: &EmbedHandle, deadline: Instant) -> Result<Course, Error> {
        if let State::Away { until, .. } = &self.state {
            let now = Instant::now();
            if *until > deadline {
                std::thread::sleep(deadline.saturating_duration_since(now));
                return Ok(Course::Away);
            }
            std::thread::sleep(until.saturating_duration_since(now));
            self.ask(embedder)?;
        }
        let State::Asked { pending, .. } = &mut self.state else { return Ok(Course::Away) };
        match pending.advance_until(deadline) {
            Ok(Arrival::Complete) => {
                self.keep();
                Ok(Course::Complete)
            }
            Ok(Arrival::More) => {
                self.failures = 0;
                Ok(Course::UnderWay)
            }
            Ok(Arrival::Late) => Ok(Course::UnderWay),
            Err(error) => {
                self.keep();
                self.rest(error)?;
                Ok(Course::Away)
            }
        }
    }

    /// Asks for the vectors that are not there yet.
    fn ask(&mut self, embedder: &EmbedHandle) -> Result<(), Error> {
        let places: Vec<usize> = (0..self.texts.len()).filter(|at| self.done[*at].is_none()).collect();
        let texts: Vec<&str> = places.iter().map(|at| self.texts[*at].as_str()).collect();
        match embedder.embed_documents_in(self.lane, &texts) {
            Ok(pending) => {
                self.state = State::Asked { pending, places };
                Ok(())
            }
            Err(error) => self.rest(error),
        }
    }

    /// Waits before the model is asked again, where that may help.
    fn rest(&mut self, error: Error) -> Result<(), Error> {
        let Error::Away { host, reason, after } = error else { return Err(error) };
        let own = PAUSE * 2u32.pow(self.failures.min(8));
        self.failures += 1;
        self.was_away = true;
        self.state = State::Away {
            until: Instant::now() + own.max(after).min(LONGEST_PAUSE),
            reason: format!("the model at {host} does not answer: {reason}"),
        };
        Ok(())
    }

    /// Keeps what has arrived.
    fn keep(&mut self) {
        let nothing = State::Away { until: Instant::now(), reason: String::new() };
        if let State::Asked { pending, places } = std::mem::replace(&mut self.state, nothing) {
            for (place, output) in places.into_iter().zip(pending.leave()) {
                self.done[place] = output;
            }
        }
    }

    /// Why nothing comes at the moment, in words.
    pub(crate) fn waits_for(&self) -> Option<&str> {
        match &self.state {
            State::Away { reason, .. } if !reason.is_empty() => Some(reason),
            State::Asked { .. } | State::Away { .. } => None,
        }
    }

    /// Whether it took longer than the model needs.
    pub(crate) fn was_away(&self) -> bool {
        self.was_away
    }

    /// About how many tokens all texts have.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// How many texts there are.
    pub(crate) fn texts(&self) -> usize {
        self.texts.len()
    }

    /// How many vectors are there.
    pub(crate) fn arrived(&self) -> usize {
        let kept = self.done.iter().flatten().count();
        match &self.state {
            State::Asked { pending, .. } => kept + pending.outputs().iter().flatten().count(),
            State::Away { .. } => kept,
        }
    }

    /// The vectors that are there, at the places of their texts.
    pub(crate) fn into_outputs(mut self) -> Vec<Option<Vec<f32>>> {
        self.keep();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use qwen3::{Condition, Elsewhere, EmbedModel, Overlong, Place, Result, Ruler, WorkerOptions, WorkerStats};

    use super::*;

    /// What a model does with a request: gives so many vectors, and then fails or not.
    type Deed = (usize, Option<fn() -> Error>);

    /// A model that does as it is told, and notes what it was asked.
    struct Told {
        deeds: Mutex<VecDeque<Deed>>,
        asked: Mutex<Vec<Vec<String>>>,
    }

    impl EmbedModel for Told {
        fn query(&self, _: &str, _: Option<&str>, _: Overlong) -> Result<Pending<Vec<f32>>> {
            Err(Error::Closed)
        }

        fn holds_query(&self, _: &str, _: Option<&str>) -> Result<()> {
            Ok(())
        }

        fn documents(&self, _: Lane, documents: &[&str], _: Overlong) -> Result<Pending<Vec<f32>>> {
            self.asked.lock().unwrap().push(documents.iter().map(ToString::to_string).collect());
            let (given, error) = self.deeds.lock().unwrap().pop_front().unwrap_or((documents.len(), None));
            if let (0, Some(error)) = (given, error) {
                return Err(error());
            }
            let (reply, pending) = Pending::awaiting(documents.len(), documents.len());
            let vector = |text: &str| vec![text.len() as f32];
            reply.answer(documents.iter().take(given).map(|text| vector(text)).enumerate().collect());
            if let Some(error) = error {
                reply.fail(error());
            }
            Ok(pending)
        }

        fn dimension(&self) -> usize {
            1
        }

        fn max_tokens(&self) -> usize {
            512
        }

        fn fingerprint(&self) -> &str {
            "told"
        }

        fn ruler(&self) -> &Ruler {
            &Ruler::Estimate
        }

        fn place(&self) -> Place {
            let host = "gpu".to_owned();
            Place::Elsewhere(Elsewhere { host, is_remote: true, condition: Condition::Unasked })
        }

        fn stats(&self) -> WorkerStats {
            WorkerStats::default()
        }
    }

    fn away() -> Error {
        Error::Away { host: "gpu".into(), reason: "status 503".into(), after: Duration::ZERO }
    }

    fn unusable() -> Error {
        Error::Unusable { host: "gpu".into(), reason: "another model".into() }
    }

    fn told(deeds: impl IntoIterator<Item = Deed>) -> (Arc<Told>, EmbedHandle) {
        let model = Arc::new(Told { deeds: Mutex::new(deeds.into_iter().collect()), asked: Mutex::default() });
        let shared: Arc<dyn EmbedModel> = model.clone();
        (model, EmbedHandle::of(shared, &WorkerOptions::default()))
    }

    fn texts() -> Vec<String> {
        ["a", "bb", "ccc"].map(str::to_owned).to_vec()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn what_a_model_gave_before_it_went_is_not_asked_for_again() {
        let (model, handle) = told([(0, Some(away as fn() -> Error)), (2, Some(away)), (1, None)]);
        let mut embedding = Embedding::begin(&handle, Lane::Bulk, texts()).unwrap();
        assert!(embedding.waits_for().unwrap().contains("gpu does not answer: status 503"));
        let mut courses = Vec::new();
        while !courses.contains(&Course::Complete) {
            let course = embedding.advance(&handle, soon()).unwrap();
            if courses.last() != Some(&course) {
                courses.push(course);
            }
        }
        assert_eq!(courses, [Course::Away, Course::UnderWay, Course::Away, Course::Complete]);
        assert!(embedding.was_away() && embedding.arrived() == 3 && embedding.waits_for().is_none());
        let vectors: Vec<Option<Vec<f32>>> = [1.0, 2.0, 3.0].map(|value| Some(vec![value])).to_vec();
        assert_eq!(embedding.into_outputs(), vectors);
        assert_eq!(*model.asked.lock().unwrap(), [texts(), texts(), vec!["ccc".to_owned()]]);
    }

    #[test]
    fn a_model_that_cannot_be_used_is_not_waited_for() {
        let (_, handle) = told([(0, Some(unusable as fn() -> Error))]);
        assert!(matches!(Embedding::begin(&handle, Lane::Bulk, texts()), Err(Error::Unusable { .. })));
        let (_, handle) = told([(1, Some(unusable as fn() -> Error))]);
        let mut embedding = Embedding::begin(&handle, Lane::Bulk, texts()).unwrap();
        let outcome = (0..3).map(|_| embedding.advance(&handle, soon())).find(std::result::Result::is_err).unwrap();
        assert!(matches!(outcome, Err(Error::Unusable { .. })));
        assert_eq!(embedding.into_outputs().iter().flatten().count(), 1, "what it gave before is kept");
    }
}
