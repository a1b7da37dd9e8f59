//! RFC 5322 and MIME by mail-parser: it reads what real mailers wrote (broken boundaries, wrong charsets, nested and
//! encoded letters) without ever failing, and has no dependency but encoding_rs. Bodies in an undeclared encoding are
//! decoded again here by statistics.

use std::borrow::Cow;

use mail_parser::{Address, Encoding, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::letter::{Attachment, Body, Content, Letter, encrypted_body};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input, decode, sniff};

pub(crate) const FORMAT: &Format = Format::of("eml");

/// Bytes in which header fields are looked for.
const SAMPLE: usize = 4096;

/// Fields that make an opening a mail's, lower case; one of the first group and two in all must be there.
const TELLING: &[&str] = &["received", "message-id", "mime-version", "return-path", "delivered-to", "from"];
const USUAL: &[&str] = &["to", "cc", "date", "subject", "content-type", "reply-to", "x-mailer", "sender"];

/// Extensions of attachments without a name whose media type has no row in the table of formats.
const EXTENSIONS: &[(&str, &str)] = &[("text/calendar", "ics"), ("text/", "txt"), ("image/gif", "gif")];

pub(crate) fn is_named(input: &Input<'_>) -> bool {
    input.is_named(FORMAT) && sniff::signature(input.bytes).is_none()
}

/// Whether text opens with the header of a mail.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let (mut telling, mut usual) = (0, 0);
    for line in sample.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return false };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
            return false;
        }
        let name = String::from_utf8_lossy(name).to_lowercase();
        telling += usize::from(TELLING.contains(&name.as_str()));
        usual += usize::from(USUAL.contains(&name.as_str()));
    }
    telling > 0 && telling + usual >= 3
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    // A mail is bytes of many encodings; one that was saved as UTF-16 is text first.
    // Zeros further down belong to a part.
    let is_wide = input.bytes.iter().take(4).any(|&byte| matches!(byte, 0 | 0xfe | 0xff));
    let recoded = decode::wide(input.bytes).filter(|_| is_wide).map(|decoded| decoded.text.into_bytes());
    let bytes = recoded.as_deref().unwrap_or(input.bytes);
    let message = MessageParser::default().parse(bytes).ok_or(FileError::Empty)?;
    Ok(letter(&message).read(input, FORMAT))
}

/// A letter of a parsed message.
fn letter<'a>(message: &'a Message<'a>) -> Letter<'a> {
    let mut letter = Letter {
        subject: message.subject().unwrap_or_default().to_owned(),
        from: people(message.from().or_else(|| message.sender())),
        to: people(message.to()),
        cc: people(message.cc()),
        bcc: people(message.bcc()),
        date: message.date().filter(|date| date.is_valid()).map(|date| date.to_rfc3339()).unwrap_or_default(),
        message_id: message.message_id().unwrap_or_default().to_owned(),
        in_reply_to: joined(message.in_reply_to()),
        ..Letter::default()
    };
    let same = message.text_body == message.html_body;
    letter.plain = bodies(message, &message.text_body);
    if !same {
        letter.rich = bodies(message, &message.html_body);
    }
    note_encryption(message, &mut letter);
    if letter.missing.is_empty() {
        letter.attachments = attachments(message, &letter);
    }
    letter
}

fn bodies(message: &Message<'_>, ids: &[u32]) -> Vec<Body> {
    let parts = ids.iter().filter_map(|&id| message.part(id));
    let body = |part: &MessagePart<'_>| match &part.body {
        PartType::Text(text) => Some(Body::Plain(redecoded(message, part).unwrap_or_else(|| text.to_string()))),
        PartType::Html(text) => Some(Body::Html(redecoded(message, part).unwrap_or_else(|| text.to_string()))),
        _ => None,
    };
    parts.filter_map(body).collect()
}

/// The text of a part that was not decoded cleanly, by statistics over its bytes.
fn redecoded(message: &Message<'_>, part: &MessagePart<'_>) -> Option<String> {
    let broken = part.text_contents().is_some_and(|text| text.contains('\u{fffd}'));
    let declared = part.content_type().and_then(|kind| kind.attribute("charset"));
    if !broken && (declared.is_some() || !part.is_encoding_problem) {
        return None;
    }
    let raw = message.raw_message().get(part.offset_body as usize..part.offset_end as usize)?;
    let raw = match part.encoding {
        Encoding::None => Cow::Borrowed(raw),
        Encoding::QuotedPrintable => mail_parser::decoders::quoted_printable::quoted_printable_decode(raw)?.into(),
        Encoding::Base64 => mail_parser::decoders::base64::base64_decode(raw)?.into(),
    };
    Some(decode::decode(&raw, None).text)
}

fn attachments<'a>(message: &'a Message<'a>, letter: &Letter<'_>) -> Vec<Attachment<'a>> {
    let mut found = Vec::new();
    for (number, part) in message.attachments().enumerate() {
        if is_shown_inside(part, letter) || is_signature(part) {
            continue;
        }
        let name = part.attachment_name().map(str::to_owned);
        let name = match &part.body {
            PartType::Message(inner) => name.unwrap_or_else(|| format!("{}.eml", inner.subject().unwrap_or("message"))),
            _ => name.unwrap_or_else(|| format!("attachment {}.{}", number + 1, extension(part))),
        };
        let name = match &part.body {
            PartType::Message(_) if !name.to_lowercase().ends_with(".eml") => format!("{name}.eml"),
            _ => name,
        };
        let content = match &part.body {
            PartType::Message(inner) => Content::File(Cow::Borrowed(inner.raw_message())),
            PartType::Text(_) | PartType::Html(_) => Content::File(Cow::Borrowed(part.contents())),
            _ if part.is_encoding_problem => Content::Broken,
            _ => Content::File(Cow::Borrowed(part.contents())),
        };
        // Broken boundaries leave empty parts behind.
        let nothing = matches!(&content, Content::File(bytes) if bytes.trim_ascii().is_empty());
        if !nothing {
            found.push(Attachment { name, content });
        }
    }
    found
}

/// A picture that the HTML body shows in its place: a logo, not a document.
fn is_shown_inside(part: &MessagePart<'_>, letter: &Letter<'_>) -> bool {
    let Some(id) = part.content_id() else { return false };
    let reference = format!("cid:{id}");
    let image = part.content_type().is_some_and(|kind| kind.c_type.eq_ignore_ascii_case("image"));
    let shows = |body: &Body| matches!(body, Body::Html(html) if html.contains(&reference));
    image && (letter.rich.iter().any(shows) || letter.plain.iter().any(shows))
}

fn is_signature(part: &MessagePart<'_>) -> bool {
    part.is_content_type("application", "pgp-signature") || part.is_content_type("application", "pkcs7-signature")
}

fn extension(part: &MessagePart<'_>) -> &'static str {
    let Some(kind) = part.content_type() else { return "txt" };
    let name = format!("{}/{}", kind.c_type, kind.c_subtype.as_deref().unwrap_or_default()).to_lowercase();
    let of_format = Format::of_media_type(&name).and_then(|format| format.extensions.first());
    let other = || EXTENSIONS.iter().find(|(known, _)| name.starts_with(known)).map(|(_, extension)| extension);
    of_format.or_else(other).copied().unwrap_or("bin")
}

/// PGP and S/MIME: nothing of the body can be read, and its letters are no words.
fn note_encryption(message: &Message<'_>, letter: &mut Letter<'_>) {
    let root = message.root_part();
    let enveloped = |part: &MessagePart<'_>| {
        let smime =
            part.is_content_type("application", "pkcs7-mime") || part.is_content_type("application", "x-pkcs7-mime");
        let kind = part.content_type().and_then(|kind| kind.attribute("smime-type"));
        smime && kind.is_none_or(|kind| kind.eq_ignore_ascii_case("enveloped-data"))
    };
    let inline = letter
        .plain
        .iter()
        .any(|body| matches!(body, Body::Plain(text) if text.trim_start().starts_with("-----BEGIN PGP MESSAGE-----")));
    if root.is_content_type("multipart", "encrypted") || enveloped(root) || inline {
        letter.plain.clear();
        letter.rich.clear();
        letter.missing.push(encrypted_body());
    }
}

/// `Name <address>`, joined by commas.
fn people(address: Option<&Address<'_>>) -> String {
    let Some(address) = address else { return String::new() };
    let person = |person: &mail_parser::Addr<'_>| match (person.name(), person.address()) {
        (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    };
    match address {
        Address::List(list) => list.iter().filter_map(person).collect::<Vec<_>>().join(", "),
        Address::Group(groups) => {
            let group = |group: &mail_parser::Group<'_>| {
                let members = group.addresses.iter().filter_map(person).collect::<Vec<_>>().join(", ");
                match &group.name {
                    Some(name) => format!("{name}: {members}"),
                    None => members,
                }
            };
            groups.iter().map(group).collect::<Vec<_>>().join(", ")
        }
    }
}

fn joined(value: &HeaderValue<'_>) -> String {
    value.as_text_list().map(|list| list.join(" ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::block::{BlockKind, assert_invariants};
    use crate::{ExtractLimits, StructuredText};

    fn extraction(source: &[u8]) -> Extraction {
        let extraction = read(&Input::new(Path::new("a.eml"), source, &ExtractLimits::default())).unwrap();
        assert_invariants(extraction.document.as_ref().unwrap());
        extraction
    }

    fn document(source: &str) -> StructuredText {
        extraction(source.as_bytes()).document.unwrap()
    }

    const HEADER: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>\r\nTo: Ana <a@x.example>, b@x.example\r\n\
                          Subject: =?utf-8?b?UmVpc2Vrb3N0ZW4=?=\r\nDate: Wed, 1 May 2024 10:30:00 +0200\r\n\
                          Message-ID: <1@x.example>\r\nIn-Reply-To: <0@x.example>\r\nMIME-Version: 1.0\r\n";

    #[test]
    fn the_header_is_title_paragraph_and_metadata() {
        let document = document(&format!("{HEADER}\r\nThe body.\r\n\r\n> quoted\r\n"));
        assert_eq!(document.title.as_deref(), Some("Reisekosten"));
        assert_eq!(
            document.text,
            "Reisekosten\n\nFrom: Jürgen <j@x.example>\nTo: Ana <a@x.example>, b@x.example\n\
             Date: 2024-05-01T10:30:00+02:00\n\nThe body.\n\nquoted"
        );
        assert_eq!(document.blocks[3].kind, BlockKind::Quote);
        assert_eq!(document.metadata["author"], "Jürgen <j@x.example>");
        assert_eq!(document.metadata["message_id"], "1@x.example");
        assert_eq!(document.metadata["in_reply_to"], "0@x.example");
    }

    fn alternative(plain: &str, html: &str) -> String {
        format!(
            "{HEADER}Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{plain}\r\n\
             --b\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b--\r\n"
        )
    }

    #[test]
    fn the_better_alternative_is_read() {
        let same = document(&alternative("The same words", "<p>The same words</p>"));
        assert!(same.text.ends_with("\n\nThe same words"));
        let stub = document(&alternative("Use another program", "<p>All the words of a whole long letter</p>"));
        assert!(stub.text.ends_with("\n\nAll the words of a whole long letter"), "{}", stub.text);
        let table = "<table><tr><th>City<th>Rate<tr><td>Oslo<td>3</table>";
        assert!(document(&alternative("City Rate\r\nOslo 3", table)).text.ends_with("| Oslo | 3 |"));
    }

    #[test]
    fn attachments_are_documents_of_their_own() {
        let source = format!(
            "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee attached.\r\n\
             --b\r\nContent-Type: text/markdown; name=\"a/plan.md\"\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment\r\n\r\nIyBQbGFuCg==\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\nFrom: c@x\r\n\r\ninner words\r\n--b--\r\n"
        );
        let extraction = extraction(source.as_bytes());
        let parts: Vec<_> = extraction.parts.iter().map(|part| part.path.as_str()).collect();
        assert_eq!(parts, ["a_plan.md", "Inner.eml"]);
        assert_eq!(extraction.parts[0].outcome.as_ref().unwrap().kind, "markdown");
        assert!(extraction.parts[1].outcome.as_ref().unwrap().text.ends_with("inner words"));
        assert!(extraction.document.unwrap().text.contains("Attachments: a/plan.md, Inner.eml"));
    }

    #[test]
    fn encrypted_bodies_are_said_to_be_missing() {
        let source =
            "From: a@x\r\nTo: b@x\r\nSubject: secret\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhIwDY32hYGCE8MkB\r\n";
        let document = document(source);
        assert!(!document.text.contains("hIwDY"));
        assert_eq!(document.missing.len(), 1);
    }

    #[test]
    fn undeclared_encodings_are_told() {
        let (body, _, _) = encoding_rs::GBK.encode("员工每年享有十五天带薪年假，须提前两周向主管申请。");
        let mut source = b"From: a@x\r\nTo: b@x\r\nSubject: s\r\n\r\n".to_vec();
        source.extend_from_slice(&body);
        assert!(extraction(&source).document.unwrap().text.contains("十五天带薪年假"));
    }

    #[test]
    fn mails_saved_as_utf_16_are_read_and_parts_in_it_too() {
        let whole: Vec<u8> = format!("{HEADER}\r\nbody words").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(extraction(&whole).document.unwrap().text.ends_with("body words"));
        let mut part = format!("{HEADER}Content-Type: text/plain; charset=utf-16le\r\n\r\n").into_bytes();
        part.extend("body words of a part".encode_utf16().flat_map(u16::to_le_bytes));
        assert!(extraction(&part).document.unwrap().text.ends_with("body words of a part"));
    }

    #[test]
    fn a_mail_is_known_by_its_header() {
        assert!(looks_like(HEADER.as_bytes()));
        assert!(looks_like(b"Received: by x\n\tid 1\nFrom: a@b\nSubject: x\n\nbody"));
        assert!(!looks_like(b"From: the editor\nDear reader, this is a text.\nSubject: none\n"));
        assert!(!looks_like(b"title: x\ndate: y\nsubject: z\n\nMarkdown"));
        assert!(!looks_like(b"plain words"));
    }
}
