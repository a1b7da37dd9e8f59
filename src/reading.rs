//! The settings by which files are read: `[extract]` of the configuration file, and the reader that it makes.

use std::sync::Arc;

use anyhow::Result;
use indexer::{
    Confinement, ExtractLimits, FileReader, InProcess, IndexOptions, Launch, OcrConfig, OcrError, Sandbox,
    SandboxLimits, Tesseract, WithOcr,
};
use serde::{Deserialize, Serialize};

/// Hidden command of the reading processes.
pub(crate) const EXTRACT_WORKER: &str = "extract-worker";
/// Hidden command that becomes another program with fewer rights.
pub(crate) const RUN_CONFINED: &str = "run-confined";

/// `[extract]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExtractConfig {
    /// Whether files are read in processes of their own.
    sandbox: bool,
    /// Memory for reading one file, in MiB.
    memory_mb: u64,
    /// Processor time for reading one file.
    seconds: u64,
    /// Largest file that is read, in MiB.
    max_file_mb: u64,
    /// Most that a file may unpack to, in MiB.
    max_unpacked_mb: u64,
    /// Most text of one document, in MiB.
    max_text_mb: u64,
    /// Most documents inside of one file.
    max_parts: usize,
    /// Deepest nesting of files within files.
    max_depth: usize,
    /// Whether scans are read, and by which program.
    ocr: Ocr,
    /// Languages of the scans, as tesseract names them.
    ocr_languages: String,
    /// Processor time for one scanned page.
    ocr_seconds: u64,
}

/// `ocr = true`, or the program's name or path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Ocr {
    Switch(bool),
    Program(String),
}

impl Default for ExtractConfig {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        let ExtractLimits { max_bytes, max_unpacked, max_text, max_parts, max_depth, .. } = ExtractLimits::default();
        let SandboxLimits { memory, seconds, .. } = SandboxLimits::default();
        Self {
            sandbox: true,
            memory_mb: memory / MIB,
            seconds,
            max_file_mb: max_bytes / MIB,
            max_unpacked_mb: max_unpacked / MIB,
            max_text_mb: max_text / MIB,
            max_parts,
            max_depth,
            ocr: Ocr::Switch(false),
            ocr_languages: "eng".to_string(),
            ocr_seconds: 30,
        }
    }
}

/// A reader, started.
pub(crate) struct Reading {
    pub(crate) reader: Arc<dyn FileReader>,
    pub(crate) limits: ExtractLimits,
    /// What holds the reading processes; `None` where files are read in this one.
    pub(crate) confinement: Option<Confinement>,
}

impl Reading {
    /// Options of a run that reads so.
    pub(crate) fn options(self) -> IndexOptions {
        IndexOptions { reader: self.reader, extract: self.limits, ..IndexOptions::default() }
    }
}

impl ExtractConfig {
    /// What does not make sense, in words for the one who wrote it; empty if all is well.
    pub(crate) fn problems(&self) -> Vec<String> {
        let least = [
            ("memory_mb", self.memory_mb, 64),
            ("seconds", self.seconds, 1),
            ("max_file_mb", self.max_file_mb, 1),
            ("max_unpacked_mb", self.max_unpacked_mb, 1),
            ("max_text_mb", self.max_text_mb, 1),
            ("ocr_seconds", self.ocr_seconds, 1),
        ];
        let too_small = least.into_iter().filter(|(_, value, least)| value < least);
        let mut problems: Vec<String> = too_small
            .map(|(key, value, least)| format!("extract.{key}: expected at least {least}, got {value}"))
            .collect();
        let is_language = |language: &str| {
            !language.is_empty() && language.chars().all(|c| c.is_ascii_alphanumeric() || "_-/".contains(c))
        };
        if !self.ocr_languages.split('+').all(is_language) {
            let expected = "expected tesseract's names of languages, such as \"eng+deu\"";
            problems.push(format!("extract.ocr_languages: {expected}, got {:?}", self.ocr_languages));
        }
        problems.extend(self.tesseract().err().map(|error| format!("extract.{error}")));
        problems
    }

    /// With the largest file that the command line names.
    pub(crate) fn with_largest(&self, mebibytes: Option<u64>) -> Self {
        Self { max_file_mb: mebibytes.unwrap_or(self.max_file_mb), ..self.clone() }
    }

    /// Starts the reader, and says on standard error what the system cannot do.
    ///
    /// # Errors
    /// Processes cannot be started, or OCR is wanted and cannot be done.
    pub(crate) fn start(&self) -> Result<Reading> {
        let reading = self.start_quietly()?;
        let missing = reading.confinement.as_ref().map(|confinement| confinement.missing.join(", "));
        if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
            eprintln!("warning: this system lacks means to hold the processes that read files: {missing}");
        }
        Ok(reading)
    }

    /// As [`Self::start`], for those who show what holds the readers anyway.
    pub(crate) fn start_quietly(&self) -> Result<Reading> {
        let tesseract = self.tesseract()?;
        let mut confinement = None;
        let mut reader: Arc<dyn FileReader> = Arc::new(InProcess);
        if self.sandbox {
            let limits = SandboxLimits {
                memory: mebibytes(self.memory_mb),
                seconds: self.seconds,
                answer: mebibytes(self.max_unpacked_mb),
            };
            let sandbox = Sandbox::start(Launch::this_program(EXTRACT_WORKER)?, limits)?;
            confinement = Some(sandbox.confinement().clone());
            reader = Arc::new(sandbox);
        }
        if let Some(tesseract) = tesseract {
            reader = Arc::new(WithOcr::new(reader, tesseract));
        }
        Ok(Reading { reader, limits: self.limits(), confinement })
    }

    /// The program and languages of OCR, in words; `None` if it is off.
    pub(crate) fn ocr(&self) -> Option<String> {
        self.ocr_program().map(|program| format!("{program} ({})", self.ocr_languages))
    }

    fn ocr_program(&self) -> Option<String> {
        match &self.ocr {
            Ocr::Switch(false) => None,
            Ocr::Switch(true) => Some("tesseract".to_string()),
            Ocr::Program(program) => Some(program.clone()),
        }
    }

    fn tesseract(&self) -> Result<Option<Tesseract>, OcrError> {
        let Some(program) = self.ocr_program() else { return Ok(None) };
        let confine = Launch::this_program(RUN_CONFINED);
        let confine =
            confine.map_err(|error| OcrError::Broken { program: program.clone(), reason: error.to_string() })?;
        let languages = self.ocr_languages.clone();
        Tesseract::find(OcrConfig { program, languages, seconds: self.ocr_seconds, confine }).map(Some)
    }

    fn limits(&self) -> ExtractLimits {
        ExtractLimits {
            max_bytes: mebibytes(self.max_file_mb),
            max_unpacked: mebibytes(self.max_unpacked_mb),
            max_text: mebibytes(self.max_text_mb),
            max_parts: self.max_parts,
            max_depth: self.max_depth,
            scans: false,
        }
    }
}

fn mebibytes(count: u64) -> u64 {
    count.saturating_mul(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ocr_is_a_switch_or_a_program() {
        let read = |text: &str| toml::from_str::<ExtractConfig>(text).unwrap();
        assert_eq!(read("").ocr(), None);
        assert_eq!(read("ocr = true").ocr().as_deref(), Some("tesseract (eng)"));
        let named = read("ocr = \"/opt/tesseract\"\nocr_languages = \"eng+chi_sim\"");
        assert_eq!(named.ocr().as_deref(), Some("/opt/tesseract (eng+chi_sim)"));
        assert!(toml::from_str::<ExtractConfig>("ocr_language = \"eng\"").is_err());
    }

    #[test]
    fn senseless_values_are_named() {
        let config = ExtractConfig {
            seconds: 0,
            ocr: Ocr::Program("/no/such/program".to_string()),
            ocr_languages: "eng; rm".to_string(),
            ..ExtractConfig::default()
        };
        let problems = config.problems().join("\n");
        for part in ["extract.seconds", "extract.ocr: there is no program", "extract.ocr_languages"] {
            assert!(problems.contains(part), "{part}: {problems}");
        }
        assert!(ExtractConfig::default().problems().is_empty());
    }
}
