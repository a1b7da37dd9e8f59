//! The corpus of mining: the examples as tasks, and an index of the texts that negatives come from.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow, bail};
use indexer::{ChunkLimits, IndexOptions, TextDocument};
use lab::evaluation::{BeirOptions, BeirSet};
use lab::synthesis::Row;
use lab::train::Example;
use qwen3::EmbedHandle;
use storage::{IndexModel, Passage, Snapshot, View};

use super::{MineArgs, in_file};
use crate::commands::lab::beir;
use crate::commands::lab::train::scratch::{Scratch, folder_sources};
use crate::paths;
use crate::settings::Settings;

/// Tokens of a passage where answers are whole texts: negatives are so too, or their length would give them away. A model
/// that reads less cuts them.
const WHOLE: ChunkLimits = ChunkLimits { target: 2048, max: 2048 };

/// An example with what is known of its answers.
pub(super) struct Task {
    pub(super) row: Row,
    /// Paths of documents that are no negatives: the answers', where the corpus calls them so.
    own: Arc<HashSet<String>>,
}

/// The texts that negatives come from.
pub(super) enum Corpus {
    Scratch(Scratch),
    Indexed(Arc<View>),
}

impl Corpus {
    pub(super) fn view(&self) -> &View {
        match self {
            Self::Scratch(scratch) => scratch.view(),
            Self::Indexed(view) => view,
        }
    }

    /// Whether a passage belongs to an answer of the task's query.
    pub(super) fn is_own(&self, task: &Task, passage: &Passage) -> bool {
        let document = &passage.document;
        // Rows from several folders name the folder too.
        task.own.contains(&document.path) || task.own.contains(&format!("{}/{}", document.source, document.path))
    }
}

/// The tasks, and the corpus they are mined from.
pub(super) fn open(
    settings: &Settings,
    args: &MineArgs,
    model: (&EmbedHandle, &IndexModel),
    cancel: &AtomicBool,
) -> Result<(Vec<Task>, Corpus)> {
    let options = || -> Result<IndexOptions> { Ok(settings.extract.start()?.options()) };
    let folder = args.corpus.clone().or_else(|| args.beir.clone()).filter(|_| !args.indexed);
    let rows = match &args.beir {
        Some(folder) => judged(folder, args)?,
        None => rows(args.data.as_deref().context("no --data")?)?,
    };
    if rows.is_empty() {
        bail!("there is no example to mine for");
    }
    let corpus = match folder {
        Some(folder) if folder.join("corpus.jsonl").is_file() => {
            Corpus::Scratch(beir_index(&folder, &options()?, model, cancel)?)
        }
        Some(folder) => Corpus::Scratch(Scratch::of_folders(&folder_sources(&[folder])?, &options()?, model, cancel)?),
        None if args.indexed => Corpus::Indexed(indexed(settings, model.1)?),
        None => return responses(rows, &options()?, model, cancel),
    };
    Ok((tasks(rows), corpus))
}

/// The index in the data folder.
fn indexed(settings: &Settings, model: &IndexModel) -> Result<Arc<View>> {
    let folder = paths::data_dir(settings)?;
    let view = Snapshot::open(&folder)?.whole()?;
    if view.model().fingerprint != model.fingerprint {
        bail!(
            "the index in {} is made with {}, and not with {}: name its model with --model",
            folder.display(),
            view.model().describe(),
            model.describe()
        );
    }
    Ok(view)
}

fn rows(path: &Path) -> Result<Vec<Row>> {
    // The form is checked there; what else a line has is read here.
    let examples = Example::read_all(path)?;
    let lines = BufReader::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?).lines();
    let lines = lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
    let rows = examples.into_iter().zip(lines).map(|(example, line)| {
        let row: Row = serde_json::from_str(&line?)?;
        Ok(Row { example, ..row })
    });
    in_file(rows.collect(), path)
}

/// Tasks in which the answers' documents are those that the rows name.
fn tasks(rows: Vec<Row>) -> Vec<Task> {
    let mut by_query: HashMap<String, HashSet<String>> = HashMap::new();
    for row in &rows {
        let own = by_query.entry(row.example.query.clone()).or_default();
        own.extend(row.path.clone());
    }
    let by_query: HashMap<String, Arc<HashSet<String>>> =
        by_query.into_iter().map(|(query, own)| (query, Arc::new(own))).collect();
    rows.into_iter().map(|row| Task { own: by_query[&row.example.query].clone(), row }).collect()
}

/// The responses themselves as a corpus: each is a document, named by its number.
fn responses(
    rows: Vec<Row>,
    options: &IndexOptions,
    model: (&EmbedHandle, &IndexModel),
    cancel: &AtomicBool,
) -> Result<(Vec<Task>, Corpus)> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut texts = Vec::new();
    let mut of_query: HashMap<&str, HashSet<String>> = HashMap::new();
    let mut of_path: HashMap<&str, HashSet<String>> = HashMap::new();
    for row in &rows {
        let number = *numbers.entry(&row.example.response).or_insert_with(|| {
            texts.push(TextDocument {
                path: texts.len().to_string(),
                text: row.example.response.clone(),
                ..TextDocument::default()
            });
            texts.len() - 1
        });
        of_query.entry(&row.example.query).or_default().insert(number.to_string());
        if let Some(path) = &row.path {
            of_path.entry(path).or_default().insert(number.to_string());
        }
    }
    let own: Vec<Arc<HashSet<String>>> = rows
        .iter()
        .map(|row| {
            let same_document = row.path.as_deref().and_then(|path| of_path.get(path)).into_iter().flatten();
            Arc::new(of_query[row.example.query.as_str()].iter().chain(same_document).cloned().collect())
        })
        .collect();
    let options = IndexOptions { chunk: WHOLE, ..options.clone() };
    let scratch = Scratch::of_texts(texts.into_iter(), &options, model, cancel)?;
    let tasks = rows.into_iter().zip(own).map(|(row, own)| Task { row, own }).collect();
    Ok((tasks, Corpus::Scratch(scratch)))
}

/// One example for each answer that is judged good.
fn judged(folder: &Path, args: &MineArgs) -> Result<Vec<Row>> {
    let options = BeirOptions { queries: args.queries(folder), qrels: args.qrels(folder), language: None };
    let set = BeirSet::open(folder, &options)?;
    let good = |grade: &i32| *grade > 0;
    let wanted: HashSet<&String> = set
        .queries
        .iter()
        .flat_map(|query| query.grades.iter().filter(|(_, grade)| good(grade)).map(|(id, _)| id))
        .collect();
    let mut texts: HashMap<String, String> = HashMap::new();
    for document in set.corpus()? {
        let document = document?;
        if wanted.contains(&document.id) {
            texts.insert(document.id.clone(), full_text(&document.title, &document.text));
        }
    }
    let mut rows = Vec::new();
    for query in &set.queries {
        let mut ids: Vec<&String> = query.grades.iter().filter(|(_, grade)| good(grade)).map(|(id, _)| id).collect();
        ids.sort();
        for id in ids {
            // Judged and not in the corpus, or without text: no example.
            let Some(response) = texts.get(id).filter(|text| !text.trim().is_empty()) else { continue };
            let example = Example {
                query: query.text.clone(),
                response: response.clone(),
                rejected_response: Vec::new(),
                scores: Vec::new(),
            };
            rows.push(Row { example, rule: None, path: Some(id.clone()), passage: None });
        }
    }
    Ok(rows)
}

/// A document's text as it is embedded: below its title.
fn full_text(title: &str, text: &str) -> String {
    if title.trim().is_empty() { text.to_owned() } else { format!("{}\n{text}", title.trim()) }
}

fn beir_index(
    folder: &Path,
    options: &IndexOptions,
    model: (&EmbedHandle, &IndexModel),
    cancel: &AtomicBool,
) -> Result<Scratch> {
    let mut failed = None;
    let options = IndexOptions { chunk: WHOLE, ..options.clone() };
    let texts = beir::texts(BeirSet::corpus_of(folder)?, &mut failed);
    let scratch = Scratch::of_texts(texts, &options, model, cancel)?;
    failed.map_or(Ok(scratch), |error| Err(anyhow!(error)))
}
