//! `tesseract`, the program: found and asked for its languages once, then run for each picture as a process that may read
//! files and nothing else, within limits of time and memory.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::sandbox::{Launch, ProgramLimits};
use crate::stop::Stop;

/// Memory of one run: large pages at 600 dpi need about half of it.
const MEMORY: u64 = 1 << 30;
/// Most text of one page, in bytes.
const MAX_TEXT: u64 = 4 << 20;
/// Bytes that are kept of its complaints.
const MAX_WORDS: u64 = 64 << 10;
/// Time to list its languages.
const LIST_SECONDS: u64 = 20;

/// How pictures are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcrConfig {
    /// The program's name or path.
    pub program: String,
    /// Languages as the program names them, with `+` between them: `eng+deu`.
    pub languages: String,
    /// Seconds of processor time for one page.
    pub seconds: u64,
    /// This program's hidden command that becomes another program with fewer rights; see
    /// [`crate::exec_confined`].
    pub confine: Launch,
}

/// OCR is wanted and cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum OcrError {
    /// No such program.
    #[error(
        "ocr: there is no program {program:?}; install it (on Debian: apt-get install tesseract-ocr) or set ocr = false"
    )]
    Missing {
        /// As it was named.
        program: String,
    },
    /// It does not work.
    #[error("ocr: {program:?} does not list its languages ({reason}); is it tesseract, and whole?")]
    Broken {
        /// As it was named.
        program: String,
        /// What happened.
        reason: String,
    },
    /// It lacks a language.
    #[error(
        "ocr_languages: tesseract has no {wanted:?}, only {}; install it (on Debian: apt-get install tesseract-ocr-{})",
        known.join(", "), wanted.replace('_', "-")
    )]
    Language {
        /// The one it lacks.
        wanted: String,
        /// Those it has.
        known: Vec<String>,
    },
}

/// The program, found and able.
#[derive(Debug)]
pub struct Tesseract {
    program: PathBuf,
    config: OcrConfig,
}

impl Tesseract {
    /// Looks for the program and its languages.
    ///
    /// # Errors
    /// It is not there, does not work or lacks a language.
    pub fn find(config: OcrConfig) -> Result<Self, OcrError> {
        let missing = || OcrError::Missing { program: config.program.clone() };
        let program = resolve(&config.program).ok_or_else(missing)?;
        let tesseract = Self { program, config };
        let broken = |reason| OcrError::Broken { program: tesseract.config.program.clone(), reason };
        let listed = tesseract.run(&["--list-langs"], LIST_SECONDS, &[], &Stop::default()).map_err(broken)?;
        let known: Vec<String> = listed.lines().skip(1).map(|line| line.trim().to_string()).collect();
        let mut wanted = tesseract.config.languages.split('+');
        if let Some(wanted) = wanted.find(|wanted| !known.iter().any(|known| known == wanted)) {
            return Err(OcrError::Language { wanted: wanted.to_string(), known });
        }
        Ok(tesseract)
    }

    /// What decides about the outcome.
    pub(super) fn settings(&self) -> String {
        format!("{} {} {}", self.program.display(), self.config.languages, self.config.seconds)
    }

    /// The text of a picture (PNG, JPEG, TIFF, WebP); or why there is none.
    pub(super) fn read(&self, image: &[u8], stop: &Stop) -> Result<String, String> {
        self.run(&["stdin", "stdout", "-l", &self.config.languages], self.config.seconds, image, stop)
    }

    fn run(&self, arguments: &[&str], seconds: u64, input: &[u8], stop: &Stop) -> Result<String, String> {
        let mut command = self.config.confine.build();
        let ProgramLimits { memory, seconds } = ProgramLimits { memory: MEMORY, seconds };
        command.arg("--memory").arg(memory.to_string()).arg("--seconds").arg(seconds.to_string()).arg("--");
        command.arg(&self.program).args(arguments);
        command.env("OMP_THREAD_LIMIT", "1").env("LC_ALL", "C");
        if let Some(languages) = std::env::var_os("TESSDATA_PREFIX") {
            command.env("TESSDATA_PREFIX", languages);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.map_err(|error| error.to_string())?;
        // A busy machine makes it slower, so the wall's clock is given more than the processor's.
        let deadline = Instant::now() + Duration::from_secs(seconds.saturating_mul(3).max(1));
        let Finished { status, text, words } = finish(child, input, deadline, stop)?;
        match status {
            None => Err(format!("it took more than {} s", seconds.saturating_mul(3))),
            Some(status) if status.success() => Ok(String::from_utf8_lossy(&text).into_owned()),
            Some(status) => {
                let words = String::from_utf8_lossy(&words).into_owned();
                let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
                Err(last.map_or_else(|| status.to_string(), |line| format!("{status}: {line}")))
            }
        }
    }
}

/// How a run ended; without a status, it was killed at the deadline or because nobody waits any more.
struct Finished {
    status: Option<ExitStatus>,
    text: Vec<u8>,
    words: Vec<u8>,
}

/// Feeds a process and takes what it says.
fn finish(mut child: Child, input: &[u8], deadline: Instant, stop: &Stop) -> Result<Finished, String> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let fed = scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // Whoever does not want all of it says why on its own.
                let _ = stdin.write_all(input);
            }
        });
        let text = scope.spawn(move || heard(stdout, MAX_TEXT));
        let words = scope.spawn(move || heard(stderr, MAX_WORDS));
        let status = wait(&mut child, deadline, stop);
        let panicked = || "a thread panicked".to_string();
        fed.join().map_err(|_| panicked())?;
        let (text, words) = (text.join().map_err(|_| panicked())?, words.join().map_err(|_| panicked())?);
        Ok(Finished { status: status?, text, words })
    })
}

/// At most `most` bytes; a process that says more is stopped by its closed pipe.
fn heard(pipe: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read until an error counts.
        let _ = pipe.take(most).read_to_end(&mut bytes);
    }
    bytes
}

fn wait(child: &mut Child, deadline: Instant, stop: &Stop) -> Result<Option<ExitStatus>, String> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || stop.is_asked() {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// The program's whole path: environment variables are not handed on, so it is looked for here.
fn resolve(program: &str) -> Option<PathBuf> {
    let is_path = program.contains('/');
    let search: OsString = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = if is_path { vec![PathBuf::new()] } else { std::env::split_paths(&search).collect() };
    let found = folders.into_iter().map(|folder| folder.join(Path::new(OsStr::new(program))));
    found.filter_map(|path| path.canonicalize().ok()).find(|path| path.is_file())
}
