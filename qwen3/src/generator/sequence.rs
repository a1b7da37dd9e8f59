//! One text on its way: what the model knows of it, how its tokens are chosen, and who waits for it.

use std::sync::Weak;

use super::{
    kv_memory::KvMemory,
    mask::{TokenMask, TokenSet},
    predictor::Onward,
    repetition::Repetition,
    request::{End, Finish, Reply, Written},
    sampling::{Sampling, chance},
    text::TextStream,
};
use crate::error::Error;

/// A text as it is handed to the writer's thread.
pub(super) struct Sequence {
    /// The prompt, then what was written.
    pub(super) ids: Vec<u32>,
    pub(super) prompt_tokens: usize,
    /// So many of the first tokens may be shared with other texts.
    pub(super) shared: usize,
    /// Of those, so many were known before.
    pub(super) known_tokens: usize,
    pub(super) most_tokens: usize,
    /// Tokens that end it.
    pub(super) ends: Vec<u32>,
    pub(super) sampling: Sampling,
    pub(super) seed: u64,
    pub(super) mask: Option<Box<dyn TokenMask>>,
    pub(super) text: TextStream,
    pub(super) repetition: Repetition,
    pub(super) reply: Reply,
    pub(super) caller: Weak<()>,
}

/// A text that has its memory.
pub(super) struct Running {
    pub(super) sequence: Sequence,
    pub(super) memory: KvMemory,
}

impl Sequence {
    /// Tokens of memory that it takes.
    pub(super) fn room(&self) -> usize {
        self.prompt_tokens + self.most_tokens
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.caller.strong_count() == 0
    }

    pub(super) fn fail(&self, error: Error) {
        self.reply.send(Err(error));
    }

    fn say(&self, text: String) {
        if !text.is_empty() {
            self.reply.send(Ok(Written::Text(text)));
        }
    }

    fn end(&mut self, finish: Finish) {
        let rest = self.text.finish();
        self.say(rest);
        let end = End {
            finish,
            prompt_tokens: self.prompt_tokens,
            known_tokens: self.known_tokens,
            written_tokens: self.written(),
        };
        self.reply.send(Ok(Written::End(end)));
    }

    fn written(&self) -> usize {
        self.ids.len() - self.prompt_tokens
    }

    /// The next token by these logits; none where nothing is allowed.
    fn choose(&mut self, logits: &mut [f32], allowed: &mut TokenSet) -> Option<u32> {
        self.sampling.penalise(logits, &self.ids);
        if let Some(mask) = &mut self.mask {
            allowed.fill();
            mask.restrict(&self.ids[self.prompt_tokens..], allowed);
            allowed.apply(logits);
        }
        let chance = chance(self.seed, self.written() as u64);
        self.sampling.choose(logits, chance)
    }

    /// Takes the next token by these logits and says what there is to say; `true` once nothing follows.
    pub(super) fn take(&mut self, logits: &mut [f32], allowed: &mut TokenSet) -> bool {
        let Some(token) = self.choose(logits, allowed) else {
            self.end(Finish::Mask);
            return true;
        };
        self.ids.push(token);
        let finish = if self.ends.contains(&token) {
            Some(Finish::Stop)
        } else {
            let text = self.text.push(token);
            self.say(text);
            let goes_round = self.repetition.push(token);
            if self.text.is_stopped() {
                Some(Finish::Stop)
            } else if goes_round {
                Some(Finish::Repetition)
            } else {
                (self.written() >= self.most_tokens).then_some(Finish::Length)
            }
        };
        if let Some(finish) = finish {
            self.end(finish);
        }
        finish.is_some()
    }
}

impl Running {
    /// Tokens that the model has still to read before it can write the next one.
    pub(super) fn unread(&self) -> usize {
        self.sequence.ids.len() - self.memory.tokens()
    }

    /// How the model goes on, with so many tokens at the most. It stops at the end of what may be shared, so that a text
    /// is computed in the same parts whether that was known or not.
    pub(super) fn onward(&mut self, most: usize) -> Onward<'_> {
        let (known, count) = (self.memory.tokens(), self.sequence.ids.len());
        let mut end = count.min(known + most);
        if known < self.sequence.shared {
            end = end.min(self.sequence.shared);
        }
        Onward { wants_logits: end == count, ids: &self.sequence.ids[known..end], memory: &mut self.memory }
    }
}
