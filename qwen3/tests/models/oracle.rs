//! candle-transformers' stock Qwen3 as a second opinion, one sequence at a time.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen3::Model as Stock;
use qwen3::{Model, ModelFiles, Precision, Prefix};

use crate::{golden_models, worst};

#[test]
fn equals_candles_own_model() {
    let mut compared = 0;
    for folder in golden_models("rerank") {
        let ours = Model::open(&ModelFiles::folder(&folder).unwrap(), Precision::F32).unwrap();
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        for length in [1u32, 2, 31, 200] {
            let ids: Vec<u32> = (0..length).map(|i| (i * 37 + length) % 1000).collect();
            // A fresh one each time: the stock model keeps what it has seen.
            let weights = VarBuilder::from_buffered_safetensors(bytes.clone(), DType::F32, &Device::Cpu).unwrap();
            let mut stock = Stock::new(&ours.config().qwen, weights).unwrap();
            let input = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let states = stock.forward(&input, 0).unwrap();
            let theirs = states.get(0).unwrap().get(length as usize - 1).unwrap().to_vec1::<f32>().unwrap();
            let off = worst(&ours.last_hidden(&[&ids], &Prefix::EMPTY).unwrap()[0], &theirs);
            assert!(off < 1e-4, "{}, {length} tokens: off by {off}", folder.display());
            compared += 1;
        }
    }
    assert!(compared >= 4);
}
