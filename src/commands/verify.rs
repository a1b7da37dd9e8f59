//! `quarry verify`: is the index what was written? `--repair`: make it sound again.

use std::process::ExitCode;

use anyhow::{Result, bail};
use indexer::{IndexOptions, Stop};
use storage::Store;

use crate::cli::VerifyArgs;
use crate::commands::index;
use crate::plain::{shown, shown_message};
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;
use crate::{cure, interrupt, models, paths};

pub(crate) fn run(settings: &Settings, args: &VerifyArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&folder)? {
        if args.repair {
            bail!("a server runs on this index; stop it, then repair it");
        }
        println!("{}", shown(&server.follow(server.verify()?)?));
        return Ok(ExitCode::SUCCESS);
    }
    if args.repair {
        repair(settings, &folder)?;
    }
    let report = storage::verify(&folder)?;
    println!("checked {} documents, {} passages, {} vectors", report.documents, report.chunks, report.vectors);
    for note in &report.notes {
        println!("{}: {}", note.part, note.detail);
    }
    if report.findings.is_empty() {
        match report.notes.is_empty() {
            true => println!("everything is as it was written"),
            false => println!(
                "nothing is lost or damaged; the next `quarry index` or `quarry serve` finishes this by itself"
            ),
        }
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &report.findings {
        println!("{}: {}", finding.part, shown(&finding.detail));
    }
    eprintln!("{} findings; run `quarry verify --repair`", report.findings.len());
    Ok(ExitCode::FAILURE)
}

/// Rebuilds what is derived, then reads again the files whose content was lost.
fn repair(settings: &Settings, folder: &std::path::Path) -> Result<()> {
    let (embedder, model) = models::embedder(settings)?;
    for line in in_turn(folder, || storage::repair(folder, &model))? {
        println!("{}", shown(&line));
    }
    let cancel = interrupt::on_interrupt()?;
    let options = IndexOptions { stop: Stop::of(&cancel), ..settings.extract.start()?.options() };
    let mut store = in_turn(folder, || Store::open(folder, &model))?;
    for source in store.sources().to_vec() {
        if let Err(error) = index::index(&mut store, &embedder, &source, options.clone(), &cancel) {
            eprintln!("{}: {}", shown(&source.name), shown_message(&cure::told(&error)));
        }
    }
    Ok(store.close()?)
}
