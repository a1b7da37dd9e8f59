//! Wikitext as people read it: headings, lists, tables and paragraphs; of links their words, of templates what they are
//! given, of files their captions. It is told line by line and in one pass over brackets.

use crate::block::{BlockKind, TextBuilder, floor_boundary};
use crate::{html, table};

/// Templates within templates that are unfolded.
const MAX_ROUNDS: usize = 20;

/// Bytes of the longest link.
const MAX_LINK: usize = 4_000;

/// Pushes what a page says.
pub(super) fn tell(builder: &mut TextBuilder, source: &str) {
    let text = without_templates(&without_comments(source));
    let mut paragraph = String::new();
    let mut rows: Option<Vec<Vec<String>>> = None;
    for line in text.lines() {
        let line = line.trim_end();
        let start = line.trim_start();
        if let Some(open) = &mut rows {
            if start.starts_with("|}") {
                push_table(builder, rows.take().unwrap_or_default());
            } else if let Some(caption) = start.strip_prefix("|+") {
                builder.push(BlockKind::Paragraph, &plain(caption), 1..2);
            } else {
                table_line(open, start);
            }
            continue;
        }
        let heading = heading(start);
        let items = start.chars().take_while(|c| matches!(c, '*' | '#' | ':' | ';')).count();
        if start.is_empty() || heading.is_some() || items > 0 || start.starts_with("{|") {
            push_paragraph(builder, &mut paragraph);
        }
        if let Some((level, title)) = heading {
            builder.push(BlockKind::Heading { level }, &plain(title), 1..2);
        } else if start.starts_with("{|") {
            rows = Some(Vec::new());
        } else if items > 0 {
            let item = format!("{}- {}", "  ".repeat(items.min(8) - 1), plain(&start[items..]));
            builder.push(BlockKind::ListItem, &item, 1..2);
        } else if !start.is_empty() {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    push_paragraph(builder, &mut paragraph);
    push_table(builder, rows.unwrap_or_default());
}

/// `== Title ==`: its level and words.
fn heading(line: &str) -> Option<(u8, &str)> {
    let level = line.bytes().take_while(|&byte| byte == b'=').count().min(6);
    let title = line.strip_prefix(&"======"[..level])?.strip_suffix(&"======"[..level])?;
    (level > 0 && !title.trim().is_empty()).then(|| (u8::try_from(level).unwrap_or(6), title.trim()))
}

fn push_paragraph(builder: &mut TextBuilder, paragraph: &mut String) {
    builder.push(BlockKind::Paragraph, &plain(&std::mem::take(paragraph)), 1..2);
}

fn push_table(builder: &mut TextBuilder, mut rows: Vec<Vec<String>>) {
    for cell in rows.iter_mut().flatten() {
        *cell = plain(cell).split_whitespace().collect::<Vec<_>>().join(" ");
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    match table::markdown_rows(&rows) {
        Some(text) => builder.push(BlockKind::Table, &text, 1..2),
        None => builder.push(BlockKind::Paragraph, &rows.concat().join("\n"), 1..2),
    }
}

/// One line of a table: a row, cells, or more of the cell before.
fn table_line(rows: &mut Vec<Vec<String>>, line: &str) {
    if line.starts_with("|-") {
        return rows.push(Vec::new());
    }
    let cells: Vec<&str> = match line.chars().next() {
        Some('!') => line[1..].split("!!").flat_map(|part| part.split("||")).collect(),
        Some('|') => line[1..].split("||").collect(),
        _ => {
            if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                cell.push('\n');
                cell.push_str(line);
            }
            return;
        }
    };
    if rows.is_empty() {
        rows.push(Vec::new());
    }
    // `style="color: red" | words`.
    let words = |cell: &str| match cell.split_once('|') {
        Some((attributes, words)) if attributes.contains('=') && !attributes.contains("[[") => words.to_owned(),
        _ => cell.to_owned(),
    };
    rows.last_mut().into_iter().for_each(|row| row.extend(cells.iter().map(|cell| words(cell))));
}

fn without_comments(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("<!--") {
        out.push_str(&rest[..at]);
        rest = rest[at..].find("-->").map_or("", |end| &rest[at + end + 3..]);
    }
    out.push_str(rest);
    out
}

/// Templates replaced by what they are given, the innermost first.
fn without_templates(source: &str) -> String {
    let mut text = source.to_owned();
    for _ in 0..MAX_ROUNDS {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        let mut changed = false;
        while let Some(end) = rest.find("}}") {
            let Some(start) = rest[..end].rfind("{{") else {
                out.push_str(&rest[..end + 2]);
                rest = &rest[end + 2..];
                continue;
            };
            out.push_str(&rest[..start]);
            out.push_str(&given(&rest[start + 2..end]));
            rest = &rest[end + 2..];
            changed = true;
        }
        out.push_str(rest);
        text = out;
        if !changed {
            break;
        }
    }
    text
}

/// What a template is given: on lines of their own under their names where it is written so.
fn given(template: &str) -> String {
    let is_box = template.contains('\n');
    let mut parts = split_outside_links(template).into_iter();
    parts.next();
    let value = |part: &str| match part.split_once('=') {
        Some((name, value)) if is_box && !value.trim().is_empty() => format!("{}: {}", name.trim(), value.trim()),
        Some((_, value)) => value.trim().to_owned(),
        None => part.trim().to_owned(),
    };
    let values: Vec<String> = parts.map(|part| value(&part)).filter(|value| !value.is_empty()).collect();
    values.join(if is_box { "\n" } else { " " })
}

/// The parts between bars, those within links aside.
fn split_outside_links(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut links = 0_usize;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if rest.starts_with("[[") {
            links += 1;
        } else if rest.starts_with("]]") {
            links = links.saturating_sub(1);
        }
        if character == '|' && links == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().into_iter().for_each(|part| part.push(character));
        }
        rest = &rest[character.len_utf8()..];
    }
    parts
}

/// The words of a line: of links, of what is set off, and of HTML in it.
fn plain(source: &str) -> String {
    let linked = with_words_of_links(source.trim()).replace("'''", "").replace("''", "");
    if !linked.contains(['<', '&']) {
        return linked;
    }
    // Lines are lines, whatever HTML makes of them.
    let lines = linked.lines().map(|line| html::fragment(line).text.replace("\n\n", "\n"));
    lines.collect::<Vec<_>>().join("\n")
}

fn with_words_of_links(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('[') {
        out.push_str(&rest[..at]);
        let link = &rest[at..];
        let near = &link[..floor_boundary(link, MAX_LINK)];
        let inner = near.strip_prefix("[[").and_then(|inner| Some((inner.find("]]")?, true)));
        let outer = || near.strip_prefix("[http").and_then(|inner| Some((inner.find(']')?, false)));
        let Some((length, is_page)) = inner.or_else(outer) else {
            out.push('[');
            rest = &link[1..];
            continue;
        };
        let (open, close) = if is_page { (2, 2) } else { (5, 1) };
        let target = &link[open..open + length];
        rest = &link[open + length + close..];
        if !is_page {
            out.push_str(target.split_once(' ').map_or("", |(_, words)| words));
            continue;
        }
        let kind = target.split(':').next().unwrap_or_default().trim().to_lowercase();
        let words = target.rsplit('|').next().unwrap_or_default();
        let is_file = matches!(
            kind.as_str(),
            "file" | "image" | "datei" | "bild" | "fichier" | "archivo" | "файл" | "文件" | "category" | "kategorie"
        );
        if !is_file || target.contains('|') && kind != "category" && kind != "kategorie" {
            out.push_str(words.trim_start_matches(':'));
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn told(source: &str) -> String {
        let mut builder = TextBuilder::default();
        tell(&mut builder, source);
        let document = builder.finish(Format::of("xml"));
        crate::block::assert_invariants(&document);
        document.text
    }

    #[test]
    fn words_stay_and_marks_go() {
        let source = "'''Pump''' is [[Machine|a machine]] of [[Plant]].<!-- no --> See [https://x.example the manual].\n\
                      [[File:p.jpg|thumb|The pump]] [[Category:Pumps]]\n\n=== Parts ===\n* one\n** ''two''\n# three<br>four [1]";
        assert_eq!(
            told(source),
            "Pump is a machine of Plant. See the manual.\nThe pump\n\nParts\n\n- one\n  - two\n- three\nfour [1]"
        );
    }

    #[test]
    fn tables_and_templates_are_read() {
        let source = "{{Box\n|power = 5 kW\n|maker={{link|Acme}}\n}}\n{| class=\"wikitable\"\n|+ Rates\n! City !! Rate\n|-\n| Oslo || style=\"x\" | 3\n|-\n| Rome\n| 4\n|}\nAfter";
        let told = told(source);
        assert!(told.starts_with("power: 5 kW\nmaker: Acme\n\n"), "{told}");
        assert!(
            told.contains("Rates\n\n| City | Rate |\n| --- | --- |\n| Oslo | 3 |\n| Rome | 4 |")
                && told.ends_with("\n\nAfter"),
            "{told}"
        );
    }

    #[test]
    fn unfinished_marks_are_harmless() {
        for source in
            ["{{", "}}", "[[", "[http", "{|\n|", "==", "= =", "<!--", "{|\n|-\n!", &"{{".repeat(5_000), "[[a|b"]
        {
            let _ = told(source);
        }
        assert_eq!(told(&format!("{}x", "[".repeat(1_000))).len(), 1_001);
    }
}
