//! The way to a bucket: signed requests, one after another or several at once, tried again where it may help.

use std::io;
use std::time::Duration;

use rusty_s3::actions::{DeleteObject, GetObject, PutObject};
use rusty_s3::signing::sign;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use super::config::BucketConfig;
use super::has_address;
use super::listing::{self, Listing};
use crate::error::{ConnectError, shown};
use crate::http::{certificates, text_of};

/// How long a signature holds.
pub(super) const SIGNED_FOR: Duration = Duration::from_secs(3600);
/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until an answer begins.
const ANSWER: Duration = Duration::from_secs(60);
/// Time for a whole answer.
const WHOLE: Duration = Duration::from_secs(600);
/// Bytes of an object that is read.
const MOST: u64 = 1 << 30;
/// Pauses before it is tried again.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(3), Duration::from_secs(10)];

/// A bucket, and what opens it.
#[derive(Debug, Clone)]
pub(super) struct Client {
    agent: Agent,
    bucket: Bucket,
    credentials: Credentials,
}

/// What was answered.
pub(super) struct Answer {
    status: u16,
    /// The server's clock, in seconds of Unix time.
    pub(super) now: Option<i64>,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// A way to the bucket of that name.
    ///
    /// # Errors
    /// The configuration lacks something, or a file that it names cannot be read.
    pub(super) fn new(name: &str, config: &BucketConfig) -> Result<Self, ConnectError> {
        let region = config.region();
        // Names of Amazon's hosts are made of bucket and region; others are often reached by a number, or below a path.
        let (endpoint, style) = match config.endpoint()? {
            Some(endpoint) => (endpoint, UrlStyle::Path),
            None => {
                let host = format!("https://s3.{region}.amazonaws.com");
                let style = if name.contains('.') { UrlStyle::Path } else { UrlStyle::VirtualHost };
                (Url::parse(&host).map_err(|_| wrong_name(name))?, style)
            }
        };
        let bucket = Bucket::new(endpoint, style, name.to_owned(), region).map_err(|_| wrong_name(name))?;
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_global(Some(WHOLE))
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if !config.ca_file.as_os_str().is_empty() {
            let roots = RootCerts::new_with_certs(&certificates(&config.ca_file)?);
            agent = agent.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self { agent: agent.build().into(), bucket, credentials: config.credentials()? })
    }

    /// Refuses a key that no address leads to.
    fn check(&self, key: &str) -> io::Result<()> {
        if has_address(&self.bucket, key) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no address leads to an object with the key {key:?}")))
    }

    /// Stores an object whole.
    pub(super) fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        self.check(key)?;
        let action = PutObject::new(&self.bucket, Some(&self.credentials), key);
        self.patiently(|| {
            let url = action.sign(SIGNED_FOR);
            self.agent.put(url.as_str()).send(content)
        })
        .and_then(|answer| self.good(key, &answer))
    }

    /// An object whole; [`io::ErrorKind::NotFound`] if there is none.
    pub(super) fn get(&self, key: &str) -> io::Result<Answer> {
        self.check(key)?;
        let action = GetObject::new(&self.bucket, Some(&self.credentials), key);
        let answer = self.patiently(|| self.agent.get(action.sign(SIGNED_FOR).as_str()).call())?;
        self.good(key, &answer).map(|()| answer)
    }

    /// Removes an object, if there is one.
    pub(super) fn delete(&self, key: &str) -> io::Result<()> {
        self.check(key)?;
        let action = DeleteObject::new(&self.bucket, Some(&self.credentials), key);
        let answer = self.patiently(|| self.agent.delete(action.sign(SIGNED_FOR).as_str()).call())?;
        match self.good(key, &answer) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !says_no_bucket(&answer) => Ok(()),
            done => done,
        }
    }

    /// What begins with a prefix: all of it, or up to the next slash; without what no address leads to.
    pub(super) fn list(&self, prefix: &str, is_flat: bool) -> io::Result<Listing> {
        let mut whole = Listing::default();
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("encoding-type", "url"), ("list-type", "2"), ("prefix", prefix)];
            if is_flat {
                query.push(("delimiter", "/"));
            }
            if let Some(token) = &token {
                query.push(("continuation-token", token));
            }
            query.sort_unstable();
            let address = || signed_listing(&self.bucket, Some(&self.credentials), &query);
            let answer = self.patiently(|| self.agent.get(address().as_str()).call())?;
            self.good(prefix, &answer)?;
            let listing = listing::read(&answer.body).map_err(|reason| {
                let host = self.host();
                io::Error::other(format!("{host} does not list as S3 does: {reason}"))
            })?;
            whole.objects.extend(listing.objects.into_iter().filter(|object| has_address(&self.bucket, &object.key)));
            whole.folders.extend(listing.folders);
            whole.now = answer.now.or(whole.now);
            token = listing.next;
            if token.is_none() {
                return Ok(whole);
            }
        }
    }

    fn host(&self) -> &str {
        self.bucket.base_url().host_str().unwrap_or_default()
    }

    /// Asks until there is an answer that will be the same a moment later.
    fn patiently(&self, ask: impl Fn() -> Result<Response<ureq::Body>, ureq::Error>) -> io::Result<Answer> {
        let mut pauses = PAUSES.iter();
        loop {
            let failed = match ask().and_then(read) {
                Ok(answer) if !matches!(answer.status, 408 | 425 | 429 | 500 | 502..=504) => return Ok(answer),
                Ok(answer) => io::Error::other(format!("{} answers {}", self.host(), said(&answer))),
                Err(error) => io::Error::other(format!("{}: {error}", self.host())),
            };
            match pauses.next() {
                Some(pause) => std::thread::sleep(*pause),
                None => return Err(failed),
            }
        }
    }

    /// Nothing if it went well; else what it says.
    fn good(&self, key: &str, answer: &Answer) -> io::Result<()> {
        let name = self.bucket.name();
        match answer.status {
            200..=299 => Ok(()),
            404 if says_no_bucket(answer) => {
                Err(io::Error::other(format!("there is no bucket {name:?} at {}; make it first", self.host())))
            }
            404 => Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no object {key:?}"))),
            401 | 403 => {
                let told = format!("{} refuses the access key, or lets it do less: {}", self.host(), said(answer));
                Err(io::Error::new(io::ErrorKind::PermissionDenied, told))
            }
            301 | 307 | 308 | 400 if code(answer).is_some_and(|code| is_about_region(&code)) => {
                let region = self.bucket.region();
                let told = format!("the bucket {name:?} is not in the region {region:?}: set s3.region or AWS_REGION");
                Err(io::Error::other(told))
            }
            507 => Err(io::Error::new(io::ErrorKind::StorageFull, format!("{}: {}", self.host(), said(answer)))),
            _ => Err(io::Error::other(format!("{} answers {}", self.host(), said(answer)))),
        }
    }
}

/// The address of a list (`ListObjectsV2`), signed by whoever is known there. The query is in the order of its names.
pub(super) fn signed_listing(bucket: &Bucket, credentials: Option<&Credentials>, query: &[(&str, &str)]) -> Url {
    let mut url = bucket.base_url().clone();
    let Some(credentials) = credentials else {
        url.query_pairs_mut().extend_pairs(query);
        return url;
    };
    let (key, secret, token) = (credentials.key(), credentials.secret(), credentials.token());
    let (now, region, held) = (jiff::Timestamp::now(), bucket.region(), SIGNED_FOR.as_secs());
    let none = std::iter::empty();
    sign(&now, Method::Get, url, key, secret, token, region, held, query.iter().copied(), none)
}

fn is_about_region(code: &str) -> bool {
    matches!(
        code,
        "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
    )
}

fn wrong_name(name: &str) -> ConnectError {
    ConnectError::Address { address: format!("s3://{name}") }
}

fn read(answer: Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let (parts, body) = Response::into_parts(answer);
    let now = text_of(&parts.headers, "date").and_then(crate::http::second_of);
    let body = body.into_with_config().limit(MOST).read_to_vec()?;
    Ok(Answer { status: parts.status.as_u16(), now, body })
}

/// The store's name of what is wrong.
fn code(answer: &Answer) -> Option<String> {
    listing::text_of(&answer.body, "Code")
}

fn says_no_bucket(answer: &Answer) -> bool {
    code(answer).is_some_and(|code| code == "NoSuchBucket")
}

/// Status, and what the store says to it.
fn said(answer: &Answer) -> String {
    let words = [code(answer), listing::text_of(&answer.body, "Message")];
    let words: Vec<String> = words.into_iter().flatten().map(|word| shown(&word)).collect();
    format!("{} {}", answer.status, words.join(", ")).trim_end().to_owned()
}
