//! The document store in runs: entries in the order of keys, cut where a hash of the key says so.
//!
//! An entry decides by itself, and by its length, whether a run ends behind it. So a changed entry changes its own run, or
//! joins and parts those beside it, and all others are byte for byte what they were: two backups share them. Only a run that
//! has grown to the maximum is cut for that, and the next cut of an entry's own ends what that moves.

use crate::error::{Error, Result};

/// Bytes of a run, on average.
const MEAN: u64 = 256 << 10;
/// Bytes from which on a run ends in any case.
const MOST: usize = 4 << 20;
/// Bytes of the lengths before each entry.
const HEAD: usize = 8;

/// Puts entries together.
#[derive(Default)]
pub(super) struct RunCutter {
    run: Vec<u8>,
}

impl RunCutter {
    /// Takes an entry; gives the run that it ends, if it ends one.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let lengths = [key.len(), value.len()].map(|length| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        lengths.iter().for_each(|length| self.run.extend_from_slice(length));
        self.run.extend_from_slice(key);
        self.run.extend_from_slice(value);
        let is_end = self.run.len() >= MOST || ends(key, HEAD + key.len() + value.len());
        is_end.then(|| std::mem::take(&mut self.run))
    }

    /// What is left at the end.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.run.is_empty()).then_some(self.run)
    }
}

/// Whether a run ends behind an entry: as likely as it is long, so that runs are as long on average for small entries as for
/// large ones.
fn ends(key: &[u8], length: usize) -> bool {
    let mut draw = [0; 8];
    draw.copy_from_slice(&blake3::hash(key).as_bytes()[..8]);
    u128::from(u64::from_le_bytes(draw)) * u128::from(MEAN) < (length as u128) << 64
}

/// The entries of a run.
///
/// # Errors
/// It ends within an entry.
pub(super) fn entries(mut run: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let torn = || Error::damaged("a run of the document store", "it ends within an entry");
    let mut entries = Vec::new();
    while !run.is_empty() {
        let (head, rest) = run.split_at_checked(HEAD).ok_or_else(torn)?;
        let length = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (key, rest) = rest.split_at_checked(length(0)).ok_or_else(torn)?;
        let (value, rest) = rest.split_at_checked(length(4)).ok_or_else(torn)?;
        entries.push((key, value));
        run = rest;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::backup::object::ObjectId;

    type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

    fn store(count: u32, bytes: usize) -> Entries {
        let entry = |number: u32| {
            let key = [b"c", &blake3::hash(&number.to_le_bytes()).as_bytes()[..16]].concat();
            let mut value = vec![0; bytes / 2 + number as usize % bytes];
            blake3::Hasher::new().update(&key).finalize_xof().fill(&mut value);
            (key, value)
        };
        (0..count).map(entry).collect()
    }

    fn runs(entries: &Entries) -> Vec<Vec<u8>> {
        let mut cutter = RunCutter::default();
        let mut runs: Vec<_> = entries.iter().filter_map(|(key, value)| cutter.push(key, value)).collect();
        runs.extend(cutter.finish());
        runs
    }

    fn ids(runs: &[Vec<u8>]) -> BTreeSet<ObjectId> {
        runs.iter().map(|run| ObjectId::of(run)).collect()
    }

    #[test]
    fn runs_hold_what_went_in_and_are_as_long_as_they_should_be() {
        let entries_of_store = store(20_000, 1000);
        let runs = runs(&entries_of_store);
        let read: Vec<_> = runs.iter().flat_map(|run| entries(run).unwrap()).collect();
        assert!(read.iter().copied().eq(entries_of_store.iter().map(|(key, value)| (&key[..], &value[..]))));
        let mean = runs.iter().map(Vec::len).sum::<usize>() / runs.len();
        assert!((100 << 10..700 << 10).contains(&mean), "{mean} bytes on average");
        let torn = &runs[0][..runs[0].len() - 1];
        assert!(entries(torn).is_err() && entries(&torn[..3]).is_err());
    }

    #[test]
    fn one_entry_that_changes_comes_or_goes_leaves_nearly_all_runs_as_they_were() {
        let before = store(20_000, 1000);
        let old = ids(&runs(&before));
        let keys: Vec<_> = before.keys().step_by(997).cloned().collect();
        for (number, key) in keys.iter().enumerate() {
            let mut after = before.clone();
            match number % 3 {
                0 => after.insert(key.clone(), vec![7; 900]),
                1 => after.remove(key),
                _ => after.insert([key, b"x".as_slice()].concat(), vec![7; 900]),
            };
            let new = ids(&runs(&after));
            assert!(new.difference(&old).count() <= 2, "{number}: {}", new.difference(&old).count());
            assert!(old.difference(&new).count() <= 2, "{number}");
        }
    }

    #[test]
    fn an_entry_of_any_size_fits_and_no_run_is_endless() {
        let mut entries_of_store = store(300, 100_000);
        entries_of_store.insert(b"b".to_vec(), vec![1; MOST + 5]);
        let runs = runs(&entries_of_store);
        assert_eq!(runs[0].len(), HEAD + 1 + MOST + 5, "it is a run of its own");
        assert!(runs[1..].iter().all(|run| run.len() < MOST + 200_000));
        assert_eq!(entries(&runs[0]).unwrap(), [(&b"b"[..], &vec![1; MOST + 5][..])]);
    }
}
