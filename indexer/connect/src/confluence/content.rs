//! Content: a page or blog post as a list tells of it, with the pages above it and the files attached to it.

use formats::{Family, Format};
use serde_json::Value;
use storage::Access;

use super::api::Api;
use super::restriction::{self, Readers};
use crate::connector::Remote;
use crate::json::{at, number, second, text};
use crate::names::part_of;

/// Bytes of an id.
const MAX_ID: usize = 64;

/// What people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Page,
    Blogpost,
}

impl Kind {
    /// As it is called in questions and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Blogpost => "blogpost",
        }
    }
}

/// A page or blog post.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) id: String,
    kind: Kind,
    title: String,
    space: String,
    version: Option<String>,
    changed: Option<i64>,
    webui: Option<String>,
    /// Who may read it, as far as it says that itself.
    pub(super) readers: Option<Readers>,
    /// What it lies below, from the top.
    pub(super) above: Vec<Above>,
    pub(super) attachments: Attachments,
}

/// A page that others lie below.
#[derive(Debug)]
pub(super) struct Above {
    pub(super) id: String,
    title: String,
    pub(super) readers: Option<Readers>,
}

/// Files that are attached to a page, as far as they were told.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    pub(super) listed: Vec<Attachment>,
    /// What leads to more of them.
    pub(super) next: Option<String>,
}

/// A file that is attached to a page.
#[derive(Debug)]
pub(super) struct Attachment {
    id: String,
    title: String,
    version: Option<String>,
    changed: Option<i64>,
    webui: Option<String>,
    /// Where it lies.
    pub(super) lies: String,
}

impl Content {
    /// What a list tells; `None` where it is archived, a draft, or nothing that could be asked for.
    pub(super) fn read(told: &Value, kind: Kind) -> Option<Self> {
        let is_other = |path: &[&str]| text(told, path).is_some_and(|status| status != "current");
        if is_other(&["status"]) || is_other(&["space", "status"]) {
            return None;
        }
        let above = told.get("ancestors").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            id: id_of(told)?,
            kind,
            title: text(told, &["title"])?.to_owned(),
            space: text(told, &["space", "key"]).unwrap_or_default().to_owned(),
            version: version(told),
            changed: changed(told),
            webui: text(told, &["_links", "webui"]).map(str::to_owned),
            readers: readers(told),
            above: above.map(Above::read).collect::<Option<Vec<_>>>()?,
            attachments: at(told, &["children", "attachment"]).map(Attachments::read).unwrap_or_default(),
        })
    }

    /// The folder of what lies below it.
    pub(super) fn folder(&self) -> String {
        let mut parts = vec![part_of(&self.space)];
        match self.kind {
            Kind::Page => parts.extend(self.above.iter().map(|page| part_of(&page.title))),
            Kind::Blogpost => parts.push("blog".to_owned()),
        }
        parts.push(part_of(&self.title));
        parts.join("/")
    }

    pub(super) fn remote(&self, api: &Api, base: Option<&str>, access: Option<Access>) -> Remote {
        let name = format!("{}.html", self.folder());
        let url = self.webui.as_deref().and_then(|webui| api.link(base, webui));
        let remote = Remote::new(format!("{}:{}", self.kind.name(), self.id), name);
        Remote { version: self.version.clone(), url, date: self.changed, access, ..remote }
    }
}

impl Above {
    fn read(told: &Value) -> Option<Self> {
        let title = text(told, &["title"]).unwrap_or_default().to_owned();
        Some(Self { id: id_of(told)?, title, readers: readers(told) })
    }
}

impl Attachments {
    /// Those of an answer that are documents.
    pub(super) fn read(told: &Value) -> Self {
        let results = told.get("results").and_then(Value::as_array).into_iter().flatten();
        let next = text(told, &["_links", "next"]).map(str::to_owned);
        Self { listed: results.filter_map(Attachment::read).collect(), next }
    }
}

impl Attachment {
    fn read(told: &Value) -> Option<Self> {
        let title = text(told, &["title"])?;
        // Pictures, scripts and archives are no documents of a page.
        Format::of_file(title).filter(|format| matches!(format.family, Family::Prose | Family::Lines))?;
        if text(told, &["status"]).is_some_and(|status| status != "current") {
            return None;
        }
        Some(Self {
            id: id_of(told)?,
            title: title.to_owned(),
            version: version(told),
            changed: changed(told),
            webui: text(told, &["_links", "webui"]).map(str::to_owned),
            lies: text(told, &["_links", "download"])?.to_owned(),
        })
    }

    pub(super) fn remote(&self, api: &Api, folder: &str, base: Option<&str>, access: Option<Access>) -> Remote {
        let url = self.webui.as_deref().and_then(|webui| api.link(base, webui));
        let remote = Remote::new(format!("file:{}", self.id), format!("{folder}/{}", part_of(&self.title)));
        Remote { version: self.version.clone(), url, date: self.changed, access, ..remote }
    }
}

/// The number of a version.
pub(super) fn version(told: &Value) -> Option<String> {
    number(told, &["version", "number"]).map(|number| number.to_string())
}

fn changed(told: &Value) -> Option<i64> {
    text(told, &["version", "when"]).or_else(|| text(told, &["version", "createdAt"])).and_then(second)
}

fn readers(told: &Value) -> Option<Readers> {
    restriction::readers(at(told, &["restrictions", "read"])?)
}

/// What something is known by, which is asked for as a part of an address.
fn id_of(told: &Value) -> Option<String> {
    let id = told.get("id")?;
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let is_plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (!id.is_empty() && id.len() <= MAX_ID && is_plain).then_some(id)
}
