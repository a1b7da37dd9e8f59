//! `quarry insights export`: an evaluation set of what people opened and liked, in the layout that `quarry eval` reads.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use storage::{Filter, Passage, Snapshot, View};
use web::{Grade, JudgedQuery, Judgements};

use crate::cli::{InsightsArgs, InsightsCommand};
use crate::paths;
use crate::settings::Settings;

/// Documents that are looked at together.
const PAGE: usize = 256;

pub(crate) fn run(settings: &Settings, args: &InsightsArgs) -> Result<ExitCode> {
    match &args.command {
        InsightsCommand::Export { folder, days } => export(settings, folder, *days)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn export(settings: &Settings, folder: &Path, days: Option<u32>) -> Result<()> {
    let (data, config) = (paths::data_dir(settings)?, &settings.insights);
    let days = days.unwrap_or(config.keep_days);
    if !(1..=config.keep_days).contains(&days) {
        bail!("--days: expected 1 to {} (insights.keep_days), got {days}", config.keep_days);
    }
    let view = Snapshot::open(&data)?.whole()?;
    let judged = Judgements::read(&data, config, days)?;
    let queries = answered(&view, &judged)?;
    if queries.is_empty() {
        bail!(
            "nothing to export: of {} queries that at least {} people have asked in {days} days, none has a document that \
             was opened or liked; wait for more, or look further back with --days",
            judged.asked,
            config.people
        );
    }
    check_empty(folder)?;
    fs::create_dir_all(folder.join("qrels")).with_context(|| format!("cannot make {}", folder.display()))?;
    let documents = write_corpus(&view, &folder.join("corpus.jsonl"))?;
    let judgements = write_judgements(folder, &queries)?;
    let (asked, folder) = (queries.len(), folder.display());
    println!("{asked} queries with {judgements} judgements over {documents} documents: {folder}");
    println!("Measure with them: quarry eval {folder}");
    Ok(())
}

/// The queries that are answered by a document that is still in the index, with what is known of such documents.
fn answered(view: &View, judged: &Judgements) -> Result<Vec<JudgedQuery>> {
    let mut queries = Vec::new();
    for query in &judged.queries {
        let mut query = query.clone();
        let mut left = Vec::new();
        for (id, grade) in query.grades.drain(..) {
            left.extend((!view.places(id)?.is_empty()).then_some((id, grade)));
        }
        query.grades = left;
        if query.grades.iter().any(|(_, grade)| *grade > Grade::No) {
            queries.push(query);
        }
    }
    Ok(queries)
}

/// An old set must not be mixed with a new one.
fn check_empty(folder: &Path) -> Result<()> {
    let is_used = folder.exists() && fs::read_dir(folder)?.next().is_some();
    if is_used {
        bail!("{} is not empty; name a folder that is new or empty", folder.display());
    }
    Ok(())
}

/// A document of the corpus.
#[derive(Serialize)]
struct CorpusLine<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    title: &'a str,
    text: &'a str,
    /// For people; `quarry eval` passes over it.
    path: String,
}

/// Writes every document of the index; how many.
fn write_corpus(view: &View, path: &Path) -> Result<usize> {
    let mut out = create(path)?;
    let (mut written, mut after) = (0, None);
    loop {
        let listing = view.documents(&Filter::default(), after, PAGE)?;
        for document in &listing.documents {
            let id = document.id();
            let text = text_of(&view.document(id)?);
            let id = id.to_string();
            let path = format!("{}/{}", document.source, document.path);
            write_line(&mut out, &CorpusLine { id: &id, title: &document.title, text: &text, path })?;
            written += 1;
        }
        after = listing.next;
        if after.is_none() {
            break;
        }
    }
    out.flush()?;
    Ok(written)
}

/// The text of a document as its passages have it.
fn text_of(passages: &[Passage]) -> String {
    passages.iter().map(|passage| passage.chunk.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[derive(Serialize)]
struct QueryLine<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    text: &'a str,
}

/// Writes queries and judgements; how many of the latter.
fn write_judgements(folder: &Path, judged: &[JudgedQuery]) -> Result<usize> {
    let mut queries = create(&folder.join("queries.jsonl"))?;
    let mut grades = create(&folder.join("qrels").join("test.tsv"))?;
    writeln!(grades, "query-id\tcorpus-id\tscore")?;
    for query in judged {
        let id = query.id();
        write_line(&mut queries, &QueryLine { id: &id, text: &query.query })?;
        for (document, grade) in &query.grades {
            writeln!(grades, "{id}\t{document}\t{}", *grade as u8)?;
        }
    }
    queries.flush()?;
    grades.flush()?;
    Ok(judged.iter().map(|query| query.grades.len()).sum())
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("cannot make {}", path.display()))?))
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    Ok(())
}
