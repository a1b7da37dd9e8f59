//! The properties that must hold for any bytes, one function for each reader of ours. The fuzz targets feed them with
//! what libFuzzer invents; `tests/corpus.rs` with the files of `corpus/`, which hold what was found and what is worth
//! starting from. A check fails by a panic.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use indexer::{ChunkLimits, ExtractLimits, StructuredText, TokenCounter, chunk, extract};
use qwen3::ModelFiles;
use storage::{Batch, ChunkDraft, ContentKey, Document, IndexModel, Snapshot, Source, Store};
use tempfile::TempDir;

/// The query grammar: any text is understood somehow, within its bounds, and the same text in the same way.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = searcher::ParsedQuery::parse(text);
    assert_eq!(parsed, searcher::ParsedQuery::parse(text));
    assert!(parsed.words.len() <= 1_000 && parsed.phrases.len() <= 1_000 && parsed.without.len() <= 1_000);
    assert!(parsed.words.iter().all(|word| word.chars().any(char::is_alphanumeric)), "{:?}", parsed.words);
    searcher::ParsedQuery::plain(text);
}

/// Names that make the readers of text formats take turns.
const NAMES: [&str; 12] =
    ["a.md", "a.html", "a.txt", "a.rs", "a.py", "a.js", "a.go", "a.java", "a.c", "a.cpp", "a.ts", "a.csv"];

/// The first byte is the format, the rest the file.
fn document(data: &[u8]) -> Option<StructuredText> {
    let (format, bytes) = data.split_first()?;
    let name = NAMES[usize::from(*format) % NAMES.len()];
    let limits = ExtractLimits { max_bytes: 1 << 20, max_unpacked: 8 << 20, ..ExtractLimits::default() };
    extract(Path::new(name), bytes, &limits).ok()?.document
}

/// Readers of text formats: blocks lie in the text, in order, on characters, and none is blank.
pub fn extract_text(data: &[u8]) {
    let Some(document) = document(data) else { return };
    let mut end = 0;
    for block in &document.blocks {
        assert!(block.span.start >= end && block.lines.start >= 1 && block.lines.end > block.lines.start);
        assert!(!document.text[block.span.clone()].trim().is_empty());
        assert!(document.text[end..block.span.start].trim().is_empty(), "text outside of every block");
        end = block.span.end;
    }
    assert!(document.text[end..].trim().is_empty(), "text behind the last block");
}

/// A token is four bytes, or what is left of a word.
struct Quarters;

impl TokenCounter for Quarters {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().map(|word| word.len().div_ceil(4)).sum()
    }
}

/// The chunker: no passage is longer than allowed, each lies in the text, and they come in order.
pub fn chunker(data: &[u8]) {
    let Some(document) = document(data) else { return };
    let limits = ChunkLimits { target: 24, max: 32 };
    let mut start = 0;
    for passage in chunk(&document, &Quarters, limits) {
        assert!(Quarters.count(&passage.text) <= limits.max, "{:?}", passage.text);
        assert!(document.text.get(passage.span.clone()).is_some(), "{:?}", passage.span);
        assert!(passage.span.start >= start, "passages are out of order");
        start = passage.span.start;
    }
}

/// Messages of the reading processes: any bytes are a message or an error.
pub fn frame(data: &[u8]) {
    let mut input = data;
    while let Ok(Some((_, body))) = indexer::read_frame::<(String, ExtractLimits)>(&mut input, 1 << 20) {
        assert!(body.len() <= 1 << 20);
    }
    let _ = indexer::read_frame::<u8>(&mut &data[..], 64);
}

/// The manifest of vector segments. Its checksum is made right, so that what is behind it is reached.
pub fn manifest(data: &[u8]) {
    let line = format!("{:08x}\n", crc32c::crc32c(data));
    opened_with("segments/segments.json", &[line.as_bytes(), data].concat());
    opened_with("segments/segments.json", data);
}

/// The first file that a reader of an index looks at.
pub fn index_settings(data: &[u8]) {
    opened_with("index.json", data);
}

/// The vector file: foreign bytes in place of it, and behind its sound head.
pub fn vector_file(data: &[u8]) {
    opened_with("vectors.bin", data);
    let index = INDEX.with(|index| index.get_or_init(Index::new).vectors.clone());
    let kept = usize::from(data.first().copied().unwrap_or_default()).min(index.len());
    opened_with("vectors.bin", &[&index[..kept], data].concat());
}

/// Vectors in TEXMEX format.
pub fn fvecs(data: &[u8]) {
    with_file("base.fvecs", data, |path| {
        let _ = lab::bench::read_fvecs(path);
        let _ = lab::bench::read_ivecs(path);
    });
}

/// GGUF: the header, its values, the tensors and the tokenizer in it.
pub fn gguf(data: &[u8]) {
    with_file("model.gguf", data, |path| survey(ModelFiles::open(path)));
}

/// safetensors, beside a sound configuration.
pub fn safetensors(data: &[u8]) {
    with_file("model.safetensors", data, |path| {
        let config = r#"{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 16, "intermediate_size": 32, "vocab_size": 8, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
            "max_position_embeddings": 64, "tie_word_embeddings": true, "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3", "hidden_act": "silu", "attention_bias": false, "torch_dtype": "float32"}"#;
        let folder = path.parent().unwrap_or(path);
        if fs::write(folder.join("config.json"), config).is_ok() {
            survey(ModelFiles::folder(folder));
        }
    });
}

fn survey(files: qwen3::Result<ModelFiles>) {
    let Ok(files) = files else { return };
    let _ = files.tensors();
    let _ = files.scan_non_finite();
}

/// Runs a check on a file of its own.
fn with_file(name: &str, data: &[u8], check: impl FnOnce(&Path)) {
    thread_local!(static FOLDER: OnceCell<Option<TempDir>> = const { OnceCell::new() });
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| TempDir::new().ok()).as_ref().expect("a temporary folder");
        let path = folder.path().join(name);
        // A new file each time: what an earlier check has mapped must not change under it.
        let _ = fs::remove_file(&path);
        fs::write(&path, data).expect("a temporary file");
        check(&path);
        let _ = fs::remove_file(&path);
    });
}

thread_local!(static INDEX: OnceCell<Index> = const { OnceCell::new() });

/// A small index.
struct Index {
    folder: TempDir,
    vectors: Vec<u8>,
}

impl Index {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let model = IndexModel { name: "m".to_string(), fingerprint: "f".to_string(), dimension: 8 };
        let mut store = Store::open(folder.path(), &model).expect("a store");
        store.add_source(Source { name: "s".to_string(), root: PathBuf::from("/s") }).expect("a source");
        let mut batch = Batch::default();
        batch.put(a_document(), (0..4).map(a_chunk).collect());
        store.commit(batch).expect("a commit");
        store.close().expect("a closed store");
        let vectors = fs::read(folder.path().join("vectors.bin")).expect("vectors");
        Self { folder, vectors }
    }
}

fn a_document() -> Document {
    Document {
        source: "s".to_string(),
        path: "a.md".to_string(),
        title: "A".to_string(),
        kind: "markdown".to_string(),
        language: None,
        modified: 0,
        bytes: 9,
        metadata: std::collections::BTreeMap::new(),
        fingerprint: None,
    }
}

fn a_chunk(number: u8) -> ChunkDraft {
    let mut vector = vec![0.0; 8];
    vector[usize::from(number)] = 1.0;
    let at = u64::from(number);
    let text = format!("text {number}");
    ChunkDraft {
        headings: Vec::new(),
        key: ContentKey::of(&[], &text),
        text,
        span: at..at + 1,
        lines: 1..2,
        place: None,
        blocks: Vec::new(),
        vector: Some(vector),
    }
}

/// Opens the index for searching with other bytes in one of its files: it opens, or says why not.
fn opened_with(file: &str, data: &[u8]) {
    INDEX.with(|index| {
        let index = index.get_or_init(Index::new);
        let path = index.folder.path().join(file);
        let kept = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap_or(&path)).expect("a folder");
        fs::write(&path, data).expect("a file");
        let _ = Snapshot::open(index.folder.path());
        let _ = fs::remove_file(&path);
        if let Some(kept) = kept {
            fs::write(&path, kept).expect("a file");
        }
    });
}
