//! "Why this result": what each judge said of a passage, as a bar and in words that need no explanation.

use maud::{Markup, html};
use searcher::{DocumentHit, Effect, Expansion, PassageHit};

use super::strings::fill;
use super::text::clean;
use super::visit::Visit;

/// Who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judges {
    /// Words and meaning.
    Recall,
    /// The reranker too.
    RecallAndReranker,
}

/// What the bars of one page are measured by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale<'a> {
    lexical: f32,
    judges: Judges,
    expanded: &'a [Expansion],
}

impl<'a> Scale<'a> {
    pub(super) fn of(hits: &[DocumentHit], judges: Judges, expanded: &'a [Expansion]) -> Self {
        let passages = hits.iter().flat_map(|hit| &hit.passages);
        let scores = passages.filter_map(|passage| passage.lexical.map(|place| place.score));
        Self { lexical: scores.fold(0.0, f32::max), judges, expanded }
    }
}

/// What was said of a passage: a line for each judge. Scripts fill the same places when the reranker has read on.
pub(super) fn explained(visit: &Visit, hit: &DocumentHit, passage: &PassageHit, scale: Scale<'_>) -> Markup {
    let words = visit.words();
    let rank = |pattern, rank| fill(pattern, &[&visit.language.ordinal(rank)]);
    let lexical = passage.lexical.map(|place| (place.score / scale.lexical, rank(words.why_words_rank, place.rank)));
    let vector = passage.vector.map(|place| (place.score, rank(words.why_meaning_rank, place.rank)));
    let reader =
        passage.reranker.map(|share| (share, fill(words.why_reader_score, &[&format!("{:.0}", share * 100.0)])));
    html! {
        (judge(lexical, words.why_words_none))
        (judge(vector, words.why_meaning_none))
        @if scale.judges == Judges::RecallAndReranker { (judge(reader, words.why_reader_none)) }
        @for expansion in scale.expanded {
            p { (fill(words.why_expanded, &[&clean(&expansion.typed), &clean(&expansion.also.join(", "))])) }
        }
        @for effect in &hit.effects { p { (said_of(visit, effect)) } }
    }
}

/// What a rule did, in words.
fn said_of(visit: &Visit, effect: &Effect) -> String {
    let words = visit.words();
    let times = |factor: &f64| format!("{factor:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
    let (said, because) = match effect {
        Effect::Pin { because } => (words.why_pinned.to_owned(), because.as_deref()),
        Effect::Boost { factor, because } => (fill(words.why_boosted, &[&times(factor)]), because.as_deref()),
        Effect::Page { page, factor } => {
            (fill(words.why_page, &[visit.language.page_type(*page), &times(factor)]), None)
        }
        Effect::Age { factor } => (fill(words.why_age, &[&times(factor)]), None),
        Effect::Language { factor } => (fill(words.why_language, &[&times(factor)]), None),
    };
    match because {
        Some(because) => fill(words.why_because, &[&said, &clean(because)]),
        None => said,
    }
}

fn judge(said: Option<(f32, String)>, nothing: &str) -> Markup {
    let share = said.as_ref().map_or(0.0, |(share, _)| if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 });
    let share = format!("{share:.2}");
    let share = share.trim_end_matches('0').trim_end_matches('.');
    html! {
        p { progress aria-hidden="true" value=(share) {} @match said { Some((_, text)) => (text), None => (nothing) } }
    }
}
