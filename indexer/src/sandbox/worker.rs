//! The reading process itself: it gives up its rights, says what holds it, and reads files until its input ends. It opens
//! nothing and keeps nothing: what it answers depends on the request alone.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use extract::{Extraction, FileError, extract};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

use super::confinement::{AddressSpace, Confinement, die_with_parent, give_up_rights};
use super::frame::{Answer, FrameError, Ready, Request, Setup, read_frame, write_frame};

/// Stack of the thread that reads: libraries that recurse as deep as a document nests get far with it.
const STACK: usize = 64 << 20;

/// Where the last panic was and what it said.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs a reading process: requests come on standard input, answers go to standard output. Called by quarry's own
/// hidden command `extract-worker`; see [`super::Sandbox`].
pub fn extraction_worker() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The one who reads this is the process that started this one; if it is gone, nobody does.
            let _ = writeln!(io::stderr(), "{}", storage::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), FrameError> {
    let mut input = io::stdin().lock();
    let mut output = claim_output()?;
    set_hook(Box::new(|panic| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string().replace('\n', " "));
    }));
    let Some((setup, _)) = read_frame::<Setup>(&mut input, 0)? else { return Ok(()) };
    drop(input);
    let space = AddressSpace::open();
    let mut confinement = Confinement::default();
    confinement.note("no life without its parent", die_with_parent());
    give_up_rights(&mut confinement);
    let reader = thread::Builder::new().name("reader".to_string()).stack_size(STACK);
    let reader = reader.spawn(move || serve(setup, confinement, space, &mut output))?;
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread panicked").into()))
}

/// Takes standard output for the answers alone: what a library prints goes to standard error.
fn claim_output() -> io::Result<File> {
    let answers = io::stdout().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdout(io::stderr())?;
    Ok(File::from(answers))
}

fn serve(
    setup: Setup,
    mut confinement: Confinement,
    mut space: AddressSpace,
    output: &mut File,
) -> Result<(), FrameError> {
    confinement.note("memory", space.limit(setup.memory));
    confinement.note("processor time", more_time(setup.seconds).map(|()| format!("{} s a file", setup.seconds)));
    write_frame(output, &Ready { confinement }, &[])?;
    let at_start = space.size();
    let mut input = io::stdin().lock();
    while let Some((request, bytes)) = read_frame::<Request>(&mut input, u64::MAX)? {
        // Where this fails, the setup failed already and was reported.
        let _ = more_time(setup.seconds);
        let outcome = encode(&read(&request, &bytes), setup.answer)?;
        drop(bytes);
        let grown = space.size().zip(at_start).map_or(0, |(now, then)| now.saturating_sub(then));
        // Memory that one file has left in pieces must not be missing for the next.
        let retires = grown > setup.memory / 4;
        write_frame(output, &Answer { retires }, &outcome)?;
        if retires {
            break;
        }
    }
    Ok(())
}

fn read(request: &Request, bytes: &[u8]) -> Result<Extraction, FileError> {
    let path = Path::new(&request.path);
    let read = || {
        #[cfg(debug_assertions)]
        if let Some(outcome) = super::fault::staged(bytes) {
            return outcome;
        }
        extract(path, bytes, &request.limits)
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let how = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(FileError::Crashed { how: how.unwrap_or_else(|| "a panic".to_string()) })
    })
}

fn encode(outcome: &Result<Extraction, FileError>, limit: u64) -> Result<Vec<u8>, FrameError> {
    let bytes = postcard::to_stdvec(outcome)?;
    if bytes.len() as u64 <= limit {
        return Ok(bytes);
    }
    let what = format!("gives more than {} MiB of text and pictures", limit >> 20);
    Ok(postcard::to_stdvec(&Err::<Extraction, _>(FileError::Limit { what }))?)
}

/// Lets the process use `seconds` more of processor time; beyond that, the system ends it.
fn more_time(seconds: u64) -> Result<(), String> {
    let words = |error: nix::Error| error.to_string();
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(words)?;
    let used = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU).map_err(words)?;
    // Whole seconds: the one that is under way counts as used.
    let until = u64::try_from(used).unwrap_or_default().saturating_add(1).saturating_add(seconds);
    setrlimit(Resource::RLIMIT_CPU, until.min(hard), hard).map_err(words)
}
