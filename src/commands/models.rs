//! `quarry models`: the models that are known, those that are here, and whether they are right.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cli::{ModelsAction, ModelsArgs, ModelsPullArgs, ModelsVerifyArgs};
use crate::models;
use crate::models::{BUNDLED, Check, CheckOutcome, KNOWN, ModelName, Place, Report, Repository, Shelf};
use crate::output::{size, table};
use crate::plain::shown;
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &ModelsArgs) -> Result<ExitCode> {
    match &args.action {
        ModelsAction::List(list) => show(settings, list.json)?,
        ModelsAction::Pull(pull) => fetch(settings, pull)?,
        ModelsAction::Path(args) => match models::locate(settings, Path::new(&args.name))?.place {
            Place::Bundled => bail!("{BUNDLED} is inside this binary and has no path"),
            Place::Path(path) => println!("{}", path.display()),
        },
        ModelsAction::Verify(verify) => return check(settings, verify),
        ModelsAction::Remove(args) => {
            let removed = Shelf::of(settings)?.remove(&repository(&args.name)?)?;
            println!("removed {} from {}", args.name, removed.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A row of the list.
struct Row {
    name: String,
    kind: &'static str,
    repository: Option<String>,
    /// Bytes here, or about how many a pull fetches; of a model elsewhere, nothing is known of it.
    size: Option<u64>,
    place: Option<String>,
    /// Address of the endpoint of a model elsewhere.
    endpoint: Option<String>,
}

fn show(settings: &Settings, as_json: bool) -> Result<()> {
    let mut rows = rows(&Shelf::of(settings)?)?;
    rows.extend(elsewhere(settings));
    if as_json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({"models": rows.iter().map(row_json).collect::<Vec<_>>()}))?
        );
        return Ok(());
    }
    let mut listed = table(&["name", "for", "size", "here"]);
    for row in rows {
        let about = if row.place.is_some() { "" } else { "about " };
        let place = row.place.or(row.endpoint.map(|endpoint| format!("elsewhere, at {endpoint}")));
        let length = row.size.map_or_else(|| "-".to_string(), |bytes| format!("{about}{}", size(bytes)));
        listed.add_row([row.name, row.kind.to_string(), length, place.unwrap_or_else(|| "-".to_string())]);
    }
    println!("{listed}");
    Ok(())
}

fn row_json(row: &Row) -> Value {
    json!({
        "name": row.name,
        "kind": row.kind,
        "repository": row.repository,
        "present": row.place.is_some(),
        "bytes": row.size,
        "path": row.place,
        "endpoint": row.endpoint,
    })
}

/// The models elsewhere that the configuration names. Nothing is asked of them.
fn elsewhere(settings: &Settings) -> Vec<Row> {
    let Settings { embedding, reranking, answers, .. } = settings;
    let named = [
        ("embedding", &embedding.model, &embedding.endpoint),
        ("reranker", &reranking.model, &reranking.endpoint),
        ("writer", &answers.model, &answers.endpoint),
    ];
    let row = |(kind, name, endpoint): (&'static str, &String, &String)| Row {
        name: name.clone(),
        kind,
        repository: None,
        size: None,
        place: None,
        endpoint: Some(endpoint.clone()),
    };
    named.into_iter().filter(|(.., endpoint)| !endpoint.is_empty()).map(row).collect()
}

/// What a model that is not known by name is for.
fn kind_of(id: &str) -> &'static str {
    let id = id.to_lowercase();
    match () {
        () if id.contains("rerank") => "reranker",
        // Qwen3's embedding models say so in their names, and other families here only embed.
        () if id.contains("qwen3") && !id.contains("embed") => "writer",
        () => "embedding",
    }
}

/// The bundled model, the known ones, and what else is in the models folder.
fn rows(shelf: &Shelf) -> Result<Vec<Row>> {
    let here = shelf.list()?;
    let bundled = Row {
        name: BUNDLED.to_string(),
        kind: "embedding",
        repository: None,
        size: Some(models::BUNDLED_BYTES),
        place: Some("in this binary".to_string()),
        endpoint: None,
    };
    let mut rows = vec![bundled];
    for known in &KNOWN {
        let present = here.iter().find(|model| model.id == known.repository);
        rows.push(Row {
            name: known.name.to_string(),
            kind: known.kind,
            repository: Some(known.repository.to_string()),
            size: Some(present.map_or(known.megabytes * 1_000_000, |model| model.size)),
            place: present.map(|model| model.path.display().to_string()),
            endpoint: None,
        });
    }
    for model in here.into_iter().filter(|model| !KNOWN.iter().any(|known| known.repository == model.id)) {
        rows.push(Row {
            kind: kind_of(&model.id),
            repository: model.manifest.map(|manifest| manifest.repository),
            name: model.id,
            size: Some(model.size),
            place: Some(model.path.display().to_string()),
            endpoint: None,
        });
    }
    Ok(rows)
}

/// The name of a model that can be fetched or removed.
fn repository(name: &str) -> Result<Repository> {
    match ModelName::parse(name)? {
        ModelName::Repository(repository) => Ok(repository),
        ModelName::Bundled | ModelName::Path(_) => {
            bail!("{BUNDLED} is inside this binary: there is nothing to fetch or to remove")
        }
    }
}

#[cfg(feature = "hub")]
fn fetch(settings: &Settings, args: &ModelsPullArgs) -> Result<()> {
    let mut repository = repository(&args.name)?;
    if let Some(revision) = &args.revision {
        let with_revision = format!("{}@{revision}", args.name.split('@').next().unwrap_or_default());
        repository = Repository::parse(&with_revision)?;
    }
    let hub = models::Hub::new(args.endpoint.as_deref())?;
    eprintln!("fetching {repository} from {}", hub.endpoint());
    let pulled = models::pull(&hub, &repository, &Shelf::of(settings)?, args.retries)?;
    let bytes: u64 = pulled.manifest.files.iter().map(|file| file.size).sum();
    let unchecked = pulled.manifest.files.iter().filter(|file| file.checked == "length").count();
    if unchecked > 0 {
        eprintln!("note: {} gave no checksum for {unchecked} files; their lengths were checked", hub.endpoint());
    }
    let done = match pulled.outcome {
        models::Outcome::Fetched => "is complete",
        models::Outcome::UpToDate => "was complete already",
    };
    println!("{repository} {done}: {} in {}", size(bytes), pulled.folder.display());
    eprintln!("use it with --model or --reranker {}", repository.argument());
    Ok(())
}

#[cfg(not(feature = "hub"))]
fn fetch(settings: &Settings, args: &ModelsPullArgs) -> Result<()> {
    let repository = repository(&args.name)?;
    bail!(
        "this quarry was built without the feature `hub` and cannot fetch; put {}{} into {}",
        repository.expected_files().join(", "),
        repository.expected_besides(),
        Shelf::of(settings)?.folder(&repository).display()
    )
}

fn check(settings: &Settings, args: &ModelsVerifyArgs) -> Result<ExitCode> {
    let name = args.name.as_deref().or(settings.model.as_deref()).unwrap_or(Path::new(BUNDLED));
    let located = models::locate(settings, name)?;
    if let Place::Path(path) = &located.place {
        fs::metadata(path).with_context(|| format!("cannot open the model {}", path.display()))?;
    }
    let report = models::verify(
        &located,
        args.kind,
        models::precision(settings.precision),
        settings.device.unwrap_or_default(),
        &args.skip,
    )?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report) {
    println!("{} ({}, {})", report.model, report.kind, report.precision);
    for check in &report.checks {
        print_check(check);
    }
    println!("{}", if report.passed { "pass" } else { "FAIL" });
}

fn print_check(check: &Check) {
    let outcome = match check.outcome {
        CheckOutcome::Pass => "pass",
        CheckOutcome::Fail => "FAIL",
        CheckOutcome::Skipped => "skipped",
    };
    println!("{:<10} {outcome:<8} {}", check.name, shown(&check.detail));
    for value in &check.values {
        let mark = if value.fits() { "" } else { "  <- off" };
        println!(
            "    {}: expected {:.4} +- {:.4}, got {:.4}{mark}",
            value.what, value.expected, value.tolerance, value.got
        );
    }
}
