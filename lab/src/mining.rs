//! Hard negatives: texts that a search finds for a query and that do not answer it. A model learns most from what it
//! confuses, and is spoilt by answers that are called wrong. Hence positive-aware mining (NV-Retriever, de Souza P. Moreira
//! et al. 2024, arXiv 2407.15831): a candidate that is nearer to the query than a share (their best: 95 %) of the
//! positive's cosine is taken for an unmarked answer and left out. The Qwen3 Embedding report masks with an absolute
//! margin instead (0.1 above the positive); [`Margin`] knows both.

use std::collections::HashSet;

use qwen3::EmbedHandle;
use searcher::{Candidate, Mode, RerankBudget, SearchConfig, SearchRequest, Searcher, Syntax};
use storage::{Passage, View, embedding_text, plain_words};

use crate::error::Result;

/// Share of its shingles from which the smaller of two texts counts as a part of the other.
const NEAR: f64 = 0.8;

/// Words of a shingle.
const SHINGLE: usize = 3;

/// From which cosine on a candidate is taken for an answer that nobody marked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Margin {
    /// Above this share of the positive's cosine.
    Share(f32),
    /// Above the positive's cosine plus this.
    Above(f32),
}

impl Margin {
    fn limit(self, positive: f32) -> f32 {
        match self {
            // A share of a negative cosine would be above it.
            Self::Share(share) => positive - (1.0 - share) * positive.abs(),
            Self::Above(margin) => positive + margin,
        }
    }
}

/// Which of the candidates that are left are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Those that the search ranks highest.
    Hardest,
    /// Any, drawn by a seed.
    Random(u64),
}

/// How negatives are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiningOptions {
    /// Which retrievers of the search find them.
    pub mode: Mode,
    /// The first rank that is looked at, from 1.
    pub from_rank: usize,
    /// The last rank.
    pub depth: usize,
    /// How many are wanted.
    pub negatives: usize,
    /// What is left out for being too near.
    pub margin: Margin,
    /// Which of the rest are taken.
    pub pick: Pick,
}

impl Default for MiningOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Hybrid,
            from_rank: 1,
            depth: 100,
            negatives: 5,
            margin: Margin::Share(0.95),
            pick: Pick::Hardest,
        }
    }
}

/// A query with a text that answers it.
#[derive(Debug, Clone, Copy)]
pub struct Positive<'a> {
    /// The query.
    pub query: &'a str,
    /// The text.
    pub text: &'a str,
    /// The text's unit vector.
    pub vector: &'a [f32],
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Negative {
    /// As it is embedded: the heading path, then the passage.
    pub text: String,
    /// Its rank in the search, from 1.
    pub rank: usize,
    /// Its cosine to the query.
    pub cosine: f32,
}

/// What mining for one query gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mined {
    /// The negatives, in the order of the search.
    pub negatives: Vec<Negative>,
    /// The positive's cosine to the query.
    pub positive: f32,
    /// Candidates left out for belonging to the answer: its document, or almost its words.
    pub own: usize,
    /// Candidates left out by the margin.
    pub too_near: usize,
}

/// Looks for hard negatives with one model.
pub struct Miner {
    embedder: EmbedHandle,
    searcher: Searcher,
    options: MiningOptions,
}

impl Miner {
    /// A miner with this model and the searcher's default settings.
    pub fn new(embedder: EmbedHandle, options: MiningOptions) -> Self {
        Self { searcher: Searcher::new(embedder.clone(), None, SearchConfig::default()), embedder, options }
    }

    /// Looks for negatives. `is_own` tells passages that belong to an answer, such as those of its document; passages with
    /// almost the words of the positive are told here.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn mine(&self, view: &View, positive: Positive<'_>, is_own: &dyn Fn(&Passage) -> bool) -> Result<Mined> {
        let options = &self.options;
        let query = match self.embedder.embed_query(positive.query, None) {
            Ok(query) => query,
            // The model sees nothing in it: nothing is near or far.
            Err(qwen3::Error::NoDirection { .. }) => return Ok(Mined::default()),
            Err(error) => return Err(error.into()),
        };
        let mut mined = Mined { positive: cosine(&query, positive.vector), ..Mined::default() };
        let limit = options.margin.limit(mined.positive);
        let own = Shingles::of(positive.text);
        let mut texts = HashSet::new();
        let candidates = self.recalled(view, positive.query)?;
        for (index, candidate) in candidates.iter().enumerate().take(options.depth).skip(options.from_rank.max(1) - 1) {
            if options.pick == Pick::Hardest && mined.negatives.len() >= options.negatives {
                break;
            }
            let passage = view.passage(candidate.passage)?;
            let text = embedding_text(&passage.chunk.headings, &passage.chunk.text);
            if is_own(&passage) || own.is_near(&Shingles::of(&passage.chunk.text)) {
                mined.own += 1;
                continue;
            }
            let cosine = match candidate.vector {
                Some(place) => place.score,
                None => match view.vector(candidate.passage)? {
                    Some(vector) => cosine(&query, &vector),
                    // Nobody knows yet how near it is.
                    None => continue,
                },
            };
            if cosine > limit {
                mined.too_near += 1;
            } else if texts.insert(text.clone()) {
                mined.negatives.push(Negative { text, rank: index + 1, cosine });
            }
        }
        if let Pick::Random(seed) = options.pick {
            draw(&mut mined.negatives, options.negatives, seed ^ hash(positive.query.bytes()));
        }
        Ok(mined)
    }

    fn recalled(&self, view: &View, query: &str) -> Result<Vec<Candidate>> {
        let request = SearchRequest {
            query: query.to_owned(),
            syntax: Syntax::Plain,
            mode: self.options.mode,
            rerank: RerankBudget::OFF,
            ..SearchRequest::default()
        };
        let mut plan = self.searcher.plan(view, request)?;
        plan.depth = self.options.depth;
        Ok(self.searcher.recall(view, &mut plan)?.candidates)
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Leaves a number of them by lot, in their order.
fn draw(negatives: &mut Vec<Negative>, wanted: usize, seed: u64) {
    let mut lots: Vec<(u64, usize)> = negatives
        .iter()
        .enumerate()
        .map(|(index, negative)| (hash(seed.to_le_bytes().into_iter().chain(negative.text.bytes())), index))
        .collect();
    lots.sort_unstable();
    let chosen: HashSet<usize> = lots.into_iter().take(wanted).map(|(_, index)| index).collect();
    let mut index = 0;
    negatives.retain(|_| {
        index += 1;
        chosen.contains(&(index - 1))
    });
}

/// FNV-1a, with its bits mixed once more so that orders by it are no orders of the texts.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    state = (state ^ state >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^ state >> 33
}

/// The runs of words of a text, by which two texts are told to be almost the same.
struct Shingles(HashSet<u64>);

impl Shingles {
    fn of(text: &str) -> Self {
        let words: Vec<String> = plain_words(text).collect();
        let runs = words.windows(SHINGLE.min(words.len()).max(1));
        Self(runs.map(|run| hash(run.join(" ").bytes())).collect())
    }

    /// Whether the smaller one is almost a part of the larger one.
    fn is_near(&self, other: &Self) -> bool {
        let smaller = self.0.len().min(other.0.len());
        let shared = self.0.intersection(&other.0).count();
        smaller > 0 && shared as f64 >= NEAR * smaller as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_above_or_below_the_positive() {
        assert!((Margin::Share(0.95).limit(0.8) - 0.76).abs() < 1e-6);
        assert!(Margin::Share(0.95).limit(-0.2) < -0.2);
        assert!((Margin::Above(0.1).limit(0.8) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn parts_and_small_edits_are_near_and_other_texts_are_not() {
        let text =
            "Employees get twenty-five days of paid leave in every calendar year, and unused days move into the next.";
        let near = |a: &str, b: &str| Shingles::of(a).is_near(&Shingles::of(b));
        assert!(near(text, &text.to_uppercase()));
        assert!(near(text, "paid leave in every calendar year, and unused days"));
        assert!(near(text, &text.replace("twenty-five", "thirty")));
        assert!(!near(text, "Ask for paid leave at least two weeks before its first day, in Nest."));
        assert!(
            near("员工每年享有二十五天带薪年假", "员工每年享有二十五天带薪年假，须提前申请")
                && !near("年假须提前申请", "报销须提供发票")
        );
        assert!(!near("", "words"));
    }

    #[test]
    fn lots_keep_the_order_and_follow_the_seed() {
        let all: Vec<Negative> =
            (1..=40).map(|rank| Negative { text: format!("text {rank}"), rank, cosine: 0.1 }).collect();
        let drawn = |seed| {
            let mut kept = all.clone();
            draw(&mut kept, 5, seed);
            kept.iter().map(|negative| negative.rank).collect::<Vec<_>>()
        };
        assert!(drawn(1).is_sorted() && drawn(1).len() == 5 && drawn(1) == drawn(1));
        assert!((2..9).any(|seed| drawn(seed) != drawn(1)));
    }
}
