//! What can be asked of the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// Folders to index at start, beside those that the index knows.
    pub(crate) folders: Vec<PathBuf>,
    /// Only search, and bring the index up to date with the newest backup there: `quarry backup DIR`, of another server.
    #[arg(long, value_name = "DIR", conflicts_with = "folders")]
    pub(crate) follow: Option<PathBuf>,
    /// Address and port [default: 127.0.0.1:7700]. Other than loopback addresses need keys: `quarry keys create`.
    #[arg(long, env = "QUARRY_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
}
