//! The hub that models are fetched from: Hugging Face, a mirror with its interface, or any server that has the files at
//! `{endpoint}/{repository}/resolve/{revision}/{file}`.
//!
//! Addresses, the token and the requests are hf-hub's; what it does with a file is not used. Of hf-hub 1.0 the smallest
//! build has 236 crates (xet, tokio, reqwest and aws-lc always; 116 new to this workspace), of 0.5 with ureq 58
//! (23 new): hence 0.5. Its own download continues cut files, but checks no checksum, appends the whole file to a part
//! when a server ignores `Range`, never times out, panics on a redirect without an address, needs the `x-repo-commit`
//! header that plain mirrors lack, and fills a cache of links instead of a folder that can be copied.
//! `transfer.rs` and `pull.rs` do these steps.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;
use ureq::RequestBuilder;
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::WithoutBody;

use super::name::Repository;

const HUGGING_FACE: &str = "https://huggingface.co";
/// Time for a connection, and for the beginning of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Silence in the middle of a file after which the connection counts as cut.
const STALL: Duration = Duration::from_secs(60);

/// A hub, ready to be asked.
pub(crate) struct Hub {
    api: Api,
    endpoint: String,
    tls: Option<TlsConfig>,
}

/// The server did not answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {endpoint} ({reason}); is there a network, is a proxy needed (HTTPS_PROXY)?")]
pub(crate) struct Unreachable {
    endpoint: String,
    reason: String,
}

/// What is known of a file before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    pub(crate) checksum: Checksum,
    /// Changes when the contents change; without it, a part of the file is never continued.
    pub(crate) identity: Option<String>,
}

/// What a file's contents can be checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checksum {
    Sha256(String),
    /// SHA-1 as git names contents: the hub has it for small files.
    Git(String),
    /// The server tells none: the length and the file's own structure must do.
    None,
}

/// The files of a repository at one commit.
pub(crate) struct Listing {
    pub(crate) commit: Option<String>,
    pub(crate) files: Vec<RemoteFile>,
}

/// The beginning of an answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ureq::Body,
}

#[derive(Deserialize)]
struct Info {
    sha: Option<String>,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "oid")]
    sha256: Option<String>,
    size: Option<u64>,
}

impl Hub {
    /// A hub by its address (else `HF_ENDPOINT`, else Hugging Face), with the token of `HF_TOKEN` and the certificates
    /// of `SSL_CERT_FILE`. Proxies are taken from the usual variables.
    ///
    /// # Errors
    /// When the address is none, or the certificates cannot be read.
    pub(crate) fn new(endpoint: Option<&str>) -> Result<Self> {
        let variable = |name| std::env::var(name).ok().map(|text| text.trim().to_string()).filter(|it| !it.is_empty());
        let endpoint = endpoint.map(str::to_string).or_else(|| variable("HF_ENDPOINT"));
        let endpoint = completed(endpoint.as_deref().unwrap_or(HUGGING_FACE))?;
        // hf-hub wants a cache folder although nothing here writes one; without a given one it panics where no home
        // folder is known.
        let api = ApiBuilder::from_cache(Cache::new(PathBuf::from("unused")))
            .with_endpoint(endpoint.clone())
            .with_token(variable("HF_TOKEN"))
            .with_progress(false)
            .with_user_agent("quarry", env!("CARGO_PKG_VERSION"))
            .build()
            .context("cannot set up the connection to the hub")?;
        let tls = variable("SSL_CERT_FILE").map(|path| certificates(&path)).transpose()?;
        Ok(Self { api, endpoint, tls })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The revision that is meant where none is said.
    pub(crate) fn default_revision(&self) -> &'static str {
        if self.endpoint.contains("modelscope") { "master" } else { "main" }
    }

    /// The address of a file.
    pub(crate) fn url(&self, repository: &Repository, revision: &str, file: &str) -> String {
        self.repo(repository, revision).url(file)
    }

    /// The files of a repository, with sizes and checksums; none where the server keeps no list.
    ///
    /// # Errors
    /// [`Unreachable`] servers, refusals and broken answers.
    pub(crate) fn listing(&self, repository: &Repository, revision: &str) -> Result<Option<Listing>> {
        let request = self.repo(repository, revision).info_request().query("blobs", "true");
        let mut answer = self.call(request, Redirects::Follow)?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(self.refusal(repository, status)),
        }
        let text = answer.body.read_to_string().context("the hub's list of files broke off")?;
        // A page for people instead of a list: a plain mirror.
        let Ok(info) = serde_json::from_str::<Info>(&text) else { return Ok(None) };
        let commit = info.sha.filter(|sha| is_hex(sha, 40));
        Ok(Some(Listing { commit, files: info.siblings.into_iter().map(RemoteFile::from).collect() }))
    }

    /// What a server without a list tells of one file; none where it does not have it.
    ///
    /// # Errors
    /// As [`Hub::listing`].
    pub(crate) fn probe(&self, repository: &Repository, revision: &str, file: &str) -> Result<Option<RemoteFile>> {
        let url = self.url(repository, revision, file);
        // The hub's own headers are on its redirect, the size on what follows.
        let ask = |redirects| {
            let request = self.repo(repository, revision).info_request().uri(url.as_str()).header("Range", "bytes=0-0");
            self.call(request, redirects)
        };
        let mut answer = ask(Redirects::Keep)?;
        if answer.status.is_redirection() && header(&answer.headers, "x-linked-etag").is_none() {
            answer = ask(Redirects::Follow)?;
        }
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() || status.is_redirection() || status == StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(Some(RemoteFile::from_headers(file, status, &answer.headers)))
            }
            status => Err(self.refusal(repository, status)),
        }
    }

    /// A file from a position on.
    ///
    /// # Errors
    /// When the server cannot be reached; every status is an answer.
    pub(crate) fn get(&self, repository: &Repository, url: &str, from: u64) -> Result<Answer> {
        let mut request = self.repo(repository, "main").info_request().uri(url);
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        self.call(request, Redirects::Follow)
    }

    /// What a status means to the user.
    pub(crate) fn refusal(&self, repository: &Repository, status: StatusCode) -> anyhow::Error {
        let (endpoint, id) = (&self.endpoint, repository.id());
        match status.as_u16() {
            401 | 403 => anyhow!(
                "{endpoint} answers {status} for {id}: there is no such repository, or it needs a token; check the name, \
                 or set HF_TOKEN to a token that may read it"
            ),
            404 => anyhow!("{endpoint} has no {repository}; check the name, the revision and the variant"),
            429 => {
                anyhow!("{endpoint} answers {status} for {id}: too many requests; wait some minutes, or set HF_TOKEN")
            }
            _ => anyhow!("{endpoint} answers {status} for {id}; try again later, or another --endpoint"),
        }
    }

    fn repo(&self, repository: &Repository, revision: &str) -> ApiRepo {
        self.api.repo(Repo::with_revision(repository.id(), RepoType::Model, revision.to_string()))
    }

    fn call(&self, request: RequestBuilder<WithoutBody>, redirects: Redirects) -> Result<Answer> {
        // A compressed answer has no positions to continue from.
        let request = request.header("Accept-Encoding", "identity");
        let mut config = request
            .config()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(STALL));
        if let Some(tls) = &self.tls {
            config = config.tls_config(tls.clone());
        }
        if redirects == Redirects::Keep {
            config = config.max_redirects(0);
        }
        let response = config.build().call();
        let endpoint = || self.endpoint.clone();
        let response = response.map_err(|error| Unreachable { endpoint: endpoint(), reason: error.to_string() })?;
        let (parts, body) = response.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redirects {
    Follow,
    Keep,
}

impl From<Sibling> for RemoteFile {
    fn from(sibling: Sibling) -> Self {
        let lfs_size = sibling.lfs.as_ref().and_then(|lfs| lfs.size);
        let sha256 = sibling.lfs.and_then(|lfs| lfs.sha256).map(|text| text.trim_start_matches("sha256:").to_string());
        let checksum = match (sha256, sibling.blob_id) {
            (Some(sha256), _) if is_hex(&sha256, 64) => Checksum::Sha256(sha256.to_ascii_lowercase()),
            (None, Some(id)) if is_hex(&id, 40) => Checksum::Git(id.to_ascii_lowercase()),
            _ => Checksum::None,
        };
        let identity = checksum.digest().map(str::to_string);
        Self { name: sibling.rfilename, size: lfs_size.or(sibling.size), checksum, identity }
    }
}

impl RemoteFile {
    fn from_headers(name: &str, status: StatusCode, headers: &HeaderMap) -> Self {
        let linked = header(headers, "x-linked-etag").map(unquoted);
        let etag = header(headers, "etag").filter(|etag| !etag.starts_with("W/")).map(unquoted);
        let is_hub = header(headers, "x-repo-commit").is_some();
        let checksum = match (linked, etag) {
            (Some(sha256), _) if is_hex(sha256, 64) => Checksum::Sha256(sha256.to_ascii_lowercase()),
            (None, Some(id)) if is_hub && is_hex(id, 40) => Checksum::Git(id.to_ascii_lowercase()),
            _ => Checksum::None,
        };
        let length = if status == StatusCode::OK { header(headers, "content-length") } else { None };
        let total = header(headers, "content-range").and_then(|range| range.rsplit('/').next());
        let size = header(headers, "x-linked-size").or(total).or(length).and_then(|size| size.parse().ok());
        let identity = checksum.digest().or(etag).map(str::to_string);
        Self { name: name.to_string(), size, checksum, identity }
    }
}

impl Checksum {
    fn digest(&self) -> Option<&str> {
        match self {
            Self::Sha256(digest) | Self::Git(digest) => Some(digest),
            Self::None => None,
        }
    }

    /// For the manifest.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::Git(_) => "git sha1",
            Self::None => "length",
        }
    }
}

/// The endpoint without its last slash. ModelScope keeps its files below `/models`.
fn completed(endpoint: &str) -> Result<String> {
    let endpoint = endpoint.trim_end_matches('/');
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match host {
        None | Some("") => bail!("the endpoint must be a web address like {HUGGING_FACE}, got {endpoint:?}"),
        Some("modelscope.cn" | "www.modelscope.cn" | "modelscope.ai" | "www.modelscope.ai") => {
            Ok(format!("{endpoint}/models"))
        }
        Some(_) => Ok(endpoint.to_string()),
    }
}

/// The certificates of a PEM file, to trust instead of the ones that browsers trust: for mirrors and proxies with a
/// company's own authority.
fn certificates(path: &str) -> Result<TlsConfig> {
    let pem = std::fs::read(path).with_context(|| format!("cannot read the certificates of SSL_CERT_FILE, {path}"))?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.with_context(|| format!("{path} is no PEM file"))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        bail!("SSL_CERT_FILE names {path}, which holds no certificate in PEM form");
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(found))).build())
}

pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(json: serde_json::Value) -> RemoteFile {
        RemoteFile::from(serde_json::from_value::<Sibling>(json).unwrap())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_hubs_list_gives_checksums() {
        let (sha1, sha256) = ("a".repeat(40), "B".repeat(64));
        let lfs = sibling(serde_json::json!({
            "rfilename": "w", "size": 5, "blobId": sha1, "lfs": {"sha256": sha256, "size": 5, "pointerSize": 134}
        }));
        assert_eq!((lfs.size, lfs.checksum), (Some(5), Checksum::Sha256("b".repeat(64))));
        let small = sibling(serde_json::json!({"rfilename": "c", "size": 5, "blobId": sha1}));
        assert_eq!(small.checksum, Checksum::Git(sha1));
        assert_eq!(sibling(serde_json::json!({"rfilename": "c"})).checksum, Checksum::None);
        assert_eq!(sibling(serde_json::json!({"rfilename": "c", "lfs": {"sha256": "../x"}})).checksum, Checksum::None);
    }

    #[test]
    fn headers_give_what_they_can() {
        let sha256 = "c".repeat(64);
        let linked = headers(&[("x-linked-etag", &format!("\"{sha256}\"")), ("x-linked-size", "9")]);
        let file = RemoteFile::from_headers("w", StatusCode::FOUND, &linked);
        assert_eq!((file.size, file.checksum), (Some(9), Checksum::Sha256(sha256)));
        let plain = headers(&[("etag", "\"5f-61\""), ("content-range", "bytes 0-0/95")]);
        let file = RemoteFile::from_headers("w", StatusCode::PARTIAL_CONTENT, &plain);
        assert_eq!((file.size, file.checksum, file.identity.as_deref()), (Some(95), Checksum::None, Some("5f-61")));
        // Forty digits of a server that is no hub are no git hash; a weak ETag is no identity.
        let other = headers(&[("etag", &"d".repeat(40))]);
        assert_eq!(RemoteFile::from_headers("w", StatusCode::OK, &other).checksum, Checksum::None);
        let weak = headers(&[("etag", "W/\"1\"")]);
        assert_eq!(RemoteFile::from_headers("w", StatusCode::OK, &weak).identity, None);
    }

    #[test]
    fn endpoints_are_completed() {
        assert_eq!(completed("https://hf-mirror.com/").unwrap(), "https://hf-mirror.com");
        assert_eq!(completed("https://modelscope.cn").unwrap(), "https://modelscope.cn/models");
        assert!(completed("hf-mirror.com").unwrap_err().to_string().contains("web address"));
        assert!(completed("https://").is_err());
    }
}
