//! The sources of a model's bytes: a folder as Hugging Face lays it out, a GGUF file, the binary itself, or nowhere
//! (made-up weights for measuring). Opening checks that every file is there and that the headers are consistent with
//! the files' lengths; no length or offset of a file is trusted after that without a bounds check.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use crate::{
    bert::SentenceFiles,
    bytes::Bytes,
    config::{Family, ModelConfig},
    error::{Error, Result},
    fingerprint::fingerprint,
    generator::ChatFiles,
    gguf::{self, Gguf},
    prompt::EmbedPrompt,
    shard::Shard,
};

pub(crate) const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const GGUF: &str = "gguf";

/// The files of one model: config, tokenizer and weights, not yet interpreted.
///
/// Weights are memory-mapped: do not shorten or overwrite a model's files while it is open (replacing them by rename
/// is fine).
#[derive(Clone)]
pub struct ModelFiles {
    origin: String,
    config: Bytes,
    /// What the config is called in messages.
    config_name: String,
    tokenizer: Option<Bytes>,
    /// Of a BERT alone.
    sentence: Option<SentenceFiles>,
    chat: ChatFiles,
    weights: WeightFiles,
    files: Vec<ModelFile>,
}

/// One file of a model, as it was when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// The weights of a model.
#[derive(Clone)]
pub(crate) enum WeightFiles {
    Shards(Vec<Shard>),
    Gguf(Arc<Gguf>),
    /// Made up from the config.
    Random,
}

/// What a model's tokenizer is built from.
pub(crate) enum TokenizerSource<'f> {
    /// A tokenizer.json.
    Json(&'f [u8]),
    /// The metadata of the weights' own file.
    Gguf(&'f Gguf),
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// Maps files and remembers which they were.
#[derive(Default)]
pub(crate) struct Opened {
    files: Vec<ModelFile>,
}

impl ModelFiles {
    /// Opens a model by path: a folder ([`ModelFiles::folder`]) or a `.gguf` file.
    ///
    /// A GGUF file brings config and weights, and its tokenizer unless a `tokenizer.json` lies beside it; a
    /// `config.json` beside it is not read.
    ///
    /// # Errors
    /// As [`ModelFiles::folder`]; [`Error::Unsupported`] for a GGUF of another architecture, [`Error::Dtype`] for one
    /// whose tensors are in a format that is not read here.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_file() {
            return Self::folder(path);
        }
        if is_gguf(path) {
            return Self::gguf(path);
        }
        let reason = "expected a model folder or a .gguf file (for safetensors, give the folder)".to_owned();
        Err(Error::BadFile { file: path.display().to_string(), reason })
    }

    /// Opens a model folder: `config.json`, `tokenizer.json` (may be absent where only token ids are used), and
    /// `model.safetensors` or shards named by `model.safetensors.index.json`; or, where there are no safetensors, the
    /// one `.gguf` file in it. What a writer says of itself is taken along where it is there: `generation_config.json`,
    /// and a chat template in `chat_template.jinja` or `tokenizer_config.json`. Beside a BERT's, sentence-transformers' `1_Pooling/config.json`, and what there is of
    /// `modules.json` and `sentence_bert_config.json`.
    ///
    /// # Errors
    /// [`Error::MissingFile`] and [`Error::Read`] name the file and what to put there; [`Error::BadFile`] says which
    /// file is truncated or damaged, or that there are several GGUF files to choose from; [`Error::Unsupported`] for
    /// a BERT with modules that are not computed here.
    pub fn folder(path: impl AsRef<Path>) -> Result<Self> {
        let folder = path.as_ref();
        if !folder.is_dir() {
            return Err(Error::MissingFile {
                folder: folder.to_owned(),
                file: "the folder itself".to_owned(),
                hint: format!("expected a folder with {CONFIG}, {TOKENIZER} and {WEIGHTS}, or a .gguf file"),
            });
        }
        if !folder.join(WEIGHTS).exists()
            && !folder.join(INDEX).exists()
            && let Some(file) = only_gguf(folder)?
        {
            return Self::gguf(&file);
        }
        let mut opened = Opened::default();
        let config = opened.required(folder, CONFIG, "put the model's config.json there, or a .gguf file")?;
        let tokenizer = opened.optional(&folder.join(TOKENIZER))?;
        let weights = WeightFiles::Shards(shards(folder, &mut opened)?);
        let origin = folder.display().to_string();
        let config_name = format!("{CONFIG} of {origin}");
        // What is of no family is told by whoever opens it as a model.
        let sentence = match Family::of(&config, &config_name) {
            Ok(Family::Bert) => Some(SentenceFiles::open(folder, &mut opened)?),
            _ => None,
        };
        let chat = ChatFiles::open(folder, &mut opened)?;
        Ok(Self { origin, config, config_name, tokenizer, sentence, chat, weights, files: opened.files })
    }

    fn gguf(path: &Path) -> Result<Self> {
        let mut opened = Opened::default();
        let origin = path.display().to_string();
        let gguf = Gguf::parse(origin.clone(), opened.map(path)?)?;
        let config = Bytes::Owned(gguf::config_json(&gguf)?.into());
        let tokenizer = opened.optional(&path.with_file_name(TOKENIZER))?;
        let config_name = format!("the metadata of {origin}");
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let chat = ChatFiles::open(folder, &mut opened)?.with_gguf(&gguf)?;
        let weights = WeightFiles::Gguf(Arc::new(gguf));
        Ok(Self { origin, config, config_name, tokenizer, sentence: None, chat, weights, files: opened.files })
    }

    /// A model carried by the binary (`include_bytes!`): the whole of config.json, tokenizer.json and one
    /// safetensors file. `name` stands for the folder in messages.
    ///
    /// # Errors
    /// [`Error::BadFile`] when the weights are not a whole safetensors file.
    pub fn embedded(
        name: &str,
        config: &'static [u8],
        tokenizer: &'static [u8],
        weights: &'static [u8],
    ) -> Result<Self> {
        let shard = Shard::parse(format!("{WEIGHTS} of {name}"), Bytes::Static(weights))?;
        Ok(Self {
            origin: name.to_owned(),
            config: Bytes::Static(config),
            config_name: format!("{CONFIG} of {name}"),
            tokenizer: Some(Bytes::Static(tokenizer)),
            sentence: None,
            chat: ChatFiles::default(),
            weights: WeightFiles::Shards(vec![shard]),
            files: Vec::new(),
        })
    }

    /// A model of the shape that a config.json describes, with made-up weights: pseudo-random numbers, the same in
    /// every run, computed when they are read and kept nowhere. For measuring speed and memory. It has no tokenizer:
    /// open it as a [`Model`](crate::Model).
    ///
    /// # Errors
    /// As [`ModelConfig::parse`].
    pub fn random(config_json: &[u8]) -> Result<Self> {
        let config_name = format!("the given {CONFIG}");
        ModelConfig::parse(config_json, &config_name)?;
        Ok(Self {
            origin: "a model of random weights".to_owned(),
            config: Bytes::Owned(config_json.into()),
            config_name,
            tokenizer: None,
            sentence: None,
            chat: ChatFiles::default(),
            weights: WeightFiles::Random,
            files: Vec::new(),
        })
    }

    /// The folder, file or name, for messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The files that were opened, with their sizes; none for a model that is not on disk.
    pub fn files(&self) -> &[ModelFile] {
        &self.files
    }

    /// A stable name of what the files hold (hex): changes with config, tokenizer or weights.
    ///
    /// # Errors
    /// As opening the model, for files that are missing or not understood.
    pub fn fingerprint(&self) -> Result<String> {
        fingerprint(self, &EmbedPrompt::bare(), 0)
    }

    /// A config.json: the model's own, or what a GGUF's metadata amount to.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// What errors call that config.json: its path, or the GGUF it is in.
    pub fn config_name(&self) -> String {
        self.config_name.clone()
    }

    /// The tokenizer.json: the model's own, or what a GGUF's metadata amount to.
    ///
    /// # Errors
    /// [`Error::MissingFile`], [`Error::BadFile`].
    pub fn tokenizer_json(&self) -> Result<Cow<'_, [u8]>> {
        let file = || format!("tokenizer.json of {}", self.origin);
        match self.tokenizer()? {
            TokenizerSource::Json(json) => Ok(Cow::Borrowed(json)),
            TokenizerSource::Gguf(gguf) => {
                let text = gguf::tokenizer(gguf)?.to_string(false);
                let text = text.map_err(|error| Error::BadFile { file: file(), reason: error.to_string() })?;
                Ok(Cow::Owned(text.into_bytes()))
            }
        }
    }

    pub(crate) fn tokenizer(&self) -> Result<TokenizerSource<'_>> {
        match (&self.tokenizer, &self.weights) {
            (Some(json), _) => Ok(TokenizerSource::Json(json)),
            (None, WeightFiles::Gguf(gguf)) => Ok(TokenizerSource::Gguf(gguf)),
            (None, _) => Err(Error::MissingFile {
                folder: PathBuf::from(&self.origin),
                file: TOKENIZER.to_owned(),
                hint: "put the tokenizer.json of the same model there".to_owned(),
            }),
        }
    }

    pub(crate) fn chat(&self) -> &ChatFiles {
        &self.chat
    }

    pub(crate) fn sentence(&self) -> Option<&SentenceFiles> {
        self.sentence.as_ref()
    }

    pub(crate) fn family(&self) -> Result<Family> {
        Family::of(&self.config, &self.config_name)
    }

    pub(crate) fn weights(&self) -> &WeightFiles {
        &self.weights
    }
}

impl Opened {
    fn map(&mut self, path: &Path) -> Result<Bytes> {
        let bytes = Bytes::map(path)?;
        self.files.push(ModelFile { path: path.to_owned(), bytes: bytes.len() as u64 });
        Ok(bytes)
    }

    pub(crate) fn optional(&mut self, path: &Path) -> Result<Option<Bytes>> {
        if path.exists() { self.map(path).map(Some) } else { Ok(None) }
    }

    pub(crate) fn required(&mut self, folder: &Path, file: &str, hint: &str) -> Result<Bytes> {
        let missing = || Error::MissingFile { folder: folder.to_owned(), file: file.to_owned(), hint: hint.to_owned() };
        self.optional(&folder.join(file))?.ok_or_else(missing)
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(GGUF))
}

/// The GGUF file of a folder, if it has one. Of several, only the user knows which is meant.
fn only_gguf(folder: &Path) -> Result<Option<PathBuf>> {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_gguf(&path) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    if found.len() > 1 {
        let names: Vec<_> =
            found.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()).collect();
        let reason = format!("it has several GGUF files: give the path of one of {}", names.join(", "));
        return Err(Error::BadFile { file: folder.display().to_string(), reason });
    }
    Ok(found.pop())
}

fn shards(folder: &Path, opened: &mut Opened) -> Result<Vec<Shard>> {
    if !folder.join(INDEX).exists() {
        let hint = format!("put the weights there, shards with {INDEX}, or a .gguf file");
        let name = folder.join(WEIGHTS).display().to_string();
        return Ok(vec![Shard::parse(name, opened.required(folder, WEIGHTS, &hint)?)?]);
    }
    let name = folder.join(INDEX).display().to_string();
    let bad = |reason: String| Error::BadFile { file: name.clone(), reason };
    let index = opened.required(folder, INDEX, "")?;
    let index: ShardIndex = serde_json::from_slice(&index).map_err(|e| bad(e.to_string()))?;
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        by_file.entry(file).or_default().push(tensor);
    }
    if by_file.is_empty() {
        return Err(bad("its weight_map is empty".to_owned()));
    }
    let shard = |(file, tensors): (&str, Vec<&str>)| indexed_shard(folder, file, &tensors, opened, &bad);
    by_file.into_iter().map(shard).collect()
}

fn indexed_shard(
    folder: &Path,
    file: &str,
    tensors: &[&str],
    opened: &mut Opened,
    bad: &impl Fn(String) -> Error,
) -> Result<Shard> {
    // The index is data: it must not name files outside the model's folder.
    if Path::new(file).file_name().is_none_or(|name| name != file) {
        return Err(bad(format!("shard name {file:?} is not a plain file name")));
    }
    let bytes = opened.required(folder, file, &format!("{INDEX} names it: fetch this shard too"))?;
    let shard = Shard::parse(folder.join(file).display().to_string(), bytes)?;
    match tensors.iter().find(|tensor| shard.header.info(tensor).is_none()) {
        Some(tensor) => Err(bad(format!("it places tensor {tensor} in {file}, which does not hold it"))),
        None => Ok(shard),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::tests::safetensors;
    use std::fs;

    #[test]
    fn says_which_file_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| ModelFiles::folder(path).err().unwrap().to_string();
        assert!(error(&folder.path().join("none")).contains("the folder itself"));
        assert!(error(folder.path()).contains("config.json is missing"));
        for name in ["b.gguf", "a.GGUF"] {
            fs::write(folder.path().join(name), "none").unwrap();
        }
        assert!(error(folder.path()).contains("give the path of one of a.GGUF, b.gguf"));
        fs::remove_file(folder.path().join("a.GGUF")).unwrap();
        assert!(error(folder.path()).contains("b.gguf is not usable: it does not begin with GGUF"));
        fs::remove_file(folder.path().join("b.gguf")).unwrap();
        fs::write(folder.path().join(CONFIG), "{}").unwrap();
        assert!(error(folder.path()).contains("model.safetensors is missing"));
        fs::write(folder.path().join(WEIGHTS), "").unwrap();
        assert!(error(folder.path()).contains("truncated"));
        fs::write(folder.path().join(WEIGHTS), safetensors(&[("a", &[1])])).unwrap();
        let files = ModelFiles::folder(folder.path()).unwrap();
        assert!(files.tokenizer().err().unwrap().to_string().contains("tokenizer.json is missing"));
    }

    #[test]
    fn an_index_cannot_lie_or_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CONFIG), "{}").unwrap();
        fs::write(folder.path().join("one.safetensors"), safetensors(&[("a", &[1])])).unwrap();
        let with_index = |index: &str| {
            fs::write(folder.path().join(INDEX), index).unwrap();
            ModelFiles::folder(folder.path()).err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(with_index(r#"{"weight_map":{"a":"one.safetensors"}}"#), "");
        assert!(with_index(r#"{"weight_map":{"b":"one.safetensors"}}"#).contains("does not hold it"));
        assert!(with_index(r#"{"weight_map":{"a":"two.safetensors"}}"#).contains("two.safetensors is missing"));
        assert!(with_index(r#"{"weight_map":{"a":"../one.safetensors"}}"#).contains("plain file name"));
        assert!(with_index(r#"{"weight_map":{}}"#).contains("empty"));
        assert!(with_index("{").contains(INDEX));
    }
}
