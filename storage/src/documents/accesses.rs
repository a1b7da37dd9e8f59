//! Who may see what, as the truth keeps it: what a document says of itself under its id, and the rules of a source under its
//! name, so that a changed permission is one small entry. What the files of a source say is noted under its name as well.

use std::collections::BTreeMap;

use super::{Changes, Documents, check, damaged, decode};
use crate::access::{Access, AccessTable, FilePermissions, SourceAccess};
use crate::error::Result;
use crate::record::DocumentId;

const ACCESS: u8 = b'a';
const SOURCE_ACCESS: u8 = b'p';
const FILE_PERMISSIONS: u8 = b'f';

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

    /// Whether the files of a source say who may see them; `None` takes it back.
    pub(crate) fn put_file_permissions(&mut self, source: &str, permissions: Option<FilePermissions>) {
        let key = file_permissions_key(source);
        match permissions {
            Some(permissions) => self.put(key, &permissions),
            None => self.writes.push((key, None)),
        }
    }

    /// All that a table says.
    pub(crate) fn put_accesses(&mut self, table: &AccessTable) {
        table.documents().for_each(|(id, access)| self.put_access(id, Some(&access)));
        table.sources().for_each(|(name, rules)| self.put_source_access(name, Some(rules)));
        table.sources_of_files().for_each(|(name, permissions)| self.put_file_permissions(name, Some(permissions)));
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
            table.note_source(&name_in(&key), Some(decode(&key, check(&key, &value)?)?));
        }
        for entry in self.database.prefixed(&[FILE_PERMISSIONS]) {
            let (key, value) = entry?;
            table.note_files(&name_in(&key), Some(decode(&key, check(&key, &value)?)?));
        }
        Ok(table)
    }
}

fn name_in(key: &[u8]) -> String {
    String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned()
}

fn file_permissions_key(source: &str) -> Vec<u8> {
    [&[FILE_PERMISSIONS], source.as_bytes()].concat()
}

fn access_key(id: DocumentId) -> Vec<u8> {
    [&[ACCESS], id.bytes().as_slice()].concat()
}

fn source_access_key(source: &str) -> Vec<u8> {
    [&[SOURCE_ACCESS], source.as_bytes()].concat()
}
