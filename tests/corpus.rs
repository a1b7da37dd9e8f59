//! A replay of the corpus of the fuzz targets: what once broke a reader, and what is worth starting from.

use std::fs;
use std::path::Path;

#[allow(unreachable_pub, reason = "the fuzz targets, which use them too, are a crate of their own")]
#[path = "fuzz/src/checks.rs"]
mod checks;

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 10] = [
    ("query", checks::query),
    ("chunker", checks::chunker),
    ("extract", checks::extract_text),
    ("manifest", checks::manifest),
    ("index_settings", checks::index_settings),
    ("vector_file", checks::vector_file),
    ("fvecs", checks::fvecs),
    ("gguf", checks::gguf),
    ("safetensors", checks::safetensors),
    ("frame", checks::frame),
];

#[test]
fn no_file_of_the_corpus_breaks_its_reader() {
    for (target, check) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        let mut files = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            check(&fs::read(&path).unwrap());
            files += 1;
        }
        assert!(files > 0, "{target} has no corpus");
    }
}
