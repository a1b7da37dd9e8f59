//! WebDAV: a folder of files on a server such as Nextcloud, ownCloud or Apache, listed folder by folder (`PROPFIND`, RFC 4918).
//!
//! A file's version is its tag, or else its size and date, so that nothing is fetched that is here already. Folders whose
//! address does not lie below the one that was given, and loops, are left out.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use percent_encoding::percent_decode_str;
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use url::Url;

use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::http::{Ask, Client, host_of, refused, second_of};
use crate::settings::Settings;
use crate::xml::meant;

/// Bytes of the list of one folder.
const MAX_LIST: u64 = 64 << 20;
/// What is asked of each entry.
const WANTED: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><d:propfind xmlns:d=\"DAV:\"><d:prop><d:resourcetype/>\
    <d:getetag/><d:getlastmodified/><d:getcontentlength/></d:prop></d:propfind>";

/// A folder of a WebDAV server.
pub(crate) struct WebDav {
    client: Client,
    /// The address of the folder, with a slash at its end.
    root: Url,
    folders: VecDeque<Url>,
    seen: HashSet<String>,
    files: VecDeque<Remote>,
    max_folders: usize,
    left_out: Option<String>,
}

impl WebDav {
    /// The folder at an address.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, mut root: Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        root.set_query(None);
        root.set_fragment(None);
        if !root.path().ends_with('/') {
            root.set_path(&format!("{}/", root.path()));
        }
        let client = Client::new(settings, &root, stop)?;
        let seen = HashSet::from([root.to_string()]);
        let folders = VecDeque::from([root.clone()]);
        let max_folders = settings.max_files;
        Ok(Self { client, root, folders, seen, files: VecDeque::new(), max_folders, left_out: None })
    }

    /// Lists one folder.
    fn list(&mut self, folder: &Url) -> Result<(), ConnectError> {
        let headers = vec![("depth", "1"), ("content-type", "application/xml; charset=utf-8")];
        let ask = Ask { method: Some("PROPFIND"), headers, body: WANTED };
        let answer = self.client.ask(folder, &ask, MAX_LIST, |status, _| status == 207)?;
        match answer.status {
            207 => {}
            // Gone since it was listed.
            404 | 410 if *folder != self.root => return Ok(()),
            401 | 403 if *folder != self.root => {
                self.left_out.get_or_insert_with(|| format!("{folder} cannot be listed (status {})", answer.status));
                return Ok(());
            }
            405 | 501 => {
                let reason = "it does not speak WebDAV at this address; Nextcloud does at /remote.php/dav/files/NAME/"
                    .to_owned();
                return Err(ConnectError::Nonsense { host: host_of(folder), reason });
            }
            status => return Err(refused(folder, status)),
        }
        let entries = entries(&answer.body).map_err(|reason| ConnectError::Nonsense {
            host: host_of(folder),
            reason: format!("{folder}: {reason}"),
        })?;
        for entry in entries {
            let Ok(url) = folder.join(&entry.href) else { continue };
            let is_below =
                url.origin() == self.root.origin() && url.path().starts_with(self.root.path()) && url.query().is_none();
            if !is_below || !self.seen.insert(url.to_string()) {
                continue;
            }
            if !entry.is_folder {
                self.files.push_back(entry.remote(&self.root, &url));
            } else if self.seen.len() > self.max_folders.saturating_mul(4) {
                self.left_out
                    .get_or_insert_with(|| "there are more files and folders than four times max_files".to_owned());
            } else {
                self.folders.push_back(url);
            }
        }
        Ok(())
    }
}

impl Connector for WebDav {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        loop {
            if let Some(file) = self.files.pop_front() {
                return Ok(Some(file));
            }
            let Some(folder) = self.folders.pop_front() else { return Ok(None) };
            self.list(&folder)?;
        }
    }

    fn fetch(&mut self, remote: &Remote, _: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        let nonsense = |_| ConnectError::Address { address: remote.id.clone() };
        let url = self.root.join(&remote.id).map_err(nonsense)?;
        let answer = self.client.get(&url, most)?;
        match answer.status {
            200..300 => Ok(Fetched::Content { bytes: answer.body, remote: remote.clone() }),
            404 | 410 => Ok(Fetched::Gone),
            status => Err(refused(&url, status)),
        }
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }
}

/// An entry of a list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    href: String,
    is_folder: bool,
    tag: String,
    modified: String,
    length: String,
}

impl Entry {
    fn remote(&self, root: &Url, url: &Url) -> Remote {
        let below = url.path().strip_prefix(root.path()).unwrap_or_default();
        let part = |part: &str| percent_decode_str(part).decode_utf8_lossy().replace('/', "_");
        let name = below.split('/').map(part).collect::<Vec<_>>().join("/");
        let version = match (self.tag.as_str(), self.modified.as_str(), self.length.as_str()) {
            ("", "", _) => None,
            ("", modified, length) => Some(format!("{length} {modified}")),
            (tag, ..) => Some(tag.to_owned()),
        };
        Remote {
            id: url.path().to_owned(),
            name,
            version,
            url: Some(url.to_string()),
            date: second_of(&self.modified),
            access: None,
        }
    }
}

/// The element that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Href,
    Tag,
    Modified,
    Length,
    Other,
}

/// The entries that an answer lists.
fn entries(text: &[u8]) -> Result<Vec<Entry>, String> {
    let mut reader = NsReader::from_reader(text);
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    let (mut entry, mut field, mut is_whole) = (Entry::default(), Field::Other, false);
    loop {
        buffer.clear();
        let (space, event) =
            reader.read_resolved_event_into(&mut buffer).map_err(|error| format!("no list: {error}"))?;
        let is_dav = matches!(space, ResolveResult::Bound(space) if space.as_ref() == "DAV:");
        let piece = match event {
            Event::Start(start) if is_dav => {
                field = match start.local_name().as_ref() {
                    "response" => {
                        entry = Entry::default();
                        Field::Other
                    }
                    "href" => Field::Href,
                    "getetag" => Field::Tag,
                    "getlastmodified" => Field::Modified,
                    "getcontentlength" => Field::Length,
                    name => {
                        entry.is_folder |= name == "collection";
                        Field::Other
                    }
                };
                continue;
            }
            Event::Empty(start) if is_dav => {
                entry.is_folder |= start.local_name().as_ref() == "collection";
                continue;
            }
            Event::End(end) if is_dav => {
                field = Field::Other;
                match end.local_name().as_ref() {
                    "response" => found.push(std::mem::take(&mut entry)),
                    "multistatus" => is_whole = true,
                    _ => {}
                }
                continue;
            }
            Event::Text(text) => text.to_string(),
            Event::CData(text) => text.to_string(),
            Event::GeneralRef(reference) => meant(&reference),
            // What is cut off must not be taken for all there is.
            Event::Eof if is_whole => return Ok(found),
            Event::Eof => return Err("its list of files ends in the middle, or is none".to_owned()),
            _ => continue,
        };
        match field {
            // The first address is that of the entry; further ones are of what it holds.
            Field::Href => entry.href.push_str(piece.trim()),
            Field::Tag => entry.tag.push_str(piece.trim()),
            Field::Modified => entry.modified.push_str(piece.trim_matches(['\n', '\r', '\t'])),
            Field::Length => entry.length.push_str(piece.trim()),
            Field::Other => {}
        }
    }
}

#[cfg(test)]
mod tests;
