//! The interpreter of a page's operators, which gives its characters, ruled lines and pictures. Only what text needs is
//! followed: matrices, fonts, text, drawings inside of drawings, lines and boxes, and of colours whether they are white;
//! patterns and masks are not, so there is less to go wrong on hostile files, and it is fast. Operators: ISO 32000-1, annex A.

mod appearance;

use std::rc::Rc;

use hayro_font::kurbo::{Affine, Point, Rect, Shape};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::page::{Page, Resources};

use super::budget::{Budget, MAX_PAGE_GLYPHS, Refusal};
use super::fonts::{CodeText, Fonts, TextFont};
use super::glyphs::{Glyph, Rule, Turn, spread};
use super::paths::Path;
use super::sight::{Backdrop, Ink};
use super::text;

/// Deepest nesting of drawings within drawings.
const MAX_FORMS: usize = 24;
/// Deepest nesting of saved states.
const MAX_SAVED: usize = 512;
/// Annotations of a page that are looked at.
const MAX_ANNOTATIONS: usize = 5_000;
/// Smaller characters are not seen, in points.
const SMALLEST: f64 = 0.5;

/// What stands on a page.
pub(super) struct PageContent<'a> {
    /// Width and height in points, as shown.
    pub(super) size: (f64, f64),
    /// Characters by direction, in the order of [`Turn::ALL`].
    pub(super) layers: [Vec<Glyph>; 4],
    pub(super) rules: Vec<Rule>,
    /// What people noted on it.
    pub(super) comments: Vec<String>,
    pub(super) images: Vec<PageImage<'a>>,
    /// Shapes and pictures painted.
    pub(super) painted: usize,
    /// Why not all of it was read.
    pub(super) refusal: Option<Refusal>,
}

/// A picture on a page.
pub(super) struct PageImage<'a> {
    /// Its data; `None` for small pictures written into the page itself.
    pub(super) stream: Option<Stream<'a>>,
    /// Share of the page that it covers, up to 1.
    pub(super) share: f64,
}

/// Reads a page.
pub(super) fn interpret<'a>(page: &Page<'a>, fonts: &mut Fonts<'a>, budget: &mut Budget) -> PageContent<'a> {
    let (width, height) = page.render_dimensions();
    let content = PageContent {
        size: (f64::from(width), f64::from(height)),
        layers: Default::default(),
        rules: Vec::new(),
        comments: Vec::new(),
        images: Vec::new(),
        painted: 0,
        refusal: None,
    };
    let start = Affine::new(page.initial_transform(true).as_coeffs());
    let mut reader = Interpreter {
        fonts,
        budget,
        content,
        state: State::new(start),
        saved: Vec::new(),
        matrix: Affine::IDENTITY,
        line_matrix: Affine::IDENTITY,
        path: Path::default(),
        backdrop: Backdrop::default(),
        marks: Vec::new(),
    };
    if let Err(refusal) = reader.page(page) {
        reader.content.refusal = Some(refusal);
    }
    reader.backdrop.retain_seen(&mut reader.content.layers, reader.content.size);
    reader.content
}

/// The graphics state, as far as it moves text.
#[derive(Clone)]
struct State<'a> {
    transform: Affine,
    font: Option<Rc<TextFont<'a>>>,
    size: f64,
    character_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
    ink: Ink,
}

impl State<'_> {
    fn new(transform: Affine) -> Self {
        Self {
            transform,
            font: None,
            size: 1.0,
            character_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
            ink: Ink::default(),
        }
    }
}

/// A marked stretch of content; those that say what they read as replace what is drawn.
struct Mark {
    actual: Option<String>,
    /// Characters on the page when it began.
    from: [usize; 4],
}

struct Interpreter<'a, 'b> {
    fonts: &'b mut Fonts<'a>,
    budget: &'b mut Budget,
    content: PageContent<'a>,
    state: State<'a>,
    saved: Vec<State<'a>>,
    matrix: Affine,
    line_matrix: Affine,
    path: Path,
    backdrop: Backdrop,
    marks: Vec<Mark>,
}

impl<'a> Interpreter<'a, '_> {
    fn page(&mut self, page: &Page<'a>) -> Result<(), Refusal> {
        let data = self.page_data(page)?;
        let start = self.state.clone();
        self.run(&data, page.resources(), 0)?;
        let annotations = page.raw().get::<Array<'_>>(b"Annots");
        for annotation in annotations.iter().flat_map(Array::iter::<Dict<'_>>).take(MAX_ANNOTATIONS) {
            self.state = start.clone();
            self.annotation(&annotation, page.resources())?;
        }
        Ok(())
    }

    fn page_data(&mut self, page: &Page<'a>) -> Result<Vec<u8>, Refusal> {
        if let Some(stream) = page.raw().get::<Stream<'_>>(b"Contents") {
            return Ok(self.budget.unpack(&stream)?.into_owned());
        }
        let mut data = Vec::new();
        for stream in page.raw().get::<Array<'_>>(b"Contents").iter().flat_map(Array::iter::<Stream<'_>>) {
            self.budget.operator()?;
            data.extend_from_slice(&self.budget.unpack(&stream)?);
            data.push(b'\n');
        }
        Ok(data)
    }

    /// A drawing inside of a drawing.
    fn form(&mut self, stream: &Stream<'a>, around: &Resources<'a>, depth: usize) -> Result<(), Refusal> {
        if depth >= MAX_FORMS {
            return Ok(());
        }
        let data = self.budget.unpack(stream)?;
        let own = stream.dict().get::<Dict<'_>>(b"Resources").map(Resources::new);
        let outside = self.state.clone();
        let matrices = (self.matrix, self.line_matrix);
        self.state.transform *= matrix_of(stream.dict());
        let result = self.run(&data, own.as_ref().unwrap_or(around), depth + 1);
        self.state = outside;
        (self.matrix, self.line_matrix) = matrices;
        result
    }

    fn run(&mut self, data: &[u8], resources: &Resources<'a>, depth: usize) -> Result<(), Refusal> {
        let saved = self.saved.len();
        let marks = self.marks.len();
        let mut operators = TypedIter::new(data);
        while let Some(operator) = operators.next() {
            self.budget.operator()?;
            match operator {
                Op::SaveState(_) if self.saved.len() < MAX_SAVED => self.saved.push(self.state.clone()),
                Op::RestoreState(_) if self.saved.len() > saved => {
                    if let Some(state) = self.saved.pop() {
                        self.state = state;
                    }
                }
                Op::Transform(op) => {
                    let by = [&op.0, &op.1, &op.2, &op.3, &op.4, &op.5].map(hayro_syntax::object::Number::as_f64);
                    self.state.transform *= Affine::new(by);
                }
                Op::XObject(op) => self.object(op.0, resources, depth)?,
                Op::InlineImage(_) => self.image(None),
                Op::BeginMarkedContent(_) => self.mark(None),
                Op::BeginMarkedContentWithProperties(op) => self.mark(actual_text(op.1, resources)),
                Op::EndMarkedContent(_) if self.marks.len() > marks => self.end_mark(),
                other => {
                    if !self.text_operator(&other, resources) {
                        self.path_operator(&other);
                    }
                }
            }
        }
        self.saved.truncate(saved);
        self.marks.truncate(marks);
        Ok(())
    }

    fn object(&mut self, name: &Name<'_>, resources: &Resources<'a>, depth: usize) -> Result<(), Refusal> {
        let Some(stream) = resources.get_x_object(name) else { return Ok(()) };
        match stream.dict().get::<Name<'_>>(b"Subtype").as_deref() {
            Some(b"Image") => self.image(Some(stream)),
            Some(b"Form") => self.form(&stream, resources, depth)?,
            _ => {}
        }
        Ok(())
    }

    fn image(&mut self, stream: Option<Stream<'a>>) {
        let place = (self.state.transform * Rect::new(0.0, 0.0, 1.0, 1.0).to_path(0.1)).bounding_box();
        let (width, height) = self.content.size;
        let visible = place.intersect(Rect::new(0.0, 0.0, width, height));
        let share = (visible.width().max(0.0) * visible.height().max(0.0)) / (width * height).max(1.0);
        self.content.painted += 1;
        self.backdrop.image(place);
        self.content.images.push(PageImage { stream, share: if share.is_finite() { share } else { 0.0 } });
    }

    fn mark(&mut self, actual: Option<String>) {
        if self.marks.len() < MAX_SAVED {
            self.marks.push(Mark { actual, from: self.counts() });
        }
    }

    fn counts(&self) -> [usize; 4] {
        [0, 1, 2, 3].map(|layer| self.content.layers[layer].len())
    }

    /// Puts what the marked stretch reads as in the place of what was drawn, if that is one piece of one line.
    fn end_mark(&mut self) {
        let Some(Mark { actual: Some(actual), from }) = self.marks.pop() else { return };
        let grown: Vec<usize> = (0..4).filter(|&layer| self.content.layers[layer].len() > from[layer]).collect();
        let [layer] = grown[..] else { return };
        let glyphs = &mut self.content.layers[layer];
        let drawn = &glyphs[from[layer]..];
        let first = drawn[0];
        if drawn.iter().any(|glyph| (glyph.baseline - first.baseline).abs() > first.size) {
            return;
        }
        let x0 = drawn.iter().map(|glyph| glyph.x0).fold(f32::INFINITY, f32::min);
        let x1 = drawn.iter().map(|glyph| glyph.x1).fold(f32::NEG_INFINITY, f32::max);
        glyphs.truncate(from[layer]);
        spread(glyphs, Glyph { x0, x1, guessed: false, ..first }, &actual);
    }

    /// Text operators; whether it was one.
    fn text_operator(&mut self, operator: &Op<'_, '_>, resources: &Resources<'a>) -> bool {
        match operator {
            Op::BeginText(_) => (self.matrix, self.line_matrix) = (Affine::IDENTITY, Affine::IDENTITY),
            Op::CharacterSpacing(op) => self.state.character_space = op.0.as_f64(),
            Op::WordSpacing(op) => self.state.word_space = op.0.as_f64(),
            Op::HorizontalScaling(op) => self.state.stretch = op.0.as_f64() / 100.0,
            Op::TextLeading(op) => self.state.leading = op.0.as_f64(),
            Op::TextRise(op) => self.state.rise = op.0.as_f64(),
            Op::TextFont(op) => {
                self.state.font = resources.get_font(op.0).and_then(|dict| self.fonts.get(&dict, self.budget));
                self.state.size = op.1.as_f64();
            }
            Op::SetGraphicsState(op) => self.graphics_state(op.0, resources),
            Op::NextLine(op) => self.next_line(op.0.as_f64(), op.1.as_f64()),
            Op::NextLineAndSetLeading(op) => {
                self.state.leading = -op.1.as_f64();
                self.next_line(op.0.as_f64(), op.1.as_f64());
            }
            Op::NextLineUsingLeading(_) => self.next_line(0.0, -self.state.leading),
            Op::SetTextMatrix(op) => {
                let to = [&op.0, &op.1, &op.2, &op.3, &op.4, &op.5].map(hayro_syntax::object::Number::as_f64);
                (self.matrix, self.line_matrix) = (Affine::new(to), Affine::new(to));
            }
            Op::ShowText(op) => self.show(op.0.as_bytes()),
            Op::NextLineAndShowText(op) => {
                self.next_line(0.0, -self.state.leading);
                self.show(op.0.as_bytes());
            }
            Op::ShowTextWithParameters(op) => {
                self.state.word_space = op.0.as_f64();
                self.state.character_space = op.1.as_f64();
                self.next_line(0.0, -self.state.leading);
                self.show(op.2.as_bytes());
            }
            Op::ShowTexts(op) => self.show_adjusted(op.0),
            Op::TextRenderingMode(_) => self.state.ink.follow(operator),
            _ => return false,
        }
        true
    }

    fn graphics_state(&mut self, name: &Name<'_>, resources: &Resources<'a>) {
        let Some(font) = resources.get_ext_g_state(name).and_then(|state| state.get::<Array<'_>>(b"Font")) else {
            return;
        };
        let mut items = font.flex_iter();
        let (Some(dict), Some(size)) = (items.next::<Dict<'_>>(), items.next::<f64>()) else { return };
        self.state.font = self.fonts.get(&dict, self.budget);
        self.state.size = size;
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line_matrix *= Affine::translate((x, y));
        self.matrix = self.line_matrix;
    }

    fn show_adjusted(&mut self, parts: &Array<'_>) {
        let vertical = self.state.font.as_ref().is_some_and(|font| font.vertical);
        for part in parts.iter::<Object<'_>>() {
            match part {
                Object::String(shown) => self.show(shown.as_bytes()),
                Object::Number(by) => {
                    let by = -by.as_f64() / 1000.0 * self.state.size;
                    let step = if vertical { (0.0, by) } else { (by * self.state.stretch, 0.0) };
                    self.matrix *= Affine::translate(step);
                }
                _ => {}
            }
        }
    }

    fn show(&mut self, shown: &[u8]) {
        let Some(font) = self.state.font.clone() else { return };
        let (size, stretch) = (self.state.size, self.state.stretch);
        let scale = Affine::new([size * stretch, 0.0, 0.0, size, 0.0, self.state.rise]);
        let mut at = 0;
        while at < shown.len() {
            let (number, length) = font.read_code(shown, at);
            let code = font.code(number);
            self.place(&font, self.state.transform * self.matrix * scale, code.advance.to_point(), &code.text);
            let is_space = length == 1 && shown[at] == b' ';
            let space = self.state.character_space + if is_space { self.state.word_space } else { 0.0 };
            let step = match font.vertical {
                true => (0.0, code.advance.y * size + space),
                false => ((code.advance.x * size + space) * stretch, 0.0),
            };
            self.matrix *= Affine::translate(step);
            at += length.max(1);
        }
    }

    /// Puts what a code draws on the page: `frame` leads from units of the font to the page.
    fn place(&mut self, font: &TextFont<'a>, frame: Affine, advance: Point, shown: &CodeText) {
        let (text, guessed) = match shown {
            CodeText::One(one) => (*one, false),
            CodeText::Guessed(one) => (*one, true),
            CodeText::Several(_) | CodeText::Unknown => (char::REPLACEMENT_CHARACTER, false),
        };
        let origin = frame * Point::ZERO;
        let end = frame * advance;
        let along = frame * (if font.vertical { Point::new(0.0, -1.0) } else { Point::new(1.0, 0.0) }) - origin;
        let turn = Turn::nearest(along.x, along.y);
        let size = (frame * Point::new(0.0, font.em) - origin).hypot();
        let (start_x, mut baseline) = turn.apply((origin.x, origin.y), self.content.size);
        let (end_x, _) = turn.apply((end.x, end.y), self.content.size);
        if font.vertical {
            // Vertical characters hang centred on their line; the frame wants them to stand on one.
            baseline += 0.35 * size;
        }
        let sound = [start_x, end_x, baseline, size].iter().all(|value| value.abs() < 100_000.0);
        let glyphs = &mut self.content.layers[turn as usize];
        if !sound || size < SMALLEST || glyphs.len() >= MAX_PAGE_GLYPHS {
            return;
        }
        let glyph = Glyph {
            x0: start_x.min(end_x) as f32,
            x1: start_x.max(end_x) as f32,
            baseline: baseline as f32,
            size: size as f32,
            text,
            bold: font.bold,
            mono: font.mono,
            guessed,
            sight: self.state.ink.sight(),
        };
        match shown {
            CodeText::Several(several) => spread(glyphs, glyph, several),
            _ => glyphs.push(glyph),
        }
    }

    fn path_operator(&mut self, operator: &Op<'_, '_>) {
        let transform = self.state.transform;
        let at = |x: &hayro_syntax::object::Number, y: &hayro_syntax::object::Number| {
            transform * Point::new(x.as_f64(), y.as_f64())
        };
        match operator {
            Op::MoveTo(op) => self.path.move_to(at(&op.0, &op.1)),
            Op::LineTo(op) => self.path.line_to(at(&op.0, &op.1)),
            Op::CubicTo(op) => self.path.curve_to(at(&op.4, &op.5)),
            Op::CubicStartTo(op) => self.path.curve_to(at(&op.2, &op.3)),
            Op::CubicEndTo(op) => self.path.curve_to(at(&op.2, &op.3)),
            Op::ClosePath(_) => self.path.close(),
            Op::RectPath(op) => {
                let corner = Point::new(op.0.as_f64(), op.1.as_f64());
                let opposite = Point::new(corner.x + op.2.as_f64(), corner.y + op.3.as_f64());
                self.path.rectangle((transform * Rect::from_points(corner, opposite).to_path(0.1)).bounding_box());
            }
            Op::StrokePath(_) => self.paint(Path::stroke),
            Op::CloseAndStrokePath(_)
            | Op::FillAndStrokeNonZero(_)
            | Op::FillAndStrokeEvenOdd(_)
            | Op::CloseFillAndStrokeNonZero(_)
            | Op::CloseFillAndStrokeEvenOdd(_) => {
                self.path.close();
                self.fill();
                self.paint(Path::stroke);
            }
            Op::FillPathNonZero(_) | Op::FillPathNonZeroCompatibility(_) | Op::FillPathEvenOdd(_) => {
                self.fill();
                self.paint(Path::fill);
            }
            Op::EndPath(_) => self.path.clear(),
            Op::Shading(_) => {
                self.content.painted += 1;
                self.backdrop.everywhere();
            }
            other => self.state.ink.follow(other),
        }
    }

    /// What is filled with white is nothing to see white on.
    fn fill(&mut self) {
        if !self.state.ink.is_white {
            self.backdrop.fill(self.path.extent());
        }
    }

    fn paint(&mut self, how: fn(&mut Path, &mut Vec<Rule>)) {
        self.content.painted += 1;
        how(&mut self.path, &mut self.content.rules);
    }
}

fn matrix_of(dict: &Dict<'_>) -> Affine {
    dict.get::<[f64; 6]>(b"Matrix").map_or(Affine::IDENTITY, Affine::new)
}

/// What a marked stretch says that it reads as.
fn actual_text(properties: &Object<'_>, resources: &Resources<'_>) -> Option<String> {
    let of = |dict: &Dict<'_>| {
        dict.get::<hayro_syntax::object::String<'_>>(b"ActualText").map(|actual| text::decode(actual.as_bytes()))
    };
    match properties {
        Object::Dict(dict) => of(dict),
        Object::Name(name) => of(&resources.properties.get::<Dict<'_>>(&**name)?),
        _ => None,
    }
}
