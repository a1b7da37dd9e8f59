//! ToUnicode maps: from the codes of a font to characters (ISO 32000-1, 9.10.3). They are read entry by entry, because
//! programs that write them get single entries wrong (an empty target, a short array, a map cut off), and a map that is
//! refused as a whole costs all text of its font: `hayro-cmap` refuses it, so only the scanner of tokens under it,
//! `hayro-postscript`, is used here. Entries that mean nothing are passed over; what they stand for stays unknown.

use std::collections::HashMap;

use hayro_cmap::{BfString, CMap, CMapName};
use hayro_postscript::{Number, Scanner, Token};
use hayro_syntax::object::{Dict, Name, Object};

use super::fonts::CodeText;

/// Entries of a map; fonts have at most 65,536 codes.
const MAX_ENTRIES: usize = 200_000;
/// Tokens that cannot be read before a map is taken to be something else.
const MAX_FAULTS: usize = 200;
/// Longest text that one code stands for, in units of UTF-16.
const MAX_UNITS: usize = 64;
/// Ranges looked at that begin before a code: they overlap in broken maps only.
const LOOK_BACK: usize = 16;

/// The map of a font.
#[derive(Debug, Default)]
pub(super) struct ToUnicode {
    singles: HashMap<u32, Target>,
    /// By their first code.
    ranges: Vec<Range>,
    base: Base,
}

/// What a map says of codes that it has no entry for.
#[derive(Debug, Default)]
enum Base {
    #[default]
    Nothing,
    /// A code is its own character.
    Identity,
    Named(Box<CMap>),
}

/// Units of UTF-16, not empty.
type Target = Box<[u16]>;

#[derive(Debug)]
struct Range {
    first: u32,
    last: u32,
    target: Target,
}

impl ToUnicode {
    /// The map of a font; `None` where it has none that says anything.
    pub(super) fn of(font: &Dict<'_>) -> Option<Self> {
        let map = match font.get::<Object<'_>>(b"ToUnicode")? {
            Object::Name(name) => Self { base: Base::named(&name), ..Self::default() },
            Object::Stream(stream) => {
                let mut map = Self::parse(&stream.decoded_data().ok()?);
                if matches!(map.base, Base::Nothing)
                    && let Some(name) = stream.dict().get::<Name<'_>>(b"UseCMap")
                {
                    map.base = Base::below(&name);
                }
                map
            }
            _ => return None,
        };
        let silent = map.singles.is_empty() && map.ranges.is_empty() && matches!(map.base, Base::Nothing);
        (!silent).then_some(map)
    }

    fn parse(data: &[u8]) -> Self {
        let mut map = Self::default();
        let mut tokens = Tokens { data, scanner: Scanner::new(data), faults: 0 };
        let mut last_name = Vec::new();
        let mut section: Option<Section> = None;
        while let Some((token, breaks)) = tokens.next() {
            if map.singles.len() + map.ranges.len() >= MAX_ENTRIES {
                break;
            }
            let name = match &token {
                Token::Name(name) if !name.is_literal() => name.as_bytes(),
                _ => b"",
            };
            match name {
                b"usecmap" => map.base = Base::below(&last_name),
                b"beginbfchar" | b"begincidchar" => map.take(section.replace(Section::characters())),
                b"beginbfrange" | b"begincidrange" => map.take(section.replace(Section::ranges())),
                // Also the end of the map, and of a section whose own end is missing.
                name if name.starts_with(b"end") || name.starts_with(b"begin") => map.take(section.take()),
                _ => {}
            }
            if let Token::Name(name) = &token
                && name.is_literal()
            {
                last_name = name.as_bytes().to_vec();
            }
            if let (Some(section), Some(operand)) = (&mut section, Operand::of(&token)) {
                section.operands.push((operand, breaks));
            }
        }
        map.take(section);
        map.ranges.sort_by_key(|range| range.first);
        map
    }

    fn take(&mut self, section: Option<Section>) {
        match section {
            Some(Section { ranges: false, operands }) => self.characters(&operands),
            Some(Section { ranges: true, operands }) => self.spans(&operands),
            None => {}
        }
    }

    /// Pairs of a code and what it stands for.
    fn characters(&mut self, operands: &[(Operand, bool)]) {
        let mut rest = operands;
        while let [(code, _), after @ ..] = rest {
            rest = after;
            let Some((target, breaks)) = after.first() else { break };
            // Maps have an entry a line: a code alone on its line lacks its target, and takes none from the next.
            let alone = *breaks && matches!(after.get(1), Some((_, false)));
            if alone {
                continue;
            }
            rest = &after[1..];
            if let (Some(code), Some(target)) = (code.code(), target.target()) {
                self.singles.insert(code, target);
            }
        }
    }

    /// Triples of a first code, a last code, and the characters of the first or of each.
    fn spans(&mut self, operands: &[(Operand, bool)]) {
        let mut rest = operands;
        while let [(first, _), (last, _), (third, _), after @ ..] = rest {
            rest = after;
            let codes = first.code().zip(last.code());
            if *third == Operand::Open {
                let length = after.iter().position(|(operand, _)| *operand == Operand::Close).unwrap_or(after.len());
                let (targets, behind) = after.split_at(length);
                rest = behind.get(1..).unwrap_or_default();
                let Some((first, last)) = codes else { continue };
                for (code, (target, _)) in (first..=last).zip(targets) {
                    self.singles.extend(target.target().map(|target| (code, target)));
                }
                continue;
            }
            let (Some((first, last)), Some(target)) = (codes, third.target()) else { continue };
            match last.max(first) {
                last if last == first => drop(self.singles.insert(first, target)),
                last => self.ranges.push(Range { first, last, target }),
            }
        }
    }

    /// What a code stands for.
    pub(super) fn text(&self, code: u32) -> Option<CodeText> {
        if let Some(target) = self.singles.get(&code) {
            return text_of(target, 0);
        }
        let behind = self.ranges.partition_point(|range| range.first <= code);
        let near = self.ranges[..behind].iter().rev().take(LOOK_BACK);
        if let Some(range) = near.into_iter().find(|range| code <= range.last) {
            return text_of(&range.target, code - range.first);
        }
        match &self.base {
            Base::Nothing => None,
            Base::Identity => char::from_u32(code).filter(|own| says(*own)).map(CodeText::Guessed),
            Base::Named(map) => match map.lookup_bf_string(code)? {
                BfString::Char(one) => says(one).then_some(CodeText::One(one)),
                BfString::String(several) => Some(CodeText::Several(several.into())),
            },
        }
    }
}

/// The operands of a section between its begin and its end; whether a line breaks before each.
struct Section {
    ranges: bool,
    operands: Vec<(Operand, bool)>,
}

impl Section {
    fn characters() -> Self {
        Self { ranges: false, operands: Vec::new() }
    }

    fn ranges() -> Self {
        Self { ranges: true, operands: Vec::new() }
    }
}

#[derive(Debug, PartialEq)]
enum Operand {
    Bytes(Vec<u8>),
    Number(u32),
    Open,
    Close,
    /// Something that is no code and no text.
    Other,
}

impl Operand {
    /// `None` for what belongs to the program around the entries.
    fn of(token: &Token<'_>) -> Option<Self> {
        Some(match token {
            Token::String(string) => Self::Bytes(string.decode().unwrap_or_default()),
            Token::Number(Number::Integer(number)) => u32::try_from(*number).map_or(Self::Other, Self::Number),
            Token::Name(name) if name.is_literal() => Self::Other,
            Token::Name(name) => match name.as_bytes() {
                b"[" => Self::Open,
                b"]" => Self::Close,
                _ => return None,
            },
            _ => Self::Other,
        })
    }

    fn code(&self) -> Option<u32> {
        match self {
            Self::Bytes(bytes) if (1..=4).contains(&bytes.len()) => {
                Some(bytes.iter().fold(0, |code, byte| code << 8 | u32::from(*byte)))
            }
            _ => None,
        }
    }

    fn target(&self) -> Option<Target> {
        let units = match self {
            Self::Bytes(bytes) => units(bytes),
            Self::Number(number) => char::from_u32(*number)?.encode_utf16(&mut [0; 2]).to_vec(),
            _ => return None,
        };
        let empty = units.is_empty() || units.len() > MAX_UNITS;
        (!empty).then(|| units.into_boxed_slice())
    }
}

/// UTF-16, and what is written in its place: one byte for a character, UTF-32.
fn units(bytes: &[u8]) -> Vec<u16> {
    match *bytes {
        [one] => vec![u16::from(one)],
        [0, plane @ 1..=0x10, high, low] => char::from_u32(u32::from_be_bytes([0, plane, high, low]))
            .map_or_else(Vec::new, |one| one.encode_utf16(&mut [0; 2]).to_vec()),
        _ => bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).filter(|unit| *unit != 0).collect(),
    }
}

/// The text of a target, moved on by so many characters.
fn text_of(target: &[u16], further: u32) -> Option<CodeText> {
    let mut text: Vec<char> = char::decode_utf16(target.iter().copied()).filter_map(Result::ok).collect();
    if further > 0 {
        let last = text.pop()?;
        text.push(u32::from(last).checked_add(further).and_then(char::from_u32)?);
    }
    text.retain(|character| says(*character));
    match text[..] {
        [] => None,
        [one] => Some(CodeText::One(one)),
        _ => Some(CodeText::Several(text.into_iter().collect::<String>().into())),
    }
}

/// Whether a character says anything: some programs write these for what they do not know.
fn says(character: char) -> bool {
    character != char::REPLACEMENT_CHARACTER && (!character.is_control() || character.is_whitespace())
}

impl Base {
    fn named(name: &[u8]) -> Self {
        match CMapName::from_bytes(name) {
            CMapName::IdentityH | CMapName::IdentityV => Self::Identity,
            name => hayro_cmap::load_embedded(name)
                .and_then(|data| CMap::parse(data, hayro_cmap::load_embedded))
                .map_or(Self::Nothing, |map| Self::Named(Box::new(map))),
        }
    }

    /// What another map builds upon. That is never the identity: such maps mean that codes are glyphs.
    fn below(name: &[u8]) -> Self {
        match Self::named(name) {
            Self::Identity => Self::Nothing,
            base => base,
        }
    }
}

/// The tokens of a map, with what cannot be read passed over.
struct Tokens<'a> {
    data: &'a [u8],
    scanner: Scanner<'a>,
    faults: usize,
}

impl<'a> Tokens<'a> {
    /// The next token and whether a line breaks before it.
    fn next(&mut self) -> Option<(Token<'a>, bool)> {
        let mut breaks = false;
        loop {
            let from = self.scanner.offset();
            if self.scanner.at_end() || self.faults > MAX_FAULTS {
                return None;
            }
            let start = self.scanner.offset();
            breaks |= self.data[from..start].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
            if let Ok(token) = self.scanner.parse_token() {
                return Some((token, breaks));
            }
            self.faults += 1;
            self.scanner.set_offset(start + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(map: &ToUnicode, code: u32) -> String {
        match map.text(code) {
            Some(CodeText::One(one) | CodeText::Guessed(one)) => one.to_string(),
            Some(CodeText::Several(several)) => several.into(),
            Some(CodeText::Unknown) | None => String::new(),
        }
    }

    fn of(source: &str, codes: std::ops::RangeInclusive<u32>) -> Vec<String> {
        let map = ToUnicode::parse(source.as_bytes());
        codes.map(|code| text(&map, code)).collect()
    }

    #[test]
    fn one_odd_entry_costs_itself_alone() {
        let entry = |odd: &str| format!("3 beginbfchar\n<0001> <0041>\n{odd}\n<0003> <0043>\nendbfchar");
        for odd in
            ["<0002> <>", "<0002>", "<0002> /space", "<00020202 <>", "<0002> <d800>", "<0002> <0000>", "<0002> <fffd>"]
        {
            assert_eq!(of(&entry(odd), 1..=3), ["A", "", "C"], "{odd}");
        }
        assert_eq!(of(&entry("<0002> 66"), 1..=3), ["A", "B", "C"]);
        assert_eq!(of("beginbfchar <01> <0041> <02> <> <03> <0043> endbfchar", 1..=3), ["A", "", "C"]);
    }

    #[test]
    fn ranges_and_arrays_are_read_as_far_as_they_go() {
        let source = "beginbfrange\n<01> <03> <0041>\n<04> <08> [<0058> <> <0059>]\n<0a> <09> <005A>\nendbfrange";
        assert_eq!(of(source, 1..=10), ["A", "B", "C", "X", "", "Y", "", "", "", "Z"]);
        let unclosed = "beginbfrange <01> <02> [<0041> <0042> endbfrange beginbfchar <03> <0043> endbfchar";
        assert_eq!(of(unclosed, 1..=3), ["A", "B", "C"]);
    }

    #[test]
    fn a_missing_end_and_a_cut_are_survived() {
        let source = "beginbfchar\n<01> <0041>\nbeginbfrange\n<02> <03> <0042>\nendcmap";
        assert_eq!(of(source, 1..=3), ["A", "B", "C"]);
        assert_eq!(of("beginbfchar\n<01> <0041>\n<02> <00", 1..=2), ["A", ""]);
    }

    #[test]
    fn targets_on_lines_of_their_own_are_targets() {
        assert_eq!(of("beginbfchar\n<01>\n<0041>\n<02>\n<0042>\nendbfchar", 1..=2), ["A", "B"]);
    }

    #[test]
    fn other_ways_to_write_a_character_are_known() {
        let source = "beginbfchar <01> <41> <02> <0001F600> <03> <D83DDE00> <04> <00660069> <05> <00410000> endbfchar";
        assert_eq!(of(source, 1..=5), ["A", "😀", "😀", "fi", "A"]);
    }

    #[test]
    fn maps_build_upon_others() {
        let source = "/Adobe-Japan1-UCS2 usecmap 1 beginbfchar <0002> <0042> endbfchar";
        assert_eq!(of(source, 1..=2), [" ", "B"]);
        assert_eq!(of("/Nobody-Knows usecmap beginbfchar <01> <0041> endbfchar", 1..=1), ["A"]);
    }

    #[test]
    fn the_last_entry_of_a_code_holds() {
        assert_eq!(of("beginbfchar <01> <0041> <01> <0042> endbfchar", 1..=1), ["B"]);
    }

    proptest! {
        #[test]
        fn anything_is_survived(source in "(beginbfchar|beginbfrange|endbfchar|<[0-9a-f]{0,8}>|\\[|\\]|/A |usecmap|[(<{%]| [0-9]{1,9} |\n){0,60}", code: u32) {
            let map = ToUnicode::parse(source.as_bytes());
            map.text(code);
            map.text(1);
        }
    }
}
