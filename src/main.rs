//! `quarry`: index folders of documents and search them, from the command line.
//!
//! This file is the map: it parses the command line (no effects), resolves the settings, then hands over
//! to one command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod answers;
mod audit;
mod cli;
mod commands;
mod cure;
mod elsewhere;
mod interrupt;
mod logging;
mod models;
mod output;
mod paths;
mod pipe;
mod plain;
mod reading;
mod server;
mod settings;
mod turn;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use settings::Settings;

fn main() -> ExitCode {
    pipe::end_when_closed();
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quarry: {}", plain::shown_message(&cure::told(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let settings = &Settings::resolve(cli)?;
    if cli.command.writes_data_folder() {
        paths::create_privately(&paths::data_dir(settings)?);
    }
    let log = web::LogTail::default();
    logging::start(cli.verbose, &settings.log, &log)?;
    match &cli.command {
        Command::Index(args) => commands::index::run(settings, args),
        Command::Search(args) => commands::search::run(settings, args),
        Command::Ask(args) => commands::ask::run(settings, args),
        Command::Mcp(args) => commands::mcp::run(settings, args),
        Command::Serve(args) => commands::serve::run(settings, args, log),
        Command::Access(args) => commands::access::run(settings, args),
        Command::Insights(args) => commands::insights::run(settings, args),
        Command::Keys(args) => commands::keys::run(settings, args),
        Command::Users(args) => commands::users::run(settings, args),
        Command::Groups(args) => commands::groups::run(settings, args),
        Command::Config(args) => commands::config::run(settings, args),
        Command::Status(args) => commands::status::run(settings, args),
        Command::Doctor(args) => commands::doctor::run(settings, args),
        Command::Jobs(args) => commands::jobs::run(settings, args),
        Command::Verify(args) => commands::verify::run(settings, args),
        Command::Extract(args) => commands::extract::run(settings, args),
        Command::Push(args) => commands::push::run(settings, args),
        Command::Source(args) => commands::source::run(settings, args),
        Command::Remove(args) => commands::remove::run(settings, args),
        Command::Backup(args) => commands::backup::run(settings, args),
        Command::Restore(args) => commands::restore::run(settings, args),
        Command::Rollback(args) => commands::rollback::run(settings, args),
        Command::Compact(args) => commands::compact::run(settings, args),
        Command::Models(args) => commands::models::run(settings, args),
        #[cfg(feature = "lab")]
        Command::Lab(command) => commands::lab::run(settings, command),
        Command::Generate(args) => commands::generate::run(args),
        Command::ExtractWorker => Ok(indexer::extraction_worker()),
        Command::RunConfined(options) => Err(commands::confined::run(options)),
    }
}
