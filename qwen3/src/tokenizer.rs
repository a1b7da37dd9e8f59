//! Text to token ids. Special tokens are put in by this crate alone: `<|im_end|>` written in a document is text, never
//! a control token, so that a document cannot end its own prompt; and the special tokens around a text to embed are there
//! exactly once: Qwen3's EOS whatever the tokenizer's own post-processor would do, BERT's as that post-processor has them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use rayon::prelude::*;

use crate::{
    config::ModelConfig,
    error::{Error, Result},
    files::{ModelFiles, TokenizerSource},
    generator::Spelled,
    gguf,
};

/// Marks the end of a text to embed; its hidden state is the embedding.
const EOS: &str = "<|endoftext|>";
/// What BERT's tokenizers call a word of which they know no part.
const UNKNOWN: &str = "[UNK]";
/// An unknown word says as little of a text as these many bytes of it.
const UNKNOWN_TOKENS: usize = 3;
/// A text that every tokenizer has tokens for, to see what the post-processor puts around it.
const SAMPLE: &str = "a";

/// A model's tokenizer; cloning is cheap and shares it.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

/// What becomes of a text that has more tokens than the model reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overlong {
    /// Its end is cut off.
    #[default]
    CutEnd,
    /// Its beginning is cut off.
    CutStart,
    /// It is refused: [`Error::TooLong`].
    Refuse,
}

/// The special tokens around a text that is to be embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ends {
    before: Vec<u32>,
    after: Vec<u32>,
}

struct Inner {
    origin: String,
    tokenizer: tokenizers::Tokenizer,
    /// Special tokens and their ids, for templates.
    specials: Vec<(String, u32)>,
    /// Tokens that are no special ones and come of their own letters all the same, as `<think>`.
    added: Vec<(String, u32)>,
    /// Of the token for words that the tokenizer cannot spell, where there is one.
    unknown: Option<u32>,
}

impl Ends {
    /// Tokens that a text needs at the least: the special ones and one of its own, where it is cut at all.
    pub(crate) fn least(&self) -> usize {
        self.before.len() + self.after.len() + usize::from(!self.before.is_empty())
    }

    /// Brings ids to `limit` tokens at most with the special ones, which are put around them if they are not there.
    ///
    /// # Errors
    /// [`Error::TooLong`], of text 0, for more of them where they are not to be cut.
    pub(crate) fn close(&self, ids: &mut Vec<u32>, limit: usize, overlong: Overlong) -> Result<()> {
        if ids.starts_with(&self.before) {
            ids.drain(..self.before.len());
        }
        if ids.ends_with(&self.after) {
            ids.truncate(ids.len() - self.after.len());
        }
        let specials = self.before.len() + self.after.len();
        let room = limit.saturating_sub(specials);
        let surplus = ids.len().saturating_sub(room);
        match overlong {
            Overlong::Refuse if surplus > 0 => {
                return Err(Error::TooLong { text: Some(0), tokens: ids.len() + specials, limit });
            }
            Overlong::CutStart => drop(ids.drain(..surplus)),
            Overlong::CutEnd | Overlong::Refuse => ids.truncate(room),
        }
        ids.splice(..0, self.before.iter().copied());
        ids.extend_from_slice(&self.after);
        Ok(())
    }
}

impl Tokenizer {
    /// Reads tokenizer.json, or the tokenizer inside a GGUF, and checks that the model has a row for every id.
    ///
    /// # Errors
    /// [`Error::MissingFile`], [`Error::BadFile`] or [`Error::Vocabulary`].
    pub fn open(files: &ModelFiles, config: &ModelConfig) -> Result<Self> {
        let tokenizer = Self::parse(files)?;
        tokenizer.check_vocabulary(config.qwen.vocab_size)?;
        Ok(tokenizer)
    }

    /// Reads a tokenizer.json by itself.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::BadFile`].
    pub fn from_file(path: &Path) -> Result<Self> {
        let json = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let tokenizer = from_json(&json);
        let name = path.display().to_string();
        Self::ready(tokenizer.map_err(|reason| Error::BadFile { file: name.clone(), reason })?, name.clone())
            .map_err(|reason| Error::BadFile { file: name, reason })
    }

    /// Number of tokens, the special ones included; ids are below it.
    pub fn size(&self) -> usize {
        let largest = self.inner.tokenizer.get_vocab(true).into_values().max();
        largest.map_or(0, |id| id as usize + 1)
    }

    /// The text that a token stands for; none for ids that are not known.
    pub fn text_of(&self, id: u32) -> Option<String> {
        self.inner.tokenizer.decode(&[id], true).ok()
    }

    /// How the vocabulary has a token; none for ids that are not known.
    pub(crate) fn spelled(&self, id: u32) -> Option<Spelled> {
        let is_it = |(_, known): &&(String, u32)| *known == id;
        if self.inner.specials.iter().any(|(_, known)| *known == id) {
            return Some(Spelled::Special);
        }
        match self.inner.added.iter().find(is_it) {
            Some((token, _)) => Some(Spelled::Added(token.clone())),
            None => self.inner.tokenizer.id_to_token(id).map(Spelled::Letters),
        }
    }

    /// Whether the tokenizer's own post-processor puts special tokens around a text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub(crate) fn puts_around(&self) -> Result<bool> {
        let framed = self.inner.tokenizer.encode_fast(SAMPLE, true).map_err(|e| Error::Tokenize(e.to_string()))?;
        Ok(framed.len() > self.count(SAMPLE)?)
    }

    /// What the tokenizer belongs to, for messages.
    pub(crate) fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// [`Tokenizer::open`] without the check, for when the config is not known yet.
    pub(crate) fn parse(files: &ModelFiles) -> Result<Self> {
        let bad = |reason: String| Error::BadFile { file: format!("tokenizer.json of {}", files.origin()), reason };
        let tokenizer = match files.tokenizer()? {
            TokenizerSource::Json(json) => from_json(json).map_err(bad)?,
            TokenizerSource::Gguf(gguf) => gguf::tokenizer(gguf)?,
        };
        Self::ready(tokenizer, files.origin().to_owned()).map_err(bad)
    }

    /// Limits are this crate's business; what the file sets up for its own pipeline is switched off.
    fn ready(mut tokenizer: tokenizers::Tokenizer, origin: String) -> std::result::Result<Self, String> {
        tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
        tokenizer.with_padding(None);
        tokenizer.set_encode_special_tokens(true);
        let (mut specials, mut added) = (Vec::new(), Vec::new());
        for (id, token) in tokenizer.get_added_tokens_decoder() {
            let kind = if token.special { &mut specials } else { &mut added };
            kind.push((token.content, id));
        }
        let unknown = tokenizer.token_to_id(UNKNOWN);
        Ok(Self { inner: Arc::new(Inner { origin, tokenizer, specials, added, unknown }) })
    }

    pub(crate) fn check_vocabulary(&self, vocab_size: usize) -> Result<()> {
        let tokenizer = &self.inner.tokenizer;
        // Counting the ids in range is much cheaper than collecting the vocabulary to look for one that is not.
        let in_range = (0..vocab_size as u32).filter(|id| tokenizer.id_to_token(*id).is_some()).count();
        if in_range >= tokenizer.get_vocab_size(true) {
            return Ok(());
        }
        let origin = self.inner.origin.clone();
        match tokenizer.get_vocab(true).into_values().max() {
            Some(id) if id as usize >= vocab_size => Err(Error::Vocabulary { origin, id, vocab_size }),
            _ => Err(Error::BadFile {
                file: format!("tokenizer.json of {origin}"),
                reason:
                    "two of its tokens end up with the same id: added tokens must follow the vocabulary or be in it"
                        .to_owned(),
            }),
        }
    }

    /// Token ids of a text, without special tokens.
    ///
    /// # Errors
    /// [`Error::Tokenize`], which no text is known to cause.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.tokenizer.encode_fast(text, false).map_err(|e| Error::Tokenize(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Token ids of a text that somebody else wrote: whatever it spells, no token comes of it that means something to a
    /// template.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub(crate) fn encode_foreign(&self, text: &str) -> Result<Vec<u32>> {
        let added = &self.inner.added;
        let ids = self.encode(text)?;
        if !added.iter().any(|(_, id)| ids.contains(id)) {
            return Ok(ids);
        }
        // Cut behind the first letter of each, so that its letters never meet.
        let (mut ids, mut rest) = (Vec::new(), text);
        loop {
            let next = added.iter().filter_map(|(token, _)| rest.find(token.as_str())).min();
            let Some(cut) = next.and_then(|at| Some(at + rest[at..].chars().next()?.len_utf8())) else { break };
            ids.extend(self.encode(&rest[..cut])?);
            rest = &rest[cut..];
        }
        ids.extend(self.encode(rest)?);
        Ok(ids)
    }

    /// Number of tokens of a text, without special tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn count(&self, text: &str) -> Result<usize> {
        let encoding = self.inner.tokenizer.encode_fast(text, false).map_err(|e| Error::Tokenize(e.to_string()))?;
        Ok(encoding.len())
    }

    /// What Qwen3 puts around a text: the EOS behind it.
    ///
    /// # Errors
    /// [`Error::MissingToken`] when the tokenizer has no `<|endoftext|>`.
    pub(crate) fn eos(&self) -> Result<Ends> {
        Ok(Ends { before: Vec::new(), after: vec![self.token_id(EOS)?] })
    }

    /// What the tokenizer's own post-processor puts around a text: `[CLS]` and `[SEP]` for BERT.
    ///
    /// # Errors
    /// [`Error::BadFile`] where it puts nothing before or nothing behind.
    pub(crate) fn frame(&self) -> Result<Ends> {
        let text = self.encode(SAMPLE)?;
        let framed = self.inner.tokenizer.encode_fast(SAMPLE, true).map_err(|e| Error::Tokenize(e.to_string()))?;
        let framed = framed.get_ids();
        let at = framed.windows(text.len().max(1)).position(|window| window == text);
        let ends = at.map(|at| Ends { before: framed[..at].to_vec(), after: framed[at + text.len()..].to_vec() });
        ends.filter(|ends| !ends.before.is_empty() && !ends.after.is_empty()).ok_or_else(|| Error::BadFile {
            file: format!("tokenizer.json of {}", self.inner.origin),
            reason: "its post_processor puts no [CLS] before and [SEP] behind a text".to_owned(),
        })
    }

    /// Token ids of a text to embed: `limit` tokens at most with the special ones.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`] and [`Ends::close`].
    pub(crate) fn encode_closed(&self, text: &str, ends: &Ends, limit: usize, overlong: Overlong) -> Result<Vec<u32>> {
        let mut ids = self.encode(text)?;
        ends.close(&mut ids, limit, overlong)?;
        Ok(ids)
    }

    /// [`Tokenizer::encode_closed`] of many texts, each brought into form first, on all cores and in order.
    pub(crate) fn encode_all_closed<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        ends: &Ends,
        limit: usize,
        overlong: Overlong,
        form: impl Fn(&str) -> String + Sync,
    ) -> Result<Vec<Vec<u32>>> {
        let closed = |(index, text): (usize, &T)| {
            let ids = self.encode_closed(&form(text.as_ref()), ends, limit, overlong);
            ids.map_err(|error| error.of_text(index))
        };
        texts.par_iter().enumerate().map(closed).collect()
    }

    /// Token ids of a template: special tokens spelled in it become special tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub(crate) fn encode_template(&self, template: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut rest = template;
        while let Some((at, token, id)) = self.next_special(rest) {
            ids.extend(self.encode(&rest[..at])?);
            ids.push(id);
            rest = &rest[at + token.len()..];
        }
        ids.extend(self.encode(rest)?);
        Ok(ids)
    }

    /// The id of a token spelled exactly so in the vocabulary.
    ///
    /// # Errors
    /// [`Error::MissingToken`].
    pub fn token_id(&self, token: &str) -> Result<u32> {
        let missing = || Error::MissingToken { origin: self.inner.origin.clone(), token: token.to_owned() };
        self.inner.tokenizer.token_to_id(token).ok_or_else(missing)
    }

    /// The longest beginning of `text` that has at most `limit` tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn cut<'t>(&self, text: &'t str, limit: usize) -> Result<&'t str> {
        let encoding = self.inner.tokenizer.encode(text, false).map_err(|e| Error::Tokenize(e.to_string()))?;
        let Some((start, _)) = encoding.get_offsets().get(limit) else { return Ok(text) };
        let end = (0..=*start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Ok(&text[..end])
    }

    /// The longest ending of `text` that has at most `limit` tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn cut_start<'t>(&self, text: &'t str, limit: usize) -> Result<&'t str> {
        let encoding = self.inner.tokenizer.encode(text, false).map_err(|e| Error::Tokenize(e.to_string()))?;
        let offsets = encoding.get_offsets();
        let surplus = offsets.len().saturating_sub(limit);
        if surplus == 0 {
            return Ok(text);
        }
        let start = offsets.get(surplus).map_or(text.len(), |(start, _)| *start);
        let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        Ok(&text[start..])
    }

    /// Tokens per letter of a text; 0 for a text without letters. Digits and punctuation are left out. About 0.2 to
    /// 0.4 for a script the tokenizer has words for, 0.6 to 1 for CJK, and 2 or more where it falls back to bytes: a
    /// model with such a tokenizer has not learned that script. A word that is unknown as a whole counts as three tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn fertility(&self, text: &str) -> Result<f32> {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        if letters == 0 {
            return Ok(0.0);
        }
        let words: String = text.chars().map(|c| if c.is_alphabetic() { c } else { ' ' }).collect();
        let words: Vec<&str> = words.split_whitespace().collect();
        let ids = self.encode(&words.join(" "))?;
        let unknown = ids.iter().filter(|id| Some(**id) == self.inner.unknown).count();
        Ok((ids.len() + unknown * (UNKNOWN_TOKENS - 1)) as f32 / letters as f32)
    }

    fn next_special(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found = self.inner.specials.iter().filter_map(|(token, id)| Some((text.find(token)?, token.as_str(), *id)));
        found.min_by_key(|(at, token, _)| (*at, usize::MAX - token.len()))
    }
}

fn from_json(json: &[u8]) -> std::result::Result<tokenizers::Tokenizer, String> {
    // The parser panics on some contradictions, a merge of two tokens into one that is longer than any of the
    // vocabulary for one.
    match catch_unwind(AssertUnwindSafe(|| tokenizers::Tokenizer::from_bytes(json))) {
        Ok(Ok(tokenizer)) => Ok(tokenizer),
        Ok(Err(e)) => Err(format!("{e}; expected the tokenizer.json of this model")),
        Err(_) => Err("it contradicts itself; expected the tokenizer.json of this model".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_there_once_and_survive_cutting() {
        let eos = Ends { before: vec![], after: vec![9] };
        let frame = Ends { before: vec![7], after: vec![8] };
        let closed = |ends: &Ends, ids: &[u32], limit| {
            let mut ids = ids.to_vec();
            ends.close(&mut ids, limit, Overlong::CutEnd).unwrap();
            ids
        };
        assert_eq!(closed(&eos, &[1, 2, 3], 10), [1, 2, 3, 9]);
        assert_eq!(closed(&eos, &[1, 2, 3, 9], 4), [1, 2, 3, 9]);
        assert_eq!(closed(&eos, &[1, 2, 3], 3), [1, 2, 9]);
        assert_eq!(closed(&eos, &[], 1), [9]);
        assert_eq!(closed(&frame, &[1, 2, 3], 10), [7, 1, 2, 3, 8]);
        assert_eq!(closed(&frame, &[7, 1, 2, 3, 8], 5), [7, 1, 2, 3, 8]);
        assert_eq!(closed(&frame, &[7, 1, 2, 3, 8], 4), [7, 1, 2, 8]);
        assert_eq!(closed(&frame, &[], 3), [7, 8]);
        assert_eq!((eos.least(), frame.least()), (1, 3));
    }

    #[test]
    fn a_long_text_loses_its_end_or_its_beginning_or_is_refused() {
        let frame = Ends { before: vec![7], after: vec![8] };
        let closed = |overlong, limit| {
            let mut ids = vec![1, 2, 3];
            frame.close(&mut ids, limit, overlong).map(|()| ids)
        };
        assert_eq!(closed(Overlong::CutEnd, 4).unwrap(), [7, 1, 2, 8]);
        assert_eq!(closed(Overlong::CutStart, 4).unwrap(), [7, 2, 3, 8]);
        assert_eq!(closed(Overlong::CutStart, 9).unwrap(), [7, 1, 2, 3, 8]);
        assert!(matches!(closed(Overlong::Refuse, 4), Err(Error::TooLong { text: Some(0), tokens: 5, limit: 4 })));
        assert_eq!(closed(Overlong::Refuse, 5).unwrap(), [7, 1, 2, 3, 8]);
    }
}
