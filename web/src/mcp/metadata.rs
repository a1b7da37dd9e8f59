//! What an assistant has to know to be let in (RFC 9728): for which address tokens are made, and who makes them.

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Problem};
use crate::guard::{base, origin};
use crate::json;

/// What protects a resource, and how it is opened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProtectedResource {
    /// The address of the place where assistants connect: the audience of tokens.
    resource: String,
    /// Who gives tokens; absent where there is no identity provider: then keys alone are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    /// What to ask them for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    /// How a token, or a key, is sent: in a header.
    bearer_methods_supported: [&'static str; 1],
    /// What this server is.
    resource_name: &'static str,
}

/// What protects this server.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "agents",
    responses((status = 200, body = ProtectedResource), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_site(request: HttpRequest) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(metadata(&request)?))
}

/// What protects the place where assistants connect: the same.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource/mcp", tag = "agents",
    responses((status = 200, body = ProtectedResource), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_agents(request: HttpRequest) -> Result<HttpResponse, Error> {
    of_site(request).await
}

fn metadata(request: &HttpRequest) -> Result<ProtectedResource, Error> {
    let app = json::app(request)?;
    let oidc = &app.config.auth.oidc;
    let has_provider = app.upstreams.provider.is_some();
    Ok(ProtectedResource {
        resource: format!("{}/mcp", place(request)),
        authorization_servers: has_provider.then(|| oidc.issuer.clone()).into_iter().collect(),
        scopes_supported: if has_provider { oidc.scopes_of_agents().to_vec() } else { Vec::new() },
        bearer_methods_supported: ["header"],
        resource_name: "quarry",
    })
}

/// Where this server was reached.
pub(super) fn here(request: &HttpRequest) -> String {
    format!("{}{}", origin(request), base(request))
}

/// Where this server is, as configured, or else as it was reached.
fn place(request: &HttpRequest) -> String {
    let told = json::app(request).ok().and_then(|app| app.config.place().map(str::to_owned));
    told.unwrap_or_else(|| here(request))
}

/// Says, where somebody is not let in, where it is told how they would be (RFC 9728, 5.1; RFC 6750, 3).
pub(crate) fn lead_to_tokens(refused: &mut ServiceResponse) {
    if refused.status() != StatusCode::UNAUTHORIZED {
        return;
    }
    let request = refused.request();
    let brought = ["authorization", "x-api-key"].iter().any(|name| request.headers().contains_key(*name));
    let mut challenge = "Bearer realm=\"quarry\"".to_owned();
    if brought {
        challenge += ", error=\"invalid_token\"";
    }
    challenge += &format!(", resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", place(request));
    if let Ok(app) = json::app(request)
        && app.upstreams.provider.is_some()
    {
        // Whatever could end the quoted words is no scope (RFC 6749, 3.3).
        let is_scope = |scope: &&String| {
            !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
        };
        let scopes: Vec<&str> =
            app.config.auth.oidc.scopes_of_agents().iter().filter(is_scope).map(String::as_str).collect();
        if !scopes.is_empty() {
            challenge += &format!(", scope=\"{}\"", scopes.join(" "));
        }
    }
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
}
