//! Tables without ruled lines: cells that stand under each other, told from the columns of running text by what stands
//! in them. What is not clearly a table stays text, line by line.

use super::blocks::join;
use super::lines::Line;
use crate::line_ends::is_ideographic;

/// A table on a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) top: f32,
    pub(super) bottom: f32,
    /// Height of its letters.
    pub(super) size: f32,
    /// Cells by row; all rows have the same number of cells.
    pub(super) rows: Vec<Vec<String>>,
}

/// What columns side by side turn out to be.
pub(super) enum Found {
    /// Running text: to be read one after the other.
    Columns,
    /// Marks of a list and what they mark, or single rows: to be read row by row.
    Rows,
    /// A table with the lines above and below it that belong to the text around, and what follows.
    Pieces(Vec<Piece>),
}

/// A part of a stretch of rows.
pub(super) enum Piece {
    Table(Table),
    Text(Vec<Line>),
}

/// The text of a cell: its lines from the top.
pub(super) fn cell_text(lines: &[Line]) -> String {
    let mut sorted: Vec<&Line> = lines.iter().collect();
    sorted.sort_by(|a, b| a.baseline.total_cmp(&b.baseline).then(a.x0.total_cmp(&b.x0)));
    sorted.iter().fold(String::new(), |text, line| join(text, &line.text))
}

/// The middle one of the heights of letters.
pub(super) fn usual_size<'a>(lines: impl Iterator<Item = &'a Line>) -> f32 {
    let mut sizes: Vec<f32> = lines.map(|line| line.size).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() / 2).copied().unwrap_or(10.0)
}

/// Judges columns of lines, from left to right.
pub(super) fn judge(columns: &[Vec<Line>]) -> Found {
    let rows = rows(columns);
    let tabular = rows.iter().filter(|row| row.filled() > 1).count();
    if tabular < 2 {
        // Long pieces side by side are lines of two columns, not a mark and what it marks.
        let long = |column: &Vec<Line>| column.iter().map(Line::characters).sum::<usize>() >= 25 * column.len();
        let columns = columns.iter().all(|column| column.len() > 1) || columns.iter().all(long);
        return if columns { Found::Columns } else { Found::Rows };
    }
    if columns.len() == 2 && columns[0].iter().all(|line| is_marker(&line.text)) {
        return Found::Rows;
    }
    let prose = columns.iter().filter(|column| is_prose(column)).count();
    let lines: usize = columns.iter().map(Vec::len).sum();
    let beside: usize = rows.iter().filter(|row| row.filled() > 1).map(|row| row.lines()).sum();
    let is_table = match prose {
        0 => beside * 10 >= lines * 6,
        1 => columns.iter().filter(|column| !is_prose(column)).all(|column| {
            let level = column.iter().filter(|line| rows.iter().any(|row| row.filled() > 1 && row.has(line))).count();
            level * 10 >= column.len() * 8
        }),
        _ => false,
    };
    if is_table { Found::Pieces(pieces(rows, columns.len())) } else { Found::Columns }
}

/// Whether a mark that opens an item of a list stands alone.
pub(super) fn is_marker(text: &str) -> bool {
    let inner = text.trim_matches(|character| matches!(character, '(' | ')' | '.' | '[' | ']' | ':'));
    let bullet = text.chars().count() == 1 && !text.chars().all(char::is_alphanumeric);
    let number = inner.len() <= 3 && !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    let letter = inner.len() == 1 && inner.bytes().all(|byte| byte.is_ascii_alphabetic());
    bullet || ((number || letter) && inner.len() < text.len())
}

/// Whether lines are running text: long for their column, and of several words.
pub(super) fn is_prose(lines: &[Line]) -> bool {
    let count = lines.len().max(1);
    let left = lines.iter().map(|line| line.x0).fold(f32::INFINITY, f32::min);
    let right = lines.iter().map(|line| line.x1).fold(f32::NEG_INFINITY, f32::max);
    let filled = lines.iter().map(Line::width).sum::<f32>() / (count as f32 * (right - left).max(1.0));
    let characters = lines.iter().map(Line::characters).sum::<usize>() / count;
    let letters: usize =
        lines.iter().map(|line| line.text.chars().filter(|letter| letter.is_alphabetic()).count()).sum();
    let wordy = letters * 10 >= lines.iter().map(Line::characters).sum::<usize>() * 6;
    // Ideographs say more with fewer characters.
    let wide = lines.iter().flat_map(|line| line.text.chars().take(4)).any(is_ideographic);
    let long = if wide { 12 } else { 26 };
    wordy
        && ((characters >= long && filled >= 0.65 && count >= 3)
            || (characters * 3 >= long * 2 && filled >= 0.8 && count >= 6))
}

/// Lines side by side: one list a column.
struct Row {
    cells: Vec<Vec<Line>>,
}

impl Row {
    fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.is_empty()).count()
    }

    fn lines(&self) -> usize {
        self.cells.iter().map(Vec::len).sum()
    }

    fn has(&self, line: &Line) -> bool {
        self.cells.iter().flatten().any(|own| own == line)
    }

    fn all(&self) -> impl Iterator<Item = &Line> {
        self.cells.iter().flatten()
    }

    fn top(&self) -> f32 {
        self.all().map(Line::top).fold(f32::INFINITY, f32::min)
    }

    fn bottom(&self) -> f32 {
        self.all().map(Line::bottom).fold(f32::NEG_INFINITY, f32::max)
    }

    fn size(&self) -> f32 {
        self.all().map(|line| line.size).fold(0.0, f32::max)
    }
}

fn rows(columns: &[Vec<Line>]) -> Vec<Row> {
    let mut lines: Vec<(usize, &Line)> =
        columns.iter().enumerate().flat_map(|(column, lines)| lines.iter().map(move |line| (column, line))).collect();
    lines.sort_by(|a, b| a.1.baseline.total_cmp(&b.1.baseline));
    let mut rows: Vec<Row> = Vec::new();
    for (column, line) in lines {
        let same = rows
            .last()
            .is_some_and(|row| row.all().all(|other| other.is_level_with(line)) && row.cells[column].is_empty());
        if !same {
            rows.push(Row { cells: vec![Vec::new(); columns.len()] });
        }
        if let Some(row) = rows.last_mut() {
            row.cells[column].push(line.clone());
        }
    }
    rows
}

/// Cuts rows where a wide gap parts them, and takes lines at both ends that stand alone out of the table.
fn pieces(rows: Vec<Row>, columns: usize) -> Vec<Piece> {
    let mut gaps: Vec<f32> = rows.windows(2).map(|pair| pair[1].top() - pair[0].bottom()).collect();
    gaps.sort_by(f32::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0).max(0.0);
    let mut stretches: Vec<Vec<Row>> = Vec::new();
    for row in rows {
        let near = stretches
            .last()
            .and_then(|stretch| stretch.last())
            .is_some_and(|last| row.top() - last.bottom() <= 2.5 * usual + 1.2 * row.size());
        match stretches.last_mut() {
            Some(stretch) if near => stretch.push(row),
            _ => stretches.push(vec![row]),
        }
    }
    stretches.into_iter().flat_map(|stretch| table_with_surroundings(stretch, columns)).collect()
}

fn table_with_surroundings(mut rows: Vec<Row>, columns: usize) -> Vec<Piece> {
    let first = rows.iter().position(|row| row.filled() > 1).unwrap_or(rows.len());
    let last = rows.iter().rposition(|row| row.filled() > 1).map_or(first, |last| last + 1);
    // Lines that go on below the last full row in another than the first column are the rest of its cells.
    let last = (last..rows.len())
        .find(|&at| !continues(&rows[at], rows.get(at.wrapping_sub(1))))
        .unwrap_or(rows.len())
        .max(last);
    let after = rows.split_off(last);
    let table = rows.split_off(first);
    let text = |rows: Vec<Row>| Piece::Text(rows.into_iter().flat_map(|row| row.cells.into_iter().flatten()).collect());
    let table = match build(&table, columns) {
        Some(built) => Piece::Table(built),
        None => text(table),
    };
    [text(rows), table, text(after)].into()
}

/// Whether a row is the rest of the one above: nothing in the first column, words only under words, close by.
fn continues(row: &Row, above: Option<&Row>) -> bool {
    let Some(above) = above else { return false };
    let close = row.top() - above.bottom() < 0.5 * row.size();
    let under = row.cells.iter().zip(&above.cells).all(|(cell, above)| cell.is_empty() || !above.is_empty());
    let words = row.all().all(|line| line.text.chars().any(char::is_alphabetic));
    close && row.cells.first().is_some_and(Vec::is_empty) && under && words
}

fn build(rows: &[Row], columns: usize) -> Option<Table> {
    if rows.iter().filter(|row| row.filled() > 1).count() < 2 {
        return None;
    }
    let mut built: Vec<Vec<String>> = Vec::new();
    let mut above: Option<&Row> = None;
    for row in rows {
        let texts = row.cells.iter().map(|cell| cell_text(cell));
        match built.last_mut().filter(|_| continues(row, above)) {
            Some(last) => {
                for (cell, text) in last.iter_mut().zip(texts).filter(|(_, text)| !text.is_empty()) {
                    *cell = join(std::mem::take(cell), &text);
                }
            }
            None => built.push(texts.collect()),
        }
        above = Some(row);
    }
    let lines = || rows.iter().flat_map(Row::all);
    (built.len() > 1 && columns > 1).then(|| Table {
        x0: lines().map(|line| line.x0).fold(f32::INFINITY, f32::min),
        x1: lines().map(|line| line.x1).fold(f32::NEG_INFINITY, f32::max),
        top: lines().map(Line::top).fold(f32::INFINITY, f32::min),
        bottom: lines().map(Line::bottom).fold(f32::NEG_INFINITY, f32::max),
        size: usual_size(lines()),
        rows: built,
    })
}
