//! Claims: what a token, or the provider itself, says of somebody.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fault::ProviderError;

/// What is said of somebody.
pub(super) type Claims = Map<String, Value>;

/// Groups of one person.
const MAX_GROUPS: usize = 2_000;
/// Characters of a name on the page.
const MAX_NAME: usize = 100;

/// The text of a claim.
pub(super) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    at(claims, name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// A claim by its name, or by a path with dots between names. A name that holds dots goes first.
fn at<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return None;
    }
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        at(claims.get(first)?.as_object()?, rest)
    })
}

/// For whom a token is.
pub(super) fn audiences(claims: &Claims) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A time in seconds of Unix time.
pub(super) fn time(claims: &Claims, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    value.as_i64().or_else(|| value.as_f64().filter(|seconds| seconds.abs() < 1e15).map(|seconds| seconds as i64))
}

/// What somebody is called: the claim that is meant for it, or the next best.
pub(super) fn name(claims: &Claims, wanted: &str) -> Option<String> {
    let names = [wanted, "name", "preferred_username", "email"].into_iter();
    let name = names.filter_map(|name| text(claims, name)).next()?;
    Some(name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect())
}

/// The groups in a claim; `None`: it is not there.
///
/// # Errors
/// There are too many for a token, and the provider has left them out; or they are no list of names.
pub(super) fn groups(claims: &Claims, path: &str) -> Result<Option<BTreeSet<String>>, ProviderError> {
    refuse_overage(claims, path)?;
    let found = match at(claims, path) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => {
            several.iter().map(Value::as_str).collect::<Option<Vec<_>>>().ok_or_else(|| odd(path))?
        }
        Some(_) => return Err(odd(path)),
    };
    if found.len() > MAX_GROUPS {
        return Err(ProviderError::TooManyGroups);
    }
    Ok(Some(found.into_iter().map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect()))
}

fn odd(path: &str) -> ProviderError {
    ProviderError::unusable(format!("expected the claim {path:?} to be a list of names"))
}

/// A provider that leaves groups out says so by naming another place for them (OpenID Connect Core 5.6.2), or, in short, that
/// there are some. Whatever it leaves out may be what keeps somebody away from a document.
fn refuse_overage(claims: &Claims, path: &str) -> Result<(), ProviderError> {
    let first = path.split('.').next().unwrap_or(path);
    let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
    let is_elsewhere = elsewhere.is_some_and(|names| names.contains_key(first) || names.contains_key(path));
    let is_hinted = match claims.get("hasgroups") {
        Some(Value::Bool(has)) => *has,
        Some(Value::String(has)) => has.eq_ignore_ascii_case("true"),
        _ => false,
    };
    if is_elsewhere || is_hinted && path == "groups" { Err(ProviderError::TooManyGroups) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn groups_are_where_the_path_leads() {
        let all = of(json!({
            "groups": ["hr", " staff ", "hr", ""], "one": "it", "realm_access": {"roles": ["admin"]}, "none": [],
            "https://a.example/groups": ["x"], "a.b": ["dotted"], "a": {"b": ["nested"]}, "nothing": null
        }));
        let found =
            |path: &str| groups(&all, path).unwrap().map(|groups| groups.into_iter().collect::<Vec<_>>().join(","));
        assert_eq!(found("groups").as_deref(), Some("hr,staff"));
        assert_eq!(found("realm_access.roles").as_deref(), Some("admin"));
        assert_eq!(found("https://a.example/groups").as_deref(), Some("x"));
        assert_eq!((found("one").as_deref(), found("none").as_deref()), (Some("it"), Some("")));
        assert_eq!(found("a.b").as_deref(), Some("dotted"));
        for nowhere in ["", "nothing", "realm_access.nothing", "groups.x", ".", "realm_access."] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn what_is_no_list_of_names_is_refused() {
        for odd in [json!([1]), json!({"a": 1}), json!(true), json!(["a", null]), json!(7)] {
            let refused = groups(&of(json!({ "groups": odd })), "groups");
            assert!(matches!(refused, Err(ProviderError::Unusable { .. })), "{refused:?}");
        }
        let many: Vec<String> = (0..=MAX_GROUPS).map(|n| n.to_string()).collect();
        assert!(matches!(groups(&of(json!({ "groups": many })), "groups"), Err(ProviderError::TooManyGroups)));
    }

    #[test]
    fn groups_that_are_left_out_are_noticed() {
        for left_out in [
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}),
            json!({"_claim_names": {"groups": "src1"}, "groups": ["some"]}),
            json!({"hasgroups": true}),
            json!({"hasgroups": "true", "groups": []}),
        ] {
            let refused = groups(&of(left_out.clone()), "groups");
            assert!(matches!(refused, Err(ProviderError::TooManyGroups)), "{left_out}");
        }
        let other = of(json!({"_claim_names": {"address": "src1"}, "hasgroups": false, "groups": ["a"]}));
        assert_eq!(groups(&other, "groups").unwrap().unwrap().len(), 1);
        assert!(matches!(
            groups(&of(json!({"_claim_names": {"realm_access": "s"}})), "realm_access.roles"),
            Err(ProviderError::TooManyGroups)
        ));
    }

    #[test]
    fn people_are_called_by_the_next_best_name() {
        let named = |value: Value| name(&of(value), "nickname");
        assert_eq!(named(json!({"nickname": "A\u{7}nna", "name": "x"})).as_deref(), Some("Anna"));
        assert_eq!(named(json!({"email": "a@b"})).as_deref(), Some("a@b"));
        assert_eq!(named(json!({"nickname": " ", "name": 3})), None);
        assert_eq!(audiences(&of(json!({"aud": "a"}))), ["a"]);
        assert_eq!(audiences(&of(json!({"aud": ["a", 1, "b"]}))), ["a", "b"]);
        assert!(audiences(&of(json!({"aud": {}}))).is_empty());
        assert_eq!((time(&of(json!({"exp": 7.9})), "exp"), time(&of(json!({"exp": "7"})), "exp")), (Some(7), None));
    }
}
