//! The sequences of a packed batch, as attention sees them: where their queries, keys and values are, what stands before
//! them, and which keys a query may see.

use super::View;

/// One sequence of a packed batch. Its queries stand at its last positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// First row among the queries.
    pub(crate) query_start: usize,
    pub(crate) queries: usize,
    /// First row among the keys and values.
    pub(crate) key_start: usize,
    /// Keys of its own, behind those that stand before it.
    pub(crate) keys: usize,
}

/// Keys and values of tokens that stand before a sequence.
#[derive(Clone, Copy)]
pub(crate) struct PastRows<'a> {
    pub(crate) tokens: usize,
    pub(crate) rows: View<'a>,
    pub(crate) key_column: usize,
    pub(crate) value_column: usize,
}

/// What stands before the sequences of a batch.
#[derive(Clone, Copy)]
pub(crate) enum Past<'a> {
    Nothing,
    /// The same before all of them.
    Shared(PastRows<'a>),
    /// Before each what it consists of so far, in the order of the spans.
    Each(&'a [Option<PastRows<'a>>]),
}

impl<'a> Past<'a> {
    pub(super) fn of(&self, sequence: usize) -> Option<PastRows<'a>> {
        match self {
            Self::Nothing => None,
            Self::Shared(rows) => Some(*rows),
            Self::Each(rows) => rows.get(sequence).copied().flatten(),
        }
    }
}

/// Which keys of its sequence a query may see. Those before the sequence are seen by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Those up to its own position.
    Causal,
    /// All of them.
    Whole,
}
