//! The content of texts and slides: paragraphs, headings, lists, tables, frames, notes, annotations. Text that was
//! deleted under tracked changes is left out.

use std::collections::HashMap;

use super::super::drawn;
use super::super::grid::Span;
use super::super::numbering::Counters;
use super::super::story::{self, Piece, Role, Story};
use super::super::word;
use super::super::xml::{Element, Node, Xml};
use super::Parts;
use super::styles::{OUTLINE, Styles};
use crate::block::{BlockKind, TextBuilder};
use crate::error::FileError;
use crate::place::Place;

/// Times that one cell of a table is repeated at most: sheets are filled up to their last column this way.
const MAX_REPEATED: usize = 32;

/// Spaces that one element may stand for.
const MAX_SPACES: usize = 64;

/// An open list.
struct List {
    style: String,
    /// Under which it counts.
    key: String,
    /// Marker of the open item, until its first paragraph has taken it.
    marker: Option<String>,
}

/// The slide that is open.
#[derive(Default)]
struct Slide {
    number: u32,
    title: String,
    body: Vec<Piece>,
    notes: Vec<Piece>,
    /// Depth of the open frame that has a role of its own, and the role.
    frame: Option<(usize, String)>,
    in_notes: bool,
}

/// Reads content.
pub(super) struct Content<'c> {
    parts: &'c Parts<'c>,
    styles: &'c Styles,
    story: Story,
    counters: Counters,
    lists: Vec<List>,
    /// Lists opened so far, and under which key each style counted last.
    opened: usize,
    keys: HashMap<String, String>,
    /// Paragraphs that are open: text outside of them is layout of the XML.
    paragraphs: usize,
    slide: Option<Slide>,
    /// Depth of the element that ends the reading.
    notes: usize,
}

impl<'c> Content<'c> {
    pub(super) fn new(parts: &'c Parts<'c>, styles: &'c Styles) -> Self {
        Self {
            parts,
            styles,
            story: Story::new(parts.limits),
            counters: Counters::default(),
            lists: Vec::new(),
            opened: 0,
            keys: HashMap::new(),
            paragraphs: 0,
            slide: None,
            notes: 0,
        }
    }

    /// Reads the element that was opened last to its end.
    pub(super) fn read(&mut self, xml: &mut Xml<'_>, builder: &mut TextBuilder) -> Result<(), FileError> {
        let outside = xml.depth().saturating_sub(1);
        while xml.depth() > outside {
            let Some(node) = xml.next()? else { break };
            match node {
                Node::Open(element) if element.name() == "page" => self.open_slide(&element, builder),
                Node::Open(element) => self.open(&element, xml)?,
                Node::Close(closed) if closed.name() == "page" => self.close_slide(builder)?,
                Node::Close(closed) => self.close(closed.name(), xml.depth() + 1),
                Node::Text(text) => self.text(&text)?,
            }
        }
        story::tell(builder, self.take());
        Ok(())
    }

    /// Text of a paragraph: white space is one space, as OpenDocument has it.
    fn text(&mut self, text: &str) -> Result<(), FileError> {
        if self.paragraphs == 0 {
            return Ok(());
        }
        let mut plain = String::with_capacity(text.len());
        let mut blank = self.story.open_text().ends_with([' ', '\n']) || self.story.open_text().is_empty();
        for character in text.chars() {
            let is_blank = matches!(character, ' ' | '\n' | '\t' | '\r');
            if !is_blank {
                plain.push(character);
            } else if !blank {
                plain.push(' ');
            }
            blank = is_blank;
        }
        self.story.text(&plain)
    }

    fn open(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), FileError> {
        match element.name() {
            "p" => {
                let role = self.paragraph(element);
                self.story.open_paragraph(role);
                self.paragraphs += 1;
            }
            "h" => {
                let role = self.heading(element);
                self.story.open_paragraph(role);
                self.paragraphs += 1;
            }
            "list" => self.open_list(element),
            "list-item" => self.start_item(element),
            "table" => self.story.open_table(),
            "table-row" => self.story.open_row(),
            "table-cell" => {
                let number = |name| element.number::<usize>(name).unwrap_or(1);
                let columns = number("number-columns-spanned").max(number("number-columns-repeated").min(MAX_REPEATED));
                self.story.open_cell(Span { columns, rows: number("number-rows-spanned"), continues: false });
            }
            "note-body" => self.story.open_aside(&format!("[{}] ", self.notes)),
            "text-box" if self.paragraphs > 0 => self.story.open_aside(""),
            "frame" | "custom-shape" | "g" => self.open_frame(element, xml.depth()),
            "notes" => self.open_notes(),
            "annotation" => self.annotation(xml)?,
            "object" => self.object(element),
            "tracked-changes" | "ruby-text" | "page-number" | "forms" | "shapes" | "covered-table-cell"
            | "sequence-decls" | "binary-data" | "event-listeners" | "tab-stops" => xml.skip()?,
            name => return self.inline(name, element, xml),
        }
        Ok(())
    }

    fn inline(&mut self, name: &str, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), FileError> {
        match name {
            "s" => {
                let count = element.number::<usize>("c").unwrap_or(1).min(MAX_SPACES);
                self.story.text(&" ".repeat(count))
            }
            "tab" => self.story.text("\t"),
            "line-break" => self.story.text("\n"),
            "note-citation" => {
                xml.skip()?;
                self.notes += 1;
                self.story.text(&format!("[{}]", self.notes))
            }
            // What a picture shows.
            "desc" => {
                let shown = xml.text()?;
                self.story.add(drawn::description(&shown).into_iter().collect());
                Ok(())
            }
            "title" => xml.skip(),
            _ => Ok(()),
        }
    }

    fn close(&mut self, name: &str, depth: usize) {
        match name {
            "p" | "h" => {
                self.story.close_paragraph();
                self.paragraphs = self.paragraphs.saturating_sub(1);
            }
            "list" => drop(self.lists.pop()),
            "table" => self.story.close_table(),
            "table-cell" => self.story.close_cell(),
            "note-body" => self.story.close_aside(),
            "text-box" if self.paragraphs > 0 => self.story.close_aside(),
            "notes" => {
                let pieces = if self.slide.is_some() { self.take() } else { Vec::new() };
                self.slide.iter_mut().for_each(|slide| {
                    slide.in_notes = false;
                    slide.notes.extend(pieces.clone());
                });
            }
            "frame" | "custom-shape" | "g" => self.close_frame(depth),
            _ => {}
        }
    }

    /// What was told since the last taking.
    fn take(&mut self) -> Vec<Piece> {
        std::mem::replace(&mut self.story, Story::new(self.parts.limits)).finish()
    }

    fn paragraph(&mut self, element: &Element<'_>) -> Role {
        let style = element.attribute("style-name").unwrap_or_default();
        let name = self.styles.names(&style).find(|name| word::meaning_by_name(name).is_some());
        if let Some(role) = name.and_then(|name| word::meaning_by_name(&name)) {
            return role;
        }
        let depth = self.lists.len();
        let Some(list) = self.lists.last_mut() else { return Role::default() };
        match list.marker.take() {
            Some(marker) => Role::item(depth - 1, &marker),
            // A further paragraph of an item.
            None => Role { kind: BlockKind::ListItem, prefix: "  ".repeat(depth.min(8)) },
        }
    }

    fn heading(&mut self, element: &Element<'_>) -> Role {
        let level = element.number::<usize>("outline-level").unwrap_or(1).max(1);
        let marker = self.lists.last_mut().and_then(|list| list.marker.take());
        let in_header = element.attribute("is-list-header").is_some_and(|value| value == "true");
        let marker = marker.or_else(|| {
            let levels = self.styles.list(OUTLINE).filter(|_| !in_header)?;
            Some(self.counters.next(OUTLINE, levels, level - 1))
        });
        let number = marker.filter(|marker| !marker.is_empty() && marker != "-").map(|marker| format!("{marker} "));
        Role { prefix: number.unwrap_or_default(), ..Role::heading(level) }
    }

    fn open_list(&mut self, element: &Element<'_>) {
        let outer = self.lists.last().map(|list| (list.style.clone(), list.key.clone()));
        let style =
            element.attribute("style-name").or(outer.as_ref().map(|(style, _)| style.clone())).unwrap_or_default();
        self.opened += 1;
        let goes_on = element.attribute("continue-numbering").is_some_and(|value| value == "true")
            || element.attribute("continue-list").is_some();
        let before = self.keys.get(&style).filter(|_| goes_on).cloned();
        let key = outer.map(|(_, key)| key).or(before).unwrap_or_else(|| format!("list {}", self.opened));
        self.keys.insert(style.clone(), key.clone());
        self.lists.push(List { style, key, marker: None });
    }

    fn start_item(&mut self, element: &Element<'_>) {
        let level = self.lists.len().saturating_sub(1);
        let Some(list) = self.lists.last_mut() else { return };
        let mut levels = self.styles.list(&list.style).unwrap_or_default().to_vec();
        if let (Some(start), Some(own)) = (element.number("start-value"), levels.get_mut(level)) {
            own.start = start;
            self.counters.restart(&list.key);
        }
        list.marker = Some(self.counters.next(&list.key, &levels, level));
    }

    fn annotation(&mut self, xml: &mut Xml<'_>) -> Result<(), FileError> {
        let comment = comment(xml)?;
        self.story.add(comment.map(|text| Piece::Block { kind: BlockKind::Paragraph, text }).into_iter().collect());
        Ok(())
    }

    /// A formula or chart from its own part.
    fn object(&mut self, element: &Element<'_>) {
        let name = element.attribute("href").unwrap_or_default();
        let name = name.trim_start_matches("./").trim_end_matches('/').to_lowercase();
        if let Some(text) = self.parts.objects.get(&name).filter(|text| !text.is_empty()) {
            self.story.add(vec![Piece::Block { kind: BlockKind::Paragraph, text: text.clone() }]);
        }
    }

    fn open_slide(&mut self, element: &Element<'_>, builder: &mut TextBuilder) {
        let number = builder.place.as_ref().and_then(Place::number).unwrap_or(0) + 1;
        builder.place = Some(if self.parts.format == super::ODP { Place::Slide(number) } else { Place::Page(number) });
        if element.attribute("style-name").is_some_and(|style| self.styles.hides(&style)) {
            builder.warnings.push(format!("slide {number} is hidden"));
        }
        self.slide = Some(Slide { number, ..Slide::default() });
    }

    fn close_slide(&mut self, builder: &mut TextBuilder) -> Result<(), FileError> {
        let rest = self.take();
        let Some(slide) = self.slide.take() else { return Ok(()) };
        let mut body = slide.body;
        body.extend(rest);
        let notes = story::running_text(&slide.notes);
        if slide.title.is_empty() && body.is_empty() && notes.is_empty() {
            return Ok(());
        }
        let title = if slide.title.is_empty() { format!("Slide {}", slide.number) } else { slide.title };
        builder.push(BlockKind::Heading { level: 1 }, &title, story::NO_LINES);
        story::tell(builder, body);
        if !notes.is_empty() {
            builder.push(BlockKind::Paragraph, &format!("Notes: {notes}"), story::NO_LINES);
        }
        let limit = self.parts.limits.max_text;
        if builder.len() as u64 > limit {
            return Err(FileError::Limit { what: format!("more than {} MiB of text", limit >> 20) });
        }
        Ok(())
    }

    fn open_notes(&mut self) {
        let told = if self.slide.is_some() { self.take() } else { Vec::new() };
        if let Some(slide) = &mut self.slide {
            slide.in_notes = true;
            slide.body.extend(told);
        }
    }

    /// Frames of a slide can be its title, or say what is on every slide.
    fn open_frame(&mut self, element: &Element<'_>, depth: usize) {
        let Some(slide) = &mut self.slide else { return };
        let role = element.attribute("class").unwrap_or_default();
        if slide.frame.is_none() && matches!(role.as_str(), "title" | "page-number" | "date-time" | "footer" | "header")
        {
            slide.frame = Some((depth, role));
            self.story.open_aside("");
        }
    }

    fn close_frame(&mut self, depth: usize) {
        let is_open =
            self.slide.as_ref().and_then(|slide| slide.frame.as_ref()).is_some_and(|(open, _)| *open == depth);
        if !is_open {
            return;
        }
        let pieces = self.story.take_aside();
        let Some(slide) = &mut self.slide else { return };
        let Some((_, role)) = slide.frame.take() else { return };
        if role == "title" && !slide.in_notes && slide.title.is_empty() {
            slide.title = story::running_text(&pieces).split_whitespace().collect::<Vec<_>>().join(" ");
        } else if role == "title" {
            self.story.add(pieces);
        }
    }
}

/// Reads an annotation that was opened last.
pub(super) fn comment(xml: &mut Xml<'_>) -> Result<Option<String>, FileError> {
    let outside = xml.depth().saturating_sub(1);
    let (mut author, mut date, mut text) = (None, None, String::new());
    while xml.depth() > outside {
        match xml.next()? {
            Some(Node::Open(element)) => match element.name() {
                "creator" => author = Some(xml.text()?),
                "date" => date = Some(xml.text()?),
                "date-string" | "creator-initials" | "sender-initials" => xml.skip()?,
                _ => {}
            },
            Some(Node::Text(more)) => text.push_str(&more),
            Some(Node::Close(closed)) if closed.name() == "p" => text.push('\n'),
            Some(Node::Close(_)) => {}
            None => break,
        }
    }
    Ok((!text.trim().is_empty()).then(|| drawn::comment(author.as_deref(), date.as_deref(), &text)))
}

/// An embedded object in words: the formula as it was typed, or the texts of a chart.
pub(super) fn object(text: &str, format: &'static str) -> Result<String, FileError> {
    let mut typed = None;
    let mut tokens = Vec::new();
    let mut xml = Xml::new(text, format);
    while let Some(node) = xml.next()? {
        match node {
            Node::Open(element) if element.name() == "annotation" => typed = Some(xml.text()?),
            Node::Open(element) if matches!(element.name(), "p" | "mi" | "mn" | "mo" | "mtext") => {
                tokens.push(xml.text()?)
            }
            _ => {}
        }
    }
    Ok(typed.unwrap_or_else(|| tokens.join(" ")).trim().to_owned())
}

/// Headers and footers of a text's pages, each text once.
pub(super) fn margins(parts: &Parts<'_>, styles: &Styles) -> Result<Vec<Piece>, FileError> {
    let mut out: Vec<Piece> = Vec::new();
    let mut content = Content::new(parts, styles);
    let mut masters = 0usize;
    let mut open = 0usize;
    let mut xml = Xml::new(parts.styles, parts.format.name);
    while let Some(node) = xml.next()? {
        match node {
            Node::Open(element) => match element.name() {
                "body" | "automatic-styles" | "styles" => xml.skip()?,
                "master-page" => masters += 1,
                "header" | "footer" | "header-first" | "footer-first" | "header-left" | "footer-left" => open += 1,
                _ if open > 0 && masters > 0 => content.open(&element, &mut xml)?,
                _ => {}
            },
            Node::Close(closed) => match closed.name() {
                "header" | "footer" | "header-first" | "footer-first" | "header-left" | "footer-left" => {
                    open = open.saturating_sub(1);
                }
                "master-page" => masters = masters.saturating_sub(1),
                name if open > 0 => content.close(name, xml.depth() + 1),
                _ => {}
            },
            Node::Text(text) if open > 0 => content.text(&text)?,
            Node::Text(_) => {}
        }
    }
    for piece in content.take() {
        let says_something = story::running_text(std::slice::from_ref(&piece)).chars().any(char::is_alphabetic);
        if says_something && !out.contains(&piece) {
            out.push(piece);
        }
    }
    Ok(out)
}
