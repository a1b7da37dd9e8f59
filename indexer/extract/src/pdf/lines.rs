//! Words made of characters, and lines made of words. A line is what stands side by side without a wide gap: the two
//! halves of a row in a page of two columns, or two cells of a table, are lines of their own. The order of the file is
//! trusted for neighbours (it knows which base an exponent belongs to), their places decide everything else.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::glyphs::Glyph;
use super::{bidi, justified, text};

/// Widest gap within a line, in letter heights.
const LINE_GAP: f32 = 0.9;
/// Narrowest gap that is a space, in letter heights.
const SPACE: f32 = 0.14;
/// Lines looked back at for one that a piece continues.
const LOOK_BACK: usize = 24;

/// Characters that belong together without a space.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) baseline: f32,
    pub(super) size: f32,
    pub(super) text: String,
    bold: bool,
    mono: bool,
    /// Whether the file has a space before it.
    spaced: bool,
}

impl Word {
    /// Whether a character stands right behind the word, on its line and like it.
    fn is_continued_by(&self, glyph: &Glyph) -> bool {
        let near = 0.1 * self.size.min(glyph.size);
        let level = (self.baseline - glyph.baseline).abs() <= near && (self.size - glyph.size).abs() <= 2.0 * near;
        let gap = glyph.x0 - self.x1;
        level && gap >= -3.0 * near && gap <= 10.0 * near * SPACE && self.bold == glyph.bold
    }
}

/// A piece of a row of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) baseline: f32,
    /// Height of most of its letters.
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) mono: bool,
    pub(super) text: String,
    /// Words from left to right.
    pub(super) words: Vec<Word>,
}

impl Line {
    pub(super) fn top(&self) -> f32 {
        self.baseline - 0.8 * self.size
    }

    pub(super) fn bottom(&self) -> f32 {
        self.baseline + 0.2 * self.size
    }

    pub(super) fn width(&self) -> f32 {
        self.x1 - self.x0
    }

    pub(super) fn characters(&self) -> usize {
        self.text.chars().count()
    }

    /// A line of these words, read in the direction of their script.
    pub(super) fn new(mut words: Vec<Word>) -> Option<Self> {
        words.sort_by(|a, b| a.x0.total_cmp(&b.x0));
        let main =
            words.iter().max_by(|a, b| (a.text.len() as f32 * a.size).total_cmp(&(b.text.len() as f32 * b.size)))?;
        let (baseline, size) = (main.baseline, main.size);
        let letters =
            |of: fn(&Word) -> bool| -> usize { words.iter().filter(|word| of(word)).map(|word| word.text.len()).sum() };
        let all = letters(|_| true);
        let line = Self {
            x0: words.iter().map(|word| word.x0).fold(f32::INFINITY, f32::min),
            x1: words.iter().map(|word| word.x1).fold(f32::NEG_INFINITY, f32::max),
            baseline,
            size,
            bold: letters(|word| word.bold) * 10 >= all * 9,
            mono: letters(|word| word.mono) * 10 >= all * 9,
            text: read(&words),
            words,
        };
        (!line.text.is_empty()).then_some(line)
    }

    /// Whether two lines stand in the same row.
    pub(super) fn is_level_with(&self, other: &Self) -> bool {
        let overlap = self.bottom().min(other.bottom()) - self.top().max(other.top());
        overlap >= 0.55 * self.size.min(other.size)
    }
}

/// Leaves out words that are printed again, a little aside, to look bold.
fn without_overprints(words: Vec<Word>) -> Vec<Word> {
    let mut seen: HashSet<(u64, i64, i64)> = HashSet::new();
    let mut is_new = |word: &Word| {
        let text = hash(&word.text);
        let step = (0.25 * word.size).max(0.1);
        let (x, y) = ((word.x0 / step) as i64, (word.baseline / step) as i64);
        let near = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)];
        let known = near.iter().any(|(dx, dy)| seen.contains(&(text, x + dx, y + dy)));
        seen.insert((text, x, y));
        !known
    };
    words.into_iter().filter(|word| is_new(word)).collect()
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The lines of one direction of a page, in no particular order.
pub(super) fn lines(glyphs: &[Glyph]) -> Vec<Line> {
    let chained = chain(without_overprints(words(glyphs)));
    justified::join(merge(chained).into_iter().filter_map(|piece| Line::new(piece.words)).collect())
}

/// Runs of characters as the file has them.
fn words(glyphs: &[Glyph]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut spaced = true;
    let mut accent: Option<Glyph> = None;
    for glyph in glyphs {
        let Some(text) = text::settle(glyph.text) else {
            reach(&mut words, glyph, spaced);
            continue;
        };
        if text.is_whitespace() {
            spaced = true;
            continue;
        }
        let glyph = &Glyph { text, ..*glyph };
        if accent.is_none() && text::combining(glyph.text).is_some() {
            accent = Some(*glyph);
            continue;
        }
        if let Some(mark) = accent.take() {
            let composed = glyph.text.is_alphabetic() && overlaps(&mark, glyph);
            push(&mut words, if composed { glyph } else { &mark }, spaced);
            spaced = false;
            match text::combining(mark.text).filter(|_| composed) {
                Some(combining) => words.iter_mut().next_back().into_iter().for_each(|word| word.text.push(combining)),
                None => push(&mut words, glyph, false),
            }
            continue;
        }
        push(&mut words, glyph, spaced);
        spaced = false;
    }
    if let Some(mark) = accent {
        push(&mut words, &mark, spaced);
    }
    words
}

/// Whether an accent is drawn over a letter.
fn overlaps(mark: &Glyph, letter: &Glyph) -> bool {
    let overlap = mark.x1.min(letter.x1) - mark.x0.max(letter.x0);
    overlap > 0.5 * (mark.x1 - mark.x0).min(letter.x1 - letter.x0)
        && (mark.baseline - letter.baseline).abs() < letter.size
}

/// A character that says nothing still fills its place: it parts no word.
fn reach(words: &mut [Word], glyph: &Glyph, spaced: bool) {
    if let Some(word) = words.last_mut().filter(|word| !spaced && word.is_continued_by(glyph)) {
        word.x1 = word.x1.max(glyph.x1);
    }
}

fn push(words: &mut Vec<Word>, glyph: &Glyph, spaced: bool) {
    if let Some(word) = words.last_mut().filter(|word| !spaced && word.is_continued_by(glyph)) {
        word.text.push(glyph.text);
        word.x1 = word.x1.max(glyph.x1);
        return;
    }
    words.push(Word {
        x0: glyph.x0,
        x1: glyph.x1,
        baseline: glyph.baseline,
        size: glyph.size,
        text: glyph.text.to_string(),
        bold: glyph.bold,
        mono: glyph.mono,
        spaced,
    });
}

/// A line in the making.
struct Piece {
    words: Vec<Word>,
    x0: f32,
    x1: f32,
    baseline: f32,
    size: f32,
}

impl Piece {
    fn new(word: Word) -> Self {
        Self { x0: word.x0, x1: word.x1, baseline: word.baseline, size: word.size, words: vec![word] }
    }

    /// Whether a piece at this place continues this one: on its line (exponents are) and not far away.
    fn continues(&self, x0: f32, x1: f32, baseline: f32, size: f32) -> bool {
        let small = self.size.min(size);
        let overlap = (self.baseline + 0.2 * self.size).min(baseline + 0.2 * size)
            - (self.baseline - 0.8 * self.size).max(baseline - 0.8 * size);
        let unlike = (self.size - size).abs() > 0.15 * self.size.max(size);
        let level = if unlike { overlap >= 0.45 * small } else { (self.baseline - baseline).abs() <= 0.3 * small };
        let gap = (x0 - self.x1).max(self.x0 - x1);
        level && gap >= -self.size.max(size) && gap <= LINE_GAP * self.size.max(size).min(2.0 * small)
    }

    fn append(&mut self, other: Self) {
        self.x0 = self.x0.min(other.x0);
        self.x1 = self.x1.max(other.x1);
        // The larger letters say where the line stands.
        let weight = |words: &[Word]| words.iter().map(|word| word.text.len()).sum::<usize>() as f32;
        if other.size * weight(&other.words).sqrt() > self.size * weight(&self.words).sqrt() {
            (self.baseline, self.size) = (other.baseline, other.size);
        }
        self.words.extend(other.words);
    }
}

/// Pieces of lines in the order of the file.
fn chain(words: Vec<Word>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for word in words {
        let piece = Piece::new(word);
        match pieces.last_mut() {
            // Only forwards: words that jump back may have been set at any time.
            Some(last)
                if last.continues(piece.x0, piece.x1, piece.baseline, piece.size)
                    && piece.x0 >= last.x1 - 0.3 * last.size =>
            {
                last.append(piece);
            }
            _ => pieces.push(piece),
        }
    }
    pieces
}

/// Joins the pieces that stand next to each other, whatever their order in the file.
fn merge(mut pieces: Vec<Piece>) -> Vec<Piece> {
    // Joining two pieces can bring a third into reach; it hardly ever takes more than a second round.
    for _ in 0..4 {
        let before = pieces.len();
        pieces.sort_by(|a, b| a.x0.total_cmp(&b.x0));
        pieces = merge_once(pieces);
        if pieces.len() == before {
            break;
        }
    }
    pieces
}

fn merge_once(pieces: Vec<Piece>) -> Vec<Piece> {
    // Rows of 8 points: a piece can continue one of its own row or of a neighbouring one.
    let mut rows: HashMap<i64, Vec<usize>> = HashMap::new();
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let row = (piece.baseline / 8.0) as i64;
        let candidates =
            (row - 2..=row + 2).filter_map(|near| rows.get(&near)).flat_map(|row| row.iter().rev().take(LOOK_BACK));
        let best = candidates
            .filter(|&&at| merged[at].continues(piece.x0, piece.x1, piece.baseline, piece.size))
            .min_by(|&&a, &&b| {
                let distance = |at: usize| (merged[at].baseline - piece.baseline).abs();
                distance(a).total_cmp(&distance(b))
            });
        match best.copied() {
            Some(at) => merged[at].append(piece),
            None => {
                rows.entry(row).or_default().push(merged.len());
                merged.push(piece);
            }
        }
    }
    merged
}

/// The text of words from left to right, in the order they are read in.
fn read(words: &[Word]) -> String {
    let space = space_of(words);
    let mut drawn = String::new();
    let mut before: Option<&Word> = None;
    for word in words {
        if let Some(before) = before {
            let size = before.size.max(word.size);
            let gap = word.x0 - before.x1;
            let jumps = [before, word].iter().any(|word| word.text.chars().any(text::is_right_to_left));
            // A space of the file stands before the word in the file; where words run leftwards only the room tells.
            if gap > if jumps { 0.5 * space } else { space } * size || (word.spaced && !jumps && gap > -0.1 * size) {
                drawn.push(' ');
            }
        }
        drawn.push_str(&word.text);
        before = Some(word);
    }
    let drawn = if drawn.chars().any(text::is_right_to_left) { bidi::reading_order(&drawn) } else { drawn };
    text::tidy(&drawn).trim().to_string()
}

/// The narrowest gap that is a space, in letter heights: wider where every letter stands apart. The dots that lead from
/// a title to its page are no letters.
fn space_of(words: &[Word]) -> f32 {
    let leads = |word: &&Word| word.text.chars().all(text::is_leader);
    let letters: Vec<&Word> = words.iter().filter(|word| !leads(word)).collect();
    let words = if words.len() - letters.len() >= text::LEADER { letters } else { words.iter().collect() };
    let single = words.iter().filter(|word| word.text.chars().count() == 1).count();
    if words.len() < 4 || single * 4 < words.len() * 3 {
        return SPACE;
    }
    let mut gaps: Vec<f32> = words.windows(2).map(|pair| (pair[1].x0 - pair[0].x1) / pair[1].size.max(0.1)).collect();
    gaps.sort_by(f32::total_cmp);
    let middle = gaps[gaps.len() / 2];
    if words.iter().skip(1).all(|word| word.spaced) { SPACE } else { SPACE.max(1.6 * middle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters half as wide as high, from `x` on.
    pub(in crate::pdf) fn write(glyphs: &mut Vec<Glyph>, x: f32, baseline: f32, size: f32, text: &str) {
        for (number, text) in text.chars().enumerate() {
            let x0 = x + 0.5 * size * number as f32;
            let glyph = Glyph {
                x0,
                x1: x0 + 0.5 * size,
                baseline,
                size,
                text,
                bold: false,
                mono: false,
                guessed: false,
                sight: Default::default(),
            };
            glyphs.push(glyph);
        }
    }

    fn texts(glyphs: &[Glyph]) -> Vec<String> {
        let mut lines = lines(glyphs);
        lines.sort_by(|a, b| a.baseline.total_cmp(&b.baseline).then(a.x0.total_cmp(&b.x0)));
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn gaps_are_spaces_and_wide_gaps_part_lines() {
        let mut glyphs = Vec::new();
        write(&mut glyphs, 0.0, 10.0, 10.0, "one");
        write(&mut glyphs, 18.0, 10.0, 10.0, "two");
        write(&mut glyphs, 100.0, 10.0, 10.0, "far off");
        assert_eq!(texts(&glyphs), ["one two", "far off"]);
    }

    #[test]
    fn exponents_stay_with_their_base_and_accents_with_their_letter() {
        let mut glyphs = Vec::new();
        write(&mut glyphs, 0.0, 10.0, 10.0, "x");
        write(&mut glyphs, 5.0, 6.5, 6.0, "2");
        write(&mut glyphs, 11.0, 10.0, 10.0, "´");
        write(&mut glyphs, 11.0, 10.0, 10.0, "ete");
        assert_eq!(texts(&glyphs), ["x2 éte"]);
    }

    #[test]
    fn the_order_of_the_file_does_not_matter_within_a_row() {
        let mut glyphs = Vec::new();
        write(&mut glyphs, 20.0, 10.0, 10.0, "c");
        write(&mut glyphs, 0.0, 10.0, 10.0, "a");
        write(&mut glyphs, 10.0, 10.0, 10.0, "b");
        assert_eq!(texts(&glyphs), ["a b c"]);
    }

    #[test]
    fn what_is_printed_twice_to_look_bold_is_read_once() {
        let mut glyphs = Vec::new();
        write(&mut glyphs, 0.0, 10.0, 10.0, "Total");
        write(&mut glyphs, 0.3, 10.0, 10.0, "Total");
        assert_eq!(texts(&glyphs), ["Total"]);
    }

    #[test]
    fn spaced_out_letters_are_one_word() {
        let mut glyphs = Vec::new();
        for (number, letter) in ["T", "I", "T", "L", "E"].iter().enumerate() {
            write(&mut glyphs, 9.0 * number as f32, 10.0, 10.0, letter);
        }
        assert_eq!(texts(&glyphs), ["TITLE"]);
    }
}
