#![allow(clippy::all, clippy::print_stdout, clippy::unwrap_used, reason = "scratch")]
//! scratch
use std::time::Instant;
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let bytes = std::fs::read(format!("{dir}/tokenizer.json")).unwrap();
    for _ in 0..3 {
        let t = Instant::now();
        let v: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        println!("value {:?}", t.elapsed());
        drop(v);
        let t = Instant::now();
        let tk = tokenizers::Tokenizer::from_bytes(&bytes).unwrap();
        println!("tokenizer {:?}", t.elapsed());
        let t = Instant::now();
        let m = tk.get_vocab(true).into_values().max();
        println!("vocab max {:?} {:?}", m, t.elapsed());
        let t = Instant::now();
        let f = qwen3::ModelFiles::folder(&dir).unwrap();
        println!("files {:?}", t.elapsed());
        let t = Instant::now();
        let m = qwen3::Model::open(&f, qwen3::Precision::F32).unwrap();
        println!("model {:?}", t.elapsed());
        let t = Instant::now();
        let m = qwen3::Embedder::open(&f, Default::default()).unwrap();
        println!("embedder {:?}", t.elapsed());
    }
}
