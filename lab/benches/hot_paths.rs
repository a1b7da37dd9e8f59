//! Benchmarks of what searches and indexing spend their time in: recall, fusion, commit, extraction and matrix products.
//!
//! `cargo bench -p lab --bench hot_paths` (or `just bench`), on the handbook and the bundled model. Figures are comparable within one run on one
//! machine; criterion shows the difference to the run before.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use extract::{ExtractLimits, extract};
use indexer::{IndexOptions, Indexer, Silent};
use qwen3::{EmbedHandle, Embedder, EmbedderOptions, ModelFiles, Precision, ProductProbe, WorkerOptions};
use searcher::{Fusion, Retrieved, SearchConfig, SearchRequest, Searcher, fuse};
use storage::{Batch, ChunkDraft, ContentKey, Document, IndexModel, Source, Store};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn model() -> (EmbedHandle, IndexModel) {
    let files = ModelFiles::open(repository().join("fixtures/models/nano")).unwrap();
    let embedder = Embedder::open(&files, EmbedderOptions::default()).unwrap();
    let (fingerprint, dimension) = (embedder.fingerprint().to_owned(), embedder.dimension());
    let handle = EmbedHandle::start(embedder, &WorkerOptions { cache_bytes: 0, ..WorkerOptions::default() }).unwrap();
    (handle, IndexModel { name: "nano".to_owned(), fingerprint, dimension })
}

/// A search for a question of six words on the handbook, and its recall alone.
fn search(criterion: &mut Criterion) {
    let (embedder, model) = model();
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), &model).unwrap();
    let root = repository().join("fixtures/handbook").canonicalize().unwrap();
    let cancel = AtomicBool::new(false);
    let source = Source { name: "handbook".to_owned(), root };
    Indexer::new(&mut store, &embedder, IndexOptions::default(), &Silent, &cancel).index_source(&source).unwrap();
    let view = store.snapshot().whole().unwrap();
    let searcher = Searcher::new(embedder, None, SearchConfig::default());
    let request = SearchRequest { query: "how do I claim travel costs".to_owned(), ..SearchRequest::default() };
    criterion.bench_function("search/recall", |bencher| {
        bencher.iter(|| {
            let mut plan = searcher.plan(&view, request.clone()).unwrap();
            black_box(searcher.recall(&view, &mut plan).unwrap())
        });
    });
    criterion.bench_function("search/whole", |bencher| {
        bencher.iter(|| black_box(searcher.search(&view, &request).unwrap()));
    });
}

/// Fusion of two rankings of a hundred, half of them the same.
fn fusion(criterion: &mut Criterion) {
    let ranked =
        |from: u32| -> Vec<(u32, f32)> { (0..100).map(|rank| (from + rank, 1.0 / (rank as f32 + 1.0))).collect() };
    let (words, vectors) = (ranked(0), ranked(50));
    let retrieved = |ranked| Retrieved { ranked, weight: 0.5, floor: Some(0.0), full: 0.0 };
    criterion.bench_function("fuse/convex", |bencher| {
        bencher.iter(|| black_box(fuse(&[retrieved(&words[..]), retrieved(&vectors[..])], Fusion::Convex)));
    });
}

/// A commit of a hundred documents of one passage.
fn commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let model = IndexModel { name: "none".to_owned(), fingerprint: "none".to_owned(), dimension: 4 };
    let mut store = Store::open(folder.path(), &model).unwrap();
    store.add_source(Source { name: "notes".to_owned(), root: folder.path().to_path_buf() }).unwrap();
    let mut round = 0;
    criterion.bench_function("commit/100 documents", |bencher| {
        let mut batch = || {
            round += 1;
            let mut batch = Batch::default();
            for number in 0..100 {
                let (document, passage) = note(round, number);
                batch.put(document, vec![passage]);
            }
            batch
        };
        bencher.iter_batched(&mut batch, |batch| store.commit(batch).unwrap(), BatchSize::PerIteration);
    });
}

fn note(round: u32, number: u32) -> (Document, ChunkDraft) {
    let text = format!("Note {number} of round {round}: the pump of line {} is to be oiled.", number % 7);
    let document = Document {
        source: "notes".to_owned(),
        path: format!("{number}.txt"),
        title: format!("Note {number}"),
        kind: "text".to_owned(),
        language: Some("en".to_owned()),
        modified: 0,
        bytes: text.len() as u64,
        metadata: Default::default(),
        fingerprint: None,
    };
    let passage = ChunkDraft {
        headings: Vec::new(),
        span: 0..text.len() as u64,
        lines: 1..2,
        place: None,
        blocks: Vec::new(),
        key: ContentKey::of(&[], &text),
        vector: Some(vec![0.5, 0.5, 0.5, 0.5]),
        text,
    };
    (document, passage)
}

/// Extraction of one small file of each format.
fn extraction(criterion: &mut Criterion) {
    let folder = repository().join("indexer/extract/fixtures/formats");
    for name in ["note.md", "note.html", "note.pdf", "note.docx", "doors.xlsx", "letter.eml", "cards.rs"] {
        let bytes = fs::read(folder.join(name)).unwrap();
        criterion.bench_function(&format!("extract/{name}"), |bencher| {
            bencher.iter(|| black_box(extract(Path::new(name), &bytes, &ExtractLimits::default()).unwrap()));
        });
    }
}

/// A product of the shape that a Qwen3 0.6B layer has for 64 tokens.
fn products(criterion: &mut Criterion) {
    for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16), ("int8", Precision::Int8)] {
        let mut probe = ProductProbe::new(precision, 64, 1024, 3072);
        criterion.bench_function(&format!("product/64x1024x3072 {name}"), |bencher| bencher.iter(|| probe.run()));
    }
}

criterion_group!(benches, search, fusion, commit, extraction, products);
criterion_main!(benches);
