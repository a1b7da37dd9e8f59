//! What is asked of a writer, and what comes of it.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::{chat::Message, mask::TokenMask, sampling::Sampling};
use crate::error::{Error, Result};

/// A text to be written.
#[derive(Default)]
pub struct GenerateRequest {
    /// The chat, in order. If its last message is the assistant's, the text goes on from it.
    pub messages: Vec<Message>,
    /// Most tokens to write, thoughts included; what the context has room for by default.
    pub max_tokens: Option<usize>,
    /// How tokens are chosen, where that differs from the model's own defaults.
    pub sampling: SamplingWishes,
    /// The same seed and chat give the same text on the same machine; a random one by default.
    pub seed: Option<u64>,
    /// Strings that end the text; they are not part of it.
    pub stop: Vec<String>,
    /// Whether the model thinks first, if it can. Thoughts are no part of the text.
    pub thinking: bool,
    /// A rule for the tokens.
    pub mask: Option<Box<dyn TokenMask>>,
    /// Called in the writer's thread whenever there is a new piece, for callers that must not block: see
    /// [`Writing::ready`].
    pub told: Option<Box<dyn Fn() + Send>>,
}

/// [`Sampling`], as far as a request says it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SamplingWishes {
    /// [`Sampling::temperature`]
    pub temperature: Option<f32>,
    /// [`Sampling::top_k`]
    pub top_k: Option<usize>,
    /// [`Sampling::top_p`]
    pub top_p: Option<f32>,
    /// [`Sampling::min_p`]
    pub min_p: Option<f32>,
    /// [`Sampling::repetition_penalty`]
    pub repetition_penalty: Option<f32>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// More of it: whole characters, at least one.
    Text(String),
    /// Nothing follows.
    End(End),
}

/// How a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub finish: Finish,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of those, so many were known from an earlier text that began alike.
    pub known_tokens: usize,
    /// Tokens that were written, thoughts and the mark of the end included.
    pub written_tokens: usize,
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or a stop string came.
    Stop,
    /// The most tokens were written, or the context is full.
    Length,
    /// It went round in circles.
    Repetition,
    /// The request's [`TokenMask`] let no token through.
    Mask,
}

/// A text that is being written: an iterator over its pieces, of which the last is [`Written::End`] or an error.
/// Dropping it abandons the text.
#[must_use = "dropping it abandons the text"]
pub struct Writing {
    pub(super) pieces: Receiver<Result<Written>>,
    pub(super) prompt_tokens: usize,
    pub(super) is_over: bool,
    pub(super) _caller: Arc<()>,
}

/// Where the pieces of a text go.
pub(super) struct Reply {
    pub(super) pieces: Sender<Result<Written>>,
    pub(super) told: Option<Box<dyn Fn() + Send>>,
}

impl Reply {
    pub(super) fn send(&self, piece: Result<Written>) {
        // The caller may have gone in the meantime; that is its right.
        let _ = self.pieces.send(piece);
        if let Some(told) = &self.told {
            told();
        }
    }
}

impl GenerateRequest {
    /// The answer to a chat, by the model's own defaults.
    pub fn new(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }
}

impl SamplingWishes {
    /// A model's own sampling with what is wished for.
    pub(crate) fn over(&self, own: Sampling) -> Sampling {
        Sampling {
            temperature: self.temperature.unwrap_or(own.temperature),
            top_k: self.top_k.unwrap_or(own.top_k),
            top_p: self.top_p.unwrap_or(own.top_p),
            min_p: self.min_p.unwrap_or(own.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(own.repetition_penalty),
        }
    }
}

impl Writing {
    /// Tokens of the prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// The next piece, waited for until `deadline` at the longest; `None` then, and once everything was said.
    pub fn next_until(&mut self, deadline: Instant) -> Option<Result<Written>> {
        if self.is_over {
            return None;
        }
        match self.pieces.recv_deadline(deadline) {
            Ok(piece) => Some(self.taken(piece)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(self.taken(Err(Error::Closed))),
        }
    }

    /// Whether nothing follows any more.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next piece if it is there already.
    pub fn ready(&mut self) -> Option<Result<Written>> {
        if self.is_over {
            return None;
        }
        match self.pieces.try_recv() {
            Ok(piece) => Some(self.taken(piece)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(self.taken(Err(Error::Closed))),
        }
    }

    /// The whole text, waited for.
    ///
    /// # Errors
    /// What went wrong with this text; [`Error::Closed`] if the writer's thread is gone.
    pub fn wait(self) -> Result<(String, End)> {
        let mut text = String::new();
        for piece in self {
            match piece? {
                Written::Text(more) => text.push_str(&more),
                Written::End(end) => return Ok((text, end)),
            }
        }
        Err(Error::Closed)
    }

    fn taken(&mut self, piece: Result<Written>) -> Result<Written> {
        self.is_over = !matches!(piece, Ok(Written::Text(_)));
        piece
    }
}

impl Iterator for Writing {
    type Item = Result<Written>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let piece = self.pieces.recv().unwrap_or(Err(Error::Closed));
        Some(self.taken(piece))
    }
}
