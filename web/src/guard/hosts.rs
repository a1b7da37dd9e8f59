//! The hosts that a request may be addressed to.
//!
//! A page of another site can make a browser send requests here, and by rebinding its name to our address even read the
//! answers. It cannot choose the Host header.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header;

use super::forwarded;
use crate::config::{Config, ServerConfig};
use crate::error::Error;

/// A host and its port, read strictly: a name or an address, then perhaps a colon and a port, and nothing else. What a
/// browser would not write is no authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// In small letters, without the dot of the root.
    Name(String),
    /// IPv4 addresses inside of IPv6 ones are taken out.
    Address(IpAddr),
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']')?.parse().ok().map(IpAddr::V6)?;
            return Some(Self::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if let Ok(address) = name.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        (name.len() <= 253 && name.split('.').all(is_label)).then_some(Self::Name(name))
    }
}

impl Authority {
    /// Reads `host` or `host:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address are inside of its brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let read = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
        let port = match port {
            None => None,
            Some(port) => Some(read(port)?),
        };
        Some(Self { host: Host::parse(host)?, port })
    }

    /// Reads a host alone, as in the configuration, where an IPv6 address may come without brackets.
    pub(crate) fn host_alone(text: &str) -> Option<Self> {
        let bare = text.parse::<IpAddr>().ok().map(|address| Host::Address(address.to_canonical()));
        bare.or_else(|| Host::parse(text)).map(|host| Self { host, port: None })
    }

    /// Whether both are the same place, where a port that is left out is `usual`.
    pub(super) fn is_same(&self, other: &Self, usual: u16) -> bool {
        self.host == other.host && self.port.unwrap_or(usual) == other.port.unwrap_or(usual)
    }

    pub(crate) fn is_allowed(&self, config: &ServerConfig) -> bool {
        let is_named = |name: &String| Self::host_alone(name).is_some_and(|allowed| allowed.host == self.host);
        if config.allowed_hosts.iter().any(is_named) {
            return true;
        }
        match &self.host {
            Host::Name(name) => name == "localhost",
            // An address cannot be rebound: only names can lie. Of all, those are allowed that lead here.
            Host::Address(address) => {
                address.is_loopback() || config.listens().any(|listen| leads_here(*address, listen))
            }
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn leads_here(address: IpAddr, listen: SocketAddr) -> bool {
    listen.ip().to_canonical() == address || listen.ip().is_unspecified()
}

/// The place a request is addressed to.
///
/// # Errors
/// [`Error::Host`] if that is not this server, or not said clearly.
pub(super) fn check(request: &HttpRequest, config: &Config) -> Result<Authority, Error> {
    let host = addressed(request).filter(|host| host.is_allowed(&config.server)).ok_or(Error::Host)?;
    // What a proxy was addressed as is what the browser knows us by.
    match forwarded::host(request, &config.auth) {
        None => Ok(host),
        Some(text) => Authority::parse(text).filter(|host| host.is_allowed(&config.server)).ok_or(Error::Host),
    }
}

/// The place in the address of a request or in its Host header; where there are both, or several, all have to say the same.
fn addressed(request: &HttpRequest) -> Option<Authority> {
    // Over HTTP/2 the host is in the address, over HTTP/1 in the header.
    let target = request.uri().authority().map(|authority| authority.as_str());
    let headers = request.headers().get_all(header::HOST).map(|host| host.to_str().ok());
    let mut places = target.map(Some).into_iter().chain(headers).map(|text| Authority::parse(text?));
    let first = places.next()??;
    places.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn allows(request: TestRequest) -> bool {
        let server = ServerConfig { allowed_hosts: vec!["Search.example".into()], ..ServerConfig::default() };
        match check(&request.to_http_request(), &Config { server, ..Config::default() }) {
            Ok(_) => true,
            Err(Error::Host) => false,
            Err(other) => panic!("{other}"),
        }
    }

    fn to(host: &str) -> TestRequest {
        TestRequest::default().insert_header(("host", host.to_string()))
    }

    #[test]
    fn only_own_names_are_answered() {
        for good in [
            "localhost:7700",
            "LOCALHOST",
            "127.0.0.1:7700",
            "127.9.9.9",
            "[::1]:7700",
            "[::1]",
            "[::ffff:127.0.0.1]:7700",
            "search.example",
            "SEARCH.example.:443",
            "localhost.",
            "localhost:65535",
        ] {
            assert!(allows(to(good)), "{good}");
        }
        for bad in [
            "evil.example:7700",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::ffff:10.0.0.1]",
            "localhost.evil",
            "",
            ":7700",
            "127.0.0.1:1@evil",
            "127.0.0.1:7700@evil.example",
            "evil@127.0.0.1",
            "evil:secret@localhost:7700",
            "localhost:99999",
            "localhost:",
            "localhost:+80",
            "localhost:80:80",
            "localhost:7700/evil",
            "localhost?evil",
            "localhost#evil",
            "localhost\\evil",
            "localhost evil",
            "localhost,evil.example",
            "localhost..",
            ".localhost",
            "[::1].evil.example",
            "[::1]evil",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "[::1%25lo]",
            "%6cocalhost",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
        ] {
            assert!(!allows(to(bad)), "{bad}");
        }
        assert!(!allows(TestRequest::default()));
    }

    #[test]
    fn a_request_names_one_place() {
        assert!(!allows(to("localhost").append_header(("host", "evil.example"))));
        assert!(!allows(to("evil.example").append_header(("host", "localhost"))));
        let target = |host: &str| to(host).uri("http://localhost:7700/api/v1/status");
        assert!(allows(target("localhost:7700")));
        assert!(!allows(target("evil.example")));
        assert!(!allows(to("localhost").uri("http://evil.example/")));
    }

    #[test]
    fn names_are_written_as_they_are_compared() {
        let shown = |text: &str| Authority::parse(text).map(|authority| authority.to_string());
        assert_eq!(shown("LocalHost.:80").as_deref(), Some("localhost:80"));
        assert_eq!(shown("[::FFFF:10.0.0.1]:80").as_deref(), Some("10.0.0.1:80"));
        assert_eq!(shown("[2001:DB8::1]").as_deref(), Some("[2001:db8::1]"));
    }
}
