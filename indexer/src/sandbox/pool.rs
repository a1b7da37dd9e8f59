//! The pool of reading processes: as many as there are threads that ask, kept between files, ended when idle, replaced
//! when dead. A file's outcome never depends on those before it: what fails in a used process is tried in a fresh one.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use extract::{ExtractLimits, Extraction, FileError};

use super::confinement::Confinement;
use super::frame::Request;
use super::process::{Reading, ReadingProcess};
use crate::reader::FileReader;
use crate::stop::Stop;

/// How long an idle process is kept.
const IDLE: Duration = Duration::from_secs(20);

/// What reading one file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SandboxLimits {
    /// Bytes of memory, beside the program itself.
    pub memory: u64,
    /// Seconds of processor time. On a busy machine a file may take three times as long before it is given up.
    pub seconds: u64,
    /// Bytes of an answer: text and pictures of all parts.
    pub answer: u64,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self { memory: 512 << 20, seconds: 8, answer: 256 << 20 }
    }
}

impl SandboxLimits {
    /// How long the clock on the wall may run: a process that is starved by others is not yet one that hangs.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.seconds.saturating_mul(3).max(1))
    }
}

/// How a reading process is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Launch {
    /// This program itself with a hidden command. On Linux even if its file was replaced in the meantime.
    ///
    /// # Errors
    /// The system does not say which program this is.
    pub fn this_program(hidden: &str) -> io::Result<Self> {
        let link = Path::new("/proc/self/exe");
        let program = if link.exists() { link.to_path_buf() } else { std::env::current_exe()? };
        Ok(Self { program: program.into_os_string(), arguments: vec![hidden.into()] })
    }

    pub(crate) fn build(&self) -> std::process::Command {
        use std::os::unix::process::CommandExt as _;
        let mut command = std::process::Command::new(&self.program);
        // One arena: the memory limit counts reserved addresses, and arenas reserve many.
        command.arg0("quarry").args(&self.arguments).env_clear().env("MALLOC_ARENA_MAX", "1").current_dir("/");
        #[cfg(debug_assertions)]
        if let Some(faults) = std::env::var_os("QUARRY_FAULTS") {
            command.env("QUARRY_FAULTS", faults);
        }
        command
    }
}

/// The readers cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start a process to read files in; `sandbox = false` under [extract] reads them in this one")]
pub struct SandboxError(#[source] io::Error);

/// Reads files in processes of their own. See the module's head.
#[derive(Debug)]
pub struct Sandbox {
    limits: SandboxLimits,
    confinement: Confinement,
    idle: Arc<Mutex<Vec<Idle>>>,
    orders: Sender<Order>,
}

/// A process without work.
#[derive(Debug)]
struct Idle {
    process: ReadingProcess,
    since: Instant,
}

/// Where a new process is sent to.
type Order = Sender<io::Result<ReadingProcess>>;

impl Sandbox {
    /// Starts the first process, which shows that it can be done.
    ///
    /// # Errors
    /// It cannot be done.
    pub fn start(command: Launch, limits: SandboxLimits) -> Result<Self, SandboxError> {
        let idle = Arc::new(Mutex::new(Vec::new()));
        let (orders, ordered) = channel();
        let nursery = Nursery { command, limits, idle: Arc::downgrade(&idle) };
        let thread = thread::Builder::new().name("readers".to_string());
        thread.spawn(move || nursery.work(&ordered)).map_err(SandboxError)?;
        let mut sandbox = Self { limits, confinement: Confinement::default(), idle, orders };
        let mut process = sandbox.order().map_err(SandboxError)?;
        sandbox.confinement = process.greet().map_err(SandboxError)?;
        sandbox.put_back(process);
        Ok(sandbox)
    }

    /// What holds the processes, and what this system cannot do.
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    fn order(&self) -> io::Result<ReadingProcess> {
        let (reply, process) = channel();
        let closed = || io::Error::other("the thread that starts readers has ended");
        self.orders.send(reply).map_err(|_| closed())?;
        process.recv().map_err(|_| closed())?
    }

    fn fresh(&self) -> Result<ReadingProcess, FileError> {
        let process = self.order().and_then(|mut process| process.greet().map(|_| process));
        process.map_err(|error| FileError::Crashed { how: format!("no reader can be started: {error}") })
    }

    fn used(&self) -> Option<ReadingProcess> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().map(|idle| idle.process)
    }

    fn put_back(&self, process: ReadingProcess) {
        let idle = Idle { process, since: Instant::now() };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }

    fn read_in(
        &self,
        mut process: ReadingProcess,
        request: &Request,
        bytes: &[u8],
        stop: &Stop,
    ) -> (Result<Extraction, FileError>, bool) {
        let Reading { outcome, usable } = process.read(request, bytes, stop);
        if usable {
            self.put_back(process);
        }
        (outcome, usable)
    }
}

impl FileReader for Sandbox {
    fn read(&self, path: &Path, bytes: &[u8], limits: &ExtractLimits, stop: &Stop) -> Result<Extraction, FileError> {
        let request = Request { path: path.to_string_lossy().into_owned(), limits: limits.clone() };
        if let Some(process) = self.used() {
            let (outcome, usable) = self.read_in(process, &request, bytes, stop);
            let may_be_its_past = matches!(outcome, Err(FileError::Crashed { .. } | FileError::Limit { .. }));
            if usable || !may_be_its_past {
                return outcome;
            }
        }
        self.read_in(self.fresh()?, &request, bytes, stop).0
    }

    fn settings(&self) -> String {
        let SandboxLimits { memory, seconds, answer } = self.limits;
        format!("sandbox {memory} {seconds} {answer}")
    }
}

/// Starts processes, in one thread that lives as long as they may, and ends those that have been idle for long.
struct Nursery {
    command: Launch,
    limits: SandboxLimits,
    idle: std::sync::Weak<Mutex<Vec<Idle>>>,
}

impl Nursery {
    fn work(&self, ordered: &Receiver<Order>) {
        loop {
            match ordered.recv_timeout(IDLE) {
                Ok(reply) => {
                    // Nobody waits any more only where the sandbox is being dropped.
                    let _ = reply.send(ReadingProcess::start(&self.command, self.limits));
                }
                Err(RecvTimeoutError::Timeout) => self.end_idle(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn end_idle(&self) {
        let Some(idle) = self.idle.upgrade() else { return };
        let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that is none.
    fn shell(script: &str, seconds: u64) -> Result<Sandbox, SandboxError> {
        let command = Launch { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] };
        Sandbox::start(command, SandboxLimits { seconds, ..SandboxLimits::default() })
    }

    #[test]
    fn a_program_that_is_no_reader_is_refused_at_once() {
        for script in ["exit 3", "echo hello, this is no answer at all", "kill -9 $$"] {
            let error = shell(script, 1).unwrap_err().to_string();
            assert!(error.contains("sandbox = false"), "{script}: {error}");
        }
        let missing = Launch { program: "/no/such/program".into(), arguments: Vec::new() };
        assert!(Sandbox::start(missing, SandboxLimits::default()).is_err());
    }

    #[test]
    fn a_process_that_hangs_or_lies_is_ended_and_the_file_pays() {
        // Takes the setup (23 bytes) and greets as a reader does: a head of two empty lists, no body. Then it waits for
        // the file and goes wrong.
        let greeting = r"head -c 23 >/dev/null; printf '\002\000\000\000\000\000\000\000\000\000\000\000\000\000'";
        let cases = [
            ("sleep 600", "given up after 3 s"),
            ("printf garbagegarbage; sleep 600", "nonsense"),
            ("exit 7", "exit status: 7"),
            ("kill -SEGV $$", "SIGSEGV"),
        ];
        for (then, expected) in cases {
            let sandbox = shell(&format!("{greeting}; head -c 1 >/dev/null; {then}"), 1).unwrap();
            let error =
                sandbox.read(Path::new("a.txt"), b"text", &ExtractLimits::default(), &Stop::default()).unwrap_err();
            assert!(error.to_string().contains(expected), "{then}: {error}");
        }
    }

    #[test]
    fn a_reading_is_given_up_when_the_process_is_to_end() {
        let greeting = r"head -c 23 >/dev/null; printf '\002\000\000\000\000\000\000\000\000\000\000\000\000\000'";
        let sandbox = shell(&format!("{greeting}; sleep 600"), 100).unwrap();
        let stop = Stop::default();
        let started = Instant::now();
        thread::scope(|scope| {
            let reading = scope.spawn(|| sandbox.read(Path::new("a.txt"), b"text", &ExtractLimits::default(), &stop));
            thread::sleep(Duration::from_millis(200));
            assert!(!reading.is_finished());
            stop.ask();
            assert_eq!(reading.join().unwrap(), Err(FileError::Stopped));
        });
        // Far below the 300 s that it may take otherwise.
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
