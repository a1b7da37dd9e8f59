//! What commands write into the audit log: keys, users and groups are changed beside the server.

use anyhow::{Context as _, Result};
use web::{AuditEvent, append_to_audit_log};

use crate::paths;
use crate::settings::Settings;

/// An event by whoever runs this command.
pub(crate) fn event(event: &'static str) -> AuditEvent {
    AuditEvent::new(event, &format!("command line, user {}", nix::unistd::getuid()))
}

/// Writes an event down.
pub(crate) fn note(settings: &Settings, event: &AuditEvent) -> Result<()> {
    append_to_audit_log(&settings.web().audit, &paths::data_dir(settings)?, event)
        .context("this was done, but it cannot be written into the audit log")
}
