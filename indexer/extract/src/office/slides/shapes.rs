//! The shapes of a slide: text bodies with their bullets, tables, drawings, groups; each with its place on the slide.

use std::collections::HashMap;

use super::super::numbering::{Counters, Level, NumberStyle};
use super::super::story::{Piece, Role, Story};
use super::super::xml::{Element, Node, Xml};
use super::super::{drawn, math};
use crate::error::FileError;
use crate::input::ExtractLimits;

/// Shapes whose tops differ by less stand side by side (in EMU, 360,000 a centimetre).
const BAND: i64 = 200_000;

/// A shape, or a group of them, with what it says.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Top and left, in EMU.
    pub(super) place: Option<(i64, i64)>,
    /// Type and index of the placeholder that it fills.
    pub(super) placeholder: Option<(String, String)>,
    pub(super) pieces: Vec<Piece>,
}

impl Shape {
    pub(super) fn is_title(&self) -> bool {
        matches!(self.placeholder.as_ref().map(|(kind, _)| kind.as_str()), Some("title" | "ctrTitle"))
    }

    /// What shapes are sorted by: the title first, then bands from top to bottom, each from left to right.
    pub(super) fn order(&self) -> (bool, i64, i64) {
        let (top, left) = self.place.unwrap_or_default();
        (!self.is_title(), top.div_euclid(BAND), left)
    }
}

/// What the shapes of a slide are read with.
pub(super) struct Shapes<'s> {
    pub(super) format: &'static str,
    pub(super) limits: &'s ExtractLimits,
    /// Texts of charts and diagrams, by relation.
    pub(super) drawings: HashMap<String, Vec<Piece>>,
}

/// The open shape.
struct Open {
    /// Depth of its element: shapes can hold pictures of themselves.
    depth: usize,
    shape: Shape,
    story: Story,
    counters: Counters,
    /// Paragraphs so far.
    paragraphs: usize,
}

/// A group that is open: its place and shapes.
type Group = (Option<(i64, i64)>, Vec<Shape>);

impl Shapes<'_> {
    /// Reads a slide, a layout or the notes of a slide: its shapes, and whether it is hidden.
    pub(super) fn read(mut self, text: &str) -> Result<(Vec<Shape>, bool), FileError> {
        let mut groups: Vec<Group> = vec![(None, Vec::new())];
        let mut open: Option<Open> = None;
        let mut hidden = false;
        let mut xml = Xml::new(text, self.format);
        while let Some(node) = xml.next()? {
            match node {
                Node::Open(element) => match (element.name(), &mut open) {
                    ("sld", _) => hidden = element.attribute("show").is_some_and(|show| show == "0" || show == "false"),
                    ("grpSp", None) => groups.push((None, Vec::new())),
                    ("sp" | "pic" | "graphicFrame" | "cxnSp", None) => open = Some(self.opened(xml.depth())),
                    ("off", None) => {
                        if let Some((place, _)) = groups.last_mut() {
                            *place = place.or(at(&element));
                        }
                    }
                    (_, Some(open)) => self.inside(open, &element, &mut xml)?,
                    _ => {}
                },
                Node::Close(closed) => match (closed.name(), &mut open) {
                    (_, Some(shape)) if shape.depth == xml.depth() + 1 => {
                        let shape = open.take().map(Open::finish);
                        add(&mut groups, shape);
                    }
                    ("grpSp", None) if groups.len() > 1 => {
                        let group = groups.pop().map(grouped);
                        add(&mut groups, group);
                    }
                    (name, Some(open)) => open.close(name),
                    _ => {}
                },
                Node::Text(_) => {}
            }
        }
        while groups.len() > 1 {
            let group = groups.pop().map(grouped);
            add(&mut groups, group);
        }
        Ok((groups.pop().map(|(_, shapes)| shapes).unwrap_or_default(), hidden))
    }

    fn opened(&self, depth: usize) -> Open {
        let story = Story::new(self.limits);
        Open { depth, shape: Shape::default(), story, counters: Counters::default(), paragraphs: 0 }
    }

    fn inside(&mut self, open: &mut Open, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), FileError> {
        match element.name() {
            "off" => open.shape.place = open.shape.place.or(at(element)),
            "ph" => {
                let value = |name| element.attribute(name).unwrap_or_default();
                open.shape.placeholder = Some((value("type"), value("idx")));
            }
            "cNvPr" => {
                let described = drawn::description(&element.attribute("descr").unwrap_or_default());
                open.story.add(described.into_iter().collect());
            }
            "p" => {
                open.paragraphs += 1;
                let role = open.role(&Bullet::default());
                open.story.open_paragraph(role);
            }
            "pPr" => {
                let bullet = Bullet::read(element, xml)?;
                let role = open.role(&bullet);
                open.story.set_role(role);
            }
            "t" => open.story.text(&xml.text()?)?,
            "br" => open.story.text("\n")?,
            "tab" => open.story.text("\t")?,
            "oMath" => open.story.text(&math::linear(xml)?)?,
            // The number of the slide and the date of the day.
            "fld"
                if element.attribute("type").is_some_and(|kind| kind == "slidenum" || kind.starts_with("datetime")) =>
            {
                xml.skip()?;
            }
            "tbl" => open.story.open_table(),
            "tr" => open.story.open_row(),
            "tc" if element.attribute("hMerge").or(element.attribute("vMerge")).is_some_and(|on| on != "0") => {
                xml.skip()?
            }
            "tc" => {
                open.story.open_cell(Default::default());
                open.story.set_span(|span| {
                    span.columns = element.number("gridSpan").unwrap_or(1);
                    span.rows = element.number("rowSpan").unwrap_or(1);
                });
            }
            "chart" | "relIds" => {
                let id = element.prefixed("id").or_else(|| element.prefixed("dm")).unwrap_or_default();
                open.story.add(self.drawings.remove(&id).unwrap_or_default());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Adds a shape to the innermost group. One that says nothing is left out, unless it holds a place (those of a layout).
fn add(groups: &mut [Group], shape: Option<Shape>) {
    let said = shape.filter(|shape| !shape.pieces.is_empty() || shape.placeholder.is_some());
    if let Some((_, shapes)) = groups.last_mut() {
        shapes.extend(said);
    }
}

/// A group as one shape: what belongs together stays together.
fn grouped((place, mut shapes): Group) -> Shape {
    if shapes.iter().all(|shape| shape.place.is_some()) {
        shapes.sort_by_key(Shape::order);
    }
    let place = place.or_else(|| shapes.first().and_then(|shape| shape.place));
    Shape { place, placeholder: None, pieces: shapes.into_iter().flat_map(|shape| shape.pieces).collect() }
}

fn at(element: &Element<'_>) -> Option<(i64, i64)> {
    element.number("y").zip(element.number("x"))
}

impl Open {
    fn close(&mut self, name: &str) {
        match name {
            "p" => self.story.close_paragraph(),
            "tc" => self.story.close_cell(),
            "tbl" => self.story.close_table(),
            _ => {}
        }
    }

    fn finish(self) -> Shape {
        let mut shape = self.shape;
        shape.pieces = self.story.finish();
        // One line with a bullet that nobody sees is no list.
        if let [Piece::Block { kind: kind @ crate::BlockKind::ListItem, text }] = &mut shape.pieces[..]
            && let Some(line) = text.strip_prefix("- ")
        {
            *text = line.to_owned();
            *kind = crate::BlockKind::Paragraph;
        }
        shape
    }

    /// What a paragraph is: the body of a slide is a list unless it says otherwise.
    fn role(&mut self, bullet: &Bullet) -> Role {
        let is_body =
            self.shape.placeholder.as_ref().is_some_and(|(kind, _)| matches!(kind.as_str(), "" | "body" | "obj"));
        let bulleted = bullet.has.unwrap_or(is_body) && !self.story.in_table();
        match &bullet.number {
            _ if !bulleted => Role::default(),
            Some(level) => {
                let mut levels = vec![level.clone(); bullet.level + 1];
                levels[bullet.level].pattern = level.pattern.replace("%1", &format!("%{}", bullet.level + 1));
                let marker = self.counters.next("", &levels, bullet.level);
                Role::item(bullet.level, &marker)
            }
            None => Role::item(bullet.level, ""),
        }
    }
}

/// The bullet of a paragraph.
#[derive(Debug, Default)]
struct Bullet {
    level: usize,
    /// Whether it says that it has one.
    has: Option<bool>,
    number: Option<Level>,
}

impl Bullet {
    /// Reads `a:pPr`.
    fn read(element: &Element<'_>, xml: &mut Xml<'_>) -> Result<Self, FileError> {
        let mut bullet = Self { level: element.number("lvl").unwrap_or(0).min(8), ..Self::default() };
        let outside = xml.depth().saturating_sub(1);
        while xml.depth() > outside {
            let Some(node) = xml.next()? else { break };
            let Node::Open(element) = node else { continue };
            match element.name() {
                "buNone" => bullet.has = Some(false),
                "buChar" | "buBlip" => bullet.has = Some(true),
                "buAutoNum" => {
                    bullet.has = Some(true);
                    let kind = element.attribute("type").unwrap_or_default();
                    bullet.number = Some(numbered(&kind, element.number("startAt").unwrap_or(1)));
                }
                _ => {}
            }
        }
        Ok(bullet)
    }
}

/// `ST_TextAutonumberScheme`: `arabicPeriod`, `alphaLcParenBoth`, `romanUcParenR`, ...
fn numbered(kind: &str, start: u32) -> Level {
    let style = match kind {
        _ if kind.starts_with("alphaLc") => NumberStyle::LowerLetter,
        _ if kind.starts_with("alphaUc") => NumberStyle::UpperLetter,
        _ if kind.starts_with("romanLc") => NumberStyle::LowerRoman,
        _ if kind.starts_with("romanUc") => NumberStyle::UpperRoman,
        _ if kind.starts_with("ea1") => NumberStyle::Ideograph,
        _ => NumberStyle::Decimal,
    };
    let pattern = match kind {
        _ if kind.ends_with("ParenBoth") => "(%1)",
        _ if kind.ends_with("ParenR") => "%1)",
        _ => "%1.",
    };
    Level { style, pattern: pattern.to_owned(), start }
}
