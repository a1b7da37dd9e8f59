//! A wiki that runs MediaWiki, by the interface that it has for programs (`api.php`).
//!
//! All pages of the namespaces that the wiki calls its content are listed, and the files that were uploaded. A page's version is
//! its last revision, so that only what was changed is asked for again. Its text is what the wiki makes of it (HTML), not what
//! its authors wrote: templates and tables say in the wikitext how they are called, and in the HTML what they say.
//! Redirects are no documents. Whatever account asks, what it may read is what is fetched.

mod api;
mod discovery;
mod listing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use formats::{Family, Format};
use serde_json::Value;
use url::Url;

use self::api::{Api, Called, Fault};
use self::listing::{Batch, List};
use crate::article::article;
use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::http::refused;
use crate::json::{number, text};
use crate::settings::Settings;

/// Pages and files that are named for each file that may be kept.
const NAMED: usize = 4;
/// Bytes of an answer beyond the text in it.
const AROUND: u64 = 1 << 20;

/// A wiki.
pub(crate) struct MediaWiki {
    api: Api,
    /// Lists that are still to be gone through; `None` until it is known which.
    lists: Option<VecDeque<List>>,
    batch: Batch,
    ready: VecDeque<Remote>,
    named: usize,
    most_named: usize,
    left_out: Option<String>,
}

impl MediaWiki {
    /// The wiki at an address: that of its `api.php`, or of any page.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, url: Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        Ok(Self {
            api: Api::new(settings, url, stop)?,
            lists: None,
            batch: Batch::default(),
            ready: VecDeque::new(),
            named: 0,
            most_named: settings.max_files.saturating_mul(NAMED),
            left_out: None,
        })
    }

    /// Finds out what there is to be listed.
    fn begin(&mut self) -> Result<(), ConnectError> {
        self.api.begin()?;
        let asked = [("action", "query"), ("meta", "siteinfo"), ("siprop", "general|namespaces")];
        let told = self.api.wanted(&asked, listing::MOST)?;
        let spaces = listing::content_namespaces(&told)
            .ok_or_else(|| self.api.nonsense("its api.php does not say which namespaces it has".to_owned()))?;
        let mut lists: VecDeque<List> = spaces.into_iter().map(List::pages).collect();
        lists.push_back(List::files());
        self.lists = Some(lists);
        Ok(())
    }

    /// Asks for more of a list, and puts it back unless that was all of it.
    fn list(&mut self, mut list: List) -> Result<(), ConnectError> {
        let called = self.api.call(&list.query(), listing::MOST)?;
        let told = match called {
            Called::Told(told) => told,
            Called::Fault(fault) if list.is_of_files() => {
                self.leave_out(format!("its uploaded files cannot be listed ({fault})"));
                return Ok(());
            }
            Called::Fault(fault) => return Err(self.api.refusal(&fault)),
        };
        let is_more = list.go_on(&told).map_err(|reason| self.api.nonsense(reason))?;
        self.batch.take(&told);
        if !is_more || listing::is_batch_whole(&told) {
            let (home, items) = (self.api.url().clone(), std::mem::take(&mut self.batch));
            self.ready.extend(items.into_remotes(&home, list.is_of_files()));
        }
        if let Some(lists) = self.lists.as_mut().filter(|_| is_more) {
            lists.push_front(list);
        }
        Ok(())
    }

    fn leave_out(&mut self, why: String) {
        self.left_out.get_or_insert(why);
    }

    fn page(&mut self, remote: &Remote, id: &str, most: u64) -> Result<Fetched, ConnectError> {
        let asked = [
            ("action", "parse"),
            ("pageid", id),
            ("prop", "text|revid"),
            ("disableeditsection", "1"),
            ("disabletoc", "1"),
            ("disablelimitreport", "1"),
        ];
        // Quotes and line ends are written with a sign more.
        let told = match self.api.call(&asked, most.saturating_mul(2).saturating_add(AROUND))? {
            Called::Told(told) => told,
            Called::Fault(Fault { code, .. }) if matches!(code.as_str(), "nosuchpageid" | "missingtitle") => {
                return Ok(Fetched::Gone);
            }
            Called::Fault(fault) => return Err(self.api.refusal(&fault)),
        };
        let parsed = text(&told, &["parse", "text"]).or_else(|| text(&told, &["parse", "text", "*"]));
        let html = parsed.ok_or_else(|| self.api.nonsense("it does not say what stands on the page".to_owned()))?;
        let title = text(&told, &["parse", "title"]).unwrap_or_default();
        let bytes = article(title, None, html);
        if bytes.len() as u64 > most {
            return Err(ConnectError::TooLarge { most });
        }
        let revision = number(&told, &["parse", "revid"]).filter(|revision| *revision > 0);
        let version = revision.map(|revision| revision.to_string()).or_else(|| remote.version.clone());
        Ok(Fetched::Content { bytes, remote: Remote { version, ..remote.clone() } })
    }

    fn file(&mut self, remote: &Remote, url: &str, most: u64) -> Result<Fetched, ConnectError> {
        let Some(format) = Format::of_file(&remote.name).filter(|format| is_document(format)) else {
            return Ok(Fetched::Unwanted("it is no document".to_owned()));
        };
        let url = Url::parse(url).ok().filter(|url| url.origin() == self.api.url().origin());
        let Some(url) = url else {
            return Ok(Fetched::Unwanted("it lies at another host".to_owned()));
        };
        let answer = self.api.get(&url, most)?;
        let is_page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        match answer.status {
            200..=299 if is_page && format.name != "html" => {
                Err(self.api.nonsense(format!("{url} is a page for people and not the file")))
            }
            200..=299 => Ok(Fetched::Content { bytes: answer.body, remote: remote.clone() }),
            404 | 410 => Ok(Fetched::Gone),
            status => Err(refused(&url, status)),
        }
    }
}

impl Connector for MediaWiki {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        if self.lists.is_none() {
            self.begin()?;
        }
        loop {
            if let Some(remote) = self.ready.pop_front() {
                self.named += 1;
                return Ok(Some(remote));
            }
            if self.named >= self.most_named {
                self.leave_out(format!(
                    "more than {} pages and files were listed ({NAMED} x max_files)",
                    self.most_named
                ));
                return Ok(None);
            }
            let Some(list) = self.lists.as_mut().and_then(VecDeque::pop_front) else { return Ok(None) };
            self.list(list)?;
        }
    }

    fn fetch(&mut self, remote: &Remote, _: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        match remote.id.split_once(':') {
            Some(("page", id)) => self.page(remote, id, most),
            Some(("file", url)) => self.file(remote, url, most),
            _ => Ok(Fetched::Unwanted("it is neither a page nor a file".to_owned())),
        }
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }
}

/// Whether files of a format are read for their text.
fn is_document(format: &Format) -> bool {
    matches!(format.family, Family::Prose | Family::Lines)
}

/// Whether something is said of a thing: `true`, or in answers of old wikis an empty text.
fn is_said(value: &Value, name: &str) -> bool {
    value.get(name).is_some_and(|said| said.as_bool() != Some(false))
}

#[cfg(test)]
mod tests;
