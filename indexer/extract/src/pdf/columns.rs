//! The order in which the parts of a page are read. The page is cut along empty strips from top to bottom, as far down
//! as they reach: what lies left of a strip is read before what lies right of it, and what spans it (a title, a wide
//! table) before or after both. This is the recursive XY cut of document analysis (Nagy and Seth 1984), with strips that
//! need not run through the whole page.

use super::lines::Line;
use super::tables::{Found, Piece, Table, is_prose, judge};
use super::text;

/// Deepest cutting; pages need four or five cuts.
const MAX_DEPTH: usize = 40;
/// Strips tried at a cut.
const MAX_STRIPS: usize = 96;
/// Narrowest strip, in letter heights. Less than the gap that parts the pieces of a row, because quotation marks and
/// hyphens hang over the edges of columns.
const STRIP: f32 = 0.4;
/// Most pieces on a page that are put in order by cutting; beyond (maps, plots) they are read row by row.
const MAX_PIECES: usize = 4_000;

/// A part of a page, in reading order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Region {
    /// Lines of one column, from the top.
    Text(Vec<Line>),
    Table(Table),
}

impl Region {
    fn top(&self) -> f32 {
        match self {
            Self::Text(lines) => lines.iter().map(Line::top).fold(f32::INFINITY, f32::min),
            Self::Table(table) => table.top,
        }
    }

    fn bottom(&self) -> f32 {
        match self {
            Self::Text(lines) => lines.iter().map(Line::bottom).fold(f32::NEG_INFINITY, f32::max),
            Self::Table(table) => table.bottom,
        }
    }
}

/// A line or a table as a box.
#[derive(Clone)]
enum Atom {
    Line(Line),
    Table(Table),
}

impl Atom {
    fn x0(&self) -> f32 {
        match self {
            Self::Line(line) => line.x0,
            Self::Table(table) => table.x0,
        }
    }

    fn x1(&self) -> f32 {
        match self {
            Self::Line(line) => line.x1,
            Self::Table(table) => table.x1,
        }
    }

    fn top(&self) -> f32 {
        match self {
            Self::Line(line) => line.top(),
            Self::Table(table) => table.top,
        }
    }

    fn bottom(&self) -> f32 {
        match self {
            Self::Line(line) => line.bottom(),
            Self::Table(table) => table.bottom,
        }
    }

    fn middle(&self) -> f32 {
        (self.top() + self.bottom()) / 2.0
    }
}

/// The parts of a page in reading order.
pub(super) fn regions(lines: Vec<Line>, tables: Vec<Table>) -> Vec<Region> {
    let right_to_left =
        lines.iter().filter(|line| line.text.chars().any(text::is_right_to_left)).count() * 2 > lines.len();
    let atoms: Vec<Atom> = lines.into_iter().map(Atom::Line).chain(tables.into_iter().map(Atom::Table)).collect();
    let mut cutter = Cutter { right_to_left, found: Vec::new() };
    if atoms.len() > MAX_PIECES {
        cutter.leaf(atoms);
    } else {
        cutter.cut(atoms, 0);
    }
    together(cutter.found)
}

struct Cutter {
    right_to_left: bool,
    found: Vec<Region>,
}

impl Cutter {
    fn cut(&mut self, atoms: Vec<Atom>, depth: usize) {
        if atoms.len() < 2 || depth >= MAX_DEPTH {
            return self.leaf(atoms);
        }
        let strip = STRIP * usual_size(&atoms);
        let columns = side_by_side(atoms, strip);
        if columns.len() > 1 {
            return match finer_strip(&columns, strip) {
                Some(rows) => self.rows(columns.into_iter().flatten().collect(), rows, depth),
                None => self.columns(columns, strip, depth),
            };
        }
        let atoms: Vec<Atom> = columns.into_iter().flatten().collect();
        match longest_strip(&atoms, strip) {
            Some(rows) => self.rows(atoms, rows, depth),
            None => self.leaf(atoms),
        }
    }

    /// Cuts across the page, above and below the rows from `top` to `bottom`.
    fn rows(&mut self, atoms: Vec<Atom>, (top, bottom): (f32, f32), depth: usize) {
        let (above, rest): (Vec<Atom>, Vec<Atom>) = atoms.into_iter().partition(|atom| atom.middle() < top);
        let (beside, below): (Vec<Atom>, Vec<Atom>) = rest.into_iter().partition(|atom| atom.middle() <= bottom);
        for part in [above, beside, below].into_iter().filter(|part| !part.is_empty()) {
            self.cut(part, depth + 1);
        }
    }

    /// Groups of atoms from left to right with nothing between them.
    fn columns(&mut self, mut columns: Vec<Vec<Atom>>, strip: f32, depth: usize) {
        let lines: Option<Vec<Vec<Line>>> = columns.iter().map(|column| column.iter().map(as_line).collect()).collect();
        match lines.map_or(Found::Columns, |lines| judge(&lines)) {
            Found::Pieces(pieces) => self.found.extend(pieces.into_iter().filter_map(region)),
            Found::Rows => {
                // A piece that stands alone at the side parts nothing; the rows above and below it may have more.
                let atoms: Vec<Atom> = columns.into_iter().flatten().collect();
                match longest_strip(&atoms, strip).filter(|&rows| reaches_out(&atoms, rows)) {
                    Some(rows) => self.rows(atoms, rows, depth),
                    None => self.leaf(atoms),
                }
            }
            Found::Columns => {
                if self.right_to_left {
                    columns.reverse();
                }
                for column in columns {
                    self.cut(column, depth + 1);
                }
            }
        }
    }

    /// What cannot be cut is read from the top.
    fn leaf(&mut self, mut atoms: Vec<Atom>) {
        atoms.sort_by(|a, b| a.top().total_cmp(&b.top()));
        let mut lines = Vec::new();
        for atom in atoms {
            match atom {
                Atom::Line(line) => lines.push(line),
                Atom::Table(table) => {
                    self.found.push(Region::Text(std::mem::take(&mut lines)));
                    self.found.push(Region::Table(table));
                }
            }
        }
        self.found.push(Region::Text(lines));
    }
}

fn as_line(atom: &Atom) -> Option<Line> {
    match atom {
        Atom::Line(line) => Some(line.clone()),
        Atom::Table(_) => None,
    }
}

fn region(piece: Piece) -> Option<Region> {
    match piece {
        Piece::Table(table) => Some(Region::Table(table)),
        Piece::Text(lines) if lines.is_empty() => None,
        Piece::Text(lines) => Some(Region::Text(lines)),
    }
}

fn usual_size(atoms: &[Atom]) -> f32 {
    let mut sizes: Vec<f32> = atoms.iter().filter_map(|atom| as_line(atom).map(|line| line.size)).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() / 2).copied().unwrap_or(10.0)
}

/// The atoms in groups from left to right, parted by strips that nothing crosses.
fn side_by_side(mut atoms: Vec<Atom>, strip: f32) -> Vec<Vec<Atom>> {
    atoms.sort_by(|a, b| a.x0().total_cmp(&b.x0()));
    let mut groups: Vec<Vec<Atom>> = Vec::new();
    let mut right = f32::NEG_INFINITY;
    for atom in atoms {
        let reaches = atom.x1();
        match groups.last_mut() {
            Some(group) if atom.x0() < right + strip => group.push(atom),
            _ => groups.push(vec![atom]),
        }
        right = right.max(reaches);
    }
    groups
}

/// Rows of columns without running text that can be parted into more columns than the region as a whole: a table whose
/// inner strips are crossed by a title above it.
fn finer_strip(columns: &[Vec<Atom>], strip: f32) -> Option<(f32, f32)> {
    let lines = |column: &[Atom]| column.iter().filter_map(as_line).collect::<Vec<Line>>();
    if columns.iter().any(|column| is_prose(&lines(column))) {
        return None;
    }
    let found = |column: &Vec<Atom>| {
        let rows = longest_strip(column, strip)?;
        (rows_of_two(&lines(column), rows) > 1).then_some(rows)
    };
    columns.iter().filter_map(found).find(|&rows| columns.iter().any(|column| reaches_out(column, rows)))
}

/// Whether some atoms lie above or below the rows between two heights.
fn reaches_out(atoms: &[Atom], (top, bottom): (f32, f32)) -> bool {
    atoms.iter().any(|atom| atom.middle() < top || atom.middle() > bottom)
}

/// How many lines between two heights have another beside them.
fn rows_of_two(lines: &[Line], (top, bottom): (f32, f32)) -> usize {
    let middle = |line: &Line| (line.top() + line.bottom()) / 2.0;
    let mut within: Vec<&Line> = lines.iter().filter(|line| (top..=bottom).contains(&middle(line))).collect();
    within.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    within.windows(2).filter(|pair| pair[0].is_level_with(pair[1])).count()
}

/// From where to where the best strip reaches that has text on both sides but does not run through.
fn longest_strip(atoms: &[Atom], strip: f32) -> Option<(f32, f32)> {
    let mut edges: std::collections::HashMap<i64, (usize, f32)> = std::collections::HashMap::new();
    for atom in atoms {
        let seen = edges.entry((atom.x0() / 3.0) as i64).or_insert((0, f32::INFINITY));
        *seen = (seen.0 + 1, seen.1.min(atom.x0()));
    }
    let mut edges: Vec<(usize, f32)> = edges.into_values().collect();
    edges.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
    let best = edges.iter().take(MAX_STRIPS).filter_map(|&(_, right)| best_stretch(atoms, right, strip));
    best.max_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))).map(|(_, top, bottom)| (top, bottom))
}

/// The stretch of a strip ending at `right` with most lines on the poorer side: their number, top and bottom.
fn best_stretch(atoms: &[Atom], right: f32, strip: f32) -> Option<(usize, f32, f32)> {
    let (from, to) = (right - strip, right);
    let row = 0.45 * strip / STRIP;
    let mut order: Vec<&Atom> = atoms.iter().collect();
    order.sort_by(|a, b| a.middle().total_cmp(&b.middle()));
    let mut best: Option<(usize, f32, f32)> = None;
    let mut start: usize = 0;
    for at in 0..=order.len() {
        let blocked = order.get(at).is_none_or(|atom| atom.x0() < to - 0.5 && atom.x1() > from);
        if !blocked {
            continue;
        }
        // What stands in the same row as a piece that crosses the strip belongs to that row.
        let beyond = start.checked_sub(1).map_or(f32::NEG_INFINITY, |before| order[before].middle() + row);
        let within = order.get(at).map_or(f32::INFINITY, |after| after.middle() - row);
        let free = |atom: &&&Atom| atom.middle() > beyond && atom.middle() < within;
        let stretch: Vec<&Atom> = order[start..at].iter().filter(free).copied().collect();
        start = at + 1;
        let left = stretch.iter().filter(|atom| atom.x1() <= from).count();
        let poorer = left.min(stretch.len() - left);
        if poorer > 1 && best.is_none_or(|(most, ..)| poorer > most) {
            best = Some((poorer, stretch[0].middle(), stretch[stretch.len() - 1].middle()));
        }
    }
    best
}

/// Texts that stand under each other and were only cut apart become one again, so that paragraphs stay whole.
fn together(found: Vec<Region>) -> Vec<Region> {
    let mut joined: Vec<Region> = Vec::new();
    for region in found {
        if matches!(&region, Region::Text(lines) if lines.is_empty()) {
            continue;
        }
        let below = joined.last().is_some_and(|last| region.top() >= last.bottom() - 2.0);
        match (joined.last_mut(), region) {
            (Some(Region::Text(lines)), Region::Text(more)) if below => lines.extend(more),
            (_, region) => joined.push(region),
        }
    }
    joined
}
