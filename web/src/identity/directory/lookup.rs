//! One lookup: the entry of somebody, the groups that it is in, and the groups that those are in.
//!
//! Promise: what a name holds is never read as a part of a filter; groups that are in each other end it, and so do more or
//! deeper ones than anybody means.

use std::collections::{BTreeSet, HashSet};

use ldap3::{Ldap, Scope, SearchEntry, SearchOptions, ldap_escape};

use super::config::{DN, LdapConfig, NAME};
use super::fault::DirectoryError;

/// Groups of one person.
const MAX_GROUPS: usize = 2_000;
/// Groups in groups in groups.
const MAX_DEPTH: usize = 20;
/// Entries that one search asks for.
const BATCH: usize = 50;
/// Asks for no attributes (RFC 4511, 4.5.1.8).
const NO_ATTRIBUTES: &str = "1.1";

/// The names of the groups that somebody is in; none where the directory does not know them.
pub(super) async fn groups_of(
    ldap: &mut Ldap,
    config: &LdapConfig,
    name: &str,
) -> Result<BTreeSet<String>, DirectoryError> {
    let Some(entry) = entry_of(ldap, config, name).await? else { return Ok(BTreeSet::new()) };
    let too_many = || DirectoryError::TooMany { name: name.to_owned() };
    let (mut names, mut seen) = (BTreeSet::new(), HashSet::new());
    let mut outer = vec![entry];
    for _ in 0..MAX_DEPTH {
        let mut found = Vec::new();
        for batch in outer.chunks(BATCH) {
            found.extend(search(ldap, &config.group_base, &any_of(config, batch, name), attribute(config)).await?);
        }
        outer.clear();
        for group in found {
            if seen.insert(group.dn.to_lowercase()) {
                names.insert(name_of(config, &group)?);
                outer.push(group.dn);
            }
        }
        if seen.len() > MAX_GROUPS {
            return Err(too_many());
        }
        if outer.is_empty() || !config.nested || !config.is_by_entry() {
            return Ok(names);
        }
    }
    Err(too_many())
}

/// The entry of somebody; `None`: there is none. Where groups name people and not entries, nobody needs one.
async fn entry_of(ldap: &mut Ldap, config: &LdapConfig, name: &str) -> Result<Option<String>, DirectoryError> {
    if !config.is_by_entry() {
        return Ok(Some(String::new()));
    }
    let filter = config.user_filter.replace(NAME, &ldap_escape(name));
    let mut entries = search(ldap, &config.user_base, &filter, NO_ATTRIBUTES).await?;
    match entries.len() {
        0 | 1 => Ok(entries.pop().map(|entry| entry.dn)),
        _ => Err(DirectoryError::Ambiguous { name: name.to_owned() }),
    }
}

/// A filter for the groups that any of these entries is in.
fn any_of(config: &LdapConfig, entries: &[String], name: &str) -> String {
    // In one go: what stands for one of the two must not be found in what was put in the place of the other.
    let filled = |entry: &String| {
        let parts = config.group_filter.split(NAME).map(|part| part.replace(DN, &ldap_escape(entry.as_str())));
        parts.collect::<Vec<_>>().join(&*ldap_escape(name))
    };
    match entries {
        [one] => filled(one),
        several => format!("(|{})", several.iter().map(filled).collect::<String>()),
    }
}

fn attribute(config: &LdapConfig) -> &str {
    if is_dn(config) { NO_ATTRIBUTES } else { &config.group_name }
}

fn is_dn(config: &LdapConfig) -> bool {
    config.group_name.eq_ignore_ascii_case("dn")
}

fn name_of(config: &LdapConfig, group: &SearchEntry) -> Result<String, DirectoryError> {
    if is_dn(config) {
        return Ok(group.dn.clone());
    }
    let values = group.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(&config.group_name));
    let name = values.and_then(|(_, values)| values.first()).map(|name| name.trim().to_owned());
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| DirectoryError::Nameless { dn: group.dn.clone(), attribute: config.group_name.clone() })
}

async fn search(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    attribute: &str,
) -> Result<Vec<SearchEntry>, DirectoryError> {
    // One more than may be: a list that was cut is never taken for a whole one.
    let most = i32::try_from(MAX_GROUPS + 1).unwrap_or(i32::MAX);
    ldap.with_search_options(SearchOptions::new().sizelimit(most));
    let (entries, _) = ldap.search(base, Scope::Subtree, filter, [attribute]).await?.success()?;
    // Directories of several parts name the others as well; those lie below no base of ours.
    Ok(entries
        .into_iter()
        .filter(|entry| !entry.is_ref() && !entry.is_intermediate())
        .map(SearchEntry::construct)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(group_filter: &str) -> LdapConfig {
        LdapConfig { group_filter: group_filter.to_owned(), ..LdapConfig::default() }
    }

    #[test]
    fn what_a_name_holds_is_no_filter() {
        let odd = ["cn=a*(b)\\,dc=x".to_owned()];
        assert_eq!(any_of(&config("(member={dn})"), &odd, "n"), "(member=cn=a\\2a\\28b\\29\\5c,dc=x)");
        let both = any_of(&config("(|(member={dn})(memberUid={name}))"), &["cn={name}".to_owned()], "{dn}*)(x=");
        assert_eq!(both, "(|(member=cn={name})(memberUid={dn}\\2a\\29\\28x=))");
        for filter in [any_of(&config("(member={dn})"), &odd, "n"), both] {
            assert!(ldap3::parse_filter(&filter).is_ok(), "{filter}");
        }
        let several = any_of(&config("(member={dn})"), &["a".to_owned(), "b".to_owned()], "");
        assert_eq!(several, "(|(member=a)(member=b))");
    }

    #[test]
    fn a_group_has_a_name() {
        let entry = |attribute: &str, values: &[&str]| SearchEntry {
            dn: "cn=HR,dc=x".to_owned(),
            attrs: [(attribute.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())].into(),
            bin_attrs: Default::default(),
        };
        let named = |name: &str| LdapConfig { group_name: name.to_owned(), ..LdapConfig::default() };
        assert_eq!(name_of(&named("cn"), &entry("CN", &[" HR ", "x"])).unwrap(), "HR");
        assert_eq!(name_of(&named("DN"), &entry("cn", &["HR"])).unwrap(), "cn=HR,dc=x");
        for nameless in [entry("ou", &["HR"]), entry("cn", &[" "]), entry("cn", &[])] {
            assert!(matches!(name_of(&named("cn"), &nameless), Err(DirectoryError::Nameless { .. })));
        }
    }
}
