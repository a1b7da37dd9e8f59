//! Jupyter notebooks: Markdown cells as Markdown, code cells as code of the notebook's language, text outputs behind
//! them; pictures and widgets are left out.

use serde_json::Value;

use crate::block::{BlockKind, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::{Format, Input, decode, html, markdown};

/// Longest output that is kept, in bytes: logs of a training run are no text of the author's.
const MAX_OUTPUT: usize = 8 << 10;

pub(crate) const FORMAT: &Format = Format::of("notebook");

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let notebook: Value = serde_json::from_str(&decoded.text).map_err(|error| FileError::damaged("notebook", error))?;
    let metadata = &notebook["metadata"];
    let language = metadata["kernelspec"]["language"].as_str().or(metadata["language_info"]["name"].as_str());
    // Before version 4, cells stood in worksheets.
    let cells = notebook["cells"].as_array().or(notebook["worksheets"][0]["cells"].as_array());
    let cells = cells.ok_or_else(|| FileError::damaged("notebook", "expected `cells`, found none"))?;
    let mut builder = TextBuilder::default();
    for cell in cells {
        push_cell(&mut builder, cell, language);
    }
    builder.title = metadata["title"].as_str().map(str::to_owned);
    let authors = metadata["authors"].as_array().into_iter().flatten();
    let authors: Vec<&str> = authors.filter_map(|author| author["name"].as_str().or(author.as_str())).collect();
    if !authors.is_empty() {
        builder.metadata.insert("author".to_owned(), authors.join(", "));
    }
    builder.warnings = decoded.warnings;
    let mut document = builder.finish(FORMAT);
    document.title = document.title.or_else(|| Some(input.file_name()).filter(|name| !name.is_empty()));
    Ok(document)
}

fn push_cell(builder: &mut TextBuilder, cell: &Value, language: Option<&str>) {
    let source = text(if cell["source"].is_null() { &cell["input"] } else { &cell["source"] });
    match cell["cell_type"].as_str() {
        Some("markdown") => push_document(builder, &markdown::structure(&source)),
        Some("heading") => {
            let level = cell["level"].as_u64().and_then(|level| u8::try_from(level).ok()).unwrap_or(1).clamp(1, 6);
            builder.push(BlockKind::Heading { level }, &source, 1..2);
        }
        Some("code") => {
            let language = cell["language"].as_str().or(language).map(str::to_lowercase);
            builder.push(BlockKind::Code { language, definition: None }, &source, 1..2);
            for output in cell["outputs"].as_array().into_iter().flatten() {
                push_output(builder, output);
            }
        }
        _ => builder.push(BlockKind::Paragraph, &source, 1..2),
    }
}

fn push_output(builder: &mut TextBuilder, output: &Value) {
    let data = if output["data"].is_object() { &output["data"] } else { output };
    let of_type = |kind: &str| data.get(kind).map(text).filter(|text| !text.trim().is_empty());
    if let Some(source) = of_type("text/markdown") {
        return push_document(builder, &markdown::structure(&source));
    }
    if let Some(source) = of_type("text/html").filter(|source| source.contains("<table")) {
        return push_document(builder, &html::fragment(&source));
    }
    let error = output["ename"].as_str().map(|name| format!("{name}: {}", output["evalue"].as_str().unwrap_or("")));
    let plain = of_type("text/plain").or_else(|| data.get("text").map(text)).or(error).unwrap_or_default();
    let end = crate::floor_boundary(&plain, MAX_OUTPUT);
    builder.push(BlockKind::Code { language: None, definition: None }, &plain[..end], 1..2);
}

fn push_document(builder: &mut TextBuilder, document: &StructuredText) {
    for block in &document.blocks {
        builder.push(block.kind.clone(), &document.text[block.span.clone()], 1..2);
    }
}

/// Text is one string or a list of lines.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;

    fn read_as(source: &str) -> Result<StructuredText, FileError> {
        read(&Input::new(Path::new("a.ipynb"), source.as_bytes(), &ExtractLimits::default()))
    }

    #[test]
    fn cells_are_read_by_their_kind() {
        let source = r##"{"metadata": {"kernelspec": {"language": "python"}, "authors": [{"name": "Ana"}]}, "cells": [
            {"cell_type": "markdown", "source": ["# Costs\n", "\n", "Some *words*."]},
            {"cell_type": "code", "source": "x = 1\nx", "outputs": [
                {"output_type": "execute_result", "data": {"text/plain": ["1"], "image/png": "AAAA"}},
                {"output_type": "stream", "text": ["printed\n"]},
                {"output_type": "error", "ename": "KeyError", "evalue": "'y'"}]}]}"##;
        let document = read_as(source).unwrap();
        assert_eq!(document.text, "Costs\n\nSome words.\n\nx = 1\nx\n\n1\n\nprinted\n\nKeyError: 'y'");
        assert_eq!(document.title.as_deref(), Some("Costs"));
        assert_eq!(document.metadata["author"], "Ana");
        let code = BlockKind::Code { language: Some("python".to_owned()), definition: None };
        assert_eq!(document.blocks[2].kind, code);
    }

    #[test]
    fn what_is_no_notebook_is_said() {
        assert!(matches!(read_as("{\"a\": 1}"), Err(FileError::Damaged { .. })));
        assert!(matches!(read_as("{\"cells\": [1, "), Err(FileError::Damaged { .. })));
        assert!(matches!(read_as(&"[".repeat(100_000)), Err(FileError::Damaged { .. })));
    }
}
