//! `quarry restore`: make a data folder of a backup.

use std::process::ExitCode;

use anyhow::Result;
use indicatif::HumanCount;
use storage::{At, BackupError, BackupSummary, Restored};

use crate::cli::RestoreArgs;
use crate::commands::backup::CopyProgress;
use crate::output;
use crate::plain::shown;
use crate::settings::Settings;
use crate::{interrupt, paths};

pub(crate) fn run(settings: &Settings, args: &RestoreArgs) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    let at = args.at.as_deref().map_or(At::Newest, At::of);
    let progress = CopyProgress::new("restore")?;
    let source = connect::destination(&args.source, &settings.s3)?;
    let restored = storage::restore(&*source, &data, &at, &progress);
    progress.finish();
    let Restored { summary, moved, repairs } = match restored {
        Err(BackupError::Stopped) => {
            eprintln!("stopped; nothing is restored. The same command begins anew.");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
        restored => restored?,
    };
    output::print_repairs(&repairs);
    let BackupSummary { name, created, documents, passages, generation, model, .. } = summary;
    println!("restored {} of {} into {}", shown(&name), output::time(created), shown(&data.display().to_string()));
    println!(
        "{} documents, {} passages, generation {generation}; everything is as it was written",
        HumanCount(documents),
        HumanCount(passages)
    );
    println!("its model is {}", shown(&model.describe()));
    if !moved.is_empty() {
        println!("pushed documents are in the new folder: {}", shown(&moved.join(", ")));
    }
    println!("nobody is signed in; `quarry status` shows the folders of its sources");
    Ok(ExitCode::SUCCESS)
}
