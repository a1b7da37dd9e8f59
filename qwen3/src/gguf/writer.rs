//! Writing a GGUF: matrices in blocks of 32 values with one scale (Q8_0), vectors as they are. The tokenizer goes in
//! where the format can tell it, which is Qwen's way of cutting words only.

use std::{collections::BTreeMap, io};

use candle_core::{
    DType, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Value},
    },
};
use serde_json::Value as Json;

use super::{
    from_ours,
    tokenizer::{CONTROL, MERGES, MODEL, QWEN_WORDS, SPLITTING, TOKENS, TYPES, USER_DEFINED},
};
use crate::{config::ModelConfig, error::Result};

const NORMAL: i32 = 1;
/// Pooling by the last token, as llama.cpp numbers it.
const LAST_TOKEN: u32 = 3;
/// Models whose hidden states are not pooled.
const CAUSAL: &str = "Qwen3ForCausalLM";

/// Writes a model as a GGUF, its tensors by the names that [`tensors`](crate::tensors) gives them.
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute), also where `out` cannot be written.
pub fn write(
    out: &mut (impl io::Write + io::Seek),
    config: &ModelConfig,
    tokenizer: Option<&Json>,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    let mut metadata = shape(config);
    metadata.extend(tokenizer.and_then(words).unwrap_or_default());
    let mut stored = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let fits = tensor.rank() == 2 && tensor.dim(1)?.is_multiple_of(GgmlDType::Q8_0.block_size());
        let format = if fits { GgmlDType::Q8_0 } else { GgmlDType::F32 };
        stored.push((from_ours(name), QTensor::quantize(&tensor.to_dtype(DType::F32)?, format)?));
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let stored: Vec<(&str, &QTensor)> = stored.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    Ok(gguf_file::write(out, &metadata, &stored)?)
}

fn shape(config: &ModelConfig) -> Vec<(String, Value)> {
    let qwen = &config.qwen;
    let count = |value: usize| Value::U32(u32::try_from(value).unwrap_or(u32::MAX));
    let mut metadata = vec![("general.architecture".to_owned(), Value::String("qwen3".to_owned()))];
    let numbers = [
        ("block_count", count(qwen.num_hidden_layers)),
        ("embedding_length", count(qwen.hidden_size)),
        ("feed_forward_length", count(qwen.intermediate_size)),
        ("attention.head_count", count(qwen.num_attention_heads)),
        ("attention.head_count_kv", count(qwen.num_key_value_heads)),
        ("attention.key_length", count(qwen.head_dim)),
        ("attention.value_length", count(qwen.head_dim)),
        ("context_length", count(qwen.max_position_embeddings)),
        ("attention.layer_norm_rms_epsilon", Value::F32(qwen.rms_norm_eps as f32)),
        ("rope.freq_base", Value::F32(qwen.rope_theta as f32)),
    ];
    metadata.extend(numbers.map(|(key, value)| (format!("qwen3.{key}"), value)));
    if config.architecture.as_deref() != Some(CAUSAL) {
        metadata.push(("qwen3.pooling_type".to_owned(), Value::U32(LAST_TOKEN)));
    }
    metadata.extend(config.eos_token_id.map(|id| ("tokenizer.ggml.eos_token_id".to_owned(), Value::U32(id))));
    metadata
}

/// A tokenizer.json's vocabulary, if it cuts words as Qwen does.
fn words(tokenizer: &Json) -> Option<Vec<(String, Value)>> {
    // Patterns are compared as JSON spells them.
    let pattern = serde_json::to_string(QWEN_WORDS).ok()?;
    if !tokenizer.get("pre_tokenizer")?.to_string().contains(&pattern) {
        return None;
    }
    let mut tokens: BTreeMap<u64, (String, i32)> = BTreeMap::new();
    for (token, id) in tokenizer.pointer("/model/vocab")?.as_object()? {
        tokens.insert(id.as_u64()?, (token.clone(), NORMAL));
    }
    for added in tokenizer.get("added_tokens")?.as_array()? {
        let is_special = added.get("special")?.as_bool()?;
        let kind = if is_special { CONTROL } else { USER_DEFINED } as i32;
        tokens.insert(added.get("id")?.as_u64()?, (added.get("content")?.as_str()?.to_owned(), kind));
    }
    let merges = tokenizer.pointer("/model/merges")?.as_array()?.iter().map(|merge| match merge {
        Json::String(merge) => Some(Value::String(merge.clone())),
        Json::Array(pair) => Some(Value::String(format!("{} {}", pair.first()?.as_str()?, pair.get(1)?.as_str()?))),
        _ => None,
    });
    let merges: Option<Vec<Value>> = merges.collect();
    let (texts, kinds): (Vec<Value>, Vec<Value>) =
        tokens.into_values().map(|(text, kind)| (Value::String(text), Value::I32(kind))).unzip();
    let text = |text: &str| Value::String(text.to_owned());
    Some(vec![
        (MODEL.to_owned(), text("gpt2")),
        (SPLITTING.to_owned(), text("qwen2")),
        (TOKENS.to_owned(), Value::Array(texts)),
        (TYPES.to_owned(), Value::Array(kinds)),
        (MERGES.to_owned(), Value::Array(merges?)),
    ])
}
