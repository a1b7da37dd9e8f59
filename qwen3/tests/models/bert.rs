//! A BERT folder as the embedder: against reference outputs of transformers, in every precision, alone and packed; its
//! special tokens; and files that are wrong.

use std::{fs, path::Path};

use qwen3::{
    DeviceChoice, EmbedHandle, EmbedPrompt, Embedder, EmbedderOptions, Lane, ModelFiles, Overlong, Precision, Reranker,
    RerankerOptions, WorkerOptions,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{expected, fixture, golden_models, worst};

const CLS: u32 = 2;
const SEP: u32 = 3;
const FILES: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    input_ids: Vec<u32>,
    mean: Vec<f32>,
    cls: Vec<f32>,
}

fn cases() -> Vec<Case> {
    expected::<Cases>(&fixture("golden/bert-tiny")).cases
}

fn open(folder: &Path, options: EmbedderOptions) -> qwen3::Result<Embedder> {
    Embedder::open(&ModelFiles::folder(folder)?, options)
}

fn tiny(options: EmbedderOptions) -> Embedder {
    open(&fixture("golden/bert-tiny"), options).unwrap()
}

/// A copy to be damaged.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    for file in FILES {
        fs::copy(fixture("golden/bert-tiny").join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn edit(folder: &Path, file: &str, change: impl Fn(&mut Value)) {
    let path = folder.join(file);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

fn refusal(folder: &Path) -> String {
    open(folder, EmbedderOptions::default()).err().expect("a damaged model does not open").to_string()
}

#[test]
fn vectors_are_those_of_transformers_alone_and_packed() {
    let bounds = [(Precision::F32, 1e-5), (Precision::Bf16, 2e-2), (Precision::Int8, 4e-2)];
    for (folder, (precision, bound)) in golden_models("bert").iter().flat_map(|it| bounds.map(|bound| (it, bound))) {
        let embedder = open(folder, EmbedderOptions { precision, ..EmbedderOptions::default() }).unwrap();
        assert_eq!(embedder.precision(), precision);
        let cases = expected::<Cases>(folder).cases;
        let mut batch: Vec<&[u32]> = cases.iter().map(|case| case.input_ids.as_slice()).collect();
        for (ids, case) in batch.iter().zip(&cases) {
            let off = worst(&embedder.embed_ids(&[ids]).unwrap()[0], &case.mean);
            assert!(off < bound, "{precision:?} {:?}: off by {off}", case.text);
        }
        for _ in 0..batch.len() {
            batch.rotate_left(1);
            for (ids, vector) in batch.iter().zip(embedder.embed_ids(&batch).unwrap()) {
                let alone = &embedder.embed_ids(&[ids]).unwrap()[0];
                assert!(
                    worst(alone, &vector) < 1e-6,
                    "{precision:?}: a batch changes a vector of {} tokens",
                    ids.len()
                );
            }
        }
        assert!(embedder.embed_ids(&[]).unwrap().is_empty());
    }
    assert_eq!(tiny(EmbedderOptions::default()).precision(), Precision::F32);
}

#[test]
fn texts_become_the_ids_of_transformers() {
    for folder in golden_models("bert") {
        let embedder = open(&folder, EmbedderOptions::default()).unwrap();
        for case in expected::<Cases>(&folder).cases {
            assert_eq!(embedder.encoder().documents(&[&case.text]).unwrap()[0], case.input_ids, "{}", case.text);
            let query = embedder.encoder().query(&case.text, Some("an instruction is not said")).unwrap();
            assert_eq!(query, case.input_ids);
        }
    }
    let embedder = tiny(EmbedderOptions::default());
    assert_eq!((embedder.max_tokens(), embedder.dimension()), (64, 32));
    assert_eq!(embedder.device(), DeviceChoice::Cpu);
}

#[test]
fn a_text_cannot_bring_its_own_special_tokens() {
    let embedder = tiny(EmbedderOptions { max_tokens: Some(9), ..EmbedderOptions::default() });
    for text in ["[SEP] in the middle [CLS]", "", &"water ".repeat(500)] {
        let ids = embedder.encoder().documents(&[text]).unwrap().remove(0);
        assert_eq!((ids[0], ids[ids.len() - 1]), (CLS, SEP), "{text}");
        assert!(ids.len() <= 9 && ids[1..ids.len() - 1].iter().all(|id| *id > 4), "{ids:?}");
    }
    let least = tiny(EmbedderOptions { max_tokens: Some(0), ..EmbedderOptions::default() });
    assert_eq!((least.max_tokens(), least.encoder().documents(&["water gate"]).unwrap()[0].len()), (3, 3));
}

#[test]
fn ids_from_outside_get_what_they_lack() {
    let handle = EmbedHandle::start(tiny(EmbedderOptions::default()), &WorkerOptions::default()).unwrap();
    let case = &cases()[2];
    let bare = case.input_ids[1..case.input_ids.len() - 1].to_vec();
    let sequences = vec![case.input_ids.clone(), bare, [vec![CLS], vec![9; 500], vec![SEP]].concat()];
    let vectors = handle.embed_ids_in(Lane::Bulk, sequences, Overlong::CutEnd).unwrap().wait().unwrap();
    assert!(worst(&vectors[0], &case.mean) < 1e-5 && worst(&vectors[1], &case.mean) < 1e-5);
    assert!(handle.embed_ids_in(Lane::Bulk, vec![vec![60_000]], Overlong::CutEnd).is_err());
    let query = handle.embed_query(&case.text, None).unwrap();
    assert!(worst(&query, &case.mean) < 1e-5, "a query is embedded as a document");
    let embedder = tiny(EmbedderOptions::default());
    assert!(embedder.embed_ids(&[&[5; 81]]).unwrap_err().to_string().contains("81 tokens: expected 1 to 80"));
    assert!(embedder.embed_ids(&[&[]]).is_err());
}

#[test]
fn the_first_token_alone_where_the_model_says_so() {
    let folder = copy();
    edit(folder.path(), "1_Pooling/config.json", |pooling| {
        pooling["pooling_mode_cls_token"] = json!(true);
        pooling["pooling_mode_mean_tokens"] = json!(false);
    });
    let embedder = open(folder.path(), EmbedderOptions::default()).unwrap();
    for case in cases() {
        let off = worst(&embedder.embed_ids(&[&case.input_ids]).unwrap()[0], &case.cls);
        assert!(off < 1e-5, "{:?}: off by {off}", case.text);
    }
    assert_ne!(embedder.fingerprint(), tiny(EmbedderOptions::default()).fingerprint());
}

#[test]
fn what_changes_vectors_changes_the_fingerprint() {
    let base = tiny(EmbedderOptions::default()).fingerprint().to_owned();
    let folder = copy();
    assert_eq!(base, open(folder.path(), EmbedderOptions::default()).unwrap().fingerprint());
    edit(folder.path(), "sentence_bert_config.json", |length| length["max_seq_length"] = json!(32));
    let shorter = open(folder.path(), EmbedderOptions::default()).unwrap();
    assert_eq!(shorter.max_tokens(), 32);
    assert_ne!(base, shorter.fingerprint());
    let prompt = EmbedPrompt { query: "query: {query}".to_owned(), ..EmbedPrompt::bare() };
    let prompted = tiny(EmbedderOptions { prompt: Some(prompt), ..EmbedderOptions::default() });
    assert_ne!(base, prompted.fingerprint());
}

#[test]
fn tensors_may_be_named_as_in_pre_training() {
    let folder = copy();
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let prefixed: Vec<_> =
        tensors.tensors().into_iter().map(|(name, tensor)| (format!("bert.{name}"), tensor)).collect();
    let renamed = safetensors::serialize(prefixed, None).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, renamed).unwrap();
    edit(folder.path(), "config.json", |config| config["architectures"] = json!(["BertForMaskedLM"]));
    let embedder = open(folder.path(), EmbedderOptions::default()).unwrap();
    let case = &cases()[3];
    assert!(worst(&embedder.embed_ids(&[&case.input_ids]).unwrap()[0], &case.mean) < 1e-5);
    let files = ModelFiles::folder(folder.path()).unwrap();
    assert!(files.tensors().unwrap().iter().any(|tensor| tensor.name == "bert.embeddings.LayerNorm.weight"));
    assert!(files.scan_non_finite().unwrap().is_empty());
}

#[test]
fn files_that_are_wrong_are_named() {
    let changed = |file: &str, change: fn(&mut Value)| {
        let folder = copy();
        edit(folder.path(), file, change);
        refusal(folder.path())
    };
    let config = |change| changed("config.json", change);
    assert!(config(|c| c["model_type"] = json!("roberta")).contains("model_type must be qwen3 or bert, got roberta"));
    assert!(config(|c| c["hidden_act"] = json!("relu")).contains("hidden_act"));
    assert!(config(|c| c["num_hidden_layers"] = json!(3)).contains("encoder.layer.2"));
    assert!(config(|c| c["num_hidden_layers"] = json!(1)).contains("unexpected tensor encoder.layer.1"));
    assert!(config(|c| c["intermediate_size"] = json!(65)).contains("intermediate.dense.weight"));
    assert!(config(|c| c["vocab_size"] = json!(100)).contains("embeddings.word_embeddings.weight"));
    let pooling = changed("1_Pooling/config.json", |pooling| pooling["pooling_mode_max_tokens"] = json!(true));
    assert!(pooling.contains("1_Pooling/config.json") && pooling.contains("pooling_mode_max_tokens"), "{pooling}");
    let modules = changed("modules.json", |modules| modules[2]["type"] = json!("sentence_transformers.models.Dense"));
    assert!(modules.contains("modules.json") && modules.contains("Dense"), "{modules}");
    let frame = changed("tokenizer.json", |tokenizer| tokenizer["post_processor"] = Value::Null);
    assert!(frame.contains("tokenizer.json") && frame.contains("[CLS]"), "{frame}");
    let folder = copy();
    fs::remove_file(folder.path().join("1_Pooling/config.json")).unwrap();
    assert!(refusal(folder.path()).contains("1_Pooling/config.json is missing"));
}

#[test]
fn a_file_cut_anywhere_is_refused_or_the_same() {
    for file in FILES {
        let whole = fs::read(fixture("golden/bert-tiny").join(file)).unwrap();
        for part in 0..40 {
            let folder = copy();
            let path = folder.path().join(file);
            fs::remove_file(&path).unwrap();
            fs::write(&path, &whole[..whole.len() * part / 40]).unwrap();
            let message = refusal(folder.path());
            assert!(!message.is_empty(), "{file}");
        }
    }
}

#[test]
fn weights_that_are_no_numbers_give_no_vector() {
    let folder = copy();
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let tables = bytes.len() / 3;
    bytes[tables / 4 * 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    assert!(!ModelFiles::folder(folder.path()).unwrap().scan_non_finite().unwrap().is_empty());
    let embedder = open(folder.path(), EmbedderOptions::default()).unwrap();
    for case in cases() {
        if let Ok(vectors) = embedder.embed_ids(&[&case.input_ids]) {
            assert!(vectors[0].iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn options_that_cannot_be_met_are_refused() {
    let error = |options| open(&fixture("golden/bert-tiny"), options).err().unwrap().to_string();
    let gpu = error(EmbedderOptions { device: DeviceChoice::Cuda(0), ..EmbedderOptions::default() });
    assert!(gpu.contains("cuda:0") && gpu.contains("CPU only"), "{gpu}");
    assert!(error(EmbedderOptions { dimension: Some(33), ..EmbedderOptions::default() }).contains("expected 32 to 32"));
    let files = ModelFiles::folder(fixture("golden/bert-tiny")).unwrap();
    let reranker = Reranker::open(&files, RerankerOptions::default()).err().unwrap().to_string();
    assert!(reranker.contains("model_type must be qwen3, got bert"), "{reranker}");
}

#[test]
fn words_that_are_unknown_tell_a_foreign_script() {
    let embedder = tiny(EmbedderOptions::default());
    let fertility = |text: &str| embedder.tokenizer().fertility(text).unwrap();
    assert!(fertility("the pressure of water") < 0.4);
    assert!(fertility("如何报销差旅费用") > 2.0);
}
