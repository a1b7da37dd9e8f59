//! What has to be known of the provider: where it is, who we are there, and what its groups may do here.

use std::path::{Path, PathBuf};

use openidconnect::url::Url;
use serde::{Deserialize, Serialize};

use super::wire::{certificates, is_safe};
use crate::guard::{Authority, Scope};

/// The variable of the environment that holds the secret, where no file does.
const SECRET_VARIABLE: &str = "QUARRY_OIDC_CLIENT_SECRET";

/// Settings of the provider by which people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OidcConfig {
    /// Its address, as its tokens name it; empty: there is none.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// File that holds the secret of this server; empty: the environment does, as `QUARRY_OIDC_CLIENT_SECRET`.
    pub client_secret_file: PathBuf,
    /// Where people reach this server, with the path below which it lies.
    pub public_url: String,
    /// What is asked for. `openid` always is.
    pub scopes: Vec<String>,
    /// Claim with the groups, or a path to it with dots; empty: groups are not asked for.
    pub groups_claim: String,
    /// Whether somebody without that claim is in no group. Otherwise they are not let in.
    pub groups_optional: bool,
    /// Claim with what somebody is called on the page.
    pub name_claim: String,
    /// Claim with the name by which a directory (`auth.ldap`) knows somebody.
    pub login_claim: String,
    /// Groups whose people may search; none: whomever the provider signs in.
    pub search_groups: Vec<String>,
    /// Groups whose people may push documents.
    pub index_groups: Vec<String>,
    /// Groups whose people may do and see everything.
    pub admin_groups: Vec<String>,
    /// Minutes after which the provider is asked whether somebody is still there, and in which groups.
    pub recheck_minutes: u64,
    /// Minutes that somebody may go on after that while the provider cannot be asked.
    pub grace_minutes: u64,
    /// Minutes after which somebody signs in again for whom the provider cannot be asked: it gave no refresh token.
    pub unrefreshed_minutes: u64,
    /// Audience of tokens of the provider that programs may bring in place of a key; empty: they may not.
    pub audience: String,
    /// What assistants that connect at `/mcp` are told to ask the provider for; none: the same as `scopes`.
    pub agent_scopes: Vec<String>,
    /// What the button says; empty: the host of the provider.
    pub button: String,
    /// Certificates that the provider's is signed by; empty: those that browsers trust.
    pub ca_file: PathBuf,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: PathBuf::new(),
            public_url: String::new(),
            scopes: ["openid", "profile", "email"].map(str::to_owned).into(),
            groups_claim: "groups".to_owned(),
            groups_optional: false,
            name_claim: "name".to_owned(),
            login_claim: "preferred_username".to_owned(),
            search_groups: Vec::new(),
            index_groups: Vec::new(),
            admin_groups: Vec::new(),
            recheck_minutes: 15,
            grace_minutes: 60,
            unrefreshed_minutes: 60,
            audience: String::new(),
            agent_scopes: Vec::new(),
            button: String::new(),
            ca_file: PathBuf::new(),
        }
    }
}

impl OidcConfig {
    /// Whether there is a provider.
    pub(crate) fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Where people reach this server, without a slash at the end.
    pub(super) fn place(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// What the button says.
    pub(crate) fn label(&self) -> String {
        if !self.button.is_empty() {
            return self.button.clone();
        }
        Url::parse(&self.issuer).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// What assistants ask the provider for.
    pub(crate) fn scopes_of_agents(&self) -> &[String] {
        if self.agent_scopes.is_empty() { &self.scopes } else { &self.agent_scopes }
    }

    /// What somebody in these groups may do.
    pub(crate) fn scopes_of<'a>(&self, groups: impl Iterator<Item = &'a str> + Clone) -> Vec<Scope> {
        let is_in = |named: &[String]| groups.clone().any(|group| named.iter().any(|name| name == group));
        let mut scopes = Vec::new();
        scopes.extend((self.search_groups.is_empty() || is_in(&self.search_groups)).then_some(Scope::Search));
        scopes.extend(is_in(&self.index_groups).then_some(Scope::Index));
        scopes.extend(is_in(&self.admin_groups).then_some(Scope::Admin));
        scopes
    }

    /// The secret of this server.
    ///
    /// # Errors
    /// There is none, in words.
    pub(super) fn secret(&self) -> Result<String, String> {
        let secret = if self.client_secret_file.as_os_str().is_empty() {
            std::env::var(SECRET_VARIABLE).map_err(|_| {
                format!("auth.oidc.client_secret_file: expected a file with the client's secret, or {SECRET_VARIABLE} in the environment")
            })?
        } else {
            read(&self.client_secret_file).map_err(|why| format!("auth.oidc.client_secret_file: {why}"))?
        };
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            Err("auth.oidc: expected a secret of the client, got an empty one".to_owned())
        } else {
            Ok(secret)
        }
    }

    /// What does not make sense. `allowed_hosts` are those of the server.
    pub(crate) fn problems(
        &self,
        is_allowed: impl Fn(&Authority) -> bool,
        has_proxy: impl Fn() -> bool,
    ) -> Vec<String> {
        if !self.is_on() {
            let is_meant = *self != Self::default();
            return is_meant
                .then(|| "auth.oidc.issuer: expected the address of the provider, as it names itself".to_owned())
                .into_iter()
                .collect();
        }
        let mut problems = Vec::new();
        if !is_place(&self.issuer) {
            problems.push(format!(
                "auth.oidc.issuer: expected an https address without ? and #, such as \"https://id.example/realms/staff\", got {:?}",
                self.issuer
            ));
        }
        if self.client_id.is_empty() {
            problems.push("auth.oidc.client_id: expected what the provider calls this server".to_owned());
        }
        problems.extend(self.secret().err());
        problems.extend(self.place_problem(is_allowed, has_proxy));
        for (key, minutes) in
            [("recheck_minutes", self.recheck_minutes), ("unrefreshed_minutes", self.unrefreshed_minutes)]
        {
            if minutes == 0 {
                problems.push(format!("auth.oidc.{key}: expected at least 1, got 0"));
            }
        }
        let needs_groups = [&self.search_groups, &self.index_groups, &self.admin_groups];
        if self.groups_claim.is_empty() && needs_groups.iter().any(|groups| !groups.is_empty()) {
            problems.push("auth.oidc.groups_claim: expected the claim with the groups that auth.oidc names".to_owned());
        }
        if !self.ca_file.as_os_str().is_empty() {
            problems.extend(certificates(&self.ca_file).err().map(|why| format!("auth.oidc.ca_file: {why}")));
        }
        problems
    }

    fn place_problem(&self, is_allowed: impl Fn(&Authority) -> bool, has_proxy: impl Fn() -> bool) -> Option<String> {
        let place = &self.public_url;
        let url = Url::parse(place).ok().filter(|_| is_place(place));
        let Some(url) = url else {
            return Some(format!(
                "auth.oidc.public_url: expected where people reach this server, such as \"https://search.example\", got {place:?}"
            ));
        };
        let host = url.host_str().unwrap_or_default();
        if !Authority::parse(host).is_some_and(|host| is_allowed(&host)) {
            return Some(format!("server.allowed_hosts: expected {host:?}, the host of auth.oidc.public_url"));
        }
        (url.scheme() == "https" && !has_proxy()).then(|| {
            "auth.proxy_from: expected the address of the proxy that makes auth.oidc.public_url an https one".to_owned()
        })
    }
}

/// Whether it is the address of a place that may be spoken with.
fn is_place(address: &str) -> bool {
    let is_plain = |url: Url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    is_safe(address) && Url::parse(address).is_ok_and(is_plain)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(folder: &Path) -> OidcConfig {
        let secret = folder.join("secret");
        std::fs::write(&secret, " s3cret\n").unwrap();
        OidcConfig {
            issuer: "https://id.example/realms/staff".to_owned(),
            client_id: "quarry".to_owned(),
            client_secret_file: secret,
            public_url: "https://search.example/quarry/".to_owned(),
            ..OidcConfig::default()
        }
    }

    fn problems(config: &OidcConfig) -> String {
        config.problems(|_| true, || true).join("\n")
    }

    #[test]
    fn what_is_missing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let good = good(folder.path());
        assert_eq!((problems(&good), problems(&OidcConfig::default())), (String::new(), String::new()));
        assert_eq!((good.secret().unwrap().as_str(), good.place()), ("s3cret", "https://search.example/quarry"));
        type Change = fn(&mut OidcConfig);
        let changes: [(Change, &str); 12] = [
            (|config| config.issuer = String::new(), "auth.oidc.issuer"),
            (|config| config.issuer = "http://id.example".into(), "auth.oidc.issuer"),
            (|config| config.issuer = "https://id.example/?a".into(), "auth.oidc.issuer"),
            (|config| config.client_id = String::new(), "auth.oidc.client_id"),
            (|config| config.client_secret_file = "/nowhere".into(), "/nowhere"),
            (|config| config.public_url = String::new(), "auth.oidc.public_url"),
            (|config| config.public_url = "http://search.example".into(), "auth.oidc.public_url"),
            (|config| config.recheck_minutes = 0, "recheck_minutes"),
            (|config| config.unrefreshed_minutes = 0, "unrefreshed_minutes"),
            (|config| config.ca_file = "/nowhere.pem".into(), "auth.oidc.ca_file"),
            (|config| (config.groups_claim, config.admin_groups) = (String::new(), vec!["a".into()]), "groups_claim"),
            (|config| std::fs::write(&config.client_secret_file, "\n").unwrap(), "an empty one"),
        ];
        for (change, expected) in changes {
            let mut config = good.clone();
            change(&mut config);
            assert!(problems(&config).contains(expected), "{expected}: {}", problems(&config));
        }
    }

    #[test]
    fn the_place_is_one_that_this_server_answers_for() {
        let folder = tempfile::tempdir().unwrap();
        let good = good(folder.path());
        assert!(good.problems(|_| false, || true).join("\n").contains("server.allowed_hosts"));
        assert!(good.problems(|_| true, || false).join("\n").contains("auth.proxy_from"));
        let here = OidcConfig { public_url: "http://localhost:7700".into(), ..good };
        assert!(here.problems(|_| true, || false).is_empty());
    }

    #[test]
    fn groups_say_what_may_be_done() {
        let config = OidcConfig {
            search_groups: vec!["staff".into()],
            index_groups: vec!["bots".into()],
            admin_groups: vec!["it".into()],
            ..OidcConfig::default()
        };
        let scopes = |groups: &[&str]| config.scopes_of(groups.iter().copied());
        assert_eq!(scopes(&["staff", "x"]), [Scope::Search]);
        assert_eq!(scopes(&["it"]), [Scope::Admin]);
        assert_eq!(scopes(&["bots", "staff"]), [Scope::Search, Scope::Index]);
        assert!(scopes(&["x"]).is_empty() && scopes(&[]).is_empty());
        assert_eq!(OidcConfig::default().scopes_of(std::iter::empty()), [Scope::Search]);
        let named = OidcConfig { issuer: "https://id.example/x".into(), ..OidcConfig::default() };
        assert_eq!(named.label(), "id.example");
    }
}
