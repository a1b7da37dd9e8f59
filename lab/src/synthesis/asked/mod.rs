//! Queries from a language model, in the two steps of the Qwen3 Embedding report: the model first says who could look for
//! a passage, with what kind of question, how hard and in which language; then it writes that query. Small steps keep the
//! queries varied: asked for a query at once, models write much the same one for everything.

mod journal;
mod prompts;

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};
use remote::{Chat, Fault, Message, Role, Tokens};
use serde::{Deserialize, Serialize};

pub use journal::{Journal, Outcome, path as journal_path};
use prompts::{Answer, Setting};

/// A passage that a query is wanted for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Hash of headings and text: what tells that a passage was asked about before.
    pub hash: String,
    /// Path of its document.
    pub path: String,
    /// The headings above it.
    pub headings: Vec<String>,
    /// The passage.
    pub text: String,
    /// ISO 639-1 code of the document's language, where it could be told.
    pub language: Option<String>,
}

/// What came of asking about a passage.
pub struct Asked {
    /// The passage.
    pub subject: Subject,
    /// What asking cost.
    pub tokens: Tokens,
    /// The query.
    pub query: Result<String, Failure>,
}

/// Why there is no query.
#[derive(Debug)]
pub enum Failure {
    /// The model's answers, twice, were not of the form asked for.
    Rubbish(String),
    /// The endpoint failed.
    Chat(Fault),
}

/// Asks about passages until there are none, or nobody wants answers any more. Runs on several threads at once.
pub fn ask_all(chat: &Chat, seed: u64, subjects: &Receiver<Subject>, answers: &Sender<Asked>, stop: &AtomicBool) {
    for subject in subjects {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut tokens = Tokens::default();
        let query = ask(chat, seed, &subject, &mut tokens);
        if answers.send(Asked { subject, tokens, query }).is_err() {
            return;
        }
    }
}

fn ask(chat: &Chat, seed: u64, subject: &Subject, tokens: &mut Tokens) -> Result<String, Failure> {
    let personas = prompts::personas(&subject.hash, seed);
    let setting: Setting = converse(chat, &prompts::setting(subject, &personas), tokens)?;
    let words = prompts::length(&subject.hash, seed, &setting);
    let wanted = prompts::query(subject, &personas, &setting, words);
    converse::<prompts::Query>(chat, &wanted, tokens).map(|query| query.query)
}

/// Asks, and once more where the answer is not of the form asked for.
fn converse<A: Answer>(chat: &Chat, prompt: &str, tokens: &mut Tokens) -> Result<A, Failure> {
    let reply = chat.complete(&said(prompt), tokens).map_err(Failure::Chat)?;
    let reason = match A::parse(&reply) {
        Ok(answer) => return Ok(answer),
        Err(reason) => reason,
    };
    let again = format!("{prompt}\n\nYour last answer could not be used: {reason}. Answer with the JSON object alone.");
    let reply = chat.complete(&said(&again), tokens).map_err(Failure::Chat)?;
    A::parse(&reply).map_err(Failure::Rubbish)
}

fn said(prompt: &str) -> [Message; 1] {
    [Message { role: Role::User, content: prompt.to_owned() }]
}
