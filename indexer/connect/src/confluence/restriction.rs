//! The readers of a page, as its own restrictions say; those of the pages above it bind as well.
//!
//! Names are taken for those of users and groups here, as whoever set the source up has said that they are the same. What is not
//! understood is nobody's.

use serde_json::Value;
use storage::{AccessList, Principal, PrincipalKind};

use crate::json::{at, number, text};

/// Who may read a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readers {
    /// Whoever may read its space.
    All,
    /// Some of them.
    Some(AccessList),
}

/// The readers that an answer names for the operation `read`; `None` where it does not say all of it.
pub(super) fn readers(read: &Value) -> Option<Readers> {
    let (users, groups) = (named(read, "user")?, named(read, "group")?);
    if users.is_none_named() && groups.is_none_named() {
        return Some(Readers::All);
    }
    let mut list = AccessList::default();
    for user in users.results {
        // At Data Center, and in the Cloud where people show their address.
        for name in ["username", "email"] {
            list.allow.extend(text(user, &[name]).and_then(|name| principal(PrincipalKind::User, name)));
        }
    }
    for group in groups.results {
        list.allow.extend(text(group, &["name"]).and_then(|name| principal(PrincipalKind::Group, name)));
    }
    Some(Readers::Some(list))
}

struct Names<'v> {
    results: &'v [Value],
    /// As many as there are, whether or not they are told.
    size: u64,
}

impl Names<'_> {
    fn is_none_named(&self) -> bool {
        self.results.is_empty() && self.size == 0
    }
}

fn named<'v>(read: &'v Value, kind: &str) -> Option<Names<'v>> {
    let said = at(read, &["restrictions", kind])?;
    let results = said.get("results")?.as_array()?.as_slice();
    Some(Names { results, size: number(said, &["size"]).unwrap_or(results.len() as u64) })
}

/// A name as that of somebody here: no provider's, which are of somebody else.
fn principal(kind: PrincipalKind, name: &str) -> Option<Principal> {
    if name.contains('#') { None } else { Principal::named(kind, name).ok() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use storage::Access;

    use super::*;

    #[test]
    fn only_who_is_named_reads_what_is_restricted() {
        let none = json!({ "results": [], "size": 0 });
        let read = |user: &Value, group: &Value| readers(&json!({ "restrictions": { "user": user, "group": group } }));
        assert_eq!(read(&none, &none), Some(Readers::All));
        let users =
            json!({ "results": [{ "username": "anna" }, { "email": "ben@a.example" }, { "accountId": "7:x" }] });
        let groups = json!({ "results": [{ "name": "hr" }, { "name": "https://id.example#boss" }], "size": 2 });
        let Some(Readers::Some(list)) = read(&users, &groups) else { panic!("restricted") };
        assert_eq!(list.entries(), ["group:hr", "user:anna", "user:ben@a.example"]);
        // Who cannot be told is nobody, and what is not told at all is not open.
        let Some(Readers::Some(list)) = read(&json!({ "results": [], "size": 3 }), &none) else { panic!("restricted") };
        assert!(Access::of([list]).is_closed());
        for odd in [json!({}), json!(null), json!({ "restrictions": { "user": none } })] {
            assert_eq!(readers(&odd), None, "{odd}");
        }
        assert_eq!(read(&json!({ "size": 0 }), &none), None);
    }
}
