//! What an item of Outlook says that is more than a letter: when and where an appointment is, when a task is due, how a
//! contact is reached ([MS-OXOCAL], [MS-OXOTASK], [MS-OXOCNTC]). It stands below people and date of the letter.

use super::mapi::property as mapi;
use super::msg::Storage;
use super::named::Set;
use crate::calendar::{Moment, period};

/// Properties of appointments.
const START: u32 = 0x820d;
const END: u32 = 0x820e;
const PLACE: u32 = 0x8208;
const IS_WHOLE_DAYS: u32 = 0x8215;
const RECURRENCE: u32 = 0x8232;
const ZONE: u32 = 0x8234;
const ZONE_OF_START: u32 = 0x825e;
const ATTENDEES: u32 = 0x8238;
/// Of tasks.
const TASK_START: u32 = 0x8104;
const TASK_DUE: u32 = 0x8105;
const TASK_OWNER: u32 = 0x811f;
const TASK_DONE: u32 = 0x811c;

/// What contacts keep in properties without a name.
const OF_CONTACTS: &[(u16, &str)] = &[
    (mapi::NICKNAME, "Nickname"),
    (mapi::COMPANY, "Organisation"),
    (mapi::DEPARTMENT, "Department"),
    (mapi::TITLE, "Title"),
    (mapi::PROFESSION, "Profession"),
    (mapi::OFFICE, "Office"),
    (mapi::MANAGER, "Manager"),
    (mapi::ASSISTANT, "Assistant"),
    (mapi::BUSINESS_PHONE, "Phone (work)"),
    (mapi::BUSINESS_PHONE_2, "Phone (work)"),
    (mapi::MOBILE_PHONE, "Phone (mobile)"),
    (mapi::HOME_PHONE, "Phone (home)"),
    (mapi::PRIMARY_PHONE, "Phone"),
    (mapi::OTHER_PHONE, "Phone (other)"),
    (mapi::BUSINESS_FAX, "Fax (work)"),
    (mapi::HOME_FAX, "Fax (home)"),
    (mapi::BUSINESS_PAGE, "Web"),
    (mapi::PERSONAL_PAGE, "Web"),
];

/// What they keep in named ones.
const NAMED_OF_CONTACTS: &[(u32, &str)] = &[
    (0x8083, "E-mail"),
    (0x8093, "E-mail"),
    (0x80a3, "E-mail"),
    (0x8062, "Chat"),
    (0x802b, "Web"),
    (0x801b, "Address (work)"),
    (0x801a, "Address (home)"),
    (0x801c, "Address (other)"),
];

/// The facts of an item of this class, lower case; none of a letter.
pub(super) fn facts(class: &str, storage: &mut Storage<'_, '_, '_>) -> Vec<(&'static str, String)> {
    let mut facts = Facts { storage, said: Vec::new() };
    if class.starts_with("ipm.appointment") || class.starts_with("ipm.schedule.meeting") {
        facts.appointment();
    } else if class.starts_with("ipm.task") {
        facts.task();
    } else if class.starts_with("ipm.contact") {
        facts.contact();
    }
    facts.said
}

struct Facts<'s, 'f, 'b, 'p> {
    storage: &'s mut Storage<'f, 'b, 'p>,
    said: Vec<(&'static str, String)>,
}

impl Facts<'_, '_, '_, '_> {
    fn appointment(&mut self) {
        let zone = self.zone();
        let time = |seconds: Option<i64>| Moment::of_unix(seconds?, zone.as_deref());
        let (start, end) = (self.time(Set::Appointment, START), self.time(Set::Appointment, END));
        let is_whole_days = self.number(Set::Appointment, IS_WHOLE_DAYS).is_some_and(|value| value & 1 == 1);
        let of_day = |moment: Moment| if is_whole_days { moment.day() } else { moment };
        let end = time(end).map(of_day);
        if let Some(start) = time(start).map(of_day) {
            self.say("When", Some(period(&start, end.as_ref())));
        }
        for (label, number) in [("Repeats", RECURRENCE), ("Where", PLACE), ("Attendees", ATTENDEES)] {
            let text = self.text(Set::Appointment, number);
            self.say(label, text);
        }
    }

    /// The zone that the appointment is shown in: its name in the registry of Windows, else what people call it.
    fn zone(&mut self) -> Option<String> {
        let defined = self.storage.names.property(Set::Appointment, ZONE_OF_START);
        let defined = defined.and_then(|property| self.storage.bytes(property, 0x0102));
        let key = defined.as_deref().and_then(zone_key);
        key.or_else(|| self.text(Set::Appointment, ZONE))
    }

    fn task(&mut self) {
        // Days, kept as midnight of UTC.
        for (label, number) in [("Start", TASK_START), ("Due", TASK_DUE)] {
            let day = self.time(Set::Task, number).and_then(|seconds| Moment::of_unix(seconds, None));
            self.say(label, day.map(|day| day.day().to_string()));
        }
        let owner = self.text(Set::Task, TASK_OWNER);
        self.say("Owner", owner);
        let is_done = self.number(Set::Task, TASK_DONE).is_some_and(|value| value & 1 == 1);
        self.say("Status", is_done.then(|| "completed".to_owned()));
    }

    fn contact(&mut self) {
        for (property, label) in OF_CONTACTS {
            let text = self.storage.text(*property);
            self.say(label, text);
        }
        for (number, label) in NAMED_OF_CONTACTS {
            let text = self.text(Set::Address, *number);
            self.say(label, text);
        }
        let birthday = self.storage.time(mapi::BIRTHDAY).and_then(super::mapi::unix);
        let birthday = birthday.and_then(|seconds| Moment::of_unix(seconds, None));
        self.say("Birthday", birthday.map(|day| day.day().to_string()));
    }

    fn say(&mut self, label: &'static str, value: Option<String>) {
        let value = value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let is_said = self.said.iter().any(|(_, said)| *said == value);
        if !value.is_empty() && !is_said {
            self.said.push((label, value));
        }
    }

    fn text(&mut self, set: Set, number: u32) -> Option<String> {
        let property = self.storage.names.property(set, number)?;
        self.storage.text(property)
    }

    fn number(&self, set: Set, number: u32) -> Option<u64> {
        self.storage.number(self.storage.names.property(set, number)?)
    }

    /// In seconds of Unix time.
    fn time(&self, set: Set, number: u32) -> Option<i64> {
        let property = self.storage.names.property(set, number)?;
        self.storage.time(property).and_then(super::mapi::unix)
    }
}

/// The name in a definition of a zone ([MS-OXOCAL] 2.2.1.41).
fn zone_key(definition: &[u8]) -> Option<String> {
    let length = definition.get(6..8)?.first_chunk().map(|two| u16::from_le_bytes(*two))?;
    let key = definition.get(8..8 + usize::from(length) * 2)?;
    Some(super::mapi::wide_text(key)).filter(|key| !key.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_zone_is_read_within_its_bounds() {
        let mut definition = vec![2, 1, 0, 0, 2, 0, 3, 0];
        definition.extend("UTC".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(zone_key(&definition).as_deref(), Some("UTC"));
        assert_eq!(zone_key(&definition[..10]), None);
        assert_eq!(zone_key(&[]), None);
    }
}
