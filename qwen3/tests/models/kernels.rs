//! Every way of computing gives the same: this crate's kernels on each instruction set, and candle's operations; and
//! long sequences stay within bounded memory.

use std::{fs, path::Path, process::Command};

use qwen3::{Isa, Kernels, Model, ModelFiles, Precision, Prefix};
use safetensors::{Dtype, tensor::TensorView};

use crate::{golden_models, worst};

fn batch() -> Vec<Vec<u32>> {
    let sequence = |length: u32| (0..length).map(|i| (i * 37 + length) % 1000).collect();
    [1, 2, 31, 150, 300, 64].map(sequence).to_vec()
}

/// Hidden states of the batch with and without a prefix.
fn states(folder: &Path, precision: Precision, kernels: Kernels) -> Vec<f32> {
    let model = Model::open_with(&ModelFiles::folder(folder).unwrap(), precision, kernels).unwrap();
    let batch = batch();
    let batch: Vec<&[u32]> = batch.iter().map(Vec::as_slice).collect();
    let prefix = model.prefix(&batch[3][..70]).unwrap();
    let mut states = model.last_hidden(&batch, &Prefix::EMPTY).unwrap();
    states.extend(model.last_hidden(&batch, &prefix).unwrap());
    states.concat()
}

#[test]
fn all_instruction_sets_agree_with_candle() {
    for folder in [golden_models("embed"), golden_models("rerank")].concat() {
        // Final states are normalised: their values are about 1, and bf16 keeps 8 bits of what happens before.
        for (precision, bound) in [(Precision::F32, 2e-4), (Precision::Bf16, 0.12)] {
            let expected = states(&folder, precision, Kernels::Candle);
            for isa in Isa::available() {
                let off = worst(&states(&folder, precision, Kernels::Own(isa)), &expected);
                assert!(off < bound, "{} {precision:?} {isa}: off by {off}", folder.display());
            }
        }
    }
}

#[test]
fn int8_agrees_across_instruction_sets() {
    for folder in golden_models("embed") {
        let expected = states(&folder, Precision::Int8, Kernels::Own(Isa::Portable));
        for isa in Isa::available() {
            let off = worst(&states(&folder, Precision::Int8, Kernels::Own(isa)), &expected);
            assert!(off < 0.25, "{} {isa}: off by {off}", folder.display());
        }
    }
}

const LONG: &str = "QUARRY_TEST_LONG_SEQUENCE";
const TOKENS: u32 = 32_768;

/// Two layers, small in every dimension.
fn small_model(folder: &Path) {
    let (vocab, hidden, ffn, dim) = (100, 64, 64, 32);
    let config = serde_json::json!({
        "model_type": "qwen3", "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": ffn,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": dim,
        "max_position_embeddings": TOKENS, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": true
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut shapes =
        vec![("embed_tokens.weight".to_owned(), vec![vocab, hidden]), ("norm.weight".to_owned(), vec![hidden])];
    for layer in 0..2 {
        let parts = [
            ("input_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![2 * dim, hidden]),
            ("self_attn.k_proj", vec![dim, hidden]),
            ("self_attn.v_proj", vec![dim, hidden]),
            ("self_attn.q_norm", vec![dim]),
            ("self_attn.k_norm", vec![dim]),
            ("self_attn.o_proj", vec![hidden, 2 * dim]),
            ("post_attention_layernorm", vec![hidden]),
            ("mlp.gate_proj", vec![ffn, hidden]),
            ("mlp.up_proj", vec![ffn, hidden]),
            ("mlp.down_proj", vec![hidden, ffn]),
        ];
        shapes.extend(parts.map(|(part, shape)| (format!("layers.{layer}.{part}.weight"), shape)));
    }
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.4
    };
    let mut data = |shape: &[usize]| -> Vec<u8> {
        (0..shape.iter().product()).flat_map(|_| (0.5 * noise()).to_le_bytes()).collect()
    };
    let tensors: Vec<_> = shapes.into_iter().map(|(name, shape)| (name, data(&shape), shape)).collect();
    let views =
        tensors.iter().map(|(name, data, shape)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Runs in a process of its own: the peak is the process's.
#[test]
fn a_long_sequence_needs_memory_linear_in_its_length() {
    if !Path::new("/proc/self/status").exists() {
        return;
    }
    if std::env::var_os(LONG).is_none() {
        let name = "kernels::a_long_sequence_needs_memory_linear_in_its_length";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name, "--nocapture"]).env(LONG, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    small_model(folder.path());
    for precision in [Precision::F32, Precision::Bf16] {
        let model = Model::open(&ModelFiles::folder(folder.path()).unwrap(), precision).unwrap();
        let ids: Vec<u32> = (0..TOKENS).map(|i| i * 7 % 100).collect();
        // Threads and their scratch memory, once.
        model.last_hidden(&[&ids[..1000]], &Prefix::EMPTY).unwrap();
        let before = peak_kib();
        let states = model.last_hidden(&[&ids], &Prefix::EMPTY).unwrap();
        assert!(states[0].iter().all(|x| x.is_finite()));
        let grown = (peak_kib() - before) >> 10;
        // Hidden states, projections and angles of 32,768 tokens; scores of all pairs would be 8 GiB.
        assert!(grown < 100, "{precision:?}: {grown} MiB more for {TOKENS} tokens");
    }
}
