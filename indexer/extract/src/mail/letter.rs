//! A letter, whatever it was saved as, and how it becomes a document: the subject as its title and first heading, who
//! wrote to whom and when as a paragraph and as metadata, then the body; attachments are parts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use super::body::{self, Block};
use crate::block::{BlockKind, Missing, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::place::Place;
use crate::{Format, Input, calendar};

/// Words of the longest excuse.
const MAX_EXCUSE: usize = 90;

/// What excuses name, lower case: the form that cannot be shown, or what else shows it.
const EXCUSES: &[&str] = &[
    "html",
    "browser",
    "mail client",
    "email client",
    "mail reader",
    "multipart",
    "mime",
    "navigateur",
    "navegador",
    "przeglądar",
    "webbläsare",
    "браузер",
    "浏览器",
    "瀏覽器",
    "ブラウザ",
    "브라우저",
    "متصفح",
    "mailprogramm",
    "e-mail-programm",
    "messagerie",
    "view this email",
    "view this e-mail",
    "view this message",
    "view it online",
    "view online",
    "online version",
    "online-version",
    "read online",
    "version en ligne",
    "versión en línea",
];

/// Longest subject in a path, in characters.
const MAX_NAME: usize = 80;

/// A mail.
#[derive(Debug, Default)]
pub(super) struct Letter<'a> {
    pub(super) subject: String,
    /// `Name <address>`, several joined by commas.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) cc: String,
    pub(super) bcc: String,
    /// As RFC 3339.
    pub(super) date: String,
    pub(super) message_id: String,
    pub(super) in_reply_to: String,
    /// Id of the letter that began the conversation.
    pub(super) thread: String,
    /// What an appointment, task or contact says besides: `Where`, `Room 4`.
    pub(super) facts: Vec<(&'static str, String)>,
    /// The body as plain text.
    pub(super) plain: Vec<Body>,
    /// The same body with markup; empty if there is only the plain one.
    pub(super) rich: Vec<Body>,
    pub(super) attachments: Vec<Attachment<'a>>,
    pub(super) missing: Vec<Missing>,
    pub(super) warnings: Vec<String>,
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Body {
    Plain(String),
    Html(String),
    Rtf(Vec<u8>),
    /// An invitation that is nothing else.
    Calendar(String),
}

/// A file or letter that came with a letter.
#[derive(Debug)]
pub(super) struct Attachment<'a> {
    pub(super) name: String,
    pub(super) content: Content<'a>,
}

#[derive(Debug)]
pub(super) enum Content<'a> {
    File(Cow<'a, [u8]>),
    /// Its encoding for the way is broken.
    Broken,
    Letter(Box<Letter<'a>>),
}

impl Letter<'_> {
    /// The letter as a document with its attachments as parts.
    pub(super) fn read(self, input: &Input<'_>, format: &Format) -> Extraction {
        let mut extraction = Extraction::from(self.document(input, format));
        for attachment in self.attachments {
            if let Err(error) = input.note_part() {
                extraction.warnings.push(format!("{error}: further attachments were left out"));
                break;
            }
            let name = file_name(&attachment.name);
            match attachment.content {
                Content::File(bytes) => {
                    extraction.add(&name, bytes.len() as u64, None, input.inner(Path::new(&name), &bytes));
                }
                Content::Broken => {
                    let error = FileError::damaged("attachment", "its transfer encoding is broken");
                    extraction.add(&name, 0, None, Err(error));
                }
                Content::Letter(letter) => extraction.add(&name, 0, None, Ok(letter.read(input, format))),
            }
        }
        extraction
    }

    fn document(&self, input: &Input<'_>, format: &Format) -> StructuredText {
        let mut builder = TextBuilder::default();
        builder.place = Some(Place::Mail);
        let subject = self.subject.split_whitespace().collect::<Vec<_>>().join(" ");
        builder.push(BlockKind::Heading { level: 1 }, &subject, 1..2);
        builder.title = Some(subject);
        builder.push(BlockKind::Paragraph, &self.header(), 1..2);
        for block in self.better_body(input) {
            builder.push(block.kind, &block.text, 1..2);
        }
        let fields = [
            ("author", &self.from),
            ("to", &self.to),
            ("cc", &self.cc),
            ("bcc", &self.bcc),
            ("date", &self.date),
            ("message_id", &self.message_id),
            ("in_reply_to", &self.in_reply_to),
            ("thread", &self.thread),
        ];
        let stated = fields.into_iter().filter(|(_, value)| !value.is_empty());
        builder.metadata.extend(stated.map(|(key, value)| (key.to_owned(), value.clone())));
        builder.missing.clone_from(&self.missing);
        builder.warnings.clone_from(&self.warnings);
        builder.finish(format)
    }

    fn header(&self) -> String {
        let attached: Vec<&str> = self.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
        let attached = attached.join(", ");
        let lines =
            [("From", &self.from), ("To", &self.to), ("Cc", &self.cc), ("Bcc", &self.bcc), ("Date", &self.date)];
        let facts = self.facts.iter().map(|(label, value)| (*label, value));
        let lines = lines.into_iter().chain(facts).chain([("Attachments", &attached)]);
        let stated = lines.filter(|(_, value)| !value.is_empty());
        stated.map(|(label, value)| format!("{label}: {value}\n")).collect()
    }

    /// Of two forms of one body the one that says more: markup only where it shows a structure that plain text lacks,
    /// or where the plain text is a stub ("your program cannot show this message").
    fn better_body(&self, input: &Input<'_>) -> Vec<Block> {
        let plain = blocks(&self.plain, input);
        let rich = blocks(&self.rich, input);
        if is_excuse(&plain, &rich) {
            return rich;
        }
        let (plain_words, rich_words) = (words(&plain), words(&rich));
        let structured = rich.iter().any(|block| matches!(block.kind, BlockKind::Table | BlockKind::Heading { .. }));
        let says_more = rich_words > plain_words * 2 || (structured && rich_words * 10 >= plain_words * 8);
        if says_more { rich } else { plain }
    }
}

fn blocks(bodies: &[Body], input: &Input<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for body in bodies {
        match body {
            Body::Plain(text) => body::plain(text, &mut blocks),
            Body::Html(html) => body::html(html, &mut blocks),
            Body::Rtf(bytes) => {
                let document = input.inner(Path::new("body.rtf"), bytes).ok().and_then(|inner| inner.document);
                blocks.extend(document.iter().flat_map(body::of_document));
            }
            Body::Calendar(text) => match calendar::structure(text) {
                Ok(document) => blocks.extend(body::of_document(&document)),
                Err(_) => body::plain(text, &mut blocks),
            },
        }
    }
    blocks
}

/// Whether plain text stands in for a body that it does not hold: "your mail client cannot show HTML", "read this letter
/// in your browser", in any language that names the thing. It shares hardly a word with the body.
fn is_excuse(plain: &[Block], rich: &[Block]) -> bool {
    let own = |blocks: &[Block]| {
        let own = blocks.iter().filter(|block| block.kind != BlockKind::Quote);
        own.map(|block| block.text.to_lowercase()).collect::<Vec<_>>().join("\n")
    };
    let (plain, rich) = (own(plain), own(rich));
    let said: Vec<&str> = plain.split_whitespace().collect();
    if said.len() > MAX_EXCUSE || rich.trim().is_empty() || !EXCUSES.iter().any(|excuse| plain.contains(excuse)) {
        return false;
    }
    let body: HashSet<&str> = rich.split_whitespace().collect();
    let shared = said.iter().filter(|word| body.contains(**word)).count();
    shared * 2 < said.len() || said.is_empty()
}

fn words(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.text.split_whitespace().count()).sum()
}

/// A file name of a letter or attachment: one part of a path, of a length that can be shown.
pub(super) fn file_name(name: &str) -> String {
    let name: String = name.chars().map(|c| if matches!(c, '/' | '\\') || c.is_control() { '_' } else { c }).collect();
    let name = name.trim();
    if name.chars().count() <= MAX_NAME {
        return if name.is_empty() { "attachment".to_owned() } else { name.to_owned() };
    }
    let (stem, extension) = name.rsplit_once('.').filter(|(_, end)| end.len() <= 8).unwrap_or((name, ""));
    let stem: String = stem.chars().take(MAX_NAME).collect();
    if extension.is_empty() { stem } else { format!("{}.{extension}", stem.trim_end()) }
}

/// What is said of a body that only its owner can open.
pub(super) fn encrypted_body() -> Missing {
    let reason = FileError::Encrypted.to_string();
    Missing { part: "body".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        assert_eq!(file_name("a/b\\c.txt"), "a_b_c.txt");
        assert_eq!(file_name(" \n"), "_");
        assert_eq!(file_name(""), "attachment");
        let long = format!("{}.docx", "x".repeat(300));
        assert_eq!(file_name(&long), format!("{}.docx", "x".repeat(80)));
    }
}
