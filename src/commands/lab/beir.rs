//! Documents of an evaluation set, in the form in which they are indexed.

use indexer::TextDocument;
use lab::evaluation::BeirDocument;

/// The documents up to the first that cannot be read, which `failed` then says.
pub(super) fn texts(
    corpus: impl Iterator<Item = lab::Result<BeirDocument>>,
    failed: &mut Option<lab::Error>,
) -> impl Iterator<Item = TextDocument> {
    corpus.map_while(|document| match document {
        Ok(document) => Some(TextDocument {
            path: document.id,
            title: (!document.title.trim().is_empty()).then_some(document.title),
            language: None,
            text: document.text,
        }),
        Err(error) => {
            *failed = Some(error);
            None
        }
    })
}
