//! MHTML (RFC 2557): a web page saved as a mail, by browsers, Word and wikis, under all names (`.mht`, `.mhtml`, `.doc`).
//! It is read as the page it is: its own title, its address where that is on the Web; style sheets, pictures and the
//! settings of Word are no documents. Frames follow the page that shows them.

use mail_parser::{HeaderValue, Message, MessagePart, MimeHeaders, PartType};

use super::{body, part};
use crate::block::{StructuredText, TextBuilder};
use crate::html;

/// Where a browser says the page was.
const SNAPSHOT: &str = "Snapshot-Content-Location";

/// Subjects that programs give to every page.
const NO_TITLES: &[&str] = &["exported from confluence", "untitled", "no title"];

/// Whether a mail was never sent: no sender with an address, nobody it went to, and a page as its body.
pub(super) fn is_page(message: &Message<'_>) -> bool {
    let root = message.root_part();
    let holds_page = root.is_content_type("multipart", "related") || root.is_content_type("text", "html");
    let sender = message.from().and_then(|from| from.first()).and_then(|from| from.address());
    let is_sent = sender.is_some_and(|address| address.contains('@')) || message.to().is_some();
    holds_page && (!is_sent || message.header(SNAPSHOT).is_some()) && pages(message).next().is_some()
}

/// Reads the page.
pub(super) fn read(message: &Message<'_>) -> StructuredText {
    let mut pages = pages(message).map(|part| (part, part::text(message, part)));
    let Some((root, decoded)) = pages.next() else { return TextBuilder::default().finish(html::FORMAT) };
    let mut page = html::page(&decoded.text);
    page.warnings.splice(0..0, decoded.warnings);
    let frames: Vec<StructuredText> = pages.map(|(_, decoded)| html::page(&decoded.text)).collect();
    if frames.iter().any(|frame| !frame.blocks.is_empty()) {
        page = with_frames(page, &frames);
    }
    let subject = message.subject().map(str::trim).filter(|it| !NO_TITLES.contains(&it.to_lowercase().as_str()));
    page.title = page.title.or_else(|| subject.filter(|subject| !subject.is_empty()).map(str::to_owned));
    if let Some(url) = address(message, root) {
        page.metadata.entry("url".to_owned()).or_insert(url);
    }
    if let Some(date) = message.date().filter(|date| date.is_valid()) {
        page.metadata.entry("date".to_owned()).or_insert_with(|| date.to_rfc3339());
    }
    page
}

fn pages<'a>(message: &'a Message<'a>) -> impl Iterator<Item = &'a MessagePart<'a>> {
    message.parts.iter().filter(|part| matches!(part.body, PartType::Html(_)))
}

fn with_frames(page: StructuredText, frames: &[StructuredText]) -> StructuredText {
    let mut builder = TextBuilder::default();
    for block in std::iter::once(&page).chain(frames).flat_map(body::of_document) {
        builder.push(block.kind, &block.text, 1..2);
    }
    let StructuredText { title, metadata, warnings, .. } = page;
    (builder.title, builder.metadata, builder.warnings) = (title, metadata, warnings);
    builder.finish(html::FORMAT)
}

/// Where the page was on the Web.
fn address(message: &Message<'_>, root: &MessagePart<'_>) -> Option<String> {
    let of_snapshot = message.header(SNAPSHOT).and_then(HeaderValue::as_text);
    let all = root.content_location().into_iter().chain(of_snapshot);
    let without_folds = all.map(|url| url.split_whitespace().collect::<String>());
    without_folds.into_iter().find(|url| url.starts_with("https://") || url.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{is_eml, looks_like_eml, read_eml};
    use super::*;
    use crate::block::assert_invariants;
    use crate::{ExtractLimits, Input};

    fn saved(header: &str, location: &str) -> String {
        format!(
            "{header}MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\nThis is one file.\r\n\r\n\
             --b\r\nContent-Type: text/html; charset=\"windows-1252\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             Content-Location: {location}\r\n\r\n<html><title>Rules</title><body><h1>Rules of caf=E9s</h1><p>Open =\r\nat 7.</p>\
             <iframe src=3D\"f.html\"></iframe></body></html>\r\n\
             --b\r\nContent-Type: text/css\r\nContent-Location: a.css\r\n\r\nbody {{ color: red }}\r\n\
             --b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Location: f.html\r\n\r\n<p>The frame.</p>\r\n--b--\r\n"
        )
    }

    fn page(source: &str) -> StructuredText {
        let limits = ExtractLimits::default();
        let extraction = read_eml(&Input::new(Path::new("a.mht"), source.as_bytes(), &limits)).unwrap();
        assert_eq!(extraction.parts, []);
        let document = extraction.document.unwrap();
        assert_invariants(&document);
        document
    }

    #[test]
    fn a_saved_page_is_a_page_whoever_saved_it() {
        let blink =
            "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://wiki.example/rules\r\nSubject: Tab\r\n";
        let wiki = "Date: Mon, 3 Jun 2024 09:12:44 +0000\r\nMessage-ID: <1@wiki.example>\r\nSubject: Exported From Confluence\r\n";
        for header in ["", blink, wiki, "From: \"Saved by Internet Explorer 11\"\r\nSubject: =?utf-8?q?x?=\r\n"] {
            let source = saved(header, "file:///C:/a.htm");
            assert!(looks_like_eml(source.as_bytes()), "{header}");
            let page = page(&source);
            assert_eq!((page.title.as_deref(), page.kind.as_str()), (Some("Rules"), "html"), "{header}");
            assert_eq!(page.text, "Rules of cafés\n\nOpen at 7.\n\nThe frame.", "{header}");
        }
        assert_eq!(page(&saved(blink, "file:///a")).metadata["url"], "https://wiki.example/rules");
        assert_eq!(page(&saved("", "http://a.example/x")).metadata["url"], "http://a.example/x");
        assert_eq!(page(&saved(wiki, "file:///a")).metadata["date"], "2024-06-03T09:12:44Z");
    }

    #[test]
    fn a_letter_with_pictures_is_a_letter() {
        let source = saved("From: a@x.example\r\nTo: b@x.example\r\nSubject: Menu\r\n", "a");
        let limits = ExtractLimits::default();
        let extraction = read_eml(&Input::new(Path::new("a.eml"), source.as_bytes(), &limits)).unwrap();
        assert_eq!(extraction.document.unwrap().title.as_deref(), Some("Menu"));
        let renamed = Input::new(Path::new("a.mht"), b"<html><p>x", &limits);
        assert!(!is_eml(&renamed));
    }
}
