//! Confluence, of its makers (Cloud) or one's own (Data Center): pages, blog posts and what is attached to them, of all spaces or
//! of one.
//!
//! What is asked for again is what has another version number. Text is read as its authors wrote it (the storage format) and not
//! as Confluence shows it: what macros bring in from other pages would be shown to whom those are not open to, and would change
//! without a new version. Who may read a page is asked with each list, for it changes without a new version as well: what is
//! restricted, by itself or by what it lies below, is closed at once, and never open to more than may read it there.

mod address;
mod api;
mod body;
mod content;
mod restriction;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use formats::Format;
use storage::Access;
use url::Url;

use self::address::Site;
use self::api::{Api, Heard};
use self::content::{Attachment, Attachments, Content, Kind};
use self::restriction::Readers;
use crate::article::article;
use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::json::text;
use crate::settings::{Restrictions, Settings};

/// Bytes of one answer of a list.
const MAX_LIST: u64 = 64 << 20;
/// Bytes of an answer beyond the text in it.
const AROUND: u64 = 1 << 20;
/// Pages and files that are named for each file that may be kept.
const NAMED: usize = 4;
/// Pages above a page; who may read what lies deeper is not found out.
const MAX_DEPTH: usize = 100;

/// Confluence, or a space of it.
pub(crate) struct Confluence {
    api: Api,
    space: Option<String>,
    restrictions: Restrictions,
    /// Lists that are still to be gone through; `None` until it is known who asks.
    lists: Option<VecDeque<List>>,
    ready: VecDeque<Named>,
    /// Where the file lies that was named last.
    lies: Option<String>,
    /// Who may read what was asked about by itself.
    readers: HashMap<String, Option<Readers>>,
    /// What is left out because it is restricted.
    closed: HashSet<String>,
    /// What is left out because it cannot be told who may read it.
    unclear: usize,
    named: usize,
    most_named: usize,
    left_out: Option<String>,
}

/// A list that is gone through.
#[derive(Debug)]
struct List {
    kind: Kind,
    /// What leads on; `None` at the beginning.
    next: Option<String>,
}

/// Something that is to be named, with where it lies if it is a file.
#[derive(Debug)]
struct Named {
    remote: Remote,
    lies: Option<String>,
}

/// Whether an address can be one of Confluence: the space that it names, if any, has a key.
pub(crate) fn is_site(url: &Url) -> bool {
    address::site(url).is_some()
}

impl Confluence {
    /// What is at an address: that of Confluence, or of one of its spaces.
    ///
    /// # Errors
    /// The address names no space that there could be; a file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, url: &Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        let Site { root, space } =
            address::site(url).ok_or_else(|| ConnectError::Address { address: settings.url.clone() })?;
        Ok(Self {
            api: Api::new(settings, root, stop)?,
            space,
            restrictions: settings.restrictions,
            lists: None,
            ready: VecDeque::new(),
            lies: None,
            readers: HashMap::new(),
            closed: HashSet::new(),
            unclear: 0,
            named: 0,
            most_named: settings.max_files.saturating_mul(NAMED),
            left_out: None,
        })
    }

    fn begin(&mut self) -> Result<(), ConnectError> {
        self.api.begin()?;
        self.lists = Some([Kind::Page, Kind::Blogpost].map(|kind| List { kind, next: None }).into());
        Ok(())
    }

    /// Asks for more of a list, and puts it back unless that was all of it.
    fn list(&mut self, mut list: List) -> Result<(), ConnectError> {
        let told = match &list.next {
            None => self.api.first(list.kind, self.space.as_deref(), MAX_LIST)?,
            Some(next) => {
                let url = self.api.behind(next)?;
                self.api.wanted(&url, MAX_LIST)?
            }
        };
        let Some(results) = told.get("results").and_then(serde_json::Value::as_array) else {
            return Err(self.api.nonsense("its list of pages has no results in it".to_owned()));
        };
        let base = text(&told, &["_links", "base"]).map(str::to_owned);
        for found in results {
            if let Some(content) = Content::read(found, list.kind) {
                self.take(content, base.as_deref())?;
            }
        }
        let next = text(&told, &["_links", "next"]).map(str::to_owned);
        if next.is_some() && next == list.next {
            return Err(self.api.nonsense("its list of pages goes round and does not end".to_owned()));
        }
        list.next = next;
        if let Some(lists) = self.lists.as_mut().filter(|_| list.next.is_some()) {
            lists.push_front(list);
        }
        Ok(())
    }

    /// Has a page named, and what is attached to it.
    fn take(&mut self, mut content: Content, base: Option<&str>) -> Result<(), ConnectError> {
        let access = self.access(&content)?;
        let page = content.remote(&self.api, base, access.clone());
        let folder = content.folder();
        let Attachments { listed, mut next } = std::mem::take(&mut content.attachments);
        self.push(Named { remote: page, lies: None });
        self.push_files(listed, &folder, base, &access);
        let mut before = None;
        while let Some(on) = next.take().filter(|on| before.as_ref() != Some(on)) {
            let url = self.api.behind(&on)?;
            let told = self.api.wanted(&url, MAX_LIST)?;
            before = Some(on);
            let more = Attachments::read(&told);
            if more.listed.is_empty() || self.named + self.ready.len() >= self.most_named {
                break;
            }
            self.push_files(more.listed, &folder, base, &access);
            next = more.next;
        }
        Ok(())
    }

    fn push_files(&mut self, files: Vec<Attachment>, folder: &str, base: Option<&str>, access: &Option<Access>) {
        for file in files {
            let lies = Some(file.lies.clone());
            let remote = file.remote(&self.api, folder, base, access.clone());
            self.push(Named { remote, lies });
        }
    }

    fn push(&mut self, named: Named) {
        // Whom it is open to is not known, or not to be told here.
        let is_closed = named.remote.access.as_ref().is_none_or(Access::is_closed);
        if is_closed {
            self.closed.insert(named.remote.id.clone());
        }
        let access = Some(named.remote.access.unwrap_or_else(Access::nobody));
        self.ready.push_back(Named { remote: Remote { access, ..named.remote }, ..named });
    }

    /// Who may see a page here; `None` where that is nobody.
    fn access(&mut self, content: &Content) -> Result<Option<Access>, ConnectError> {
        let mut above: Vec<(&str, Option<&Readers>)> = vec![(&content.id, content.readers.as_ref())];
        above.extend(content.above.iter().map(|page| (page.id.as_str(), page.readers.as_ref())));
        if above.len() > MAX_DEPTH {
            self.unclear += 1;
            return Ok(None);
        }
        let mut access = Access::everyone();
        for (id, told) in above {
            let readers = match told {
                Some(readers) => Some(readers.clone()),
                None => self.ask_readers(id)?,
            };
            match readers {
                Some(Readers::All) => {}
                Some(Readers::Some(list)) if self.restrictions == Restrictions::SameNames => {
                    access = access.and(Access::of([list]));
                }
                Some(Readers::Some(_)) => return Ok(None),
                None => {
                    self.unclear += 1;
                    return Ok(None);
                }
            }
        }
        Ok(Some(access))
    }

    /// Who may read something of which no list tells that; `None` where it cannot be found out.
    fn ask_readers(&mut self, id: &str) -> Result<Option<Readers>, ConnectError> {
        if let Some(known) = self.readers.get(id) {
            return Ok(known.clone());
        }
        let told = self.api.restrictions(id, AROUND)?;
        let readers = told.as_ref().and_then(restriction::readers);
        self.readers.insert(id.to_owned(), readers.clone());
        Ok(readers)
    }

    fn page(&mut self, remote: &Remote, kind: Kind, id: &str, most: u64) -> Result<Fetched, ConnectError> {
        let told = match self.api.page(kind, id, most.saturating_mul(2).saturating_add(AROUND))? {
            Heard::Told(told) => told,
            Heard::Refused { status: 404, .. } => return Ok(Fetched::Gone),
            Heard::Refused { status, said } => return Err(self.api.refusal(status, &said)),
        };
        let Some(storage) = text(&told, &["body", "storage", "value"]) else {
            return Err(self.api.nonsense("it does not say what stands on the page".to_owned()));
        };
        let html = body::html_of(storage).map_err(|reason| self.api.nonsense(reason))?;
        let bytes = article(text(&told, &["title"]).unwrap_or_default(), None, &html);
        if bytes.len() as u64 > most {
            return Err(ConnectError::TooLarge { most });
        }
        let version = content::version(&told).or_else(|| remote.version.clone());
        Ok(Fetched::Content { bytes, remote: Remote { version, ..remote.clone() } })
    }

    fn file(&mut self, remote: &Remote, most: u64) -> Result<Fetched, ConnectError> {
        let Some(lies) = self.lies.take() else {
            return Err(self.api.nonsense(format!("{} was not named", remote.id)));
        };
        let format = Format::of_file(&remote.name);
        self.api.download(&lies, most, format.is_some_and(|format| format.name == "html")).map(|bytes| match bytes {
            Some(bytes) => Fetched::Content { bytes, remote: remote.clone() },
            None => Fetched::Gone,
        })
    }
}

impl Connector for Confluence {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        if self.lists.is_none() {
            self.begin()?;
        }
        loop {
            if let Some(Named { remote, lies }) = self.ready.pop_front() {
                self.named += 1;
                self.lies = lies;
                return Ok(Some(remote));
            }
            if self.named >= self.most_named {
                let most = self.most_named;
                self.left_out.get_or_insert_with(|| {
                    format!("more than {most} pages and files were listed ({NAMED} x max_files)")
                });
                return Ok(None);
            }
            match self.lists.as_mut().and_then(VecDeque::pop_front) {
                Some(list) => self.list(list)?,
                // Who sees nothing at all has lost the right to, more often than all was deleted.
                None if self.named == 0 => return Err(self.api.nothing(self.space.as_deref())),
                None => return Ok(None),
            }
        }
    }

    fn fetch(&mut self, remote: &Remote, known: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        if self.closed.contains(&remote.id) {
            // What was open before is closed, and stays until it is known again whom it is open to: what has to be confirmed
            // before it is deleted would be open for as long.
            return Ok(match known {
                Some(_) => Fetched::Unchanged,
                None => Fetched::Unwanted("only some people may read it".to_owned()),
            });
        }
        match remote.id.split_once(':') {
            Some(("page", id)) => self.page(remote, Kind::Page, id, most),
            Some(("blogpost", id)) => self.page(remote, Kind::Blogpost, id, most),
            _ => self.file(remote, most),
        }
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.closed.is_empty() {
            notes.push(format!("{} pages and files that only some people may read are left out", self.closed.len()));
        }
        if self.unclear > 0 {
            notes.push(format!("it cannot be told who may read {} pages, which are among them", self.unclear));
        }
        notes
    }
}

#[cfg(test)]
mod tests;
