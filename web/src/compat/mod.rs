//! The models in the shapes that other software already speaks.
//!
//! Promise: no parameter that could change the answer is passed over. It is honoured or refused by its name; what is
//! accepted without an effect is declared as such where it stands, and could not have had one.

pub(crate) mod chat;
mod chat_body;
pub(crate) mod cohere;
mod embed;
pub(crate) mod openai;
mod openai_error;
mod score;
pub(crate) mod tei;
mod texts;
mod truncation;
mod wording;

use crate::error::Error;
use crate::guard::{Endpoint, Need, Scope};

const SEARCH: Need = Need::Scope(Scope::Search);

/// The addresses of the model endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::api("/v1/chat/completions").post(SEARCH, chat::completions),
        Endpoint::api("/v1/embeddings").post(SEARCH, openai::embeddings),
        Endpoint::api("/v1/models").get(SEARCH, openai::models),
        Endpoint::api("/v1/rerank").post(SEARCH, cohere::rerank_v1),
        Endpoint::api("/v2/rerank").post(SEARCH, cohere::rerank_v2),
        Endpoint::api("/embed").post(SEARCH, tei::embed),
        Endpoint::api("/rerank").post(SEARCH, tei::rerank),
    ]
}

/// Refuses a parameter that an API has and quarry has not, unless it is null.
fn unsupported<T>(field: &str, value: &Option<T>, instead: &str) -> Result<(), Error> {
    match value {
        Some(_) => Err(Error::bad(format!("{field}: this server does not have it; leave it out, and {instead}"))),
        None => Ok(()),
    }
}

/// A number that has to be one at least.
fn at_least_one(field: &str, value: Option<usize>) -> Result<Option<usize>, Error> {
    match value {
        Some(0) => Err(Error::bad(format!("{field}: expected at least 1, got 0"))),
        value => Ok(value),
    }
}
