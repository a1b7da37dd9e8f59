//! How buckets are reached: what the configuration says, or else the environment, by the names that other tools use.

use std::path::PathBuf;

use rusty_s3::Credentials;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::ConnectError;
use crate::login;

/// How buckets (`s3://NAME/PREFIX`) are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketConfig {
    /// Address of the store; empty: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or that of Amazon in the region.
    pub endpoint: String,
    /// The store's region; empty: `AWS_REGION`, `AWS_DEFAULT_REGION`, or `us-east-1`.
    pub region: String,
    /// Id of the access key; empty: `AWS_ACCESS_KEY_ID`, with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    pub access_key: String,
    /// File with the secret of that key, one line.
    pub secret_key_file: PathBuf,
    /// File of certificates (PEM) that are trusted, in the place of the usual ones; empty: those.
    pub ca_file: PathBuf,
}

impl BucketConfig {
    /// The files that it names.
    pub fn files_mut(&mut self) -> [&mut PathBuf; 2] {
        [&mut self.secret_key_file, &mut self.ca_file]
    }

    /// What does not make sense, in words.
    pub fn problem(&self) -> Option<String> {
        if !self.endpoint.is_empty() && endpoint_of(&self.endpoint).is_none() {
            let found = &self.endpoint;
            return Some(format!("s3.endpoint: expected an address such as \"https://minio.example\", got {found:?}"));
        }
        let has_secret = !self.secret_key_file.as_os_str().is_empty();
        (has_secret == self.access_key.is_empty())
            .then(|| "s3.access_key and s3.secret_key_file: expected both, or none".to_owned())
    }

    pub(super) fn region(&self) -> String {
        let told = Some(self.region.clone()).filter(|region| !region.is_empty());
        told.or_else(|| variable(&["AWS_REGION", "AWS_DEFAULT_REGION"])).unwrap_or_else(|| "us-east-1".to_owned())
    }

    /// The address of the store; `None` where it is Amazon's.
    pub(super) fn endpoint(&self) -> Result<Option<Url>, ConnectError> {
        let told = Some(self.endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
        let told = told.or_else(|| variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
        let Some(told) = told else { return Ok(None) };
        let wrong = || ConnectError::Setting {
            setting: "s3.endpoint",
            expected: format!("expected an address such as https://minio.example, got {told:?}"),
        };
        endpoint_of(&told).map(Some).ok_or_else(wrong)
    }

    pub(super) fn credentials(&self) -> Result<Credentials, ConnectError> {
        if !self.access_key.is_empty() {
            let secret = login::read("s3.secret_key_file", &self.secret_key_file)?;
            return Ok(Credentials::new(self.access_key.clone(), secret));
        }
        Credentials::from_env().ok_or_else(|| ConnectError::Setting {
            setting: "s3.access_key",
            expected:
                "expected it and s3.secret_key_file in quarry.toml, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in \
                       the environment"
                    .to_owned(),
        })
    }
}

fn endpoint_of(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain && url.fragment().is_none()).then_some(url)
}

/// The first of the variables of the environment that is set.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_told_by_its_key() {
        assert_eq!(BucketConfig::default().problem(), None);
        let at = |endpoint: &str| BucketConfig { endpoint: endpoint.to_owned(), ..BucketConfig::default() };
        for good in ["https://minio.example", "http://127.0.0.1:9000/", "https://store.example/s3"] {
            assert_eq!(at(good).problem(), None, "{good}");
        }
        for bad in ["minio.example", "ftp://minio.example", "https://me:secret@minio.example", "https://a/?b"] {
            assert!(at(bad).problem().is_some_and(|problem| problem.contains("s3.endpoint")), "{bad}");
        }
        let half = BucketConfig { access_key: "me".to_owned(), ..BucketConfig::default() };
        assert!(half.problem().is_some_and(|problem| problem.contains("s3.secret_key_file")));
    }
}
