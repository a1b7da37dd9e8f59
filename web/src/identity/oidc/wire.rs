//! The way to the provider: HTTP requests with bounds of time and size, without redirects, and encrypted unless the provider
//! is on this machine.

use std::path::Path;
use std::time::Duration;

use openidconnect::http::{Request, Response};
use openidconnect::url::{Host, Url};
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{Method, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for a whole request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 1 << 20;

/// What carries a request: the network, or what a test puts in its place.
type Carry = dyn Fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, WireError> + Send + Sync;

/// The way to the provider.
pub(super) struct Wire(Box<Carry>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// No connection, no time, or no end.
    #[error(
        "{host} does not answer as it should; is it up, is a proxy needed (HTTPS_PROXY), is its certificate in auth.oidc.ca_file?"
    )]
    Unreachable {
        host: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// It says that it cannot.
    #[error("{host} answers with the status {status}")]
    Status { host: String, status: u16 },
    /// Anybody on the way could answer in its place.
    #[error("{address} is neither https nor on this machine")]
    Open { address: String },
    /// It is given some time.
    #[error("it was asked a moment ago, in vain")]
    Resting,
    /// A test, or a fault of ours.
    #[error("the request is none: {0}")]
    Request(String),
}

impl Wire {
    /// A way that trusts the certificates in a file, or those that browsers trust.
    ///
    /// # Errors
    /// The file holds no certificates, in words.
    pub(super) fn new(ca_file: &Path) -> Result<Self, String> {
        let mut config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if !ca_file.as_os_str().is_empty() {
            let roots = RootCerts::new_with_certs(&certificates(ca_file)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let agent: Agent = config.build().into();
        Ok(Self::of(move |request| carry(&agent, request)))
    }

    /// A way by other means.
    pub(super) fn of(
        carry: impl Fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, WireError> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(carry))
    }

    /// Sends a request. What the provider cannot do now is no answer.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, WireError> {
        let address = request.uri().to_string();
        if !is_safe(&address) {
            return Err(WireError::Open { address });
        }
        let host = host(&address);
        let answer = (self.0)(request)?;
        let status = answer.status().as_u16();
        if status >= 500 || status == 429 { Err(WireError::Status { host, status }) } else { Ok(answer) }
    }

    /// Fetches JSON.
    ///
    /// # Errors
    /// There is none there.
    pub(super) fn fetch<T: DeserializeOwned>(&self, address: &str) -> Result<Result<T, String>, WireError> {
        let request = Request::builder().method(Method::GET).uri(address).header(header::ACCEPT, "application/json");
        let answer = self.ask(request.body(Vec::new()).map_err(|error| WireError::Request(error.to_string()))?)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(WireError::Status { host: host(address), status: status.as_u16() });
        }
        Ok(serde_json::from_slice(answer.body()).map_err(|error| format!("{address}: {error}")))
    }
}

fn carry(agent: &Agent, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, WireError> {
    let host = host(&request.uri().to_string());
    let failed = |source| WireError::Unreachable { host, source: Box::new(source) };
    let read = || -> Result<_, ureq::Error> {
        let (parts, mut body) = agent.run(request)?.into_parts();
        Ok((parts, body.with_config().limit(MAX_ANSWER).read_to_vec()?))
    };
    let (parts, body) = read().map_err(failed)?;
    Ok(Response::from_parts(parts, body))
}

fn host(address: &str) -> String {
    Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether nobody on the way to an address can read what goes there, or answer in its place.
pub(super) fn is_safe(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| url.scheme() == "https" || url.scheme() == "http" && is_here(&url))
}

/// Whether an address is on this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The certificates of a file.
pub(super) fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let wrong = |why: String| format!("expected a file of certificates (PEM), {}: {why}", path.display());
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let items = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(wrong(error.to_string()))),
    });
    let found = items.collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(wrong("it holds none".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_with_in_the_open() {
        for good in ["https://id.example/a", "http://localhost:1/a", "http://127.0.0.1", "http://[::1]:7/"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in ["http://id.example", "http://127.0.0.1.example", "ftp://localhost", "id.example", "http://10.0.0.1"]
        {
            assert!(!is_safe(bad), "{bad}");
        }
        let wire = Wire::of(|_| panic!("nothing is sent"));
        let sent = wire.fetch::<()>("http://id.example/keys");
        assert!(matches!(sent, Err(WireError::Open { .. })), "{sent:?}");
    }

    #[test]
    fn a_file_of_certificates_holds_some() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(Wire::new(&path).is_err_and(|why| why.contains("ca.pem")));
        std::fs::write(&path, "nothing").unwrap();
        assert!(Wire::new(&path).is_err_and(|why| why.contains("it holds none")));
        assert!(Wire::new(Path::new("")).is_ok());
    }
}
