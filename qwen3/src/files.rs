//! Where the bytes of a model come from: a folder as Hugging Face lays it out, or the binary itself. Opening checks
//! that every file is there and that the safetensors headers are consistent with the files' lengths; no length or
//! offset of a file is trusted after that without a bounds check.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use safetensors::tensor::Metadata;
use serde::Deserialize;

use crate::{
    bytes::Bytes,
    error::{Error, Result},
};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Bytes of a safetensors file before its header: the header's length.
const LENGTH_FIELD: usize = 8;
/// The safetensors format caps its header at this size.
const HEADER_LIMIT: usize = 100_000_000;

/// The files of one model: config, tokenizer and weights, not yet interpreted.
///
/// Weights are memory-mapped: do not shorten or overwrite a model's files while it is open (replacing them by rename
/// is fine).
#[derive(Clone)]
pub struct ModelFiles {
    origin: String,
    config: Bytes,
    tokenizer: Option<Bytes>,
    shards: Vec<Shard>,
}

/// One safetensors file whose header was checked against its length.
#[derive(Clone)]
pub(crate) struct Shard {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    /// Where tensor data starts: everything before it is the header.
    pub(crate) data_start: usize,
    pub(crate) header: Metadata,
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl ModelFiles {
    /// Opens a model folder: `config.json`, `tokenizer.json` (may be absent where only token ids are used), and
    /// `model.safetensors` or shards named by `model.safetensors.index.json`.
    ///
    /// # Errors
    /// [`Error::MissingFile`] and [`Error::Read`] name the file and what to put there; [`Error::BadFile`] says which
    /// file is truncated or damaged.
    pub fn folder(path: impl AsRef<Path>) -> Result<Self> {
        let folder = path.as_ref();
        if !folder.is_dir() {
            return Err(Error::MissingFile {
                folder: folder.to_owned(),
                file: "the folder itself".to_owned(),
                hint: format!("expected a folder with {CONFIG}, {TOKENIZER} and {WEIGHTS}"),
            });
        }
        let config = required(folder, CONFIG, "put the model's config.json there")?;
        let tokenizer = folder.join(TOKENIZER);
        let tokenizer = if tokenizer.exists() { Some(Bytes::map(&tokenizer)?) } else { None };
        Ok(Self { origin: folder.display().to_string(), config, tokenizer, shards: shards(folder)? })
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
            tokenizer: Some(Bytes::Static(tokenizer)),
            shards: vec![shard],
        })
    }

    /// The folder or name, for messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn config(&self) -> &[u8] {
        &self.config
    }

    pub(crate) fn config_name(&self) -> String {
        format!("{CONFIG} of {}", self.origin)
    }

    pub(crate) fn tokenizer(&self) -> Result<&[u8]> {
        self.tokenizer.as_deref().ok_or_else(|| Error::MissingFile {
            folder: PathBuf::from(&self.origin),
            file: TOKENIZER.to_owned(),
            hint: "put the tokenizer.json of the same model there".to_owned(),
        })
    }

    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }
}

impl Shard {
    fn parse(name: String, bytes: Bytes) -> Result<Self> {
        let bad = |reason: String| Error::BadFile { file: name.clone(), reason };
        let field = bytes.first_chunk::<LENGTH_FIELD>();
        let header_length = field.and_then(|field| usize::try_from(u64::from_le_bytes(*field)).ok());
        let data_start = header_length
            .filter(|length| *length <= HEADER_LIMIT)
            .map(|length| length + LENGTH_FIELD)
            .filter(|start| *start <= bytes.len())
            .ok_or_else(|| {
                bad(format!("its {} bytes do not hold a safetensors header: truncated or another format", bytes.len()))
            })?;
        let header: Metadata = serde_json::from_slice(&bytes[LENGTH_FIELD..data_start])
            .map_err(|e| bad(format!("its safetensors header is damaged ({e}): fetch the file again")))?;
        let expected = header.data_len().checked_add(data_start);
        if expected != Some(bytes.len()) {
            let reason = format!(
                "expected {} bytes from its header, got {}: truncated or damaged, fetch the file again",
                expected.map_or("too many".to_owned(), |n| n.to_string()),
                bytes.len()
            );
            return Err(bad(reason));
        }
        Ok(Self { name, bytes, data_start, header })
    }
}

fn required(folder: &Path, file: &str, hint: &str) -> Result<Bytes> {
    let path = folder.join(file);
    if path.exists() {
        return Bytes::map(&path);
    }
    Err(Error::MissingFile { folder: folder.to_owned(), file: file.to_owned(), hint: hint.to_owned() })
}

fn shards(folder: &Path) -> Result<Vec<Shard>> {
    if !folder.join(INDEX).exists() {
        let hint = format!("put the weights there, or shards with {INDEX}");
        let name = folder.join(WEIGHTS).display().to_string();
        return Ok(vec![Shard::parse(name, required(folder, WEIGHTS, &hint)?)?]);
    }
    let name = folder.join(INDEX).display().to_string();
    let bad = |reason: String| Error::BadFile { file: name.clone(), reason };
    let index: ShardIndex = serde_json::from_slice(&required(folder, INDEX, "")?).map_err(|e| bad(e.to_string()))?;
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        by_file.entry(file).or_default().push(tensor);
    }
    if by_file.is_empty() {
        return Err(bad("its weight_map is empty".to_owned()));
    }
    by_file.into_iter().map(|(file, tensors)| indexed_shard(folder, file, &tensors, &bad)).collect()
}

fn indexed_shard(folder: &Path, file: &str, tensors: &[&str], bad: &impl Fn(String) -> Error) -> Result<Shard> {
    // The index is data: it must not name files outside the model's folder.
    if Path::new(file).file_name().is_none_or(|name| name != file) {
        return Err(bad(format!("shard name {file:?} is not a plain file name")));
    }
    let bytes = required(folder, file, &format!("{INDEX} names it: fetch this shard too"))?;
    let shard = Shard::parse(folder.join(file).display().to_string(), bytes)?;
    match tensors.iter().find(|tensor| shard.header.info(tensor).is_none()) {
        Some(tensor) => Err(bad(format!("it places tensor {tensor} in {file}, which does not hold it"))),
        None => Ok(shard),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn safetensors(tensors: &[(&str, &[u8])]) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        let mut data = Vec::new();
        for (name, bytes) in tensors {
            let range = [data.len(), data.len() + bytes.len()];
            data.extend_from_slice(bytes);
            let info = serde_json::json!({"dtype": "I8", "shape": [bytes.len()], "data_offsets": range});
            header.insert((*name).to_owned(), info);
        }
        let header = serde_json::Value::Object(header).to_string();
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
    }

    fn parse(bytes: Vec<u8>) -> Result<Shard> {
        Shard::parse("w.safetensors".to_owned(), Bytes::Static(bytes.leak()))
    }

    #[test]
    fn whole_files_pass_and_cut_files_do_not() {
        let whole = safetensors(&[("a", &[1, 2, 3]), ("b", &[4])]);
        assert!(parse(whole.clone()).is_ok());
        for cut in 0..whole.len() {
            let error = parse(whole[..cut].to_vec()).err().unwrap();
            assert!(error.to_string().contains("w.safetensors"), "{error}");
        }
        let longer = [whole.as_slice(), &[0]].concat();
        assert!(parse(longer).err().unwrap().to_string().contains("expected"));
    }

    #[test]
    fn huge_offsets_are_refused() {
        let header = format!(
            r#"{{"a":{{"dtype":"U8","shape":[{n}],"data_offsets":[0,{n}]}},"b":{{"dtype":"U8","shape":[7],"data_offsets":[{n},{m}]}}}}"#,
            n = usize::MAX / 8,
            m = usize::MAX / 8 + 7
        );
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        assert!(parse(file).is_err());
        assert!(parse(u64::MAX.to_le_bytes().to_vec()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_consistent(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(shard) = parse(bytes) {
                prop_assert_eq!(shard.header.data_len() + shard.data_start, shard.bytes.len());
            }
        }

        #[test]
        fn one_changed_header_byte_never_panics(at in 0usize..120, value in any::<u8>()) {
            let mut file = safetensors(&[("a", &[1, 2, 3]), ("b", &[4])]);
            let at = at % file.len();
            file[at] = value;
            let _ = parse(file);
        }
    }

    #[test]
    fn says_which_file_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| ModelFiles::folder(path).err().unwrap().to_string();
        assert!(error(&folder.path().join("none")).contains("the folder itself"));
        assert!(error(folder.path()).contains("config.json is missing"));
        fs::write(folder.path().join(CONFIG), "{}").unwrap();
        assert!(error(folder.path()).contains("model.safetensors is missing"));
        fs::write(folder.path().join(WEIGHTS), "").unwrap();
        assert!(error(folder.path()).contains("truncated"));
        fs::write(folder.path().join(WEIGHTS), safetensors(&[("a", &[1])])).unwrap();
        let files = ModelFiles::folder(folder.path()).unwrap();
        assert!(files.tokenizer().unwrap_err().to_string().contains("tokenizer.json is missing"));
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
