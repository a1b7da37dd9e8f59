//! The state of a mirror: how its last sync went, for those who ask why a document is not there.

use serde::{Deserialize, Serialize};

use crate::mirror::SyncReport;

/// How the last sync of a source went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncState {
    /// When it was tried last, in seconds of Unix time.
    pub tried: i64,
    /// When it was whole last.
    pub synced: Option<i64>,
    /// Why it could not be made, or not to its end; what was there before is kept.
    pub error: Option<String>,
    /// What it did.
    pub report: SyncReport,
}

impl SyncState {
    /// The state after another sync.
    pub(crate) fn after(self, now: i64, outcome: Result<&SyncReport, String>) -> Self {
        match outcome {
            Ok(report) => {
                let synced = if report.is_interrupted { self.synced } else { Some(now) };
                Self { tried: now, synced, error: None, report: report.clone() }
            }
            Err(error) => Self { tried: now, error: Some(error), ..self },
        }
    }
}
