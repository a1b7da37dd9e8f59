//! `quarry compact`: give back the space of what was removed.

use std::cell::Cell;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;
use storage::{Compaction, Store};

use crate::cli::CompactArgs;
use crate::output;
use crate::paths;
use crate::plain;
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;

pub(crate) fn run(settings: &Settings, args: &CompactArgs) -> Result<ExitCode> {
    let data = paths::data_dir(settings)?;
    if let Some(server) = Server::of(&data)? {
        let outcome = server.follow(server.compact()?)?;
        match args.json {
            true => println!("{}", plain::json(&json!({ "outcome": outcome }))?),
            false => println!("{}", plain::shown(&outcome)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let model = storage::model_of(&data)?;
    let store = in_turn(&data, || Store::open(&data, &model))?;
    output::print_repairs(store.repairs());
    let mut closed = store.suspend();
    let progress = Progress::new();
    let compacted = closed.compact(|done, all| progress.told(done, all));
    progress.bar.finish_and_clear();
    let compaction = compacted?;
    // Only what opens is said to be done.
    closed.open().map_err(|(_, error)| error)?.close()?;
    match args.json {
        true => println!("{}", plain::json(&described(&compaction))?),
        false => show(&compaction),
    }
    Ok(ExitCode::SUCCESS)
}

fn described(compaction: &Compaction) -> serde_json::Value {
    let parts =
        compaction.parts.iter().map(|(part, before, after)| json!({ "part": part, "before": before, "after": after }));
    json!({
        "before": compaction.before(),
        "after": compaction.after(),
        "dropped_vectors": compaction.dropped,
        "parts": parts.collect::<Vec<_>>(),
    })
}

fn show(compaction: &Compaction) {
    let (before, after) = (compaction.before(), compaction.after());
    for (part, before, after) in &compaction.parts {
        println!("{part}: {} before, {} after", HumanBytes(*before), HumanBytes(*after));
    }
    println!(
        "all: {before} bytes before, {after} bytes after ({} given back)",
        HumanBytes(before.saturating_sub(after))
    );
    println!("{} vectors of removed texts are gone; nothing was embedded", HumanCount(compaction.dropped));
}

/// Time between two lines of progress where there is no terminal to draw a bar on.
const LINE_EVERY: Duration = Duration::from_secs(5);

struct Progress {
    bar: ProgressBar,
    last_line: Cell<Instant>,
}

impl Progress {
    fn new() -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "compact {bar:24} {pos}/{len} documents  {eta} left";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, last_line: Cell::new(Instant::now()) }
    }

    fn told(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            eprintln!("compact: {} of {} documents", HumanCount(done), HumanCount(all));
        }
    }
}
