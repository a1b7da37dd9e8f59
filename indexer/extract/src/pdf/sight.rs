//! Sight: whether somebody who looks at a page sees a character. What nobody sees is not what the page says.
//!
//! White characters are seen on what was painted, and characters that are not painted at all are the words of a scan, below its
//! picture; with nothing behind them, both are for other eyes. Masks, blending and what is painted over are not followed: in
//! doubt a character is seen.

use hayro_font::kurbo::Rect;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::Number;

use super::glyphs::{Glyph, Turn};

/// Components of a colour from here on are white, or without ink up to what is left of 1.
const WHITE: f64 = 0.99;
/// Things behind text that are looked at; with more of them, everything is taken for painted.
const MAX_PAINTED: usize = 4_000;
/// Rendering modes that paint nothing (ISO 32000-1, table 106).
const UNPAINTED: [i64; 2] = [3, 7];

/// How a character is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sight {
    #[default]
    Plain,
    /// On anything but white.
    White,
    /// Not itself: it says what a picture shows.
    Unpainted,
}

/// What characters are painted with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ink {
    pub(super) is_white: bool,
    is_unpainted: bool,
}

impl Ink {
    /// Follows an operator that sets a colour or the rendering mode.
    pub(super) fn follow(&mut self, operator: &Op<'_, '_>) {
        let is_full = |number: &Number| number.as_f64() >= WHITE;
        let is_empty = |number: &Number| number.as_f64() <= 1.0 - WHITE;
        match operator {
            Op::TextRenderingMode(op) => self.is_unpainted = UNPAINTED.contains(&(op.0.as_f64() as i64)),
            Op::NonStrokeColorDeviceGray(op) => self.is_white = is_full(&op.0),
            Op::NonStrokeColorDeviceRgb(op) => self.is_white = [&op.0, &op.1, &op.2].into_iter().all(is_full),
            Op::NonStrokeColorCmyk(op) => self.is_white = [&op.0, &op.1, &op.2, &op.3].into_iter().all(is_empty),
            Op::NonStrokeColor(op) => self.is_white = is_white(&op.0),
            Op::NonStrokeColorNamed(op) => self.is_white = op.1.is_none() && is_white(&op.0),
            Op::ColorSpaceNonStroke(_) => self.is_white = false,
            _ => {}
        }
    }

    pub(super) fn sight(self) -> Sight {
        match (self.is_unpainted, self.is_white) {
            (true, _) => Sight::Unpainted,
            (false, true) => Sight::White,
            (false, false) => Sight::Plain,
        }
    }
}

/// Whether a colour of a space that is not known here is white. A single component may be an ink.
fn is_white(components: &[Number]) -> bool {
    match components {
        [r, g, b] => [r, g, b].into_iter().all(|number| number.as_f64() >= WHITE),
        [c, m, y, k] => [c, m, y, k].into_iter().all(|number| number.as_f64() <= 1.0 - WHITE),
        _ => false,
    }
}

/// What was painted on a page beside characters.
#[derive(Debug, Default)]
pub(super) struct Backdrop {
    fills: Vec<Rect>,
    images: Vec<Rect>,
    is_everywhere: bool,
}

impl Backdrop {
    pub(super) fn fill(&mut self, place: Option<Rect>) {
        self.fills.extend(place);
        self.is_everywhere |= self.fills.len() > MAX_PAINTED;
    }

    pub(super) fn image(&mut self, place: Rect) {
        self.images.push(place);
        self.is_everywhere |= self.images.len() > MAX_PAINTED;
    }

    /// Something without bounds.
    pub(super) fn everywhere(&mut self) {
        self.is_everywhere = true;
    }

    /// Leaves the characters that are seen.
    pub(super) fn retain_seen(&self, layers: &mut [Vec<Glyph>; 4], page: (f64, f64)) {
        if self.is_everywhere {
            return;
        }
        for (turn, layer) in Turn::ALL.into_iter().zip(layers) {
            if layer.iter().all(|glyph| glyph.sight == Sight::Plain) {
                continue;
            }
            let turned = |place: &Rect| {
                let (ax, ay) = turn.apply((place.x0, place.y0), page);
                let (bx, by) = turn.apply((place.x1, place.y1), page);
                Rect::new(ax.min(bx), ay.min(by), ax.max(bx), ay.max(by))
            };
            let images: Vec<Rect> = self.images.iter().map(turned).collect();
            let fills: Vec<Rect> = self.fills.iter().map(turned).collect();
            let is_on = |places: &[Rect], glyph: &Glyph| {
                let x = f64::from(glyph.x0 + glyph.x1) / 2.0;
                let y = f64::from(glyph.baseline - glyph.size / 3.0);
                places.iter().any(|place| place.x0 <= x && x <= place.x1 && place.y0 <= y && y <= place.y1)
            };
            layer.retain(|glyph| match glyph.sight {
                Sight::Plain => true,
                Sight::White => is_on(&fills, glyph) || is_on(&images, glyph),
                Sight::Unpainted => is_on(&images, glyph),
            });
        }
    }
}
