//! Prints what is read in a file: `cargo run --release -p extract --example dump -- FILE`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else { return ExitCode::from(2) };
    let Ok(bytes) = std::fs::read(&path) else { return ExitCode::from(2) };
    let limits = extract::ExtractLimits::default();
    match extract::extract(Path::new(&path), &bytes, &limits) {
        Ok(extraction) => {
            println!("{}", serde_json::to_string(&extraction).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(4)
        }
    }
}
