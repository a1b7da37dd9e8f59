//! `quarry extract`: what quarry reads in a file, as the index would have it, and the ledger's verdict.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use indexer::{
    Block, BlockKind, Extraction, FileError, FoundFile, Place, Root, Stop, StructuredText, read_file, state_of,
};
use serde_json::{Value, json};
use storage::FileState;

use crate::cli::ExtractArgs;
use crate::plain;
use crate::reading::Reading;
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &ExtractArgs) -> Result<ExitCode> {
    let path = args.file.canonicalize().with_context(|| format!("cannot read {}", args.file.display()))?;
    let reading = settings.extract.start()?;
    let started = Instant::now();
    let outcome = read(&reading, &path);
    let seconds = started.elapsed().as_secs_f64();
    let state = state_of(&outcome, 0);
    let shown = match (&outcome, args.json) {
        (_, true) => plain::json(&as_json(args, &outcome, &state, seconds))?,
        // Piped or not, the text ends up on a terminal often enough; JSON has it exactly.
        (Ok(extraction), false) => plain::shown_lines(&as_text(extraction)).into_owned(),
        (Err(_), false) => String::new(),
    };
    print(&shown)?;
    eprintln!("{}", verdict(&args.file.display().to_string(), &state));
    for part in outcome.iter().flat_map(|extraction| &extraction.parts) {
        let state = state_of(&part.outcome.clone().map(Extraction::from), 0);
        eprintln!("{}", verdict(&format!("{}/{}", args.file.display(), part.path), &state));
    }
    Ok(ExitCode::from(status_of(&state)))
}

fn read(reading: &Reading, path: &Path) -> Result<Extraction, FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let found = FoundFile { path: path.to_path_buf(), relative: name, bytes: 0, modified: 0, inode: None };
    let root = Root::open(path).map_err(FileError::from_io)?;
    let bytes = read_file(&root, &found, &reading.limits)?;
    reading.reader.read(Path::new(&found.relative), &bytes, &reading.limits, &Stop::default())
}

/// Whoever reads only the beginning, such as `head`, may close the pipe.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn verdict(path: &str, state: &FileState) -> String {
    let reason = state.reason();
    let separator = if reason.is_empty() { "" } else { ": " };
    format!("{}: {}{separator}{}", plain::shown(path), state.label(), plain::shown(&reason))
}

/// The exit status: 0 read whole, 3 partly, 4 not readable or nothing in it to index, 5 failed.
fn status_of(state: &FileState) -> u8 {
    match state {
        FileState::Indexed { .. } => 0,
        FileState::Partly { .. } => 3,
        FileState::Skipped { .. } | FileState::Unreadable { .. } => 4,
        FileState::Failed { .. } => 5,
    }
}

fn as_text(extraction: &Extraction) -> String {
    let mut out = String::new();
    if let Some(document) = &extraction.document {
        push_document(&mut out, document);
    }
    for part in &extraction.parts {
        out.push_str(&format!("\n==> {} <==\n\n", plain::shown(&part.path)));
        if let Ok(document) = &part.outcome {
            push_document(&mut out, document);
        }
    }
    out
}

/// The text with what Markdown would say of it: `#` before headings, a line where another page, slide or sheet begins.
fn push_document(out: &mut String, document: &StructuredText) {
    let mut end = 0;
    let mut before = None;
    for block in &document.blocks {
        let part = block.place.as_ref().and_then(part_of);
        if part.is_some() && part != before {
            let gap = if end == 0 { "" } else { "\n\n" };
            out.push_str(&format!("{gap}<!-- {} -->\n\n", part.as_deref().unwrap_or_default()));
            before = part;
        } else {
            out.push_str(&document.text[end..block.span.start]);
        }
        if let BlockKind::Heading { level } = block.kind {
            out.push_str(&"#".repeat(level.into()));
            out.push(' ');
        }
        out.push_str(&document.text[block.span.clone()]);
        end = block.span.end;
    }
    out.push('\n');
}

/// What people call the part of a file that a block stands on.
fn part_of(place: &Place) -> Option<String> {
    match place {
        Place::Page(number) => Some(format!("page {number}")),
        Place::Slide(number) => Some(format!("slide {number}")),
        Place::Sheet { name, .. } => Some(format!("sheet {}", plain::shown(name))),
        Place::Mail => None,
    }
}

fn as_json(args: &ExtractArgs, outcome: &Result<Extraction, FileError>, state: &FileState, seconds: f64) -> Value {
    let mut all = json!({
        "file": args.file.display().to_string(),
        "state": state.label(),
        "reason": state.reason(),
        "seconds": seconds,
    });
    if let Ok(extraction) = outcome {
        all["kind"] = json!(extraction.kind);
        all["document"] = json!(extraction.document.as_ref().map(document_json));
        all["warnings"] = json!(extraction.warnings);
        let parts = extraction.parts.iter().map(|part| {
            let state = state_of(&part.outcome.clone().map(Extraction::from), 0);
            json!({
                "path": part.path,
                "bytes": part.bytes,
                "modified": part.modified,
                "state": state.label(),
                "reason": state.reason(),
                "document": part.outcome.as_ref().ok().map(document_json),
            })
        });
        all["parts"] = parts.collect();
    }
    all
}

fn document_json(document: &StructuredText) -> Value {
    let StructuredText { title, language, kind, metadata, missing, pages, warnings, .. } = document;
    let missing: Vec<Value> =
        missing.iter().map(|missing| json!({"part": missing.part, "reason": missing.reason})).collect();
    json!({
        "title": title,
        "language": language,
        "kind": kind,
        "metadata": metadata,
        "missing": missing,
        "pages": pages.map(|pages| json!({"all": pages.all, "with_text": pages.with_text})),
        "warnings": warnings,
        "blocks": document.blocks.iter().map(|block| block_json(document, block)).collect::<Vec<_>>(),
    })
}

fn block_json(document: &StructuredText, block: &Block) -> Value {
    let mut value = json!({
        "kind": "",
        "page": block.place.as_ref().and_then(Place::number),
        "place": block.place.as_ref().and_then(part_of),
        "cells": block.place.as_ref().and_then(Place::cells),
        "bytes": [block.span.start, block.span.end],
        "lines": [block.lines.start, block.lines.end],
        "text": document.text[block.span.clone()],
    });
    let kind = match &block.kind {
        BlockKind::Heading { level } => {
            value["level"] = json!(level);
            "heading"
        }
        BlockKind::Paragraph => "paragraph",
        BlockKind::ListItem => "list_item",
        BlockKind::Table => "table",
        BlockKind::Quote => "quote",
        BlockKind::Code { language, definition } => {
            value["language"] = json!(language);
            value["definition"] = json!(definition);
            "code"
        }
    };
    value["kind"] = json!(kind);
    value
}
