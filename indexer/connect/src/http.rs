//! The way to a web server: one request at a time, within bounds of time and size, to checked addresses, with the login for
//! the configured host alone. Redirects are not followed here: where they lead is for whoever asked to judge.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use crate::error::ConnectError;
use crate::login::Login;
use crate::pace::{Pace, live_through};
use crate::places::{CheckedResolver, Places};
use crate::settings::Settings;

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until an answer begins.
const ANSWER: Duration = Duration::from_secs(60);
/// Time for a whole answer.
const WHOLE: Duration = Duration::from_secs(600);
/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// Who asks, as it is told to servers, and looked for in robots.txt.
pub(crate) const AGENT: &str = "quarry";

/// The way to a web server.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    home: Url,
    login: Option<Login>,
    pub(crate) pace: Pace,
    stop: Arc<AtomicBool>,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask<'a> {
    /// `None`: GET.
    pub(crate) method: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: &'a str,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Empty where it was not wanted.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Whether it is what was asked for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// When whoever answers wants to be asked again, if that is said.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.header("retry-after").and_then(wanted_pause)
    }

    /// A header, if there is one of that name that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        text_of(&self.headers, name)
    }
}

/// The text of a header.
pub(crate) fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

impl Client {
    /// A way to the host of `home`.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, home: &Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // WebDAV lists folders by one.
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_global(Some(WHOLE))
            // What a proxy connects to could not be checked.
            .proxy(None)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &settings.ca_file {
            let roots = RootCerts::new_with_certs(&certificates(file)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let host = home.host_str().unwrap_or_default().to_ascii_lowercase();
        let resolver = CheckedResolver(Places { host, allow_private: settings.allow_private });
        Ok(Self {
            agent: Agent::with_parts(config.build(), DefaultConnector::new(), resolver),
            home: home.clone(),
            login: settings.login()?,
            pace: Pace::new(settings.pause()),
            stop,
        })
    }

    /// What is at an address, if the headers make its body wanted: of at most `most` bytes. Tried again where it may be
    /// another answer a moment later; what is neither that nor a failure of the way is an answer, whatever its status.
    ///
    /// # Errors
    /// There is none, it is too large, or somebody asked to stop.
    pub(crate) fn ask(
        &mut self,
        url: &Url,
        ask: &Ask<'_>,
        most: u64,
        is_wanted: impl Fn(u16, &HeaderMap) -> bool,
    ) -> Result<Answer, ConnectError> {
        self.ask_judged(url, ask, most, is_wanted, Ok)
    }

    /// The same where it is the body that says whether it may be another answer a moment later: what `judge` takes for that
    /// ([`ConnectError::Failed`]) is asked for again.
    ///
    /// # Errors
    /// As [`Client::ask`], and what `judge` says.
    pub(crate) fn ask_judged<T>(
        &mut self,
        url: &Url,
        ask: &Ask<'_>,
        most: u64,
        is_wanted: impl Fn(u16, &HeaderMap) -> bool,
        mut judge: impl FnMut(Answer) -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let stop = Arc::clone(&self.stop);
        live_through(&stop, || {
            self.pace.wait(&stop)?;
            judge(self.once(url, ask, most, &is_wanted)?)
        })
    }

    /// The whole of what is at an address.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(crate) fn get(&mut self, url: &Url, most: u64) -> Result<Answer, ConnectError> {
        self.ask(url, &Ask::default(), most, |status, _| (200..300).contains(&status))
    }

    fn once(
        &self,
        url: &Url,
        ask: &Ask<'_>,
        most: u64,
        is_wanted: &impl Fn(u16, &HeaderMap) -> bool,
    ) -> Result<Answer, ConnectError> {
        let host = host_of(url);
        let failed = |reason: String| ConnectError::Failed { host: host.clone(), reason, after: None };
        let mut request = Request::builder().method(ask.method.unwrap_or("GET")).uri(url.as_str());
        for (name, value) in &ask.headers {
            request = request.header(*name, *value);
        }
        if let Some(login) = self.login.as_ref().filter(|_| self.is_home(url)) {
            request = request.header(&login.name, &login.value);
        }
        // Two headers of that name mean something else to each server: what was configured goes before what it gave.
        if self.login.as_ref().is_some_and(|login| login.name.eq_ignore_ascii_case("cookie")) {
            self.agent.cookie_jar_lock().clear();
        }
        let nonsense =
            |_| ConnectError::Nonsense { host: host.clone(), reason: "no request can be made of it".to_owned() };
        let answer =
            self.agent.run(request.body(ask.body.to_owned()).map_err(nonsense)?).map_err(|error| told(&host, error))?;
        let (parts, body) = Response::into_parts(answer);
        let status = parts.status.as_u16();
        if matches!(status, 408 | 425 | 429 | 500 | 502..=504) {
            let after = text_of(&parts.headers, "retry-after").and_then(wanted_pause);
            return Err(ConnectError::Failed { host, reason: format!("status {status}"), after });
        }
        if !is_wanted(status, &parts.headers) {
            return Ok(Answer { status, headers: parts.headers, body: Vec::new() });
        }
        let said: Option<u64> = text_of(&parts.headers, "content-length").and_then(|length| length.trim().parse().ok());
        if said.is_some_and(|length| length > most) {
            return Err(ConnectError::TooLarge { most });
        }
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let (mut bytes, mut block) = (Vec::new(), vec![0; BLOCK]);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ConnectError::Stopped);
            }
            match reader.read(&mut block) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(block.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(format!("the connection broke ({error})"))),
            }
            if bytes.len() as u64 > most {
                return Err(ConnectError::TooLarge { most });
            }
        }
        Ok(Answer { status, headers: parts.headers, body: bytes })
    }

    /// Whether an address is of the configured server: scheme, host and port.
    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.home.origin()
    }
}

/// What kept a request from an answer.
fn told(host: &str, error: ureq::Error) -> ConnectError {
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<ConnectError>() {
            Ok(own) => *own,
            Err(other) => ConnectError::Failed { host: host.to_owned(), reason: other.to_string(), after: None },
        },
        error => ConnectError::Failed { host: host.to_owned(), reason: error.to_string(), after: None },
    }
}

/// Host and port of an address, for people.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The pause that `Retry-After` asks for: seconds, or a moment.
fn wanted_pause(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let left = second_of(text)?.saturating_sub(jiff::Timestamp::now().as_second());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or_default()))
}

/// The second of Unix time that a date of HTTP or mail stands for, if it does.
pub(crate) fn second_of(text: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(text.trim()).ok().map(jiff::Timestamp::as_second)
}

/// The certificates in a file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, ConnectError> {
    let pem = std::fs::read(path).map_err(|source| ConnectError::SettingFile {
        setting: "ca_file",
        path: path.to_path_buf(),
        source,
    })?;
    let found = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<Certificate<'static>> = found.collect();
    if found.is_empty() {
        let expected = format!("expected certificates (PEM) in {}", path.display());
        return Err(ConnectError::Setting { setting: "ca_file", expected });
    }
    Ok(found)
}

/// What to look at where an answer is a refusal.
pub(crate) fn refused(url: &Url, status: u16) -> ConnectError {
    let cure = match status {
        401 | 403 | 407 => {
            "it wants to know who asks; give user and password_file, token_file or header_file, or look whether they still hold"
        }
        404 | 410 => "there is nothing; check the address",
        300..=399 => "it sends elsewhere; give the address that it leads to",
        _ => "check the address",
    };
    ConnectError::Refused { host: host_of(url), address: url.to_string(), status, cure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_asked_for_in_seconds_or_as_a_moment() {
        assert_eq!(wanted_pause("7"), Some(Duration::from_secs(7)));
        assert_eq!(wanted_pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(wanted_pause("soon"), None);
        assert_eq!(second_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }
}
