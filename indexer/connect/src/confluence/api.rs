//! What Confluence is asked, and how it answers: the first version of its interface (`/rest/api`), of which the Cloud has kept
//! the search and the restrictions, and the second one (`/api/v2`) for the text of pages there.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use url::Url;

use super::address::is_cloud;
use super::content::Kind;
use crate::error::{ConnectError, shown};
use crate::http::{Answer, Ask, Client, host_of, refused};
use crate::json::{json_of, link, text};
use crate::settings::Settings;

/// Pages that are asked for at once; Confluence may give fewer.
const AT_ONCE: &str = "100";
/// What lists tell of each page.
const TOLD: &str = "version,space,restrictions.read.restrictions.user,restrictions.read.restrictions.group,ancestors,\
    ancestors.restrictions.read.restrictions.user,ancestors.restrictions.read.restrictions.group,children.attachment,\
    children.attachment.version";
/// Bytes of an answer about who asks.
const MAX_USER: u64 = 1 << 20;
/// Redirects that lead to a file.
const MAX_HOPS: usize = 4;
/// Where the Cloud keeps files, to which it leads with addresses that need no login.
const MEDIA: &str = "https://api.media.atlassian.com";
/// Where a page for people came in the place of an answer.
const PAGE_CURE: &str = "look whether the address is that of Confluence itself (in the Cloud it ends in /wiki), and whether \
                         something in front of it asks people to sign in";

/// Confluence's interface for programs.
pub(super) struct Api {
    client: Client,
    root: Url,
    /// Whether pages are found by the search: in the Cloud there is no other list any more that tells of restrictions.
    by_search: bool,
    is_somebody: bool,
}

/// What came of a question.
pub(super) enum Heard {
    Told(Value),
    Refused { status: u16, said: String },
}

impl Api {
    /// Confluence at an address.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(super) fn new(settings: &Settings, root: Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        let client = Client::new(settings, &root, stop)?;
        let is_somebody = settings.login()?.is_some();
        let by_search = is_cloud(&root);
        Ok(Self { client, root, by_search, is_somebody })
    }

    /// Makes sure that whoever asks is known: to strangers Confluence shows what is open to everybody, which would take the rest
    /// for gone.
    ///
    /// # Errors
    /// Who asks is not known, or nobody answers.
    pub(super) fn begin(&mut self) -> Result<(), ConnectError> {
        if !self.is_somebody {
            return Ok(());
        }
        let url = self.below("/rest/api/user/current", &[]);
        match self.hear(&url, MAX_USER)? {
            Heard::Told(told) if text(&told, &["type"]) == Some("anonymous") => {
                Err(self.refusal(401, "it takes us for a stranger"))
            }
            Heard::Refused { status: 401, said } => Err(self.refusal(401, &said)),
            // Tokens for some things only may not ask that.
            _ => Ok(()),
        }
    }

    /// The first part of the list of pages, or of blog posts.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn first(&mut self, kind: Kind, space: Option<&str>, most: u64) -> Result<Value, ConnectError> {
        if !self.by_search {
            let mut pairs = vec![("type", kind.name()), ("status", "current"), ("limit", AT_ONCE), ("expand", TOLD)];
            pairs.extend(space.map(|key| ("spaceKey", key)));
            let url = self.below("/rest/api/content", &pairs);
            match self.hear(&url, most)? {
                Heard::Told(told) => return Ok(told),
                // Switched off where it takes a server too long, as its makers have at theirs.
                Heard::Refused { status: 404 | 405 | 410 | 501, .. } => self.by_search = true,
                Heard::Refused { status, said } => return Err(self.refusal(status, &said)),
            }
        }
        let within = space.map(|key| format!(" and space = \"{key}\"")).unwrap_or_default();
        let query = format!("type = {}{within} order by created", kind.name());
        let url = self.below("/rest/api/content/search", &[("cql", &query), ("limit", AT_ONCE), ("expand", TOLD)]);
        match self.hear(&url, most)? {
            Heard::Told(told) => Ok(told),
            Heard::Refused { status: 400 | 404, said } if space.is_some() => Err(self.no_space(space, &said)),
            Heard::Refused { status, said } => Err(self.refusal(status, &said)),
        }
    }

    /// A page with its text.
    ///
    /// # Errors
    /// Nobody answers.
    pub(super) fn page(&mut self, kind: Kind, id: &str, most: u64) -> Result<Heard, ConnectError> {
        let url = if self.by_search {
            self.below(&format!("/api/v2/{}s/{id}", kind.name()), &[("body-format", "storage")])
        } else {
            self.below(&format!("/rest/api/content/{id}"), &[("expand", "body.storage,version")])
        };
        let heard = self.hear(&url, most)?;
        // A Data Center whose list is switched off has no second version.
        match heard {
            Heard::Refused { status: 404, .. } if self.by_search && !is_cloud(&self.root) => {
                let url = self.below(&format!("/rest/api/content/{id}"), &[("expand", "body.storage,version")]);
                self.hear(&url, most)
            }
            heard => Ok(heard),
        }
    }

    /// The restrictions on reading something; `None` where they are not told.
    ///
    /// # Errors
    /// Nobody answers.
    pub(super) fn restrictions(&mut self, id: &str, most: u64) -> Result<Option<Value>, ConnectError> {
        let path = format!("/rest/api/content/{id}/restriction/byOperation/read");
        let url = self.below(&path, &[("expand", "restrictions.user,restrictions.group")]);
        match self.hear(&url, most) {
            Ok(Heard::Told(told)) => Ok(Some(told)),
            Ok(Heard::Refused { .. }) => Ok(None),
            Err(error) if error.is_passing() || error.ends_sync() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// What a question must have for an answer.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn wanted(&mut self, url: &Url, most: u64) -> Result<Value, ConnectError> {
        match self.hear(url, most)? {
            Heard::Told(told) => Ok(told),
            Heard::Refused { status, said } => Err(self.refusal(status, &said)),
        }
    }

    /// The content of a file; `None` where it is gone.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) fn download(&mut self, lies: &str, most: u64, is_page: bool) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut url = self.behind(lies)?;
        for _ in 0..MAX_HOPS {
            let answer = self.client.get(&url, most)?;
            match answer.status {
                200..=299 if !is_page && is_html(&answer) => {
                    return Err(self.nonsense(format!("{} is a page for people and not the file", bare(&url))));
                }
                200..=299 => return Ok(Some(answer.body)),
                300..=399 => {
                    let target = answer.header("location").and_then(|to| url.join(to.trim()).ok());
                    let Some(to) = target.filter(|to| self.may_lead(to)) else {
                        return Err(refused(&bare(&url), answer.status));
                    };
                    url = to;
                }
                404 | 410 => return Ok(None),
                status => return Err(refused(&bare(&url), status)),
            }
        }
        Err(self.nonsense(format!("{} is the end of more than {MAX_HOPS} redirects", bare(&url))))
    }

    /// Whether a file may be fetched from there: the login goes to Confluence itself alone.
    fn may_lead(&self, to: &Url) -> bool {
        let is_media = Url::parse(MEDIA).is_ok_and(|media| media.origin() == to.origin());
        to.origin() == self.root.origin() || is_cloud(&self.root) && is_media
    }

    /// The address that an answer leads on to, which must be Confluence's own.
    ///
    /// # Errors
    /// It is another's.
    pub(super) fn behind(&self, next: &str) -> Result<Url, ConnectError> {
        let own = self.root.path().trim_end_matches('/');
        let is_whole = next.contains("://") || !own.is_empty() && next.starts_with(&format!("{own}/"));
        let url = if is_whole { self.root.join(next).ok() } else { self.joined(next) };
        url.filter(|url| url.origin() == self.root.origin())
            .ok_or_else(|| self.nonsense(format!("it leads on to {:?}, which is not below its address", shown(next))))
    }

    /// The address for people of something, below what Confluence calls its own address.
    pub(super) fn link(&self, base: Option<&str>, webui: &str) -> Option<String> {
        let base = base.and_then(|base| Url::parse(base).ok()).filter(|base| matches!(base.scheme(), "http" | "https"));
        let base = base.unwrap_or_else(|| self.root.clone());
        link(&base, &format!("{}/{}", base.path().trim_end_matches('/'), webui.trim_start_matches('/')))
    }

    pub(super) fn nonsense(&self, reason: String) -> ConnectError {
        ConnectError::Nonsense { host: host_of(&self.root), reason }
    }

    /// What to do where nothing is to be seen.
    pub(super) fn nothing(&self, space: Option<&str>) -> ConnectError {
        match space {
            Some(_) => self.no_space(space, "it lists no page there"),
            None => self.nonsense(
                "it lists no page; give user and password_file (in the Cloud an address and an API token) or token_file, and let \
                 that account read the spaces"
                    .to_owned(),
            ),
        }
    }

    fn no_space(&self, space: Option<&str>, said: &str) -> ConnectError {
        let key = space.unwrap_or_default();
        let said = shown(said);
        self.nonsense(format!(
            "there is no space {key:?}, it is empty, or whoever asks may not read it ({said}); check its key and the rights there"
        ))
    }

    /// What to do about a refusal.
    pub(super) fn refusal(&self, status: u16, said: &str) -> ConnectError {
        let cure = match status {
            401 => {
                "it does not know who asks; in the Cloud user is an e-mail address and password_file holds an API token, at Data \
                 Center token_file holds a personal access token; look whether it still holds"
            }
            403 => "whoever asks may not do that; let the account use Confluence and read the space",
            404 | 410 => "check the address: that of Confluence itself, which ends in /wiki in the Cloud",
            _ => "check the address",
        };
        let said = if said.is_empty() { String::new() } else { format!(" ({})", shown(said)) };
        self.nonsense(format!("it answers {status}{said}; {cure}"))
    }

    fn hear(&mut self, url: &Url, most: u64) -> Result<Heard, ConnectError> {
        let ask = Ask { headers: vec![("accept", "application/json")], ..Ask::default() };
        let answer = self.client.ask(url, &ask, most, |status, _| !(300..400).contains(&status))?;
        match answer.status {
            200..=299 => Ok(Heard::Told(json_of(url, &answer, "Confluence", PAGE_CURE)?)),
            300..=399 => Err(refused(&bare(url), answer.status)),
            status => {
                let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
                let said = told.as_ref().and_then(|told| text(told, &["message"])).unwrap_or_default();
                Ok(Heard::Refused { status, said: said.to_owned() })
            }
        }
    }

    fn below(&self, path: &str, pairs: &[(&str, &str)]) -> Url {
        let mut url = self.root.clone();
        url.set_path(&format!("{}{path}", self.root.path().trim_end_matches('/')));
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }

    fn joined(&self, next: &str) -> Option<Url> {
        let own = self.root.path().trim_end_matches('/');
        self.root.join(&format!("{own}/{}", next.trim_start_matches('/'))).ok()
    }
}

fn is_html(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
}

/// An address without what may let somebody in.
fn bare(url: &Url) -> Url {
    let mut bare = url.clone();
    bare.set_query(None);
    bare
}
