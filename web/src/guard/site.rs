//! The site that a request comes from: one of our own pages, a page of another site, or nothing that says so.
//!
//! A browser cannot be made to lie about `Sec-Fetch-Site` and `Origin`, but it leaves both out of some requests: a picture
//! of another site on a server without TLS comes with neither. Silence is no proof of anything.

use actix_web::http::header::{self, HeaderMap, HeaderName};

use super::hosts::Authority;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// A page of this server, or somebody who typed the address.
    Own,
    /// Nothing says where: a program, or a browser that was made to keep quiet.
    Unknown,
    /// A page of another site.
    Foreign,
}

/// Reads what a browser says. One sign of another site outweighs all others.
pub(super) fn of(headers: &HeaderMap, host: &Authority) -> Site {
    let fetch = signs(headers, &HeaderName::from_static("sec-fetch-site"), |site| {
        matches!(site.trim(), "same-origin" | "none")
    });
    let origin = signs(headers, &header::ORIGIN, |origin| is_own(origin, host));
    let referer = signs(headers, &header::REFERER, |referer| is_own(referer, host));
    let all = [fetch, origin, referer];
    [Site::Foreign, Site::Own].into_iter().find(|site| all.contains(site)).unwrap_or(Site::Unknown)
}

/// What the values of one header say together.
fn signs(headers: &HeaderMap, name: &HeaderName, is_own: impl Fn(&str) -> bool) -> Site {
    let mut values = headers.get_all(name).map(|value| value.to_str().is_ok_and(&is_own)).peekable();
    match (values.peek().is_some(), values.all(|own| own)) {
        (false, _) => Site::Unknown,
        (true, true) => Site::Own,
        (true, false) => Site::Foreign,
    }
}

/// Whether an origin, or an address, is of this server. The scheme may be that of a proxy before us; host and port have to
/// be those of the request.
fn is_own(address: &str, host: &Authority) -> bool {
    let with_scheme = |scheme: &str, port| {
        let (start, rest) = address.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((rest, port))
    };
    let Some((rest, port)) = with_scheme("http://", 80).or_else(|| with_scheme("https://", 443)) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Authority::parse(authority).is_some_and(|own| own.is_same(host, port))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn site(host: &str, headers: &[(&'static str, &str)]) -> Site {
        let request = headers
            .iter()
            .fold(TestRequest::default(), |request, (name, value)| request.append_header((*name, value.to_string())));
        of(request.to_srv_request().headers(), &Authority::parse(host).unwrap())
    }

    #[test]
    fn silence_is_no_proof_and_one_foreign_sign_is_enough() {
        let here = "localhost:7700";
        assert_eq!(site(here, &[]), Site::Unknown);
        for own in [
            ("origin", "http://localhost:7700"),
            ("origin", "HTTPS://LOCALHOST:7700"),
            ("referer", "http://localhost:7700/search?q=a"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            assert_eq!(site(here, &[own]), Site::Own, "{own:?}");
            assert_eq!(site(here, &[own, ("sec-fetch-site", "cross-site")]), Site::Foreign, "{own:?}");
            assert_eq!(site(here, &[own, ("origin", "http://evil.example")]), Site::Foreign, "{own:?}");
            assert_eq!(site(here, &[("origin", "http://evil.example"), own]), Site::Foreign, "{own:?}");
        }
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "http://localhost:8080"),
            ("origin", "http://localhost"),
            ("origin", "http://localhost:7700.evil.example"),
            ("origin", "http://localhost:7700@evil.example"),
            ("origin", "http://localhost:7700 http://evil.example"),
            ("origin", "null"),
            ("origin", ""),
            ("origin", "file://"),
            ("referer", "https://evil.example/?http://localhost:7700/"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "CROSS-SITE"),
            ("sec-fetch-site", ""),
        ] {
            assert_eq!(site(here, &[foreign]), Site::Foreign, "{foreign:?}");
        }
    }

    #[test]
    fn the_usual_port_may_be_left_out() {
        assert_eq!(site("search.example", &[("origin", "https://search.example")]), Site::Own);
        assert_eq!(site("search.example:443", &[("origin", "https://search.example")]), Site::Own);
        assert_eq!(site("search.example", &[("origin", "http://search.example:80")]), Site::Own);
        assert_eq!(site("search.example:8443", &[("origin", "https://search.example")]), Site::Foreign);
    }
}
