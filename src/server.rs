//! The server that runs on the data folder: what commands have it do, and how they wait for it.
//!
//! Only one process writes to an index. While a server does, a command asks it by the socket in the data folder, and says
//! the same as if it had done the work itself.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indexer::{Counters, Observer as _, Planned};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::{LedgerEntry, Source};
use web::{RunningServer, RunningServerError, address_segment};

use crate::output::{Progress, StageProgress};
use crate::plain::shown;

/// Time between two looks at a job.
const LOOK: Duration = Duration::from_millis(100);
/// Time between two looks at a server that is starting.
const STARTING: Duration = Duration::from_millis(300);

/// A server that has opened the data folder, and is ready.
pub(crate) struct Server(RunningServer);

/// A job as the server tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) kind: String,
    pub(crate) state: JobState,
    pub(crate) source: String,
    pub(crate) created: i64,
    pub(crate) progress: JobProgress,
    #[serde(default)]
    pub(crate) waiting_for: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    Queued,
    Running,
    Paused,
    Done,
    Failed,
    Interrupted,
    Cancelled,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct JobProgress {
    pub(crate) planned: u64,
    planned_bytes: u64,
    unchanged: u64,
    pub(crate) files: u64,
    bytes: u64,
    pub(crate) passages: u64,
    tokens: u64,
    pub(crate) seconds_left: Option<f64>,
}

#[derive(Deserialize)]
struct Accepted {
    job: u64,
}

/// What became of a document that was handed over.
#[derive(Deserialize)]
pub(crate) struct Pushed {
    pub(crate) path: String,
    pub(crate) state: String,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
struct PushedList {
    items: Vec<Pushed>,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Sources {
    sources: Vec<Folder>,
}

#[derive(Deserialize)]
struct Folder {
    name: String,
    folder: String,
}

/// How a source is looked through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) accept_deletions: bool,
    pub(crate) checksum: bool,
}

impl Server {
    /// The server on a data folder, once it is ready; `None` where none has opened it.
    pub(crate) fn of(data_dir: &Path) -> Result<Option<Self>> {
        let Some(server) = RunningServer::of(data_dir)? else { return Ok(None) };
        let mut is_told = false;
        loop {
            match server.get::<Value>("/health/ready") {
                Ok(_) => return Ok(Some(Self(server))),
                Err(RunningServerError::Refused { code, detail }) if is_starting(&code) => {
                    if !std::mem::replace(&mut is_told, true) {
                        eprintln!("waiting for the server on this index: {}", shown(&detail));
                    }
                    sleep(STARTING);
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// The folders that it indexes.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        let Sources { sources } = self.0.get("/api/v1/sources")?;
        Ok(sources.into_iter().map(|Folder { name, folder }| Source { name, root: folder.into() }).collect())
    }

    /// Has it index a new folder, or one whose files are to say who may see them; the number of the job.
    pub(crate) fn add(&self, source: &Source, permissions: Option<&'static str>) -> Result<u64> {
        let folder = source.root.to_str().context("the path of the folder is not UTF-8")?;
        let mut body = json!({ "name": source.name, "folder": folder });
        if let Some(said) = permissions {
            body["permissions"] = said.into();
        }
        let Accepted { job } = self.0.post_json("/api/v1/sources", &body)?;
        Ok(job)
    }

    /// Has it fetch and index a place elsewhere; the number of the job.
    pub(crate) fn add_place(&self, name: &str, from: &connect::Settings) -> Result<u64> {
        let Accepted { job } = self.0.post_json("/api/v1/sources", &json!({ "name": name, "from": from }))?;
        Ok(job)
    }

    /// Has it look through a source again; the number of the job.
    pub(crate) fn index(&self, source: &str, look: Look) -> Result<u64> {
        let Look { accept_deletions, checksum } = look;
        let source = address_segment(source);
        let address = format!("/api/v1/sources/{source}/index?accept_deletions={accept_deletions}&checksum={checksum}");
        let Accepted { job } = self.0.post(&address)?;
        Ok(job)
    }

    /// Has it take a source out; the number of the job.
    pub(crate) fn remove(&self, source: &str) -> Result<u64> {
        let Accepted { job } = self.0.delete(&format!("/api/v1/sources/{}", address_segment(source)))?;
        Ok(job)
    }

    /// Has it check the index; the number of the job.
    pub(crate) fn verify(&self) -> Result<u64> {
        let Accepted { job } = self.0.post("/api/v1/verify")?;
        Ok(job)
    }

    /// Has it give space back; the number of the job.
    pub(crate) fn compact(&self) -> Result<u64> {
        let Accepted { job } = self.0.post("/api/v1/compact")?;
        Ok(job)
    }

    /// Has it make a backup; the number of the job.
    pub(crate) fn back_up(&self, destination: &Path, keep: Option<String>) -> Result<u64> {
        let destination = match connect::is_bucket(destination) {
            true => destination.to_path_buf(),
            false => std::path::absolute(destination)?,
        };
        let destination = destination.to_str().context("the path of the backups is not UTF-8")?;
        let mut body = json!({ "destination": destination });
        if let Some(keep) = keep {
            body["keep"] = keep.into();
        }
        let Accepted { job } = self.0.post_json("/api/v1/backups", &body)?;
        Ok(job)
    }

    /// Says who may see a source, in the place of what was said before.
    pub(crate) fn set_access(&self, source: &str, rules: &Value) -> Result<()> {
        let address = format!("/api/v1/sources/{}/access", address_segment(source));
        self.0.put_json::<Value>(&address, &json!({ "rules": rules }))?;
        Ok(())
    }

    /// What became of the files of a source.
    pub(crate) fn ledger(&self, source: &str) -> Result<Vec<LedgerEntry>> {
        let lines = self.0.get_text(&format!("/api/v1/sources/{}/ledger?format=ndjson", address_segment(source)))?;
        lines.lines().map(|line| serde_json::from_str(line).context("a line of the ledger cannot be read")).collect()
    }

    /// Hands documents over: changes as the API takes them, an object a line. What became of each.
    pub(crate) fn push(&self, lines: &str) -> Result<Vec<Pushed>> {
        let PushedList { items } = self.0.post_lines("/api/v1/documents/bulk", lines)?;
        Ok(items)
    }

    /// All jobs that it remembers, the newest first.
    pub(crate) fn jobs(&self) -> Result<Vec<Job>> {
        let Jobs { jobs } = self.0.get("/api/v1/jobs")?;
        Ok(jobs)
    }

    /// Cancels, pauses or resumes a job.
    pub(crate) fn tell(&self, job: u64, what: &str) -> Result<Job> {
        Ok(self.0.post(&format!("/api/v1/jobs/{job}/{what}"))?)
    }

    /// Waits for a job, with its progress; its outcome in words.
    ///
    /// # Errors
    /// It failed, was cancelled or paused, or the server went away.
    pub(crate) fn follow(&self, job: u64) -> Result<String> {
        let mut bar = None;
        let ended = loop {
            let job: Job = self.0.get(&format!("/api/v1/jobs/{job}"))?;
            match job.state {
                JobState::Queued | JobState::Running => bar.get_or_insert_with(|| Bar::of(&job)).show(&job),
                _ => break job,
            }
            sleep(LOOK);
        };
        if let Some(bar) = bar {
            bar.finish();
        }
        outcome(ended)
    }

    /// Waits until all vectors are made; false where there were none to be made.
    pub(crate) fn follow_embedding(&self) -> Result<bool> {
        let embeds = |job: &Job| job.kind == "embed" && matches!(job.state, JobState::Queued | JobState::Running);
        let Some(job) = self.jobs()?.into_iter().find(embeds) else { return Ok(false) };
        self.follow(job.id)?;
        Ok(true)
    }
}

fn is_starting(code: &str) -> bool {
    matches!(code, "starting" | "upgrading" | "reopening")
}

fn outcome(job: Job) -> Result<String> {
    let Job { id, state, outcome, error, .. } = job;
    match state {
        JobState::Done => Ok(outcome.unwrap_or_default()),
        JobState::Paused => bail!("job {id} is paused; `quarry jobs resume {id}` lets it go on"),
        JobState::Cancelled => bail!("job {id} was cancelled"),
        JobState::Interrupted => bail!("the server is stopping; it goes on with this at its next start"),
        _ => bail!("{}", error.unwrap_or_else(|| "the job failed, and the server does not say why".to_owned())),
    }
}

/// The progress of a job on the terminal.
enum Bar {
    /// In files.
    Source(Progress),
    /// In what is counted on the way, as far as anything is.
    Stage(StageProgress),
}

impl Bar {
    fn of(job: &Job) -> Self {
        match job.kind.as_str() {
            "index" => Self::Source(Progress::new(&job.source)),
            "embed" => Self::Stage(StageProgress::new("embedding", "passages")),
            "backup" => Self::Stage(StageProgress::new("backup", "MiB")),
            other => Self::Stage(StageProgress::new(other, "documents")),
        }
    }

    fn show(&self, job: &Job) {
        let JobProgress { planned, planned_bytes, unchanged, files, bytes, passages, tokens, .. } = job.progress;
        match self {
            Self::Source(bar) => {
                bar.planned(&Planned { files: planned, bytes: planned_bytes, unchanged });
                bar.waiting(job.waiting_for.as_deref());
                bar.progressed(&Counters { files, bytes, chunks: passages, tokens, ..Counters::default() });
            }
            Self::Stage(bar) => {
                let (done, all) = match job.kind.as_str() {
                    "embed" => (passages, planned),
                    "backup" => (bytes >> 20, planned_bytes >> 20),
                    _ => (files, planned),
                };
                bar.show(done, all, job.waiting_for.as_deref());
            }
        }
    }

    fn finish(&self) {
        match self {
            Self::Source(bar) => bar.finish(),
            Self::Stage(bar) => bar.finish(),
        }
    }
}
