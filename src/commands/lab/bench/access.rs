//! `quarry bench access`: what permissions cost, beside a search without them, in one run.

use std::process::ExitCode;

use anyhow::Result;
use lab::bench::{AccessParams, AccessReport, measure_access};
use searcher::Searcher;

use super::options::BenchAccessArgs;
use crate::models;
use crate::output::table;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings, args: &BenchAccessArgs) -> Result<ExitCode> {
    let (embedder, model) = models::embedder(settings)?;
    let searcher = Searcher::new(embedder, None, settings.search()?);
    let dir = std::env::temp_dir().join(format!("quarry-bench-access-{}", std::process::id()));
    let params =
        AccessParams { passages: args.passages, classes: args.classes, groups: args.groups, queries: args.queries };
    let report = measure_access(&dir, &model, &searcher, params)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &AccessReport) {
    let mut lines = table(&["", "passages", "p50 ms", "p95 ms"]);
    let ms = |value: f64| format!("{value:.2}");
    let AccessReport { whole_p50_ms, whole_p95_ms, person_p50_ms, person_p95_ms, .. } = *report;
    lines.add_row(["everything".into(), report.passages.to_string(), ms(whole_p50_ms), ms(whole_p95_ms)]);
    lines.add_row(["a person".into(), report.visible.to_string(), ms(person_p50_ms), ms(person_p95_ms)]);
    println!("{lines}");
    println!("ratio of the medians: {:.2}", report.ratio);
    println!("a change of one permission, until it is committed: {:.1} ms", report.change_p50_ms);
    println!("the first search after it: {:.1} ms, {:.1} ms at most", report.first_p50_ms, report.first_max_ms);
}
