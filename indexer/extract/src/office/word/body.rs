//! The flow of a Word document (body, note, header): paragraphs with their properties, runs, tables, text boxes, fields,
//! content controls, tracked changes (what was inserted is read, what was deleted is not) and equations.

use super::super::math;
use super::super::numbering::Counters;
use super::super::story::{Piece, Role, Story};
use super::super::xml::{Element, Node, Xml};
use super::notes::Notes;
use super::numbering::Numbering;
use super::styles::{Meaning, Styles};
use super::symbols;
use crate::block::BlockKind;
use crate::error::FileError;
use crate::input::ExtractLimits;

/// What every flow of a document shares.
pub(super) struct Context<'c> {
    pub(super) styles: &'c Styles,
    pub(super) numbering: &'c Numbering,
    pub(super) limits: &'c ExtractLimits,
}

/// Properties of the open paragraph.
#[derive(Debug, Default)]
struct Paragraph {
    style: Option<String>,
    outline: Option<usize>,
    list: Option<String>,
    level: Option<usize>,
    /// Its mark was deleted: it goes on in the next one.
    goes_on: bool,
    /// Something may be behind its text: a shade of its own, or of its style.
    is_shaded: bool,
}

/// An open field.
#[derive(Debug, Default)]
struct Field {
    /// Whether its instruction is being read.
    in_instruction: bool,
    /// What was chosen in a form; shown where no result is kept.
    choice: Option<String>,
    has_result: bool,
}

/// Reads one flow.
pub(super) struct Reading<'c> {
    context: &'c Context<'c>,
    notes: &'c Notes,
    story: Story,
    counters: Counters,
    /// Texts of charts and diagrams, by the relation that draws each.
    pub(super) diagrams: Vec<(String, Vec<Piece>)>,
    /// Numbers given to footnotes and endnotes.
    references: usize,
    /// Documents inserted as they are (`w:altChunk`), by the relation of each.
    pub(super) chunks: Vec<(String, Vec<Piece>)>,
    fields: Vec<Field>,
    /// Whether the paragraph that was read last goes on in the next.
    goes_on: bool,
    /// Whether an equation was the last that was said.
    after_equation: bool,
    /// Properties of the open run.
    run: Run,
    /// Whether white may be seen in the open paragraph, and anywhere.
    is_shaded: bool,
    has_background: bool,
    /// Whether all text of the paragraph so far is set in a typewriter face; `None` without text.
    monospaced: Option<bool>,
}

impl<'c> Reading<'c> {
    pub(super) fn new(context: &'c Context<'c>, notes: &'c Notes) -> Self {
        Self {
            context,
            notes,
            story: Story::new(context.limits),
            counters: Counters::default(),
            diagrams: Vec::new(),
            chunks: Vec::new(),
            references: 0,
            fields: Vec::new(),
            goes_on: false,
            after_equation: false,
            run: Run::default(),
            is_shaded: false,
            has_background: false,
            monospaced: None,
        }
    }

    /// Reads a whole part.
    pub(super) fn read(&mut self, text: &str, format: &'static str) -> Result<(), FileError> {
        let mut xml = Xml::new(text, format);
        while let Some(node) = xml.next()? {
            self.node(node, &mut xml)?;
        }
        Ok(())
    }

    /// Reads what lies below the element that was opened last.
    pub(super) fn element(&mut self, xml: &mut Xml<'_>) -> Result<(), FileError> {
        let outside = xml.depth().saturating_sub(1);
        while xml.depth() > outside {
            let Some(node) = xml.next()? else { break };
            self.node(node, xml)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Piece> {
        self.story.finish()
    }

    fn node(&mut self, node: Node<'_>, xml: &mut Xml<'_>) -> Result<(), FileError> {
        match node {
            Node::Open(element) => self.open(&element, xml),
            Node::Close(closed) => {
                self.close(closed.name());
                Ok(())
            }
            // Text stands in `w:t` alone; what is between elements is layout of the XML.
            Node::Text(_) => Ok(()),
        }
    }

    fn open(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), FileError> {
        match element.name() {
            "p" => {
                self.monospaced = None;
                self.is_shaded = false;
                self.after_equation = false;
                if !std::mem::take(&mut self.goes_on) {
                    self.story.open_paragraph(Role::default());
                }
            }
            "pPr" => {
                let properties = properties(xml)?;
                self.goes_on = properties.goes_on;
                self.is_shaded = properties.is_shaded || properties.style.is_some();
                // Where it goes on decides what it is: the mark that is left holds the properties.
                if !self.goes_on {
                    let role = self.role(properties);
                    self.story.set_role(role);
                }
            }
            "background" => self.has_background = true,
            "r" => self.run = Run::default(),
            "rPr" => self.run = run(xml)?,
            "tbl" => {
                self.end_joining();
                self.story.open_table();
            }
            "tr" => self.story.open_row(),
            "tc" => self.story.open_cell(Default::default()),
            "gridSpan" => self.story.set_span(|span| span.columns = element.number("val").unwrap_or(1)),
            "vMerge" => {
                let continues = element.attribute("val").is_none_or(|value| value != "restart");
                self.story.set_span(|span| span.continues = continues);
            }
            "txbxContent" => self.story.open_aside(""),
            "docPr" => self.picture(element),
            // WordArt, and the words of a watermark.
            "textpath" => {
                let words = element.attribute("string").filter(|words| !words.trim().is_empty());
                self.story.add(words.map(Piece::paragraph).into_iter().collect());
            }
            "ddList" | "checkBox" => {
                let choice = choice(element.name() == "checkBox", xml)?;
                self.fields.last_mut().into_iter().for_each(|field| field.choice.clone_from(&choice));
            }
            "altChunk" => {
                self.end_joining();
                let id = element.prefixed("id").unwrap_or_default();
                let chunk = self.chunks.iter().find(|(of, _)| *of == id).map(|(_, pieces)| pieces.clone());
                self.story.add(chunk.unwrap_or_default());
            }
            // What a change was before it: deleted and moved text, former properties.
            "del" | "moveFrom" | "pPrChange" | "rPrChange" | "tblPrChange" | "tcPrChange" | "trPrChange"
            | "sectPrChange" | "sdtPr" | "tblGrid" | "instrText" | "delText" | "rt" | "sectPr" => xml.skip()?,
            "oMath" => {
                let text = math::linear(xml)?;
                // Equations in a row stand on lines of their own.
                let apart = if self.after_equation { "\n" } else { "" };
                self.after_equation = true;
                self.say(apart)?;
                self.say(&text)?;
            }
            "chart" | "relIds" => self.diagram(element),
            name => return self.inline(name, element, xml),
        }
        Ok(())
    }

    /// What stands within a run.
    fn inline(&mut self, name: &str, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), FileError> {
        match name {
            "t" => {
                let text = xml.text()?;
                self.after_equation = false;
                self.monospaced = Some(self.monospaced.unwrap_or(true) && self.run.monospaced);
                self.say(&text)
            }
            "tab" | "ptab" => self.say("\t"),
            "br" | "cr" => self.say("\n"),
            "noBreakHyphen" => self.say("-"),
            "sym" => {
                let (font, code) = (element.attribute("font"), element.attribute("char"));
                let shown = symbols::shown(&font.unwrap_or_default(), &code.unwrap_or_default());
                self.say(&shown.map(String::from).unwrap_or_default())
            }
            "fldChar" => {
                match element.attribute("fldCharType").as_deref() {
                    Some("begin") => self.fields.push(Field { in_instruction: true, ..Field::default() }),
                    Some("separate") => {
                        self.fields.last_mut().into_iter().for_each(|field| field.in_instruction = false);
                    }
                    Some("end") => {
                        let chosen = self.fields.pop().filter(|field| !field.has_result).and_then(|field| field.choice);
                        return self.say(&chosen.unwrap_or_default());
                    }
                    _ => {}
                }
                Ok(())
            }
            "footnoteReference" => self.reference("footnotes", element),
            "endnoteReference" => self.reference("endnotes", element),
            "commentReference" => {
                let id = element.attribute("id").unwrap_or_default();
                self.story.add(self.notes.piece("comments", &id, "").into_iter().collect());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => self.close_paragraph(),
            "tc" => {
                self.end_joining();
                self.story.close_cell();
            }
            "tbl" => self.story.close_table(),
            "txbxContent" => {
                self.end_joining();
                self.story.close_aside();
            }
            "r" => self.run = Run::default(),
            _ => {}
        }
    }

    /// A paragraph that should go on and has nothing to go on in.
    fn end_joining(&mut self) {
        if std::mem::take(&mut self.goes_on) {
            self.story.close_paragraph();
        }
    }

    /// Closes a paragraph; one that is set like code and looks like it is code, whatever its style.
    fn close_paragraph(&mut self) {
        if self.goes_on && self.story.in_paragraph() {
            return;
        }
        let is_plain = self.story.open_role().is_some_and(|role| role.kind == BlockKind::Paragraph);
        if is_plain
            && self.monospaced == Some(true)
            && looks_like_code(self.story.open_text())
            && !self.story.in_table()
        {
            self.story.set_role(Role::code());
        }
        self.monospaced = None;
        self.story.close_paragraph();
    }

    /// Whether nobody sees the open run: it is hidden, too small, or white on white paper.
    fn is_unseen(&self) -> bool {
        let is_on_paper = !self.is_shaded && !self.has_background && self.story.is_on_paper();
        self.run.hidden || self.run.is_white && is_on_paper
    }

    fn say(&mut self, text: &str) -> Result<(), FileError> {
        if self.is_unseen() || self.fields.last().is_some_and(|field| field.in_instruction) {
            return Ok(());
        }
        if let Some(field) = self.fields.last_mut() {
            field.has_result |= !text.trim().is_empty();
        }
        self.story.text(text)
    }

    fn reference(&mut self, kind: &'static str, element: &Element<'_>) -> Result<(), FileError> {
        let id = element.attribute("id").unwrap_or_default();
        let label = format!("[{}]", self.references + 1);
        if let Some(note) = self.notes.piece(kind, &id, &format!("{label} ")) {
            self.references += 1;
            self.say(&label)?;
            self.story.add(vec![note]);
        }
        Ok(())
    }

    /// What a picture's author says it shows.
    fn picture(&mut self, element: &Element<'_>) {
        let shown = element.attribute("descr").unwrap_or_default();
        self.story.add(super::super::drawn::description(&shown).into_iter().collect());
    }

    fn diagram(&mut self, element: &Element<'_>) {
        let id = element.prefixed("id").or_else(|| element.prefixed("dm")).unwrap_or_default();
        if let Some(at) = self.diagrams.iter().position(|(of, _)| *of == id) {
            let (_, pieces) = self.diagrams.swap_remove(at);
            self.story.add(pieces);
        }
    }

    /// What a paragraph with these properties is.
    fn role(&mut self, paragraph: Paragraph) -> Role {
        let style = paragraph.style.as_deref();
        let own = paragraph.outline.map(|level| (level < 9).then_some(Meaning::Heading(level + 1)));
        let meaning = own.unwrap_or_else(|| style.and_then(|style| self.context.styles.meaning(style)));
        let of_style = style.and_then(|style| self.context.styles.list(style));
        let list = paragraph.list.as_deref().or(of_style.map(|(list, _)| list)).filter(|&list| list != "0");
        let level = paragraph.level.or(of_style.map(|(_, level)| level)).unwrap_or(0);
        let marker = list.and_then(|list| self.context.numbering.list(list)).map(|(key, levels)| {
            let marker = self.counters.next(&key, &levels, level);
            (marker, level)
        });
        match (meaning, marker) {
            (Some(Meaning::Heading(level)), marker) => {
                let number = marker.map(|(marker, _)| marker).filter(|marker| !marker.is_empty() && marker != "-");
                let prefix = number.map(|number| format!("{number} ")).unwrap_or_default();
                Role { prefix, ..Role::heading(level) }
            }
            (Some(Meaning::Code), _) => Role::code(),
            (_, Some((marker, level))) if !marker.is_empty() => Role::item(level, &marker),
            (Some(Meaning::Quote), _) => Role { kind: BlockKind::Quote, prefix: String::new() },
            _ => Role::default(),
        }
    }
}

/// Reads `w:pPr`.
fn properties(xml: &mut Xml<'_>) -> Result<Paragraph, FileError> {
    let outside = xml.depth().saturating_sub(1);
    let mut paragraph = Paragraph::default();
    while xml.depth() > outside {
        let Some(node) = xml.next()? else { break };
        let Node::Open(element) = node else { continue };
        match element.name() {
            "pStyle" => paragraph.style = element.attribute("val"),
            "outlineLvl" => paragraph.outline = element.number("val"),
            "numId" => paragraph.list = element.attribute("val"),
            "ilvl" => paragraph.level = element.number("val"),
            "shd" => paragraph.is_shaded = true,
            // Of the mark: that it was deleted, or moved away with its text.
            "del" | "moveFrom" => paragraph.goes_on = true,
            "rPrChange" | "pPrChange" | "sectPr" => xml.skip()?,
            _ => {}
        }
    }
    Ok(paragraph)
}

/// What was chosen in a list of a form, or whether its box is ticked.
fn choice(is_box: bool, xml: &mut Xml<'_>) -> Result<Option<String>, FileError> {
    let outside = xml.depth().saturating_sub(1);
    let mut entries = Vec::new();
    let (mut result, mut default, mut ticked) = (None, 0, false);
    while xml.depth() > outside {
        let Some(node) = xml.next()? else { break };
        let Node::Open(element) = node else { continue };
        match element.name() {
            "listEntry" => entries.push(element.attribute("val").unwrap_or_default()),
            "result" => result = element.number("val"),
            "default" if is_box => ticked = element.is_on(),
            "default" => default = element.number("val").unwrap_or(0),
            "checked" => ticked = element.is_on(),
            _ => {}
        }
    }
    if is_box {
        return Ok(Some(if ticked { "☒" } else { "☐" }.to_owned()));
    }
    let at: usize = result.unwrap_or(default);
    Ok((at < entries.len()).then(|| entries.swap_remove(at)))
}

/// Properties of a run.
#[derive(Debug, Default)]
struct Run {
    hidden: bool,
    /// White, with nothing behind it.
    is_white: bool,
    monospaced: bool,
}

/// Letters up to this size are not seen, in half points.
const SMALLEST: usize = 2;
/// Typewriter faces, lower case.
const MONOSPACED: &[&str] = &["courier", "consolas", "menlo", "monaco", "lucida console", "mono", "source code"];

/// Reads `w:rPr`.
fn run(xml: &mut Xml<'_>) -> Result<Run, FileError> {
    let outside = xml.depth().saturating_sub(1);
    let mut run = Run::default();
    let mut is_shaded = false;
    while xml.depth() > outside {
        let Some(node) = xml.next()? else { break };
        let Node::Open(element) = node else { continue };
        match element.name() {
            "vanish" => run.hidden |= element.is_on(),
            "sz" => run.hidden |= element.number("val").is_some_and(|half_points: usize| half_points <= SMALLEST),
            "color" => {
                run.is_white = element.attribute("val").is_some_and(|colour| colour.eq_ignore_ascii_case("ffffff"))
            }
            "shd" | "highlight" => is_shaded = true,
            "rFonts" => {
                let face = element.attribute("ascii").unwrap_or_default().to_lowercase();
                run.monospaced = MONOSPACED.iter().any(|known| face.contains(known));
            }
            "rPrChange" => xml.skip()?,
            _ => {}
        }
    }
    run.is_white &= !is_shaded;
    Ok(run)
}

/// Whether a line has signs that prose hardly has, or is indented by hand.
fn looks_like_code(text: &str) -> bool {
    text.starts_with(' ') || text.contains(['{', '}', ';', '=', '<', '>', '_', '(', '[', '$'])
}
