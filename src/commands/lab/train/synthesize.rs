//! `quarry train synthesize`: training pairs from folders of documents, by rules or by a language model.

#[cfg(feature = "hub")]
mod asked;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use indexer::{IndexOptions, ReadDocument, ReadReport, WalkOptions, detect_language, read_documents};
use lab::synthesis::{
    Candidate, Decision, Fault, Found, Out, Pair, PairFilter, PairLimits, Row, Rule, Sieve, Spool, pairs,
};
use qwen3::EmbedHandle;
use storage::{IndexModel, Source};

use super::scratch::{Scratch, folder_sources};
use crate::output::table;
use crate::plain::shown;
use crate::settings::Settings;
use crate::{interrupt, models};

/// Pairs that are judged together.
const BATCH: usize = 64;

/// Time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The least cosine of a pair for models of the Qwen3 embedding series, as their report filters.
const MIN_COSINE: f32 = 0.7;

/// The same for the model in the binary, whose cosines are smaller.
const MIN_COSINE_BUNDLED: f32 = 0.2;

#[derive(Debug, Clone, Args)]
pub(super) struct SynthesizeArgs {
    /// Folders of documents.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// The file of examples to make: JSON lines with "query", "response", "rule" and "path".
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Rules to go by, with commas: title, description, heading, question, definition, docstring, name, subject, caption
    /// [default: all].
    #[arg(long, value_delimiter = ',', value_parser = rule, value_name = "RULE")]
    rules: Vec<Rule>,
    /// Examples to make at the most; which ones is drawn by lot.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Decides the lots.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Only documents in this language (ISO 639-1); source code has none and goes with any.
    #[arg(long, value_name = "CODE")]
    lang: Option<String>,
    /// Patterns to leave out, as in .gitignore.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Keep a pair only if the model finds query and passage near, and a search for the query finds the passage.
    #[arg(long)]
    filter: bool,
    /// How near: the least cosine [default: 0.7, for the model in the binary 0.2].
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    min_cosine: Option<f32>,
    /// Documents among which the search has to find it.
    #[arg(long, default_value_t = 20, value_name = "K")]
    top: usize,
    #[command(flatten)]
    asked: AskedArgs,
}

/// Queries from a language model instead of rules.
#[derive(Debug, Clone, Args)]
struct AskedArgs {
    /// Have a language model write the queries, behind an OpenAI-compatible endpoint such as http://127.0.0.1:8000/v1.
    /// Passages are sent there. A key is taken from QUARRY_LLM_KEY. Every pair is filtered (see --filter), and a run that
    /// was ended goes on where it was.
    #[arg(long, value_name = "URL", requires = "llm", conflicts_with = "rules")]
    endpoint: Option<String>,
    /// Name of the language model.
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    llm: Option<String>,
    /// Passages that are asked about at once.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Seconds to wait for an answer.
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Tokens that an answer may have, thoughts included.
    #[arg(long, default_value_t = 1024, value_name = "N")]
    max_tokens: u32,
    /// Allow an endpoint on another machine without encryption.
    #[arg(long, requires = "endpoint")]
    allow_remote_http: bool,
    /// Keep every query that the language model writes.
    #[arg(long, requires = "endpoint", conflicts_with = "filter")]
    no_filter: bool,
}

fn rule(name: &str) -> Result<Rule, String> {
    let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    let known = Rule::ALL.into_iter().find(|rule| rule.name() == name);
    known.ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

pub(super) fn run(settings: &Settings, args: &SynthesizeArgs) -> Result<ExitCode> {
    if args.asked.endpoint.is_some() {
        return ask(settings, args);
    }
    if args.min_cosine.is_some() && !args.filter {
        bail!("--min-cosine is the filter's: say --filter too");
    }
    by_rules(settings, args)
}

#[cfg(feature = "hub")]
fn ask(settings: &Settings, args: &SynthesizeArgs) -> Result<ExitCode> {
    asked::run(settings, args)
}

#[cfg(not(feature = "hub"))]
fn ask(_: &Cli, _: &SynthesizeArgs, _: &Settings) -> Result<ExitCode> {
    bail!(
        "this quarry was built without the feature `hub` and has no HTTP client; without --endpoint, rules make pairs"
    )
}

fn by_rules(settings: &Settings, args: &SynthesizeArgs) -> Result<ExitCode> {
    let sources = folder_sources(&args.folders)?;
    let options =
        IndexOptions { walk: WalkOptions { exclude: args.exclude.clone() }, ..settings.extract.start()?.options() };
    let cancel = interrupt::on_interrupt()?;
    let mut harvest = Harvest::new(args)?;
    for source in &sources {
        let report = harvest.read(source, sources.len() > 1, &options, &cancel)?;
        for problem in &report.problems {
            eprintln!("{}: not read: {}", shown(&source.name), shown(problem));
        }
        if report.interrupted {
            eprintln!("stopped; nothing was written");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
    }
    let filter = if args.filter { Some(filter(settings, args, &sources, &options, &cancel)?) } else { None };
    let tally = harvest.write(filter.as_ref().map(|indexed| &indexed.filter), &cancel)?;
    if tally.interrupted {
        eprintln!("stopped; nothing was written");
        return Ok(ExitCode::from(interrupt::INTERRUPTED));
    }
    tally.print(&args.out);
    Ok(ExitCode::SUCCESS)
}

fn filter(
    settings: &Settings,
    args: &SynthesizeArgs,
    sources: &[Source],
    options: &IndexOptions,
    cancel: &AtomicBool,
) -> Result<IndexedFilter> {
    let (embedder, model) = models::embedder(settings)?;
    args.filter(sources, options, (&embedder, &model), cancel)
}

/// The filter, with the index that it searches.
struct IndexedFilter {
    filter: PairFilter,
    /// Removed with it.
    _scratch: Scratch,
}

impl SynthesizeArgs {
    fn filter(
        &self,
        sources: &[Source],
        options: &IndexOptions,
        (embedder, model): (&EmbedHandle, &IndexModel),
        cancel: &AtomicBool,
    ) -> Result<IndexedFilter> {
        let usual = if model.name == models::BUNDLED { MIN_COSINE_BUNDLED } else { MIN_COSINE };
        let scratch = Scratch::of_folders(sources, options, (embedder, model), cancel)?;
        let view = Arc::clone(scratch.view());
        let filter = PairFilter::new(embedder.clone(), view, self.min_cosine.unwrap_or(usual), self.top);
        Ok(IndexedFilter { filter, _scratch: scratch })
    }

    /// Whether a document is in another language than the one wanted.
    fn is_foreign(&self, language: Option<&str>) -> bool {
        self.lang.as_deref().zip(language).is_some_and(|(wanted, own)| !own.eq_ignore_ascii_case(wanted))
    }

    /// Whether a pair is: pages may be translated in part.
    fn is_foreign_pair(&self, pair: &Pair) -> bool {
        let Some(wanted) = self.lang.as_deref().filter(|_| !pair.rule.is_code()) else { return false };
        let is_english = wanted.eq_ignore_ascii_case("en");
        // Queries are too short to tell by their words.
        if is_english && pair.query.chars().any(|c| c.is_alphabetic() && !c.is_ascii()) {
            return true;
        }
        match detect_language(&pair.response) {
            None if is_english => !has_english_words(&pair.response),
            own => self.is_foreign(own.or(pair.language.as_deref())),
        }
    }
}

/// Whether a tenth of the words are such as every English text has.
fn has_english_words(text: &str) -> bool {
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let common = words().filter(|word| storage::is_stopword(&word.to_lowercase())).count();
    common * 10 >= words().count()
}

/// Pairs as they come from the rules.
struct Harvest<'a> {
    args: &'a SynthesizeArgs,
    spool: Spool<Pair>,
    sieve: Sieve,
    rules: Vec<Rule>,
    tally: Tally,
    last_line: Instant,
}

/// What was kept and dropped.
#[derive(Default)]
struct Tally {
    documents: u64,
    unread: u64,
    left_out: u64,
    found: u64,
    kept: BTreeMap<Rule, u64>,
    dropped: BTreeMap<(Fault, Rule), u64>,
    interrupted: bool,
}

impl<'a> Harvest<'a> {
    fn new(args: &'a SynthesizeArgs) -> Result<Self> {
        Ok(Self {
            args,
            spool: Spool::beside(&args.out)?,
            sieve: Sieve::new(args.seed),
            rules: if args.rules.is_empty() { Rule::ALL.to_vec() } else { args.rules.clone() },
            tally: Tally::default(),
            last_line: Instant::now(),
        })
    }

    fn read(
        &mut self,
        source: &Source,
        has_sources: bool,
        options: &IndexOptions,
        cancel: &AtomicBool,
    ) -> Result<ReadReport> {
        let (rules, limits) = (self.rules.clone(), PairLimits::default());
        let make = |mut document: ReadDocument| {
            if has_sources {
                document.path = format!("{}/{}", source.name, document.path);
            }
            pairs(&document, &rules, &limits)
        };
        let mut failed = None;
        let report = read_documents(&source.root, options, cancel, make, |found| match self.take(found) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        self.tally.unread += report.unread;
        failed.map_or(Ok(report), Err)
    }

    fn take(&mut self, found: Found) -> Result<()> {
        let tally = &mut self.tally;
        tally.documents += 1;
        tally.left_out += u64::from(found.left_out.is_some());
        tally.found += (found.pairs.len() + found.dropped.len()) as u64;
        for (rule, fault) in found.dropped {
            tally.drop(rule, fault);
        }
        for pair in found.pairs {
            if self.args.is_foreign_pair(&pair) {
                tally.drop(pair.rule, Fault::Language);
                continue;
            }
            self.sieve.note(&pair);
            self.spool.push(&pair)?;
        }
        if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{} documents, {} pairs found", tally.documents, tally.found);
        }
        Ok(())
    }

    /// Writes what stays.
    fn write(self, filter: Option<&PairFilter>, cancel: &AtomicBool) -> Result<Tally> {
        let Self { args, spool, sieve, mut tally, .. } = self;
        let decisions = sieve.judge(args.limit);
        let mut out = Out::create(&args.out)?;
        let mut batch = Vec::new();
        let mut rows = spool.read()?;
        for decision in decisions {
            let Some(pair) = rows.next() else { bail!("the spool ended early; is the disk full?") };
            let mut pair = pair?;
            match decision {
                Decision::Drop(fault) => {
                    tally.drop(pair.rule, fault);
                    continue;
                }
                Decision::KeepWithContext => pair.query = pair.in_context().unwrap_or(pair.query),
                Decision::Keep => {}
            }
            batch.push(pair);
            if batch.len() >= BATCH {
                tally.write(&mut out, std::mem::take(&mut batch), filter)?;
                if cancel.load(std::sync::atomic::Ordering::Relaxed) {
                    return Ok(Tally { interrupted: true, ..tally });
                }
            }
        }
        tally.write(&mut out, batch, filter)?;
        out.finish()?;
        Ok(tally)
    }
}

fn candidate(pair: &Pair) -> Candidate<'_> {
    let is_rewritten = pair.rule.is_code() || matches!(pair.rule, Rule::Subject | Rule::Caption);
    Candidate { query: &pair.query, response: &pair.response, path: &pair.path, is_rewritten }
}

impl Tally {
    fn drop(&mut self, rule: Rule, fault: Fault) {
        *self.dropped.entry((fault, rule)).or_default() += 1;
    }

    fn write(&mut self, out: &mut Out, pairs: Vec<Pair>, filter: Option<&PairFilter>) -> Result<()> {
        let candidates: Vec<Candidate<'_>> = pairs.iter().map(candidate).collect();
        let faults = match filter {
            Some(filter) => filter.judge(&candidates)?,
            None => vec![None; pairs.len()],
        };
        for (pair, fault) in pairs.into_iter().zip(faults) {
            match fault {
                Some(fault) => self.drop(pair.rule, fault),
                None => {
                    *self.kept.entry(pair.rule).or_default() += 1;
                    out.push(&Row::from(pair))?;
                }
            }
        }
        Ok(())
    }

    fn print(&self, out: &Path) {
        let faults: BTreeMap<Fault, u64> =
            self.dropped.iter().fold(BTreeMap::new(), |mut sums, ((fault, _), count)| {
                *sums.entry(*fault).or_default() += count;
                sums
            });
        let mut rules = table(&["Rule", "Pairs", "Dropped", "Mostly because"]);
        for rule in Rule::ALL {
            let of_rule = || self.dropped.iter().filter(|((_, of), _)| *of == rule);
            let dropped: u64 = of_rule().map(|(_, count)| count).sum();
            let kept = self.kept.get(&rule).copied().unwrap_or(0);
            if kept + dropped > 0 {
                let most = of_rule().max_by_key(|(_, count)| **count);
                let why = most.map_or(String::new(), |((fault, _), count)| format!("{} ({count})", fault.describe()));
                rules.add_row([rule.name().to_string(), kept.to_string(), dropped.to_string(), why]);
            }
        }
        println!("{rules}");
        for (fault, count) in &faults {
            println!("dropped, {}: {count}", fault.describe());
        }
        let kept: u64 = self.kept.values().sum();
        println!(
            "{kept} pairs in {} from {} documents ({} left out as licences or lists of changes, {} without text)",
            out.display(),
            self.documents,
            self.left_out,
            self.unread
        );
    }
}
