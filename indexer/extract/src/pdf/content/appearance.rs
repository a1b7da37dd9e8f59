//! The appearance of annotations: what form fields, stamps and text boxes show on a page.

use hayro_font::kurbo::{Affine, Point, Rect, Shape};
use hayro_syntax::object::Dict;
use hayro_syntax::page::Resources;

use super::{Interpreter, matrix_of};
use crate::pdf::annotations::{self, Field, LETTER};
use crate::pdf::budget::{MAX_PAGE_GLYPHS, Refusal};
use crate::pdf::glyphs::{Glyph, Turn, spread};
use crate::pdf::sight::Sight;

impl<'a> Interpreter<'a, '_> {
    /// What a form field, a stamp or a text box shows, or says without showing it, and what was noted.
    pub(super) fn annotation(&mut self, annotation: &Dict<'a>, resources: &Resources<'a>) -> Result<(), Refusal> {
        if annotations::is_hidden(annotation) {
            return Ok(());
        }
        let before = self.counts();
        let outside = self.state.clone();
        self.appearance(annotation, resources)?;
        self.state = outside;
        let mut drawn = (0..4).flat_map(|layer| &self.content.layers[layer][before[layer]..]);
        let is_drawn = drawn.any(|glyph| !glyph.text.is_whitespace());
        if !is_drawn && let Some(field) = Field::of(annotation) {
            self.fill_in(&field);
        }
        self.content.comments.extend(annotations::comment(annotation, is_drawn));
        Ok(())
    }

    /// Writes the value of a field where a viewer would draw it.
    fn fill_in(&mut self, field: &Field) {
        let transform = self.state.transform;
        for (x, y, line) in &field.lines {
            let width = (line.chars().count() as f64 * LETTER * field.size).min(field.width);
            let (start, end) = (transform * Point::new(*x, *y), transform * Point::new(x + width, *y));
            let turn = Turn::nearest(end.x - start.x, end.y - start.y);
            let (x0, baseline) = turn.apply((start.x, start.y), self.content.size);
            let (x1, _) = turn.apply((end.x, end.y), self.content.size);
            let glyphs = &mut self.content.layers[turn as usize];
            let sound = [x0, x1, baseline].iter().all(|value| value.abs() < 100_000.0);
            if !sound || glyphs.len() >= MAX_PAGE_GLYPHS {
                continue;
            }
            let (x0, x1, baseline, size) = (x0 as f32, x1 as f32, baseline as f32, field.size as f32);
            // A space parts it from what was drawn before.
            let sight = Sight::Plain;
            let place =
                Glyph { x0, x1: x0, baseline, size, text: ' ', bold: false, mono: false, guessed: false, sight };
            glyphs.push(place);
            spread(glyphs, Glyph { x1, ..place }, line);
        }
    }

    /// Draws an annotation (ISO 32000-1, 12.5.5).
    fn appearance(&mut self, annotation: &Dict<'a>, resources: &Resources<'a>) -> Result<(), Refusal> {
        let Some(shown) = annotations::appearance(annotation) else { return Ok(()) };
        let Some(place) = annotation.get::<hayro_syntax::object::Rect>(b"Rect") else { return Ok(()) };
        let Some(bounds) = shown.dict().get::<[f64; 4]>(b"BBox") else { return Ok(()) };
        let matrix = matrix_of(shown.dict());
        let bounds = (matrix * Rect::new(bounds[0], bounds[1], bounds[2], bounds[3]).to_path(0.1)).bounding_box();
        if bounds.width() <= 0.0 || bounds.height() <= 0.0 {
            return Ok(());
        }
        let (across, along) = ((place.x1 - place.x0) / bounds.width(), (place.y1 - place.y0) / bounds.height());
        let fitted =
            Affine::new([across, 0.0, 0.0, along, place.x0 - across * bounds.x0, place.y0 - along * bounds.y0]);
        self.state.transform *= fitted;
        self.form(&shown, resources, 0)
    }
}
