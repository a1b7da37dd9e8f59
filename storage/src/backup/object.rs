//! Objects: content that is known by its hash, and the pieces that files are cut into.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where objects lie at a destination.
pub(super) const OBJECTS: &str = "objects";

/// Bytes of a piece of a file: the last one may be shorter. The vector file grows at its end, so that its last piece is
/// another with every backup.
pub(super) const PIECE: u64 = 1 << 20;

/// The BLAKE3 hash of content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ObjectId([u8; 32]);

impl ObjectId {
    pub(super) fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// What its hash begins with.
    pub(super) fn first_byte(&self) -> u8 {
        self.0[0]
    }

    /// Its name at the destination.
    pub(super) fn name(&self) -> String {
        let hex = self.to_string();
        format!("{OBJECTS}/{}/{hex}", &hex[..2])
    }

    /// The object of a name at the destination; `None` for what is none, such as a draft.
    pub(super) fn named(name: &str) -> Option<Self> {
        let id: Self = name.rsplit('/').next()?.parse().ok()?;
        (id.name() == name).then_some(id)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = blake3::HexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes()))
    }
}

impl Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A part of a file or of the document store: its object, the bytes of its content, and those that the object takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece(pub(super) ObjectId, pub(super) u64, pub(super) u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_one_name() {
        let id = ObjectId::of(b"content");
        assert_eq!(ObjectId::named(&id.name()), Some(id));
        assert_eq!(ObjectId::named(&format!("{}.tmp", id.name())), None);
        assert_eq!(ObjectId::named(&format!("objects/{id}")), None);
        assert_eq!(ObjectId::named("objects/ab/x"), None);
        let piece = Piece(id, 7, 8);
        let text = serde_json::to_string(&piece).unwrap();
        assert_eq!(text, format!("[\"{id}\",7,8]"));
        assert_eq!(serde_json::from_str::<Piece>(&text).unwrap(), piece);
    }
}
