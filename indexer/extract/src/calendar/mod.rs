//! Calendars (iCalendar, vCalendar) and contacts (vCard): each event, task, journal entry or person is a heading with
//! what is said of it below. calcard reads the lines (folded, escaped, in quoted-printable, in a charset of their own)
//! and knows the zones; what a program tells other programs (alarms, rules of zones, identifiers, pictures) is left out.

mod contact;
mod event;
mod recurrence;
mod time;

use calcard::icalendar::{ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty};
use calcard::vcard::VCard;
use calcard::{Entry, Parser};

use crate::block::{BlockKind, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::{Format, Input, decode, guard};

pub(crate) use time::{Moment, period};

pub(crate) const CALENDAR: &Format = Format::of("calendar");
pub(crate) const CONTACTS: &Format = Format::of("contacts");

/// Bytes in which the first line of an object is looked for.
const SAMPLE: usize = 4 << 10;

/// What an object opens with, lower case.
const OPENINGS: &[&str] = &["begin:vcalendar", "begin:vcard", "begin:vevent", "begin:vtodo", "begin:vjournal"];

/// Whether the name says so and an object is in it: servers send pages under such names.
pub(crate) fn is_named(input: &Input<'_>) -> bool {
    let is_named = input.is_named(CALENDAR) || input.is_named(CONTACTS);
    let opens = |line: &str| OPENINGS.iter().any(|opening| line.starts_with(opening));
    is_named && opening(input.bytes).lines().any(opens)
}

/// Whether text opens with an object.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let text = opening(bytes);
    OPENINGS.iter().any(|opening| text.trim_start().starts_with(opening))
}

/// The first lines in lower case and without blanks within, also of UTF-16: what is looked for is ASCII.
fn opening(bytes: &[u8]) -> String {
    let sample = bytes[..bytes.len().min(SAMPLE)].iter().filter(|byte| byte.is_ascii() && !matches!(byte, 0 | b' '));
    let text: String = sample.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    text.replace('\r', "\n")
}

/// Reads all objects of a file, of both kinds.
pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let mut document = structure(&decoded.text)?;
    document.warnings.splice(0..0, decoded.warnings);
    Ok(document)
}

/// Reads a calendar or contacts, also those that are the body of a mail.
pub(crate) fn structure(source: &str) -> Result<StructuredText, FileError> {
    let objects = guard::guarded("calendar", || objects(source))?;
    let mut lines = Openings::of(source);
    let mut items = Vec::new();
    let mut calendar = Calendar::default();
    for object in &objects {
        match object {
            Object::Calendar(object) => calendar.take_in(object, &mut lines, &mut items),
            Object::Card(card) => items.push(contact::item(card, lines.next())),
        }
    }
    let is_calendar = objects.iter().any(|object| matches!(object, Object::Calendar(_)));
    Ok(calendar.document(items, if is_calendar { CALENDAR } else { CONTACTS }))
}

/// What a file holds.
enum Object {
    Calendar(ICalendar),
    Card(VCard),
}

fn objects(source: &str) -> Vec<Object> {
    let mut parser = Parser::new(source);
    let mut objects = Vec::new();
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => objects.push(Object::Calendar(calendar)),
            Entry::VCard(card) => objects.push(Object::Card(card)),
            Entry::Eof | Entry::TooManyComponents => return objects,
            // A line between two objects, or what a broken one left.
            _ => {}
        }
    }
}

/// An event, a task or a person, ready to be told.
#[derive(Debug, Default)]
struct Item {
    name: String,
    /// `Where: Room 4`, in the order in which people ask.
    facts: Vec<(&'static str, String)>,
    /// In the words of whoever wrote it.
    text: String,
    /// Of the metadata, where it is the only one: when it happens or was changed, by whom, by which words it is found.
    date: Option<String>,
    author: Option<String>,
    keywords: Option<String>,
    line: u32,
}

impl Item {
    fn fact(&mut self, label: &'static str, value: impl Into<String>) {
        let value = value.into();
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if !value.is_empty() {
            self.facts.push((label, value));
        }
    }

    fn is_empty(&self) -> bool {
        self.name.is_empty() && self.facts.is_empty() && self.text.is_empty()
    }

    fn write(&self, level: u8, builder: &mut TextBuilder) {
        let lines = self.line..self.line + 1;
        builder.push(BlockKind::Heading { level }, &self.name, lines.clone());
        let facts: String = self.facts.iter().map(|(label, value)| format!("{label}: {value}\n")).collect();
        builder.push(BlockKind::Paragraph, &facts, lines.clone());
        // Line ends that were packed in quoted-printable are those of the Web.
        for paragraph in self.text.replace("\r\n", "\n").split("\n\n") {
            builder.push(BlockKind::Paragraph, paragraph, lines.clone());
        }
    }
}

/// What the calendar says of itself.
#[derive(Debug, Default)]
struct Calendar {
    name: String,
    description: String,
}

impl Calendar {
    fn take_in(&mut self, calendar: &ICalendar, lines: &mut Openings, items: &mut Vec<Item>) {
        let is_cancelled = calendar.components.iter().any(event::is_cancellation);
        for component in &calendar.components {
            let line = lines.next();
            match component.component_type {
                ICalendarComponentType::VCalendar => {
                    let named = text_of(component, &["NAME", "X-WR-CALNAME"]);
                    let described = text_of(component, &["DESCRIPTION", "X-WR-CALDESC"]);
                    self.name = named.unwrap_or_else(|| std::mem::take(&mut self.name));
                    self.description = described.unwrap_or_else(|| std::mem::take(&mut self.description));
                }
                ICalendarComponentType::VEvent
                | ICalendarComponentType::VTodo
                | ICalendarComponentType::VJournal
                | ICalendarComponentType::Available => items.push(event::item(component, is_cancelled, line)),
                _ => {}
            }
        }
    }

    fn document(self, mut items: Vec<Item>, format: &Format) -> StructuredText {
        items.retain(|item| !item.is_empty());
        let mut builder = TextBuilder::default();
        let only = if let [only] = &mut items[..] { Some(only) } else { None };
        let is_only = only.is_some();
        if let Some(only) = only {
            only.fact("Calendar", self.name.clone());
            builder.title = Some(only.name.clone());
            let facts = [("date", &only.date), ("author", &only.author), ("keywords", &only.keywords)];
            let stated = facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
            builder.metadata.extend(stated);
        } else {
            builder.push(BlockKind::Heading { level: 1 }, &self.name, 1..2);
            builder.push(BlockKind::Paragraph, &self.description, 1..2);
            builder.title = Some(self.name.clone());
        }
        for item in &items {
            item.write(if is_only { 1 } else { 2 }, &mut builder);
        }
        let mut document = builder.finish(format);
        if !is_only && self.name.is_empty() {
            // The first of many is no title of all.
            document.title = None;
        }
        document
    }
}

/// The first of these properties that says something; extensions go by the names that programs gave them.
fn text_of(component: &ICalendarComponent, names: &[&str]) -> Option<String> {
    let named = |name: &&str| {
        let is_it = |property: &ICalendarProperty| property.as_str().eq_ignore_ascii_case(name);
        let entries = component.entries.iter().filter(move |entry| is_it(&entry.name));
        let texts = entries.filter_map(|entry| entry.values.iter().find_map(|value| value.as_text()));
        texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
    };
    names.iter().find_map(named)
}

/// Where the objects of a file begin, in order: calcard does not keep lines.
struct Openings {
    lines: std::vec::IntoIter<u32>,
    last: u32,
}

impl Openings {
    fn of(source: &str) -> Self {
        let opens = |line: &str| line.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("begin:"));
        let numbered = (1..).zip(source.lines());
        let lines: Vec<u32> = numbered.filter(|(_, line)| opens(line)).map(|(number, _)| number).collect();
        Self { lines: lines.into_iter(), last: 1 }
    }

    fn next(&mut self) -> u32 {
        self.last = self.lines.next().unwrap_or(self.last);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::block::sound;
    use crate::{ExtractLimits, extract};

    fn kind(name: &str, bytes: &[u8]) -> String {
        extract(Path::new(name), bytes, &ExtractLimits::default()).unwrap().kind
    }

    #[test]
    fn the_name_alone_makes_no_calendar() {
        let event = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Gr\u{fc}\u{df}e\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(kind("a.ics", event.as_bytes()), "calendar");
        assert_eq!(kind("a", format!("\u{feff}\n{event}").as_bytes()), "calendar");
        assert_eq!(kind("a.ics", b"<html><body>Sign in first</body></html>"), "html");
        assert_eq!(kind("a.vcs", b"words of another program"), "text");
        assert_eq!(kind("a.vcf", b"BEGIN: VCARD\r\nFN:Ana\r\nEND: VCARD\r\n"), "contacts");
        let wide: Vec<u8> = event.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(kind("a.ics", &[&[0xff, 0xfe][..], &wide].concat()), "calendar");
        let latin = encoding_rs::WINDOWS_1252.encode(event).0;
        let read = extract(Path::new("a.ics"), &latin, &ExtractLimits::default()).unwrap().document.unwrap();
        assert_eq!((read.text.as_str(), read.warnings.len()), ("Gr\u{fc}\u{df}e", 1));
    }

    #[test]
    fn what_is_not_closed_is_read_all_the_same() {
        let cut =
            "BEGIN:VCALENDAR\nX-WR-CALNAME:Works\nBEGIN:VEVENT\nSUMMARY:One\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:Two";
        assert_eq!(sound(structure(cut).unwrap()).text, "Works\n\nOne\n\nTwo");
        let both = "BEGIN:VCARD\nFN:Ana\nEND:VCARD\nnoise\nBEGIN:VEVENT\nSUMMARY:Fair\nEND:VEVENT\n";
        assert_eq!(sound(structure(both).unwrap()).text, "Ana\n\nFair");
        let hours = "BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\nBEGIN:AVAILABLE\nSUMMARY:Office hours\nDTSTART:20260302T090000\n\
                     DTEND:20260302T170000\nRRULE:FREQ=WEEKLY\nEND:AVAILABLE\nEND:VAVAILABILITY\nEND:VCALENDAR\n";
        let told = "Office hours\n\nWhen: 2026-03-02 09:00 to 17:00\nRepeats: every week";
        assert_eq!(sound(structure(hours).unwrap()).text, told);
        let empty = extract(Path::new("a.ics"), b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", &ExtractLimits::default());
        assert_eq!(empty.map(|read| read.kind), Err(FileError::Empty));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn nothing_breaks_the_reader(
            parts in proptest::collection::vec(
                "BEGIN:(VCALENDAR|VEVENT|VTODO|VCARD|VALARM)\n|END:(VCALENDAR|VEVENT|VCARD)\n|SUMMARY:|DTSTART|DTEND|DUE|EXDATE|\
                 ;TZID=(Europe/Berlin|UTC|x):|;VALUE=DATE:|[0-9]{8}(T[0-9]{6}Z?)?\n|DURATION:-?P[0-9]{1,12}[DW]\n|\
                 RRULE:FREQ=(DAILY|MONTHLY);(BYDAY|BYMONTHDAY|INTERVAL|COUNT)=-?[0-9]{1,9}(MO|SU)?\n|FN:|N:|ADR|TEL|BDAY:|\
                 ;ENCODING=(QUOTED-PRINTABLE|BASE64)|;CHARSET=(UTF-8|x)|:|[;,=\\\\\" ]|=[0-9A-F]{2}|=\n|[a-z\u{e4}\u{4e2d}]{1,4}|\n ?",
                0..60,
            )
        ) {
            let source = parts.concat();
            if let Ok(document) = structure(&source) {
                sound(document);
            }
        }
    }
}
