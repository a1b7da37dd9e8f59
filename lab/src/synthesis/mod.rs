//! Training pairs from documents by rules, without a model: what an author wrote above, before or beside a text often is
//! a query that the text answers. A title and what opens the document, a heading and what stands below it, a question and
//! its answer, a term and its definition, the comment of a function and its body, the subject of a letter and the letter,
//! a caption and its table.
//!
//! [`pairs`] looks at one document and is pure. What can only be told from all documents together (a query that fits many
//! passages, a passage that is everywhere, pairs that come twice) is [`Sieve`]'s.

#[cfg(feature = "chat")]
mod asked;
mod code;
mod definition;
mod filter;
mod outline;
mod prose;
mod quality;
mod question;
mod sieve;
mod spool;
mod words;

#[cfg(feature = "chat")]
pub use asked::{Asked, Failure, Journal, Outcome, Subject, ask_all, journal_path};
pub use filter::{Candidate, PairFilter};
pub use quality::{Fault, PairLimits, fault_of, is_material};
pub use sieve::{Decision, Sieve};
pub use spool::{Out, Row, Spool};

use indexer::ReadDocument;
use serde::{Deserialize, Serialize};

use outline::Outline;

/// A query, a passage that answers it, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The query.
    pub query: String,
    /// The passage.
    pub response: String,
    /// The rule that found it.
    pub rule: Rule,
    /// Path of the document below its root.
    pub path: String,
    /// What to put before the query where it alone could mean anything; `None` if the query says it already.
    pub context: Option<String>,
    /// ISO 639-1 code of the document's language, where it could be told.
    pub language: Option<String>,
}

/// Where in a document a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The title, and the passage that opens the document.
    Title,
    /// What the document says it is about (front matter, the name line of a manual page), and its opening passage.
    Description,
    /// A heading, and the passage below it.
    Heading,
    /// A question (in a heading, of a list of questions, on a line of its own), and its answer.
    Question,
    /// A term, and its definition.
    Definition,
    /// The first sentence of a function's comment, and the function without the comment.
    Docstring,
    /// The name of a function without a comment, in words, and the function.
    Name,
    /// The subject of a letter, and the letter.
    Subject,
    /// The caption of a table, and the table.
    Caption,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 9] = [
        Self::Title,
        Self::Description,
        Self::Heading,
        Self::Question,
        Self::Definition,
        Self::Docstring,
        Self::Name,
        Self::Subject,
        Self::Caption,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Description => "description",
            Self::Heading => "heading",
            Self::Question => "question",
            Self::Definition => "definition",
            Self::Docstring => "docstring",
            Self::Name => "name",
            Self::Subject => "subject",
            Self::Caption => "caption",
        }
    }

    /// Whether its passages are source code.
    pub fn is_code(self) -> bool {
        matches!(self, Self::Docstring | Self::Name)
    }
}

/// What the rules found in one document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Pairs worth keeping, in the order of the rules and then of the document.
    pub pairs: Vec<Pair>,
    /// Pairs that were dropped, each with its rule and the reason.
    pub dropped: Vec<(Rule, Fault)>,
    /// Set where the whole document was left out.
    pub left_out: Option<Fault>,
}

/// The pairs of a document by the given rules.
pub fn pairs(document: &ReadDocument, rules: &[Rule], limits: &PairLimits) -> Found {
    if quality::is_legal_or_log(document) {
        return Found { left_out: Some(Fault::Legal), ..Found::default() };
    }
    let outline = Outline::of(document);
    let wants = |rule: &Rule| rules.contains(rule);
    let mut drafts = Vec::new();
    for rule in Rule::ALL.iter().filter(|rule| wants(rule)) {
        match rule {
            Rule::Title => drafts.extend(prose::title(&outline)),
            Rule::Description => drafts.extend(prose::description(&outline)),
            Rule::Heading => drafts.extend(prose::headings(&outline)),
            Rule::Question => drafts.extend(question::questions(&outline)),
            Rule::Definition => drafts.extend(definition::definitions(&outline)),
            Rule::Docstring => drafts.extend(code::docstrings(document)),
            Rule::Name => drafts.extend(code::names(document)),
            Rule::Subject => drafts.extend(prose::subject(&outline)),
            Rule::Caption => drafts.extend(prose::captions(&outline)),
        }
    }
    let mut found = Found::default();
    for draft in drafts {
        let rule = draft.rule;
        let judged = match quality::is_half_translated(&draft.query, &draft.response) && !rule.is_code() {
            true => Err(Fault::Language),
            false => quality::judge(draft, limits),
        };
        match judged {
            Ok(draft) => found.pairs.push(Pair {
                query: draft.query,
                response: draft.response,
                rule,
                path: document.path.clone(),
                context: draft.context,
                language: document.text.language.clone(),
            }),
            Err(fault) => found.dropped.push((rule, fault)),
        }
    }
    found
}

/// A pair that nobody has judged yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Draft {
    query: String,
    response: String,
    rule: Rule,
    context: Option<String>,
}

#[cfg(test)]
mod tests;
