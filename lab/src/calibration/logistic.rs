//! Logistic regression by Newton's method (iteratively reweighted least squares) with a small ridge: a dozen numbers, some
//! thousand cases, no chance involved.

use std::collections::BTreeMap;

use searcher::Line;

/// Holds weights of numbers that say the same together small; on the scale of standardised numbers, for each case.
const RIDGE: f64 = 1e-3;
const STEPS: usize = 50;

/// One case: its numbers by name, whether it is one of those that the line is to tell, and how much it counts.
pub(crate) struct Example {
    pub(crate) numbers: Vec<(&'static str, f64)>,
    pub(crate) is_positive: bool,
    pub(crate) weight: f64,
}

/// The line that fits the examples best. All must have the same numbers.
pub(crate) fn fit(examples: &[Example]) -> Line {
    let names: Vec<&str> = examples.first().map_or(&[][..], |one| &one.numbers).iter().map(|(name, _)| *name).collect();
    let total: f64 = examples.iter().map(|one| one.weight).sum();
    let mean = |of: &dyn Fn(&Example) -> f64| examples.iter().map(|one| one.weight * of(one)).sum::<f64>() / total;
    let scales: Vec<(f64, f64)> = (0..names.len())
        .map(|at| {
            let centre = mean(&|one| one.numbers[at].1);
            let deviation = mean(&|one| (one.numbers[at].1 - centre).powi(2)).sqrt();
            (centre, if deviation > 1e-9 { deviation } else { 1.0 })
        })
        .collect();
    let row = |one: &Example| -> Vec<f64> {
        let scaled =
            one.numbers.iter().zip(&scales).map(|((_, value), (centre, deviation))| (value - centre) / deviation);
        scaled.chain([1.0]).collect()
    };
    let rows: Vec<Vec<f64>> = examples.iter().map(row).collect();
    let mut weights = vec![0.0; names.len() + 1];
    for _ in 0..STEPS {
        let step = newton_step(examples, &rows, &weights, total);
        weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += step);
        if step.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    let mut bias = weights[names.len()];
    let mut named = BTreeMap::new();
    for ((name, weight), (centre, deviation)) in names.iter().zip(&weights).zip(&scales) {
        bias -= weight * centre / deviation;
        named.insert((*name).to_owned(), rounded(weight / deviation));
    }
    Line { bias: rounded(bias), weights: named }
}

/// To five digits: more would only be noise in a file.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

fn newton_step(examples: &[Example], rows: &[Vec<f64>], weights: &[f64], total: f64) -> Vec<f64> {
    let size = weights.len();
    let mut gradient = vec![0.0; size];
    let mut curvature = vec![vec![0.0; size]; size];
    for (one, row) in examples.iter().zip(rows) {
        let odds: f64 = row.iter().zip(weights).map(|(value, weight)| value * weight).sum();
        let p = 1.0 / (1.0 + (-odds).exp());
        let error = f64::from(u8::from(one.is_positive)) - p;
        for (a, value) in row.iter().enumerate() {
            gradient[a] += one.weight * error * value;
            for (b, other) in row.iter().enumerate() {
                curvature[a][b] += one.weight * p * (1.0 - p) * value * other;
            }
        }
    }
    for at in 0..size {
        // The bias, which stands last, is free.
        let ridge = if at + 1 == size { 0.0 } else { RIDGE * total };
        gradient[at] -= ridge * weights[at];
        curvature[at][at] += ridge + 1e-9;
    }
    solve(curvature, gradient)
}

/// Solves a system of linear equations by elimination with row pivots.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for at in 0..size {
        let largest = |a: &usize, b: &usize| matrix[*a][at].abs().total_cmp(&matrix[*b][at].abs());
        let pivot = (at..size).max_by(largest).unwrap_or(at);
        matrix.swap(at, pivot);
        right.swap(at, pivot);
        let (above, below) = matrix.split_at_mut(at + 1);
        let (above, known) = (&above[at], right[at]);
        for (row, right) in below.iter_mut().zip(&mut right[at + 1..]) {
            let factor = row[at] / above[at];
            row.iter_mut().zip(above).for_each(|(value, other)| *value -= factor * other);
            *right -= factor * known;
        }
    }
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size).map(|column| matrix[at][column] * right[column]).sum();
        right[at] = (right[at] - known) / matrix[at][at];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(a: f64, b: f64, is_positive: bool, weight: f64) -> Example {
        Example { numbers: vec![("a", a), ("b", b)], is_positive, weight }
    }

    #[test]
    fn a_line_finds_the_odds_that_made_the_examples() {
        // ln odds = 2a - 1, b says nothing; weights stand for the share of each outcome.
        let p = |a: f64| 1.0 / (1.0 + (1.0 - 2.0 * a).exp());
        let grid = (0..40).flat_map(|a| (0..5).map(move |b| (f64::from(a) / 20.0, f64::from(b))));
        let examples: Vec<Example> =
            grid.flat_map(|(a, b)| [example(a, b, true, p(a)), example(a, b, false, 1.0 - p(a))]).collect();
        let line = fit(&examples);
        assert!((line.weights["a"] - 2.0).abs() < 0.05 && line.weights["b"].abs() < 0.01, "{line:?}");
        assert!((line.bias + 1.0).abs() < 0.05, "{line:?}");
        assert!((line.probability(&[("a", 0.5), ("b", 3.0)]) - 0.5).abs() < 0.01);
    }

    #[test]
    fn examples_that_a_line_parts_completely_give_finite_weights() {
        let examples = [example(0.0, 1.0, false, 1.0), example(1.0, 1.0, true, 1.0)];
        let line = fit(&examples);
        assert!(line.bias.is_finite() && line.weights["a"] > 1.0 && line.weights["a"] < 100.0, "{line:?}");
    }
}
