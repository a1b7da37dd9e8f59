//! A writer of GGUF files for tests, independently of the reader: from a model folder in any format, with any metadata.

use std::{collections::HashMap, fs, path::Path};

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use serde_json::Value;

/// Spoils a file in the making.
pub(crate) type Edit<'e> = &'e dyn Fn(&mut Writer);
/// Chooses a number format by a matrix's name in a GGUF.
pub(crate) type Choice<'c> = &'c dyn Fn(&str) -> GgmlDType;

/// A GGUF file in the making.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) version: u32,
    pub(crate) alignment: usize,
    pairs: Vec<(String, u32, Vec<u8>)>,
    pub(crate) tensors: Vec<Stored>,
}

#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) name: String,
    /// Rows first.
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: u32,
    pub(crate) bytes: Vec<u8>,
    /// Said in the header instead of the true one.
    pub(crate) offset: Option<u64>,
}

const NAMES: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.o_proj", "attn_output"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

impl Writer {
    /// A file without tokenizer of a model folder; `format` chooses for each matrix by its name in a GGUF.
    pub(crate) fn of_folder(folder: &Path, format: impl Fn(&str) -> GgmlDType) -> Self {
        let config: Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
        let mut writer = Self { version: 3, alignment: 32, pairs: Vec::new(), tensors: Vec::new() };
        writer.text("general.architecture", "qwen3");
        writer.text("general.name", "a test");
        let count = |field: &str| u32::try_from(config[field].as_u64().unwrap()).unwrap();
        writer.count("qwen3.block_count", count("num_hidden_layers"));
        writer.count("qwen3.embedding_length", count("hidden_size"));
        writer.count("qwen3.feed_forward_length", count("intermediate_size"));
        writer.count("qwen3.attention.head_count", count("num_attention_heads"));
        writer.count("qwen3.attention.head_count_kv", count("num_key_value_heads"));
        writer.count("qwen3.attention.key_length", count("head_dim"));
        writer.count("qwen3.attention.value_length", count("head_dim"));
        writer.count("qwen3.context_length", count("max_position_embeddings"));
        writer.float("qwen3.rope.freq_base", config["rope_theta"].as_f64().unwrap() as f32);
        writer.float("qwen3.attention.layer_norm_rms_epsilon", config["rms_norm_eps"].as_f64().unwrap() as f32);
        let mut tensors: Vec<_> = tensors(folder).into_iter().collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, tensor) in tensors {
            let name = gguf_name(name.strip_prefix("model.").unwrap_or(&name));
            let format = if tensor.rank() == 1 { GgmlDType::F32 } else { format(&name) };
            writer.tensor(&name, &tensor, format);
        }
        writer
    }

    pub(crate) fn tensor(&mut self, name: &str, tensor: &Tensor, format: GgmlDType) {
        let tensor = tensor.to_dtype(candle_core::DType::F32).unwrap();
        let bytes = QTensor::quantize(&tensor, format).unwrap().data().unwrap().to_vec();
        let (name, shape) = (name.to_owned(), tensor.dims().to_vec());
        self.tensors.push(Stored { name, shape, kind: number(format), bytes, offset: None });
    }

    /// The metadata that llama.cpp's converter makes of a tokenizer.json for a table of `rows` rows.
    pub(crate) fn tokenizer(&mut self, json: &Path, rows: usize) {
        let json: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        let mut tokens: Vec<String> = (0..rows).map(|id| format!("[PAD{id}]")).collect();
        let mut kinds = vec![5i32; rows];
        for (token, id) in json["model"]["vocab"].as_object().unwrap() {
            let id = id.as_u64().unwrap() as usize;
            (tokens[id], kinds[id]) = (token.clone(), 1);
        }
        for added in json["added_tokens"].as_array().unwrap() {
            let (id, content) = (added["id"].as_u64().unwrap() as usize, added["content"].as_str().unwrap());
            let looks_special = content.starts_with("<|") && content.ends_with("|>");
            let is_control = added["special"].as_bool().unwrap() || looks_special;
            (tokens[id], kinds[id]) = (content.to_owned(), if is_control { 3 } else { 4 });
        }
        let merges = json["model"]["merges"].as_array().unwrap().iter().map(|merge| match merge {
            Value::String(pair) => pair.clone(),
            pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        });
        self.text("tokenizer.ggml.model", "gpt2");
        self.text("tokenizer.ggml.pre", "qwen2");
        self.texts("tokenizer.ggml.tokens", &tokens);
        self.integers("tokenizer.ggml.token_type", &kinds);
        self.texts("tokenizer.ggml.merges", &merges.collect::<Vec<_>>());
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.set(key, 8, string(value));
    }

    pub(crate) fn count(&mut self, key: &str, value: u32) {
        self.set(key, 4, value.to_le_bytes().to_vec());
    }

    pub(crate) fn float(&mut self, key: &str, value: f32) {
        self.set(key, 6, value.to_le_bytes().to_vec());
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.set(key, 7, vec![value.into()]);
    }

    pub(crate) fn texts<T: AsRef<str>>(&mut self, key: &str, values: &[T]) {
        let elements: Vec<u8> = values.iter().flat_map(|value| string(value.as_ref())).collect();
        self.set(key, 9, array(8, values.len(), elements));
    }

    pub(crate) fn integers(&mut self, key: &str, values: &[i32]) {
        let elements = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set(key, 9, array(5, values.len(), elements));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.pairs.retain(|pair| pair.0 != key);
    }

    pub(crate) fn set(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.remove(key);
        self.pairs.push((key.to_owned(), kind, value));
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.pairs {
            out.extend(string(key));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            out.extend(string(&tensor.name));
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().rev().for_each(|size| out.extend((*size as u64).to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(offset).to_le_bytes());
            offset += tensor.bytes.len().next_multiple_of(self.alignment) as u64;
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.extend(&tensor.bytes);
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out
    }

    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, self.bytes()).unwrap();
    }
}

/// All tensors of a folder's safetensors.
pub(crate) fn tensors(folder: &Path) -> HashMap<String, Tensor> {
    let mut all = HashMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            all.extend(candle_core::safetensors::load(path, &Device::Cpu).unwrap());
        }
    }
    all
}

pub(crate) fn gguf_name(ours: &str) -> String {
    match ours {
        "embed_tokens.weight" => "token_embd.weight".to_owned(),
        "norm.weight" => "output_norm.weight".to_owned(),
        "lm_head.weight" => "output.weight".to_owned(),
        block => {
            let (index, part) = block.strip_prefix("layers.").unwrap().split_once('.').unwrap();
            let part = part.strip_suffix(".weight").unwrap();
            format!("blk.{index}.{}.weight", NAMES.iter().find(|name| name.0 == part).unwrap().1)
        }
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

pub(crate) fn array(kind: u32, count: usize, elements: Vec<u8>) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes(), &elements].concat()
}

fn number(format: GgmlDType) -> u32 {
    match format {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q4_0 => 2,
        GgmlDType::Q4_1 => 3,
        GgmlDType::Q5_0 => 6,
        GgmlDType::Q5_1 => 7,
        GgmlDType::Q8_0 => 8,
        GgmlDType::Q2K => 10,
        GgmlDType::Q4K => 12,
        GgmlDType::Q5K => 13,
        GgmlDType::Q6K => 14,
        GgmlDType::BF16 => 30,
        other => panic!("{other:?} is not written here"),
    }
}
