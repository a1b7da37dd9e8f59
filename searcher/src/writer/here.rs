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

    /// What the model is asked: the likeliest words, for nothing is to be made up.
    fn request(&self, brief: &Brief) -> GenerateRequest {
        let said = |role, content: &String| Message { role, content: content.clone() };
        GenerateRequest {
            messages: vec![said(Role::System, &brief.instruction), said(Role::User, &brief.question)],
            max_tokens: Some(MAX_TOKENS),
            sampling: SamplingWishes { temperature: Some(0.0), ..SamplingWishes::default() },
            mask: Some(Box::new(Held::to(Arc::clone(&self.vocabulary), &brief.passages))),
            ..GenerateRequest::default()
        }
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
        for piece in self.model.begin(self.request(brief))? {
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

#[cfg(test)]
mod tests {
    use qwen3::{Generator, GeneratorOptions, ModelFiles, Precision, WriterOptions};

    use super::*;
    use crate::proof::{Claims, Line};
    use crate::writer::Quotation;

    /// A model of random weights, made to write whatever comes: all of it keeps to the form, in a real vocabulary.
    #[test]
    fn whatever_a_model_writes_quotes_a_passage() {
        let files = ModelFiles::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/tiny-reranker")).unwrap();
        let options = GeneratorOptions { precision: Precision::F32, ..GeneratorOptions::default() };
        let model =
            GenerateHandle::start(Generator::open(&files, options).unwrap(), &WriterOptions::default()).unwrap();
        let here = WriterHere::new("tiny".to_owned(), model);
        let texts =
            ["Full-time staff have 27 working days of holiday a year.", "Ask your manager in \"Nest\", please."];
        let brief = Brief::new("how many days?", &texts.map(|text| Quotation { above: "", text }));
        assert!(here.room() > 1_000);
        let mut quoted = 0;
        for seed in 0..12 {
            // As hot as can be: the weights are too sure of themselves.
            let sampling = SamplingWishes { temperature: Some(100.0), top_k: Some(1_024), ..SamplingWishes::default() };
            let request = GenerateRequest { sampling, seed: Some(seed), ..here.request(&brief) };
            let (text, _) = here.model.begin(request).unwrap().wait().unwrap();
            let mut claims = Claims::default();
            for line in claims.take(&text) {
                let Line::Claim(claim) = line else { continue };
                let cited = &claim.cited[0];
                let passage = texts[cited.passage - 1];
                assert!(cited.quote.as_deref().is_some_and(|quote| passage.contains(quote)), "{text}");
                quoted += 1;
            }
            assert!(text == "NONE" || text.starts_with('['), "{text}");
        }
        assert!(quoted > 0, "something was quoted");
    }
}
