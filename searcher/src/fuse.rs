//! Fusion: one ranking out of those of several retrievers.
//!
//! The retrievers of a search (words, vectors) score on scales that have nothing to do with one another. Two ways to join
//! them are here: by rank alone, and by scores brought to a common scale. The result does not depend on the order of
//! the retrievers or on the order of the sum: equal input gives equal output, to the last bit and in ties.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// How the retrievers' rankings become one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): the sum over retrievers of `weight / (constant + rank)`,
    /// ranks counted from 1. Scores play no part.
    ReciprocalRank {
        /// Flattens the difference between the first ranks; 60 in the paper. Must be positive.
        constant: f64,
    },
    /// Convex combination of normalised scores (Bruch, Gai and Ingber 2023): the sum over retrievers of
    /// `share * (score - floor) / (best - floor)`, where the shares are the weights divided by their sum, `best` is the
    /// retriever's highest score or [`Retrieved::full`], and `floor` is [`Retrieved::floor`]. An id that a retriever did not return gets 0 from it.
    Convex,
}

impl Default for Fusion {
    /// Reciprocal rank fusion with the paper's constant.
    fn default() -> Self {
        Self::ReciprocalRank { constant: 60.0 }
    }
}

/// One ranking to be fused.
#[derive(Debug, Clone, Copy)]
pub struct Retrieved<'a, Id> {
    /// Ids with their scores, best first. When an id stands twice, its first place counts.
    pub ranked: &'a [(Id, f32)],
    /// How much the retriever counts. Negative and non-finite weights count as 0: the retriever is reported but adds nothing.
    pub weight: f64,
    /// The lowest score the retriever could give in theory (0 for BM25, -1 for a cosine), for [`Fusion::Convex`]. `None` takes
    /// the lowest score of the list instead, so that its last entry adds nothing.
    pub floor: Option<f32>,
    /// The score that counts in full, where even the best of the list is below it, for [`Fusion::Convex`]: a retriever that
    /// found nothing good is not taken for one that did. 0 for none.
    pub full: f32,
}

/// Where a retriever placed an id.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// Rank, from 1.
    pub rank: usize,
    /// The retriever's own score.
    pub score: f32,
}

/// One entry of the fused ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fused<Id> {
    /// What was ranked.
    pub id: Id,
    /// The fused score, higher is better; comparable within one ranking only.
    pub score: f64,
    /// One entry per retriever, in the order of the retrievers; `None` where the retriever did not return the id.
    pub places: Vec<Option<Place>>,
}

impl<Id> Fused<Id> {
    /// The best rank any retriever gave.
    fn best_rank(&self) -> usize {
        self.places.iter().flatten().map(|place| place.rank).min().unwrap_or(usize::MAX)
    }
}

/// Fuses the rankings into one ranking of every id that any of them returned, best first.
///
/// Ties in the fused score go to the better single rank, then to the smaller id.
pub fn fuse<Id: Copy + Eq + Hash + Ord>(rankings: &[Retrieved<'_, Id>], fusion: Fusion) -> Vec<Fused<Id>> {
    fuse_whole(rankings, &[], fusion)
}

/// As [`fuse`], where it is known what a retriever would have given ids that it did not return: `beyond`, by retriever. For
/// [`Fusion::Convex`] such a score counts like any other, so that the depth of a ranking decides what is fused, and not how.
pub(crate) fn fuse_whole<Id: Copy + Eq + Hash + Ord>(
    rankings: &[Retrieved<'_, Id>],
    beyond: &[HashMap<Id, f32>],
    fusion: Fusion,
) -> Vec<Fused<Id>> {
    let scales: Vec<Scale> = rankings.iter().map(|ranking| Scale::of(ranking, rankings)).collect();
    let known = |retriever: usize, id: &Id| beyond.get(retriever).and_then(|scores| scores.get(id).copied());
    let mut fused: Vec<Fused<Id>> = gather(rankings)
        .into_iter()
        .map(|(id, places)| Fused { score: score(&places, |of| known(of, &id), &scales, fusion), id, places })
        .collect();
    fused.sort_by(better_first);
    fused
}

/// Every id with its place in each retriever.
fn gather<Id: Copy + Eq + Hash>(rankings: &[Retrieved<'_, Id>]) -> HashMap<Id, Vec<Option<Place>>> {
    let mut places: HashMap<Id, Vec<Option<Place>>> = HashMap::new();
    for (number, ranking) in rankings.iter().enumerate() {
        for (index, &(id, score)) in ranking.ranked.iter().enumerate() {
            let entry = &mut places.entry(id).or_insert_with(|| vec![None; rankings.len()])[number];
            entry.get_or_insert(Place { rank: index + 1, score });
        }
    }
    places
}

/// What turns a retriever's places into contributions.
struct Scale {
    weight: f64,
    /// The weight divided by the sum of all weights.
    share: f64,
    floor: f64,
    best: f64,
}

impl Scale {
    fn of<Id>(ranking: &Retrieved<'_, Id>, rankings: &[Retrieved<'_, Id>]) -> Self {
        let weight = usable(ranking.weight);
        let mut weights: Vec<f64> = rankings.iter().map(|ranking| usable(ranking.weight)).collect();
        let total = sum(&mut weights);
        let scores = || ranking.ranked.iter().map(|(_, score)| f64::from(*score)).filter(|score| score.is_finite());
        let lowest = scores().fold(f64::INFINITY, f64::min);
        let highest = scores().fold(f64::NEG_INFINITY, f64::max);
        let share = if total > 0.0 { weight / total } else { 0.0 };
        // In a list of equal scores nobody is last: the floor moves below them, and all get the full share.
        let floor = match ranking.floor {
            Some(floor) => f64::from(floor),
            None if lowest == highest => highest - 1.0,
            None => lowest,
        };
        let best =
            if ranking.full.is_finite() && ranking.full > 0.0 { highest.max(f64::from(ranking.full)) } else { highest };
        Self { weight, share, floor, best }
    }

    /// The score on a scale from 0 (floor) to 1 (best of the list).
    fn normalise(&self, score: f32) -> f64 {
        let score = f64::from(score);
        let height = self.best - self.floor;
        if score.is_finite() && height > 0.0 { ((score - self.floor) / height).max(0.0) } else { 0.0 }
    }
}

/// The fused score of an id; `known` is what a retriever that did not return it would have given it.
fn score(places: &[Option<Place>], known: impl Fn(usize) -> Option<f32>, scales: &[Scale], fusion: Fusion) -> f64 {
    let mut parts: Vec<f64> = (0..)
        .zip(places.iter().zip(scales))
        .filter_map(|(retriever, (place, scale))| match fusion {
            Fusion::ReciprocalRank { constant } => Some(scale.weight / (constant + (*place)?.rank as f64)),
            Fusion::Convex => {
                let score = place.map(|place| place.score).or_else(|| known(retriever))?;
                Some(scale.share * scale.normalise(score))
            }
        })
        .collect();
    sum(&mut parts)
}

/// The sum in ascending order: floating-point addition is not associative, and rankings have no order.
fn sum(parts: &mut [f64]) -> f64 {
    parts.sort_by(f64::total_cmp);
    parts.iter().sum()
}

fn usable(weight: f64) -> f64 {
    if weight.is_finite() { weight.max(0.0) } else { 0.0 }
}

fn better_first<Id: Ord>(a: &Fused<Id>, b: &Fused<Id>) -> Ordering {
    let key = |fused: &Fused<Id>| Reverse(fused.best_rank());
    b.score.total_cmp(&a.score).then_with(|| key(b).cmp(&key(a))).then_with(|| a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RRF: Fusion = Fusion::ReciprocalRank { constant: 60.0 };

    fn retrieved<'a>(ranked: &'a [(u32, f32)], weight: f64) -> Retrieved<'a, u32> {
        Retrieved { ranked, weight, floor: None, full: 0.0 }
    }

    fn ids(fused: &[Fused<u32>]) -> Vec<u32> {
        fused.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn reciprocal_ranks_by_hand() {
        let words = [(1, 9.0), (2, 8.0), (3, 7.0)];
        let vectors = [(3, 0.9), (4, 0.8)];
        let fused = fuse(&[retrieved(&words, 1.0), retrieved(&vectors, 0.5)], RRF);
        // 3: 1/63 + 0.5/61 = .024070; 1: 1/61 = .016393; 2: 1/62 = .016129; 4: 0.5/62 = .008065
        assert_eq!(ids(&fused), [3, 1, 2, 4]);
        assert!((fused[0].score - (1.0 / 63.0 + 0.5 / 61.0)).abs() < 1e-15);
        assert!((fused[3].score - 0.5 / 62.0).abs() < 1e-15);
        assert_eq!(fused[0].places, [Some(Place { rank: 3, score: 7.0 }), Some(Place { rank: 1, score: 0.9 })]);
        assert_eq!(fused[1].places, [Some(Place { rank: 1, score: 9.0 }), None]);
    }

    #[test]
    fn ties_go_to_the_best_single_rank_and_then_to_the_id() {
        let (one, two) = ([(9, 1.0), (8, 0.5)], [(7, 1.0), (6, 0.5)]);
        assert_eq!(ids(&fuse(&[retrieved(&one, 1.0), retrieved(&two, 1.0)], RRF)), [7, 9, 6, 8]);
        // All scores 0: only the ranks are left.
        assert_eq!(ids(&fuse(&[retrieved(&one, 0.0), retrieved(&two, 0.0)], RRF)), [7, 9, 6, 8]);
    }

    #[test]
    fn convex_combination_by_hand() {
        let words = [(1, 10.0), (2, 5.0)];
        let vectors = [(2, 0.6), (1, 0.2)];
        let rankings = [
            Retrieved { ranked: &words, weight: 3.0, floor: Some(0.0), full: 8.0 },
            Retrieved { ranked: &vectors, weight: 1.0, floor: Some(-1.0), full: 0.0 },
        ];
        let fused = fuse(&rankings, Fusion::Convex);
        // 1: .75 * 10/10 + .25 * 1.2/1.6 = .9375; 2: .75 * 5/10 + .25 * 1 = .625
        assert_eq!(ids(&fused), [1, 2]);
        assert!((fused[0].score - 0.9375).abs() < 1e-7, "{}", fused[0].score);
        assert!((fused[1].score - 0.625).abs() < 1e-7, "{}", fused[1].score);
    }

    #[test]
    fn a_leg_that_found_nothing_good_counts_less() {
        let words = [(1, 10.0), (2, 5.0)];
        let vectors = [(2, 0.6), (1, 0.2)];
        let rankings = [
            Retrieved { ranked: &words, weight: 3.0, floor: Some(0.0), full: 40.0 },
            Retrieved { ranked: &vectors, weight: 1.0, floor: Some(-1.0), full: 0.0 },
        ];
        let fused = fuse(&rankings, Fusion::Convex);
        // 1: .75 * 10/40 + .25 * 1.2/1.6 = .375; 2: .75 * 5/40 + .25 = .34375
        assert!((fused[0].score - 0.375).abs() < 1e-7 && (fused[1].score - 0.34375).abs() < 1e-7);
    }

    #[test]
    fn without_a_floor_the_last_of_a_list_adds_nothing() {
        let words = [(1, 10.0), (2, 6.0), (3, 2.0)];
        let fused = fuse(&[retrieved(&words, 2.0)], Fusion::Convex);
        assert_eq!(fused.iter().map(|entry| entry.score).collect::<Vec<_>>(), [1.0, 0.5, 0.0]);
        let equal = [(1, 4.0), (2, 4.0)];
        let fused = fuse(&[retrieved(&equal, 2.0)], Fusion::Convex);
        assert_eq!(fused.iter().map(|entry| entry.score).collect::<Vec<_>>(), [1.0, 1.0]);
    }

    #[test]
    fn nothing_and_nonsense_are_ranked_without_a_fuss() {
        assert!(fuse::<u32>(&[], RRF).is_empty());
        assert!(fuse(&[retrieved(&[], 1.0)], Fusion::Convex).is_empty());
        let odd = [(1, f32::NAN), (2, f32::INFINITY), (3, 1.0), (1, 5.0)];
        for fusion in [RRF, Fusion::Convex] {
            let fused = fuse(&[retrieved(&odd, f64::NAN), retrieved(&odd, 1.0)], fusion);
            assert_eq!(fused.len(), 3);
            assert!(fused.iter().all(|entry| entry.score.is_finite()));
        }
    }

    /// A ranking: distinct ids with descending scores.
    fn ranking() -> impl Strategy<Value = Vec<(u32, f32)>> {
        proptest::collection::vec((0u32..30, -1.0f32..20.0), 0..20).prop_map(|mut list| {
            list.sort_by(|a, b| b.1.total_cmp(&a.1));
            let mut seen = std::collections::HashSet::new();
            list.retain(|(id, _)| seen.insert(*id));
            list
        })
    }

    fn weighted_rankings() -> impl Strategy<Value = Vec<(Vec<(u32, f32)>, f64)>> {
        proptest::collection::vec((ranking(), 0.0f64..3.0), 0..5)
    }

    fn all_retrieved(rankings: &[(Vec<(u32, f32)>, f64)]) -> Vec<Retrieved<'_, u32>> {
        rankings.iter().map(|(ranked, weight)| retrieved(ranked, *weight)).collect()
    }

    #[test]
    fn what_is_known_beyond_a_ranking_counts_like_what_is_in_it() {
        let (words, near) = ([(1, 4.0), (2, 3.0)], [(3, 0.8), (2, 0.4)]);
        let of = |ranked, weight| Retrieved { ranked, weight, floor: Some(0.0), full: 0.0 };
        let short = [of(&words[..], 1.0), of(&near[..1], 0.5)];
        let beyond = [HashMap::new(), HashMap::from([(2, 0.4)])];
        let whole = fuse(&[of(&words[..], 1.0), of(&near[..], 0.5)], Fusion::Convex);
        let scores = |fused: &[Fused<i32>]| fused.iter().map(|entry| (entry.id, entry.score)).collect::<Vec<_>>();
        assert_eq!(scores(&fuse_whole(&short, &beyond, Fusion::Convex)), scores(&whole));
        assert_ne!(scores(&fuse(&short, Fusion::Convex)), scores(&whole));
        let by_rank = Fusion::ReciprocalRank { constant: 60.0 };
        assert_eq!(fuse_whole(&short, &beyond, by_rank), fuse(&short, by_rank));
    }

    proptest! {
        #[test]
        fn the_order_of_the_rankings_does_not_matter(rankings in weighted_rankings(), turn in 0usize..5) {
            let mut turned = rankings.clone();
            if !turned.is_empty() {
                let middle = turn % turned.len();
                turned.rotate_left(middle);
            }
            for fusion in [RRF, Fusion::Convex] {
                let (a, b) = (fuse(&all_retrieved(&rankings), fusion), fuse(&all_retrieved(&turned), fusion));
                let plain = |fused: &[Fused<u32>]| fused.iter().map(|f| (f.id, f.score)).collect::<Vec<_>>();
                prop_assert_eq!(plain(&a), plain(&b));
            }
        }

        #[test]
        fn every_id_comes_out_once_best_first(rankings in weighted_rankings()) {
            let fused = fuse(&all_retrieved(&rankings), RRF);
            let mut expected: Vec<u32> = rankings.iter().flat_map(|(list, _)| list.iter().map(|(id, _)| *id)).collect();
            expected.sort_unstable();
            expected.dedup();
            let mut got = ids(&fused);
            got.sort_unstable();
            prop_assert_eq!(got, expected);
            prop_assert!(fused.windows(2).all(|pair| pair[0].score >= pair[1].score));
        }

        #[test]
        fn a_better_rank_never_lowers_the_score(
            rankings in proptest::collection::vec((ranking(), 0.0f64..3.0), 1..5),
            which in 0usize..100,
            at in 1usize..20,
        ) {
            let number = which % rankings.len();
            prop_assume!(rankings[number].0.len() > 1);
            let at = 1 + at % (rankings[number].0.len() - 1);
            let id = rankings[number].0[at].0;
            let mut improved = rankings.clone();
            improved[number].0.swap(at - 1, at);
            let of = |rankings: &[_]| fuse(&all_retrieved(rankings), RRF).into_iter().find(|f| f.id == id).map(|f| f.score);
            prop_assert!(of(&improved).unwrap() >= of(&rankings).unwrap() - 1e-12);
        }
    }
}
