//! What documents explain themselves: their abbreviations, by the views that show them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use storage::{View, ViewKey};

use crate::error::SearchError;
use crate::synonyms::Synonyms;

/// What documents explain, by the views that show them: nobody's query is understood by what is hidden from them.
#[derive(Default)]
pub(crate) struct Learnt {
    pub(crate) by_view: HashMap<State, Arc<Synonyms>>,
    /// In which order views were learnt from.
    order: VecDeque<State>,
}

/// A view in one state. What was learnt of an earlier state of everything still holds: nothing in it is hidden.
pub(crate) type State = (ViewKey, Option<u64>);

pub(crate) fn state_of(view: &View) -> Result<State, SearchError> {
    let generation = if view.is_whole() { None } else { Some(view.generation()?) };
    Ok((view.key(), generation))
}

/// Views whose explanations are kept.
const MAX_LEARNT: usize = 64;

impl Learnt {
    pub(crate) fn take(&mut self, state: State, synonyms: Synonyms) {
        if self.by_view.insert(state, Arc::new(synonyms)).is_none() {
            self.order.push_back(state);
        }
        while self.order.len() > MAX_LEARNT {
            self.order.pop_front().and_then(|oldest| self.by_view.remove(&oldest));
        }
    }
}
