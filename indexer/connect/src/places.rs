//! The places that a name may lead to: addresses of the public internet, and what else the configured host was let through
//! for. Asked with every connection, of the address that is then connected to: a name that means another machine a moment
//! later does not get by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::error::ConnectError;

/// Which addresses a source may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// The host that was configured, in lower case.
    pub(crate) host: String,
    /// Whether that host may be at an address that is not public.
    pub(crate) allow_private: bool,
}

impl Places {
    /// Whether a host may be connected to at an address.
    ///
    /// # Errors
    /// [`ConnectError::Private`].
    pub(crate) fn check(&self, host: &str, address: IpAddr) -> Result<(), ConnectError> {
        let is_meant = self.allow_private && host.eq_ignore_ascii_case(&self.host);
        if is_meant || is_public(address) {
            return Ok(());
        }
        Err(ConnectError::Private { host: host.to_owned(), address })
    }

    /// The addresses of a host that may all be connected to.
    ///
    /// # Errors
    /// The name is not known, or leads to one that may not.
    pub(crate) fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        use std::net::ToSocketAddrs as _;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let failed = |reason: String| ConnectError::Failed { host: host.to_owned(), reason, after: None };
        let found: Vec<SocketAddr> = (bare, port)
            .to_socket_addrs()
            .map_err(|error| failed(format!("its address cannot be found ({error})")))?
            .collect();
        if found.is_empty() {
            return Err(failed("its name has no address".to_owned()));
        }
        found.iter().try_for_each(|address| self.check(host, address.ip()))?;
        Ok(found)
    }
}

/// Resolves names as the system does, and refuses what they must not lead to.
#[derive(Debug)]
pub(crate) struct CheckedResolver(pub(crate) Places);

impl Resolver for CheckedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default();
        for address in found.iter() {
            self.0.check(host, address.ip()).map_err(|error| ureq::Error::Other(Box::new(error)))?;
        }
        Ok(found)
    }
}

/// Whether an address is one of the public internet, by the registries of special addresses of IANA (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        // Shared by providers and their customers; protocol assignments; benchmarks; relays from 6 to 4.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 88 && c == 99)
        // To many at once, or not assigned.
        || a >= 224;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4_of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // Those that hold one of version 4 are as public as that: mapped, translated (NAT64), and from 6 to 4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4_of(high, low)),
        [0x2002, high, low, ..] => is_public_v4(v4_of(high, low)),
        // Teredo hides one, and documentation has two blocks.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // All that is handed out lies here.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for public in ["1.1.1.1", "93.184.216.34", "100.63.0.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:a00:1::1",
            "2001:0:4136:e378::1",
            "2001:db8::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        assert!(is_public("::ffff:1.1.1.1".parse().unwrap()) && is_public("2002:101:101::1".parse().unwrap()));
    }

    #[test]
    fn another_host_is_not_let_through_because_one_is() {
        let places = |allow_private| Places { host: "wiki.example".to_owned(), allow_private };
        let here: IpAddr = "10.0.0.7".parse().unwrap();
        assert!(places(true).check("WIKI.example", here).is_ok());
        for (places, host) in [(places(true), "metadata.example"), (places(false), "wiki.example")] {
            let error = places.check(host, here).unwrap_err().to_string();
            assert!(error.contains("10.0.0.7") && error.contains("allow_private"), "{error}");
        }
        assert!(places(false).check("anywhere.example", "1.1.1.1".parse().unwrap()).is_ok());
        assert!(matches!(places(false).resolve("localhost", 80), Err(ConnectError::Private { .. })));
        assert!(matches!(places(false).resolve("[::1]", 80), Err(ConnectError::Private { .. })));
    }
}
