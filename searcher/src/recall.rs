//! Recall: the candidates of both retrievers, side by side, and their fusion.

use std::time::{Duration, Instant};

use storage::{Filter, PassageRef, Snapshot};

use crate::candidate::Candidate;
use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::fuse::{Retrieved, fuse};
use crate::plan::SearchPlan;
use crate::request::Mode;

/// The fused candidates, best first, and what they cost.
#[derive(Debug, Clone)]
pub struct Recall {
    /// The candidates, in the order of fusion.
    pub candidates: Vec<Candidate>,
    /// What a passage scores by BM25 that holds every word of the query once; 0 where vectors have no say.
    pub full_coverage: f32,
    /// Time of the lexical retriever.
    pub lexical: Duration,
    /// Time until the query's vector was there.
    pub embed: Duration,
    /// Time of the vector retriever.
    pub vector: Duration,
    /// Time of fusion.
    pub fuse: Duration,
}

/// What the lexical retriever found.
#[derive(Default)]
struct Lexical {
    hits: Vec<(PassageRef, f32)>,
    /// See [`Recall::full_coverage`].
    full_coverage: f32,
    took: Duration,
}

/// What the vector retriever found.
#[derive(Default)]
struct Nearest {
    hits: Vec<(PassageRef, f32)>,
    /// The vector of the query.
    vector: Option<Vec<f32>>,
    embed: Duration,
    took: Duration,
}

/// Runs the retrievers that the plan asks for and fuses what they found. The plan has its vector afterwards.
pub(crate) fn recall(snapshot: &Snapshot, config: &SearchConfig, plan: &mut SearchPlan) -> Result<Recall, SearchError> {
    let embedding = plan.embedding.take();
    let filters = plan.filters();
    let planned = &*plan;
    let span = tracing::Span::current();
    let (lexical, nearest) = std::thread::scope(|scope| {
        let lexical = (planned.request.mode != Mode::Semantic)
            .then(|| scope.spawn(|| span.in_scope(|| lexical(snapshot, config, planned, &filters))));
        let nearest = nearest(snapshot, planned, &filters, embedding);
        let lexical = lexical.map_or(Ok(Lexical::default()), |lexical| {
            lexical.join().unwrap_or(Err(SearchError::Panicked { stage: "lexical" }))
        });
        (lexical, nearest)
    });
    let (lexical, nearest) = (lexical?, nearest?);
    let fused = fused(config, plan.vector_weight, &lexical, &nearest);
    plan.vector = nearest.vector;
    Ok(fused)
}

/// Recall under other restrictions than the plan's, with the vector that it has: for counting alternatives.
pub(crate) fn recall_within(
    snapshot: &Snapshot,
    config: &SearchConfig,
    plan: &SearchPlan,
    filters: &[Filter],
) -> Result<Recall, SearchError> {
    let lexical = match plan.request.mode {
        Mode::Semantic => Lexical::default(),
        Mode::Hybrid | Mode::Lexical => lexical(snapshot, config, plan, filters)?,
    };
    let hits = plan.vector.as_ref().map(|vector| hits_near(snapshot, plan, filters, vector)).transpose()?;
    let nearest = Nearest { hits: hits.unwrap_or_default(), ..Nearest::default() };
    Ok(fused(config, plan.vector_weight, &lexical, &nearest))
}

fn lexical(
    snapshot: &Snapshot,
    config: &SearchConfig,
    plan: &SearchPlan,
    filters: &[Filter],
) -> Result<Lexical, SearchError> {
    let _span = tracing::debug_span!("recall_lexical").entered();
    let started = Instant::now();
    let hits = snapshot.lexical(&plan.terms, filters, config.lexical, plan.depth)?;
    let is_beside_vectors = plan.vector_weight > 0.0;
    let full_coverage = if is_beside_vectors { snapshot.full_coverage(&plan.terms, config.lexical)? } else { 0.0 };
    Ok(Lexical { hits, full_coverage, took: started.elapsed() })
}

fn nearest(
    snapshot: &Snapshot,
    plan: &SearchPlan,
    filters: &[Filter],
    embedding: Option<qwen3::PendingQuery>,
) -> Result<Nearest, SearchError> {
    let _span = tracing::debug_span!("recall_vector").entered();
    let Some(embedding) = embedding else { return Ok(Nearest::default()) };
    let vector = match embedding.wait() {
        Ok(vector) => vector,
        // The model sees nothing in it (zero-width characters, say): there is no direction to look in.
        Err(qwen3::Error::NoDirection { .. }) => return Ok(Nearest::default()),
        Err(error) => return Err(error.into()),
    };
    let embed = plan.started.elapsed();
    let searching = Instant::now();
    let hits = hits_near(snapshot, plan, filters, &vector)?;
    Ok(Nearest { hits, vector: Some(vector), embed, took: searching.elapsed() })
}

fn hits_near(
    snapshot: &Snapshot,
    plan: &SearchPlan,
    filters: &[Filter],
    vector: &[f32],
) -> Result<Vec<(PassageRef, f32)>, SearchError> {
    let scope = snapshot.scope(filters, &plan.terms)?;
    let mut hits = if scope.is_empty() { Vec::new() } else { snapshot.nearest(vector, &scope, plan.depth)? };
    hits.truncate(plan.depth);
    Ok(hits)
}

fn fused(config: &SearchConfig, vector_weight: f64, lexical: &Lexical, nearest: &Nearest) -> Recall {
    let _span = tracing::debug_span!("fuse").entered();
    let started = Instant::now();
    let full = config.coverage * lexical.full_coverage;
    let candidates = candidates(
        Retrieved { ranked: &lexical.hits, weight: 1.0, floor: Some(0.0), full },
        Retrieved { ranked: &nearest.hits, weight: vector_weight, floor: Some(config.cosine_floor), full: 0.0 },
        config,
    );
    Recall {
        candidates,
        full_coverage: lexical.full_coverage,
        lexical: lexical.took,
        embed: nearest.embed,
        vector: nearest.took,
        fuse: started.elapsed(),
    }
}

/// What both retrievers found as candidates, best first.
pub(crate) fn candidates(
    lexical: Retrieved<'_, PassageRef>,
    vector: Retrieved<'_, PassageRef>,
    config: &SearchConfig,
) -> Vec<Candidate> {
    let fused = fuse(&[lexical, vector], config.fusion());
    let candidate = |entry: crate::fuse::Fused<PassageRef>| {
        let mut places = entry.places.into_iter();
        let (lexical, vector) = (places.next().flatten(), places.next().flatten());
        Candidate { passage: entry.id, lexical, vector, relevance: None, score: entry.score }
    };
    fused.into_iter().map(candidate).collect()
}
