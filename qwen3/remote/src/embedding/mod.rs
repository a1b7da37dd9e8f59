//! An embedding model elsewhere: texts go to an endpoint in portions, several at once, and come back as unit vectors of the wanted
//! dimension, whatever the endpoint makes of length and dimension.
//!
//! Before its vectors are believed, the endpoint has to give two probe texts the vectors that the index was made with: at the start,
//! after every failure, and from time to time. A server that was started anew with another model under the same name would fill an
//! index with vectors that do not compare.

mod api;
mod asker;
mod identity;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use qwen3::{EmbedModel, EmbedPrompt, Lane, Overlong, Pending, Place, Reply, Ruler, WorkerStats};

use crate::crew::Crew;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::key::Key;
use crate::portion::Portion;

pub use api::EmbedApi;
pub(crate) use api::ordered;
use asker::Asker;
use identity::Identity;
use trust::Trust;

/// How a model is asked for vectors.
#[derive(Clone)]
pub struct EmbedOptions {
    /// What the endpoint speaks.
    pub api: EmbedApi,
    /// The model's name at the endpoint, and in the index.
    pub model: String,
    /// What the endpoint knows us by.
    pub key: Option<Key>,
    /// Leading values of each vector to keep; all by default.
    pub dimension: Option<usize>,
    /// The forms of queries and documents; a quarry forms queries itself.
    pub prompt: EmbedPrompt,
    /// How long texts are.
    pub ruler: Ruler,
    /// Longest text in tokens; longer ones are cut.
    pub max_tokens: usize,
    /// What a request holds.
    pub portion: Portion,
    /// Requests at once.
    pub at_once: usize,
    /// Time for a request of documents, attempts and pauses included.
    pub timeout: Duration,
    /// Time for a query.
    pub query_timeout: Duration,
}

/// As what texts are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Document,
    Query { instruction: Option<String> },
}

/// An embedding model elsewhere.
pub struct Embedding {
    asker: Arc<Asker>,
    crew: Crew<Job>,
}

/// Texts of one request to the endpoint.
struct Job {
    /// Place of the first among those that were handed in.
    first: usize,
    texts: Vec<String>,
    form: Form,
    lane: Lane,
    reply: Reply<Vec<f32>>,
}

impl Embedding {
    /// Asks a model who it is. It is one of the `known` fingerprints if its vectors of the probe texts are theirs, else a new one.
    ///
    /// # Errors
    /// It gives no answer, or none that can be used.
    pub fn meet(endpoint: Endpoint, options: EmbedOptions, known: &[&str]) -> Result<Self, Fault> {
        let mut asker = Asker::new(endpoint, options)?;
        let vectors = asker.probe()?;
        let dimension = vectors.first().map_or(0, Vec::len);
        let EmbedOptions { model, prompt, .. } = asker.options();
        let known = known.iter().filter_map(|it| Identity::known(it, model, &prompt.document, dimension));
        let mut known = known.filter(|identity| identity.likeness(&vectors) >= identity::SAME);
        let identity = known.next().unwrap_or_else(|| Identity::of(model, &prompt.document, &vectors));
        let trust = Trust::earned(asker.line().failures());
        asker.is_known(identity, dimension, trust);
        Self::of(asker)
    }

    /// A model that is known by its fingerprint and the dimension of its vectors, before anything is asked of it; `None` where the
    /// fingerprint is not one of a model with this name, form and dimension.
    ///
    /// # Errors
    /// The forms of texts make no sense.
    pub fn known(
        endpoint: Endpoint,
        options: EmbedOptions,
        fingerprint: &str,
        dimension: usize,
    ) -> Result<Option<Self>, Fault> {
        if options.dimension.is_some_and(|wanted| wanted != dimension) {
            return Ok(None);
        }
        let found = Identity::known(fingerprint, &options.model, &options.prompt.document, dimension);
        let Some(identity) = found else { return Ok(None) };
        let mut asker = Asker::new(endpoint, options)?;
        asker.is_known(identity, dimension, Trust::default());
        Self::of(asker).map(Some)
    }

    fn of(asker: Asker) -> Result<Self, Fault> {
        let asker = Arc::new(asker);
        let (own, hands) = (Arc::clone(&asker), asker.options().at_once);
        let crew = Crew::start("embed-elsewhere", hands, move |job: Job| own.serve(job))?;
        Ok(Self { asker, crew })
    }

    fn begin(&self, lane: Lane, texts: Vec<String>, form: &Form) -> qwen3::Result<Pending<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Pending::awaiting(0, 0).1);
        }
        // Known to be in vain: said at once, without a thread.
        self.asker.line().rested().map_err(|fault| fault.of_model(self.asker.line().host()))?;
        let tokens = texts.iter().map(|text| self.asker.options().ruler.count(text)).sum::<qwen3::Result<usize>>()?;
        let (reply, pending) = Pending::awaiting(texts.len(), tokens);
        let portions = self.asker.options().portion.cut(texts.iter().map(|text| text.chars().count()));
        let mut texts = texts.into_iter();
        for portion in portions {
            let job = Job {
                first: portion.start,
                texts: texts.by_ref().take(portion.len()).collect(),
                form: form.clone(),
                lane,
                reply: reply.clone(),
            };
            self.crew.give(lane, job);
        }
        Ok(pending)
    }
}

impl EmbedModel for Embedding {
    fn query(&self, query: &str, instruction: Option<&str>, overlong: Overlong) -> qwen3::Result<Pending<Vec<f32>>> {
        let EmbedOptions { api, prompt, ruler, max_tokens, .. } = self.asker.options();
        let query = ruler.fit(query, *max_tokens, overlong, None)?;
        let text = if api.forms_queries() { query.to_owned() } else { prompt.query(query, instruction) };
        self.begin(Lane::Urgent, vec![text], &Form::Query { instruction: instruction.map(str::to_owned) })
    }

    fn holds_query(&self, query: &str, _: Option<&str>) -> qwen3::Result<()> {
        let EmbedOptions { ruler, max_tokens, .. } = self.asker.options();
        ruler.fit(query, *max_tokens, Overlong::Refuse, None).map(drop)
    }

    fn documents(&self, lane: Lane, documents: &[&str], overlong: Overlong) -> qwen3::Result<Pending<Vec<f32>>> {
        let EmbedOptions { prompt, ruler, max_tokens, .. } = self.asker.options();
        let texts = documents.iter().enumerate();
        let texts = texts.map(|(at, text)| Ok(prompt.document(ruler.fit(text, *max_tokens, overlong, Some(at))?)));
        self.begin(lane, texts.collect::<qwen3::Result<_>>()?, &Form::Document)
    }

    fn dimension(&self) -> usize {
        self.asker.dimension()
    }

    fn max_tokens(&self) -> usize {
        self.asker.options().max_tokens
    }

    fn fingerprint(&self) -> &str {
        self.asker.fingerprint()
    }

    fn ruler(&self) -> &Ruler {
        &self.asker.options().ruler
    }

    fn place(&self) -> Place {
        Place::Elsewhere(self.asker.line().elsewhere())
    }

    fn stats(&self) -> WorkerStats {
        self.asker.line().meter.read()
    }
}

#[cfg(test)]
mod tests;
