//! The Model Context Protocol: assistants search and read what somebody sees, over HTTP (`/mcp`) and over standard input and
//! output (`quarry mcp`). The only room that knows the protocol's SDK.
//!
//! Promises: whatever is asked, it is the functions of the REST API that answer, with the caller's view; nothing is written; what
//! is hidden answers like what does not exist; no message ends the conversation, and none is longer than the limits allow.

mod desk;
pub(crate) mod exchange;
mod handler;
mod local;
mod message;
pub(crate) mod metadata;
mod place;
mod resources;
mod stdio;
mod text;
mod tools;
mod work;

use crate::guard::{Endpoint, Need, Scope};

pub use local::AgentParts;
pub(crate) use metadata::lead_to_tokens;
pub use stdio::serve_agent;

/// The addresses of assistants.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::agent("/mcp").post(Need::Scope(Scope::Search), exchange::exchange),
        Endpoint::api("/.well-known/oauth-protected-resource").get(Need::Host, metadata::of_site),
        Endpoint::api("/.well-known/oauth-protected-resource/mcp").get(Need::Host, metadata::of_agents),
    ]
}
