//! Git repositories: one branch, and one folder of it, by the `git` program of the system.
//!
//! Why the program: fetching over https by `gix`, which reads the history here, would bring a second HTTP client and its
//! runtime into the build; `git` knows every server and proxy there is. It is run with a configuration of ours alone: no
//! prompts, no hooks, no credentials of the user, no other protocol than the address names, and for https the address that was
//! checked. Blobs are asked for from the bare repository beside the files, so that nothing is checked out, and no filter or
//! hook of a repository is ever run. The files lie beside a `.git` that leads there: the history tells their dates as it does
//! of a checkout.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use url::Url;

use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::{ConnectError, shown};
use crate::http::host_of;
use crate::pace::live_through;
use crate::places::Places;
use crate::settings::Settings;

/// What the branch is called here.
const BRANCH: &str = "refs/heads/mirror";
/// The folder of the repository in that of the mirror.
const REPOSITORY: &str = "repository.git";
/// Bytes of what the program says that are kept.
const MAX_SAID: u64 = 64 << 10;
/// How often the stop flag is looked at while it runs.
const LOOK: Duration = Duration::from_millis(100);

/// A repository.
pub(crate) struct Git {
    address: Url,
    branch: Option<String>,
    folder: Option<String>,
    repository: PathBuf,
    files: PathBuf,
    environment: Vec<(String, String)>,
    time: Duration,
    stop: Arc<AtomicBool>,
    /// What is to be named, the last first; `None` until it was fetched.
    waiting: Option<Vec<Blob>>,
    blobs: Option<Blobs>,
}

/// A file of the branch.
struct Blob {
    id: String,
    path: String,
}

impl Git {
    /// The repository at an address, fetched into the folder of a mirror.
    ///
    /// # Errors
    /// The host must not be connected to, or a file of the settings does not hold what it should.
    pub(crate) fn new(
        settings: &Settings,
        address: Url,
        folder: &Path,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, ConnectError> {
        let trimmed = |folder: &String| Some(folder.trim_matches('/').to_owned()).filter(|folder| !folder.is_empty());
        let environment = environment(settings, &address)?;
        Ok(Self {
            address,
            branch: settings.branch.clone(),
            folder: settings.folder.as_ref().and_then(trimmed),
            repository: folder.join(REPOSITORY),
            files: folder.join("files"),
            environment,
            time: Duration::from_secs(settings.max_minutes * 60),
            stop,
            waiting: None,
            blobs: None,
        })
    }

    /// Fetches the branch, and lists its files.
    fn list(&mut self) -> Result<Vec<Blob>, ConnectError> {
        if !self.repository.join("HEAD").is_file() {
            let repository = self.repository.display().to_string();
            self.run(&["init", "--quiet", "--bare", "--initial-branch=mirror", "--", &repository], Of::Nothing)?;
        }
        let branch = self.branch.as_ref().map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
        let wanted = format!("+{branch}:{BRANCH}");
        let address = self.address.to_string();
        let stop = Arc::clone(&self.stop);
        let fetch = ["fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--", &address, &wanted];
        live_through(&stop, || self.run(&fetch, Of::Repository).map(drop).map_err(|error| self.told(error)))?;
        let mut ask = vec!["ls-tree", "-r", "-z", "--full-tree", BRANCH];
        if let Some(folder) = &self.folder {
            ask.extend(["--", folder.as_str()]);
        }
        let listed = self.run(&ask, Of::Repository)?;
        let mut blobs: Vec<Blob> = listed.split(|byte| *byte == 0).filter_map(blob).collect();
        if let (Some(folder), true) = (&self.folder, blobs.is_empty()) {
            return Err(ConnectError::Setting {
                setting: "folder",
                expected: format!("expected a folder of the repository with files in it, got {folder:?}"),
            });
        }
        blobs.reverse();
        self.lead_to_history()?;
        Ok(blobs)
    }

    /// What git says of a fetch that failed: whether it is of any use to try again.
    fn told(&self, error: ConnectError) -> ConnectError {
        let ConnectError::Program { reason, .. } = &error else { return error };
        let passing = [
            "Could not resolve host",
            "timed out",
            "Connection refused",
            "Connection reset",
            "early EOF",
            "The requested URL returned error: 5",
            "The requested URL returned error: 429",
            "unexpected disconnect",
        ];
        if passing.iter().any(|words| reason.contains(words)) {
            return ConnectError::Failed { host: host_of(&self.address), reason: reason.clone(), after: None };
        }
        error
    }

    /// The files are a checkout to those who ask for its history.
    fn lead_to_history(&self) -> Result<(), ConnectError> {
        let link = self.files.join(".git");
        let text = format!("gitdir: ../{REPOSITORY}\n");
        if fs::read_to_string(&link).is_ok_and(|there| there == text) {
            return Ok(());
        }
        fs::write(&link, text).map_err(ConnectError::disk("write", link))
    }

    /// The program, with a configuration of ours alone.
    fn command(&self, words: &[&str], of: Of) -> Command {
        let mut command = Command::new("git");
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if of == Of::Repository {
            command.arg("--git-dir").arg(&self.repository);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it prints.
    fn run(&self, words: &[&str], of: Of) -> Result<Vec<u8>, ConnectError> {
        let failed = |source| ConnectError::NoProgram { program: "git", source };
        let mut child = Running(self.command(words, of).spawn().map_err(failed)?);
        let (out, said) = (child.0.stdout.take(), child.0.stderr.take());
        // Read while it runs: it waits where nobody does.
        let out = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            out.map(|mut out| out.read_to_end(&mut bytes)).transpose().map(|_| bytes)
        });
        let said = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let kept = said.map(|mut said| {
                let read = (&mut said).take(MAX_SAID).read_to_end(&mut bytes);
                read.and_then(|_| std::io::copy(&mut said, &mut std::io::sink()))
            });
            kept.transpose().map(|_| bytes)
        });
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.0.try_wait().map_err(failed)? {
                break status;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(ConnectError::Stopped);
            }
            if started.elapsed() > self.time {
                let reason = format!("it took more than {} minutes (max_minutes)", self.time.as_secs() / 60);
                return Err(ConnectError::Failed { host: host_of(&self.address), reason, after: Some(Duration::MAX) });
            }
            std::thread::sleep(LOOK.min(started.elapsed() / 4 + Duration::from_millis(1)));
        };
        let broken = || ConnectError::Program { program: "git", reason: "what it says cannot be read".to_owned() };
        let said = said.join().ok().and_then(Result::ok).ok_or_else(broken)?;
        if !status.success() {
            let reason = shown(&String::from_utf8_lossy(&said));
            let reason = if reason.is_empty() { format!("it ended with {status}") } else { reason };
            return Err(ConnectError::Program { program: "git", reason });
        }
        out.join().ok().and_then(Result::ok).ok_or_else(broken)
    }

    fn blobs(&mut self) -> Result<&mut Blobs, ConnectError> {
        let blobs = match self.blobs.take() {
            Some(blobs) => blobs,
            None => Blobs::start(self.command(&["cat-file", "--batch"], Of::Repository))?,
        };
        Ok(self.blobs.insert(blobs))
    }
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Nothing,
    Repository,
}

/// A program that is not left running.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Connector for Git {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        if self.waiting.is_none() {
            self.waiting = Some(self.list()?);
        }
        let Some(Blob { id, path }) = self.waiting.as_mut().and_then(Vec::pop) else { return Ok(None) };
        Ok(Some(Remote::new(&path, &path).of_version(id)))
    }

    fn fetch(&mut self, remote: &Remote, _: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        let id = remote.version.clone().unwrap_or_default();
        let read = self.blobs()?.read(&id, most);
        if read.is_err() {
            // What it would say next is the rest of this one.
            self.blobs = None;
        }
        Ok(Fetched::Content { bytes: read?, remote: remote.clone() })
    }
}

/// A line of the list: mode, kind, id, a tab, path. Links and repositories within are no files of ours.
fn blob(line: &[u8]) -> Option<Blob> {
    let line = std::str::from_utf8(line).ok()?;
    let (what, path) = line.split_once('\t')?;
    let mut words = what.split(' ');
    let (mode, kind, id) = (words.next()?, words.next()?, words.next()?);
    let is_file = kind == "blob" && mode.starts_with("100");
    is_file.then(|| Blob { id: id.to_owned(), path: path.to_owned() })
}

/// `git cat-file --batch`: a blob for each id that is asked for.
struct Blobs {
    _child: Running,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Blobs {
    fn start(mut command: Command) -> Result<Self, ConnectError> {
        let failed = |source| ConnectError::NoProgram { program: "git", source };
        let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let mut child = Running(child);
        let (Some(ask), Some(answers)) = (child.0.stdin.take(), child.0.stdout.take()) else {
            return Err(ConnectError::Program { program: "git", reason: "it has no input or output".to_owned() });
        };
        Ok(Self { _child: child, ask, answers: BufReader::new(answers) })
    }

    fn read(&mut self, id: &str, most: u64) -> Result<Vec<u8>, ConnectError> {
        let failed = |error: std::io::Error| ConnectError::Program { program: "git", reason: error.to_string() };
        self.ask.write_all(format!("{id}\n").as_bytes()).and_then(|()| self.ask.flush()).map_err(failed)?;
        let mut head = String::new();
        self.answers.read_line(&mut head).map_err(failed)?;
        let mut words = head.split_whitespace();
        let length = match (words.next(), words.next(), words.next()) {
            (Some(_), Some("blob"), Some(length)) => length.parse::<u64>().ok(),
            _ => None,
        };
        let Some(length) = length else {
            return Err(ConnectError::Nonsense {
                host: "git".to_owned(),
                reason: format!("the blob {id} cannot be read"),
            });
        };
        if length > most {
            // Passed over, so that the next answer stands where it belongs.
            let mut rest = (&mut self.answers).take(length + 1);
            std::io::copy(&mut rest, &mut std::io::sink()).map_err(failed)?;
            return Err(ConnectError::TooLarge { most });
        }
        let mut bytes = Vec::new();
        (&mut self.answers).take(length).read_to_end(&mut bytes).map_err(failed)?;
        let mut end = [0];
        self.answers.read_exact(&mut end).map_err(failed)?;
        Ok(bytes)
    }
}

/// The environment of the program: all that it is told stands here, so that no password is among its arguments.
fn environment(settings: &Settings, address: &Url) -> Result<Vec<(String, String)>, ConnectError> {
    let mut configuration = vec![
        ("core.hooksPath", "/dev/null".to_owned()),
        ("credential.helper", String::new()),
        ("http.followRedirects", "false".to_owned()),
        ("http.proxy", String::new()),
        ("protocol.allow", "never".to_owned()),
        ("fetch.fsckObjects", "true".to_owned()),
        ("fetch.recurseSubmodules", "false".to_owned()),
        ("gc.auto", "0".to_owned()),
        ("core.fsync", "all".to_owned()),
        // Repositories of other users are only read by their own server.
        ("safe.directory", "*".to_owned()),
    ];
    let allowed = format!("protocol.{}.allow", address.scheme());
    configuration.push((&allowed, "always".to_owned()));
    if let Some(host) = address.host_str() {
        let default = if address.scheme() == "git" { Some(9418) } else { address.port_or_known_default() };
        let port = address.port().or(default).unwrap_or_default();
        let places = Places { host: host.to_ascii_lowercase(), allow_private: settings.allow_private };
        let found = places.resolve(host, port)?;
        // The program connects to what was checked (curl only; over git:// it asks for itself).
        let bare = |address: std::net::IpAddr| match address {
            std::net::IpAddr::V4(address) => address.to_string(),
            std::net::IpAddr::V6(address) => format!("[{address}]"),
        };
        let pinned = found.iter().map(|address| bare(address.ip())).collect::<Vec<_>>().join(",");
        configuration.push(("http.curloptResolve", format!("{host}:{port}:{pinned}")));
    }
    let header_of = format!("http.{address}.extraHeader");
    if let Some(login) = settings.login()? {
        configuration.push((&header_of, format!("{}: {}", login.name, login.value)));
    }
    if let Some(file) = &settings.ca_file {
        configuration.push(("http.sslCAInfo", file.display().to_string()));
    }
    let mut environment: Vec<(String, String)> = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", "/bin/false"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    environment.push(("GIT_CONFIG_COUNT".to_owned(), configuration.len().to_string()));
    for (number, (key, value)) in configuration.into_iter().enumerate() {
        environment.push((format!("GIT_CONFIG_KEY_{number}"), key.to_owned()));
        environment.push((format!("GIT_CONFIG_VALUE_{number}"), value));
    }
    Ok(environment)
}

#[cfg(test)]
mod tests;
