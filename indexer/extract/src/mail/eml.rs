//! RFC 5322 and MIME by mail-parser: it reads what real mailers wrote (broken boundaries, wrong charsets, nested and
//! encoded letters) without ever failing, and has no dependency but encoding_rs. What it takes for lost is mended
//! before ([`super::wire`]) or decoded again ([`super::part`]).

use std::borrow::Cow;

use mail_parser::{Address, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::letter::{Attachment, Body, Content, Letter, encrypted_body};
use super::{mhtml, part, uuencode, wire};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input, decode, guard, sniff};

pub(crate) const FORMAT: &Format = Format::of("eml");

/// Bytes in which header fields are looked for: signatures and the stations of a long way fill dozens of kilobytes.
const SAMPLE: usize = 64 << 10;

/// Fields that make an opening a mail's, lower case; one of the first group and two in all must be there.
const TELLING: &[&str] = &["received", "message-id", "mime-version", "return-path", "delivered-to", "from"];
const USUAL: &[&str] = &["to", "cc", "date", "subject", "content-type", "reply-to", "x-mailer", "sender"];

/// Extensions of attachments without a name whose media type has no row in the table of formats.
const EXTENSIONS: &[(&str, &str)] =
    &[("text/x-vcard", "vcf"), ("text/directory", "vcf"), ("text/", "txt"), ("image/gif", "gif")];

pub(crate) fn is_named(input: &Input<'_>) -> bool {
    let is_named = input.is_named(FORMAT) || input.has_extension(&["mht", "mhtml"]);
    // A page that was renamed is a page.
    is_named && sniff::signature(input.bytes).is_none() && !sniff::looks_like_html(input.bytes)
}

/// Whether text opens with the header of a mail.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let bytes = wire::from_header(bytes);
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let unified = wire::with_line_feeds(sample);
    let sample = unified.as_deref().unwrap_or(sample);
    let (mut telling, mut usual, mut is_page) = (0, 0, false);
    for line in sample.split_inclusive(|&byte| byte == b'\n') {
        let is_whole = line.ends_with(b"\n");
        let line = line.trim_ascii_end();
        // The sample ends within a field.
        if line.is_empty() || (!is_whole && sample.len() == SAMPLE) {
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
        is_page |= name == "content-type" && line.to_ascii_lowercase().windows(17).any(|it| it == b"multipart/related");
    }
    telling > 0 && (telling + usual >= 3 || is_page)
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    // A mail is bytes of many encodings; one that was saved as UTF-16 is text first.
    // Zeros further down belong to a part.
    let is_wide = input.bytes.iter().take(4).any(|&byte| matches!(byte, 0 | 0xfe | 0xff));
    let recoded = decode::wide(input.bytes).filter(|_| is_wide).map(|decoded| decoded.text.into_bytes());
    let mended = wire::mended(recoded.as_deref().unwrap_or(input.bytes));
    let parse = || MessageParser::default().parse(&*mended);
    let message = guard::guarded("mail", parse)?.ok_or(FileError::Empty)?;
    if mhtml::is_page(&message) {
        return Ok(Extraction::from(mhtml::read(&message)));
    }
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
        thread: first(message.references()).or_else(|| first(message.in_reply_to())).unwrap_or_default(),
        ..Letter::default()
    };
    let same = message.text_body == message.html_body;
    letter.plain = bodies(message, &message.text_body, &mut letter);
    if !same {
        letter.rich = bodies(message, &message.html_body, &mut letter);
    }
    let root = message.root_part();
    if root.is_content_type("text", "calendar") {
        letter.plain = vec![Body::Calendar(part::text(message, root).text)];
    }
    note_encryption(message, &mut letter);
    if letter.missing.is_empty() {
        let attached = attachments(message, &mut letter);
        letter.attachments.extend(attached);
    }
    letter
}

/// Bodies as texts. Files in a plain one, as they were sent before MIME, go to the attachments.
fn bodies(message: &Message<'_>, ids: &[u32], letter: &mut Letter<'_>) -> Vec<Body> {
    let mut bodies = Vec::new();
    for part in ids.iter().filter_map(|&id| message.part(id)) {
        let is_html = matches!(part.body, PartType::Html(_));
        if !is_html && !matches!(part.body, PartType::Text(_)) {
            continue;
        }
        let decoded = part::text(message, part);
        letter.warnings.extend(
            decoded.warnings.into_iter().filter(|warning| !letter.warnings.contains(warning)).collect::<Vec<_>>(),
        );
        if is_html {
            bodies.push(Body::Html(decoded.text));
            continue;
        }
        let (text, files) = uuencode::taken_out(&decoded.text);
        bodies.push(Body::Plain(if files.is_empty() { decoded.text } else { text }));
        let attached =
            |file: uuencode::Embedded| Attachment { name: file.name, content: Content::File(Cow::Owned(file.bytes)) };
        letter.attachments.extend(files.into_iter().map(attached));
    }
    bodies
}

fn attachments<'a>(message: &'a Message<'a>, letter: &mut Letter<'_>) -> Vec<Attachment<'a>> {
    let mut found = Vec::new();
    for (number, part) in message.attachments().enumerate() {
        let is_body = std::ptr::eq(part, message.root_part()) && part.is_content_type("text", "calendar");
        if is_shown_inside(part, letter) || is_signature(part) || is_body {
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
            PartType::Text(_) | PartType::Html(_) => {
                let (bytes, warnings) = part::file(message, part);
                letter.warnings.extend(warnings.into_iter().map(|warning| format!("{name}: {warning}")));
                Content::File(bytes)
            }
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

/// Of the letters that one answers, the first.
fn first(value: &HeaderValue<'_>) -> Option<String> {
    value.as_text_list().and_then(|list| list.first().map(|id| id.to_string()))
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

    #[test]
    fn a_conversation_is_told_by_its_first_letter() {
        let thread = |fields: &str| {
            document(&format!("From: a@x\r\nTo: b@x\r\nSubject: s\r\n{fields}\r\nbody")).metadata.get("thread").cloned()
        };
        assert_eq!(thread("References: <1@x> <2@x>\r\nIn-Reply-To: <2@x>\r\n").as_deref(), Some("1@x"));
        assert_eq!(thread("In-Reply-To: <2@x>\r\n").as_deref(), Some("2@x"));
        assert_eq!(thread(""), None);
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
    fn an_excuse_loses_to_the_body_however_long_it_is() {
        let excuses = [
            "This message is in HTML format. Your mail client cannot show HTML; please open it with another one, thanks.",
            "Ihr E-Mail-Programm unterstützt leider keine HTML-E-Mails. Bitte öffnen Sie diese Nachricht im Browser.",
            "Votre messagerie ne permet pas de lire cette lettre, veuillez la lire dans votre navigateur.",
            "您的邮件客户端不支持HTML格式，请使用浏览器查看。",
            "If you cannot read this e-mail, view it online: https://x.example/m/1",
        ];
        for excuse in excuses {
            let read = document(&alternative(excuse, "<p>Pay 40 euros by May.</p>"));
            assert!(read.text.ends_with("\n\nPay 40 euros by May."), "{}", read.text);
        }
        let about_html = document(&alternative(
            "Please write HTML for the new page.",
            "<p>Please write <b>HTML</b> for the new page.</p>",
        ));
        assert!(about_html.text.ends_with("Please write HTML for the new page."));
        let only = document(&format!("{HEADER}\r\nYour mail client cannot show HTML.\r\n"));
        assert!(only.text.ends_with("cannot show HTML."));
    }

    #[test]
    fn texts_are_read_in_the_charset_that_they_are_in() {
        let part = |kind: &str, body: &[u8]| {
            let head = format!("{HEADER}Content-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
            let read = extraction(&[head.as_bytes(), body].concat()).document.unwrap();
            (read.text.rsplit("\n\n").next().unwrap().to_owned(), read.warnings)
        };
        let german = "Größe prüfen, Maß nehmen";
        let latin = encoding_rs::WINDOWS_1252.encode(german).0;
        for (kind, body) in [
            ("text/plain; charset=iso-8859-1", german.as_bytes()),
            ("text/plain; charset=us-ascii", german.as_bytes()),
            ("text/plain; charset=us-ascii", &latin),
            ("text/plain; charset=utf-8", &latin),
            ("text/plain; charset=x-unknown", &latin),
            ("text/plain; charset=\"ISO-8859-1\"", &latin),
            ("text/plain; charset=unicode-1-1-utf-7", b"Gr+APYA3w-e pr+APw-fen, Ma+AN8- nehmen"),
            ("text/plain; charset=cp850", b"Gr\x94\xe1e pr\x81fen, Ma\xe1 nehmen"),
        ] {
            assert_eq!(part(kind, body).0, german, "{kind}");
        }
        assert_eq!(part("text/plain; charset=iso-8859-1", &latin).1, Vec::<String>::new());
        assert_eq!(
            part("text/plain; charset=utf-8", &latin).1,
            ["declared as UTF-8, which it is not", "read as windows-1252"]
        );
        let meta = encoding_rs::SHIFT_JIS.encode("<html><meta charset=shift_jis><p>会議室</p>").0;
        assert_eq!(part("text/html", &meta).0, "会議室");
        assert_eq!(part("text/plain; format=flowed; delsp=yes", "共 \r\n同".as_bytes()).0, "共同");
    }

    #[test]
    fn text_attachments_keep_their_bytes_for_their_reader() {
        let attached = |kind: &str, name: &str, body: &[u8]| {
            let head = format!(
                "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee.\r\n--b\r\nContent-Type: {kind}\r\n\
                 Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
            );
            let read = extraction(&[head.as_bytes(), body, b"\r\n--b--\r\n"].concat());
            read.parts[0].outcome.as_ref().unwrap().text.clone()
        };
        let latin = encoding_rs::WINDOWS_1252.encode("Kunde;Straße\r\nMüller;Hauptstraße 5").0;
        assert_eq!(
            attached("text/csv", "a.csv", &latin),
            "| Kunde | Straße |\n| --- | --- |\n| Müller | Hauptstraße 5 |"
        );
        assert_eq!(attached("text/plain; charset=gbk", "a.txt", &encoding_rs::GBK.encode("采购").0), "采购");
        assert_eq!(attached("text/plain; charset=us-ascii", "a.txt", "采购 Größe".as_bytes()), "采购 Größe");
        assert_eq!(
            attached("text/xml", "a.xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><r><n>J\xf6rg</n></r>"),
            "n: Jörg"
        );
        assert_eq!(attached("text/rtf", "a.rtf", b"{\\rtf1\\ansi Gr\\'f6\\'dfe}"), "Größe");
        let wide: Vec<u8> = "\u{feff}Größe".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(attached("text/plain; charset=utf-8", "a.txt", &wide), "Größe");
    }

    #[test]
    fn a_uuencoded_file_is_an_attachment() {
        let extraction =
            extraction(format!("{HEADER}\r\nSee file\r\n\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n").as_bytes());
        assert_eq!(
            (extraction.parts[0].path.as_str(), extraction.parts[0].outcome.as_ref().unwrap().text.as_str()),
            ("a.txt", "Cat")
        );
        let text = extraction.document.unwrap().text;
        assert!(text.contains("Attachments: a.txt") && text.ends_with("See file"), "{text}");
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

    const INVITATION: &str = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Pump review\r\n\
        DTSTART:20260302T083000Z\r\nLOCATION:Room 4\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    #[test]
    fn invitations_and_cards_are_read_as_what_they_are() {
        let source = format!(
            "{HEADER}Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nPlease come.\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n\
             {INVITATION}\r\n--b--\r\n--m\r\nContent-Type: text/vcard\r\nContent-Disposition: attachment\r\n\r\n\
             BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ana Ruiz\r\nEND:VCARD\r\n--m--\r\n"
        );
        let extraction = extraction(source.as_bytes());
        let kinds = extraction.parts.iter().map(|part| part.outcome.as_ref().unwrap());
        let kinds: Vec<_> = kinds.map(|part| (part.kind.as_str(), part.text.as_str())).collect();
        let event = "Pump review\n\nWhen: 2026-03-02 08:30 UTC\nWhere: Room 4";
        assert_eq!(kinds, [("calendar", event), ("contacts", "Ana Ruiz")]);
        assert!(extraction.document.unwrap().text.ends_with("Please come."));
        let alone = document(&format!("{HEADER}Content-Type: text/calendar; method=REQUEST\r\n\r\n{INVITATION}"));
        assert!(alone.text.ends_with(event) && !alone.text.contains("Attachments"), "{}", alone.text);
    }

    #[test]
    fn letters_in_letters_that_never_end_are_read() {
        let source = "x\nContent-Type: multipart/mixed; boundary=b\n\n--bContent-Type: message/rfc822\n\nwords\n\
                      Content-Type: message/rfc822\n\n\n--b--";
        let outcome = read(&Input::new(Path::new("a.eml"), source.as_bytes(), &ExtractLimits::default()));
        assert!(outcome.is_ok(), "{outcome:?}");
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
        let long = format!("{HEADER}{}Cc: c@x\r\n\r\nbody", "X-Spam: vvvvvvvvvvvvvvvvvvvvvvvvvv\r\n".repeat(5_000));
        for start in 0..40 {
            assert!(looks_like(format!("X: {}\r\n{long}", "y".repeat(start)).as_bytes()), "{start}");
        }
        for before in ["\r\n", "\u{feff}", "\u{feff}\n \n"] {
            assert!(looks_like(format!("{before}{HEADER}\r\nbody").as_bytes()));
        }
        assert!(looks_like(b"From: a@x\rTo: b@x\rSubject: s\r\rbody"));
    }
}
