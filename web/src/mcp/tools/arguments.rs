//! What tools are asked for. What means nothing is refused by its name.

use searcher::{AskRequest, Filters, SearchRequest, Sort, Wording};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{Error, within};
use crate::json;

/// Documents of one answer, when nothing is said, and at most.
const TOP: usize = 10;
const MAX_TOP: usize = 50;

/// What `search` is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArguments {
    /// What is looked for: a question, or words. "phrases", -without, source: path: type: lang: after: before: narrow it.
    pub(super) query: String,
}

/// What `fetch` is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FetchArguments {
    /// Id of a document, as the other tools give it.
    pub(super) id: String,
}

/// What `search_passages` is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PassagesArguments {
    /// What is looked for: a question, or words. "phrases", -without, source: path: type: lang: after: before: narrow it.
    query: String,
    /// Restrictions on the documents.
    #[serde(default)]
    filters: Filters,
    /// Documents to return.
    #[serde(default = "top")]
    #[schema(minimum = 1, maximum = 50, default = 10)]
    top: usize,
    /// Where to go on: `next` of an earlier answer to the same query and filters.
    #[serde(default)]
    cursor: Option<String>,
    /// The order of the documents.
    #[serde(default)]
    sort: Sort,
}

/// What `similar` is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimilarArguments {
    /// Id of the document that others are to resemble.
    pub(super) id: String,
    /// Number of one of its passages, from 0; without it, the whole document.
    #[serde(default)]
    pub(super) passage: Option<u32>,
    /// Documents to return.
    #[serde(default = "top")]
    #[schema(minimum = 1, maximum = 50, default = 10)]
    pub(super) top: usize,
    /// Names of sources to look in; none: all.
    #[serde(default)]
    pub(super) source: Vec<String>,
}

/// What `answer` is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerArguments {
    /// The question, in plain words.
    question: String,
    /// The question before it, for a follow-up such as "and in Leeds?".
    #[serde(default)]
    before: Option<String>,
    /// Restrictions on the documents.
    #[serde(default)]
    filters: Filters,
}

/// What `list_sources` is asked for: nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

fn top() -> usize {
    TOP
}

/// Between one document and as many as an assistant may ask for.
pub(super) fn check_top(top: usize) -> Result<usize, Error> {
    within("top", top, MAX_TOP)?;
    if top == 0 { Err(Error::bad("top: expected at least 1")) } else { Ok(top) }
}

/// Reads the arguments of a tool.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Error> {
    serde_path_to_error::deserialize(Value::Object(arguments))
        .map_err(|error| Error::bad(format!("the arguments cannot be read: {}", json::placed(&error))))
}

impl SearchArguments {
    pub(super) fn request(self) -> SearchRequest {
        SearchRequest { query: self.query, top: TOP, ..SearchRequest::default() }
    }
}

impl PassagesArguments {
    /// # Errors
    /// The number of documents is none that may be asked for.
    pub(super) fn request(self) -> Result<SearchRequest, Error> {
        let Self { query, filters, top, cursor, sort } = self;
        let top = check_top(top)?;
        Ok(SearchRequest { query, filters, top, cursor, sort, ..SearchRequest::default() })
    }
}

impl AnswerArguments {
    pub(super) fn request(self) -> AskRequest {
        let Self { question, before, filters } = self;
        // An assistant writes itself: it is given what it can quote.
        AskRequest { question, before, filters, wording: Wording::Quoted, ..AskRequest::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong<T: DeserializeOwned + std::fmt::Debug>(arguments: Value) -> String {
        let Value::Object(arguments) = arguments else { panic!("{arguments}") };
        read::<T>(arguments).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (told, expected) in [
            (wrong::<SearchArguments>(json!({})), "missing field `query`"),
            (wrong::<SearchArguments>(json!({"query": "a", "top": 3})), "unknown field `top`"),
            (wrong::<SearchArguments>(json!({"query": 7})), "query: invalid type"),
            (
                wrong::<PassagesArguments>(json!({"query": "a", "filters": {"typ": []}})),
                "filters.typ: unknown field `typ`",
            ),
            (wrong::<PassagesArguments>(json!({"query": "a", "top": -1})), "top: invalid value"),
            (wrong::<SimilarArguments>(json!({"id": "a", "source": "wiki"})), "source: invalid type"),
            (wrong::<NoArguments>(json!({"a": 1})), "unknown field `a`"),
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(check_top(0).is_err() && check_top(51).is_err() && check_top(50).is_ok());
    }
}
