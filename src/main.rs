//! `quarry`: index folders of documents and search them, from the command line.
//!
//! This file is the map: it parses the command line (no effects), then hands over to one command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod cli;
mod commands;
mod interrupt;
mod models;
mod output;
mod paths;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_logging(cli.verbose);
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quarry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Index(options) => commands::index::run(cli, options),
        Command::Search(options) => commands::search::run(cli, options),
        Command::Status(options) => commands::status::run(cli, options),
        Command::Verify(options) => commands::verify::run(cli, options),
        Command::Remove(options) => commands::remove::run(cli, options),
        Command::Eval(options) => commands::eval::run(cli, options),
        Command::Bench(options) => commands::bench::run(cli, options),
        Command::Models(options) => commands::models::run(cli, options),
    }
}
