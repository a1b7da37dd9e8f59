//! From tokens to the text that is shown: bytes to whole characters, thoughts left out, ended by stop strings.

mod characters;
mod stops;
mod thought;

use std::sync::Arc;

use super::spelling::Spellings;
use characters::Characters;
use stops::Stops;
pub(crate) use thought::{Thought, ThoughtMarks};

/// The text of one sequence as it comes.
pub(crate) struct TextStream {
    spellings: Arc<Spellings>,
    thought: Thought,
    characters: Characters,
    stops: Stops,
}

impl TextStream {
    pub(crate) fn new(spellings: Arc<Spellings>, thought: Thought, stops: Vec<String>) -> Self {
        Self { spellings, thought, characters: Characters::default(), stops: Stops::new(stops) }
    }

    /// What there is to show after one more token: whole characters that no stop string can begin with any more.
    pub(crate) fn push(&mut self, token: u32) -> String {
        if !self.thought.is_said(token) {
            return String::new();
        }
        let text = self.characters.push(self.spellings.of_token(token));
        self.stops.push(&self.thought.trimmed(text))
    }

    /// Whether a stop string was written: nothing follows.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stops.found()
    }

    /// What was held back, at the end.
    pub(crate) fn finish(&mut self) -> String {
        let rest = self.characters.finish();
        let mut text = self.stops.push(&rest);
        text.push_str(&self.stops.finish());
        text
    }
}
