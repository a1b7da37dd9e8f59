//! The sieve over all pairs, for what only all documents together tell. Every pair is noted by its hashes alone (40
//! bytes), so that millions fit into memory while the pairs themselves wait on the disk; then each gets its verdict, in
//! the same order.

use std::collections::{HashMap, HashSet};

use super::{Fault, Pair, Rule, words};

/// Passages that a query may mean at the most.
const MANY_PASSAGES: u32 = 3;

/// Pairs that a passage may stand in at the most.
const MANY_PLACES: u32 = 6;

/// What becomes of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It stays as it is.
    Keep,
    /// It stays with its context before the query, which alone fits many passages.
    KeepWithContext,
    /// It goes.
    Drop(Fault),
}

struct Noted {
    query: u64,
    /// Of the query with its context.
    with_context: Option<u64>,
    response: u64,
    /// A number drawn by the seed, to choose by.
    lot: u64,
}

/// Notes pairs, and judges them once all are known.
pub struct Sieve {
    seed: u64,
    noted: Vec<Noted>,
    queries: HashMap<u64, u32>,
    responses: HashMap<u64, u32>,
    seen: HashSet<(u64, u64)>,
    repeated: HashSet<usize>,
}

impl Sieve {
    /// An empty one. Equal seeds choose the same pairs where a number is wanted.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            noted: Vec::new(),
            queries: HashMap::new(),
            responses: HashMap::new(),
            seen: HashSet::new(),
            repeated: HashSet::new(),
        }
    }

    /// Notes a pair.
    pub fn note(&mut self, pair: &Pair) {
        let with_context = pair.in_context().map(|query| hash(&query));
        let noted =
            Noted { query: hash(&pair.query), with_context, response: hash(&pair.response), lot: self.lot(pair) };
        if self.seen.insert((noted.query, noted.response)) {
            *self.queries.entry(noted.query).or_default() += 1;
            *self.responses.entry(noted.response).or_default() += 1;
        } else {
            self.repeated.insert(self.noted.len());
        }
        self.noted.push(noted);
    }

    /// The verdicts, in the order of noting. Of what is left, `most` are chosen by lot if there are more.
    pub fn judge(self, most: Option<usize>) -> Vec<Decision> {
        let mut in_context: HashMap<u64, u32> = HashMap::new();
        let mut decisions: Vec<Decision> = Vec::with_capacity(self.noted.len());
        for (number, noted) in self.noted.iter().enumerate() {
            let decision = self.decide(number, noted);
            if decision == Decision::KeepWithContext {
                *in_context.entry(noted.with_context.unwrap_or_default()).or_default() += 1;
            }
            decisions.push(decision);
        }
        for (noted, decision) in self.noted.iter().zip(&mut decisions) {
            let all = noted
                .with_context
                .map_or(0, |query| in_context.get(&query).unwrap_or(&0) + self.queries.get(&query).unwrap_or(&0));
            if *decision == Decision::KeepWithContext && all > MANY_PASSAGES {
                *decision = Decision::Drop(Fault::Ambiguous);
            }
        }
        if let Some(most) = most {
            self.draw(&mut decisions, most);
        }
        decisions
    }

    fn decide(&self, number: usize, noted: &Noted) -> Decision {
        if self.repeated.contains(&number) {
            return Decision::Drop(Fault::Repeated);
        }
        if self.responses.get(&noted.response).is_some_and(|places| *places > MANY_PLACES) {
            return Decision::Drop(Fault::Everywhere);
        }
        if self.queries.get(&noted.query).is_none_or(|passages| *passages <= MANY_PASSAGES) {
            return Decision::Keep;
        }
        match noted.with_context {
            // The document gave this very pair already.
            Some(query) if self.seen.contains(&(query, noted.response)) => Decision::Drop(Fault::Repeated),
            Some(_) => Decision::KeepWithContext,
            None => Decision::Drop(Fault::Ambiguous),
        }
    }

    /// Keeps those with the smallest lots.
    fn draw(&self, decisions: &mut [Decision], most: usize) {
        let kept = |decision: &Decision| !matches!(decision, Decision::Drop(_));
        let mut lots: Vec<(u64, usize)> = decisions
            .iter()
            .enumerate()
            .filter(|(_, decision)| kept(decision))
            .map(|(number, _)| (self.noted[number].lot, number))
            .collect();
        if lots.len() <= most {
            return;
        }
        lots.sort_unstable();
        for (_, number) in lots.split_off(most) {
            decisions[number] = Decision::Drop(Fault::Surplus);
        }
    }

    fn lot(&self, pair: &Pair) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.seed.to_le_bytes())
            .update(pair.query.as_bytes())
            .update(&[0])
            .update(pair.response.as_bytes());
        head(&hasher.finalize())
    }
}

impl Pair {
    /// The query with its context before it.
    pub fn in_context(&self) -> Option<String> {
        let context = self.context.as_ref()?;
        let separator = if matches!(self.rule, Rule::Definition | Rule::Question) { " - " } else { ": " };
        Some(format!("{context}{separator}{}", self.query))
    }
}

/// Equal for texts that differ in case, punctuation and white space alone.
fn hash(text: &str) -> u64 {
    head(&blake3::hash(words::plain(text).as_bytes()))
}

fn head(hash: &blake3::Hash) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(query: &str, response: &str, context: &str) -> Pair {
        Pair {
            query: query.into(),
            response: response.into(),
            rule: Rule::Heading,
            path: "a.md".into(),
            context: (!context.is_empty()).then(|| context.into()),
            language: None,
        }
    }

    fn judged(pairs: &[Pair], most: Option<usize>) -> Vec<Decision> {
        let mut sieve = Sieve::new(7);
        pairs.iter().for_each(|pair| sieve.note(pair));
        sieve.judge(most)
    }

    #[test]
    fn queries_that_fit_many_passages_get_their_context() {
        let mut pairs: Vec<Pair> =
            (0..5).map(|n| pair("Exit status", &format!("Body {n}"), &format!("tool{n}"))).collect();
        pairs.push(pair("Exit status", "Body 9", ""));
        pairs.push(pair("Other heading", "Body 10", "tool"));
        pairs.push(pair("other heading!", "body 10", "tool"));
        let mut expected = vec![Decision::KeepWithContext; 5];
        expected.push(Decision::Drop(Fault::Ambiguous));
        expected.push(Decision::Keep);
        expected.push(Decision::Drop(Fault::Repeated));
        assert_eq!(judged(&pairs, None), expected);
    }

    #[test]
    fn a_context_that_does_not_help_drops() {
        let pairs: Vec<Pair> = (0..5).map(|n| pair("Exit status", &format!("Body {n}"), "Manual")).collect();
        assert_eq!(judged(&pairs, None), [Decision::Drop(Fault::Ambiguous); 5]);
    }

    #[test]
    fn passages_that_stand_everywhere_go() {
        let pairs: Vec<Pair> = (0..7).map(|n| pair(&format!("Query {n}"), "Run help for details.", "")).collect();
        assert_eq!(judged(&pairs, None), [Decision::Drop(Fault::Everywhere); 7]);
    }

    #[test]
    fn lots_depend_on_the_seed_alone() {
        let pairs: Vec<Pair> = (0..50).map(|n| pair(&format!("Query {n}"), &format!("Body {n}"), "")).collect();
        let first = judged(&pairs, Some(10));
        assert_eq!(first.iter().filter(|decision| **decision == Decision::Keep).count(), 10);
        assert_eq!(first, judged(&pairs, Some(10)));
        let mut backwards = pairs.clone();
        backwards.reverse();
        let mut second = judged(&backwards, Some(10));
        second.reverse();
        assert_eq!(first, second);
        let mut other = Sieve::new(8);
        pairs.iter().for_each(|pair| other.note(pair));
        assert_ne!(first, other.judge(Some(10)));
    }
}
