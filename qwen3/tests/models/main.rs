//! Models as a whole, of both families: against reference outputs, and with files that are wrong.
//!
//! Reference outputs are read from the folder named by `QUARRY_GOLDEN`, by default `fixtures/golden`: any folder of
//! models with an `expected.json` of the same form can be checked.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod bert;
mod generation;
mod gguf;
mod gguf_tokenizer;
mod golden;
mod hostile;
mod kernels;
mod predictor;
mod text;
mod writer;

use std::path::{Path, PathBuf};

fn golden_folder() -> PathBuf {
    match std::env::var_os("QUARRY_GOLDEN") {
        Some(folder) => PathBuf::from(folder),
        None => fixture("golden"),
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// Folders of reference models whose names start with `kind`; at least one.
fn golden_models(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(golden_folder()).expect("the golden folder is there (QUARRY_GOLDEN)");
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind)));
    folders.sort();
    assert!(!folders.is_empty(), "no {kind}* in {}", golden_folder().display());
    folders
}

fn expected<T: serde::de::DeserializeOwned>(folder: &Path) -> T {
    serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap()
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
