//! PPTX and its kin (ECMA-376 part 1, PresentationML): slide by slide in the order they are shown, each with its number
//! as page: title as heading, shapes from top to bottom, tables, charts, then its notes and comments.
//!
//! A reader of our own for the reasons given in `word`; besides, the libraries compared lose the numbers of slides or
//! the text of charts.

mod shapes;

use std::collections::{BTreeSet, HashMap};

use shapes::{Shape, Shapes};

use super::drawn;
use super::package::Package;
use super::properties;
use super::relations::Relations;
use super::story::{self, Piece};
use super::xml::{Node, Xml};
use crate::Format;
use crate::block::{BlockKind, Missing, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::place::Place;

pub(crate) const FORMAT: &Format = Format::of("pptx");

/// Most slides of a file.
const MAX_SLIDES: usize = 5_000;

/// Reads a package whose main part is a presentation.
pub(crate) fn read(package: &mut Package<'_>, main: &str) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    let declared = properties::read(package, &mut builder)?;
    let relations = Relations::of(package, main)?;
    let slides = slides(&package.required(main)?, package.format, &relations)?;
    let mut deck = Deck { authors: authors(package, &relations)?, ..Deck::default() };
    for (index, part) in slides.iter().enumerate().take(MAX_SLIDES) {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        builder.place = Some(Place::Slide(number));
        match deck.slide(package, part) {
            Ok(slide) => {
                if slide.hidden {
                    builder.warnings.push(format!("slide {number} is hidden"));
                }
                tell(&mut builder, slide, number);
            }
            Err(FileError::Damaged { reason, .. }) => {
                builder.missing.push(Missing { part: format!("slide {number}"), reason });
            }
            Err(other) => return Err(other),
        }
        if builder.len() as u64 > package.limits.max_text {
            return Err(FileError::Limit { what: format!("more than {} MiB of text", package.limits.max_text >> 20) });
        }
    }
    if slides.len() > MAX_SLIDES {
        let part = format!("slides {} to {}", MAX_SLIDES + 1, slides.len());
        builder.missing.push(Missing { part, reason: format!("only the first {MAX_SLIDES} slides are read") });
    }
    let unread = !builder.missing.is_empty() && builder.len() == 0;
    if let Some(missing) = builder.missing.first().filter(|_| unread) {
        return Err(FileError::damaged(package.format, format!("{}: {}", missing.part, missing.reason)));
    }
    Ok(properties::finish(builder, FORMAT, declared))
}

/// What one slide says.
struct Slide {
    title: String,
    body: Vec<Piece>,
    notes: String,
    comments: Vec<String>,
    hidden: bool,
}

fn tell(builder: &mut TextBuilder, slide: Slide, number: u32) {
    let says_nothing = slide.body.is_empty() && slide.notes.is_empty() && slide.comments.is_empty();
    if slide.title.is_empty() && says_nothing {
        return;
    }
    // Without a heading of its own, a slide would stand under that of the slide before.
    let title = if slide.title.is_empty() { format!("Slide {number}") } else { slide.title };
    builder.push(BlockKind::Heading { level: 1 }, &title, story::NO_LINES);
    story::tell(builder, slide.body);
    if !slide.notes.is_empty() {
        builder.push(BlockKind::Paragraph, &format!("Notes: {}", slide.notes), story::NO_LINES);
    }
    for comment in slide.comments {
        builder.push(BlockKind::Paragraph, &comment, story::NO_LINES);
    }
}

/// The parts of the slides in the order they are shown.
fn slides(text: &str, format: &'static str, relations: &Relations) -> Result<Vec<String>, FileError> {
    let mut slides = Vec::new();
    let mut xml = Xml::new(text, format);
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        if element.name() == "sldId" {
            let id = element.prefixed("id").unwrap_or_default();
            slides.extend(relations.part(&id).map(str::to_owned));
        }
    }
    Ok(slides)
}

/// Names of those who commented, by id.
fn authors(package: &mut Package<'_>, relations: &Relations) -> Result<HashMap<String, String>, FileError> {
    let mut authors = HashMap::new();
    for part in relations.of_kind("commentAuthors").into_iter().chain(relations.of_kind("authors")) {
        let Some(text) = package.xml(&part)? else { continue };
        let mut xml = Xml::new(&text, package.format);
        // Comments can be read without their authors.
        while let Ok(Some(node)) = xml.next() {
            let Node::Open(element) = node else { continue };
            authors.extend(element.attribute("id").zip(element.attribute("name")));
        }
    }
    Ok(authors)
}

/// What slides share.
#[derive(Default)]
struct Deck {
    authors: HashMap<String, String>,
    /// Shapes of layouts and masters, by part: slides take places from them.
    layouts: HashMap<String, Vec<Shape>>,
    /// Footers seen: the same one is on every slide.
    footers: BTreeSet<String>,
}

impl Deck {
    fn slide(&mut self, package: &mut Package<'_>, part: &str) -> Result<Slide, FileError> {
        let text = package.required(part)?;
        let relations = Relations::of(package, part)?;
        let mut drawings = HashMap::new();
        for (id, kind, part) in relations.drawn() {
            let Some(text) = package.xml(&part)? else { continue };
            // A drawing that cannot be read costs itself alone.
            let pieces = drawn::read(&text, package.format, &kind, package.limits);
            drawings.extend(pieces.ok().map(|pieces| (id, pieces)));
        }
        let shapes = Shapes { format: package.format, limits: package.limits, drawings };
        let (mut read, hidden) = shapes.read(&text)?;
        if read.iter().any(|shape| shape.place.is_none()) {
            self.place(package, &relations, &mut read)?;
        }
        let notes = notes(package, &relations)?;
        let comments = self.comments(package, &relations)?;
        let (title, body) = self.arranged(read);
        Ok(Slide { title, body, notes, comments, hidden })
    }

    /// Title and body in reading order: from top to bottom, where every shape's place is known.
    fn arranged(&mut self, mut shapes: Vec<Shape>) -> (String, Vec<Piece>) {
        if shapes.iter().all(|shape| shape.place.is_some() || shape.is_title()) {
            shapes.sort_by_key(Shape::order);
        }
        let mut titles: Vec<String> = Vec::new();
        let mut body = Vec::new();
        for shape in shapes {
            let text = story::running_text(&shape.pieces);
            match shape.placeholder.as_ref().map_or("", |(kind, _)| kind.as_str()) {
                "title" | "ctrTitle" if !text.is_empty() => {
                    titles.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
                }
                "sldNum" | "dt" => {}
                "ftr" | "hdr" if !self.footers.insert(text.clone()) => {}
                _ => body.extend(shape.pieces),
            }
        }
        (titles.join(" "), body)
    }

    /// Gives placeholders the place that the layout, or its master, gives them.
    fn place(
        &mut self,
        package: &mut Package<'_>,
        relations: &Relations,
        shapes: &mut [Shape],
    ) -> Result<(), FileError> {
        let Some(layout) = relations.of_kind("slideLayout").into_iter().next() else { return Ok(()) };
        let master = Relations::of(package, &layout)?.of_kind("slideMaster").into_iter().next();
        for part in [Some(layout), master].into_iter().flatten() {
            if !self.layouts.contains_key(&part) {
                let read = package.xml(&part)?.and_then(|text| {
                    let shapes = Shapes { format: package.format, limits: package.limits, drawings: HashMap::new() };
                    shapes.read(&text).ok()
                });
                self.layouts.insert(part.clone(), read.map(|(shapes, _)| shapes).unwrap_or_default());
            }
            let layout = &self.layouts[&part];
            for shape in shapes.iter_mut().filter(|shape| shape.place.is_none()) {
                let Some((kind, index)) = &shape.placeholder else { continue };
                let by = |same: &dyn Fn(&(String, String)) -> bool| {
                    layout
                        .iter()
                        .find(|shape| shape.placeholder.as_ref().is_some_and(same))
                        .and_then(|shape| shape.place)
                };
                shape.place =
                    by(&|(_, other)| !index.is_empty() && other == index).or_else(|| by(&|(other, _)| other == kind));
            }
        }
        Ok(())
    }

    fn comments(&self, package: &mut Package<'_>, relations: &Relations) -> Result<Vec<String>, FileError> {
        let mut out = Vec::new();
        for part in relations.of_kind("comments") {
            let Some(text) = package.xml(&part)? else { continue };
            let mut xml = Xml::new(&text, package.format);
            let (mut made, mut comment) = ((None, None), String::new());
            while let Some(node) = xml.next()? {
                match node {
                    Node::Open(element) => match element.name() {
                        "cm" | "reply" => {
                            self.push_comment(&mut out, made, &mut comment);
                            let date = element.attribute("created").or(element.attribute("dt"));
                            made = (element.attribute("authorId"), date);
                        }
                        "t" | "text" => comment.push_str(&xml.text()?),
                        _ => {}
                    },
                    Node::Close(closed) if closed.name() == "p" => comment.push('\n'),
                    _ => {}
                }
            }
            self.push_comment(&mut out, made, &mut comment);
        }
        Ok(out)
    }

    /// Adds a comment with the id of who made it and when.
    fn push_comment(&self, out: &mut Vec<String>, made: (Option<String>, Option<String>), comment: &mut String) {
        if !comment.trim().is_empty() {
            let author = made.0.and_then(|author| self.authors.get(&author));
            out.push(drawn::comment(author.map(String::as_str), made.1.as_deref(), comment));
        }
        comment.clear();
    }
}

/// What the speaker is to say.
fn notes(package: &mut Package<'_>, relations: &Relations) -> Result<String, FileError> {
    let mut out = String::new();
    for part in relations.of_kind("notesSlide") {
        let Some(text) = package.xml(&part)? else { continue };
        let shapes = Shapes { format: package.format, limits: package.limits, drawings: HashMap::new() };
        let (shapes, _) = shapes.read(&text)?;
        let is_note = |shape: &&Shape| shape.placeholder.as_ref().is_some_and(|(kind, _)| kind == "body");
        for shape in shapes.iter().filter(is_note) {
            out.push_str(&story::running_text(&shape.pieces));
            out.push('\n');
        }
    }
    Ok(out.trim().to_owned())
}

#[cfg(test)]
mod tests;
