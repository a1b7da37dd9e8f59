//! `quarry push`: documents of other systems, as a program hands them over, into a running server.
//!
//! A program that can print JSON is a connector: a line is a document (`path`, `text`, and what else a put over the API
//! has), or says that one is gone (`{"delete": "path"}`). With `--sync`, what is not named is gone.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::cli::PushArgs;
use crate::paths;
use crate::plain::shown;
use crate::server::{Pushed, Server};
use crate::settings::Settings;

/// Lines, and bytes, that are handed over at once.
const AT_ONCE: (usize, usize) = (500, 8 << 20);
/// Bytes of a line.
const MAX_LINE: usize = 64 << 20;

pub(crate) fn run(settings: &Settings, args: &PushArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    let Some(server) = Server::of(&folder)? else {
        bail!("no server runs on {}; `quarry serve` starts one", folder.display());
    };
    let mut program = args.command.as_deref().map(started).transpose()?;
    let lines: Box<dyn BufRead> = match (&mut program, args.file.as_deref()) {
        (Some(program), _) => Box::new(BufReader::new(program.stdout.take().context("the command has no output")?)),
        (None, Some(path)) if path != Path::new("-") => {
            Box::new(BufReader::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?))
        }
        _ => Box::new(stdin().lock()),
    };
    let mut push = Push {
        server: &server,
        source: &args.source,
        batch: Batch::default(),
        named: BTreeSet::new(),
        done: Done::default(),
    };
    let pushed = push.lines(lines);
    if let Some(mut program) = program {
        if pushed.is_err() {
            // It need not print what nobody reads.
            let _ = program.kill();
        }
        let status = program.wait().context("cannot wait for the command")?;
        pushed?;
        if !status.success() {
            push.report();
            bail!("the command ended with {status}; what it had printed is indexed, and nothing was taken for gone");
        }
    } else {
        pushed?;
    }
    if args.sync {
        push.forget_others(args.accept_deletions)?;
    }
    push.report();
    Ok(if push.done.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn started(command: &str) -> Result<Child> {
    let started = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    started.context("cannot run the shell")
}

/// Documents on their way into the server.
struct Push<'a> {
    server: &'a Server,
    source: &'a str,
    batch: Batch,
    named: BTreeSet<String>,
    done: Done,
}

#[derive(Default)]
struct Batch {
    text: String,
    lines: usize,
}

/// What became of them.
#[derive(Default)]
struct Done {
    put: u64,
    deleted: u64,
    failed: u64,
}

impl Push<'_> {
    fn lines(&mut self, mut lines: Box<dyn BufRead>) -> Result<()> {
        let (mut line, mut number) = (Vec::new(), 0u64);
        loop {
            line.clear();
            number += 1;
            let read = std::io::Read::take(&mut lines, MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
            let read = read.with_context(|| format!("line {number}: cannot be read"))?;
            if read == 0 {
                return self.send();
            }
            if read > MAX_LINE {
                bail!("line {number}: expected at most {MAX_LINE} bytes");
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                let edit = self.edit(text).with_context(|| format!("line {number}"))?;
                self.add(&edit)?;
            }
        }
    }

    /// A line as the server takes it.
    fn edit(&self, line: &[u8]) -> Result<Value> {
        let expected = "expected an object with \"path\" and \"text\", or {\"delete\": \"path\"}";
        let object: Map<String, Value> = serde_json::from_slice(line).context(expected)?;
        if let Some(gone) = object.get("delete") {
            let path = gone.as_str().filter(|_| object.len() == 1).context(expected)?;
            return Ok(json!({ "delete": { "source": self.source, "path": path } }));
        }
        object.get("path").and_then(Value::as_str).context(expected)?;
        let mut put = object;
        if put.insert("source".to_owned(), self.source.into()).is_some() {
            bail!("\"source\" is named on the command line; leave it out of the documents");
        }
        Ok(json!({ "put": put }))
    }

    fn add(&mut self, edit: &Value) -> Result<()> {
        self.batch.text.push_str(&edit.to_string());
        self.batch.text.push('\n');
        self.batch.lines += 1;
        if self.batch.lines >= AT_ONCE.0 || self.batch.text.len() >= AT_ONCE.1 { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        let Batch { text, lines } = std::mem::take(&mut self.batch);
        if lines == 0 {
            return Ok(());
        }
        for Pushed { path, state, reason } in self.server.push(&text)? {
            match state.as_str() {
                "deleted" => {
                    self.done.deleted += 1;
                    continue;
                }
                "unreadable" | "failed" | "skipped" => {
                    self.done.failed += 1;
                    eprintln!("{}: {}", shown(&path), shown(&reason));
                }
                _ => self.done.put += 1,
            }
            // As the server calls it: it composes letters.
            self.named.insert(path);
        }
        Ok(())
    }

    /// Deletes the documents of the source that were not named.
    fn forget_others(&mut self, accept_deletions: bool) -> Result<()> {
        let known = self.server.sources()?.iter().any(|source| source.name == self.source);
        let ledger = if known { self.server.ledger(self.source)? } else { Vec::new() };
        let known: BTreeSet<&str> = ledger.iter().map(|entry| entry.path.as_str()).collect();
        // What lies inside of a file (an archive, a mail) goes with it.
        let is_inside = |path: &str| path.match_indices('/').any(|(at, _)| known.contains(&path[..at]));
        let whole: Vec<&str> = known.iter().copied().filter(|path| !is_inside(path)).collect();
        let others: Vec<&str> = whole.iter().copied().filter(|path| !self.named.contains(*path)).collect();
        if others.len() * 2 > whole.len() && others.len() > 1 && !accept_deletions {
            bail!(
                "{} of the {} documents of {:?} were not named; if they are really gone, say so with --accept-deletions",
                others.len(),
                whole.len(),
                self.source
            );
        }
        for path in others {
            self.add(&json!({ "delete": { "source": self.source, "path": path } }))?;
        }
        self.send()
    }

    fn report(&self) {
        let Done { put, deleted, failed } = self.done;
        println!("{}: {put} documents taken in, {deleted} deleted, {failed} not readable", shown(self.source));
    }
}
