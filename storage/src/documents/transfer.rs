//! The document store on its way to another place: all entries out, as they are stored, and into a new one.

use std::path::Path;

use serde::Serialize;
use sled::IVec;

use super::{CHANGE, CHUNK, Documents, SETTINGS, Settings, TOTALS, VECTOR, check, damaged, decode, frame};
use crate::database::Database;
use crate::error::Result;
use crate::record::Chunk;

/// Bytes of entries that are written at once.
const BATCH_BYTES: usize = 2 << 20;

impl Documents {
    /// Hands out every entry but the totals, in the order of keys and checked; the totals, as they are stored.
    pub(crate) fn export(&self, mut take: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<Vec<u8>> {
        let mut totals: Option<IVec> = None;
        for entry in self.database.all() {
            let (key, value) = entry?;
            check(&key, &value)?;
            match key == TOTALS {
                true => totals = Some(value),
                false => take(&key, &value)?,
            }
        }
        let totals = totals.ok_or_else(|| damaged("its totals are missing"))?;
        Ok(totals.to_vec())
    }

    /// Other settings, as of the same commit.
    pub(crate) fn replace_settings(&mut self, settings: &Settings) -> Result<()> {
        let mut counts = self.counts.clone();
        let writes = vec![(SETTINGS.to_vec(), Some(frame(SETTINGS, settings)))];
        self.apply_writes(&mut counts, writes)?;
        self.counts = counts;
        Ok(())
    }
}

/// A document store in the making. Whether it is what it should be is told when it is opened as such.
pub(crate) struct Importer {
    database: Database,
}

impl Importer {
    /// Makes an empty one in `folder`, which is not there yet.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        Ok(Self { database: Database::open(folder)? })
    }

    /// Writes entries as they were stored.
    pub(crate) fn put(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let (mut batch, mut bytes) = (sled::Batch::default(), 0);
        for (key, value) in entries {
            check(key, value)?;
            batch.insert(*key, *value);
            bytes += key.len() + value.len();
            if bytes >= BATCH_BYTES {
                self.database.apply(std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        self.database.apply(batch)
    }

    /// Writes the totals, and waits until everything is on the disk.
    pub(crate) fn finish(self, totals: &[u8]) -> Result<()> {
        self.put(&[(TOTALS, totals)])?;
        self.database.flush()
    }
}

/// Vectors that passages have, and the ordinals that they get where nothing lies between them.
pub(crate) struct Ordinals {
    old: Vec<u64>,
}

impl Ordinals {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.old.len() as u64
    }

    /// The ordinals that they had, ascending.
    pub(crate) fn old(&self) -> &[u64] {
        &self.old
    }

    /// The ordinal that a vector gets; `None` if no passage has it.
    fn renumbered(&self, old: u64) -> Option<u64> {
        self.old.binary_search(&old).ok().map(|place| place as u64)
    }
}

impl Documents {
    /// The ordinals of all vectors that a passage has.
    pub(crate) fn ordinals(&self) -> Result<Ordinals> {
        let mut old = Vec::new();
        for chunk in self.values::<Chunk>(&[CHUNK]) {
            let chunk = chunk?;
            old.extend((!chunk.awaits_vector()).then_some(chunk.ordinal));
        }
        old.sort_unstable();
        old.dedup();
        Ok(Ordinals { old })
    }

    /// Hands out keys and encoded values of every entry that an index with these vectors has, with their new ordinals: all but
    /// the vectors that are left out, and the log, for what is derived is made anew.
    pub(crate) fn renumbered(
        &self,
        kept: &Ordinals,
        mut take: impl FnMut(Vec<u8>, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        self.export(|key, value| {
            let payload = check(key, value)?;
            let payload = match key.first() {
                Some(&CHANGE) => return Ok(()),
                Some(&VECTOR) => match kept.renumbered(decode(key, payload)?) {
                    Some(ordinal) => encoded(&ordinal),
                    None => return Ok(()),
                },
                Some(&CHUNK) => {
                    let mut chunk: Chunk = decode(key, payload)?;
                    if !chunk.awaits_vector() {
                        let new = kept.renumbered(chunk.ordinal);
                        chunk.ordinal =
                            new.ok_or_else(|| damaged("a passage has come while the index was compacted"))?;
                    }
                    encoded(&chunk)
                }
                _ => payload.to_vec(),
            };
            take(key.to_vec(), payload)
        })?;
        Ok(())
    }
}

/// A value without its frame.
fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    // Records are plain data: encoding them into memory cannot fail.
    postcard::to_extend(value, Vec::new()).expect("plain data encodes")
}
