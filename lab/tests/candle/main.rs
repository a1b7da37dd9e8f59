//! candle-transformers' stock Qwen3 as a second opinion on our own, one sequence at a time.
#![expect(clippy::unwrap_used, reason = "tests")]

mod config;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen3::Model as Stock;
use qwen3::{Model, ModelFiles, Precision, Prefix};

use config::stock_config;

/// The folders of reference rerankers, whose weights are stored as candle names them.
fn references() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden");
    let folders = golden.read_dir().unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rerank"))).collect()
}

#[test]
fn our_qwen3_equals_candles() {
    let mut compared = 0;
    for folder in references() {
        let ours = Model::open(&ModelFiles::folder(&folder).unwrap(), Precision::F32).unwrap();
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        for length in [1u32, 2, 31, 200] {
            let ids: Vec<u32> = (0..length).map(|i| (i * 37 + length) % 1000).collect();
            // A fresh one each time: the stock model keeps what it has seen.
            let weights = VarBuilder::from_buffered_safetensors(bytes.clone(), DType::F32, &Device::Cpu).unwrap();
            let mut stock = Stock::new(&stock_config(&ours.config().qwen), weights).unwrap();
            let input = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let states = stock.forward(&input, 0).unwrap();
            let theirs = states.get(0).unwrap().get(length as usize - 1).unwrap().to_vec1::<f32>().unwrap();
            let state = ours.last_hidden(&[&ids], &Prefix::EMPTY).unwrap().remove(0);
            assert_eq!(state.len(), theirs.len());
            let off = state.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{}, {length} tokens: off by {off}", folder.display());
            compared += 1;
        }
    }
    assert!(compared >= 4);
}
