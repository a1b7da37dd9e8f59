//! Model folders with something wrong: always an error that names it.

use std::{fs, path::Path};

use qwen3::{Embedder, EmbedderOptions, Error, Model, ModelFiles, Precision, Prefix, Reranker, RerankerOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture;

fn copy_of(model: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(model)).unwrap() {
        let path = entry.unwrap().path();
        fs::write(folder.path().join(path.file_name().unwrap()), fs::read(&path).unwrap()).unwrap();
    }
    folder
}

fn edit_config(folder: &Path, field: &str, value: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[field] = value;
    fs::write(path, config.to_string()).unwrap();
}

fn model_error(folder: &Path) -> String {
    let opened = ModelFiles::folder(folder).and_then(|files| Model::open(&files, Precision::F32));
    opened.err().expect("an error").to_string()
}

fn with_config(field: &str, value: Value) -> String {
    let folder = copy_of("golden/embed-gqa");
    edit_config(folder.path(), field, value);
    model_error(folder.path())
}

#[test]
fn a_config_of_another_model_is_told_by_tensor_and_shape() {
    let message = with_config("hidden_size", json!(96));
    assert!(
        message.contains("embed_tokens.weight") && message.contains("[1024, 96]") && message.contains("[1024, 64]")
    );
    let message = with_config("head_dim", json!(16));
    assert!(message.contains("q_proj.weight") && message.contains("[64, 64]"), "{message}");
    let message = with_config("num_hidden_layers", json!(4));
    assert!(message.contains("layers.3.") && message.contains("missing"), "{message}");
    let message = with_config("num_hidden_layers", json!(2));
    assert!(message.contains("unexpected tensor layers.2."), "{message}");
    assert!(with_config("model_type", json!("llama")).contains("model_type must be qwen3"));
}

#[test]
fn damaged_weights_are_refused() {
    let folder = copy_of("golden/embed-gqa");
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let message = model_error(folder.path());
        assert!(message.contains("model.safetensors"), "{length} bytes: {message}");
    }
    let renamed = String::from_utf8_lossy(&whole[..4000]).find("layers.1.mlp.up_proj").unwrap();
    let mut other = whole;
    other[renamed] = b'L';
    fs::write(&path, other).unwrap();
    assert!(model_error(folder.path()).contains("unexpected tensor Layers.1.mlp.up_proj"));
}

#[test]
fn nan_weights_give_an_error_not_a_vector() {
    let folder = copy_of("golden/embed-gqa");
    let path = folder.path().join("model.safetensors");
    let mut file = fs::read(&path).unwrap();
    let end = file.len();
    // The last tensor of the file is the final norm or a block's weight: both reach the output.
    file[end - 64 * 4..].as_chunks_mut::<4>().0.iter_mut().for_each(|value| *value = f32::NAN.to_le_bytes());
    fs::write(&path, file).unwrap();
    let model = Model::open(&ModelFiles::folder(folder.path()).unwrap(), Precision::F32).unwrap();
    let error = qwen3::embed_ids(&model, &[&[1, 2, 3]], 64).unwrap_err();
    assert!(matches!(error, Error::NonFinite { tokens: 3, .. }), "{error}");
}

#[test]
fn ids_and_lengths_out_of_range_are_errors() {
    let model = Model::open(&ModelFiles::folder(fixture("golden/embed-gqa")).unwrap(), Precision::F32).unwrap();
    let error = |ids: &[u32]| model.last_hidden(&[&[1], ids], &Prefix::EMPTY).unwrap_err();
    assert!(matches!(error(&[1024]), Error::TokenId { id: 1024, vocab_size: 1024 }));
    assert!(matches!(error(&[]), Error::Length { length: 0, .. }));
    assert!(matches!(error(&vec![1; 32_769]), Error::Length { length: 32_769, limit: 32_768 }));
}

#[test]
fn a_missing_or_foreign_tokenizer_is_named() {
    let open = |folder: &Path| {
        let opened = ModelFiles::folder(folder).and_then(|files| Embedder::open(&files, EmbedderOptions::default()));
        opened.err().expect("an error").to_string()
    };
    assert!(open(&fixture("golden/embed-gqa")).contains("tokenizer.json is missing"));
    let folder = copy_of("golden/embed-gqa");
    fs::copy(fixture("models/nano/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let message = open(folder.path());
    assert!(message.contains("51999") && message.contains("vocab_size is 1024"), "{message}");
    fs::write(folder.path().join("tokenizer.json"), "{\"version\":").unwrap();
    assert!(open(folder.path()).contains("tokenizer.json of"));
}

#[test]
fn tokens_that_collide_are_refused() {
    let folder = copy_of("models/tiny-reranker");
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Out of the vocabulary, the added token is numbered after its size, where another token already is.
    tokenizer["model"]["vocab"].as_object_mut().unwrap().remove("<|im_start|>");
    fs::write(&path, tokenizer.to_string()).unwrap();
    let files = ModelFiles::folder(folder.path()).unwrap();
    let message = Reranker::open(&files, RerankerOptions::default()).err().unwrap().to_string();
    assert!(message.contains("same id"), "{message}");
}

#[test]
fn options_that_cannot_be_met_are_refused() {
    let files = ModelFiles::folder(fixture("models/nano")).unwrap();
    let options = EmbedderOptions { dimension: Some(512), ..EmbedderOptions::default() };
    assert!(Embedder::open(&files, options).err().unwrap().to_string().contains("expected 32 to 384"));
    let files = ModelFiles::folder(fixture("models/tiny-reranker")).unwrap();
    let options = RerankerOptions { max_tokens: Some(50), ..RerankerOptions::default() };
    assert!(Reranker::open(&files, options).err().unwrap().to_string().contains("no room for a document"));
}
