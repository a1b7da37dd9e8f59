//! Notes on a query: what was understood otherwise than it may have been meant.
//!
//! Each is a value, so that a page can say it in another language; as text (and as JSON) it is an English sentence.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{MAX_OPERATORS, MAX_QUERY_BYTES, MAX_WORDS};

/// One note. Excerpts are those of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A quote was not closed.
    OpenQuote,
    /// The query is longer than [`MAX_QUERY_BYTES`].
    LongQuery,
    /// It has more words than [`MAX_WORDS`].
    ManyWords,
    /// It has more phrases than [`MAX_OPERATORS`].
    ManyPhrases,
    /// It has more exclusions than that.
    ManyExclusions,
    /// It has more values of filters than that.
    ManyValues,
    /// A phrase of more words than [`MAX_WORDS`].
    LongPhrase {
        /// Its beginning.
        excerpt: String,
    },
    /// An exclusion of more words than that.
    LongExclusion {
        /// Its beginning.
        excerpt: String,
    },
    /// A word that looks like a filter with a slip.
    NearMiss {
        /// The word.
        excerpt: String,
        /// The filter it may have been.
        field: &'static str,
    },
    /// A filter with a minus before it.
    NegatedFilter {
        /// As it was written.
        excerpt: String,
    },
    /// A filter whose value cannot be read.
    BadFilter {
        /// As it was written.
        excerpt: String,
        /// What was expected, in English.
        reason: String,
    },
    /// `after:` is not before `before:`.
    NoDate,
    /// Nothing but exclusions.
    OnlyExclusions,
    /// A filter that no document passes.
    NothingPasses {
        /// As it is written in a query.
        filter: String,
    },
    /// Filters that documents pass, but none passes all.
    NothingPassesAll,
    /// Vectors are still to come, and what waits for them is found by its words alone.
    VectorsToCome {
        /// The percentage of passages that are found by meaning as well, rounded down.
        percent: u64,
    },
    /// The embedding model is elsewhere and gives no answer: searched by words alone.
    MeaningAway,
    /// The reranker is elsewhere and gives no answer.
    RerankerAway,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenQuote => f.write_str("a quote was not closed: searched as plain words"),
            Self::LongQuery => write!(f, "the query was cut to its first {MAX_QUERY_BYTES} bytes"),
            Self::ManyWords => write!(f, "only the first {MAX_WORDS} words are matched as words"),
            Self::ManyPhrases => {
                write!(f, "only the first {MAX_OPERATORS} phrases count as phrases, the others as words")
            }
            Self::ManyExclusions => write!(f, "only the first {MAX_OPERATORS} exclusions count"),
            Self::ManyValues => write!(f, "only the first {MAX_OPERATORS} values of filters count"),
            Self::LongPhrase { excerpt } => write!(f, "{excerpt:?} was cut to {MAX_WORDS} words"),
            Self::LongExclusion { excerpt } => write!(f, "the exclusion {excerpt:?} was cut to {MAX_WORDS} words"),
            Self::NearMiss { excerpt, field } => {
                write!(f, "{excerpt:?} is searched as plain words: did you mean {field}:?")
            }
            Self::NegatedFilter { excerpt } => {
                write!(f, "{excerpt:?} is searched as plain words: a filter cannot be negated")
            }
            Self::BadFilter { excerpt, reason } => write!(f, "{excerpt:?} is searched as plain words: {reason}"),
            Self::NoDate => f.write_str("no date is after: and before: at once, so nothing can match"),
            Self::OnlyExclusions => f.write_str("the query only says what to leave out: add words to look for"),
            Self::NothingPasses { filter } => write!(f, "no document matches {filter}"),
            Self::NothingPassesAll => {
                f.write_str("some documents match each of the filters, but no document matches all of them")
            }
            Self::VectorsToCome { percent } => {
                write!(
                    f,
                    "searched by words: all documents; by meaning: {percent} % so far, the rest is being embedded"
                )
            }
            Self::MeaningAway => {
                f.write_str("searched by words alone: the model that compares meanings does not answer at the moment")
            }
            Self::RerankerAway => {
                f.write_str("the best results were not read closely: the reranker does not answer at the moment")
            }
        }
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
