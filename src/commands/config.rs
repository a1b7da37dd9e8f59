//! `quarry config`: check the configuration file, or show what is in force.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{ConfigArgs, ConfigCommand};
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &ConfigArgs) -> Result<ExitCode> {
    match args.command {
        ConfigCommand::Check => check(settings)?,
        ConfigCommand::Show => println!("{}", toml::to_string(settings)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with the settings, key by key.
pub(super) fn problems(settings: &Settings) -> Vec<String> {
    [
        settings.web().problems(),
        settings.extract.problems(),
        settings.search.problems(),
        settings.answers.problems(),
        settings.embedding.problems(),
        settings.reranking.problems(),
    ]
    .concat()
}

fn check(settings: &Settings) -> Result<()> {
    let problems = problems(settings);
    if !problems.is_empty() {
        bail!("the configuration is not usable:\n  {}", problems.join("\n  "));
    }
    settings.guidance()?;
    match &settings.path {
        Some(path) => println!("{} is good", path.display()),
        None => println!("there is no configuration file; the defaults are in force"),
    }
    Ok(())
}
