//! The confinement of a process: the rights it gives up for good before it looks at a foreign byte. Every step is as
//! strict as the system allows; what it does not allow is listed, so that it can be said, and the process works
//! without.

use std::fs::File;
use std::io::{Read as _, Seek as _};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::{calls, rights};

/// What holds a reading process, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// What is in force.
    pub in_force: Vec<String>,
    /// What this system does not offer, with the reason.
    pub missing: Vec<String>,
}

impl Confinement {
    pub(super) fn note(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(how) => self.in_force.push(format!("{what} ({how})")),
            Err(why) => self.missing.push(format!("{what} ({why})")),
        }
    }
}

/// Dies with the process that started it, even when that one is killed. (The end of its input tells it as well, but not
/// while it is busy.)
pub(super) fn die_with_parent() -> Result<String, String> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .map(|()| "parent death signal".to_string())
        .map_err(|error| error.to_string());
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Err("only Linux has a signal for it".to_string())
}

/// Gives up the disk, the network and other programs, for this thread and those it starts.
pub(super) fn give_up_rights(confinement: &mut Confinement) {
    confinement.note("no core dumps", lower(Resource::RLIMIT_CORE, 0));
    confinement.note("no writing to files", lower(Resource::RLIMIT_FSIZE, 0));
    confinement.note("few open files", lower(Resource::RLIMIT_NOFILE, 32));
    confinement.note("no files, no TCP, no signals to others", rights::nothing());
    let calls = calls::only_computing();
    if calls.is_err() {
        // The filter would have told new threads from new processes; this limit knows no difference.
        confinement.note("no new processes", lower(Resource::RLIMIT_NPROC, 0));
    }
    confinement.note("no system calls but those for memory, time and open files", calls);
}

/// Limits a resource for good; what is limited lower already stays so.
pub(super) fn lower(resource: Resource, value: u64) -> Result<String, String> {
    let words = |error: nix::Error| error.to_string();
    let (soft, hard) = getrlimit(resource).map_err(words)?;
    let value = value.min(soft).min(hard);
    setrlimit(resource, value, value).map_err(words)?;
    Ok("rlimit".to_string())
}

/// The size of this process's address space. Opened before the disk is given up.
#[derive(Debug)]
pub(super) struct AddressSpace {
    status: Option<File>,
}

impl AddressSpace {
    pub(super) fn open() -> Self {
        Self { status: File::open("/proc/self/status").ok() }
    }

    /// Bytes that are mapped now; `None` where the system does not tell.
    pub(super) fn size(&mut self) -> Option<u64> {
        let status = self.status.as_mut()?;
        let mut text = String::new();
        status.rewind().ok()?;
        status.read_to_string(&mut text).ok()?;
        let kibibytes = text.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
        kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|size| size << 10)
    }

    /// Lets the process have `more` bytes beside those that are mapped (its program, its libraries, its stacks).
    pub(super) fn limit(&mut self, more: u64) -> Result<String, String> {
        let size = self.size().ok_or("the system does not tell how much is in use")?;
        lower(Resource::RLIMIT_AS, size.saturating_add(more))?;
        Ok(format!("{} MiB", more >> 20))
    }
}
