//! `quarry bench vectors`: recall and speed of the vector index.

use std::process::ExitCode;

use anyhow::Result;
use lab::bench::{BenchParams, exact_neighbours, measure, read_fvecs, read_ivecs};
use storage::SealParams;

use super::options::BenchVectorsArgs;
use crate::output::table;

pub(super) fn run(args: &BenchVectorsArgs) -> Result<ExitCode> {
    let base = read_fvecs(&args.fvecs.join("base.fvecs"))?;
    let queries = read_fvecs(&args.fvecs.join("query.fvecs"))?;
    let truth = args.fvecs.join("groundtruth_cosine.ivecs");
    let truth = if truth.exists() { read_ivecs(&truth)? } else { exact_neighbours(&base, &queries, 10) };
    let folder = std::env::temp_dir().join(format!("quarry-bench-{}", std::process::id()));
    let params = BenchParams {
        seal: SealParams { graph_from: 0, ..SealParams::default() },
        efs: args.ef.clone(),
        threads: args.threads,
        dir: folder,
    };
    let report = measure(&base, &queries, &truth, &params)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} vectors x {}, built in {:.1} s ({})", report.n, report.dim, report.build_seconds, report.kernels);
    let mut rows = table(&["ef", "recall@10", "queries/s"]);
    for row in &report.rows {
        rows.add_row([row.ef.to_string(), format!("{:.4}", row.recall), format!("{:.0}", row.qps)]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}
