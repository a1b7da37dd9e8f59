//! Outlook's MSG ([MS-OXMSG]): a compound file whose streams are the properties of a letter, by the `cfb` crate, which
//! reads streams only when asked. The crate for the whole format, msg_parser 0.3, keeps every stream of a file in memory
//! at once (attachments twice, once as hexadecimal text).

use std::borrow::Cow;
use std::io::{Cursor, Read};

use cfb::CompoundFile;

use super::item;
use super::letter::{Attachment, Body, Content, Letter, encrypted_body};
use super::mapi::{self, property};
use super::named::{self, Names};
use crate::decode::Charset;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input};

pub(crate) const FORMAT: &Format = Format::of("msg");

const PROPERTIES: &str = "__properties_version1.0";
const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Bytes before the first fixed property of a letter, and of a letter inside of another.
const ROOT_HEADER: usize = 32;
const INNER_HEADER: usize = 24;

type File<'a> = CompoundFile<Cursor<&'a [u8]>>;

pub(crate) fn is_msg(input: &Input<'_>) -> bool {
    let is_it = || CompoundFile::open(Cursor::new(input.bytes)).is_ok_and(|file| file.exists(PROPERTIES));
    input.bytes.starts_with(MAGIC) && (input.is_named(FORMAT) || is_it())
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let mut file =
        CompoundFile::open(Cursor::new(input.bytes)).map_err(|error| FileError::damaged("Outlook message", error))?;
    if !file.exists(PROPERTIES) {
        return Err(FileError::damaged("Outlook message", "expected a stream of properties, found none"));
    }
    let limits = Reading { depth: input.limits.max_depth, bytes: input.limits.max_bytes };
    let mut table = |path| stream(&mut file, path, limits).unwrap_or_default();
    let names = Names::read(&table(named::IDENTIFIERS), &table(named::ENTRIES));
    let letter = letter(&mut file, "", ROOT_HEADER, &names, limits);
    Ok(letter.read(input, FORMAT))
}

/// What reading may still cost.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Letters inside of letters that are still followed.
    depth: usize,
    /// Most bytes of one stream.
    bytes: u64,
}

fn letter(file: &mut File<'_>, storage: &str, header: usize, names: &Names, limits: Reading) -> Letter<'static> {
    let mut storage = Storage { file, path: storage, header, names, limits, fixed: Vec::new(), charset: None };
    storage.read_fixed();
    let sender = storage.text(property::SENDER_NAME).unwrap_or_default();
    let address = storage.text(property::SENDER_SMTP).or_else(|| storage.text(property::SENDER_ADDRESS));
    // Inside one company the address is a path in the directory.
    let address = address.filter(|address| address.contains('@') && *address != sender);
    let date = storage.time(property::SUBMIT_TIME).or_else(|| storage.time(property::DELIVERY_TIME));
    let mut letter = Letter {
        subject: storage.text(property::SUBJECT).unwrap_or_default(),
        from: match address {
            Some(address) if sender.is_empty() => address,
            Some(address) => format!("{sender} <{address}>"),
            None => sender,
        },
        to: storage.text(property::DISPLAY_TO).unwrap_or_default(),
        cc: storage.text(property::DISPLAY_CC).unwrap_or_default(),
        bcc: storage.text(property::DISPLAY_BCC).unwrap_or_default(),
        date: date.and_then(mapi::date).unwrap_or_default(),
        message_id: bare_id(storage.text(property::MESSAGE_ID)),
        in_reply_to: bare_id(storage.text(property::IN_REPLY_TO)),
        ..Letter::default()
    };
    let class = storage.text(property::MESSAGE_CLASS).unwrap_or_default().to_lowercase();
    letter.facts = item::facts(&class, &mut storage);
    if class.starts_with("ipm.contact") {
        letter.subject = storage.text(property::DISPLAY_NAME).unwrap_or(letter.subject);
    }
    if class.contains("smime") && !class.contains("multipartsigned") {
        letter.missing.push(encrypted_body());
        return letter;
    }
    storage.read_bodies(&mut letter);
    let charset = storage.charset;
    letter.attachments = attachments(storage.file, storage.path, charset, names, limits);
    letter
}

fn bare_id(id: Option<String>) -> String {
    id.unwrap_or_default().trim_matches(['<', '>', ' ']).to_owned()
}

/// The properties of one letter.
pub(super) struct Storage<'f, 'b, 'p> {
    file: &'f mut File<'b>,
    path: &'p str,
    header: usize,
    /// The table of the file, which letters inside of it share.
    pub(super) names: &'p Names,
    limits: Reading,
    /// The stream of numbers and times.
    fixed: Vec<u8>,
    /// Of texts in eight bits.
    charset: Option<Charset>,
}

impl Storage<'_, '_, '_> {
    fn read_fixed(&mut self) {
        self.fixed = stream(self.file, &format!("{}/{PROPERTIES}", self.path), self.limits).unwrap_or_default();
        // Where the letter says nothing, its body tells most.
        let stated =
            [property::MESSAGE_CODEPAGE, property::CODEPAGE].into_iter().find_map(|it| self.stated_charset(it));
        self.charset = stated.or_else(|| mapi::told_by(&self.bytes(property::BODY, 0x001e)?));
    }

    fn stated_charset(&self, property: u16) -> Option<Charset> {
        self.number(property).and_then(|page| u32::try_from(page).ok()).and_then(mapi::charset)
    }

    /// A number or time: entries of 16 bytes, tag first, value last.
    pub(super) fn number(&self, property: u16) -> Option<u64> {
        let entries = self.fixed.get(self.header..)?.as_chunks::<16>().0;
        let entry = entries.iter().find(|entry| u16::from_le_bytes([entry[2], entry[3]]) == property)?;
        let value = entry.last_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))?;
        let is_time = u16::from_le_bytes([entry[0], entry[1]]) == 0x0040;
        Some(if is_time { value } else { value & 0xffff_ffff })
    }

    pub(super) fn time(&self, property: u16) -> Option<u64> {
        self.number(property).filter(|&time| time > 0)
    }

    pub(super) fn bytes(&mut self, property: u16, kind: u16) -> Option<Vec<u8>> {
        stream(self.file, &format!("{}/{}", self.path, substream(property, kind)), self.limits)
    }

    pub(super) fn text(&mut self, property: u16) -> Option<String> {
        let wide = self.bytes(property, 0x001f).map(|bytes| mapi::wide_text(&bytes));
        let text = wide.or_else(|| self.bytes(property, 0x001e).map(|bytes| mapi::text_in(&bytes, self.charset)));
        text.filter(|text| !text.trim().is_empty())
    }

    fn read_bodies(&mut self, letter: &mut Letter<'_>) {
        letter.plain.extend(self.text(property::BODY).map(Body::Plain));
        // The code page of an HTML body is that of the letter's origin.
        let charset = self.stated_charset(property::CODEPAGE).or(self.charset);
        let html = self.bytes(property::HTML, 0x0102).map(|bytes| mapi::text_in(&bytes, charset));
        let html = html.or_else(|| self.text(property::HTML));
        letter.rich.extend(html.map(Body::Html));
        if letter.plain.is_empty() && letter.rich.is_empty() {
            let rtf = self.bytes(property::RTF, 0x0102).and_then(|bytes| mapi::decompress_rtf(&bytes));
            letter.plain.extend(rtf.map(Body::Rtf));
        }
    }
}

fn attachments(
    file: &mut File<'_>,
    storage: &str,
    charset: Option<Charset>,
    names: &Names,
    limits: Reading,
) -> Vec<Attachment<'static>> {
    let path = if storage.is_empty() { "/" } else { storage };
    let Ok(entries) = file.read_storage(path) else { return Vec::new() };
    let found = entries.filter(|entry| entry.is_storage()).map(|entry| entry.name().to_owned());
    let found: Vec<String> = found.filter(|name| name.starts_with("__attach_version1.0_")).collect();
    found.iter().filter_map(|name| attachment(file, &format!("{storage}/{name}"), charset, names, limits)).collect()
}

fn attachment(
    file: &mut File<'_>,
    path: &str,
    charset: Option<Charset>,
    names: &Names,
    limits: Reading,
) -> Option<Attachment<'static>> {
    let mut storage = Storage { file, path, header: 8, names, limits, fixed: Vec::new(), charset };
    let name = storage
        .text(property::ATTACH_LONG_NAME)
        .or_else(|| storage.text(property::DISPLAY_NAME))
        .or_else(|| storage.text(property::ATTACH_NAME));
    if let Some(bytes) = storage.bytes(property::ATTACH_DATA, 0x0102) {
        let name = name.unwrap_or_else(|| "attachment".to_owned());
        return Some(Attachment { name, content: Content::File(Cow::Owned(bytes)) });
    }
    let inner = format!("{path}/{}", substream(property::ATTACH_DATA, 0x000d));
    if limits.depth == 0 || !file.is_storage(&inner) {
        return None;
    }
    let limits = Reading { depth: limits.depth - 1, ..limits };
    let letter = letter(file, &inner, INNER_HEADER, names, limits);
    let name = format!("{}.msg", name.unwrap_or_else(|| letter.subject.clone()));
    Some(Attachment { name, content: Content::Letter(Box::new(letter)) })
}

fn substream(property: u16, kind: u16) -> String {
    format!("__substg1.0_{property:04X}{kind:04X}")
}

/// A stream's bytes, if it is there and no larger than a file may be.
fn stream(file: &mut File<'_>, path: &str, limits: Reading) -> Option<Vec<u8>> {
    if !file.is_stream(path) {
        return None;
    }
    let mut bytes = Vec::new();
    file.open_stream(path).ok()?.take(limits.bytes).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;

    fn put(file: &mut CompoundFile<Cursor<Vec<u8>>>, path: &str, bytes: &[u8]) {
        file.create_stream(path).unwrap().write_all(bytes).unwrap();
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn message() -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let mut fixed = vec![0; ROOT_HEADER];
        fixed.extend([0x40, 0, 0x39, 0, 0, 0, 0, 0]);
        fixed.extend(133_590_330_000_000_000_u64.to_le_bytes());
        put(&mut file, "/__properties_version1.0", &fixed);
        put(&mut file, "/__substg1.0_0037001F", &wide("Reisekosten"));
        put(&mut file, "/__substg1.0_0C1A001F", &wide("Ana"));
        put(&mut file, "/__substg1.0_5D01001F", &wide("a@x.example"));
        put(&mut file, "/__substg1.0_0E04001F", &wide("Jürgen"));
        put(&mut file, "/__substg1.0_1000001F", &wide("Body words\r\n"));
        file.create_storage("/__attach_version1.0_#00000000").unwrap();
        put(&mut file, "/__attach_version1.0_#00000000/__substg1.0_3707001F", &wide("plan.md"));
        put(&mut file, "/__attach_version1.0_#00000000/__substg1.0_37010102", b"# Plan");
        let inner = "/__attach_version1.0_#00000001/__substg1.0_3701000D";
        file.create_storage_all(inner).unwrap();
        put(&mut file, &format!("{inner}/__substg1.0_0037001F"), &wide("Inner"));
        put(&mut file, &format!("{inner}/__substg1.0_1000001F"), &wide("inner words"));
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    #[test]
    fn a_message_is_read_with_what_is_attached() {
        let bytes = message();
        let limits = ExtractLimits::default();
        let input = Input::new(Path::new("a"), &bytes, &limits);
        assert!(is_msg(&input));
        let extraction = read(&input).unwrap();
        let paths: Vec<_> = extraction.parts.iter().map(|part| part.path.as_str()).collect();
        assert_eq!(paths, ["plan.md", "Inner.msg"]);
        assert!(extraction.parts[1].outcome.as_ref().unwrap().text.ends_with("inner words"));
        let document = extraction.document.unwrap();
        assert_eq!(
            document.text,
            "Reisekosten\n\nFrom: Ana <a@x.example>\nTo: Jürgen\nDate: 2024-05-01T10:30:00Z\n\
             Attachments: plan.md, Inner.msg\n\nBody words"
        );
    }

    const APPOINTMENT: u32 = 0x0006_2002;
    const ADDRESS: u32 = 0x0006_2004;
    const TASK: u32 = 0x0006_2003;
    const SETS: [u32; 3] = [APPOINTMENT, ADDRESS, TASK];

    /// An item with named properties: set, number, type, and the value as its stream, or as the fixed one has it.
    fn item(
        class: &str,
        texts: &[(u16, &str)],
        named: &[(u32, u32, u16, &[u8])],
        fixed: &[(u16, u16, u64)],
    ) -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let (mut identifiers, mut entries, mut properties) = (Vec::new(), Vec::new(), vec![0; ROOT_HEADER]);
        for set in SETS {
            identifiers.extend(set.to_le_bytes());
            identifiers.extend([0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
        }
        let mut fix = |property: u16, kind: u16, value: u64| {
            properties.extend(kind.to_le_bytes());
            properties.extend(property.to_le_bytes());
            properties.extend([0; 4]);
            properties.extend(value.to_le_bytes());
        };
        file.create_storage("/__nameid_version1.0").unwrap();
        for (at, (set, number, kind, value)) in (0_u16..).zip(named) {
            entries.extend(number.to_le_bytes());
            // The first two sets of the format have no entry of their own.
            let place = SETS.iter().position(|known| known == set).unwrap() as u16 + 3;
            entries.extend((place << 1).to_le_bytes());
            entries.extend(at.to_le_bytes());
            match kind {
                0x0040 | 0x000b => fix(0x8000 + at, *kind, u64::from_le_bytes(*value.first_chunk().unwrap())),
                _ => put(&mut file, &format!("/{}", substream(0x8000 + at, *kind)), value),
            }
        }
        fixed.iter().for_each(|(property, kind, value)| fix(*property, *kind, *value));
        put(&mut file, named::IDENTIFIERS, &identifiers);
        put(&mut file, named::ENTRIES, &entries);
        put(&mut file, "/__properties_version1.0", &properties);
        put(&mut file, "/__substg1.0_001A001F", &wide(class));
        for (property, text) in texts {
            put(&mut file, &format!("/{}", substream(*property, 0x001f)), &wide(text));
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn text(bytes: &[u8]) -> String {
        let limits = ExtractLimits::default();
        read(&Input::new(Path::new("a.msg"), bytes, &limits)).unwrap().document.unwrap().text
    }

    /// 2026-03-02 08:30 UTC and an hour later.
    const TIMES: [u64; 2] = [134_169_138_000_000_000, 134_169_174_000_000_000];

    fn zone() -> Vec<u8> {
        let key = wide("W. Europe Standard Time");
        let length = u16::try_from(key.len() / 2).unwrap();
        [&[2, 1, 0, 0, 2, 0][..], &length.to_le_bytes(), &key, &[1, 0]].concat()
    }

    #[test]
    fn an_appointment_says_when_and_where() {
        let (start, end) = (TIMES[0].to_le_bytes(), TIMES[1].to_le_bytes());
        let (place, zone) = (wide("Room 4"), zone());
        let named: [(u32, u32, u16, &[u8]); 4] = [
            (APPOINTMENT, 0x820d, 0x0040, &start),
            (APPOINTMENT, 0x820e, 0x0040, &end),
            (APPOINTMENT, 0x8208, 0x001f, &place),
            (APPOINTMENT, 0x825e, 0x0102, &zone),
        ];
        let texts = [(0x0037, "Pump review"), (0x1000, "Bring the log.")];
        assert_eq!(
            text(&item("IPM.Appointment", &texts, &named, &[])),
            "Pump review\n\nWhen: 2026-03-02 09:30 to 10:30 (Europe/Berlin)\nWhere: Room 4\n\nBring the log."
        );
        assert_eq!(
            text(&item("IPM.Note", &texts, &named, &[])),
            "Pump review\n\nBring the log.",
            "a letter has no place"
        );
    }

    #[test]
    fn a_whole_day_is_that_of_its_zone() {
        // From midnight to midnight in Berlin.
        let (start, end) = ((TIMES[0] - 342_000_000_000).to_le_bytes(), (TIMES[0] + 522_000_000_000).to_le_bytes());
        let (yes, zone) = (1_u64.to_le_bytes(), zone());
        let named: [(u32, u32, u16, &[u8]); 4] = [
            (APPOINTMENT, 0x820d, 0x0040, &start),
            (APPOINTMENT, 0x820e, 0x0040, &end),
            (APPOINTMENT, 0x8215, 0x000b, &yes),
            (APPOINTMENT, 0x825e, 0x0102, &zone),
        ];
        assert_eq!(text(&item("IPM.Appointment", &[(0x0037, "Fair")], &named, &[])), "Fair\n\nWhen: 2026-03-02");
    }

    #[test]
    fn a_task_says_until_when_and_whose() {
        let (start, due) = ((TIMES[0] - 306_000_000_000).to_le_bytes(), (TIMES[0] + 8_334_000_000_000).to_le_bytes());
        let (owner, yes) = (wide("Kim Lee"), 1_u64.to_le_bytes());
        let named: [(u32, u32, u16, &[u8]); 4] = [
            (TASK, 0x8104, 0x0040, &start),
            (TASK, 0x8105, 0x0040, &due),
            (TASK, 0x811f, 0x001f, &owner),
            (TASK, 0x811c, 0x000b, &yes),
        ];
        let texts = [(0x0037, "Order valves"), (0x1000, "Three of V7.")];
        assert_eq!(
            text(&item("IPM.Task", &texts, &named, &[])),
            "Order valves\n\nStart: 2026-03-02\nDue: 2026-03-12\nOwner: Kim Lee\nStatus: completed\n\nThree of V7."
        );
        assert_eq!(
            text(&item("IPM.Task", &texts, &named[1..2], &[])),
            "Order valves\n\nDue: 2026-03-12\n\nThree of V7.",
            "what is not done has no status"
        );
    }

    #[test]
    fn a_contact_says_how_it_is_reached() {
        let (mail, home) = (wide("ana@x.example"), wide("Hauptstr. 5\r\n10115 Berlin"));
        let named: [(u32, u32, u16, &[u8]); 2] = [(ADDRESS, 0x8083, 0x001f, &mail), (ADDRESS, 0x801a, 0x001f, &home)];
        let texts =
            [(0x3001, "Ana Ruiz"), (0x0037, "Ruiz, Ana"), (0x3a16, "Acme"), (0x3a1c, "+49 170"), (0x1000, "Knows V7.")];
        assert_eq!(
            text(&item("IPM.Contact", &texts, &named, &[(0x3a42, 0x0040, TIMES[0])])),
            "Ana Ruiz\n\nOrganisation: Acme\nPhone (mobile): +49 170\nE-mail: ana@x.example\n\
             Address (home): Hauptstr. 5 10115 Berlin\nBirthday: 2026-03-02\n\nKnows V7."
        );
    }

    #[test]
    fn strings_in_eight_bits_are_read_in_the_charset_of_their_letter() {
        let german = "Prüfung der Geräte: größere Schäden trägt der Käufer.";
        let letter = |code_page: Option<u64>, bytes: &[u8]| {
            let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
            let mut fixed = vec![0; ROOT_HEADER];
            if let Some(page) = code_page {
                fixed.extend([0x03, 0, 0xfd, 0x3f, 0, 0, 0, 0]);
                fixed.extend(page.to_le_bytes());
            }
            put(&mut file, "/__properties_version1.0", &fixed);
            put(&mut file, "/__substg1.0_0037001E", &bytes[..7]);
            put(&mut file, "/__substg1.0_1000001E", bytes);
            file.create_storage("/__attach_version1.0_#00000000").unwrap();
            put(&mut file, "/__attach_version1.0_#00000000/__substg1.0_3707001E", &[&bytes[..7], b".txt"].concat());
            put(&mut file, "/__attach_version1.0_#00000000/__substg1.0_37010102", b"words");
            file.flush().unwrap();
            text(&file.into_inner().into_inner())
        };
        let expected = format!("Prüfung\n\nAttachments: Prüfung.txt\n\n{german}");
        let windows = encoding_rs::WINDOWS_1252.encode(german).0;
        let dos: Vec<u8> = german
            .chars()
            .map(|c| match c {
                'ü' => 0x81,
                'ä' => 0x84,
                'ö' => 0x94,
                'ß' => 0xe1,
                c => c as u8,
            })
            .collect();
        assert_eq!(letter(Some(1252), &windows), expected);
        assert_eq!(letter(Some(850), &dos), expected);
        assert_eq!(letter(None, &windows), expected, "told by the body");
        assert_eq!(letter(Some(65_001), &windows), expected, "overruled");
    }

    #[test]
    fn broken_messages_are_harmless() {
        let bytes = message();
        for at in (0..bytes.len()).step_by(61) {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = read(&Input::new(Path::new("a.msg"), &broken, &ExtractLimits::default()));
        }
        let cut = read(&Input::new(Path::new("a.msg"), &bytes[..600], &ExtractLimits::default()));
        assert!(matches!(cut, Err(FileError::Damaged { .. })));
    }
}
