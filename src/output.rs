//! The terminal output for people.

mod fetched;

use std::cell::Cell;
use std::io::{IsTerminal, stderr, stdout};
use std::ops::Range;
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, Table, presets};
use indexer::{BacklogReport, Counters, Observer, Planned, RunReport};
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use searcher::{
    Answer, CLOSEST, Citation, ClosestDocument, DocumentHit, Effect, Expansion, Flaw, PassageHit, Reply, ReplyNote,
    Spelling, StruckSentence, Verdict,
};

use storage::Waiting;

use crate::plain::{shown, shown_lines};

pub(crate) use fetched::{FetchProgress, print_fetched};

/// Problems of a run that are listed one by one.
const MAX_PROBLEMS: usize = 10;

/// A plain table as wide as the terminal.
pub(crate) fn table(headers: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headers);
    table
}

pub(crate) fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

pub(crate) fn time(second: i64) -> String {
    jiff::Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
}

pub(crate) fn print_repairs(repairs: &[String]) {
    for repair in repairs {
        eprintln!("repaired: {}", shown(repair));
    }
}

/// Time between two lines of progress where there is no terminal to draw a bar on.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of one source: a bar on a terminal, a line now and then otherwise.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Files that have to be read.
    files: Cell<u64>,
    last_line: Cell<Instant>,
}

impl Progress {
    pub(crate) fn new(source: &str) -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "{prefix} {bar:24} {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(shown(source).into_owned());
        Self { bar, files: Cell::default(), last_line: Cell::new(Instant::now()) }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn planned(&self, plan: &Planned) {
        // Files differ a thousandfold: the bar, and what is left, go by bytes.
        self.bar.set_length(plan.bytes);
        self.files.set(plan.files);
    }

    fn progressed(&self, counters: &Counters) {
        self.bar.set_position(counters.bytes);
        let speed = counters.tokens as f64 / self.bar.elapsed().as_secs_f64().max(1e-3);
        let (files, all) = (HumanCount(counters.files), HumanCount(self.files.get()));
        let (chunks, speed) = (HumanCount(counters.chunks), HumanCount(speed as u64));
        let done = format!("{files} of {all} files, {chunks} chunks  {speed} tokens/s");
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            eprintln!("{}: {done}", self.bar.prefix());
        }
        self.bar.set_message(done);
    }

    fn waiting(&self, reason: Option<&str>) {
        let Some(reason) = reason else { return };
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            eprintln!("{}: waiting, {}", self.bar.prefix(), shown(reason));
        }
        self.bar.set_message(format!("waiting, {}", shown(reason)));
    }
}

/// Progress of vectors that are still to come, by the bytes of their texts.
pub(crate) struct BacklogProgress {
    bar: ProgressBar,
    all: u64,
    last_line: Cell<Instant>,
}

impl BacklogProgress {
    pub(crate) fn new(waiting: Waiting) -> Self {
        let Waiting { documents, passages, bytes } = waiting;
        eprintln!(
            "embedding: {} passages of {} documents, which are found by their words meanwhile",
            HumanCount(passages),
            HumanCount(documents)
        );
        let bar = if stderr().is_terminal() { ProgressBar::new(bytes) } else { ProgressBar::hidden() };
        let template = "embedding {bar:24} {bytes}/{total_bytes}  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_length(bytes);
        Self { bar, all: bytes, last_line: Cell::new(Instant::now()) }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for BacklogProgress {
    fn planned(&self, _: &Planned) {}

    fn progressed(&self, counters: &Counters) {
        let speed = counters.tokens as f64 / self.bar.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(format!("{} tokens/s", HumanCount(speed as u64)));
    }

    fn waiting(&self, reason: Option<&str>) {
        let Some(reason) = reason else { return };
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            eprintln!("embedding: waiting, {}", shown(reason));
        }
        self.bar.set_message(format!("waiting, {}", shown(reason)));
    }

    fn backlog(&self, left: &Waiting) {
        let done = self.all.saturating_sub(left.bytes);
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY && done > 0 {
            self.last_line.set(Instant::now());
            let seconds = self.bar.elapsed().as_secs_f64() * left.bytes as f64 / done as f64;
            let time = HumanDuration(Duration::from_secs_f64(seconds));
            eprintln!("embedding: {} passages to go, about {time}", HumanCount(left.passages));
        }
    }
}

/// Progress of something that a server does, in what it counts.
pub(crate) struct StageProgress {
    bar: ProgressBar,
    last_line: Cell<Instant>,
}

impl StageProgress {
    pub(crate) fn new(stage: &str, unit: &str) -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = format!("{{prefix}} {{bar:24}} {{pos}}/{{len}} {unit}  {{msg}}");
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(stage.replace('_', " "));
        Self { bar, last_line: Cell::new(Instant::now()) }
    }

    /// So much is done of `all`, where that is known (0: it is not), or it waits for a model.
    pub(crate) fn show(&self, done: u64, all: u64, waiting_for: Option<&str>) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        let waiting = waiting_for.map(|reason| format!("waiting, {}", shown(reason))).unwrap_or_default();
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            eprintln!("{}: {done} of {all} {waiting}", self.bar.prefix());
        }
        self.bar.set_message(waiting);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What was embedded.
pub(crate) fn print_backlog(report: &BacklogReport) {
    let BacklogReport { embedded, tokens, refused, .. } = report;
    eprintln!("embedding: {} passages ({} tokens)", HumanCount(*embedded), HumanCount(*tokens));
    if *refused > 0 {
        eprintln!(
            "embedding: the model failed on {refused} passages, which are found by their words alone; RUST_LOG=warn says why"
        );
    }
}

/// What is still to come, if anything is.
pub(crate) fn print_waiting(waiting: &Waiting) {
    if !waiting.is_over() {
        eprintln!(
            "{} passages are found by their words alone so far; the next `quarry index`, or a server, embeds them",
            HumanCount(waiting.passages)
        );
    }
}

/// One paragraph on what a run did. Silent when nothing changed.
pub(crate) fn print_run(source: &str, report: &RunReport) {
    let source = shown(source);
    for problem in report.problems.iter().take(MAX_PROBLEMS) {
        eprintln!("{source}: not read: {}", shown(problem));
    }
    if report.unlisted > 0 {
        let folders = report.unlisted;
        eprintln!("{source}: {folders} folders could not be listed; `quarry status --files unreadable` says why");
    }
    if report.problems.len() > MAX_PROBLEMS {
        eprintln!("{source}: and {} more that were not read", report.problems.len() - MAX_PROBLEMS);
    }
    let trouble = report.unreadable + report.failed;
    if report.indexed + report.partly + report.skipped + report.removed + trouble == 0 {
        return;
    }
    let seconds = report.elapsed.as_secs_f64();
    eprintln!(
        "{source}: {} indexed, {} partly, {} unchanged, {} skipped, {} removed; {} passages, {} embedded ({} tokens) in {:.1} s",
        report.indexed,
        report.partly,
        report.unchanged,
        report.skipped,
        report.removed,
        HumanCount(report.chunks),
        HumanCount(report.embedded),
        HumanCount(report.tokens),
        seconds,
    );
    if trouble > 0 {
        eprintln!(
            "{source}: {trouble} files could not be read; `quarry status --files unreadable` and `--files failed` say why"
        );
    }
}

/// Bold and dim text where the terminal shows it.
struct Style {
    on: bool,
}

impl Style {
    fn wrap(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    fn title(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn quiet(&self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Marked words: coloured on a terminal, between `**` elsewhere.
    fn mark(&self, text: &str) -> String {
        if self.on { self.wrap("1;33", text) } else { format!("**{text}**") }
    }
}

/// The answer as a list to read.
pub(crate) fn print_answer(answer: &Answer) {
    let style = Style { on: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    for note in &answer.notes {
        eprintln!("note: {}", shown(&note.to_string()));
    }
    if let Some(spelling) = &answer.spelling {
        print_spelling(spelling);
    }
    for Expansion { typed, also, .. } in &answer.expanded {
        eprintln!("note: for \"{}\", also looked for: {}", shown(typed), shown(&also.join(", ")));
    }
    if answer.results.is_empty() {
        println!("Nothing found. Fewer or other words may help; `quarry status` shows what is indexed.");
    }
    let is_unlikely = answer.answerable.is_some_and(|answerable| answerable.verdict == Verdict::Unlikely);
    if is_unlikely && !answer.results.is_empty() {
        println!("Nothing fits well. Closest:\n");
    }
    let printed = if is_unlikely { CLOSEST } else { answer.results.len() };
    for (rank, hit) in answer.results.iter().take(printed).enumerate() {
        print_hit(&style, rank + 1, hit);
    }
    let time = HumanDuration(Duration::from_secs_f64(answer.timings.total_ms / 1000.0));
    let time =
        if answer.timings.total_ms < 1000.0 { format!("{:.1} ms", answer.timings.total_ms) } else { time.to_string() };
    let reranked = if answer.reranked > 0 { format!(", {} passages reranked", answer.reranked) } else { String::new() };
    println!("{}", style.quiet(&format!("{} of {} documents in {time}{reranked}", answer.results.len(), answer.total)));
}

/// A reply as text to read: the sentences with the numbers of their sources, and the sources below.
pub(crate) fn print_reply(reply: &Reply) {
    let style = Style { on: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    if reply.is_rewritten {
        eprintln!("note: asked as \"{}\"", shown(&reply.question));
    }
    if reply.sentences.is_empty() {
        let is_likely = reply.answerable.is_some_and(|answerable| answerable.verdict == Verdict::Likely);
        let said = match is_likely {
            true => "No sentence of your documents answers this for sure.",
            false => "Your documents do not seem to answer this.",
        };
        println!("{said}{}", if reply.closest.is_empty() { "" } else { " Closest:" });
    }
    for note in &reply.notes {
        eprintln!("note: {}", reply_note(*note));
    }
    for sentence in &reply.sentences {
        let numbers: String = sentence.citations.iter().map(|number| format!(" [{number}]")).collect();
        if let Some(header) = &sentence.header {
            println!("{}", style.quiet(&shown_lines(header)));
        }
        println!("{}{}", shown_lines(&sentence.text), style.quiet(&numbers));
    }
    for StruckSentence { text, flaw } in &reply.struck {
        println!("{}", style.quiet(&format!("not proved ({}): {}", flaw_of(flaw), shown(text))));
    }
    println!();
    for Citation { number, title, source, path, lines: own, place, url, .. } in &reply.citations {
        let at = place.as_ref().map_or_else(|| lines(own), ToString::to_string);
        let origin = url.as_ref().map(|url| format!("  {url}")).unwrap_or_default();
        println!(
            "[{number}] {}  {}",
            style.title(&shown(title)),
            style.quiet(&shown(&format!("{source}/{path}  {at}{origin}")))
        );
    }
    for ClosestDocument { title, source, path, .. } in &reply.closest {
        println!("  {}  {}", style.title(&shown(title)), style.quiet(&shown(&format!("{source}/{path}"))));
    }
}

/// What a note says.
fn reply_note(note: ReplyNote) -> String {
    match note {
        ReplyNote::WriterFailed => {
            "the writer gave no answer, or broke off; --quoted does not ask it, RUST_LOG=warn says why".to_owned()
        }
        ReplyNote::Unproved => {
            "too little of what the writer wrote was proved; this is what the documents say".to_owned()
        }
        ReplyNote::Cut => "the writer was cut at answers.max_tokens".to_owned(),
        ReplyNote::Repeated => "the writer began to repeat itself, and was cut".to_owned(),
        ReplyNote::MeaningLacks => {
            "not all passages could be compared by meaning yet, so an answer may have been missed; `quarry status` says how many"
                .to_owned()
        }
        ReplyNote::PassagesLeftOut { passages } => format!("the writer had no room for {passages} of the passages"),
    }
}

/// Why a sentence is not shown as true.
fn flaw_of(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Uncited => "it cites nothing".to_owned(),
        Flaw::NoSuchPassage(number) => format!("there is no passage {number}"),
        Flaw::Misquoted(quote) => format!("its passage does not say \"{}\"", shown(quote)),
        Flaw::Figure(figure) => format!("its passage does not say {}", shown(figure)),
        Flaw::Name(name) => format!("its passage does not name {}", shown(name)),
        Flaw::Address => "it holds a web address".to_owned(),
        Flaw::Negation => "its passage says the opposite".to_owned(),
        Flaw::Unsupported => "it does not follow from its passage".to_owned(),
        Flaw::TooLong => "it is too long".to_owned(),
    }
}

fn print_spelling(spelling: &Spelling) {
    if let Some(corrected) = &spelling.corrected {
        eprintln!("note: showing results for \"{}\"; --no-correct searches for what was typed", shown(corrected));
    }
    if let Some(meant) = &spelling.did_you_mean {
        eprintln!("note: did you mean \"{}\"?", shown(meant));
    }
}

fn print_hit(style: &Style, rank: usize, hit: &DocumentHit) {
    println!(
        "{rank}. {}  {}",
        style.title(&shown(&hit.title)),
        style.quiet(&shown(&format!("{}/{}  {}", hit.source, hit.path, dated(hit))))
    );
    if let Some(url) = &hit.url {
        println!("   {}", style.quiet(&shown(url)));
    }
    for effect in &hit.effects {
        println!("   {}", style.quiet(&shown(&said_of(effect))));
    }
    for passage in &hit.passages {
        let place = place(hit, passage);
        println!("   {}", style.quiet(&shown(&place)));
        let text = marked(style, &passage.snippet, &passage.highlights);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            println!("     {line}");
        }
    }
    for copy in &hit.copies {
        println!("   {}", style.quiet(&shown(&format!("also in {}/{}", copy.source, copy.path))));
    }
    println!();
}

/// What a rule of the ranking did.
fn said_of(effect: &Effect) -> String {
    let because = |because: &Option<String>| because.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    match effect {
        Effect::Pin { because: text } => format!("put first for this question{}", because(text)),
        Effect::Boost { factor, because: text } => format!("counts {factor} times by a rule{}", because(text)),
        Effect::Page { page, factor } => format!("{page}: counts {factor} times"),
        Effect::Age { factor } => format!("by its age, counts {factor:.2} times"),
        Effect::Language { factor } => format!("in the reader's language: counts {factor} times"),
    }
}

/// The day of a document's last change, and where that date comes from.
fn dated(hit: &DocumentHit) -> String {
    let day = jiff::Timestamp::from_second(hit.modified).map(|time| time.strftime("%Y-%m-%d").to_string());
    let from = hit.date_from.as_ref().map(|from| format!(" ({from})")).unwrap_or_default();
    format!("{}{from}", day.unwrap_or_default())
}

/// Where the passage is and why it was found.
fn place(hit: &DocumentHit, passage: &PassageHit) -> String {
    let headings = passage.headings.iter().filter(|heading| **heading != hit.title);
    let headings = headings.chain(&passage.section).map(String::as_str).collect::<Vec<_>>().join(" > ");
    let at = passage.place.as_ref().map_or_else(|| lines(&passage.lines), ToString::to_string);
    let mut why = vec![format!("score {:.4}", passage.score)];
    why.extend(passage.lexical.map(|place| format!("BM25 #{}", place.rank)));
    why.extend(passage.vector.map(|place| format!("vector #{} ({:.2})", place.rank, place.score)));
    why.extend(passage.reranker.map(|relevance| format!("reranker {relevance:.3}")));
    let separator = if headings.is_empty() { "" } else { "  " };
    format!("{headings}{separator}{at}  [{}]", why.join(", "))
}

fn lines(lines: &Range<u32>) -> String {
    let last = lines.end.saturating_sub(1).max(lines.start);
    if last == lines.start { format!("line {last}") } else { format!("lines {}-{last}", lines.start) }
}

fn marked(style: &Style, text: &str, spans: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len() + spans.len() * 8);
    let mut at = 0;
    for span in spans {
        let (Some(before), Some(inside)) = (text.get(at..span.start), text.get(span.clone())) else { continue };
        out.push_str(&shown_lines(before));
        out.push_str(&style.mark(&shown_lines(inside)));
        at = span.end;
    }
    out.push_str(&shown_lines(text.get(at..).unwrap_or_default()));
    out
}
