//! `quarry eval --candidates FILE`: what each leg recalls for each question, with its scores, as JSON lines. The ground
//! on which ways to fuse the legs are compared and tuned outside of quarry, without searching again.

use anyhow::Result;
use searcher::{BeirQuery, Grades, Mode, PassageHit, Place, Rerank, SearchRequest, Searcher};
use serde::Serialize;
use storage::Snapshot;

use super::DEPTH;
use super::legs::request;

/// One question.
#[derive(Serialize)]
pub(super) struct Line<'q> {
    set: &'q str,
    query: &'q str,
    text: &'q str,
    grades: &'q Grades,
    /// Tokens of the model per letter of the question.
    fertility: f32,
    /// Passages by BM25, best first: path of the document, number of the passage, score.
    lexical: Vec<(String, u32, f32)>,
    /// Passages by cosine, likewise.
    vector: Vec<(String, u32, f32)>,
}

pub(super) fn of<'q>(
    snapshot: &Snapshot,
    searcher: &Searcher,
    fertility: f32,
    set: &'q str,
    query: &'q BeirQuery,
) -> Result<Line<'q>> {
    let leg = |mode, place: fn(&PassageHit) -> Option<Place>| -> Result<Vec<(String, u32, f32)>> {
        let request = SearchRequest { mode, rerank: Rerank::Off, ..request(query, DEPTH) };
        let answer = searcher.search(snapshot, &request)?;
        let passages = answer.results.iter().flat_map(|hit| hit.passages.iter().map(move |passage| (hit, passage)));
        let mut found: Vec<(usize, (String, u32, f32))> = passages
            .filter_map(|(hit, passage)| {
                let Place { rank, score } = place(passage)?;
                Some((rank, (hit.path.clone(), passage.number, score)))
            })
            .collect();
        found.sort_by_key(|(rank, _)| *rank);
        Ok(found.into_iter().map(|(_, passage)| passage).collect())
    };
    Ok(Line {
        set,
        query: &query.id,
        text: &query.text,
        grades: &query.grades,
        fertility,
        lexical: leg(Mode::Lexical, |passage| passage.lexical)?,
        vector: leg(Mode::Semantic, |passage| passage.vector)?,
    })
}
