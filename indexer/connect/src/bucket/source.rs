//! A bucket as a place where documents lie: all objects below a prefix, listed page by page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusty_s3::actions::GetObject;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use url::Url;

use super::client::{SIGNED_FOR, signed_listing};
use super::has_address;
use super::listing::{self, Listed};
use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::http::{Ask, Client, host_of, refused};
use crate::login::secret;
use crate::settings::Settings;

/// Bytes of one page of a list: a thousand keys.
const MAX_LIST: u64 = 16 << 20;

/// The objects below a prefix.
pub(crate) struct BucketSource {
    client: Client,
    bucket: Bucket,
    credentials: Option<Credentials>,
    prefix: String,
    files: VecDeque<Remote>,
    /// What leads on to the next page; `None` at its end.
    next: Option<Next>,
}

/// The next page of a list.
enum Next {
    First,
    Behind(String),
}

impl BucketSource {
    /// What lies at an address: the store, and behind it the bucket and the beginning of the keys.
    ///
    /// # Errors
    /// No bucket is named; a file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, url: Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        let (name, prefix) = bucket_of(&url).ok_or_else(|| ConnectError::Address { address: settings.url.clone() })?;
        let mut endpoint = url;
        endpoint.set_path("");
        endpoint.set_query(None);
        endpoint.set_fragment(None);
        let region = settings.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let wrong = |_| ConnectError::Address { address: settings.url.clone() };
        let bucket = Bucket::new(endpoint.clone(), UrlStyle::Path, name, region).map_err(wrong)?;
        let credentials = match &settings.user {
            None => None,
            Some(user) => {
                let (file, variable) = (settings.password_file.as_deref(), settings.password_env.as_deref());
                let secret = secret(("password_file", file), ("password_env", variable))?;
                Some(Credentials::new(user.clone(), secret))
            }
        };
        // The secret signs, and is not sent.
        let unknown = Settings { user: None, password_file: None, password_env: None, ..settings.clone() };
        let client = Client::new(&unknown, &endpoint, stop)?;
        Ok(Self { client, bucket, credentials, prefix, files: VecDeque::new(), next: Some(Next::First) })
    }

    fn list(&mut self, next: &Next) -> Result<(), ConnectError> {
        let mut query = vec![("encoding-type", "url"), ("list-type", "2"), ("prefix", self.prefix.as_str())];
        if let Next::Behind(token) = next {
            query.push(("continuation-token", token));
        }
        query.sort_unstable();
        let url = signed_listing(&self.bucket, self.credentials.as_ref(), &query);
        let answer = self.client.get(&url, MAX_LIST)?;
        if !(200..300).contains(&answer.status) {
            return Err(refused(&bare(&url), answer.status));
        }
        let listing = listing::read(&answer.body).map_err(|reason| ConnectError::Nonsense {
            host: host_of(&url),
            reason: format!("it does not list as S3 does: {reason}"),
        })?;
        // Names of folders that some programs put there.
        let files = listing.objects.into_iter().filter(|object| !object.key.ends_with('/'));
        self.files.extend(files.map(|object| remote(object, &self.prefix)));
        self.next = listing.next.map(Next::Behind);
        Ok(())
    }
}

impl Connector for BucketSource {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        loop {
            if let Some(file) = self.files.pop_front() {
                return Ok(Some(file));
            }
            let Some(next) = self.next.take() else { return Ok(None) };
            self.list(&next)?;
        }
    }

    fn fetch(&mut self, remote: &Remote, _: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        if !has_address(&self.bucket, &remote.id) {
            return Ok(Fetched::Unwanted("no address leads to an object with such a key".to_owned()));
        }
        let url = GetObject::new(&self.bucket, self.credentials.as_ref(), &remote.id).sign(SIGNED_FOR);
        let is_wanted = |status: u16, _: &_| (200..300).contains(&status);
        let answer = self.client.ask(&url, &Ask::default(), most, is_wanted)?;
        match answer.status {
            200..=299 => Ok(Fetched::Content { bytes: answer.body, remote: remote.clone() }),
            404 | 410 => Ok(Fetched::Gone),
            status => Err(refused(&bare(&url), status)),
        }
    }
}

/// Bucket and prefix that an address names.
pub(crate) fn bucket_of(url: &Url) -> Option<(String, String)> {
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().ok()?;
    let (bucket, prefix) = path.strip_prefix('/')?.split_once('/').unwrap_or((&path[1..], ""));
    super::is_bucket_name(bucket).then(|| (bucket.to_owned(), prefix.to_owned()))
}

/// An address without its signature, for people.
fn bare(url: &Url) -> Url {
    let mut bare = url.clone();
    bare.set_query(None);
    bare
}

fn remote(object: Listed, prefix: &str) -> Remote {
    let Listed { key, length, modified, tag } = object;
    // A prefix may end within a name.
    let start = prefix.rfind('/').map_or(0, |slash| slash + 1);
    let name = key.get(start..).unwrap_or(&key).to_owned();
    let version = match (tag, modified) {
        (Some(tag), _) => Some(tag),
        (None, Some(second)) => Some(format!("{length} {second}")),
        (None, None) => None,
    };
    Remote { version, date: modified, ..Remote::new(key, name) }
}
