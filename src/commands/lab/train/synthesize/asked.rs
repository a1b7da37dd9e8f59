//! Pairs whose queries a language model writes: the passages are chosen, asked about in parallel, and what comes back is
//! filtered and written line by line.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use indexer::{ChunkLimits, IndexOptions, PassageCutter, ReadDocument, WalkOptions, read_documents};
use lab::synthesis::{
    Asked, Candidate, Failure, Journal, Outcome, PairLimits, Row, Spool, Subject, ask_all, fault_of, is_material,
    journal_path,
};
use lab::train::Example;
use remote::{Chat, ChatOptions, Endpoint, Fault, Key, RemoteHttp};
use sha2::{Digest, Sha256};
use storage::Source;

use super::super::scratch::folder_sources;
use super::{IndexedFilter, LINE_EVERY, SynthesizeArgs};
use crate::settings::Settings;
use crate::{interrupt, models};

/// Passages that failed one after the other, from which the endpoint counts as broken.
const GIVE_UP: u32 = 5;

/// Variable that holds the key of the endpoint.
const KEY: &str = "QUARRY_LLM_KEY";

/// Queries are to differ.
const TEMPERATURE: f64 = 0.8;

/// How often an interruption is looked for.
const PATIENCE: Duration = Duration::from_millis(200);

pub(super) fn run(settings: &Settings, args: &SynthesizeArgs) -> Result<ExitCode> {
    let asked = &args.asked;
    let (url, model) = asked.endpoint.as_deref().zip(asked.llm.clone()).context("--endpoint and --llm go together")?;
    let remote = if asked.allow_remote_http { RemoteHttp::Allowed } else { RemoteHttp::Refused };
    let endpoint = Endpoint::parse(url, remote).map_err(|error| match error {
        Fault::Unencrypted(_) => anyhow!("--endpoint: {error}, or say --allow-remote-http"),
        _ => anyhow!("--endpoint: {error}"),
    })?;
    let sources = folder_sources(&args.folders)?;
    let options =
        IndexOptions { walk: WalkOptions { exclude: args.exclude.clone() }, ..settings.extract.start()?.options() };
    let mut journal = Journal::open(&args.out)?;
    let cancel = interrupt::on_interrupt()?;
    let (embedder, embedding) = models::embedder(settings)?;
    let filter =
        (!asked.no_filter).then(|| args.filter(&sources, &options, (&embedder, &embedding), &cancel)).transpose()?;
    let cutter = PassageCutter::for_model(&embedder, ChunkLimits::default())?;
    let Some(chosen) = Chosen::gather(args, &sources, &options, &cutter, &cancel)? else {
        eprintln!("stopped; nothing was asked");
        return Ok(ExitCode::from(interrupt::INTERRUPTED));
    };
    eprintln!(
        "passages are sent to {} (model {model}); {} of {} were asked about before",
        endpoint.host,
        chosen.hashes.iter().filter(|hash| journal.is_done(hash)).count(),
        chosen.hashes.len()
    );
    let options = ChatOptions {
        model,
        key: Key::of_variable(KEY)?,
        timeout: Duration::from_secs(asked.timeout),
        max_tokens: asked.max_tokens,
        temperature: TEMPERATURE,
    };
    let chat = Chat::new(endpoint, options);
    let run = Run { args, chat, filter, cancel: &cancel };
    let ended = run.ask(chosen, &mut journal);
    print(&journal, &args.out);
    match ended? {
        Ended::Done => Ok(ExitCode::SUCCESS),
        Ended::Interrupted => {
            eprintln!("stopped; what was done is kept. Run the same command again to continue.");
            Ok(ExitCode::from(interrupt::INTERRUPTED))
        }
    }
}

/// The passages to ask about.
struct Chosen {
    spool: Spool<Subject>,
    hashes: HashSet<String>,
}

impl Chosen {
    /// All passages that are worth it, or as many as are wanted, by lot; `None` if it was interrupted.
    fn gather(
        args: &SynthesizeArgs,
        sources: &[Source],
        options: &IndexOptions,
        cutter: &PassageCutter,
        cancel: &AtomicBool,
    ) -> Result<Option<Self>> {
        let mut spool = Spool::beside(&args.out)?;
        let (mut seen, mut lots) = (HashSet::new(), Vec::new());
        for source in sources {
            let prefix = if sources.len() > 1 { format!("{}/", source.name) } else { String::new() };
            let make = |document: ReadDocument| match args.is_foreign(document.text.language.as_deref()) {
                true => Vec::new(),
                false => subjects(&document, &prefix, cutter),
            };
            let mut failed = None;
            let take = |subjects: Vec<Subject>| {
                for subject in subjects.into_iter().filter(|subject| seen.insert(subject.hash.clone())) {
                    lots.push((lot(&subject.hash, args.seed), subject.hash.clone()));
                    if let Err(error) = spool.push(&subject) {
                        failed = Some(error);
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            };
            let report = read_documents(&source.root, options, cancel, make, take)?;
            if let Some(error) = failed {
                return Err(error).context("cannot keep the passages; is the disk full?");
            }
            if report.interrupted {
                return Ok(None);
            }
        }
        lots.sort_unstable();
        lots.truncate(args.limit.unwrap_or(usize::MAX));
        Ok(Some(Self { spool, hashes: lots.into_iter().map(|(_, hash)| hash).collect() }))
    }
}

/// The passages of a document that can be asked about.
fn subjects(document: &ReadDocument, prefix: &str, cutter: &PassageCutter) -> Vec<Subject> {
    if !is_material(document) {
        return Vec::new();
    }
    let subject = |chunk: indexer::ChunkText| Subject {
        hash: hash(&chunk.headings, &chunk.text),
        path: format!("{prefix}{}", document.path),
        headings: chunk.headings,
        text: chunk.text,
        language: document.text.language.clone(),
    };
    // A passage that no query would fit is not sent either.
    let is_fit = |subject: &Subject| fault_of("any query at all", &subject.text, &limits()).is_none();
    cutter.passages(&document.text).into_iter().map(subject).filter(is_fit).collect()
}

/// What a passage is known by: the same text under the same headings is asked about once.
fn hash(headings: &[String], text: &str) -> String {
    let digest = Sha256::digest(format!("{}\n\n{text}", headings.join("\n")));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Passages are as long as the index makes them; short ones say too little to ask for.
fn limits() -> PairLimits {
    PairLimits { response: (20, usize::MAX), ..PairLimits::default() }
}

/// A number to choose by.
fn lot(hash: &str, seed: u64) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(hash.bytes());
    let state =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (state ^ state >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

enum Ended {
    Done,
    Interrupted,
}

struct Run<'a> {
    args: &'a SynthesizeArgs,
    chat: Chat,
    filter: Option<IndexedFilter>,
    cancel: &'a AtomicBool,
}

impl Run<'_> {
    fn ask(&self, chosen: Chosen, journal: &mut Journal) -> Result<Ended> {
        let wanted: HashSet<String> = chosen.hashes.into_iter().filter(|hash| !journal.is_done(hash)).collect();
        let total = wanted.len();
        let mut subjects = chosen.spool.read()?;
        let stop = &AtomicBool::new(false);
        let parallel = usize::from(self.args.asked.parallel);
        std::thread::scope(|scope| {
            let (subjects_in, subjects_out) = bounded::<Subject>(parallel);
            let (answers_in, answers_out) = bounded::<Asked>(parallel);
            let feeder = scope.spawn(move || -> Result<()> {
                subjects.try_for_each(|subject| {
                    let subject = subject?;
                    // A closed channel means that nobody asks any more; that has its own reason.
                    if !stop.load(Ordering::Relaxed) && wanted.contains(&subject.hash) {
                        let _ = subjects_in.send(subject);
                    }
                    Ok(())
                })
            });
            for _ in 0..parallel {
                let (subjects_out, answers_in) = (subjects_out.clone(), answers_in.clone());
                scope.spawn(move || ask_all(&self.chat, self.args.seed, &subjects_out, &answers_in, stop));
            }
            drop((subjects_out, answers_in));
            let ended = self.take(&answers_out, total, journal);
            stop.store(true, Ordering::Relaxed);
            // Whoever waits to hand over an answer finds nobody, and ends.
            drop(answers_out);
            let ended = ended?;
            match feeder.join() {
                Ok(fed) => fed?,
                Err(_) => bail!("the thread that reads passages panicked: a bug"),
            }
            Ok(ended)
        })
    }

    /// Takes answers until there are no more.
    fn take(&self, answers: &Receiver<Asked>, total: usize, journal: &mut Journal) -> Result<Ended> {
        let (mut taken, mut failures, mut failed, mut last_line) = (0, 0, 0, Instant::now());
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(Ended::Interrupted);
            }
            let asked = match answers.recv_timeout(PATIENCE) {
                Ok(asked) => asked,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            taken += 1;
            match asked.query {
                Ok(ref query) => {
                    failures = 0;
                    self.judge(query, &asked, journal)?;
                }
                Err(Failure::Rubbish(reason)) => {
                    failures = 0;
                    if !journal.outcomes.contains_key(&Outcome::Rubbish) {
                        eprintln!("an answer could not be read: {reason}; passages with such answers are passed over");
                    }
                    journal.note(&asked.subject.hash, Outcome::Rubbish, asked.tokens)?;
                }
                Err(Failure::Chat(error @ Fault::Refused { .. })) => {
                    let hint = format!("the endpoint refuses; its key is taken from {KEY}");
                    return Err(anyhow::Error::from(error).context(hint));
                }
                Err(Failure::Chat(error)) => {
                    (failures, failed) = (failures + 1, failed + 1);
                    if failures >= GIVE_UP {
                        let given_up = "the endpoint failed again and again; what was done is kept, and the same command continues";
                        return Err(anyhow::Error::from(error).context(given_up));
                    }
                }
            }
            if last_line.elapsed() >= LINE_EVERY {
                last_line = Instant::now();
                let tokens = journal.tokens;
                eprintln!("{taken} of {total} passages, {} tokens read and {} written", tokens.read, tokens.written);
            }
        }
        if failed > 0 {
            eprintln!("{failed} passages failed at the endpoint; the same command asks about them again");
        }
        Ok(Ended::Done)
    }

    fn judge(&self, query: &str, asked: &Asked, journal: &mut Journal) -> Result<()> {
        let Asked { subject, tokens, .. } = asked;
        let mut fault = fault_of(query, &subject.text, &limits());
        if fault.is_none()
            && let Some(filter) = &self.filter
        {
            let candidate = Candidate { query, response: &subject.text, path: &subject.path, is_rewritten: false };
            fault = filter.filter.judge(&[candidate])?.into_iter().next().flatten();
        }
        if let Some(fault) = fault {
            return Ok(journal.note(&subject.hash, fault.into(), *tokens)?);
        }
        let example = Example {
            query: query.to_owned(),
            response: subject.text.clone(),
            rejected_response: Vec::new(),
            scores: Vec::new(),
        };
        let (path, passage) = (Some(subject.path.clone()), Some(subject.hash.clone()));
        Ok(journal.keep(&subject.hash, &Row { example, rule: None, path, passage }, *tokens)?)
    }
}

fn print(journal: &Journal, out: &Path) {
    let kept = journal.outcomes.get(&Outcome::Kept).copied().unwrap_or(0);
    println!("{kept} pairs of {} passages in {}", journal.done(), out.display());
    for (outcome, count) in journal.outcomes.iter().filter(|(outcome, _)| **outcome != Outcome::Kept) {
        println!("dropped, {}: {count}", outcome.describe());
    }
    println!("tokens of all runs: {} read, {} written", journal.tokens.read, journal.tokens.written);
    println!("what was asked is noted in {}", journal_path(out).display());
}
