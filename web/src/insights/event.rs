//! What is noted: a search and what came of it, a result that was opened, a thumb up or down. A line of the day's log is an
//! event with its second and a mark of the person.

use searcher::{Answer, Filters, Reply, SearchRequest, Verdict};
use serde::{Deserialize, Serialize};
use storage::DocumentId;
use utoipa::ToSchema;

use super::counts::{DocumentKey, PLACES};
use super::people::Mark;
use crate::guard::{Caller, Person};

/// Characters of a query that is counted by its text. What is longer is a text that somebody has put in, not a question that
/// others would ask as well.
const QUERY_CHARS: usize = 200;

/// Through what somebody searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// The page: what is opened there is told.
    Page,
    /// A program, which may tell what is opened, or not.
    Program,
}

/// A search that is to be counted, before it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(super) person: Person,
    pub(super) query: String,
    pub(super) via: Via,
    /// Whether filters were set: then it says little that nothing was found.
    pub(super) is_narrowed: bool,
}

impl Asked {
    /// `None` where it is not counted: what another site may have made a browser ask, later pages, filters alone, and long
    /// texts.
    pub(crate) fn of(request: &SearchRequest, caller: &Caller, via: Via) -> Option<Self> {
        let person = caller.asker.clone()?;
        let is_first_page = request.offset == 0 && request.cursor.is_none();
        let query = normalised(&request.query).filter(|_| is_first_page)?;
        Some(Self { person, query, via, is_narrowed: request.filters != Filters::default() })
    }
}

/// What is done with a result, or said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FeedbackKind {
    /// It was opened.
    Click,
    /// It is what was looked for.
    Up,
    /// It is not.
    Down,
}

/// Something that was done with a result.
#[derive(Debug, Clone)]
pub(crate) struct Feedback {
    pub(super) query: String,
    pub(super) document: DocumentId,
    pub(super) kind: FeedbackKind,
    /// Place in the list, from 1.
    pub(super) rank: Option<usize>,
}

impl Feedback {
    /// `None` where the query is none that is counted.
    pub(crate) fn of(query: &str, document: DocumentId, kind: FeedbackKind, rank: Option<usize>) -> Option<Self> {
        Some(Self { query: normalised(query)?, document, kind, rank })
    }
}

/// A query as it is counted: its case and blanks do not matter.
fn normalised(query: &str) -> Option<String> {
    let words: Vec<&str> = query.split_whitespace().collect();
    let query = storage::folded(&words.join(" "));
    (1..=QUERY_CHARS).contains(&query.chars().count()).then_some(query)
}

/// An event, before its person has a mark.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Search { query: String, searched: Searched },
    Open { query: String, document: DocumentId, rank: Option<usize> },
    Vote { query: String, document: DocumentId, up: bool },
}

impl Event {
    pub(super) fn query(&self) -> &str {
        match self {
            Self::Search { query, .. } | Self::Open { query, .. } | Self::Vote { query, .. } => query,
        }
    }
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Results.
    Found,
    /// Nothing fitted well; the closest were shown.
    NotHere,
    /// No result.
    Nothing,
    /// No result, within filters.
    NothingWithin,
}

/// What is noted of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Searched {
    pub(super) outcome: Outcome,
    /// Milliseconds.
    pub(super) ms: u64,
    /// The first results, best first, where the page showed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) shown: Vec<DocumentKey>,
}

impl Searched {
    pub(super) fn of(answer: &Answer, via: Via, is_narrowed: bool) -> Self {
        let is_unlikely = answer.answerable.is_some_and(|answerable| answerable.verdict == Verdict::Unlikely);
        let outcome = match (answer.results.is_empty(), is_narrowed) {
            (true, true) => Outcome::NothingWithin,
            (true, false) => Outcome::Nothing,
            (false, _) if is_unlikely => Outcome::NotHere,
            (false, _) => Outcome::Found,
        };
        let shown = match via {
            Via::Page => {
                let first = answer.results.iter().take(PLACES);
                first.filter_map(|hit| DocumentId::parse(&hit.id)).map(DocumentKey).collect()
            }
            // What a program shows of an answer is not known.
            Via::Program => Vec::new(),
        };
        Self { outcome, ms: answer.timings.total_ms.max(0.0) as u64, shown }
    }

    /// With what was said to the question: who asks for an answer and gets none has found nothing that fits.
    pub(super) fn with(self, reply: &Reply) -> Self {
        // Where an answer is likely, it stands among the results, only in no sentence that is sure to be it.
        let is_likely = reply.answerable.is_some_and(|answerable| answerable.verdict == Verdict::Likely);
        let is_in_vain = reply.outcome == searcher::Outcome::Unanswered && self.outcome == Outcome::Found && !is_likely;
        Self { outcome: if is_in_vain { Outcome::NotHere } else { self.outcome }, ..self }
    }
}

/// A line of the log of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Seconds of Unix time.
    pub(super) at: i64,
    pub(super) who: Mark,
    pub(super) query: String,
    pub(super) did: Did,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Did {
    Search(Searched),
    Open { document: DocumentKey, rank: Option<usize> },
    Vote { document: DocumentKey, up: bool },
}

impl Line {
    pub(super) fn of(at: i64, who: Mark, event: Event) -> Self {
        let (query, did) = match event {
            Event::Search { query, searched } => (query, Did::Search(searched)),
            Event::Open { query, document, rank } => (query, Did::Open { document: DocumentKey(document), rank }),
            Event::Vote { query, document, up } => (query, Did::Vote { document: DocumentKey(document), up }),
        };
        Self { at, who, query, did }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: &SearchRequest, asker: Option<Person>) -> Option<String> {
        let caller = Caller { asker, ..Caller::default() };
        Asked::of(request, &caller, Via::Page).map(|asked| asked.query)
    }

    #[test]
    fn only_questions_of_people_are_counted_and_once_for_all_pages() {
        let request = |query: &str| SearchRequest { query: query.to_string(), ..SearchRequest::default() };
        let anybody = Some(Person::Anybody);
        assert_eq!(asked(&request("  Travel\t COSTS "), anybody.clone()).as_deref(), Some("travel costs"));
        assert_eq!(asked(&request("travel"), None), None, "another site may have asked it");
        assert_eq!(asked(&request(" "), anybody.clone()), None, "filters alone are no question");
        assert_eq!(asked(&SearchRequest { offset: 10, ..request("travel") }, anybody.clone()), None);
        let behind = SearchRequest { cursor: Some("x".to_string()), ..request("travel") };
        assert_eq!(asked(&behind, anybody.clone()), None);
        assert_eq!(asked(&request(&"x".repeat(QUERY_CHARS + 1)), anybody), None, "a text, not a question");
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_an_unknown_one_is_refused() {
        let searched =
            Searched { outcome: Outcome::NotHere, ms: 12, shown: vec![DocumentKey(DocumentId::of("wiki", "a.md"))] };
        let event = Event::Search { query: "a \"b\"\n".to_string(), searched };
        let line = Line::of(7, Mark::from_parts(1, 2), event);
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        assert!(serde_json::from_str::<Line>(&text.replace("\"ms\"", "\"name\"")).is_err());
    }
}
