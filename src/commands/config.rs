//! `quarry config`: check the configuration file, or show what is in force.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{Cli, ConfigArgs, ConfigCommand};
use crate::config::FileConfig;

pub(crate) fn run(cli: &Cli, args: &ConfigArgs, file: &FileConfig) -> Result<ExitCode> {
    match args.command {
        ConfigCommand::Check => check(file)?,
        ConfigCommand::Show => println!("{}", toml::to_string(&file.with_flags(cli))?),
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &FileConfig) -> Result<()> {
    let problems = [file.web().problems(), file.extract.problems(), file.search.problems()].concat();
    if !problems.is_empty() {
        bail!("the configuration is not usable:\n  {}", problems.join("\n  "));
    }
    match &file.path {
        Some(path) => println!("{} is good", path.display()),
        None => println!("there is no configuration file; the defaults are in force"),
    }
    Ok(())
}
