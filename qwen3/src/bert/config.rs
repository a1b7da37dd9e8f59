//! The configuration of a BERT: the numbers of config.json, and from the files beside it how hidden states become one
//! vector and how long a text may be. Parsed leniently, checked strictly: what would compute something else than the
//! reference is refused by name.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    bytes::Bytes,
    config::{bad, unsupported},
    error::Result,
    files::{CONFIG, Opened},
};

const ARCHITECTURES: [&str; 3] = ["BertModel", "BertForMaskedLM", "BertForPreTraining"];
const MODULES: &str = "modules.json";
const POOLING: &str = "1_Pooling";
const LENGTH: &str = "sentence_bert_config.json";
/// Kinds of module, by the last part of their names, that change nothing which is not done here.
const KNOWN_MODULES: [&str; 3] = ["Transformer", "Pooling", "Normalize"];

/// The files that sentence-transformers puts beside a model, not yet interpreted.
#[derive(Clone)]
pub(crate) struct SentenceFiles {
    pooling: Bytes,
    /// Where the pooling's config is, for messages.
    pooling_name: String,
    length: Option<Bytes>,
    length_name: String,
}

/// The checked shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BertConfig {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    /// Rows of the table of positions.
    pub(crate) positions: usize,
    pub(crate) token_types: usize,
    pub(crate) epsilon: f32,
    pub(crate) pooling: Pooling,
    /// Longest sequence in tokens, special ones included.
    pub(crate) max_tokens: usize,
}

/// How the hidden states of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their mean, the special tokens' included.
    Mean,
    /// The first one's, which is that of `[CLS]`.
    Cls,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architectures: Vec<String>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Length {
    max_seq_length: Option<usize>,
}

impl SentenceFiles {
    /// Finds them in a model's folder.
    ///
    /// # Errors
    /// [`Error::MissingFile`](crate::Error::MissingFile) without a pooling config,
    /// [`Error::Unsupported`](crate::Error::Unsupported) for a module that is not computed here.
    pub(crate) fn open(folder: &Path, opened: &mut Opened) -> Result<Self> {
        let pooling = pooling_folder(folder, opened)?;
        let pooling_file = format!("{pooling}/{CONFIG}");
        let hint = "it says how a text's hidden states become one vector, and comes with every sentence-transformers \
                    model: fetch it too";
        let file_name = |file: &str| folder.join(file).display().to_string();
        Ok(Self {
            pooling: opened.required(folder, &pooling_file, hint)?,
            pooling_name: file_name(&pooling_file),
            length: opened.optional(&folder.join(LENGTH))?,
            length_name: file_name(LENGTH),
        })
    }

    /// What of them changes vectors.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&*self.pooling).chain(self.length.as_deref())
    }

    fn pooling(&self) -> Result<Pooling> {
        let file = &self.pooling_name;
        let modes: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&self.pooling).map_err(|e| bad(file, format!("{e}; expected a pooling config")))?;
        let is_on = |(name, value): (&String, &serde_json::Value)| {
            (name.starts_with("pooling_mode_") && value.as_bool() == Some(true)).then(|| name.clone())
        };
        let on: Vec<String> = modes.iter().filter_map(is_on).collect();
        match on.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
            ["pooling_mode_cls_token"] => Ok(Pooling::Cls),
            others => {
                let expected = "pooling_mode_mean_tokens or pooling_mode_cls_token alone";
                let got = if others.is_empty() { "none".to_owned() } else { others.join(" and ") };
                Err(unsupported(file, "the pooling", expected, got))
            }
        }
    }

    fn max_tokens(&self) -> Result<Option<usize>> {
        let Some(length) = &self.length else { return Ok(None) };
        let length: Length = serde_json::from_slice(length)
            .map_err(|e| bad(&self.length_name, format!("{e}; expected max_seq_length")))?;
        match length.max_seq_length {
            Some(0..=2) => Err(bad(&self.length_name, "max_seq_length must be above 2".to_owned())),
            limit => Ok(limit),
        }
    }
}

/// The folder of the pooling's config, as modules.json names it.
fn pooling_folder(folder: &Path, opened: &mut Opened) -> Result<String> {
    let Some(modules) = opened.optional(&folder.join(MODULES))? else { return Ok(POOLING.to_owned()) };
    let file = folder.join(MODULES).display().to_string();
    let modules: Vec<Module> =
        serde_json::from_slice(&modules).map_err(|e| bad(&file, format!("{e}; expected a list of modules")))?;
    let kind = |module: &Module| module.kind.rsplit('.').next().unwrap_or_default().to_owned();
    if let Some(other) = modules.iter().map(kind).find(|kind| !KNOWN_MODULES.contains(&kind.as_str())) {
        return Err(unsupported(&file, "every module", "a Transformer, a Pooling or a Normalize", other));
    }
    let Some(pooling) = modules.into_iter().find(|module| kind(module) == "Pooling") else {
        return Err(unsupported(&file, "one of the modules", "a Pooling", "none"));
    };
    // The file is data: it must not name files outside the model's folder.
    let path = PathBuf::from(&pooling.path);
    if path.file_name().is_none_or(|name| name != path) {
        return Err(bad(&file, format!("the path {:?} is not the name of a folder beside it", pooling.path)));
    }
    Ok(pooling.path)
}

impl BertConfig {
    /// Parses and checks a config.json with the files beside it; `file` names it in errors.
    ///
    /// # Errors
    /// As [`ModelConfig::parse`](crate::ModelConfig::parse).
    pub(crate) fn parse(json: &[u8], file: &str, sentence: Option<&SentenceFiles>) -> Result<Self> {
        let raw: Raw =
            serde_json::from_slice(json).map_err(|e| bad(file, format!("{e}; expected a BERT config.json")))?;
        check_kind(&raw, file)?;
        check_numbers(&raw, file)?;
        let Some(sentence) = sentence else {
            return Err(bad(file, format!("a BERT model needs {POOLING}/{CONFIG} beside it: give its folder")));
        };
        let positions = raw.max_position_embeddings;
        Ok(Self {
            vocab_size: raw.vocab_size,
            hidden_size: raw.hidden_size,
            intermediate_size: raw.intermediate_size,
            layers: raw.num_hidden_layers,
            heads: raw.num_attention_heads,
            positions,
            token_types: raw.type_vocab_size,
            epsilon: raw.layer_norm_eps as f32,
            pooling: sentence.pooling()?,
            max_tokens: sentence.max_tokens()?.map_or(positions, |limit| limit.min(positions)),
        })
    }
}

fn check_kind(raw: &Raw, file: &str) -> Result<()> {
    if let Some(name) = raw.architectures.iter().find(|name| !ARCHITECTURES.contains(&name.as_str())) {
        return Err(unsupported(file, "architectures", "BertModel", name));
    }
    if raw.hidden_act != "gelu" {
        return Err(unsupported(file, "hidden_act", "gelu", &raw.hidden_act));
    }
    if let Some(kind) = raw.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
        return Err(unsupported(file, "position_embedding_type", "absolute", kind));
    }
    if raw.is_decoder {
        return Err(unsupported(file, "is_decoder", "false", true));
    }
    Ok(())
}

fn check_numbers(raw: &Raw, file: &str) -> Result<()> {
    let counts = [
        ("vocab_size", raw.vocab_size, 1 << 24),
        ("hidden_size", raw.hidden_size, 1 << 16),
        ("intermediate_size", raw.intermediate_size, 1 << 20),
        ("num_hidden_layers", raw.num_hidden_layers, 1 << 10),
        ("num_attention_heads", raw.num_attention_heads, 1 << 10),
        ("max_position_embeddings", raw.max_position_embeddings, 1 << 22),
        ("type_vocab_size", raw.type_vocab_size, 1 << 10),
    ];
    if let Some((field, got, most)) = counts.into_iter().find(|(_, got, most)| *got == 0 || got > most) {
        return Err(bad(file, format!("{field} must be 1 to {most}, got {got}")));
    }
    if !raw.hidden_size.is_multiple_of(raw.num_attention_heads) {
        let (width, heads) = (raw.hidden_size, raw.num_attention_heads);
        return Err(bad(
            file,
            format!("hidden_size must be a multiple of num_attention_heads, got {width} and {heads}"),
        ));
    }
    if !(raw.layer_norm_eps > 0.0 && raw.layer_norm_eps < 1.0) {
        return Err(bad(file, format!("layer_norm_eps must be between 0 and 1, got {}", raw.layer_norm_eps)));
    }
    if raw.max_position_embeddings < 3 {
        let got = raw.max_position_embeddings;
        return Err(bad(file, format!("max_position_embeddings must leave room for a token, got {got}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    fn base() -> Value {
        json!({
            "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 100, "hidden_size": 8,
            "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"
        })
    }

    fn sentence(pooling: &Value, length: Option<&Value>) -> SentenceFiles {
        let bytes = |value: &Value| Bytes::Owned(value.to_string().into_bytes().into());
        SentenceFiles {
            pooling: bytes(pooling),
            pooling_name: "1_Pooling/config.json".to_owned(),
            length: length.map(bytes),
            length_name: LENGTH.to_owned(),
        }
    }

    fn mean() -> Value {
        json!({"word_embedding_dimension": 8, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true})
    }

    fn parse(config: &Value, sentence: &SentenceFiles) -> Result<BertConfig> {
        BertConfig::parse(config.to_string().as_bytes(), "config.json", Some(sentence))
    }

    fn refused(field: &str, value: Value) -> String {
        let mut config = base();
        config[field] = value;
        parse(&config, &sentence(&mean(), None)).unwrap_err().to_string()
    }

    #[test]
    fn reads_a_config_and_its_limits() {
        let config = parse(&base(), &sentence(&mean(), None)).unwrap();
        assert_eq!((config.max_tokens, config.pooling), (64, Pooling::Mean));
        let cls = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false});
        let config = parse(&base(), &sentence(&cls, Some(&json!({"max_seq_length": 32})))).unwrap();
        assert_eq!((config.max_tokens, config.pooling), (32, Pooling::Cls));
        let longer = json!({"max_seq_length": 512});
        assert_eq!(parse(&base(), &sentence(&mean(), Some(&longer))).unwrap().max_tokens, 64);
        assert!(parse(&base(), &sentence(&mean(), Some(&json!({"max_seq_length": 2})))).is_err());
        let bare = BertConfig::parse(base().to_string().as_bytes(), "config.json", None).unwrap_err().to_string();
        assert!(bare.contains("1_Pooling/config.json"), "{bare}");
    }

    #[test]
    fn refuses_what_it_does_not_compute() {
        assert!(refused("architectures", json!(["BertForSequenceClassification"])).contains("SequenceClassification"));
        assert!(refused("hidden_act", json!("relu")).contains("hidden_act must be gelu, got relu"));
        assert!(refused("position_embedding_type", json!("relative_key")).contains("relative_key"));
        assert!(refused("is_decoder", json!(true)).contains("is_decoder"));
        for (pooling, named) in [
            (json!({"pooling_mode_max_tokens": true}), "got pooling_mode_max_tokens"),
            (
                json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}),
                "cls_token and pooling_mode_mean",
            ),
            (json!({}), "got none"),
            (json!([]), "1_Pooling/config.json is not usable"),
        ] {
            let message = parse(&base(), &sentence(&pooling, None)).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn refuses_impossible_numbers() {
        assert!(refused("num_hidden_layers", json!(0)).contains("num_hidden_layers must be 1 to"));
        assert!(refused("num_attention_heads", json!(3)).contains("multiple of num_attention_heads"));
        assert!(refused("vocab_size", json!(-1)).contains("config.json is not usable"));
        assert!(refused("layer_norm_eps", json!(0.0)).contains("layer_norm_eps"));
        assert!(refused("max_position_embeddings", json!(2)).contains("room for a token"));
    }

    #[test]
    fn modules_are_known_and_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let open = |modules: Value| {
            fs::write(folder.path().join(MODULES), modules.to_string()).unwrap();
            SentenceFiles::open(folder.path(), &mut Opened::default())
        };
        let module =
            |kind: &str, path: &str| json!({"path": path, "type": format!("sentence_transformers.models.{kind}")});
        let message = |modules: Value| open(modules).err().unwrap().to_string();
        assert!(message(json!([module("Dense", "2_Dense")])).contains("got Dense"));
        assert!(message(json!([module("Transformer", "")])).contains("a Pooling, got none"));
        assert!(message(json!([module("Pooling", "../1_Pooling")])).contains("not the name of a folder"));
        assert!(message(json!([module("Pooling", "")])).contains("not the name of a folder"));
        assert!(message(json!([module("Pooling", "pool")])).contains("pool/config.json is missing"));
        assert!(message(json!({})).contains("modules.json is not usable"));
        fs::create_dir(folder.path().join("pool")).unwrap();
        fs::write(folder.path().join("pool/config.json"), mean().to_string()).unwrap();
        let found =
            open(json!([module("Transformer", ""), module("Pooling", "pool"), module("Normalize", "2")])).unwrap();
        assert_eq!(found.pooling().unwrap(), Pooling::Mean);
        assert_eq!(found.parts().count(), 1);
    }
}
