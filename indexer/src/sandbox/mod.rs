//! Reading in processes of our own that may do nothing but read: a file that crashes, hangs or bloats its reader costs
//! that file alone, and one that takes its reader over finds no files, no network and no other programs.
//!
//! [`Sandbox`] keeps a pool of such processes (`process`), each running [`extraction_worker`]: it gives away its rights
//! (`confinement`, with `rights` for Landlock and `calls` for seccomp), then turns bytes into text, frame by frame
//! (`frame`), until its input ends. What it answers is checked (`check`) before anybody believes it. [`exec_confined`]
//! starts other people's programs with fewer rights in the same way.

mod calls;
mod check;
mod confinement;
mod exec;
#[cfg(debug_assertions)]
mod fault;
mod frame;
mod pool;
mod process;
mod rights;
mod worker;

pub use confinement::Confinement;
pub use exec::{ProgramLimits, exec_confined};
pub use frame::{FrameError, read_frame};
pub use pool::{Launch, Sandbox, SandboxError, SandboxLimits};
pub use worker::extraction_worker;
