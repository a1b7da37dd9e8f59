//! `quarry rollback`: take a rebuild back.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::HumanCount;
use serde_json::json;
use storage::RolledBack;

use crate::cli::RollbackArgs;
use crate::plain::{self, shown};
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;
use crate::{output, paths};

pub(crate) fn run(settings: &Settings, args: &RollbackArgs) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    if args.forget {
        return forget(&data, args);
    }
    if Server::of(&data)?.is_some() {
        bail!("a server has {} open: stop it, take the rebuild back, and start it again", data.display());
    }
    let RolledBack { model, documents, removed } = in_turn(&data, || storage::roll_back(&data))?;
    if args.json {
        let told = json!({ "model": model.describe(), "documents": documents, "removed": removed });
        println!("{}", plain::json(&told)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("the index made with {} is in force again: {} documents", shown(&model.describe()), HumanCount(documents));
    if removed > 0 {
        println!("{} of its documents were removed since, and stay so", HumanCount(removed as u64));
    }
    println!(
        "commands and servers need that model (`model` in quarry.toml, or --model); `quarry index` reads what is new since; \
         `quarry rollback` takes this back"
    );
    Ok(ExitCode::SUCCESS)
}

/// Nobody reads or writes what is kept, so that a server may go on meanwhile.
fn forget(data: &Path, args: &RollbackArgs) -> Result<ExitCode> {
    let bytes = storage::forget_replaced(data)?;
    match (args.json, bytes) {
        (true, _) => println!("{}", plain::json(&json!({ "bytes": bytes }))?),
        (false, 0) => println!("nothing was kept"),
        (false, _) => println!("gave back {}", output::size(bytes)),
    }
    Ok(ExitCode::SUCCESS)
}
