//! The construction of the neighbour graph, by hnsw_rs, taken out as plain lists.
//!
//! hnsw_rs does the hard part, inserting from several threads. Its memory is large and its search slow (a pointer per
//! neighbour), so that nothing of it is kept: the lists go to [`Links`], everything else is dropped.

use hnsw_rs::prelude::{Distance, Hnsw};
use rayon::prelude::*;

use super::error::{VectorError, VectorResult};
use super::graph::Level;
use super::kernels::Kernels;
use super::segment::SealParams;

/// More levels than any graph of fewer than 2^32 rows needs.
const MAX_LEVELS: usize = 16;

/// Who is whose neighbour: level 0 by row, the levels above by place (see [`Level`]).
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) base: Vec<Vec<u32>>,
    pub(crate) levels: Vec<Level>,
}

/// Cosine distance of normalised vectors, never negative: hnsw_rs asserts that.
#[derive(Clone, Copy)]
struct Cosine(&'static Kernels);

impl Distance<f32> for Cosine {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - self.0.dot_f32(a, b)).max(0.0)
    }
}

/// Checks what hnsw_rs would answer with a panic or the end of the process.
pub(crate) fn check_params(params: &SealParams) -> VectorResult<()> {
    let limits = [
        ("m", params.m as u64, 2..=128, "2 to 128"),
        ("ef_construction", params.ef_construction as u64, 1..=10_000, "1 to 10000"),
        ("ef_refine", params.ef_refine as u64, 1..=10_000, "1 to 10000"),
    ];
    for (name, got, range, expected) in limits {
        if !range.contains(&got) {
            return Err(VectorError::Parameter { name, got, expected });
        }
    }
    Ok(())
}

/// Builds the graph over `rows`, normalised vectors of finite values one after the other.
pub(crate) fn build_links(normalised: &[f32], dim: usize, params: &SealParams) -> Links {
    let rows: Vec<&[f32]> = normalised.chunks_exact(dim).collect();
    let hnsw = Hnsw::new(params.m, rows.len(), MAX_LEVELS, params.ef_construction, Cosine(Kernels::detect()));
    // The first point alone: threads that both find an empty graph would strand one of their points.
    let Some((first, rest)) = rows.split_first() else { return Links::default() };
    hnsw.insert((first, 0));
    rest.par_iter().enumerate().for_each(|(index, row)| hnsw.insert((row, index + 1)));
    extract(&hnsw, rows.len())
}

fn extract(hnsw: &Hnsw<'_, f32, Cosine>, rows: usize) -> Links {
    let points = hnsw.get_point_indexation();
    let mut lists: Vec<Vec<Vec<u32>>> = vec![Vec::new(); rows];
    for level in 0..=usize::from(points.get_max_level_observed()) {
        for point in points.get_layer_iterator(level) {
            let neighbourhood = point.get_neighborhood_id();
            let row = point.get_origin_id();
            lists[row] =
                neighbourhood[..=level].iter().map(|list| list.iter().map(|n| n.d_id as u32).collect()).collect();
        }
    }
    let base = (0..).zip(&lists).map(|(row, lists)| without(row, &lists[0])).collect();
    Links { base, levels: upper_levels(&lists) }
}

fn without(row: u32, list: &[u32]) -> Vec<u32> {
    list.iter().copied().filter(|&other| other != row).collect()
}

/// Numbers the rows of each upper level and translates their links to these places.
///
/// `lists` has, for each row, one list of neighbours on each of its levels.
fn upper_levels(lists: &[Vec<Vec<u32>>]) -> Vec<Level> {
    let top = lists.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1);
    let mut place_below: Vec<Option<u32>> = (0..lists.len() as u32).map(Some).collect();
    let mut levels = Vec::with_capacity(top);
    for level in 1..=top {
        let members = || (0u32..).zip(lists).filter(|(_, lists)| lists.len() > level);
        let mut places = vec![None; lists.len()];
        members().zip(0..).for_each(|((row, _), place)| places[row as usize] = Some(place));
        let links = |(row, lists): (u32, &Vec<Vec<u32>>)| {
            without(row, &lists[level]).iter().filter_map(|&other| places[other as usize]).collect()
        };
        levels.push(Level {
            down: members().filter_map(|(row, _)| place_below[row as usize]).collect(),
            neighbours: members().map(links).collect(),
        });
        place_below = places;
    }
    levels
}
