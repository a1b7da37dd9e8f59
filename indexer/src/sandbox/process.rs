//! One reading process, seen from quarry: it is given a file and answers, or it ends, and why is explained. It dies with
//! this value.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use extract::{Extraction, FileError, decode_within_bounds};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use storage::chain;

use super::check::fault_of;
use super::confinement::Confinement;
use super::frame::{Answer, LENGTHS, Lengths, Ready, Request, Setup, opening};
use super::pool::{Launch, SandboxLimits};
use crate::stop::{LOOK, Stop};

/// Time for a process to start and to give up its rights.
const START: Duration = Duration::from_secs(20);
/// Bytes of standard error that are kept: the last ones say why a process died.
const LAST_WORDS: usize = 4 << 10;
/// Bytes that are taken from a pipe at once.
const GULP: usize = 256 << 10;

/// A process that reads files.
#[derive(Debug)]
pub(super) struct ReadingProcess {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    errors: ChildStderr,
    last_words: Vec<u8>,
    limits: SandboxLimits,
}

/// A file's outcome, and whether the process may be used again.
pub(super) struct Reading {
    pub(super) outcome: Result<Extraction, FileError>,
    pub(super) usable: bool,
}

/// Why a process gave no answer.
#[derive(Debug)]
pub(super) enum Ending {
    /// It took too long; it was killed.
    TimedOut,
    /// It closed its output: it is dead or will be soon.
    Ended,
    /// What it said is no answer.
    Nonsense(String),
    /// Nobody waits for it any more.
    Stopped,
}

impl ReadingProcess {
    /// Starts a process. The calling thread must outlive it: Linux takes the end of the thread for the parent's death.
    pub(super) fn start(command: &Launch, limits: SandboxLimits) -> io::Result<Self> {
        let mut start = command.build();
        let mut child = start.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::Error::other("expected three pipes to the process"));
        };
        let process = Self { child, input, output, errors, last_words: Vec::new(), limits };
        fcntl(&process.input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&process.output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&process.errors, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        #[cfg(target_os = "linux")]
        for pipe in [process.input.as_fd(), process.output.as_fd()] {
            // Fewer turns for large files. A user who has many pipes is refused; the usual size does as well.
            let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(1 << 20));
        }
        Ok(process)
    }

    /// Waits until it has given up its rights; what holds it.
    pub(super) fn greet(&mut self) -> io::Result<Confinement> {
        let SandboxLimits { memory, seconds, answer } = self.limits;
        let head = opening(&Setup { memory, seconds, answer }, 0).map_err(io::Error::other)?;
        let reply = self.exchange::<Ready>(&[&head], START, &Stop::default());
        reply
            .map(|(ready, _)| ready.confinement)
            .map_err(|ending| io::Error::other(self.kill_and_explain(&ending).to_string()))
    }

    /// Has a file read.
    pub(super) fn read(&mut self, request: &Request, bytes: &[u8], stop: &Stop) -> Reading {
        let head = match opening(request, bytes.len()) {
            Ok(head) => head,
            Err(error) => return Reading { outcome: Err(FileError::Crashed { how: chain(&error) }), usable: true },
        };
        match self.exchange::<Answer>(&[&head, bytes], self.limits.patience(), stop).and_then(decode) {
            Ok((outcome, usable)) => Reading { outcome, usable },
            Err(ending) => Reading { outcome: Err(self.kill_and_explain(&ending)), usable: false },
        }
    }

    /// Sends a message while listening, so that neither side can wait for the other for ever.
    fn exchange<T: DeserializeOwned>(
        &mut self,
        message: &[&[u8]],
        patience: Duration,
        stop: &Stop,
    ) -> Result<(T, Vec<u8>), Ending> {
        let deadline = Instant::now() + patience;
        let mut outgoing = Outgoing { parts: message, sent: 0 };
        let mut incoming = Vec::new();
        loop {
            if stop.is_asked() {
                return Err(Ending::Stopped);
            }
            self.wait(!outgoing.is_done(), deadline)?;
            outgoing.send(&mut self.input)?;
            self.listen();
            let is_open = take(&mut self.output, &mut incoming, GULP)?;
            if let Some(message) = finished(&mut incoming, self.limits.answer)? {
                return Ok(message);
            }
            if !is_open {
                return Err(Ending::Ended);
            }
        }
    }

    fn wait(&self, sends: bool, deadline: Instant) -> Result<(), Ending> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Ending::TimedOut);
        }
        // At least a millisecond: less is rounded to none, which would turn waiting into spinning.
        let timeout = PollTimeout::try_from(left.clamp(Duration::from_millis(1), LOOK)).unwrap_or(PollTimeout::MAX);
        let mut pipes = vec![
            PollFd::new(self.output.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.errors.as_fd(), PollFlags::POLLIN),
        ];
        if sends {
            pipes.push(PollFd::new(self.input.as_fd(), PollFlags::POLLOUT));
        }
        match poll(&mut pipes, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(Ending::Nonsense(error.to_string())),
        }
    }

    /// Takes what it prints on standard error, and keeps the end of it.
    fn listen(&mut self) {
        // An error here is the end of the process, which its output tells as well.
        let _ = take(&mut self.errors, &mut self.last_words, GULP);
        let excess = self.last_words.len().saturating_sub(LAST_WORDS);
        self.last_words.drain(..excess);
    }

    /// Makes sure that it is dead, and says what it died of.
    fn kill_and_explain(&mut self, ending: &Ending) -> FileError {
        // Whoever closed its output is on the way out: its own end says more than our signal.
        let died_alone = matches!(ending, Ending::Ended) && self.ends_within(Duration::from_secs(2));
        if !died_alone {
            // It may have ended by itself in the meantime.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        self.listen();
        let words = String::from_utf8_lossy(&self.last_words).into_owned();
        match (ending, status) {
            (Ending::Stopped, _) => FileError::Stopped,
            (Ending::TimedOut, _) => FileError::TimedOut { seconds: self.limits.patience().as_secs() },
            (Ending::Nonsense(what), _) => FileError::Crashed { how: format!("it answered nonsense: {what}") },
            (Ending::Ended, Ok(status)) => cause_of_death(status, &words, &self.limits),
            (Ending::Ended, Err(error)) => FileError::Crashed { how: error.to_string() },
        }
    }

    fn ends_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }
}

impl Drop for ReadingProcess {
    fn drop(&mut self) {
        // It keeps nothing that could be lost. What fails here has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is still to be sent.
struct Outgoing<'a> {
    parts: &'a [&'a [u8]],
    sent: usize,
}

impl Outgoing<'_> {
    fn is_done(&self) -> bool {
        self.parts.is_empty()
    }

    fn send(&mut self, pipe: &mut ChildStdin) -> Result<(), Ending> {
        while let Some((part, rest)) = self.parts.split_first() {
            if self.sent == part.len() {
                (self.parts, self.sent) = (rest, 0);
                continue;
            }
            match pipe.write(&part[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It does not listen any more; its output tells whether it has ended.
                Err(_) => return Err(Ending::Ended),
            }
        }
        Ok(())
    }
}

/// Takes what a pipe has, about `most` bytes of it; false once the other side has closed it.
fn take(pipe: &mut impl Read, into: &mut Vec<u8>, most: usize) -> Result<bool, Ending> {
    let start = into.len();
    let mut buffer = [0; 64 << 10];
    while into.len() - start < most {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(more) => into.extend_from_slice(&buffer[..more]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Ending::Ended),
        }
    }
    Ok(true)
}

/// The message, once all of it has come.
fn finished<T: DeserializeOwned>(incoming: &mut Vec<u8>, max_body: u64) -> Result<Option<(T, Vec<u8>)>, Ending> {
    let nonsense = |error: &dyn std::error::Error| Ending::Nonsense(chain(error));
    let Some(lengths) = incoming.first_chunk::<LENGTHS>() else { return Ok(None) };
    let Lengths { head, body } = Lengths::read(*lengths, max_body).map_err(|error| nonsense(&error))?;
    let whole = LENGTHS + head + body;
    if incoming.len() < whole {
        return Ok(None);
    }
    if incoming.len() > whole {
        return Err(Ending::Nonsense("more than one answer".to_string()));
    }
    let message = postcard::from_bytes(&incoming[LENGTHS..LENGTHS + head]).map_err(|error| nonsense(&error))?;
    Ok(Some((message, incoming.split_off(LENGTHS + head))))
}

/// An outcome, and whether the process stays.
fn decode((answer, body): (Answer, Vec<u8>)) -> Result<(Result<Extraction, FileError>, bool), Ending> {
    let outcome: Result<Extraction, FileError> =
        decode_within_bounds(|| postcard::from_bytes(&body)).map_err(|error| Ending::Nonsense(error.to_string()))?;
    if let Some(fault) = outcome.as_ref().ok().and_then(fault_of) {
        return Err(Ending::Nonsense(fault.to_string()));
    }
    Ok((outcome.map_err(FileError::bounded), !answer.retires))
}

/// What a process died of, by its status and its last words.
fn cause_of_death(status: ExitStatus, words: &str, limits: &SandboxLimits) -> FileError {
    let out_of_memory = ["memory allocation of", "failed to allocate", "out of memory", "bad_alloc"];
    if out_of_memory.iter().any(|sign| words.contains(sign)) {
        return FileError::Limit { what: format!("needs more than {} MiB of memory", limits.memory >> 20) };
    }
    if words.contains("overflowed its stack") {
        return FileError::Crashed { how: "it nests too deep: stack overflow".to_string() };
    }
    let Some(number) = status.signal() else {
        let last = words.lines().last().map(|line| format!(": {line}")).unwrap_or_default();
        return FileError::Crashed { how: format!("{status}{last}") };
    };
    let signal = Signal::try_from(number);
    if signal == Ok(Signal::SIGXCPU) {
        return FileError::TimedOut { seconds: limits.seconds };
    }
    let name = signal.map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_string());
    FileError::Crashed { how: name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> SandboxLimits {
        SandboxLimits { memory: 512 << 20, seconds: 10, answer: 1 << 20 }
    }

    fn died(status: i32, words: &str) -> String {
        cause_of_death(ExitStatus::from_raw(status), words, &limits()).to_string()
    }

    #[test]
    fn the_cause_of_death_is_told_in_words() {
        assert!(died(6, "memory allocation of 9 bytes failed").contains("needs more than 512 MiB of memory"));
        assert!(died(6, "thread 'reader' has overflowed its stack").contains("stack overflow"));
        assert!(died(24, "").contains("after 10 s"));
        assert!(died(11, "").contains("SIGSEGV"));
        assert!(died(3 << 8, "first\nlast").contains("exit status: 3: last"));
    }

    #[test]
    fn an_answer_is_taken_whole_and_alone() {
        let mut wire = opening(&Answer { retires: false }, 2).unwrap();
        assert!(finished::<Answer>(&mut wire.clone(), 9).unwrap().is_none());
        wire.extend(*b"ok");
        assert_eq!(finished(&mut wire.clone(), 9).unwrap(), Some((Answer { retires: false }, b"ok".to_vec())));
        assert!(matches!(finished::<Answer>(&mut wire.clone(), 1), Err(Ending::Nonsense(_))));
        wire.push(0);
        assert!(matches!(finished::<Answer>(&mut wire, 9), Err(Ending::Nonsense(_))));
    }
}
