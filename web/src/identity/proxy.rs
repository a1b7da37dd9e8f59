//! The user that a trusted reverse proxy names, and the groups that they are in.
//!
//! A value that is no name is no silence: whoever the proxy meant might be let through by what is left, so the request is
//! refused and the log says which header it was.

use actix_web::HttpRequest;
use storage::{Principal, PrincipalError, PrincipalKind, Principals};

use crate::config::AuthConfig;
use crate::error::Error;

/// Groups of one user.
const MAX_GROUPS: usize = 2_000;

/// Somebody whom a proxy names.
pub(crate) struct ProxyUser {
    /// As the proxy writes it.
    pub(crate) name: String,
    pub(crate) principals: Principals,
}

/// Whom a proxy names; `None`: nobody. The request has to come from a trusted proxy.
///
/// # Errors
/// [`Error::Identity`] if a header of the proxy cannot be read.
pub(crate) fn proxy_user(request: &HttpRequest, auth: &AuthConfig) -> Result<Option<ProxyUser>, Error> {
    let mut users = request.headers().get_all(auth.proxy_header.as_str());
    let (Some(user), None) = (users.next(), users.next()) else {
        // None at all, or two values: one of them may have come through from the client.
        return Ok(None);
    };
    let name = text(user.as_bytes(), &auth.proxy_header)?.trim();
    if name.is_empty() {
        return Ok(None);
    }
    let user = principal(PrincipalKind::User, name, &auth.proxy_header)?;
    let groups = groups(request, &auth.proxy_groups_header)?;
    Ok(Some(ProxyUser { name: name.to_owned(), principals: Principals::of(groups.into_iter().chain([user])) }))
}

/// The groups in all headers of that name together, with commas between them.
fn groups(request: &HttpRequest, header: &str) -> Result<Vec<Principal>, Error> {
    if header.is_empty() {
        return Ok(Vec::new());
    }
    let mut groups = Vec::new();
    for value in request.headers().get_all(header) {
        let names = text(value.as_bytes(), header)?.split(',').map(str::trim).filter(|name| !name.is_empty());
        for name in names {
            groups.push(principal(PrincipalKind::Group, name, header)?);
        }
    }
    if groups.len() > MAX_GROUPS {
        return Err(unreadable(header, &format!("{} groups are more than the {MAX_GROUPS} of one user", groups.len())));
    }
    Ok(groups)
}

fn text<'a>(value: &'a [u8], header: &str) -> Result<&'a str, Error> {
    std::str::from_utf8(value).map_err(|_| unreadable(header, "its value is not UTF-8"))
}

fn principal(kind: PrincipalKind, name: &str, header: &str) -> Result<Principal, Error> {
    Principal::named(kind, name).map_err(|error: PrincipalError| unreadable(header, &error.to_string()))
}

fn unreadable(header: &str, why: &str) -> Error {
    tracing::error!("the header {header} of a trusted proxy says nothing that can be used: {why}; correct the proxy");
    Error::Identity
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use actix_web::test::TestRequest;

    use super::*;

    fn named(headers: &[(&'static str, &[u8])]) -> Result<Option<Vec<String>>, Error> {
        let auth = AuthConfig {
            proxy_header: "X-User".to_owned(),
            proxy_groups_header: "X-Groups".to_owned(),
            ..AuthConfig::default()
        };
        let request = headers.iter().fold(TestRequest::default(), |request, (name, value)| {
            request.append_header((HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()))
        });
        let user = proxy_user(&request.to_http_request(), &auth)?;
        Ok(user.map(|user| user.principals.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn groups_come_in_several_headers_and_with_commas() {
        let all = named(&[("x-user", b"anna"), ("x-groups", b"hr, staff ,,"), ("x-groups", "Gro\u{308}ße".as_bytes())]);
        let expected = ["everyone", "group:Größe", "group:hr", "group:staff", "signed-in", "user:anna"];
        assert_eq!(all.unwrap().unwrap(), expected);
        assert_eq!(named(&[("x-user", b"anna")]).unwrap().unwrap(), ["everyone", "signed-in", "user:anna"]);
    }

    #[test]
    fn without_one_user_there_is_nobody() {
        for nobody in [&[] as &[(&str, &[u8])], &[("x-user", b" ")], &[("x-user", b"a"), ("x-user", b"b")]] {
            assert!(named(nobody).unwrap().is_none(), "{nobody:?}");
        }
        assert!(named(&[("x-groups", b"hr")]).unwrap().is_none(), "groups alone are nobody");
    }

    #[test]
    fn what_is_no_name_refuses_the_request() {
        let long = vec![b'x'; 600];
        let many = (0..=MAX_GROUPS).map(|number| format!("g{number},")).collect::<String>();
        for (name, value) in [
            ("x-user", b"\xff".as_slice()),
            ("x-user", &long),
            ("x-groups", b"hr,\xff"),
            ("x-groups", b"a\tb"),
            ("x-groups", &long),
            ("x-groups", many.as_bytes()),
        ] {
            let headers: &[(&'static str, &[u8])] =
                if name == "x-user" { &[(name, value)] } else { &[("x-user", b"anna"), (name, value)] };
            assert!(matches!(named(headers), Err(Error::Identity)), "{name}");
        }
    }
}
