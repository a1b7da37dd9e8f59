//! `quarry bench`: how fast are the parts, measured in one run.

mod clock;
mod models;
mod vectors;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{BenchArgs, BenchSubject, Cli};

pub(crate) fn run(cli: &Cli, args: &BenchArgs) -> Result<ExitCode> {
    match &args.subject {
        BenchSubject::Vectors(args) => vectors::run(args),
        BenchSubject::Models(args) => models::run(cli, args),
    }
}
