//! What has to be known of the directory: where it is, who we are there, and how people and groups are found.

use std::path::PathBuf;

use ldap3::parse_filter;
use openidconnect::url::{Host, Url};
use serde::{Deserialize, Serialize};

use super::wire::roots;

/// The variable of the environment that holds the password, where no file does.
const PASSWORD_VARIABLE: &str = "QUARRY_LDAP_PASSWORD";
/// What stands for the name of somebody, and for their entry or that of a group, in filters.
pub(super) const NAME: &str = "{name}";
pub(super) const DN: &str = "{dn}";

/// Settings of the directory that knows groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapConfig {
    /// Its address; empty: there is none.
    pub url: String,
    /// Whether a connection that begins in the open goes on encrypted (`StartTLS`).
    pub start_tls: bool,
    /// Certificates that its own is signed by; empty: those that the system trusts.
    pub ca_file: PathBuf,
    /// Entry by which we are known there; empty: nobody.
    pub bind_dn: String,
    /// File that holds the password of that entry; empty: the environment does, as `QUARRY_LDAP_PASSWORD`.
    pub password_file: PathBuf,
    /// Entry below which people are.
    pub user_base: String,
    /// By which somebody is found there.
    pub user_filter: String,
    /// Entry below which groups are.
    pub group_base: String,
    /// By which the groups of an entry, or of a name, are found there.
    pub group_filter: String,
    /// Attribute with the name of a group; `dn`: its whole distinguished name.
    pub group_name: String,
    /// Whether who is in a group is in the groups that it is in as well.
    pub nested: bool,
    /// Minutes that groups are remembered.
    pub cache_minutes: u64,
    /// Minutes that they still count after that while the directory cannot be asked.
    pub grace_minutes: u64,
}

impl Default for LdapConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            start_tls: false,
            ca_file: PathBuf::new(),
            bind_dn: String::new(),
            password_file: PathBuf::new(),
            user_base: String::new(),
            user_filter: format!("(uid={NAME})"),
            group_base: String::new(),
            group_filter: format!("(member={DN})"),
            group_name: "cn".to_owned(),
            nested: true,
            cache_minutes: 5,
            grace_minutes: 60,
        }
    }
}

impl LdapConfig {
    /// Whether there is a directory.
    pub(crate) fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Whether groups are found by an entry, and not by a name alone.
    pub(super) fn is_by_entry(&self) -> bool {
        self.group_filter.contains(DN)
    }

    /// The password of the entry by which we are known; `None`: we are nobody.
    ///
    /// # Errors
    /// There is none, in words.
    pub(super) fn password(&self) -> Result<Option<String>, String> {
        if self.bind_dn.is_empty() {
            return Ok(None);
        }
        let password = if self.password_file.as_os_str().is_empty() {
            std::env::var(PASSWORD_VARIABLE).map_err(|_| {
                format!("auth.ldap.password_file: expected a file with the password of auth.ldap.bind_dn, or {PASSWORD_VARIABLE} in the environment")
            })?
        } else {
            std::fs::read_to_string(&self.password_file).map_err(|error| {
                format!("auth.ldap.password_file: cannot read {}: {error}", self.password_file.display())
            })?
        };
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        // Directories take a name without a password for nobody, and say that all is well (RFC 4513, 5.1.2).
        if password.is_empty() {
            Err("auth.ldap: expected a password, got an empty one".to_owned())
        } else {
            Ok(Some(password))
        }
    }

    /// What does not make sense.
    pub(crate) fn problems(&self) -> Vec<String> {
        if !self.is_on() {
            let is_meant = *self != Self::default();
            let missing = "auth.ldap.url: expected the address of the directory, such as \"ldaps://ldap.example\"";
            return is_meant.then(|| missing.to_owned()).into_iter().collect();
        }
        let mut problems = Vec::new();
        if !self.is_safe() {
            problems.push(format!(
                "auth.ldap.url: expected ldaps://, ldapi:// or an address of this machine, or start_tls with ldap://, got {:?}",
                self.url
            ));
        }
        problems.extend(self.password().err());
        for (key, filter, needs) in
            [("user_filter", &self.user_filter, vec![NAME]), ("group_filter", &self.group_filter, vec![NAME, DN])]
        {
            let filled = filter.replace(NAME, "x").replace(DN, "x");
            if !needs.iter().any(|needed| filter.contains(needed)) || parse_filter(&filled).is_err() {
                problems.push(format!(
                    "auth.ldap.{key}: expected a filter with {} in it, got {filter:?}",
                    needs.join(" or ")
                ));
            }
        }
        for (key, base) in [("user_base", &self.user_base), ("group_base", &self.group_base)] {
            if base.is_empty() && (key == "group_base" || self.is_by_entry()) {
                problems.push(format!("auth.ldap.{key}: expected an entry, such as \"ou=people,dc=example,dc=com\""));
            }
        }
        if self.group_name.is_empty() {
            problems.push("auth.ldap.group_name: expected an attribute, such as \"cn\", or \"dn\"".to_owned());
        }
        if !self.ca_file.as_os_str().is_empty() {
            problems.extend(roots(&self.ca_file).err().map(|why| format!("auth.ldap.ca_file: {why}")));
        }
        problems
    }

    /// Whether nobody on the way can read the password, or answer in the place of the directory.
    fn is_safe(&self) -> bool {
        let Ok(url) = Url::parse(&self.url) else { return false };
        let is_here = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            // Schemes that a browser does not know keep addresses as they are written.
            Some(Host::Domain(name)) => {
                name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => false,
        };
        match url.scheme() {
            "ldaps" | "ldapi" => true,
            "ldap" => self.start_tls || is_here,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> LdapConfig {
        LdapConfig {
            url: "ldaps://ldap.example".to_owned(),
            user_base: "ou=people,dc=example".to_owned(),
            group_base: "ou=groups,dc=example".to_owned(),
            ..LdapConfig::default()
        }
    }

    #[test]
    fn what_does_not_make_sense_is_said() {
        let problems = |config: &LdapConfig| config.problems().join("\n");
        assert_eq!((problems(&good()), problems(&LdapConfig::default())), (String::new(), String::new()));
        type Change = fn(&mut LdapConfig);
        let changes: [(Change, &str); 12] = [
            (|config| config.url = String::new(), "auth.ldap.url"),
            (|config| config.url = "ldap://ldap.example".into(), "auth.ldap.url"),
            (|config| config.url = "https://ldap.example".into(), "auth.ldap.url"),
            (|config| config.bind_dn = "cn=quarry".into(), "auth.ldap.password_file"),
            (|config| (config.bind_dn, config.password_file) = ("cn=q".into(), "/nowhere".into()), "/nowhere"),
            (|config| config.user_base = String::new(), "auth.ldap.user_base"),
            (|config| config.group_base = String::new(), "auth.ldap.group_base"),
            (|config| config.user_filter = "(uid=anna)".into(), "auth.ldap.user_filter"),
            (|config| config.user_filter = "(uid={name}".into(), "auth.ldap.user_filter"),
            (|config| config.group_filter = "(cn=staff)".into(), "auth.ldap.group_filter"),
            (|config| config.group_name = String::new(), "auth.ldap.group_name"),
            (|config| config.ca_file = "/nowhere.pem".into(), "auth.ldap.ca_file"),
        ];
        for (change, expected) in changes {
            let mut config = good();
            change(&mut config);
            assert!(problems(&config).contains(expected), "{expected}: {}", problems(&config));
        }
        for (url, start_tls) in [
            ("ldap://ldap.example", true),
            ("ldap://localhost:389", false),
            ("ldap://127.0.0.1:389", false),
            ("ldapi://%2Frun%2Fldapi", false),
        ] {
            assert!(LdapConfig { url: url.into(), start_tls, ..good() }.problems().is_empty(), "{url}");
        }
        let by_name = LdapConfig { user_base: String::new(), group_filter: "(memberUid={name})".into(), ..good() };
        assert!(by_name.problems().is_empty(), "groups that name people need no entries of theirs");
    }
}
