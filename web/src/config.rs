//! Everything about serving that can be set, with its defaults. `deploy/quarry.toml` documents each key; a test keeps
//! the two equal.

mod backup;
mod follow;
mod sources;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use connect::BucketConfig;
use serde::{Deserialize, Serialize};
use storage::chain;

use crate::audit::AuditConfig;
use crate::brand::{Brand, PageConfig};
use crate::guard::{Authority, is_base};
pub use crate::identity::AuthConfig;
use crate::insights::InsightsConfig;
use crate::server::Door;
use crate::tls;

pub use backup::BackupConfig;
pub use follow::FollowConfig;
pub use sources::{FilesSay, SourceConfig};

/// Queries of one person that are kept at most.
const MAX_HISTORY: usize = 10_000;

/// Settings of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens and to whom it answers.
    pub server: ServerConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// What is kept of what people do.
    pub audit: AuditConfig,
    /// What one request, one client and all together may cost.
    pub limits: LimitsConfig,
    /// What is indexed.
    pub index: IndexConfig,
    /// Suggestions while typing.
    pub suggest: SuggestConfig,
    /// What is kept of what people ask.
    pub insights: InsightsConfig,
    /// Where the server backs itself up.
    pub backup: BackupConfig,
    /// Whose backups the server follows, in the place of writing to an index of its own.
    pub follow: FollowConfig,
    /// How buckets are reached, for backups.
    pub s3: BucketConfig,
    /// The company's name, look, links and questions on the page.
    pub page: PageConfig,
}

/// Where the server listens and to whom it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port. Anything but a loopback address needs API keys or a trusted proxy.
    pub listen: SocketAddr,
    /// Address and port for `/metrics` and `/health` alone; `None`: the main address has them. Where it is set, the main
    /// address has no `/metrics`. On a loopback address the numbers need no key; on any other, one with the scope `admin`.
    #[serde(with = "no_address")]
    pub metrics_listen: Option<SocketAddr>,
    /// File of the certificate (PEM, with those that lead to a known one behind it) where the server encrypts its connections
    /// itself; empty: it does not, and a proxy does. Read again when it changes.
    pub tls_certificate: PathBuf,
    /// File of the certificate's private key (PEM).
    pub tls_key: PathBuf,
    /// Host names that requests may be addressed to, beside loopback names and the address itself.
    pub allowed_hosts: Vec<String>,
    /// The path below which a proxy shows the server, such as `/quarry`; empty: it lies at the root. A proxy may take it off
    /// or leave it, and may name another one for a request by `X-Forwarded-Prefix`.
    pub base_path: String,
    /// Where people and programs reach the server, with `base_path`, such as `https://search.example/quarry`: for links that are
    /// followed from elsewhere. Empty: `auth.oidc.public_url`, where there is one.
    pub public_url: String,
    /// Threads that read and write connections.
    pub workers: usize,
    /// Seconds that requests under way may take after a signal to stop.
    pub shutdown_seconds: u64,
}

/// What one request, one client and all together may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of a request's JSON body.
    pub body_bytes: usize,
    /// Bytes of an uploaded file, or of one bulk request.
    pub upload_bytes: usize,
    /// Characters of a query.
    pub query_chars: usize,
    /// Values of all filters together.
    pub filter_values: usize,
    /// The deepest result that can be asked for: `offset + top`.
    pub page_depth: usize,
    /// Searches and model requests that compute at the same time; 0: one for each processor.
    pub concurrent: usize,
    /// Answers that a writer writes at the same time; further ones wait.
    pub answers: usize,
    /// Requests that may wait for that; more are answered 503.
    pub queue: usize,
    /// Seconds after which a request is given up.
    pub request_seconds: u64,
    /// Seconds after which a text that is being written is given up.
    pub writing_seconds: u64,
    /// Milliseconds after which `/api/v1/search` answers in the best order it has, where the request names no budget.
    pub rerank_ms: u64,
    /// Requests a second that one key, or one address without a key, may make on average; 0: any number.
    pub rate_per_second: u32,
    /// Requests that may come at once before the rate counts.
    pub rate_burst: u32,
    /// Texts of one embedding or reranking request.
    pub model_texts: usize,
    /// Bytes of requests and answers that are held in memory while clients send or take them, of all clients.
    pub inflight_bytes: usize,
    /// The same, of one client: a key, a user that the proxy names, or an address.
    pub client_inflight_bytes: usize,
    /// Streams, downloads and lists that are open at once, of all clients.
    pub transfers: usize,
    /// The same, of one client.
    pub client_transfers: usize,
    /// Bytes of uploads that are not complete, on disk, of all clients.
    pub unfinished_bytes: usize,
    /// The same, of one client.
    pub client_unfinished_bytes: usize,
    /// Seconds after which a client that takes nothing of its answer is cut off.
    pub stalled_seconds: u64,
}

/// What is indexed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexConfig {
    /// Folders that are indexed at start, beside those on the command line and those the index knows.
    pub sources: Vec<SourceConfig>,
    /// Folders in which `POST /api/v1/sources` may add sources; none: sources are added on the command line only.
    pub allow_folders: Vec<PathBuf>,
    /// Addresses below which `POST /api/v1/sources` may add sources that are fetched from elsewhere; none: such sources are
    /// added on the command line only.
    pub allow_addresses: Vec<String>,
    /// Whether changes in a folder are noticed as they happen. A source may say otherwise.
    pub watch: bool,
    /// Seconds after which a folder that should be watched and cannot be is compared with the index again.
    pub poll_seconds: u64,
    /// Minutes after which a source is compared with the index in any case; 0: only when it changes, or when asked. A
    /// source may say otherwise.
    pub every_minutes: u64,
    /// Minutes after which a source that lies elsewhere is fetched again; 0: only at start and when asked. A source may say
    /// otherwise.
    pub fetch_minutes: u64,
    /// Share of a source's files, in percent, that may be gone at once without a confirmation.
    pub max_deleted_percent: u8,
    /// Most documents of one commit.
    pub commit_documents: usize,
    /// When vectors are made.
    pub vectors: VectorsWhen,
}

/// When the vectors of documents are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VectorsWhen {
    /// Before they are found where the model is the bundled one, which takes no time; later with any other.
    #[default]
    Auto,
    /// Before they are found.
    WithText,
    /// After they are found by their words.
    Later,
}

/// Suggestions while typing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SuggestConfig {
    /// Queries of a person (a user, or a key) that are suggested to them again, and to nobody else; 0: none. They are kept in
    /// memory only.
    pub history: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7700)),
            metrics_listen: None,
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            allowed_hosts: Vec::new(),
            base_path: String::new(),
            public_url: String::new(),
            workers: 2,
            shutdown_seconds: 20,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            upload_bytes: 64 << 20,
            query_chars: 2_000,
            filter_values: 64,
            page_depth: 1_000,
            concurrent: 0,
            answers: 4,
            queue: 64,
            request_seconds: 30,
            writing_seconds: 600,
            rerank_ms: 1000,
            rate_per_second: 0,
            rate_burst: 50,
            model_texts: 1_024,
            inflight_bytes: 256 << 20,
            client_inflight_bytes: 128 << 20,
            transfers: 256,
            client_transfers: 64,
            unfinished_bytes: 2 << 30,
            client_unfinished_bytes: 1 << 30,
            stalled_seconds: 20,
        }
    }
}

impl LimitsConfig {
    /// What one client may have is enough for the largest request and no more than what all may have.
    fn shares(&self, problems: &mut Vec<String>) {
        let largest = self.body_bytes.max(self.upload_bytes);
        let shares = [
            ("inflight_bytes", self.inflight_bytes, self.client_inflight_bytes, largest),
            ("unfinished_bytes", self.unfinished_bytes, self.client_unfinished_bytes, self.upload_bytes),
            ("transfers", self.transfers, self.client_transfers, 1),
        ];
        for (key, all, one, least) in shares {
            if one < least {
                problems
                    .push(format!("limits.client_{key}: expected at least {least}, the largest request, got {one}"));
            }
            if all < one {
                problems.push(format!("limits.{key}: expected at least limits.client_{key}, {one}, got {all}"));
            }
        }
    }
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            allow_folders: Vec::new(),
            allow_addresses: Vec::new(),
            watch: true,
            poll_seconds: 30,
            every_minutes: 60,
            fetch_minutes: 360,
            max_deleted_percent: 50,
            commit_documents: 2_000,
            vectors: VectorsWhen::default(),
        }
    }
}

impl Config {
    /// What does not make sense, in words for the one who wrote it; empty if all is well.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let positive = [
            ("server.workers", self.server.workers),
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.upload_bytes", self.limits.upload_bytes),
            ("limits.query_chars", self.limits.query_chars),
            ("limits.page_depth", self.limits.page_depth),
            ("limits.request_seconds", usize::try_from(self.limits.request_seconds).unwrap_or(usize::MAX)),
            ("limits.writing_seconds", usize::try_from(self.limits.writing_seconds).unwrap_or(usize::MAX)),
            ("limits.answers", self.limits.answers),
            ("limits.model_texts", self.limits.model_texts),
            ("limits.stalled_seconds", usize::try_from(self.limits.stalled_seconds).unwrap_or(usize::MAX)),
            ("index.commit_documents", self.index.commit_documents),
            ("index.poll_seconds", usize::try_from(self.index.poll_seconds).unwrap_or(usize::MAX)),
        ];
        for (key, _) in positive.into_iter().filter(|(_, value)| *value == 0) {
            problems.push(format!("{key}: expected at least 1, got 0"));
        }
        self.limits.shares(&mut problems);
        if self.index.max_deleted_percent > 100 {
            let found = self.index.max_deleted_percent;
            problems.push(format!("index.max_deleted_percent: expected at most 100, got {found}"));
        }
        if self.limits.page_depth > searcher::MAX_RESULTS {
            problems.push(format!("limits.page_depth: expected at most {}", searcher::MAX_RESULTS));
        }
        if self.limits.rate_per_second > 0 && self.limits.rate_burst == 0 {
            problems.push("limits.rate_burst: expected at least 1 when limits.rate_per_second is set".to_string());
        }
        problems.extend(self.auth.problems());
        problems.extend(self.auth.oidc.problems(|host| host.is_allowed(&self.server), || self.has_proxy()));
        problems.extend(self.auth.ldap.problems());
        problems.extend(self.audit.problems());
        let bad_host = |host: &&String| Authority::host_alone(host).is_none();
        for host in self.server.allowed_hosts.iter().filter(bad_host) {
            problems.push(format!(
                "server.allowed_hosts: expected a host name without scheme, port and path, got {host:?}"
            ));
        }
        problems.extend(self.server.tls_problem());
        problems.extend(self.server.base_problem());
        problems.extend(self.server.place_problem());
        problems.extend(self.index.link_problems());
        problems.extend(self.index.place_problems());
        problems.extend(self.index.access_problems());
        problems.extend(Brand::read(&self.page).err().into_iter().flatten());
        if self.server.metrics_listen.is_some_and(|metrics| metrics == self.server.listen && metrics.port() != 0) {
            problems.push("server.metrics_listen: expected another address or port than server.listen".to_string());
        }
        problems.extend(self.insights.problems());
        problems.extend(self.backup.problem());
        problems.extend(self.follow.problem());
        problems.extend(self.s3.problem());
        if self.follow.place().is_some() && self.backup.destination().is_some() {
            let both =
                "follow.from and backup.destination: a server that follows backups makes none; expected one of them";
            problems.push(both.to_owned());
        }
        let history = self.suggest.history;
        if history > MAX_HISTORY {
            problems.push(format!("suggest.history: expected 0 (none) to {MAX_HISTORY} queries, got {history}"));
        }
        problems
    }

    /// Where the backups lie that the server makes, or follows, if it does.
    pub fn backups(&self) -> Option<PathBuf> {
        self.backup.destination().or_else(|| self.follow.place().map(Path::to_path_buf))
    }

    /// Where the server is reached from elsewhere, without a slash at the end, if that was said.
    pub(crate) fn place(&self) -> Option<&str> {
        let told = [&self.server.public_url, &self.auth.oidc.public_url];
        told.into_iter().map(|place| place.trim_end_matches('/')).find(|place| !place.is_empty())
    }

    /// The address of the place where assistants connect, as tokens name it that are made for it (RFC 8707).
    pub(crate) fn agent_audience(&self) -> Option<String> {
        self.place().map(|place| format!("{place}/mcp"))
    }

    /// Whether a reverse proxy is trusted to say who the user is.
    pub fn trusts_proxy(&self) -> bool {
        !self.auth.proxy_header.is_empty()
    }

    /// Whether requests come through a reverse proxy, whatever it may say.
    pub(crate) fn has_proxy(&self) -> bool {
        self.trusts_proxy() || self.auth.knows_proxies()
    }
}

impl ServerConfig {
    /// Where it listens.
    pub(crate) fn listens(&self) -> impl Iterator<Item = SocketAddr> {
        [Some(self.listen), self.metrics_listen].into_iter().flatten()
    }

    fn base_problem(&self) -> Option<String> {
        let base = &self.base_path;
        if base.is_empty() {
            return None;
        }
        if !is_base(base) {
            return Some(format!(
                "server.base_path: expected a path such as \"/quarry\", without a slash at its end, got {base:?}"
            ));
        }
        // Where a proxy takes it off, nobody could tell such an address from the base.
        let first = |path: &str| path.split('/').nth(1).map(str::to_owned);
        let is_taken = Door::Main.endpoints(self).iter().any(|endpoint| first(endpoint.path()) == first(base));
        is_taken.then(|| format!("server.base_path: expected a path that quarry has no address at, got {base:?}"))
    }

    fn place_problem(&self) -> Option<String> {
        let place = &self.public_url;
        (!place.is_empty() && !is_place(place)).then(|| {
            format!(
                "server.public_url: expected an address such as \"https://search.example\", without ? and #, got {place:?}"
            )
        })
    }

    /// Whether the server encrypts its connections itself.
    pub fn is_encrypted(&self) -> bool {
        self.tls().is_some()
    }

    /// The files of certificate and key, where the server encrypts its connections itself.
    pub(crate) fn tls(&self) -> Option<(&Path, &Path)> {
        let is_named = !self.tls_certificate.as_os_str().is_empty();
        is_named.then_some((self.tls_certificate.as_path(), self.tls_key.as_path()))
    }

    fn tls_problem(&self) -> Option<String> {
        let (certificate, key) = (&self.tls_certificate, &self.tls_key);
        let both = "server.tls_certificate and server.tls_key: expected both, or none";
        match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
            (true, true) => None,
            (false, false) => tls::server_config(certificate, key)
                .err()
                .map(|error| format!("server.tls_certificate: {}", chain(&error))),
            _ => Some(both.to_owned()),
        }
    }

    /// Whether it can be reached from this machine alone.
    pub fn is_local(&self) -> bool {
        self.listens().all(is_loopback)
    }
}

/// Whether it is the address of a place on the web: scheme, host, perhaps a port and a plain path.
fn is_place(address: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| address.strip_prefix(scheme));
    let Some((authority, path)) = rest.map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len()))) else {
        return false;
    };
    let path = path.trim_end_matches('/');
    Authority::parse(authority).is_some() && (path.is_empty() || is_base(path))
}

/// Whether an address can be reached from this machine alone.
pub(crate) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// An address, or none, as text: a configuration file has no word for nothing.
mod no_address {
    use std::net::SocketAddr;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(address: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&address.map(|address| address.to_string()).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(from)?;
        let wrong =
            |_| D::Error::custom(format!("expected an address and port such as \"127.0.0.1:7701\", got {text:?}"));
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../deploy/quarry.toml");

    /// The `[tables]` of the documented file that belong to this room, with every commented key switched on.
    fn documented() -> Config {
        let lines = DOCUMENTED.lines().map(|line| {
            let key = line.strip_prefix("# ").filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)));
            key.unwrap_or(line)
        });
        let mut inside = false;
        let mut kept = String::new();
        for line in lines {
            if let Some(table) = line.strip_prefix('[') {
                inside = !["log", "extract", "search", "answers", "writing", "embedding", "reranking"]
                    .iter()
                    .any(|other| table.starts_with(other));
            }
            if inside {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        toml::from_str(&kept).unwrap()
    }

    fn is_key(text: &str) -> bool {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }

    #[test]
    fn the_documented_file_holds_every_key_with_its_default() {
        assert_eq!(documented(), Config::default());
        let rendered: toml::Table = toml::from_str(&toml::to_string(&Config::default()).unwrap()).unwrap();
        let has_all = |table: &str, keys: &toml::Table| {
            for (key, _) in keys.iter().filter(|(_, value)| !value.is_table()) {
                assert!(DOCUMENTED.contains(&format!("# {key} = ")), "{table}.{key} is not in deploy/quarry.toml");
            }
        };
        for (table, keys) in &rendered {
            let keys = keys.as_table().unwrap();
            has_all(table, keys);
            for (below, keys) in keys.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
                // A map that is empty stands there as a key.
                let is_map = keys.is_empty() && DOCUMENTED.contains(&format!("# {below} = {{}}"));
                assert!(is_map || DOCUMENTED.contains(&format!("[{table}.{below}]")), "there is no [{table}.{below}]");
                has_all(&format!("{table}.{below}"), keys);
            }
        }
    }

    #[test]
    fn unknown_keys_and_senseless_values_are_refused() {
        assert!(toml::from_str::<Config>("[server]\nlisen = \"127.0.0.1:1\"").is_err());
        let config: Config = toml::from_str("[limits]\nbody_bytes = 0\n[auth]\nproxy_header = \"X-User\"").unwrap();
        let problems = config.problems().join("\n");
        assert!(problems.contains("limits.body_bytes") && problems.contains("auth.proxy_from"), "{problems}");
        let config: Config = toml::from_str(
            "[auth]\nproxy_socket = \"here.sock\"\nproxy_groups_header = \"X Groups\"\nsession_hours = 0\n[audit]\npath = \"here\"\nrequired = true",
        )
        .unwrap();
        let problems = config.problems().join("\n");
        for expected in [
            "auth.proxy_header",
            "\"X Groups\"",
            "auth.session_hours",
            "auth.proxy_socket",
            "audit.path",
            "audit.enabled",
        ] {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
        assert!(Config::default().problems().is_empty());
        let config: Config = toml::from_str(
            "[server]\nlisten = \"127.0.0.1:7\"\nmetrics_listen = \"127.0.0.1:7\"\n\
             allowed_hosts = [\"a.example:80\", \"good.example\", \"::1\"]\n[suggest]\nhistory = 100000",
        )
        .unwrap();
        let problems = config.problems().join("\n");
        for expected in ["server.metrics_listen", "a.example:80", "suggest.history"] {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
        assert!(!problems.contains("good.example") && !problems.contains("::1"), "{problems}");
        assert!(toml::from_str::<Config>("[server]\nmetrics_listen = \"here\"").is_err());
        let linked = |url: &str| {
            let text = format!("[[index.sources]]\nname = \"wiki\"\nfolder = \"/srv\"\nurl = \"{url}\"");
            toml::from_str::<Config>(&text).unwrap().problems()
        };
        assert!(linked("https://wiki.example/{path}").is_empty());
        assert!(linked("javascript:alert({path})").iter().any(|problem| problem.contains("url of \"wiki\"")));
        let based = |base: &str| ServerConfig { base_path: base.to_string(), ..ServerConfig::default() }.base_problem();
        assert_eq!((based(""), based("/quarry"), based("/tools/quarry")), (None, None, None));
        for wrong in ["quarry", "/quarry/", "/", "/search", "/api/v2", "/a b"] {
            assert!(based(wrong).is_some_and(|problem| problem.contains("server.base_path")), "{wrong}");
        }
        let placed =
            |place: &str| ServerConfig { public_url: place.to_string(), ..ServerConfig::default() }.place_problem();
        for good in ["", "https://search.example", "http://search:8080/", "https://search.example/quarry/"] {
            assert_eq!(placed(good), None, "{good}");
        }
        for wrong in
            ["search.example", "ftp://a", "https://", "https://a@b", "https://a/?b", "https://a/#b", "https://a/b c"]
        {
            assert!(placed(wrong).is_some_and(|problem| problem.contains("server.public_url")), "{wrong}");
        }
    }

    #[test]
    fn an_address_that_others_reach_is_no_local_one() {
        let server = |listen: &str, metrics: Option<&str>| ServerConfig {
            listen: listen.parse().unwrap(),
            metrics_listen: metrics.map(|metrics| metrics.parse().unwrap()),
            ..ServerConfig::default()
        };
        assert!(server("127.0.0.1:1", None).is_local() && server("[::1]:1", Some("[::ffff:127.0.0.1]:2")).is_local());
        assert!(!server("0.0.0.0:1", None).is_local() && !server("[::ffff:10.0.0.1]:1", None).is_local());
        assert!(!server("127.0.0.1:1", Some("0.0.0.0:2")).is_local());
    }
}
