//! The models in the shapes that other software already speaks. Fields that quarry does not know are passed over here,
//! unlike in its own API: these shapes are not its own, and they grow.

pub(crate) mod cohere;
mod embed;
pub(crate) mod openai;
mod score;
pub(crate) mod tei;

use actix_web::web;

use crate::api::resource;

/// The routes of the model endpoints.
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services
        .service(resource("/v1/embeddings").route(web::post().to(openai::embeddings)))
        .service(resource("/v1/rerank").route(web::post().to(cohere::rerank_v1)))
        .service(resource("/v2/rerank").route(web::post().to(cohere::rerank_v2)))
        .service(resource("/embed").route(web::post().to(tei::embed)))
        .service(resource("/rerank").route(web::post().to(tei::rerank)));
}
