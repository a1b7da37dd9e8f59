//! The objects of a repository, as far as they are of a size that can be read.

use gix::error::{Result, message};
use gix::objs::{Data, Exists, Find, FindExt as _, TreeRefIter};
use gix::odb::Header as _;
use gix::{ObjectId, OdbHandle, oid};

/// Bytes of a tree or a commit. A tree of this size has some 300,000 entries.
const MAX_OBJECT: u64 = 16 << 20;

/// A repository's objects. What is too large is an error.
pub(super) struct Objects<'a>(pub(super) &'a OdbHandle);

/// An entry of a tree.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) id: ObjectId,
    pub(super) is_tree: bool,
}

impl Find for Objects<'_> {
    fn try_find<'a>(&self, id: &oid, buffer: &'a mut Vec<u8>) -> Result<Option<Data<'a>>> {
        match self.0.try_header(id)? {
            Some(header) if header.size() > MAX_OBJECT => {
                let (size, most) = (header.size(), MAX_OBJECT);
                Err(message!("the object {id} has {size} bytes, {most} are read").corrupted().into())
            }
            _ => self.0.try_find(id, buffer),
        }
    }
}

impl Exists for Objects<'_> {
    fn exists(&self, id: &oid) -> bool {
        self.0.exists(id)
    }
}

impl Objects<'_> {
    /// The entries of a tree, in its order.
    pub(super) fn tree(&self, id: &oid) -> Result<Vec<Entry>> {
        let mut buffer = Vec::new();
        let tree: TreeRefIter<'_> = self.find_tree_iter(id, &mut buffer)?;
        tree.map(|entry| {
            let entry = entry?;
            Ok(Entry { name: entry.filename.to_vec(), id: entry.oid.to_owned(), is_tree: entry.mode.is_tree() })
        })
        .collect()
    }
}
