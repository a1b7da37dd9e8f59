//! What a wiki lists: its content namespaces, and pages and files batch by batch. An answer may hold a part of what is asked of
//! each page; the rest comes with the next ones (`continue`), until the batch is said to be whole.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::{is_document, is_said};
use crate::connector::Remote;
use crate::json::{link, number, second, text};
use crate::names::part_of;
use formats::Format;

/// Bytes of one answer of a list.
pub(super) const MOST: u64 = 32 << 20;

/// A list that is gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    asked: Vec<(String, String)>,
    /// What leads on; empty at the beginning.
    goes_on: Vec<(String, String)>,
    is_of_files: bool,
}

impl List {
    /// The pages of a namespace that are no redirects.
    pub(super) fn pages(namespace: u64) -> Self {
        let namespace = namespace.to_string();
        Self::asking(&[
            ("generator", "allpages"),
            ("gapnamespace", &namespace),
            ("gapfilterredir", "nonredirects"),
            ("gaplimit", "max"),
            ("prop", "info|revisions"),
            ("inprop", "url"),
            ("rvprop", "ids|timestamp"),
        ])
    }

    /// The files that were uploaded.
    pub(super) fn files() -> Self {
        let list = Self::asking(&[
            ("generator", "allimages"),
            ("gailimit", "max"),
            ("prop", "imageinfo"),
            ("iiprop", "url|sha1|timestamp"),
        ]);
        Self { is_of_files: true, ..list }
    }

    fn asking(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let asked = [("action", "query")].iter().chain(pairs).map(owned).collect();
        Self { asked, goes_on: Vec::new(), is_of_files: false }
    }

    pub(super) fn is_of_files(&self) -> bool {
        self.is_of_files
    }

    /// What to ask next.
    pub(super) fn query(&self) -> Vec<(&str, &str)> {
        self.asked.iter().chain(&self.goes_on).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Notes what leads on from an answer; whether anything does.
    ///
    /// # Errors
    /// It leads to what was asked just now, or to another question.
    pub(super) fn go_on(&mut self, told: &Value) -> Result<bool, String> {
        let Some(said) = told.get("continue").and_then(Value::as_object) else { return Ok(false) };
        let pairs: Vec<(String, String)> = said
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let asks_otherwise = |(name, _): &(String, String)| self.asked.iter().any(|(asked, _)| asked == name);
        if pairs == self.goes_on || pairs.is_empty() || pairs.iter().any(asks_otherwise) {
            return Err("its list goes round and does not end".to_owned());
        }
        self.goes_on = pairs;
        Ok(true)
    }
}

/// The namespaces that hold what the wiki is about.
pub(super) fn content_namespaces(told: &Value) -> Option<Vec<u64>> {
    let spaces = told.get("query")?.get("namespaces")?.as_object()?;
    let content = spaces.values().filter(|space| is_said(space, "content"));
    let mut numbers: Vec<u64> = content.filter_map(|space| number(space, &["id"])).collect();
    numbers.sort_unstable();
    // The one that every wiki has.
    if numbers.is_empty() {
        numbers.push(0);
    }
    Some(numbers)
}

/// Whether all was said of the pages that were listed so far.
pub(super) fn is_batch_whole(told: &Value) -> bool {
    is_said(told, "batchcomplete")
}

/// What was said so far of a batch of pages or files.
#[derive(Debug, Default)]
pub(super) struct Batch(BTreeMap<String, Item>);

#[derive(Debug, Default)]
struct Item {
    page: Option<u64>,
    is_left_out: bool,
    title: String,
    version: Option<String>,
    changed: Option<i64>,
    /// Where people find it.
    link: Option<String>,
    /// Where a file lies.
    file: Option<String>,
}

impl Batch {
    /// Takes what an answer says.
    pub(super) fn take(&mut self, told: &Value) {
        let pages = told.get("query").and_then(|query| query.get("pages"));
        let listed: Vec<&Value> = match pages {
            Some(Value::Array(pages)) => pages.iter().collect(),
            Some(Value::Object(pages)) => pages.values().collect(),
            _ => Vec::new(),
        };
        for page in listed {
            let Some(title) = text(page, &["title"]) else { continue };
            self.0.entry(title.to_owned()).or_default().take(title, page);
        }
    }

    /// What was listed, with addresses from that of the wiki.
    pub(super) fn into_remotes(self, home: &Url, is_of_files: bool) -> impl Iterator<Item = Remote> {
        let home = home.clone();
        self.0.into_values().filter(|item| !item.is_left_out).filter_map(move |item| match is_of_files {
            true => item.file(&home),
            false => item.page(&home),
        })
    }
}

impl Item {
    fn take(&mut self, title: &str, said: &Value) {
        title.clone_into(&mut self.title);
        self.page = self.page.or(number(said, &["pageid"]));
        self.is_left_out |= is_said(said, "redirect") || is_said(said, "missing") && !is_said(said, "imageinfo");
        let first = |name: &str| said.get(name).and_then(|list| list.get(0));
        if let Some(revision) = number(said, &["lastrevid"]) {
            self.version = Some(revision.to_string());
        }
        if let Some(moment) = first("revisions").and_then(|revision| text(revision, &["timestamp"])) {
            self.changed = second(moment);
        }
        let address = text(said, &["fullurl"]).or_else(|| text(said, &["canonicalurl"]));
        self.link = address.map(str::to_owned).or(self.link.take());
        let Some(file) = first("imageinfo") else { return };
        self.file = text(file, &["url"]).map(str::to_owned);
        self.link = text(file, &["descriptionurl"]).map(str::to_owned).or(self.link.take());
        self.version = text(file, &["sha1"]).map(str::to_owned);
        self.changed = text(file, &["timestamp"]).and_then(second);
    }

    fn page(self, home: &Url) -> Option<Remote> {
        // The parts of its title are folders, as they are on the page.
        let parts: Vec<String> = self.title.split('/').map(part_of).collect();
        let remote = Remote::new(format!("page:{}", self.page?), format!("{}.html", parts.join("/")));
        let url = self.link.and_then(|text| link(home, &text));
        Some(Remote { version: self.version, url, date: self.changed, ..remote })
    }

    fn file(self, home: &Url) -> Option<Remote> {
        let name = self.title.split_once(':').map_or(self.title.as_str(), |(_, name)| name);
        Format::of_file(name).filter(|format| is_document(format))?;
        let lies = home.join(&self.file?).ok()?;
        let remote = Remote::new(format!("file:{lies}"), format!("Files/{}", part_of(name)));
        let url = self.link.and_then(|text| link(home, &text));
        Some(Remote { version: self.version, url, date: self.changed, ..remote })
    }
}
