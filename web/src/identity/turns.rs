//! Turns: of several requests that want to ask the same, one does, and the others wait for what it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The turns, by what is asked.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// The turn for one question, which whoever holds it asks.
    pub(crate) fn of(&self, question: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(all.entry(question.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_one_for_all_who_wait_and_forgotten_afterwards() {
        let turns = Turns::default();
        let first = turns.of("a");
        assert!(Arc::ptr_eq(&first, &turns.of("a")) && !Arc::ptr_eq(&first, &turns.of("b")));
        drop(first);
        drop(turns.of("c"));
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
