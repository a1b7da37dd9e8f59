//! The turn of a command: only one process writes to an index, and a command that finds another one at it waits until that is
//! done.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use storage::Error;

use crate::server::Server;

/// Time between two tries.
const LOOK: Duration = Duration::from_millis(100);

/// Opens what only one process can have, as soon as no other command has it.
pub(crate) fn in_turn<T>(folder: &Path, mut open: impl FnMut() -> Result<T, Error>) -> Result<T> {
    let mut is_told = false;
    loop {
        let holder = match open() {
            Err(Error::Locked { holder, .. }) => holder,
            opened => return Ok(opened?),
        };
        if Server::of(folder)?.is_some() {
            bail!("a server has started on {} meanwhile; the same command has it do the work", folder.display());
        }
        if !is_told {
            eprintln!("quarry: {holder} writes to {}; this waits until it is done", folder.display());
            is_told = true;
        }
        sleep(LOOK);
    }
}
