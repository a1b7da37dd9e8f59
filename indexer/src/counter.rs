//! The count of a text's tokens, for sizing passages.
//!
//! A tokenizer that knows a script needs about one token per Chinese character; one that falls back to bytes needs three,
//! and passages sized by it would be a third as long as they should be. A character of such a script then counts as one
//! token, and the upper limit is lowered so that the passage still fits into the model.

use qwen3::Ruler;
use storage::is_unspaced;

use crate::chunk::{ChunkLimits, TokenCounter};
use crate::error::IndexError;

/// Frequent Chinese characters: a tokenizer that splits these knows none.
const SAMPLE: &str = "公司员工可以在三十天内提交申请";

/// Tokens per character from which the tokenizer is taken not to know the script.
const UNKNOWN: f32 = 1.5;

/// Counts by the model's ruler.
pub(crate) struct ModelCounter {
    ruler: Ruler,
    /// Tokens per character of a script that the tokenizer does not know.
    fallback: Option<f32>,
}

impl ModelCounter {
    pub(crate) fn new(ruler: Ruler) -> Result<Self, IndexError> {
        let fertility = ruler.fertility(SAMPLE)?;
        Ok(Self { ruler, fallback: (fertility > UNKNOWN).then_some(fertility) })
    }

    /// The limits for a model that reads `max_tokens`: a quarter is left for headings and special tokens.
    pub(crate) fn limits_within(&self, limits: ChunkLimits, max_tokens: usize) -> ChunkLimits {
        let room = (max_tokens - max_tokens / 4) as f32 / self.fallback.unwrap_or(1.0);
        let max = limits.max.min(room as usize).max(8);
        ChunkLimits { target: limits.target.min(max), max }
    }

    fn tokens(&self, text: &str) -> usize {
        // A text that cannot be tokenized has at most one token a byte; the model will say what is wrong with it.
        self.ruler.count(text).unwrap_or(text.len())
    }
}

impl TokenCounter for ModelCounter {
    fn count(&self, text: &str) -> usize {
        let unspaced = text.chars().filter(|character| is_unspaced(*character)).count();
        if unspaced == 0 || self.fallback.is_none() {
            return self.tokens(text);
        }
        let known: String = text.chars().map(|c| if is_unspaced(c) { ' ' } else { c }).collect();
        unspaced + self.tokens(&known)
    }
}
