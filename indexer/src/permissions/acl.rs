//! The rights of a file or folder: owner, group and mode, or the POSIX access control list that Linux keeps in their place
//! (POSIX.1e draft 17, 23.1.5; acl(5); the layout is that of `posix_acl_xattr.h`). Of the classes of an access control list the
//! first that somebody is in decides, so that an owner without a right is kept out though everybody else has it.

use std::collections::BTreeSet;
use std::io;

use storage::{AccessList, Principal};

use super::names::Names;

/// The right to read a file.
pub(crate) const READ: u8 = 4;
/// The right to look for a name in a folder.
pub(crate) const SEARCH: u8 = 1;

const VERSION: u32 = 2;
const HEADER: usize = 4;
const ENTRY: usize = 8;

/// Rights by class; those of the classes between owner and others are what the mask leaves of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights {
    owner: (u32, u8),
    users: Vec<(u32, u8)>,
    /// The owning group is the first.
    groups: Vec<(u32, u8)>,
    others: u8,
}

/// Who owns something, and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) mode: u32,
}

/// The entries of a list.
#[derive(Default)]
struct Entries {
    owner: Option<u8>,
    users: Vec<(u32, u8)>,
    group: Option<u8>,
    groups: Vec<(u32, u8)>,
    mask: Option<u8>,
    others: Option<u8>,
}

impl Rights {
    /// What the mode says, of something that has no list.
    pub(crate) fn of_mode(owned: Owned) -> Self {
        let bits = |shift: u32| (owned.mode >> shift & 7) as u8;
        Self { owner: (owned.user, bits(6)), users: Vec::new(), groups: vec![(owned.group, bits(3))], others: bits(0) }
    }

    /// What a list says, as it stands in the attribute `system.posix_acl_access`.
    ///
    /// # Errors
    /// It is no such list.
    pub(crate) fn of_list(owned: Owned, list: &[u8]) -> io::Result<Self> {
        let damaged =
            |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("its access control list {what}"));
        let (head, entries) = list.split_at_checked(HEADER).ok_or_else(|| damaged("is too short"))?;
        if head != VERSION.to_le_bytes() || entries.len() % ENTRY != 0 {
            return Err(damaged("is of an unknown form"));
        }
        let mut all = Entries::default();
        for entry in entries.chunks_exact(ENTRY) {
            let half = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            let bits = (half(2) & 7) as u8;
            match half(0) {
                0x01 if all.owner.is_none() => all.owner = Some(bits),
                0x02 => all.users.push((id, bits)),
                0x04 if all.group.is_none() => all.group = Some(bits),
                0x08 => all.groups.push((id, bits)),
                0x10 if all.mask.is_none() => all.mask = Some(bits),
                0x20 if all.others.is_none() => all.others = Some(bits),
                _ => return Err(damaged("has an entry that is unknown or there twice")),
            }
        }
        let (Some(owner), Some(group), Some(others)) = (all.owner, all.group, all.others) else {
            return Err(damaged("lacks an entry"));
        };
        let has_named = !all.users.is_empty() || !all.groups.is_empty();
        let mask = all.mask.or((!has_named).then_some(7)).ok_or_else(|| damaged("lacks its mask"))?;
        let masked = |(id, bits): (u32, u8)| (id, bits & mask);
        // Whoever owns it is let in or kept out as that, whatever else is said of them.
        let users = all.users.into_iter().filter(|(id, _)| *id != owned.user).map(masked).collect();
        let groups = std::iter::once((owned.group, group)).chain(all.groups).map(masked).collect();
        Ok(Self { owner: (owned.user, owner), users, groups, others })
    }

    /// Whom this right is given to.
    ///
    /// Where others have it and a group has not, the list keeps out all who are in that group, also an owner or named user who
    /// has the right: "in this class and not in that one, or else not in a third" is no list of some without others. So what is
    /// told is never more than the system gives, and less in this case only.
    ///
    /// # Errors
    /// The system cannot tell the name of a user or group.
    pub(crate) fn list(&self, right: u8, names: &Names) -> io::Result<AccessList> {
        let has = |bits: u8| bits & right == right;
        let users = || std::iter::once(&self.owner).chain(&self.users);
        let let_in: BTreeSet<u32> = self.groups.iter().filter(|(_, bits)| has(*bits)).map(|(id, _)| *id).collect();
        let mut list = AccessList::default();
        for (id, _) in users().filter(|(_, bits)| !has(*bits)) {
            list.deny.insert(names.user(*id)?);
        }
        if has(self.others) {
            // Any group that lets somebody in is enough.
            for (id, _) in self.groups.iter().filter(|(id, bits)| !has(*bits) && !let_in.contains(id)) {
                list.deny.insert(names.group(*id)?);
            }
            let is_for_all = list.deny.is_empty();
            // Somebody of whom is not known who they are to the system may be one of those whom it keeps out.
            list.allow.insert(if is_for_all { Principal::everyone() } else { Principal::posix() });
            return Ok(list);
        }
        for (id, _) in users().filter(|(_, bits)| has(*bits)) {
            list.allow.insert(names.user(*id)?);
        }
        for id in let_in {
            list.allow.insert(names.group(id)?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = u32::MAX;

    fn owned(mode: u32) -> Owned {
        Owned { user: 70_001, group: 70_011, mode }
    }

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, bits, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(bits.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn said(rights: &Rights) -> Vec<String> {
        rights.list(READ, &Names::default()).unwrap().entries()
    }

    #[test]
    fn the_first_class_that_somebody_is_in_decides() {
        for (mode, expected) in [
            (0o644, &["everyone"] as &[&str]),
            (0o600, &["posix-user:70001"]),
            (0o640, &["posix-group:70011", "posix-user:70001"]),
            (0o000, &["!posix-user:70001"]),
            // Kept out as owner, though the group or everybody is let in.
            (0o040, &["posix-group:70011", "!posix-user:70001"]),
            (0o044, &["posix", "!posix-user:70001"]),
            // Kept out as a group; so is an owner who is in it.
            (0o604, &["posix", "!posix-group:70011"]),
            // Writing and searching are no reading.
            (0o733, &["posix-user:70001"]),
        ] {
            assert_eq!(said(&Rights::of_mode(owned(mode))), expected, "{mode:o}");
        }
    }

    #[test]
    fn named_users_and_groups_have_what_the_mask_leaves_them() {
        let all = |mask: u16, others: u16| {
            let list = list(&[
                (0x01, 6, NOBODY),
                (0x02, 4, 70_002),
                (0x02, 0, 70_003),
                (0x02, 7, 70_001),
                (0x04, 0, NOBODY),
                (0x08, 4, 70_012),
                (0x10, mask, NOBODY),
                (0x20, others, NOBODY),
            ]);
            said(&Rights::of_list(owned(0o644), &list).unwrap())
        };
        let some = ["posix-group:70012", "posix-user:70001", "posix-user:70002", "!posix-user:70003"];
        assert_eq!(all(7, 0), some);
        assert_eq!(all(4, 4), ["posix", "!posix-group:70011", "!posix-user:70003"]);
        assert_eq!(all(3, 0), ["posix-user:70001", "!posix-user:70002", "!posix-user:70003"]);
        // The owning group, named again: what either gives is given.
        let twice = list(&[(1, 6, NOBODY), (4, 0, NOBODY), (8, 4, 70_011), (0x10, 7, NOBODY), (0x20, 4, NOBODY)]);
        assert_eq!(said(&Rights::of_list(owned(0), &twice).unwrap()), ["everyone"]);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        let whole = [(1, 6, NOBODY), (4, 4, NOBODY), (0x20, 4, NOBODY)];
        assert!(Rights::of_list(owned(0), &list(&whole)).is_ok());
        let named_without_mask = [whole.as_slice(), &[(2, 4, 70_002)]].concat();
        let twice = [whole.as_slice(), &[(1, 4, NOBODY)]].concat();
        let unknown = [whole.as_slice(), &[(0x40, 4, NOBODY)]].concat();
        for bad in [list(&named_without_mask), list(&twice), list(&unknown), list(&whole[..2]), vec![2, 0], Vec::new()]
        {
            assert!(Rights::of_list(owned(0), &bad).is_err(), "{bad:?}");
        }
        assert!(Rights::of_list(owned(0), &list(&whole)[..20]).is_err());
        let mut newer = list(&whole);
        newer[0] = 3;
        assert!(Rights::of_list(owned(0), &newer).is_err());
    }
}
