//! The shape of a model out of a GGUF's metadata, as the config.json it was converted from would say it; so that one
//! set of checks ([`crate::ModelConfig::parse`]) holds for both.

use serde_json::{Map, Value, json};

use super::{ANSWER_HEAD, Gguf, OUTPUT, TABLE, cursor::Parsed, tokenizer::TOKENS};
use crate::error::{Error, Result};

const ARCHITECTURE: &str = "qwen3";
const LABELS: &str = "qwen3.classifier.output_labels";
/// `enum llama_pooling_type`: these two take the mean or the first token, which Qwen3 models were not trained for.
const FOREIGN_POOLING: [(u64, &str); 2] = [(1, "mean"), (2, "cls")];
const MOST_TOKENS: usize = 1 << 24;

/// A config.json.
///
/// # Errors
/// [`Error::Unsupported`] for another architecture, scaled RoPE, another pooling or a part of a split model;
/// [`Error::BadFile`] and [`Error::MissingTensor`] when something is missing.
pub(crate) fn config_json(gguf: &Gguf) -> Result<Vec<u8>> {
    check_kind(gguf)?;
    let table = gguf
        .tensor(TABLE)
        .ok_or_else(|| Error::MissingTensor { origin: gguf.name.clone(), tensor: TABLE.to_owned() })?;
    let own_head = gguf.tensor(OUTPUT).is_some() || gguf.tensor(ANSWER_HEAD).is_some();
    let mut config = Map::new();
    config.insert("model_type".to_owned(), json!("qwen3"));
    config.insert("vocab_size".to_owned(), json!(table.shape[0]));
    config.insert("tie_word_embeddings".to_owned(), json!(!own_head));
    numbers(gguf, &mut config).map_err(|reason| gguf.bad(reason))?;
    Ok(Value::Object(config).to_string().into_bytes())
}

fn numbers(gguf: &Gguf, config: &mut Map<String, Value>) -> Parsed<()> {
    let counts = [
        ("num_hidden_layers", "block_count"),
        ("hidden_size", "embedding_length"),
        ("intermediate_size", "feed_forward_length"),
        ("num_attention_heads", "attention.head_count"),
        ("num_key_value_heads", "attention.head_count_kv"),
        ("head_dim", "attention.key_length"),
        ("max_position_embeddings", "context_length"),
    ];
    // llama.cpp's own defaults hold for what a conversion may leave out.
    let optional = ["attention.head_count_kv", "attention.key_length"];
    for (field, key) in counts {
        let key = format!("{ARCHITECTURE}.{key}");
        match gguf.metadata.unsigned(&key)? {
            Some(count) => config.insert(field.to_owned(), json!(count)),
            None if optional.iter().any(|optional| key.ends_with(optional)) => None,
            None => return Err(missing(&key)),
        };
    }
    let floats = [("rms_norm_eps", "attention.layer_norm_rms_epsilon"), ("rope_theta", "rope.freq_base")];
    for (field, key) in floats {
        let key = format!("{ARCHITECTURE}.{key}");
        let number = gguf.metadata.float(&key)?.ok_or_else(|| missing(&key))?;
        if !number.is_finite() {
            return Err(format!("metadata {key:?} must be a finite number, got {number}"));
        }
        config.insert(field.to_owned(), json!(number));
    }
    if let Some(id) = gguf.metadata.unsigned("tokenizer.ggml.eos_token_id")?.filter(|id| *id <= u32::MAX.into()) {
        config.insert("eos_token_id".to_owned(), json!(id));
    }
    Ok(())
}

fn missing(key: &str) -> String {
    format!("metadata {key:?} is missing: convert the model again")
}

/// Refuses whatever would be computed otherwise here than the file asks for.
fn check_kind(gguf: &Gguf) -> Result<()> {
    let unsupported = |field: &str, expected: &str, got: String| Error::Unsupported {
        file: gguf.name.clone(),
        field: field.to_owned(),
        expected: expected.to_owned(),
        got,
    };
    let metadata = &gguf.metadata;
    let bad = |reason: String| gguf.bad(reason);
    let architecture = metadata.text("general.architecture").map_err(bad)?.unwrap_or("nothing");
    if architecture != ARCHITECTURE {
        return Err(unsupported("general.architecture", ARCHITECTURE, architecture.to_owned()));
    }
    if let Some(count) = metadata.unsigned("split.count").map_err(bad)?.filter(|count| *count > 1) {
        let got = format!("{count} files (merge them with llama-gguf-split --merge)");
        return Err(unsupported("split.count", "1 file", got));
    }
    let scaling = metadata.text("qwen3.rope.scaling.type").map_err(bad)?.unwrap_or("none");
    if scaling != "none" {
        return Err(unsupported("qwen3.rope.scaling.type", "none", scaling.to_owned()));
    }
    if metadata.flag("qwen3.attention.causal").map_err(bad)? == Some(false) {
        return Err(unsupported("qwen3.attention.causal", "true", "false".to_owned()));
    }
    if let Some(window) = metadata.unsigned("qwen3.attention.sliding_window").map_err(bad)?.filter(|window| *window > 0)
    {
        return Err(unsupported("qwen3.attention.sliding_window", "absent", window.to_string()));
    }
    let pooling = metadata.unsigned("qwen3.pooling_type").map_err(bad)?;
    if let Some((_, name)) = FOREIGN_POOLING.iter().find(|(kind, _)| Some(*kind) == pooling) {
        return Err(unsupported("qwen3.pooling_type", "3 (last) or 4 (rank)", (*name).to_owned()));
    }
    let head = metadata.unsigned("qwen3.attention.key_length").map_err(bad)?;
    for key in ["qwen3.attention.value_length", "qwen3.rope.dimension_count"] {
        let other = metadata.unsigned(key).map_err(bad)?;
        if let (Some(head), Some(other)) = (head, other)
            && head != other
        {
            return Err(unsupported(key, &format!("{head} as attention.key_length"), other.to_string()));
        }
    }
    Ok(())
}

/// Token ids that the two rows of [`ANSWER_HEAD`] belong to, in the order of the rows.
///
/// # Errors
/// [`Error::Unsupported`] unless the labels are "yes" and "no": what the rows mean must not be guessed.
pub(crate) fn answer_rows(gguf: &Gguf) -> Result<[usize; 2]> {
    let bad = |reason: String| gguf.bad(reason);
    let labels = gguf.metadata.texts(LABELS, 1 << 10).map_err(bad)?.unwrap_or_default();
    let (["yes", "no"] | ["no", "yes"]) = labels[..] else {
        return Err(Error::Unsupported {
            file: gguf.name.clone(),
            field: format!("{LABELS} (the rows of {ANSWER_HEAD})"),
            expected: "\"yes\" and \"no\" (or convert the model with its output matrix)".to_owned(),
            got: format!("{labels:?}"),
        });
    };
    let tokens = gguf.metadata.texts(TOKENS, MOST_TOKENS).map_err(bad)?.unwrap_or_default();
    let id = |label: &str| {
        let id = tokens.iter().position(|token| *token == label);
        id.ok_or_else(|| Error::MissingToken { origin: gguf.name.clone(), token: label.to_owned() })
    };
    Ok([id(labels[0])?, id(labels[1])?])
}
