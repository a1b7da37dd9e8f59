//! HTML by html5ever: headings, lists, tables, preformatted text and paragraphs of the main content. Navigation is
//! left out, and beside a `main` or a single `article` everything else. The tree is walked as a sequence of opening and
//! closing edges: nesting never uses the call stack, and a page nested absurdly deep is read without structure.

mod hidden;
mod layout;
mod main_content;
mod meta;
mod rows;
mod source;
mod walker;

use scraper::Html;

use crate::block::{StructuredText, floor_boundary};
use crate::error::FileError;
use crate::{Format, Input, decode, plain};

use main_content::main_content;
pub(crate) use meta::declared_encoding;
use meta::meta;
use source::{nesting, without_tags};
use walker::{Keep, walk};

pub(crate) const FORMAT: &Format = Format::of("html");

/// Open elements above which the tree builder's own walks over them cost too much.
const MAX_NESTING: usize = 2_000;

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, declared_encoding(input.bytes));
    let mut document = page(&decoded.text);
    document.warnings.splice(0..0, decoded.warnings);
    Ok(document)
}

/// Reads a piece of HTML inside another format.
pub(crate) fn fragment(source: &str) -> StructuredText {
    if nesting(source) > MAX_NESTING {
        return without_structure(source);
    }
    let tree = Html::parse_fragment(source);
    walk(&tree, tree.tree.root(), source, Keep::Everything).finish(FORMAT)
}

/// Reads a whole page.
pub(crate) fn page(source: &str) -> StructuredText {
    if nesting(source) > MAX_NESTING {
        return without_structure(source);
    }
    let tree = Html::parse_document(source);
    let root = tree.tree.root();
    let meta = meta(&tree);
    let mut builder = match main_content(root) {
        Some(main) => walk(&tree, main, source, Keep::MainContent),
        None => walk(&tree, root, source, Keep::Page),
    };
    if builder.len() == 0 {
        // A page that is all navigation: better that than nothing.
        builder = walk(&tree, root, source, Keep::Everything);
    }
    builder.title = meta.title;
    builder.metadata = meta.fields;
    let mut document = builder.finish(FORMAT);
    let declared =
        document.metadata.remove("lang").map(|language| language[..floor_boundary(&language, 2)].to_lowercase());
    document.language = document.language.or(declared.filter(|code| code.len() == 2));
    document
}

fn without_structure(source: &str) -> StructuredText {
    let mut document = plain::structure(without_tags(source));
    document.kind = FORMAT.name.to_owned();
    document.warnings.push(format!("nested more than {MAX_NESTING} deep: read without its structure"));
    document
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;
    use crate::block::{Block, BlockKind, sound};

    fn document(html: &str) -> StructuredText {
        sound(read(&Input::new(Path::new("a.html"), html.as_bytes(), &ExtractLimits::default())).unwrap())
    }

    #[test]
    fn structure_is_kept() {
        let document = document(
            "<title>Page</title><body><h1>Top <a href=#x>\u{b6}</a></h1>\n<p>One &amp; <b>two</b>\n three<br>four</p>\n\
             <ol start=3><li>c<ul><li><p>inner</p></li></ul></li><li>d</li></ol>\n\
             <pre><code class=\"language-rust\">fn f() {\n    1\n}</code></pre><blockquote><p>said</p></blockquote>",
        );
        assert_eq!(
            document.text,
            "Top\n\nOne & two three\nfour\n\n3. c\n  - inner\n4. d\n\nfn f() {\n    1\n}\n\nsaid"
        );
        let kinds: Vec<&BlockKind> = document.blocks.iter().map(|block| &block.kind).collect();
        assert_eq!(kinds[0], &BlockKind::Heading { level: 1 });
        assert_eq!(kinds[5], &BlockKind::Code { language: Some("rust".to_owned()), definition: None });
        assert_eq!(kinds[6], &BlockKind::Quote);
        assert_eq!(document.title.as_deref(), Some("Page"));
        let lines: Vec<u32> = document.blocks.iter().map(|block: &Block| block.lines.start).collect();
        assert_eq!(lines, [1, 2, 4, 4, 4, 5, 7]);
    }

    #[test]
    fn data_tables_become_rows_and_layout_tables_do_not() {
        let data = "<table><caption>Rates</caption><thead><tr><th>City<th>Rate</thead><tr><td>Oslo<td>1|2<br>3</table>";
        assert_eq!(document(data).text, "Rates\n\n| City | Rate |\n| --- | --- |\n| Oslo | 1\\|2 3 |");
        let layout = format!("<table><tr><td><h2>Left</h2><p>text</p><td>{data}</table>");
        let document = document(&layout);
        assert_eq!(document.blocks[0].kind, BlockKind::Heading { level: 2 });
        assert_eq!(document.blocks.last().map(|block| &block.kind), Some(&BlockKind::Table));
    }

    #[test]
    fn whatever_stands_in_the_cells_of_a_table_it_stays_one() {
        let table = |cell: &str| {
            document(&format!("<table><tr><th>Step<th>Who</tr><tr><td>1<td>{cell}</tr><tr><td>2<td>x</tr></table>"))
        };
        for (cell, expected) in [
            ("<ul><li>Ann</li><li>Bob</li></ul>", "Ann, Bob"),
            (
                "<ul><li><p>Ann</p></li>\n<li><p>Bob:</p><ol><li>day</li><li>night</li></ol></li></ul>",
                "Ann, Bob: day, night",
            ),
            ("On call <ul>\n <li>Ann\n <li>Bob\n</ul> and Cy", "On call Ann, Bob and Cy"),
            ("<p>Cy</p><p>Dee</p>", "Cy Dee"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a, b; c"),
            ("<table><tr><th>a</th><th>b</th></tr><tr><td>c<td><ul><li>d<li>e</ul></tr></table>", "a, b; c, d, e"),
            ("<pre>one\n  two</pre>", "one two"),
            ("<h3>Head</h3>text", "Head text"),
            ("<img alt=\"(tick)\"> done <img src=x>", "(tick) done"),
            ("<dl><dt>Day</dt><dd>Ann</dd></dl>", "Day Ann"),
        ] {
            let read = table(cell);
            let rows = format!("| Step | Who |\n| --- | --- |\n| 1 | {expected} |\n| 2 | x |");
            assert_eq!(read.text, rows, "{cell}");
            assert_eq!(read.blocks.len(), 1, "{cell}");
        }
    }

    #[test]
    fn tables_without_head_cells_are_told_by_their_shape() {
        let rows = "<table><tr><td>Step<td>Who</tr><tr><td>1<td><ul><li>Ann<li>Bob</ul></tr></table>";
        assert_eq!(document(rows).text, "| Step | Who |\n| --- | --- |\n| 1 | Ann, Bob |");
        let kinds = |html: &str| document(html).blocks.iter().map(|block| block.kind.clone()).collect::<Vec<_>>();
        let is_table = |html: &str| kinds(html).contains(&BlockKind::Table);
        // Navigation beside the text, a mail with everything in head cells, and a table that says it is none.
        let text = "<p>Some words that go on.</p>".repeat(60);
        for layout in [
            format!("<table><tr><td colspan=2>Site</tr><tr><td><ul><li>Home<li>News</ul><td>{text}</tr></table>"),
            format!("<table><tr><th><table><tr><th><h1>News</h1>{text}</th></tr></table></th><th></th></tr></table>"),
            rows.replace("<table>", "<table role=presentation>"),
        ] {
            assert!(!is_table(&layout), "{layout}");
        }
    }

    #[test]
    fn only_the_main_content_is_read() {
        let page = "<body><header>Site</header><nav>Menu</nav><main><header><h1>T</h1></header><p>Body</p>\
                    <aside>See also</aside></main><footer>Imprint</footer><script>x()</script>";
        assert_eq!(document(page).text, "T\n\nBody");
        assert_eq!(document("<body><nav>Menu</nav><p>Body</p><footer>Imprint</footer>").text, "Body\n\nImprint");
        assert_eq!(document("<body><nav><a>Menu</a></nav>").text, "Menu");
    }

    #[test]
    fn notes_and_forms_within_the_main_content_are_content() {
        let page = "<body><main><form><p>Body</p></form><aside class='aside aside--note'>Mind this</aside></main>";
        assert_eq!(document(page).text, "Body\n\nMind this");
    }

    #[test]
    fn spanned_cells_are_filled() {
        let table = "<table><tr><th>A<th colspan=2>B<tr><td rowspan=2>c<td>d<td>e<tr><td>f<td>g</table>";
        assert_eq!(document(table).text, "| A | B | B |\n| --- | --- | --- |\n| c | d | e |\n| c | f | g |");
    }

    #[test]
    fn a_main_element_without_the_content_is_not_believed() {
        let text = "words ".repeat(200);
        let page = document(&format!("<body><main>tiny</main><div>{text}</div>"));
        assert!(page.text.contains("words words"));
    }

    #[test]
    fn the_language_is_declared_when_it_cannot_be_told() {
        assert_eq!(document("<html lang=de-AT><p>kurz").language.as_deref(), Some("de"));
        assert_eq!(document("<p>short").language, None);
    }

    #[test]
    fn absurd_nesting_is_read_without_structure() {
        let page = document(&format!("{}deep text", "<div>".repeat(100_000)));
        assert_eq!(page.text.trim(), "deep text");
        assert_eq!(page.warnings.len(), 1);
    }
}
