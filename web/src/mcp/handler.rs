//! What the SDK is told to answer: the tools and resources in the words of the protocol, in every revision that it knows.

use std::sync::{Arc, LazyLock};

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
    ErrorCode, Implementation, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig, Tool as Described, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;

use super::desk::Desk;
use super::resources::{self, Page, Row, TEMPLATE};
use super::tools::Tool;
use super::work::Hatch;
use crate::error::Error;

/// What a model is told of this server before anything else.
const INSTRUCTIONS: &str = "A search engine over the company's own documents. Use search or search_passages to find what is \
                            asked about, fetch to read a document whole, and answer where a question may be answered by a \
                            sentence. Quote what the documents say, with the link of each; where they say nothing, say so.";

/// Milliseconds that lists of tools and templates may be kept: they change with the program alone.
const LASTS: u64 = 3_600_000;
/// The same of what changes with the documents, and with who may see them.
const FLEETING: u64 = 0;

/// What begins a conversation before 2026-07-28.
const HANDSHAKE: &str = "initialize";

/// Parts of the protocol that are known here: what names one of them and is something else has wrong parameters.
const METHODS: [&str; 7] = [
    HANDSHAKE,
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

static TOOLS: LazyLock<Vec<Described>> = LazyLock::new(|| Tool::ALL.into_iter().map(described).collect());

fn described(tool: Tool) -> Described {
    let annotations = ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false);
    Described::new(tool.name(), tool.description(), Arc::new(tool.input()))
        .with_title(tool.title())
        .with_raw_output_schema(Arc::new(tool.output()))
        .with_annotations(annotations)
}

/// The server, for one caller.
#[derive(Clone)]
pub(super) struct Handler {
    hatch: Hatch,
}

impl Handler {
    pub(super) fn new(hatch: Hatch) -> Self {
        Self { hatch }
    }

    /// Has something done for a request, as long as it is not called off.
    async fn ask<T, F>(
        &self,
        context: &RequestContext<RoleServer>,
        work: impl FnOnce(Arc<Desk>) -> F + Send + 'static,
    ) -> Result<T, ErrorData>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let done = tokio::select! {
            done = self.hatch.ask(work) => done,
            () = context.ct.cancelled() => None,
        };
        done.ok_or_else(|| ErrorData::internal_error("the request was called off", None))
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_resources().enable_tools().build();
        let server = Implementation::new("quarry", env!("CARGO_PKG_VERSION")).with_title("quarry");
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Described> {
        TOOLS.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        asked: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        one_page(asked)?;
        let tools = ListToolsResult::with_all_items(TOOLS.clone());
        Ok(tools.with_ttl_ms(LASTS).with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = Tool::named(&asked.name) else {
            let known = Tool::ALL.map(Tool::name).join(", ");
            let why = format!("there is no tool {:?}; expected {known}", asked.name);
            return Err(ErrorData::invalid_params(why, None));
        };
        let arguments = asked.arguments.unwrap_or_default();
        let called = self.ask(&context, move |desk| async move { tool.call(&desk, arguments).await }).await?;
        let result = match called {
            Ok(value) => CallToolResult::structured(value),
            // So that the model reads it and can do better.
            Err(error) => {
                error.log();
                CallToolResult::error(vec![ContentBlock::text(error.sentence())])
            }
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        asked: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = asked.and_then(|asked| asked.cursor);
        let listed = self.ask(&context, move |desk| async move { resources::list(&desk, cursor).await }).await?;
        let Page { rows, next } = listed.map_err(|error| told(&error))?;
        let mut list = ListResourcesResult::with_all_items(rows.into_iter().map(resource).collect());
        list.next_cursor = next;
        Ok(list.with_ttl_ms(FLEETING).with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        asked: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        one_page(asked)?;
        let document = ResourceTemplate::new(TEMPLATE, "document")
            .with_title("A document")
            .with_description("The text of a document, by the id that tools give.")
            .with_mime_type("text/plain");
        let templates = ListResourceTemplatesResult::with_all_items(vec![document]);
        Ok(templates.with_ttl_ms(LASTS).with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        asked: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = asked.uri.clone();
        let read = self.ask(&context, move |desk| async move { resources::read(&desk, &uri).await }).await?;
        let text = read.map_err(|error| match error {
            Error::NotFound { .. } => {
                ErrorData::resource_not_found("the resource does not exist", Some(json!({"uri": asked.uri})))
            }
            error => told(&error),
        })?;
        let contents = ResourceContents::text(text, asked.uri.clone());
        let result = ReadResourceResult::new(vec![contents]);
        Ok(result.with_ttl_ms(FLEETING).with_cache_scope(CacheScope::Private).into())
    }

    async fn on_custom_request(
        &self,
        asked: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // Who says with each request how they speak shakes no hands.
        let is_over = asked.method == HANDSHAKE && context.meta.protocol_version().is_some();
        if METHODS.contains(&asked.method.as_str()) && !is_over {
            let why = format!("params: expected those of {}, each of its type", asked.method);
            return Err(ErrorData::invalid_params(why, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no method {:?}", asked.method), None))
    }
}

/// Refuses to go on behind what is told at once.
fn one_page(asked: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match asked.and_then(|asked| asked.cursor) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("cursor: expected none: the list has one page", None)),
    }
}

fn resource(row: Row) -> Resource {
    let Row { uri, name, title, description } = row;
    Resource::new(uri, name).with_title(title).with_description(description).with_mime_type("text/plain")
}

/// A failure that is no tool's.
fn told(error: &Error) -> ErrorData {
    error.log();
    match error {
        Error::BadRequest { .. } => ErrorData::invalid_params(error.sentence(), None),
        _ => ErrorData::internal_error(error.sentence(), None),
    }
}
