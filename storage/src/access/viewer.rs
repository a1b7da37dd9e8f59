//! For whom something is read.

use std::collections::BTreeSet;

use super::principal::Principals;

/// For whom something is read: whoever looks after the index, or somebody who sees what is open to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Viewer(Sees);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sees {
    Everything,
    /// What is open to these principals, in these sources where any are named.
    Open {
        to: Principals,
        within: Option<BTreeSet<String>>,
    },
}

impl Viewer {
    /// Who sees everything: the owner of the data folder on the command line, and who looks after a server. This is the
    /// only way past the accesses of documents.
    pub fn of_everything() -> Self {
        Self(Sees::Everything)
    }

    /// Somebody who is all of these.
    pub fn person(principals: Principals) -> Self {
        Self(Sees::Open { to: principals, within: None })
    }

    /// The same person, within these sources only. Who sees everything goes on doing so.
    #[must_use]
    pub fn within(self, sources: impl IntoIterator<Item = String>) -> Self {
        let to = match self.0 {
            Sees::Everything => return self,
            Sees::Open { to, .. } => to,
        };
        Self(Sees::Open { to, within: Some(sources.into_iter().collect()) })
    }

    /// Whether accesses do not matter.
    pub fn sees_everything(&self) -> bool {
        self.0 == Sees::Everything
    }

    /// As whom, and within which sources; `None` where that does not matter.
    pub(crate) fn open_to(&self) -> Option<(&Principals, Option<&BTreeSet<String>>)> {
        match &self.0 {
            Sees::Everything => None,
            Sees::Open { to, within } => Some((to, within.as_ref())),
        }
    }
}
