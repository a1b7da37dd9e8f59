//! A short name for "these vectors come from this model in this form". An index stores it; vectors with different
//! fingerprints must never be compared. Cheap even for large models: big weight files are sampled.

use crate::{
    config::Family,
    error::Result,
    files::{ModelFiles, TokenizerSource, WeightFiles},
    prompt::EmbedPrompt,
};

/// Files up to this size are hashed whole.
const WHOLE: usize = 32 << 20;
const BLOCK: usize = 4 << 10;
const BLOCKS: usize = 256;
/// Goes up when this crate computes other vectors from the same files.
const QWEN3_GENERATION: &[u8] = b"qwen3 embedding, last token, 1";
const BERT_GENERATION: &[u8] = b"bert embedding, 1";

/// Hash (32 hex digits) of config, a BERT's pooling and length, tokenizer, weights, templates and dimension. The default instruction and the
/// precision are left out: they change no stored vector in a way that matters.
pub(crate) fn fingerprint(files: &ModelFiles, prompt: &EmbedPrompt, dimension: usize) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        // Lengths keep parts from running into each other.
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    match files.family()? {
        Family::Qwen3 => part(QWEN3_GENERATION),
        Family::Bert => part(BERT_GENERATION),
    }
    files.sentence().into_iter().flat_map(|sentence| sentence.parts()).for_each(&mut part);
    match files.weights() {
        WeightFiles::Shards(shards) => {
            part(files.config());
            if let Some(bytes) = tokenizer_json(files)? {
                part(bytes);
            }
            for shard in shards {
                weights(&shard.bytes, shard.data_start, &mut part);
            }
        }
        WeightFiles::Gguf(gguf) => {
            if let Some(bytes) = tokenizer_json(files)? {
                part(bytes);
            }
            // The header holds the config, and the tokenizer where there is none beside.
            weights(&gguf.bytes, gguf.data_start, &mut part);
        }
        WeightFiles::Random => part(files.config()),
    }
    part(prompt.query.as_bytes());
    part(prompt.document.as_bytes());
    part(&(dimension as u64).to_le_bytes());
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

/// The tokenizer.json, unless the weights' own file holds the tokenizer.
fn tokenizer_json(files: &ModelFiles) -> Result<Option<&[u8]>> {
    Ok(match files.tokenizer()? {
        TokenizerSource::Json(bytes) => Some(bytes),
        TokenizerSource::Gguf(_) => None,
    })
}

/// One file of weights: its header and samples of its data.
fn weights(bytes: &[u8], data_start: usize, part: &mut impl FnMut(&[u8])) {
    // A file without tensors may end before its aligned data would start.
    let (header, data) = bytes.split_at(data_start.min(bytes.len()));
    part(header);
    for block in samples(data) {
        part(block);
    }
}

/// The whole data if it is small, else evenly spaced blocks with the first and the last.
fn samples(data: &[u8]) -> Vec<&[u8]> {
    if data.len() <= WHOLE {
        return vec![data];
    }
    let last = data.len() - BLOCK;
    (0..BLOCKS).map(|i| &data[last / (BLOCKS - 1) * i..]).map(|rest| &rest[..BLOCK]).chain([&data[last..]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_cover_both_ends() {
        let data = vec![0u8; WHOLE + 12_345];
        let blocks = samples(&data);
        let at = |block: &[u8]| block.as_ptr() as usize - data.as_ptr() as usize;
        assert_eq!(at(blocks[0]), 0);
        assert_eq!(at(blocks[BLOCKS]), data.len() - BLOCK);
        assert!(blocks.iter().all(|block| block.len() == BLOCK));
        assert!(blocks.windows(2).all(|pair| at(pair[0]) <= at(pair[1])));
        assert_eq!(samples(&data[..100]), vec![&data[..100]]);
    }
}
