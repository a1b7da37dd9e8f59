//! Who may see what, as the truth keeps it: what a document says of itself under its id, and the rules of a source under its
//! name, so that a changed permission is one small entry.

use std::collections::BTreeMap;

use super::{Changes, Documents, check, damaged, decode};
use crate::access::{Access, AccessTable, SourceAccess};
use crate::error::Result;
use crate::record::DocumentId;

const ACCESS: u8 = b'a';
const SOURCE_ACCESS: u8 = b'p';

impl Changes {
    /// What a document says of itself; `None` takes it back.
    pub(crate) fn put_access(&mut self, id: DocumentId, access: Option<&Access>) {
        let key = access_key(id);
        match access {
            Some(access) => self.put(key, access),
            None => self.writes.push((key, None)),
        }
    }

    /// The rules of a source; `None` takes them back.
    pub(crate) fn put_source_access(&mut self, source: &str, rules: Option<&SourceAccess>) {
        let key = source_access_key(source);
        match rules {
            Some(rules) => self.put(key, rules),
            None => self.writes.push((key, None)),
        }
    }

    /// All that a table says.
    pub(crate) fn put_accesses(&mut self, table: &AccessTable) {
        table.documents().for_each(|(id, access)| self.put_access(id, Some(&access)));
        table.sources().for_each(|(name, rules)| self.put_source_access(name, Some(rules)));
    }
}

impl Documents {
    /// Who may see what.
    pub(crate) fn accesses(&self) -> Result<AccessTable> {
        let mut table = AccessTable::default();
        let mut own = BTreeMap::new();
        for entry in self.database.prefixed(&[ACCESS]) {
            let (key, value) = entry?;
            let id = key.get(1..).and_then(|id| <[u8; 16]>::try_from(id).ok());
            let id = id.ok_or_else(|| damaged("the key of an access has the wrong length"))?;
            own.insert(DocumentId::from_bytes(id), Some(decode(&key, check(&key, &value)?)?));
        }
        table.note(&own);
        for entry in self.database.prefixed(&[SOURCE_ACCESS]) {
            let (key, value) = entry?;
            let name = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            table.note_source(&name, Some(decode(&key, check(&key, &value)?)?));
        }
        Ok(table)
    }

    /// What a document says of itself.
    pub(crate) fn access(&self, id: DocumentId) -> Result<Option<Access>> {
        self.get(&access_key(id))
    }
}

fn access_key(id: DocumentId) -> Vec<u8> {
    [&[ACCESS], id.bytes().as_slice()].concat()
}

fn source_access_key(source: &str) -> Vec<u8> {
    [&[SOURCE_ACCESS], source.as_bytes()].concat()
}
