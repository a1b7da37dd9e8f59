//! A reranker elsewhere: a query and passages go to an endpoint in portions, several at once, and come back as probabilities.

mod api;

use std::sync::Arc;
use std::time::{Duration, Instant};

use qwen3::{EmbedPrompt, Lane, Overlong, Pending, Place, Reply, RerankModel, Ruler, WorkerStats};

use crate::crew::Crew;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::key::Key;
use crate::line::Line;
use crate::patience::Patience;
use crate::portion::Portion;
use crate::wire::Wire;

pub use api::{RerankApi, Scores};

/// Attempts at a request whose failure may pass: somebody waits, and an order is there already.
const ATTEMPTS: u32 = 2;
/// Longer than this is not waited for an endpoint that says when it wants to be asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How a reranker is asked.
#[derive(Clone)]
pub struct RerankOptions {
    /// What the endpoint speaks.
    pub api: RerankApi,
    /// The model's name at the endpoint.
    pub model: String,
    /// What the endpoint knows us by.
    pub key: Option<Key>,
    /// What its scores are.
    pub scores: Scores,
    /// The forms of queries and passages; a quarry forms them itself.
    pub prompt: EmbedPrompt,
    /// How long texts are.
    pub ruler: Ruler,
    /// Longest query and passage together, in tokens; longer passages are cut.
    pub max_tokens: usize,
    /// What a request holds.
    pub portion: Portion,
    /// Requests at once.
    pub at_once: usize,
    /// Time for a request.
    pub timeout: Duration,
}

/// A reranker elsewhere.
pub struct Reranking {
    asker: Arc<Asker>,
    crew: Crew<Job>,
}

/// What asks the endpoint.
struct Asker {
    line: Line,
    options: RerankOptions,
}

/// Passages of one request to the endpoint.
struct Job {
    query: String,
    instruction: Option<String>,
    /// Place of the first among those that were handed in.
    first: usize,
    texts: Vec<String>,
    reply: Reply<f32>,
}

impl Reranking {
    /// A reranker at the endpoint. Nothing is sent to it yet.
    ///
    /// # Errors
    /// The forms of texts make no sense, or no thread can be started.
    pub fn new(endpoint: Endpoint, options: RerankOptions) -> Result<Self, Fault> {
        options.prompt.check().map_err(Fault::Form)?;
        let endpoint = if options.api == RerankApi::Cohere { endpoint } else { endpoint.without_version() };
        let hands = options.at_once;
        let asker = Arc::new(Asker { line: Line::new(Wire::new(endpoint, options.key.clone())), options });
        let own = Arc::clone(&asker);
        let crew = Crew::start("rerank-elsewhere", hands, move |job: Job| own.serve(job))?;
        Ok(Self { asker, crew })
    }

    /// Query and passages as they fit: a quarter of the room is the query's at the most.
    fn fitted<'t>(
        &self,
        query: &'t str,
        documents: &[&'t str],
        overlong: Overlong,
    ) -> qwen3::Result<(&'t str, Vec<&'t str>)> {
        let RerankOptions { ruler, max_tokens, .. } = &self.asker.options;
        let query = ruler.fit(query, max_tokens / 4, overlong, None)?;
        let room = max_tokens - max_tokens / 4;
        let documents = documents.iter().enumerate().map(|(at, text)| ruler.fit(text, room, overlong, Some(at)));
        Ok((query, documents.collect::<qwen3::Result<_>>()?))
    }
}

impl RerankModel for Reranking {
    fn scores(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[&str],
        overlong: Overlong,
    ) -> qwen3::Result<Pending<f32>> {
        if documents.is_empty() {
            return Ok(Pending::awaiting(0, 0).1);
        }
        self.asker.line.rested().map_err(|fault| fault.of_model(self.asker.line.host()))?;
        let RerankOptions { api, prompt, ruler, portion, .. } = &self.asker.options;
        let (query, documents) = self.fitted(query, documents, overlong)?;
        let is_formed = *api == RerankApi::Quarry;
        let query = if is_formed { query.to_owned() } else { prompt.query(query, instruction) };
        let form = |text: &&str| if is_formed { (*text).to_owned() } else { prompt.document(text) };
        let texts: Vec<String> = documents.iter().map(form).collect();
        let tokens = texts.iter().map(|text| ruler.count(text)).sum::<qwen3::Result<usize>>()?;
        let (reply, pending) = Pending::awaiting(texts.len(), tokens);
        let portions = portion.cut(texts.iter().map(|text| text.chars().count()));
        let mut texts = texts.into_iter();
        for range in portions {
            let job = Job {
                query: query.clone(),
                instruction: instruction.map(str::to_owned),
                first: range.start,
                texts: texts.by_ref().take(range.len()).collect(),
                reply: reply.clone(),
            };
            self.crew.give(Lane::Bulk, job);
        }
        Ok(pending)
    }

    fn holds(&self, query: &str, _: Option<&str>, documents: &[&str]) -> qwen3::Result<()> {
        self.fitted(query, documents, Overlong::Refuse).map(drop)
    }

    fn follows_instructions(&self) -> bool {
        self.asker.options.api == RerankApi::Quarry || self.asker.options.prompt.query.contains("{instruction}")
    }

    fn ruler(&self) -> &Ruler {
        &self.asker.options.ruler
    }

    fn place(&self) -> Place {
        Place::Elsewhere(self.asker.line.elsewhere())
    }

    fn stats(&self) -> WorkerStats {
        self.asker.line.meter.read()
    }
}

impl Asker {
    /// Does a job, and hands in what comes of it.
    fn serve(&self, job: Job) {
        self.line.meter.request();
        if job.reply.is_abandoned() {
            self.line.meter.abandoned();
            return;
        }
        match self.scores(&job.query, job.instruction.as_deref(), &job.texts) {
            Ok(scores) => {
                job.reply.answer(scores.into_iter().enumerate().map(|(at, it)| (job.first + at, it)).collect())
            }
            Err(fault) => job.reply.fail(fault.of_model(self.line.host())),
        }
    }

    /// What the endpoint gives for texts. A request that is too large is cut in two.
    fn scores(&self, query: &str, instruction: Option<&str>, texts: &[String]) -> Result<Vec<f32>, Fault> {
        let RerankOptions { api, model, scores, ruler, timeout, .. } = &self.options;
        let patience = Patience { attempts: ATTEMPTS, longest_pause: LONGEST_PAUSE, time: *timeout };
        let body = api.body(model, query, instruction, texts);
        let begun = Instant::now();
        match self.line.ask(api.path(), &body, patience, |text| api.read(text, texts.len(), *scores)) {
            Err(fault) if fault.is_of_size() && texts.len() > 1 => {
                let (head, tail) = texts.split_at(texts.len() / 2);
                let mut scores = self.scores(query, instruction, head)?;
                scores.append(&mut self.scores(query, instruction, tail)?);
                Ok(scores)
            }
            Ok(scores) => {
                let tokens = texts.iter().map(|text| ruler.count(text).unwrap_or(text.len())).sum();
                self.line.meter.batch(tokens, begun.elapsed());
                Ok(scores)
            }
            Err(fault) => Err(fault),
        }
    }
}
