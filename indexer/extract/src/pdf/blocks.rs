//! Paragraphs, items of lists and verbatim text, made of lines in reading order. A paragraph ends where the lines move
//! apart, change their size or weight, start further in, or begin with the mark of a list.

use super::columns::Region;
use super::lines::Line;
use super::tables::is_marker;
use super::text;
use crate::line_ends::{Hyphen, hyphen_between, is_ideographic};
use crate::table::markdown_rows;

/// What a block of a page is, before the headings of the whole document are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Paragraph,
    Item,
    Table,
    Code,
    Heading(u8),
}

/// A block of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PageBlock {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Height of its letters.
    pub(super) size: f32,
    pub(super) bold: bool,
    /// Lines it was made from.
    pub(super) lines: usize,
    /// Page, from 1.
    pub(super) page: u32,
    /// Whether it is the first of its column.
    pub(super) opens: bool,
}

impl PageBlock {
    /// What someone noted on a page. It has no size: it is no text of the document's own.
    pub(super) fn comment(text: String, page: u32) -> Self {
        let lines = text.lines().count();
        Self { kind: Kind::Paragraph, text, size: 0.0, bold: false, lines, page, opens: false }
    }
}

/// The blocks of a page.
pub(super) fn blocks(regions: Vec<Region>, page: u32) -> Vec<PageBlock> {
    let mut blocks = Vec::new();
    for region in regions {
        match region {
            Region::Table(mut table) => {
                if is_right_to_left(&table.rows) {
                    table.rows.iter_mut().for_each(|row| row.reverse());
                }
                let text = markdown_rows(&table.rows).unwrap_or_default();
                blocks.push(PageBlock {
                    kind: Kind::Table,
                    text,
                    size: table.size,
                    bold: false,
                    lines: table.rows.len(),
                    page,
                    opens: false,
                });
            }
            Region::Text(lines) => {
                let first = blocks.len();
                paragraphs(rows(lines), page, &mut blocks);
                if let Some(block) = blocks.get_mut(first) {
                    block.opens = true;
                }
            }
        }
    }
    blocks
}

/// Whether the first column of a table is the rightmost.
fn is_right_to_left(rows: &[Vec<String>]) -> bool {
    let letters = || rows.iter().flatten().flat_map(|cell| cell.chars()).filter(|letter| letter.is_alphabetic());
    letters().filter(|letter| text::is_right_to_left(*letter)).count() * 2 > letters().count()
}

/// Pieces that stand in the same row put together, from the top.
fn rows(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some(row) if row.iter().all(|other| other.is_level_with(&line) && apart(other, &line)) => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    let merge = |row: Vec<Line>| match row.len() {
        0 | 1 => row.into_iter().next(),
        _ => Line::new(row.into_iter().flat_map(|line| line.words).collect()),
    };
    rows.into_iter().filter_map(merge).collect()
}

/// Whether two lines do not lie over each other.
fn apart(a: &Line, b: &Line) -> bool {
    a.x1 <= b.x0 + a.size || b.x1 <= a.x0 + a.size
}

/// How lines of a region usually lie.
struct Layout {
    left: f32,
    right: f32,
    /// Distance of baselines in letter heights.
    leading: f32,
}

impl Layout {
    fn of(lines: &[Line]) -> Self {
        let steps = lines.windows(2).map(|pair| (pair[1].baseline - pair[0].baseline) / pair[1].size.max(pair[0].size));
        let mut steps: Vec<f32> = steps.filter(|step| (0.8..2.6).contains(step)).collect();
        steps.sort_by(f32::total_cmp);
        Self {
            left: lines.iter().map(|line| line.x0).fold(f32::INFINITY, f32::min),
            right: lines.iter().map(|line| line.x1).fold(f32::NEG_INFINITY, f32::max),
            // The lower third rather than the middle: short paragraphs have as many gaps as steps.
            leading: steps.get(steps.len() / 3).copied().unwrap_or(1.2),
        }
    }

    /// Whether a line stands in the middle of its column, as titles do.
    fn is_centred(&self, line: &Line) -> bool {
        let (before, after) = (line.x0 - self.left, self.right - line.x1);
        (before - after).abs() < 2.0 * line.size && before > 2.0 * line.size
    }
}

fn paragraphs(lines: Vec<Line>, page: u32, blocks: &mut Vec<PageBlock>) {
    let layout = Layout::of(&lines);
    let mut paragraph: Vec<Line> = Vec::new();
    for line in lines {
        if paragraph.last().is_some_and(|last| parts(&paragraph, last, &line, &layout)) {
            blocks.extend(finish(std::mem::take(&mut paragraph), page, &layout));
        }
        paragraph.push(line);
    }
    blocks.extend(finish(paragraph, page, &layout));
}

/// Whether a new paragraph begins with `line`.
fn parts(paragraph: &[Line], last: &Line, line: &Line, layout: &Layout) -> bool {
    let size = last.size.max(line.size);
    let step = (line.baseline - last.baseline) / size;
    if last.mono && line.mono {
        return step > 2.2 * layout.leading;
    }
    let unlike = (last.size - line.size).abs() > 0.08 * size || last.bold != line.bold || last.mono != line.mono;
    // A word that goes on is no place for a new paragraph, however the lines lie.
    if breaks_a_word(&last.text, &line.text) && (last.size - line.size).abs() <= 0.08 * size && step > 0.5 {
        return false;
    }
    let centred = layout.is_centred(line) && layout.is_centred(last);
    // Titles are set wider than the text below them, of which the usual step is.
    let widest = if centred { 1.6 } else { 1.3 };
    if unlike || step > widest * layout.leading.max(1.0) || step < 0.5 || marker(&line.text).is_some() {
        return true;
    }
    if marker(&paragraph[0].text).is_some() {
        // The rest of an item stands below its text, not further left.
        return line.x0 < paragraph[0].x0 - 0.5 * size;
    }
    if centred {
        return false;
    }
    let indent = line.x0 - last.x0;
    let first_line_hangs = paragraph.len() == 1 && indent < 0.0;
    let turned_in = indent > 0.8 * size && indent < 6.0 * size && paragraph.len() > 1;
    let ends = last.text.ends_with(['.', '!', '?', ':', '。', '！', '？']);
    (turned_in && !first_line_hangs) || (ends && has_room(last, line, layout))
}

/// Whether the first word of `line` would have found room at the end of `last`: the line was ended on purpose.
fn has_room(last: &Line, line: &Line, layout: &Layout) -> bool {
    let word = line.words.first().map_or(0.0, |word| word.x1 - word.x0);
    last.x1 + word + 0.6 * last.size < layout.right - 0.5 * last.size
}

fn finish(lines: Vec<Line>, page: u32, layout: &Layout) -> Option<PageBlock> {
    let first = lines.first()?;
    let (size, bold, count) = (first.size, first.bold, lines.len());
    let found = marker(&first.text);
    let kind = match &found {
        Some(_) => Kind::Item,
        None if lines.iter().all(|line| line.mono) && count > 1 => Kind::Code,
        None => Kind::Paragraph,
    };
    let text = match (kind, found) {
        (Kind::Code, _) => verbatim(&lines),
        (_, Some(Marker { bullet: true, length })) => {
            let rest = flowing(&lines, layout);
            format!("- {}", rest.get(length..).unwrap_or_default().trim_start())
        }
        _ => flowing(&lines, layout),
    };
    (!text.trim_matches(['-', ' ']).is_empty()).then_some(PageBlock {
        kind,
        text,
        size,
        bold,
        lines: count,
        page,
        opens: false,
    })
}

/// The lines of a paragraph as one; lines that were ended on purpose (addresses, verses) stay lines.
fn flowing(lines: &[Line], layout: &Layout) -> String {
    let mut text = String::new();
    let mut last: Option<&Line> = None;
    for line in lines {
        let on_purpose = last.is_some_and(|last| {
            let starts = line.text.chars().next().is_some_and(|first| first.is_uppercase() || first.is_numeric());
            starts
                && lines.len() > 2
                && has_room(last, line, layout)
                && last.width() < 0.6 * (layout.right - layout.left)
        });
        if on_purpose {
            text.push('\n');
            text.push_str(&line.text);
        } else {
            text = join(text, &line.text);
        }
        last = Some(line);
    }
    text
}

/// Lines of letters of one width, with their indentation.
fn verbatim(lines: &[Line]) -> String {
    let left = lines.iter().map(|line| line.x0).fold(f32::INFINITY, f32::min);
    let mut text = String::new();
    for line in lines {
        let letter = (line.width() / line.characters().max(1) as f32).max(1.0);
        let indent = ((line.x0 - left) / letter).round().clamp(0.0, 120.0);
        text.push_str(&" ".repeat(indent as usize));
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// Whether a word is parted by a hyphen between two lines.
pub(super) fn breaks_a_word(line: &str, next: &str) -> bool {
    let before = line.strip_suffix(['-', '\u{ad}', '‐']).and_then(|line| line.chars().next_back());
    before.is_some_and(char::is_lowercase) && next.starts_with(char::is_lowercase)
}

/// Two lines of running text as one: a word parted by a hyphen is made whole, ideographs are joined without a space.
pub(super) fn join(mut text: String, next: &str) -> String {
    let (Some(last), Some(first)) = (text.chars().next_back(), next.chars().next()) else {
        text.push_str(next);
        return text;
    };
    if matches!(last, '-' | '\u{ad}' | '‐') {
        let before = text[..text.len() - last.len_utf8()].chars().next_back();
        if before.is_some_and(char::is_alphabetic) && first.is_lowercase() {
            match hyphen_between(&text, next) {
                _ if last == '\u{ad}' => text.truncate(text.len() - last.len_utf8()),
                Hyphen::Parting => text.truncate(text.len() - last.len_utf8()),
                Hyphen::Own => {}
                // `Ein- und Ausgang`.
                Hyphen::Other => text.push(' '),
            }
        } else if last != '\u{ad}' && !before.is_some_and(char::is_alphanumeric) {
            text.push(' ');
        }
    } else if !(is_ideographic(last) && is_ideographic(first)) {
        text.push(' ');
    }
    text.push_str(next);
    text
}

/// The mark that opens an item of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Marker {
    /// A dot or dash, which is written as `- `; numbers and letters stay.
    bullet: bool,
    /// Bytes of a bullet.
    length: usize,
}

/// The mark that a line opens with.
pub(super) fn marker(line: &str) -> Option<Marker> {
    const BULLETS: [char; 24] = [
        '•', '◦', '▪', '▫', '‣', '⁃', '·', '■', '□', '●', '○', '➢', '➤', '✓', '✔', '❖', '◆', '◇', '–', '—', '-', '*',
        '►', '∙',
    ];
    let first = line.chars().next()?;
    let rest = &line[first.len_utf8()..];
    if BULLETS.contains(&first)
        && (rest.starts_with(' ') || (rest.is_empty() && !matches!(first, '-' | '–' | '—' | '*')))
    {
        return Some(Marker { bullet: true, length: first.len_utf8() });
    }
    let (mark, rest) = line.split_once(' ')?;
    let lower = mark.bytes().all(|byte| !byte.is_ascii_uppercase());
    let lettered = mark.ends_with(')') && lower;
    let numbered = mark.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b'(');
    (is_marker(mark) && mark.is_ascii() && (lettered || numbered) && !rest.is_empty())
        .then_some(Marker { bullet: false, length: mark.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parted_words_are_made_whole_and_ideographs_closed_up() {
        assert_eq!(join("the infor-".into(), "mation"), "the information");
        assert_eq!(join("the infor\u{ad}".into(), "mation"), "the information");
        assert_eq!(join("Jean-".into(), "Luc"), "Jean-Luc");
        assert_eq!(join("a state-of-".into(), "the-art plan"), "a state-of-the-art plan");
        assert_eq!(join("der Ein-".into(), "und Ausgang"), "der Ein- und Ausgang");
        assert_eq!(join("1990 -".into(), "2000"), "1990 - 2000");
        assert_eq!(join("一个".into(), "世界"), "一个世界");
        assert_eq!(join("one".into(), "two"), "one two");
    }

    #[test]
    fn marks_of_lists_are_known() {
        assert_eq!(marker("• one"), Some(Marker { bullet: true, length: 3 }));
        assert_eq!(marker("12) one"), Some(Marker { bullet: false, length: 3 }));
        assert_eq!(marker("(a) one"), Some(Marker { bullet: false, length: 3 }));
        for text in ["-5 degrees", "A. Smith", "2019. A year", "one two", "1.5 metres", "-"] {
            assert_eq!(marker(text), None, "{text}");
        }
    }
}
