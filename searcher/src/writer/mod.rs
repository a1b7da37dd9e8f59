//! Writers: models that put an answer into words of their own, from passages that they are given.
//!
//! A writer is not trusted. It has no tools; what it is given is quotations, marked so that nothing in them can end them; what it
//! says is held against them, sentence by sentence, before anybody sees it ([`crate::proof`]).

mod brief;
mod elsewhere;
mod form;
mod held;
mod here;

use std::ops::ControlFlow;

use qwen3::{Elsewhere, WorkerStats};

pub use brief::Brief;
pub(crate) use brief::{Quotation, room};
pub use here::WriterHere;

/// A model that writes.
pub trait Writer: Send + Sync {
    /// Its name, for whoever reads the answer.
    fn name(&self) -> &str;

    /// Where it computes, if elsewhere, and how it fares there.
    fn elsewhere(&self) -> Option<Elsewhere> {
        None
    }

    /// What was asked of it elsewhere since the start; here, its own thread counts.
    fn stats(&self) -> Option<WorkerStats> {
        None
    }

    /// Characters that it reads at the most, of instruction, passages and question together.
    fn room(&self) -> usize;

    /// Writes what a brief asks for, and gives it to `take` as it comes, until that has enough.
    ///
    /// # Errors
    /// It does not answer, or breaks off.
    fn write(&self, brief: &Brief, take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Ending, WriterError>;
}

/// How a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The writer was done, or whoever read it had enough.
    Done,
    /// It was cut at its greatest length.
    Cut,
    /// It went round in circles, and was cut.
    Looped,
}

/// Why a writer wrote nothing, or no more.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// A model elsewhere.
    #[error(transparent)]
    Elsewhere(#[from] remote::Fault),
    /// A model here.
    #[error(transparent)]
    Here(#[from] qwen3::Error),
}
