//! Websites: pages that are found from the first one by links, and by sitemaps, below one address of one host.
//!
//! A site is asked as a guest should: what its robots.txt forbids is not fetched, `noindex` and `nofollow` are heeded, a page
//! that says which other one it is a copy of is left to that one, requests come one at a time with a pause, and what has not
//! changed is not sent again (`If-None-Match`, `If-Modified-Since`). Sites without end (calendars, links that go round and grow)
//! end at bounds.

mod address;
mod page;
mod robots;
mod scope;
mod sitemap;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use formats::{Family, Format};
use ureq::http::HeaderMap;
use url::Url;

use self::page::Page;
use self::robots::Robots;
use self::scope::Scope;
use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::http::{AGENT, Answer, Ask, Client, host_of, refused, second_of, text_of};
use crate::settings::Settings;

/// Bytes of a robots.txt that are read.
const MAX_ROBOTS: u64 = 1 << 20;
/// Bytes of a page that are looked through for links.
const MAX_LINKED: usize = 16 << 20;
/// Redirects in a row that are followed.
const MAX_HOPS: usize = 8;
/// Addresses that differ in their query alone: beyond, they are a calendar or a search.
const MAX_QUERIES: usize = 200;
/// The longest pause that a robots.txt can ask for.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// Addresses that are visited for each file that may be kept.
const VISITS: usize = 4;

/// A website.
pub(crate) struct Website {
    client: Client,
    scope: Scope,
    start: Url,
    /// `None` until it was read.
    robots: Option<Robots>,
    queue: VecDeque<Visit>,
    /// What was named last, and is fetched next.
    current: Option<Visit>,
    /// Every address that was ever in the queue.
    seen: HashSet<String>,
    /// How many addresses with a query were in it, by what stands before the query.
    queries: HashMap<String, usize>,
    /// Pages that were left to others that they are copies of.
    copies: HashSet<String>,
    max_depth: usize,
    max_visits: usize,
    left_out: Option<String>,
    /// Why there is nothing to be found from the first page.
    fatal: Option<ConnectError>,
}

/// An address that is to be visited.
#[derive(Debug, Clone)]
struct Visit {
    url: Url,
    /// Links that lead to it.
    depth: usize,
    /// Redirects that lead to it.
    hops: usize,
    /// When it was changed last, as a sitemap says.
    changed: Option<i64>,
}

impl Website {
    /// The site at an address.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, start: Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        let client = Client::new(settings, &start, stop)?;
        let start = address::plain(start);
        Ok(Self {
            client,
            scope: Scope::of(&start),
            start,
            robots: None,
            queue: VecDeque::new(),
            current: None,
            seen: HashSet::new(),
            queries: HashMap::new(),
            copies: HashSet::new(),
            max_depth: settings.max_depth,
            max_visits: settings.max_files.saturating_mul(VISITS),
            left_out: None,
            fatal: None,
        })
    }

    /// Reads what the site says to guests, and where it lists its pages.
    fn begin(&mut self) -> Result<(), ConnectError> {
        let robots = self.read_robots()?;
        if !robots.allows(&self.start) {
            return Err(self.nonsense(format!(
                "its robots.txt does not let {AGENT} fetch {}; ask whoever keeps it for a group of its own",
                self.start
            )));
        }
        if let Some(delay) = robots.delay() {
            self.client.pace.slow_to(delay.min(MAX_DELAY));
        }
        let sitemaps = robots.sitemaps().to_vec();
        self.robots = Some(robots);
        self.add(Visit { url: self.start.clone(), depth: 0, hops: 0, changed: None });
        let client = &mut self.client;
        let sitemap::Sitemaps { listed, left_out } = sitemap::read(client, &self.start, &sitemaps, self.max_visits)?;
        self.left_out = left_out;
        for sitemap::Listed { url, changed } in listed {
            self.add(Visit { url: address::plain(url), depth: 1, hops: 0, changed });
        }
        Ok(())
    }

    fn read_robots(&mut self) -> Result<Robots, ConnectError> {
        let nonsense = |_| ConnectError::Address { address: self.start.to_string() };
        let mut url = self.start.join("/robots.txt").map_err(nonsense)?;
        for _ in 0..MAX_HOPS {
            let answer = self.client.get(&url, MAX_ROBOTS)?;
            match answer.status {
                200..300 => return Ok(Robots::parse(&answer.body, AGENT)),
                300..400 => match target(&url, &answer).filter(|to| to.origin() == url.origin()) {
                    Some(to) => url = to,
                    None => break,
                },
                // What cannot be had because of the site's fault forbids everything (RFC 9309, 2.3.1.4).
                500.. => return Err(refused(&url, answer.status)),
                _ => break,
            }
        }
        Ok(Robots::default())
    }

    /// Puts an address into the queue, unless it was there, lies outside, or is one of too many.
    fn add(&mut self, visit: Visit) -> bool {
        let Visit { url, depth, .. } = &visit;
        let is_allowed = self.robots.as_ref().is_some_and(|robots| robots.allows(url));
        if *depth > self.max_depth || !self.scope.holds(url) || !is_allowed || address::is_trap(url) {
            return false;
        }
        if self.seen.contains(url.as_str()) {
            return false;
        }
        if url.query().is_some() {
            let alike = self.queries.entry(url.path().to_owned()).or_default();
            *alike += 1;
            if *alike > MAX_QUERIES {
                return false;
            }
        }
        if self.seen.len() >= self.max_visits {
            let most = self.max_visits;
            self.left_out
                .get_or_insert_with(|| format!("more than {most} addresses were found ({VISITS} x max_files)"));
            return false;
        }
        self.seen.insert(url.to_string());
        self.queue.push_back(visit);
        true
    }

    /// Follows the links of a page.
    fn follow(&mut self, page: &Page, depth: usize) {
        if page.is_nofollow {
            return;
        }
        for url in &page.links {
            self.add(Visit { url: address::plain(url.clone()), depth: depth + 1, hops: 0, changed: None });
        }
    }

    /// Follows the links of the page that the mirror has: its news may be missing, what it leads to is not.
    fn follow_known(&mut self, visit: &Visit, known: Option<&Known>) {
        let is_page = |known: &&Known| known.file.extension().is_some_and(|ending| ending == "html" || ending == "htm");
        let Some(bytes) = known.filter(is_page).and_then(|known| fs::read(&known.file).ok()) else { return };
        let page = Page::read(&bytes[..bytes.len().min(MAX_LINKED)], &visit.url);
        self.follow(&page, visit.depth);
    }

    fn nonsense(&self, reason: String) -> ConnectError {
        ConnectError::Nonsense { host: host_of(&self.start), reason }
    }

    fn visit(&mut self, visit: &Visit, known: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        let version = known.and_then(|known| known.version.as_deref());
        let mut headers = vec![("accept", "text/html, application/xhtml+xml, */*;q=0.8")];
        if let Some(tag) = version.and_then(|version| version.strip_prefix("etag:")) {
            headers.push(("if-none-match", tag));
        } else if let Some(moment) = version.and_then(|version| version.strip_prefix("modified:")) {
            headers.push(("if-modified-since", moment));
        }
        let ask = Ask { headers, ..Ask::default() };
        let file_name = address::file_name(&visit.url);
        let wanted =
            |status: u16, headers: &HeaderMap| (200..300).contains(&status) && form_of(headers, &file_name).is_some();
        let answer = self.client.ask(&visit.url, &ask, most, wanted)?;
        match answer.status {
            200..300 => Ok(self.content(visit, answer)),
            304 if known.is_some() => {
                self.follow_known(visit, known);
                Ok(Fetched::Unchanged)
            }
            300..400 => self.redirected(visit, &answer),
            404 | 410 if !self.is_start(visit) => Ok(Fetched::Gone),
            status => Err(refused(&visit.url, status)),
        }
    }

    fn is_start(&self, visit: &Visit) -> bool {
        visit.depth == 0
    }

    fn redirected(&mut self, visit: &Visit, answer: &Answer) -> Result<Fetched, ConnectError> {
        let Some(url) = target(&visit.url, answer) else {
            return Err(self.nonsense(format!("{} sends elsewhere, and does not say where", visit.url)));
        };
        let url = address::plain(url);
        let is_within = self.scope.holds(&url);
        if !is_within && self.is_start(visit) {
            return Err(self
                .nonsense(format!("it sends to {url}, which is not below the address of the source; give that one")));
        }
        if visit.hops >= MAX_HOPS {
            return Err(self.nonsense(format!("{} is the end of more than {MAX_HOPS} redirects", visit.url)));
        }
        let told = format!("it sends to {url}");
        // As near to the first page as what sends there.
        self.add(Visit { url, hops: visit.hops + 1, ..visit.clone() });
        Ok(Fetched::Unwanted(told))
    }

    fn content(&mut self, visit: &Visit, answer: Answer) -> Fetched {
        let file_name = address::file_name(&visit.url);
        let Some(form) = form_of(&answer.headers, &file_name) else {
            let kind = answer.header("content-type").unwrap_or("no type");
            return Fetched::Unwanted(format!("{kind} is not read"));
        };
        let said = robots::header(&answer.headers, AGENT);
        if form == Form::Page {
            let mut page = Page::read(&answer.body[..answer.body.len().min(MAX_LINKED)], &visit.url);
            page.is_nofollow |= said.is_nofollow;
            page.is_noindex |= said.is_noindex;
            self.follow(&page, visit.depth);
            if page.is_noindex {
                return Fetched::Unwanted("it says noindex".to_owned());
            }
            if let Some(original) = self.original(visit, &page) {
                return Fetched::Unwanted(format!("it is a copy of {original}"));
            }
        } else if said.is_noindex {
            return Fetched::Unwanted("it says noindex".to_owned());
        }
        let tag = answer.header("etag").map(|tag| format!("etag:{tag}"));
        let modified = answer.header("last-modified");
        let remote = Remote {
            id: visit.url.to_string(),
            name: address::name(&visit.url, form.ending(&file_name)),
            version: tag.or_else(|| modified.map(|moment| format!("modified:{moment}"))),
            url: Some(visit.url.to_string()),
            date: modified.and_then(second_of).or(visit.changed),
            access: None,
        };
        Fetched::Content { bytes: answer.body, remote }
    }

    /// The page that this one is a copy of, by its own word, if that one is fetched in its place.
    fn original(&mut self, visit: &Visit, page: &Page) -> Option<Url> {
        let original = address::plain(page.canonical.clone()?);
        if original == visit.url || !self.scope.holds(&original) || self.copies.contains(original.as_str()) {
            return None;
        }
        let is_new = self.add(Visit { url: original.clone(), depth: visit.depth, hops: 0, changed: visit.changed });
        if !is_new && !self.seen.contains(original.as_str()) {
            return None;
        }
        self.copies.insert(visit.url.to_string());
        Some(original)
    }
}

impl Connector for Website {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        if self.robots.is_none() {
            self.begin()?;
        }
        if let Some(fatal) = self.fatal.take() {
            return Err(fatal);
        }
        self.current = self.queue.pop_front();
        let Some(Visit { url, .. }) = &self.current else { return Ok(None) };
        let name = address::name(url, None);
        Ok(Some(Remote::new(url.as_str(), name).at(url.as_str())))
    }

    fn fetch(&mut self, remote: &Remote, known: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        let Some(visit) = self.current.take().filter(|visit| visit.url.as_str() == remote.id) else {
            return Err(self.nonsense(format!("{} was not named", remote.id)));
        };
        let fetched = self.visit(&visit, known, most);
        match fetched {
            // Without the first page there may be no way to any other, which must not be taken for gone.
            Err(error) if self.is_start(&visit) && self.queue.is_empty() => {
                self.fatal = Some(error);
                Err(self.nonsense("its first page cannot be had".to_owned()))
            }
            Err(error) => {
                self.follow_known(&visit, known);
                Err(error)
            }
            fetched => fetched,
        }
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }
}

/// What is done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A page with links.
    Page,
    /// A document of another format.
    Document(&'static Format),
}

impl Form {
    /// The ending that a file of it is given, where its name has none that says what it is.
    fn ending(self, file_name: &str) -> Option<&'static str> {
        let named = Format::of_file(file_name);
        match self {
            Self::Page if named.is_some_and(|format| format.name == "html") => None,
            Self::Page => Some("html"),
            Self::Document(_) if named.is_some() => None,
            Self::Document(format) => format.extensions.first().copied(),
        }
    }
}

/// What an answer is by its headers and its name, where quarry reads it.
fn form_of(headers: &HeaderMap, file_name: &str) -> Option<Form> {
    let said = text_of(headers, "content-type").unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(essence.as_str(), "text/html" | "application/xhtml+xml") {
        return Some(Form::Page);
    }
    let named = Format::of_file(file_name);
    let format = match essence.as_str() {
        "" | "application/octet-stream" | "binary/octet-stream" | "text/plain" => {
            named.or_else(|| Format::of_media_type(&essence))
        }
        other => Format::of_media_type(other),
    };
    // Scripts and styles, pictures and archives are no documents of a site.
    format.filter(|format| matches!(format.family, Family::Prose | Family::Lines)).map(Form::Document)
}

/// Where an answer sends.
fn target(from: &Url, answer: &Answer) -> Option<Url> {
    from.join(answer.header("location")?.trim()).ok()
}

#[cfg(test)]
mod tests;
