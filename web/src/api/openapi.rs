//! The description of the API for programs, and a page for people to try it.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::Server;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};

use super::{
    access, answer, backups, documents, feedback, health, insights, jobs, push, search, sign_out, similar, sources,
    status, stream, suggest,
};
use crate::app::App;
use crate::compat;
use crate::config::{LimitsConfig, ServerConfig};
use crate::error::Error;
use crate::fresh::Tag;
use crate::guard::{self, Need};
use crate::mcp;
use crate::server::Door;

#[derive(OpenApi)]
#[openapi(
    info(title = "quarry", description = "Search over a company's own documents: the answers, the documents, the models."),
    tags(
        (name = "search", description = "Finding passages"),
        (name = "documents", description = "Looking at documents, pushing and deleting them"),
        (name = "sources", description = "The folders that are indexed"),
        (name = "access", description = "Who may see what, for administrators"),
        (name = "insights", description = "What is asked, opened and liked, where that is switched on"),
        (name = "server", description = "State of the server"),
        (name = "agents", description = "The Model Context Protocol, for assistants"),
        (name = "models", description = "Embedding, reranking and writing in the shapes of OpenAI, Cohere, Jina and text-embeddings-inference"),
    ),
    paths(
        search::get, search::post, stream::stream, answer::answer, suggest::suggest, similar::similar,
        documents::list, documents::get, documents::passages,
        push::put, push::upload, push::bulk, push::delete,
        sources::list, sources::add, sources::reindex, sources::remove, sources::ledger,
        access::get, access::put, access::explain,
        feedback::feedback, insights::insights, insights::judgements,
        status::status, jobs::list, jobs::get, jobs::cancel, jobs::pause, jobs::resume, jobs::verify, jobs::compact, backups::make, sign_out::back_channel,
        health::live, health::ready, health::metrics,
        compat::chat::completions, compat::openai::embeddings, compat::openai::models, compat::cohere::rerank_v1, compat::cohere::rerank_v2,
        compat::tei::embed, compat::tei::rerank,
        mcp::exchange::exchange, mcp::metadata::of_site, mcp::metadata::of_agents,
    ),
)]
struct Description;

/// The OpenAPI document as JSON, with the limits that are configured and the path that the server lies below.
fn description(limits: &LimitsConfig, base: &str) -> Result<String, Error> {
    let mut description = Description::openapi();
    description.servers = (!base.is_empty()).then(|| vec![Server::new(base)]);
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
    let mut description = serde_json::to_value(&description).map_err(Error::internal)?;
    open_what_is_timed(&mut description);
    state_limits(&mut description, limits);
    serde_json::to_string(&description).map_err(Error::internal)
}

/// An answer with its time has fields beside those of its content, which by itself has no others.
fn open_what_is_timed(description: &mut Value) {
    let schemas = description["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas.filter(|(name, _)| name.starts_with("Timed_")) {
        for part in schema["allOf"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            part.remove("additionalProperties");
        }
    }
}

/// Puts the limits that an administrator may set into the descriptions.
fn state_limits(description: &mut Value, limits: &LimitsConfig) {
    let stated = [
        ("query", "q", "maxLength", limits.query_chars),
        ("instruct", "instruct", "maxLength", limits.query_chars),
        ("top", "top", "maximum", limits.page_depth),
        ("offset", "offset", "maximum", limits.page_depth.saturating_sub(1)),
    ];
    for (field, parameter, key, limit) in stated {
        description["components"]["schemas"]["SearchRequest"]["properties"][field][key] = json!(limit);
        for path in ["/api/v1/search", "/api/v1/search/stream"] {
            let parameters = description["paths"][path]["get"]["parameters"].as_array_mut();
            for described in parameters.into_iter().flatten().filter(|described| described["name"] == parameter) {
                described["schema"][key] = json!(limit);
            }
        }
    }
    description["components"]["schemas"]["AskRequest"]["properties"]["question"]["maxLength"] =
        json!(limits.query_chars);
    let parameters = description["paths"]["/api/v1/suggest"]["get"]["parameters"].as_array_mut();
    for described in parameters.into_iter().flatten().filter(|described| described["name"] == "q") {
        described["schema"]["maxLength"] = json!(limits.query_chars);
    }
    let feedback = &mut description["components"]["schemas"]["FeedbackBody"]["properties"];
    feedback["query"]["maxLength"] = json!(limits.query_chars);
    feedback["rank"]["maximum"] = json!(limits.page_depth);
    for (schema, field) in [("RerankBody", "documents"), ("TeiRerankBody", "texts")] {
        let properties = &mut description["components"]["schemas"][schema]["properties"];
        properties["query"]["maxLength"] = json!(limits.query_chars);
        properties[field]["maxItems"] = json!(limits.model_texts);
    }
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
pub(crate) async fn json(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Error> {
    let description = description(&app.config.limits, &guard::base(&request))?;
    Ok(unless_kept(&request, "application/json", description))
}

/// `GET /api/docs`.
pub(crate) async fn page(request: HttpRequest) -> HttpResponse {
    unless_kept(&request, "text/html; charset=utf-8", include_str!("../assets/docs.html"))
}

/// `GET /api/docs/{file}`: what the page is made of.
pub(crate) async fn asset(file: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, Error> {
    let (kind, body) = match file.as_str() {
        "docs.css" => ("text/css; charset=utf-8", include_str!("../assets/docs.css")),
        "docs.js" => ("text/javascript; charset=utf-8", include_str!("../assets/docs.js")),
        _ => return Err(Error::NotFound { what: "this address" }),
    };
    Ok(unless_kept(&request, kind, body))
}

/// A text that changes with the program or its settings alone.
fn unless_kept(request: &HttpRequest, kind: &'static str, body: impl Into<String>) -> HttpResponse {
    let body = body.into();
    let tag = Tag::of_content(body.as_bytes());
    tag.kept_by(request).unwrap_or_else(|| tag.on(HttpResponse::Ok().content_type(kind).body(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_describes_every_route_of_the_api_with_its_scope_and_no_other() {
        let description: Value = serde_json::from_str(&description(&LimitsConfig::default(), "").unwrap()).unwrap();
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
    fn it_says_where_the_server_lies() {
        let servers = |base: &str| {
            let description = description(&LimitsConfig::default(), base).unwrap();
            serde_json::from_str::<Value>(&description).unwrap()["servers"].clone()
        };
        assert_eq!(servers("/quarry"), json!([{ "url": "/quarry" }]));
        assert!(servers("").is_null());
    }

    #[test]
    fn it_states_what_may_be_asked() {
        let limits = LimitsConfig { page_depth: 77, ..LimitsConfig::default() };
        let description: Value = serde_json::from_str(&description(&limits, "").unwrap()).unwrap();
        let request = &description["components"]["schemas"]["SearchRequest"]["properties"];
        assert_eq!((&request["top"]["minimum"], &request["top"]["maximum"]), (&json!(1), &json!(77)));
        assert_eq!(request["query"]["maxLength"], limits.query_chars);
        assert!(description["components"]["schemas"]["Filters"]["properties"]["after"]["pattern"].is_string());
        let parameters = description["paths"]["/api/v1/search"]["get"]["parameters"].as_array().unwrap();
        let schema = |name: &str| &parameters.iter().find(|one| one["name"] == name).unwrap()["schema"];
        assert_eq!((&schema("top")["maximum"], &schema("q")["maxLength"]), (&json!(77), &json!(limits.query_chars)));
        assert!(schema("after")["pattern"].is_string() && schema("mode")["$ref"].is_string());
        let listed = description["paths"]["/api/v1/documents"]["get"]["parameters"].as_array().unwrap();
        assert_eq!(listed.iter().find(|one| one["name"] == "limit").unwrap()["schema"]["maximum"], json!(500));
    }

    /// A change here is a change of the promise to clients. `INSTA_UPDATE=always cargo test --workspace --lib -- openapi`
    /// writes it anew.
    #[test]
    fn it_is_as_before() {
        let description: Value = serde_json::from_str(&description(&LimitsConfig::default(), "").unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&description).unwrap());
    }

    #[test]
    fn it_is_version_3_1_and_every_reference_leads_somewhere() {
        let text = description(&LimitsConfig::default(), "").unwrap();
        let description: Value = serde_json::from_str(&text).unwrap();
        assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{}", description["openapi"]);
        let references = text.split("\"#/components/schemas/").skip(1);
        let names: Vec<&str> = references.filter_map(|rest| rest.split('"').next()).collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(description["components"]["schemas"][name].is_object(), "no schema {name}");
        }
    }
}
