//! Recall: which documents a search finds, the candidates of both retrievers for ranking them, and their fusion.
//!
//! What is found is a property of the query and the view, so that totals and facets hold for every page, and a filter
//! only ever leaves out: every document that the words find, and those of the passages nearest in meaning *in the whole index*,
//! as deep as the retrievers rank. Where that leaves nothing within a filter, what is nearest within it is found. A search by
//! meaning alone looks for the nearest within its filter at once: it has nothing else.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use storage::{DocumentSet, Filter, PassageRef, Scope, View};

use crate::awaited::Known;
use crate::candidate::Candidate;
use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::fuse::{Fusion, Retrieved, fuse_whole};
use crate::plan::SearchPlan;
use crate::request::Mode;

/// The fused candidates, best first, and what they cost.
#[derive(Debug, Clone)]
pub struct Recall {
    /// The candidates, in the order of fusion.
    pub candidates: Vec<Candidate>,
    /// What a passage scores by BM25 that holds every word of the query once; 0 where vectors have no say.
    pub full_coverage: f32,
    /// The documents that are found: those of the candidates, and all others with a word of the query.
    pub found: DocumentSet,
    /// Time of the lexical retriever.
    pub lexical: Duration,
    /// Time until the query's vector was there.
    pub embed: Duration,
    /// Time of the vector retriever.
    pub vector: Duration,
    /// Time of fusion.
    pub fuse: Duration,
    /// The passages nearest in meaning whatever the filters.
    pub(crate) overall: Vec<PassageRef>,
}

/// What the lexical retriever found.
#[derive(Default)]
struct Lexical {
    hits: Vec<(PassageRef, f32)>,
    /// The documents of all that it would find without a limit.
    found: DocumentSet,
    /// See [`Recall::full_coverage`].
    full_coverage: f32,
    took: Duration,
}

/// What the vector retriever found.
#[derive(Default)]
struct Nearest {
    /// Within the filters.
    hits: Vec<(PassageRef, f32)>,
    /// Whatever the filters.
    overall: Vec<PassageRef>,
    /// Those of them that the filters let through.
    within: Vec<(PassageRef, f32)>,
    /// The vector of the query.
    vector: Option<Vec<f32>>,
    /// Whether the model is elsewhere and gives no answer.
    is_away: bool,
    embed: Duration,
    took: Duration,
}

/// Runs the retrievers that the plan asks for and fuses what they found. The plan has its vector afterwards.
pub(crate) fn recall(view: &View, config: &SearchConfig, plan: &mut SearchPlan) -> Result<Recall, SearchError> {
    let embedding = plan.embedding.take();
    let filters = plan.filters();
    let planned = &*plan;
    let span = tracing::Span::current();
    let (by_words, nearest) = std::thread::scope(|scope| {
        let by_words = (planned.request.mode != Mode::Semantic || planned.lists_filtered())
            .then(|| scope.spawn(|| span.in_scope(|| lexical(view, config, planned, &filters))));
        let nearest = nearest(view, config, planned, &filters, embedding);
        let by_words = by_words.map_or(Ok(Lexical::default()), |by_words| {
            by_words.join().unwrap_or(Err(SearchError::Panicked { stage: "lexical" }))
        });
        (by_words, nearest)
    });
    let (mut by_words, mut nearest) = (by_words?, nearest?);
    if nearest.is_away {
        let had_words = plan.request.mode != Mode::Semantic || plan.lists_filtered();
        plan.go_by_words();
        if !had_words {
            by_words = lexical(view, config, plan, &filters)?;
        }
        by_words.full_coverage = 0.0;
    }
    let mut found = found(view, plan, &by_words, &mut nearest)?;
    plan.weighing.pinned(view, &filters, &plan.terms)?.into_iter().for_each(|pinned| found.insert(pinned));
    let mut fused = fused(view, config, plan, &by_words, &nearest, found)?;
    plan.weighing.weigh(view, &mut fused.candidates)?;
    plan.vector = nearest.vector;
    Ok(fused)
}

/// The documents that the plan's search would find under other restrictions: for counting alternatives. `overall` is
/// [`Recall::overall`].
pub(crate) fn found_within(
    view: &View,
    config: &SearchConfig,
    plan: &SearchPlan,
    filters: &[Filter],
    overall: &[PassageRef],
) -> Result<DocumentSet, SearchError> {
    let scope = view.scope(filters, &plan.terms)?;
    if plan.request.mode == Mode::Semantic && !plan.lists_filtered() {
        let hits = plan.vector.as_ref().map(|vector| hits_near(view, config, plan, &scope, vector)).transpose()?;
        let mut found = documents(view, hits.unwrap_or_default().into_iter().map(|(passage, _)| passage))?;
        plan.weighing.pinned(view, filters, &plan.terms)?.into_iter().for_each(|pinned| found.insert(pinned));
        return Ok(found);
    }
    let mut found = matching(view, config, plan, filters)?;
    let near = overall.iter().copied().filter(|passage| scope.admits(*passage));
    found.union(&documents(view, near)?);
    plan.weighing.pinned(view, filters, &plan.terms)?.into_iter().for_each(|pinned| found.insert(pinned));
    Ok(found)
}

/// The documents that are found; leaves of what is near within the filters only theirs.
fn found(view: &View, plan: &SearchPlan, lexical: &Lexical, nearest: &mut Nearest) -> Result<DocumentSet, SearchError> {
    let own = |hits: &[(PassageRef, f32)]| documents(view, hits.iter().map(|(passage, _)| *passage));
    if plan.request.mode == Mode::Semantic || nearest.hits.is_empty() {
        let mut found = lexical.found.clone();
        found.union(&own(&nearest.hits)?);
        return Ok(found);
    }
    let mut found = lexical.found.clone();
    found.union(&own(&nearest.within)?);
    if found.is_empty() {
        return own(&nearest.hits);
    }
    let mut kept = Vec::with_capacity(nearest.hits.len());
    for (passage, cosine) in nearest.hits.drain(..) {
        if found.contains(view.number(passage)?) {
            kept.push((passage, cosine));
        }
    }
    // A search of the graph within a filter may miss what the one over all has found.
    let known: HashSet<PassageRef> = kept.iter().map(|(passage, _)| *passage).collect();
    kept.extend(nearest.within.iter().filter(|(passage, _)| !known.contains(passage)));
    kept.sort_by(|a, b| b.1.total_cmp(&a.1));
    nearest.hits = kept;
    Ok(found)
}

fn documents(view: &View, passages: impl Iterator<Item = PassageRef>) -> Result<DocumentSet, SearchError> {
    let mut documents = DocumentSet::default();
    for passage in passages {
        documents.insert(view.number(passage)?);
    }
    Ok(documents)
}

/// The documents that the words find, or that the filters alone list.
fn matching(
    view: &View,
    config: &SearchConfig,
    plan: &SearchPlan,
    filters: &[Filter],
) -> Result<DocumentSet, SearchError> {
    if plan.lists_filtered() {
        return Ok(view.passing(filters, &plan.terms)?);
    }
    Ok(view.matching(&plan.terms, filters, config.lexical)?)
}

fn lexical(view: &View, config: &SearchConfig, plan: &SearchPlan, filters: &[Filter]) -> Result<Lexical, SearchError> {
    let _span = tracing::debug_span!("recall_lexical").entered();
    let started = Instant::now();
    let hits = view.lexical(&plan.terms, filters, config.lexical, plan.depth)?;
    let is_beside_vectors = plan.vector_weight > 0.0;
    let full_coverage = if is_beside_vectors { view.full_coverage(&plan.terms, config.lexical)? } else { 0.0 };
    let found = matching(view, config, plan, filters)?;
    Ok(Lexical { hits, found, full_coverage, took: started.elapsed() })
}

fn nearest(
    view: &View,
    config: &SearchConfig,
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
        Err(error) if error.is_elsewhere() => return Ok(Nearest { is_away: true, ..Nearest::default() }),
        Err(error) => return Err(error.into()),
    };
    let embed = plan.started.elapsed();
    let searching = Instant::now();
    let scope = view.scope(filters, &plan.terms)?;
    let hits = hits_near(view, config, plan, &scope, &vector)?;
    let is_filtered = filters.iter().any(|filter| !filter.is_empty());
    let mut within = match plan.request.mode == Mode::Hybrid && is_filtered {
        true => hits_near(view, config, plan, &view.scope(&[], &plan.terms)?, &vector)?,
        false => hits.clone(),
    };
    let overall = within.iter().map(|(passage, _)| *passage).collect();
    within.retain(|(passage, _)| scope.admits(*passage));
    Ok(Nearest { hits, overall, within, vector: Some(vector), is_away: false, embed, took: searching.elapsed() })
}

/// The nearest passages within a scope, as far as they are nearer than nothing.
fn hits_near(
    view: &View,
    config: &SearchConfig,
    plan: &SearchPlan,
    scope: &Scope,
    vector: &[f32],
) -> Result<Vec<(PassageRef, f32)>, SearchError> {
    let near = |depth: usize| view.nearest(vector, scope, depth, config.vector_scan());
    let mut hits = if scope.is_empty() { Vec::new() } else { near(plan.depth)? };
    hits.truncate(plan.depth);
    hits.retain(|(_, cosine)| *cosine > config.cosine_floor);
    Ok(hits)
}

fn fused(
    view: &View,
    config: &SearchConfig,
    plan: &SearchPlan,
    lexical: &Lexical,
    nearest: &Nearest,
    found: DocumentSet,
) -> Result<Recall, SearchError> {
    let _span = tracing::debug_span!("fuse").entered();
    let started = Instant::now();
    let full = config.coverage * lexical.full_coverage;
    let (words, near) = (numbered(view, &lexical.hits)?, numbered(view, &nearest.hits)?);
    let beyond = beyond(view, config, plan, lexical, nearest)?;
    let candidates = candidates(
        Retrieved { ranked: &words, weight: 1.0, floor: Some(0.0), full },
        Retrieved { ranked: &near, weight: plan.vector_weight, floor: Some(config.cosine_floor), full: 0.0 },
        &beyond,
        config,
    );
    Ok(Recall {
        candidates,
        full_coverage: lexical.full_coverage,
        found,
        lexical: lexical.took,
        embed: nearest.embed,
        vector: nearest.took,
        fuse: started.elapsed(),
        overall: nearest.overall.clone(),
    })
}

/// What each retriever would give the candidates of the other, however deep they lie in its own ranking. That is much cheaper
/// than ranking deeper, and ranks the first page as if both had ranked everything.
fn beyond(
    view: &View,
    config: &SearchConfig,
    plan: &SearchPlan,
    lexical: &Lexical,
    nearest: &Nearest,
) -> Result<Vec<HashMap<Numbered, f32>>, SearchError> {
    let (Some(vector), Fusion::Convex, Mode::Hybrid) = (&nearest.vector, config.fusion(), plan.request.mode) else {
        return Ok(Vec::new());
    };
    let passages = |hits: &[(PassageRef, f32)]| hits.iter().map(|(passage, _)| *passage).collect::<HashSet<_>>();
    let (words, near) = (passages(&lexical.hits), passages(&nearest.hits));
    let words_of = view.lexical_of(&plan.terms, config.lexical, near.difference(&words).copied().collect())?;
    let mut cosines_of = view.cosines(vector, words.difference(&near).copied().collect())?;
    if !view.totals().waiting.is_over() {
        let (words, near) = (lexical.hits.as_slice(), nearest.hits.as_slice());
        let (full, floor) = (config.coverage * lexical.full_coverage, config.cosine_floor);
        let expected = Known { words, full, near, cosines: &cosines_of, floor }.expected();
        cosines_of.extend(expected);
    }
    let by_passage = |scores: Vec<_>| Ok::<_, SearchError>(numbered(view, &scores)?.into_iter().collect());
    Ok(vec![by_passage(words_of)?, by_passage(cosines_of)?])
}

/// A passage behind the number of its document: equal scores go by that, which no commit changes.
pub(crate) type Numbered = (u32, PassageRef);

/// Passages with the numbers of their documents.
pub(crate) fn numbered(view: &View, hits: &[(PassageRef, f32)]) -> Result<Vec<(Numbered, f32)>, SearchError> {
    hits.iter().map(|(passage, score)| Ok(((view.number(*passage)?, *passage), *score))).collect()
}

/// What both retrievers found as candidates, best first; `beyond` as for [`fuse_whole`].
pub(crate) fn candidates(
    lexical: Retrieved<'_, Numbered>,
    vector: Retrieved<'_, Numbered>,
    beyond: &[HashMap<Numbered, f32>],
    config: &SearchConfig,
) -> Vec<Candidate> {
    let fused = fuse_whole(&[lexical, vector], beyond, config.fusion());
    let candidate = |entry: crate::fuse::Fused<Numbered>| {
        let mut places = entry.places.into_iter();
        let (lexical, vector) = (places.next().flatten(), places.next().flatten());
        let (document, passage) = entry.id;
        Candidate { lexical, vector, ..Candidate::unranked(document, passage, entry.score) }
    };
    fused.into_iter().map(candidate).collect()
}
