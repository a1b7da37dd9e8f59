//! The place where a model computes: on a processor of this machine, or elsewhere, and then how it fares there.

use crate::{device::DeviceChoice, model::Precision};

/// Where a model computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this process.
    Here {
        /// How the weights are kept: never [`Precision::Auto`].
        precision: Precision,
        /// The processor: never [`DeviceChoice::Auto`].
        device: DeviceChoice,
    },
    /// Behind an endpoint.
    Elsewhere(Elsewhere),
}

/// A model elsewhere, for whoever runs this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Host and port of the endpoint.
    pub host: String,
    /// Whether texts leave this machine for it.
    pub is_remote: bool,
    /// How it fares.
    pub condition: Condition,
}

/// How a model elsewhere fares, as far as the last request told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// It was not asked yet.
    #[default]
    Unasked,
    /// It answers.
    Answering,
    /// It does not answer now, and is asked again.
    Away {
        /// What went wrong last.
        reason: String,
    },
    /// It answers, but cannot be used: another model than it was, the wrong key, no vectors.
    Unusable {
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl Condition {
    /// Whether nothing can be had of it.
    pub fn is_out(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Unusable { .. })
    }
}
