//! The self-check of a model on this machine: its files as they were fetched, its weights, the results that its makers
//! published, and whether batches, precisions and devices agree. Numbers stand beside what was expected.

mod golden;
mod opened;

use std::path::Path;

use anyhow::{Result, bail};
use qwen3::{DeviceChoice, ModelFiles, NonFinite, Precision};
use serde::Serialize;
use serde_json::Value;

use super::manifest::{MANIFEST, Manifest};
use super::{Located, Place};
use crate::cli::{ModelCheck, ModelKind};
use opened::{Opened, Together};

/// What was found out about a model.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) model: String,
    pub(crate) kind: &'static str,
    pub(crate) precision: String,
    pub(crate) passed: bool,
    pub(crate) checks: Vec<Check>,
}

/// One check.
#[derive(Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<Measured>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    /// Left out; the detail says why.
    Skipped,
}

/// A number with what it should be.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) what: String,
    pub(crate) expected: f64,
    pub(crate) got: f64,
    pub(crate) tolerance: f64,
}

impl Measured {
    pub(crate) fn fits(&self) -> bool {
        (self.got - self.expected).abs() <= self.tolerance
    }
}

impl Check {
    fn skipped(name: &'static str, why: &str) -> Self {
        Self { name, outcome: Outcome::Skipped, detail: why.to_string(), values: Vec::new() }
    }

    fn failed(name: &'static str, why: String) -> Self {
        Self { name, outcome: Outcome::Fail, detail: why, values: Vec::new() }
    }

    /// Passes if every value is within its tolerance.
    fn of(name: &'static str, detail: String, values: Vec<Measured>) -> Self {
        let outcome = if values.iter().all(Measured::fits) { Outcome::Pass } else { Outcome::Fail };
        Self { name, outcome, detail, values }
    }

    /// A computation that failed is a failed check.
    fn from_result(name: &'static str, result: Result<Self>) -> Self {
        result.unwrap_or_else(|error| Self::failed(name, format!("{error:#}")))
    }
}

/// What every check needs to know.
struct Subject<'a> {
    located: &'a Located,
    files: &'a ModelFiles,
    kind: ModelKind,
    /// As asked for; as it turned out once the model is open.
    precision: Precision,
    device: DeviceChoice,
}

/// Checks a model.
///
/// # Errors
/// When its files cannot be found at all, or nothing tells whether it is an embedding model or a reranker. Everything
/// else that is wrong is a failed check.
pub(crate) fn verify(
    located: &Located,
    kind: Option<ModelKind>,
    precision: Precision,
    device: DeviceChoice,
    skip: &[ModelCheck],
) -> Result<Report> {
    let kind = match kind {
        Some(kind) => kind,
        None => recognised_kind(located)?,
    };
    let mut checks = vec![if skip.contains(&ModelCheck::Files) { left_out("files") } else { check_files(located) }];
    let mut precision = precision;
    match super::files(located) {
        Ok(files) => {
            let mut subject = Subject { located, files: &files, kind, precision, device };
            run(&mut subject, skip, &mut checks);
            precision = subject.precision;
        }
        Err(error) => checks.push(Check::failed("open", format!("{error:#}"))),
    }
    Ok(Report {
        model: located.name.clone(),
        kind: if kind == ModelKind::Embedding { "embedding" } else { "reranker" },
        precision: label(precision),
        passed: checks.iter().all(|check| check.outcome != Outcome::Fail),
        checks,
    })
}

fn left_out(name: &'static str) -> Check {
    Check::skipped(name, "left out by --skip")
}

/// The checks that compute. The model is opened once in the wanted precision, then in the others, one at a time.
fn run(subject: &mut Subject<'_>, skip: &[ModelCheck], checks: &mut Vec<Check>) {
    let wanted = |check| !skip.contains(&check);
    if wanted(ModelCheck::Weights) {
        checks.push(Check::from_result("weights", check_weights(subject.files)));
    } else {
        checks.push(left_out("weights"));
    }
    let opened = match Opened::open(subject.files, subject.kind, subject.precision, subject.device) {
        Ok(opened) => opened,
        Err(error) => return checks.push(Check::failed("open", format!("{error:#}"))),
    };
    subject.precision = opened.precision();
    if wanted(ModelCheck::Golden) {
        checks.push(Check::from_result("golden", golden::check(subject, &opened)));
    } else {
        checks.push(left_out("golden"));
    }
    if wanted(ModelCheck::Batch) {
        checks.push(Check::from_result("batch", check_batch(subject, &opened)));
    } else {
        checks.push(left_out("batch"));
    }
    if wanted(ModelCheck::Precision) {
        checks.push(Check::from_result("precision", check_precisions(subject, opened)));
    } else {
        checks.push(left_out("precision"));
    }
    if wanted(ModelCheck::Devices) {
        checks.push(Check::from_result("devices", check_devices(subject)));
    } else {
        checks.push(left_out("devices"));
    }
}

/// The files against what was recorded when they were fetched.
fn check_files(located: &Located) -> Check {
    let Place::Path(path) = &located.place else { return Check::skipped("files", "the model is in the binary") };
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    let check = || -> Result<Check> {
        let Some(manifest) = Manifest::read(folder)? else {
            return Ok(Check::skipped("files", &format!("no {MANIFEST} in {}: put by hand", folder.display())));
        };
        let differences = manifest.differences(folder)?;
        if !differences.is_empty() {
            return Ok(Check::failed("files", format!("{}; pull the model again", differences.join("; "))));
        }
        let detail = format!("{} files as fetched from {}", manifest.files.len(), manifest.endpoint);
        Ok(Check::of("files", detail, Vec::new()))
    };
    Check::from_result("files", check())
}

/// Most tensors that are named one by one.
const MOST_NAMED: usize = 5;

/// Every weight of the files is a number.
fn check_weights(files: &ModelFiles) -> Result<Check> {
    let (tensors, damaged) = (files.tensors()?.len(), files.scan_non_finite()?);
    if damaged.is_empty() {
        return Ok(Check::of("weights", format!("{tensors} tensors, every value finite"), Vec::new()));
    }
    let name = |it: &NonFinite| format!("{} of {} values of {}", it.count, it.values, it.tensor);
    let named: Vec<String> = damaged.iter().take(MOST_NAMED).map(name).collect();
    let (count, named) = (damaged.len(), named.join(", "));
    Ok(Check::failed("weights", format!("NaN or infinite in {count} of {tensors} tensors: {named}")))
}

fn check_batch(subject: &Subject<'_>, opened: &Opened) -> Result<Check> {
    let (single, batch) = (opened.outputs(Together::OneByOne)?, opened.outputs(Together::Batch)?);
    let tolerance = if subject.precision == Precision::F32 { 1e-4 } else { 1e-2 };
    let values = vec![opened.difference("a batch against one by one", &single, &batch, tolerance)];
    Ok(Check::of("batch", format!("{} texts of different lengths", single.len()), values))
}

/// Every precision against the wanted one. Frees the opened model before it opens the next.
fn check_precisions(subject: &Subject<'_>, opened: Opened) -> Result<Check> {
    let base = opened.outputs(Together::Batch)?;
    drop(opened);
    let mut values = Vec::new();
    let mut left_out = Vec::new();
    for other in opened::PRECISIONS.into_iter().filter(|other| *other != subject.precision) {
        if !opened::fits_in_memory(subject.files, other)? {
            left_out.push(format!("{} left out: not enough memory", label(other)));
            continue;
        }
        let opened = Opened::open(subject.files, subject.kind, other, DeviceChoice::Cpu)?;
        let what = format!("{} against {}", label(other), label(subject.precision));
        values.push(opened.difference(&what, &base, &opened.outputs(Together::Batch)?, opened::closeness(other)));
    }
    let detail = if left_out.is_empty() { "every precision".to_string() } else { left_out.join("; ") };
    Ok(Check::of("precision", detail, values))
}

/// Every other device of this machine against the CPU, in bf16 as GPUs compute.
fn check_devices(subject: &Subject<'_>) -> Result<Check> {
    let others: Vec<DeviceChoice> = DeviceChoice::available().into_iter().skip(1).collect();
    if others.is_empty() {
        return Ok(Check::skipped("devices", "this build and machine compute on the CPU only"));
    }
    if matches!(&subject.located.place, Place::Path(path) if config(path)["model_type"] == "bert") {
        return Ok(Check::skipped("devices", "models of this family are computed on the CPU only"));
    }
    let open = |device| Opened::open(subject.files, subject.kind, Precision::Bf16, device);
    let cpu = open(DeviceChoice::Cpu)?;
    let base = cpu.outputs(Together::Batch)?;
    let mut values = Vec::new();
    for device in others {
        let outputs = open(device)?.outputs(Together::Batch)?;
        values.push(cpu.difference(&format!("{device} against the CPU"), &base, &outputs, 2e-2));
    }
    Ok(Check::of("devices", "the same texts on every device".to_string(), values))
}

/// Embedding model or reranker: by name, else by the architecture. The weights do not tell: an embedding model may have
/// all that a reranker needs.
fn recognised_kind(located: &Located) -> Result<ModelKind> {
    let Place::Path(path) = &located.place else { return Ok(ModelKind::Embedding) };
    let manifest = if path.is_dir() { Manifest::read(path)? } else { None };
    let names = [Some(located.name.clone()), manifest.map(|it| it.repository), Some(path.display().to_string())];
    for name in names.into_iter().flatten().map(|name| name.to_lowercase()) {
        match (name.contains("rerank"), name.contains("embed")) {
            (true, false) => return Ok(ModelKind::Reranker),
            (false, true) => return Ok(ModelKind::Embedding),
            _ => {}
        }
    }
    let config = config(path);
    // A BERT is an embedding model or nothing here.
    if config["architectures"][0] == "Qwen3Model" || config["model_type"] == "bert" {
        return Ok(ModelKind::Embedding);
    }
    bail!("nothing tells what {} is for; say --kind embedding or --kind reranker", located.name)
}

/// The config.json of a folder; null where there is none.
fn config(path: &Path) -> Value {
    let text = std::fs::read(path.join("config.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or(Value::Null)
}

fn label(precision: Precision) -> String {
    format!("{precision:?}").to_lowercase()
}
