//! The unit that pages are put together from: one character with its place on the page.

use super::sight::Sight;
use super::{bidi, text};

/// How text runs on the page. Each direction is laid out by itself, in a frame turned so that it runs to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Upright,
    /// From top to bottom, lines from right to left: turned text, and vertical Chinese and Japanese.
    Down,
    /// Upside down.
    Over,
    /// From bottom to top, lines from left to right.
    Up,
}

impl Turn {
    pub(super) const ALL: [Self; 4] = [Self::Upright, Self::Down, Self::Over, Self::Up];

    /// The direction nearest to a vector on the page (x to the right, y down).
    pub(super) fn nearest(dx: f64, dy: f64) -> Self {
        match (dx.abs() >= dy.abs(), dx >= 0.0, dy >= 0.0) {
            (true, true, _) => Self::Upright,
            (true, false, _) => Self::Over,
            (false, _, true) => Self::Down,
            (false, _, false) => Self::Up,
        }
    }

    /// A point of the page (`width` by `height` points) in the turned frame.
    pub(super) fn apply(self, (x, y): (f64, f64), (width, height): (f64, f64)) -> (f64, f64) {
        match self {
            Self::Upright => (x, y),
            Self::Down => (y, width - x),
            Self::Over => (width - x, height - y),
            Self::Up => (height - y, x),
        }
    }
}

/// A character on the page, in the frame of its direction: x to the right, y down, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    pub(super) x0: f32,
    pub(super) x1: f32,
    /// Where it stands.
    pub(super) baseline: f32,
    pub(super) size: f32,
    /// The replacement character where the font does not say which it is.
    pub(super) text: char,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Not known but taken for what its code says.
    pub(super) guessed: bool,
    pub(super) sight: Sight,
}

/// Several characters in the place of one.
pub(super) fn spread(glyphs: &mut Vec<Glyph>, place: Glyph, characters: &str) {
    let width = (place.x1 - place.x0) / (characters.chars().count().max(1) as f32);
    // Ligatures are spelled in the order they are read in; what is put on the page is the order they are drawn in.
    let turned = characters.chars().any(text::is_right_to_left).then(|| bidi::drawing_order(characters));
    for (number, text) in turned.as_deref().unwrap_or(characters).chars().enumerate() {
        let x0 = place.x0 + width * number as f32;
        glyphs.push(Glyph { x0, x1: x0 + width, text, ..place });
    }
}

/// A straight line or the edge of a box, in the frame of the page: thin in one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    pub(super) x0: f32,
    pub(super) y0: f32,
    pub(super) x1: f32,
    pub(super) y1: f32,
}

impl Rule {
    pub(super) fn is_horizontal(&self) -> bool {
        self.x1 - self.x0 >= self.y1 - self.y0
    }

    /// The same line in a turned frame.
    pub(super) fn turned(&self, turn: Turn, page: (f64, f64)) -> Self {
        let (ax, ay) = turn.apply((f64::from(self.x0), f64::from(self.y0)), page);
        let (bx, by) = turn.apply((f64::from(self.x1), f64::from(self.y1)), page);
        Self::between(ax, ay, bx, by)
    }

    /// The box of two points.
    pub(super) fn between(ax: f64, ay: f64, bx: f64, by: f64) -> Self {
        Self { x0: ax.min(bx) as f32, y0: ay.min(by) as f32, x1: ax.max(bx) as f32, y1: ay.max(by) as f32 }
    }
}
