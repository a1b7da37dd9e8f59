//! The tokenizer inside a GGUF: byte-level BPE with Qwen's splitting, built from the metadata so that it gives the ids
//! of the tokenizer.json it was converted from. Whether a model wants an EOS is not read here: this crate appends it.

use std::collections::HashMap;

use tokenizers::{
    AddedToken, Tokenizer,
    models::bpe::{BPE, Merges, Vocab},
    normalizers::NFC,
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    tokenizer::SplitDelimiterBehavior,
};

use super::{Gguf, cursor::Parsed};
use crate::error::Result;

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
pub(super) const TYPES: &str = "tokenizer.ggml.token_type";
pub(super) const MERGES: &str = "tokenizer.ggml.merges";
pub(super) const MODEL: &str = "tokenizer.ggml.model";
pub(super) const SPLITTING: &str = "tokenizer.ggml.pre";

const MOST_TOKENS: usize = 1 << 24;

/// `enum llama_token_type`.
pub(super) const CONTROL: i128 = 3;
pub(super) const USER_DEFINED: i128 = 4;
const UNUSED: i128 = 5;

/// How the Qwen2 and Qwen3 tokenizers cut text into words before merging, as their tokenizer.json spells it.
pub(super) const QWEN_WORDS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Converters take everything spelled `<|..|>` for a control token; in Qwen's own tokenizer.json these are not special,
/// and a text that spells one becomes that one token.
const PLAIN: [&str; 6] =
    ["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"];

/// Builds the tokenizer of a file.
pub(crate) fn tokenizer(gguf: &Gguf) -> Result<Tokenizer> {
    build(gguf).map_err(|reason| gguf.bad(format!("{reason}; a tokenizer.json beside the file is used instead of it")))
}

fn build(gguf: &Gguf) -> Parsed<Tokenizer> {
    let metadata = &gguf.metadata;
    expect(metadata.text(MODEL)?, MODEL, "gpt2")?;
    expect(metadata.text(SPLITTING)?, SPLITTING, "qwen2")?;
    let missing = |key: &str| format!("metadata {key:?} is missing");
    let tokens = metadata.texts(TOKENS, MOST_TOKENS)?.ok_or_else(|| missing(TOKENS))?;
    let types = metadata.integers(TYPES, MOST_TOKENS)?.ok_or_else(|| missing(TYPES))?;
    if types.len() != tokens.len() {
        return Err(format!("{TYPES:?} has {} elements, expected {} as {TOKENS:?}", types.len(), tokens.len()));
    }
    let vocabulary = vocabulary(&tokens, &types)?;
    let merges = merges(metadata.texts(MERGES, MOST_TOKENS)?.ok_or_else(|| missing(MERGES))?, &vocabulary)?;
    let vocabulary: Vocab = vocabulary.into_iter().map(|(token, id)| (token.to_owned(), id)).collect();
    let bpe = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(|e| e.to_string())?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_normalizer(Some(NFC)).map_err(|e| e.to_string())?;
    tokenizer.with_pre_tokenizer(Some(words()?));
    let added = tokens.iter().zip(&types).filter(|(_, kind)| [CONTROL, USER_DEFINED].contains(kind));
    let added = added.map(|(token, kind)| AddedToken {
        content: (*token).to_owned(),
        special: *kind == CONTROL && !PLAIN.contains(token),
        normalized: false,
        ..AddedToken::default()
    });
    tokenizer.add_tokens(added).map_err(|e| e.to_string())?;
    Ok(tokenizer)
}

fn expect(got: Option<&str>, key: &str, wanted: &str) -> Parsed<()> {
    match got {
        Some(got) if got == wanted => Ok(()),
        got => Err(format!("{key} must be {wanted}, got {}", got.unwrap_or("nothing"))),
    }
}

/// Ids by token. Rows that stand for nothing (padding of the table) are left out, as a tokenizer.json does.
fn vocabulary<'t>(tokens: &[&'t str], types: &[i128]) -> Parsed<HashMap<&'t str, u32>> {
    let mut vocabulary = HashMap::new();
    for (id, (token, kind)) in (0u32..).zip(tokens.iter().zip(types)) {
        if *kind == UNUSED {
            continue;
        }
        if let Some(other) = vocabulary.insert(*token, id) {
            return Err(format!("token {token:?} has two ids, {other} and {id}"));
        }
    }
    Ok(vocabulary)
}

/// Pairs in the order of their merging; each pair and what it gives must be in the vocabulary.
fn merges(pairs: Vec<&str>, vocabulary: &HashMap<&str, u32>) -> Parsed<Merges> {
    let mut merged = String::new();
    let mut merges = Merges::new();
    for pair in pairs {
        let parts = pair.split_once(' ').filter(|(left, right)| !left.is_empty() && !right.contains(' '));
        let (left, right) = parts.ok_or_else(|| format!("merge {pair:?} is not two tokens"))?;
        merged.clear();
        merged.extend([left, right]);
        if let Some(token) = [left, right, merged.as_str()].iter().find(|token| !vocabulary.contains_key(**token)) {
            return Err(format!("merge {pair:?} needs token {token:?}, which is not in the vocabulary"));
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}

fn words() -> Parsed<Sequence> {
    let pattern = SplitPattern::Regex(QWEN_WORDS.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(|e| e.to_string())?;
    let bytes = ByteLevel::new(false, false, false);
    Ok(Sequence::new(vec![PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(bytes)]))
}
