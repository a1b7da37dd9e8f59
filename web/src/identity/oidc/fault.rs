//! Why a provider's word does not let somebody in.
//!
//! What people may read of it says nothing about how we and the provider speak with each other: that goes to the log.

use super::wire::WireError;

/// Why somebody is not signed in by the provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// Nothing answers, or not as it should.
    #[error("the identity provider cannot be asked")]
    Away(#[source] WireError),
    /// It answers in a way that is of no use.
    #[error("the identity provider gives an answer that cannot be used: {why}")]
    Unusable { why: String },
    /// Nobody waits for this answer.
    #[error("this sign-in was begun in another browser or too long ago, or it is over already")]
    Stale,
    /// It says no.
    #[error("the identity provider refused: {code}")]
    Refused { code: String },
    /// It may not be the provider that speaks, or not to us, or not now.
    #[error("what is said to be the word of the identity provider cannot be believed: {why}")]
    Untrusted { why: String },
    /// It leaves groups out.
    #[error(
        "the identity provider leaves out the groups, because somebody is in too many: let it send only those that are \
         assigned to this application, or roles"
    )]
    TooManyGroups,
    /// It does not say any.
    #[error(
        "the identity provider does not say in which groups somebody is: let it send the claim {claim:?}, or set \
         auth.oidc.groups_claim, or auth.oidc.groups_optional if it leaves the claim out for those in no group"
    )]
    NoGroups { claim: String },
    /// It knows them, and nobody here lets them in.
    #[error("somebody is in none of the groups that auth.oidc lets in")]
    NotLetIn,
}

impl ProviderError {
    pub(super) fn untrusted(why: impl Into<String>) -> Self {
        Self::Untrusted { why: why.into() }
    }

    pub(super) fn unusable(why: impl Into<String>) -> Self {
        Self::Unusable { why: why.into() }
    }

    /// One word, for the audit log.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Away(_) => "provider-away",
            Self::Unusable { .. } => "answer-unusable",
            Self::Stale => "sign-in-stale",
            Self::Refused { .. } => "provider-refused",
            Self::Untrusted { .. } => "answer-untrusted",
            Self::TooManyGroups => "too-many-groups",
            Self::NoGroups { .. } => "no-groups",
            Self::NotLetIn => "not-let-in",
        }
    }

    /// What anybody may read.
    pub(crate) fn public_detail(&self) -> String {
        match self {
            Self::Unusable { .. } => "the identity provider gives an answer that cannot be used".to_owned(),
            Self::Untrusted { .. } => {
                "what was sent as the word of the identity provider cannot be believed".to_owned()
            }
            Self::NoGroups { .. } => "the identity provider does not say in which groups somebody is".to_owned(),
            Self::NotLetIn => "nobody has let this person in".to_owned(),
            public => public.to_string(),
        }
    }
}

impl From<WireError> for ProviderError {
    fn from(error: WireError) -> Self {
        Self::Away(error)
    }
}
