//! `quarry`: index folders of documents and search them, from the command line.
//!
//! This file is the map: it parses the command line (no effects), adds what the configuration file says, then hands over
//! to one command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod cli;
mod commands;
mod config;
mod cure;
mod interrupt;
mod logging;
mod models;
mod output;
mod paths;
mod plain;
mod reading;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use config::FileConfig;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quarry: {}", plain::shown_message(&cure::told(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(mut cli: Cli) -> anyhow::Result<ExitCode> {
    // Processes that quarry starts are told what they need.
    let is_own = matches!(cli.command, Command::ExtractWorker | Command::RunConfined(_));
    let file = if is_own { FileConfig::default() } else { FileConfig::load(&cli)? };
    file.apply(&mut cli);
    let cli = &cli;
    if cli.command.writes_data_folder() {
        paths::create_privately(&paths::data_dir(cli)?);
    }
    logging::start(cli.verbose, &file.log)?;
    match &cli.command {
        Command::Index(options) => commands::index::run(cli, options, &file),
        Command::Search(options) => commands::search::run(cli, options, &file),
        Command::Serve(options) => commands::serve::run(cli, options, &file),
        Command::Keys(options) => commands::keys::run(cli, options),
        Command::Config(options) => commands::config::run(cli, options, &file),
        Command::Status(options) => commands::status::run(cli, options, &file),
        Command::Verify(options) => commands::verify::run(cli, options, &file),
        Command::Extract(options) => commands::extract::run(options, &file),
        Command::Remove(options) => commands::remove::run(cli, options),
        Command::Models(options) => commands::models::run(cli, options),
        #[cfg(feature = "lab")]
        Command::Lab(command) => commands::lab::run(cli, command, &file),
        Command::ExtractWorker => Ok(indexer::extraction_worker()),
        Command::RunConfined(options) => Err(commands::confined::run(options)),
    }
}
