#![allow(clippy::all, clippy::print_stdout, clippy::unwrap_used, reason = "scratch")]
//! scratch
use qwen3::*;
use std::collections::HashMap;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let models: Vec<&str> = a[1].split(',').collect();
    for set in &a[2..] {
        let dir = format!("/work/shared/data/{set}");
        let read = |f: &str| -> Vec<serde_json::Value> {
            std::fs::read_to_string(format!("{dir}/{f}"))
                .unwrap()
                .lines()
                .map(|l| serde_json::from_str(l).unwrap())
                .collect()
        };
        let corpus = read("corpus.jsonl");
        let queries = read("queries.jsonl");
        let mut qrels: HashMap<String, HashMap<String, f64>> = HashMap::new();
        let mut files: Vec<_> = std::fs::read_dir(format!("{dir}/qrels")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let file = files.iter().find(|f| f.to_string_lossy().contains("test")).unwrap_or(&files[0]);
        for l in std::fs::read_to_string(file).unwrap().lines().skip(1) {
            let p: Vec<&str> = l.split('\t').collect();
            qrels.entry(p[0].into()).or_default().insert(p[1].into(), p[2].parse().unwrap());
        }
        for m in &models {
            let e = Embedder::open(&ModelFiles::folder(m).unwrap(), EmbedderOptions::default()).unwrap();
            let h = EmbedHandle::start(e, &WorkerOptions::default()).unwrap();
            let text: Vec<String> = corpus
                .iter()
                .map(|d| format!("{} {}", d["title"].as_str().unwrap_or(""), d["text"].as_str().unwrap()))
                .collect();
            let v = h.embed_documents(&text).unwrap().wait().unwrap();
            let mut sum = 0.0;
            let mut n = 0;
            for q in &queries {
                let id = q["_id"].as_str().unwrap();
                let Some(rel) = qrels.get(id) else { continue };
                let qv = h.embed_query(q["text"].as_str().unwrap(), None).unwrap();
                let mut s: Vec<(f32, usize)> =
                    v.iter().enumerate().map(|(i, d)| (d.iter().zip(&qv).map(|(a, b)| a * b).sum(), i)).collect();
                s.sort_by(|a, b| b.0.total_cmp(&a.0));
                let dcg: f64 = s
                    .iter()
                    .take(10)
                    .enumerate()
                    .map(|(r, (_, i))| {
                        rel.get(corpus[*i]["_id"].as_str().unwrap()).unwrap_or(&0.0) / (r as f64 + 2.0).log2()
                    })
                    .sum();
                let mut ideal: Vec<f64> = rel.values().copied().collect();
                ideal.sort_by(|a, b| b.total_cmp(a));
                let idcg: f64 = ideal.iter().take(10).enumerate().map(|(r, g)| g / (r as f64 + 2.0).log2()).sum();
                if idcg > 0.0 {
                    sum += dcg / idcg;
                    n += 1;
                }
            }
            println!("{set} {m} ndcg@10 {:.4} ({n} queries)", sum / n as f64);
        }
    }
}
