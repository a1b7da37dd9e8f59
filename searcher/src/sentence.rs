//! The sentence that answers, in passages that were found by their meaning and show no word of the query.
//!
//! The sentences of such passages are embedded in one batch, and the one nearest to the query is marked. That may cost
//! the model more than the search itself, so it is done only where it is asked for, only for as many passages as the
//! model can read in the time given (by its own measured pace), and a model that is busy is not waited for.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use qwen3::{EmbedHandle, Lane};
use unicode_segmentation::UnicodeSegmentation;

use crate::answer::{DocumentHit, Marked, PassageHit};
use crate::config::SearchConfig;
use crate::error::SearchError;
use crate::fuse::Place;
use crate::highlight::Span;
use crate::marks::headings;
use crate::nearness::dot;
use crate::snippet::{Cut, flowing, snippet};

/// Shorter pieces (numbers of lists, lone words) answer nothing by themselves.
const LEAST_CHARS: usize = 12;
/// Sentences of one passage that are looked at.
const MOST_SENTENCES: usize = 24;
/// Bytes of one token, for an estimate that is rather too many tokens than too few.
const BYTES_PER_TOKEN: usize = 3;

/// A passage within an answer: number of the document, number of its passage.
type Position = (usize, usize);

/// Which sentences are marked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The one of every passage that is most like what is resembled.
    MostAlike,
    /// One that answers: of the passage that is nearest of all, and as near itself as this cosine. Measured on labelled
    /// questions, others are hardly ever right.
    Answering {
        /// The least cosine with the query.
        floor: f32,
    },
}

impl Which {
    fn counts(self, place: Place) -> bool {
        matches!(self, Self::MostAlike) || place.rank == 1
    }

    fn is_near(self, cosine: f32) -> bool {
        match self {
            Self::MostAlike => true,
            Self::Answering { floor } => cosine >= floor,
        }
    }
}

/// Finds and marks sentences for one query; what was found once is kept for the next order of the same results.
pub(crate) struct Sentences {
    embedder: EmbedHandle,
    time: Duration,
    max_chars: usize,
    found: HashMap<(String, u32), Option<Range<usize>>>,
}

/// Sentences of one passage that are to be compared.
struct Question {
    place: Position,
    sentences: Vec<Range<usize>>,
}

impl Sentences {
    pub(crate) fn new(embedder: &EmbedHandle, config: &SearchConfig) -> Self {
        let time = config.sentence_time();
        Self { embedder: embedder.clone(), time, max_chars: config.snippet_chars, found: HashMap::new() }
    }

    /// Marks the sentence nearest to the vector in passages that the vector retriever found and that have no marks.
    pub(crate) fn mark(&mut self, hits: &mut [DocumentHit], vector: &[f32], which: Which) -> Result<(), SearchError> {
        let questions = self.questions(hits, which);
        if let Some(vectors) = self.embed(hits, &questions)? {
            let mut vectors = vectors.into_iter();
            for question in questions {
                let cosines = vectors.by_ref().take(question.sentences.len()).map(|sentence| dot(&sentence, vector));
                let best = question.sentences.iter().zip(cosines).max_by(|a, b| a.1.total_cmp(&b.1));
                let sentence = best.filter(|(_, cosine)| which.is_near(*cosine)).map(|(sentence, _)| sentence.clone());
                self.found.insert(key(hits, question.place), sentence);
            }
        }
        for place in bare(hits, which) {
            if let Some(Some(sentence)) = self.found.get(&key(hits, place)) {
                show(&mut hits[place.0].passages[place.1], sentence.clone(), self.max_chars);
            }
        }
        Ok(())
    }

    /// The passages to look at: as many as the model can read in time, the first ones of all documents before the others.
    fn questions(&self, hits: &[DocumentHit], which: Which) -> Vec<Question> {
        let pace = self.embedder.stats().tokens_per_second();
        let mut room = (pace * self.time.as_secs_f64()) as usize * BYTES_PER_TOKEN;
        let mut questions = Vec::new();
        for place in bare(hits, which) {
            if self.found.contains_key(&key(hits, place)) {
                continue;
            }
            let passage = &hits[place.0].passages[place.1];
            let headings = headings(&passage.text, &passage.blocks);
            let is_heading = |sentence: &Range<usize>| {
                headings.iter().any(|heading| heading.start < sentence.end && sentence.start < heading.end)
            };
            let mut sentences = sentences(&passage.text);
            sentences.retain(|sentence| !is_heading(sentence));
            let bytes: usize = sentences.iter().map(Range::len).sum();
            // A passage of one sentence is marked as a whole by being shown.
            if sentences.len() < 2 {
                continue;
            }
            if bytes > room {
                break;
            }
            room -= bytes;
            questions.push(Question { place, sentences });
        }
        questions
    }

    /// Vectors of all sentences; `None` if the model did not get to it in time.
    fn embed(&self, hits: &[DocumentHit], questions: &[Question]) -> Result<Option<Vec<Vec<f32>>>, SearchError> {
        let text = |Question { place, sentences }: &Question| {
            let text = &hits[place.0].passages[place.1].text;
            sentences.iter().map(|sentence| text[sentence.clone()].to_owned()).collect::<Vec<_>>()
        };
        let texts: Vec<String> = questions.iter().flat_map(text).collect();
        if texts.is_empty() {
            return Ok(None);
        }
        let begun = self.embedder.embed_documents_in(Lane::Urgent, &texts);
        match begun.and_then(|pending| pending.wait_for(self.time * 2).transpose()) {
            // One of them is nothing to the model (signs that it does not know, say).
            Err(qwen3::Error::NoDirection { .. }) => Ok(None),
            Err(error) if error.is_elsewhere() => Ok(None),
            embedded => Ok(embedded?),
        }
    }
}

fn key(hits: &[DocumentHit], (document, passage): Position) -> (String, u32) {
    (hits[document].id.clone(), hits[document].passages[passage].number)
}

/// Passages that were found by meaning and show no word of the query.
fn bare(hits: &[DocumentHit], which: Which) -> Vec<Position> {
    let is_bare = |passage: &PassageHit| {
        passage.marked == Marked::Nothing && passage.vector.is_some_and(|place| which.counts(place))
    };
    let all = hits.iter().enumerate().flat_map(|(document, hit)| {
        hit.passages
            .iter()
            .enumerate()
            .filter(|(_, passage)| is_bare(passage))
            .map(move |(number, _)| (document, number))
    });
    let mut places: Vec<Position> = all.collect();
    places.sort_by_key(|(document, passage)| (*passage, *document));
    places
}

/// Shows the part of a passage around a sentence, with that marked.
fn show(passage: &mut PassageHit, sentence: Range<usize>, max_chars: usize) {
    let barriers = headings(&passage.text, &passage.blocks);
    let cut = Cut { max_chars, weights: &[], barriers: &barriers };
    let cut = snippet(&passage.text, &[Span { range: sentence, terms: vec![0] }], cut);
    passage.highlights = cut.spans.into_iter().map(|span| span.range).collect();
    passage.snippet = cut.text;
    passage.snippet_start = cut.range.start;
    passage.marked = Marked::Sentence;
}

/// The sentences of a text, without blanks around them.
fn sentences(text: &str) -> Vec<Range<usize>> {
    // Of the same length in bytes, so that ranges are those of the text.
    let flowing = flowing(text);
    let pieces = flowing.split_sentence_bound_indices().map(|(at, piece)| {
        let start = at + (piece.len() - piece.trim_start().len());
        start..start + piece.trim().len()
    });
    let says = |piece: &Range<usize>| {
        let letters = text[piece.clone()].chars().filter(|c| c.is_alphanumeric()).count();
        letters * 2 >= LEAST_CHARS && (letters >= LEAST_CHARS || text[piece.clone()].chars().any(storage::is_unspaced))
    };
    pieces.filter(says).take(MOST_SENTENCES).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_are_told_from_lines() {
        let text =
            "Days are carried over once,\nup to five of them. Ask your manager first!\n\n- by the end of March\n- 1.\n";
        let expected =
            ["Days are carried over once,\nup to five of them.", "Ask your manager first!", "- by the end of March"];
        assert_eq!(cut(text), expected);
        assert_eq!(cut("年假可以结转一次。请先向主管申请。"), ["年假可以结转一次。", "请先向主管申请。"]);
        assert_eq!(
            cut("let ours = first();\nlet theirs = second(ours);"),
            ["let ours = first();", "let theirs = second(ours);"]
        );
        assert!(cut("1. 2. 3.\n—").is_empty());
    }

    #[test]
    fn the_snippet_moves_to_the_sentence() {
        let text =
            format!("{} Here is the answer to it. {}", "Nothing of note. ".repeat(40), "More of it. ".repeat(40));
        let at = text.find("Here").unwrap();
        let mut passage = PassageHit {
            number: 0,
            headings: Vec::new(),
            lines: 1..2,
            page: None,
            place: None,
            blocks: Vec::new(),
            section: None,
            snippet_start: 0,
            snippet: text[..100].to_owned(),
            text,
            highlights: Vec::new(),
            marked: Marked::Nothing,
            score: 1.0,
            lexical: None,
            vector: None,
            reranker: None,
        };
        show(&mut passage, at..at + 25, 120);
        assert_eq!(passage.marked, Marked::Sentence);
        let [mark] = passage.highlights.as_slice() else { panic!("{:?}", passage.highlights) };
        assert_eq!(&passage.snippet[mark.clone()], "Here is the answer to it.");
        assert!(passage.snippet.chars().count() <= 120);
    }

    proptest! {
        #[test]
        fn sentences_lie_in_the_text_and_apart(text in "[a-zé年 ,.!\n|-]{0,200}") {
            let found = sentences(&text);
            prop_assert!(found.iter().all(|range| text.get(range.clone()).is_some_and(|piece| piece == piece.trim())));
            prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }
}
