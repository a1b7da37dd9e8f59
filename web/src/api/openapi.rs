//! The description of the API for programs, and a page for people to try it.

use std::sync::OnceLock;

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};

use super::{documents, health, push, search, similar, sources, status, stream, suggest};
use crate::compat;
use crate::config::ServerConfig;
use crate::error::Error;
use crate::guard::Need;
use crate::server::Door;

#[derive(OpenApi)]
#[openapi(
    info(title = "quarry", description = "Search over a company's own documents: the answers, the documents, the models."),
    tags(
        (name = "search", description = "Finding passages"),
        (name = "documents", description = "Looking at documents, pushing and deleting them"),
        (name = "sources", description = "The folders that are indexed"),
        (name = "server", description = "State of the server"),
        (name = "models", description = "Embedding and reranking in the shapes of OpenAI, Cohere, Jina and text-embeddings-inference"),
    ),
    paths(
        search::get, search::post, stream::stream, suggest::suggest, similar::similar,
        documents::list, documents::get, documents::passages,
        push::put, push::upload, push::bulk, push::delete,
        sources::list, sources::add, sources::reindex, sources::remove, sources::ledger,
        status::status, status::jobs, status::job,
        health::live, health::ready, health::metrics,
        compat::openai::embeddings, compat::cohere::rerank_v1, compat::cohere::rerank_v2,
        compat::tei::embed, compat::tei::rerank,
    ),
)]
struct Description;

/// The OpenAPI document as JSON, made once.
fn description() -> Result<&'static str, Error> {
    static TEXT: OnceLock<String> = OnceLock::new();
    if let Some(text) = TEXT.get() {
        return Ok(text);
    }
    let mut description = Description::openapi();
    let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    description.components.get_or_insert_default().add_security_scheme("key", key);
    for endpoint in Door::Main.endpoints(&ServerConfig::default()) {
        let Some(item) = description.paths.paths.get_mut(endpoint.path()) else { continue };
        for (method, need) in endpoint.methods() {
            if let Some(operation) = operation(item, method) {
                operation.security = Some(security(*need));
            }
        }
    }
    let text = description.to_json().map_err(Error::internal)?;
    Ok(TEXT.get_or_init(|| text))
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::PUT => item.put.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}

/// What a route needs, as it is registered: a key with a scope, where the server has any keys.
fn security(need: Need) -> Vec<SecurityRequirement> {
    match need {
        Need::Nothing | Need::Host => vec![SecurityRequirement::default()],
        Need::Caller => vec![SecurityRequirement::default(), SecurityRequirement::new("key", Vec::<String>::new())],
        Need::Scope(scope) => vec![SecurityRequirement::default(), SecurityRequirement::new("key", [scope.name()])],
    }
}

/// `GET /api/openapi.json`.
pub(crate) async fn json() -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().content_type("application/json").body(description()?))
}

/// `GET /api/docs`.
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("../assets/docs.html"))
}

/// `GET /api/docs/{file}`: what the page is made of.
pub(crate) async fn asset(file: web::Path<String>) -> Result<HttpResponse, Error> {
    let (kind, body) = match file.as_str() {
        "docs.css" => ("text/css; charset=utf-8", include_str!("../assets/docs.css")),
        "docs.js" => ("text/javascript; charset=utf-8", include_str!("../assets/docs.js")),
        _ => return Err(Error::NotFound { what: "this address" }),
    };
    Ok(HttpResponse::Ok().content_type(kind).body(body))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_describes_every_route_of_the_api_with_its_scope_and_no_other() {
        let description: Value = serde_json::from_str(description().unwrap()).unwrap();
        let mut described = Vec::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            described.extend(item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase())));
        }
        let endpoints = Door::Main.endpoints(&ServerConfig::default());
        let mut registered = Vec::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.is_api()) {
            for (method, need) in endpoint.methods() {
                registered.push((endpoint.path().to_string(), method.to_string()));
                let operation = &description["paths"][endpoint.path()][method.as_str().to_lowercase()];
                let needed = &operation["security"][1]["key"][0];
                let scope = if let Need::Scope(scope) = need { Value::from(scope.name()) } else { Value::Null };
                assert_eq!(*needed, scope, "{method} {}", endpoint.path());
            }
        }
        let own = |path: &str| path == "/api/openapi.json" || path.starts_with("/api/docs");
        registered.retain(|(path, _)| !own(path));
        described.sort();
        registered.sort();
        assert_eq!(described, registered);
    }

    #[test]
    fn it_is_version_3_1_and_every_reference_leads_somewhere() {
        let text = description().unwrap();
        let description: Value = serde_json::from_str(text).unwrap();
        assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{}", description["openapi"]);
        let references = text.split("\"#/components/schemas/").skip(1);
        let names: Vec<&str> = references.filter_map(|rest| rest.split('"').next()).collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(description["components"]["schemas"][name].is_object(), "no schema {name}");
        }
    }
}
