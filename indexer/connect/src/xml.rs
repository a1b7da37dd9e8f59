//! What the references of XML stand for.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::BytesRef;

/// What a reference stands for; nothing where it is none of XML's own.
pub(crate) fn meant(reference: &BytesRef<'_>) -> String {
    match reference.resolve_char_ref() {
        Ok(Some(letter)) => letter.to_string(),
        _ => resolve_predefined_entity(reference.as_ref()).unwrap_or_default().to_owned(),
    }
}
