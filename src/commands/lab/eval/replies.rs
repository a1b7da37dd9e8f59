//! Replies to questions whose answers are labelled, and to questions that nothing answers: how often something is said, and how often
//! it is right.
//!
//! Citation precision and recall are those of ALCE (Gao et al., EMNLP 2023) with labels in the place of a model that judges: a citation
//! is precise if its passage is one that answers, and a sentence is recalled if one of its citations holds it. An extractive reply
//! cites where it quotes, so that its recall is the share of exact quotes; of a written one, what it quotes is compared with the
//! labels.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use lab::answers::{agree, flat};
use lab::evaluation::{BeirQuery, percentile};
use searcher::{AskRequest, Citation, EXTRACTIVE, Outcome, Reply, RequestLimits, RerankBudget, Said, Searcher};
use serde::{Deserialize, Serialize};
use storage::View;

use super::marks::Label;

/// A question that nothing answers.
#[derive(Deserialize)]
pub(super) struct Unanswerable {
    text: String,
}

/// What came of it.
#[derive(Default, Serialize)]
pub(super) struct RepliesReport {
    /// Questions that are labelled.
    questions: usize,
    /// Those to which something is said.
    said: usize,
    /// Those of them of which a sentence answers.
    right: usize,
    /// Sentences that are said, and those of them that answer.
    sentences: usize,
    sentences_right: usize,
    /// Citations, and those of them whose document is labelled.
    citations: usize,
    citations_right: usize,
    /// Sentences that stand in a passage that they cite, letter by letter; of a writer, whose evidence does.
    exact: usize,
    /// Replies of a writer, and its sentences that were not proved.
    written: usize,
    struck: usize,
    /// Questions that nothing answers, and those of them to which nothing is said.
    unanswerable: usize,
    abstained: usize,
    /// Milliseconds until the reply is there: median, and 95th percentile; and until its first sentence is.
    p50_ms: f64,
    p95_ms: f64,
    first_p50_ms: f64,
    /// What was said without being an answer: question, path, sentence.
    wrong: Vec<[String; 3]>,
}

/// The questions of a file: a JSON object a line, with `text`.
pub(super) fn questions(file: &Path) -> Result<Vec<Unanswerable>> {
    let lines = BufReader::new(File::open(file).with_context(|| format!("cannot read {}", file.display()))?).lines();
    let read = |(number, line): (usize, std::io::Result<String>)| {
        let place = || format!("{}, line {}", file.display(), number + 1);
        serde_json::from_str(&line.with_context(place)?).with_context(place)
    };
    lines.enumerate().map(read).collect()
}

impl RepliesReport {
    pub(super) fn of(
        view: &View,
        searcher: &Searcher,
        queries: &[BeirQuery],
        labels: &HashMap<String, Vec<Label>>,
        unanswerable: &[Unanswerable],
    ) -> Result<Self> {
        let mut report = Self { unanswerable: unanswerable.len(), ..Self::default() };
        let mut times = Times::default();
        for query in queries {
            let Some(labels) = labels.get(&query.id) else { continue };
            let reply = ask(view, searcher, &query.text, &mut times)?;
            report.questions += 1;
            report.take(&reply, labels);
        }
        for Unanswerable { text } in unanswerable {
            let reply = ask(view, searcher, text, &mut times)?;
            report.abstained += usize::from(reply.outcome == Outcome::Unanswered);
            report.take(&reply, &[]);
        }
        report.p50_ms = percentile(&times.whole, 50.0).unwrap_or_default();
        report.p95_ms = percentile(&times.whole, 95.0).unwrap_or_default();
        report.first_p50_ms = percentile(&times.first, 50.0).unwrap_or_default();
        Ok(report)
    }

    fn take(&mut self, reply: &Reply, labels: &[Label]) {
        let mut is_right = false;
        let is_written = reply.writer != EXTRACTIVE;
        self.written += usize::from(is_written);
        self.struck += reply.struck.len();
        for sentence in &reply.sentences {
            let cited = || sentence.citations.iter().filter_map(|number| reply.citations.get(number - 1));
            let answers = |path: &str| {
                let evidence = || cited().flat_map(quotes).collect::<Vec<_>>().join(" ");
                let said = if is_written { evidence() } else { sentence.text.clone() };
                let said = flat(&format!("{} {said}", sentence.header.as_deref().unwrap_or_default()));
                labels.iter().any(|label| label.path == path && agree(&said, &flat(&label.answer)))
            };
            let sentence_is_right = cited().any(|citation| answers(&citation.path));
            is_right |= sentence_is_right;
            self.sentences += 1;
            self.sentences_right += usize::from(sentence_is_right);
            let is_exact = |citation: &Citation| match is_written {
                true => citation
                    .quotes
                    .iter()
                    .all(|quote| citation.text.get(quote.clone()).is_some_and(|part| !part.is_empty())),
                false => citation.text.contains(&sentence.text),
            };
            self.exact += usize::from(cited().any(is_exact));
            self.citations += sentence.citations.len();
            self.citations_right +=
                cited().filter(|citation| labels.iter().any(|label| label.path == citation.path)).count();
            if !sentence_is_right {
                let path = cited().next().map_or(String::new(), |citation| citation.path.clone());
                self.wrong.push([reply.question.clone(), path, sentence.text.clone()]);
            }
        }
        if !labels.is_empty() {
            self.said += usize::from(!reply.sentences.is_empty());
            self.right += usize::from(is_right);
        }
    }

    pub(super) fn print(&self) {
        let Self { questions, said, right, sentences, sentences_right, citations, citations_right, exact, .. } = self;
        println!("  something is said: {said}, and answers: {right} (of {questions})");
        println!(
            "  sentences: {sentences}, and answer: {sentences_right}; letter by letter in what they cite: {exact}"
        );
        println!("  citations: {citations}, of a document that answers: {citations_right}");
        println!("  questions that nothing answers: {}, nothing is said: {}", self.unanswerable, self.abstained);
        if self.written + self.struck > 0 {
            println!(
                "  replies of the writer: {}; sentences of it that were not proved: {}",
                self.written, self.struck
            );
        }
        println!(
            "  time to the first sentence: p50 {:.1} ms; to the reply: p50 {:.1} ms, p95 {:.1} ms",
            self.first_p50_ms, self.p50_ms, self.p95_ms
        );
        for [question, path, text] in &self.wrong {
            println!("  said, but does not answer: {question}  [{path}]  {}", flat(text));
        }
    }
}

/// How long replies took, in milliseconds.
#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    first: Vec<f64>,
}

/// What is quoted of a citation.
fn quotes(citation: &Citation) -> impl Iterator<Item = &str> {
    citation.quotes.iter().filter_map(|quote| citation.text.get(quote.clone()))
}

fn ask(view: &View, searcher: &Searcher, question: &str, times: &mut Times) -> Result<Reply> {
    let asked = AskRequest { question: question.to_owned(), rerank: RerankBudget::OFF, ..AskRequest::default() };
    let started = Instant::now();
    let mut search = searcher.begin(view, asked.search(&RequestLimits::default())?)?;
    let answer = search.answer()?;
    let draft = search.draft(&answer, searcher.config().answer_time())?;
    let mut first = None;
    let reply = searcher.write(draft, &mut |said| {
        if matches!(said, Said::Sentence(..)) {
            first.get_or_insert_with(|| started.elapsed());
        }
        ControlFlow::Continue(())
    });
    let whole = started.elapsed();
    times.whole.push(whole.as_secs_f64() * 1_000.0);
    if reply.outcome == Outcome::Answered {
        // Sentences of the documents in the place of a writer's come with the whole.
        times.first.push(first.unwrap_or(whole).as_secs_f64() * 1_000.0);
    }
    Ok(reply)
}
