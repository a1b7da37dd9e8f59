//! The links back to where documents come from: the address that was pushed with a document, the one that the template of its
//! source makes of its path, or the one that it was fetched from.
//!
//! Given addresses lie beside the pushed documents ([`Given`]). They are no part of the index: an address may change without
//! its document.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use connect::Mirrors;
use percent_encoding::{AsciiSet, utf8_percent_encode};
use searcher::{Answer, Citation, Draft, Reply};

use crate::config::IndexConfig;
use crate::given::Given;
use crate::running::UNRESERVED;

/// The folder of given addresses, beside the pushed documents.
pub(crate) const LINKS: &str = ".links";
/// Schemes of links: what a browser opens without running anything.
const SCHEMES: [&str; 4] = ["http", "https", "smb", "file"];
/// What of a template stands for the path of a document.
const PATH: &str = "{path}";
/// Bytes of an address at the most.
pub(crate) const MAX_URL: usize = 2_048;

/// The links of all documents.
#[derive(Clone)]
pub struct Links {
    given: Arc<GivenLinks>,
    mirrors: Arc<Mirrors>,
    templates: Arc<BTreeMap<String, String>>,
}

/// Addresses that were pushed with documents, by source and path.
pub(crate) type GivenLinks = Given<String>;

impl Links {
    /// The links of an index, as its data folder and the configuration have them.
    ///
    /// # Errors
    /// What the disk says; a file of addresses is damaged.
    pub fn open(data_dir: &Path, config: &IndexConfig) -> io::Result<Self> {
        let mirrors = Mirrors::open(data_dir, config.fetched()).map_err(io::Error::other)?;
        Ok(Self::of(Arc::new(GivenLinks::open(&data_dir.join("pushed"), LINKS)?), Arc::new(mirrors), config))
    }

    pub(crate) fn of(given: Arc<GivenLinks>, mirrors: Arc<Mirrors>, config: &IndexConfig) -> Self {
        let templates = config.sources.iter().filter_map(|source| Some((source.name.clone(), source.url.clone()?)));
        Self { given, mirrors, templates: Arc::new(templates.collect()) }
    }

    /// The address of a document in the system that it comes from, if that is known.
    pub fn url(&self, source: &str, path: &str) -> Option<String> {
        let made = || Some(filled(self.templates.get(source)?, path));
        // Whoever is led there runs nothing: addresses of others are held to what our own are.
        let original = || self.mirrors.url(source, path).filter(|url| fault(url).is_none());
        self.given.of(source, path).or_else(made).or_else(original)
    }

    /// Puts the addresses on the results of an answer.
    pub fn put_on(&self, answer: &mut Answer) {
        for hit in &mut answer.results {
            hit.url = self.url(&hit.source, &hit.path);
        }
    }

    /// Puts the addresses on the passages that a reply cites.
    pub fn put_on_reply(&self, reply: &mut Reply) {
        self.put_on_citations(reply.citations.iter_mut());
    }

    /// Puts the addresses on all passages that an answer may come to cite.
    pub fn put_on_draft(&self, draft: &mut Draft) {
        self.put_on_reply(&mut draft.reply);
        self.put_on_citations(draft.sources_mut());
    }

    fn put_on_citations<'c>(&self, citations: impl Iterator<Item = &'c mut Citation>) {
        for citation in citations {
            citation.url = self.url(&citation.source, &citation.path);
        }
    }
}

/// What is wrong with an address that is to be a link, in words.
pub(crate) fn fault(url: &str) -> Option<String> {
    let wrong =
        |why: &str| Some(format!("expected an address that begins with http://, https://, smb:// or file://, {why}"));
    let Some((scheme, rest)) = url.split_once("://") else { return wrong(&format!("got {url:?}")) };
    if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return wrong(&format!("got {url:?}"));
    }
    if url.len() > MAX_URL {
        return wrong(&format!("of at most {MAX_URL} bytes, got {}", url.len()));
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\')) {
        return wrong("with blanks and quotes percent-encoded");
    }
    let has_host = !rest.is_empty() && !rest.starts_with(['/', '?', '#']);
    let is_file = scheme.eq_ignore_ascii_case("file") && rest.len() > 1;
    if has_host || is_file { None } else { wrong("and goes on with a host") }
}

/// What is wrong with the template of a source's addresses, in words.
pub(crate) fn template_fault(template: &str) -> Option<String> {
    if template.contains(PATH) {
        fault(&template.replace(PATH, "x"))
    } else {
        Some(format!("expected an address with {PATH} in it, got {template:?}"))
    }
}

/// A template with the path of a document, percent-encoded but for its slashes.
fn filled(template: &str, path: &str) -> String {
    const OF_PATHS: &AsciiSet = &UNRESERVED.remove(b'/');
    let encoded = utf8_percent_encode(path, OF_PATHS).to_string();
    template.replace(PATH, &encoded)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::SourceConfig;

    #[test]
    fn only_addresses_that_run_nothing_are_links() {
        for good in [
            "https://wiki.example/a%20b?x=1#y",
            "HTTP://wiki.example",
            "smb://files.example/share/a.pdf",
            "file:///srv/a.pdf",
            "file://files.example/share/a.pdf",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "JavaScript://wiki.example/%0aalert(1)",
            "data:text/html,x",
            "vbscript:x",
            " https://wiki.example",
            "https://wiki.example/a b",
            "https://wiki.example/\"onload=x",
            "https:///a",
            "https://",
            "file://",
            "//wiki.example/a",
            "wiki.example/a",
            "mailto:ann@wiki.example",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        assert!(fault(&format!("https://wiki.example/{}", "a".repeat(MAX_URL))).is_some());
        assert_eq!(template_fault("https://wiki.example/{path}"), None);
        assert!(template_fault("https://wiki.example/").is_some() && template_fault("javascript:{path}").is_some());
    }

    #[test]
    fn a_template_takes_every_path() {
        for (path, expected) in [
            ("hr/leave.md", "https://wiki.example/hr/leave.md?raw"),
            ("a b/ü#?%&.md", "https://wiki.example/a%20b/%C3%BC%23%3F%25%26.md?raw"),
            ("\"><script>", "https://wiki.example/%22%3E%3Cscript%3E?raw"),
        ] {
            assert_eq!(filled("https://wiki.example/{path}?raw", path), expected);
        }
    }

    #[test]
    fn what_was_given_survives_and_goes_before_the_template() {
        let folder = tempfile::tempdir().unwrap();
        let source = SourceConfig {
            name: "wiki".into(),
            folder: "/srv/wiki".into(),
            from: None,
            watch: None,
            every_minutes: None,
            url: Some("https://wiki.example/{path}".into()),
            permissions: None,
            access: None,
            access_rules: Vec::new(),
        };
        let config = IndexConfig { sources: vec![source], ..IndexConfig::default() };
        let links = Links::open(folder.path(), &config).unwrap();
        assert_eq!(links.url("wiki", "a.md").as_deref(), Some("https://wiki.example/a.md"));
        assert_eq!(links.url("api", "a.md"), None);
        let given = Some("https://elsewhere.example/7".to_string());
        links.given.change("api", vec![("a.zip".into(), given.clone()), ("b.md".into(), given.clone())]).unwrap();
        links.given.change("api", vec![("b.md".into(), None)]).unwrap();
        links.given.change("wiki", vec![("a.md".into(), given.clone())]).unwrap();
        for links in [links.clone(), Links::open(folder.path(), &config).unwrap()] {
            assert_eq!((links.url("api", "a.zip/in/x.md"), links.url("api", "b.md")), (given.clone(), None));
            assert_eq!(links.url("wiki", "a.md"), given);
        }
        links.given.forget("api").unwrap();
        assert_eq!(Links::open(folder.path(), &config).unwrap().url("api", "a.zip"), None);
        fs::write(folder.path().join("pushed/.links/api.json"), "{").unwrap();
        let error = Links::open(folder.path(), &config).err().unwrap().to_string();
        assert!(error.contains("api.json") && error.contains("delete it"), "{error}");
    }
}
