//! Whom a request is addressed to and which site it comes from.
//!
//! A page of another site can make a browser send requests here, and by rebinding its name to our address even read the
//! answers. It cannot choose the Host header, and it cannot hide the Origin of a request that changes something.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};

use crate::config::ServerConfig;
use crate::error::Error;

/// Refuses requests to foreign hosts, and changing requests from other sites.
pub(super) fn check(request: &ServiceRequest, config: &ServerConfig) -> Result<(), Error> {
    // Over HTTP/2 the host is in the address, over HTTP/1 in the header.
    let host =
        request.uri().authority().map(|authority| authority.as_str()).or_else(|| text(request.headers(), header::HOST));
    if !host.is_some_and(|host| is_allowed(name_of(host), config)) {
        return Err(Error::Host);
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Error::Origin);
    }
    match request.headers().get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if origin.to_str().is_ok_and(|origin| is_own(origin, host.unwrap_or_default())) => Ok(()),
        Some(_) => Err(Error::Origin),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The scheme may be that of a proxy before us; host and port have to be those of the request.
fn is_own(origin: &str, host: &str) -> bool {
    let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_allowed(name: &str, config: &ServerConfig) -> bool {
    let name = name.trim_end_matches('.');
    if name.eq_ignore_ascii_case("localhost") || config.allowed_hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    {
        return true;
    }
    let Ok(address) = name.parse::<IpAddr>() else { return false };
    // An address cannot be rebound: only names can lie. Of all, those are allowed that lead here.
    address.is_loopback() || leads_here(address, config.listen)
}

fn leads_here(address: IpAddr, listen: SocketAddr) -> bool {
    listen.ip() == address || listen.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn verdict(request: TestRequest) -> Result<(), &'static str> {
        let config = ServerConfig { allowed_hosts: vec!["Search.example".into()], ..ServerConfig::default() };
        check(&request.to_srv_request(), &config).map_err(|error| match error {
            Error::Host => "host",
            Error::Origin => "origin",
            _ => "other",
        })
    }

    fn to(host: &str) -> TestRequest {
        TestRequest::default().insert_header(("host", host.to_string()))
    }

    #[test]
    fn only_own_names_are_answered() {
        for good in ["localhost:7700", "127.0.0.1:7700", "[::1]:7700", "search.example", "localhost."] {
            assert_eq!(verdict(to(good)), Ok(()), "{good}");
        }
        for bad in ["evil.example:7700", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil", ""] {
            assert_eq!(verdict(to(bad)), Err("host"), "{bad}");
        }
        assert_eq!(verdict(TestRequest::default()), Err("host"));
    }

    #[test]
    fn other_sites_change_nothing() {
        let post = || to("localhost:7700").method(Method::POST);
        assert_eq!(verdict(post()), Ok(()));
        assert_eq!(verdict(post().insert_header(("origin", "http://localhost:7700"))), Ok(()));
        assert_eq!(verdict(post().insert_header(("origin", "http://evil.example"))), Err("origin"));
        assert_eq!(verdict(post().insert_header(("origin", "http://localhost:8080"))), Err("origin"));
        assert_eq!(verdict(post().insert_header(("origin", "null"))), Err("origin"));
        assert_eq!(verdict(post().insert_header(("sec-fetch-site", "cross-site"))), Err("origin"));
        assert_eq!(verdict(post().insert_header(("sec-fetch-site", "same-site"))), Err("origin"));
    }
}
