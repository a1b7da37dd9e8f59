//! Lines of narrow justified columns. Their words stand so far apart that they look like cells; but all gaps of such a
//! line are alike, it reaches from edge to edge as the line above or below it does, and the words of the two do not
//! stand under each other. Pieces of which this is true are one line.

use super::lines::Line;

/// How far edges of lines may differ that are meant to be the same, in letter heights.
const EDGE: f32 = 0.6;
/// How far gaps within a line may differ, and the widest of them, in letter heights.
const GAPS: f32 = 0.2;
const WIDEST: f32 = 6.0;
/// Farthest baseline of a neighbouring line, in letter heights: a line of a single word may stand between.
const STEP: f32 = 2.6;
/// How near cells are that stand under each other, in letter heights.
const UNDER: f32 = 0.3;
/// Least words and characters of one of two lines.
const MIN_WORDS: usize = 3;
const MIN_CHARACTERS: usize = 14;

/// Pieces of a row with gaps that are all alike.
struct Run {
    pieces: Vec<usize>,
    x0: f32,
    x1: f32,
    baseline: f32,
    size: f32,
}

/// Puts pieces together that are one justified line.
pub(super) fn join(lines: Vec<Line>) -> Vec<Line> {
    let runs = runs(&lines);
    if !runs.iter().any(|run| run.pieces.len() > 1) {
        return lines;
    }
    let mut whole = vec![false; runs.len()];
    for (at, run) in runs.iter().enumerate() {
        let near = runs[at + 1..].iter().take_while(|other| other.baseline - run.baseline <= STEP * run.size);
        for (further, other) in near.enumerate() {
            if is_same_column(run, other) && is_running_text(&lines, run, other) {
                (whole[at], whole[at + 1 + further]) = (true, true);
            }
        }
    }
    let mut pieces: Vec<Option<Line>> = lines.into_iter().map(Some).collect();
    let mut joined = Vec::with_capacity(pieces.len());
    for (run, _) in runs.iter().zip(whole).filter(|(run, whole)| *whole && run.pieces.len() > 1) {
        let words = run.pieces.iter().filter_map(|&piece| pieces[piece].take()).flat_map(|piece| piece.words).collect();
        joined.extend(Line::new(words));
    }
    joined.extend(pieces.into_iter().flatten());
    joined
}

/// The runs of a page, from the top.
fn runs(lines: &[Line]) -> Vec<Run> {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|&a, &b| lines[a].baseline.total_cmp(&lines[b].baseline).then(lines[a].x0.total_cmp(&lines[b].x0)));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for piece in order {
        let level = |row: &Vec<usize>| {
            let (first, own) = (&lines[row[0]], &lines[piece]);
            (first.baseline - own.baseline).abs() < 0.1 * own.size && (first.size - own.size).abs() <= 0.08 * own.size
        };
        match rows.last_mut().filter(|row| level(row)) {
            Some(row) => row.push(piece),
            None => rows.push(vec![piece]),
        }
    }
    rows.iter_mut().for_each(|row| row.sort_by(|&a, &b| lines[a].x0.total_cmp(&lines[b].x0)));
    rows.into_iter().flat_map(|row| runs_of_row(lines, row)).collect()
}

fn runs_of_row(lines: &[Line], row: Vec<usize>) -> Vec<Run> {
    let mut runs: Vec<(Run, (f32, f32))> = Vec::new();
    for piece in row {
        let line = &lines[piece];
        if let Some((run, gaps)) = runs.last_mut() {
            let gap = line.x0 - run.x1;
            let all = widened(widened(*gaps, (gap, gap)), gaps_of(line));
            if gap > 0.0 && all.1 - all.0 <= GAPS * line.size && all.1 <= WIDEST * line.size {
                run.pieces.push(piece);
                (run.x1, *gaps) = (line.x1, all);
                continue;
            }
        }
        let run = Run { pieces: vec![piece], x0: line.x0, x1: line.x1, baseline: line.baseline, size: line.size };
        runs.push((run, gaps_of(line)));
    }
    runs.into_iter().map(|(run, _)| run).collect()
}

/// The narrowest and the widest gap between the words of a line.
fn gaps_of(line: &Line) -> (f32, f32) {
    let gaps = line.words.windows(2).map(|pair| pair[1].x0 - pair[0].x1);
    gaps.fold((f32::INFINITY, f32::NEG_INFINITY), |all, gap| widened(all, (gap, gap)))
}

fn widened(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

fn is_same_column(a: &Run, b: &Run) -> bool {
    let edge = EDGE * a.size;
    (a.pieces.len() > 1 || b.pieces.len() > 1)
        && b.baseline - a.baseline > 0.5 * a.size
        && (a.size - b.size).abs() <= 0.08 * a.size
        && (a.x0 - b.x0).abs() <= edge
        && (a.x1 - b.x1).abs() <= edge
}

/// Whether two rows are lines of running text: of some words, and not cells under cells.
fn is_running_text(lines: &[Line], a: &Run, b: &Run) -> bool {
    let of = |run: &Run| run.pieces.iter().map(|&piece| &lines[piece]).collect::<Vec<_>>();
    let (a, b) = (of(a), of(b));
    let long = |row: &[&Line]| {
        row.iter().map(|piece| piece.words.len()).sum::<usize>() >= MIN_WORDS
            && row.iter().map(|piece| piece.characters()).sum::<usize>() >= MIN_CHARACTERS
    };
    let wordy = |row: &[&Line]| {
        row.iter().filter(|piece| piece.text.chars().any(char::is_alphabetic)).count() * 4 > row.len() * 3
    };
    let (few, many) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    (long(&a) || long(&b)) && wordy(&a) && wordy(&b) && !stands_under(few, many)
}

/// Whether each piece but the outermost edges stands under one of the other row, left, right or centred.
fn stands_under(few: &[&Line], many: &[&Line]) -> bool {
    let inner_left = |at: usize| at > 0;
    few.len() > 1
        && few.iter().enumerate().all(|(at, piece)| {
            let near = UNDER * piece.size;
            let inner_right = at + 1 < few.len();
            many.iter().any(|other| {
                (inner_left(at) && (piece.x0 - other.x0).abs() <= near)
                    || (inner_right && (piece.x1 - other.x1).abs() <= near)
                    || (inner_left(at)
                        && inner_right
                        && (piece.x0 + piece.x1 - other.x0 - other.x1).abs() <= 2.0 * near)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::Glyph;
    use super::super::lines::lines;

    /// Words of 10 points from `left` to `right` with gaps that are all alike, letters half as wide as high.
    fn justified(glyphs: &mut Vec<Glyph>, (left, right): (f32, f32), baseline: f32, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let letters: usize = words.iter().map(|word| word.chars().count()).sum();
        let gap = (right - left - 5.0 * letters as f32) / (words.len() - 1) as f32;
        let mut x = left;
        for word in words {
            for text in word.chars() {
                let place = Glyph {
                    x0: x,
                    x1: x + 5.0,
                    baseline,
                    size: 10.0,
                    text,
                    bold: false,
                    mono: false,
                    guessed: false,
                    sight: Default::default(),
                };
                glyphs.push(place);
                x += 5.0;
            }
            x += gap;
        }
    }

    fn texts(glyphs: &[Glyph]) -> Vec<String> {
        let mut lines = lines(glyphs);
        lines.sort_by(|a, b| a.baseline.total_cmp(&b.baseline).then(a.x0.total_cmp(&b.x0)));
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn stretched_lines_of_a_column_are_lines() {
        let rows = [
            "Justified columns are",
            "characteristically",
            "narrow and measuring",
            "internationalisation of",
            "behaviour of all.",
        ];
        let mut glyphs = Vec::new();
        for (row, text) in rows.iter().enumerate().filter(|(_, text)| text.contains(' ')) {
            justified(&mut glyphs, (0.0, 150.0), 12.0 * row as f32, text);
            justified(&mut glyphs, (215.0, 365.0), 12.0 * row as f32, text);
        }
        let expected: Vec<&str> =
            rows.iter().filter(|text| text.contains(' ')).flat_map(|text| [*text, *text]).collect();
        assert_eq!(texts(&glyphs), expected);
    }

    #[test]
    fn cells_under_cells_stay_cells() {
        let mut glyphs = Vec::new();
        for (row, cells) in
            [["Seal", "Pump", "Oil"], ["Ring", "Hose", "Fat"], ["Bolt", "Tube", "Wax"]].iter().enumerate()
        {
            for (column, cell) in cells.iter().enumerate() {
                let (x, baseline) = (60.0 * column as f32, 12.0 * row as f32);
                for (letter, text) in cell.chars().enumerate() {
                    let x0 = x + 5.0 * letter as f32;
                    glyphs.push(Glyph {
                        x0,
                        x1: x0 + 5.0,
                        baseline,
                        size: 10.0,
                        text,
                        bold: false,
                        mono: false,
                        guessed: false,
                        sight: Default::default(),
                    });
                }
            }
        }
        assert_eq!(texts(&glyphs).len(), 9);
    }
}
