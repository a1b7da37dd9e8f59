//! Somebody whom the provider has signed in: what a session keeps of them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use storage::{Principal, PrincipalError, PrincipalKind, Principals};

/// Whom the provider has signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upstream {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// As they are called on the page.
    pub(crate) name: String,
    /// As a directory knows them.
    pub(crate) login: Option<String>,
    /// As the provider writes them.
    pub(crate) groups: BTreeSet<String>,
    /// The session there, where the provider has said.
    pub(crate) sid: Option<String>,
    /// What tied the ID token to the sign-in.
    pub(super) nonce: String,
    /// By which the provider is asked again.
    pub(super) refresh: Option<Sealed>,
    /// Which the provider wants to see again when somebody signs out.
    pub(super) id_token: Option<Sealed>,
    /// Seconds of Unix time when the provider said all this.
    pub(super) checked: i64,
    /// Seconds of Unix time when it was last asked in vain.
    pub(super) tried: i64,
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sealed(pub(super) String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Upstream {
    /// The person, as principals name them.
    pub(crate) fn key(&self) -> String {
        format!("{}#{}", self.issuer, self.subject)
    }

    /// As whom they ask.
    ///
    /// # Errors
    /// Something that the provider says is no name.
    pub(crate) fn principals(&self) -> Result<Principals, PrincipalError> {
        let of = |kind, id: &str| Principal::named(kind, &format!("{}#{id}", self.issuer));
        let groups = self.groups.iter().map(|group| of(PrincipalKind::Group, group));
        let all = groups.chain([of(PrincipalKind::User, &self.subject)]).collect::<Result<Vec<_>, _>>();
        Ok(Principals::of(all?))
    }
}
