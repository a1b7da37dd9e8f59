//! The models in the shapes that other software already speaks. Fields that quarry does not know are passed over here,
//! unlike in its own API: these shapes are not its own, and they grow.

pub(crate) mod cohere;
mod embed;
pub(crate) mod openai;
mod score;
pub(crate) mod tei;

use crate::guard::{Endpoint, Need, Scope};

const SEARCH: Need = Need::Scope(Scope::Search);

/// The addresses of the model endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::api("/v1/embeddings").post(SEARCH, openai::embeddings),
        Endpoint::api("/v1/rerank").post(SEARCH, cohere::rerank_v1),
        Endpoint::api("/v2/rerank").post(SEARCH, cohere::rerank_v2),
        Endpoint::api("/embed").post(SEARCH, tei::embed),
        Endpoint::api("/rerank").post(SEARCH, tei::rerank),
    ]
}
