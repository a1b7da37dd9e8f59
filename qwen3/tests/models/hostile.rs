//! Files that lie: cut anywhere, changed anywhere, with counts, lengths and offsets of any size. Always an error that
//! names the file, or a model that computes; never a panic, and never memory for what a file merely claims.

use std::{fs, path::Path};

use candle_core::{Device, Tensor, quantized::GgmlDType};
use proptest::prelude::*;
use qwen3::{Embedder, EmbedderOptions, Model, ModelFiles, Precision, Reranker, RerankerOptions, embed_ids};
use tempfile::TempDir;

use crate::{
    fixture,
    writer::{Edit, Writer, array, tensors},
};

const CONFIG: &[u8] = br#"{"model_type": "qwen3", "vocab_size": 40, "hidden_size": 32, "intermediate_size": 32,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": true}"#;

const TOKENIZER: &str = r#"{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3},
    "merges": ["a b"]}, "added_tokens": [{"id": 4, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
    "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null, "truncation": null, "padding": null}"#;

/// The smallest model there can be, as safetensors with tokenizer.
fn tiny() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    fs::write(folder.path().join("tokenizer.json"), TOKENIZER).unwrap();
    let tensors: std::collections::HashMap<_, _> = ModelFiles::random(CONFIG)
        .unwrap()
        .tensors()
        .unwrap()
        .into_iter()
        .map(|tensor| {
            let count: usize = tensor.shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| ((i * 37 + 11) % 64) as f32 / 64.0 - 0.4).collect();
            (tensor.name, Tensor::from_vec(values, tensor.shape, &Device::Cpu).unwrap())
        })
        .collect();
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

/// The same model as one GGUF file with a tokenizer inside.
fn tiny_gguf(format: GgmlDType) -> Writer {
    let folder = tiny();
    let mut writer = Writer::of_folder(folder.path(), |_| format);
    writer.tokenizer(&folder.path().join("tokenizer.json"), 40);
    writer
}

/// Opens whatever is there, and computes with it if that works. What matters is that this returns.
fn survive(path: &Path) -> qwen3::Result<()> {
    let files = ModelFiles::open(path)?;
    files.scan_non_finite()?;
    let model = Model::open(&files, Precision::F32)?;
    let _ = embed_ids(&model, &[&[1, 2, 3], &[4]], model.hidden_size());
    let embedder = Embedder::open(&files, EmbedderOptions::default())?;
    let ids = embedder.encoder().query("a b ab", None)?;
    let _ = embedder.embed_ids(&[&ids]);
    Ok(())
}

fn refusal(path: &Path) -> String {
    survive(path).expect_err("an error").to_string()
}

#[test]
fn a_gguf_cut_anywhere_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gguf");
    let writer = tiny_gguf(GgmlDType::Q8_0);
    let (whole, header) = (writer.bytes(), writer.header().len());
    fs::write(&path, &whole).unwrap();
    survive(&path).unwrap();
    // The padding after the last tensor may be missing: nothing is in it.
    let end = whole.len() - (whole.len() - header) % 32 - 32;
    for length in (0..header).chain((header..end).step_by(61)) {
        fs::write(&path, &whole[..length]).unwrap();
        let message = refusal(&path);
        assert!(message.contains("cut.gguf"), "{length} bytes: {message}");
    }
}

#[test]
fn a_gguf_changed_anywhere_in_its_header_gives_an_error_or_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.gguf");
    let writer = tiny_gguf(GgmlDType::F16);
    let (whole, header) = (writer.bytes(), writer.header().len());
    let mut refused = 0;
    for at in 0..header {
        for change in [0x01, 0x80, 0xff] {
            let mut file = whole.clone();
            file[at] ^= change;
            fs::write(&path, file).unwrap();
            if let Err(e) = survive(&path) {
                assert!(e.to_string().contains("changed.gguf"), "byte {at}: {e}");
                refused += 1;
            }
        }
    }
    assert!(refused > header, "{refused} of {}", header * 3);
}

#[test]
fn claims_of_a_gguf_are_checked() {
    let refused = |edit: Edit| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lies.gguf");
        let mut writer = tiny_gguf(GgmlDType::F32);
        edit(&mut writer);
        writer.write(&path);
        let message = refusal(&path);
        assert!(message.contains("lies.gguf"), "{message}");
        message
    };
    let cases: [(&str, Edit); 12] = [
        ("does not fit", &|w| w.tensors[2].offset = Some(u64::MAX - 31)),
        ("does not fit", &|w| w.tensors[2].offset = Some(1 << 40)),
        ("overlap", &|w| w.tensors[2].offset = Some(0)),
        ("cannot have the shape", &|w| w.tensors[2].shape = vec![usize::MAX / 2, 32]),
        ("cannot have the shape", &|w| w.tensors[2].shape = vec![0, 32]),
        ("cannot have the shape", &|w| (w.tensors[2].shape, w.tensors[2].kind) = (vec![32, 33], 8)),
        ("does not fit", &|w| w.tensors[2].shape = vec![1 << 20, 1 << 20]),
        ("5 dimensions", &|w| w.tensors[2].shape = vec![1; 5]),
        ("0 dimensions", &|w| w.tensors[2].shape = Vec::new()),
        ("there twice", &|w| w.tensors[2].name = w.tensors[1].name.clone()),
        ("power of two", &|w| w.count("general.alignment", 0)),
        ("truncated", &|w| w.set("zzz", 9, array(8, usize::MAX, Vec::new()))),
    ];
    for (part, edit) in cases {
        let message = refused(edit);
        assert!(message.contains(part), "expected {part:?} in {message:?}");
    }
    let mut header = b"GGUF".to_vec();
    header.extend(3u32.to_le_bytes());
    header.extend([0xff; 16]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.gguf");
    fs::write(&path, header).unwrap();
    assert!(refusal(&path).contains("claims"));
}

#[test]
fn safetensors_cut_or_changed_anywhere_give_an_error_or_a_model() {
    let folder = tiny();
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    survive(folder.path()).unwrap();
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    for length in (0..header).chain((header..whole.len()).step_by(61)) {
        fs::write(&path, &whole[..length]).unwrap();
        let message = refusal(folder.path());
        assert!(message.contains("model.safetensors"), "{length} bytes: {message}");
    }
    for at in 0..header {
        for change in [0x01, 0x80, 0xff] {
            let mut file = whole.clone();
            file[at] ^= change;
            fs::write(&path, file).unwrap();
            let name = folder.path().display().to_string();
            assert!(survive(folder.path()).err().is_none_or(|e| e.to_string().contains(&name)), "byte {at}");
        }
    }
}

#[test]
fn config_and_tokenizer_cut_or_changed_give_an_error_or_a_model() {
    let folder = tiny();
    for (name, whole) in [("config.json", CONFIG), ("tokenizer.json", TOKENIZER.as_bytes())] {
        let path = folder.path().join(name);
        for at in 0..whole.len() {
            fs::write(&path, &whole[..at]).unwrap();
            assert!(refusal(folder.path()).contains(name), "{name} cut at {at}");
            let mut file = whole.to_vec();
            file[at] ^= 0x03;
            fs::write(&path, file).unwrap();
            let _ = survive(folder.path());
        }
        fs::write(&path, whole).unwrap();
    }
    let lying = TOKENIZER.replace(r#""merges": ["a b"]"#, r#""merges": ["ab ab"]"#);
    fs::write(folder.path().join("tokenizer.json"), lying).unwrap();
    assert!(refusal(folder.path()).contains("tokenizer.json of"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn files_with_random_patches_never_panic(
        kind in 0usize..4,
        patches in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 1..12)), 1..4),
    ) {
        let folder = tiny();
        let (path, mut file) = if kind == 0 {
            let path = folder.path().join("model.safetensors");
            (path.clone(), fs::read(path).unwrap())
        } else {
            fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
            fs::remove_file(folder.path().join("model.safetensors")).unwrap();
            let format = [GgmlDType::F32, GgmlDType::Q8_0, GgmlDType::Q4_0][kind - 1];
            (folder.path().join("model.gguf"), tiny_gguf(format).bytes())
        };
        for (at, patch) in patches {
            // The header is where lies are told.
            let start = at as usize % file.len().min(4096);
            let end = (start + patch.len()).min(file.len());
            file[start..end].copy_from_slice(&patch[..end - start]);
        }
        fs::write(path, file).unwrap();
        let _ = survive(folder.path());
    }
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let folder = tiny();
    let all = tensors(folder.path());
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    for shard in ["a.safetensors", "b.safetensors"] {
        candle_core::safetensors::save(&all, folder.path().join(shard)).unwrap();
    }
    let index = r#"{"weight_map": {"norm.weight": "a.safetensors", "embed_tokens.weight": "b.safetensors"}}"#;
    fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    assert!(refusal(folder.path()).contains("is there twice"));
    for file in ["../a.safetensors", "/etc/passwd", "..", "", "sub/a.safetensors"] {
        let index = format!(r#"{{"weight_map": {{"norm.weight": "{file}"}}}}"#);
        fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
        assert!(refusal(folder.path()).contains("is not a plain file name"), "{file:?}");
    }
}

#[test]
fn weights_that_are_no_numbers_are_found() {
    let folder = tiny();
    assert_eq!(ModelFiles::folder(folder.path()).unwrap().scan_non_finite().unwrap(), []);
    let mut all = tensors(folder.path());
    let mut values = vec![0.5f32; 32 * 32];
    (values[3], values[700], values[1023]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let name = "layers.0.mlp.up_proj.weight".to_owned();
    all.insert(name.clone(), Tensor::from_vec(values, (32, 32), &Device::Cpu).unwrap());
    candle_core::safetensors::save(&all, folder.path().join("model.safetensors")).unwrap();
    let found = ModelFiles::folder(folder.path()).unwrap().scan_non_finite().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].tensor, found[0].count, found[0].values), (&name, 3, 1024));

    // A block's scale that is NaN spoils its 32 values.
    let mut writer = tiny_gguf(GgmlDType::Q8_0);
    let spoilt = writer.tensors.iter_mut().find(|tensor| tensor.name == "blk.0.ffn_down.weight").unwrap();
    spoilt.bytes[34..36].copy_from_slice(&[0xff, 0x7f]);
    let path = folder.path().join("spoilt.gguf");
    writer.write(&path);
    let found = ModelFiles::open(&path).unwrap().scan_non_finite().unwrap();
    assert_eq!((found[0].tensor.as_str(), found[0].count), ("blk.0.ffn_down.weight", 32));
}

#[test]
fn facts_of_files_and_tensors() {
    let folder = tiny();
    let files = ModelFiles::open(folder.path()).unwrap();
    let names: Vec<_> = files.files().iter().map(|file| file.path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["config.json", "tokenizer.json", "model.safetensors"]);
    assert!(files.files().iter().all(|file| file.bytes == fs::metadata(&file.path).unwrap().len()));
    let path = folder.path().join("facts.gguf");
    tiny_gguf(GgmlDType::Q8_0).write(&path);
    let gguf = ModelFiles::open(&path).unwrap().tensors().unwrap();
    assert_eq!((gguf.len(), files.tensors().unwrap().len()), (13, 13));
    let table = gguf.iter().find(|tensor| tensor.name == "token_embd.weight").unwrap();
    assert_eq!((table.dtype.as_str(), table.shape.as_slice(), table.bytes), ("Q8_0", &[40, 32][..], 40 * 34));
}

#[test]
fn made_up_weights_compute_and_repeat() {
    let files = ModelFiles::random(CONFIG).unwrap();
    assert!(files.files().is_empty() && files.tensors().unwrap().iter().all(|tensor| tensor.bytes == 0));
    let vector = || {
        let model = Model::open(&files, Precision::F32).unwrap();
        embed_ids(&model, &[&[1, 2, 3]], 32).unwrap().remove(0)
    };
    assert_eq!(vector(), vector());
    assert!(ModelFiles::random(b"{}").is_err());
    let message = Embedder::open(&files, EmbedderOptions::default()).err().unwrap().to_string();
    assert!(message.contains("tokenizer.json is missing"), "{message}");
    let untied = String::from_utf8_lossy(CONFIG).replace("true", "false");
    let files = ModelFiles::random(untied.as_bytes()).unwrap();
    assert!(files.tensors().unwrap().iter().any(|tensor| tensor.name == "lm_head.weight"));
    assert!(Model::open(&files, Precision::F32).is_ok());
}

#[test]
fn rerankers_of_other_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    tiny_gguf(GgmlDType::F32).write(&path);
    let opened = Reranker::open(&ModelFiles::open(&path).unwrap(), RerankerOptions::default());
    assert!(opened.err().unwrap().to_string().contains("has no token"));
    let mut config: serde_json::Value = serde_json::from_slice(CONFIG).unwrap();
    config["model_type"] = "bert".into();
    assert!(ModelFiles::random(config.to_string().as_bytes()).err().unwrap().to_string().contains("must be qwen3"));
    assert!(ModelFiles::folder(fixture("golden")).is_err());
}
