//! The words around a text before a model sees it: templates and instructions of the Qwen3 embedding and reranking
//! models, as their model cards give them. All in one place and configurable, because a wrong blank costs quality.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the models are asked to do unless a request says otherwise.
pub const DEFAULT_INSTRUCTION: &str = "Given a web search query, retrieve relevant passages that answer the query";

const SYSTEM: &str = "Judge whether the Document meets the requirements based on the Query and the Instruct provided. \
                      Note that the answer can only be \"yes\" or \"no\".";

/// Templates of the embedding model. Placeholders: `{instruction}`, `{query}`, `{document}`. The default is Qwen3's form;
/// [`EmbedPrompt::bare`] is BERT's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbedPrompt {
    /// Used where a request brings none.
    pub instruction: String,
    /// Form of a query; needs `{query}`.
    pub query: String,
    /// Form of a document; needs `{document}`.
    pub document: String,
}

/// Templates of the reranker. Placeholders: `{instruction}`, `{query}`, `{document}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RerankPrompt {
    /// Used where a request brings none.
    pub instruction: String,
    /// Before the body; special tokens in it count as such.
    pub head: String,
    /// Instruction, query and document; must end with `{document}`, so that a long one can be cut.
    pub body: String,
    /// After the body; special tokens in it count as such. Never cut.
    pub tail: String,
}

impl Default for EmbedPrompt {
    fn default() -> Self {
        Self {
            instruction: DEFAULT_INSTRUCTION.to_owned(),
            query: "Instruct: {instruction}\nQuery:{query}".to_owned(),
            document: "{document}".to_owned(),
        }
    }
}

impl Default for RerankPrompt {
    fn default() -> Self {
        Self {
            instruction: DEFAULT_INSTRUCTION.to_owned(),
            head: format!("<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"),
            body: "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}".to_owned(),
            tail: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n".to_owned(),
        }
    }
}

impl EmbedPrompt {
    /// Queries and documents as they are: no instruction is said, and the same text has the same vector as either.
    pub fn bare() -> Self {
        Self { instruction: String::new(), query: "{query}".to_owned(), document: "{document}".to_owned() }
    }

    /// The text to embed for a query.
    pub fn query(&self, query: &str, instruction: Option<&str>) -> String {
        let instruction = instruction.unwrap_or(&self.instruction);
        fill(&self.query, &[("{instruction}", instruction), ("{query}", query)])
    }

    /// The text to embed for a document.
    pub fn document(&self, document: &str) -> String {
        fill(&self.document, &[("{document}", document)])
    }

    /// Refuses templates without their placeholders.
    ///
    /// # Errors
    /// [`Error::Prompt`].
    pub fn check(&self) -> Result<()> {
        needs(&self.query, "the query template", "{query}")?;
        needs(&self.document, "the document template", "{document}")
    }
}

impl RerankPrompt {
    /// The body for one candidate.
    pub fn body(&self, query: &str, instruction: Option<&str>, document: &str) -> String {
        let instruction = instruction.unwrap_or(&self.instruction);
        fill(&self.body, &[("{instruction}", instruction), ("{query}", query), ("{document}", document)])
    }

    pub(crate) fn check(&self) -> Result<()> {
        needs(&self.body, "the rerank body", "{query}")?;
        if self.body.ends_with("{document}") {
            return Ok(());
        }
        Err(Error::Prompt("the rerank body must end with {document}, so that a long document can be cut".to_owned()))
    }
}

fn needs(template: &str, name: &str, placeholder: &str) -> Result<()> {
    if template.contains(placeholder) {
        return Ok(());
    }
    Err(Error::Prompt(format!("{name} lacks {placeholder}")))
}

/// Replaces placeholders in one pass: braces inside a value are text, whatever they spell.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + values.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match values.iter().find(|(key, _)| rest.starts_with(key)) {
            Some((key, value)) => {
                text.push_str(value);
                rest = &rest[key.len()..];
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_form_of_the_model_card() {
        let prompt = EmbedPrompt::default();
        assert_eq!(
            prompt.query("Explain gravity", None),
            "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:Explain gravity"
        );
        assert_eq!(prompt.query("q", Some("Find code")), "Instruct: Find code\nQuery:q");
        assert_eq!(prompt.document("bare text"), "bare text");
    }

    #[test]
    fn the_bare_form_says_no_instruction() {
        let bare = EmbedPrompt::bare();
        assert!(bare.check().is_ok());
        assert_eq!((bare.query("q", Some("Find code")), bare.document("d")), ("q".to_owned(), "d".to_owned()));
    }

    #[test]
    fn rerank_form_of_the_model_card() {
        let prompt = RerankPrompt::default();
        assert!(prompt.head.starts_with("<|im_start|>system\nJudge whether the Document meets"));
        assert!(prompt.head.ends_with("only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n"));
        assert_eq!(prompt.body("q", Some("i"), "d"), "<Instruct>: i\n<Query>: q\n<Document>: d");
        assert_eq!(prompt.tail, "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
    }

    #[test]
    fn values_are_never_templates() {
        let prompt = EmbedPrompt::default();
        assert_eq!(
            prompt.query("{instruction} {query} {", Some("{query}")),
            "Instruct: {query}\nQuery:{instruction} {query} {"
        );
        assert_eq!(fill("a {x} {b}", &[("{x}", "{b}")]), "a {b} {b}");
    }

    #[test]
    fn broken_templates_are_refused() {
        let prompt = EmbedPrompt { query: "no place".to_owned(), ..EmbedPrompt::default() };
        assert!(prompt.check().unwrap_err().to_string().contains("{query}"));
        let prompt = RerankPrompt { body: "{document} {query}".to_owned(), ..RerankPrompt::default() };
        assert!(prompt.check().unwrap_err().to_string().contains("must end with {document}"));
        assert!(RerankPrompt::default().check().is_ok() && EmbedPrompt::default().check().is_ok());
    }
}
