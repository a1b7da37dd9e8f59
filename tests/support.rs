//! The fixture that tests share: a folder of documents, a data folder, and the binary.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of documents and a data folder, both thrown away at the end.
pub(crate) struct Bench {
    pub(crate) root: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("docs")).unwrap();
        Self { root }
    }

    /// With `count` small documents, each with a word of its own.
    pub(crate) fn with_documents(count: usize) -> Self {
        let bench = Self::new();
        for number in 0..count {
            bench.write(&format!("note-{number:03}.md"), &note(number));
        }
        bench
    }

    pub(crate) fn docs(&self) -> PathBuf {
        self.root.path().join("docs")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.docs().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarry"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.arg("--data-dir").arg(self.data()).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// With something on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Run {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // A command that needs none may have ended before.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        Run(process.wait_with_output().unwrap())
    }

    /// Indexes the folder; expects success.
    pub(crate) fn index(&self) -> Run {
        self.run(&["index", &self.docs().display().to_string()]).succeeded()
    }

    /// Searches; expects success and gives the JSON.
    pub(crate) fn search(&self, args: &[&str]) -> Value {
        let run = self.run(&[&["search", "--json"], args].concat()).succeeded();
        serde_json::from_str(&run.stdout()).unwrap()
    }

    /// The paths that a search finds, best first.
    pub(crate) fn paths(&self, args: &[&str]) -> Vec<String> {
        let answer = self.search(args);
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|hit| hit["path"].as_str().unwrap().to_string()).collect()
    }

    pub(crate) fn status(&self) -> Value {
        let run = self.run(&["status", "--json", "--files"]).succeeded();
        serde_json::from_str(&run.stdout()).unwrap()
    }

    /// Checks the index whole; expects it to be sound.
    pub(crate) fn verify(&self) {
        self.run(&["verify"]).succeeded();
    }

    /// The state of a file in the ledger, with its reason.
    pub(crate) fn state(&self, path: &str) -> Value {
        let status = self.status();
        let files = status["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["path"] == path);
        file.unwrap_or_else(|| panic!("{path} is not in the ledger: {status}"))["state"].clone()
    }
}

/// A finished process.
pub(crate) struct Run(pub(crate) Output);

impl Run {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout()))
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub(crate) fn succeeded(self) -> Self {
        assert!(self.0.status.success(), "{}\n{}\n{}", self.0.status, self.stdout(), self.stderr());
        self
    }

    /// Failed with a message that holds all of `parts`, and not by a panic or a signal.
    pub(crate) fn refused(self, parts: &[&str]) -> Self {
        assert_eq!(self.0.status.code(), Some(1), "{}\n{}", self.stdout(), self.stderr());
        let message = self.stderr();
        for part in parts {
            assert!(message.contains(part), "expected {part:?} in: {message}");
        }
        self
    }

    /// Ended by its own will: with an exit status, and no panic on the way.
    pub(crate) fn ended_well(&self) -> bool {
        self.0.status.code().is_some_and(|code| code != 101) && !self.stderr().contains("panicked")
    }
}

/// Text of the numbered sample document. Its word `marker123` stands in no other.
pub(crate) fn note(number: usize) -> String {
    let topics = ["rivers and their sensors", "holidays and leave", "invoices and payment", "keys and badges"];
    let topic = topics[number % topics.len()];
    format!(
        "# Note {number}\n\nThis note is about {topic}. It carries marker{number:03} once.\n\n## Details\n\nPart {number} of the set.\n"
    )
}

/// A folder or file of the repository's fixtures.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}
