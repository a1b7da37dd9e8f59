//! `quarry remove`: take a source out of the index.

use std::process::ExitCode;

use anyhow::{Result, bail};
use storage::Store;

use crate::cli::RemoveArgs;
use crate::plain::shown;
use crate::settings::Settings;
use crate::{models, paths};

pub(crate) fn run(settings: &Settings, args: &RemoveArgs) -> Result<ExitCode> {
    let (_, model) = models::embedder(settings)?;
    let mut store = Store::open(&paths::data_dir(settings)?, &model)?;
    if !store.sources().iter().any(|source| source.name == args.source) {
        let names: Vec<&str> = store.sources().iter().map(|source| source.name.as_str()).collect();
        bail!("there is no source {:?}; there are: {}", args.source, names.join(", "));
    }
    let documents = store.remove_source(&args.source)?;
    store.close()?;
    println!("removed {} with {documents} files from the index", shown(&args.source));
    Ok(ExitCode::SUCCESS)
}
