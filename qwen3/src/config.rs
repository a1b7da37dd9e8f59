//! config.json: which family a model is of, and which Qwen3 shape this is. Parsed leniently (checkpoints carry many fields of their own), checked
//! strictly: whatever would make the forward pass compute something else than the reference is refused by name.

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    files::ModelFiles,
};

const ARCHITECTURES: [&str; 2] = ["Qwen3Model", "Qwen3ForCausalLM"];

/// The families of models that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Qwen3,
    /// Embedding models only.
    Bert,
}

#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
}

impl Family {
    /// The family that a config.json names; `file` names it in errors.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for others, [`Error::BadFile`] for broken JSON.
    pub(crate) fn of(json: &[u8], file: &str) -> Result<Self> {
        let kind: Kind = serde_json::from_slice(json).map_err(|e| bad(file, format!("{e}; expected a config.json")))?;
        match kind.model_type.as_deref() {
            Some("qwen3") => Ok(Self::Qwen3),
            Some("bert") => Ok(Self::Bert),
            other => Err(unsupported(file, "model_type", "qwen3 or bert", other.unwrap_or("nothing"))),
        }
    }
}

/// The numbers of a Qwen3 config.json, by its own names: what a shape consists of. Variants that are refused (sliding
/// window, attention bias, other activations than SiLU) have no field.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Rows of the embedding matrix.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Width of the feed-forward part of a block.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads of the queries.
    pub num_attention_heads: usize,
    /// Heads of keys and values; divides those of the queries.
    pub num_key_value_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Whether the embedding matrix is the output matrix too.
    pub tie_word_embeddings: bool,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// What is added under the root of a norm.
    pub rms_norm_eps: f64,
}

/// The checked config of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The numbers.
    pub qwen: Shape,
    /// What config.json calls the model: `Qwen3Model` has no output matrix, `Qwen3ForCausalLM` may have one.
    pub architecture: Option<String>,
    /// `eos_token_id` of config.json (the first, where it is a list).
    pub eos_token_id: Option<u32>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: Option<String>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<serde_json::Value>,
    #[serde(default)]
    use_sliding_window: bool,
    hidden_act: Option<String>,
    eos_token_id: Option<TokenIds>,
}

#[derive(Deserialize)]
struct RopeParameters {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TokenIds {
    One(u32),
    Many(Vec<u32>),
}

impl ModelConfig {
    /// The checked config.json of a model's files.
    ///
    /// # Errors
    /// As [`ModelConfig::parse`].
    pub fn of(files: &ModelFiles) -> Result<Self> {
        Self::parse(files.config(), &files.config_name())
    }

    /// Parses and checks the bytes of a config.json; `file` names it in errors.
    ///
    /// # Errors
    /// [`Error::BadFile`] for broken JSON, missing fields and impossible numbers, [`Error::Unsupported`] for another
    /// architecture or a variant (sliding window, attention bias, RoPE scaling) that is not computed here.
    pub fn parse(json: &[u8], file: &str) -> Result<Self> {
        // Told before its other fields are missed.
        if let Ok(Family::Bert) = Family::of(json, file) {
            return Err(unsupported(file, "model_type", "qwen3", "bert"));
        }
        let raw: Raw =
            serde_json::from_slice(json).map_err(|e| bad(file, format!("{e}; expected a Qwen3 config.json")))?;
        check_kind(&raw, file)?;
        let rope_theta = rope_theta(&raw, file)?;
        let num_key_value_heads = raw.num_key_value_heads.unwrap_or(raw.num_attention_heads);
        check_numbers(&raw, num_key_value_heads, rope_theta, file)?;
        let head_dim = raw.head_dim.unwrap_or_else(|| raw.hidden_size / raw.num_attention_heads);
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            return Err(bad(file, format!("head_dim must be even and above 0, got {head_dim}")));
        }
        let eos_token_id = match &raw.eos_token_id {
            Some(TokenIds::One(id)) => Some(*id),
            Some(TokenIds::Many(ids)) => ids.first().copied(),
            None => None,
        };
        let qwen = Shape {
            vocab_size: raw.vocab_size,
            hidden_size: raw.hidden_size,
            intermediate_size: raw.intermediate_size,
            num_hidden_layers: raw.num_hidden_layers,
            num_attention_heads: raw.num_attention_heads,
            head_dim,
            num_key_value_heads,
            max_position_embeddings: raw.max_position_embeddings,
            tie_word_embeddings: raw.tie_word_embeddings,
            rope_theta,
            rms_norm_eps: raw.rms_norm_eps,
        };
        Ok(Self { qwen, architecture: raw.architectures.into_iter().next(), eos_token_id })
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.qwen.num_attention_heads * self.qwen.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn key_width(&self) -> usize {
        self.qwen.num_key_value_heads * self.qwen.head_dim
    }
}

pub(crate) fn bad(file: &str, reason: String) -> Error {
    Error::BadFile { file: file.to_owned(), reason }
}

pub(crate) fn unsupported(file: &str, field: &str, expected: &str, got: impl ToString) -> Error {
    Error::Unsupported {
        file: file.to_owned(),
        field: field.to_owned(),
        expected: expected.to_owned(),
        got: got.to_string(),
    }
}

fn check_kind(raw: &Raw, file: &str) -> Result<()> {
    if raw.model_type.as_deref() != Some("qwen3") {
        let got = raw.model_type.as_deref().unwrap_or("nothing");
        return Err(unsupported(file, "model_type", "qwen3", got));
    }
    if let Some(name) = raw.architectures.iter().find(|name| !ARCHITECTURES.contains(&name.as_str())) {
        return Err(unsupported(file, "architectures", "Qwen3Model or Qwen3ForCausalLM", name));
    }
    if raw.attention_bias {
        return Err(unsupported(file, "attention_bias", "false", true));
    }
    if raw.use_sliding_window {
        return Err(unsupported(file, "use_sliding_window", "false", true));
    }
    if let Some(act) = raw.hidden_act.as_deref().filter(|act| *act != "silu") {
        return Err(unsupported(file, "hidden_act", "silu", act));
    }
    Ok(())
}

/// The base of the rotary frequencies: a field of its own, or inside `rope_parameters` as newer writers put it.
fn rope_theta(raw: &Raw, file: &str) -> Result<f64> {
    if let Some(scaling) = raw.rope_scaling.as_ref().filter(|scaling| !scaling.is_null()) {
        return Err(unsupported(file, "rope_scaling", "null", scaling));
    }
    let parameters = raw.rope_parameters.as_ref();
    if let Some(kind) = parameters.and_then(|p| p.rope_type.as_deref()).filter(|kind| *kind != "default") {
        return Err(unsupported(file, "rope_parameters.rope_type", "default", kind));
    }
    raw.rope_theta
        .or_else(|| parameters.and_then(|p| p.rope_theta))
        .ok_or_else(|| bad(file, "rope_theta is missing".to_owned()))
}

fn check_numbers(raw: &Raw, key_value_heads: usize, rope_theta: f64, file: &str) -> Result<()> {
    let counts = [
        ("vocab_size", raw.vocab_size, 1 << 24),
        ("hidden_size", raw.hidden_size, 1 << 16),
        ("intermediate_size", raw.intermediate_size, 1 << 20),
        ("num_hidden_layers", raw.num_hidden_layers, 1 << 10),
        ("num_attention_heads", raw.num_attention_heads, 1 << 10),
        ("num_key_value_heads", key_value_heads, 1 << 10),
        ("head_dim", raw.head_dim.unwrap_or(2), 1 << 12),
        ("max_position_embeddings", raw.max_position_embeddings, 1 << 22),
    ];
    if let Some((field, got, most)) = counts.into_iter().find(|(_, got, most)| *got == 0 || got > most) {
        return Err(bad(file, format!("{field} must be 1 to {most}, got {got}")));
    }
    if !raw.num_attention_heads.is_multiple_of(key_value_heads) {
        let reason = format!(
            "num_attention_heads must be a multiple of num_key_value_heads, got {} and {key_value_heads}",
            raw.num_attention_heads
        );
        return Err(bad(file, reason));
    }
    if !(raw.rms_norm_eps > 0.0 && raw.rms_norm_eps < 1.0) {
        return Err(bad(file, format!("rms_norm_eps must be between 0 and 1, got {}", raw.rms_norm_eps)));
    }
    if !(rope_theta > 1.0 && rope_theta.is_finite()) {
        return Err(bad(file, format!("rope_theta must be above 1, got {rope_theta}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn base() -> Value {
        json!({
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 100, "hidden_size": 8,
            "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 4, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "tie_word_embeddings": true, "eos_token_id": [7, 8]
        })
    }

    fn parse(value: &Value) -> Result<ModelConfig> {
        ModelConfig::parse(value.to_string().as_bytes(), "config.json")
    }

    fn refused(field: &str, value: Value) -> String {
        let mut config = base();
        config[field] = value;
        parse(&config).unwrap_err().to_string()
    }

    #[test]
    fn tells_families_apart() {
        let family = |json: &str| Family::of(json.as_bytes(), "config.json");
        assert_eq!(family(r#"{"model_type": "qwen3"}"#).unwrap(), Family::Qwen3);
        assert_eq!(family(r#"{"model_type": "bert", "x": [1]}"#).unwrap(), Family::Bert);
        for (json, named) in
            [(r#"{"model_type": "roberta"}"#, "qwen3 or bert, got roberta"), ("{}", "got nothing"), ("", "EOF")]
        {
            assert!(family(json).unwrap_err().to_string().contains(named), "{json}");
        }
    }

    #[test]
    fn reads_a_config() {
        let config = parse(&base()).unwrap();
        assert_eq!((config.query_width(), config.key_width(), config.eos_token_id), (16, 8, Some(7)));
        assert!(config.qwen.tie_word_embeddings);
    }

    #[test]
    fn reads_theta_where_newer_writers_put_it() {
        let mut config = base();
        config.as_object_mut().unwrap().remove("rope_theta");
        assert!(parse(&config).unwrap_err().to_string().contains("rope_theta is missing"));
        config["rope_parameters"] = json!({"rope_theta": 5000.0, "rope_type": "default"});
        assert_eq!(parse(&config).unwrap().qwen.rope_theta, 5000.0);
        config["rope_parameters"]["rope_type"] = json!("yarn");
        assert!(parse(&config).unwrap_err().to_string().contains("yarn"));
    }

    #[test]
    fn refuses_what_it_does_not_compute() {
        assert!(refused("model_type", json!("bert")).contains("model_type must be qwen3, got bert"));
        assert!(refused("architectures", json!(["Qwen3ForSequenceClassification"])).contains("SequenceClassification"));
        assert!(refused("attention_bias", json!(true)).contains("attention_bias"));
        assert!(refused("use_sliding_window", json!(true)).contains("use_sliding_window"));
        assert!(refused("hidden_act", json!("gelu")).contains("gelu"));
        assert!(refused("rope_scaling", json!({"type": "yarn"})).contains("rope_scaling"));
    }

    #[test]
    fn refuses_impossible_numbers() {
        assert!(refused("num_hidden_layers", json!(0)).contains("num_hidden_layers must be 1 to"));
        assert!(refused("num_key_value_heads", json!(3)).contains("multiple of num_key_value_heads"));
        assert!(refused("head_dim", json!(3)).contains("head_dim must be even"));
        assert!(refused("vocab_size", json!(u64::MAX)).contains("vocab_size"));
        assert!(refused("vocab_size", json!(-4)).contains("config.json is not usable"));
        assert!(refused("rms_norm_eps", json!(0.0)).contains("rms_norm_eps"));
        assert!(refused("rope_theta", json!(0.5)).contains("rope_theta"));
        assert!(ModelConfig::parse(b"{\"model_type\":", "config.json").is_err());
    }
}
