//! Recall: the candidates of both legs, side by side, and their fusion.

use std::time::{Duration, Instant};

use qwen3::EmbedHandle;
use storage::{Filter, LexicalQuery, PassageRef, Snapshot};

use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::fuse::{Fused, Leg, fuse};
use crate::query::ParsedQuery;
use crate::search::{Mode, SearchRequest};

/// Index of the lexical leg in [`Fused::places`].
pub(crate) const LEXICAL: usize = 0;
/// Index of the vector leg in [`Fused::places`].
pub(crate) const VECTOR: usize = 1;

/// The fused candidates, best first, and what they cost.
pub(crate) struct Recalled {
    pub(crate) candidates: Vec<Fused<PassageRef>>,
    /// What a passage scores by BM25 that holds every word of the query once; 0 where vectors have no say.
    pub(crate) whole: f32,
    pub(crate) lexical: Duration,
    pub(crate) embed: Duration,
    pub(crate) vector: Duration,
    pub(crate) fuse: Duration,
}

#[derive(Default)]
struct LexicalLeg {
    hits: Vec<(PassageRef, f32)>,
    /// See [`Recalled::whole`].
    whole: f32,
    search: Duration,
}

#[derive(Default)]
struct VectorLeg {
    hits: Vec<(PassageRef, f32)>,
    embed: Duration,
    search: Duration,
}

/// Runs the legs that the request's mode asks for and fuses them.
pub(crate) fn recall(
    snapshot: &Snapshot,
    embedder: &EmbedHandle,
    config: &SearchConfig,
    request: &SearchRequest,
    query: &ParsedQuery,
    depth: usize,
) -> Result<Recalled, SearchError> {
    let filters = [request.filter.clone(), query.filter.clone()];
    let lexical_query = lexical_query(query);
    let weight = vector_weight(embedder, config, request.mode, &query.text)?;
    let (lexical, vector) = std::thread::scope(|scope| {
        let vector = (weight > 0.0)
            .then(|| scope.spawn(|| vector_leg(snapshot, embedder, request, query, &filters, &lexical_query, depth)));
        let lexical = match request.mode {
            Mode::Semantic => Ok(LexicalLeg::default()),
            Mode::Hybrid | Mode::Lexical => {
                lexical_leg(snapshot, config, &lexical_query, &filters, depth, weight > 0.0)
            }
        };
        let vector = vector.map_or(Ok(VectorLeg::default()), |leg| {
            leg.join().unwrap_or(Err(SearchError::Panicked { stage: "vector" }))
        });
        (lexical, vector)
    });
    let (lexical, vector) = (lexical?, vector?);

    let started = Instant::now();
    let legs = [
        Leg { ranked: &lexical.hits, weight: 1.0, floor: Some(0.0), full: config.coverage * lexical.whole },
        Leg { ranked: &vector.hits, weight, floor: Some(config.cosine_floor), full: 0.0 },
    ];
    let candidates = fuse(&legs, config.fusion);
    Ok(Recalled {
        candidates,
        whole: lexical.whole,
        lexical: lexical.search,
        embed: vector.embed,
        vector: vector.search,
        fuse: started.elapsed(),
    })
}

pub(crate) fn lexical_query(query: &ParsedQuery) -> LexicalQuery {
    LexicalQuery {
        text: query.lexical_text(),
        phrases: query.phrases.clone(),
        without: query.without.iter().map(|exclusion| exclusion.text().to_string()).collect(),
    }
}

/// How much the vector leg counts for this query.
///
/// A tokenizer that knows a script needs well under one token per character; one that falls back to bytes needs two to
/// four, and the model behind it has learnt nothing about such text. Between the two bounds the weight falls linearly.
fn vector_weight(embedder: &EmbedHandle, config: &SearchConfig, mode: Mode, text: &str) -> Result<f64, SearchError> {
    match mode {
        Mode::Lexical => Ok(0.0),
        Mode::Semantic => Ok(1.0),
        Mode::Hybrid => {
            let fertility = f64::from(embedder.tokenizer().fertility(text)?);
            let (known, unknown) = config.fertility;
            let share = ((unknown - fertility) / (unknown - known)).clamp(0.0, 1.0);
            Ok(config.vector_weight * share)
        }
    }
}

fn lexical_leg(
    snapshot: &Snapshot,
    config: &SearchConfig,
    query: &LexicalQuery,
    filters: &[Filter],
    depth: usize,
    beside_vectors: bool,
) -> Result<LexicalLeg, SearchError> {
    let started = Instant::now();
    let hits = snapshot.lexical(query, filters, config.lexical, depth)?;
    let whole = if beside_vectors { snapshot.lexical_whole(query, config.lexical)? } else { 0.0 };
    Ok(LexicalLeg { hits, whole, search: started.elapsed() })
}

fn vector_leg(
    snapshot: &Snapshot,
    embedder: &EmbedHandle,
    request: &SearchRequest,
    query: &ParsedQuery,
    filters: &[Filter],
    requirements: &LexicalQuery,
    depth: usize,
) -> Result<VectorLeg, SearchError> {
    if query.text.trim().is_empty() {
        return Ok(VectorLeg::default());
    }
    let started = Instant::now();
    let vector = match embedder.embed_query(&query.text, request.instruct.as_deref()) {
        Ok(vector) => vector,
        // The model sees nothing in it (zero-width characters, say): there is no direction to look in.
        Err(qwen3::Error::NoDirection { .. }) => return Ok(VectorLeg::default()),
        Err(error) => return Err(error.into()),
    };
    let embed = started.elapsed();
    let scope = snapshot.scope(filters, requirements)?;
    let mut hits = if scope.is_empty() { Vec::new() } else { snapshot.nearest(&vector, &scope, depth)? };
    hits.truncate(depth);
    Ok(VectorLeg { hits, embed, search: started.elapsed().saturating_sub(embed) })
}
