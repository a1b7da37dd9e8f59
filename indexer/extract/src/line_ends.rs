//! Line ends that only wrap a text, and hyphens that only part a word there: they say nothing, and what they part is not
//! found. A word parted at the end of a line is made whole, characters of Chinese and Japanese are joined, and soft
//! hyphens, which nobody sees, go. There is no dictionary: where a hyphen may be part of the word it stays.

use std::collections::HashSet;

use crate::block::{BlockKind, StructuredText};
use crate::{Family, Format};

const SOFT_HYPHEN: char = '\u{ad}';

/// Columns of the shortest line that is full: a list of names is no wrapped text. A character of Chinese takes two.
const FULL: usize = 24;

/// Columns by which full lines of one text differ: a mark that may not begin a line, a word of Latin letters.
const RAGGED: usize = 6;

/// Fewest letters on either side of the hyphen of a parted word.
const FEWEST: usize = 2;

/// Words of a line that is running text.
const WORDS: usize = 3;

/// What follows a hyphen that stands for a word that comes later: `Ein- und Ausgang`, `pre- and post-war`.
const AFTER_ELLIPSIS: &[&str] = &[
    "and", "or", "to", "und", "oder", "bis", "sowie", "bzw", "et", "ou", "of", "en", "och", "eller", "og", "ed", "y",
    "o", "e",
];

/// What a hyphen at the end of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hyphen {
    /// It parts a word.
    Parting,
    /// It belongs to the word: `state-of-the-art`.
    Own,
    /// It stands for the rest of a word, or is none.
    Other,
}

/// The document with its words whole.
pub(crate) fn mended(mut document: StructuredText) -> StructuredText {
    for words in document.title.iter_mut().chain(document.metadata.values_mut()) {
        words.retain(|character| character != SOFT_HYPHEN);
    }
    let is_code = Format::named(&document.kind).is_some_and(|format| format.family == Family::Code);
    let is_plain = !document.text.contains(SOFT_HYPHEN) && !document.text.contains('\n');
    if is_code || is_plain {
        return document;
    }
    let compounds = compounds(&document);
    let of_block = |block: &crate::Block| {
        let text = &document.text[block.span.clone()];
        match block.kind {
            BlockKind::Code { .. } => None,
            BlockKind::Table => text.contains(SOFT_HYPHEN).then(|| text.replace(SOFT_HYPHEN, "")),
            _ if !text.contains(['\n', SOFT_HYPHEN]) => None,
            _ => Some(joined(text, block.kind == BlockKind::ListItem, &compounds)).filter(|joined| joined != text),
        }
    };
    let texts: Vec<Option<String>> = document.blocks.iter().map(of_block).collect();
    if texts.iter().all(Option::is_none) {
        return document;
    }
    let source = std::mem::take(&mut document.text);
    let blocks = std::mem::take(&mut document.blocks);
    let mut copied = 0;
    for (mut block, text) in blocks.into_iter().zip(texts) {
        let text = text.as_deref().unwrap_or(&source[block.span.clone()]);
        // A block of nothing but soft hyphens is blank.
        if !text.trim().is_empty() {
            document.text.push_str(&source[copied..block.span.start]);
            let start = document.text.len();
            document.text.push_str(text);
            copied = block.span.end;
            block.span = start..document.text.len();
            document.blocks.push(block);
        } else {
            copied = block.span.end;
        }
    }
    document
}

/// Words with a hyphen of their own, where some line ends with one.
fn compounds(document: &StructuredText) -> HashSet<&str> {
    if !document.text.contains("-\n") {
        return HashSet::new();
    }
    let words = document.text.split(|character: char| !(character.is_alphanumeric() || character == '-'));
    words.filter(|word| word.trim_matches('-').contains('-')).collect()
}

/// A block without the line ends that only part words. Further lines of an item are indented, those of a paragraph that
/// are begin another one.
fn joined(text: &str, is_item: bool, compounds: &HashSet<&str>) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let widest = lines.iter().map(|line| columns(line)).max().unwrap_or(0);
    let mut out = String::with_capacity(text.len());
    // What a line lost to the word that the one before began.
    let mut taken = 0;
    for (number, line) in lines.iter().enumerate() {
        let own = &line[taken..];
        taken = 0;
        out.push_str(own);
        let Some(next) = lines.get(number + 1) else { break };
        let indent = next.len() - next.trim_start_matches([' ', '\t']).len();
        let (indent, next) = next.split_at(indent);
        let end = LineEnd::of(own, next, compounds);
        let hyphen = own.chars().next_back().map_or(0, char::len_utf8);
        match end {
            LineEnd::Parts => out.truncate(out.len() - hyphen),
            LineEnd::KeepsHyphen => {}
            LineEnd::Wraps
                if (indent.is_empty() || is_item) && columns(line) >= FULL && columns(line) + RAGGED >= widest =>
            {
                taken = indent.len();
                continue;
            }
            LineEnd::Wraps | LineEnd::Meant => {
                out.push('\n');
                continue;
            }
        }
        taken = indent.len() + finish_word(&mut out, indent, next);
    }
    out.retain(|character| character != SOFT_HYPHEN);
    out
}

/// What a line end does to what stands around it.
enum LineEnd {
    /// It parts a word, with a hyphen that goes.
    Parts,
    /// It parts a word behind a hyphen of its own.
    KeepsHyphen,
    /// It stands between two characters of Chinese or Japanese.
    Wraps,
    Meant,
}

impl LineEnd {
    fn of(line: &str, next: &str, compounds: &HashSet<&str>) -> Self {
        let next_word = &next[..first_word(next)];
        if next_word.is_empty() {
            return Self::Meant;
        }
        if line.ends_with(SOFT_HYPHEN) {
            return Self::Parts;
        }
        if is_running(line) && line.ends_with(['-', '‐']) {
            return match hyphen_between(line, next_word) {
                Hyphen::Parting if !is_compound(line, next_word, compounds) => Self::Parts,
                Hyphen::Parting | Hyphen::Own => Self::KeepsHyphen,
                Hyphen::Other => Self::Meant,
            };
        }
        if wraps(line, next) { Self::Wraps } else { Self::Meant }
    }
}

/// Puts the rest of a word behind its beginning, and the line end behind that: lines stay what they are. Returns how much
/// of the next line is done with.
fn finish_word(out: &mut String, indent: &str, next: &str) -> usize {
    let end = first_word(next);
    out.push_str(&next[..end]);
    let blanks = next[end..].len() - next[end..].trim_start_matches(' ').len();
    if end + blanks < next.len() {
        out.push('\n');
        out.push_str(indent);
    }
    end + blanks
}

fn first_word(line: &str) -> usize {
    line.find(char::is_whitespace).unwrap_or(line.len())
}

fn is_running(line: &str) -> bool {
    line.split_whitespace().take(WORDS).count() == WORDS || columns(line) >= FULL
}

/// What the hyphen at the end of a line is, by what stands around it.
pub(crate) fn hyphen_between(line: &str, next: &str) -> Hyphen {
    let before = line.trim_end_matches(['-', '‐', SOFT_HYPHEN]);
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let next = &next[..first_word(next)];
    let rest = next.split(|character: char| !character.is_alphabetic()).next().unwrap_or_default();
    let letters = |text: &str| text.chars().filter(|character| character.is_alphabetic()).count();
    let goes_on = word.ends_with(char::is_alphabetic) && next.starts_with(char::is_lowercase);
    if !goes_on || line.ends_with("--") || AFTER_ELLIPSIS.contains(&rest) {
        return Hyphen::Other;
    }
    // `PCR-based`.
    if !word.ends_with(char::is_lowercase)
        || word.contains(['-', '/', '@', '.', '_'])
        || next.trim_end_matches('-').contains('-')
    {
        return Hyphen::Own;
    }
    let is_long = letters(word) >= FEWEST && letters(rest) >= FEWEST;
    if is_long { Hyphen::Parting } else { Hyphen::Own }
}

/// Whether the text has the word with a hyphen elsewhere.
fn is_compound(line: &str, next_word: &str, compounds: &HashSet<&str>) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '-';
    let word = line.rsplit(|character: char| !is_part(character)).next().unwrap_or_default();
    let rest = next_word.split(|character: char| !is_part(character)).next().unwrap_or_default();
    compounds.contains(format!("{}-{rest}", word.trim_end_matches('-')).as_str())
}

/// Whether a line goes on in the next one with a character that needs no space.
fn wraps(line: &str, next: &str) -> bool {
    let ends_sentence = line.ends_with(['。', '！', '？', '；', '：', '…', '」', '』', '）', '、', '，']);
    line.ends_with(is_ideographic) && next.starts_with(is_ideographic) && !ends_sentence
}

fn columns(line: &str) -> usize {
    line.chars().map(|character| if is_ideographic(character) { 2 } else { 1 }).sum()
}

/// Characters of Chinese and Japanese, their marks and full-width forms: no space stands between them.
pub(crate) fn is_ideographic(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::block::sound;
    use crate::{ExtractLimits, extract};

    fn read(name: &str, source: &str) -> StructuredText {
        sound(extract(Path::new(name), source.as_bytes(), &ExtractLimits::default()).unwrap().document.unwrap())
    }

    fn text(source: &str) -> String {
        read("a.txt", source).text.trim().to_owned()
    }

    #[test]
    fn parted_words_are_made_whole_and_lines_stay() {
        assert_eq!(
            text("The maintenance contract covers the ventila-\ntion system of the build-\ning."),
            "The maintenance contract covers the ventilation\nsystem of the building."
        );
        assert_eq!(
            read("a.md", "Some words of the ventila-\ntion system.\n").text,
            "Some words of the ventilation\nsystem."
        );
        assert_eq!(
            text("- all about the ventila-\n  tion of the hall\n- two"),
            "- all about the ventilation\n  of the hall\n- two"
        );
        let mail = read("a.eml", "From: a@x\nTo: b@x\nSubject: s\n\nThis letter is about the ventila-\ntion system.\n");
        assert!(mail.text.ends_with("about the ventilation\nsystem."), "{}", mail.text);
    }

    #[test]
    fn hyphens_that_belong_to_a_word_stay() {
        for (source, expected) in [
            ("It is a state-of-\nthe-art machine", "It is a state-of-the-art\nmachine"),
            ("a well-known fact and a well-\nknown one", "a well-known fact and a well-known\none"),
            ("der Ein-\nund Ausgang des Lagers", "der Ein-\nund Ausgang des Lagers"),
            ("this was all pre-\nand post-war building", "this was all pre-\nand post-war building"),
            ("he met Jean-\nLuc at the gate", "he met Jean-\nLuc at the gate"),
            ("the years of 1990-\n2000 were good", "the years of 1990-\n2000 were good"),
            ("this is a dash --\nand words follow", "this is a dash --\nand words follow"),
            ("see the e-\nmail of Monday", "see the e-mail\nof Monday"),
            ("all tests are PCR-\nbased today", "all tests are PCR-based\ntoday"),
        ] {
            assert_eq!(text(source), expected);
        }
        assert_eq!(text("foo-\nbar"), "foo-\nbar", "two words are no running text");
        assert_eq!(read("a.sh", "echo one two three-\nfour five\n").text.trim(), "echo one two three-\nfour five");
    }

    #[test]
    fn wrapped_chinese_is_joined_and_lists_are_not() {
        let wrapped = "采购合同必须由财务部和法务部共\n同签字之后才能寄给供应商。";
        assert_eq!(text(wrapped), wrapped.replace('\n', ""));
        assert_eq!(read("a.md", wrapped).text, wrapped.replace('\n', ""));
        for same in [
            "张三\n李四\n王五",
            "姓名：张三\n部门：财务",
            "采购合同必须由财务部和法务部共同签字。\n同签字之后才能寄给供应商。",
            "一个短标题\n采购合同必须由财务部和法务部共同签字之后",
        ] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn a_line_end_between_characters_of_a_page_is_no_space() {
        assert_eq!(
            read("a.html", "<p>合同由法务部共\n  同签字，word\n 然后 寄出</p>").text,
            "合同由法务部共同签字，word 然后 寄出"
        );
    }

    #[test]
    fn soft_hyphens_are_not_there() {
        assert_eq!(text("The emer\u{ad}gency gener\u{ad}\nator test"), "The emergency generator\ntest");
        let page = read(
            "a.html",
            "<title>Donau&shy;dampf</title><p>Donau&shy;dampf&shy;schiff</p><pre>a&shy;b</pre><table><tr><th>Ge&shy;rät<th>x<tr><td>1<td>2</table>",
        );
        assert!(page.text.starts_with("Donaudampfschiff\n\na\u{ad}b\n\n| Gerät | x |"), "{:?}", page.text);
        assert_eq!(page.title.as_deref(), Some("Donaudampf"));
    }
}
