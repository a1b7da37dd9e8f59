//! What is asked: a question, and what it goes on from.

use serde::{Deserialize, Serialize};

use super::followup::standalone;
use crate::named::object;
use crate::request::{Counted, Filters, RequestError, RequestLimits, RerankBudget, SearchRequest, Syntax, within};

/// A question that documents are to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// The question, in plain words: what means something in a search (quotes, `type:`) means nothing here.
    pub question: String,
    /// The question before it, in the form that was searched for: a follow-up such as "and in Leeds?" is completed by it.
    #[serde(default)]
    pub before: Option<String>,
    /// Restrictions on the documents.
    #[serde(default, deserialize_with = "object")]
    pub filters: Filters,
    /// Languages of whoever asks, the most wanted first: they decide between documents that are equally good.
    #[serde(default)]
    pub prefer_lang: Vec<String>,
    /// What reranking may cost.
    #[serde(default, deserialize_with = "object")]
    pub rerank: RerankBudget,
    /// Whose words the answer is in.
    #[serde(default)]
    pub wording: Wording,
}

/// Whose words an answer is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Wording {
    /// Those of a writer, where there is one and what it says can be proved; else those of the documents.
    #[default]
    Written,
    /// Those of the documents.
    Quoted,
}

impl AskRequest {
    /// The question by itself, as it is searched for.
    pub fn standalone(&self) -> String {
        standalone(&self.question, self.before.as_deref())
    }

    /// The search for it.
    ///
    /// # Errors
    /// What the limits do not allow.
    pub fn search(&self, limits: &RequestLimits) -> Result<SearchRequest, RequestError> {
        let lengths = [&self.question].into_iter().chain(&self.before).map(|text| text.chars().count());
        within(Counted::Question, lengths.sum(), limits.query_chars)?;
        let request = SearchRequest {
            query: self.standalone(),
            filters: self.filters.clone(),
            prefer_lang: self.prefer_lang.clone(),
            rerank: self.rerank,
            syntax: Syntax::Plain,
            ..SearchRequest::default()
        };
        request.check(limits)?;
        Ok(request)
    }
}
