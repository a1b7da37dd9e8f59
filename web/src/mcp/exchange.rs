//! `/mcp`: a message in, its answer out (Streamable HTTP). No session is kept, in no revision of the protocol: each request is by
//! itself, and what somebody sees is found out with each.

use std::pin::pin;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use http_body_util::{BodyExt as _, Full};
use rmcp::model::JsonRpcError;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use utoipa::ToSchema;

use super::desk::{Desk, Served};
use super::handler::Handler;
use super::message;
use super::metadata::here;
use super::place::Place;
use super::work::Hatch;
use crate::app::App;
use crate::error::{Error, Problem};
use crate::guard::{Caller, client};
use crate::json::Unread;
use crate::shapes;

/// What a client of the protocol says that it takes. Answers are JSON, whatever it prefers.
const TAKES: &str = "application/json, text/event-stream";
const JSON: &str = "application/json";

/// A message of JSON-RPC 2.0.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, and read by the SDK")]
pub(crate) struct AgentMessage {
    /// `2.0`.
    #[schema(schema_with = shapes::rpc_version)]
    jsonrpc: String,
    /// A text or a number that the answer repeats; a notification has none.
    #[schema(schema_with = shapes::rpc_id)]
    id: Option<Value>,
    /// What is asked: `tools/list`, `tools/call`, ..
    method: String,
    /// What belongs to it.
    #[schema(value_type = Option<Object>)]
    params: Option<Value>,
}

/// The answer to a message.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, and written by the SDK")]
pub(crate) struct AgentAnswer {
    /// `2.0`.
    #[schema(schema_with = shapes::rpc_version)]
    jsonrpc: String,
    /// That of the message, where it can be told.
    #[schema(schema_with = shapes::rpc_id)]
    id: Option<Value>,
    /// What was asked for.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Or what is wrong: `code`, `message`, `data`.
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// Takes a message of the Model Context Protocol and answers it. What can be asked is told by `tools/list`.
#[utoipa::path(post, path = "/mcp", tag = "agents", request_body = AgentMessage,
    responses((status = 200, body = AgentAnswer), (status = 202, description = "A notification was taken"), (status = 400, body = AgentAnswer, description = "What is wrong with the message"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn exchange(
    app: web::Data<App>,
    body: Unread,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    if let Err(wrong) = message::read(&body.0) {
        return Ok(refused(StatusCode::BAD_REQUEST, &wrong));
    }
    let app = app.into_inner();
    let address = client(&request, &app.config.auth).map(|address| address.to_string());
    let place = Place::of(&app.config, here(&request));
    let (hatch, mut jobs) = Hatch::new();
    let service = service(hatch, body.0.len());
    let desk = Arc::new(Desk::Served(Box::new(Served { app, caller, place, address })));
    let mut answer = pin!(service.handle(outward(&request, body)?));
    loop {
        tokio::select! {
            answer = &mut answer => return inward(answer).await,
            Some(job) = jobs.recv() => job(Arc::clone(&desk)).await,
        }
    }
}

/// The SDK's service for one message. Who may ask, and by which name of the host, has been checked for every route.
fn service(hatch: Hatch, bytes: usize) -> StreamableHttpService<Handler, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(bytes)
        .disable_allowed_hosts();
    let handler = Handler::new(hatch);
    StreamableHttpService::new(move || Ok(handler.clone()), Arc::default(), config)
}

/// The request as the SDK takes it: the body, and the headers that the protocol knows.
fn outward(request: &HttpRequest, body: Unread) -> Result<http::Request<Full<Bytes>>, Error> {
    let mut outward = http::Request::builder().method(http::Method::POST).uri("/mcp");
    // It wants one, and does not look at it.
    outward = outward.header(http::header::HOST, "localhost").header(http::header::CONTENT_TYPE, JSON);
    let of_protocol = |name: &HeaderName| name.as_str().starts_with("mcp-");
    for (name, value) in request.headers().iter().filter(|(name, _)| of_protocol(name)) {
        outward = outward.header(name.as_str(), value.as_bytes());
    }
    // Programs that say nothing of it, or that they take anything, take JSON.
    let accepts = request.headers().get(header::ACCEPT).map(|accept| accept.as_bytes());
    let takes_anything = accepts.is_none_or(|accept| accept.windows(3).any(|part| part == b"*/*"));
    let accepts = accepts.filter(|_| !takes_anything).unwrap_or(TAKES.as_bytes());
    let outward = outward.header(http::header::ACCEPT, accepts).body(Full::new(Bytes::from(body.0)));
    outward.map_err(|error| Error::bad(format!("a header cannot be read: {error}")))
}

/// What the SDK answers, as it goes out. What it says of HTTP in plain words becomes an error of JSON-RPC.
async fn inward<B>(answer: http::Response<B>) -> Result<HttpResponse, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let status = StatusCode::from_u16(answer.status().as_u16()).map_err(Error::internal)?;
    let is_json = answer.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == JSON);
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| Error::internal(format!("an answer broke off: {error}")))?.to_bytes();
    if !is_json && status.is_client_error() {
        return Ok(refused(status, &message::invalid(None, String::from_utf8_lossy(&body))));
    }
    if !is_json && status.is_server_error() {
        return Err(Error::internal(String::from_utf8_lossy(&body)));
    }
    let mut response = HttpResponse::build(status);
    if body.is_empty() {
        return Ok(response.finish());
    }
    Ok(response.content_type(JSON).body(body))
}

fn refused(status: StatusCode, error: &JsonRpcError) -> HttpResponse {
    let told = serde_json::to_value(error).unwrap_or(Value::Null);
    HttpResponse::build(status).content_type(JSON).body(told.to_string())
}
