//! An event, task or journal entry of a calendar: what, when, where, who, and what was written about it.

use calcard::icalendar::{
    ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarMethod, ICalendarParameterName,
    ICalendarParameterValue, ICalendarParticipationStatus, ICalendarPeriod, ICalendarProperty, ICalendarStatus,
    ICalendarValue,
};

use super::time::{Moment, period};
use super::{Item, recurrence, text_of};
use crate::html;

/// Days that are named of those on which a series leaves one out or has one more.
const MAX_DAYS: usize = 20;

/// Whether a calendar takes back what it holds.
pub(super) fn is_cancellation(component: &ICalendarComponent) -> bool {
    let cancels = |value: &ICalendarValue| matches!(value, ICalendarValue::Method(ICalendarMethod::Cancel));
    component.property(&ICalendarProperty::Method).is_some_and(|method| method.values.iter().any(cancels))
}

pub(super) fn item(component: &ICalendarComponent, is_cancelled: bool, line: u32) -> Item {
    let mut item = Item { line, ..Item::default() };
    let start = time(component, &ICalendarProperty::Dtstart);
    let when = when(component, start.as_ref());
    item.name = text_of(component, &["SUMMARY"]).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if item.name.is_empty() {
        item.name.clone_from(&when);
    }
    item.fact("When", when);
    series(component, &mut item);
    task(component, &mut item);
    item.fact("Where", texts(component, &ICalendarProperty::Location).join("; "));
    let organiser = people(component, &ICalendarProperty::Organizer);
    item.fact("Organiser", organiser.clone());
    item.fact("Attendees", people(component, &ICalendarProperty::Attendee));
    item.fact("Contact", texts(component, &ICalendarProperty::Contact).join("; "));
    item.fact("Status", status(component, is_cancelled));
    let keywords = texts(component, &ICalendarProperty::Categories).join(", ");
    item.fact("Categories", keywords.clone());
    for place in [ICalendarProperty::Conference, ICalendarProperty::Url] {
        item.fact("Link", texts(component, &place).join(" "));
    }
    item.text = description(component);
    item.date = start.map(|start| start.rfc3339());
    item.author = Some(organiser).filter(|organiser| !organiser.is_empty());
    item.keywords = Some(keywords).filter(|keywords| !keywords.is_empty());
    item
}

fn time(component: &ICalendarComponent, property: &ICalendarProperty) -> Option<Moment> {
    component.property(property).and_then(Moment::of_entry)
}

fn when(component: &ICalendarComponent, start: Option<&Moment>) -> String {
    let Some(start) = start else { return String::new() };
    let end = time(component, &ICalendarProperty::Dtend).or_else(|| {
        let duration = component.property(&ICalendarProperty::Duration)?;
        duration.values.iter().find_map(|value| match value {
            ICalendarValue::Duration(duration) => start.after(duration),
            _ => None,
        })
    });
    period(start, end.as_ref())
}

/// How it repeats, and which of its repetitions are others.
fn series(component: &ICalendarComponent, item: &mut Item) {
    let rules = component.properties(&ICalendarProperty::Rrule).flat_map(|entry| &entry.values);
    let rules = rules.filter_map(|value| match value {
        ICalendarValue::RecurrenceRule(rule) => Some(recurrence::in_words(rule)),
        _ => None,
    });
    item.fact("Repeats", rules.collect::<Vec<_>>().join("; "));
    item.fact("Also on", days(component, &ICalendarProperty::Rdate));
    item.fact("Except", days(component, &ICalendarProperty::Exdate));
    if let Some(replaced) = time(component, &ICalendarProperty::RecurrenceId) {
        item.fact("Instead of", replaced.to_string());
    }
}

fn days(component: &ICalendarComponent, property: &ICalendarProperty) -> String {
    let values = component.properties(property).flat_map(|entry| &entry.values);
    let days = values.filter_map(|value| match value {
        ICalendarValue::PartialDateTime(time) => Moment::of(time, None),
        ICalendarValue::Period(ICalendarPeriod::Range { start, .. } | ICalendarPeriod::Duration { start, .. }) => {
            Moment::of(start, None)
        }
        _ => None,
    });
    days.take(MAX_DAYS).map(|day| day.day().to_string()).collect::<Vec<_>>().join(", ")
}

/// What only tasks have.
fn task(component: &ICalendarComponent, item: &mut Item) {
    if component.component_type != ICalendarComponentType::VTodo {
        return;
    }
    for (label, property) in [("Due", ICalendarProperty::Due), ("Completed", ICalendarProperty::Completed)] {
        if let Some(time) = time(component, &property) {
            item.fact(label, time.to_string());
        }
    }
    let done = component.property(&ICalendarProperty::PercentComplete).and_then(|entry| entry.values.first());
    if let Some(ICalendarValue::Integer(percent @ 1..=99)) = done {
        item.fact("Done", format!("{percent} %"));
    }
}

/// What is to be known of its state; that it takes place is not.
fn status(component: &ICalendarComponent, is_cancelled: bool) -> &'static str {
    match component.status() {
        _ if is_cancelled => "cancelled",
        Some(ICalendarStatus::Cancelled) => "cancelled",
        Some(ICalendarStatus::Tentative) => "tentative",
        Some(ICalendarStatus::NeedsAction) => "to be done",
        Some(ICalendarStatus::InProcess) => "in progress",
        Some(ICalendarStatus::Completed) => "completed",
        Some(ICalendarStatus::Draft) => "draft",
        _ => "",
    }
}

/// All texts of a property, however often it is there.
fn texts(component: &ICalendarComponent, property: &ICalendarProperty) -> Vec<String> {
    let values = component.properties(property).flat_map(|entry| &entry.values);
    let texts = values.filter_map(|value| value.as_text()).map(str::trim);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn people(component: &ICalendarComponent, property: &ICalendarProperty) -> String {
    component.properties(property).filter_map(person).collect::<Vec<_>>().join(", ")
}

/// `Name <address>`, and whether they come where that is not as wished.
fn person(entry: &ICalendarEntry) -> Option<String> {
    let text = |name| entry.parameter(&name).and_then(|value: &ICalendarParameterValue| value.as_text());
    let stated = entry.calendar_address().filter(|address| address.contains('@'));
    let address = text(ICalendarParameterName::Email).or(stated).map(str::trim);
    let name = text(ICalendarParameterName::Cn).map(str::trim).filter(|name| !name.is_empty());
    let mut person = match (name.filter(|name| Some(*name) != address), address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => return None,
    };
    let answer = entry.parameter(&ICalendarParameterName::Partstat);
    person.push_str(match answer {
        Some(ICalendarParameterValue::Partstat(ICalendarParticipationStatus::Declined)) => " (declined)",
        Some(ICalendarParameterValue::Partstat(ICalendarParticipationStatus::Tentative)) => " (tentative)",
        _ => "",
    });
    Some(person)
}

/// The description, else its form with markup; some programs put markup into the plain one. Comments follow.
fn description(component: &ICalendarComponent) -> String {
    let plain = text_of(component, &["DESCRIPTION"]);
    let stated = plain.or_else(|| text_of(component, &["STYLED-DESCRIPTION", "X-ALT-DESC"])).unwrap_or_default();
    let mut parts = vec![if is_html(&stated) { html::fragment(&stated).text } else { stated }];
    parts.extend(texts(component, &ICalendarProperty::Comment));
    parts.retain(|part| !part.trim().is_empty());
    parts.join("\n\n")
}

fn is_html(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["<br", "</p>", "</a>", "</b>", "</li>", "</span>", "</div>", "</html>"].iter().any(|tag| text.contains(tag))
}

#[cfg(test)]
mod tests {
    use super::super::structure;
    use crate::StructuredText;
    use crate::block::{BlockKind, sound};

    fn calendar(body: &str) -> StructuredText {
        sound(structure(&format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n")).unwrap())
    }

    const MEETING: &str = "BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\n\
        TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
        BEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY:Pump review\\, phase 2\r\n\
        DTSTART;TZID=W. Europe Standard Time:20260302T093000\r\nDURATION:PT1H30M\r\n\
        RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20260629T073000Z\r\nEXDATE;TZID=W. Europe Standard Time:20260406T093000\r\n\
        LOCATION:Room 4\\, Building B\r\nORGANIZER;CN=\"Ruiz, Ana\":mailto:ana@x.example\r\n\
        ATTENDEE;CN=J\u{fc}rgen;PARTSTAT=DECLINED:mailto:j@x.example\r\nATTENDEE:mailto:bo@x.example\r\n\
        CATEGORIES:Maintenance,Pumps\r\nDESCRIPTION:Bring the log of the rep\r\n lacement.\\n\\nAgenda: valve V7\\; noise\r\n\
        BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder text\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n";

    #[test]
    fn an_event_is_told_with_all_that_people_ask_for() {
        let document = calendar(MEETING);
        assert_eq!(
            document.text,
            "Pump review, phase 2\n\nWhen: 2026-03-02 09:30 to 11:00 (Europe/Berlin)\n\
             Repeats: every week on Monday until 2026-06-29\nExcept: 2026-04-06\nWhere: Room 4, Building B\n\
             Organiser: Ruiz, Ana <ana@x.example>\nAttendees: Jürgen <j@x.example> (declined), bo@x.example\n\
             Categories: Maintenance, Pumps\n\nBring the log of the replacement.\n\nAgenda: valve V7; noise"
        );
        assert_eq!((document.kind.as_str(), document.title.as_deref()), ("calendar", Some("Pump review, phase 2")));
        assert_eq!(document.metadata["date"], "2026-03-02T09:30:00+01:00");
        assert_eq!(document.metadata["author"], "Ruiz, Ana <ana@x.example>");
        assert_eq!(document.metadata["keywords"], "Maintenance, Pumps");
        assert_eq!(document.blocks[0].lines, 12..13, "where the event begins");
    }

    #[test]
    fn alarms_and_the_rules_of_zones_are_no_words() {
        let text = calendar(MEETING).text;
        assert!(
            !["Reminder", "16010101", "TZOFFSET", "1601", "1@x"].iter().any(|noise| text.contains(noise)),
            "{text}"
        );
    }

    #[test]
    fn whole_days_are_days_and_utc_is_said() {
        let event = |lines: &str| calendar(&format!("BEGIN:VEVENT\r\nSUMMARY:s\r\n{lines}END:VEVENT\r\n")).text;
        assert_eq!(
            event("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\n"),
            "s\n\nWhen: 2026-12-24 to 2026-12-26"
        );
        assert_eq!(event("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261225\r\n"), "s\n\nWhen: 2026-12-24");
        assert_eq!(
            event("DTSTART:20260302T083000Z\r\nDTEND:20260302T093000Z\r\n"),
            "s\n\nWhen: 2026-03-02 08:30 to 09:30 UTC"
        );
        assert_eq!(event("DTSTART:20260302T083000\r\n"), "s\n\nWhen: 2026-03-02 08:30");
        assert_eq!(event("DTSTART:soon\r\nSTATUS:CANCELLED\r\n"), "s\n\nStatus: cancelled");
    }

    #[test]
    fn tasks_and_journals_are_told_too() {
        let document = calendar(
            "X-WR-CALNAME:Workshop\r\nBEGIN:VTODO\r\nSUMMARY:Order seals\r\nDUE;VALUE=DATE:20260310\r\nSTATUS:NEEDS-ACTION\r\n\
             PERCENT-COMPLETE:40\r\nEND:VTODO\r\nBEGIN:VJOURNAL\r\nDTSTART;VALUE=DATE:20260311\r\nDESCRIPTION:The seals came.\r\nEND:VJOURNAL\r\n",
        );
        assert_eq!(
            document.text,
            "Workshop\n\nOrder seals\n\nDue: 2026-03-10\nDone: 40 %\nStatus: to be done\n\n2026-03-11\n\nWhen: 2026-03-11\n\nThe seals came."
        );
        let levels: Vec<_> =
            document.blocks.iter().filter(|block| matches!(block.kind, BlockKind::Heading { .. })).collect();
        assert_eq!((levels.len(), &levels[1].kind), (3, &BlockKind::Heading { level: 2 }));
        assert_eq!((document.title.as_deref(), document.metadata.len()), (Some("Workshop"), 0));
    }

    #[test]
    fn markup_in_descriptions_is_read() {
        let event = |line: &str| calendar(&format!("BEGIN:VEVENT\r\nSUMMARY:s\r\n{line}\r\nEND:VEVENT\r\n")).text;
        assert_eq!(event("DESCRIPTION:<p>Bring <b>boots</b></p><p>and gloves</p>"), "s\n\nBring boots\n\nand gloves");
        assert_eq!(event("X-ALT-DESC;FMTTYPE=text/html:<html><body>Only here</body></html>"), "s\n\nOnly here");
        assert_eq!(event("DESCRIPTION:if a < b and c > d"), "s\n\nif a < b and c > d");
    }

    #[test]
    fn a_cancelled_invitation_says_so() {
        let text = calendar("METHOD:CANCEL\r\nBEGIN:VEVENT\r\nSUMMARY:s\r\nSTATUS:CONFIRMED\r\nEND:VEVENT\r\n").text;
        assert_eq!(text, "s\n\nStatus: cancelled");
    }

    #[test]
    fn one_occurrence_of_a_series_says_which() {
        let text = calendar(
            "BEGIN:VEVENT\r\nSUMMARY:Moved\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260309T093000\r\n\
             DTSTART;TZID=Europe/Berlin:20260310T140000\r\nEND:VEVENT\r\n",
        );
        assert_eq!(
            text.text,
            "Moved\n\nWhen: 2026-03-10 14:00 (Europe/Berlin)\nInstead of: 2026-03-09 09:30 (Europe/Berlin)"
        );
    }
}
