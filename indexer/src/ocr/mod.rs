//! Text of scans: pages that are only a picture are handed to `tesseract`, if the user has it and wants it.
//!
//! [`WithOcr`] stands before another reader and asks it for the pictures too; `tesseract` knows the program, `insert` puts
//! what it read on its page.

mod insert;
mod tesseract;

use std::path::Path;
use std::sync::Arc;

use extract::{ExtractLimits, Extraction, FileError, Scan, StructuredText};

pub use tesseract::{OcrConfig, OcrError, Tesseract};

use crate::reader::FileReader;
use crate::stop::Stop;

/// A reader that also reads pictures.
#[derive(Debug)]
pub struct WithOcr {
    inner: Arc<dyn FileReader>,
    tesseract: Tesseract,
}

impl WithOcr {
    /// Reads with `inner`, and what it hands out as pictures with `tesseract`.
    pub fn new(inner: Arc<dyn FileReader>, tesseract: Tesseract) -> Self {
        Self { inner, tesseract }
    }

    fn complete(&self, mut document: StructuredText, stop: &Stop) -> Result<StructuredText, FileError> {
        let scans = std::mem::take(&mut document.scans);
        if scans.is_empty() {
            return Ok(document);
        }
        let mut pages: Vec<(u32, Outcome)> = Vec::new();
        for Scan { page, image } in scans {
            let outcome = self.tesseract.read(&image, stop);
            if stop.is_asked() {
                return Err(FileError::Stopped);
            }
            // A page may be made of several pictures.
            match (pages.last_mut(), outcome) {
                (Some((last, Ok(text))), Ok(more)) if *last == page => *text = format!("{text}\n\n{more}"),
                (Some((last, known)), outcome) if *last == page => {
                    *known = std::mem::replace(known, Err(String::new())).or(outcome)
                }
                (_, outcome) => pages.push((page, outcome)),
            }
        }
        insert::insert(&mut document, &pages);
        if document.blocks.is_empty() {
            let failure = pages.into_iter().find_map(|(page, outcome)| Some((page, outcome.err()?)));
            return Err(failure
                .map_or(FileError::Empty, |(page, why)| FileError::damaged("scanned", format!("page {page}: {why}"))));
        }
        Ok(document.bounded())
    }
}

/// The text of a picture, which may be blank; or why there is none.
type Outcome = Result<String, String>;

impl FileReader for WithOcr {
    fn read(&self, path: &Path, bytes: &[u8], limits: &ExtractLimits, stop: &Stop) -> Result<Extraction, FileError> {
        let limits = ExtractLimits { scans: true, ..limits.clone() };
        let mut extraction = self.inner.read(path, bytes, &limits, stop)?;
        extraction.document = extraction.document.map(|document| self.complete(document, stop)).transpose()?;
        for part in &mut extraction.parts {
            if part.outcome.as_ref().is_ok_and(|document| !document.scans.is_empty()) {
                let outcome = std::mem::replace(&mut part.outcome, Err(FileError::Empty));
                part.outcome = outcome.and_then(|document| self.complete(document, stop));
            }
        }
        Ok(extraction)
    }

    fn settings(&self) -> String {
        format!("{}, ocr {}", self.inner.settings(), self.tesseract.settings())
    }
}
