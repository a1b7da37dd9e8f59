//! The words of an API for its texts: what it calls them, and with which status it refuses one that is too long.

use actix_web::http::StatusCode;

use crate::error::Error;

/// What an API calls the texts of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    /// The field that holds them.
    pub(super) field: &'static str,
    /// The status for a text that is too long.
    pub(super) too_long: StatusCode,
}

impl Wording {
    /// An error of the model as one of the request, where it is: with the place of the text that it is about.
    pub(super) fn told(self, error: qwen3::Error) -> Error {
        match error {
            qwen3::Error::TooLong { text, tokens, limit } => Error::TextTooLong {
                place: text.map_or_else(|| "query".to_owned(), |index| self.place(index)),
                tokens,
                limit,
                status: self.too_long,
            },
            qwen3::Error::NoDirection { text, .. } => Error::TextWithoutMeaning { place: self.place(text) },
            qwen3::Error::TokenId { id, vocab_size } => Error::bad(format!(
                "{}: token {id} does not exist in this model, whose vocabulary ends at {}; token arrays have to come \
                 from the model's own tokenizer, so send texts if yours is another one (LangChain's OpenAIEmbeddings: \
                 set check_embedding_ctx_length=False)",
                self.field,
                vocab_size.saturating_sub(1)
            )),
            other => other.into(),
        }
    }

    /// [`Wording::told`] of a call with the text at `index` alone.
    pub(super) fn told_of(self, index: usize, error: qwen3::Error) -> Error {
        self.told(match error {
            qwen3::Error::TooLong { tokens, limit, .. } => qwen3::Error::TooLong { text: Some(index), tokens, limit },
            qwen3::Error::NoDirection { tokens, .. } => qwen3::Error::NoDirection { text: index, tokens },
            other => other,
        })
    }

    /// Refuses a request without texts.
    pub(super) fn some(self, texts: usize) -> Result<(), Error> {
        if texts == 0 { Err(Error::bad(format!("{}: expected at least one text", self.field))) } else { Ok(()) }
    }

    fn place(self, index: usize) -> String {
        format!("{}[{index}]", self.field)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;

    use super::*;

    #[test]
    fn a_text_is_told_by_its_field_and_place() {
        let wording = Wording { field: "inputs", too_long: StatusCode::PAYLOAD_TOO_LARGE };
        let long = || qwen3::Error::TooLong { text: Some(0), tokens: 9, limit: 8 };
        let error = wording.told_of(3, long());
        assert_eq!(error.status_code(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(error.to_string().starts_with("inputs[3] has 9 tokens"), "{error}");
        assert!(wording.told(long()).to_string().starts_with("inputs[0]"));
        let query = wording.told(qwen3::Error::TooLong { text: None, tokens: 9, limit: 8 });
        assert!(query.to_string().starts_with("query has 9 tokens"), "{query}");
        let empty = wording.told_of(2, qwen3::Error::NoDirection { text: 0, tokens: 1 });
        assert!(empty.to_string().starts_with("inputs[2]"), "{empty}");
        assert!(wording.some(0).unwrap_err().to_string().contains("inputs") && wording.some(1).is_ok());
    }
}
