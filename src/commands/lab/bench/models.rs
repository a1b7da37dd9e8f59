//! `quarry bench models`: speed and memory of the models, with random weights of a model's shape.

use std::process::ExitCode;

use anyhow::Result;
use lab::bench::{ModelBench, ModelRow};
use serde_json::json;

use super::options::BenchModelsArgs;
use crate::settings::Settings;
use crate::{models, output::table};

pub(super) fn run(settings: &Settings, args: &BenchModelsArgs) -> Result<ExitCode> {
    let bench = ModelBench {
        shape: args.shape.into(),
        threads: args.threads,
        only: args.only.clone(),
        runs: args.runs,
        precision: models::precision(settings.precision),
        device: settings.device.unwrap_or_default(),
    };
    let rows = bench.run()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "rows": rows }))?);
    } else {
        print(rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(rows: Vec<ModelRow>) {
    let mut lines =
        table(&["row", "shape", "precision", "threads", "tokens/s", "ms", "cpu ms", "peak MiB", "GFLOP/s", "of peak"]);
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
    for row in rows {
        lines.add_row([
            row.name,
            row.shape.to_owned(),
            row.precision,
            row.threads.to_string(),
            number(row.tokens_per_s),
            format!("{:.1}", row.ms),
            row.cpu_ms.map_or_else(String::new, |ms| format!("{ms:.1}")),
            number(row.peak_rss_mb),
            number(row.gflops),
            row.of_peak.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)),
        ]);
    }
    println!("{lines}");
}
