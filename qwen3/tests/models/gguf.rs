//! GGUF files written from the reference models: the same vectors, scores and ids as from the safetensors.

use std::{
    fs,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor, quantized::GgmlDType};
use qwen3::{
    Answer, Embedder, EmbedderOptions, Model, ModelFiles, Precision, Prefix, Reranker, RerankerOptions, embed_ids,
    score_ids,
};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    expected, fixture, golden_models, worst,
    writer::{Choice, Edit, Writer, tensors},
};

#[derive(Deserialize)]
struct Embeddings {
    cases: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    input_ids: Vec<u32>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Scores {
    yes_id: u32,
    no_id: u32,
    prefix_ids: Vec<u32>,
    suffix_ids: Vec<u32>,
    cases: Vec<Score>,
}

#[derive(Deserialize)]
struct Score {
    document_ids: Vec<u32>,
    score: f32,
}

/// A folder of its own that holds `writer`'s file, and the file's path.
pub(crate) fn written(writer: &Writer) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    writer.write(&path);
    (folder, path)
}

fn open(writer: &Writer) -> qwen3::Result<Model> {
    let (_folder, path) = written(writer);
    Model::open(&ModelFiles::open(path)?, Precision::F32)
}

fn refusal(writer: &Writer) -> String {
    let message = open(writer).err().expect("an error").to_string();
    assert!(message.contains("model.gguf"), "{message}");
    message
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Largest difference to the reference embeddings, and the least cosine with them.
fn embedding_loss(folder: &Path, writer: &Writer) -> (f32, f32) {
    let model = open(writer).unwrap();
    let expected: Embeddings = expected(folder);
    let (mut off, mut like) = (0f32, 1f32);
    for case in &expected.cases {
        let vector = &embed_ids(&model, &[&case.input_ids], model.hidden_size()).unwrap()[0];
        off = off.max(worst(vector, &case.embedding));
        like = like.min(cosine(vector, &case.embedding));
    }
    (off, like)
}

/// Largest difference to the reference scores.
fn score_loss(folder: &Path, writer: &Writer) -> f32 {
    let model = open(writer).unwrap();
    let expected: Scores = expected(folder);
    let answer = Answer::of(&model, expected.yes_id, expected.no_id).unwrap();
    let off = |case: &Score| {
        let prompt = [&expected.prefix_ids[..], &case.document_ids, &expected.suffix_ids].concat();
        (score_ids(&model, &answer, &[&prompt], &Prefix::EMPTY).unwrap()[0] - case.score).abs()
    };
    expected.cases.iter().map(off).fold(0.0, f32::max)
}

#[test]
fn float_files_equal_the_reference() {
    for (format, embedding_bound, score_bound) in
        [(GgmlDType::F32, 1e-4, 1e-4), (GgmlDType::F16, 5e-3, 2e-2), (GgmlDType::BF16, 2e-2, 5e-2)]
    {
        for folder in golden_models("embed") {
            let (off, like) = embedding_loss(&folder, &Writer::of_folder(&folder, |_| format));
            assert!(off < embedding_bound, "{} {format:?}: off by {off}", folder.display());
            assert!(like > 0.999, "{} {format:?}: cosine {like}", folder.display());
        }
        for folder in golden_models("rerank") {
            let off = score_loss(&folder, &Writer::of_folder(&folder, |_| format));
            assert!(off < score_bound, "{} {format:?}: off by {off}", folder.display());
        }
    }
}

#[test]
fn blocks_of_32_come_close_to_the_reference() {
    let formats =
        [(GgmlDType::Q8_0, 0.9995), (GgmlDType::Q5_1, 0.99), (GgmlDType::Q5_0, 0.99), (GgmlDType::Q4_0, 0.96)];
    for (format, floor) in formats {
        for folder in golden_models("embed").into_iter().filter(|folder| !folder.ends_with("embed-mqa")) {
            let like = embedding_loss(&folder, &Writer::of_folder(&folder, |_| format)).1;

            assert!(like > floor, "{} {format:?}: cosine {like}", folder.display());
        }
    }
    for folder in golden_models("rerank") {
        let off = score_loss(&folder, &Writer::of_folder(&folder, |_| GgmlDType::Q8_0));
        println!("{} Q8_0: scores off by {off} at most", folder.display());
        assert!(off < 0.02, "{}: off by {off}", folder.display());
    }
}

/// A model wide enough for blocks of 256, with weights made by a generator.
fn wide_model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = br#"{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "vocab_size": 300,
        "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0, "tie_word_embeddings": true}"#;
    fs::write(folder.path().join("config.json"), config).unwrap();
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let made_up = ModelFiles::random(config).unwrap().tensors().unwrap();
    let tensors = made_up.into_iter().map(|tensor| {
        let centre = if tensor.shape.len() == 1 { 1.0 } else { 0.0 };
        let values: Vec<f32> = (0..tensor.shape.iter().product()).map(|_| centre + 0.1 * next()).collect();
        (tensor.name, Tensor::from_vec(values, tensor.shape, &Device::Cpu).unwrap())
    });
    let tensors: std::collections::HashMap<_, _> = tensors.collect();
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

/// The mixture of llama.cpp's Q4_K_M and Q5_K_M: the matrices that hurt most in Q6_K.
fn mixed(low: GgmlDType) -> impl Fn(&str) -> GgmlDType {
    move |name| {
        let high = ["attn_v", "ffn_down", "token_embd"].iter().any(|part| name.contains(part));
        if high { GgmlDType::Q6K } else { low }
    }
}

/// Embeddings and yes-no scores of some sequences.
fn outputs(model: &Model) -> Vec<(Vec<f32>, f32)> {
    let answer = Answer::of(model, 7, 8).unwrap();
    let output = |n: u32| {
        let ids: Vec<u32> = (0..n * 7).map(|i| (i * i * 31 + n) % 300).collect();
        let vector = embed_ids(model, &[&ids], 256).unwrap().remove(0);
        (vector, score_ids(model, &answer, &[&ids], &Prefix::EMPTY).unwrap()[0])
    };
    (1..12).map(output).collect()
}

/// Least cosine and largest difference of scores.
fn loss(a: &[(Vec<f32>, f32)], b: &[(Vec<f32>, f32)]) -> (f32, f32) {
    let pairs = || a.iter().zip(b);
    let like = pairs().map(|(a, b)| cosine(&a.0, &b.0)).fold(1.0, f32::min);
    (like, pairs().map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f32::max))
}

/// The same folder with each matrix rounded as candle packs and unpacks it.
fn rounded(folder: &Path, format: impl Fn(&str) -> GgmlDType) -> TempDir {
    let round = |(name, tensor): (String, Tensor)| {
        let format = if tensor.rank() == 1 { GgmlDType::F32 } else { format(&crate::writer::gguf_name(&name)) };
        let packed = candle_core::quantized::QTensor::quantize(&tensor, format).unwrap();
        (name, packed.dequantize(&Device::Cpu).unwrap())
    };
    let tensors: std::collections::HashMap<_, _> = tensors(folder).into_iter().map(round).collect();
    let out = tempfile::tempdir().unwrap();
    fs::copy(folder.join("config.json"), out.path().join("config.json")).unwrap();
    candle_core::safetensors::save(&tensors, out.path().join("model.safetensors")).unwrap();
    out
}

/// Random weights are harder to round than trained ones: the floors say what rounding does to this model; that reading
/// adds nothing to it, the comparison with the rounded safetensors says.
#[test]
fn blocks_of_256_come_close_to_f32() {
    let folder = wide_model();
    let open_folder = |folder: &Path| Model::open(&ModelFiles::folder(folder).unwrap(), Precision::F32).unwrap();
    let reference = outputs(&open_folder(folder.path()));
    let cases: [(&str, Choice, f32, f32); 7] = [
        ("F32", &|_| GgmlDType::F32, 0.999_99, 1e-4),
        ("Q8_0", &|_| GgmlDType::Q8_0, 0.9995, 0.02),
        ("Q6_K", &|_| GgmlDType::Q6K, 0.996, 0.05),
        ("Q5_K", &|_| GgmlDType::Q5K, 0.98, 0.1),
        ("Q5_K_M", &mixed(GgmlDType::Q5K), 0.985, 0.1),
        ("Q4_K", &|_| GgmlDType::Q4K, 0.92, 0.25),
        ("Q4_K_M", &mixed(GgmlDType::Q4K), 0.96, 0.15),
    ];
    for (name, format, floor, score_bound) in cases {
        let model = outputs(&open(&Writer::of_folder(folder.path(), format)).unwrap());
        let (like, off) = loss(&reference, &model);
        println!("{name}: least cosine {like}, scores off by {off} at most");
        assert!(like > floor, "{name}: cosine {like}");
        assert!(off < score_bound, "{name}: scores off by {off}");
        let same = outputs(&open_folder(rounded(folder.path(), format).path()));
        let (like, off) = loss(&same, &model);
        assert!(like > 0.99999 && off < 1e-4, "{name} against the same rounding: cosine {like}, scores off by {off}");
    }
}

#[test]
fn candles_own_writer_is_read_too() {
    use candle_core::quantized::{QTensor, gguf_file};
    let folder = fixture("golden/embed-gqa");
    let ours = Writer::of_folder(&folder, |_| GgmlDType::F32);
    let tensors: Vec<(String, QTensor)> = tensors(&folder)
        .into_iter()
        .map(|(name, tensor)| {
            let name = crate::writer::gguf_name(name.strip_prefix("model.").unwrap_or(&name));
            (name, QTensor::quantize(&tensor, GgmlDType::F32).unwrap())
        })
        .collect();
    // candle reads what our writer wrote, and its writer puts that into a file of version 2.
    let content = gguf_file::Content::read(&mut std::io::Cursor::new(ours.bytes())).unwrap();
    let metadata: Vec<_> = content.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("candle.gguf");
    gguf_file::write(&mut fs::File::create(&path).unwrap(), &metadata, &tensors).unwrap();
    let model = Model::open(&ModelFiles::open(&path).unwrap(), Precision::F32).unwrap();
    let expected: Embeddings = expected(&folder);
    let case = &expected.cases[3];
    assert!(worst(&embed_ids(&model, &[&case.input_ids], 64).unwrap()[0], &case.embedding) < 1e-4);
}

#[test]
fn any_alignment_and_version_2_are_read() {
    let folder = fixture("golden/embed-gqa");
    for (version, alignment) in [(2, 32), (3, 8), (3, 1), (3, 4096)] {
        let mut writer = Writer::of_folder(&folder, |_| GgmlDType::F16);
        (writer.version, writer.alignment) = (version, alignment);
        writer.count("general.alignment", alignment as u32);
        assert!(embedding_loss(&folder, &writer).0 < 5e-3, "{version} {alignment}");
    }
}

pub(crate) fn reranker_writer() -> Writer {
    let folder = fixture("models/tiny-reranker");
    let mut writer = Writer::of_folder(&folder, |_| GgmlDType::F32);
    writer.tokenizer(&folder.join("tokenizer.json"), 1024);
    writer
}

pub(crate) fn score(files: &ModelFiles) -> qwen3::Result<Vec<f32>> {
    let reranker = Reranker::open(files, RerankerOptions::default())?;
    let prompts = reranker.encoder().prompts("what is yes", None, &["no text", "a longer text, yes?", "<think>"])?;
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    reranker.score_ids(&prompts, &Prefix::EMPTY)
}

#[test]
fn a_reranker_scores_the_same_from_one_file_alone() {
    let expected = score(&ModelFiles::folder(fixture("models/tiny-reranker")).unwrap()).unwrap();
    for eos in [false, true] {
        let mut writer = reranker_writer();
        writer.flag("tokenizer.ggml.add_eos_token", eos);
        let (folder, path) = written(&writer);
        for files in [ModelFiles::open(&path).unwrap(), ModelFiles::folder(folder.path()).unwrap()] {
            assert!(worst(&score(&files).unwrap(), &expected) < 1e-5);
            assert_eq!((files.files().len(), &files.files()[0].path), (1, &path));
        }
    }
}

#[test]
fn an_embedder_from_one_file_alone_appends_one_eos() {
    for eos in [false, true] {
        let mut writer = reranker_writer();
        writer.flag("tokenizer.ggml.add_eos_token", eos);
        writer.count("qwen3.pooling_type", 3);
        let (_folder, path) = written(&writer);
        let embedder = Embedder::open(&ModelFiles::open(&path).unwrap(), EmbedderOptions::default()).unwrap();
        let end = embedder.tokenizer().token_id("<|endoftext|>").unwrap();
        for text in ["", "text", "text<|endoftext|>"] {
            let ids = embedder.encoder().documents(&[text]).unwrap().remove(0);
            assert_eq!(ids.iter().filter(|id| **id == end).count(), 1, "{text}");
            assert_eq!(ids.last(), Some(&end));
        }
    }
}

/// Two rows in place of the output matrix, as llama.cpp's converter makes of a reranker.
fn with_answer_head(labels: &[&str], rows: [u32; 2]) -> Writer {
    let mut writer = reranker_writer();
    let table = tensors(&fixture("models/tiny-reranker"));
    let table = table.iter().find(|(name, _)| name.ends_with("embed_tokens.weight")).unwrap().1;
    let rows = table.index_select(&Tensor::new(&rows, &Device::Cpu).unwrap(), 0).unwrap();
    writer.tensor("cls.output.weight", &rows, GgmlDType::F16);
    writer.texts("qwen3.classifier.output_labels", labels);
    writer.count("qwen3.pooling_type", 4);
    writer
}

#[test]
fn the_two_rows_of_a_converted_reranker_are_used_by_their_labels() {
    let files = ModelFiles::folder(fixture("models/tiny-reranker")).unwrap();
    let expected = score(&files).unwrap();
    let reranker = Reranker::open(&files, RerankerOptions::default()).unwrap();
    let [yes, no] = ["yes", "no"].map(|token| reranker.encoder().tokenizer().token_id(token).unwrap());
    let of = |writer: &Writer| {
        let (_folder, path) = written(writer);
        ModelFiles::open(&path).and_then(|files| score(&files))
    };
    assert!(worst(&of(&with_answer_head(&["yes", "no"], [yes, no])).unwrap(), &expected) < 1e-3);
    assert!(worst(&of(&with_answer_head(&["no", "yes"], [no, yes])).unwrap(), &expected) < 1e-3);
    let turned = of(&with_answer_head(&["no", "yes"], [yes, no])).unwrap();
    assert!(turned.iter().zip(&expected).all(|(a, b)| (a + b - 1.0).abs() < 1e-3), "{turned:?} {expected:?}");
    for labels in [&["relevant", "irrelevant"][..], &["yes"], &[]] {
        let message = of(&with_answer_head(labels, [yes, no])).unwrap_err().to_string();
        assert!(message.contains("cls.output.weight") && message.contains("\"yes\" and \"no\""), "{message}");
    }
    // A whole output matrix makes them superfluous, and an embedder never asks for them.
    let mut whole = with_answer_head(&["LABEL_0"], [no, yes]);
    let table = whole.tensors.iter().find(|tensor| tensor.name == "token_embd.weight").unwrap().clone();
    whole.tensors.push(crate::writer::Stored { name: "output.weight".to_owned(), ..table });
    assert!(worst(&of(&whole).unwrap(), &expected) < 1e-5);
    // Only these two rows are there: another pair of words has no score.
    let model = open(&with_answer_head(&["yes", "no"], [yes, no])).unwrap();
    let answer = Answer::of(&model, yes, no + 1).unwrap();
    assert!(score_ids(&model, &answer, &[&[1, 2]], &Prefix::EMPTY).is_err());
}

#[test]
fn a_tokenizer_beside_the_file_wins_and_a_config_is_not_read() {
    let json = fs::read_to_string(fixture("models/tiny-reranker/tokenizer.json")).unwrap();
    let mut without_merges: serde_json::Value = serde_json::from_str(&json).unwrap();
    without_merges["model"]["merges"] = serde_json::json!([]);
    let (folder, path) = written(&reranker_writer());
    fs::write(folder.path().join("config.json"), "not a config").unwrap();
    let tokens_of_yes = || {
        let files = ModelFiles::folder(folder.path()).unwrap();
        let tokens = Reranker::open(&files, RerankerOptions::default()).unwrap().encoder().tokenizer().count("yes");
        (tokens.unwrap(), files.files().len())
    };
    assert_eq!(tokens_of_yes(), (1, 1));
    fs::write(folder.path().join("tokenizer.json"), without_merges.to_string()).unwrap();
    assert_eq!(tokens_of_yes(), (3, 2));
    // Without a tokenizer in the file, the one beside it is needed, and enough.
    Writer::of_folder(&fixture("models/tiny-reranker"), |_| GgmlDType::F32).write(&path);
    assert_eq!(tokens_of_yes().0, 3);
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let message = score(&ModelFiles::open(&path).unwrap()).unwrap_err().to_string();
    assert!(message.contains("tokenizer.ggml.model") && message.contains("tokenizer.json beside"), "{message}");
}

#[test]
fn several_files_need_a_choice() {
    let (folder, path) = written(&reranker_writer());
    fs::copy(&path, folder.path().join("other.gguf")).unwrap();
    let message = ModelFiles::open(folder.path()).err().unwrap().to_string();
    assert!(message.contains("model.gguf, other.gguf"), "{message}");
    assert!(ModelFiles::open(&path).is_ok());
    let message = ModelFiles::open(fixture("models/nano/config.json")).err().unwrap().to_string();
    assert!(message.contains("expected a model folder or a .gguf file"), "{message}");
    assert!(ModelFiles::open(folder.path().join("none.gguf")).is_err());
}

#[test]
fn fingerprints_tell_contents_apart_and_not_places() {
    let fingerprint = |writer: &Writer| {
        let (_folder, path) = written(writer);
        let files = ModelFiles::open(path).unwrap();
        Embedder::open(&files, EmbedderOptions::default()).unwrap().fingerprint().to_owned()
    };
    let base = fingerprint(&reranker_writer());
    assert_eq!(base, fingerprint(&reranker_writer()));
    let mut weights = reranker_writer();
    weights.tensors[5].bytes[0] ^= 1;
    assert_ne!(base, fingerprint(&weights));
    let mut metadata = reranker_writer();
    metadata.float("qwen3.rope.freq_base", 10_000.0);
    assert_ne!(base, fingerprint(&metadata));
}

fn refused(edit: impl Fn(&mut Writer)) -> String {
    let mut writer = Writer::of_folder(&fixture("golden/embed-gqa"), |_| GgmlDType::F16);
    edit(&mut writer);
    refusal(&writer)
}

#[test]
fn what_is_not_computed_here_is_refused() {
    let cases: [(&str, Edit); 13] = [
        ("general.architecture must be qwen3, got llama", &|w| w.text("general.architecture", "llama")),
        ("general.architecture must be qwen3, got nothing", &|w| w.remove("general.architecture")),
        ("qwen3.rope.scaling.type must be none, got yarn", &|w| w.text("qwen3.rope.scaling.type", "yarn")),
        ("got mean", &|w| w.count("qwen3.pooling_type", 1)),
        ("llama-gguf-split --merge", &|w| w.count("split.count", 3)),
        ("qwen3.attention.causal must be true", &|w| w.flag("qwen3.attention.causal", false)),
        ("sliding_window must be absent, got 4096", &|w| w.count("qwen3.attention.sliding_window", 4096)),
        ("qwen3.rope.dimension_count must be 32", &|w| w.count("qwen3.rope.dimension_count", 16)),
        ("\"qwen3.block_count\" is missing", &|w| w.remove("qwen3.block_count")),
        ("\"qwen3.rope.freq_base\" is missing", &|w| w.remove("qwen3.rope.freq_base")),
        ("\"qwen3.block_count\" is not an unsigned", &|w| w.text("qwen3.block_count", "three")),
        ("got 50331648 (big-endian numbers)", &|w| w.version = 3u32.swap_bytes()),
        ("expected GGUF version 2 or 3, little endian, got 1", &|w| w.version = 1),
    ];
    for (part, edit) in cases {
        let message = refused(edit);
        assert!(message.contains(part), "expected {part:?} in {message:?}");
    }
}

#[test]
fn tensors_that_do_not_fit_are_named_as_in_the_file() {
    let without = |name: &str| refused(|w| w.tensors.retain(|tensor| tensor.name != name));
    let message = without("blk.1.ffn_up.weight");
    assert!(message.contains("tensor blk.1.ffn_up.weight is missing"), "{message}");
    let message = without("token_embd.weight");
    assert!(message.contains("tensor token_embd.weight is missing"), "{message}");
    let message = refused(|w| w.count("qwen3.block_count", 2));
    assert!(message.contains("unexpected tensor blk.2."), "{message}");
    let message = refused(|w| w.count("qwen3.feed_forward_length", 96));
    assert!(message.contains("ffn_gate.weight") && message.contains("[96, 64]") && message.contains("[160, 64]"));
    let message = refused(|w| {
        w.tensors.push(crate::writer::Stored { name: "rope_freqs.weight".to_owned(), ..w.tensors[0].clone() })
    });
    assert!(message.contains("unexpected tensor rope_freqs.weight"), "{message}");
    for (kind, name) in [(10, "Q2_K"), (23, "IQ4_XS"), (26, "I32"), (4711, "type 4711 of ggml")] {
        let message = refused(|w| w.tensors[3].kind = kind);
        assert!(message.contains(name) && message.contains("Q8_0, Q6_K"), "{message}");
    }
}
