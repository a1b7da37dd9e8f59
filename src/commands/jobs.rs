//! `quarry jobs`: what a running server does and did, and having it stop or go on.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{JobArgs, JobsArgs, JobsCommand};
use crate::output::{self, table};
use crate::paths;
use crate::plain::{self, shown};
use crate::server::{Job, JobState, Server};
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &JobsArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    let Some(server) = Server::of(&folder)? else {
        bail!("no server runs on {}: nothing is under way; `quarry serve` starts one", folder.display());
    };
    let Some(command) = args.command else {
        let jobs = server.jobs()?;
        match args.json {
            true => println!("{}", plain::json(&jobs)?),
            false => show(&jobs),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let (JobArgs { id }, what) = match command {
        JobsCommand::Cancel(job) => (job, "cancel"),
        JobsCommand::Pause(job) => (job, "pause"),
        JobsCommand::Resume(job) => (job, "resume"),
    };
    let job = server.tell(id, what)?;
    match args.json {
        true => println!("{}", plain::json(&job)?),
        false => println!("job {id} ({}) is {}", job.kind, said(job.state)),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(jobs: &[Job]) {
    let mut rows = table(&["job", "what", "source", "asked for", "state", "how far"]);
    for job in jobs {
        rows.add_row([
            job.id.to_string(),
            job.kind.replace('_', " "),
            shown(&job.source).into_owned(),
            output::time(job.created),
            said(job.state).to_owned(),
            shown(&how_far(job)).into_owned(),
        ]);
    }
    println!("{rows}");
}

fn said(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Paused => "paused",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Interrupted => "interrupted",
        JobState::Cancelled => "cancelled",
    }
}

/// What came of it, or how far it is.
fn how_far(job: &Job) -> String {
    if let Some(words) = job.error.as_ref().or(job.outcome.as_ref()).or(job.waiting_for.as_ref()) {
        return words.clone();
    }
    let progress = &job.progress;
    let done = if job.kind == "embed" { progress.passages } else { progress.files };
    let left = progress.seconds_left.map(|seconds| format!(", about {seconds:.0} s left")).unwrap_or_default();
    match progress.planned {
        0 => String::new(),
        planned => format!("{done} of {planned}{left}"),
    }
}
