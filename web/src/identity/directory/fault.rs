//! Why the directory does not tell in which groups somebody is.

use ldap3::LdapError;

/// Why the groups of somebody are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// It does not answer, or refuses.
    #[error("the directory (auth.ldap) cannot be asked")]
    Away(#[source] Box<LdapError>),
    /// It takes too long.
    #[error("the directory (auth.ldap) does not answer in time")]
    Slow,
    /// It was asked a moment ago.
    #[error("the directory (auth.ldap) was asked a moment ago, in vain")]
    Resting {
        /// Whether it could not be asked then; else, it told no groups.
        was_away: bool,
    },
    /// It is not clear who is meant.
    #[error("the directory has several entries for {name:?}: let auth.ldap.user_filter find one")]
    Ambiguous { name: String },
    /// Somebody is in more groups than are looked at.
    #[error(
        "{name:?} is in more groups, or in deeper ones, than are looked at: narrow auth.ldap.group_base or group_filter"
    )]
    TooMany { name: String },
    /// A group has no name that can be used.
    #[error("the group {dn:?} has no attribute {attribute:?} that can be a name: set auth.ldap.group_name")]
    Nameless { dn: String, attribute: String },
    /// It is not known by which name it knows somebody.
    #[error("the identity provider does not say by which name the directory knows somebody: see auth.oidc.login_claim")]
    NoLogin,
    /// What it says cannot be read.
    #[error("what the directory says cannot be read: {why}")]
    Unreadable { why: String },
}

impl DirectoryError {
    /// Whether it helps to wait.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Slow | Self::Resting { was_away: true } | Self::Unreadable { .. })
    }

    /// What anybody may read.
    pub(crate) fn public_detail(&self) -> &'static str {
        if self.is_away() {
            "the directory cannot be asked for groups"
        } else {
            "the groups of this person are not known"
        }
    }
}

impl From<LdapError> for DirectoryError {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::Timeout { .. } => Self::Slow,
            error => Self::Away(Box::new(error)),
        }
    }
}
