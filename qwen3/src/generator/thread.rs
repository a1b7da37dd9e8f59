//! The loop of the writer's thread: let waiting texts in, run the model once for all that are under way, choose each
//! one's next token, let go of what is done. Texts are served alike: one token each in every pass, beside a part of the
//! oldest prompt, so that a long prompt does not hold up what is being written.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::Receiver;

use super::{
    generator::Generator,
    handle::WriterOptions,
    mask::TokenSet,
    predictor::Onward,
    prefixes::Prefixes,
    sequence::{Running, Sequence},
};
use crate::{
    error::Error,
    worker::{Meter, guarded},
};

pub(super) struct Worker {
    pub(super) generator: Generator,
    pub(super) inbox: Receiver<Sequence>,
    pub(super) options: WriterOptions,
    pub(super) meter: Arc<Meter>,
    running: Vec<Running>,
    /// Taken from the inbox, and there is no room yet.
    waiting: Option<Sequence>,
    prefixes: Prefixes,
    allowed: TokenSet,
}

impl Worker {
    pub(super) fn new(
        generator: Generator,
        inbox: Receiver<Sequence>,
        options: WriterOptions,
        meter: Arc<Meter>,
    ) -> Self {
        let allowed = TokenSet::none(generator.spellings.count());
        let (running, waiting, prefixes) = (Vec::new(), None, Prefixes::default());
        Self { generator, inbox, options, meter, running, waiting, prefixes, allowed }
    }

    pub(super) fn run(mut self) {
        while self.let_in() {
            self.drop_abandoned();
            self.step();
        }
        tracing::debug!("the writer's thread ends: its last handle was dropped");
    }

    /// Lets texts in while there is room; waits for one where nothing is under way. `false` once all callers are gone.
    fn let_in(&mut self) -> bool {
        loop {
            let Some(sequence) = self.waiting.take().or_else(|| self.next()) else { return !self.running.is_empty() };
            if sequence.is_abandoned() {
                self.meter.abandoned();
                continue;
            }
            let taken: usize = self.running.iter().map(|running| running.sequence.room()).sum();
            let has_room = taken + sequence.room() <= self.generator.memory_tokens;
            if !has_room || self.running.len() >= self.options.at_once.max(1) {
                self.waiting = Some(sequence);
                return true;
            }
            self.begin(sequence);
        }
    }

    /// The next text of the inbox, waited for where nothing is under way.
    fn next(&self) -> Option<Sequence> {
        let next = if self.running.is_empty() { self.inbox.recv().ok() } else { self.inbox.try_recv().ok() };
        next.inspect(|_| self.meter.request())
    }

    fn begin(&mut self, mut sequence: Sequence) {
        let begun = guarded(|| {
            let mut memory = self.generator.predictor.memory(sequence.room())?;
            let shared = &sequence.ids[..sequence.shared];
            if let Some(known) = self.prefixes.find(shared).filter(|_| !shared.is_empty()) {
                memory.begin_with(known)?;
            }
            Ok(memory)
        });
        match begun {
            Ok(memory) => {
                sequence.known_tokens = memory.tokens();
                self.running.push(Running { sequence, memory });
            }
            Err(error) => sequence.fail(error),
        }
    }

    fn drop_abandoned(&mut self) {
        let before = self.running.len();
        self.running.retain(|running| !running.sequence.is_abandoned());
        (self.running.len()..before).for_each(|_| self.meter.abandoned());
    }

    /// One pass of the model.
    fn step(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let begin = Instant::now();
        let takes = shares(self.running.iter().map(Running::unread), self.options.step_tokens);
        let predictor = &self.generator.predictor;
        let computed = guarded(|| {
            let under_way = self.running.iter_mut().zip(&takes).filter(|(_, most)| **most > 0);
            let mut onward: Vec<Onward> = under_way.map(|(running, most)| running.onward(*most)).collect();
            let tokens: usize = onward.iter().map(|onward| onward.ids.len()).sum();
            let wanted: Vec<bool> = onward.iter().map(|onward| onward.wants_logits).collect();
            Ok((predictor.advance(&mut onward)?, wanted, tokens))
        });
        match computed {
            Ok((logits, wanted, tokens)) => {
                self.meter.batch(tokens, begin.elapsed());
                self.take(logits, &wanted, &takes);
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Hands logits out to the texts that wanted them, and lets go of those that are done.
    fn take(&mut self, logits: Vec<Vec<f32>>, wanted: &[bool], takes: &[usize]) {
        let (mut logits, mut wanted) = (logits.into_iter(), wanted.iter());
        let mut takes = takes.iter();
        let Self { running, allowed, prefixes, generator, .. } = self;
        running.retain_mut(|Running { sequence, memory }| {
            if takes.next().is_none_or(|most| *most == 0) {
                return true;
            }
            if memory.tokens() == sequence.shared
                && let Err(error) = prefixes.keep(&sequence.ids[..sequence.shared], memory)
            {
                tracing::debug!("a beginning is not kept: {error}");
            }
            if wanted.next() != Some(&true) {
                return true;
            }
            let Some(mut logits) = logits.next() else { return true };
            // Rows of the output matrix that no token belongs to.
            logits.truncate(generator.spellings.count());
            match guarded(|| Ok(sequence.take(&mut logits, allowed))) {
                Ok(is_done) => !is_done,
                Err(error) => {
                    sequence.fail(error);
                    false
                }
            }
        });
    }

    /// What fails in a pass fails for all that were in it: their ids were checked, so it is the machine or a bug.
    fn fail(&mut self, error: &Error) {
        let told = error.to_string();
        for running in self.running.drain(..) {
            running.sequence.fail(Error::Compute(candle_core::Error::Msg(told.clone())));
        }
    }
}

/// How many tokens each text may go on with: one that is being written with its one, prompts in order with what is
/// left of `most`.
fn shares(unread: impl Iterator<Item = usize>, most: usize) -> Vec<usize> {
    let unread: Vec<usize> = unread.collect();
    let mut left = most.saturating_sub(unread.iter().filter(|count| **count == 1).count()).max(1);
    let share = |count: usize| {
        if count <= 1 {
            return count;
        }
        let share = count.min(left);
        left -= share;
        share
    };
    unread.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_goes_on_and_prompts_share_the_rest() {
        assert_eq!(shares([1, 1, 1].into_iter(), 2), [1, 1, 1]);
        assert_eq!(shares([1, 300, 50, 1].into_iter(), 256), [1, 254, 0, 1]);
        assert_eq!(shares([100, 300].into_iter(), 256), [100, 156]);
        assert_eq!(shares([1, 1, 40].into_iter(), 2), [1, 1, 1]);
        assert!(shares(std::iter::empty(), 4).is_empty());
    }
}
