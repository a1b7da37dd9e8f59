//! The coverage of a document: which pages gave text, and why the others did not. A picture of a page with a stamp on
//! it is not a text layer, and neither are characters that no one can read because the fonts do not say what they draw.

use super::budget::Refusal;
use super::content::PageContent;
use crate::block::{Missing, PageCount};
use crate::error::FileError;

/// Share of the page that pictures cover when it is a scan, and characters that a stamp on it may have.
const SCAN_SHARE: f64 = 0.5;
const STAMP: usize = 24;
/// Share of the page from which on a picture may hold text.
const PICTURE_SHARE: f64 = 0.1;
/// Painted shapes from which on a page without text is a drawing.
const DRAWING: usize = 40;

const NO_TEXT: &str = "no text layer, likely a scan; switch on OCR (`ocr`) to have it read";
const DRAWN: &str = "no text layer: its letters, if any, are drawn as shapes; switch on OCR (`ocr`) to have it read";
const GARBLED: &str = "a text layer that cannot be read: its fonts do not say which characters they draw; save the \
                       document anew from the program it was made with, or switch on OCR (`ocr`)";
const GAPS: &str = "characters that cannot be read: their font does not say which they are";
/// Characters from which on those that cannot be read are told of, and their share of the page; fewer are bullets.
const FEW_UNKNOWN: usize = 3;
const SHARE_UNKNOWN: usize = 100;

/// What a page turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageState {
    Text,
    /// Text with some characters that nothing is known of.
    Gaps,
    /// Nothing on it.
    Blank,
    /// A picture, maybe with a stamp.
    Scan,
    /// Shapes without text.
    Drawing,
    /// Characters that nothing is known of.
    Garbled,
    Refused(Refusal),
}

impl PageState {
    pub(super) fn has_text(self) -> bool {
        matches!(self, Self::Text | Self::Gaps)
    }
}

/// The pages of a document.
#[derive(Debug, Default)]
pub(super) struct Coverage(Vec<PageState>);

impl Coverage {
    /// Judges a page; pages come in order, from 1.
    pub(super) fn add(&mut self, number: u32, content: &PageContent<'_>) -> PageState {
        debug_assert_eq!(number as usize, self.0.len() + 1);
        let state = judge(content);
        self.0.push(state);
        state
    }

    /// How many pages there are and have text.
    pub(super) fn count(&self) -> PageCount {
        let count = |of: fn(&PageState) -> bool| u32::try_from(self.0.iter().filter(|state| of(state)).count());
        PageCount {
            all: count(|_| true).unwrap_or(u32::MAX),
            with_text: count(|state| state.has_text()).unwrap_or(u32::MAX),
        }
    }

    /// What to say of a document that gave no text.
    ///
    /// # Errors
    /// [`FileError::NoTextLayer`] if something is on its pages and no scan is handed out for it;
    /// [`FileError::Damaged`] if no one can say which characters are on them; [`FileError::Limit`] if all of it was too
    /// much to read.
    pub(super) fn check(&self, without_text: bool, without_scans: bool) -> Result<(), FileError> {
        if !without_text || !without_scans {
            return Ok(());
        }
        let refused = self.0.iter().find_map(|state| match state {
            PageState::Refused(refusal) => Some(*refusal),
            _ => None,
        });
        if let Some(refusal) = refused {
            return Err(FileError::Limit { what: refusal.reason().to_string() });
        }
        if self.0.iter().all(|state| *state == PageState::Blank) {
            return Err(FileError::Empty);
        }
        let unreadable = |state: &PageState| matches!(state, PageState::Garbled | PageState::Blank);
        if self.0.iter().all(unreadable) {
            return Err(FileError::damaged("PDF", "its fonts do not say which characters they draw"));
        }
        Err(FileError::NoTextLayer { pages: self.count().all })
    }

    /// The pages that gave no text, neighbours with the same reason as one.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let mut ranges: Vec<(u32, u32, &str)> = Vec::new();
        for (page, state) in (1..).zip(&self.0) {
            let Some(reason) = reason(*state) else { continue };
            match ranges.last_mut() {
                Some((_, last, known)) if *last + 1 == page && *known == reason => *last = page,
                _ => ranges.push((page, page, reason)),
            }
        }
        let name = |(first, last, reason): (u32, u32, &str)| Missing {
            part: if first == last { format!("page {first}") } else { format!("pages {first} to {last}") },
            reason: reason.to_string(),
        };
        ranges.into_iter().map(name).collect()
    }
}

fn reason(state: PageState) -> Option<&'static str> {
    match state {
        PageState::Text | PageState::Blank => None,
        PageState::Gaps => Some(GAPS),
        PageState::Scan => Some(NO_TEXT),
        PageState::Drawing => Some(DRAWN),
        PageState::Garbled => Some(GARBLED),
        PageState::Refused(refusal) => Some(refusal.reason()),
    }
}

fn judge(content: &PageContent<'_>) -> PageState {
    let glyphs = || content.layers.iter().flatten().filter(|glyph| !glyph.text.is_whitespace());
    let all = glyphs().count();
    let unknown = glyphs().filter(|glyph| is_unknown(glyph.text)).count();
    let pictures: f64 = content.images.iter().map(|image| image.share).sum();
    if let Some(refusal) = content.refusal {
        return PageState::Refused(refusal);
    }
    if all == 0 {
        return match () {
            () if pictures >= PICTURE_SHARE => PageState::Scan,
            () if content.painted >= DRAWING => PageState::Drawing,
            () => PageState::Blank,
        };
    }
    if unknown * 10 > all * 4 || is_guesswork(content, all) {
        return PageState::Garbled;
    }
    let nameless = glyphs().filter(|glyph| glyph.text == char::REPLACEMENT_CHARACTER).count();
    match () {
        () if pictures >= SCAN_SHARE && all <= STAMP => PageState::Scan,
        () if nameless >= FEW_UNKNOWN && nameless * SHARE_UNKNOWN >= all => PageState::Gaps,
        () => PageState::Text,
    }
}

/// Whether a character says nothing to anyone: not known, for private use, or a control character.
fn is_unknown(character: char) -> bool {
    let private = matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    character == char::REPLACEMENT_CHARACTER || private || character.is_control()
}

/// Whether most characters were only guessed, and do not look like words: those have vowels.
fn is_guesswork(content: &PageContent<'_>, all: usize) -> bool {
    let guessed = || content.layers.iter().flatten().filter(|glyph| glyph.guessed && !glyph.text.is_whitespace());
    let letters = guessed().filter(|glyph| glyph.text.is_ascii_alphabetic()).count();
    let vowels = guessed().filter(|glyph| "aeiouyAEIOUY".contains(glyph.text)).count();
    let count = guessed().count();
    all >= 40 && count * 2 > all && (letters * 2 < count || !(letters..letters * 4).contains(&(vowels * 5)))
}
