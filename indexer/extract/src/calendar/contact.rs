//! A contact of vCard (2.1, 3.0, 4.0): the name as a heading, then what reaches the person and what they do.

use calcard::common::{IanaString, PartialDateTime};
use calcard::vcard::{VCard, VCardEntry, VCardParameterName, VCardParameterValue, VCardProperty, VCardValue};

use super::Item;
use super::time::Moment;

/// What each property is called, in the order in which it is told.
const FACTS: &[(VCardProperty, &str)] = &[
    (VCardProperty::Nickname, "Nickname"),
    (VCardProperty::Org, "Organisation"),
    (VCardProperty::Title, "Title"),
    (VCardProperty::Role, "Role"),
    (VCardProperty::Email, "E-mail"),
    (VCardProperty::Tel, "Phone"),
    (VCardProperty::Impp, "Chat"),
    (VCardProperty::Adr, "Address"),
    (VCardProperty::Url, "Web"),
    (VCardProperty::Socialprofile, "Profile"),
    (VCardProperty::Bday, "Birthday"),
    (VCardProperty::Anniversary, "Anniversary"),
    (VCardProperty::Expertise, "Expertise"),
    (VCardProperty::Hobby, "Hobby"),
    (VCardProperty::Interest, "Interest"),
    (VCardProperty::Categories, "Categories"),
    (VCardProperty::Member, "Member"),
    (VCardProperty::Related, "Related"),
];

/// Extensions that address books write, and what they are called.
const EXTENSIONS: &[(&str, &str)] = &[
    ("X-DEPARTMENT", "Department"),
    ("X-MANAGER", "Manager"),
    ("X-ASSISTANT", "Assistant"),
    ("X-SPOUSE", "Spouse"),
    ("X-MAIDENNAME", "Maiden name"),
    ("X-PHONETIC-FIRST-NAME", "Phonetic name"),
    ("X-PHONETIC-LAST-NAME", "Phonetic name"),
    ("X-AIM", "Chat"),
    ("X-ICQ", "Chat"),
    ("X-JABBER", "Chat"),
    ("X-MSN", "Chat"),
    ("X-QQ", "Chat"),
    ("X-SKYPE", "Chat"),
    ("X-SKYPE-USERNAME", "Chat"),
    ("X-YAHOO", "Chat"),
];

pub(super) fn item(card: &VCard, line: u32) -> Item {
    let mut item = Item { line, ..Item::default() };
    let full = first(card, &VCardProperty::Fn);
    let parts = card.property(&VCardProperty::N).map(name_of).unwrap_or_default();
    item.name = [full.clone(), parts.clone(), first(card, &VCardProperty::Org), first(card, &VCardProperty::Email)]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    // In another order it is the same name.
    let name = item.name.to_lowercase();
    let has_more = parts.split_whitespace().any(|part| !name.contains(&part.to_lowercase()));
    if has_more {
        item.fact("Name", parts);
    }
    for (property, label) in FACTS {
        for entry in card.entries.iter().filter(|entry| entry.name == *property) {
            let value = value_of(entry);
            if value == item.name && *property == VCardProperty::Org {
                continue;
            }
            let kinds = kinds_of(entry);
            let kinds = if kinds.is_empty() || value.is_empty() { kinds } else { format!(" ({kinds})") };
            item.fact(label, format!("{value}{kinds}"));
        }
    }
    for entry in &card.entries {
        let VCardProperty::Other(own) = &entry.name else { continue };
        if let Some((_, label)) = EXTENSIONS.iter().find(|(known, _)| own.eq_ignore_ascii_case(known)) {
            item.fact(label, value_of(entry));
        }
    }
    let notes = card.entries.iter().filter(|entry| entry.name == VCardProperty::Note);
    item.text = notes.map(value_of).collect::<Vec<_>>().join("\n\n");
    item.date = card
        .property(&VCardProperty::Rev)
        .and_then(|entry| {
            entry.values.iter().find_map(|value| value.as_partial_date_time()).and_then(|time| Moment::of(time, None))
        })
        .map(|time| time.rfc3339());
    item
}

fn first(card: &VCard, property: &VCardProperty) -> String {
    card.property(property).map(value_of).unwrap_or_default()
}

/// Prefix, given names, family name, suffix: as they are said.
fn name_of(entry: &VCardEntry) -> String {
    let part = |at: usize| entry.values.get(at).map(text_of).unwrap_or_default();
    let parts = [part(3), part(1), part(2), part(0), part(4)];
    joined(parts, " ")
}

fn value_of(entry: &VCardEntry) -> String {
    let values = entry.values.iter().map(text_of);
    let value = match entry.name {
        // Post box, flat, street, town, region, code, country: the code stands before its town.
        VCardProperty::Adr => {
            let part = |at: usize| entry.values.get(at).map(text_of).unwrap_or_default();
            let town = joined([part(5), part(3)], " ");
            joined([part(0), part(1), part(2), town, part(4), part(6)], ", ")
        }
        _ => joined(values, ", "),
    };
    let bare = ["mailto:", "tel:", "MAILTO:", "TEL:"].iter().find_map(|scheme| value.strip_prefix(scheme));
    bare.map_or(value.clone(), str::to_owned)
}

fn joined(parts: impl IntoIterator<Item = String>, between: &str) -> String {
    let parts = parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(between)
}

/// What a value says; pictures and keys say nothing.
fn text_of(value: &VCardValue) -> String {
    match value {
        VCardValue::Text(text) if text.starts_with("urn:uuid:") => String::new(),
        VCardValue::Text(text) => text.clone(),
        VCardValue::Component(parts) => joined(parts.iter().cloned(), ", "),
        VCardValue::PartialDateTime(time) => day(time),
        VCardValue::Integer(number) => number.to_string(),
        VCardValue::Float(number) => number.to_string(),
        VCardValue::Boolean(_)
        | VCardValue::Binary(_)
        | VCardValue::Sex(_)
        | VCardValue::GramGender(_)
        | VCardValue::Kind(_) => String::new(),
    }
}

/// A birthday; some keep its year to themselves.
fn day(time: &PartialDateTime) -> String {
    match (time.year, time.month, time.day) {
        (Some(year), Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
        (Some(year), Some(month), None) => format!("{year:04}-{month:02}"),
        (Some(year), None, None) => format!("{year:04}"),
        (None, Some(month), Some(day)) => format!("{month:02}-{day:02}"),
        _ => String::new(),
    }
}

/// `work, mobile`: where a number or an address belongs. Old cards name them without `TYPE=`.
fn kinds_of(entry: &VCardEntry) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for parameter in &entry.params {
        let kind = match (&parameter.name, &parameter.value) {
            (VCardParameterName::Type, VCardParameterValue::Type(kind)) => kind_of(kind.as_str()),
            (VCardParameterName::Type, VCardParameterValue::Text(kind)) => kind_of(kind),
            (VCardParameterName::Other(kind), VCardParameterValue::Null) => kind_of(kind),
            _ => None,
        };
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
    }
    kinds.join(", ")
}

fn kind_of(kind: &str) -> Option<&'static str> {
    let known = [
        ("work", "work"),
        ("home", "home"),
        ("cell", "mobile"),
        ("fax", "fax"),
        ("pager", "pager"),
        ("main-number", "main"),
        ("main", "main"),
    ];
    known.into_iter().find(|(name, _)| kind.eq_ignore_ascii_case(name)).map(|(_, shown)| shown)
}

#[cfg(test)]
mod tests {
    use super::super::structure;
    use crate::StructuredText;
    use crate::block::{BlockKind, sound};

    fn cards(source: &str) -> StructuredText {
        sound(structure(source).unwrap())
    }

    #[test]
    fn a_contact_is_told_with_all_that_reaches_it() {
        let document = cards(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Dr. Ana Ruiz\r\nN:Ruiz;Ana;;Dr.;\r\nORG:Acme GmbH;Pumps\r\nTITLE:Head of Main\r\n tenance\r\n\
             EMAIL;TYPE=INTERNET,WORK:ana@x.example\r\nTEL;TYPE=CELL:+49 170 1234567\r\nTEL;TYPE=WORK,FAX:+49 30 99\r\n\
             ADR;TYPE=WORK:;;Hauptstr. 5;Berlin;;10115;Germany\r\nURL:https://x.example/ana\r\nBDAY:1980-05-17\r\n\
             PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBD\r\nREV:2026-01-05T10:00:00Z\r\n\
             UID:urn:uuid:4fbe8971\r\nNOTE:Speaks Spanish\\, knows V7.\r\nEND:VCARD\r\n",
        );
        assert_eq!(
            document.text,
            "Dr. Ana Ruiz\n\nOrganisation: Acme GmbH, Pumps\nTitle: Head of Maintenance\nE-mail: ana@x.example (work)\n\
             Phone: +49 170 1234567 (mobile)\nPhone: +49 30 99 (work, fax)\nAddress: Hauptstr. 5, 10115 Berlin, Germany (work)\n\
             Web: https://x.example/ana\nBirthday: 1980-05-17\n\nSpeaks Spanish, knows V7."
        );
        assert_eq!((document.kind.as_str(), document.title.as_deref()), ("contacts", Some("Dr. Ana Ruiz")));
        assert_eq!(document.metadata["date"], "2026-01-05T10:00:00Z");
    }

    #[test]
    fn old_cards_are_unfolded_and_decoded() {
        let document = cards(
            "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg\r\n\
             FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg M=C3=\r\n=BCller\r\nTEL;WORK;VOICE:030 12\r\n\
             ADR;HOME;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:;;Stra=DFe 1;K=F6ln;;50667;\r\n\
             NOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0Atwo\r\nEND:VCARD\r\n",
        );
        assert_eq!(
            document.text,
            "Jörg Müller\n\nPhone: 030 12 (work)\nAddress: Straße 1, 50667 Köln (home)\n\none\ntwo"
        );
    }

    #[test]
    fn every_card_is_a_section_and_none_is_the_title_of_all() {
        let card = |name: &str| {
            format!("BEGIN:VCARD\nVERSION:4.0\nFN:{name}\nTEL;VALUE=uri;TYPE=home:tel:+1-555\nEND:VCARD\n")
        };
        let document = cards(&format!("{}{}", card("Bo"), card("")));
        assert_eq!(document.text, "Bo\n\nPhone: +1-555 (home)\n\nPhone: +1-555 (home)");
        let document = cards(&format!("{}{}", card("Bo"), card("Cy")));
        let headings = document.blocks.iter().filter(|block| block.kind == BlockKind::Heading { level: 2 });
        assert_eq!(headings.map(|block| block.lines.start).collect::<Vec<_>>(), [1, 6]);
        assert_eq!((document.title, document.metadata.len()), (None, 0));
    }

    #[test]
    fn extensions_that_people_ask_for_are_read() {
        let document = cards(
            "BEGIN:VCARD\nVERSION:3.0\nFN:Ana Ruiz\nN:RUIZ;Ana;;;\nX-Manager:Bo\nX-SKYPE:ana.ruiz\nX-ABUID:4711\nEND:VCARD\n",
        );
        assert_eq!(document.text, "Ana Ruiz\n\nManager: Bo\nChat: ana.ruiz");
    }

    #[test]
    fn a_company_is_called_by_its_name() {
        assert_eq!(
            cards("BEGIN:VCARD\nVERSION:3.0\nORG:Acme GmbH\nEMAIL:info@x\nEND:VCARD\n").text,
            "Acme GmbH\n\nE-mail: info@x"
        );
    }
}
