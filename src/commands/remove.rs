//! `quarry remove`: take a source out of the index.

use std::process::ExitCode;

use anyhow::{Result, bail};
use connect::Mirrors;
use storage::{Source, Store, model_of};

use crate::cli::RemoveArgs;
use crate::paths;
use crate::plain::shown;
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;

pub(crate) fn run(settings: &Settings, args: &RemoveArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&folder)? {
        there_is(&args.source, &server.sources()?)?;
        let outcome = server.follow(server.remove(&args.source)?)?;
        println!("removed {} from the index: {}", shown(&args.source), shown(&outcome));
        return Ok(ExitCode::SUCCESS);
    }
    // Nothing is embedded: any model will do that the index was made with.
    let (mirrors, model) = (Mirrors::open(&folder, [])?, model_of(&folder)?);
    let mut store = in_turn(&folder, || Store::open(&folder, &model))?;
    let known = store.sources().iter().find(|source| source.name == args.source).cloned();
    // One that was added and could never be fetched is in no index yet.
    let is_mirror = known.as_ref().map_or(mirrors.settings(&args.source).is_some(), |known| mirrors.owns(known));
    if !is_mirror {
        there_is(&args.source, store.sources())?;
    }
    let documents = if known.is_some() { store.remove_source(&args.source)? } else { 0 };
    store.close()?;
    if is_mirror {
        mirrors.remove(&args.source)?;
    }
    println!("removed {} with {documents} files from the index", shown(&args.source));
    Ok(ExitCode::SUCCESS)
}

fn there_is(name: &str, sources: &[Source]) -> Result<()> {
    if sources.iter().any(|source| source.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    bail!("there is no source {name:?}; there are: {}", names.join(", "))
}
