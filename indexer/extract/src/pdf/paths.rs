//! Painted paths, of which only straight lines across and down the page are kept: the rules of tables. A box gives its
//! four edges when it is stroked and itself when it is so thin that it is a line.

use hayro_font::kurbo::{Point, Rect};

use super::glyphs::Rule;

/// Ruled lines of a page that are kept; maps and drawings have more, tables do not.
const MAX_RULES: usize = 6_000;
/// Thickest box that is a line, in points.
const THIN: f64 = 3.0;
/// Shortest line that can rule a table, in points.
const SHORT: f64 = 4.0;

/// The path under construction, on the page.
#[derive(Default)]
pub(super) struct Path {
    lines: Vec<(Point, Point)>,
    boxes: Vec<Rect>,
    start: Point,
    at: Point,
}

impl Path {
    pub(super) fn move_to(&mut self, to: Point) {
        (self.start, self.at) = (to, to);
    }

    pub(super) fn line_to(&mut self, to: Point) {
        if self.lines.len() < MAX_RULES {
            self.lines.push((self.at, to));
        }
        self.at = to;
    }

    pub(super) fn curve_to(&mut self, to: Point) {
        self.at = to;
    }

    pub(super) fn close(&mut self) {
        if self.at != self.start {
            self.line_to(self.start);
        }
    }

    pub(super) fn rectangle(&mut self, rectangle: Rect) {
        if self.boxes.len() < MAX_RULES {
            self.boxes.push(rectangle);
        }
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.boxes.clear();
    }

    /// Keeps the lines of a stroked path.
    pub(super) fn stroke(&mut self, rules: &mut Vec<Rule>) {
        for &(from, to) in &self.lines {
            push(rules, from, to);
        }
        for edges in &self.boxes {
            if edges.width() <= THIN || edges.height() <= THIN {
                push(rules, edges.origin(), Point::new(edges.x1, edges.y1));
                continue;
            }
            let [a, b, c, d] = [(edges.x0, edges.y0), (edges.x1, edges.y0), (edges.x1, edges.y1), (edges.x0, edges.y1)]
                .map(Point::from);
            for (from, to) in [(a, b), (b, c), (c, d), (d, a)] {
                push(rules, from, to);
            }
        }
        self.clear();
    }

    /// Keeps what of a filled path is so thin that it is a line.
    pub(super) fn fill(&mut self, rules: &mut Vec<Rule>) {
        for thin in self.boxes.iter().filter(|filled| filled.width() <= THIN || filled.height() <= THIN) {
            push(rules, thin.origin(), Point::new(thin.x1, thin.y1));
        }
        if let Some(filled) = self.outline().filter(|filled| filled.width() <= THIN || filled.height() <= THIN) {
            push(rules, filled.origin(), Point::new(filled.x1, filled.y1));
        }
        self.clear();
    }

    /// What a path takes up.
    pub(super) fn extent(&self) -> Option<Rect> {
        let lines = self.lines.iter().map(|&(from, to)| Rect::from_points(from, to));
        lines.chain(self.boxes.iter().copied()).reduce(|all, one| all.union(one))
    }

    /// The box of a path of three or four lines.
    fn outline(&self) -> Option<Rect> {
        if !(3..=4).contains(&self.lines.len()) {
            return None;
        }
        self.lines.iter().map(|&(from, to)| Rect::from_points(from, to)).reduce(|all, one| all.union(one))
    }
}

fn push(rules: &mut Vec<Rule>, from: Point, to: Point) {
    let (across, down) = ((to.x - from.x).abs(), (to.y - from.y).abs());
    let straight = across.min(down) <= THIN && across.max(down) >= SHORT;
    if straight && across.max(down) < 100_000.0 && rules.len() < MAX_RULES {
        rules.push(Rule::between(from.x, from.y, to.x, to.y));
    }
}
