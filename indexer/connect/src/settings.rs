//! What is said of a place whose documents are mirrored: its address, how quarry is known there, and how much is taken.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::bucket::bucket_of;
use crate::confluence::is_site;
use crate::error::ConnectError;
use crate::login::Login;

/// Where documents lie, and how they are brought here. As it stands in the configuration file and in the folder of a mirror; it
/// holds no password, only where one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The address; its scheme says what is there: `https` a website, `git+https` or `git` a repository, `webdav+https` a
    /// folder of a WebDAV server, `s3+https` a bucket (`s3+https://STORE/BUCKET/PREFIX`), `mediawiki+https` a wiki,
    /// `confluence+https` Confluence, `imaps` a mailbox (`imap`: encrypted by STARTTLS).
    pub url: String,
    /// The name that quarry is known by there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File of the password of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Variable of the environment that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// File of a token that is sent in the place of name and password (`Authorization: Bearer`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Variable of the environment that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// File of a header line that is sent with every request, such as `Cookie: session=..`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_file: Option<PathBuf>,
    /// Certificates (PEM) that the place's own is signed by, where browsers do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether its host may be at an address that is not public: in the company's network, or on this machine.
    pub allow_private: bool,
    /// Of a repository: the branch; left out: the one that is its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Of a repository: the folder in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Of a bucket: the region of the store; left out: `us-east-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Of Confluence: what becomes of pages that only some people may read there.
    #[serde(skip_serializing_if = "Restrictions::is_usual")]
    pub restrictions: Restrictions,
    /// Of a mailbox: whom its messages are open to.
    #[serde(skip_serializing_if = "MailReaders::is_usual")]
    pub mail_readers: MailReaders,
    /// Where people find a document, with `{path}` in it, where the place itself does not say that (a repository).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Least milliseconds between two requests.
    pub pause_ms: u64,
    /// Files that are kept at the most.
    pub max_files: usize,
    /// MiB of one file.
    pub max_file_mb: u64,
    /// MiB of all files.
    pub max_total_mb: u64,
    /// Of a website: links that lead from its first page to one at the most.
    pub max_depth: usize,
    /// Minutes that one sync takes at the most; the next one goes on with what is not there yet.
    pub max_minutes: u64,
}

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pages that link to each other.
    Website,
    /// A git repository.
    Git,
    /// A folder of a WebDAV server, such as Nextcloud.
    WebDav,
    /// What is in a bucket of an object store, below a prefix.
    Bucket,
    /// The pages and files of a wiki that runs MediaWiki.
    MediaWiki,
    /// The spaces of Confluence, or one of them.
    Confluence,
    /// The messages of a mailbox, by IMAP.
    Mailbox,
}

/// What becomes of pages that only some people may read where they lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restrictions {
    /// They are not fetched.
    #[default]
    LeaveOut,
    /// They are open to the users and groups that are called the same here.
    SameNames,
}

/// Whom the messages of a mailbox are open to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailReaders {
    /// The user who is called as the account that signs in, and nobody else.
    #[default]
    Owner,
    /// Whom the source is open to.
    Source,
}

impl MailReaders {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Restrictions {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            user: None,
            password_file: None,
            password_env: None,
            token_file: None,
            token_env: None,
            header_file: None,
            ca_file: None,
            allow_private: false,
            branch: None,
            folder: None,
            region: None,
            restrictions: Restrictions::default(),
            mail_readers: MailReaders::default(),
            link: None,
            pause_ms: 250,
            max_files: 20_000,
            max_file_mb: 64,
            max_total_mb: 10_240,
            max_depth: 16,
            max_minutes: 240,
        }
    }
}

impl Settings {
    /// An address with nothing else said.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Whether a text is an address of something that can be mirrored, and not the path of a folder.
    pub fn is_address(text: &str) -> bool {
        text.split_once("://").is_some_and(|(scheme, _)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
            !scheme.is_empty() && scheme.chars().all(plain)
        })
    }

    /// What a source is called that is there, where nobody has a name for it: the last of its path that says anything, or its
    /// host.
    pub fn usual_name(&self) -> String {
        let Ok((_, url)) = self.parsed() else { return String::new() };
        let last =
            url.path().trim_matches('/').rsplit('/').next().unwrap_or_default().trim_end_matches(".git").to_owned();
        // What answers programs is called that everywhere.
        let named =
            if last.is_empty() || last == "api.php" { url.host_str().unwrap_or_default().to_owned() } else { last };
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        named.trim_start_matches('.').chars().map(plain).take(64).collect()
    }

    /// What lies there.
    ///
    /// # Errors
    /// [`ConnectError::Address`], [`ConnectError::UserInfo`].
    pub fn kind(&self) -> Result<Kind, ConnectError> {
        self.parsed().map(|(kind, _)| kind)
    }

    /// What lies there, and the address without what says so.
    pub(crate) fn parsed(&self) -> Result<(Kind, Url), ConnectError> {
        // Never with what may be a password in it.
        let no_address = || ConnectError::Address { address: without_user_info(&self.url) };
        let (scheme, _) = self.url.split_once("://").ok_or_else(no_address)?;
        let (kind, bare) = match scheme {
            "http" | "https" => (Kind::Website, self.url.as_str()),
            "git" => (Kind::Git, self.url.as_str()),
            "git+http" | "git+https" | "git+file" => (Kind::Git, &self.url["git+".len()..]),
            "webdav+http" | "webdav+https" => (Kind::WebDav, &self.url["webdav+".len()..]),
            "s3+http" | "s3+https" => (Kind::Bucket, &self.url["s3+".len()..]),
            "mediawiki+http" | "mediawiki+https" => (Kind::MediaWiki, &self.url["mediawiki+".len()..]),
            "imap" | "imaps" => (Kind::Mailbox, self.url.as_str()),
            "confluence+http" | "confluence+https" => (Kind::Confluence, &self.url["confluence+".len()..]),
            _ => return Err(no_address()),
        };
        let url = Url::parse(bare).map_err(|_| no_address())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConnectError::UserInfo);
        }
        let is_nowhere = url.scheme() != "file" && url.host().is_none();
        let is_none = match kind {
            Kind::Bucket => bucket_of(&url).is_none(),
            Kind::Confluence => !is_site(&url),
            _ => false,
        };
        if is_nowhere || is_none {
            return Err(no_address());
        }
        Ok((kind, url))
    }

    /// What makes no sense, if anything; no file is read for it.
    ///
    /// # Errors
    /// The first of it.
    pub fn check(&self) -> Result<(), ConnectError> {
        let (kind, url) = self.parsed()?;
        let wrong = |setting: &'static str, expected: &str| {
            Err(ConnectError::Setting { setting, expected: expected.to_owned() })
        };
        let logins = [
            self.password_file.is_some() || self.password_env.is_some() || self.user.is_some(),
            self.token_file.is_some() || self.token_env.is_some(),
            self.header_file.is_some(),
        ];
        if logins.iter().filter(|is_said| **is_said).count() > 1 {
            return wrong("user, token_file, header_file", "expected one way to be known there, got several");
        }
        if self.password_file.is_some() && self.password_env.is_some() {
            return wrong("password_file, password_env", "expected one of them");
        }
        if self.token_file.is_some() && self.token_env.is_some() {
            return wrong("token_file, token_env", "expected one of them");
        }
        if self.user.is_some() != (self.password_file.is_some() || self.password_env.is_some()) {
            return wrong("user", "expected a user together with password_file or password_env");
        }
        if logins.contains(&true) {
            safe_for_passwords(&url)?;
        }
        if kind != Kind::Git && (self.branch.is_some() || self.folder.is_some()) {
            return wrong("branch, folder", "expected for repositories only (git+https://..)");
        }
        if kind != Kind::Bucket && self.region.is_some() {
            return wrong("region", "expected for buckets only (s3+https://..)");
        }
        if kind == Kind::Mailbox && !logins[0] {
            return wrong("user", "expected user and password_file: those of the mailbox");
        }
        if kind == Kind::Bucket && (logins[1] || logins[2]) {
            return wrong("token_file, header_file", "expected user and password_file: the access key's id and secret");
        }
        if kind != Kind::Confluence && !self.restrictions.is_usual() {
            return wrong("restrictions", "expected for Confluence only (confluence+https://..)");
        }
        if kind != Kind::Mailbox && !self.mail_readers.is_usual() {
            return wrong("mail_readers", "expected for mailboxes only (imaps://..)");
        }
        let is_out = |folder: &String| folder.split('/').any(|part| part == "..") || folder.starts_with('/');
        if self.folder.as_ref().is_some_and(is_out) {
            return wrong("folder", "expected the path of a folder in the repository, such as docs/handbook");
        }
        if self.branch.as_deref().is_some_and(|branch| !is_branch(branch)) {
            return wrong("branch", "expected the name of a branch, such as main");
        }
        if self.link.as_ref().is_some_and(|link| !is_link(link)) {
            return wrong("link", "expected an address that begins with http:// or https:// and has {path} in it");
        }
        let positive = [
            ("max_files", self.max_files as u64),
            ("max_file_mb", self.max_file_mb),
            ("max_total_mb", self.max_total_mb),
            ("max_minutes", self.max_minutes),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((setting, _)) => wrong(setting, "expected at least 1, got 0"),
            None => Ok(()),
        }
    }

    /// How quarry is known there.
    ///
    /// # Errors
    /// A file or variable does not hold what it should.
    pub(crate) fn login(&self) -> Result<Option<Login>, ConnectError> {
        Login::of(self)
    }

    /// The pause between two requests.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }

    /// The files that it names, which are relative to that of the configuration.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.password_file, &mut self.token_file, &mut self.header_file, &mut self.ca_file].into_iter().flatten()
    }

    /// Whether its address is the one that is given, or lies below it.
    pub fn lies_below(&self, address: &str) -> bool {
        let (Ok((kind, url)), Ok((allowed_kind, allowed))) = (self.parsed(), Self::at(address).parsed()) else {
            return false;
        };
        let place =
            |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        let folder = format!("{}/", allowed.path().trim_end_matches('/'));
        let is_below = url.path() == allowed.path() || url.path().starts_with(&folder);
        kind == allowed_kind && place(&url) == place(&allowed) && is_below
    }

    /// Whether it says more than a public address: what is in files or the environment, or in the company's network, is for
    /// whom the server runs as to give away.
    pub fn is_trusting(&self) -> bool {
        let variables = self.password_env.is_some() || self.token_env.is_some();
        let files = [&self.password_file, &self.token_file, &self.header_file, &self.ca_file];
        self.allow_private || variables || files.iter().any(|file| file.is_some()) || self.url.starts_with("git+file:")
    }
}

/// An address without name and password.
fn without_user_info(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Whether a password may be sent there.
fn safe_for_passwords(url: &Url) -> Result<(), ConnectError> {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    // Mail servers are told nothing before the connection is encrypted.
    if matches!(url.scheme(), "https" | "imap" | "imaps") || is_here {
        return Ok(());
    }
    Err(ConnectError::Unencrypted { host: url.host_str().unwrap_or_default().to_owned() })
}

/// Whether it can be a branch, and nothing that git takes for anything else.
fn is_branch(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\@{".contains(c);
    let parts = || name.split('/');
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('-')
        && !name.chars().any(is_odd)
        && !name.contains("..")
        && parts().all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
        && !name.ends_with('.')
}

fn is_link(link: &str) -> bool {
    let is_web = ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme));
    is_web && link.contains("{path}") && Url::parse(&link.replace("{path}", "x")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::at("https://wiki.example/docs/");
        change(&mut settings);
        settings.check().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_scheme_says_what_is_there() {
        for (url, kind, bare) in [
            ("https://wiki.example/docs/", Kind::Website, "https://wiki.example/docs/"),
            ("http://wiki.example", Kind::Website, "http://wiki.example/"),
            ("git+https://git.example/wiki.git", Kind::Git, "https://git.example/wiki.git"),
            ("git://git.example/wiki.git", Kind::Git, "git://git.example/wiki.git"),
            ("git+file:///srv/wiki.git", Kind::Git, "file:///srv/wiki.git"),
            ("webdav+https://cloud.example/dav/", Kind::WebDav, "https://cloud.example/dav/"),
            ("s3+https://minio.example/handbook/de/", Kind::Bucket, "https://minio.example/handbook/de/"),
            ("mediawiki+https://wiki.example/w/api.php", Kind::MediaWiki, "https://wiki.example/w/api.php"),
            ("confluence+https://a.example/wiki", Kind::Confluence, "https://a.example/wiki"),
            ("imaps://mail.example/INBOX", Kind::Mailbox, "imaps://mail.example/INBOX"),
        ] {
            let (found, parsed) = Settings::at(url).parsed().unwrap();
            assert_eq!((found, parsed.as_str()), (kind, bare), "{url}");
            assert!(Settings::is_address(url));
        }
        for wrong in [
            "",
            "wiki.example",
            "ftp://wiki.example/",
            "https://",
            "file:///etc",
            "s3+https://minio.example",
            "javascript:alert(1)",
        ] {
            let error = Settings::at(wrong).check().unwrap_err().to_string();
            assert!(error.contains("expected an address such as https://"), "{wrong}: {error}");
        }
        assert!(
            !Settings::is_address("/srv/wiki") && !Settings::is_address("wiki") && !Settings::is_address("a b://c")
        );
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        for url in [
            "https://me:hunter2@wiki.example/",
            "git+https://me:hunter2@git.example/a.git",
            "https://hunter2@wiki.example/",
            "ftp://me:hunter2@files.example/",
            "https://me:hunter2@",
        ] {
            let error = Settings::at(url).check().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error:?}");
        }
        let error = Settings::at("https://me:hunter2@wiki.example/").check().unwrap_err().to_string();
        assert!(error.contains("password_file"), "{error}");
    }

    #[test]
    fn only_what_lies_below_is_below() {
        let below = |url: &str, allowed: &str| Settings::at(url).lies_below(allowed);
        for (url, allowed) in [
            ("https://a.example/docs/", "https://a.example"),
            ("https://a.example/docs/b?c", "https://a.example/docs"),
            ("git+https://a.example/b.git", "git+https://a.example/"),
        ] {
            assert!(below(url, allowed), "{url} {allowed}");
        }
        for (url, allowed) in [
            ("https://a.example/docs2", "https://a.example/docs"),
            ("https://a.example/docs/../secret", "https://a.example/docs/"),
            ("https://a.example.evil.example/", "https://a.example"),
            ("http://a.example/", "https://a.example"),
            ("https://a.example:8443/", "https://a.example"),
            ("git+https://a.example/", "https://a.example"),
            ("nonsense", "https://a.example"),
        ] {
            assert!(!below(url, allowed), "{url} {allowed}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_what_would() {
        assert_eq!(fault(|_| ()), "");
        let file = || Some(PathBuf::from("/secret"));
        for (expected, change) in [
            (
                "one way",
                (|s| {
                    s.token_env = Some("T".into());
                    s.header_file = Some("/h".into())
                }) as fn(&mut Settings),
            ),
            ("together with password_file", |s| s.user = Some("me".into())),
            ("together with password_file", |s| s.password_env = Some("P".into())),
            ("buckets only", |s| s.region = Some("eu-1".into())),
            ("Confluence only", |s| s.restrictions = Restrictions::SameNames),
            ("mailboxes only", |s| s.mail_readers = MailReaders::Source),
            ("those of the mailbox", |s| s.url = "imaps://mail.example/".into()),
            ("repositories only", |s| s.branch = Some("main".into())),
            ("max_files: expected at least 1", |s| s.max_files = 0),
            ("has {path} in it", |s| s.link = Some("https://a.example/".into())),
            ("has {path} in it", |s| s.link = Some("javascript:{path}".into())),
        ] {
            let error = fault(change);
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let open = fault(|settings| {
            settings.url = "http://wiki.example/".into();
            settings.token_file = file();
        });
        assert!(open.contains("unencrypted; use https"), "{open}");
        assert_eq!(
            fault(|s| {
                s.url = "http://127.0.0.1:8000/".into();
                s.token_file = file()
            }),
            ""
        );
        for branch in ["main", "release/1.2", "grün"] {
            assert_eq!(
                fault(|s| {
                    s.url = "git://a.example/b".into();
                    s.branch = Some(branch.into())
                }),
                "",
                "{branch}"
            );
        }
        for branch in ["", "--upload-pack=x", "a..b", "a b", "a:b", "a/.b", "a.lock", "@{u}"] {
            let error = fault(|s| {
                s.url = "git://a.example/b".into();
                s.branch = Some(branch.into())
            });
            assert!(error.contains("name of a branch"), "{branch}: {error}");
        }
    }

    #[test]
    fn what_is_written_down_is_read_again_and_holds_no_password() {
        let slow = Settings { pause_ms: 2_000, ..Settings::at("https://wiki.example/") };
        let text = serde_json::to_string(&slow).unwrap();
        assert!(!text.contains("password"), "{text}");
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), slow);
        let short = serde_json::from_str::<Settings>(r#"{"url":"https://wiki.example/"}"#).unwrap();
        assert_eq!(short, Settings::at("https://wiki.example/"));
        assert!(serde_json::from_str::<Settings>(r#"{"url":"https://a/","password":"x"}"#).is_err());
    }
}
