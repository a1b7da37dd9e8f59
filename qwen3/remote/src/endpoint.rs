//! The endpoint: where passages are sent, checked before anything is.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::fault::Fault;

/// Where passages are sent, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    /// Host and port, for people.
    pub host: String,
    pub(crate) is_here: bool,
}

/// Whether passages may go to another machine unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteHttp {
    /// Where the network is trusted.
    Allowed,
    /// Nowhere.
    Refused,
}

impl Endpoint {
    /// An endpoint by its address, such as `http://127.0.0.1:8000/v1`.
    ///
    /// # Errors
    /// [`Fault::Address`], [`Fault::Password`]; [`Fault::Unencrypted`] if that was not allowed.
    pub fn parse(text: &str, remote_http: RemoteHttp) -> Result<Self, Fault> {
        let no_address = || Fault::Address(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| no_address())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(no_address)?;
        if authority.as_str().contains('@') {
            return Err(Fault::Password);
        }
        let is_here = is_loopback(authority.host());
        match scheme {
            "https" => {}
            "http" if is_here || remote_http == RemoteHttp::Allowed => {}
            "http" => return Err(Fault::Unencrypted(authority.to_string())),
            _ => return Err(no_address()),
        }
        Ok(Self { base: text.trim_end_matches('/').to_owned(), host: authority.to_string(), is_here })
    }

    /// The server's own address, where somebody has named that of its OpenAI-compatible part.
    pub(crate) fn without_version(self) -> Self {
        let base = self.base.strip_suffix("/v1").map(str::to_owned).unwrap_or(self.base);
        Self { base, ..self }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Endpoint::parse(text, RemoteHttp::Refused).unwrap_err().to_string()
    }

    #[test]
    fn passages_go_to_other_machines_only_encrypted() {
        for here in
            ["http://127.0.0.1:8000/v1", "http://localhost:1/v1/", "http://[::1]:8000/v1", "https://llm.example/v1"]
        {
            assert!(Endpoint::parse(here, RemoteHttp::Refused).is_ok(), "{here}");
        }
        for there in ["http://llm.example/v1", "http://10.0.0.5:8000/v1", "http://127.0.0.1.example/v1"] {
            assert!(refused(there).contains("unencrypted; use https"), "{there}");
            assert!(Endpoint::parse(there, RemoteHttp::Allowed).is_ok(), "{there}");
        }
        assert!(refused("https://me:secret@llm.example/v1").contains("must not hold a password"));
        assert!(
            refused("ftp://127.0.0.1/v1").contains("expected an address")
                && refused("127.0.0.1:8000").contains("expected")
        );
    }

    #[test]
    fn the_path_is_completed() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8000/v1/", RemoteHttp::Refused).unwrap();
        assert_eq!(endpoint.url("chat/completions"), "http://127.0.0.1:8000/v1/chat/completions");
        assert_eq!(endpoint.host, "127.0.0.1:8000");
        assert_eq!(endpoint.without_version().url("embed"), "http://127.0.0.1:8000/embed");
    }
}
