//! `quarry bench`: how fast are the parts, measured in one run.

mod access;
mod models;
mod options;
mod vectors;

use std::process::ExitCode;

use anyhow::Result;

use crate::settings::Settings;
pub(super) use options::BenchArgs;
use options::BenchSubject;

pub(super) fn run(settings: &Settings, args: &BenchArgs) -> Result<ExitCode> {
    match &args.subject {
        BenchSubject::Vectors(args) => vectors::run(args),
        BenchSubject::Models(args) => models::run(settings, args),
        BenchSubject::Access(args) => access::run(settings, args),
    }
}
