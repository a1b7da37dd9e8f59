//! The sealed graph: who is whose neighbour, as flat arrays, and the search over it.
//!
//! Level 0 holds every row, its neighbours in a row of fixed width (unused places are [`NONE`], at the end). The few
//! rows of each upper level are numbered by their *place* in it; links of a level are places, `down` leads to the
//! same row's place in the level below, so that the way down needs no lookups.
//!
//! All numbers are checked when a graph is parsed; after that no search can leave the arrays.

use std::ops::Range;

use super::codes::{Codes, Query};
use super::kernels::prefetch;
use super::ranked::Ranked;
use super::scratch::Scratch;

/// No neighbour.
pub(crate) const NONE: u32 = u32::MAX;

/// hnsw_rs has at most 16 levels.
const MAX_LEVELS: usize = 16;

/// Where the arrays of one upper level lie in the section of upper levels.
#[derive(Debug, Clone)]
pub(crate) struct LevelSpan {
    down: Range<usize>,
    starts: Range<usize>,
    links: Range<usize>,
}

/// One upper level while it is built: for each place the place below and the neighbours' places.
#[derive(Debug, Default, Clone)]
pub(crate) struct Level {
    pub(crate) down: Vec<u32>,
    pub(crate) neighbours: Vec<Vec<u32>>,
}

/// Writes upper levels, lowest first, as one array: the number of levels, then for each the number of rows and of
/// links, `down`, the starts of the link lists and one end, the links.
pub(crate) fn encode_levels(levels: &[Level]) -> Vec<u32> {
    let mut section = vec![levels.len() as u32];
    for level in levels {
        let links: usize = level.neighbours.iter().map(Vec::len).sum();
        section.extend([level.down.len() as u32, links as u32]);
        section.extend(&level.down);
        let mut end = 0;
        section.push(end);
        for neighbours in &level.neighbours {
            end += neighbours.len() as u32;
            section.push(end);
        }
        section.extend(level.neighbours.iter().flatten());
    }
    section
}

/// Finds the levels in what [`encode_levels`] wrote and checks every number; says what is wrong otherwise.
pub(crate) fn parse_levels(section: &[u32], rows: usize) -> Result<Vec<LevelSpan>, &'static str> {
    const SHORT: &str = "its upper levels are cut off";
    let count = *section.first().ok_or(SHORT)? as usize;
    if count > MAX_LEVELS {
        return Err("it has too many levels");
    }
    let mut at = 1;
    let mut below = rows;
    let mut levels = Vec::with_capacity(count);
    for _ in 0..count {
        let &[places, links] = section.get(at..at + 2).ok_or(SHORT)? else { return Err(SHORT) };
        let (places, links) = (places as usize, links as usize);
        let down = at + 2..at + 2 + places;
        let starts = down.end..down.end + places + 1;
        let links = starts.end..starts.end + links;
        at = links.end;
        let span = LevelSpan { down, starts, links };
        check_level(section, &span, below)?;
        levels.push(span);
        below = places;
    }
    if section[at..].iter().any(|&padding| padding != 0) {
        return Err("it has more upper levels than it says");
    }
    Ok(levels)
}

fn check_level(section: &[u32], span: &LevelSpan, below: usize) -> Result<(), &'static str> {
    let links = section.get(span.links.clone()).ok_or("its upper levels are cut off")?;
    let (down, starts) = (&section[span.down.clone()], &section[span.starts.clone()]);
    if down.is_empty() {
        return Err("it has an empty level");
    }
    if down.iter().any(|&place| place as usize >= below) {
        return Err("an upper level leads to a row that does not exist");
    }
    if links.iter().any(|&place| place as usize >= down.len()) {
        return Err("an upper level links to a place that does not exist");
    }
    let ascending = starts.is_sorted() && starts.first() == Some(&0);
    if !ascending || starts.last().is_none_or(|&end| end as usize != links.len()) {
        return Err("the link lists of an upper level overlap");
    }
    Ok(())
}

/// Checks the neighbours on level 0.
pub(crate) fn check_base(base: &[u32], rows: usize) -> Result<(), &'static str> {
    match base.iter().all(|&row| row == NONE || (row as usize) < rows) {
        true => Ok(()),
        false => Err("a row links to a row that does not exist"),
    }
}

/// How a search over the graph ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// The best rows found are in [`Scratch::best`].
    Done,
    /// It cost more than it was allowed to.
    TooLong,
}

/// A checked graph over code rows, ready to be searched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Graph<'a> {
    pub(crate) codes: Codes<'a>,
    pub(crate) row_len: usize,
    /// Neighbours on level 0, `width` for each row.
    pub(crate) base: &'a [u32],
    pub(crate) width: usize,
    pub(crate) upper: &'a [u32],
    pub(crate) levels: &'a [LevelSpan],
}

impl Graph<'_> {
    /// Collects the `ef` rows most similar to the query among those that are allowed.
    ///
    /// Other rows are walked over but not kept. Gives up after having scored more than `budget` rows.
    pub(crate) fn search(
        &self,
        query: &Query,
        ef: usize,
        budget: usize,
        allowed: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) -> Walk {
        let entry = self.descend(query, scratch);
        let Scratch { visited, frontier, best, fresh, products } = scratch;
        visited.reset(self.codes.len());
        frontier.clear();
        best.reset(ef);
        products.resize(products.len().max(self.width), 0);
        visited.insert(entry.row());
        frontier.push(entry);
        if allowed(entry.row()) {
            best.push(entry);
        }
        let mut scored = 1;
        while let Some(nearest) = frontier.pop() {
            if best.is_beyond(nearest) {
                break;
            }
            fresh.clear();
            for &row in self.neighbours(nearest.row()) {
                if row == NONE {
                    break;
                }
                if visited.insert(row) {
                    self.codes.prefetch(self.row_len, row);
                    fresh.push(row);
                }
            }
            scored += fresh.len();
            if scored > budget {
                return Walk::TooLong;
            }
            for (row, similarity) in self.codes.score_rows(query, fresh, products) {
                let ranked = Ranked::new(similarity, row);
                if best.admits(ranked) {
                    prefetch(self.base, row as usize * self.width);
                    prefetch(self.base, row as usize * self.width + self.width / 2);
                    frontier.push(ranked);
                    if allowed(row) {
                        best.push(ranked);
                    }
                }
            }
        }
        Walk::Done
    }

    #[inline]
    fn neighbours(&self, row: u32) -> &[u32] {
        let start = row as usize * self.width;
        &self.base[start..start + self.width]
    }

    /// From the best row of the top level greedily down to level 1; gives a row to start from on level 0.
    fn descend(&self, query: &Query, scratch: &mut Scratch) -> Ranked {
        let Scratch { fresh, products, .. } = scratch;
        let Some(top) = self.levels.len().checked_sub(1) else {
            return self.score_places(query, None, [0].into_iter(), fresh, products).unwrap_or(Ranked::new(0.0, 0));
        };
        // The top level has a handful of rows: looking at all of them is the best entry point.
        let places = 0..self.levels[top].down.len() as u32;
        let mut place = self.score_places(query, Some(top), places, fresh, products).unwrap_or(Ranked::new(0.0, 0));
        for level in (0..=top).rev() {
            loop {
                let links = self.links(level, place.row()).iter().copied();
                match self.score_places(query, Some(level), links, fresh, products) {
                    Some(better) if better.similarity() > place.similarity() => place = better,
                    _ => break,
                }
            }
            let below = self.upper[self.levels[level].down.clone()][place.row() as usize];
            place = Ranked::new(place.similarity(), below);
        }
        place
    }

    /// The best of some places of an upper level (or rows, without a level), by place.
    fn score_places(
        &self,
        query: &Query,
        level: Option<usize>,
        places: impl Iterator<Item = u32> + Clone,
        rows: &mut Vec<u32>,
        products: &mut Vec<i32>,
    ) -> Option<Ranked> {
        rows.clear();
        rows.extend(places.clone().map(|place| level.map_or(place, |level| self.row_of(level, place))));
        products.resize(products.len().max(rows.len()), 0);
        let scores = self.codes.score_rows(query, rows, products);
        places.zip(scores).map(|(place, (_, similarity))| Ranked::new(similarity, place)).max()
    }

    fn links(&self, level: usize, place: u32) -> &[u32] {
        let span = &self.levels[level];
        let starts = &self.upper[span.starts.clone()];
        let (start, end) = (starts[place as usize] as usize, starts[place as usize + 1] as usize);
        &self.upper[span.links.clone()][start..end]
    }

    fn row_of(&self, level: usize, place: u32) -> u32 {
        (0..=level).rev().fold(place, |place, level| self.upper[self.levels[level].down.clone()][place as usize])
    }
}
