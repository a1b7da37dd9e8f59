//! Documents as resources: `quarry://doc/ID`, a bounded list of them, and their text.

use storage::{Document, DocumentId, Filter};

use super::desk::Desk;
use super::text::{MAX_TEXT, Text};
use crate::audit;
use crate::error::Error;

/// What the address of a document begins with.
const START: &str = "quarry://doc/";
/// The addresses of all documents (RFC 6570).
pub(super) const TEMPLATE: &str = "quarry://doc/{id}";
/// Documents of one page of the list.
const PAGE: usize = 100;
/// Documents of the list: an assistant that reads all of it should not read forever. Tools find the others.
const MOST: usize = 1_000;

/// A document in the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) uri: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
}

impl Row {
    fn of(document: &Document) -> Self {
        let name = document.path.rsplit('/').next().unwrap_or(&document.path).to_owned();
        Self {
            uri: format!("{START}{}", document.id()),
            name,
            title: document.title.clone(),
            description: format!("{}/{}", document.source, document.path),
        }
    }
}

/// A page of the list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) next: Option<String>,
}

/// Where the list goes on: how many documents were told, and behind which one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    told: usize,
    behind: Option<DocumentId>,
}

impl Cursor {
    fn read(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text else { return Ok(Self::default()) };
        let read = || {
            let (told, behind) = text.split_once('-')?;
            Some(Self {
                told: told.parse().ok().filter(|told| *told < MOST)?,
                behind: Some(DocumentId::parse(behind)?),
            })
        };
        read().ok_or_else(|| Error::bad("cursor: expected nextCursor of an earlier list, whole"))
    }
}

/// A page of the documents that are seen.
///
/// # Errors
/// The cursor is none.
pub(super) async fn list(desk: &Desk, cursor: Option<String>) -> Result<Page, Error> {
    let Cursor { told, behind } = Cursor::read(cursor.as_deref())?;
    desk.read(move |view, _| {
        let listing = view.documents(&Filter::default(), behind, PAGE.min(MOST - told))?;
        let rows: Vec<Row> = listing.documents.iter().map(Row::of).collect();
        let told = told + rows.len();
        let next = listing.next.filter(|_| told < MOST).map(|behind| format!("{told}-{behind}"));
        Ok(Page { rows, next })
    })
    .await
}

/// The text of the document at an address.
///
/// # Errors
/// [`Error::NotFound`]: there is none, or not for them.
pub(super) async fn read(desk: &Desk, uri: &str) -> Result<String, Error> {
    let missing = || Error::NotFound { what: "the resource" };
    let id = uri.strip_prefix(START).and_then(DocumentId::parse).ok_or_else(missing)?;
    let text = async {
        audit::about("document", id.to_string());
        let read = desk.read(move |view, _| {
            let passages = view.document(id)?;
            if passages.is_empty() { Err(missing()) } else { Ok(Text::of(&passages, MAX_TEXT)) }
        });
        let text = read.await?;
        if text.is_whole() {
            return Ok(text.text);
        }
        Ok(format!("{}\n\n[{} of {} passages]", text.text, text.given, text.total))
    };
    desk.noted(audit::event_of_tool("fetch", false), text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_one_of_ours() {
        let id = DocumentId::of("wiki", "a.md");
        assert_eq!(Cursor::read(None).unwrap(), Cursor::default());
        assert_eq!(Cursor::read(Some(&format!("100-{id}"))).unwrap(), Cursor { told: 100, behind: Some(id) });
        for bad in ["", "-", "100", "100-x", &format!("1000-{id}"), &format!("-1-{id}"), &format!("{id}")] {
            assert!(Cursor::read(Some(bad)).is_err(), "{bad}");
        }
    }
}
