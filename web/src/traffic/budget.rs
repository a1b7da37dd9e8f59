//! An amount that all clients share and of which one client may have a part.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;

/// The amount, and who holds what of it.
pub(crate) struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    /// What it is an amount of, for people.
    what: &'static str,
    total: usize,
    per_client: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    /// Without those that hold nothing.
    clients: HashMap<String, usize>,
}

/// A part of a budget; given back when it is dropped.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    client: String,
    amount: usize,
}

impl Budget {
    pub(crate) fn new(what: &'static str, total: usize, per_client: usize) -> Self {
        Self { shared: Arc::new(Shared { what, total, per_client, held: Mutex::default() }) }
    }

    /// Takes a part for a client.
    ///
    /// # Errors
    /// [`Error::OverShare`] if the client would hold too much, [`Error::Crowded`] if all together would.
    pub(crate) fn take(&self, client: &str, amount: usize) -> Result<Ticket, Error> {
        let mut ticket = Ticket { shared: Arc::clone(&self.shared), client: client.to_string(), amount: 0 };
        ticket.grow(amount)?;
        Ok(ticket)
    }

    /// What all clients hold.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.shared.lock().all
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Takes more; what it has stays if that fails.
    ///
    /// # Errors
    /// As [`Budget::take`].
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Error> {
        let Shared { what, total, per_client, .. } = *self.shared;
        let mut held = self.shared.lock();
        let mine = held.clients.get(&self.client).copied().unwrap_or(0);
        if mine.saturating_add(more) > per_client {
            return Err(Error::OverShare { what, limit: per_client });
        }
        if held.all.saturating_add(more) > total {
            return Err(Error::Crowded { what, limit: total });
        }
        if more > 0 {
            held.all += more;
            held.clients.insert(self.client.clone(), mine + more);
            self.amount += more;
        }
        Ok(())
    }

    /// Gives a part back.
    pub(crate) fn shrink(&mut self, less: usize) {
        let less = less.min(self.amount);
        self.amount -= less;
        let mut held = self.shared.lock();
        held.all -= less;
        if let Some(mine) = held.clients.get_mut(&self.client) {
            *mine -= less;
            if *mine == 0 {
                held.clients.remove(&self.client);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.shrink(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_a_share_and_all_have_the_whole() {
        let budget = Budget::new("apples", 10, 6);
        let mut ann = budget.take("ann", 4).unwrap();
        assert!(matches!(ann.grow(3), Err(Error::OverShare { limit: 6, .. })));
        assert!(matches!(budget.take("ann", 3), Err(Error::OverShare { .. })));
        ann.grow(2).unwrap();
        assert!(matches!(budget.take("bob", 5), Err(Error::Crowded { limit: 10, .. })));
        let bob = budget.take("bob", 4).unwrap();
        ann.shrink(5);
        assert_eq!(budget.held(), 5);
        drop(bob);
        assert_eq!(budget.held(), 1);
        budget.take("cy", 6).unwrap();
        drop(ann);
        assert_eq!(budget.held(), 0);
        assert!(budget.shared.lock().clients.is_empty(), "who holds nothing is forgotten");
    }
}
