//! The audit log: who signed in, what was opened, taken out and changed, for those who have to answer for it.
//!
//! It is written by a thread of its own, so that nobody waits for a disk. What cannot be written is kept for a while and
//! tried again; meanwhile the log, the metrics and the status say so, and with `audit.required` what would have to be
//! written is refused. It never holds passwords, keys or texts; queries only where that is switched on.

mod config;
mod event;
mod journal;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

pub use config::AuditConfig;
pub use event::AuditEvent;
pub(crate) use event::{about, event_of, event_of_tool, is_refused, observed, refused};
use journal::Journal;

/// Lines that wait for the disk.
const WAITING: usize = 4_096;
/// Time between two tries to write what could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// The audit log of a running server.
pub(crate) struct Audit {
    config: AuditConfig,
    state: Arc<State>,
    lines: Mutex<Option<SyncSender<Vec<u8>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    failing: AtomicBool,
    /// Lines that nobody will ever read.
    lost: AtomicU64,
    stopping: AtomicBool,
}

/// Appends one event, for a command that ends at once.
///
/// # Errors
/// The log cannot be written.
pub fn append_to_audit_log(config: &AuditConfig, data_dir: &Path, event: &AuditEvent) -> std::io::Result<()> {
    if !config.enabled {
        return Ok(());
    }
    let mut journal = Journal::new(folder(config, data_dir), config.keep_days);
    journal.write(&event.line()?, Timestamp::now())?;
    journal.sync()
}

fn folder(config: &AuditConfig, data_dir: &Path) -> PathBuf {
    if config.path.as_os_str().is_empty() { data_dir.join("audit") } else { config.path.clone() }
}

impl Audit {
    /// Starts the thread, if the log is switched on.
    ///
    /// # Errors
    /// The log is required and cannot be written; the thread cannot be started.
    pub(crate) fn start(config: &AuditConfig, data_dir: &Path) -> std::io::Result<Self> {
        let audit =
            Self { config: config.clone(), state: Arc::default(), lines: Mutex::default(), writer: Mutex::default() };
        if !config.enabled {
            return Ok(audit);
        }
        let mut journal = Journal::new(folder(config, data_dir), config.keep_days);
        let first = AuditEvent::new("server-started", "quarry").line()?;
        if let Err(error) = journal.write(&first, Timestamp::now()).and_then(|()| journal.sync()) {
            if config.required {
                return Err(error);
            }
            audit.state.fails(&error);
        }
        let (sender, lines) = sync_channel(WAITING);
        let state = Arc::clone(&audit.state);
        let writer =
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || state.write(&lines, journal))?;
        *audit.lines.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        *audit.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        Ok(audit)
    }

    /// Whether anything is written at all.
    pub(crate) fn is_on(&self) -> bool {
        self.config.enabled
    }

    /// Whether queries are written.
    pub(crate) fn has_queries(&self) -> bool {
        self.config.enabled && self.config.queries
    }

    /// Whether it cannot be written at the moment.
    pub(crate) fn is_failing(&self) -> bool {
        self.state.failing.load(Ordering::Relaxed)
    }

    /// Whether what has to be written may not be done.
    pub(crate) fn refuses(&self) -> bool {
        self.config.required && self.is_failing()
    }

    /// Lines that could not be kept until they could be written.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Notes something that has happened.
    pub(crate) fn note(&self, event: &AuditEvent) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lines) = lines.as_ref() else { return };
        if event.line().is_ok_and(|line| lines.try_send(line).is_ok()) {
            return;
        }
        self.state.failing.store(true, Ordering::Relaxed);
        if self.state.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("the audit log loses lines: too many wait for the disk; free some space or mend it");
        }
    }

    /// Writes what still waits, and ends.
    pub(crate) fn stop(&self) {
        self.state.stopping.store(true, Ordering::Relaxed);
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic of that thread has been said on standard error.
            let _ = writer.join();
        }
    }
}

impl State {
    /// The thread: ends when nobody can send any more.
    fn write(&self, lines: &Receiver<Vec<u8>>, mut journal: Journal) {
        while let Ok(line) = lines.recv() {
            if !self.write_one(&line, &mut journal) {
                return;
            }
            // Those that came meanwhile are made durable together.
            while let Ok(line) = lines.try_recv() {
                if !self.write_one(&line, &mut journal) {
                    return;
                }
            }
            match journal.sync() {
                Ok(()) => self.works(),
                Err(error) => self.fails(&error),
            }
        }
    }

    /// Writes a line, however long it takes; not once the server ends.
    fn write_one(&self, line: &[u8], journal: &mut Journal) -> bool {
        loop {
            match journal.write(line, Timestamp::now()) {
                Ok(()) => return true,
                Err(error) => self.fails(&error),
            }
            if self.stopping.load(Ordering::Relaxed) {
                tracing::error!("the audit log could not be written before the end: its last lines are lost");
                return false;
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn fails(&self, error: &std::io::Error) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!("the audit log cannot be written, and is tried again every second: {error}");
        }
    }

    fn works(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::warn!("the audit log can be written again");
        }
    }
}
