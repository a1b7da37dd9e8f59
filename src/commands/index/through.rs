//! Indexing through the server that has opened the index.

use std::process::ExitCode;

use anyhow::{Result, bail};
use storage::Source;

use crate::cli::{FilesSay, IndexArgs};
use crate::plain::shown;
use crate::server::{Look, Server};

/// Has the server index what is named, or everything, and waits for it.
pub(super) fn run(server: &Server, args: &IndexArgs) -> Result<ExitCode> {
    refuse_settings(args)?;
    let known = server.sources()?;
    let named = super::named(args, &known)?;
    let sources = if named.is_empty() { known.clone() } else { named };
    if sources.is_empty() {
        bail!("nothing to index; name a folder: `quarry index FOLDER`");
    }
    let mut failed = 0;
    for source in &sources {
        let is_known = known.contains(source);
        match accept(server, args, source, is_known).and_then(|job| server.follow(job)) {
            Ok(outcome) => eprintln!("{}: {}", shown(&source.name), shown(&outcome)),
            Err(error) if sources.len() == 1 => return Err(error),
            Err(error) => {
                failed += 1;
                eprintln!("{}: {}", shown(&source.name), shown(&format!("{error:#}")));
            }
        }
    }
    if !args.no_wait {
        server.follow_embedding()?;
    }
    if failed > 0 {
        bail!("{} of {} sources were brought up to date, {failed} could not be", sources.len() - failed, sources.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Has the server index one source; the number of the job.
fn accept(server: &Server, args: &IndexArgs, source: &Source, is_known: bool) -> Result<u64> {
    let permissions = args.permissions.map(|say| match say {
        FilesSay::Posix => "posix",
        FilesSay::Owner => "owner",
        FilesSay::None => "none",
    });
    let look = Look { accept_deletions: args.accept_deletions, checksum: args.checksum };
    let added = match (is_known, permissions) {
        (true, None) => None,
        _ => Some(server.add(source, permissions)?),
    };
    match added {
        Some(job) if !is_known || look == Look::default() => Ok(job),
        _ => server.index(&source.name, look),
    }
}

/// What the server reads by its own settings cannot be said for one run.
fn refuse_settings(args: &IndexArgs) -> Result<()> {
    if args.rebuild {
        bail!("a server runs on this index; stop it to make the index anew");
    }
    let own = [
        (!args.exclude.is_empty(), "--exclude", "write the patterns into a .quarryignore file of the folder"),
        (args.max_file_size.is_some(), "--max-file-size", "set max_file_mb in its quarry.toml"),
        (args.commit_every != super::COMMIT_EVERY, "--commit-every", "set index.commit_documents in its quarry.toml"),
    ];
    match own.into_iter().find(|(is_given, ..)| *is_given) {
        Some((_, flag, cure)) => {
            bail!("a server runs on this index and reads by its own settings, not by {flag}; {cure}")
        }
        None => Ok(()),
    }
}
