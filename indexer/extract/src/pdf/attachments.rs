//! Files attached to a document (ISO 32000-1, 7.11.4): they are read as parts of it.

use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, MaybeRef, ObjRef, Object, Stream, String as PdfString};

use super::budget::Budget;
use super::text;

/// Nodes of the tree of names that are visited.
const MAX_NODES: usize = 10_000;

/// A file attached to a document.
pub(super) struct Attachment {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The attached files, at most `limit`; those that cannot be unpacked within the budget are left out.
pub(super) fn find(pdf: &Pdf, budget: &mut Budget, limit: usize) -> Vec<Attachment> {
    let mut found = Vec::new();
    let catalogue = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let names = catalogue.and_then(|catalogue| catalogue.get::<Dict<'_>>(b"Names"));
    let mut open: Vec<Dict<'_>> = names.and_then(|names| names.get::<Dict<'_>>(b"EmbeddedFiles")).into_iter().collect();
    let mut seen: std::collections::HashSet<ObjRef> = std::collections::HashSet::new();
    let mut nodes = 0;
    while let Some(node) = open.pop() {
        nodes += 1;
        if nodes > MAX_NODES || found.len() >= limit {
            break;
        }
        for specification in node.get::<Array<'_>>(b"Names").iter().flat_map(Array::iter::<Object<'_>>) {
            if let Some(attachment) = specification.into_dict().and_then(|file| attachment(&file, budget)) {
                found.push(attachment);
            }
        }
        let Some(kids) = node.get::<Array<'_>>(b"Kids") else { continue };
        for kid in kids.raw_iter() {
            let MaybeRef::Ref(reference) = kid else { continue };
            if seen.insert(reference) {
                open.extend(pdf.xref().get::<Dict<'_>>(reference.into()));
            }
        }
    }
    found.truncate(limit);
    found
}

fn attachment(file: &Dict<'_>, budget: &mut Budget) -> Option<Attachment> {
    let name = [&b"UF"[..], b"F"].iter().find_map(|key| file.get::<PdfString<'_>>(key));
    let streams = file.get::<Dict<'_>>(b"EF")?;
    let stream = [&b"UF"[..], b"F"].iter().find_map(|key| streams.get::<Stream<'_>>(key))?;
    let bytes = budget.unpack(&stream).ok()?.into_owned();
    let name = name.map(|name| text::decode(name.as_bytes())).filter(|name| !name.trim().is_empty());
    Some(Attachment { name: name.unwrap_or_else(|| "attachment".to_string()), bytes })
}
