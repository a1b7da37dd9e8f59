//! `quarry generate`: man pages and completions of shells, for packages.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, GenerateArgs};

/// Shells that packages bring completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

pub(crate) fn run(args: &GenerateArgs) -> Result<ExitCode> {
    let made = |name: &str| {
        let folder = args.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        anyhow::Ok(folder)
    };
    man_pages(&made("man")?)?;
    completions(&made("completions")?)?;
    Ok(ExitCode::SUCCESS)
}

fn man_pages(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(Cli::command(), folder).with_context(|| format!("cannot write into {}", folder.display()))
}

fn completions(folder: &Path) -> Result<()> {
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut Cli::command(), "quarry", folder)
            .with_context(|| format!("cannot write into {}", folder.display()))?;
    }
    Ok(())
}
