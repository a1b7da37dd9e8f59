//! The table of routes: which address goes where, and who may go there.

use super::{
    access, answer, backups, documents, feedback, health, insights, jobs, openapi, push, search, sign_out, similar,
    sources, status, stream, suggest,
};
use crate::guard::{Endpoint, Need, Scope};

const SEARCH: Need = Need::Scope(Scope::Search);
const INDEX: Need = Need::Scope(Scope::Index);
const ADMIN: Need = Need::Scope(Scope::Admin);

/// The addresses of the API.
#[rustfmt::skip]
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::api("/api/openapi.json").get(Need::Host, openapi::json),
        Endpoint::api("/api/docs").get(Need::Host, openapi::page),
        Endpoint::api("/api/docs/{file}").get(Need::Host, openapi::asset),
        Endpoint::api("/api/v1/search").get(SEARCH, search::get).post(SEARCH, search::post),
        Endpoint::api("/api/v1/search/stream").get(SEARCH, stream::stream),
        Endpoint::api("/api/v1/answer").post(SEARCH, answer::answer),
        Endpoint::api("/api/v1/suggest").get(SEARCH, suggest::suggest),
        Endpoint::api("/api/v1/similar").get(SEARCH, similar::similar),
        Endpoint::api("/api/v1/documents").get(SEARCH, documents::list).put(INDEX, push::put).post(INDEX, push::upload),
        Endpoint::api("/api/v1/documents/bulk").post(INDEX, push::bulk),
        Endpoint::api("/api/v1/documents/{id}").get(SEARCH, documents::get).delete(INDEX, push::delete),
        Endpoint::api("/api/v1/documents/{id}/passages").get(SEARCH, documents::passages),
        Endpoint::api("/api/v1/sources").get(SEARCH, sources::list).post(ADMIN, sources::add),
        Endpoint::api("/api/v1/sources/{name}").delete(ADMIN, sources::remove),
        Endpoint::api("/api/v1/sources/{name}/index").post(INDEX, sources::reindex),
        Endpoint::api("/api/v1/sources/{name}/ledger").get(SEARCH, sources::ledger),
        Endpoint::api("/api/v1/sources/{name}/access").get(ADMIN, access::get).put(ADMIN, access::put),
        Endpoint::api("/api/v1/documents/{id}/access").get(ADMIN, access::explain),
        Endpoint::api("/api/v1/feedback").post(SEARCH, feedback::feedback),
        Endpoint::api("/api/v1/insights").get(ADMIN, insights::insights),
        Endpoint::api("/api/v1/insights/judgements").get(ADMIN, insights::judgements),
        Endpoint::api("/api/v1/jobs").get(SEARCH, jobs::list),
        Endpoint::api("/api/v1/jobs/{id}").get(SEARCH, jobs::get),
        Endpoint::api("/api/v1/jobs/{id}/cancel").post(INDEX, jobs::cancel),
        Endpoint::api("/api/v1/jobs/{id}/pause").post(INDEX, jobs::pause),
        Endpoint::api("/api/v1/jobs/{id}/resume").post(INDEX, jobs::resume),
        Endpoint::api("/api/v1/backups").post(ADMIN, backups::make),
        Endpoint::api("/api/v1/compact").post(ADMIN, jobs::compact),
        Endpoint::api("/api/v1/verify").post(ADMIN, jobs::verify),
        Endpoint::api("/sign-in/back-channel").post(Need::Host, sign_out::back_channel),
        Endpoint::api("/api/v1/status").get(SEARCH, status::status),
    ]
}

/// For probes: they come by address and without a key.
pub(crate) fn probes() -> Vec<Endpoint> {
    vec![
        Endpoint::api("/health/live").get(Need::Nothing, health::live),
        Endpoint::api("/health/ready").get(Need::Nothing, health::ready),
    ]
}

/// Numbers, for those who have what `need` says.
pub(crate) fn metrics(need: Need) -> Endpoint {
    Endpoint::api("/metrics").get(need, health::metrics)
}
