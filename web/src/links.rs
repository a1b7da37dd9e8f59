//! The links back to where documents come from: the address that was pushed with a document, or the one that the template
//! of its source makes of its path.
//!
//! Given addresses lie beside the pushed documents, one file for each source, so that a rebuild finds them again. They are
//! no part of the index: an address may change without its document.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use searcher::Answer;

use crate::config::IndexConfig;

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
    templates: Arc<BTreeMap<String, String>>,
}

/// Addresses that were pushed with documents, by source and path.
pub(crate) struct GivenLinks {
    folder: PathBuf,
    known: RwLock<BTreeMap<String, BTreeMap<String, String>>>,
}

/// A document's new address, or that it has none any more.
pub(crate) type LinkChange = (String, Option<String>);

impl Links {
    /// The links of an index, as its data folder and the configuration have them.
    ///
    /// # Errors
    /// What the disk says; a file of addresses is damaged.
    pub fn open(data_dir: &Path, config: &IndexConfig) -> io::Result<Self> {
        Ok(Self::of(Arc::new(GivenLinks::open(&data_dir.join("pushed"))?), config))
    }

    pub(crate) fn of(given: Arc<GivenLinks>, config: &IndexConfig) -> Self {
        let templates = config.sources.iter().filter_map(|source| Some((source.name.clone(), source.url.clone()?)));
        Self { given, templates: Arc::new(templates.collect()) }
    }

    /// The address of a document in the system that it comes from, if that is known.
    pub fn url(&self, source: &str, path: &str) -> Option<String> {
        self.given.url(source, path).or_else(|| Some(filled(self.templates.get(source)?, path)))
    }

    /// Puts the addresses on the results of an answer.
    pub fn put_on(&self, answer: &mut Answer) {
        for hit in &mut answer.results {
            hit.url = self.url(&hit.source, &hit.path);
        }
    }
}

impl GivenLinks {
    /// Reads the addresses that lie below the folder of pushed documents.
    pub(crate) fn open(pushed: &Path) -> io::Result<Self> {
        let folder = pushed.join(".links");
        let mut known = BTreeMap::new();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            entries => Some(entries?),
        };
        for entry in entries.into_iter().flatten() {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
            let Some(source) = name else { continue };
            let links = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
                let what =
                    format!("{}: {error}; delete it, and push the addresses of its documents again", path.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            });
            known.insert(source.to_owned(), links?);
        }
        Ok(Self { folder, known: RwLock::new(known) })
    }

    /// The address of a document; one inside of an archive or a mail has that of the file that was pushed.
    fn url(&self, source: &str, path: &str) -> Option<String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let links = known.get(source)?;
        let around = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
        std::iter::once(path).chain(around).find_map(|path| links.get(path)).cloned()
    }

    /// Makes changes of one source durable.
    ///
    /// # Errors
    /// What the disk says; then nothing is changed.
    pub(crate) fn change(&self, source: &str, changes: Vec<LinkChange>) -> io::Result<()> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(source);
        let is_news = |(path, url): &LinkChange| before.and_then(|links| links.get(path)) != url.as_ref();
        if !changes.iter().any(is_news) {
            return Ok(());
        }
        let mut links = before.cloned().unwrap_or_default();
        for (path, url) in changes {
            match url {
                Some(url) => drop(links.insert(path, url)),
                None => drop(links.remove(&path)),
            }
        }
        self.write(source, &links)?;
        known.insert(source.to_owned(), links);
        Ok(())
    }

    /// Forgets all of a source.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn forget(&self, source: &str) -> io::Result<()> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.remove(source).is_some() {
            fs::remove_file(self.file(source))?;
        }
        Ok(())
    }

    fn write(&self, source: &str, links: &BTreeMap<String, String>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let unfinished = self.folder.join(format!("{source}.unfinished"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(links)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.file(source))?;
        File::open(&self.folder)?.sync_all()
    }

    fn file(&self, source: &str) -> PathBuf {
        self.folder.join(format!("{source}.json"))
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
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    template.replace(PATH, &encoded)
}

#[cfg(test)]
mod tests {
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
            watch: None,
            every_minutes: None,
            url: Some("https://wiki.example/{path}".into()),
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
