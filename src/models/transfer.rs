//! One file from the hub into a folder: continued where it was cut off, checked, and given its name only when it is
//! whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use storage::rename_durably;
use ureq::http::StatusCode;

use super::hub::{Answer, Checksum, Hub, RemoteFile, header};
use super::manifest::{Recorded, hex, read_blocks};
use super::meter::Meter;
use super::name::Repository;

/// First pause after a failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// One file on its way.
pub(crate) struct Transfer<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) repository: &'a Repository,
    /// The commit, so that all files are of one.
    pub(crate) revision: &'a str,
    pub(crate) file: &'a RemoteFile,
    /// Where parts are kept.
    pub(crate) parts: &'a Path,
    /// Where the whole file goes.
    pub(crate) folder: &'a Path,
    /// Failures in a row, without a byte of progress, to live through.
    pub(crate) retries: u32,
}

/// How one request ended.
enum Ended {
    /// The server has sent all it had.
    Whole,
    /// The connection broke, for the given reason.
    Cut(String),
}

impl Transfer<'_> {
    /// Fetches the file, or finds that it is here.
    ///
    /// # Errors
    /// Unreachable and refusing servers, connections that stay cut (the part is kept), contents that do not match
    /// (the part is deleted), and a disk that is full or not writable.
    pub(crate) fn run(&self, meter: &Meter) -> Result<Recorded> {
        if let Some(recorded) = self.already_here()? {
            return Ok(recorded);
        }
        let part = self.part();
        self.remove_stale_parts(&part)?;
        if self.file.identity.is_none() {
            remove(&part)?;
        }
        let continued = length(&part) > 0;
        self.complete(&part, meter)?;
        let mut outcome = self.check(&part)?;
        if continued && outcome.is_err() {
            // The kept part may be at fault: once more, from the beginning.
            remove(&part)?;
            self.complete(&part, meter)?;
            outcome = self.check(&part)?;
        }
        match outcome {
            Ok(recorded) => {
                fs::write(self.marker(), self.identity()).with_context(|| self.unwritable(&self.marker()))?;
                rename_durably(&part, &self.folder.join(&self.file.name))
                    .with_context(|| self.unwritable(self.folder))?;
                Ok(recorded)
            }
            Err(reason) => {
                remove(&part)?;
                bail!(
                    "{} arrived damaged from {}: {reason}. It was deleted; pull again, or from another --endpoint",
                    self.file.name,
                    self.hub.endpoint()
                )
            }
        }
    }

    /// The record of the file if an earlier run has finished it and it is still right.
    fn already_here(&self) -> Result<Option<Recorded>> {
        let path = self.folder.join(&self.file.name);
        let same = fs::read_to_string(self.marker()).is_ok_and(|identity| identity == self.identity());
        if !path.exists() || !same || self.file.identity.is_none() {
            return Ok(None);
        }
        let checked = self.check(&path)?;
        if checked.is_err() {
            remove(&path)?;
        }
        Ok(checked.ok())
    }

    /// Requests until the part is whole.
    fn complete(&self, part: &Path, meter: &Meter) -> Result<()> {
        let mut failures = 0;
        loop {
            let before = length(part);
            if self.file.size == Some(before) && before > 0 {
                return Ok(());
            }
            let reason = match self.request(part, before, meter)? {
                Ended::Whole => return Ok(()),
                Ended::Cut(reason) => reason,
            };
            failures = if length(part) > before { 0 } else { failures + 1 };
            if failures > self.retries || (self.retries == 0 && length(part) > before) {
                let size = self.file.size.map_or("an unknown number of".to_string(), |size| size.to_string());
                let kept = if self.file.identity.is_some() { "What was fetched is kept: the" } else { "The" };
                bail!(
                    "{} was cut off after {} of {size} bytes: {reason}. {kept} same command continues",
                    self.file.name,
                    length(part)
                );
            }
            let pause = PAUSE.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
            std::thread::sleep(pause);
        }
    }

    /// One request, from what is there on.
    fn request(&self, part: &Path, from: u64, meter: &Meter) -> Result<Ended> {
        let url = self.hub.url(self.repository, self.revision, &self.file.name);
        let answer = match self.hub.get(self.repository, &url, from) {
            Ok(answer) => answer,
            Err(error) => return Ok(Ended::Cut(error.to_string())),
        };
        let status = answer.status;
        match status {
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, from) => self.store(part, answer, from, meter),
            // A server that cannot continue sends all of it again.
            StatusCode::OK => self.store(part, answer, 0, meter),
            // What is there reaches beyond the file's end, or cannot be continued.
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if from > 0 => {
                remove(part)?;
                Ok(Ended::Cut(format!("{status}: the file cannot be continued and is fetched anew")))
            }
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Ok(Ended::Cut(format!("{} answers {status}", self.hub.endpoint())))
            }
            _ => Err(self.hub.refusal(self.repository, status).context(format!("cannot fetch {url}"))),
        }
    }

    /// Writes a body into the part.
    fn store(&self, part: &Path, answer: Answer, from: u64, meter: &Meter) -> Result<Ended> {
        let name = || self.unwritable(part);
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(part).with_context(name)?;
        file.set_len(from).with_context(name)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(from)).with_context(name)?;
        let mut reader = answer.body.into_reader();
        let mut block = vec![0; 256 << 10];
        let mut at = from;
        meter.begin(&self.file.name, from, self.file.size);
        let ended = loop {
            match reader.read(&mut block) {
                Ok(0) => break Ended::Whole,
                Ok(read) => {
                    file.write_all(&block[..read]).with_context(name)?;
                    at += read as u64;
                    meter.at(at);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Ended::Cut(error.to_string()),
            }
        };
        file.sync_all().with_context(name)?;
        Ok(match (ended, self.file.size) {
            (Ended::Whole, Some(size)) if at < size => Ended::Cut("the server closed the connection".to_string()),
            (ended, _) => ended,
        })
    }

    /// The record of a file whose contents are right, or how they are wrong.
    fn check(&self, path: &Path) -> Result<Result<Recorded, String>> {
        let size = length(path);
        if let Some(expected) = self.file.size.filter(|expected| *expected != size) {
            return Ok(Err(format!("expected {expected} bytes, got {size}")));
        }
        let mut sha256 = Sha256::new();
        let mut git = Sha1::new();
        git.update(format!("blob {size}\0"));
        let wants_git = matches!(self.file.checksum, Checksum::Git(_));
        read_blocks(path, |block| {
            sha256.update(block);
            if wants_git {
                git.update(block);
            }
        })?;
        let (sha256, git) = (hex(&sha256.finalize()), hex(&git.finalize()));
        Ok(match &self.file.checksum {
            Checksum::Sha256(expected) if *expected != sha256 => {
                Err(format!("expected sha256 {expected}, got {sha256}"))
            }
            Checksum::Git(expected) if *expected != git => Err(format!("expected git sha1 {expected}, got {git}")),
            checksum => Ok(Recorded {
                name: self.file.name.clone(),
                size,
                sha256,
                checked: checksum.label().to_string(),
                identity: self.file.identity.clone(),
            }),
        })
    }

    fn identity(&self) -> String {
        self.file.identity.clone().unwrap_or_default()
    }

    /// The part's name holds a hash of the identity: a part of other contents is never continued.
    fn part(&self) -> PathBuf {
        let identity = hex(&Sha256::digest(self.identity()));
        self.parts.join(format!("{}.{}.part", self.file.name, &identity[..12]))
    }

    /// Remembers which contents a finished file has.
    fn marker(&self) -> PathBuf {
        self.parts.join(format!("{}.done", self.file.name))
    }

    fn remove_stale_parts(&self, keep: &Path) -> Result<()> {
        let prefix = format!("{}.", self.file.name);
        let entries = fs::read_dir(self.parts).with_context(|| format!("cannot read {}", self.parts.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&prefix) && name.ends_with(".part") && path != keep {
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn unwritable(&self, path: &Path) -> String {
        let missing = self.file.size.map(|size| size.saturating_sub(length(&self.part())));
        let needed =
            missing.map_or("its size is unknown".to_string(), |missing| format!("{missing} more bytes are needed"));
        format!(
            "cannot write {} ({needed}); make room there, allow writing, or name another folder with --models-dir",
            path.display()
        )
    }
}

fn starts_at(answer: &Answer, from: u64) -> bool {
    let range = header(&answer.headers, "content-range").and_then(|range| range.strip_prefix("bytes "));
    range.and_then(|range| range.split('-').next()).and_then(|start| start.trim().parse().ok()) == Some(from)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(anyhow!(error).context(format!("cannot remove {}", path.display())))
        }
        _ => Ok(()),
    }
}
