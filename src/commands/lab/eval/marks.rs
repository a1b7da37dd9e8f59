//! `quarry eval --answers FILE`: whether what is shown and marked of the first result is the sentence that answers, and what is said
//! to the question, on questions whose answering sentences somebody has labelled.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail};
use lab::answers::{agree, flat};
use lab::evaluation::{BeirQuery, BeirSet};
use searcher::{Answer, Calibration, DocumentHit, Marked, Marking, RerankBudget, SearchRequest, Searcher};
use serde::{Deserialize, Serialize};
use storage::View;

use super::Bench;
use super::index::EvalIndex;
use super::replies::{self, RepliesReport};
use super::runs::request;
use super::setup::{Models, Setup};

/// One label: a line of the file. A question may have several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    /// The question's id.
    #[serde(rename = "_id")]
    id: String,
    /// The document that answers, by its path.
    pub(super) path: String,
    /// The sentence or row of it that answers, as it stands there; white space may differ.
    pub(super) answer: String,
}

/// What came of the questions with labels.
#[derive(Default, Serialize)]
struct MarksReport {
    dataset: String,
    questions: usize,
    /// Those whose first result is a labelled document.
    first_answers: usize,
    /// Those of them whose snippet holds a labelled sentence.
    snippet_holds: usize,
    /// Sentences marked at all.
    marked: usize,
    /// Those of them that answer.
    marked_right: usize,
    /// What was marked without answering: question, path, sentence.
    wrong: Vec<[String; 3]>,
    /// Snippets of first results that do not hold the labelled sentence: question, path, snippet.
    missed: Vec<[String; 3]>,
    /// What is said to the questions.
    replies: RepliesReport,
}

pub(super) fn run(bench: &Bench, file: &Path, calibration: Calibration) -> Result<()> {
    let setup = Setup::of(bench.settings, &bench.args.settings)?;
    let models = Models::open(&setup)?;
    let writer = if bench.args.written { crate::answers::only_writer(bench.settings)? } else { None };
    anyhow::ensure!(
        !bench.args.written || writer.is_some(),
        "--written: expected a writer, by --writer or [answers] in the configuration"
    );
    let searcher = models.searcher(&setup.config).calibrated(calibration).with_writer(writer);
    let make = |set: &BeirSet, index: &EvalIndex, _: &Path| {
        let labels = read(file, &set.queries)?;
        let unanswerable = match &bench.args.unanswerable {
            Some(file) => replies::questions(file)?,
            None => Vec::new(),
        };
        let report = report(&index.view, &searcher, &set.queries, &labels)?;
        let replies = RepliesReport::of(&index.view, &searcher, &set.queries, &labels, &unanswerable)?;
        Ok(MarksReport { dataset: set.name.clone(), replies, ..report })
    };
    bench.reports(&models, make, MarksReport::print)
}

/// The labels of each question.
fn read(file: &Path, queries: &[BeirQuery]) -> Result<HashMap<String, Vec<Label>>> {
    let lines = BufReader::new(File::open(file).with_context(|| format!("cannot read {}", file.display()))?).lines();
    let mut labels: HashMap<String, Vec<Label>> = HashMap::new();
    for (number, line) in lines.enumerate() {
        let place = || format!("{}, line {}", file.display(), number + 1);
        let label: Label = serde_json::from_str(&line.with_context(place)?).with_context(place)?;
        if !queries.iter().any(|query| query.id == label.id) {
            bail!("{}: no judged question has the id {:?}", place(), label.id);
        }
        if flat(&label.answer).is_empty() {
            bail!("{}: answer: expected the sentence that answers", place());
        }
        labels.entry(label.id.clone()).or_default().push(label);
    }
    Ok(labels)
}

fn report(
    view: &View,
    searcher: &Searcher,
    queries: &[BeirQuery],
    labels: &HashMap<String, Vec<Label>>,
) -> Result<MarksReport> {
    let mut report = MarksReport::default();
    for query in queries {
        let Some(labels) = labels.get(&query.id) else { continue };
        let ask = SearchRequest { mark: Marking::Sentences, rerank: RerankBudget::OFF, ..request(query, 10) };
        let answer: Answer = searcher.search(view, &ask)?;
        report.questions += 1;
        let Some(first) = answer.results.first() else { continue };
        report.take(query, labels, first);
    }
    Ok(report)
}

impl MarksReport {
    fn take(&mut self, query: &BeirQuery, labels: &[Label], first: &DocumentHit) {
        let Some(passage) = first.passages.first() else { return };
        let of_document: Vec<String> =
            labels.iter().filter(|label| label.path == first.path).map(|label| flat(&label.answer)).collect();
        let said = |what: &str| [query.text.clone(), first.path.clone(), what.to_owned()];
        if !of_document.is_empty() {
            self.first_answers += 1;
            let snippet = flat(&passage.snippet);
            if of_document.iter().any(|answer| agree(&snippet, answer)) {
                self.snippet_holds += 1;
            } else {
                self.missed.push(said(&passage.snippet));
            }
        }
        if passage.marked != Marked::Sentence {
            return;
        }
        self.marked += 1;
        let marked: Vec<&str> =
            passage.highlights.iter().filter_map(|range| passage.snippet.get(range.clone())).collect();
        let marked = marked.join(" ");
        if of_document.iter().any(|answer| agree(&flat(&marked), answer)) {
            self.marked_right += 1;
        } else {
            self.wrong.push(said(&marked));
        }
    }

    fn print(&self) {
        let Self { dataset, questions, first_answers, snippet_holds, marked, marked_right, .. } = self;
        println!("{dataset}: {questions} questions whose answering sentence is labelled");
        println!("  the first result is the labelled document: {first_answers}");
        println!("  of these, the snippet holds the sentence: {snippet_holds}");
        println!("  a sentence is marked: {marked}, and answers: {marked_right}");
        for (title, list) in [("marked, but does not answer", &self.wrong), ("not in the snippet", &self.missed)] {
            for [question, path, text] in list {
                println!("  {title}: {question}  [{path}]  {}", flat(text));
            }
        }
        self.replies.print();
    }
}
