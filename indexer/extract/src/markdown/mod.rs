//! Markdown (CommonMark with GitHub's tables, footnotes, task lists, and front matter) by pulldown-cmark. Inline markup
//! goes, its words stay: link texts, image descriptions, code identifiers. Fenced code stays whole; HTML blocks are
//! read by the HTML parser. An event loop with an explicit stack: nesting costs memory, never the call stack.

mod obsidian;

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use crate::block::{BlockKind, LineIndex, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::list::Lists;
use crate::{Format, Input, decode, front_matter, html, table};

pub(crate) const FORMAT: &Format = Format::of("markdown");

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let mut document = structure(&decoded.text);
    document.warnings = decoded.warnings;
    Ok(document)
}

/// Reads Markdown, also that of a cell of a notebook.
pub(crate) fn structure(source: &str) -> StructuredText {
    let mut options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_GFM;
    // Text between two rules is text.
    if opening(source).is_none_or(front_matter::is_mapping) {
        options |= Options::ENABLE_YAML_STYLE_METADATA_BLOCKS | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    }
    let source = &*obsidian::without_additions(source, options);
    let mut parser = MarkdownParser::new(source);
    for (event, span) in Parser::new_ext(source, options).into_offset_iter() {
        parser.event(event, span);
    }
    parser.flush();
    parser.keep_bare_title();
    parser.builder.finish(FORMAT)
}

/// What stands between a rule that opens the text and the next one.
fn opening(source: &str) -> Option<&str> {
    let rule = ["---", "+++"].into_iter().find(|rule| source.starts_with(rule))?;
    let (first, rest) = source.split_once('\n')?;
    let ends = |line: &str| line.trim_end() == rule || (rule == "---" && line.trim_end() == "...");
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if ends(line) {
            return (first.trim_end() == rule).then_some(&rest[..at]);
        }
        at += line.len();
    }
    None
}

/// What the text that is being collected will become.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Leaf {
    /// A paragraph, list item or quote, by what surrounds it.
    Prose,
    Heading(u8),
    Code(Option<String>),
    Html,
    FrontMatter,
}

struct MarkdownParser {
    builder: TextBuilder,
    lines: LineIndex,
    leaf: Leaf,
    text: String,
    /// Source bytes that `text` came from.
    from: Option<Range<usize>>,
    lists: Lists,
    quotes: usize,
    rows: Vec<Vec<String>>,
    /// Within a picture whose text is none.
    silent: bool,
}

impl MarkdownParser {
    fn new(source: &str) -> Self {
        Self {
            builder: TextBuilder::default(),
            lines: LineIndex::new(source),
            leaf: Leaf::Prose,
            text: String::new(),
            from: None,
            lists: Lists::default(),
            quotes: 0,
            rows: Vec::new(),
            silent: false,
        }
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            // A picture shown by its name says nothing but that name; a note shown by its name is a link to it.
            Event::Start(Tag::Image { link_type: LinkType::WikiLink { .. }, dest_url, .. })
                if is_picture(&dest_url) =>
            {
                self.silent = true;
            }
            Event::End(TagEnd::Image) if self.silent => self.silent = false,
            _ if self.silent => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag, span),
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.add(&text, span);
            }
            Event::Html(html) => self.add(&html, span),
            // A tag inside a line carries no words; only a line break shows.
            Event::InlineHtml(tag) if tag.starts_with("<br") => self.add("\n", span),
            Event::SoftBreak | Event::HardBreak => self.add("\n", span),
            Event::TaskListMarker(true) => self.add("[x] ", span),
            Event::TaskListMarker(false) => self.add("[ ] ", span),
            Event::InlineHtml(_) | Event::FootnoteReference(_) | Event::Rule => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.begin(Leaf::Heading(level_number(level))),
            Tag::CodeBlock(kind) => self.begin(Leaf::Code(fence_language(&kind))),
            Tag::HtmlBlock => self.begin(Leaf::Html),
            Tag::MetadataBlock(_) => self.begin(Leaf::FrontMatter),
            Tag::BlockQuote(_) => {
                self.flush();
                self.quotes += 1;
            }
            Tag::List(first) => {
                self.flush();
                self.lists.open(first);
            }
            Tag::Item => {
                self.flush();
                self.lists.start_item();
            }
            Tag::Table(_) => {
                self.flush();
                self.rows.clear();
            }
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            Tag::Paragraph | Tag::FootnoteDefinition(_) => self.flush(),
            // Inline markup and cells: their words arrive as text.
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, span: Range<usize>) {
        match tag {
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.quotes -= 1;
            }
            TagEnd::List(_) => {
                self.flush();
                self.lists.close();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                self.from = None;
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            TagEnd::Table => self.push_table(span),
            TagEnd::MetadataBlock(_) => self.take_front_matter(),
            TagEnd::HtmlBlock => self.push_html(),
            TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::FootnoteDefinition => self.flush(),
            _ => {}
        }
    }

    fn begin(&mut self, leaf: Leaf) {
        self.flush();
        self.leaf = leaf;
    }

    fn add(&mut self, text: &str, span: Range<usize>) {
        self.text.push_str(text);
        let start = self.from.as_ref().map_or(span.start, |from| from.start);
        self.from = Some(start..span.end);
    }

    /// Turns the collected text into a block.
    fn flush(&mut self) {
        let leaf = std::mem::replace(&mut self.leaf, Leaf::Prose);
        let text = std::mem::take(&mut self.text);
        let Some(from) = self.from.take() else { return };
        let lines = self.lines.lines(&from);
        let (kind, text) = match leaf {
            Leaf::Heading(level) if self.lists.is_empty() && self.quotes == 0 => {
                (BlockKind::Heading { level }, text.replace('\n', " "))
            }
            Leaf::Code(language) => (BlockKind::Code { language, definition: None }, text),
            _ if !self.lists.is_empty() => (BlockKind::ListItem, self.lists.item_text(&text)),
            _ if self.quotes > 0 => (BlockKind::Quote, text),
            _ => (BlockKind::Paragraph, text),
        };
        self.builder.push(kind, &text, lines);
    }

    fn push_table(&mut self, span: Range<usize>) {
        let rows = std::mem::take(&mut self.rows);
        self.text.clear();
        self.from = None;
        let lines = self.lines.lines(&span);
        match table::markdown_rows(&rows) {
            Some(text) => self.builder.push(BlockKind::Table, &text, lines),
            None => self.builder.push(BlockKind::Paragraph, &rows.concat().join("\n"), lines),
        }
    }

    fn take_front_matter(&mut self) {
        self.leaf = Leaf::Prose;
        self.from = None;
        let mut fields = front_matter::parse(&std::mem::take(&mut self.text));
        self.builder.title = fields.remove("title");
        // Other names of the page are searched as its words are; those of Hugo are old addresses.
        let names: Vec<&str> =
            ["aliases", "alias"].iter().filter_map(|key| fields.get(*key)).map(String::as_str).collect();
        let names: Vec<&str> =
            names.iter().flat_map(|names| names.split(", ")).filter(|name| !name.contains('/')).collect();
        if !names.is_empty() {
            self.builder.push(BlockKind::Paragraph, &format!("Aliases: {}", names.join(", ")), 1..2);
        }
        self.builder.metadata = fields;
    }

    /// A page that is nothing but its front matter (a redirect, a stub) is found by its title and description.
    fn keep_bare_title(&mut self) {
        if self.builder.len() > 0 {
            return;
        }
        let title = self.builder.title.clone().unwrap_or_default();
        let description = self.builder.metadata.get("description").cloned().unwrap_or_default();
        self.builder.push(BlockKind::Heading { level: 1 }, &title, 1..2);
        self.builder.push(BlockKind::Paragraph, &description, 1..2);
    }

    fn push_html(&mut self) {
        self.leaf = Leaf::Prose;
        let html = std::mem::take(&mut self.text);
        let Some(from) = self.from.take() else { return };
        let first = self.lines.line(from.start);
        let document = html::fragment(&html);
        for block in document.blocks {
            let lines = block.lines.start + first - 1..block.lines.end + first - 1;
            self.builder.push(block.kind, &document.text[block.span], lines);
        }
    }
}

/// Whether the target of an embedding is a picture, a sound or a film.
fn is_picture(target: &str) -> bool {
    let ending = target.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let known = ["png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "avif", "mp3", "wav", "mp4", "webm", "mov"];
    known.contains(&ending.as_str())
}

fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// The word after a fence: `rust` of "rust,ignore" and of "rust {.numbered}".
fn fence_language(kind: &CodeBlockKind<'_>) -> Option<String> {
    let CodeBlockKind::Fenced(info) = kind else { return None };
    let word = info.trim_start_matches(['{', '.']).split([' ', ',', '{', '}', '\t']).next()?;
    (!word.is_empty()).then(|| word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;
    use crate::block::sound;

    fn document(text: &str) -> StructuredText {
        sound(read(&Input::new(Path::new("a.md"), text.as_bytes(), &ExtractLimits::default())).unwrap())
    }

    fn shape(document: &StructuredText) -> Vec<(&BlockKind, &str, Range<u32>)> {
        let block = |b: &'_ crate::block::Block| (b.span.clone(), b.lines.clone());
        document.blocks.iter().map(|b| (&b.kind, &document.text[block(b).0], block(b).1)).collect()
    }

    #[test]
    fn markup_goes_and_words_stay() {
        let text = "# The *big* `Title` {#id}\r\n\r\nSee [the guide](https://x.y/z) and `foo_bar`,\r\n**now** ![a map](m.png).\r\n";
        let document = document(text);
        assert_eq!(
            shape(&document),
            [
                (&BlockKind::Heading { level: 1 }, "The big Title", 1..2),
                (&BlockKind::Paragraph, "See the guide and foo_bar,\nnow a map.", 3..5),
            ]
        );
        assert_eq!(document.title.as_deref(), Some("The big Title"));
    }

    #[test]
    fn front_matter_is_metadata() {
        let document = document("---\ntitle: Travel\nauthor: Ana\n---\n\n# Other\n\ntext\n");
        assert_eq!(document.title.as_deref(), Some("Travel"));
        assert_eq!(document.metadata["author"], "Ana");
        assert_eq!(document.text, "Other\n\ntext");
        assert_eq!(document.blocks[0].lines, 6..7);
    }

    #[test]
    fn text_between_rules_is_text() {
        assert_eq!(document("---\nA rule opens this text\n---\n\nNext\n").text, "A rule opens this text\n\nNext");
        assert_eq!(document("---\nNote: this\nand this\n---\nNext\n").metadata.len(), 0);
    }

    #[test]
    fn other_names_of_a_page_are_text_and_old_addresses_are_not() {
        let note = document("---\naliases: [pump reboot, \"Pumpenneustart\"]\n---\n\nText\n");
        assert_eq!(note.text, "Aliases: pump reboot, Pumpenneustart\n\nText");
        assert_eq!(note.metadata["aliases"], "pump reboot, Pumpenneustart");
        assert_eq!(document("---\naliases:\n  - /old/place/\n---\n\nText\n").text, "Text");
    }

    #[test]
    fn links_of_wikis_are_words() {
        let text = "Close [[Valve V7|the main valve]], see [[Pumps]] and ![[Checklist]], ![[scheme.png|300]] end.\n\n\
                    | A | B |\n|---|---|\n| [[Page\\|alias]] | x |\n";
        assert_eq!(
            document(text).text,
            "Close the main valve, see Pumps and Checklist,  end.\n\n| A | B |\n| --- | --- |\n| alias | x |"
        );
    }

    #[test]
    fn a_page_of_mere_front_matter_is_its_title() {
        assert_eq!(document("---\ntitle: Org chart\nredirect: /x\n---\n").text, "Org chart");
    }

    #[test]
    fn lists_keep_markers_and_nesting() {
        let document = document("1. one\n2. two\n   - inner\n\n   more of two\n\n- [x] done\n");
        assert_eq!(document.text, "1. one\n2. two\n  - inner\n  more of two\n- [x] done");
        assert!(document.blocks.iter().all(|block| block.kind == BlockKind::ListItem));
        assert_eq!(document.blocks[2].lines, 3..4);
    }

    #[test]
    fn tables_and_code_stay_whole() {
        let text = "| a | b |\n|---|---|\n| 1 | `x|y` |\n\n```rust,ignore\nfn f() {}\n\n    // end\n```\n";
        let document = document(text);
        let code = BlockKind::Code { language: Some("rust".to_owned()), definition: None };
        assert_eq!(document.blocks[0].lines, 1..4);
        assert!(document.text.starts_with("| a | b |\n| --- | --- |\n| 1 |"), "{}", document.text);
        assert_eq!(document.blocks[1].kind, code);
        assert_eq!(&document.text[document.blocks[1].span.clone()], "fn f() {}\n\n    // end");
        assert_eq!(document.blocks[1].lines, 6..9);
    }

    #[test]
    fn html_blocks_are_read() {
        let document = document("intro\n\n<details>\n<summary>More</summary>\n<p>Hidden &amp; found</p>\n</details>\n");
        assert_eq!(document.text, "intro\n\nMore\n\nHidden & found");
        assert_eq!(document.blocks[2].lines, 5..6);
    }

    #[test]
    fn quotes_are_marked() {
        let document = document("> [!NOTE]\n> mind this\n>\n> # not a heading\n");
        assert!(document.blocks.iter().all(|block| block.kind == BlockKind::Quote), "{document:?}");
    }

    #[test]
    fn deep_nesting_is_harmless() {
        let deep = format!("{}deep\n\n{}deep\n", "> ".repeat(3000), "- ".repeat(3000));
        assert!(document(&deep).text.contains("deep"));
    }
}
