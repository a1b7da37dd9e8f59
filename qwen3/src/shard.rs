//! One safetensors file whose header was checked against its length: every tensor's range lies within the file and has
//! exactly the bytes of its shape (`safetensors` checks that ranges follow one another without gap or overlap).

use safetensors::tensor::Metadata;

use crate::{
    bytes::Bytes,
    error::{Error, Result},
};

/// Bytes of a safetensors file before its header: the header's length.
const LENGTH_FIELD: usize = 8;
/// The safetensors format caps its header at this size.
const HEADER_LIMIT: usize = 100_000_000;

/// A file of weights, mapped or in memory.
#[derive(Clone)]
pub(crate) struct Shard {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    /// Where tensor data starts: everything before it is the header.
    pub(crate) data_start: usize,
    pub(crate) header: Metadata,
}

impl Shard {
    /// Reads the header; `name` stands for the file in messages.
    pub(crate) fn parse(name: String, bytes: Bytes) -> Result<Self> {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file of int8 vectors by their names.
    pub(crate) fn safetensors(tensors: &[(&str, &[u8])]) -> Vec<u8> {
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
        Shard::parse("w.safetensors".to_owned(), Bytes::Owned(bytes.into()))
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
}
