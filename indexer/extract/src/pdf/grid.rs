//! Tables with ruled lines: lines that touch make a grid, and the words of the page fall into its cells. A missing piece
//! of a line joins the cells on both sides of it.

use super::glyphs::Rule;
use super::lines::Line;
use super::tables::{Table, cell_text, usual_size};

/// How far lines may miss each other and still touch, in points.
const NEAR: f32 = 3.5;
/// How far lines reach beyond the outermost that they cross where the frame is left open there, in points.
const OPEN: f32 = 12.0;
/// Most lines across or down: more is a drawing or graph paper.
const MAX_LINES: usize = 400;
/// Mean characters per filled cell from which on the frames hold text, not a table.
const MAX_CELL: usize = 320;

/// Takes the tables out of the lines of a page.
pub(super) fn take(rules: &[Rule], mut lines: Vec<Line>) -> (Vec<Table>, Vec<Line>) {
    let mut tables = Vec::new();
    for grid in grids(rules) {
        let (inside, outside): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|line| grid.holds(line));
        let (table, rest) = grid.fill(inside);
        tables.extend(table);
        lines = outside;
        lines.extend(rest);
    }
    (tables, lines)
}

/// Lines that touch each other.
struct Grid {
    /// Places of the lines across the page, from the top, and down the page, from the left.
    ys: Vec<f32>,
    xs: Vec<f32>,
    across: Vec<Rule>,
    down: Vec<Rule>,
    /// Whether a part of the frame is left out.
    is_open: bool,
}

fn grids(rules: &[Rule]) -> Vec<Grid> {
    let (across, down): (Vec<Rule>, Vec<Rule>) = rules.iter().copied().partition(Rule::is_horizontal);
    let (across, down) = (joined(across, flip), joined(down, |rule| rule));
    let (across, down): (Vec<Rule>, Vec<Rule>) = (across.into_iter().map(flip).collect(), down);
    if across.is_empty() || down.is_empty() {
        return Vec::new();
    }
    let mut groups = Groups::new(across.len() + down.len());
    for (row, a) in across.iter().enumerate() {
        for (column, d) in down.iter().enumerate() {
            if touches(a, d) {
                groups.join(row, across.len() + column);
            }
        }
    }
    let mut found: std::collections::BTreeMap<usize, (Vec<Rule>, Vec<Rule>)> = std::collections::BTreeMap::new();
    for (row, rule) in across.iter().enumerate() {
        found.entry(groups.of(row)).or_default().0.push(*rule);
    }
    for (column, rule) in down.iter().enumerate() {
        found.entry(groups.of(across.len() + column)).or_default().1.push(*rule);
    }
    found.into_values().filter_map(|(across, down)| Grid::new(across, down)).collect()
}

fn flip(rule: Rule) -> Rule {
    Rule { x0: rule.y0, y0: rule.x0, x1: rule.y1, y1: rule.x1 }
}

/// Pieces of the same line put together; `upright` turns them so that they run down.
fn joined(rules: Vec<Rule>, upright: fn(Rule) -> Rule) -> Vec<Rule> {
    let mut rules: Vec<Rule> = rules.into_iter().map(upright).collect();
    rules.sort_by(|a, b| ((a.x0 / 2.0) as i64).cmp(&((b.x0 / 2.0) as i64)).then(a.y0.total_cmp(&b.y0)));
    let mut whole: Vec<Rule> = Vec::with_capacity(rules.len());
    for rule in rules {
        match whole.last_mut() {
            Some(last) if (last.x0 - rule.x0).abs() <= 2.0 && rule.y0 <= last.y1 + NEAR => {
                last.y1 = last.y1.max(rule.y1)
            }
            _ => whole.push(rule),
        }
    }
    whole
}

fn touches(across: &Rule, down: &Rule) -> bool {
    down.x0 >= across.x0 - NEAR
        && down.x0 <= across.x1 + NEAR
        && across.y0 >= down.y0 - NEAR
        && across.y0 <= down.y1 + NEAR
}

/// Union of sets by their members.
struct Groups(Vec<usize>);

impl Groups {
    fn new(members: usize) -> Self {
        Self((0..members).collect())
    }

    fn of(&mut self, mut member: usize) -> usize {
        while self.0[member] != member {
            self.0[member] = self.0[self.0[member]];
            member = self.0[member];
        }
        member
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

fn places(all: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut places: Vec<f32> = all.collect();
    places.sort_by(f32::total_cmp);
    places.dedup_by(|b, a| *b - *a <= NEAR);
    places
}

/// Adds the edges of a table without a frame: where most lines run on beyond the outermost line across them.
fn open_edges(places: &mut Vec<f32>, lines: impl Iterator<Item = (f32, f32)>) {
    let (mut starts, mut ends): (Vec<f32>, Vec<f32>) = lines.unzip();
    starts.sort_by(f32::total_cmp);
    ends.sort_by(f32::total_cmp);
    let middle = starts.len() / 2;
    let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return };
    let (Some(&start), Some(&end)) = (starts.get(middle), ends.get(middle)) else { return };
    if start < first - OPEN {
        places.insert(0, start);
    }
    if end > last + OPEN {
        places.push(end);
    }
}

impl Grid {
    fn new(across: Vec<Rule>, down: Vec<Rule>) -> Option<Self> {
        let mut ys = places(across.iter().map(|rule| (rule.y0 + rule.y1) / 2.0));
        let mut xs = places(down.iter().map(|rule| (rule.x0 + rule.x1) / 2.0));
        let drawn = (xs.len(), ys.len());
        open_edges(&mut xs, across.iter().map(|rule| (rule.x0, rule.x1)));
        open_edges(&mut ys, down.iter().map(|rule| (rule.y0, rule.y1)));
        let is_open = drawn != (xs.len(), ys.len());
        let sound = (3..=MAX_LINES).contains(&xs.len()) && (2..=MAX_LINES).contains(&ys.len());
        sound.then_some(Self { ys, xs, across, down, is_open })
    }

    fn holds(&self, line: &Line) -> bool {
        let (x, y) = ((line.x0 + line.x1) / 2.0, (line.top() + line.bottom()) / 2.0);
        let within = |places: &[f32], at: f32| at > places[0] && at < places[places.len() - 1];
        within(&self.xs, x) && within(&self.ys, y)
    }

    /// The table that these lines make in this grid; or the lines, where they make none.
    fn fill(&self, lines: Vec<Line>) -> (Option<Table>, Vec<Line>) {
        let columns = self.xs.len() - 1;
        let mut cells: Vec<Vec<Vec<Line>>> = vec![vec![Vec::new(); columns]; self.ys.len() - 1];
        let (walls, floors) = (self.walls(), self.floors());
        for line in &lines {
            let mut parts: std::collections::BTreeMap<(usize, usize), Vec<super::lines::Word>> =
                std::collections::BTreeMap::new();
            let row = cell_at(&self.ys, (line.top() + line.bottom()) / 2.0);
            for word in &line.words {
                let mut at = (row, cell_at(&self.xs, (word.x0 + word.x1) / 2.0));
                while at.1 > 0 && !walls[at.0][at.1] {
                    at.1 -= 1;
                }
                while at.0 > 0 && !floors[at.0][at.1] {
                    at.0 -= 1;
                }
                parts.entry(at).or_default().push(word.clone());
            }
            for ((row, column), words) in parts {
                cells[row][column].extend(Line::new(words));
            }
        }
        if self.is_open && cells.iter().any(|row| holds_rows(row)) {
            return (None, lines);
        }
        let mut rows: Vec<Vec<String>> = cells.into_iter().flat_map(split_row).collect();
        rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
        let kept: Vec<bool> = (0..columns).map(|column| rows.iter().any(|row| !row[column].is_empty())).collect();
        for row in &mut rows {
            let mut keep = kept.iter();
            row.retain(|_| keep.next() == Some(&true));
        }
        let filled = rows.iter().flatten().filter(|cell| !cell.is_empty()).count();
        let characters: usize = rows.iter().flatten().map(|cell| cell.chars().count()).sum();
        let columns = kept.iter().filter(|kept| **kept).count();
        if columns < 2 || rows.len() < 2 || filled < 3 || characters > filled * MAX_CELL {
            return (None, lines);
        }
        let table = Table {
            x0: self.xs[0],
            x1: self.xs[self.xs.len() - 1],
            top: self.ys[0],
            bottom: self.ys[self.ys.len() - 1],
            size: usual_size(lines.iter()),
            rows,
        };
        (Some(table), Vec::new())
    }

    /// For each cell: whether a line runs along its left edge.
    fn walls(&self) -> Vec<Vec<bool>> {
        let mut walls = vec![vec![false; self.xs.len()]; self.ys.len() - 1];
        for rule in &self.down {
            let column = nearest(&self.xs, (rule.x0 + rule.x1) / 2.0);
            for (row, edges) in self.ys.windows(2).enumerate() {
                walls[row][column] |= covers((rule.y0, rule.y1), (edges[0], edges[1]));
            }
        }
        walls
    }

    /// For each cell: whether a line runs along its upper edge.
    fn floors(&self) -> Vec<Vec<bool>> {
        let mut floors = vec![vec![false; self.xs.len()]; self.ys.len()];
        for rule in &self.across {
            let row = nearest(&self.ys, (rule.y0 + rule.y1) / 2.0);
            for (column, edges) in self.xs.windows(2).enumerate() {
                floors[row][column] |= covers((rule.x0, rule.x1), (edges[0], edges[1]));
            }
        }
        floors
    }
}

/// Whether a line covers the middle of an edge.
fn covers(line: (f32, f32), edge: (f32, f32)) -> bool {
    let middle = (edge.0 + edge.1) / 2.0;
    line.0 <= middle && line.1 >= middle
}

fn nearest(places: &[f32], at: f32) -> usize {
    let distance = |index: &usize| (places[*index] - at).abs();
    (0..places.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

/// The cell between two places that holds a point.
fn cell_at(places: &[f32], at: f32) -> usize {
    places.partition_point(|&place| place <= at).saturating_sub(1).min(places.len() - 2)
}

/// Whether lines stand side by side in several cells of a ruled row: then the few lines of an open frame rule groups of
/// rows, which are told apart better by how they stand.
fn holds_rows(cells: &[Vec<Line>]) -> bool {
    let longer: Vec<&Vec<Line>> = cells.iter().filter(|cell| cell.len() > 1).collect();
    let level = |line: &Line, other: &Line| (line.baseline - other.baseline).abs() < 0.25 * line.size;
    let beside = |cell: &[Line], others: &[Line]| {
        cell.iter().filter(|line| others.iter().any(|other| level(line, other))).count() > 1
    };
    longer.iter().enumerate().any(|(at, cell)| longer[..at].iter().any(|other| beside(cell, other)))
}

/// The rows of one ruled row: several where its cells hold line beside line and nothing but the ruling joins them.
fn split_row(cells: Vec<Vec<Line>>) -> Vec<Vec<String>> {
    let columns = cells.len();
    let filled: Vec<&Vec<Line>> = cells.iter().filter(|cell| !cell.is_empty()).collect();
    let most = filled.iter().map(|cell| cell.len()).max().unwrap_or(0);
    let even = filled.iter().filter(|cell| cell.len() * 10 >= most * 8).count();
    let Some(longest) = filled.iter().find(|cell| cell.len() == most) else { return Vec::new() };
    let level = |line: &Line| longest.iter().any(|other| (other.baseline - line.baseline).abs() < 0.25 * line.size);
    if most < 3 || even < 2 || even * 2 < filled.len() || !filled.iter().all(|cell| cell.iter().all(level)) {
        return vec![cells.into_iter().map(|cell| cell_text(&cell)).collect()];
    }
    let mut baselines: Vec<f32> = longest.iter().map(|line| line.baseline).collect();
    baselines.sort_by(f32::total_cmp);
    let mut rows = vec![vec![String::new(); columns]; baselines.len()];
    for (column, line) in
        cells.iter().enumerate().flat_map(|(column, cell)| cell.iter().map(move |line| (column, line)))
    {
        let text = &mut rows[nearest(&baselines, line.baseline)][column];
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&line.text);
    }
    rows
}
