//! How good a ranking is, and how long it took.
//!
//! The measures follow trec_eval: gains are the grades themselves (not `2^grade - 1`), the discount of rank r is
//! `log2(r + 1)`, and the ideal ranking is made from all judged documents, returned or not. A document without a
//! judgement, or with a grade of 0 or less, is not relevant. A ranking holds each document once; should one stand
//! there twice, the second place counts as a miss. Without any relevant document every measure is 0.

use std::collections::{HashMap, HashSet};

/// Grades of the judged documents of one query, by document id.
pub type Grades = HashMap<String, i32>;

/// Normalised discounted cumulative gain of the first `k` documents, 0 to 1.
pub fn ndcg<Id: AsRef<str>>(ranking: &[Id], grades: &Grades, k: usize) -> f64 {
    let mut ideal: Vec<f64> = grades.values().filter(|grade| **grade > 0).map(|grade| f64::from(*grade)).collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let best = discounted(ideal.into_iter().take(k));
    if best > 0.0 { discounted(gains(ranking, grades, k).into_iter()) / best } else { 0.0 }
}

/// One over the rank of the first relevant document among the first `k`, or 0. Its mean over queries is MRR@k.
pub fn reciprocal_rank<Id: AsRef<str>>(ranking: &[Id], grades: &Grades, k: usize) -> f64 {
    let first = gains(ranking, grades, k).into_iter().position(|gain| gain > 0.0);
    first.map_or(0.0, |index| 1.0 / (index + 1) as f64)
}

/// Share of all relevant documents that are among the first `k`, 0 to 1.
pub fn recall<Id: AsRef<str>>(ranking: &[Id], grades: &Grades, k: usize) -> f64 {
    let relevant = grades.values().filter(|grade| **grade > 0).count();
    let found = gains(ranking, grades, k).into_iter().filter(|gain| *gain > 0.0).count();
    if relevant > 0 { found as f64 / relevant as f64 } else { 0.0 }
}

/// 1 when any of the first `k` documents is relevant, else 0.
pub fn success<Id: AsRef<str>>(ranking: &[Id], grades: &Grades, k: usize) -> f64 {
    if gains(ranking, grades, k).into_iter().any(|gain| gain > 0.0) { 1.0 } else { 0.0 }
}

/// The arithmetic mean, or 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The smallest value that at least `percent` % of the values do not exceed (nearest rank): 50 for the median, 99 for the
/// tail. `None` of nothing. `percent` outside of 0 to 100 is taken as the nearer end.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent.clamp(0.0, 100.0) / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// What each of the first `k` places is worth.
fn gains<Id: AsRef<str>>(ranking: &[Id], grades: &Grades, k: usize) -> Vec<f64> {
    let mut seen = HashSet::new();
    ranking
        .iter()
        .take(k)
        .map(|id| {
            let id = id.as_ref();
            let grade = grades.get(id).copied().unwrap_or(0).max(0);
            if seen.insert(id) { f64::from(grade) } else { 0.0 }
        })
        .collect()
}

fn discounted(gains: impl Iterator<Item = f64>) -> f64 {
    gains.enumerate().map(|(index, gain)| gain / ((index + 2) as f64).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(list: &[(&str, i32)]) -> Grades {
        list.iter().map(|(id, grade)| ((*id).to_owned(), *grade)).collect()
    }

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-6, "expected {expected}, got {got}");
    }

    #[test]
    fn ndcg_by_hand() {
        let judged = grades(&[("a", 3), ("b", 2), ("c", 1)]);
        // DCG: b at 1 = 2; x; a at 3 = 3/2 = 1.5 -> 3.5. Ideal: 3 + 2/1.5849625 + 1/2 = 4.7618595
        close(ndcg(&["b", "x", "a"], &judged, 10), 3.5 / 4.761_859_5);
        close(ndcg(&["a", "b", "c"], &judged, 10), 1.0);
        // Cut at 1: DCG 2, ideal 3.
        close(ndcg(&["b", "x", "a"], &judged, 1), 2.0 / 3.0);
        close(ndcg::<&str>(&[], &judged, 10), 0.0);
        close(ndcg(&["a"], &judged, 0), 0.0);
    }

    #[test]
    fn the_ideal_counts_documents_that_were_not_returned() {
        let judged = grades(&[("a", 1), ("b", 1), ("c", 1)]);
        // DCG 1; ideal 1 + 1/log2(3) + 1/2 = 2.1309298
        close(ndcg(&["a"], &judged, 10), 1.0 / 2.130_929_8);
    }

    #[test]
    fn gains_are_linear_in_the_grade() {
        // With 2^grade - 1 this would be (1 + 7/1.58) / (7 + 1/1.58) = .7098.
        close(
            ndcg(&["low", "high"], &grades(&[("low", 1), ("high", 3)]), 10),
            (1.0 + 3.0 / 1.584_962_5) / (3.0 + 1.0 / 1.584_962_5),
        );
    }

    #[test]
    fn negative_and_zero_grades_are_not_relevant() {
        let judged = grades(&[("a", 2), ("bad", -2), ("zero", 0)]);
        // DCG 2/log2(4) = 1; ideal 2.
        close(ndcg(&["bad", "zero", "a"], &judged, 10), 0.5);
        close(reciprocal_rank(&["bad", "zero", "a"], &judged, 10), 1.0 / 3.0);
        close(recall(&["bad", "zero"], &judged, 10), 0.0);
        close(ndcg(&["bad"], &grades(&[("bad", -1)]), 10), 0.0);
    }

    #[test]
    fn reciprocal_rank_recall_and_success_by_hand() {
        let judged = grades(&[("a", 1), ("b", 2), ("c", 1), ("d", 1)]);
        let ranking = ["x", "b", "y", "a", "c"];
        close(reciprocal_rank(&ranking, &judged, 10), 0.5);
        close(reciprocal_rank(&ranking, &judged, 1), 0.0);
        close(recall(&ranking, &judged, 2), 0.25);
        close(recall(&ranking, &judged, 5), 0.75);
        close(success(&ranking, &judged, 1), 0.0);
        close(success(&ranking, &judged, 2), 1.0);
    }

    #[test]
    fn a_repeated_document_counts_once() {
        let judged = grades(&[("a", 1), ("b", 1)]);
        close(recall(&["a", "a"], &judged, 10), 0.5);
        close(ndcg(&["a", "a"], &judged, 10), 1.0 / (1.0 + 1.0 / 1.584_962_5));
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let values = [15.0, 20.0, 35.0, 40.0, 50.0];
        assert_eq!(percentile(&values, 0.0), Some(15.0));
        assert_eq!(percentile(&values, 30.0), Some(20.0));
        assert_eq!(percentile(&values, 50.0), Some(35.0));
        assert_eq!(percentile(&values, 99.0), Some(50.0));
        assert_eq!(percentile(&values, 400.0), Some(50.0));
        assert_eq!(percentile(&[], 50.0), None);
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 99.0), Some(99.0));
        close(mean(&[1.0, 2.0, 6.0]), 3.0);
        close(mean(&[]), 0.0);
    }
}
