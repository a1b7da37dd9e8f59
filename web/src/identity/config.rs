//! Who may do what: proxies, sessions, the identity provider and the directory, as they are configured.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use actix_web::http::header::HeaderName;
use serde::{Deserialize, Serialize};
use storage::{Principal, PrincipalKind};

use super::{LdapConfig, OidcConfig, PosixConfig};
use crate::guard::Scope;

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Name of the header in which a trusted reverse proxy says who the user is; empty: no proxy is trusted.
    pub proxy_header: String,
    /// Name of the header in which it says in which groups the user is, with commas between them; empty: in none.
    pub proxy_groups_header: String,
    /// Addresses that trusted proxies connect from. From others neither the header nor `X-Forwarded-For`, `-Proto`, `-Host`
    /// and `-Prefix` mean anything.
    pub proxy_from: Vec<IpAddr>,
    /// Path of a Unix socket that is listened on as well, for a trusted proxy alone; empty: none. Whoever may connect there
    /// is believed as the addresses above are.
    pub proxy_socket: PathBuf,
    /// What users that come through the proxy may do.
    pub proxy_scopes: Vec<Scope>,
    /// Which people are users of the file system, to whom the files of sources with `permissions` are open.
    pub posix: PosixConfig,
    /// Principals of people, with the user of the file system that each is.
    pub posix_users: BTreeMap<String, String>,
    /// Whether a server that others can reach, and that never had keys or users, starts and says a link by which the first
    /// administrator is made, good once and for an hour. Otherwise it does not start.
    pub set_up: bool,
    /// Minutes without a request after which somebody has to sign in again.
    pub session_idle_minutes: u64,
    /// Hours after which somebody has to sign in again in any case.
    pub session_hours: u64,
    /// Whether users sign in with a password. Without it, sessions of such users are over.
    pub local_sign_in: bool,
    /// The identity provider by which people sign in.
    pub oidc: OidcConfig,
    /// The directory that knows groups.
    pub ldap: LdapConfig,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            proxy_header: String::new(),
            proxy_groups_header: String::new(),
            proxy_from: Vec::new(),
            proxy_socket: PathBuf::new(),
            proxy_scopes: Vec::new(),
            posix: PosixConfig::default(),
            posix_users: BTreeMap::new(),
            set_up: false,
            session_idle_minutes: 720,
            session_hours: 168,
            local_sign_in: true,
            oidc: OidcConfig::default(),
            ldap: LdapConfig::default(),
        }
    }
}

impl AuthConfig {
    /// The socket that a trusted proxy connects to.
    pub(crate) fn socket(&self) -> Option<&Path> {
        Some(self.proxy_socket.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    fn posix_problems(&self) -> impl Iterator<Item = String> {
        self.posix_users.iter().filter_map(|(principal, user)| match principal.parse::<Principal>() {
            Ok(principal) if matches!(principal.kind(), Some((PrincipalKind::User, _))) && !user.is_empty() => None,
            _ => Some(format!(
                "auth.posix_users: expected a principal user:NAME or user:ISSUER#SUBJECT and the name of a user of the \
                 system, got {principal:?} = {user:?}"
            )),
        })
    }

    /// Whether it says where trusted proxies come from.
    pub(crate) fn knows_proxies(&self) -> bool {
        !self.proxy_from.is_empty() || self.socket().is_some()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.posix_problems().collect();
        for (key, name) in [("proxy_header", &self.proxy_header), ("proxy_groups_header", &self.proxy_groups_header)] {
            if !name.is_empty() && HeaderName::from_bytes(name.as_bytes()).is_err() {
                problems.push(format!(
                    "auth.{key}: expected the name of a header, such as \"X-Forwarded-User\", got {name:?}"
                ));
            }
        }
        if !self.proxy_groups_header.is_empty() && self.proxy_header.is_empty() {
            problems.push(
                "auth.proxy_header: expected the header of the user whose groups are in auth.proxy_groups_header"
                    .into(),
            );
        }
        if !self.proxy_header.is_empty() && !self.knows_proxies() {
            problems.push(
                "auth.proxy_from: expected the addresses of the proxy that sets auth.proxy_header, or an auth.proxy_socket"
                    .into(),
            );
        }
        if self.socket().is_some_and(Path::is_relative) {
            problems.push(format!("auth.proxy_socket: expected an absolute path, got {:?}", self.proxy_socket));
        }
        if !self.proxy_header.is_empty() && self.proxy_scopes.is_empty() {
            problems.push("auth.proxy_scopes: expected what the proxy's users may do, such as [\"search\"]".into());
        }
        for (key, value) in [("session_idle_minutes", self.session_idle_minutes), ("session_hours", self.session_hours)]
        {
            if value == 0 {
                problems.push(format!("auth.{key}: expected at least 1, got 0"));
            }
        }
        if !self.local_sign_in && !self.oidc.is_on() {
            problems.push("auth.local_sign_in: expected true where auth.oidc names no provider".into());
        }
        problems
    }
}
