//! A benchmark of an embedding model on this machine: load time, tokenising, embedding, query latency.
//!
//! `cargo run --release -p qwen3 --example bench -- MODEL_FOLDER TEXTS [BATCH_TOKENS]` where TEXTS is a file with one
//! document per line. `RAYON_NUM_THREADS` sets the threads.
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]

use std::{error::Error, fs, time::Instant};

use qwen3::{EmbedHandle, Embedder, EmbedderOptions, ModelFiles, WorkerOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, texts, rest @ ..] = arguments.as_slice() else {
        return Err("expected: bench MODEL_FOLDER TEXTS [BATCH_TOKENS]".into());
    };
    let mut options = WorkerOptions::default();
    if let Some(tokens) = rest.first() {
        options.batch_tokens = tokens.parse()?;
    }
    let texts = fs::read_to_string(texts)?;
    let texts: Vec<&str> = texts.lines().collect();

    let start = Instant::now();
    let embedder = Embedder::open(&ModelFiles::folder(folder)?, EmbedderOptions::default())?;
    println!("load: {:.0} ms, fingerprint {}", start.elapsed().as_secs_f64() * 1e3, embedder.fingerprint());

    let start = Instant::now();
    let ids = embedder.encoder().documents(&texts)?;
    let tokens: usize = ids.iter().map(Vec::len).sum();
    let rate = |seconds: f64| tokens as f64 / seconds;
    println!("{} texts, {tokens} tokens; tokenising: {:.0} tokens/s", texts.len(), rate(start.elapsed().as_secs_f64()));

    let start = Instant::now();
    for chunk in ids.chunks(20) {
        let chunk: Vec<&[u32]> = chunk.iter().map(Vec::as_slice).collect();
        embedder.embed_ids(&chunk)?;
    }
    println!("embedding ids, 20 at a time: {:.0} tokens/s", rate(start.elapsed().as_secs_f64()));

    let handle = EmbedHandle::start(embedder, &options)?;
    let start = Instant::now();
    let mut pending = Vec::new();
    for chunk in texts.chunks(128) {
        pending.push(handle.embed_documents(chunk)?);
    }
    for answer in pending {
        answer.wait()?;
    }
    println!("text to vectors through the worker: {:.0} tokens/s", rate(start.elapsed().as_secs_f64()));

    let mut latencies = Vec::new();
    for text in texts.iter().take(200) {
        let query = text.split_whitespace().take(8).collect::<Vec<_>>().join(" ");
        let start = Instant::now();
        handle.embed_query(&query, None)?;
        latencies.push(start.elapsed().as_secs_f64() * 1e3);
    }
    latencies.sort_by(f64::total_cmp);
    println!(
        "query: p50 {:.3} ms, p99 {:.3} ms",
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100]
    );
    Ok(())
}
