//! Named properties of Outlook ([MS-OXMSG] 2.2.3): which number a file gave to a property that is known by a set and a
//! number in it. Calendars, contacts and tasks keep most of what they say in such properties.

/// A set of properties, by the first four bytes of its identifier: they differ in those alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Appointment,
    Task,
    Address,
}

impl Set {
    const fn identifier(self) -> u32 {
        match self {
            Self::Appointment => 0x0006_2002,
            Self::Task => 0x0006_2003,
            Self::Address => 0x0006_2004,
        }
    }
}

/// Streams of the table.
pub(super) const IDENTIFIERS: &str = "/__nameid_version1.0/__substg1.0_00020102";
pub(super) const ENTRIES: &str = "/__nameid_version1.0/__substg1.0_00030102";

/// The first number of a named property, and that of the first set that a file lists itself.
const FIRST_PROPERTY: u16 = 0x8000;
const FIRST_SET: usize = 3;

/// The named properties of a file.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Name>);

#[derive(Debug)]
struct Name {
    set: u32,
    number: u32,
    property: u16,
}

impl Names {
    /// From the list of sets and the list of properties.
    pub(super) fn read(identifiers: &[u8], entries: &[u8]) -> Self {
        let sets = identifiers.as_chunks::<16>().0;
        let name = |entry: &[u8; 8]| {
            let word = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
            let kind = word(4);
            let is_number = kind & 1 == 0;
            let set = sets.get(usize::from(kind >> 1).checked_sub(FIRST_SET)?)?;
            let set = set.first_chunk().map(|four| u32::from_le_bytes(*four))?;
            let number = entry.first_chunk().map(|four| u32::from_le_bytes(*four))?;
            let property = FIRST_PROPERTY.checked_add(word(6))?;
            is_number.then_some(Name { set, number, property })
        };
        Self(entries.as_chunks::<8>().0.iter().filter_map(name).collect())
    }

    /// The number that this file gave to a property.
    pub(super) fn property(&self, set: Set, number: u32) -> Option<u16> {
        let is_it = |name: &&Name| name.set == set.identifier() && name.number == number;
        self.0.iter().find(is_it).map(|name| name.property)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_set_and_name() {
        let mut identifiers = vec![0; 32];
        identifiers[0..4].copy_from_slice(&0x0006_2002_u32.to_le_bytes());
        identifiers[16..20].copy_from_slice(&0x0006_2004_u32.to_le_bytes());
        let entry = |number: u32, kind: u16, at: u16| {
            [&number.to_le_bytes()[..], &kind.to_le_bytes(), &at.to_le_bytes()].concat()
        };
        let entries =
            [entry(0x820d, 3 << 1, 0), entry(0x8083, 4 << 1, 1), entry(0x820d, (4 << 1) | 1, 2), entry(7, 9 << 1, 3)];
        let names = Names::read(&identifiers, &entries.concat());
        assert_eq!(names.property(Set::Appointment, 0x820d), Some(0x8000));
        assert_eq!(names.property(Set::Address, 0x8083), Some(0x8001));
        assert_eq!(names.property(Set::Address, 0x820d), None, "a name in letters");
        assert_eq!(names.property(Set::Task, 7), None);
        assert_eq!(Names::read(&[1], &[2; 7]).0.len(), 0);
    }
}
