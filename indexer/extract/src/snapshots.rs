//! Snapshots: one file of each format as its reader gives it, so that a change of a reader is seen as a change of text.
//!
//! `INSTA_UPDATE=always cargo test --workspace --lib -- snapshots` writes them anew; read the difference before it is kept.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::{ExtractLimits, Extraction, Part, StructuredText, extract};

fn describe(extraction: &Extraction) -> String {
    let mut out = format!("kind: {}\n", extraction.kind);
    if let Some(document) = &extraction.document {
        describe_document(&mut out, document);
    }
    for Part { path, outcome, .. } in &extraction.parts {
        let _ = writeln!(out, "\npart: {path}");
        match outcome {
            Ok(document) => describe_document(&mut out, document),
            Err(error) => {
                let _ = writeln!(out, "error: {error}");
            }
        }
    }
    out
}

fn describe_document(out: &mut String, document: &StructuredText) {
    let _ = writeln!(out, "title: {:?}\nlanguage: {:?}", document.title, document.language);
    for (key, value) in &document.metadata {
        let _ = writeln!(out, "{key}: {value}");
    }
    for block in &document.blocks {
        let text = &document.text[block.span.clone()];
        let place = block.place.as_ref().map(|place| format!(" {place:?}")).unwrap_or_default();
        let _ = writeln!(out, "- {:?}{place} lines {:?}: {text:?}", block.kind, block.lines);
    }
    for missing in &document.missing {
        let _ = writeln!(out, "missing: {missing:?}");
    }
}

#[test]
fn each_format_is_read_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../fixtures/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "the fixtures are there");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let extraction = extract(Path::new(name), &fs::read(&path).unwrap(), &ExtractLimits::default());
        let extraction = extraction.unwrap_or_else(|error| panic!("{name}: {error}"));
        settings.bind(|| insta::assert_snapshot!(name, describe(&extraction)));
    }
}
