//! People as marks: enough to tell whether several asked the same, and nothing else.
//!
//! A mark is a keyed hash of a query *and* a person, so that one person has another mark for every query, and what one
//! person asks cannot be put together from the marks. The key (`salt.json`) is random, lies apart from the counts, and is
//! replaced when a month is over; from then on nobody can tell whose the marks of that month are, not even with the disk and
//! a list of all people in hand. The price: marks of two months cannot be compared, and who asked in both counts once in
//! each; the number of people is that of the month with the most.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage::{Readers, replace_durably};

use crate::guard::Person;

/// Name of the file with the key.
pub(super) const SALT: &str = "salt.json";
const SALT_BYTES: usize = 32;

/// A person, for one query and one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mark {
    /// Which key it was made with.
    epoch: u32,
    hash: u32,
}

impl Mark {
    #[cfg(test)]
    pub(super) fn from_parts(epoch: u32, hash: u32) -> Self {
        Self { epoch, hash }
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:08x}{:08x}", self.epoch, self.hash))
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(from)?;
        let both = u64::from_str_radix(text, 16).map_err(serde::de::Error::custom)?;
        Ok(Self { epoch: (both >> 32) as u32, hash: both as u32 })
    }
}

/// How many people these marks are of at least: as many as one key has told apart.
pub(super) fn people(marks: &BTreeSet<Mark>) -> usize {
    let mut most = 0;
    let (mut epoch, mut here) = (None, 0);
    // In order, those of one key stand together.
    for mark in marks {
        here = if epoch == Some(mark.epoch) { here + 1 } else { 1 };
        epoch = Some(mark.epoch);
        most = most.max(here);
    }
    most
}

/// The key of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Salt {
    /// Year and month.
    month: (i16, i8),
    epoch: u32,
    key: [u8; SALT_BYTES],
}

impl Salt {
    /// The key of the month of `day`: the one in the folder, or a new one that takes its place.
    ///
    /// # Errors
    /// The system refused. A file that cannot be understood is replaced: nothing is lost with it but the comparison with
    /// what was asked before in this month.
    pub(super) fn of(folder: &Path, day: Date) -> io::Result<Self> {
        let path = folder.join(SALT);
        let kept: Option<Self> = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(kept) = kept.filter(|salt| salt.is_of(day)) {
            return Ok(kept);
        }
        let mut random = [0; SALT_BYTES + 4];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (mut key, mut epoch) = ([0; SALT_BYTES], [0; 4]);
        key.copy_from_slice(&random[..SALT_BYTES]);
        epoch.copy_from_slice(&random[SALT_BYTES..]);
        let made = Self { month: (day.year(), day.month()), epoch: u32::from_le_bytes(epoch), key };
        let text = serde_json::to_vec(&made)?;
        replace_durably(&path, Readers::Owner, |file| file.write_all(&text))?;
        Ok(made)
    }

    /// Whether it is the one of the month of `day`.
    pub(super) fn is_of(&self, day: Date) -> bool {
        self.month == (day.year(), day.month())
    }

    /// The mark of a person who asks a query.
    pub(super) fn mark(&self, query: &str, person: &Person) -> Mark {
        let (kind, name) = match person {
            Person::Anybody => ("anybody", ""),
            Person::Key(id) => ("key", id.as_str()),
            Person::User(name) => ("user", name.as_str()),
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [query, kind, name] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let mut hash = [0; 4];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
        Mark { epoch: self.epoch, hash: u32::from_le_bytes(hash) }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_person_has_one_mark_for_a_query_in_a_month_and_another_for_every_other() {
        let folder = tempfile::tempdir().unwrap();
        let salt = |day| Salt::of(folder.path(), day).unwrap();
        let november = salt(date(2026, 11, 3));
        let key = |id: &str| Person::Key(id.to_string());
        let mark = november.mark("travel", &key("a"));
        assert_eq!(salt(date(2026, 11, 30)).mark("travel", &key("a")), mark, "also after a restart");
        assert_ne!(november.mark("leave", &key("a")), mark);
        assert_ne!(november.mark("travel", &key("b")), mark);
        assert_ne!(november.mark("travel", &Person::User("a".to_string())), mark);
        let text = fs::read_to_string(folder.path().join(SALT)).unwrap();
        let december = salt(date(2026, 12, 1));
        assert_ne!(december.mark("travel", &key("a")), mark);
        assert_ne!(fs::read_to_string(folder.path().join(SALT)).unwrap(), text, "the old key is gone");
        fs::write(folder.path().join(SALT), "{").unwrap();
        assert!(salt(date(2026, 12, 1)).is_of(date(2026, 12, 2)), "a damaged key is replaced");
    }

    #[test]
    fn who_asks_in_two_months_is_not_two_people() {
        let marks = |parts: &[(u32, u32)]| parts.iter().map(|(epoch, hash)| Mark::from_parts(*epoch, *hash)).collect();
        assert_eq!(people(&marks(&[])), 0);
        assert_eq!(people(&marks(&[(1, 5), (2, 7), (3, 9)])), 1);
        assert_eq!(people(&marks(&[(1, 5), (2, 7), (2, 8), (2, 9), (3, 1)])), 3);
        let mark = Mark::from_parts(0x1234, 0xabcd);
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str::<Mark>(&text).unwrap()), ("\"000012340000abcd\"", mark));
    }
}
