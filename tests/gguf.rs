//! A GGUF file written from a model folder with f32 weights, as llama.cpp's converter would.

use std::fs;
use std::path::Path;

use serde_json::Value;

const F32: u32 = 0;
const ALIGNMENT: usize = 32;

/// The bytes of the GGUF file of a folder with config.json and model.safetensors.
pub(crate) fn from_folder(folder: &Path) -> Vec<u8> {
    let config: Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
    let file = fs::read(folder.join("model.safetensors")).unwrap();
    let header_length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&file[8..8 + header_length]).unwrap();
    let data = &file[8 + header_length..];
    header.as_object_mut().unwrap().remove("__metadata__");
    let tensors = header.as_object().unwrap();
    let keys = keys(&config);
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    out.extend(keys.concat());
    let mut contents = Vec::new();
    for (name, tensor) in tensors {
        assert_eq!(tensor["dtype"], "F32");
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        let shape: Vec<usize> = tensor["shape"].as_array().unwrap().iter().map(number).collect();
        text(&mut out, &gguf_name(name));
        out.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|size| out.extend((*size as u64).to_le_bytes()));
        out.extend(F32.to_le_bytes());
        out.extend((contents.len() as u64).to_le_bytes());
        contents.extend(&data[number(&tensor["data_offsets"][0])..number(&tensor["data_offsets"][1])]);
        contents.resize(contents.len().next_multiple_of(ALIGNMENT), 0);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out.extend(contents);
    out
}

fn keys(config: &Value) -> Vec<Vec<u8>> {
    let counts = [
        ("block_count", "num_hidden_layers"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.key_length", "head_dim"),
        ("attention.value_length", "head_dim"),
        ("context_length", "max_position_embeddings"),
    ];
    let floats = [("attention.layer_norm_rms_epsilon", "rms_norm_eps"), ("rope.freq_base", "rope_theta")];
    let mut architecture = entry("general.architecture", 8);
    text(&mut architecture, "qwen3");
    let count = |(key, field): (&str, &str)| {
        let value = config[field].as_u64().unwrap() as u32;
        [entry(&format!("qwen3.{key}"), 4), value.to_le_bytes().to_vec()].concat()
    };
    let float = |(key, field): (&str, &str)| {
        let value = config[field].as_f64().unwrap() as f32;
        [entry(&format!("qwen3.{key}"), 6), value.to_le_bytes().to_vec()].concat()
    };
    [architecture].into_iter().chain(counts.map(count)).chain(floats.map(float)).collect()
}

fn entry(key: &str, kind: u32) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, key);
    out.extend(kind.to_le_bytes());
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn gguf_name(name: &str) -> String {
    let pairs = [
        ("model.layers.", "blk."),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    pairs.into_iter().fold(name.to_string(), |name, (from, to)| name.replace(from, to))
}
