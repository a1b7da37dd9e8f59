//! What is kept in the audit log.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Its folder; empty: `audit` in the data folder.
    pub path: PathBuf,
    /// Whether it holds what people search for.
    pub queries: bool,
    /// Days that its files are kept; 0: for good.
    pub keep_days: u64,
    /// Whether what has to be written is refused while it cannot be.
    pub required: bool,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { enabled: false, path: PathBuf::new(), queries: false, keep_days: 365, required: false }
    }
}

impl AuditConfig {
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.path.as_os_str().is_empty() && self.path.is_relative() {
            problems.push(format!("audit.path: expected an absolute path, got {:?}", self.path));
        }
        if !self.enabled && (self.queries || self.required) {
            problems.push("audit.enabled: expected true where audit.queries or audit.required is".to_owned());
        }
        problems
    }
}
