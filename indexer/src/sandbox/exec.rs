//! Another program, such as the one for OCR, with fewer rights: this process gives them up and becomes that program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::resource::Resource;

use super::confinement::{die_with_parent, lower};
use super::{calls, rights};

/// What the program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramLimits {
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds of processor time.
    pub seconds: u64,
}

/// Becomes `program`, which can read files but neither write them nor reach the network, within `limits`. Where the system
/// lacks a means, it goes on without: what a system offers is known from the readers' [`super::Confinement`].
///
/// Returns only when that fails.
pub fn exec_confined(program: &OsString, arguments: &[OsString], limits: ProgramLimits) -> io::Error {
    let bounds = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_AS, limits.memory),
        (Resource::RLIMIT_CPU, limits.seconds),
    ];
    for (resource, value) in bounds {
        if let Err(why) = lower(resource, value) {
            return io::Error::other(format!("cannot set a limit ({why})"));
        }
    }
    // Each is worth having without the others.
    let _ = die_with_parent();
    let _ = rights::reading_files();
    let _ = calls::without_network();
    Command::new(program).args(arguments).exec()
}
