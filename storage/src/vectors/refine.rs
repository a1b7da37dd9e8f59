//! The refinement of the graph that hnsw_rs built, before it is sealed.
//!
//! hnsw_rs keeps the nearest neighbours where a list overflows, so that clusters close up and a search does not get
//! out of them; and it is slow. So it builds a rough graph, and each row then looks for its neighbours again with the
//! fast search over the rough graph, chooses diverse ones among them, and offers itself to those. Two rounds of this
//! cost a fraction of the careful build and give better recall (figures in docs/BENCHMARKS.md). Last, every row that no path
//! leads to is tied in, and every row that a search for it does not find is linked from where that search ends.

use rayon::prelude::*;

use super::build::Links;
use super::codes::{Codes, Query, row_len};
use super::error::VectorResult;
use super::graph::{Graph, LevelSpan, NONE, parse_levels};
use super::kernels::Kernels;
use super::ranked::Ranked;
use super::scan::scan_all;
use super::scratch::{Scratch, ScratchPool};

const ROUNDS: usize = 2;
/// Rows so similar are the same for the choice of neighbours: of many copies one is enough.
const SAME: f32 = 0.999_999;
/// Candidates of the search that must find each row: half of what queries use by default.
const PROBE_EF: usize = 64;
/// A new link can make another row hard to find: look again this often.
const PROBE_ROUNDS: usize = 3;
/// How many rows link to one that was not found.
const HOSTS: usize = 4;
/// How many of the nearest rows are asked to link to one that nothing leads to.
const TIE_CANDIDATES: usize = 64;

/// The rows of a segment while its graph is refined.
pub(crate) struct Refiner<'a> {
    /// Normalised vectors, one after the other.
    pub(crate) normalised: &'a [f32],
    pub(crate) codes: Codes<'a>,
    pub(crate) dim: usize,
    /// The most neighbours of a row on level 0.
    pub(crate) width: usize,
    /// The candidates a row looks at.
    pub(crate) ef: usize,
}

impl Refiner<'_> {
    /// The neighbours on level 0 as rows of `width`; `upper` are the encoded upper levels.
    pub(crate) fn refine(&self, links: Links, upper: &[u32]) -> VectorResult<Vec<u32>> {
        let levels = parse_levels(upper, self.codes.len()).unwrap_or_default();
        let mut lists = links.base;
        for _ in 0..ROUNDS {
            lists = self.improve(lists, upper, &levels)?;
        }
        let entries = links.levels.first().map_or(vec![0], |level| level.down.clone());
        self.tie_in(&mut lists, &entries)?;
        self.make_findable(&mut lists, upper, &levels)?;
        Ok(self.flatten(&lists))
    }

    /// One round: every row chooses among what a search for it finds, then links are made mutual.
    fn improve(&self, lists: Vec<Vec<u32>>, upper: &[u32], levels: &[LevelSpan]) -> VectorResult<Vec<Vec<u32>>> {
        let base = self.flatten(&lists);
        let graph = self.graph(&base, upper, levels);
        let pool = ScratchPool::default();
        let choose = |(row, mut candidates): (usize, Vec<u32>)| {
            candidates.extend(self.find(row as u32, self.ef, &graph, &pool)?);
            Ok(self.choose(row as u32, candidates))
        };
        let chosen: Vec<Vec<u32>> = lists.into_par_iter().enumerate().map(choose).collect::<VectorResult<_>>()?;
        let mut mutual = chosen.clone();
        for (row, neighbours) in (0..).zip(&chosen) {
            neighbours.iter().for_each(|&neighbour| mutual[neighbour as usize].push(row));
        }
        Ok(mutual.into_par_iter().enumerate().map(|(row, list)| self.limit(row as u32, list)).collect())
    }

    fn graph<'g>(&'g self, base: &'g [u32], upper: &'g [u32], levels: &'g [LevelSpan]) -> Graph<'g> {
        Graph { codes: self.codes, row_len: row_len(self.dim), base, width: self.width, upper, levels }
    }

    /// What a search for a row finds, best first.
    fn find(&self, row: u32, ef: usize, graph: &Graph<'_>, pool: &ScratchPool) -> VectorResult<Vec<u32>> {
        let query = Query::new(self.row(row), self.dim)?;
        pool.with(|scratch| {
            graph.search(&query, ef, usize::MAX, |_| true, scratch);
            Ok(scratch.best.take(ef).iter().map(|ranked| ranked.row()).collect())
        })
    }

    /// Searches for every row; one that is not found gets links from the best rows that are.
    fn make_findable(&self, lists: &mut [Vec<u32>], upper: &[u32], levels: &[LevelSpan]) -> VectorResult<()> {
        let mut suspects: Vec<u32> = (0..lists.len() as u32).collect();
        for _ in 0..PROBE_ROUNDS {
            let base = self.flatten(lists);
            let graph = self.graph(&base, upper, levels);
            let pool = ScratchPool::default();
            let probe = |&row: &u32| {
                let found = self.find(row, PROBE_EF, &graph, &pool)?;
                let is_found = found.contains(&row) || found.iter().any(|&other| self.similarity(row, other) > SAME);
                Ok((!is_found).then_some((row, found)))
            };
            let probed: Vec<_> = suspects.par_iter().map(probe).collect::<VectorResult<_>>()?;
            let lost: Vec<(u32, Vec<u32>)> = probed.into_iter().flatten().collect();
            if lost.is_empty() {
                break;
            }
            for (row, found) in &lost {
                found.iter().take(HOSTS).for_each(|&host| self.link(&mut lists[host as usize], *row));
            }
            suspects = lost.into_iter().map(|(row, _)| row).collect();
        }
        Ok(())
    }

    /// Adds a neighbour, in the place of the last one where there is none free.
    fn link(&self, list: &mut Vec<u32>, row: u32) {
        list.truncate(self.width - 1);
        list.push(row);
    }

    fn limit(&self, row: u32, mut list: Vec<u32>) -> Vec<u32> {
        list.sort_unstable();
        list.dedup();
        if list.len() <= self.width { list } else { self.choose(row, list) }
    }

    /// The candidates that are nearer to the row than to any neighbour chosen before (the heuristic of the HNSW paper,
    /// algorithm 4), nearest first; up to three quarters of the places are then filled with the nearest of the rest.
    fn choose(&self, row: u32, mut candidates: Vec<u32>) -> Vec<u32> {
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|&candidate| candidate != row);
        let rank = |candidate| Ranked::new(self.similarity(row, candidate), candidate);
        let mut ranked: Vec<Ranked> = candidates.into_iter().map(rank).collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        let mut chosen: Vec<u32> = Vec::with_capacity(self.width);
        let mut others = Vec::new();
        for candidate in ranked {
            if chosen.len() == self.width {
                break;
            }
            let is_covered = |&neighbour: &u32| {
                let to_neighbour = self.similarity(neighbour, candidate.row());
                to_neighbour > candidate.similarity() || to_neighbour > SAME
            };
            if chosen.iter().any(is_covered) {
                others.push(candidate.row());
            } else {
                chosen.push(candidate.row());
            }
        }
        let free = (self.width * 3 / 4).saturating_sub(chosen.len());
        chosen.extend(others.into_iter().take(free));
        chosen
    }

    /// Gives every row that cannot be reached from the `entries` a link from one of the nearest that can.
    fn tie_in(&self, lists: &mut [Vec<u32>], entries: &[u32]) -> VectorResult<()> {
        let mut reached = vec![false; lists.len()];
        spread(lists, &mut reached, entries.to_vec());
        let mut scratch = Scratch::default();
        for row in 0..lists.len() as u32 {
            if reached[row as usize] {
                continue;
            }
            let query = Query::new(self.row(row), self.dim)?;
            scan_all(self.codes, &query, TIE_CANDIDATES, &mut scratch);
            let nearest = scratch.best.take(TIE_CANDIDATES);
            let has_place = |other: &u32| reached[*other as usize] && lists[*other as usize].len() < self.width;
            let anywhere = 0..lists.len() as u32;
            let from = nearest.iter().map(|ranked| ranked.row()).chain(anywhere).find(has_place);
            if let Some(from) = from {
                lists[from as usize].push(row);
                spread(lists, &mut reached, vec![row]);
            }
        }
        Ok(())
    }

    fn flatten(&self, lists: &[Vec<u32>]) -> Vec<u32> {
        let mut base = vec![NONE; lists.len() * self.width];
        for (places, neighbours) in base.chunks_exact_mut(self.width).zip(lists) {
            places.iter_mut().zip(neighbours).for_each(|(place, &neighbour)| *place = neighbour);
        }
        base
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.normalised[row as usize * self.dim..][..self.dim]
    }

    fn similarity(&self, a: u32, b: u32) -> f32 {
        Kernels::detect().dot_f32(self.row(a), self.row(b))
    }
}

/// Marks everything that links lead to from the given rows.
fn spread(lists: &[Vec<u32>], reached: &mut [bool], mut open: Vec<u32>) {
    open.iter().for_each(|&row| reached[row as usize] = true);
    while let Some(row) = open.pop() {
        for &next in &lists[row as usize] {
            if !std::mem::replace(&mut reached[next as usize], true) {
                open.push(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes::{encode, normalise};
    use super::*;

    #[test]
    fn a_row_that_nothing_leads_to_is_tied_in_where_it_belongs() {
        let vectors = [[1.0f32, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]];
        let (mut normalised, mut rows) = (vectors.concat(), Vec::new());
        let scales: Vec<f32> = normalised
            .chunks_exact_mut(2)
            .map(|vector| {
                normalise(vector);
                encode(vector, &mut rows)
            })
            .collect();
        let codes = Codes { rows: &rows, scales: &scales };
        let refiner = Refiner { normalised: &normalised, codes, dim: 2, width: 3, ef: 4 };
        let mut lists = vec![vec![1, 2], vec![0], vec![0], vec![]];
        refiner.tie_in(&mut lists, &[0]).unwrap();
        assert_eq!(lists, [vec![1, 2], vec![0], vec![0, 3], vec![]]);
    }
}
