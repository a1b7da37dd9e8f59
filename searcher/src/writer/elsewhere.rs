//! A writer elsewhere: a model behind an OpenAI-compatible endpoint.

use std::ops::ControlFlow;

use qwen3::{Elsewhere, WorkerStats};
use remote::{Chat, Finish, Message, Role};

use super::{Brief, Ending, Writer, WriterError};

/// What an endpoint is taken to read, in characters: 8,192 tokens of three characters, less room for the answer.
const ROOM: usize = 20_000;

impl Writer for Chat {
    fn name(&self) -> &str {
        self.model()
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        Some(Chat::elsewhere(self))
    }

    fn stats(&self) -> Option<WorkerStats> {
        Some(Chat::stats(self))
    }

    fn room(&self) -> usize {
        ROOM
    }

    fn write(&self, brief: &Brief, take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Ending, WriterError> {
        let message = |role, content: &String| Message { role, content: content.clone() };
        let messages = [message(Role::System, &brief.instruction), message(Role::User, &brief.question)];
        Ok(match self.stream(&messages, take)? {
            Finish::Stop | Finish::Left => Ending::Done,
            Finish::Length => Ending::Cut,
        })
    }
}
