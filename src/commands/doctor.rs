//! `quarry doctor`: whether this machine, the configuration, the models and the index are as they have to be, and what to
//! do where they are not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit};
use serde::Serialize;
use serde_json::Value;
use storage::{BackupError, Overview};
use web::RunningServer;

use super::config;
use crate::cli::DoctorArgs;
use crate::output;
use crate::plain::{self, shown};
use crate::settings::Settings;
use crate::{cure, models, paths};

/// Files that a server with connections, segments and readers may have open.
const OPEN_FILES: u64 = 4_096;
/// Folders that the system should watch.
const WATCHES: u64 = 65_536;
/// Free space below which a commit may fail soon.
const LITTLE_SPACE: u64 = 1 << 30;
/// Start of 2025, in seconds of Unix time: no clock is before that.
const EARLIEST: u64 = 1_735_689_600;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Good,
    /// It works, and could be better.
    Note,
    Bad,
}

/// What was looked at, how it is, and what helps.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    grade: Grade,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, grade: Grade::Good, found: found.into(), cure: None }
    }

    fn note(what: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { what, grade: Grade::Note, found: found.into(), cure: Some(cure.into()) }
    }

    fn bad(what: &'static str, found: impl Into<String>, cure: Option<String>) -> Self {
        Self { what, grade: Grade::Bad, found: found.into(), cure }
    }

    /// A failure whose words bring their cure with them.
    fn failed(what: &'static str, error: &anyhow::Error) -> Self {
        Self::bad(what, cure::told(error), None)
    }
}

pub(crate) fn run(settings: &Settings, args: &DoctorArgs) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    let mut findings = vec![configuration(settings), clock(), open_files()];
    findings.extend(watches());
    findings.push(folder(&data));
    findings.extend(space(&data));
    findings.push(model(settings));
    findings.extend(reranker(settings));
    findings.extend(index(&data));
    findings.push(reading(settings));
    findings.push(server(&data));
    findings.extend(backups(settings));
    findings.extend(encryption(settings));
    match args.json {
        true => println!("{}", plain::json(&findings)?),
        false => findings.iter().for_each(show),
    }
    let is_bad = findings.iter().any(|finding| finding.grade == Grade::Bad);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show(finding: &Finding) {
    let grade = match finding.grade {
        Grade::Good => "good",
        Grade::Note => "note",
        Grade::Bad => "BAD ",
    };
    println!("{grade}  {:<13}  {}", finding.what, shown(&finding.found));
    if let Some(cure) = &finding.cure {
        println!("{:<21}{}", "", shown(cure));
    }
}

fn configuration(settings: &Settings) -> Finding {
    let problems = config::problems(settings);
    match (&settings.path, problems.is_empty()) {
        (Some(path), true) => Finding::good("configuration", path.display().to_string()),
        (None, true) => Finding::good("configuration", "no file; the defaults are in force"),
        (_, false) => Finding::bad("configuration", problems.join("; "), None),
    }
}

fn clock() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let shown = output::time(i64::try_from(now).unwrap_or_default());
    match now < EARLIEST {
        false => Finding::good("clock", shown),
        true => Finding::bad("clock", shown, Some("set it: keys, sessions and dates go by it".into())),
    }
}

fn open_files() -> Finding {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) if soft >= OPEN_FILES => Finding::good("open files", format!("at most {soft}")),
        Ok((soft, _)) => {
            let cure = format!("raise it to {OPEN_FILES}: `ulimit -n {OPEN_FILES}`, or LimitNOFILE in the unit");
            Finding::note("open files", format!("at most {soft}, few for a server with many clients"), cure)
        }
        Err(error) => Finding::note("open files", format!("the limit is not known: {error}"), "see `ulimit -n`"),
    }
}

/// Folders that the system watches for all processes of a user; other systems have no such limit.
fn watches() -> Option<Finding> {
    let said = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?;
    let most: u64 = said.trim().parse().ok()?;
    let found = format!("at most {most} folders are watched");
    if most >= WATCHES {
        return Some(Finding::good("watching", found));
    }
    let cure = format!("with more folders than that, raise it: `sysctl fs.inotify.max_user_watches={WATCHES}`");
    Some(Finding::note("watching", found, cure))
}

fn folder(data: &Path) -> Finding {
    let place = data.display().to_string();
    let Ok(metadata) = fs::metadata(data) else {
        return Finding::note(
            "data folder",
            format!("{place} is not there yet"),
            "the first `quarry index FOLDER` makes it",
        );
    };
    let (owner, own) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if !metadata.is_dir() {
        return Finding::bad(
            "data folder",
            format!("{place} is no folder"),
            Some("name another with --data-dir".into()),
        );
    }
    if owner != own {
        let found = format!("{place} belongs to user {owner}, and this is user {own}");
        return Finding::note(
            "data folder",
            found,
            "to index, run quarry as its owner; searching needs the right to read",
        );
    }
    if rustix::fs::access(data, rustix::fs::Access::WRITE_OK).is_err() {
        let cure = "mount it for writing, or name another with --data-dir";
        return Finding::bad("data folder", format!("{place} cannot be written"), Some(cure.into()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 && !storage::is_shared(data) {
        let found = format!("{place} can be entered by others (mode {mode:o})");
        return Finding::note(
            "data folder",
            found,
            "the next command that writes shuts them out; to share it, `chmod 2750`",
        );
    }
    Finding::good("data folder", format!("{place} (mode {mode:o})"))
}

fn space(data: &Path) -> Option<Finding> {
    let there = data.ancestors().find(|folder| folder.exists())?;
    let system = rustix::fs::statvfs(there).ok()?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let index: u64 = storage::overview(data).map_or(0, |overview| overview.bytes.iter().map(|(_, bytes)| bytes).sum());
    let found = format!("{} free, the index takes {}", output::size(free), output::size(index));
    Some(if free < LITTLE_SPACE {
        Finding::bad("disk", found, Some("free some: a full disk stops indexing, and loses nothing".into()))
    } else if free < index {
        Finding::note("disk", found, "`quarry index --rebuild` needs as much again as the index takes")
    } else {
        Finding::good("disk", found)
    })
}

fn model(settings: &Settings) -> Finding {
    let started = Instant::now();
    match models::embedder(settings) {
        Ok((_, model)) => {
            let seconds = started.elapsed().as_secs_f64();
            Finding::good("model", format!("{}, opened in {seconds:.1} s", model.describe()))
        }
        Err(error) => Finding::failed("model", &error),
    }
}

fn reranker(settings: &Settings) -> Option<Finding> {
    let name = models::reranker_name(settings).ok().flatten()?;
    Some(match models::reranker(settings) {
        Ok(_) => Finding::good("reranker", name),
        Err(error) => Finding::failed("reranker", &error),
    })
}

fn index(data: &Path) -> Vec<Finding> {
    if let Some(upgrade) = storage::upgrade_progress(data) {
        return vec![Finding::note("index", upgrade.to_string(), "`quarry index` or `quarry serve` goes on with it")];
    }
    let Overview { model, sources, totals, .. } = match storage::overview(data) {
        Ok(overview) => overview,
        Err(storage::Error::NoIndex { .. }) => {
            return vec![Finding::note("index", "there is none yet", "`quarry index FOLDER` makes one")];
        }
        Err(error) => return vec![Finding::failed("index", &error.into())],
    };
    let found = format!("{} documents in {} sources, model {}", totals.documents, sources.len(), model.describe());
    let mut findings = vec![Finding::good("index", found)];
    let is_copy = storage::followed_place(data).is_ok_and(|place| place.is_some());
    for source in &sources {
        // Of a copy, they are where the original is.
        if !source.root.is_dir() && !is_copy {
            let found = format!("the folder of {:?} is not there: {}", source.name, source.root.display());
            findings.push(Finding::bad("source", found, Some("mount it, or `quarry remove` the source".into())));
        }
        let counts = totals.source(&source.name);
        let unread = counts.unreadable + counts.failed;
        if unread > 0 {
            let found = format!("{unread} files of {:?} could not be read", source.name);
            findings.push(Finding::note("source", found, "`quarry status --files unreadable` and `failed` say why"));
        }
    }
    if let Some(bytes) = storage::unfinished_rebuild(data) {
        let found = format!("an unfinished rebuild takes {}", output::size(bytes));
        findings.push(Finding::note("index", found, "`quarry index --rebuild` goes on with it"));
    }
    findings
}

fn reading(settings: &Settings) -> Finding {
    match settings.extract.start_quietly() {
        Err(error) => Finding::failed("reading", &error),
        Ok(reading) => match reading.confinement {
            None => {
                Finding::note("reading", "files are read in quarry's own process", "set sandbox = true under [extract]")
            }
            Some(confinement) if confinement.missing.is_empty() => {
                Finding::good("reading", format!("in processes that have: {}", confinement.in_force.join(", ")))
            }
            Some(confinement) => {
                let found = format!("this system lacks: {}", confinement.missing.join(", "));
                Finding::note("reading", found, "a newer kernel has them (Landlock, seccomp)")
            }
        },
    }
}

fn server(data: &Path) -> Finding {
    let ready = |server: RunningServer| server.get::<Value>("/health/ready");
    match RunningServer::of(data).map(|server| server.map(ready)) {
        Ok(Some(Ok(_))) => Finding::good("server", "runs on this data folder, and is ready"),
        Ok(Some(Err(error))) => {
            Finding::note("server", format!("runs, and cannot be searched: {error}"), "its log says more")
        }
        Ok(None) => Finding::good("server", "none runs on this data folder"),
        Err(error) => Finding::failed("server", &error.into()),
    }
}

/// Whether backups can be read where they go, or come from.
fn backups(settings: &Settings) -> Option<Finding> {
    let place = settings.web().backups()?;
    let listed = connect::destination(&place, &settings.s3)
        .map_err(anyhow::Error::from)
        .and_then(|destination| Ok(storage::list_backups(&*destination)?));
    let shown = place.display();
    let none = || Finding::note("backups", format!("there are none in {shown}"), "`quarry backup DEST` makes one");
    Some(match listed {
        Ok(made) => made.iter().flatten().next().map_or_else(none, |newest| {
            let found = format!("{} in {shown}, the newest of {}", made.len(), output::time(newest.created));
            Finding::good("backups", found)
        }),
        Err(error) => match error.downcast_ref::<BackupError>() {
            Some(BackupError::NoBackup { .. }) => none(),
            _ => Finding::failed("backups", &error),
        },
    })
}

/// What crosses the network in the open.
fn encryption(settings: &Settings) -> Option<Finding> {
    let server = settings.web().server;
    if server.is_local() || server.is_encrypted() || settings.web().trusts_proxy() {
        return None;
    }
    let found = format!("{} is reached from elsewhere, in the open as far as quarry knows", server.listen);
    let cure = "set server.tls_certificate, or put a proxy with TLS before it and name it in auth.proxy_from";
    Some(Finding::note("encryption", found, cure))
}
