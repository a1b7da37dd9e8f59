//! A writer here: a Qwen3 model of ours, held to the form that is asked for.

use std::ops::ControlFlow;
use std::sync::Arc;

use qwen3::{Finish, GenerateHandle, GenerateRequest, Message, Role, SamplingWishes, Written};

use super::held::{Held, Vocabulary};
use super::{Brief, Ending, Writer, WriterError};

/// Most tokens of an answer.
const MAX_TOKENS: usize = 512;
/// Most tokens that a model of ours is made to read for an answer: a processor takes seconds for them.
const MOST_READ: usize = 6_144;
/// Characters of a token, for an estimate that is rather too many tokens than too few.
const CHARACTERS: usize = 2;

/// A model of ours that writes answers. Cheap to clone.
#[derive(Clone)]
pub struct WriterHere {
    name: String,
    model: GenerateHandle,
    vocabulary: Arc<Vocabulary>,
}

impl WriterHere {
    /// A model by its name for people.
    pub fn new(name: String, model: GenerateHandle) -> Self {
        let vocabulary = Arc::new(Vocabulary::of(model.spellings(), model.ends()));
        Self { name, model, vocabulary }
    }
}

impl Writer for WriterHere {
    fn name(&self) -> &str {
        &self.name
    }

    fn room(&self) -> usize {
        self.model.context_tokens().saturating_sub(MAX_TOKENS).min(MOST_READ) * CHARACTERS
    }

    fn write(&self, brief: &Brief, take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Ending, WriterError> {
        let said = |role, content: &String| Message { role, content: content.clone() };
        let speller = self.model.clone();
        let spelled = Arc::new(move |id| speller.spellings().of_token(id).to_vec());
        let request = GenerateRequest {
            messages: vec![said(Role::System, &brief.instruction), said(Role::User, &brief.question)],
            max_tokens: Some(MAX_TOKENS),
            // The likeliest words: nothing is to be made up.
            sampling: SamplingWishes { temperature: Some(0.0), ..SamplingWishes::default() },
            mask: Some(Box::new(Held::to(Arc::clone(&self.vocabulary), spelled, &brief.passages))),
            ..GenerateRequest::default()
        };
        for piece in self.model.begin(request)? {
            match piece? {
                Written::Text(text) => {
                    if take(&text).is_break() {
                        return Ok(Ending::Done);
                    }
                }
                Written::End(end) => {
                    return Ok(match end.finish {
                        Finish::Stop | Finish::Mask => Ending::Done,
                        Finish::Length => Ending::Cut,
                        Finish::Repetition => Ending::Looped,
                    });
                }
            }
        }
        Err(qwen3::Error::Closed.into())
    }
}
