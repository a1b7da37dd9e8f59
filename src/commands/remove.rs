//! `quarry remove`: take a source out of the index.

use std::path::PathBuf;
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
    there_is(&args.source, store.sources())?;
    let is_mirror = mirrors.owns(&Source { name: args.source.clone(), root: root_of(&args.source, &store) });
    let documents = store.remove_source(&args.source)?;
    store.close()?;
    if is_mirror {
        mirrors.remove(&args.source)?;
    }
    println!("removed {} with {documents} files from the index", shown(&args.source));
    Ok(ExitCode::SUCCESS)
}

fn root_of(name: &str, store: &Store) -> PathBuf {
    store.sources().iter().find(|source| source.name == name).map(|source| source.root.clone()).unwrap_or_default()
}

fn there_is(name: &str, sources: &[Source]) -> Result<()> {
    if sources.iter().any(|source| source.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    bail!("there is no source {name:?}; there are: {}", names.join(", "))
}
