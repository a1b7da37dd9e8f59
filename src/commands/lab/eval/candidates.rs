//! `quarry eval --candidates FILE`: what each retriever recalls for each question, with its scores, as JSON lines. The ground
//! on which ways to fuse the retrievers are compared and tuned outside of quarry, without searching again.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use lab::evaluation::{BeirQuery, Grades, paths_of};
use searcher::Searcher;
use serde::Serialize;
use storage::View;

use super::runs::request;
use super::setup::{Models, Setup};
use super::{Bench, DEPTH, set};

/// One question.
#[derive(Serialize)]
struct Line<'q> {
    set: &'q str,
    query: &'q str,
    text: &'q str,
    grades: &'q Grades,
    /// Tokens of the model per letter of the question.
    fertility: f32,
    /// BM25 of a passage that holds every word of the question once.
    whole: f32,
    /// Passages: path of the document, BM25 score, cosine; null where the retriever did not recall it.
    candidates: Vec<(String, Option<f32>, Option<f32>)>,
}

/// Writes the candidates of all questions of all sets.
pub(super) fn write(bench: &Bench, file: &Path) -> Result<()> {
    let unwritable = || format!("cannot write {}", file.display());
    let mut writer = BufWriter::new(File::create(file).with_context(unwritable)?);
    let setup = Setup::of(bench.settings, &bench.args.settings)?;
    let models = Models::open(&setup)?;
    let searcher = models.searcher(&setup.config);
    for dir in &bench.args.dirs {
        let set = set::open(bench.args, dir)?;
        let index = bench.index(&set, dir, &models)?;
        for query in &set.queries {
            let line = line(&index.view, &searcher, &models, &set.name, query)?;
            serde_json::to_writer(&mut writer, &line)?;
            writer.write_all(b"\n").with_context(unwritable)?;
        }
        index.remove();
    }
    writer.flush().with_context(unwritable)
}

fn line<'q>(view: &View, searcher: &Searcher, models: &Models, set: &'q str, query: &'q BeirQuery) -> Result<Line<'q>> {
    let mut plan = searcher.plan(view, request(query, DEPTH))?;
    let found = searcher.recall(view, &mut plan)?;
    let paths = paths_of(view, &found.candidates)?;
    let scores = found.candidates.iter().map(|it| (it.lexical.map(|at| at.score), it.vector.map(|at| at.score)));
    let candidates = paths.into_iter().zip(scores).map(|(path, (lexical, vector))| (path, lexical, vector));
    let fertility = models.embedder.ruler().fertility(&query.text)?;
    Ok(Line {
        set,
        query: &query.id,
        text: &query.text,
        grades: &query.grades,
        fertility,
        whole: found.full_coverage,
        candidates: candidates.collect(),
    })
}
