//! Which tokens may come next: a caller's rules for the text, as seen by the model's thread.

/// A rule that holds a text to a form. It is asked before each token, in the model's thread: it has to be quick.
pub trait TokenMask: Send {
    /// Takes out of `allowed`, which holds every token of the vocabulary at first, those that may not follow `written`:
    /// the tokens of the text so far, without the prompt. Tokens that end the text are among them where it may end. A
    /// set without any token ends the text: [`Finish::Mask`](super::Finish::Mask).
    fn restrict(&mut self, written: &[u32], allowed: &mut TokenSet);
}

/// A set of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSet {
    words: Vec<u64>,
    /// Ids are below it.
    count: usize,
}

impl TokenSet {
    /// Of no tokens, out of a vocabulary of `count`.
    pub fn none(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)], count }
    }

    /// Of all tokens.
    pub fn all(count: usize) -> Self {
        let mut set = Self::none(count);
        set.fill();
        set
    }

    /// Takes in every token.
    pub fn fill(&mut self) {
        self.words.fill(u64::MAX);
        if let Some(last) = self.words.last_mut().filter(|_| !self.count.is_multiple_of(64)) {
            *last = (1 << (self.count % 64)) - 1;
        }
    }

    /// Takes out every token.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Takes a token in; ids outside the vocabulary are passed over.
    pub fn allow(&mut self, id: u32) {
        if (id as usize) < self.count {
            self.words[id as usize / 64] |= 1 << (id % 64);
        }
    }

    /// Takes a token out.
    pub fn forbid(&mut self, id: u32) {
        if (id as usize) < self.count {
            self.words[id as usize / 64] &= !(1 << (id % 64));
        }
    }

    /// Takes out what is not in `other`, too.
    pub fn keep(&mut self, other: &Self) {
        for (index, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(index).copied().unwrap_or(0);
        }
    }

    /// Whether a token is in it.
    pub fn contains(&self, id: u32) -> bool {
        (id as usize) < self.count && self.words[id as usize / 64] >> (id % 64) & 1 == 1
    }

    /// Whether no token is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Rules out the logits of tokens that are not in it.
    pub(crate) fn apply(&self, logits: &mut [f32]) {
        for (id, logit) in (0u32..).zip(logits) {
            if !self.contains(id) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_in_and_out() {
        let mut set = TokenSet::all(70);
        assert!((0..70).all(|id| set.contains(id)) && !set.contains(70) && !set.contains(127));
        set.forbid(69);
        set.forbid(1000);
        assert!(!set.contains(69) && set.contains(68));
        set.clear();
        assert!(set.is_empty());
        set.allow(64);
        set.allow(70);
        assert_eq!((0..100).filter(|id| set.contains(*id)).collect::<Vec<_>>(), [64]);
        let mut logits = [0.0; 72];
        set.apply(&mut logits);
        assert_eq!(logits.iter().filter(|logit| logit.is_finite()).count(), 1);
        let mut all = TokenSet::all(128);
        all.keep(&set);
        assert!(all.contains(64) && !all.contains(1) && TokenSet::all(64).contains(63));
        assert!(TokenSet::none(0).is_empty());
    }
}
