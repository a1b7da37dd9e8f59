//! The headers by which a trusted reverse proxy names the client behind it and itself: `X-Forwarded-For`,
//! `X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Forwarded-Prefix`.
//!
//! From anybody else these headers mean nothing. `Forwarded` (RFC 7239) means nothing from anybody: a proxy that sets the
//! one passes the other through as the client wrote it, and nobody could tell which to believe.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;

use super::hosts::Authority;
use crate::config::AuthConfig;
use crate::json;
use crate::socket::Way;

/// The address a connection comes from. An IPv4 address inside of an IPv6 one is that IPv4 address.
fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip().to_canonical())
}

fn is_proxy(address: IpAddr, auth: &AuthConfig) -> bool {
    auth.proxy_from.iter().any(|proxy| proxy.to_canonical() == address.to_canonical())
}

/// Whether a request comes from a trusted proxy.
pub(super) fn is_by_proxy(request: &HttpRequest, auth: &AuthConfig) -> bool {
    is_by_socket(request) || peer(request).is_some_and(|peer| is_proxy(peer, auth))
}

/// Whether it comes by the socket of the proxy.
fn is_by_socket(request: &HttpRequest) -> bool {
    request.app_data::<Way>() == Some(&Way::Proxy)
}

/// The address of the client: the nearest one that is no trusted proxy. What clients write stands farther away.
pub(crate) fn client(request: &HttpRequest, auth: &AuthConfig) -> Option<IpAddr> {
    // Who comes by the socket has no address, and is a proxy.
    let mut nearest = if is_by_socket(request) { None } else { Some(peer(request)?) };
    let lines: Vec<&str> = values(request, "x-forwarded-for").collect();
    let mut hops = lines.iter().flat_map(|line| line.split(',')).rev();
    while nearest.is_none_or(|nearest| is_proxy(nearest, auth)) {
        match hops.next().map(address_of) {
            Some(Some(farther)) => nearest = Some(farther),
            // What is no address says nothing, and hides what stands behind it.
            Some(None) | None => break,
        }
    }
    nearest
}

/// `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]` or `[::1]:5`.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// The host that a trusted proxy was addressed as.
pub(super) fn host<'a>(request: &'a HttpRequest, auth: &AuthConfig) -> Option<&'a str> {
    is_by_proxy(request, auth).then(|| nearest_word(request, "x-forwarded-host")).flatten()
}

/// The path that a trusted proxy has taken off the address.
pub(super) fn prefix<'a>(request: &'a HttpRequest, auth: &AuthConfig) -> Option<&'a str> {
    is_by_proxy(request, auth).then(|| nearest_word(request, "x-forwarded-prefix")).flatten()
}

/// Scheme and host of this server, as the one who looks at it sees them.
pub(crate) fn origin(request: &HttpRequest) -> String {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let Ok(app) = json::app(request) else { return own("http", host) };
    own(if is_secure(request) { "https" } else { "http" }, self::host(request, &app.config.auth).or(host))
}

/// Whether the one who looks at this server does so over HTTPS, as a trusted proxy says.
pub(crate) fn is_secure(request: &HttpRequest) -> bool {
    if request.app_data::<Way>() == Some(&Way::Encrypted) {
        return true;
    }
    let is_by_proxy = json::app(request).is_ok_and(|app| is_by_proxy(request, &app.config.auth));
    is_by_proxy && nearest_word(request, "x-forwarded-proto") == Some("https")
}

fn own(scheme: &str, host: Option<&str>) -> String {
    // Who names no place of ours has been refused before; this is for the page that says so.
    let host = host.and_then(Authority::parse).map_or_else(|| "localhost".to_string(), |host| host.to_string());
    format!("{scheme}://{host}")
}

fn values<'a>(request: &'a HttpRequest, name: &'static str) -> impl Iterator<Item = &'a str> {
    // A value that is no text is no address either: it stays in the row, as something that says nothing.
    request.headers().get_all(name).map(|value| value.to_str().unwrap_or_default())
}

/// The word of the proxy that is next to us, where several wrote theirs in a row.
fn nearest_word<'a>(request: &'a HttpRequest, name: &'static str) -> Option<&'a str> {
    values(request, name).last().and_then(|line| line.rsplit(',').next()).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let from = ["10.0.0.1", "::ffff:10.0.0.2", "2001:db8::1"].map(|address| address.parse().unwrap());
        let auth = AuthConfig { proxy_from: from.to_vec(), ..AuthConfig::default() };
        let request = TestRequest::default().peer_addr(peer.parse().unwrap());
        let request = forwarded
            .iter()
            .fold(request, |request, line| request.append_header(("x-forwarded-for", line.to_string())));
        client(&request.to_http_request(), &auth).unwrap().to_string()
    }

    #[test]
    fn only_proxies_speak_for_others() {
        assert_eq!(seen("9.9.9.9:1", &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(seen("10.0.0.1:1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1:1", &["6.6.6.6, 1.1.1.1"]), "1.1.1.1", "what a client wrote stands farther away");
        assert_eq!(seen("10.0.0.1:1", &["6.6.6.6", "1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1:1", &["1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1:1", &["10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1:1", &["6.6.6.6, nonsense"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:1", &["[2001:db8::9]:80"]), "2001:db8::9");
        assert_eq!(seen("10.0.0.1:1", &["1.1.1.1:80"]), "1.1.1.1");
    }

    #[test]
    fn an_address_in_another_family_is_the_same_address() {
        assert_eq!(seen("[::ffff:10.0.0.1]:1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.2:1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1:1", &["::ffff:1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("[2001:db8::1]:1", &["::1"]), "::1");
    }
}
