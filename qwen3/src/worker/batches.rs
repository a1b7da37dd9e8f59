//! A request cut into batches: longest sequences first, so that neighbours are of about the same length, each batch
//! within a budget of tokens that may change on the way.

/// What is left to compute of a request.
pub(crate) struct Batches {
    /// Indexes and lengths, longest first.
    order: Vec<(usize, usize)>,
    next: usize,
}

impl Batches {
    pub(crate) fn new(lengths: impl Iterator<Item = usize>) -> Self {
        let mut order: Vec<_> = lengths.enumerate().collect();
        order.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
        Self { order, next: 0 }
    }

    /// Indexes of the next batch: at most `budget` tokens, or one longer sequence alone; `None` when all are done.
    pub(crate) fn next(&mut self, budget: usize) -> Option<Vec<usize>> {
        let rest = &self.order[self.next..];
        let mut tokens = 0;
        let fits = |(_, length): &&(usize, usize)| {
            tokens += length;
            tokens <= budget
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        self.next += count;
        (count > 0).then(|| rest[..count].iter().map(|(index, _)| *index).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_are_a_partition_within_budget(
            lengths in proptest::collection::vec(1usize..300, 0..60),
            budgets in proptest::collection::vec(1usize..1000, 60),
        ) {
            let mut batches = Batches::new(lengths.iter().copied());
            let mut seen = Vec::new();
            for budget in budgets {
                let Some(batch) = batches.next(budget) else { break };
                let tokens: usize = batch.iter().map(|index| lengths[*index]).sum();
                prop_assert!(batch.len() == 1 || tokens <= budget);
                prop_assert!(!batch.is_empty());
                seen.extend(batch);
            }
            prop_assert!(batches.next(1000).is_none());
            prop_assert!(seen.windows(2).all(|pair| lengths[pair[0]] >= lengths[pair[1]]));
            seen.sort();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        }
    }
}
